//! `forge status`: what is pinned, installed and released.

use std::sync::Arc;

use futures_util::{StreamExt, stream};

use crate::{
    cache::{InstallPlace, Installed, inspect},
    model::ArtifactId,
    probe::{Acceptance, ArtifactSpec, accept_installed, distrust},
    report::{Align, Cell, Role, Table, human_size},
    workspace::Workspace,
};

use super::{
    CliError,
    images::{self, Seen},
    publish::Publish,
    run::{RunRequest, probe_only},
    session::{Session, Stores, select},
};

/// One line of the table.
struct StatusRow {
    id: ArtifactId,
    pinned: String,
    installed: (Role, String),
    released: (Role, String),
    bytes: u64,
}

/// Shows the table.
pub(super) fn status(session: &Session, words: &[String]) -> Result<u8, CliError> {
    let workspaces = Arc::new(session.workspaces()?);
    let names = select(workspaces.any(), words)?;
    let request =
        RunRequest { workspaces: workspaces.clone(), names: &names, publish: Publish::AsUsual };
    let (probed, stores) = probe_only(session, &request)?;
    let ids: Vec<ArtifactId> = workspaces.artifacts(&names).collect();
    let mut lines = Vec::new();
    for id in &ids {
        let want = match probed.findings.get(id) {
            Some(Ok(finding)) => Some(&finding.want),
            _ => None,
        };
        let (installed, bytes) = installed(session, workspaces.any(), id, want);
        let pinned = workspaces.subsystem(id).version.to_string();
        lines.push(StatusRow { id: id.clone(), pinned, installed, released: unknown(), bytes });
    }
    let wants: Vec<_> = ids
        .iter()
        .map(|id| match probed.findings.get(id) {
            Some(Ok(finding)) => Ok(finding.want.clone()),
            Some(Err(fault)) => Err(fault.to_string()),
            None => Err("not looked for".into()),
        })
        .collect();
    let released = session.host.runtime()?.wait_for(async {
        let looks = wants.iter().map(|want| released(want, &stores, session.flags.offline));
        stream::iter(looks).buffered(16).collect::<Vec<_>>().await
    });
    for (line, released) in lines.iter_mut().zip(released) {
        line.released = released;
    }
    let images = images::with_images(workspaces.any(), &names);
    show(session, &lines, &images::seen(session, &images)?)?;
    Ok(0)
}

fn unknown() -> (Role, String) {
    (Role::Dim, "unknown".into())
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

/// Which stores have the asset.
async fn released(
    want: &Result<ArtifactSpec, String>,
    stores: &Stores,
    offline: bool,
) -> (Role, String) {
    let want = match want {
        Ok(want) => want,
        Err(why) => return (Role::Error, why.clone()),
    };
    let mut found = Vec::new();
    for store in &stores.all {
        if offline && crate::probe::is_remote(store.url()) {
            return unknown();
        }
        match store.find(&want.tag, &want.asset).await {
            Ok(Some(_)) => found.push(store.url().to_owned()),
            Ok(None) => {}
            Err(fault) => return (Role::Error, fault.to_string()),
        }
    }
    match (found.is_empty(), stores.private) {
        (true, _) => (Role::Dim, "-".into()),
        (false, true) => (Role::Ok, "your store".into()),
        (false, false) => (Role::Ok, found.join(", ")),
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
                "released": line.released.1,
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
        let size = if line.bytes == 0 { String::new() } else { human_size(line.bytes) };
        table.row([
            Cell::new(Role::Name, line.id.to_string()),
            Cell::new(Role::Plain, &line.pinned),
            Cell::new(line.installed.0, &line.installed.1),
            Cell::new(Role::Plain, size),
            Cell::new(line.released.0, &line.released.1),
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
