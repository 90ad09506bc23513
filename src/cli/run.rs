//! The main job as every verb that needs it calls it: load, probe, plan, execute.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use tokio::sync::OnceCell;

use crate::{
    cache::{Cache, sweep_staging},
    disk::{Folder, unique},
    execute::{
        self, Context, TemporaryFolders, ToolVersions, Turns, execute, resolve_refs, unlocked_refs,
    },
    model::{Event, EventSink, Fault, Kind, Layout, Name, RunReport},
    plan::{ActionLimits, compile},
    probe::{Probed, Prober, RemoteLookup},
    process::{Cancel, Runner},
    remote::RemoteMention,
    report::render_trace,
    store::{Fetcher, Waits},
    ui,
    workspace::{RemoteSettings, Source, Subsystem, Workspaces},
};

use super::{
    CliError,
    durations::recorded_seconds,
    publish::Publish,
    remote::{self, remote_cache, tell_remote},
    session::{Session, Stores},
};

/// Transfers at once: enough to fill a line, few enough not to annoy a server.
const TRANSFERS: usize = 8;

/// What a run is asked for.
pub(super) struct RunRequest<'a> {
    /// The workspace.
    pub(super) workspaces: Arc<Workspaces>,
    /// The subsystems.
    pub(super) names: &'a BTreeSet<Name>,
    /// Whether what the first store lacks is published there.
    pub(super) publish: Publish,
}

/// What a run gave.
pub(super) struct Outcome {
    /// What became of each artifact.
    pub(super) report: RunReport,
    /// The subsystems that there was something to do for.
    pub(super) acted: BTreeSet<Name>,
    /// Whether what was published is seen by nobody else.
    pub(super) is_private: bool,
    /// Files and folders of in-repo sources, with whose they are if they are of one alone.
    pub(super) source_inputs: Vec<(PathBuf, Option<Name>)>,
}

/// Probes, plans and executes.
pub(super) async fn run(session: &Session, request: RunRequest<'_>) -> Result<Outcome, CliError> {
    run_until(session, request, session.host.cancel().clone()).await
}

/// [`run`], up to its end or until `cancel` stops it.
pub(super) async fn run_until(
    session: &Session,
    request: RunRequest<'_>,
    cancel: Cancel,
) -> Result<Outcome, CliError> {
    let RunRequest { workspaces, names, publish } = request;
    let jobs = jobs(session);
    let runner = Arc::new(session.host.runner_until(jobs, cancel.clone()));
    let (screen, recorder, events) = open_screen(session);
    let waits = {
        let events = events.clone();
        Waits(Arc::new(move |why| events.emit(Event::Waiting { why: why.to_owned() })))
    };
    let stores = session.stores_that_tell(workspaces.any(), waits)?;
    let (cache, no_cache) = Cache::for_workspace(workspaces.layout());
    let cache = Arc::new(cache);
    let _in_use = cache.begin_use();
    let commits = commits(session, &workspaces, &runner, names).await?;
    has_lock(session, &workspaces, &stores)?;
    let is_private = stores.private;
    let options = session.probe_options(&stores, publish)?;
    let remote = remote_cache(session, &workspaces, runner.clone(), options);
    let prober = Prober {
        workspaces: &workspaces,
        commits: &commits,
        cache: &cache,
        large_files: Arc::new(cache.large_files()),
        stores: &stores.all,
        remote: remote.as_deref().map(|remote| remote as &dyn RemoteLookup),
        options,
    };
    let mut probed = prober.probe(&workspaces.artifacts(names).collect()).await;
    // They only save time: without them, the next run reads the files again.
    let _ = cache.keep_large_files(&prober.large_files);
    let source_inputs = std::mem::take(&mut probed.source_inputs);
    let seconds = recorded_seconds(&workspaces, probed.builds());
    let mut plan = compile(&workspaces, probed, &seconds);
    plan.place(remote.is_some());
    let acted = plan.actions.iter().map(|action| plan.artifact(action).name.clone()).collect();
    if !plan.actions.is_empty() {
        if let Some(fault) = no_cache {
            events.emit(Event::Warning { artifact: None, fault });
        }
        sweep_staging(workspaces.layout());
        cache.sweep();
        session.host.writes_cache();
    }
    let worker_slots = workspaces.any().remote.as_ref().map_or(1, RemoteSettings::worker_slots);
    let options = execute::ExecuteOptions {
        locked: session.flags.locked,
        offline: session.flags.offline,
        force: options.force,
        asked: publish.is_asked(),
        private_store: stores.private,
        classes: options.classes,
        limits: ActionLimits {
            builds: jobs,
            transfers: TRANSFERS,
            local: jobs * 2,
            elsewhere: worker_slots,
        },
    };
    let context = Context {
        fetcher: Fetcher::new(&session.store_settings(workspaces.any())),
        logs: workspaces.layout().logs().join(run_name()),
        workspaces,
        cache,
        stores: stores.all,
        runner,
        events,
        cancel,
        turns: Turns::default(),
        surroundings: session.surroundings().clone(),
        state: OnceCell::new(),
        versions: ToolVersions::default(),
        sandbox_base: OnceLock::new(),
        temporary: TemporaryFolders::default(),
        remote: remote.clone(),
        seats: tokio::sync::Semaphore::new(jobs.max(1)),
        not_its_version: tokio::sync::Mutex::default(),
        options,
    };
    let (cancel, told) = (context.cancel.clone(), context.events.clone());
    let mut report = execute(plan, Arc::new(context)).await;
    if let Some(remote) = remote {
        tell_remote(&remote, &cancel, &*told, &mut report).await;
    }
    let report = ui::masked_report(session.host.secrets(), report);
    screen.finish();
    write_trace(session, &recorder)?;
    Ok(Outcome { report, acted, is_private, source_inputs })
}

