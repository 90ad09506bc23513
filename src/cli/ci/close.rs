//! `forge ci:close`: the last job of a run of several. Whether every job went well, whether all can be
//! downloaded now, and on a tag of the project its release.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    ci,
    git::RemoteTag,
    model::{ArtifactId, Fault, Kind, Name, counted},
    probe::Finding,
    provenance::{Permission, may_publish},
    release::{Pauses, is_project_tag},
    report::summary_table,
    workspace::{Subsystem, Workspace, Workspaces},
};

use super::super::{
    CliError,
    actions::Actions,
    component_notes, ensure,
    images::{self, ImageBoard, Seen},
    misses::{MissSearch, Unreleased},
    notes, project,
    publish::Publish,
    run::{RunRequest, run},
    session::{Session, Stores},
    versions::{self, Versions},
};

/// How long what was just made may take until everybody sees it, if nobody says.
const SETTLING: Duration = Duration::from_secs(60);

/// What became of the jobs before: `JOB=RESULT`.
struct Results<'a>(Vec<(&'a str, &'a str)>);

/// How a run is closed.
pub(in super::super) struct CloseOptions {
    /// How long to wait for what is missing.
    pub(in super::super) timeout: Option<Duration>,
    /// Whether a release that lacks something is told as a pre-release.
    pub(in super::super) partial: bool,
}

/// What is missing: artifacts, and images.
struct Missing<'b, 's> {
    artifacts: BTreeMap<ArtifactId, Finding>,
    board: &'b ImageBoard<'s>,
}

/// Closes the run. Exit code 1 if a job failed, 3 if something is missing all the same, or if the release
/// is told as far as it is there.
pub(in super::super) fn close(
    session: &Session,
    results: &[String],
    options: &CloseOptions,
) -> Result<u8, CliError> {
    let results = Results::read(results)?;
    let session = &session.for_every_platform();
    let words = ci::words(session.workspaces()?.any(), &[]);
    let (workspaces, names) = versions::workspaces(session, &words)?;
    let stores = session.stores(workspaces.any())?;
    let wanted: BTreeSet<ArtifactId> =
        workspaces.artifacts(&workspaces.with_released_binaries(&names)).collect();
    let for_images = session.for_images();
    let mut board = ImageBoard::open(&for_images, &names)?;
    let artifacts = match unasked(session, &stores, &board) {
        Some(why) => {
            session.say(&match session.flags.json {
                true => document(&workspaces, &Unreleased::default(), &board),
                false => format!("nothing can be missing: {why}\n"),
            })?;
            BTreeMap::new()
        }
        None => {
            let search = Search { session, workspaces: &workspaces, stores: &stores };
            let end = Instant::now() + options.patience(&results, &stores);
            let asked = search.missing(&wanted, &mut board, end);
            let unreleased = session.host.runtime()?.block_on(asked)?;
            search.print_release(wanted.len(), &unreleased, &board)?;
            unreleased.missing
        }
    };
    let missing = Missing { artifacts, board: &board };
    let tag = session.surroundings().tag().filter(|tag| is_project_tag(tag)).map(str::to_owned);
    let tag = tag.filter(|_| !stores.private);
    if let Err(fault) = verdict(&results, &missing) {
        let is_told = options.partial && missing.count() > 0;
        let Some(tag) = tag.filter(|_| is_told) else { return Err(fault.into()) };
        let told =
            missing.artifacts.iter().map(|(id, found)| (id.to_string(), found.reason.clone()));
        session.say(&project::announce_partial(session, &tag, &board, told.collect())?)?;
        return Err(Fault { kind: Kind::Partial, ..fault }.into());
    }
    if !stores.private {
        let made =
            session.host.runtime()?.block_on(made_here(session, workspaces.any(), &names))?;
        component_notes::keep_current(session, workspaces.any(), &made);
    }
    match tag {
        Some(tag) => release_project(session, workspaces, &tag),
        None => {
            summarize_changes(session)?;
            Ok(0)
        }
    }
}

impl CloseOptions {
    /// How long to wait: as long as somebody said; else, if all jobs went well, until everybody can see
    /// what they made.
    fn patience(&self, results: &Results<'_>, stores: &Stores) -> Duration {
        let is_well = !results.0.is_empty() && results.bad().is_empty();
        let usual = if is_well && stores.is_slow() { SETTLING } else { Duration::ZERO };
        self.timeout.unwrap_or(usual)
    }
}

impl Missing<'_, '_> {
    fn count(&self) -> usize {
        self.artifacts.len() + self.board.missing().count()
    }

    /// What is missing, each with why.
    fn told(&self) -> Vec<String> {
        let artifacts = self.artifacts.iter().map(|(id, found)| format!("{id}: {}", found.reason));
        let images = self.board.missing().map(|seen| {
            let [image, _, why] = seen.row();
            format!("{image}: {why}")
        });
        artifacts.chain(images).collect()
    }
}

