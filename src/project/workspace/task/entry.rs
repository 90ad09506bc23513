//! The entries of `run` and `finally`: commands, and calls of other tasks, with what is said
//! about each.

use super::{TaskAction, TaskCommand, read::TaskReader};
use crate::{
    manifest::{Findings, Node, Value, scalar, scalars},
    model::{Os, Platform},
};

/// The entries that `node` is or lists.
pub(super) fn entries(reader: &mut TaskReader, node: &Node) -> Vec<TaskCommand> {
    let nodes = match &node.value {
        Value::List(nodes) => nodes.as_slice(),
        _ => std::slice::from_ref(node),
    };
    nodes.iter().filter_map(|node| entry(reader, node)).collect()
}

fn entry(reader: &mut TaskReader, node: &Node) -> Option<TaskCommand> {
    let before = reader.words();
    let each = reader.each(node);
    let at_end = node.get("finally");
    let flag = |key| scalar(node, key).is_some_and(|flag| flag.text == "true");
    if at_end.is_some() {
        reader.know_exit_code();
    }
    let said = at_end.unwrap_or(node);
    let line = said.scalar().cloned().or_else(|| scalar(said, "run"));
    let what = match line {
        Some(line) => Some(TaskAction::Run(reader.tried_command(&line))),
        None => reader.call(said).map(TaskAction::Call),
    };
    let condition = scalar(node, "if").map(|line| reader.tried_command(&line));
    reader.forget_all_but(before);
    Some(TaskCommand {
        what: what?,
        condition,
        timeout: reader.duration(node, "timeout"),
        allow_failure: flag("allow_failure"),
        quiet: flag("quiet"),
        only: places(node, reader.found),
        each,
        interactive: flag("interactive"),
        at_end: at_end.is_some(),
    })
}

/// `only:`; each must be an operating system or a platform.
pub(super) fn places(node: &Node, found: &mut Findings) -> Vec<String> {
    let mut places = Vec::new();
    for place in scalars(node, "only") {
        if place.text.parse::<Platform>().is_err()
            && !Os::ALL.iter().any(|os| os.as_str() == place.text)
        {
            let what = format!("`{}` is neither an operating system nor a platform", place.text);
            let help = "write one such as `linux`, `darwin`, `windows` or `linux-amd64`";
            found.add(place.bytes, what, "not known", help);
        } else {
            places.push(place.text);
        }
    }
    places
}
