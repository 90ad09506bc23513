//! Which tasks run before which: the needs of a task, and theirs, each once per task and
//! parameters. Pure, but for whom it asks where something has to be found out; with a stack of its own,
//! since needs may be nested deeply.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
    future::ready,
    path::Path,
};

use crate::{
    model::{ActionId, Fault, Kind, Name},
    process::Pending,
    workspace::{Bindings, Meaning, Names, Renderer, Task, TaskNeed, TaskRef, TemplateValue, Text},
};

use super::{
    parameters::settle,
    steps::{Rendering, unknown_task},
    variables::{Witness, asks_for_needs, fixed},
};

/// A task, and what it is given.
#[derive(Clone, Debug)]
pub struct Invocation<'w> {
    /// The task.
    pub task: &'w Task,
    /// What it is called: its name, in which something stands for each `*`.
    pub name: String,
    /// The value of each of its parameters.
    pub parameters: BTreeMap<String, String>,
    /// What its commands get as `{{ args }}`.
    pub args: Vec<String>,
    /// What was found out of its words to tell what it needs.
    pub found: Bindings,
}

impl<'w> Invocation<'w> {
    /// `task` with what is `given`.
    ///
    /// # Errors
    /// `Usage` if that is not what it declares.
    pub fn new(
        task: &'w Task,
        given: BTreeMap<String, String>,
        args: Vec<String>,
    ) -> Result<Self, Fault> {
        let (name, found) = (task.name.clone(), Bindings::default());
        Ok(Self { task, name, parameters: settle(task, given)?, args, found })
    }

    /// The same, called by a name that its task's pattern fits.
    #[must_use]
    pub fn called(mut self, name: &str) -> Self {
        if self.task.name.contains('*') {
            let mut parts = self.task.matched(name).into_iter();
            let fill = |part: &str| part.to_owned() + &parts.next().unwrap_or_default();
            self.name = self.task.name.split('*').map(fill).collect();
        }
        self
    }

    /// What tells it from other invocations.
    pub fn key(&self) -> String {
        format!("{} {:?} {:?}", self.name, self.parameters, self.args)
    }

    /// What its templates know before it runs.
    pub fn bindings(&self) -> Bindings {
        let mut bindings = Bindings::default();
        for (name, value) in &self.parameters {
            bindings.text(name, value.clone());
        }
        let words: Vec<String> = self.args.iter().map(|word| quoted(word)).collect();
        bindings.text("args", words.join(" "));
        bindings.text("task", self.name.clone());
        if self.task.name.contains('*') {
            bindings.set("match", TemplateValue::texts(self.task.matched(&self.name)));
        }
        bindings
    }
}

/// A word as a shell takes it whole.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Invocations, each after all it needs.
#[derive(Debug, Default)]
pub struct TaskPlan<'w> {
    /// What runs, and what it waits for.
    pub nodes: Vec<(Invocation<'w>, Vec<ActionId>)>,
}

/// Who tells what tasks need where something has to be found out for it.
pub trait Scout<'w>: Sync {
    /// What names mean, and what renders.
    fn words(&self) -> (&Names<'w>, &Renderer<'w>);

    /// The tasks that `invocation` needs itself. What was found out on the way may stay in it.
    fn needs<'a>(
        &'a self,
        invocation: &'a mut Invocation<'w>,
    ) -> Pending<'a, Result<Vec<Invocation<'w>>, Fault>>;
}

impl<'w> TaskPlan<'w> {
    /// The plan of `wanted`, which comes last.
    ///
    /// # Errors
    /// `Usage` if a task is given what it does not take; whatever finding out what tasks need fails
    /// with.
    pub async fn of(scout: &dyn Scout<'w>, wanted: Invocation<'w>) -> Result<Self, Fault> {
        Self::of_all(scout, vec![wanted]).await
    }

    /// The plan of all that is `wanted`, side by side.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub async fn of_all(scout: &dyn Scout<'w>, wanted: Vec<Invocation<'w>>) -> Result<Self, Fault> {
        let mut plan = Self::default();
        let mut known = HashMap::new();
        for one in wanted {
            plan.add(scout, one, &mut known).await?;
        }
        Ok(plan)
    }

    async fn add(
        &mut self,
        scout: &dyn Scout<'w>,
        mut wanted: Invocation<'w>,
        known: &mut HashMap<String, ActionId>,
    ) -> Result<(), Fault> {
        if known.contains_key(&wanted.key()) {
            return Ok(());
        }
        let needs = needs(scout, &mut wanted).await?;
        let mut open = vec![(wanted, needs.into_iter(), Vec::new())];
        while let Some((invocation, needs, after)) = open.last_mut() {
            if let Some(mut need) = needs.next() {
                match known.get(&need.key()) {
                    Some(id) => after.push(*id),
                    None => {
                        let needs = self::needs(scout, &mut need).await?;
                        open.push((need, needs.into_iter(), Vec::new()));
                    }
                }
                continue;
            }
            let id = ActionId(self.nodes.len() as u32);
            known.insert(invocation.key(), id);
            let Some((invocation, _, mut after)) = open.pop() else { break };
            after.sort_unstable();
            after.dedup();
            self.nodes.push((invocation, after));
            if let Some((_, _, after)) = open.last_mut() {
                after.push(id);
            }
        }
        Ok(())
    }
}

