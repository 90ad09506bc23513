//! `forge matrix`: the work dealt out to jobs of CI.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    ci::{
        self,
        matrix::{Fleet, ImageLoad, Job, MOST_JOBS, Matrix, RunnerHost},
    },
    model::{ArtifactId, Name},
    report::render_warning,
    workspace::Workspaces,
};

use super::{
    CliError,
    actions::Actions,
    affected,
    choice::MatrixFormat,
    durations::durations,
    images::{self, Seen},
    misses::MissSearch,
    session::Session,
    versions,
};

/// How many jobs there are if nobody says: as many as GitHub runs at once for anybody.
pub(super) const USUAL_JOBS: u16 = 20;

/// What is to be dealt out.
pub(super) struct MatrixRequest<'a> {
    /// Subsystems or groups.
    pub(super) names: &'a [String],
    /// Only what has changed.
    pub(super) affected: bool,
    /// Since when.
    pub(super) since: Option<&'a str>,
    /// Only what no release holds.
    pub(super) misses: bool,
    /// Who reads it.
    pub(super) format: Option<MatrixFormat>,
}

/// Prints the jobs; within GitHub Actions also sets the outputs `matrix` and `jobs`.
pub(super) fn matrix(session: &Session, wish: &MatrixRequest<'_>) -> Result<u8, CliError> {
    let session = &session.for_every_platform();
    let usual = if session.flags.json { MatrixFormat::Json } else { MatrixFormat::Github };
    let format = wish.format.unwrap_or(usual);
    let matrix = deal(session, wish, format)?;
    match format {
        MatrixFormat::Gitlab => session.say(&matrix.gitlab())?,
        MatrixFormat::Json => session.say(&json(&matrix))?,
        MatrixFormat::Github => {
            let line = matrix.github()?;
            session.say(&format!("{line}\n"))?;
            if let Some(actions) = Actions::from_host(&session.host) {
                let jobs = matrix.jobs.len().to_string();
                actions.set_outputs(&[("matrix", line), ("jobs", jobs)])?;
            }
        }
    }
    Ok(0)
}

fn deal(
    session: &Session,
    wish: &MatrixRequest<'_>,
    format: MatrixFormat,
) -> Result<Matrix, CliError> {
    let words = match wish.affected || wish.since.is_some() {
        true => affected::words(session, ci::words, wish.names, wish.since)?,
        false => ci::words(session.workspaces()?.any(), wish.names),
    };
    if words.is_empty() && (wish.affected || wish.since.is_some()) {
        return Ok(Matrix { jobs: Vec::new() });
    }
    let (workspaces, names) = versions::workspaces(session, &words)?;
    let folder = session.flags.directory.as_ref().map(|folder| folder.display().to_string());
    let fleet = Fleet {
        host: host(format),
        named: &workspaces.any().runners,
        jobs: usize::from(session.flags.jobs.unwrap_or(USUAL_JOBS)).min(MOST_JOBS),
        folder: folder.as_deref(),
    };
    let wanted: BTreeSet<ArtifactId> =
        workspaces.artifacts(&workspaces.with_released_binaries(&names)).collect();
    let images = image_loads(session, wish, &workspaces, &names)?;
    let stores = session.stores(workspaces.any())?;
    session.host.runtime()?.wait_for(async {
        let wanted = match wish.misses {
            true => MissSearch::new(session, &workspaces, &stores).to_make(&fleet, wanted).await?,
            false => wanted,
        };
        let store = stores.all.first().filter(|_| !session.flags.offline);
        let seconds = recorded(session, &workspaces, store.map(|store| &**store), &wanted).await;
        Ok(fleet.deal(&workspaces, &wanted, &images, &seconds))
    })
}

/// The images that jobs have to make: with `--misses` those that no registry has. Those that have no
/// version here are made to see that they can be: the changed ones, since a registry cannot tell.
fn image_loads(
    session: &Session,
    wish: &MatrixRequest<'_>,
    workspaces: &Workspaces,
    names: &BTreeSet<Name>,
) -> Result<Vec<ImageLoad>, CliError> {
    let mut wanted = images::with_images(workspaces.any(), names);
    if session.flags.platform.is_some() || wanted.is_empty() {
        return Ok(Vec::new());
    }
    if wish.misses {
        let seen = images::stand(session, &wanted)?;
        if let Some(fault) = seen.iter().filter(|it| it.is_versioned).find_map(Seen::fault) {
            return Err(fault.clone().within("cannot tell which images are released").into());
        }
        let is_open = |seen: &&Seen| seen.is_versioned && !seen.is_hit();
        let mut due: BTreeSet<Name> =
            seen.iter().filter(is_open).map(|seen| seen.name.clone()).collect();
        let unversioned = seen.iter().filter(|seen| !seen.is_versioned);
        let unversioned: Vec<String> = unversioned.map(|seen| seen.name.to_string()).collect();
        if !unversioned.is_empty() && wish.affected {
            due.extend(unversioned.iter().filter_map(|name| Name::new(name).ok()));
        } else if !unversioned.is_empty() {
            let affected = affected::words(session, |_, said| said.to_vec(), &unversioned, None)?;
            due.extend(affected.iter().filter_map(|name| Name::new(name).ok()));
        }
        wanted = due;
    }
    Ok(wanted.iter().map(|name| image_load(workspaces, name)).collect())
}

fn image_load(workspaces: &Workspaces, name: &Name) -> ImageLoad {
    let image = workspaces.any().subsystems[name].image.as_ref();
    let platforms = image.map(|image| image.platforms.clone()).unwrap_or_default();
    let parts = images::needed(workspaces, name).into_iter().flat_map(|name| {
        let known = platforms.iter().filter(|platform| workspaces.knows(**platform));
        known.map(move |platform| ArtifactId { name: name.clone(), platform: *platform })
    });
    ImageLoad {
        name: name.clone(),
        parts: parts.collect(),
        platforms: platforms.into_iter().collect(),
    }
}

/// How long each took; who cannot be asked is no reason to stop.
async fn recorded(
    session: &Session,
    workspaces: &Workspaces,
    store: Option<&dyn crate::store::Store>,
    wanted: &BTreeSet<ArtifactId>,
) -> BTreeMap<ArtifactId, f64> {
    if wanted.len() < 2 {
        return BTreeMap::new();
    }
    let (seconds, trouble) = durations(workspaces, store, wanted).await;
    if let Some(fault) = trouble {
        let fault = fault.within("cannot tell how long builds took, so all count the same");
        session.console().err(&render_warning(None, &fault, session.stderr_style()));
    }
    seconds
}

fn host(format: MatrixFormat) -> RunnerHost {
    match format {
        MatrixFormat::Gitlab => RunnerHost::GitLab,
        MatrixFormat::Github | MatrixFormat::Json => RunnerHost::GitHub,
    }
}

fn json(matrix: &Matrix) -> String {
    let job = |job: &Job| {
        let artifacts = job.artifacts.iter().flat_map(|(platform, names)| {
            names.iter().map(move |name| {
                serde_json::json!({ "name": name.as_str(), "platform": platform.to_string() })
            })
        });
        serde_json::json!({
            "name": job.name,
            "runner": job.runner.labels,
            "seconds": job.seconds,
            "artifacts": artifacts.collect::<Vec<_>>(),
            "images": job.images.keys().map(Name::as_str).collect::<Vec<_>>(),
            "command": job.command,
        })
    };
    let jobs: Vec<_> = matrix.jobs.iter().map(job).collect();
    format!("{:#}\n", serde_json::json!({ "schema": 1, "jobs": jobs }))
}