/// Probes, for verbs that only look.
pub(super) fn probe_only(
    session: &Session,
    request: &RunRequest<'_>,
) -> Result<(Probed, Stores), CliError> {
    let RunRequest { workspaces, names, publish } = request;
    let stores = session.stores(workspaces.any())?;
    has_lock(session, workspaces, &stores)?;
    let (cache, _) = Cache::for_workspace(workspaces.layout());
    let (commits, options) = (BTreeMap::new(), session.probe_options(&stores, *publish)?);
    let settings = workspaces.any().remote.as_ref().filter(|_| !session.flags.offline);
    let mention = settings.map(|settings| RemoteMention {
        identity: settings.identity(),
        rights: remote::rights(session, settings, options),
    });
    let prober = Prober {
        workspaces,
        commits: &commits,
        cache: &cache,
        large_files: Arc::new(cache.large_files()),
        stores: &stores.all,
        remote: mention.as_ref().map(|remote| remote as &dyn RemoteLookup),
        options,
    };
    let wanted = workspaces.artifacts(*names).collect();
    let probed = session.host.runtime()?.wait_for(prober.probe(&wanted));
    Ok((probed, stores))
}

/// Refuses `--locked` where nothing is locked at all, unless nothing would be: in-repo code alone, and no
/// releases but this user's own.
fn has_lock(session: &Session, workspaces: &Workspaces, stores: &Stores) -> Result<(), Fault> {
    let subsystems = workspaces.any().subsystems.values();
    let is_locked = |it: &Subsystem| {
        it.upstream.is_some() || !matches!(it.source, Source::Path { .. } | Source::None)
    };
    let is_empty = stores.private && !subsystems.into_iter().any(is_locked);
    let lock = workspaces.layout().lock();
    if !session.flags.locked || is_empty || lock.symlink_metadata().is_ok() {
        return Ok(());
    }
    Err(Fault::new(Kind::Verification, format!("there is no {}", Layout::LOCK))
        .because("--locked takes nothing that is not pinned")
        .hint("run `forge ensure` without --locked, and commit forge.lock"))
}

/// The commits of moving refs that the lock does not pin yet.
pub(super) async fn commits(
    session: &Session,
    workspaces: &Workspaces,
    runner: &Runner,
    names: &BTreeSet<Name>,
) -> Result<BTreeMap<Name, String>, Fault> {
    let unlocked = unlocked_refs(workspaces.any(), names);
    let Some(first) = unlocked.first() else { return Ok(BTreeMap::new()) };
    if session.flags.locked || session.flags.offline {
        let flag = if session.flags.locked { "--locked" } else { "--offline" };
        return Err(Fault::new(
            Kind::Usage,
            format!(
                "`{}` of {} is a moving ref that forge.lock does not pin",
                first.version, first.name
            ),
        )
        .because(format!("{flag} does not resolve it"))
        .hint("run `forge lock` and commit forge.lock"));
    }
    resolve_refs(runner, &unlocked).await
}

pub(super) fn open_screen(
    session: &Session,
) -> (Arc<ui::Screen>, Arc<ui::Recorder>, Arc<dyn EventSink>) {
    let screen = Arc::new(ui::open(&session.choice, session.console()));
    let recorder = Arc::new(ui::Recorder::default());
    let events: Arc<dyn EventSink> = match session.flags.trace {
        Some(_) => Arc::new(ui::FanOut::new(vec![screen.clone(), recorder.clone()])),
        None => screen.clone(),
    };
    let events = Arc::new(ui::Masked::new(session.host.secrets().clone(), events));
    (screen, recorder, events)
}

fn write_trace(session: &Session, recorder: &ui::Recorder) -> Result<(), Fault> {
    let Some(path) = &session.flags.trace else { return Ok(()) };
    let (folder, name) = (path.parent().unwrap_or(Path::new("")), path.file_name());
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let write = || {
        // A link of that name may be one that the repository brought.
        let mut file = Folder::open(folder)?.open_or_create(name.unwrap_or_default().as_ref())?;
        file.set_len(0)?;
        file.write_all(render_trace(&recorder.laps()).as_bytes())
    };
    write().map_err(|e| Fault::io(format!("cannot write the trace to {}", path.display()), &e))
}

/// How many builds may run at once.
pub(super) fn jobs(session: &Session) -> usize {
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    session.flags.jobs.map_or_else(processors, usize::from)
}

/// The name of this run's folder of logs: when it began, and what no other run has. Two containers may
/// have the same process id.
pub(super) fn run_name() -> String {
    let now = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S");
    unique(&format!("{now}-"))
}

/// Whether `name` is one that [`run_name`] gives.
pub(super) fn is_run_name(name: &str) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    let is = |part: &str, length| {
        part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    matches!(parts[..], [day, time, unique] if is(day, 8) && is(time, 6) && is(unique, 16))
}
