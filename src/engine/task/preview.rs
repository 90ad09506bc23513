//! What a run would do and why, found without running anything and without writing anything.

use crate::{
    cache::Cache,
    model::{Fault, shown_url},
    provenance::Classes,
    workspace::{RemoteSettings, Task, TemplateValue, Text, Workspace},
};

use super::{
    command::Ground,
    context::TaskContext,
    key::{Eye, is_kept},
    knowledge::{TaskKnowledge, at_once},
    ledger::TaskLedger,
    plan::{Invocation, TaskPlan, TaskPlanner},
    record::TaskRecord,
    steps::{Rendering, TaskStep, Work, is_here},
};

/// What would become of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// The task.
    pub name: String,
    /// Whether its commands would run, as far as that is known without running anything.
    pub runs: bool,
    /// Why.
    pub why: String,
    /// What would run, in order.
    pub commands: Vec<String>,
}

/// How a run is foreseen.
#[derive(Clone, Copy, Debug, Default)]
pub struct PreviewOptions {
    /// Whether what is up to date would run too.
    pub force: bool,
    /// Whether what called tasks would run is told too, indented.
    pub through_calls: bool,
}

/// The remote cache of `workspace`, as records name it.
pub fn remote_identity(workspace: &Workspace) -> Option<String> {
    workspace.remote.as_ref().map(RemoteSettings::identity)
}

/// How deep calls are followed.
const MAX_DEPTH: usize = 20;

/// What would become of `wanted` and of all it needs, in the order of a run.
///
/// # Errors
/// If something in it cannot be rendered.
pub fn preview(
    workspace: &Workspace,
    wanted: Invocation,
    how: PreviewOptions,
    classes: Classes,
) -> Result<Vec<Preview>, Fault> {
    let context = TaskContext::new(workspace);
    // The needs of what is called are no part of this: whether it is called is not known yet.
    let plan = at_once(TaskPlan::for_invocation(&TaskPlanner::dry(&context), wanted))?;
    let ledger = TaskLedger::new(&workspace.layout, classes).trusting(remote_identity(workspace));
    let looker = Looker { context: &context, ledger: &ledger, how };
    plan.nodes.iter().map(|(invocation, _)| looker.preview(invocation, 0)).collect()
}

struct Looker<'a, 'w> {
    context: &'a TaskContext<'w>,
    ledger: &'a TaskLedger,
    how: PreviewOptions,
}

