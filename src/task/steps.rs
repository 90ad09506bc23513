//! The entries of a task as what they come to: templates rendered, `for` unrolled.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    model::{Fault, Kind, Platform},
    workspace::{
        Bindings, Deed, Each, Entry, Meaning, Names, Places, Renderer, Task, Template, Text,
    },
};

use super::plan::{Invocation, called};

/// One thing to do.
#[derive(Debug)]
pub struct Step<'w> {
    /// What.
    pub what: Work<'w>,
    /// Whether: what `if` gives.
    pub condition: Option<Text>,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// Whether the rest goes on when it fails.
    pub allow_failure: bool,
    /// Whether it is not shown.
    pub quiet: bool,
}

/// What a step does.
#[derive(Debug)]
pub enum Work<'w> {
    /// Runs a command.
    Run(Text),
    /// Runs another task.
    Call(Invocation<'w>),
}

/// What it takes to render a task.
pub struct Rendering<'a, 'w> {
    /// What names mean.
    pub names: &'a Names<'w>,
    /// What renders.
    pub renderer: &'a Renderer,
    /// The task.
    pub task: &'w Task,
    /// What its words mean.
    pub bindings: &'a Bindings,
}

/// Whether something that is `only` for some places runs on this machine.
pub fn is_here(only: &[String]) -> bool {
    let host = Platform::host();
    let names = [host.os.as_str().to_owned(), host.to_string()];
    only.is_empty() || only.iter().any(|place| names.contains(place))
}

impl<'w> Rendering<'_, 'w> {
    /// What `run` comes to here.
    pub fn run(&self) -> Result<Vec<Step<'w>>, Fault> {
        let mut steps = Vec::new();
        for bindings in self.each(self.task.each.as_ref(), self.bindings)? {
            steps.extend(self.steps(&self.task.run, &bindings)?);
        }
        Ok(steps)
    }

    /// What `finally` comes to here.
    pub fn finally(&self) -> Result<Vec<Step<'w>>, Fault> {
        self.steps(&self.task.finally, self.bindings)
    }

    /// A template of the task.
    pub fn text(&self, template: &Template) -> Result<Text, Fault> {
        self.renderer.render(self.task, template, self.bindings)
    }

    fn steps(&self, entries: &'w [Entry], bindings: &Bindings) -> Result<Vec<Step<'w>>, Fault> {
        let mut steps = Vec::new();
        for entry in entries.iter().filter(|entry| is_here(&entry.only)) {
            for bindings in self.each(entry.each.as_ref(), bindings)? {
                steps.push(self.step(entry, &bindings)?);
            }
        }
        Ok(steps)
    }

    fn step(&self, entry: &'w Entry, bindings: &Bindings) -> Result<Step<'w>, Fault> {
        let render = |template| self.renderer.render(self.task, template, bindings);
        let what = match &entry.what {
            Deed::Run(line) => Work::Run(render(line)?.trimmed()),
            Deed::Call(call) => match self.names.meant(self.task, &call.name.text) {
                Some(Meaning::Task(target)) => {
                    Work::Call(called(self.renderer, self.task, call, target, bindings)?)
                }
                _ => {
                    let what = format!("there is no task `{}`", call.name.text);
                    return Err(Fault::new(Kind::Usage, what));
                }
            },
        };
        Ok(Step {
            what,
            condition: entry.condition.as_ref().map(render).transpose()?,
            timeout: entry.timeout,
            allow_failure: entry.allow_failure,
            quiet: entry.quiet || self.task.quiet,
        })
    }

    /// `bindings` once per item.
    fn each(&self, each: Option<&Each>, bindings: &Bindings) -> Result<Vec<Bindings>, Fault> {
        let render = |template: &Template| -> Result<String, Fault> {
            Ok(self.renderer.render(self.task, template, bindings)?.expand(&Places::default()))
        };
        let with = |set: &dyn Fn(&mut Bindings)| {
            let mut bindings = bindings.clone();
            set(&mut bindings);
            bindings
        };
        match each {
            None => Ok(vec![bindings.clone()]),
            Some(Each::List(items)) => items
                .iter()
                .map(|item| {
                    let item = render(item)?;
                    Ok(with(&|bindings| bindings.text("item", item.clone())))
                })
                .collect(),
            Some(Each::Matrix(parts)) => {
                let mut rows = vec![BTreeMap::new()];
                for (name, items) in parts {
                    let items = items.iter().map(render).collect::<Result<Vec<_>, _>>()?;
                    rows = combined(&rows, name, &items);
                }
                let row = |row: BTreeMap<String, String>| {
                    with(&|bindings| bindings.map("item", row.clone()))
                };
                Ok(rows.into_iter().map(row).collect())
            }
        }
    }
}

/// Each of `rows` with each of `items` under `name`; the last name changes fastest.
fn combined(
    rows: &[BTreeMap<String, String>],
    name: &str,
    items: &[String],
) -> Vec<BTreeMap<String, String>> {
    let with = |row: &BTreeMap<String, String>, item: &String| {
        let mut row = row.clone();
        row.insert(name.to_owned(), item.clone());
        row
    };
    rows.iter().flat_map(|row| items.iter().map(move |item| with(row, item))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_a_matrix_changes_fastest() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let rows = combined(&[BTreeMap::new()], "os", &words("l d"));
        let rows = combined(&rows, "arch", &words("a b"));
        let told: Vec<_> = rows.iter().map(|row| format!("{}{}", row["os"], row["arch"])).collect();
        assert_eq!(told, ["la", "lb", "da", "db"]);
    }
}
