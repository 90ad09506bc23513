//! The tasks of one document (a spec, or `versions.yml`) in forge's words, with their comments and
//! with what needs a person.

use std::collections::BTreeMap;

use super::{
    Survey,
    comments::Comments,
    finish::{finished, tidied},
    manifest::MigratedSettings,
    rewrite::{Rewritten, each_template, of_variable},
    roles::{Roles, paths_can_be_short, shorten, words},
    stack::Stack,
    subsystem::MigratedSubsystem,
    variables::MigratedVariables,
};
use crate::taskfile::{
    self, Given, Remark, TaskfileTask, TaskfileTree, TranslatedParts, TranslationRequest,
    VariableValue, Yaml,
};

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
    pub(super) parts: TranslatedParts,
}

/// The unit of a subsystem.
pub(super) fn of_subsystem(survey: &Survey, one: &MigratedSubsystem) -> Unit {
    let (stack, kept) = (survey.stack, &survey.kept);
    let mut tree = with_kept(stack, kept);
    for (at, file) in tree.files.iter_mut().enumerate() {
        if at != one.file && at != 0 && stack.prefixes[at].is_some() {
            file.vars.clear();
        }
    }
    only_names(&mut tree, stack, |at| at != one.file);
    let file = &mut tree.files[one.file];
    Roles { one, variables: MigratedVariables::new(&stack.tree, one.file) }.apply(file);
    if paths_can_be_short(stack, one.file, kept) {
        shorten(file);
    }
    let words = words(one, file);
    let parts = said(survey, &tree, &words, true);
    let is_own = |key: &str| words.values().any(|word| word == key);
    let of_word =
        |key: &str| words.iter().find(|(_, word)| *word == key).map(|(name, _)| name.as_str());
    let mut vars = Yaml::map();
    for (key, value) in parts.vars.entries().filter(|(key, _)| is_own(key)) {
        let above = of_word(key).map(|name| about(survey, one.file, name)).unwrap_or_default();
        vars.put_with(above, key, tidied(value.clone(), None));
    }
    let shared = parts.vars.entries().filter(|(key, _)| !is_own(key));
    let shared = shared.map(|(key, value)| (key.to_owned(), value.clone())).collect();
    let prefix = format!("{}:", one.name);
    let short = |name: &str| name.strip_prefix(&prefix).map(str::to_owned);
    let tasks = tasks(survey, &parts, &short, Some(&one.name));
    Unit { tasks, vars, shared, parts }
}

/// The unit of the first file, and of those that describe no subsystem. Of its variables, those that are
/// `settings` are written out.
pub(super) fn of_root(survey: &Survey, settings: &MigratedSettings) -> Unit {
    let inlined = &settings.variables;
    let (stack, subsystems) = (survey.stack, survey.subsystems);
    let mut tree = with_kept(stack, &survey.kept);
    only_names(&mut tree, stack, |at| subsystems.iter().any(|one| one.file == at));
    let variables = MigratedVariables::new(&stack.tree, 0);
    let file = &mut tree.files[0];
    for task in &mut file.tasks {
        each_template(task, &mut |text| {
            text.text = variables.written_out(&text.text, &|name| !inlined.contains(name));
        });
    }
    for variable in &mut file.vars {
        let name = variable.name.value.clone();
        of_variable(variable, &mut |text| text.text = variables.default_of(&name, text));
    }
    if paths_can_be_short(stack, 0, &survey.kept) {
        shorten(file);
    }
    // What nothing looks at may still be given on a command line.
    let parts = said(survey, &tree, &BTreeMap::new(), !subsystems.is_empty());
    // Tasks of the first file may be called as if they were a subsystem's.
    let of_subsystem = |name: &str| {
        let own = stack.tasks.get(name).map(|at| at.0);
        subsystems.iter().any(|one| match own {
            Some(file) => file == one.file,
            None => name.starts_with(&format!("{}:", one.name)),
        })
    };
    let short = |name: &str| (!of_subsystem(name)).then(|| name.to_owned());
    let tasks = tasks(survey, &parts, &short, None);
    let mut vars = Yaml::map();
    for (key, value) in parts.vars.entries() {
        let mut above = about(survey, 0, key);
        // What is said of a group is said there.
        above.retain(|line| !settings.groups_say(line));
        vars.put_with(above, key, value.clone());
    }
    Unit { tasks, vars, shared: Vec::new(), parts }
}

/// The comments of the variable `name` of a file.
fn about(survey: &Survey, file: usize, name: &str) -> Vec<String> {
    let taskfile = &survey.stack.tree.files[file];
    let variable = taskfile.vars.iter().find(|one| one.name.value == name);
    let found = variable.map(|one| Comments::in_file(taskfile).of_line(one.name.bytes.clone()));
    found.unwrap_or_default().into_iter().filter(|line| survey.is_own(line)).collect()
}

fn said(
    survey: &Survey,
    tree: &TaskfileTree,
    words: &BTreeMap<String, String>,
    is_sparse: bool,
) -> TranslatedParts {
    // The environment is not the project's: what comes from it stays a question.
    let given = Given::default();
    taskfile::parts(
        tree,
        &TranslationRequest { tasks: None, given: &given, args: &[], flags: &[], words },
        is_sparse,
        survey.exactly,
    )
}

