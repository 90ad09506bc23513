//! What a run would do and why, found without running anything and without writing anything.

use std::{
    future::ready,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use futures_util::FutureExt;

use crate::{
    model::Fault,
    process::Pending,
    workspace::{Names, Renderer, Task, Text, Workspace},
};

use super::{
    command::Ground,
    files,
    perform::look,
    plan::{Invocation, Plan},
    record::Record,
    steps::{Rendering, Step, Work, is_here},
    variables::{Witness, fixed, learn},
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

/// What would become of `wanted` and of all it needs, in the order of a run.
///
/// # Errors
/// If something in it cannot be rendered.
pub fn preview(
    workspace: &Workspace,
    wanted: Invocation,
    force: bool,
) -> Result<Vec<Preview>, Fault> {
    let names = Names::new(workspace.tasks.values(), workspace.subsystems.keys());
    let renderer = Renderer::new(workspace);
    // The needs of what is called are no part of this: whether it is called is not known yet.
    let plan = Plan::of(&names, &renderer, wanted)?;
    let looker = Looker { workspace, names: &names, renderer: &renderer, force };
    plan.nodes.iter().map(|(invocation, _)| looker.preview(invocation)).collect()
}

struct Looker<'a> {
    workspace: &'a Workspace,
    names: &'a Names<'a>,
    renderer: &'a Renderer<'a>,
    force: bool,
}

impl<'a> Looker<'a> {
    fn preview(&self, invocation: &Invocation<'a>) -> Result<Preview, Fault> {
        let task = invocation.task;
        let rendering =
            |bindings| Rendering { names: self.names, renderer: self.renderer, task, bindings };
        let bindings = fixed(self.renderer, invocation)?;
        let mut ground = Ground::bare(self.workspace, &rendering(&bindings))?;
        let reader = Reader { dir: ground.dir.clone(), task, has_sh: AtomicBool::new(false) };
        let learned = at_once(learn(self.renderer, invocation, &reader))?;
        let rendering = rendering(&learned.words);
        let steps = at_once(rendering.run(&reader))?;
        let last = at_once(rendering.finally(&reader))?;
        let has_sh = reader.has_sh.load(Ordering::Relaxed);
        let (runs, why) = match is_here(&task.only) {
            false => (false, "it does not run on this platform".to_owned()),
            true => {
                ground.furnish(&rendering, &learned.of_file)?;
                self.why(invocation, &rendering, &ground, &steps, has_sh)?
            }
        };
        let commands = steps.iter().chain(&last).map(told).collect();
        Ok(Preview { name: invocation.name.clone(), runs, why, commands })
    }

    fn why(
        &self,
        invocation: &Invocation,
        rendering: &Rendering,
        ground: &Ground,
        steps: &[Step],
        has_sh: bool,
    ) -> Result<(bool, String), Fault> {
        let task = invocation.task;
        let now = look(self.workspace, self.names, invocation, rendering, ground, steps)?;
        if self.force {
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
        let Some(record) = Record::read(&self.workspace.layout, invocation) else {
            return Ok((true, "no run of it that went well is recorded here".into()));
        };
        if has_sh {
            now.fields.clone_from(&record.fields);
        }
        Ok(match record.difference(&now) {
            Some(why) => (true, why),
            None if has_sh => (true, "unless what `{sh: …}` gives is the same as last time".into()),
            None if !task.status.is_empty() => (true, status.into()),
            None => (false, "nothing changed since it last ran".into()),
        })
    }
}

/// Who looks at files and runs nothing.
struct Reader<'t> {
    dir: PathBuf,
    task: &'t Task,
    /// Whether something was to be run.
    has_sh: AtomicBool,
}

impl Witness for Reader<'_> {
    fn printed<'a>(
        &'a self,
        line: &'a Text,
        _: Option<&'a Path>,
    ) -> Pending<'a, Result<String, Fault>> {
        self.has_sh.store(true, Ordering::Relaxed);
        Box::pin(ready(Ok(format!("$({})", line.symbolic()))))
    }

    fn files(&self, patterns: &[String]) -> Result<Vec<String>, Fault> {
        files::names(&self.dir, patterns, self.task.gitignore)
    }
}

/// What comes of work that waits for nothing.
fn at_once<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let waits = || Fault::new(crate::model::Kind::Failed, "looking at a task waits for something");
    work.now_or_never().unwrap_or_else(|| Err(waits()))
}

fn told(step: &Step) -> String {
    let what = match &step.what {
        Work::Run(line) => line.symbolic(),
        Work::Call(invocation) => {
            let given = invocation.parameters.iter();
            let given: String = given.map(|(name, value)| format!(" {name}={value}")).collect();
            format!("the task {}{given}", invocation.name)
        }
    };
    match &step.condition {
        Some(condition) => format!("{what} (if {})", condition.symbolic()),
        None => what,
    }
}