impl<'w> Looker<'_, 'w> {
    fn preview(&self, invocation: &Invocation<'w>, depth: usize) -> Result<Preview, Fault> {
        let task = invocation.task;
        let mut known = TaskKnowledge::for_invocation(self.context, invocation)?;
        let bindings = std::mem::take(&mut known.learned.words);
        let rendering = self.context.rendering(task, &bindings);
        let steps = at_once(rendering.run(&known.evaluation))?;
        let mut at_end = bindings.clone();
        at_end.set("exit_code", TemplateValue::number(0));
        let last = at_once(rendering.finally(&at_end, &known.evaluation))?;
        let unknown = known.evaluation.unknown();
        let (runs, why) = match is_here(&task.only) {
            false => (false, "it does not run on this platform".to_owned()),
            true => {
                known.ground.furnish(&rendering, &known.learned.of_file)?;
                self.why(invocation, &rendering, &known.ground, &steps, &unknown)?
            }
        };
        let mut commands = Vec::new();
        for step in steps.iter().chain(&last) {
            commands.push(told(step));
            if let Work::Call(called) = &step.what
                && self.how.through_calls
                && depth < MAX_DEPTH
            {
                commands.extend(self.within(called, depth)?);
            }
        }
        Ok(Preview { name: invocation.name.clone(), runs, why, commands })
    }

    /// What a call would run, indented.
    fn within(&self, called: &Invocation<'w>, depth: usize) -> Result<Vec<String>, Fault> {
        let plan =
            at_once(TaskPlan::for_invocation(&TaskPlanner::dry(self.context), called.clone()))?;
        let mut lines = Vec::new();
        for (invocation, _) in &plan.nodes {
            let preview = self.preview(invocation, depth + 1)?;
            lines.extend(preview.commands.iter().map(|line| format!("  {line}")));
        }
        Ok(lines)
    }

    fn why(
        &self,
        invocation: &Invocation,
        rendering: &Rendering,
        ground: &Ground,
        steps: &[TaskStep],
        unknown: &[String],
    ) -> Result<(bool, String), Fault> {
        let task = invocation.task;
        let eye = Eye { context: self.context, ledger: self.ledger };
        let now = eye.current_record(invocation, rendering, ground, steps)?;
        if self.how.force {
            return Ok((true, "--force asks for it".into()));
        }
        let status = "unless each of its `status` commands succeeds";
        let Some(mut now) = now else {
            return Ok((
                true,
                match task.status.is_empty() {
                    true => "it says nothing of `inputs` or `status`, so it always runs".into(),
                    false => status.into(),
                },
            ));
        };
        let Some(record) = self.ledger.read(invocation) else {
            let why = "no run of it that went well is recorded here";
            return Ok(self.unless_kept(task, &now, unknown, why.into()));
        };
        let remembered = remember(&mut now, &record, unknown);
        Ok(match record.difference(&now) {
            Some(why) => self.unless_kept(task, &now, unknown, why),
            None if !unknown.is_empty() => {
                let last = remembered.join(", ");
                (true, format!("unless what `{{sh: …}}` gives is the same as last time{last}"))
            }
            None if !task.status.is_empty() => (true, status.into()),
            None => (false, "nothing changed since it last ran".into()),
        })
    }

    /// That it runs because of `why`, unless what it would make is in the cache.
    fn unless_kept(
        &self,
        task: &Task,
        now: &TaskRecord,
        unknown: &[String],
        why: String,
    ) -> (bool, String) {
        let has =
            |cache: Cache| self.ledger.looked_for(now).any(|(_, key)| cache.has_outputs(&key));
        let is_plain = unknown.is_empty() && task.status.is_empty();
        let remote = self.context.workspace.remote.as_ref().filter(|_| task.remote.is_some());
        match is_plain && is_kept(task) && has(Cache::for_workspace(self.ledger.layout()).0) {
            true => (false, format!("{why}; what it makes would be restored from the cache")),
            false => match remote.filter(|_| is_kept(task)) {
                Some(remote) => {
                    let (cache, shared) = (remote.identity(), task.remote.clone());
                    let place = match shared.and_then(|shared| remote.worker(&shared)) {
                        Some(_) => "; then it would run on a worker",
                        None => "",
                    };
                    (true, format!("{why}; the remote cache {cache} would be asked first{place}"))
                }
                None => (true, why),
            },
        }
    }
}

/// Puts what was known last time in the place of what is not known now, and tells what that was.
fn remember(now: &mut TaskRecord, record: &TaskRecord, unknown: &[String]) -> Vec<String> {
    let then = |field: &str, name: &str| record.fields.get(field)?.get(name).cloned();
    let (mut remembered, mut known) = (Vec::new(), Vec::new());
    for (name, value) in now.fields.get_mut("vars").into_iter().flatten() {
        let is_it = |unknown: &&String| bare(value) == unknown.as_str();
        let Some(unknown) = unknown.iter().find(is_it) else { continue };
        let Some(then) = then("vars", name) else { continue };
        let lead = if remembered.is_empty() { ": " } else { "" };
        remembered.push(format!("{lead}{name} was {then}"));
        known.push((unknown, bare(&then).to_owned()));
        *value = then;
    }
    for (field, values) in &mut now.fields {
        for (name, value) in values {
            for (unknown, then) in &known {
                *value = value.replace(unknown.as_str(), then);
            }
            let is_unknown = unknown.iter().any(|unknown| value.contains(unknown.as_str()));
            if let Some(then) = then(field, name).filter(|_| is_unknown) {
                *value = then;
            }
        }
    }
    remembered
}

/// A text as it is written, without its quotes.
fn bare(written: &str) -> &str {
    let inner = |sign| written.strip_prefix(sign)?.strip_suffix(sign);
    inner('\'').or_else(|| inner('"')).unwrap_or(written)
}

fn told(step: &TaskStep) -> String {
    let what = match &step.what {
        Work::Run(line) => shown_url(&line.symbolic()),
        Work::Call(invocation) => {
            let given = invocation.parameters.iter();
            let shown = |value: &str| Text::new(value.to_owned()).symbolic();
            let given = given.map(|(name, value)| format!(" {name}={}", shown(value)));
            format!("the task {}{}", invocation.name, given.collect::<String>())
        }
        Work::Later(later) => format!("at the end: {}", later.source()),
    };
    match &step.condition {
        Some(condition) => format!("{what} (if {})", condition.symbolic()),
        None => what,
    }
}
