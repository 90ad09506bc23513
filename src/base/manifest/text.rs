//! YAML of any kind, for templates.

use serde::Serialize;

use super::{node::Node, yaml};

/// The tree that `text` stands for; nothing if it is empty.
///
/// # Errors
/// Why it is not valid YAML.
pub fn parse_yaml(text: &str) -> Result<Option<Node>, String> {
    yaml::parse(text).map_err(|error| error.what)
}

/// `value` as YAML.
///
/// # Errors
/// Why it cannot be written so.
pub fn write_yaml(value: &impl Serialize) -> Result<String, String> {
    serde_yaml::to_string(value).map_err(|error| error.to_string())
}
