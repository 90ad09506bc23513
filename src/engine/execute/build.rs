//! Building: source, commands, check, stamp, install.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use tokio::sync::OwnedMutexGuard;

use crate::{
    cache::{InstallPlace, Installed, inspect, make_folder},
    disk::Staging,
    model::{
        ActionId, ArtifactId, BinaryName, Event, Fault, FileStat, How, Kind, Layout, Platform,
    },
    plan::Action,
    probe::{Finding, Own, walk_sources},
    process::{Command, CommandLine, Inherit},
    provenance::RunClass,
    report::human_time,
    workspace::{Build, Index, Places, Source, Subsystem, Text},
};

use super::{
    Context, Done, LockChange,
    adopt::{new_stamp, prove_binaries},
    built::keep_only,
    context::blocking,
    elsewhere::ByWorker,
    source::SourceTree,
};

impl Context {
    /// Builds one artifact from source.
    pub(super) async fn build(&self, action: &Action, finding: &Finding) -> Result<Done, Fault> {
        let want = &finding.want;
        let subsystem = self.workspaces.subsystem(&want.id);
        let (Some(build), Some(print)) = (&subsystem.build, &want.build) else {
            return Err(Fault::new(Kind::Usage, format!("{} cannot be built", want.id))
                .because("its spec has no `build:`"));
        };
        if !action.is_elsewhere {
            self.require_tools(&want.id, build).await?;
            self.require_platform(&want.id, build).await?;
        }
        let _turn = self.turn(&want.id).await;
        let (started, begun) = (Instant::now(), jiff::Timestamp::now());
        let tools = match action.is_elsewhere {
            true => BTreeMap::new(),
            false => self.tool_versions(&want.id, build).await,
        };
        let source = self.source(action, subsystem, want).await?;
        let staging = self.staging()?;
        let places = self.places(&want.id, &source, staging.path());
        let layout = self.workspaces.layout();
        make_work_folder(layout, build, &places)?;
        make_folder(layout, &self.logs)?;
        self.phase(action, "building");
        let elsewhere = self.build_elsewhere(action, finding, &places).await?;
        let _seat = match (&elsewhere, action.is_elsewhere) {
            (None, true) => {
                self.require_tools(&want.id, build).await?;
                self.require_platform(&want.id, build).await?;
                self.seats.acquire().await.ok()
            }
            _ => None,
        };
        if elsewhere.is_none() {
            self.run_steps(action.id, subsystem, &want.id, build, &places).await?;
        }
        self.phase(action, "checking");
        keep_only(staging.path(), &want.binaries).map_err(|fault| self.with_log(fault, finding))?;
        self.source_is_unchanged(finding, subsystem)?;
        let binaries = {
            let (id, names) = (want.id.clone(), want.binaries.clone());
            let folder = staging.path().to_owned();
            if is_small(&folder, &names) {
                prove_binaries(&id, &folder, &names)
            } else {
                blocking(move || prove_binaries(&id, &folder, &names)).await
            }
        }
        .map_err(|fault| for_another_platform(fault, &want.id))?;
        let stamp = new_stamp(want, print, source.commit.clone(), binaries);
        let sandbox = match elsewhere {
            Some(_) => "worker",
            None if self.sandbox_of(build).is_some() => "landlock",
            None => "none",
        };
        let mut made = self.made(begun, tools, Some(sandbox));
        made.worker = elsewhere.as_ref().map(|by| by.properties.clone());
        let mut record = self.new_record(stamp, Some(made), finding.taken.clone());
        record.class = record.class.min(self.class_of_tools(&want.id));
        if let Some(ByWorker { class, cache, .. }) = &elsewhere {
            record.class = record.class.min(*class);
            record.remote.clone_from(cache);
        }
        record.build_seconds = Some(started.elapsed().as_secs_f64());
        let (record, mut warnings) = self.adopt(want, &staging, record, print.cache_key)?;
        // What was to be built by a worker has a key with the worker's properties.
        let is_as_planned = elsewhere.is_some() == action.is_elsewhere;
        if let Some(remote) = self.remote.as_ref().filter(|_| is_as_planned) {
            remote.keep(want, &record, &layout.installed_artifact(&want.id));
        }
        warnings.extend(source.warnings);
        let lock = source.commit.map(|commit| LockChange {
            commit: Some(commit),
            ..LockChange::nothing_of(&want.id.name, subsystem.version.as_str())
        });
        Ok(Done { warnings, lock, ..Done::new(How::Built, record) })
    }

