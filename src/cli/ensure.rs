//! `forge ensure`: the main job.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Instant, SystemTime},
};

use crate::{
    model::{ArtifactId, ArtifactReport, How, Layout, Name, Platform, RunReport, Stamp},
    probe::{Snapshot, SnapshotInput, SnapshotPlace},
    report::{Closing, Show, Style, render_images, render_json, render_summary},
    ui,
    workspace::Workspace,
};

use super::{
    CliError,
    actions::Actions,
    editor::keep_schemas,
    plan::plan,
    publish::Publish,
    run::{Outcome, RunRequest, run},
    session::Session,
    versions,
};

/// What was done to the artifacts.
pub(super) const DONE: &str = "ensured";

/// Makes the pinned binaries present and proven.
pub(super) fn ensure(session: &Session, words: &[String]) -> Result<u8, CliError> {
    if session.flags.dry_run {
        return plan(session, words);
    }
    let (began, started) = (Instant::now(), SystemTime::now());
    let layout = session.layout()?;
    let question = question(session, words);
    if let Some(question) = &question
        && let Some(known) = Snapshot::load(kept(session, &layout), question)
    {
        let mut report = report_of(&known, session.platform());
        report.seconds = began.elapsed().as_secs_f64();
        return close(session, &layout, &report);
    }
    let (workspaces, names) = versions::workspaces(session, words)?;
    let workspaces = Arc::new(workspaces);
    let request =
        RunRequest { workspaces: workspaces.clone(), names: &names, publish: Publish::AsUsual };
    // An editor's help is worth no failure.
    let _ = keep_schemas(&layout);
    let mut outcome = session.host.runtime()?.block_on(run(session, request))?;
    outcome.report.seconds = began.elapsed().as_secs_f64();
    let is_lasting = outcome.is_noop && !session.follows_checkout(workspaces.any());
    if let Some(question) = question.filter(|_| is_lasting) {
        keep_snapshot(session, workspaces.any(), &outcome, &question, started);
    }
    let code = close(session, &layout, &outcome.report)?;
    tell_places(session, &layout, &outcome.report);
    Ok(code)
}

/// Says where the binaries of another platform are: they are not on PATH.
fn tell_places(session: &Session, layout: &Layout, report: &RunReport) {
    let is_foreign = session.flags.platform.is_some_and(|platform| platform != Platform::host());
    if !is_foreign || session.flags.quiet || session.flags.json {
        return;
    }
    for artifact in report.artifacts.iter().filter(|artifact| artifact.fault.is_none()) {
        let folder = layout.display(&layout.installed_artifact(&artifact.id));
        session.note(&format!("{} is in {folder}", artifact.id.name));
    }
}

/// What a snapshot answers: the same words and flags. None for what snapshots are not kept of.
fn question(session: &Session, words: &[String]) -> Option<String> {
    let flags = &session.flags;
    let publish = match (flags.publish, flags.no_publish) {
        (true, _) => "publish",
        (_, true) => "local",
        _ => "usual",
    };
    let is_simple = !flags.force && !flags.all_platforms;
    let class = session.classes().own.as_str();
    let lock = if flags.locked { "locked" } else { "free" };
    let (platform, words) = (session.platform(), words.join(" "));
    // It is the version of what follows it.
    let tag = session.surroundings().tag().unwrap_or_default();
    is_simple.then(|| format!("ensure {platform} {publish} {lock} {class} {tag} {words}"))
}

/// Where the snapshot is kept.
fn kept<'a>(session: &'a Session, layout: &'a Layout) -> SnapshotPlace<'a> {
    let (key, environment) = (session.host.seal_key(), session.host.environment());
    SnapshotPlace { layout, name: "snapshot", key, environment }
}

fn report_of(snapshot: &Snapshot, platform: Platform) -> RunReport {
    let artifact = |line: &String| {
        let mut parts = line.splitn(3, ' ');
        let (bytes, name) = (parts.next()?.parse().ok()?, Name::new(parts.next()?).ok()?);
        Some(ArtifactReport {
            id: ArtifactId { name, platform },
            version: parts.next()?.to_owned(),
            how: How::Fresh,
            published: false,
            bytes,
            seconds: 0.0,
            reason: "installed and proven".into(),
            log: None,
            fault: None,
        })
    };
    let artifacts = snapshot.answer.iter().filter_map(artifact).collect();
    RunReport { artifacts, ..RunReport::default() }
}

/// Keeps the answer of a run that had nothing to do.
fn keep_snapshot(
    session: &Session,
    workspace: &Workspace,
    outcome: &Outcome,
    question: &str,
    started: SystemTime,
) {
    let layout = &workspace.layout;
    let mut inputs: Vec<PathBuf> = workspace.inputs.clone();
    inputs.extend(outcome.source_inputs.iter().cloned());
    // A link is only ever replaced, which its folder shows.
    inputs.push(layout.bin());
    let mut answer = Vec::new();
    for artifact in &outcome.report.artifacts {
        let subsystem = &workspace.subsystems[&artifact.id.name];
        let folder = layout.installed_artifact(&artifact.id);
        inputs.push(folder.join(Stamp::FILE));
        for binary in &subsystem.binaries {
            let binary = workspace.platform.executable(binary);
            inputs.push(folder.join(&binary));
        }
        // As `report_of` reads it.
        answer.push(format!("{} {} {}", artifact.bytes, artifact.id.name, artifact.version));
    }
    let environment = workspace.seen_variables.iter();
    let kept = kept(session, layout);
    let content = |path: &PathBuf| workspace.contents.get(path);
    let inputs: Vec<_> =
        (inputs.iter()).map(|path| SnapshotInput { path, content: content(path) }).collect();
    Snapshot { answer }.save(kept, question, started, &inputs, environment);
}

/// The closing of a run that did `done` to the artifacts: what changed, what failed, the sum.
pub(super) fn closing(
    session: &Session,
    layout: &Layout,
    report: &RunReport,
    done: &str,
    style: Style,
) -> String {
    let show = match (session.flags.quiet, session.flags.verbose) {
        (true, _) => Show::Failures,
        (_, true) => Show::All,
        _ => Show::Changed,
    };
    let closing = Closing { done, show, layout, tail: &ui::log_tail };
    let has_artifacts = !report.artifacts.is_empty() || report.images.is_empty();
    let artifacts = RunReport { images: Vec::new(), ..report.clone() };
    let text = match has_artifacts {
        true => render_summary(&artifacts, &closing, style),
        false => String::new(),
    };
    let is_silent = report.images.is_empty() || session.flags.quiet && report.is_good();
    let images = match is_silent {
        true => String::new(),
        false => render_images(&report.images, session.flags.verbose, report.seconds, style),
    };
    let between = if text.is_empty() || images.is_empty() { "" } else { "\n" };
    text + between + &images
}

/// Prints the closing of a run and gives its exit code.
pub(super) fn close(
    session: &Session,
    layout: &Layout,
    report: &RunReport,
) -> Result<u8, CliError> {
    close_as(session, layout, report, DONE)
}

/// As [`close`], of a run that did something else to the artifacts: `released`.
pub(super) fn close_as(
    session: &Session,
    layout: &Layout,
    report: &RunReport,
    done: &str,
) -> Result<u8, CliError> {
    if session.flags.json {
        session.console().err(&closing(session, layout, report, done, session.stderr_style()));
        session.say(&render_json(report))?;
    } else {
        session.say(&closing(session, layout, report, done, session.stdout_style()))?;
    }
    if let Some(actions) = Actions::from_host(&session.host) {
        actions.annotate(report, done, layout)?;
    }
    Ok(report.exit_code())
}
