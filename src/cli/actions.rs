//! What a run tells GitHub Actions beyond its output: annotations, the step summary, outputs.

use std::{
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
};

use crate::{
    console::Console,
    model::{Fault, Layout, Name, Problems, RunReport},
    process::tail,
    report::{
        CodePlace, annotate_places, annotate_problems, annotate_run, code_places, log_details,
        step_summary,
    },
};

use super::{host::Host, named_source::Sources};

/// How many of the last lines of what failed go into the step's summary.
const LAST_LINES: usize = 20;

/// Where workflow commands and the step summary go; only within GitHub Actions.
pub(super) struct Actions {
    console: Console,
    summary: Option<PathBuf>,
    outputs: Option<PathBuf>,
    repository: Option<PathBuf>,
}

impl Actions {
    /// The runner that this process is a step of, if `GITHUB_ACTIONS` says there is one.
    pub(super) fn from_host(host: &Host) -> Option<Self> {
        let environment = host.environment();
        (environment.get("GITHUB_ACTIONS") == Some("true")).then(|| Self {
            console: host.console(),
            summary: environment.path("GITHUB_STEP_SUMMARY"),
            outputs: environment.path("GITHUB_OUTPUT"),
            repository: environment.path("GITHUB_WORKSPACE"),
        })
    }

    /// Annotates what failed in `report`, and adds a table to the step's summary, and the ends of logs.
    /// `source` knows the folder with a subsystem's source.
    pub(super) fn annotate(
        &self,
        report: &RunReport,
        done: &str,
        layout: &Layout,
        source: &dyn Fn(&Name) -> Option<PathBuf>,
    ) -> Result<(), Fault> {
        self.console.err_command(&annotate_run(report));
        self.add_summary(&step_summary(report, done))?;
        for artifact in report.artifacts.iter().filter(|one| one.fault.is_some()) {
            let Some(log) = &artifact.log else { continue };
            let who = format!("{} {}", artifact.id, artifact.version);
            let lines = tail(log, usize::MAX);
            let printed =
                FailedOutput { who, lines, log: Some(log), source: source(&artifact.id.name) };
            self.tell_output(&printed, layout)?;
        }
        Ok(())
    }

    /// Annotates the places in the repository's code that the output of something names that failed,
    /// and adds its end to the step's summary.
    pub(super) fn tell_output(
        &self,
        printed: &FailedOutput<'_>,
        layout: &Layout,
    ) -> Result<(), Fault> {
        let FailedOutput { who, lines, log, source } = printed;
        let repository = self.repository.as_deref().unwrap_or(layout.root());
        let sources = Sources { repository, workspace: layout.root(), source: source.as_deref() };
        let found = code_places(lines.iter().map(String::as_str)).into_iter();
        let known = found.filter_map(|place| {
            let file = sources.find(&place.file)?;
            Some(CodePlace { file, ..place })
        });
        self.console.err_command(&annotate_places(who, &known.collect::<Vec<_>>()));
        let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
        let log = log.map(|log| layout.display(log));
        self.add_summary(&log_details(who, last, log.as_deref()))
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

/// What something printed that failed.
pub(super) struct FailedOutput<'a> {
    /// What failed.
    pub(super) who: String,
    /// What it printed.
    pub(super) lines: Vec<String>,
    /// Where all of it is, if it is kept.
    pub(super) log: Option<&'a Path>,
    /// The folder with its source, if it has one in the workspace.
    pub(super) source: Option<PathBuf>,
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
