//! The tasks of one document (a spec, or `versions.yml`) in forge's words, with their comments and
//! with what needs a person.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    comments::Comments,
    rewrite::{Rewritten, each_template, of_variable},
    stack::Stack,
    subsystem::{Subsystem, tidy},
    variables::{Variables, mention},
};
use crate::taskfile::{self, Given, Parts, Remark, Task, Tree, Value, Wish, Yaml};

/// The tasks that stay, by their full names.
pub(super) type Kept = BTreeMap<String, Rewritten>;

/// A document's part of a stack.
#[derive(Debug)]
pub(super) struct Unit {
    /// Its tasks, by the names they have in the document, with the comments above.
    pub(super) tasks: Vec<(String, Vec<String>, Yaml)>,
    /// Its variables.
    pub(super) vars: Yaml,
    /// Variables of all files that it looks at.
    pub(super) shared: Vec<(String, Yaml)>,
    pub(super) parts: Parts,
}

/// The unit of a subsystem.
pub(super) fn of_subsystem(
    stack: &Stack,
    one: &Subsystem,
    kept: &Kept,
    known: &dyn Fn(&str) -> bool,
) -> Unit {
    let mut tree = with_kept(stack, kept);
    for (at, file) in tree.files.iter_mut().enumerate() {
        if at != one.file && at != 0 && stack.prefixes[at].is_some() {
            file.vars.clear();
        }
    }
    let variables = Variables::new(&stack.tree, one.file);
    let roles = Roles { one, variables };
    only_names(&mut tree, stack, |at| at != one.file);
    let file = &mut tree.files[one.file];
    file.vars.retain(|variable| roles.stands_for(&variable.name.value).is_none());
    for variable in &mut file.vars {
        let name = variable.name.value.clone();
        of_variable(variable, &mut |text| {
            text.text = roles.applied(&variables.default_of(&name, text));
        });
    }
    for task in &mut file.tasks {
        each_template(task, &mut |text| text.text = roles.applied(&text.text));
    }
    if paths_can_be_short(stack, one.file, kept) {
        shorten(file);
    }
    let mut words = BTreeMap::from([(one.version.0.clone(), "version".to_owned())]);
    let own: Vec<String> = file.vars.iter().map(|one| one.name.value.clone()).collect();
    for name in &own {
        words.insert(name.clone(), called(&one.name, name, &own));
    }
    let prefix = format!("{}:", one.name);
    let parts = said(&tree, &words);
    let is_own = |key: &str| own.iter().any(|name| words[name] == key);
    let comments = Comments::of(&stack.tree.files[one.file]);
    let mut vars = Yaml::map();
    for (key, value) in parts.vars.entries().filter(|(key, _)| is_own(key)) {
        let written = stack.tree.files[one.file]
            .vars
            .iter()
            .find(|variable| words.get(&variable.name.value).is_some_and(|word| word == key));
        let start = written.map(|variable| variable.name.bytes.clone());
        let above =
            start.map(|bytes| of_line(&comments, stack, one.file, bytes)).unwrap_or_default();
        let above = above.into_iter().filter(|text| known(text)).collect();
        vars.put_with(above, key, tidied(value.clone(), None));
    }
    let shared = parts.vars.entries().filter(|(key, _)| !is_own(key));
    let shared = shared.map(|(key, value)| (key.to_owned(), value.clone())).collect();
    let tasks = tasks(
        stack,
        kept,
        &parts,
        &|name| name.strip_prefix(&prefix).map(str::to_owned),
        Some(&one.name),
        known,
    );
    Unit { tasks, vars, shared, parts }
}

