//! What a run tells GitHub Actions beyond its output: annotations and the step summary.

use std::{
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
};

use crate::{
    model::{Fault, Problems, RunReport},
    report::{annotate_problems, annotate_run, step_summary},
};

/// Where workflow commands and the step summary go; only within GitHub Actions.
pub(super) struct Actions {
    summary: Option<PathBuf>,
    repository: Option<PathBuf>,
}

impl Actions {
    /// The runner that this process is a step of, if `GITHUB_ACTIONS` says there is one.
    pub(super) fn of_process() -> Option<Self> {
        let path = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        (std::env::var("GITHUB_ACTIONS").as_deref() == Ok("true")).then(|| Self {
            summary: path("GITHUB_STEP_SUMMARY"),
            repository: path("GITHUB_WORKSPACE"),
        })
    }

    /// Annotates what failed in `report`, and adds a table to the step's summary.
    pub(super) fn tell(&self, report: &RunReport, done: &str) -> Result<(), Fault> {
        eprint!("{}", annotate_run(report));
        let Some(path) = &self.summary else { return Ok(()) };
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .and_then(|mut file| file.write_all(step_summary(report, done).as_bytes()))
            .map_err(|e| Fault::io(format!("cannot write the step summary {}", path.display()), &e))
    }

    /// Annotates the places of `problems` in the workspace at `root`.
    pub(super) fn tell_problems(&self, problems: &Problems, root: &Path) {
        let repository = self.repository.as_deref().unwrap_or(root);
        let workspace = root.strip_prefix(repository).unwrap_or(Path::new(""));
        eprint!("{}", annotate_problems(problems, workspace));
    }
}