    /// Builds of one folder of the workspace for several platforms go one after the other: what
    /// one leaves there is in the way of the next. Other sources are there once per platform.
    async fn turn(&self, id: &ArtifactId) -> Option<OwnedMutexGuard<()>> {
        if !matches!(self.workspaces.subsystem(id).source, Source::Path { .. }) {
            return None;
        }
        let turn = self.turns.turn_of(&id.name);
        Some(turn.lock_owned().await)
    }

    fn places(&self, id: &ArtifactId, source: &SourceTree, out: &Path) -> Places {
        let layout = self.workspaces.layout();
        Places {
            root: layout.root().to_owned(),
            src: source.folder.clone(),
            out: out.to_owned(),
            work: layout.work(id),
            bin: layout.bin(),
            commit: source.commit.clone().unwrap_or_default(),
        }
    }

    async fn run_steps(
        &self,
        action: ActionId,
        subsystem: &Subsystem,
        id: &ArtifactId,
        build: &Build,
        places: &Places,
    ) -> Result<(), Fault> {
        let deadline = Instant::now() + build.timeout;
        let staging = self.sandbox_of(build).map(|_| self.temporary_folder()).transpose()?;
        let temporary = staging.as_ref().map(Staging::path);
        let dir = build_dir(build, places);
        let sandbox =
            temporary.and_then(|folder| self.sandbox(subsystem, build, places, &dir, folder));
        for step in &build.steps {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut command = self.command(id, build, step, places, left);
            command.sandbox.clone_from(&sandbox);
            if let Some(folder) = temporary {
                let folder = folder.display().to_string();
                command.env.entry("TMPDIR".into()).or_insert(folder);
            }
            let mut pass_on = |line: &str| {
                self.events.emit(Event::Line { action, line: line.to_owned() });
            };
            self.runner.run(&command, &mut pass_on).await.map_err(|fault| {
                let fault = disk_is_full(out_of_time(fault, &command.line, build), &places.out);
                of_no_such_version(fault, subsystem).within(format!("cannot build {id}"))
            })?;
        }
        if let Some(staging) = staging {
            self.temporary.give_back(staging);
        }
        Ok(())
    }

    /// Where the programs are that `id` is built with.
    pub(super) fn tool_folders(&self, id: &ArtifactId) -> Vec<PathBuf> {
        let layout = self.workspaces.layout();
        self.workspaces.build_needs(id).map(|tool| layout.installed_artifact(&tool)).collect()
    }

    /// The least class of the runs that made what `id` is built with.
    fn class_of_tools(&self, id: &ArtifactId) -> RunClass {
        let layout = self.workspaces.layout();
        let class =
            |tool| match inspect(&InstallPlace::for_artifact(layout, &tool), self.cache.key()) {
                Installed::Intact { record, .. } => record.class,
                Installed::Absent | Installed::Damaged(_) => RunClass::Untrusted,
            };
        self.workspaces.build_needs(id).map(class).min().unwrap_or(RunClass::Trusted)
    }

    fn command(
        &self,
        id: &ArtifactId,
        build: &Build,
        step: &Text,
        places: &Places,
        timeout: Duration,
    ) -> Command {
        let dir = build_dir(build, places);
        let env = build.env.iter().map(|(key, value)| (key.clone(), value.expand(places)));
        Command {
            env: env.collect(),
            inherit: Inherit::of_build(build.pass_env.keys()),
            path: self.tool_folders(id),
            timeout: Some(timeout),
            log: Some(self.log(id)),
            jobs: true,
            ..Command::new(CommandLine::Shell(step.expand_in_shell(places)), dir)
        }
    }

    /// In-repo code may be edited while it is built; what comes out then belongs to no fingerprint.
    fn source_is_unchanged(&self, finding: &Finding, subsystem: &Subsystem) -> Result<(), Fault> {
        let (Some(own), Some(before)) = (Own::for_subsystem(subsystem), &finding.want.tree) else {
            return Ok(());
        };
        if before.is_surely_unchanged() {
            return Ok(());
        }
        let layout = self.workspaces.layout();
        let Some(now) = walk_sources(layout, &[own]).pop() else {
            return Ok(());
        };
        let now = now?;
        if now.digest == before.digest {
            return Ok(());
        }
        let known: BTreeMap<&Path, &FileStat> =
            before.inputs.iter().map(|(path, stat)| (path.as_path(), stat)).collect();
        let is_changed = |(path, stat): &&(PathBuf, FileStat)| {
            path.is_file() && known.get(path.as_path()) != Some(&stat)
        };
        let changed = now.inputs.iter().filter(is_changed).take(3);
        let changed: Vec<_> = changed.map(|(path, _)| layout.display(path)).collect();
        let fault = Fault::new(
            Kind::Failed,
            format!("the source of {} changed while it was built", subsystem.name),
        );
        let fault = match changed.is_empty() {
            true => fault,
            false => fault.because(format!("changed: {}", changed.join(", "))),
        };
        Err(fault.hint(
            "run it again; if the build itself writes there, let it write to {{ work }} or add the files to .gitignore",
        ))
    }

