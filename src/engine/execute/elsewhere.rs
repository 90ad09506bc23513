//! A build that runs on a worker: its source is sent there, its commands run there, and its binaries come into the
//! folder that they would be in had they been built here. What follows is the same: each is checked, stamped and installed.

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
};

use crate::{
    cache::make_folder,
    disk::Folder,
    model::{Event, Fault, Kind, path_to_text},
    plan::Action,
    probe::Finding,
    provenance::RunClass,
    reapi::{ExecutionResult, TreeEntry},
    remote::{RemoteCache, WorkerCommand, WorkerInput, WorkerOrder},
    workspace::{Build, Places, Source, Subsystem},
};

use super::{Context, build::build_dir};

/// Where binaries are put, below the worker's folder.
const OUT: &str = ".forge-out";
/// Where intermediate results are put there.
const WORK: &str = ".forge-work";

/// Who built it, if that was a worker.
pub(super) struct ByWorker {
    /// How far it may go.
    pub(super) class: RunClass,
    /// The cache that it may be of.
    pub(super) cache: Option<String>,
}

impl Context {
    /// Builds `finding` on a worker, if `action` says so, with the binaries in `places.out` then. Nothing if it has to
    /// be built here.
    pub(super) async fn build_elsewhere(
        &self,
        action: &Action,
        finding: &Finding,
        places: &Places,
    ) -> Result<Option<ByWorker>, Fault> {
        let id = &finding.want.id;
        let subsystem = self.workspaces.subsystem(id);
        let Some(remote) = self.remote.as_ref().filter(|_| action.is_elsewhere) else {
            return Ok(None);
        };
        let (Some(build), Ok(properties)) =
            (&subsystem.build, self.workspaces.any().worker_of_build(subsystem))
        else {
            return Ok(None);
        };
        let Some(order) = self.worker_order(finding, subsystem, build, places, properties) else {
            return Ok(None);
        };
        let within = |fault: Fault| match fault.kind {
            Kind::Interrupted => fault,
            _ => fault.within(format!("cannot build {id}")),
        };
        match self.on_worker(action, finding, &order, remote, &places.out).await {
            Err(fault) if fault.kind == Kind::Store && remote.falls_back() => {
                let line = format!("it is built here: {fault}");
                self.events.emit(Event::Line { action: action.id, line });
                Ok(None)
            }
            done => done.map(Some).map_err(within),
        }
    }

    async fn on_worker(
        &self,
        action: &Action,
        finding: &Finding,
        order: &WorkerOrder,
        remote: &RemoteCache,
        out: &Path,
    ) -> Result<ByWorker, Fault> {
        let mut is_anew = self.options.force;
        for _ in 0..=RemoteCache::tries_of_fetching() {
            let result = remote.run_on_worker(order, is_anew, &self.cancel).await?;
            self.tell_printed(action, finding, &result)?;
            if result.exit_code != 0 {
                return Err(failure(&result));
            }
            if fetched(finding, &result, remote, out).await? {
                return Ok(match remote.is_read() {
                    // It may have been known before, which is a claim of who may write there.
                    true => ByWorker { class: RunClass::Untrusted, cache: Some(remote.identity()) },
                    false => ByWorker { class: self.options.classes.own, cache: None },
                });
            }
            is_anew = true;
        }
        Err(Fault::new(Kind::Store, "what a worker built is gone before it is here")
            .hint("the server may have too little room"))
    }

    /// What the commands printed: to who watches, and into the log.
    fn tell_printed(
        &self,
        action: &Action,
        finding: &Finding,
        result: &ExecutionResult,
    ) -> Result<(), Fault> {
        for bytes in [&result.stdout, &result.stderr] {
            for line in String::from_utf8_lossy(bytes).lines() {
                self.events.emit(Event::Line { action: action.id, line: line.to_owned() });
            }
        }
        if result.stdout.is_empty() && result.stderr.is_empty() {
            return Ok(());
        }
        let log = self.log(&finding.want.id);
        make_folder(self.workspaces.layout(), &self.logs)?;
        let written = Folder::open(&self.logs).and_then(|folder| {
            let mut file = folder.append(&log)?;
            file.write_all(&result.stdout)?;
            file.write_all(&result.stderr)
        });
        written.map_err(|error| Fault::io(format!("cannot write {}", log.display()), &error))
    }

    /// What a worker is asked for; nothing if some of the source is not in the workspace.
    fn worker_order(
        &self,
        finding: &Finding,
        subsystem: &Subsystem,
        build: &Build,
        here: &Places,
        properties: BTreeMap<String, String>,
    ) -> Option<WorkerOrder> {
        let Source::Path { dir, .. } = &subsystem.source else { return None };
        let root = PathBuf::from(WorkerOrder::ROOT);
        let places = Places {
            src: root.join(dir),
            out: root.join(OUT),
            work: root.join(WORK),
            bin: root.join(".forge/bin"),
            root,
            commit: here.commit.clone(),
        };
        let layout = self.workspaces.layout();
        let mut inputs = BTreeMap::new();
        for (path, _) in &finding.want.tree.as_ref()?.inputs {
            if path.is_file() {
                let name = path_to_text(path.strip_prefix(layout.root()).ok()?);
                inputs.insert(name, WorkerInput::File(path.clone()));
            }
        }
        let below = |path: &Path| path.strip_prefix(WorkerOrder::ROOT).ok().map(path_to_text);
        let command =
            |line| WorkerCommand { shell: vec!["sh".into(), "-c".into()], line, may_fail: false };
        let env = build.env.iter().map(|(name, value)| (name.clone(), value.expand(&places)));
        Some(WorkerOrder {
            name: finding.want.id.to_string(),
            commands: build
                .steps
                .iter()
                .map(|step| command(step.expand_in_shell(&places)))
                .collect(),
            variables: env.collect(),
            dir: below(&build_dir(build, &places))?,
            folders: vec![OUT.to_owned(), WORK.to_owned()],
            inputs,
            outputs: finding.want.binaries.iter().map(|name| format!("{OUT}/{name}")).collect(),
            properties,
            timeout: Some(build.timeout),
        })
    }
}

/// Fetches the binaries of `finding` into `out`. Says whether all were still there; one that was not made is missed
/// as here.
async fn fetched(
    finding: &Finding,
    result: &ExecutionResult,
    remote: &RemoteCache,
    out: &Path,
) -> Result<bool, Fault> {
    let cannot = |error| Fault::io(format!("cannot write {}", out.display()), &error);
    let folder = Folder::open(out).map_err(cannot)?;
    for name in &finding.want.binaries {
        let path = format!("{OUT}/{name}");
        let Some(TreeEntry::File { digest, .. }) = result.outputs.get(&path) else { continue };
        let _ = folder.remove_file(name.as_ref());
        let mut file = folder.create_new(name.as_ref(), 0o755).map_err(cannot)?;
        if !remote.fetch_into(*digest, &mut file).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The fault of commands that failed on a worker, as it would be here.
fn failure(result: &ExecutionResult) -> Fault {
    let code = u8::try_from(result.exit_code).unwrap_or(1);
    let fault = Fault::new(Kind::Failed, format!("a command exited with code {code}"));
    match result.worker.is_empty() {
        true => fault.because("it ran on a worker"),
        false => fault.because(format!("it ran on the worker {}", result.worker)),
    }
}
