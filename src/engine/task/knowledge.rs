//! What is known of a task without running anything: what a command would print stands as `$(…)`,
//! a secret as its symbol.

use futures_util::FutureExt;

use crate::model::{Fault, Kind};

use super::{
    command::Ground,
    context::TaskContext,
    evaluation::Evaluation,
    files::Marks,
    key::inputs_word,
    plan::Invocation,
    variables::{Learned, fixed, learn},
};

/// What is known of one run of a task.
pub struct TaskKnowledge<'w> {
    /// Where it runs; not furnished yet.
    pub ground: Ground,
    /// What its words mean.
    pub learned: Learned,
    /// How that was found out.
    pub evaluation: Evaluation<'w, 'w>,
}

impl<'w> TaskKnowledge<'w> {
    /// What is known of `invocation`.
    ///
    /// # Errors
    /// If something in it cannot be rendered.
    pub fn for_invocation(
        context: &TaskContext<'w>,
        invocation: &Invocation<'w>,
    ) -> Result<Self, Fault> {
        let task = invocation.task;
        let bindings = fixed(&context.renderer, invocation)?;
        let ground = Ground::bare(context.workspace, &context.rendering(task, &bindings))?;
        let evaluation = Evaluation::dry(context, task, &ground.dir);
        let mut learned = at_once(learn(&context.renderer, invocation, &evaluation))?;
        let rendering = context.rendering(task, &learned.words);
        let more = inputs_word(&rendering, &context.workspace.layout, &ground, Marks::new)?;
        learned.words.extend(more);
        Ok(Self { ground, learned, evaluation })
    }
}

/// What comes of work that waits for nothing.
pub fn at_once<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let waits = || Fault::new(Kind::Failed, "looking at a task waits for something");
    work.now_or_never().unwrap_or_else(|| Err(waits()))
}
