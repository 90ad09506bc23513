//! The verbs in groups, and the first screen of help.

use std::fmt::Write as _;

use clap::Command;

use crate::report::wrap;

/// Verbs that are shown together.
pub(super) struct VerbGroup {
    /// What they are for.
    pub(super) title: &'static str,
    /// Whether the first screen says what each does.
    is_told: bool,
    /// Their names, the most usual first.
    pub(super) verbs: &'static [&'static str],
}

/// All verbs that people see.
pub(super) const GROUPS: [VerbGroup; 8] = [
    VerbGroup { title: "Start", is_told: true, verbs: &["init", "add", "migrate", "doctor"] },
    VerbGroup {
        title: "Daily",
        is_told: true,
        verbs: &[
            "ensure", "exec", "list", "plan", "status", "explain", "verify", "which", "why",
            "tree", "env", "clean",
        ],
    },
    VerbGroup {
        title: "Tasks and services",
        is_told: true,
        verbs: &["run", "up", "down", "ps", "logs", "attach", "stop", "restart", "reload"],
    },
    VerbGroup {
        title: "Release",
        is_told: false,
        verbs: &[
            "package",
            "package:bundle",
            "image",
            "release:image",
            "release:binary",
            "release:all",
            "release:bundle",
            "release:list",
            "release:notes",
            "release:wait",
            "release:audit",
            "release:prune",
            "promote",
            "history",
        ],
    },
    VerbGroup {
        title: "Deploy",
        is_told: false,
        verbs: &[
            "deploy",
            "rollback",
            "drift",
            "deployments",
            "preview",
            "preview:destroy",
            "preview:sweep",
            "serve",
        ],
    },
    VerbGroup {
        title: "Versions",
        is_told: false,
        verbs: &["outdated", "bump", "lock", "version:next", "changelog", "lint:title", "remove"],
    },
    VerbGroup {
        title: "CI",
        is_told: false,
        verbs: &[
            "ci",
            "ci:init",
            "ci:build",
            "ci:test",
            "ci:package",
            "ci:release",
            "ci:pages",
            "ci:deploy",
            "ci:close",
            "affected",
            "matrix",
        ],
    },
    VerbGroup {
        title: "Workspace",
        is_told: false,
        verbs: &["check", "fmt", "graph", "schema", "cache", "completions", "self-update", "help"],
    },
];

/// How wide the first screen is at most.
const WIDTH: usize = 80;
/// Around what stands out: signs that take no room, so that lines can be measured.
const MARKS: [char; 2] = ['\u{2060}', '\u{200b}'];

/// The first screen of help, in lines of at most `width`: what each everyday verb does, and the names of
/// the others.
pub(super) fn overview(command: &Command, width: usize) -> String {
    let width = width.clamp(30, WIDTH);
    let heading = command.get_styles().get_header();
    let titled = |title: &str| format!("{heading}{title}{heading:#}");
    let mut text = String::new();
    let mut write = |start: &str, indent: usize, rest: &str| {
        let gap = " ".repeat(indent);
        let rest = styled(command, &wrap(rest, width - indent).join(&format!("\n{gap}")));
        let _ = writeln!(text, "{start}{rest}");
    };
    write("", 0, &command.get_about().map(ToString::to_string).unwrap_or_default());
    write("", 0, "");
    write(
        &(titled("Usage:") + " "),
        7,
        &format!("{} [OPTIONS] VERB | TASK [ARGS]", literal("forge")),
    );
    for group in GROUPS.iter().filter(|group| group.is_told) {
        write(&format!("\n{}", titled(group.title)), 0, "");
        for name in group.verbs {
            let start = styled(command, &literal(&format!("  {name:<9} ")));
            write(&start, INDENT, &about_of(command, name));
        }
    }
    write("", 0, "");
    for group in GROUPS.iter().filter(|group| !group.is_told) {
        let names: Vec<_> = group.verbs.iter().map(|name| literal(name)).collect();
        let start = format!("{}{}", titled(group.title), " ".repeat(INDENT - group.title.len()));
        write(&start, INDENT, &names.join(", "));
    }
    let start = format!("\n{} ", titled("Options"));
    write(&start, 8, &format!("(all of them: {})", literal("forge help options")));
    let gap = " ".repeat(2);
    write(&gap, 2, "-C DIR, -j N, --platform P, --dry-run, --offline, --locked, --json, -q, -v");
    let (one, all) = (literal("forge help VERB"), literal("forge help verbs"));
    let pages =
        "spec, manifest, tasks, services, templates, stores, options, exit-codes, environment";
    write("\n", 0, &format!("{one} says more of one; {all} of all. Pages: {pages}"));
    text.trim_end().to_owned()
}

/// Where the second column begins.
const INDENT: usize = 12;

/// `word`, marked to be shown as what is typed. Its blanks are no places to go on in the next line.
fn literal(word: &str) -> String {
    let [begin, end] = MARKS;
    format!("{begin}{}{end}", word.replace(' ', "\u{a0}"))
}

/// `text` with the colours of `command` in the place of marks.
fn styled(command: &Command, text: &str) -> String {
    let literal = command.get_styles().get_literal();
    let text = text.replace('\u{a0}', " ").replace(MARKS[0], &literal.to_string());
    text.replace(MARKS[1], &format!("{literal:#}"))
}

/// What the verb `name` does, in one line.
pub(super) fn about_of(command: &Command, name: &str) -> String {
    let verb = command.find_subcommand(name).and_then(Command::get_about);
    verb.map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{super::command, *};

    #[test]
    fn each_verb_is_in_one_group() {
        let command = command();
        let shown = command.get_subcommands().filter(|verb| !verb.is_hide_set());
        let mut known: Vec<&str> = shown.map(Command::get_name).collect();
        let mut listed: Vec<&str> = GROUPS.iter().flat_map(|group| group.verbs).copied().collect();
        known.sort_unstable();
        listed.sort_unstable();
        assert_eq!(known, listed);
    }

    #[test]
    fn the_first_screen_fits_on_one() {
        for (width, most) in [(usize::MAX, 50), (80, 50), (60, 80), (40, 100)] {
            let text = clap::builder::StyledStr::from(overview(&command(), width)).to_string();
            let is_wide = |line: &&str| line.chars().count() > width.min(WIDTH);
            let wide: Vec<_> = text.lines().filter(is_wide).collect();
            assert!(wide.is_empty(), "{wide:#?}");
            assert!(text.lines().all(|line| line.trim_end() == line), "{text}");
            assert!(!text.contains(MARKS), "{text}");
            assert!(text.lines().count() <= most, "{} lines at {width}", text.lines().count());
        }
    }
}
