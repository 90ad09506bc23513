//! What a run tells GitHub Actions beyond its output: annotations, the step summary, outputs.

use std::{
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
};

use crate::{
    console::Console,
    model::{Fault, Problems, RunReport},
    report::{annotate_problems, annotate_run, step_summary},
};

use super::host::Host;

/// Where workflow commands and the step summary go; only within GitHub Actions.
pub(super) struct Actions {
    console: Console,
    summary: Option<PathBuf>,
    outputs: Option<PathBuf>,
    repository: Option<PathBuf>,
}

impl Actions {
    /// The runner that this process is a step of, if `GITHUB_ACTIONS` says there is one.
    pub(super) fn of(host: &Host) -> Option<Self> {
        let environment = host.environment();
        (environment.get("GITHUB_ACTIONS") == Some("true")).then(|| Self {
            console: host.console(),
            summary: environment.path("GITHUB_STEP_SUMMARY"),
            outputs: environment.path("GITHUB_OUTPUT"),
            repository: environment.path("GITHUB_WORKSPACE"),
        })
    }

    /// Annotates what failed in `report`, and adds a table to the step's summary.
    pub(super) fn tell(&self, report: &RunReport, done: &str) -> Result<(), Fault> {
        self.console.err_command(&annotate_run(report));
        self.add_summary(&step_summary(report, done))
    }

    /// Adds Markdown to the step's summary.
    pub(super) fn add_summary(&self, markdown: &str) -> Result<(), Fault> {
        append(self.summary.as_deref(), markdown, "the step summary")
    }

    /// Sets outputs of the step. Values must hold no line break.
    pub(super) fn set_outputs(&self, outputs: &[(&str, String)]) -> Result<(), Fault> {
        let lines: String =
            outputs.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        append(self.outputs.as_deref(), &lines, "the outputs of the step,")
    }

    /// Annotates the places of `problems` in the workspace at `root`.
    pub(super) fn tell_problems(&self, problems: &Problems, root: &Path) {
        let repository = self.repository.as_deref().unwrap_or(root);
        let workspace = root.strip_prefix(repository).unwrap_or(Path::new(""));
        self.console.err_command(&annotate_problems(problems, workspace));
    }
}

/// Adds `text` to a file of the runner's, if it named one.
fn append(path: Option<&Path>, text: &str, what: &str) -> Result<(), Fault> {
    let Some(path) = path else { return Ok(()) };
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|e| Fault::io(format!("cannot write {what} {}", path.display()), &e))
}