/// The tasks that `invocation` needs itself.
async fn needs<'w>(
    scout: &dyn Scout<'w>,
    invocation: &mut Invocation<'w>,
) -> Result<Vec<Invocation<'w>>, Fault> {
    let task = invocation.task;
    if task.needs.is_empty() {
        return Ok(Vec::new());
    }
    // Where the task runs, and with which variables, its needs may yet decide.
    if asks_for_needs(task) {
        return scout.needs(invocation).await;
    }
    let (names, renderer) = scout.words();
    let bindings = &fixed(renderer, invocation)?;
    needed_tasks(&Rendering { names, renderer, task, bindings }, &NothingKnown).await
}

/// The tasks that a task needs itself, once all words are known that tell it.
pub async fn needed_tasks<'w>(
    rendering: &Rendering<'_, 'w>,
    witness: &dyn Witness,
) -> Result<Vec<Invocation<'w>>, Fault> {
    let (task, mut needs) = (rendering.task, Vec::new());
    for TaskNeed { call, each } in &task.needs {
        if let Some(Meaning::Subsystem(_)) = rendering.names.meant(task, &call.name.text) {
            continue;
        }
        for words in rendering.each(each.as_ref(), rendering.bindings, witness).await? {
            let name = rendering.name_of(call, &words)?;
            match rendering.names.meant(task, &name) {
                Some(Meaning::Task(target)) => {
                    needs.push(called(rendering.renderer, task, call, target, &words)?);
                }
                Some(Meaning::Subsystem(_)) => {}
                None => return Err(unknown_task(&name)),
            }
        }
    }
    Ok(needs)
}

/// Who knows only what is written down.
struct NothingKnown;

impl Witness for NothingKnown {
    fn printed<'a>(
        &'a self,
        line: &'a Text,
        _: Option<&'a Path>,
    ) -> Pending<'a, Result<String, Fault>> {
        let what = format!("what `{}` prints is known only later", line.symbolic());
        Box::pin(ready(Err(Fault::new(Kind::Usage, what))))
    }

    fn secret<'a>(
        &'a self,
        name: &'a str,
        _: Pending<'a, Result<String, Fault>>,
    ) -> Pending<'a, Result<TemplateValue, Fault>> {
        let what = format!("the secret {name} is known only later");
        Box::pin(ready(Err(Fault::new(Kind::Usage, what))))
    }

    fn files(&self, _: &[String]) -> Result<Vec<String>, Fault> {
        Err(Fault::new(Kind::Usage, "which files there are is known only later"))
    }
}

/// The name of the task that `call` of `task` means with `bindings`.
pub fn called_name<'c>(
    renderer: &Renderer,
    task: &Task,
    call: &'c TaskRef,
    bindings: &Bindings,
) -> Result<Cow<'c, str>, Fault> {
    match &call.open {
        None => Ok(Cow::Borrowed(&call.name.text)),
        Some(template) => renderer.plain(task, template, bindings).map(Cow::Owned),
    }
}

/// What `call` of `task` means with `bindings`.
pub fn called<'w>(
    renderer: &Renderer<'w>,
    task: &Task,
    call: &TaskRef,
    target: &'w Task,
    bindings: &Bindings,
) -> Result<Invocation<'w>, Fault> {
    let mut given = BTreeMap::new();
    for (name, value) in &call.with {
        let value = renderer.plain(task, value, bindings)?;
        given.insert(name.clone(), value);
    }
    let called_as = called_name(renderer, task, call, bindings)?;
    Invocation::new(target, given, Vec::new())
        .map(|invocation| invocation.called(&called_as))
        .map_err(|fault| fault.within(format!("the task {} cannot run {}", task.name, target.name)))
}

/// The subsystems that `task` needs, and all the tasks that it may come to run.
///
/// # Errors
/// `Usage` if one of them cannot be run.
pub fn subsystems(names: &Names, task: &Task) -> Result<BTreeSet<Name>, Fault> {
    let mut found = BTreeSet::new();
    let mut seen = BTreeSet::from([task.name.as_str()]);
    let mut open = vec![task];
    while let Some(task) = open.pop() {
        for call in task.reach() {
            match names.meant(task, &call.name.text) {
                Some(Meaning::Subsystem(name)) => found.extend(Name::new(name).ok()),
                Some(Meaning::Task(target)) if seen.insert(&target.name) => open.push(target),
                _ => {}
            }
        }
    }
    Ok(found)
}
