//! The verbs in groups, and the first screen of help.

use std::fmt::Write as _;

use clap::Command;

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
            "deployments",
            "preview",
            "preview:destroy",
            "preview:sweep",
        ],
    },
    VerbGroup {
        title: "Versions",
        is_told: false,
        verbs: &["outdated", "bump", "lock", "version:next", "changelog", "lint:title"],
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
        verbs: &[
            "check",
            "fmt",
            "remove",
            "graph",
            "schema",
            "cache",
            "completions",
            "self-update",
            "help",
        ],
    },
];

/// How wide the first screen is.
const WIDTH: usize = 80;

/// The first screen of help: what each everyday verb does, and the names of the others.
pub(super) fn overview(command: &Command) -> String {
    let styles = command.get_styles();
    let (heading, literal) = (styles.get_header(), styles.get_literal());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut text = format!(
        "{about}\n\n{heading}Usage:{heading:#} {literal}forge{literal:#} [OPTIONS] VERB | TASK [ARGS]\n"
    );
    for group in GROUPS.iter().filter(|group| group.is_told) {
        let _ = writeln!(text, "\n{heading}{}{heading:#}", group.title);
        for name in group.verbs {
            let about = about_of(command, name);
            let _ = writeln!(text, "  {literal}{name:<9}{literal:#} {about}");
        }
    }
    text.push('\n');
    for group in GROUPS.iter().filter(|group| !group.is_told) {
        let names = group.verbs.iter().map(|name| format!("{literal}{name}{literal:#}"));
        let widths = group.verbs.iter().map(|name| name.len());
        let title = format!("{heading}{}{heading:#}", group.title);
        let gap = " ".repeat(INDENT - group.title.len());
        let _ = writeln!(text, "{title}{gap}{}", wrapped(names.zip(widths)));
    }
    let _ = write!(
        text,
        "\n{heading}Options{heading:#} (all of them: {literal}forge help options{literal:#})\n  \
         -C DIR, -j N, --platform P, --dry-run, --offline, --locked, --json, -q, -v\n\n\
         {literal}forge help VERB{literal:#} says more of one; {literal}forge help verbs{literal:#} of all. Pages: spec,\n\
         manifest, tasks, services, templates, stores, options, exit-codes, environment"
    );
    text
}

/// Where the names begin of verbs that are only named.
const INDENT: usize = 12;

/// `words` of these widths with commas between, on as many lines as they take.
fn wrapped(words: impl Iterator<Item = (String, usize)>) -> String {
    let mut text = String::new();
    let mut column = INDENT;
    for (word, width) in words {
        if column + width + 3 > WIDTH {
            text.push_str(&format!(",\n{}", " ".repeat(INDENT)));
            column = INDENT;
        } else if !text.is_empty() {
            text.push_str(", ");
            column += 2;
        }
        text.push_str(&word);
        column += width;
    }
    text
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
        let text = clap::builder::StyledStr::from(overview(&command())).to_string();
        let wide: Vec<_> = text.lines().filter(|line| line.chars().count() > WIDTH).collect();
        assert!(wide.is_empty(), "{wide:#?}");
        assert!(text.lines().count() <= 50, "{} lines", text.lines().count());
    }
}
