//! A tree of Taskfiles as one file of tasks, for a workspace that includes it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Remark, TranslationRequest, Yaml, named_tasks, parts, places, scope::plain};
use crate::{
    model::Span,
    taskfile::{Given, TaskfileTree},
};

/// The text of a file of tasks that does what `tree` says, where the folder of its first file is that of the
/// file. A task that cannot be said fails when it is run, and says why.
pub fn task_file(tree: &TaskfileTree) -> String {
    let (given, words) = (Given::default(), BTreeMap::new());
    let request =
        TranslationRequest { tasks: None, given: &given, args: &[], flags: &[], words: &words };
    let names = named_tasks(tree).into_iter().map(|one| one.name);
    let exactly: BTreeSet<String> = names.chain([String::new()]).collect();
    let parts = parts(tree, &request, true, &exactly);
    let places = places(tree);
    let broken: BTreeMap<&str, &Remark> = parts
        .remarks
        .iter()
        .filter(|remark| remark.is_fatal)
        .filter_map(|remark| Some((around(&places, &remark.span)?, remark)))
        .collect();
    let mut file = Yaml::map();
    for (key, value) in parts.settings.entries().filter(|(key, _)| *key != "output") {
        file.put(key, value.clone());
    }
    file.put_filled("vars", here(&parts.vars));
    file.put_filled("env", here(&parts.env));
    file.put_filled("dotenv", here(&parts.dotenv));
    let mut tasks = Yaml::map();
    for (name, said) in &parts.tasks {
        match broken.get(name.as_str()) {
            Some(remark) => tasks.put(name, failing(tree, remark)),
            None => tasks.put(name, here(said)),
        }
    }
    file.put_filled("tasks", tasks);
    file.document()
}

/// The task that `span` is in.
fn around<'p>(places: &'p BTreeMap<String, Span>, span: &Span) -> Option<&'p str> {
    let before = places
        .iter()
        .filter(|(_, place)| place.file == span.file && place.bytes.start <= span.bytes.start);
    before.max_by_key(|(_, place)| place.bytes.start).map(|(name, _)| name.as_str())
}

/// A task that says why it cannot run.
fn failing(tree: &TaskfileTree, remark: &Remark) -> Yaml {
    let file = tree.files.iter().find(|file| file.file.path == remark.span.file);
    let before = file.and_then(|file| file.file.text.get(..remark.span.bytes.start));
    let line = before.unwrap_or_default().matches('\n').count() + 1;
    let what = format!("{}:{line}: {}", remark.span.file.display(), remark.what);
    let what = plain(&what.replace('\'', "'\\''"));
    Yaml::text(format!("printf '%s\\n' '{what}' >&2; exit 1"))
}

/// `value`, in whose templates and expressions the folder of the file stands for the workspace's.
fn here(value: &Yaml) -> Yaml {
    match value {
        Yaml::Text(text) => Yaml::Text(in_templates(text)),
        Yaml::Plain(text) => Yaml::Plain(text.clone()),
        Yaml::List(items) => Yaml::List(items.iter().map(here).collect()),
        Yaml::Map(entries) => {
            let entry = |(comments, key, value): &(Vec<String>, String, Yaml)| {
                let value = match (key.as_str(), value) {
                    ("expr", Yaml::Text(text)) => Yaml::Text(in_expression(text)),
                    (_, value) => here(value),
                };
                (comments.clone(), key.clone(), value)
            };
            Yaml::Map(entries.iter().map(entry).collect())
        }
    }
}

fn in_templates(text: &str) -> String {
    let mut said = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("{{").into_iter().chain(rest.find("{%")).min() {
        let (before, from) = rest.split_at(at);
        let end = if from.starts_with("{{") { "}}" } else { "%}" };
        let end = from.find(end).map_or(from.len(), |end| end + 2);
        said.push_str(before);
        said.push_str(&in_expression(&from[..end]));
        rest = &from[end..];
    }
    said + rest
}

/// An expression with `dir` for the word `root`, but for what stands in quotes.
fn in_expression(text: &str) -> String {
    let is_part = |sign: char| sign.is_ascii_alphanumeric() || sign == '_';
    let (mut said, mut word, mut quote) = (String::new(), String::new(), None);
    for sign in text.chars().chain(['\0']) {
        if quote.is_none() && is_part(sign) {
            word.push(sign);
            continue;
        }
        let is_root = word == "root" && !said.ends_with('.');
        said.push_str(if is_root { "dir" } else { &word });
        word.clear();
        match (quote, sign) {
            (Some(open), sign) if open == sign => quote = None,
            (None, '\'' | '"') => quote = Some(sign),
            _ => {}
        }
        said.push(sign);
    }
    said.pop();
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_the_file_stands_for_the_workspace() {
        for (text, expected) in [
            ("cd {{ root }}/x root", "cd {{ dir }}/x root"),
            (
                "{{ (root ~ '/root') }}{% if root %}{{ a.root }}",
                "{{ (dir ~ '/root') }}{% if dir %}{{ a.root }}",
            ),
            ("{{ root_x ~ xroot }}", "{{ root_x ~ xroot }}"),
        ] {
            assert_eq!(in_templates(text), expected);
        }
    }
}
