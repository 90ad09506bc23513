//! Tasks that many subsystems have and that differ only in the subsystem's name: one task with a
//! star stands for all of them.

use std::collections::BTreeMap;

use super::{
    rewrite::{Rewritten, each_template, stands_anywhere},
    stack::Stack,
    subsystem::MigratedSubsystem,
    unit::Kept,
    variables::MigratedVariables,
};
use crate::{manifest::Scalar, taskfile::TaskfileTask};

/// How many subsystems must have a task for one to stand for all of them.
const MANY: usize = 3;
/// The subsystem, in a task for all.
const EACH: &str = "{{index .MATCH 0}}";

/// Puts one task with a star in the place of those that are the same in all but the name.
pub(super) fn gather(stack: &Stack, subsystems: &[MigratedSubsystem], kept: &mut Kept) {
    let mut shapes: BTreeMap<(String, String), Vec<(String, Rewritten)>> = BTreeMap::new();
    for one in subsystems {
        let prefix = format!("{}:", one.name);
        for (full, rewritten) in kept.iter() {
            let Some(short) = full.strip_prefix(&prefix) else { continue };
            if !rewritten.ensures.is_empty() || !stands_anywhere(stack, one.file, &rewritten.task) {
                continue;
            }
            let task = general(stack, one, &rewritten.task);
            if let Some(shape) = shape(&task) {
                let general = Rewritten { task, ..rewritten.clone() };
                shapes.entry((short.to_owned(), shape)).or_default().push((full.clone(), general));
            }
        }
    }
    for ((short, _), all) in shapes {
        if all.len() < MANY || all.len() < subsystems.len() {
            continue;
        }
        let name = format!("*:{short}");
        let mut one = all[0].1.clone();
        one.task.name.value.clone_from(&name);
        for (full, _) in &all {
            kept.remove(full);
        }
        kept.insert(name, one);
    }
}

/// `task` of `one` without any word of its own.
fn general(stack: &Stack, one: &MigratedSubsystem, task: &TaskfileTask) -> TaskfileTask {
    let variables = MigratedVariables::new(&stack.tree, one.file);
    let mut task = task.clone();
    each_template(&mut task, &mut |text| {
        text.text = replaced(&variables.written_out(&text.text, &|_| false), &one.name, EACH);
    });
    let own = |text: &mut Scalar| text.text = replaced(&text.text, &one.name, "the subsystem");
    task.desc.iter_mut().chain(&mut task.summary).for_each(own);
    task.dir = None;
    task
}

/// All that a task says, if that is only what can be compared: what it runs and what it says of itself.
fn shape(task: &TaskfileTask) -> Option<String> {
    let is_plain = task.vars.is_empty()
        && task.env.is_empty()
        && task.requires.is_empty()
        && task.deps.is_empty()
        && task.sources.is_empty()
        && task.generates.is_empty()
        && task.aliases.is_empty();
    let mut said = format!("{:?}", task.desc.as_ref().map(|desc| &desc.text));
    let mut task = task.clone();
    each_template(&mut task, &mut |text| {
        said.push('\n');
        said.push_str(&text.text);
    });
    (is_plain && said.contains(EACH)).then_some(said)
}

/// `text` with `by` for `word`, where that is a word of its own.
fn replaced(text: &str, word: &str, by: &str) -> String {
    let is_part = |sign: Option<char>| {
        sign.is_some_and(|sign| sign.is_alphanumeric() || sign == '_' || sign == '-')
    };
    let mut written = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(word) {
        written.push_str(before);
        let is_word = !is_part(written.chars().next_back()) && !is_part(after.chars().next());
        written.push_str(if is_word { by } else { word });
        rest = after;
    }
    written + rest
}
