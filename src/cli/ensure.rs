//! `forge ensure` and `forge plan`: the main job, done or only told.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use crate::{
    cache::{Cache, Record, Staging},
    execute::{self, Context, execute, resolve_refs, unlocked_refs},
    model::{
        ArtifactId, ArtifactReport, Fault, How, Kind, Layout, Name, Platform, RunReport, Stamp,
    },
    plan::{Limits, Plan, compile},
    probe::{Probed, Row, Snapshot, Verdict},
    process::{Cancel, Runner},
    report::{
        Align, Cell, Closing, Role, Show, Table, render_json, render_summary, render_trace,
        render_warning,
    },
    store::Fetcher,
    ui,
    workspace::Workspace,
};

use super::{
    Stop,
    actions::Actions,
    session::{Session, Stores, say, select},
};

/// Transfers at once: enough to fill a line, few enough not to annoy a server.
const TRANSFERS: usize = 8;

/// Makes the pinned binaries present and proven.
pub(super) fn ensure(session: &Session, words: &[String]) -> Result<u8, Stop> {
    if session.flags.dry_run {
        return plan(session, words);
    }
    let (began, started) = (Instant::now(), SystemTime::now());
    let layout = session.layout()?;
    let request = request(session, words);
    if !session.flags.force
        && let Some(known) = Snapshot::load(&layout, &request)
    {
        let mut report = report_of(&known, session.platform());
        report.seconds = began.elapsed().as_secs_f64();
        return close(session, &layout, &report);
    }
    let workspace = Arc::new(session.workspace()?);
    let names = select(&workspace, words)?;
    let mut outcome = runtime()?.block_on(run(session, workspace.clone(), &names))?;
    outcome.report.seconds = began.elapsed().as_secs_f64();
    if outcome.is_noop {
        keep_snapshot(&workspace, &outcome, &request, started);
    }
    close(session, &layout, &outcome.report)
}

/// Shows what `ensure` would do. Writes nothing and runs nothing.
pub(super) fn plan(session: &Session, words: &[String]) -> Result<u8, Stop> {
    let workspace = session.workspace()?;
    let names = select(&workspace, words)?;
    let stores = session.stores(&workspace)?;
    let cache = Arc::new(Cache::of_user()?);
    let commits = BTreeMap::new();
    let probed = runtime()?.block_on(session.probe(&workspace, &commits, &cache, &stores, &names));
    let seconds = recorded_seconds(&workspace, &probed);
    let plan = compile(&workspace, probed, &seconds);
    for id in &plan.leftovers {
        eprintln!("{id} would be removed: versions.yml does not name it any more");
    }
    for warning in &plan.warnings {
        eprint!("{}", render_warning(None, warning, session.stderr_style()));
    }
    if session.flags.json {
        say(&plan_json(&plan))?;
    } else {
        say(&plan_text(&plan, &stores, session))?;
    }
    let failed = plan.settled.iter().find_map(|report| report.fault.as_ref());
    Ok(failed.map_or(0, |fault| fault.kind.exit_code()))
}

/// What a run gave.
pub(super) struct Outcome {
    /// What became of each artifact.
    pub(super) report: RunReport,
    /// Whether there was nothing to do.
    pub(super) is_noop: bool,
    /// Files and folders of in-repo sources.
    source_inputs: Vec<PathBuf>,
}

/// Probes, plans and executes.
pub(super) async fn run(
    session: &Session,
    workspace: Arc<Workspace>,
    names: &BTreeSet<Name>,
) -> Result<Outcome, Stop> {
    let cancel = Cancel::new();
    cancel.listen_to_signals()?;
    let jobs = jobs(session);
    let runner = Arc::new(Runner::new(jobs, cancel.clone()).guarded());
    let stores = session.stores(&workspace)?;
    let cache = Arc::new(Cache::of_user()?);
    let commits = commits(session, &workspace, &runner, names).await?;
    let mut probed = session.probe(&workspace, &commits, &cache, &stores, names).await;
    let source_inputs = std::mem::take(&mut probed.source_inputs);
    let seconds = recorded_seconds(&workspace, &probed);
    let plan = compile(&workspace, probed, &seconds);
    let is_noop = plan.actions.is_empty()
        && plan.leftovers.is_empty()
        && plan.warnings.is_empty()
        && plan.settled.iter().all(|report| report.fault.is_none());
    if !plan.actions.is_empty() {
        Staging::sweep(&workspace.layout.staging(), Duration::ZERO);
        cache.sweep();
    }
    let options = execute::Options {
        locked: session.flags.locked,
        offline: session.flags.offline,
        force: session.flags.force,
        private_store: stores.private,
        limits: Limits { builds: jobs, transfers: TRANSFERS, local: jobs * 2 },
    };
    let (screen, recorder, events) = open_screen(session);
    let context = Context {
        fetcher: Fetcher::new(&session.store_settings(workspace.layout.root())),
        logs: workspace.layout.logs().join(run_name()),
        workspace,
        commits,
        cache,
        stores: stores.all,
        runner: runner.clone(),
        events,
        cancel,
        options,
    };
    let report = execute(plan, Arc::new(context)).await;
    screen.finish();
    write_trace(session, &recorder)?;
    Ok(Outcome { report, is_noop, source_inputs })
}

