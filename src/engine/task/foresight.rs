//! What a run of a task would do, as data, down through all that it needs and calls: found without
//! running anything. What a command would print stands as `$(FOLDER: COMMAND)`.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    model::{Fault, Kind, Name},
    workspace::{Meaning, Places, Task, TaskNeed, TaskText, TemplateValue, Workspace},
};

use super::{
    context::TaskContext,
    knowledge::{TaskKnowledge, at_once},
    plan::{Invocation, TaskPlanner},
    steps::{Rendering, TaskStep, Work, is_here},
};

/// How many tasks may be within each other.
const MAX_DEPTH: usize = 30;
/// How many runs of tasks are looked at for one.
const MOST_RUNS: usize = 4000;

/// A run of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeseenTask {
    /// What the task is called.
    pub name: String,
    /// What it is given.
    pub given: BTreeMap<String, String>,
    /// The tasks that it needs itself, in the order written.
    pub needs: Vec<ForeseenTask>,
    /// The subsystems that it needs itself.
    pub subsystems: BTreeSet<Name>,
    /// Where its commands run.
    pub dir: String,
    /// The variables that its commands get beside those that they inherit.
    pub env: BTreeMap<String, String>,
    /// What runs its commands.
    pub shell: Vec<String>,
    /// What decides whether it runs: the key, and what stands there.
    pub conditions: Vec<(&'static str, String)>,
    /// What it does, in order.
    pub steps: Vec<ForeseenStep>,
}

/// Something that a run of a task does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeseenStep {
    /// What.
    pub what: ForeseenWork,
    /// What `if` gives.
    pub condition: Option<String>,
    /// How long it may take, in milliseconds.
    pub timeout: Option<u128>,
    /// Whether the task continues when it fails.
    pub allow_failure: bool,
    /// Whether it runs when the task ends.
    pub at_end: bool,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForeseenWork {
    /// Runs a command.
    Command(String),
    /// Runs another task.
    Call(Box<ForeseenTask>),
}

/// What a run of `wanted` would do.
///
/// # Errors
/// If something in it cannot be rendered, or tasks call each other without end.
pub fn foresee<'w>(
    workspace: &'w Workspace,
    wanted: &Invocation<'w>,
) -> Result<ForeseenTask, Fault> {
    let mut context = TaskContext::new(workspace);
    context.tells_folders = true;
    let mut seer = Seer { context: &context, count: 0 };
    seer.task(wanted.clone(), 0)
}

struct Seer<'a, 'w> {
    context: &'a TaskContext<'w>,
    count: usize,
}

impl<'w> Seer<'_, 'w> {
    fn task(
        &mut self,
        mut invocation: Invocation<'w>,
        depth: usize,
    ) -> Result<ForeseenTask, Fault> {
        self.count += 1;
        if depth > MAX_DEPTH || self.count > MOST_RUNS {
            let what = format!("the task {} calls too many others", invocation.name);
            return Err(Fault::new(Kind::Usage, what));
        }
        let planner = TaskPlanner::dry(self.context);
        let needs = at_once(planner.needs(&mut invocation))?;
        let needs = needs.into_iter().map(|need| self.task(need, depth + 1));
        let needs = needs.collect::<Result<Vec<_>, Fault>>()?;
        let task = invocation.task;
        let mut known = TaskKnowledge::for_invocation(self.context, &invocation)?;
        let bindings = std::mem::take(&mut known.learned.words);
        let rendering = self.context.rendering(task, &bindings);
        known.ground.furnish(&rendering, &known.learned.of_file)?;
        let places = known.ground.places.clone();
        let text = |text: &TaskText| rendering.text(text).map(|text| text.expand(&places));
        let conditions = conditions(task, &text)?;
        let mut steps = at_once(rendering.run(&known.evaluation))?;
        let mut at_end = bindings.clone();
        at_end.set("exit_code", TemplateValue::number(0));
        steps.extend(at_once(rendering.finally(&at_end, &known.evaluation))?);
        let steps = steps.into_iter().map(|step| self.step(step, &rendering, &places, depth));
        let steps = steps.collect::<Result<Vec<_>, Fault>>()?;
        Ok(ForeseenTask {
            name: invocation.name.clone(),
            given: invocation.parameters.clone(),
            needs,
            subsystems: self.subsystems(task),
            dir: known.ground.dir.display().to_string(),
            env: known.ground.env.clone(),
            shell: task.shell.words(),
            conditions,
            steps,
        })
    }

    fn subsystems(&self, task: &Task) -> BTreeSet<Name> {
        let meant = |need: &TaskNeed| match self.context.names.meant(task, &need.call.name.text) {
            Some(Meaning::Subsystem(name)) => Name::new(name).ok(),
            _ => None,
        };
        task.needs.iter().filter_map(meant).collect()
    }

    fn step(
        &mut self,
        step: TaskStep<'w>,
        rendering: &Rendering<'_, 'w>,
        places: &Places,
        depth: usize,
    ) -> Result<ForeseenStep, Fault> {
        let condition = step.condition.as_ref().map(|text| text.expand(places));
        let (timeout, allow_failure) = (step.timeout, step.allow_failure);
        let at_end = step.entry.at_end;
        let what = match step.what {
            Work::Later(later) => {
                let mut bindings = later.bindings.clone();
                bindings.set("exit_code", TemplateValue::number(0));
                rendering.later(&later, &bindings)?.what
            }
            what => what,
        };
        let what = match what {
            Work::Run(line) => ForeseenWork::Command(line.expand_in_shell(places)),
            Work::Call(called) => ForeseenWork::Call(Box::new(self.task(called, depth + 1)?)),
            Work::Later(_) => {
                return Err(Fault::new(Kind::Failed, "what runs at the end registers more"));
            }
        };
        let timeout = timeout.map(|timeout| timeout.as_millis());
        Ok(ForeseenStep { what, condition, timeout, allow_failure, at_end })
    }
}

/// All that decides whether `task` runs.
fn conditions(
    task: &Task,
    text: &dyn Fn(&TaskText) -> Result<String, Fault>,
) -> Result<Vec<(&'static str, String)>, Fault> {
    let mut found = Vec::new();
    if !is_here(&task.only) {
        found.push(("only", task.only.join(" ")));
    }
    for (key, texts) in [
        ("if", task.condition.iter().collect::<Vec<_>>()),
        ("confirm", task.confirm.iter().collect()),
        ("status", task.status.iter().collect()),
        ("inputs", task.inputs.iter().collect()),
        ("outputs", task.outputs.iter().collect()),
    ] {
        for one in texts {
            found.push((key, text(one)?));
        }
    }
    for (line, message) in &task.assert {
        found.push(("assert", text(line)?));
        if let Some(message) = message {
            found.push(("message", text(message)?));
        }
    }
    for (key, flag) in [
        ("once", task.once),
        ("fail_fast", task.fail_fast),
        ("gitignore", task.gitignore),
        ("interactive", task.interactive),
        ("allow_failure", task.allow_failure),
    ] {
        if flag {
            found.push((key, "true".to_owned()));
        }
    }
    Ok(found)
}