/// The tree with only the tasks that stay.
fn with_kept(stack: &Stack, kept: &Kept) -> TaskfileTree {
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

/// Leaves nothing but the names of the tasks of files that `is_other`, for calls of them.
fn only_names(tree: &mut TaskfileTree, stack: &Stack, is_other: impl Fn(usize) -> bool) {
    let files = tree.files.iter_mut().enumerate();
    for (_, file) in files.filter(|(at, _)| stack.prefixes[*at].is_some() && is_other(*at)) {
        for task in &mut file.tasks {
            *task = TaskfileTask {
                name: task.name.clone(),
                aliases: task.aliases.clone(),
                requires: task.requires.clone(),
                ..TaskfileTask::named(task.name.clone())
            };
        }
    }
}

/// The tasks of `parts` that `short` has a name for.
fn tasks(
    survey: &Survey,
    parts: &TranslatedParts,
    short: &dyn Fn(&str) -> Option<String>,
    owner: Option<&str>,
) -> Vec<(String, Vec<String>, Yaml)> {
    let stack = survey.stack;
    let marks = marks(stack, &parts.remarks);
    let mut tasks = Vec::new();
    for (full, said) in &parts.tasks {
        let Some(name) = short(full) else { continue };
        let mut above = Vec::new();
        if let Some((file, at)) = stack.tasks.get(full) {
            let taskfile = &stack.tree.files[*file];
            let own = Comments::in_file(taskfile).of_task(taskfile, *at);
            above.extend(own.into_iter().filter(|line| survey.is_own(line)));
        }
        let rewritten = survey.kept.get(full);
        let own = rewritten.map(|one| one.marks.as_slice()).unwrap_or_default().iter();
        let own = own.chain(marks.get(full).into_iter().flatten());
        above.extend(own.map(|what| format!("migrate: {what}")));
        let ensures = rewritten.map(|one| one.ensures.clone()).unwrap_or_default();
        let said = &without_env(said, &parts.env);
        tasks.push((name, above, rolled(finished(said.clone(), &ensures, owner))));
    }
    tasks
}

/// How many calls in a row a loop is made of.
const MANY_CALLS: usize = 3;

/// A task in which calls in a row of the same task of several subsystems are one loop.
fn rolled(said: Yaml) -> Yaml {
    match said {
        Yaml::List(items) => Yaml::List(rolled_calls(&items)),
        Yaml::Map(mut entries) => {
            for (_, key, value) in &mut entries {
                if let ("run", Yaml::List(items)) = (key.as_str(), &mut *value) {
                    *value = Yaml::List(rolled_calls(items));
                }
            }
            Yaml::Map(entries)
        }
        other => other,
    }
}

fn rolled_calls(items: &[Yaml]) -> Vec<Yaml> {
    let parts = |item: &Yaml| match item {
        Yaml::Map(entries) => match entries.as_slice() {
            [(comments, key, Yaml::Text(name))] if key == "task" && comments.is_empty() => {
                let (first, end) = name.split_once(':')?;
                (!name.contains("{{")).then(|| (first.to_owned(), end.to_owned()))
            }
            _ => None,
        },
        _ => None,
    };
    let mut written = Vec::new();
    let mut rest = items;
    while let Some(item) = rest.first() {
        let end = parts(item).map(|(_, end)| end);
        let own =
            rest.iter().map_while(|item| parts(item).filter(|one| Some(&one.1) == end.as_ref()));
        let names: Vec<Yaml> = own.map(|(first, _)| Yaml::Text(first)).collect();
        let Some(end) = end.filter(|_| names.len() >= MANY_CALLS) else {
            written.push(item.clone());
            rest = &rest[1..];
            continue;
        };
        rest = &rest[names.len()..];
        let mut each = Yaml::single("task", Yaml::Text(format!("{{{{ item }}}}:{end}")));
        each.put("for", Yaml::List(names));
        written.push(each);
    }
    written
}

/// A task without the variables of the environment that all tasks get so anyway.
fn without_env(said: &Yaml, all: &Yaml) -> Yaml {
    let Yaml::Map(entries) = said else { return said.clone() };
    let mut entries = entries.clone();
    for (_, key, value) in &mut entries {
        if let ("env", Yaml::Map(own)) = (key.as_str(), value) {
            own.retain(|(_, name, value)| {
                !all.entries().any(|(one, known)| one == name && known == value)
            });
        }
    }
    entries.retain(|(_, key, value)| key != "env" || !value.is_empty());
    Yaml::Map(entries)
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
        let before = text.get(..remark.span.bytes.start).unwrap_or_default();
        let line = before.matches('\n').count();
        // What cannot be said is shown as it stood.
        let stood = text.lines().nth(line).unwrap_or_default().trim();
        if let Some((_, name)) = task {
            let place = format!("{}:{}", remark.span.file.display(), line + 1);
            let what = format!("{}: `{stood}`, {place}", remark.what);
            marks.entry(name.clone()).or_default().push(what);
        }
    }
    marks
}

/// Whether a variable of a file is one text.
pub(super) fn text_of(file: &taskfile::Taskfile, name: &str) -> Option<String> {
    let variable = file.vars.iter().find(|one| one.name.value == name)?;
    match &variable.value {
        VariableValue::Text(text) => Some(text.text.clone()),
        _ => None,
    }
}