/// The commits of moving refs that the lock does not pin yet.
async fn commits(
    session: &Session,
    workspace: &Workspace,
    runner: &Runner,
    names: &BTreeSet<Name>,
) -> Result<BTreeMap<Name, String>, Fault> {
    let unlocked = unlocked_refs(workspace, names);
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

fn open_screen(
    session: &Session,
) -> (Arc<ui::Screen>, Arc<ui::Recorder>, Arc<dyn crate::model::EventSink>) {
    let screen = Arc::new(ui::open(&session.choice));
    let recorder = Arc::new(ui::Recorder::default());
    let events: Arc<dyn crate::model::EventSink> = match session.flags.trace {
        Some(_) => Arc::new(ui::FanOut::new(vec![screen.clone(), recorder.clone()])),
        None => screen.clone(),
    };
    (screen, recorder, events)
}

fn write_trace(session: &Session, recorder: &ui::Recorder) -> Result<(), Fault> {
    let Some(path) = &session.flags.trace else { return Ok(()) };
    std::fs::write(path, render_trace(&recorder.laps()))
        .map_err(|e| Fault::io(format!("cannot write the trace to {}", path.display()), &e))
}

/// How many builds may run at once.
pub(super) fn jobs(session: &Session) -> usize {
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    session.flags.jobs.map_or_else(processors, usize::from)
}

/// The threads that a run works on; made only once there is something to do.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Fault> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Fault::io("cannot start the threads of a run", &e))
}

/// The name of this run's folder of logs: when it began, and its process id.
fn run_name() -> String {
    let now = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S");
    format!("{now}-{}", std::process::id())
}

/// How long each of the builds that have to be done took the last time.
fn recorded_seconds(workspace: &Workspace, probed: &Probed) -> BTreeMap<Name, f64> {
    let builds = probed.findings.iter().filter(
        |(_, finding)| matches!(finding, Ok(finding) if matches!(finding.verdict, Verdict::Build)),
    );
    let seconds = |(name, _): (&Name, _)| {
        let id = ArtifactId { name: name.clone(), platform: workspace.platform };
        Some((name.clone(), Record::read(&workspace.layout.record(&id))?.build_seconds?))
    };
    builds.filter_map(seconds).collect()
}

/// What a snapshot answers: the same words and flags.
fn request(session: &Session, words: &[String]) -> String {
    let publish = if session.flags.no_publish { "local" } else { "publish" };
    format!("ensure {} {publish} {}", session.platform(), words.join(" "))
}

fn report_of(snapshot: &Snapshot, platform: Platform) -> RunReport {
    let artifact = |row: &Row| {
        let name = Name::new(&row.name).ok()?;
        Some(ArtifactReport {
            id: ArtifactId { name, platform },
            version: row.version.clone(),
            how: How::Fresh,
            published: false,
            bytes: row.bytes,
            seconds: 0.0,
            reason: "installed and proven".into(),
            log: None,
            fault: None,
        })
    };
    let artifacts = snapshot.rows.iter().filter_map(artifact).collect();
    RunReport { artifacts, warnings: Vec::new(), seconds: 0.0 }
}

/// Keeps the answer of a run that had nothing to do.
fn keep_snapshot(workspace: &Workspace, outcome: &Outcome, request: &str, started: SystemTime) {
    let layout = &workspace.layout;
    let mut inputs: Vec<PathBuf> = workspace.inputs.clone();
    inputs.extend(outcome.source_inputs.iter().cloned());
    // A link is only ever replaced, which its folder shows.
    inputs.push(layout.bin());
    let mut rows = Vec::new();
    for artifact in &outcome.report.artifacts {
        let subsystem = &workspace.subsystems[&artifact.id.name];
        let folder = layout.installed_artifact(&artifact.id);
        inputs.push(folder.join(Stamp::FILE));
        for binary in &subsystem.binaries {
            let binary = workspace.platform.executable(binary);
            inputs.push(folder.join(&binary));
        }
        rows.push(Row {
            name: artifact.id.name.to_string(),
            version: artifact.version.clone(),
            bytes: artifact.bytes,
        });
    }
    let environment = workspace.environment.iter();
    Snapshot { rows }.save(layout, request, started, inputs.iter(), environment);
}