/// Why nothing has to be released after this run.
fn unasked(session: &Session, stores: &Stores, board: &ImageBoard<'_>) -> Option<String> {
    match may_publish(session.surroundings()) {
        _ if stores.private && board.is_empty() => Some("versions.yml names no `releases`".into()),
        Permission::Never(why) => Some(why),
        Permission::Yes(_) | Permission::OnRequest(_) => None,
    }
}

/// The document of `--json`.
fn document(workspaces: &Workspaces, artifacts: &Unreleased, board: &ImageBoard<'_>) -> String {
    let line = |id: &ArtifactId, why: &str| {
        serde_json::json!({
            "name": id.name.as_str(),
            "platform": id.platform.to_string(),
            "version": workspaces.subsystem(id).version.as_str(),
            "why": why,
        })
    };
    let Unreleased { missing, others } = artifacts;
    let mut document = serde_json::json!({
        "schema": 1,
        "complete": missing.is_empty() && board.missing().next().is_none(),
        "missing": missing.iter().map(|(id, found)| line(id, &found.reason)).collect::<Vec<_>>(),
        "changed": others.iter().map(|(id, found)| line(id, &found.reason)).collect::<Vec<_>>(),
    });
    let images: Vec<&Seen> = board.versioned().collect();
    if !images.is_empty() {
        document["images"] = images.into_iter().map(Seen::json).collect();
    }
    format!("{document:#}\n")
}

impl<'a> Results<'a> {
    fn read(words: &'a [String]) -> Result<Self, Fault> {
        let read = |word: &'a String| {
            word.split_once('=').ok_or_else(|| {
                Fault::new(Kind::Usage, format!("`{word}` is not a result of a job"))
                    .hint("write JOB=RESULT, such as plan=success")
            })
        };
        words.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// The jobs that did not go well. One that had nothing to do was skipped, which is well.
    fn bad(&self) -> Vec<String> {
        let is_bad = |(_, result): &&(&str, &str)| !matches!(*result, "success" | "skipped");
        self.0.iter().filter(is_bad).map(|(job, result)| format!("{job}: {result}")).collect()
    }
}

/// Who looks for what is missing.
struct Search<'a> {
    session: &'a Session,
    workspaces: &'a Workspaces,
    stores: &'a Stores,
}

impl Search<'_> {
    /// What nobody can download, now or at `end`. Images go to `board`.
    async fn missing(
        &self,
        wanted: &BTreeSet<ArtifactId>,
        board: &mut ImageBoard<'_>,
        end: Instant,
    ) -> Result<Unreleased, Fault> {
        let search = MissSearch::new(self.session, self.workspaces, self.stores);
        let mut pauses = Pauses::new();
        let unreleased = loop {
            let unreleased = match self.stores.private {
                true => Unreleased::default(),
                false => search.to_release(wanted).await?,
            };
            board.look_again().await;
            let left = end.saturating_duration_since(Instant::now());
            let may_come = !unreleased.missing.is_empty() || board.awaits();
            if !may_come || left.is_zero() {
                break unreleased;
            }
            tokio::time::sleep(pauses.next().unwrap_or(left).min(left)).await;
        };
        unreleased.others.values().for_each(|finding| search.warn(finding));
        Ok(unreleased)
    }

    /// Tells what of `count` artifacts, and of the images of `board`, is there.
    fn print_release(
        &self,
        count: usize,
        artifacts: &Unreleased,
        board: &ImageBoard<'_>,
    ) -> Result<(), Fault> {
        let (session, workspaces) = (self.session, self.workspaces);
        if session.flags.json {
            return session.say(&document(workspaces, artifacts, board));
        }
        if let Some(actions) = Actions::from_host(&session.host) {
            let rows = rows(workspaces, artifacts, board);
            if !rows.is_empty() {
                actions.add_summary(&summary_table(["missing", "version", "because"], &rows))?;
            }
            let there =
                board.versioned().filter_map(|seen| Some([seen.name.to_string(), seen.pinned()?]));
            let there: Vec<[String; 2]> = there.collect();
            if !there.is_empty() {
                actions.add_summary(&summary_table(["service", "image"], &there))?;
            }
        }
        let images: Vec<&Seen> = board.versioned().collect();
        if !images.is_empty() {
            session.say(&images::states(&images).render(session.stdout_style()))?;
        }
        match self.stores.all.first() {
            Some(store) if artifacts.missing.is_empty() && count > 0 => {
                session.say(&downloadable(count, artifacts.others.len(), store.url()))
            }
            _ => Ok(()),
        }
    }
}

/// A line for each that is missing.
fn rows(
    workspaces: &Workspaces,
    artifacts: &Unreleased,
    board: &ImageBoard<'_>,
) -> Vec<[String; 3]> {
    let row = |(id, finding): (&ArtifactId, &Finding)| {
        let version = workspaces.subsystem(id).version.to_string();
        [id.to_string(), version, finding.reason.clone()]
    };
    let images = board.missing().map(|seen| {
        let version = seen.spec.as_ref().map(|spec| spec.version.clone()).unwrap_or_default();
        [format!("image of {}", seen.name), version, seen.row()[2].clone()]
    });
    artifacts.missing.iter().map(row).chain(images).collect()
}

