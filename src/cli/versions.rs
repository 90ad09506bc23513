//! Which versions a run is about: `NAME@VERSION`, which chooses one, and of what a scheme makes the
//! last one.

use std::collections::BTreeSet;

use crate::{
    git::History,
    model::{Fault, Kind, Layout, Name, Scheme, Version},
    probe::Recheck,
    versioning::{VersionLine, taken},
    workspace::{Documents, Subsystem, Workspaces},
};

use super::{
    CliError,
    session::{Session, select},
    terms::VersionArgs,
};

pub(super) use super::session::Versions;

/// Splits `NAME@VERSION`: the names, and what was chosen for some.
pub(super) fn chosen(words: &[String]) -> Result<(Vec<String>, Versions), Fault> {
    let mut names = Vec::new();
    let mut versions = Versions::new();
    for word in words {
        let Some((name, version)) = word.split_once('@') else {
            names.push(word.clone());
            continue;
        };
        let wrong = |why: String| {
            Fault::new(Kind::Usage, format!("`{word}` names no version")).because(why)
        };
        let version = Version::new(version).map_err(wrong)?;
        versions.insert(Name::new(name).map_err(wrong)?, version);
        names.push(name.to_owned());
    }
    Ok((names, versions))
}

/// The workspaces, where each of `words` that has a scheme and is not locked is at the last version
/// that its remote has. `words` may choose others.
pub(super) fn workspaces(
    session: &Session,
    words: &[String],
) -> Result<(Workspaces, BTreeSet<Name>), CliError> {
    let (words, chosen) = chosen(words)?;
    let documents = session.documents()?;
    let workspaces = session.resolved_at(&documents, &chosen, &Versions::new())?;
    let names = select(workspaces.any(), &words)?;
    let workspace = workspaces.any();
    let is_unknown =
        |subsystem: &&Subsystem| subsystem.scheme.is_some() && subsystem.version.is_unreleased();
    let unknown: Vec<_> =
        names.iter().map(|name| &workspace.subsystems[name]).filter(is_unknown).collect();
    // What this user alone has is not known to any remote; nor may one be asked offline.
    if unknown.is_empty() || workspace.stores.is_empty() || session.flags.offline {
        return Ok((workspaces, names));
    }
    let last = session.host.runtime()?.block_on(last(session, &workspace.layout, &unknown))?;
    if last.is_empty() {
        return Ok((workspaces, names));
    }
    Ok((session.resolved_at(&documents, &chosen, &last)?, names))
}

/// The part of the workspace with the artifacts of `recheck` and all that they need. None if it takes more
/// to know what they are.
pub(super) fn part(session: &Session, words: &[String], recheck: &Recheck) -> Option<Workspaces> {
    let (_, chosen) = chosen(words).ok()?;
    let layout = session.layout().ok()?;
    let documents =
        Documents::read_part(layout.root(), session.host.user(), &recheck.specs).ok()?;
    let workspaces = session.resolved_at(&documents, &chosen, &Versions::new()).ok()?;
    let subsystems = &workspaces.any().subsystems;
    let is_known = |name: &Name| {
        let subsystem = subsystems.get(name);
        subsystem.is_some_and(|it| it.scheme.is_none() || !it.version.is_unreleased())
    };
    recheck.names.iter().all(is_known).then_some(workspaces)
}

/// The last versions of `subsystems` that the remote has, asked in one go. Outside of a repository
/// there are none.
async fn last(
    session: &Session,
    layout: &Layout,
    subsystems: &[&Subsystem],
) -> Result<Versions, Fault> {
    let runner = session.host.runner(1);
    let Some(history) = History::around(&runner, layout.root()) else { return Ok(Versions::new()) };
    let stems: Vec<&str> = subsystems.iter().map(|subsystem| subsystem.tag.as_str()).collect();
    let tags = history.remote().await?.tags(&stems).await?;
    let mut versions = Versions::new();
    for subsystem in subsystems {
        let Some(scheme) = &subsystem.scheme else { continue };
        let known = taken(&subsystem.tag, scheme, &tags);
        let last = match scheme {
            Scheme::Date => known.last().map(|taken| taken.label),
            Scheme::Commits(commits) => {
                // Who is on no branch takes what everybody takes.
                let branch = VersionArgs::default()
                    .branch(&session.host, &history, commits)
                    .await
                    .unwrap_or_default();
                let labels = known.iter().map(|taken| taken.label);
                VersionLine::from_labels(commits, labels, branch.as_deref()).last()
            }
        };
        if let Some(version) = last.and_then(|label| Version::new(label).ok()) {
            versions.insert(subsystem.name.clone(), version);
        }
    }
    Ok(versions)
}
