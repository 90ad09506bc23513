//! Calls of Task itself within commands (`task build`, `bin/task -s lint X=1`), as calls of forge.

use std::collections::BTreeMap;

use super::shell::words;
use crate::taskfile::FOLD;

/// What Task is called where a command begins.
const PROGRAMS: &[&str] = &[
    "task",
    "go-task",
    "bin/task",
    "./bin/task",
    "bin/task{{exeExt}}",
    "./bin/task{{exeExt}}",
    "{{.TASK_EXE}}",
    "{{ .TASK_EXE }}",
];
/// Words of the shell after which a command begins.
const BEFORE: &[&str] =
    &["if", "then", "do", "else", "elif", "until", "while", "!", "exec", "time", "{"];
/// Signs after which one begins.
const SIGNS: &[char] = &['\n', ';', '|', '&', '(', '`', '{'];

/// A call of Task in a script.
#[derive(Debug)]
struct CallOfTask<'s> {
    /// Flags before the first task.
    flags: Vec<&'s str>,
    /// The first task; none if only flags follow.
    name: Option<&'s str>,
    /// What follows.
    rest: &'s str,
}

/// A script in which forge is called instead of Task. `instead` tells what is written instead of a
/// call of a task that forge does by itself.
pub fn in_forge(script: &str, instead: &dyn Fn(&str) -> Option<String>) -> String {
    let mut text = String::new();
    let mut rest = script;
    while let Some((at, program)) = next_program(rest, &text) {
        text.push_str(&rest[..at]);
        let after = &rest[at + program.len()..];
        let call = CallOfTask::read(after);
        match call.said(instead) {
            Some(said) => text.push_str(&said),
            // With flags that forge has nothing like, it stays what it is.
            None => text.push_str(&rest[at..rest.len() - call.rest.len()]),
        }
        rest = call.rest;
    }
    without_doubles(&(text + rest))
}

/// A script in which what is ensured twice in a row is ensured once.
fn without_doubles(script: &str) -> String {
    let mut lines: Vec<&str> = Vec::new();
    for line in script.split('\n') {
        if lines.last() != Some(&line) || !line.trim_start().starts_with("forge ensure ") {
            lines.push(line);
        }
    }
    lines.join("\n")
}

/// The names of the tasks that calls of Task in a script name first, and whether forge can make each
/// call.
pub(super) fn calls_in(script: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let (mut before, mut rest) = (String::new(), script);
    while let Some((at, program)) = next_program(rest, &before) {
        let after = &rest[at + program.len()..];
        let call = CallOfTask::read(after);
        let is_said = call.said(&|_| None).is_some();
        found.push((call.name.unwrap_or_default().to_owned(), is_said));
        before.push_str(&rest[..rest.len() - call.rest.len()]);
        rest = call.rest;
    }
    found
}

/// A command that is nothing but a call of one task: its name, and what it is given.
pub fn call_of_task(line: &str) -> Option<(String, BTreeMap<String, String>)> {
    let line = line.trim();
    let program = PROGRAMS
        .iter()
        .find(|one| line.strip_prefix(**one).is_some_and(|rest| rest.starts_with([' ', FOLD])))?;
    let bare = without_templates(line);
    if bare.contains(['\n', '|', '&', ';', '$', '>', '<', '`', '(', '*', '?', '\\']) {
        return None;
    }
    let mut name = None;
    let mut given = BTreeMap::new();
    for word in words(&line[program.len()..]) {
        match word.split_once('=') {
            _ if matches!(word.as_str(), "--silent" | "-s") => {}
            Some((key, value)) if is_word(key) => {
                given.insert(key.to_owned(), value.to_owned());
            }
            None if !word.starts_with('-') && name.is_none() => name = Some(word),
            _ => return None,
        }
    }
    Some((name?, given))
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '_')
}

/// A script without what stands in templates.
fn without_templates(script: &str) -> String {
    let mut text = String::new();
    let mut rest = script;
    while let Some((before, after)) = rest.split_once("{{") {
        text.push_str(before);
        rest = after.split_once("}}").map_or("", |(_, after)| after);
    }
    text + rest
}

/// Where Task is called next in `script`, which follows `before`, and as what.
fn next_program<'s>(script: &'s str, before: &str) -> Option<(usize, &'s str)> {
    let starts = std::iter::once(0).chain(script.char_indices().skip(1).map(|(at, _)| at));
    for at in starts {
        let rest = &script[at..];
        let is_it = |one: &&&str| {
            rest.strip_prefix(**one).is_some_and(|after| {
                after.is_empty() || after.starts_with([' ', FOLD, '\n', ';', ')'])
            })
        };
        let program = PROGRAMS.iter().find(is_it);
        if let Some(program) = program.filter(|_| begins_command(&script[..at], before)) {
            return Some((at, &rest[..program.len()]));
        }
    }
    None
}