    fn with_log(&self, fault: Fault, finding: &Finding) -> Fault {
        let log = self.log(&finding.want.id);
        match log.exists() {
            true => fault,
            false => fault.because("its commands printed nothing"),
        }
    }
}

/// Where the commands of `build` run.
pub(super) fn build_dir(build: &Build, places: &Places) -> PathBuf {
    let dir = build.dir.as_ref();
    dir.map_or_else(|| places.src.clone(), |dir| places.src.join(dir.expand(places)))
}

/// What to do when a builder could not fetch what it builds: the version may not be there.
fn of_no_such_version(fault: Fault, subsystem: &Subsystem) -> Fault {
    let fetches = matches!(subsystem.source, Source::None) && subsystem.feed.is_some();
    match fetches && fault.kind == Kind::Failed && fault.hint.is_none() {
        true => {
            let name = &subsystem.name;
            let version = &subsystem.version;
            fault.hint(match package_in_module(subsystem) {
                Some((module, package)) => format!(
                    "`{module}/{package}` may be a package: write `{{ module: {module}, package: ./{package} }}`"
                ),
                None => {
                    format!("is there a version {version}? `forge outdated {name}` shows the newest")
                }
            })
        }
        false => fault,
    }
}

/// Module and package, where the spec names as a module what is more likely a package.
fn package_in_module(subsystem: &Subsystem) -> Option<(&str, &str)> {
    let Index::Go { path, is_module: true } = &subsystem.feed.as_ref()?.index else { return None };
    let at = path.find("/cmd/")?;
    Some((&path[..at], &path[at + 1..]))
}

/// What to do when commands that were to build for another platform built for this one.
fn for_another_platform(fault: Fault, id: &ArtifactId) -> Fault {
    if id.platform == Platform::host() || fault.kind != Kind::Verification {
        return fault;
    }
    let Platform { os, arch } = id.platform;
    fault.hint(format!(
        "let its commands build for {{{{ os }}}} and {{{{ arch }}}} (here {os} and {arch}), or build \
         it on a machine that is {}",
        id.platform
    ))
}

/// The time is one for all steps together, so what was left of it for this one says nothing.
fn out_of_time(fault: Fault, line: &CommandLine, build: &Build) -> Fault {
    if fault.kind != Kind::Timeout {
        return fault;
    }
    let allowed = human_time(build.timeout.as_secs_f64());
    let what = format!("{line} had not ended after the {allowed} that the whole build may take");
    Fault { what, ..fault }
}

/// On a full disk a command cannot even log why it failed, so forge says it.
fn disk_is_full(fault: Fault, folder: &Path) -> Fault {
    const FULL: u64 = 64 << 10;
    let free = rustix::fs::statvfs(folder).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    if fault.kind != Kind::Failed || free.map_or(true, |free| free >= FULL) {
        return fault;
    }
    fault
        .because(format!("the disk that holds {} is full", folder.display()))
        .hint("free some space (`forge clean:dist` and `forge clean:src` help) and run it again")
}

/// Makes the folder for intermediate results, if some command speaks of it.
fn make_work_folder(layout: &Layout, build: &Build, places: &Places) -> Result<(), Fault> {
    let texts = build.steps.iter().chain(build.env.values()).chain(&build.dir);
    let symbol = format!("{{{{ {} }}}}", "work");
    if texts.into_iter().any(|text| text.symbolic().contains(&symbol)) {
        make_folder(layout, &places.work)?;
    }
    Ok(())
}

/// Whether hashing these files takes less time than handing them to another thread.
fn is_small(folder: &Path, names: &[BinaryName]) -> bool {
    const SMALL: u64 = 64 << 10;
    names.iter().all(|name| fs::metadata(folder.join(name)).is_ok_and(|m| m.len() < SMALL))
}
