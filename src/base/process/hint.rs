//! What to say when a command failed that seems to have wanted a variable which it did not inherit.

use std::collections::VecDeque;

use super::{Command, CommandLine, Inherit, environment::Inherited};
use crate::model::{Fault, Kind};

/// How many of the last lines of a command are looked at.
const LOOKED_AT: usize = 20;

/// The last lines that a command printed.
#[derive(Debug, Default)]
pub struct LastLines(VecDeque<String>);

impl LastLines {
    /// Takes the next line.
    pub fn push(&mut self, line: &str) {
        if self.0.len() == LOOKED_AT {
            self.0.pop_front();
        }
        self.0.push_back(line.to_owned());
    }
}

/// `fault`, with a hint if `command` names a variable that it did not inherit, or its last lines do.
pub fn for_denied(
    fault: Fault,
    environment: &Inherited,
    command: &Command,
    last: &LastLines,
) -> Fault {
    if fault.kind != Kind::Failed || command.inherit == Inherit::All {
        return fault;
    }
    let CommandLine::Shell(line) = &command.line else { return fault };
    let wanted: Vec<&str> = environment
        .denied(command)
        .filter(|name| is_telling(name))
        .filter(|name| uses(line, name) || last.0.iter().any(|printed| names(printed, name)))
        .take(3)
        .collect();
    if wanted.is_empty() {
        return fault;
    }
    let wanted = wanted.join(", ");
    let who = match command.inherit {
        Inherit::Listed(_) => "builds do not inherit",
        _ => "tasks do not inherit what forge logs in with, as",
    };
    // It says more than any hint that goes by the exit code.
    Fault { hint: None, ..fault }
        .hint(format!("{who} {wanted}; to pass it on, write `pass_env: [{wanted}]` in the spec"))
}

/// `fault`, with a hint if `command` seems to have tried to write outside of its sandbox.
pub fn for_sandbox(fault: Fault, command: &Command, last: &LastLines) -> Fault {
    const SIGNS: &[&str] = &[
        "permission denied",
        "operation not permitted",
        "eacces",
        "eperm",
        "no new privileges",
        "cross-device link",
        "read-only file system",
    ];
    let is_sign = |line: &String| {
        let line = line.to_lowercase();
        SIGNS.iter().any(|sign| line.contains(sign))
    };
    if fault.kind != Kind::Failed || command.sandbox.is_none() || !last.0.iter().any(is_sign) {
        return fault;
    }
    Fault { hint: None, ..fault }.hint(
        "builds may write only to {{ src }}, {{ out }}, {{ work }}, $TMPDIR and the caches of toolchains, may \
         create nothing directly beside `.forge` (with `source: { path: . }`, make `dist` and the like beforehand), \
         and cannot use sudo; `sandbox: off` in the spec lifts this",
    )
}

/// Whether `name` is hardly ever said by chance.
fn is_telling(name: &str) -> bool {
    let is_plain = name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
    let is_usual = matches!(name, "PWD" | "OLDPWD" | "SHLVL" | "HOSTNAME" | "_" | "EDITOR");
    is_plain && name.len() > 1 && !is_usual
}

/// Whether a command looks at the variable `name`.
fn uses(line: &str, name: &str) -> bool {
    let begins = |rest: &str| rest.strip_prefix('{').unwrap_or(rest).starts_with(name);
    let whole = |rest: &str| {
        let rest = rest.strip_prefix('{').unwrap_or(rest);
        !rest[name.len()..].starts_with(is_of_name)
    };
    line.split('$').skip(1).any(|rest| begins(rest) && whole(rest)) || names(line, name)
}

/// Whether `text` holds the word `name`, which is long enough not to be there by chance.
fn names(text: &str, name: &str) -> bool {
    (name.len() > 4 || name.contains('_'))
        && text.split(|c| !is_of_name(c)).any(|word| word == name)
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_found_in_commands_and_lines_as_a_whole_word() {
        assert!(uses("curl -H $CI", "CI") && uses("x ${CI:-}", "CI"));
        assert!(!uses("echo $CIRCLE CI", "CI") && !uses("x", "CI"));
        assert!(names("sh: 1: GH_TOKEN: parameter not set", "GH_TOKEN"));
        assert!(!names("MY_GH_TOKEN is missing", "GH_TOKEN"));
        assert!(!names("CI", "CI"));
    }
}
