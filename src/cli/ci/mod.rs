//! `forge ci` and its stages, each alone: what `crate::ci` decided is carried out, stage by stage,
//! with what nothing failed of yet.

mod account;
mod close;
mod init;
mod remaining;
mod services;
mod stages;
mod subjects;
mod voice;

use std::{path::Path, sync::Arc, time::Instant};

use crate::{
    ci::{self, Facts, Planned, PublishChoice, Runs, Stage},
    model::{Fault, Kind},
    workspace::Workspaces,
};

use super::{CliError, affected, deploy, images, session::Session, versions};
use account::{StageReport, StageSummary};
use stages::{Did, Stages};
use voice::Voice;

/// What people call a task that CI is to run.
const OWN_TASK: &str = "ci";

pub(super) use close::{CloseOptions, close};
pub(super) use init::{WorkflowOptions, init};

/// What of the pipeline is wanted.
#[derive(Clone, Copy)]
pub(super) struct WantedStages<'a> {
    /// One stage of it alone.
    pub(super) only: Option<Stage>,
    /// What was named.
    pub(super) said: &'a [String],
    /// Whether only to show what would run.
    pub(super) plan: bool,
    /// Whether this is one of several jobs.
    pub(super) part: bool,
    /// The one environment that is deployed to.
    pub(super) to: Option<&'a str>,
    /// The file that the digests of what was published go to.
    pub(super) subjects: Option<&'a Path>,
}

impl<'a> WantedStages<'a> {
    /// The whole pipeline, for what was `said`.
    pub(super) fn all(said: &'a [String]) -> Self {
        Self { only: None, said, plan: false, part: false, to: None, subjects: None }
    }

    /// One stage, for what was `said`.
    pub(super) fn stage(stage: Stage, said: &'a [String]) -> Self {
        Self { only: Some(stage), ..Self::all(said) }
    }
}

/// Runs the pipeline for what a change affects of what was `said`.
pub(super) fn affected(
    session: &Session,
    said: &[String],
    plan: bool,
    part: bool,
) -> Result<u8, CliError> {
    match affected::words(session, ci::words, said, None)? {
        words if words.is_empty() => affected::nothing(session),
        words => {
            let wanted = WantedStages { plan, part, ..WantedStages::all(&words) };
            ci(session, &wanted)
        }
    }
}

/// Runs the pipeline, or one stage of it; or only shows what would run.
pub(super) fn ci(session: &Session, wanted: &WantedStages<'_>) -> Result<u8, CliError> {
    let WantedStages { only, said, plan, part, to, subjects } = *wanted;
    let words = ci::words(session.workspaces()?.any(), said);
    let (workspaces, names) = versions::workspaces(session, &words)?;
    let workspaces = Arc::new(workspaces);
    if let Some(to) = to {
        deploy::environment(workspaces.any(), to)?;
    }
    let facts = Facts {
        workspace: workspaces.any(),
        words: &words,
        names: &names,
        surroundings: session.surroundings(),
        store: destination(session, &workspaces)?,
        registry: images::registry_of(&workspaces, &names),
        wish: wish(session),
        to,
        only,
        is_part: part,
    };
    let planned = ci::plan(&facts);
    if plan || session.flags.dry_run {
        account::show_plan(session, &planned)?;
        return Ok(0);
    }
    if only.is_none() && planned.iter().all(|stage| stage.runs == Runs::Not) {
        return Err(nothing_runs(&facts, &planned).into());
    }
    if let (PublishChoice::Asked, Err(why)) = (facts.wish, &facts.store)
        && planned.iter().any(|one| one.stage == Stage::Release && one.runs == Runs::Not)
    {
        return Err(Fault::new(Kind::Usage, "nothing can be published, which --publish asks for")
            .because(why.clone())
            .hint("name a store under `releases` in versions.yml")
            .into());
    }
    let voice = Voice::for_session(session);
    let mut stages = Stages::new(session, workspaces.clone(), &facts, &voice);
    let reports = run(&mut stages, &planned, &voice)?;
    let account = StageSummary { stages: reports, counts: stages.into_counts() };
    account.close(session, &voice)?;
    if let Some(file) = subjects {
        subjects::write(session, &workspaces, &account.counts, file, &voice)?;
    }
    Ok(account.exit_code())
}

