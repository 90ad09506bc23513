//! `for:` come to: what templates know, once per value.

use crate::{
    model::{Fault, Kind},
    workspace::{Bindings, Data, Each, MatrixPart, Over, TaskText, TemplateValue},
};

use super::{evaluation::Evaluation, steps::Rendering};

/// How many values one `for` may have. Each is a command, and words of its own.
const MOST: usize = 20_000;

impl Rendering<'_, '_> {
    /// `bindings`, once per value of `each`; once as they are without it.
    pub async fn each(
        &self,
        each: Option<&Each>,
        bindings: &Bindings,
        evaluation: &Evaluation<'_, '_>,
    ) -> Result<Vec<Bindings>, Fault> {
        let Some(each) = each else { return Ok(vec![bindings.clone()]) };
        let values = match &each.over {
            Over::Matrix(parts) => numbered(self.matrix(parts, bindings)?),
            Over::List(items) => numbered(self.list(items, bindings)?),
            Over::Inputs => files(evaluation.files(&self.patterns(&self.task.inputs, bindings)?)?),
            Over::Outputs => {
                files(evaluation.files(&self.patterns(&self.task.outputs, bindings)?)?)
            }
            Over::Glob(patterns) => files(evaluation.files(&self.patterns(patterns, bindings)?)?),
            Over::Sh(line, split) => {
                let line = self.renderer.render(self.task, line, bindings)?.trimmed();
                let printed = evaluation.printed(&line, None).await.map_err(|fault| {
                    fault.within(format!("cannot tell what {} runs for", self.task.name))
                })?;
                let split = split.as_deref().or(Some("\n"));
                self.items(&TemplateValue::text(printed), split, &line.symbolic())?
            }
            Over::Expr(expression, split) => {
                let value = self.renderer.evaluate(self.task, expression, bindings)?;
                self.items(&value, split.as_deref(), expression.source())?
            }
        };
        self.bounded(values.len())?;
        let with = |(key, value): (TemplateValue, TemplateValue)| {
            let mut bindings = bindings.clone();
            bindings.set("key", key);
            bindings.set(&each.name, value);
            bindings
        };
        Ok(values.into_iter().map(with).collect())
    }

    /// # Errors
    /// If that is more than a task may run for.
    pub(super) fn bounded(&self, values: usize) -> Result<(), Fault> {
        if values <= MOST {
            return Ok(());
        }
        let what = format!("`for` of the task {} has {values} values", self.task.name);
        let hint = "let one command work on many of them, or split the task";
        Err(Fault::new(Kind::Usage, what).because(format!("it may have {MOST}")).hint(hint))
    }

    fn list(&self, items: &[Data], bindings: &Bindings) -> Result<Vec<TemplateValue>, Fault> {
        items.iter().map(|item| self.renderer.data(self.task, item, bindings)).collect()
    }

    fn patterns(&self, templates: &[TaskText], bindings: &Bindings) -> Result<Vec<String>, Fault> {
        templates.iter().map(|one| self.renderer.plain(self.task, one, bindings)).collect()
    }

    fn items(
        &self,
        value: &TemplateValue,
        split: Option<&str>,
        source: &str,
    ) -> Result<Vec<(TemplateValue, TemplateValue)>, Fault> {
        value.items(split).map_err(|kind| {
            let what = format!("the task {} cannot run for `{source}`", self.task.name);
            let why = format!("it is a {kind}, and no list, mapping or text");
            Fault::new(Kind::Usage, what).because(why)
        })
    }

    fn matrix(
        &self,
        parts: &[(String, MatrixPart)],
        bindings: &Bindings,
    ) -> Result<Vec<TemplateValue>, Fault> {
        let mut rows: Vec<Vec<(String, TemplateValue)>> = vec![Vec::new()];
        for (name, part) in parts {
            let items = match part {
                MatrixPart::List(items) => self.list(items, bindings)?,
                MatrixPart::Expr(expression) => {
                    let value = self.renderer.evaluate(self.task, expression, bindings)?;
                    let items = self.items(&value, None, expression.source())?;
                    items.into_iter().map(|(_, item)| item).collect()
                }
            };
            self.bounded(rows.len().saturating_mul(items.len()))?;
            rows = combined(&rows, name, &items);
        }
        Ok(rows.into_iter().map(TemplateValue::map).collect())
    }
}

fn files(files: Vec<String>) -> Vec<(TemplateValue, TemplateValue)> {
    numbered(files.into_iter().map(TemplateValue::text).collect())
}

fn numbered(values: Vec<TemplateValue>) -> Vec<(TemplateValue, TemplateValue)> {
    values.into_iter().enumerate().map(|(at, value)| (TemplateValue::number(at), value)).collect()
}

/// Each of `rows` with each of `items` under `name`; the last name changes fastest.
fn combined<T: Clone>(rows: &[Vec<(String, T)>], name: &str, items: &[T]) -> Vec<Vec<(String, T)>> {
    let with = |row: &[(String, T)], item: &T| {
        let mut row = row.to_vec();
        row.push((name.to_owned(), item.clone()));
        row
    };
    rows.iter().flat_map(|row| items.iter().map(move |item| with(row, item))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_a_matrix_changes_fastest() {
        let rows = combined(&[Vec::new()], "os", &["l", "d"]);
        let rows = combined(&rows, "arch", &["a", "b"]);
        let told: Vec<_> = rows.iter().map(|row| format!("{}{}", row[0].1, row[1].1)).collect();
        assert_eq!(told, ["la", "lb", "da", "db"]);
    }
}
