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
    model::{ArtifactId, Fault, Kind, Name},
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
    misses::MissSearch,
    notes, project,
    publish::Publish,
    run::{RunRequest, run},
    session::{Session, Stores},
    versions::{self, Versions},
};

/// How long releases that were just made may take until everybody sees them.
const SETTLING: Duration = Duration::from_secs(60);

/// What became of the jobs before: `JOB=RESULT`.
struct Results<'a>(Vec<(&'a str, &'a str)>);

/// Closes the run. Exit code 1 if a job failed, 3 if something is missing all the same.
pub(in super::super) fn close(session: &Session, results: &[String]) -> Result<u8, CliError> {
    let results = Results::read(results)?;
    let session = &session.for_every_platform();
    let words = ci::words(session.workspaces()?.any(), &[]);
    let (workspaces, names) = versions::workspaces(session, &words)?;
    let stores = session.stores(workspaces.any())?;
    let wanted: BTreeSet<ArtifactId> = workspaces.artifacts(&names).collect();
    let missing = match unasked(session, &stores) {
        Some(why) => {
            session.say(&match session.flags.json {
                true => document(&[]),
                false => format!("nothing can be missing: {why}\n"),
            })?;
            BTreeMap::new()
        }
        None => {
            let asked = missing(session, &workspaces, &stores, &wanted, &results);
            let missing = session.host.runtime()?.block_on(asked)?;
            print_missing(session, &workspaces, &stores, wanted.len(), &missing)?;
            missing
        }
    };
    verdict(&results, &missing)?;
    if !stores.private {
        let made =
            session.host.runtime()?.block_on(made_here(session, workspaces.any(), &names))?;
        component_notes::keep_current(session, workspaces.any(), &made);
    }
    let tag = session.surroundings().tag().filter(|tag| is_project_tag(tag)).map(str::to_owned);
    match tag {
        Some(tag) if !stores.private => release_project(session, workspaces, &tag),
        _ => {
            summarize_changes(session)?;
            Ok(0)
        }
    }
}

/// Why nothing has to be released after this run.
fn unasked(session: &Session, stores: &Stores) -> Option<String> {
    match may_publish(session.surroundings()) {
        _ if stores.private => Some("versions.yml names no `releases`".into()),
        Permission::Never(why) => Some(why),
        Permission::Yes(_) | Permission::OnRequest(_) => None,
    }
}

/// The document of `--json`.
fn document(missing: &[serde_json::Value]) -> String {
    let document = serde_json::json!({
        "schema": 1,
        "complete": missing.is_empty(),
        "missing": missing,
    });
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

/// What nobody can download. If all jobs went well, it may only take a moment.
async fn missing(
    session: &Session,
    workspaces: &Workspaces,
    stores: &Stores,
    wanted: &BTreeSet<ArtifactId>,
    results: &Results<'_>,
) -> Result<BTreeMap<ArtifactId, Finding>, Fault> {
    let search = MissSearch::new(session, workspaces, stores);
    let end = Instant::now() + SETTLING;
    let mut pauses = Pauses::new();
    loop {
        let missing = search.to_release(wanted).await?;
        let left = end.saturating_duration_since(Instant::now());
        let may_come = !results.0.is_empty() && results.bad().is_empty() && stores.is_slow();
        if missing.is_empty() || !may_come || left.is_zero() {
            return Ok(missing);
        }
        tokio::time::sleep(pauses.next().unwrap_or(left).min(left)).await;
    }
}

fn print_missing(
    session: &Session,
    workspaces: &Workspaces,
    stores: &Stores,
    count: usize,
    missing: &BTreeMap<ArtifactId, Finding>,
) -> Result<(), Fault> {
    let rows: Vec<[String; 3]> = missing
        .iter()
        .map(|(id, finding)| {
            let version = workspaces.subsystem(id).version.to_string();
            [id.to_string(), version, finding.reason.clone()]
        })
        .collect();
    if session.flags.json {
        let line = |(id, finding): (&ArtifactId, &Finding)| {
            serde_json::json!({
                "name": id.name.as_str(),
                "platform": id.platform.to_string(),
                "version": workspaces.subsystem(id).version.as_str(),
                "why": finding.reason,
            })
        };
        let missing: Vec<_> = missing.iter().map(line).collect();
        let document =
            serde_json::json!({ "schema": 1, "complete": rows.is_empty(), "missing": missing });
        return session.say(&format!("{document:#}\n"));
    }
    if let Some(actions) = Actions::from_host(&session.host).filter(|_| !rows.is_empty()) {
        actions.add_summary(&summary_table(["missing", "version", "because"], &rows))?;
    }
    match stores.all.first() {
        Some(store) if rows.is_empty() => {
            session.say(&format!("all {count} artifacts can be downloaded from {}\n", store.url()))
        }
        _ => Ok(()),
    }
}

/// The one status.
fn verdict(results: &Results<'_>, missing: &BTreeMap<ArtifactId, Finding>) -> Result<(), Fault> {
    let bad = results.bad();
    if bad.is_empty() && missing.is_empty() {
        return Ok(());
    }
    let what = match (bad.as_slice(), missing.len()) {
        ([], 1) => "1 artifact is missing".to_owned(),
        ([], count) => format!("{count} artifacts are missing"),
        (bad, 0) => format!("not every job went well ({}); nothing is missing", bad.join(", ")),
        (bad, count) => format!("not every job went well ({}); {count} missing", bad.join(", ")),
    };
    let kind = if bad.is_empty() { Kind::Partial } else { Kind::Failed };
    let fault = missing.iter().fold(Fault::new(kind, what), |fault, (id, finding)| {
        fault.because(format!("{id}: {}", finding.reason))
    });
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
