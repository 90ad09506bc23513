//! What the variables of a subsystem's Taskfile come to be in its spec: words that forge has anyway, or
//! variables of the spec under short names.

use std::collections::BTreeMap;

use super::{
    rewrite::{each_template, of_variable},
    shell::changes_folder,
    stack::Stack,
    subsystem::{MigratedSource, MigratedSubsystem},
    unit::Kept,
    variables::{MigratedVariables, mention},
};
use crate::{
    manifest::Scalar,
    taskfile::{CommandKind, Taskfile, TaskfileTask, TaskfileVariable, VariableValue},
};

/// What a variable of a subsystem's Taskfile is called in its spec, where no other file sees it.
fn called(subsystem: &str, name: &str, own: &[String]) -> String {
    let prefix = format!("{}_", subsystem.to_uppercase().replace('-', "_"));
    let short = |name: &str| name.strip_prefix(&prefix).unwrap_or(name).to_lowercase();
    let word = short(name);
    let is_free = !TAKEN.contains(&word.as_str())
        && own.iter().filter(|other| short(other) == word).count() == 1;
    if is_free { word } else { name.to_lowercase() }
}

/// What the variables of a subsystem's Taskfile are called in its spec.
pub(super) fn words(one: &MigratedSubsystem, file: &Taskfile) -> BTreeMap<String, String> {
    let own: Vec<String> = file.vars.iter().map(|one| one.name.value.clone()).collect();
    let word = |name: &String| (name.clone(), called(&one.name, name, &own));
    let version = (one.version.0.clone(), "version".to_owned());
    let src = (SOURCE.to_owned(), "src".to_owned());
    own.iter().map(word).chain([version, src]).collect()
}

/// What the folder of the source is called on the way to its word in forge.
pub(super) const SOURCE: &str = "FORGE_SRC";

/// Words that templates of specs know already.
const TAKEN: &[&str] = &[
    "arch",
    "args",
    "bin",
    "binary",
    "commit",
    "cwd",
    "dir",
    "env",
    "exe",
    "exit_code",
    "inputs",
    "item",
    "key",
    "match",
    "name",
    "now",
    "os",
    "out",
    "outputs",
    "platform",
    "project",
    "root",
    "rust_target",
    "src",
    "task",
    "vars",
    "version",
    "version_number",
    "work",
];

/// What the variables of the pattern stand for.
pub(super) struct Roles<'s> {
    pub(super) one: &'s MigratedSubsystem,
    pub(super) variables: MigratedVariables<'s>,
}

