//! How the pipeline speaks. On a terminal it is standard output, as for every verb. In GitHub
//! Actions all goes to standard error, where the progress of runs goes too: the runner keeps no
//! order between the two, and groups need one. There, nothing that is said is obeyed but the
//! commands of forge's own.

use crate::{
    ci::Stage,
    console::Console,
    model::{Fault, Layout, RunReport},
    report::{CLOSE_GROUP, Role, Style, annotate_fault, open_group, render_fault},
};

use super::super::{
    actions::{Actions, FailedOutput},
    session::{Session, say},
};

/// Where the pipeline speaks, and how.
pub(super) struct Voice {
    console: Console,
    actions: Option<Actions>,
    /// Whether standard output is kept for something else.
    to_stderr: bool,
    quiet: bool,
    style: Style,
}

impl Voice {
    /// The voice of this process.
    pub(super) fn for_session(session: &Session) -> Self {
        let actions = Actions::from_host(&session.host);
        let to_stderr = actions.is_some() || session.flags.json;
        let style = if to_stderr { session.stderr_style() } else { session.stdout_style() };
        let (console, quiet) = (session.console(), session.flags.quiet);
        Self { console, actions, to_stderr, quiet, style }
    }

    /// How what it says is dressed.
    pub(super) fn style(&self) -> Style {
        self.style
    }

    /// The runner, if there is one.
    pub(super) fn actions(&self) -> Option<&Actions> {
        self.actions.as_ref()
    }

    /// Says something; whole lines.
    pub(super) fn say(&self, text: &str) -> Result<(), Fault> {
        match self.to_stderr {
            true => {
                self.console.err(text);
                Ok(())
            }
            false => say(self.console, text),
        }
    }

    /// Says something that `-q` keeps to itself.
    pub(super) fn note(&self, text: &str) -> Result<(), Fault> {
        if self.quiet { Ok(()) } else { self.say(text) }
    }

    /// A stage begins.
    pub(super) fn open(&self, stage: Stage) -> Result<(), Fault> {
        match &self.actions {
            Some(_) => self.command(&open_group(stage.name())),
            None => self.note(&format!("{}\n", self.style.paint(Role::Name, stage.name()))),
        }
    }

    /// A stage ended.
    pub(super) fn close(&self) -> Result<(), Fault> {
        match &self.actions {
            Some(_) => self.command(CLOSE_GROUP),
            None => self.note("\n"),
        }
    }

    /// Tells why something failed, and annotates the run with it.
    pub(super) fn fault(&self, fault: &Fault) -> Result<(), Fault> {
        self.say(&render_fault(fault, self.style))?;
        self.annotate(fault)
    }

    /// Annotates the run with a failure.
    fn annotate(&self, fault: &Fault) -> Result<(), Fault> {
        match &self.actions {
            Some(_) => self.command(&annotate_fault(fault)),
            None => Ok(()),
        }
    }

    /// Annotates what failed in `report`, and adds it to the step's summary.
    pub(super) fn annotate_run(
        &self,
        report: &RunReport,
        done: &str,
        session: &Session,
        layout: &Layout,
    ) -> Result<(), Fault> {
        let Some(actions) = &self.actions else { return Ok(()) };
        actions.annotate(report, done, layout, &|name| session.source_folder(name))
    }

    /// Annotates the places in code that the output of something names that failed.
    pub(super) fn tell_output(
        &self,
        printed: &FailedOutput<'_>,
        layout: &Layout,
    ) -> Result<(), Fault> {
        self.actions.as_ref().map_or(Ok(()), |actions| actions.tell_output(printed, layout))
    }

    /// Says something to the runner itself.
    #[allow(clippy::unnecessary_wraps, reason = "an arm beside what can fail")]
    fn command(&self, text: &str) -> Result<(), Fault> {
        self.console.err_command(text);
        Ok(())
    }
}