/// That `count` artifacts can be downloaded, of which `others` are not what is in the workspace.
fn downloadable(count: usize, others: usize, url: &str) -> String {
    let what = match (others, count) {
        (0, 1) => "the artifact".to_owned(),
        (0, count) => format!("all {}", counted(count, "artifact")),
        (others, count) if others == count => {
            return format!("what {url} has of these versions is not what is in the workspace\n");
        }
        (others, count) => format!("{} of {}", count - others, counted(count, "artifact")),
    };
    format!("{what} can be downloaded from {url}\n")
}

/// The one status.
fn verdict(results: &Results<'_>, missing: &Missing<'_, '_>) -> Result<(), Fault> {
    let bad = results.bad();
    if bad.is_empty() && missing.count() == 0 {
        return Ok(());
    }
    let things = |count: usize, thing: &str| (count > 0).then(|| counted(count, thing));
    let count = missing.count();
    let images = things(missing.board.missing().count(), "image");
    let lacks: Vec<_> =
        things(missing.artifacts.len(), "artifact").into_iter().chain(images).collect();
    let what = match (bad.as_slice(), count) {
        ([], count) => {
            format!("{} {} missing", lacks.join(" and "), if count == 1 { "is" } else { "are" })
        }
        (bad, 0) => format!("not every job went well ({}); nothing is missing", bad.join(", ")),
        (bad, count) => format!("not every job went well ({}); {count} missing", bad.join(", ")),
    };
    // What a registry does not say is no absence.
    let doubt = missing.board.doubt().map(|fault| fault.kind);
    let kind = match bad.is_empty() {
        true => doubt.unwrap_or(Kind::Partial),
        false => Kind::Failed,
    };
    let fault = missing.told().into_iter().fold(Fault::new(kind, what), Fault::because);
    Err(fault.hint("run it again: only what is missing is made"))
}

/// Those of `names` whose version a scheme made of the commit that is checked out. Each of the jobs
/// before may have added to their releases.
async fn made_here(
    session: &Session,
    workspace: &Workspace,
    names: &BTreeSet<Name>,
) -> Result<Versions, Fault> {
    let has_scheme =
        |subsystem: &&Subsystem| subsystem.scheme.is_some() && !subsystem.version.is_unreleased();
    let subsystems = names.iter().map(|name| &workspace.subsystems[name]).filter(has_scheme);
    let by_tag: BTreeMap<String, &Subsystem> = subsystems
        .map(|subsystem| (subsystem.tag.first(subsystem.version.as_str()), subsystem))
        .collect();
    if by_tag.is_empty() {
        return Ok(Versions::new());
    }
    let runner = session.host.runner(1);
    let history = notes::history(&runner, &workspace.layout)?;
    let head = history.head().await?;
    let stems: Vec<&str> = by_tag.keys().map(String::as_str).collect();
    let tags = history.remote().await?.tags(&stems).await?;
    let here = tags.iter().filter(|tag| Some(&tag.tag.commit) == head.as_ref());
    let of_tag = |tag: &RemoteTag| by_tag.get(&tag.tag.name).copied();
    let made = here.filter_map(of_tag);
    Ok(made.map(|one| (one.name.clone(), one.version.clone())).collect())
}

/// Makes the release of the project, of what all jobs released.
fn release_project(session: &Session, workspaces: Workspaces, tag: &str) -> Result<u8, CliError> {
    let names: BTreeSet<Name> = workspaces.any().subsystems.keys().cloned().collect();
    let names = workspaces.with_released_binaries(&names);
    let workspaces = Arc::new(workspaces);
    let request =
        RunRequest { workspaces: workspaces.clone(), names: &names, publish: Publish::Never };
    let report = session.host.runtime()?.block_on(run(session, request))?.report;
    if !report.is_good() {
        return ensure::close_as(session, workspaces.layout(), &report, ensure::DONE);
    }
    let (text, code) = project::release_of_ci(session, tag)?;
    session.say(&text)?;
    Ok(code)
}

/// Adds what changed since the last release of the project to the summary of the step.
fn summarize_changes(session: &Session) -> Result<(), CliError> {
    let Some(actions) = Actions::from_host(&session.host) else { return Ok(()) };
    let layout = session.layout()?;
    let notes = session.host.runtime()?.block_on(async {
        let runner = session.host.runner(1);
        let history = notes::history(&runner, &layout)?;
        notes::notes_of(&history, &history.tags().await?, None).await
    });
    // The notes are read by people who pass by; a clone without a history is not a failure.
    match notes {
        Ok(notes) => Ok(actions.add_summary(&notes.render())?),
        Err(fault) => {
            session.console().err(&format!("no notes: {fault}\n"));
            Ok(())
        }
    }
}
