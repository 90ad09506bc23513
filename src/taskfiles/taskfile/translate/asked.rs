//! What people may give a task, where a document is written for them: parameters with the defaults that
//! the task's templates have for variables that nothing sets.

use std::collections::BTreeSet;

use super::{
    super::model::TaskfileTask,
    Translator,
    scope::{mentioned, of_node, word},
    yaml::Yaml,
};
use crate::manifest::{Node, Value as Tree};

/// What a parameter is while nothing is given, if nothing is a value of its own.
const NOT_GIVEN: &str = "(as everywhere)";

impl Translator<'_> {
    /// The variables that only the task at `at` looks at, always with one default: with that.
    pub(super) fn asked(&self, at: usize, passed: &BTreeSet<String>) -> Vec<(String, String)> {
        if self.wish.tasks.is_some() {
            return Vec::new();
        }
        let task = self.tasks[at].task;
        let is_own = |name: &String| {
            task.requires.iter().any(|one| one.name.text == *name)
                || task.vars.iter().any(|one| {
                    one.name.value == *name && Self::default_of_itself(one, name).is_some()
                })
        };
        let mut names = BTreeSet::new();
        of_node(&task.node, &mut names);
        names.retain(|name| {
            !passed.contains(name)
                && !self.globals.declares(name)
                && !is_own(name)
                && !self.is_asked_elsewhere(at, name)
        });
        let default = |name: String| {
            // Where the task has a variable of that name, only this one looks at what is given.
            let own = task.node.get("vars").and_then(|vars| vars.get(&name));
            let default = literal_default(own.unwrap_or(&task.node), &name)?;
            Some((name, default))
        };
        names.into_iter().filter_map(default).collect()
    }

    fn is_asked_elsewhere(&self, at: usize, name: &str) -> bool {
        let in_task = |task: &TaskfileTask| {
            let mut names = BTreeSet::new();
            of_node(&task.node, &mut names);
            names.contains(name)
        };
        let others = self.tasks.iter().enumerate().filter(|(other, _)| *other != at);
        let files = self.instances.iter().map(|one| one.file);
        let mut variables = files.flat_map(|file| file.vars.iter().chain(&file.env));
        variables.any(|one| mentioned(one).contains(name))
            || others.into_iter().any(|(_, one)| in_task(one.task))
    }

    /// What `name`, which calls give `task`, is where nothing is given, and what it is called.
    pub(super) fn passed_to_people(
        &self,
        task: &TaskfileTask,
        name: &str,
    ) -> Option<(String, String)> {
        if self.wish.tasks.is_some() {
            return None;
        }
        let own = word(name);
        if self.globals.declares(name) {
            let called = format!("(vars.{own} if {own} == '{NOT_GIVEN}' else {own})");
            return self.may_be_empty.contains(name).then(|| (NOT_GIVEN.to_owned(), called));
        }
        let default = task.vars.iter().find_map(|one| Self::default_of_itself(one, name));
        Some(match default {
            // A call may give nothing, which the default is for too.
            Some(default) => (default.clone(), format!("({own} or '{default}')")),
            None => (String::new(), own),
        })
    }
}

/// The one default that everything in `node` has that looks at `name`.
fn literal_default(node: &Node, name: &str) -> Option<String> {
    let mut found = BTreeSet::new();
    defaults(node, name, &mut found)?;
    let first = found.pop_first()?;
    found.is_empty().then_some(first)
}

/// Collects the defaults of `name`; none if it is looked at without one.
fn defaults(node: &Node, name: &str, found: &mut BTreeSet<String>) -> Option<()> {
    match &node.value {
        Tree::Null => Some(()),
        Tree::Scalar(scalar) => of_text(&scalar.text, name, found),
        Tree::List(nodes) => nodes.iter().try_for_each(|one| defaults(one, name, found)),
        Tree::Map(entries) => entries.iter().try_for_each(|one| {
            let is_reference = matches!(one.key.value.as_str(), "ref" | "var");
            match is_reference && one.value.scalar().is_some_and(|text| text.text.contains(name)) {
                true => None,
                false => defaults(&one.value, name, found),
            }
        }),
    }
}

fn of_text(text: &str, name: &str, found: &mut BTreeSet<String>) -> Option<()> {
    let is_part = |sign: char| sign.is_ascii_alphanumeric() || sign == '_';
    let shown = format!(".{name}");
    for (at, _) in text.match_indices(&shown) {
        let (before, after) = (&text[..at], &text[at + shown.len()..]);
        if after.starts_with(is_part) || before.ends_with(is_part) {
            continue;
        }
        let piped = after.trim_start().strip_prefix('|').map(str::trim_start);
        let literal = match piped.and_then(|rest| rest.strip_prefix("default ")) {
            Some(rest) => {
                let rest = rest.trim_start().strip_prefix('"')?;
                rest.split_once('"')?.0
            }
            None => {
                let before = before.trim_end().strip_suffix('"')?;
                let (before, literal) = before.rsplit_once('"')?;
                before.trim_end().strip_suffix("default").map(|_| literal)?
            }
        };
        if literal.contains(['\'', '\\', '{']) {
            return None;
        }
        found.insert(literal.to_owned());
    }
    Some(())
}

/// A task in which no template has a default for a parameter that has it already.
pub(super) fn without_double_defaults(said: Yaml) -> Yaml {
    let with = said.entries().find(|(key, _)| *key == "with").map(|(_, with)| with.clone());
    let pairs: Vec<(String, String)> = with
        .iter()
        .flat_map(Yaml::entries)
        .filter_map(|(name, default)| match default {
            Yaml::Text(default) if !default.is_empty() => {
                Some((format!("{name} | default('{default}', true)"), name.to_owned()))
            }
            _ => None,
        })
        .collect();
    match pairs.is_empty() {
        true => said,
        false => replaced(said, &pairs),
    }
}

fn replaced(said: Yaml, pairs: &[(String, String)]) -> Yaml {
    match said {
        Yaml::Text(text) => {
            Yaml::Text(pairs.iter().fold(text, |text, (before, after)| text.replace(before, after)))
        }
        Yaml::Plain(text) => Yaml::Plain(text),
        Yaml::List(items) => {
            Yaml::List(items.into_iter().map(|item| replaced(item, pairs)).collect())
        }
        Yaml::Map(entries) => {
            let entry = |(comments, key, value)| (comments, key, replaced(value, pairs));
            Yaml::Map(entries.into_iter().map(entry).collect())
        }
    }
}
