//! `forge verify`: every installed byte hashed again, whatever `stat` says.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rayon::prelude::*;

use crate::{
    cache::{ArtifactRecord, Cache, InstallPlace, Installed, SealKey, links_are_there, rehash},
    model::{ArtifactId, Fault, Kind, Name, Platform},
    probe::{Acceptance, ArtifactSpec, Wants, accept_installed, distrust},
    provenance::RunClass,
    report::{Align, Cell, Role, Style, Table},
    service::{self, ServiceState},
    workspace::{Workspace, Workspaces},
};

use super::{
    CliError,
    services::states,
    session::{Session, select},
};

/// What verifying one artifact gave.
pub(super) struct VerifyResult {
    id: ArtifactId,
    version: String,
    wrong: Option<String>,
}

impl VerifyResult {
    /// Whether nothing is wrong.
    pub(super) fn is_good(&self) -> bool {
        self.wrong.is_none()
    }
}

/// Verifies, and names what was tampered with.
pub(super) fn verify(session: &Session, words: &[String]) -> Result<u8, CliError> {
    let workspaces = session.workspaces()?;
    let names = select(workspaces.any(), words)?;
    let verdicts = verdicts(session, &workspaces, &names);
    if session.flags.json {
        session.say(&json(&verdicts))?;
    } else {
        session.say(&text(&verdicts, session.stdout_style()))?;
    }
    let good = verdicts.iter().all(VerifyResult::is_good);
    Ok(if good { 0 } else { Kind::Verification.exit_code() })
}

/// Verifies what is installed of services, and that the processes that run are it.
pub(super) fn running(session: &Session, words: &[String]) -> Result<u8, CliError> {
    let workspaces = session.workspaces()?;
    let workspace = workspaces.any();
    let mut names = service::select(workspace, words)?;
    if words.is_empty() {
        let states = states(workspace)?;
        names.retain(|name| states.get(name).is_some_and(ServiceState::is_running));
        if names.is_empty() {
            let fault =
                Fault::new(Kind::Failed, "no service runs here, so there is none to verify");
            return Err(fault.hint("`forge up` starts them").into());
        }
        names.insert(service::supervising(workspace)?.clone());
    }
    let installed = examine_all(session, &workspaces, &names, workspace.platform);
    let installed: BTreeMap<_, _> = installed.into_iter().collect();
    let proofs = service::prove(workspace, &names)?;
    let verdict = |proof: service::Proof| {
        let id = ArtifactId { name: proof.name, platform: workspace.platform };
        let version = workspaces.subsystem(&id).version.to_string();
        // What runs is told first: that it is not what is installed follows from a damaged file too.
        let wrong = proof.wrong.or_else(|| installed.get(&id)?.as_ref().err().cloned());
        VerifyResult { id, version, wrong }
    };
    let verdicts: Vec<_> = proofs.into_iter().map(verdict).collect();
    if session.flags.json {
        session.say(&json(&verdicts))?;
    } else {
        let good = verdicts.iter().filter(|verdict| verdict.is_good()).count();
        let sum = format!("{good} of {} running programs are what is pinned\n", verdicts.len());
        session.say(&format!("{}{sum}", table(&verdicts, session.stdout_style())))?;
    }
    let good = verdicts.iter().all(VerifyResult::is_good);
    Ok(if good { 0 } else { Kind::Verification.exit_code() })
}

/// Hashes all that is installed of the subsystems called `names`.
pub(super) fn verdicts(
    session: &Session,
    workspaces: &Workspaces,
    names: &BTreeSet<Name>,
) -> Vec<VerifyResult> {
    let mut verdicts = Vec::new();
    for platform in workspaces.wanted() {
        let verdict = |(id, record): (ArtifactId, Result<ArtifactRecord, String>)| {
            let version = workspaces.subsystem(&id).version.to_string();
            VerifyResult { id, version, wrong: record.err() }
        };
        verdicts
            .extend(examine_all(session, workspaces, names, *platform).into_iter().map(verdict));
    }
    verdicts
}

