//! What a run would do and why, found without running anything and without writing anything.

use crate::{
    model::Fault,
    workspace::{Names, Places, Renderer, Variable, Workspace},
};

use super::{
    command::Ground,
    perform::{look, needed},
    plan::{Invocation, Plan},
    record::Record,
    steps::{Rendering, Step, Work, is_here},
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
    let renderer = Renderer::default();
    // The needs of what is called are no part of this: whether it is called is not known yet.
    let plan = Plan::of(&names, &renderer, wanted)?;
    let looker = Looker { workspace, names: &names, renderer: &renderer, force };
    plan.nodes.iter().map(|(invocation, _)| looker.preview(invocation)).collect()
}

struct Looker<'a> {
    workspace: &'a Workspace,
    names: &'a Names<'a>,
    renderer: &'a Renderer,
    force: bool,
}

impl<'a> Looker<'a> {
    fn preview(&self, invocation: &Invocation<'a>) -> Result<Preview, Fault> {
        let task = invocation.task;
        let mut bindings = invocation.bindings();
        let mut has_sh = false;
        for (name, variable) in needed(task) {
            let text = |template, bindings: &_| {
                Ok(self.renderer.render(task, template, bindings)?.expand(&Places::default()))
            };
            match variable {
                Variable::Text(template) => {
                    let text = text(template, &bindings)?;
                    bindings.text(name, text);
                }
                Variable::List(items) => {
                    let items = items.iter().map(|item| text(item, &bindings));
                    let items = items.collect::<Result<_, Fault>>()?;
                    bindings.list(name, items);
                }
                Variable::Sh(line) => {
                    has_sh = true;
                    bindings.text(name, format!("$({})", line.source()));
                }
            }
        }
        let rendering =
            Rendering { names: self.names, renderer: self.renderer, task, bindings: &bindings };
        let mut ground = Ground::bare(self.workspace, &rendering)?;
        let steps = rendering.run()?;
        let (runs, why) = match is_here(&task.only) {
            false => (false, "it does not run on this platform".to_owned()),
            true => {
                ground.furnish(&rendering)?;
                self.why(invocation, &rendering, &ground, &steps, has_sh)?
            }
        };
        let commands = steps.iter().chain(&rendering.finally()?).map(told).collect();
        Ok(Preview { name: task.name.clone(), runs, why, commands })
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

fn told(step: &Step) -> String {
    let what = match &step.what {
        Work::Run(line) => line.symbolic(),
        Work::Call(invocation) => {
            let given = invocation.parameters.iter();
            let given: String = given.map(|(name, value)| format!(" {name}={value}")).collect();
            format!("the task {}{given}", invocation.task.name)
        }
    };
    match &step.condition {
        Some(condition) => format!("{what} (if {})", condition.symbolic()),
        None => what,
    }
}
