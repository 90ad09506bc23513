//! A build that runs on a worker: its source is sent there, with what it is built with and what it would fetch; its
//! commands run there, and its binaries come into the folder that they would be in had they been built here. What
//! follows is the same: each is checked, stamped and installed.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::{
    cache::make_folder,
    disk::Folder,
    model::{BinaryName, Event, Fault, Kind, path_to_text},
    plan::Action,
    probe::Finding,
    provenance::RunClass,
    reapi::{BlobDigest, ExecutionResult, TreeEntry},
    remote::{NamedFiles, RemoteCache, WorkerCommand, WorkerInput, WorkerOrder},
    workspace::{Build, Places, Source},
};

use super::{Context, build::build_dir, dependencies::KEPT};

/// Where binaries are put, below the worker's folder.
const OUT: &str = ".forge-out";
/// Where intermediate results are put there.
const WORK: &str = ".forge-work";
/// Where the programs are put there that it is built with, each subsystem's in a folder.
const TOOLS: &str = ".forge-tools";

/// Who built it, if that was a worker.
pub(super) struct ByWorker {
    /// How far it may go.
    pub(super) class: RunClass,
    /// The cache that it may be of.
    pub(super) cache: Option<String>,
    /// What the worker is.
    pub(super) properties: String,
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
        let within = |fault: Fault| match fault.kind {
            Kind::Interrupted => fault,
            _ => fault.within(format!("cannot build {id}")),
        };
        let order = self.worker_order(action, finding, build, places).await.map_err(within)?;
        let order = WorkerOrder { properties, ..order };
        let done = self.on_worker(action, finding, &order, remote, &places.out).await;
        // It is no binary.
        let _ = fs::remove_dir_all(places.out.join(KEPT));
        match done {
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
        let tell = |line: &str, _: bool| {
            self.events.emit(Event::Line { action: action.id, line: line.to_owned() });
        };
        for _ in 0..=RemoteCache::tries_of_fetching() {
            let result = remote.run_on_worker(order, is_anew, &tell, &self.cancel).await?;
            self.log_printed(finding, &result)?;
            for bytes in result.untold() {
                String::from_utf8_lossy(bytes).lines().for_each(|line| tell(line, false));
            }
            if result.exit_code != 0 {
                return Err(failure(&result));
            }
            if fetched(finding, &result, remote, out).await? {
                let property = |(name, value): (&String, &String)| format!("{name}={value}");
                let properties: Vec<_> = order.properties.iter().map(property).collect();
                let properties = properties.join(" ");
                return Ok(match remote.is_read() {
                    // It may have been known before, which is a claim of who may write there.
                    true => ByWorker {
                        class: RunClass::Untrusted,
                        cache: Some(remote.identity()),
                        properties,
                    },
                    false => ByWorker { class: self.options.classes.own, cache: None, properties },
                });
            }
            is_anew = true;
        }
        Err(Fault::new(Kind::Store, "what a worker built is gone before it is here")
            .hint("the server may have too little room"))
    }

