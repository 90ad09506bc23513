//! Whether a task may begin, and whether there is anything to do.

use crate::{
    model::{Fault, Kind},
    workspace::Text,
};

use super::{
    frame::RunScope,
    perform::{PreparedTask, TaskRun},
};

impl<'w> TaskRun<'_, 'w> {
    /// Whether it may begin: each of `assert` holds.
    pub(super) async fn check(
        &self,
        scene: &PreparedTask<'_, 'w>,
        frame: &RunScope<'_>,
    ) -> Result<(), Fault> {
        for (line, message) in &self.invocation.task.assert {
            let line = scene.rendering.text(line)?;
            if !self.holds(scene, &line, frame).await? {
                let name = &self.invocation.task.name;
                let fault = Fault::new(Kind::Failed, format!("task {name} cannot begin"));
                return Err(match message {
                    Some(message) => {
                        fault.because(scene.rendering.text(message)?.expand(&scene.ground.places))
                    }
                    None => fault.because(format!("`{}` does not hold", line.symbolic())),
                });
            }
        }
        Ok(())
    }

    /// Whether `line` is `true`, or a command that succeeds.
    pub(super) async fn holds(
        &self,
        scene: &PreparedTask<'_, 'w>,
        line: &Text,
        frame: &RunScope<'_>,
    ) -> Result<bool, Fault> {
        match line.symbolic().trim() {
            "true" | "True" => return Ok(true),
            "false" | "False" | "" => return Ok(false),
            // In a folder that is not there no command succeeds.
            _ if scene.ground.lacks_dir() => return Ok(false),
            _ => {}
        }
        let command = scene.ground.command(&self.engine.context.vault.keyring(), line)?;
        match frame.run(command, &mut |_| ()).await {
            Ok(()) => Ok(true),
            Err(fault)
                if fault.kind == Kind::Failed && fault.code.is_some_and(|code| code != 127) =>
            {
                Ok(false)
            }
            Err(fault) => Err(fault),
        }
    }
}