/// The unit of the first file, and of those that describe no subsystem.
pub(super) fn of_root(
    stack: &Stack,
    subsystems: &[Subsystem],
    kept: &Kept,
    inlined: &BTreeSet<String>,
) -> Unit {
    let mut tree = with_kept(stack, kept);
    only_names(&mut tree, stack, |at| subsystems.iter().any(|one| one.file == at));
    let variables = Variables::new(&stack.tree, 0);
    let applied = |text: &str| variables.written_out(text, &|name| !inlined.contains(name));
    for task in &mut tree.files[0].tasks {
        each_template(task, &mut |text| text.text = applied(&text.text));
    }
    for variable in &mut tree.files[0].vars {
        let name = variable.name.value.clone();
        of_variable(variable, &mut |text| text.text = variables.default_of(&name, text));
    }
    if paths_can_be_short(stack, 0, kept) {
        shorten(&mut tree.files[0]);
    }
    let words = BTreeMap::new();
    let parts = said(&tree, &words);
    let is_root = |name: &str| {
        let of_subsystem = subsystems.iter().any(|one| name.starts_with(&format!("{}:", one.name)));
        (!of_subsystem).then(|| name.to_owned())
    };
    let tasks = tasks(stack, kept, &parts, &is_root, None, &|_| true);
    let comments = Comments::of(&stack.tree.files[0]);
    let mut vars = Yaml::map();
    for (key, value) in parts.vars.entries() {
        let written = stack.tree.files[0].vars.iter().find(|variable| variable.name.value == key);
        let above = written
            .map(|one| of_line(&comments, stack, 0, one.name.bytes.clone()))
            .unwrap_or_default();
        vars.put_with(above, key, value.clone());
    }
    Unit { tasks, vars, shared: Vec::new(), parts }
}

/// The comments above and behind the key at `bytes`.
pub(super) fn of_line(
    comments: &Comments,
    stack: &Stack,
    file: usize,
    bytes: std::ops::Range<usize>,
) -> Vec<String> {
    let text = &stack.tree.files[file].file.text;
    let end = text[bytes.end..].find('\n').map_or(text.len(), |end| bytes.end + end);
    comments.with(bytes.start..end)
}

fn said(tree: &Tree, words: &BTreeMap<String, String>) -> Parts {
    // The environment is not the project's: what comes from it stays a question.
    let given = Given::default();
    taskfile::parts(tree, &Wish { tasks: None, given: &given, args: &[], flags: &[], words }, true)
}

/// The tree with only the tasks that stay.
fn with_kept(stack: &Stack, kept: &Kept) -> Tree {
    let mut tree = stack.tree.clone();
    let full = |file: usize, name: &str| stack.meant(file, name);
    for (at, file) in tree.files.iter_mut().enumerate() {
        if stack.prefixes[at].is_some() {
            let stays = file.tasks.iter().filter_map(|task| kept.get(&full(at, &task.name.value)));
            file.tasks = stays.map(|one| one.task.clone()).collect();
        }
    }
    let common =
        kept.iter().filter(|(name, _)| name.contains('*') && !stack.tasks.contains_key(*name));
    tree.files[0].tasks.extend(common.map(|(_, one)| one.task.clone()));
    tree
}

const ROOT: &str = "{{.ROOT_DIR}}";

