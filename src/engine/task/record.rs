//! What is known of the last run of a task that went well, and what differs from it now.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{Platform, checksum};

use super::files::Marks;

/// The parts of a key, by their fields and names. They are kept as they are, so that what changed
/// can be shown; no secret and no absolute path of the workspace is among them.
pub type Fields = BTreeMap<String, BTreeMap<String, String>>;

/// How much of a value is shown.
const SHOWN: usize = 60;

/// What went into a run, and what came out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRecord {
    /// The key: commands, variables, parameters.
    pub fields: Fields,
    /// The files of `inputs`.
    pub inputs: Marks,
    /// The files of `outputs`.
    pub outputs: Marks,
}

impl TaskRecord {
    /// Why what this record says does not hold `now` any more; nothing if it does.
    pub fn difference(&self, now: &Self) -> Option<String> {
        // The digest of inputs may stand in any field.
        changed("input", &self.inputs, &now.inputs, false)
            .or_else(|| self.changed_field(now))
            .or_else(|| changed("output", &self.outputs, &now.outputs, true))
    }

    fn changed_field(&self, now: &Self) -> Option<String> {
        let none = BTreeMap::new();
        for field in now.fields.keys().chain(self.fields.keys()) {
            let then = self.fields.get(field).unwrap_or(&none);
            let now = now.fields.get(field).unwrap_or(&none);
            for name in now.keys().chain(then.keys()) {
                let what = match (then.get(name), now.get(name)) {
                    (then, now) if then == now => continue,
                    (Some(then), Some(now)) if is_unwritten(then) || is_unwritten(now) => {
                        "has another value".to_owned()
                    }
                    (Some(then), Some(now)) => {
                        let (then, now) = apart(then, now);
                        format!("was `{then}`, is `{now}`")
                    }
                    (None, Some(now)) if is_unwritten(now) => "is new".to_owned(),
                    (Some(then), None) if is_unwritten(then) => "is gone".to_owned(),
                    (None, now) => format!("`{}` is new", shown(now.map_or("", String::as_str))),
                    (then, None) => format!("`{}` is gone", shown(then.map_or("", String::as_str))),
                };
                // Commands are told by what they are, not by their place.
                let name = if name.starts_with(|c: char| c.is_ascii_digit()) { "" } else { name };
                let blank = if name.is_empty() { "" } else { " " };
                return Some(format!("`{field}` changed: {name}{blank}{what}"));
            }
        }
        None
    }

    /// What the outputs are kept under: the same wherever the same goes in.
    pub fn key(&self) -> String {
        let inputs: Vec<_> = self.inputs.iter().map(|(name, mark)| (name, &mark.digest)).collect();
        digest(&format!("{} {:?} {inputs:?}", Platform::host(), self.fields))
    }

    /// The digest of what is in the inputs.
    pub fn inputs_digest(marks: &Marks) -> String {
        digest(&format!(
            "{:?}",
            marks.iter().map(|(name, mark)| (name, &mark.digest)).collect::<Vec<_>>()
        ))
    }
}

/// How the files of a `kind` differ.
pub fn changed(kind: &str, then: &Marks, now: &Marks, may_grow: bool) -> Option<String> {
    for (name, mark) in then {
        match now.get(name) {
            None => return Some(format!("the {kind} {name} is gone")),
            Some(found) if found.digest != mark.digest => {
                return Some(format!("the {kind} {name} changed"));
            }
            Some(_) => {}
        }
    }
    let new = now.keys().find(|name| !may_grow && !then.contains_key(*name));
    new.map(|name| format!("the {kind} {name} is new"))
}

/// What stands for a value that is not to be written down.
pub fn unwritten(value: &str) -> String {
    format!("sha256:{}", digest(value))
}

fn is_unwritten(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|rest| rest.len() == 64)
}

/// The digest of a text, in 64 hexadecimal digits.
pub fn digest(text: &str) -> String {
    checksum(text.as_bytes()).iter().fold(String::new(), |t, byte| format!("{t}{byte:02x}"))
}

/// Both values, each from a little before where they differ.
fn apart(then: &str, now: &str) -> (String, String) {
    let same = then.chars().zip(now.chars()).take_while(|(then, now)| then == now).count();
    let is_short = |text: &str| text.chars().count() <= SHOWN;
    if is_short(then) && is_short(now) {
        return (shown(then), shown(now));
    }
    let from = same.saturating_sub(SHOWN / 3);
    let part = |text: &str| {
        let part: String = text.chars().skip(from).collect();
        format!("{}{}", if from > 0 { "…" } else { "" }, shown(&part))
    };
    (part(then), part(now))
}

fn shown(text: &str) -> String {
    let text = text.replace('\n', " ");
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::files::Mark, *};

    fn fields(pairs: &[(&str, &str, &str)]) -> Fields {
        let mut fields = Fields::new();
        for (field, name, value) in pairs {
            let field = fields.entry((*field).to_owned()).or_default();
            field.insert((*name).to_owned(), (*value).to_owned());
        }
        fields
    }

    #[test]
    fn the_first_difference_is_named() {
        let mark = |digest: &str| Mark { digest: digest.into(), stat: None };
        let marks = |pairs: &[(&str, &str)]| -> Marks {
            pairs.iter().map(|(name, digest)| ((*name).to_owned(), mark(digest))).collect()
        };
        let then = TaskRecord {
            fields: fields(&[("run", "0", "cc a.c"), ("env", "CC", "gcc")]),
            inputs: marks(&[("a", "1"), ("b", "1")]),
            outputs: marks(&[("o", "1")]),
        };
        let told = |now: &TaskRecord| then.difference(now).unwrap_or_default();
        assert_eq!(told(&then.clone()), "");
        for (now, why) in [
            (
                &[("run", "0", "cc b.c"), ("env", "CC", "gcc")][..],
                "`run` changed: was `cc a.c`, is `cc b.c`",
            ),
            (
                &[("run", "0", "cc a.c"), ("env", "CC", "clang")],
                "`env` changed: CC was `gcc`, is `clang`",
            ),
            (&[("run", "0", "cc a.c")], "`env` changed: CC `gcc` is gone"),
        ] {
            assert_eq!(told(&TaskRecord { fields: fields(now), ..then.clone() }), why);
        }
        for (inputs, why) in [
            (&[("a", "2"), ("b", "1")][..], "the input a changed"),
            (&[("a", "1")], "the input b is gone"),
            (&[("a", "1"), ("b", "1"), ("c", "1")], "the input c is new"),
        ] {
            assert_eq!(told(&TaskRecord { inputs: marks(inputs), ..then.clone() }), why);
        }
        let more = marks(&[("o", "1"), ("p", "1")]);
        assert_eq!(told(&TaskRecord { outputs: more, ..then.clone() }), "");
        assert_eq!(
            told(&TaskRecord { outputs: Marks::new(), ..then.clone() }),
            "the output o is gone"
        );
    }

    #[test]
    fn long_values_are_shown_from_where_they_differ() {
        let long = |end: &str| format!("{}{end}", "x".repeat(100));
        let (then, now) = apart(&long("one"), &long("two"));
        assert!(then.starts_with('…') && then.ends_with("xone"), "{then}");
        assert!(now.ends_with("xtwo"), "{now}");
    }
}