/// Whether a command begins after `near`, which follows `before`.
fn begins_command(near: &str, before: &str) -> bool {
    let whole = format!("{before}{near}");
    let line = whole.rsplit('\n').next().unwrap_or_default();
    // Text in quotes is no command, but what `$(` begins in it is.
    let quoted = line.matches('"').count() % 2 == 1 || line.matches('\'').count() % 2 == 1;
    let trimmed = whole.trim_end_matches([' ', '\t', FOLD]);
    if quoted && !trimmed.ends_with(['(', '`']) {
        return false;
    }
    let last = trimmed.rsplit([' ', '\t', FOLD, '\n', ';']).next().unwrap_or_default();
    let is_assignment = || {
        let (name, _) = last.split_once('=').unwrap_or_default();
        is_word(name) && trimmed.len() < whole.len()
    };
    trimmed.is_empty() || trimmed.ends_with(SIGNS) || BEFORE.contains(&last) || is_assignment()
}

impl<'s> CallOfTask<'s> {
    fn read(after: &'s str) -> Self {
        let (mut flags, mut rest) = (Vec::new(), after);
        while let Some((word, after)) = first_word(rest) {
            if word == "--" {
                break;
            }
            if !word.starts_with('-') {
                return Self { flags, name: Some(word), rest: after };
            }
            flags.push(word);
            rest = after;
            if matches!(word, "-d" | "--dir" | "-t" | "--taskfile")
                && let Some((value, after)) = first_word(rest)
            {
                flags.push(value);
                rest = after;
            }
        }
        Self { flags, name: None, rest }
    }

    /// The call as one of forge, up to what follows the task's name; none if forge has nothing like its
    /// flags.
    fn said(&self, instead: &dyn Fn(&str) -> Option<String>) -> Option<String> {
        let (mut before, mut after) = (String::new(), String::new());
        let mut flags = self.flags.iter();
        while let Some(flag) = flags.next() {
            match *flag {
                "-s" | "--silent" => before.push_str(" -q"),
                "-v" | "--verbose" => before.push_str(" -v"),
                "-f" | "--force" => before.push_str(" --force"),
                "-y" | "--yes" => after.push_str(" --yes"),
                "-p" | "--parallel" => after.push_str(" --parallel"),
                "-n" | "--dry" => before.push_str(" --dry-run"),
                "-l" | "--list" | "-a" | "--list-all" if self.name.is_none() => {
                    return Some("forge list".to_owned());
                }
                "-d" | "--dir" | "-t" | "--taskfile" => {
                    after.push_str(" --taskfile ");
                    after.push_str(flags.next()?);
                }
                _ => return None,
            }
        }
        let name = self.name?;
        match instead(name).filter(|_| after.is_empty()) {
            Some(said) => Some(said),
            None => Some(format!("forge{before} run{after} {name}")),
        }
    }
}

/// The next word of the command that `text` goes on with, with templates and quotes in it, and what
/// follows it.
fn first_word(text: &str) -> Option<(&str, &str)> {
    let rest = text.trim_start_matches([' ', '\t', FOLD]);
    let (mut depth, mut quote) = (0, None);
    let mut end = rest.len();
    for (at, sign) in rest.char_indices() {
        match (quote, sign) {
            (Some(open), sign) if open == sign => quote = None,
            (None, '"' | '\'') => quote = Some(sign),
            (_, '{') => depth += 1,
            (_, '}') => depth -= 1,
            (None, ' ' | '\t' | FOLD | '\n' | ';' | '|' | '&' | ')' | '>' | '<' | '`')
                if depth <= 0 =>
            {
                end = at;
                break;
            }
            _ => {}
        }
    }
    (end > 0).then(|| rest.split_at(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_task_become_calls_of_forge() {
        let instead = |name: &str| (name == "nats:ensure").then(|| "forge ensure nats".to_owned());
        for (script, expected) in [
            ("task b", "forge run b"),
            ("cd sub && task x Y=1", "cd sub && forge run x Y=1"),
            ("./bin/task c", "forge run c"),
            ("bin/task{{exeExt}} -d integration {{.X}}", "forge run --taskfile integration {{.X}}"),
            ("task a & task nats:ensure & wait", "forge run a & forge ensure nats & wait"),
            ("V=$(task --silent v 2>/dev/null)", "V=$(forge -q run v 2>/dev/null)"),
            ("echo \"task b\" task c", "echo \"task b\" task c"),
            ("A=1 task b", "A=1 forge run b"),
            ("if task x:$t; then\n  task y\nfi", "if forge run x:$t; then\n  forge run y\nfi"),
            ("task --list", "forge list"),
            ("task --init", "task --init"),
            ("mytask b; taskset x", "mytask b; taskset x"),
        ] {
            assert_eq!(in_forge(script, &instead), expected);
        }
    }

    #[test]
    fn a_plain_call_is_that_of_a_task() {
        let call = |line: &str| call_of_task(line).map(|(name, given)| (name, given.len()));
        assert_eq!(call("task b N=1"), Some(("b".into(), 1)));
        assert_eq!(call("task {{.S}}:x N={{ .V }}"), Some(("{{.S}}:x".into(), 1)));
        assert_eq!(call("task b && task c"), None);
        assert_eq!(call("task b c"), None);
        assert_eq!(call("task b -- x"), None);
        assert_eq!(call("task -f b"), None);
        assert_eq!(call("taskb x"), None);
    }
}
