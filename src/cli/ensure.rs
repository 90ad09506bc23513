//! `forge ensure`: the main job.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
    time::{Instant, SystemTime},
};

use crate::{
    model::{Layout, Name, Platform, RunReport, Stamp},
    probe::{
        KnownArtifact, Recheck, Snapshot, SnapshotBasis, SnapshotInput, SnapshotLook, SnapshotPlace,
    },
    report::{Closing, Show, Style, render_images, render_json, render_summary},
    ui,
    workspace::{Subsystem, Workspace, Workspaces},
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
    let known = KnownAnswer::kept_for(session, &layout, words);
    let part = known.as_ref().and_then(|known| known.part(session, words));
    if let (Some(known), None) = (&known, &part)
        && known.holds()
    {
        known.look.keep_touched(kept(session, &layout));
        let mut report = known.report(session.platform());
        report.seconds = began.elapsed().as_secs_f64();
        return close(session, &layout, &report);
    }
    let known = known.filter(|_| part.is_some());
    let (workspaces, names) = match part {
        Some(part) => part,
        None => versions::workspaces(session, words)?,
    };
    let workspaces = Arc::new(workspaces);
    let request =
        RunRequest { workspaces: workspaces.clone(), names: &names, publish: Publish::AsUsual };
    // An editor's help is worth no failure.
    let _ = keep_schemas(&layout);
    let mut outcome = session.host.runtime()?.block_on(run(session, request))?;
    if let Some(question) = question(session, words).filter(|_| is_lasting(&outcome, words))
        && !session.follows_checkout(workspaces.any())
    {
        keep_snapshot(session, workspaces.any(), &outcome, (&question, known.as_ref()), started);
    }
    if let Some(known) = &known {
        outcome.report.add(known.report(session.platform()));
    }
    outcome.report.seconds = began.elapsed().as_secs_f64();
    let code = close(session, &layout, &outcome.report)?;
    note_private(session, &outcome);
    tell_places(session, &layout, &outcome.report);
    Ok(code)
}

/// What a snapshot says of the artifacts that are asked for.
pub(super) struct KnownAnswer {
    look: SnapshotLook,
    artifacts: Vec<KnownArtifact>,
    /// Whether a plan is about more than artifacts: images or deployments, of which nothing is known.
    pub(super) has_more: bool,
}

/// What the last line of an answer is where subsystems have images or are deployed.
const MORE: &str = "more";

impl KnownAnswer {
    /// What is known of `words`, if anything is.
    pub(super) fn kept_for(session: &Session, layout: &Layout, words: &[String]) -> Option<Self> {
        let look = SnapshotLook::at(kept(session, layout), &question(session, words)?)?;
        let has_more = look.answer.last().is_some_and(|line| line == MORE);
        let lines = &look.answer[..look.answer.len() - usize::from(has_more)];
        let artifacts = lines.iter().map(|line| KnownArtifact::from_line(line));
        Some(Self { artifacts: artifacts.collect::<Option<_>>()?, look, has_more })
    }

    /// The part of the workspace that may have changed, and what is to be looked at again in it. None if
    /// nothing is, or everything.
    pub(super) fn part(
        &self,
        session: &Session,
        words: &[String],
    ) -> Option<(Workspaces, BTreeSet<Name>)> {
        let stale = Some(&self.look.stale).filter(|stale| !stale.is_empty())?;
        let recheck = Recheck::new(&self.artifacts, stale)?;
        Some((versions::part(session, words, &recheck)?, recheck.names))
    }

    /// Whether it holds of `names` and of all that they need.
    fn holds_of(&self, names: &BTreeSet<Name>) -> bool {
        let lines: BTreeMap<&Name, (u32, &KnownArtifact)> =
            (1..).zip(&self.artifacts).map(|(line, it)| (&it.name, (line, it))).collect();
        let mut open: Vec<&Name> = names.iter().collect();
        let mut seen = BTreeSet::new();
        while let Some(name) = open.pop() {
            match lines.get(name) {
                Some((line, _)) if self.look.stale.contains(line) => return false,
                Some((_, artifact)) if seen.insert(name) => open.extend(&artifact.needs),
                Some(_) => {}
                None => return false,
            }
        }
        true
    }

    /// Whether all of it holds.
    pub(super) fn holds(&self) -> bool {
        self.look.stale.is_empty()
    }