    /// What the commands printed, into the log.
    fn log_printed(&self, finding: &Finding, result: &ExecutionResult) -> Result<(), Fault> {
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

    /// What a worker is asked for.
    async fn worker_order(
        &self,
        action: &Action,
        finding: &Finding,
        build: &Build,
        here: &Places,
    ) -> Result<WorkerOrder, Fault> {
        let id = &finding.want.id;
        let subsystem = self.workspaces.subsystem(id);
        let (root, there) = (self.workspaces.layout().root(), PathBuf::from(WorkerOrder::ROOT));
        let places = Places {
            src: there.join(here.src.strip_prefix(root).unwrap_or(Path::new("src"))),
            out: there.join(OUT),
            work: there.join(WORK),
            bin: there.join(".forge/bin"),
            root: there,
            commit: here.commit.clone(),
        };
        let mut inputs = self.workspace_files(finding);
        if !matches!(subsystem.source, Source::Path { .. }) {
            add_tree(&mut inputs, &here.src, &below(&places.src))?;
        }
        let sent = self.sent_dependencies(action, id, build, here, &inputs).await?;
        let mut variables = sent.variables;
        for (name, value) in &build.env {
            let value = value.expand(&places);
            // Where dependencies are is not for the spec to say: there they come with the source.
            variables.entry(name.clone()).or_insert(value);
        }
        inputs.extend(sent.inputs);
        let mut path = Vec::new();
        for tool in self.workspaces.build_needs(id) {
            let folder = format!("{TOOLS}/{}", tool.file_name());
            let installed = self.workspaces.layout().installed_artifact(&tool);
            add_tree(&mut inputs, &installed, &folder)?;
            path.push(folder);
        }
        let command =
            |line| WorkerCommand { shell: vec!["sh".into(), "-c".into()], line, may_fail: false };
        Ok(WorkerOrder {
            name: id.to_string(),
            commands: build
                .steps
                .iter()
                .map(|step| command(step.expand_in_shell(&places)))
                .collect(),
            variables,
            path,
            tools: build.tools.keys().cloned().collect(),
            dir: below(&build_dir(build, &places)),
            folders: vec![OUT.to_owned(), WORK.to_owned()],
            inputs,
            outputs: finding.want.binaries.iter().map(|name| format!("{OUT}/{name}")).collect(),
            timeout: Some(build.timeout),
            ..WorkerOrder::default()
        })
    }

    /// The files of the workspace that go in.
    fn workspace_files(&self, finding: &Finding) -> BTreeMap<String, WorkerInput> {
        let root = self.workspaces.layout().root();
        let files = finding.want.tree.iter().flat_map(|tree| &tree.inputs);
        let files = files.map(|(path, _)| path).filter(|path| path.is_file());
        let named = files.filter_map(|path| {
            let name = path_to_text(path.strip_prefix(root).ok()?);
            Some((name, WorkerInput::File(path.clone())))
        });
        named.collect()
    }
}

/// The path of `place` below the worker's folder.
fn below(place: &Path) -> String {
    path_to_text(place.strip_prefix(WorkerOrder::ROOT).unwrap_or(place))
}

/// Adds all that is in `folder`, but for what git keeps there for itself, to `inputs` below `name`.
pub(super) fn add_tree(
    inputs: &mut BTreeMap<String, WorkerInput>,
    folder: &Path,
    name: &str,
) -> Result<(), Fault> {
    add_entries(inputs, folder, name)
        .map_err(|error| Fault::io(format!("cannot read {}", folder.display()), &error))
}

fn add_entries(
    inputs: &mut BTreeMap<String, WorkerInput>,
    folder: &Path,
    name: &str,
) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.retain(|entry| entry.file_name() != ".git");
    if entries.is_empty() {
        inputs.insert(name.to_owned(), WorkerInput::EmptyFolder);
    }
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type()?);
        let name = format!("{name}/{}", path_to_text(Path::new(&entry.file_name())));
        if kind.is_dir() {
            add_entries(inputs, &path, &name)?;
        } else if kind.is_symlink() {
            let target = path_to_text(&fs::read_link(&path)?);
            inputs.insert(name, WorkerInput::Link(target));
        } else if kind.is_file() {
            inputs.insert(name, WorkerInput::File(path));
        }
    }
    Ok(())
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
    let mut names: BTreeMap<BlobDigest, Vec<&BinaryName>> = BTreeMap::new();
    for name in &finding.want.binaries {
        let path = format!("{OUT}/{name}");
        let Some(TreeEntry::File { digest, .. }) = result.outputs.get(&path) else { continue };
        let _ = folder.remove_file(name.as_ref());
        names.entry(*digest).or_default().push(name);
    }
    let files = NamedFiles { folder: &folder, names };
    remote.fetch_into(files.digests(), &files).await
}

/// The fault of commands that failed on a worker, as it would be here.
fn failure(result: &ExecutionResult) -> Fault {
    let code = u8::try_from(result.exit_code).unwrap_or(1);
    let fault = WorkerOrder::missing_tool(&result.stderr)
        .unwrap_or_else(|| Fault::new(Kind::Failed, format!("a command exited with code {code}")));
    match result.worker.is_empty() {
        true => fault.because("it ran on a worker"),
        false => fault.because(format!("it ran on the worker {}", result.worker)),
    }
}