impl Roles<'_> {
    /// Writes a file so that it does without these variables.
    pub(super) fn apply(&self, file: &mut Taskfile) {
        file.vars.retain(|variable| self.stands_for(&variable.name.value).is_none());
        for variable in &mut file.vars {
            let name = variable.name.value.clone();
            of_variable(variable, &mut |text| {
                text.text = self.applied(&self.variables.default_of(&name, text));
            });
        }
        for task in &mut file.tasks {
            each_template(task, &mut |text| text.text = self.applied(&text.text));
        }
    }

    /// What the variables of the file are called in the spec; nothing if something else is written
    /// instead.
    pub(super) fn renamed(&self, stack: &Stack) -> BTreeMap<String, Option<String>> {
        let mut file = stack.tree.files[self.one.file].clone();
        let names: Vec<String> = file.vars.iter().map(|one| one.name.value.clone()).collect();
        file.vars.retain(|variable| self.stands_for(&variable.name.value).is_none());
        let words = words(self.one, &file);
        let is_kept = |name: &String| file.vars.iter().any(|one| one.name.value == *name);
        let called = |name: String| {
            let word = words.get(&name).cloned().filter(|_| is_kept(&name));
            (name, word)
        };
        names.into_iter().map(called).collect()
    }

    /// The text that is written instead of the variable `name`.
    fn stands_for(&self, name: &str) -> Option<String> {
        let one = self.one;
        if name == one.version.0 {
            return Some(format!("{{{{.{name}}}}}"));
        }
        let shown = format!("{{{{.{name}}}}}");
        let value = self.variables.written_out(&shown, &|_| false);
        let path = self.variables.path(&shown).filter(|_| value.contains('/'));
        let bin = one.bin_dir.as_ref().map(|dir| format!("{dir}/{}", one.binary));
        match path {
            Some(path) if Some(&path) == bin.as_ref() => return Some(one.binary.clone()),
            Some(path) if Some(&path) == one.bin_dir.as_ref() => return Some(value),
            Some(path) if path == one.name => return Some(value),
            Some(path) if Some(&path) == one.src_dir.as_ref() => return Some(self.src(&path)),
            _ => {}
        }
        let is_name = value == one.name || value == one.binary;
        let is_source = matches!(&one.source, Some(MigratedSource::Git(url)) if *url == value);
        (is_name || is_source).then_some(value)
    }

    fn src(&self, path: &str) -> String {
        if matches!(self.one.source, Some(MigratedSource::Git(_))) {
            return format!("{{{{.{SOURCE}}}}}");
        }
        let path = if path.starts_with("..") { code(&self.one.name) } else { path.to_owned() };
        format!("{{{{.ROOT_DIR}}}}/{path}")
    }

    fn applied(&self, text: &str) -> String {
        let mut written = String::new();
        let mut rest = text;
        while let Some((before, from)) = rest.split_once("{{") {
            let (inside, after) = from.split_once("}}").unwrap_or((from, ""));
            written.push_str(before);
            match mention(inside)
                .filter(|name| self.variables.text(name).is_some())
                .and_then(|name| self.stands_for(name))
            {
                Some(value) => written.push_str(&value),
                None => written.extend(["{{", inside, "}}"]),
            }
            rest = after;
        }
        let written = written + rest;
        match &self.one.bin_dir {
            Some(dir) => self.with_own_folder(&written, &format!("{ROOT}/{dir}")),
            None => written,
        }
    }

    /// `text` with the folder of forge's binaries for that of the Taskfile's, `dir`; but where that is
    /// removed, since forge's is for all subsystems.
    fn with_own_folder(&self, text: &str, dir: &str) -> String {
        let binary = format!("{dir}/{}", self.one.binary);
        let src = self.one.src_dir.as_deref().map(|src| {
            let place = matches!(self.one.source, Some(MigratedSource::Git(_)))
                .then(|| format!("{{{{.{SOURCE}}}}}"));
            (format!("{ROOT}/{src}"), place)
        });
        let line = |line: &str| match (line.trim_start().starts_with("rm "), &src) {
            // What is removed is what was there.
            (true, Some((before, Some(place)))) => line.replace(place, before),
            (true, _) => line.to_owned(),
            (false, src) => {
                let line = line.replace(&binary, &self.one.binary);
                let line = line.replace(dir, &format!("{ROOT}/.forge/bin"));
                match src {
                    Some((before, Some(place))) => line.replace(before, place),
                    _ => line,
                }
            }
        };
        text.split('\n').map(line).collect::<Vec<_>>().join("\n")
    }
}

/// Where the code of a subsystem is to come to lie that lies outside of the workspace.
pub(super) fn code(name: &str) -> String {
    format!("code/{name}")
}

const ROOT: &str = "{{.ROOT_DIR}}";

/// Whether all tasks of a file that name a path from the root run there too, so that the path means
/// the same without it.
pub(super) fn paths_can_be_short(stack: &Stack, file: usize, kept: &Kept) -> bool {
    let variables = MigratedVariables::new(&stack.tree, file);
    let own = kept.iter().filter(|(name, _)| stack.tasks.get(*name).is_some_and(|at| at.0 == file));
    let is_rooted = |text: &Scalar| variables.written_out(&text.text, &|_| false).contains(ROOT);
    // What a variable of the environment holds may be used anywhere.
    let in_env = |env: &[TaskfileVariable]| {
        env.iter().any(|one| match &one.value {
            VariableValue::Text(text) | VariableValue::Sh(text) => is_rooted(text),
            _ => false,
        })
    };
    let moves = |task: &TaskfileTask| {
        task.commands.iter().any(|one| match &one.deed {
            CommandKind::Run(line) | CommandKind::DeferRun(line) => {
                changes_folder(&line.text) && is_rooted(line)
            }
            _ => false,
        })
    };
    if in_env(&stack.tree.files[file].env) || in_env(&stack.tree.files[0].env) {
        return false;
    }
    own.into_iter().all(|(_, one)| {
        if in_env(&one.task.env) || moves(&one.task) {
            return false;
        }
        let mut task = one.task.clone();
        let dir = task.dir.take();
        let is_at_root =
            if file == 0 { dir.is_none() } else { dir.is_some_and(|dir| dir.text == ROOT) };
        let mut names_root = false;
        each_template(&mut task, &mut |text| {
            names_root |= variables.written_out(&text.text, &|_| false).contains(ROOT);
        });
        is_at_root || !names_root
    })
}

/// Paths without the root before them.
pub(super) fn shorten(file: &mut Taskfile) {
    let mut short = |text: &mut Scalar| {
        text.text = text
            .text
            .replace(&format!("/{ROOT}/"), "\0")
            .replace(&format!("{ROOT}/"), "")
            .replace('\0', &format!("/{ROOT}/"));
    };
    for task in &mut file.tasks {
        let dir = task.dir.take();
        each_template(task, &mut short);
        task.dir = dir;
    }
    file.vars.iter_mut().for_each(|variable| of_variable(variable, &mut short));
}
