//! The command line, as clap has it.

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory};

use super::{ReferenceTopic, code, table};
use crate::cli::{args::Args, help::examples};

/// All commands with their words and options.
pub(super) fn page(_: &ReferenceTopic) -> String {
    let mut root = Args::command();
    root.build();
    let shown: Vec<&Command> = root.get_subcommands().filter(|verb| !verb.is_hide_set()).collect();
    let mut text =
        table(&["command", "what it does"], shown.iter().map(|verb| vec![link(verb), about(verb)]));
    let _ = writeln!(text, "## Everywhere\n\nThese options work with every command.\n");
    text.push_str(&options(root.get_arguments().filter(|arg| arg.is_global_set())));
    for verb in shown {
        let _ = writeln!(text, "## forge {}\n\n{}.\n", verb.get_name(), about(verb));
        let _ = writeln!(text, "```text\n{}\n```\n", usage(verb));
        let own = verb.get_arguments().filter(|arg| !arg.is_global_set());
        text.push_str(&options(own));
        text.push_str(&parts(verb));
        let examples = examples::examples_of(verb.get_name());
        if !examples.is_empty() {
            let _ = writeln!(text, "```text\n{}\n```\n", examples.join("\n"));
        }
    }
    text
}

/// What stands behind a command that has commands of its own.
fn parts(verb: &Command) -> String {
    let shown = |part: &&Command| !part.is_hide_set() && part.get_name() != "help";
    let parts: Vec<&Command> = verb.get_subcommands().filter(shown).collect();
    if parts.is_empty() {
        return String::new();
    }
    let row = |part: &&Command| {
        let options = part.get_opts().filter(|arg| !arg.is_global_set() && arg.get_id() != "help");
        let options: Vec<_> = options.map(|arg| format!(" [{}]", name(arg))).collect();
        let words = format!("forge {} {}{}", verb.get_name(), part.get_name(), options.concat());
        vec![code(&words), about(part)]
    };
    table(&["command", "what it does"], parts.iter().map(row))
}

fn link(verb: &Command) -> String {
    let anchor = format!("forge {}", verb.get_name()).replace(':', "").replace(' ', "-");
    format!("[`forge {}`](#{anchor})", verb.get_name())
}

fn about(verb: &Command) -> String {
    verb.get_about().map(ToString::to_string).unwrap_or_default()
}

/// The words of a command, in the order in which they come.
fn usage(verb: &Command) -> String {
    let mut usage = format!("forge {}", verb.get_name());
    if verb.get_opts().any(|arg| !arg.is_global_set()) {
        usage.push_str(" [OPTIONS]");
    }
    for arg in verb.get_positionals() {
        let name = words(arg).join(" ");
        let many = arg.get_num_args().is_some_and(|range| range.max_values() > 1);
        let many = if many { "…" } else { "" };
        let last = if arg.is_last_set() { "-- " } else { "" };
        match arg.is_required_set() {
            true => usage.push_str(&format!(" {last}{name}{many}")),
            false => usage.push_str(&format!(" [{last}{name}{many}]")),
        }
    }
    usage
}

fn words(arg: &Arg) -> Vec<String> {
    let names = arg.get_value_names().unwrap_or_default();
    names.iter().map(|name| name.to_string()).collect()
}

fn options<'a>(args: impl Iterator<Item = &'a Arg>) -> String {
    let args: Vec<_> = args.filter(|arg| !arg.is_hide_set() && arg.get_id() != "help").collect();
    if args.is_empty() {
        return String::new();
    }
    let row = |arg: &&Arg| vec![code(&name(arg)), meaning(arg)];
    table(&["option", "what it means"], args.iter().map(row))
}

/// `-j, --jobs <N>`, or a word's name.
fn name(arg: &Arg) -> String {
    if arg.is_positional() {
        return words(arg).join(" ");
    }
    let short = arg.get_short().map(|short| format!("-{short}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    let mut name: Vec<_> = short.into_iter().chain(long).collect();
    let takes = arg.get_num_args().is_none_or(|range| range.takes_values());
    if takes && arg.get_action().takes_values() {
        let last = name.pop().unwrap_or_default();
        let values: Vec<_> = words(arg).iter().map(|word| format!("<{word}>")).collect();
        name.push(format!("{last} {}", values.join(" ")));
    }
    name.join(", ")
}

fn meaning(arg: &Arg) -> String {
    let mut text = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let values = arg.get_possible_values();
    let values: Vec<_> = values.iter().filter(|value| !value.is_hide_set()).collect();
    if arg.get_action().takes_values() && !values.is_empty() {
        let one = |value: &&clap::builder::PossibleValue| {
            let help = value.get_help().map(|help| format!(" ({})", plain(&help.to_string())));
            format!("{}{}", code(value.get_name()), help.unwrap_or_default())
        };
        let all: Vec<_> = values.iter().map(one).collect();
        let _ = write!(text, ": {}", all.join(", "));
    }
    let default: Vec<_> = arg.get_default_values().iter().map(|it| it.to_string_lossy()).collect();
    if arg.get_action().takes_values() && !default.is_empty() {
        let _ = write!(text, ". Default: {}", code(&default.join(" ")));
    }
    // `[default: …]` is how a terminal is told.
    match text.split_once(" [default: ") {
        Some((before, default)) => format!("{before}. Default: {}", default.replacen(']', "", 1)),
        None => text,
    }
}

/// A sentence as part of another one.
fn plain(sentence: &str) -> String {
    sentence.trim_end_matches('.').to_owned()
}
