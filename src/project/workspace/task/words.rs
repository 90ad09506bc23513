//! The words that templates of tasks know besides those of their file.

use minijinja::Value;

use super::super::template::TemplateScope;
use crate::manifest::{Findings, Sp};

pub use super::super::template::STAND_IN;

/// The words that have a meaning in tasks, or will have; no parameter or variable is called so.
pub const OWN: &[&str] = &[
    "args",
    "cwd",
    "dir",
    "env",
    "exit_code",
    "inputs",
    "item",
    "key",
    "match",
    "outputs",
    "task",
    "vars",
];

/// The words that each run of a task has a meaning for, with what stands for them before.
pub fn of_run() -> [(&'static str, Value); 3] {
    [("task", STAND_IN.into()), ("cwd", "/value".into()), ("now", "2000-01-01T00:00:00Z".into())]
}

/// Whether a parameter, variable or `as` may be called `key`. If not, `found` is told why.
pub fn is_free(key: &Sp<String>, scope: &TemplateScope, found: &mut Findings) -> bool {
    let name = key.value.as_str();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (what, label) = if OWN.contains(&name) || (scope.knows(name) && !scope.has_var(name)) {
        (format!("`{name}` is a word of forge's own"), "already has a meaning")
    } else if name.is_empty()
        || name.starts_with(|c: char| c.is_ascii_digit())
        || !name.chars().all(plain)
    {
        (format!("`{name}` can be no word in a template"), "not a plain word")
    } else {
        return true;
    };
    found.add(key.bytes.clone(), what, label, "give it another name");
    false
}
