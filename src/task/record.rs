//! What is known of the last run of a task that went well, and what differs from it now.
//! Written only after success, in one step.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    cache::replace_file,
    model::{Fault, Inputs, Layout, checksum},
};

use super::{files::Marks, plan::Invocation};

/// What went into a run, and what came out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// A digest per field of the key: commands, variables, parameters.
    pub fields: Inputs,
    /// The files of `inputs`.
    pub inputs: Marks,
    /// The files of `outputs`.
    pub outputs: Marks,
}

impl Record {
    /// What is recorded of `invocation`; nothing if that cannot be read.
    pub fn read(layout: &Layout, invocation: &Invocation) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path(layout, invocation)).ok()?).ok()
    }

    /// Records it.
    pub fn write(&self, layout: &Layout, invocation: &Invocation) -> Result<(), Fault> {
        let path = path(layout, invocation);
        let failed = |why: String| {
            Fault::new(crate::model::Kind::Failed, format!("cannot write {}", path.display()))
                .because(why)
        };
        let bytes = serde_json::to_vec(self).map_err(|error| failed(error.to_string()))?;
        replace_file(&path, &bytes, &layout.staging(), false)
            .map_err(|error| failed(error.to_string()))
    }

    /// Forgets it, since what it says holds no more.
    pub fn forget(layout: &Layout, invocation: &Invocation) {
        let _ = std::fs::remove_file(path(layout, invocation));
    }

    /// Why what this record says does not hold `now` any more; nothing if it does.
    pub fn difference(&self, now: &Self) -> Option<String> {
        let names = now.fields.keys().chain(self.fields.keys());
        for field in names {
            if now.fields.get(field) != self.fields.get(field) {
                return Some(format!("`{field}` changed"));
            }
        }
        let changed = |kind: &str, then: &Marks, now: &Marks, may_grow: bool| {
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
        };
        changed("input", &self.inputs, &now.inputs, false)
            .or_else(|| changed("output", &self.outputs, &now.outputs, true))
    }
}

fn path(layout: &Layout, invocation: &Invocation) -> PathBuf {
    let digest = checksum(invocation.key().as_bytes());
    let digest = digest[..8].iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let name = invocation.task.name.replace([':', '*'], "+");
    layout.state().join("tasks").join(format!("{name}.{digest}.json"))
}

/// The digest of a field.
pub fn digest(values: &BTreeMap<String, String>) -> String {
    let text = format!("{values:?}");
    checksum(text.as_bytes())[..16].iter().fold(String::new(), |t, byte| format!("{t}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::{super::files::Mark, *};

    #[test]
    fn the_first_difference_is_named() {
        let mark = |digest: &str| Mark { digest: digest.into(), stat: None };
        let marks = |pairs: &[(&str, &str)]| -> Marks {
            pairs.iter().map(|(name, digest)| ((*name).to_owned(), mark(digest))).collect()
        };
        let then = Record {
            fields: Inputs::from([("run".to_owned(), "1".to_owned())]),
            inputs: marks(&[("a", "1"), ("b", "1")]),
            outputs: marks(&[("o", "1")]),
        };
        let told = |now: &Record| then.difference(now).unwrap_or_default();
        assert_eq!(told(&then.clone()), "");
        let fields = Inputs::from([("run".to_owned(), "2".to_owned())]);
        assert_eq!(told(&Record { fields, ..then.clone() }), "`run` changed");
        for (inputs, why) in [
            (&[("a", "2"), ("b", "1")][..], "the input a changed"),
            (&[("a", "1")], "the input b is gone"),
            (&[("a", "1"), ("b", "1"), ("c", "1")], "the input c is new"),
        ] {
            assert_eq!(told(&Record { inputs: marks(inputs), ..then.clone() }), why);
        }
        let more = marks(&[("o", "1"), ("p", "1")]);
        assert_eq!(told(&Record { outputs: more, ..then.clone() }), "");
        assert_eq!(told(&Record { outputs: Marks::new(), ..then.clone() }), "the output o is gone");
    }
}
