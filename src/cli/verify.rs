//! `forge verify`: every installed byte hashed again, whatever `stat` says.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::{
    cache::{Installed, Place, Record, links_are_there, rehash},
    model::{ArtifactId, Kind},
    probe::{Acceptance, Want, Wants, accept, distrust},
    report::{Align, Cell, Role, Table},
    workspace::Workspace,
};

use super::{
    Stop,
    session::{Session, say, select},
};

/// What verifying one artifact gave.
struct Verdict {
    id: ArtifactId,
    version: String,
    wrong: Option<String>,
}

/// Verifies, and names what was tampered with.
pub(super) fn verify(session: &Session, words: &[String]) -> Result<u8, Stop> {
    let workspaces = session.workspaces()?;
    let names = select(workspaces.any(), words)?;
    let private = workspaces.any().stores.is_empty();
    let commits = BTreeMap::new();
    let mut verdicts = Vec::new();
    for platform in workspaces.wanted() {
        let mut wants = Wants::new(workspaces.of(*platform), &commits, private);
        let wanted = wants.of_all(&names).into_par_iter();
        let examined = wanted.map(|(name, want)| {
            let id = ArtifactId { name, platform: *platform };
            let wrong = match want {
                Ok(want) => examine(workspaces.any(), &want).err(),
                Err(fault) => Some(fault.to_string()),
            };
            let version = workspaces.subsystem(&id).version.to_string();
            Verdict { id, version, wrong }
        });
        verdicts.extend(examined.collect::<Vec<_>>());
    }
    show(session, &verdicts)?;
    let good = verdicts.iter().all(|verdict| verdict.wrong.is_none());
    Ok(if good { 0 } else { Kind::Verification.exit_code() })
}

/// Everything that must hold of one installed artifact.
fn examine(workspace: &Workspace, want: &Want) -> Result<(), String> {
    let layout = &workspace.layout;
    let id: &ArtifactId = &want.id;
    let place = Place::of(layout, id);
    let known = Record::read(&place.record);
    let record = match rehash(&place) {
        Installed::Absent => return Err("it is not installed; `forge ensure` installs it".into()),
        Installed::Damaged(why) => return Err(why),
        Installed::Intact { record, .. } => record,
    };
    // Binary and stamp may have been replaced together; the record remembers the stamp.
    if known.is_some_and(|known| known.stamp != record.stamp) {
        return Err("its stamp is not the one that forge installed".into());
    }
    if let Acceptance::No(why) = accept(want, &record.stamp, record.asset()) {
        return Err(why);
    }
    if let Some(why) = distrust(workspace, &record) {
        return Err(format!("it is not trusted (`trust: ci`): {why}"));
    }
    match links_are_there(layout, id, &record) {
        true => Ok(()),
        false => Err("its link in .forge/bin is missing or points elsewhere".into()),
    }
}

fn show(session: &Session, verdicts: &[Verdict]) -> Result<(), Stop> {
    if session.flags.json {
        let line = |verdict: &Verdict| {
            serde_json::json!({
                "name": verdict.id.name.as_str(),
                "platform": verdict.id.platform.to_string(),
                "version": verdict.version,
                "ok": verdict.wrong.is_none(),
                "wrong": verdict.wrong,
            })
        };
        let document = serde_json::json!({
            "schema": 1,
            "ok": verdicts.iter().all(|verdict| verdict.wrong.is_none()),
            "artifacts": verdicts.iter().map(line).collect::<Vec<_>>(),
        });
        say(&format!("{document:#}\n"))?;
        return Ok(());
    }
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
    let bad = verdicts.iter().filter(|verdict| verdict.wrong.is_some()).count();
    let sum = match bad {
        0 => format!("{} verified\n", verdicts.len()),
        _ => format!(
            "{bad} of {} failed verification; `forge ensure` obtains them anew\n",
            verdicts.len()
        ),
    };
    say(&format!("{}{sum}", table.render(session.stdout_style())))?;
    Ok(())
}