/// Examines the artifacts of `names` for one platform: what is known of each, or what is wrong.
pub(super) fn examine_all(
    session: &Session,
    workspaces: &Workspaces,
    names: &BTreeSet<Name>,
    platform: Platform,
) -> Vec<(ArtifactId, Result<ArtifactRecord, String>)> {
    let workspace = workspaces.for_platform(platform);
    let (takes, key) = (session.surroundings().classes(false).takes, session.host.seal_key());
    let commits = BTreeMap::new();
    let large_files = Arc::new(Cache::for_workspace(&workspace.layout).0.large_files());
    let mut wants = Wants::new(workspace, &commits, workspace.stores.is_empty(), large_files);
    // What a Dockerfile alone makes has no artifacts.
    let names: BTreeSet<Name> = workspaces.artifacts(names).map(|id| id.name).collect();
    let examined = wants.of_all(&names).into_par_iter().map(|(name, want)| {
        let examined = match want {
            Ok(want) => examine(workspaces.any(), &want, takes, key),
            Err(fault) => Err(fault.to_string()),
        };
        (ArtifactId { name, platform }, examined)
    });
    examined.collect()
}

/// Everything that must hold of one installed artifact.
fn examine(
    workspace: &Workspace,
    want: &ArtifactSpec,
    takes: RunClass,
    key: &SealKey,
) -> Result<ArtifactRecord, String> {
    let layout = &workspace.layout;
    let id: &ArtifactId = &want.id;
    let place = InstallPlace::for_artifact(layout, id);
    let known = place.known(key);
    let (record, is_ours) = match rehash(&place, key) {
        Installed::Absent => return Err("it is not installed; `forge ensure` installs it".into()),
        Installed::Damaged(why) => return Err(why),
        Installed::Intact { record, is_ours, .. } => (record, is_ours),
    };
    // Binary and stamp may have been replaced together; the record remembers the stamp.
    if known.is_some_and(|known| known.stamp != record.stamp) {
        return Err("its stamp is not the one that forge installed".into());
    }
    if let Acceptance::No(why) = accept_installed(want, &record, is_ours) {
        return Err(why);
    }
    if let Some(why) = distrust(workspace, &record, want.locked.as_ref(), takes) {
        return Err(format!("it is not trusted: {why}"));
    }
    match links_are_there(layout, id, &record) {
        true => Ok(record),
        false => Err("its link in .forge/bin is missing or points elsewhere".into()),
    }
}

fn json(verdicts: &[VerifyResult]) -> String {
    let line = |verdict: &VerifyResult| {
        serde_json::json!({
            "name": verdict.id.name.as_str(),
            "platform": verdict.id.platform.to_string(),
            "version": verdict.version,
            "ok": verdict.is_good(),
            "wrong": verdict.wrong,
        })
    };
    let document = serde_json::json!({
        "schema": 1,
        "ok": verdicts.iter().all(VerifyResult::is_good),
        "artifacts": verdicts.iter().map(line).collect::<Vec<_>>(),
    });
    format!("{document:#}\n")
}

/// A table with a line for each, and the sum.
pub(super) fn text(verdicts: &[VerifyResult], style: Style) -> String {
    let bad = verdicts.iter().filter(|verdict| !verdict.is_good()).count();
    let sum = match bad {
        0 => format!("{} verified\n", verdicts.len()),
        _ => format!(
            "{bad} of {} failed verification; `forge ensure` obtains them anew\n",
            verdicts.len()
        ),
    };
    format!("{}{sum}", table(verdicts, style))
}

/// A table with a line for each.
fn table(verdicts: &[VerifyResult], style: Style) -> String {
    let mut table = Table::new([
        ("subsystem", Align::Left),
        ("version", Align::Left),
        ("verified", Align::Left),
    ]);
    for verdict in verdicts {
        let (role, text) = match &verdict.wrong {
            None => (Role::Ok, "ok"),
            Some(wrong) => (Role::Error, wrong.as_str()),
        };
        table.row([
            Cell::new(Role::Name, verdict.id.to_string()),
            Cell::new(Role::Plain, &verdict.version),
            Cell::new(role, text),
        ]);
    }
    table.render(style)
}
