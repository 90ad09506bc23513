//! `forge version:next`, and what a release of subsystems with a scheme is called.

use std::{
    collections::BTreeSet,
    hash::{BuildHasher, Hasher, RandomState},
    path::PathBuf,
};

use crate::{
    cache::{existing_forge_folder, write_state},
    disk::{MOST_OF_TEXT, read_text},
    model::{Fault, Kind, Layout, Name, Version},
    provenance::{Permission, may_publish},
    report::render_warning,
    versioning::NextVersion,
    workspace::Workspace,
};

use super::{
    CliError,
    desk::{Means, VersionAllocator, repository},
    session::{Session, select},
    terms::VersionArgs,
    versions::Versions,
};

/// What subsystems are released as.
pub(super) struct Claimed {
    /// The version of each that has a scheme and something to release.
    pub(super) versions: Versions,
    /// Those with nothing to release, and why.
    pub(super) nothing: Vec<(Name, String)>,
}

/// Prints the next version of a subsystem; with `claim`, makes it this run's.
pub(super) fn next_version(
    session: &Session,
    name: &str,
    terms: &VersionArgs,
    (claim, fetch): (bool, bool),
) -> Result<u8, CliError> {
    let workspace = session.workspace()?;
    let names = select(&workspace, &[name.to_owned()])?;
    let means = Means { fetch, offline: session.flags.offline };
    if claim {
        may_claim(session)?;
    }
    let mut found = Vec::new();
    for name in &names {
        let next = session.host.runtime()?.block_on(async {
            let runner = session.host.runner(1);
            let history = repository(&runner, workspace.layout.root())?;
            let desk = VersionAllocator::for_subsystem(
                &session.host,
                &workspace,
                name,
                &history,
                terms,
                means,
            )
            .await?;
            let next = match claim {
                true => desk.claim(&run_of_ci(session).unwrap_or_else(new_run)).await,
                false => desk.next().await,
            };
            warn(session, desk.warning());
            next
        })?;
        found.push((name, next));
    }
    match session.flags.json {
        true => session.say(&json(&workspace, &found, claim))?,
        false => print_versions(session, &found)?,
    }
    Ok(0)
}

/// Prints what is worth a warning, if anything is.
pub(super) fn warn(session: &Session, warning: Option<&Fault>) {
    if let Some(fault) = warning {
        session.console().err(&render_warning(None, fault, session.stderr_style()));
    }
}

/// Versions on standard output, for scripts; reasons beside them.
fn print_versions(session: &Session, found: &[(&Name, NextVersion)]) -> Result<(), Fault> {
    for (name, next) in found {
        let (label, why) = match next {
            NextVersion::Release { label, why } => (label.as_str(), why),
            NextVersion::Nothing { why } => ("nothing to release", why),
        };
        if !session.flags.quiet {
            session.console().err(&format!("{name} {label}: {why}\n"));
        }
        match next {
            NextVersion::Release { label, .. } if found.len() == 1 => {
                session.say(&format!("{label}\n"))?;
            }
            NextVersion::Release { label, .. } => session.say(&format!("{name} {label}\n"))?,
            NextVersion::Nothing { .. } => {}
        }
    }
    Ok(())
}

fn json(workspace: &Workspace, found: &[(&Name, NextVersion)], is_claimed: bool) -> String {
    let line = |(name, next): &(&Name, NextVersion)| {
        let (label, why) = match next {
            NextVersion::Release { label, why } => (Some(label), why),
            NextVersion::Nothing { why } => (None, why),
        };
        serde_json::json!({
            "name": name.as_str(),
            "version": label,
            "tag": label.map(|label| workspace.subsystems[*name].tag.first(label)),
            "claimed": is_claimed && label.is_some(),
            "why": why,
        })
    };
    let lines: Vec<_> = found.iter().map(line).collect();
    format!("{:#}\n", serde_json::json!({ "schema": 1, "versions": lines }))
}

