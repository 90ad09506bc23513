//! A task as it is written in the end: what it needs of forge, and nothing that says nothing.

use super::subsystem::tidy;
use crate::taskfile::Yaml;

/// A task as it is written: with what it has to ensure, without what says nothing.
pub(super) fn finished(said: Yaml, ensures: &[String], owner: Option<&str>) -> Yaml {
    let said = one_lines(tidied(said, owner));
    if ensures.is_empty() && !matches!(said, Yaml::Map(_)) {
        // Nothing but its commands is said of it.
        return said;
    }
    let mut entries = match said {
        Yaml::Map(entries) => entries,
        other => vec![(Vec::new(), "run".to_owned(), other)],
    };
    let is_root = |value: &Yaml| matches!(value, Yaml::Text(text) if text == "{{ root }}");
    entries.retain(|(_, key, value)| key != "quiet" && (key != "dir" || !is_root(value)));
    let mut needs: Vec<Yaml> = ensures.iter().map(Yaml::text).collect();
    let at = entries.iter().position(|(_, key, _)| key == "needs");
    if let Some(at) = at {
        let (_, _, written) = entries.remove(at);
        match written {
            Yaml::List(items) => needs.extend(items),
            other => needs.push(other),
        }
    }
    if !needs.is_empty() {
        entries.retain(|(_, key, value)| key != "run" || *value != Yaml::text("true"));
        let needs = match needs.as_slice() {
            [only @ Yaml::Text(_)] => only.clone(),
            _ => Yaml::List(needs),
        };
        let at = entries.iter().position(|(_, key, _)| key == "run").unwrap_or(entries.len());
        entries.insert(at, (Vec::new(), "needs".to_owned(), needs));
    }
    match entries.as_slice() {
        [(_, key, run)] if key == "run" => run.clone(),
        _ => Yaml::Map(entries),
    }
}

/// Commands of one line without the line break at their end, which means nothing.
fn one_lines(run: Yaml) -> Yaml {
    match run {
        Yaml::Text(text) => Yaml::Text(one_line(text)),
        Yaml::List(items) => Yaml::List(items.into_iter().map(one_lines).collect()),
        Yaml::Map(entries) => {
            let entry = |(comments, key, value): (Vec<String>, String, Yaml)| {
                let is_command = matches!(key.as_str(), "run" | "finally");
                (comments, key, if is_command { one_lines(value) } else { value })
            };
            Yaml::Map(entries.into_iter().map(entry).collect())
        }
        other @ Yaml::Plain(_) => other,
    }
}

fn one_line(mut text: String) -> String {
    if text.matches('\n').count() == 1 && text.ends_with('\n') {
        text.truncate(text.len() - 1);
    }
    text
}

/// Texts in forge's own words; tasks of the document's own subsystem by their short names.
pub(super) fn tidied(said: Yaml, owner: Option<&str>) -> Yaml {
    let own = |value: Yaml| match (value, owner) {
        (Yaml::Text(text), Some(owner)) => match text.strip_prefix(&format!("{owner}:")) {
            Some(short) => Yaml::text(short),
            None => Yaml::Text(text),
        },
        (value, _) => value,
    };
    match said {
        Yaml::Text(text) => Yaml::Text(tidy(&text)),
        Yaml::Plain(text) => Yaml::Plain(text),
        Yaml::List(items) => {
            Yaml::List(items.into_iter().map(|item| tidied(item, owner)).collect())
        }
        Yaml::Map(entries) => {
            let entry = |(comments, key, value): (Vec<String>, String, Yaml)| {
                let value = tidied(value, owner);
                let value = match (key.as_str(), value) {
                    ("needs", Yaml::List(items)) => {
                        Yaml::List(items.into_iter().map(own).collect())
                    }
                    ("needs" | "task", value) => own(value),
                    ("dir", Yaml::Text(text)) => Yaml::text(text.trim_start_matches("{{ root }}/")),
                    (_, value) => value,
                };
                (comments, key, value)
            };
            Yaml::Map(entries.into_iter().filter(|(_, key, _)| key != "quiet").map(entry).collect())
        }
    }
}
