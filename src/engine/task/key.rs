//! What a run of a task depends on: its key, field by field, with which it is compared with the
//! last run that went well, and under which its outputs are kept. The workspace and secrets stand in
//! it as symbols: the workspace may be moved, and no secret is written anywhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use crate::{
    cache::{self, SealKey},
    model::{ArtifactId, Fault, Layout, Name},
    workspace::{Bindings, Meaning, Names, Task, TaskText, TaskVariable, TemplateValue, Text},
};

use super::{
    basis::mentions,
    command::Ground,
    context::TaskContext,
    files::{Marks, PatternsBelow},
    ledger::TaskLedger,
    plan::{Invocation, called},
    record::{Fields, TaskRecord, unwritten},
    steps::{Rendering, TaskStep, Work},
    variables::needed,
};

/// Who looks at what tasks depend on.
pub struct Eye<'a, 'w> {
    /// What tasks are rendered with.
    pub context: &'a TaskContext<'w>,
    /// What is known of earlier runs.
    pub ledger: &'a TaskLedger,
}

impl Eye<'_, '_> {
    /// What goes into the key of a task now, and what its files hold; nothing for one without inputs.
    ///
    /// # Errors
    /// If something cannot be rendered, or a file cannot be read.
    pub fn current_record(
        &self,
        invocation: &Invocation,
        rendering: &Rendering,
        ground: &Ground,
        steps: &[TaskStep],
    ) -> Result<Option<TaskRecord>, Fault> {
        let task = invocation.task;
        if task.inputs.is_empty() {
            return Ok(None);
        }
        let known = self.ledger.read(invocation).unwrap_or_default();
        let written = patterns(rendering, ground, &task.inputs)?;
        let gitignore = task.gitignore.then_some(&self.context.workspace.layout);
        let inputs =
            PatternsBelow::inputs(&ground.dir, &written, gitignore).marks(&known.inputs)?;
        let made = patterns(rendering, ground, &task.outputs)?;
        let outputs = PatternsBelow::outputs(&ground.dir, &made).marks(&known.outputs)?;
        let root = self.context.workspace.layout.root().display().to_string();
        let outside = self.outside(task);
        let shown = |text: &str| {
            let text = Text::new(text.replace(&root, "{{ root }}")).symbolic();
            outside.iter().fold(text, |text, (name, value)| {
                let stands = format!("({name} {})", unwritten(value));
                let quoted = value.escape_debug().to_string();
                text.replace(*value, &stands).replace(&quoted, &stands)
            })
        };
        let one = |text: &str| BTreeMap::from([(String::new(), shown(text))]);
        let all = |pairs: BTreeMap<String, String>| {
            pairs.into_iter().map(|(name, value)| (name, shown(&value))).collect()
        };
        let words = rendering.bindings.written();
        let words = words.lines().filter_map(|line| line.split_once('='));
        let words = words.map(|(word, value)| (word.to_owned(), value.to_owned())).collect();
        let mut env: BTreeMap<_, _> = all(ground.env.clone());
        for name in &ground.unwritten {
            env.extend(ground.env.get(name).map(|value| (name.clone(), unwritten(value))));
        }
        env.extend(outside.iter().map(|(name, value)| (format!("env.{name}"), unwritten(value))));
        let fields = Fields::from([
            ("run".to_owned(), all(commands(&self.context.names, steps))),
            ("shell".to_owned(), one(&format!("{:?}", task.shell))),
            ("env".to_owned(), env),
            ("vars".to_owned(), all(words)),
            ("needs".to_owned(), self.needs(rendering)),
            ("dir".to_owned(), one(&ground.dir.display().to_string())),
            ("outputs".to_owned(), one(&made.join(" "))),
        ]);
        Ok(Some(TaskRecord { fields, inputs, outputs }))
    }

    /// The variables of the environment that templates of `task` and of its file look at, the
    /// longest values first: one may be a part of another.
    fn outside(&self, task: &Task) -> Vec<(&str, &str)> {
        let of_vars = task.vars.iter().chain(&task.home.vars);
        let mut templates = task.templates();
        templates.extend(of_vars.flat_map(|var| var.variable.templates()));
        templates.extend(task.home.late_env.iter().map(|(_, value)| value));
        let is_used = |name: &str| templates.iter().any(|one| one.source().contains(name));
        let known = self.context.workspace.seen_variables.iter();
        let known = known.filter_map(|(name, value)| Some((name.as_str(), value.as_deref()?)));
        let mut used: Vec<_> =
            known.filter(|(name, value)| !value.is_empty() && is_used(name)).collect();
        used.sort_by_key(|(name, value)| (std::cmp::Reverse(value.len()), *name));
        used
    }