    /// The report of a run for `platform` that found them as they were.
    pub(super) fn report(&self, platform: Platform) -> RunReport {
        let artifacts = self.artifacts.iter().map(|known| known.report(platform)).collect();
        RunReport { artifacts, ..RunReport::default() }
    }
}

/// Whether `names` are installed as they are pinned by what is known since everything was ensured: then
/// nothing of the workspace has to be looked at.
pub(super) fn is_known_fresh(session: &Session, layout: &Layout, names: &BTreeSet<Name>) -> bool {
    KnownAnswer::kept_for(session, layout, &[]).is_some_and(|known| known.holds_of(names))
}

/// Whether what a run gave holds until a file changes. Who names some would be told of what building
/// them needed, too.
fn is_lasting(Outcome { report, acted, .. }: &Outcome, words: &[String]) -> bool {
    report.is_good() && report.warnings.is_empty() && (words.is_empty() || acted.is_empty())
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

/// Keeps the answer of a run after which nothing is left to do; of a part of the workspace, together with
/// what was `known` before. What was made is looked at again the next time.
fn keep_snapshot(
    session: &Session,
    workspace: &Workspace,
    outcome: &Outcome,
    (question, known): (&str, Option<&KnownAnswer>),
    started: SystemTime,
) {
    let layout = &workspace.layout;
    let mut artifacts: BTreeMap<Name, KnownArtifact> =
        known.iter().flat_map(|it| &it.artifacts).map(|it| (it.name.clone(), it.clone())).collect();
    for report in &outcome.report.artifacts {
        if report.id.platform != workspace.platform {
            return;
        }
        let artifact = KnownArtifact::new(report, &workspace.subsystems[&report.id.name]);
        artifacts.insert(report.id.name.clone(), artifact);
    }
    // Records of files name lines by their numbers.
    if known.is_some_and(|known| known.artifacts.len() != artifacts.len()) {
        return;
    }
    let lines = artifacts.values().map(KnownArtifact::line);
    let Some(mut answer) = lines.collect::<Option<Vec<_>>>() else { return };
    let has_image = |it: &Subsystem| it.image.is_some();
    let has_more = known.map_or_else(
        || !workspace.deploys.is_empty() || workspace.subsystems.values().any(has_image),
        |known| known.has_more,
    );
    answer.extend(has_more.then(|| MORE.to_owned()));
    let lines: BTreeMap<&Name, u32> = artifacts.keys().zip(1..).collect();
    let mut inputs: Vec<(PathBuf, u32)> = Vec::new();
    if known.is_none() {
        inputs.extend(workspace.inputs.iter().map(|path| (path.clone(), 0)));
        // A link is only ever replaced, which its folder shows.
        inputs.push((layout.bin(), 0));
    }
    for (path, whose) in &outcome.source_inputs {
        let line = whose.as_ref().and_then(|name| lines.get(name));
        inputs.push((path.clone(), line.copied().unwrap_or(0)));
    }
    for report in &outcome.report.artifacts {
        let (line, folder) = (lines[&report.id.name], layout.installed_artifact(&report.id));
        inputs.push((folder.join(Stamp::FILE), line));
        for binary in &workspace.subsystems[&report.id.name].binaries {
            inputs.push((folder.join(workspace.platform.executable(binary)), line));
        }
    }
    let inputs: Vec<_> = (inputs.iter())
        .map(|(path, line)| SnapshotInput {
            path,
            content: workspace.contents.get(path),
            line: *line,
        })
        .collect();
    let unsure = outcome.acted.iter().filter_map(|name| lines.get(name).copied()).collect();
    let basis = SnapshotBasis {
        started,
        inputs: &inputs,
        environment: &workspace.seen_variables,
        unsure: &unsure,
        before: known.map(|known| &known.look),
    };
    Snapshot { answer }.save(kept(session, layout), question, &basis);
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
        actions.annotate(report, done, layout, &|name| session.source_folder(name))?;
    }
    Ok(report.exit_code())
}

/// Says so if what was published is seen by nobody else.
pub(super) fn note_private(session: &Session, outcome: &Outcome) {
    let is_published = outcome.report.artifacts.iter().any(|one| one.published);
    if is_published && outcome.is_private && !session.flags.quiet {
        session.note(
            "published to your own store, which nobody else sees: versions.yml names no `releases`",
        );
    }
}