/// Whether all tasks of a file that name a path from the root run there too, so that the path means
/// the same without it.
fn paths_can_be_short(stack: &Stack, file: usize, kept: &Kept) -> bool {
    let variables = Variables::new(&stack.tree, file);
    let own = kept.iter().filter(|(name, _)| stack.tasks.get(*name).is_some_and(|at| at.0 == file));
    own.into_iter().all(|(_, one)| {
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
fn shorten(file: &mut taskfile::Taskfile) {
    let mut short = |text: &mut crate::manifest::Scalar| {
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

/// Leaves nothing but the names of the tasks of files that `is_other`, for calls of them.
fn only_names(tree: &mut Tree, stack: &Stack, is_other: impl Fn(usize) -> bool) {
    let files = tree.files.iter_mut().enumerate();
    for (_, file) in files.filter(|(at, _)| stack.prefixes[*at].is_some() && is_other(*at)) {
        for task in &mut file.tasks {
            *task = Task {
                name: task.name.clone(),
                aliases: task.aliases.clone(),
                requires: task.requires.clone(),
                ..Task::named(task.name.clone())
            };
        }
    }
}

/// What a variable of a subsystem's Taskfile is called in its spec, where no other file sees it.
fn called(subsystem: &str, name: &str, own: &[String]) -> String {
    let prefix = format!("{}_", subsystem.to_uppercase().replace('-', "_"));
    let short = |name: &str| name.strip_prefix(&prefix).unwrap_or(name).to_lowercase();
    let word = short(name);
    let is_free = !TAKEN.contains(&word.as_str())
        && own.iter().filter(|other| short(other) == word).count() == 1;
    if is_free { word } else { name.to_lowercase() }
}

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
struct Roles<'s> {
    one: &'s Subsystem,
    variables: Variables<'s>,
}

impl Roles<'_> {
    /// The text that is written instead of the variable `name`.
    fn stands_for(&self, name: &str) -> Option<String> {
        let one = self.one;
        if name == one.version.0 {
            return Some(format!("{{{{.{name}}}}}"));
        }
        let shown = format!("{{{{.{name}}}}}");
        let value = self.variables.written_out(&shown, &|_| false);
        let path = self.variables.path(&shown).filter(|_| value.contains("{{.ROOT_DIR}}"));
        let bin = one.bin_dir.as_ref().map(|dir| format!("{dir}/{}", one.binary));
        match path {
            Some(path) if Some(&path) == bin.as_ref() => return Some(one.binary.clone()),
            Some(path) if Some(&path) == one.bin_dir.as_ref() => {
                return Some("{{.ROOT_DIR}}/.forge/bin".to_owned());
            }
            Some(path) if path == one.name => return Some(value),
            Some(path) if Some(&path) == one.src_dir.as_ref() => return Some(self.src(&path)),
            _ => {}
        }
        let is_name = value == one.name || value == one.binary;
        let is_source =
            matches!(&one.source, Some(super::subsystem::Source::Git(url)) if *url == value);
        (is_name || is_source).then_some(value)
    }

    fn src(&self, path: &str) -> String {
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
        written + rest
    }
}

/// Where the code of a subsystem is to come to lie that lies outside of the workspace.
pub(super) fn code(name: &str) -> String {
    format!("code/{name}")
}

/// The tasks of `parts` that `short` has a name for.
fn tasks(
    stack: &Stack,
    kept: &Kept,
    parts: &Parts,
    short: &dyn Fn(&str) -> Option<String>,
    owner: Option<&str>,
    known: &dyn Fn(&str) -> bool,
) -> Vec<(String, Vec<String>, Yaml)> {
    let marks = marks(stack, &parts.remarks);
    let mut tasks = Vec::new();
    for (full, said) in &parts.tasks {
        let Some(name) = short(full) else { continue };
        let mut above = Vec::new();
        if let Some(at) = stack.tasks.get(full) {
            above.extend(comments_of(stack, *at).into_iter().filter(|text| known(text)));
        }
        let rewritten = kept.get(full);
        let own = rewritten.map(|one| one.marks.as_slice()).unwrap_or_default().iter();
        above.extend(
            own.chain(marks.get(full).into_iter().flatten()).map(|what| format!("migrate: {what}")),
        );
        let ensures = rewritten.map(|one| one.ensures.clone()).unwrap_or_default();
        tasks.push((name, above, finished(said.clone(), &ensures, owner)));
    }
    tasks
}

/// The comments of a task.
fn comments_of(stack: &Stack, (file, at): (usize, usize)) -> Vec<String> {
    let taskfile = &stack.tree.files[file];
    let comments = Comments::of(taskfile);
    let start = taskfile.tasks[at].name.bytes.start;
    let next = taskfile.tasks.get(at + 1).map(|task| task.name.bytes.start);
    let end = next.map_or(taskfile.file.text.len(), |next| comments.end(start, next));
    comments.with(start..end)
}

/// Remarks of the translation, by the tasks they are about.
fn marks(stack: &Stack, remarks: &[Remark]) -> BTreeMap<String, Vec<String>> {
    let mut marks: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for remark in remarks {
        let Some(file) = stack.tree.files.iter().position(|one| one.file.path == remark.span.file)
        else {
            continue;
        };
        let begins = |(_, at): &(&String, &(usize, usize))| {
            (at.0 == file)
                .then(|| stack.task(**at).name.bytes.start)
                .filter(|start| *start <= remark.span.bytes.start)
        };
        let task = stack.tasks.iter().filter_map(|one| Some((begins(&one)?, one.0))).max();
        let text = &stack.tree.files[file].file.text;
        let line =
            text.get(..remark.span.bytes.start).unwrap_or_default().matches('\n').count() + 1;
        if let Some((_, name)) = task {
            let what = format!("{} ({}:{line})", remark.what, remark.span.file.display());
            marks.entry(name.clone()).or_default().push(what);
        }
    }
    marks
}

/// A task as it is written: with what it has to ensure, without what says nothing.
fn finished(said: Yaml, ensures: &[String], owner: Option<&str>) -> Yaml {
    let said = tidied(said, owner);
    if ensures.is_empty() && !matches!(said, Yaml::Map(_)) {
        // Nothing but its commands is said of it.
        return said;
    }
    let mut entries = match said {
        Yaml::Map(entries) => entries,
        other => vec![(Vec::new(), "run".to_owned(), other)],
    };
    let is_root = |value: &Yaml| matches!(value, Yaml::Text(text) if text == "{{ root }}");
    entries.retain(|(_, key, value)| key != "quiet" && (key != "dir" || !is_root(value)));
    let mut needs: Vec<Yaml> = ensures.iter().map(Yaml::text).collect();
    let at = entries.iter().position(|(_, key, _)| key == "needs");
    if let Some(at) = at {
        let (_, _, written) = entries.remove(at);
        match written {
            Yaml::List(items) => needs.extend(items),
            other => needs.push(other),
        }
    }
    if !needs.is_empty() {
        entries.retain(|(_, key, value)| key != "run" || *value != Yaml::text("true"));
        let needs = if needs.len() == 1 { needs.remove(0) } else { Yaml::List(needs) };
        let at = entries.iter().position(|(_, key, _)| key == "run").unwrap_or(entries.len());
        entries.insert(at, (Vec::new(), "needs".to_owned(), needs));
    }
    for (_, key, value) in &mut entries {
        if key == "run"
            && let Some(script) = joined(value)
        {
            *value = script;
        }
    }
    match entries.as_slice() {
        [(_, key, run)] if key == "run" => run.clone(),
        _ => Yaml::Map(entries),
    }
}

/// A list of commands as one script, if those before the last only make way for it and that one has
/// several lines anyway.
fn joined(run: &Yaml) -> Option<Yaml> {
    const PLAIN: &[&str] = &["mkdir ", "forge "];
    let Yaml::List(items) = run else { return None };
    let lines: Option<Vec<&str>> = items
        .iter()
        .map(|item| match item {
            Yaml::Text(text) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    let lines = lines?;
    let (last, before) = lines.split_last()?;
    let is_plain = |line: &&&str| {
        PLAIN.iter().any(|begin| line.starts_with(begin))
            && !line.contains(['\n', '|', '&', ';', '\\'])
    };
    let is_script = last.trim_end().contains('\n') && !before.is_empty();
    (is_script && before.iter().all(|line| is_plain(&line))).then(|| Yaml::text(lines.join("\n")))
}

/// Texts in forge's own words; tasks of the document's own subsystem by their short names.
fn tidied(said: Yaml, owner: Option<&str>) -> Yaml {
    let own = |value: Yaml| match (value, owner) {
        (Yaml::Text(text), Some(owner)) => match text.strip_prefix(&format!("{owner}:")) {
            Some(short) => Yaml::text(short),
            None => Yaml::Text(text),
        },
        (value, _) => value,
    };
    match said {
        Yaml::Text(text) => Yaml::Text(tidy(&text)),
        Yaml::Plain(text) => Yaml::Plain(text),
        Yaml::List(items) => {
            Yaml::List(items.into_iter().map(|item| tidied(item, owner)).collect())
        }
        Yaml::Map(entries) => {
            let entry = |(comments, key, value): (Vec<String>, String, Yaml)| {
                let value = tidied(value, owner);
                let value = match (key.as_str(), value) {
                    ("needs", Yaml::List(items)) => {
                        Yaml::List(items.into_iter().map(own).collect())
                    }
                    ("needs" | "task", value) => own(value),
                    ("dir", Yaml::Text(text)) => Yaml::text(text.trim_start_matches("{{ root }}/")),
                    (_, value) => value,
                };
                (comments, key, value)
            };
            Yaml::Map(entries.into_iter().filter(|(_, key, _)| key != "quiet").map(entry).collect())
        }
    }
}

/// Whether a variable of a file is one text.
pub(super) fn text_of(file: &taskfile::Taskfile, name: &str) -> Option<String> {
    let variable = file.vars.iter().find(|one| one.name.value == name)?;
    match &variable.value {
        Value::Text(text) => Some(text.text.clone()),
        _ => None,
    }
}
