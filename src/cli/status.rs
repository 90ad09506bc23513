//! `forge status`: what is pinned, installed and released.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    cache::{InstallPlace, Installed, KnownRelease, inspect},
    model::{ArtifactId, Fault},
    probe::{Acceptance, ArtifactSpec, Finding, NOT_ASKED, Verdict, accept_installed, distrust},
    report::{Align, Cell, Role, Table, human_size},
    workspace::Workspace,
};

use super::{
    CliError,
    images::{self, Seen},
    misses::MissSearch,
    publish::Publish,
    run::{RunRequest, probe_only},
    session::{Session, Stores, select},
};

/// One line of the table.
struct StatusRow {
    id: ArtifactId,
    pinned: String,
    installed: (Role, String),
    released: ReleaseAnswer,
    bytes: u64,
}

/// Shows the table.
pub(super) fn status(session: &Session, words: &[String]) -> Result<u8, CliError> {
    let workspaces = Arc::new(session.workspaces()?);
    let names = select(workspaces.any(), words)?;
    let request =
        RunRequest { workspaces: workspaces.clone(), names: &names, publish: Publish::AsUsual };
    let (probed, stores) = probe_only(session, &request)?;
    let ids: BTreeSet<ArtifactId> = workspaces.artifacts(&names).collect();
    let mut lines = Vec::new();
    for id in &ids {
        let want = match probed.findings.get(id) {
            Some(Ok(finding)) => Some(&finding.want),
            _ => None,
        };
        let (installed, bytes) = installed(session, workspaces.any(), id, want);
        let pinned = workspaces.subsystem(id).version.to_string();
        lines.push(StatusRow {
            id: id.clone(),
            pinned,
            installed,
            released: ReleaseAnswer::Miss,
            bytes,
        });
    }
    let search = MissSearch::new(session, &workspaces, &stores);
    let mut released = session.host.runtime()?.wait_for(search.findings(&ids));
    for line in &mut lines {
        if let Some(finding) = released.remove(&line.id) {
            line.released = ReleaseAnswer::from_finding(finding, &stores);
        }
    }
    let images = images::with_images(workspaces.any(), &names);
    show(session, &lines, &images::seen(session, &images)?)?;
    Ok(0)
}

fn installed(
    session: &Session,
    workspace: &Workspace,
    id: &ArtifactId,
    want: Option<&ArtifactSpec>,
) -> ((Role, String), u64) {
    match inspect(&InstallPlace::for_artifact(&workspace.layout, id), session.host.seal_key()) {
        Installed::Absent => ((Role::Dim, "-".into()), 0),
        Installed::Damaged(why) => ((Role::Error, format!("damaged: {why}")), 0),
        Installed::Intact { record, is_ours, .. } => {
            let version = record.stamp.version.clone();
            let bytes = record.bytes();
            let locked = want.and_then(|want| want.locked.as_ref());
            let takes = session.surroundings().classes(false).takes;
            let distrusted = distrust(workspace, &record, locked, takes).is_some();
            let text = match want.map(|want| accept_installed(want, &record, is_ours)) {
                Some(Acceptance::No(why)) => (Role::Warn, format!("{version} ({why})")),
                Some(_) if distrusted => (Role::Warn, format!("{version} (not trusted)")),
                Some(Acceptance::WithWarning(_)) => {
                    (Role::Warn, format!("{version} (another recipe)"))
                }
                Some(Acceptance::Yes) => (Role::Ok, version),
                None => (Role::Plain, version),
            };
            (text, bytes)
        }
    }
}

/// What the stores say of an artifact.
enum ReleaseAnswer {
    /// This one has it.
    Hit(String),
    /// None has it.
    Miss,
    /// This one has another under its version.
    Other(String),
    /// One was not asked, or did not say.
    Unknown(String),
}

impl ReleaseAnswer {
    fn from_finding(finding: Result<Finding, Fault>, stores: &Stores) -> Self {
        let label =
            |url: &str| if stores.private { "your store".to_owned() } else { url.to_owned() };
        let finding = match finding {
            Ok(finding) => finding,
            Err(fault) => return Self::Unknown(fault.to_string()),
        };
        match (finding.verdict, finding.taken, finding.unasked) {
            (Verdict::Released { store, .. }, ..) => Self::Hit(label(stores.all[store].url())),
            (_, Some(KnownRelease::HoldsOther { store, why }), _) => {
                let other = || format!("{} has another", label(&store));
                Self::Other(why.map_or_else(other, |why| why.to_string()))
            }
            (_, _, Some(_)) => Self::Unknown(NOT_ASKED.to_owned()),
            _ => Self::Miss,
        }
    }

    /// The word that images have for it, too.
    fn word(&self) -> &'static str {
        match self {
            Self::Hit(_) => "hit",
            Self::Miss => "miss",
            Self::Other(_) => "other",
            Self::Unknown(_) => "unknown",
        }
    }

    fn cell(&self) -> (Role, &str) {
        match self {
            Self::Hit(text) => (Role::Ok, text),
            Self::Miss => (Role::Dim, "-"),
            Self::Other(text) => (Role::Warn, text),
            Self::Unknown(text) if text == NOT_ASKED => (Role::Dim, text),
            Self::Unknown(text) => (Role::Error, text),
        }
    }
}

fn show(session: &Session, lines: &[StatusRow], images: &[Seen]) -> Result<(), CliError> {
    if session.flags.json {
        let line = |line: &StatusRow| {
            serde_json::json!({
                "name": line.id.name.as_str(),
                "platform": line.id.platform.to_string(),
                "pinned": line.pinned,
                "installed": line.installed.1,
                "released": line.released.cell().1,
                "state": line.released.word(),
                "bytes": line.bytes,
            })
        };
        let mut document = serde_json::json!({
            "schema": 1,
            "subsystems": lines.iter().map(line).collect::<Vec<_>>(),
        });
        images::add_to(&mut document, images);
        session.say(&format!("{document:#}\n"))?;
        return Ok(());
    }
    let mut table = Table::new([
        ("subsystem", Align::Left),
        ("pinned", Align::Left),
        ("installed", Align::Left),
        ("size", Align::Right),
        ("released", Align::Left),
    ]);
    for line in lines {
        let (role, released) = line.released.cell();
        let size = if line.bytes == 0 { String::new() } else { human_size(line.bytes) };
        table.row([
            Cell::new(Role::Name, line.id.to_string()),
            Cell::new(Role::Plain, &line.pinned),
            Cell::new(line.installed.0, &line.installed.1),
            Cell::new(Role::Plain, size),
            Cell::new(role, released),
        ]);
    }
    let style = session.stdout_style();
    let between = if images.is_empty() || table.is_empty() { "" } else { "\n" };
    let of_images = match images.is_empty() {
        true => String::new(),
        false => images::states(&images.iter().collect::<Vec<_>>()).render(style),
    };
    session.say(&format!("{}{between}{of_images}", table.render(style)))?;
    Ok(())
}
