//! What a change of `versions.yml` means for components: its own line for one, variables and
//! environment for all, anything else for none.

use std::collections::BTreeMap;

use crate::{
    manifest::{Node, Value, parse_yaml},
    workspace::Subsystem,
};

/// The keys that go into what is built, whatever is built.
const COMMON: [&str; 2] = ["vars", "env"];

/// What `versions.yml` held at some time, as far as it goes into what is built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    versions: BTreeMap<String, String>,
    common: BTreeMap<&'static str, String>,
}

/// What of it has changed for a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ComponentChange {
    /// The line of this name under `versions`.
    Version(String),
    /// What stands under this key.
    Common(&'static str),
}

impl Manifest {
    /// Reads what the file held; none if it is not valid YAML.
    pub fn read(text: &str) -> Option<Self> {
        let root = parse_yaml(text).ok()??;
        let lines = root.get("versions").map(Node::entries).unwrap_or_default();
        let version = |entry: &crate::manifest::Pair| (entry.key.value.clone(), said(&entry.value));
        let common = COMMON.into_iter().filter_map(|key| Some((key, said(root.get(key)?))));
        Some(Self { versions: lines.iter().map(version).collect(), common: common.collect() })
    }

    /// What is different in `newer` for `subsystem`, if anything is.
    pub fn change(&self, newer: &Self, subsystem: &Subsystem) -> Option<ComponentChange> {
        let differs = |name: &str| self.versions.get(name) != newer.versions.get(name);
        // A line for a whole family is called as its spec.
        let names = [subsystem.name.as_str(), subsystem.family()];
        if let Some(name) = names.into_iter().find(|name| differs(name)) {
            return Some(ComponentChange::Version(name.to_owned()));
        }
        let key = COMMON.into_iter().find(|key| self.common.get(key) != newer.common.get(key))?;
        Some(ComponentChange::Common(key))
    }
}

/// What `node` says, wherever it stands and however it is laid out.
fn said(node: &Node) -> String {
    match &node.value {
        Value::Null => "~".into(),
        Value::Scalar(scalar) => format!("{:?}{:?}", scalar.text, scalar.style),
        Value::List(nodes) => {
            format!("[{}]", nodes.iter().map(said).collect::<Vec<_>>().join(","))
        }
        Value::Map(entries) => {
            // Variables know those before them: their order says something.
            let pair = |entry: &crate::manifest::Pair| {
                format!("{:?}:{}", entry.key.value, said(&entry.value))
            };
            format!("{{{}}}", entries.iter().map(pair).collect::<Vec<_>>().join(","))
        }
    }
}
