//! Starts the processes of jobs: this very program, with the words that a person would type.

use std::path::{Path, PathBuf};

use crate::{
    model::Fault,
    process::{Command, CommandLine, ProcessId, start_detached, this_program},
    serve::{JobKind, JobProcess, JobRequest, JobStarter, ServedJob},
    service::detached_mark,
};

use super::super::{deploy::REQUESTED, host::Host, session::Session};

/// The variables of a server that are no business of its jobs.
const WITHHELD: &str = "FORGE_SERVE_";

/// Starts jobs of the workspace at `root`.
pub(super) struct ProcessStarter {
    host: Host,
    root: PathBuf,
    is_offline: bool,
}

impl ProcessStarter {
    /// What starts jobs as `session` would run them.
    pub(super) fn new(session: &Session, root: &Path) -> Self {
        let is_offline = session.flags.offline;
        Self { host: session.host.clone(), root: root.to_owned(), is_offline }
    }

    fn words(&self, request: &JobRequest) -> Vec<String> {
        let mut words = vec![format!("--directory={}", self.root.display()), "--json".to_owned()];
        let mut add = |flag: &str, value: &str| {
            if !value.is_empty() {
                words.push(format!("--{flag}={value}"));
            }
        };
        match request.kind {
            JobKind::Deploy | JobKind::Preview => {
                add("version", &request.version);
                add("from", &request.from);
                add("target", &request.target);
                let timeout = request.timeout.map(|it| format!("{it}ms"));
                add("timeout", timeout.as_deref().unwrap_or_default());
            }
            JobKind::Rollback => add("to", &request.version),
            JobKind::Drift | JobKind::Sweep => {}
        }
        let verb: &[&str] = match request.kind {
            JobKind::Deploy => &["deploy"],
            JobKind::Preview => &["deploy", "--dry-run"],
            JobKind::Rollback => &["rollback"],
            JobKind::Drift => &["drift"],
            JobKind::Sweep => &["preview:sweep"],
        };
        words.splice(0..0, verb.iter().map(|word| (*word).to_owned()));
        words.extend(request.force.then(|| "--force".to_owned()));
        words.extend(self.is_offline.then(|| "--offline".to_owned()));
        if request.kind == JobKind::Sweep {
            return words;
        }
        // What follows is nothing that could be taken for a flag.
        words.extend(["--".to_owned(), request.environment.clone()]);
        words.extend(Some(request.name.clone()).filter(|name| !name.is_empty()));
        words
    }
}

impl JobStarter for ProcessStarter {
    fn start(&self, job: &ServedJob, process: JobProcess<'_>) -> Result<ProcessId, Fault> {
        let mut words = vec![
            this_program().display().to_string(),
            "serve:job".to_owned(),
            process.folder.display().to_string(),
        ];
        words.extend(self.words(job.request()));
        let mut command = Command::new(CommandLine::Argv(words), &self.root);
        let run =
            format!("forge serve, deployment {}, asked for by {}", job.id, job.asked.requested_by);
        command.env.insert(REQUESTED.into(), run);
        let mark = detached_mark(self.host.seal_key(), &format!("job{}", job.id));
        let outputs = (process.document, process.log);
        start_detached(self.host.environment(), &command, &mark, WITHHELD, outputs)
    }
}