/// The versions that the subsystems called `names` are released as now: those with a scheme get the
/// next one, unless the commit that is checked out was released already.
pub(super) fn claimed(
    session: &Session,
    workspace: &Workspace,
    names: &BTreeSet<Name>,
    terms: &VersionArgs,
) -> Result<Claimed, CliError> {
    let has_scheme = |name: &&Name| workspace.subsystems[*name].scheme.is_some();
    let names: Vec<&Name> = names.iter().filter(has_scheme).collect();
    if !names.is_empty() {
        may_claim(session)?;
    }
    let mut claimed = Claimed { versions: Versions::new(), nothing: Vec::new() };
    // What a release lacks of the history, it may fetch: it changes far more than that.
    let means = Means { fetch: true, offline: false };
    for name in names {
        let next = session.host.runtime()?.block_on(async {
            let runner = session.host.runner(1);
            let history = repository(&runner, workspace.layout.root())?;
            let desk = VersionAllocator::for_subsystem(
                &session.host,
                workspace,
                name,
                &history,
                terms,
                means,
            )
            .await?;
            desk.committed().await?;
            match desk.released().await?.filter(|_| !session.flags.force) {
                Some(version) => {
                    let why = "this commit is it already".to_owned();
                    Ok(NextVersion::Release { label: version.as_str().to_owned(), why })
                }
                None => {
                    let next = desk.claim(&run_of(session, &workspace.layout, name)?).await;
                    warn(session, desk.warning());
                    next
                }
            }
        })?;
        match next {
            NextVersion::Release { label, why } => {
                if !session.flags.quiet {
                    session.console().err(&format!("{name} {label}: {why}\n"));
                }
                let version = Version::new(&label).map_err(|why| Fault::new(Kind::Failed, why))?;
                claimed.versions.insert(name.clone(), version);
            }
            NextVersion::Nothing { why } => claimed.nothing.push((name.clone(), why)),
        }
    }
    Ok(claimed)
}

/// Forgets the claims on versions that are released now.
pub(super) fn settled(layout: &Layout, versions: &Versions) {
    let Ok(Some(folder)) = existing_forge_folder(layout) else { return };
    for name in versions.keys() {
        let _ = folder.remove_file(&run_file(layout, name));
    }
}

/// Refuses what would put a tag to the remote where code runs that nobody accepted yet.
fn may_claim(session: &Session) -> Result<(), Fault> {
    let refused =
        |why: &str| Fault::new(Kind::Usage, "cannot claim a version").because(why.to_owned());
    if session.flags.offline {
        return Err(refused("--offline forbids to ask the remote, which says whose it is"));
    }
    match may_publish(session.surroundings()) {
        Permission::Never(why) => {
            Err(refused(&why).hint("`forge version:next` without `--claim` says what it would be"))
        }
        _ => Ok(()),
    }
}

/// What tells this run from all others, and its tries from none: the page of the run in CI, elsewhere
/// a text that is kept until what it claims is released.
fn run_of(session: &Session, layout: &Layout, name: &Name) -> Result<String, Fault> {
    if let Some(run) = run_of_ci(session) {
        return Ok(run);
    }
    let path = run_file(layout, name);
    if let Ok(known) = read_text(&path, MOST_OF_TEXT) {
        return Ok(known);
    }
    let run = new_run();
    write_state(layout, &path, run.as_bytes())?;
    Ok(run)
}

/// The page of this run in CI, whichever try it is.
fn run_of_ci(session: &Session) -> Option<String> {
    let page = session.surroundings().run_url()?.to_owned();
    Some(page.split("/attempts/").next().unwrap_or(&page).to_owned())
}

/// A text that no other run has.
fn new_run() -> String {
    let random = RandomState::new().build_hasher().finish();
    format!("{} {random:016x} {}", jiff::Timestamp::now(), std::process::id())
}

fn run_file(layout: &Layout, name: &Name) -> PathBuf {
    layout.state().join("claims").join(name.file_name())
}