/// What a pipeline of which no stage runs says: nobody means that, so it is not green.
fn nothing_runs(facts: &Facts<'_>, planned: &[Planned]) -> Fault {
    let fault = Fault::new(Kind::Usage, "no stage of the pipeline has anything to do");
    let because =
        |fault: Fault, one: &Planned| fault.because(format!("{}: {}", one.stage, one.because));
    let fault = planned.iter().fold(fault, because);
    match facts.workspace.tasks.contains_key(OWN_TASK) {
        true => fault.hint(
            "there is a task `ci`, which is not a stage: `forge run ci` runs it; called `ci:build` or \
             `test` it becomes one",
        ),
        false => fault.hint("give versions.yml a subsystem, or a task called `test`"),
    }
}

/// Carries out what was planned. What failed is left out of the stages that follow; where everything did, or
/// a stage is about all of the project, the rest is skipped, and says so.
fn run(stages: &mut Stages, planned: &[Planned], voice: &Voice) -> Result<Vec<StageReport>, Fault> {
    let mut reports: Vec<StageReport> = Vec::new();
    let mut is_over = false;
    for planned in planned {
        let failed = reports.iter().find(|report| report.code != 0).map(|report| report.stage);
        is_over |= failed.is_some() && planned.needs_everything();
        let report = match (failed.filter(|_| is_over), planned.runs) {
            (_, Runs::Not) => StageReport::skipped(planned.stage, planned.because.clone()),
            (Some(failed), _) => StageReport::skipped(planned.stage, format!("{failed} failed")),
            (None, _) => {
                let started = Instant::now();
                let did = carry_out(stages, planned, voice)?;
                is_over |= !did.goes_on;
                StageReport::ran(planned.stage, did, started.elapsed().as_secs_f64())
            }
        };
        reports.push(report);
    }
    Ok(reports)
}

/// Carries out one stage, and tells why it failed.
fn carry_out(stages: &mut Stages, planned: &Planned, voice: &Voice) -> Result<Did, Fault> {
    voice.open(planned.stage)?;
    let did = match stages.carry_out(planned.stage, planned.runs == Runs::Task) {
        Ok(did) => did,
        Err(error) => {
            let fault = match error {
                CliError::Fault(fault) => fault,
                // The workspace was loaded and checked before the first stage began.
                CliError::Problems(problems) => {
                    let count = problems.diagnostics.len();
                    let what = format!("{count} problems in the workspace; see `forge check`");
                    Fault::new(Kind::Usage, what)
                }
            };
            voice.fault(&fault)?;
            Did::failed(fault.to_string(), fault.kind.exit_code())
        }
    };
    voice.close()?;
    Ok(did)
}

fn wish(session: &Session) -> PublishChoice {
    match (session.flags.publish, session.flags.no_publish, session.flags.locked) {
        (_, true, _) => PublishChoice::Forbidden("--no-publish"),
        // What is published changes the lock.
        (_, _, true) => PublishChoice::Forbidden("--locked"),
        (true, _, _) => PublishChoice::Asked,
        _ => PublishChoice::Unsaid,
    }
}

/// Whether others read the store that is published to, or why there is none.
fn destination(session: &Session, workspaces: &Workspaces) -> Result<Result<bool, String>, Fault> {
    if workspaces.any().stores.is_empty() {
        return Ok(Err("versions.yml names no `releases` to publish to".into()));
    }
    let stores = session.stores(workspaces.any())?;
    Ok(match stores.all.first() {
        Some(store) if store.is_writable() => Ok(store.is_shared()),
        Some(store) => Err(format!("{} can only be read", store.url())),
        None => Err("there is no store".into()),
    })
}
