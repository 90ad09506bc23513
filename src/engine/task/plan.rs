//! Which tasks run before which: the needs of a task, and theirs, each once per task and
//! parameters. Pure, but where something has to be found out for it; with a stack of its own,
//! since needs may be nested deeply.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use crate::{
    model::{ActionId, Fault, Kind, Name},
    workspace::{Bindings, Meaning, Names, Renderer, Task, TaskNeed, TaskRef, TemplateValue},
};

use super::{
    command::Ground,
    context::TaskContext,
    evaluation::Evaluation,
    frame::RunScope,
    parameters::settle,
    steps::{Rendering, may_run, unknown_task},
    variables::{asks_for_needs, fixed, learn_for_needs},
};

/// How many runs of tasks a plan may have.
const MOST_RUNS: usize = 100_000;

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

    /// What tells it from others that `once` does not count as the same.
    pub fn key_of_once(&self) -> String {
        match &self.task.once_as {
            Some(shared) => shared.replace('*', &format!("{:?} {:?}", self.parameters, self.args)),
            None => self.key(),
        }
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

/// Finds out what tasks need.
pub struct TaskPlanner<'a, 'w> {
    context: &'a TaskContext<'w>,
    /// Within what commands run that something has to be found out by; none if nothing runs.
    frame: Option<&'a RunScope<'a>>,
}

impl<'a, 'w> TaskPlanner<'a, 'w> {
    /// Before a run, whose commands run within `frame`.
    pub fn live(context: &'a TaskContext<'w>, frame: &'a RunScope<'a>) -> Self {
        Self { context, frame: Some(frame) }
    }

    /// For looking: nothing is run.
    pub fn dry(context: &'a TaskContext<'w>) -> Self {
        Self { context, frame: None }
    }

    /// The tasks that `invocation` needs itself. What a run found out on the way stays in it.
    pub(super) async fn needs(
        &self,
        invocation: &mut Invocation<'w>,
    ) -> Result<Vec<Invocation<'w>>, Fault> {
        let (context, task) = (self.context, invocation.task);
        let is_left_out = self.frame.is_some() && context.as_task && !may_run(task);
        if task.needs.is_empty() || is_left_out {
            return Ok(Vec::new());
        }
        let bindings = fixed(&context.renderer, invocation)?;
        let rendering = context.rendering(task, &bindings);
        // Where the task runs, and with which variables, its needs may yet decide.
        if !asks_for_needs(task) {
            return needed_tasks(&rendering, &Evaluation::Written).await;
        }
        let ground = Ground::bare(context.workspace, &rendering)?;
        let Some(frame) = self.frame else {
            let evaluation = Evaluation::dry(context, task, &ground.dir);
            return Ok(self.learned_needs(invocation, &evaluation).await?.1);
        };
        let frame = frame.within(task.timeout);
        let evaluation = Evaluation::live(context, &frame, task, &ground);
        let learned = self.learned_needs(invocation, &evaluation).await;
        let (words, needs) = learned.map_err(|fault| context.vault.without_secrets(fault))?;
        invocation.found = words;
        Ok(needs)
    }

    /// What the words mean that the needs of `invocation` look at, and its needs.
    async fn learned_needs(
        &self,
        invocation: &Invocation<'w>,
        evaluation: &Evaluation<'_, 'w>,
    ) -> Result<(Bindings, Vec<Invocation<'w>>), Fault> {
        let context = self.context;
        let words = learn_for_needs(&context.renderer, invocation, evaluation).await?.words;
        let rendering = context.rendering(invocation.task, &words);
        let needs = needed_tasks(&rendering, evaluation).await?;
        Ok((words, needs))
    }
}

impl<'w> TaskPlan<'w> {
    /// The plan of `wanted`, which comes last.
    ///
    /// # Errors
    /// `Usage` if a task is given what it does not take; whatever finding out what tasks need fails
    /// with.
    pub async fn for_invocation(
        planner: &TaskPlanner<'_, 'w>,
        wanted: Invocation<'w>,
    ) -> Result<Self, Fault> {
        Self::of_all(planner, vec![wanted]).await
    }

    /// The plan of all that is `wanted`, side by side.
    ///
    /// # Errors
    /// As [`Self::for_invocation`].
    pub async fn of_all(
        planner: &TaskPlanner<'_, 'w>,
        wanted: Vec<Invocation<'w>>,
    ) -> Result<Self, Fault> {
        let mut plan = Self::default();
        let mut known = HashMap::new();
        for one in wanted {
            plan.add(planner, one, &mut known).await?;
        }
        Ok(plan)
    }

    async fn add(
        &mut self,
        planner: &TaskPlanner<'_, 'w>,
        mut wanted: Invocation<'w>,
        known: &mut HashMap<String, ActionId>,
    ) -> Result<(), Fault> {
        if !planner.context.as_task && known.contains_key(&wanted.key_of_once()) {
            return Ok(());
        }
        let needs = planner.needs(&mut wanted).await?;
        let name = wanted.name.clone();
        let mut open = vec![(wanted, needs.into_iter(), Vec::new())];
        while let Some((invocation, needs, after)) = open.last_mut() {
            if let Some(mut need) = needs.next() {
                let joins = !planner.context.as_task || need.task.once;
                match known.get(&need.key_of_once()).filter(|_| joins) {
                    Some(id) => after.push(*id),
                    None => {
                        if self.nodes.len() + open.len() >= MOST_RUNS {
                            return Err(too_many(&name));
                        }
                        let needs = planner.needs(&mut need).await?;
                        open.push((need, needs.into_iter(), Vec::new()));
                    }
                }
                continue;
            }
            let id = ActionId(self.nodes.len() as u32);
            known.insert(invocation.key_of_once(), id);
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

fn too_many(name: &str) -> Fault {
    Fault::new(Kind::Usage, format!("the task {name} needs more than {MOST_RUNS} runs of tasks"))
        .because("each task counts once for each set of parameters that it is given")
        .hint("give the tasks that it needs fewer different parameters")
}

/// The tasks that a task needs itself, once all words are known that tell it.
async fn needed_tasks<'w>(
    rendering: &Rendering<'_, 'w>,
    evaluation: &Evaluation<'_, '_>,
) -> Result<Vec<Invocation<'w>>, Fault> {
    let (task, mut needs) = (rendering.task, Vec::new());
    for TaskNeed { call, each } in &task.needs {
        if let Some(Meaning::Subsystem(_)) = rendering.names.meant(task, &call.name.text) {
            continue;
        }
        for words in rendering.each(each.as_ref(), rendering.bindings, evaluation).await? {
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