/// Prints the closing of a run and gives its exit code.
pub(super) fn close(session: &Session, layout: &Layout, report: &RunReport) -> Result<u8, Stop> {
    let show = match (session.flags.quiet, session.flags.verbose) {
        (true, _) => Show::Failures,
        (_, true) => Show::All,
        _ => Show::Changed,
    };
    let closing = Closing { done: "ensured", show, layout, tail: &ui::log_tail };
    if session.flags.json {
        let text = render_summary(report, &closing, session.stderr_style());
        eprint!("{text}");
        say(&render_json(report))?;
    } else {
        say(&render_summary(report, &closing, session.stdout_style()))?;
    }
    if let Some(actions) = Actions::of_process() {
        actions.tell(report, closing.done)?;
    }
    Ok(report.exit_code())
}

fn plan_text(plan: &Plan, stores: &Stores, session: &Session) -> String {
    let style = session.stdout_style();
    let mut table = Table::new([
        ("subsystem", Align::Left),
        ("version", Align::Left),
        ("would be", Align::Left),
        ("because", Align::Left),
    ]);
    let publishes_to = stores.all.first().map(|store| store.url()).unwrap_or_default();
    let mut findings: Vec<_> = plan.findings.iter().collect();
    findings.sort_by(|a, b| a.want.id.cmp(&b.want.id));
    for finding in findings {
        let steps: Vec<&str> = plan
            .actions
            .iter()
            .filter(|action| plan.findings[action.finding].want.id == finding.want.id)
            .map(|action| action.step.would_be())
            .collect();
        let would_be =
            if steps.is_empty() { "left: fresh".to_owned() } else { steps.join(", then ") };
        table.row([
            Cell::new(Role::Name, finding.want.id.to_string()),
            Cell::new(Role::Plain, &finding.want.version),
            Cell::new(if steps.is_empty() { Role::Dim } else { Role::Ok }, would_be),
            Cell::new(Role::Dim, &finding.reason),
        ]);
    }
    for report in plan.settled.iter().filter(|report| report.fault.is_some()) {
        table.row([
            Cell::new(Role::Name, report.id.to_string()),
            Cell::new(Role::Plain, &report.version),
            Cell::new(Role::Error, report.how.as_str()),
            Cell::new(Role::Plain, &report.reason),
        ]);
    }
    let mut text = table.render(style);
    if plan.actions.iter().any(|action| action.step == crate::plan::Step::Publish) {
        text.push_str(&format!("\npublishing to {publishes_to}\n"));
    }
    text
}

fn plan_json(plan: &Plan) -> String {
    let action = |action: &crate::plan::Action| {
        let finding = &plan.findings[action.finding];
        serde_json::json!({
            "id": action.id.0,
            "name": finding.want.id.name.as_str(),
            "version": finding.want.version,
            "platform": finding.want.id.platform.to_string(),
            "step": action.step.would_be(),
            "reason": finding.reason,
            "after": action.after.iter().map(|id| id.0).collect::<Vec<_>>(),
        })
    };
    let settled = |report: &ArtifactReport| {
        serde_json::json!({
            "name": report.id.name.as_str(),
            "version": report.version,
            "platform": report.id.platform.to_string(),
            "how": report.how.as_str(),
            "reason": report.reason,
        })
    };
    let document = serde_json::json!({
        "schema": 1,
        "actions": plan.actions.iter().map(action).collect::<Vec<_>>(),
        "settled": plan.settled.iter().map(settled).collect::<Vec<_>>(),
    });
    format!("{document:#}\n")
}

/// What looking found, for verbs that only look.
pub(super) fn look(
    session: &Session,
    workspace: &Workspace,
    names: &BTreeSet<Name>,
) -> Result<(Probed, Stores), Stop> {
    let stores = session.stores(workspace)?;
    let cache = Arc::new(Cache::of_user()?);
    let commits = BTreeMap::new();
    let probed = runtime()?.block_on(session.probe(workspace, &commits, &cache, &stores, names));
    Ok((probed, stores))
}