    /// What is needed, as it is: the fingerprints of subsystems as they are installed, and what
    /// tasks made.
    fn needs(&self, rendering: &Rendering) -> BTreeMap<String, String> {
        let task = rendering.task;
        let needs = task.needs.iter().filter_map(|need| {
            let call = &need.call;
            match self.context.names.meant(task, &call.name.text)? {
                Meaning::Subsystem(name) => Some((name.to_owned(), self.fingerprint(name))),
                Meaning::Task(target) if need.each.is_none() && !target.inputs.is_empty() => {
                    let bindings = rendering.bindings;
                    let invocation =
                        called(rendering.renderer, task, call, target, bindings).ok()?;
                    let made = self.ledger.read(&invocation)?.outputs;
                    Some((invocation.key(), TaskRecord::inputs_digest(&made)))
                }
                Meaning::Task(_) => None,
            }
        });
        needs.collect()
    }

    fn fingerprint(&self, name: &str) -> String {
        let record = Name::new(name).ok().and_then(|name| {
            let id = ArtifactId { name, platform: self.context.workspace.platform };
            let layout = &self.context.workspace.layout;
            cache::InstallPlace::for_artifact(layout, &id).known(&SealKey::of_user(layout.user()))
        });
        record.map_or_else(String::new, |record| record.stamp.fingerprint.to_string())
    }
}

/// The word for what is in `inputs`.
const INPUTS: &str = "inputs";

/// What templates of a task know of its `inputs`, if they look at that: the digest of what is in them.
/// Files that `stat` says are as they were `known` are not read again.
///
/// # Errors
/// As [`PatternsBelow::marks`].
pub fn inputs_word(
    rendering: &Rendering,
    layout: &Layout,
    ground: &Ground,
    known: impl FnOnce() -> Marks,
) -> Result<Bindings, Fault> {
    let (task, mut words) = (rendering.task, Bindings::default());
    if !task.inputs.is_empty() && mentions(task, INPUTS) {
        let written = patterns(rendering, ground, &task.inputs)?;
        let gitignore = task.gitignore.then_some(layout);
        let marks = PatternsBelow::inputs(&ground.dir, &written, gitignore).marks(&known())?;
        let digest = TemplateValue::text(TaskRecord::inputs_digest(&marks));
        let newest = TemplateValue::text(newest(&ground.dir, &marks));
        let known = vec![("digest".to_owned(), digest), ("newest".to_owned(), newest)];
        words.set(INPUTS, TemplateValue::map(known));
    }
    Ok(words)
}

/// When the newest of the files was changed that `marks` are of; the beginning of 1970 if there is none.
fn newest(dir: &Path, marks: &Marks) -> String {
    let changed = |name: &String| dir.join(name).metadata().ok()?.modified().ok();
    let newest = marks.keys().filter_map(changed).max();
    let at = newest.and_then(|at| jiff::Timestamp::try_from(at).ok());
    at.unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}

/// What `templates` of a task come to.
pub fn patterns(
    rendering: &Rendering,
    ground: &Ground,
    templates: &[TaskText],
) -> Result<Vec<String>, Fault> {
    let render = |template| Ok(rendering.text(template)?.expand(&ground.places));
    templates.iter().map(render).collect()
}

/// Whether what `task` makes may come from the cache.
pub fn is_kept(task: &Task) -> bool {
    let (own, of_file) = needed(task);
    let is_secret = |variable: &TaskVariable| matches!(variable, TaskVariable::Secret(_));
    let has_secret = own.iter().chain(&of_file).any(|var| is_secret(&var.variable));
    let asks = task.interactive || task.run.iter().any(|entry| entry.interactive);
    !task.inputs.is_empty() && !task.outputs.is_empty() && !asks && !has_secret
}

/// All that `steps` run, and all that the tasks they call may run.
fn commands(names: &Names, steps: &[TaskStep]) -> BTreeMap<String, String> {
    let mut commands = BTreeMap::new();
    for (index, step) in steps.iter().enumerate() {
        let what = match &step.what {
            Work::Run(line) => line.symbolic(),
            Work::Call(invocation) => {
                format!("{} {}", invocation.key(), definition(names, invocation.task))
            }
            Work::Later(later) => format!("finally {}", later.source()),
        };
        let condition = step.condition.as_ref().map(Text::symbolic);
        let condition =
            condition.map_or_else(String::new, |condition| format!(" (if {condition})"));
        commands.insert(format!("{index:06}"), what + &condition);
    }
    commands
}

/// Everything written in `task` and in those it comes to run. Ends, since tasks call each other
/// in no cycle.
fn definition(names: &Names, task: &Task) -> String {
    let mut text = String::new();
    let mut open = vec![task];
    let mut seen = BTreeSet::new();
    while let Some(task) = open.pop() {
        if !seen.insert(&task.name) {
            continue;
        }
        let variables = task.vars.iter().flat_map(|var| var.variable.templates());
        for template in task.templates().into_iter().chain(variables) {
            text.push_str(template.source());
            text.push('\n');
        }
        text.extend(task.home.given.iter().map(|(name, value)| format!("{name}={value}\n")));
        let meant = task.calls().filter_map(|call| names.meant(task, &call.name.text));
        open.extend(meant.filter_map(|meaning| match meaning {
            Meaning::Task(task) => Some(task),
            Meaning::Subsystem(_) => None,
        }));
    }
    text
}
