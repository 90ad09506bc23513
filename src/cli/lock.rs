//! `forge lock`: moving refs resolved to commits, and written down.

use std::sync::Arc;

use crate::{
    execute::{LockChange, resolve_refs, unlocked_refs, write_lock},
    model::{Fault, Kind},
};

use super::{
    CliError,
    run::jobs,
    session::{Session, select},
};

/// Resolves them. With `update`, also those that are locked already.
pub(super) fn lock(session: &Session, words: &[String], update: bool) -> Result<u8, CliError> {
    let mut workspace = session.workspace()?;
    let names = select(&workspace, words)?;
    if session.flags.offline || session.flags.locked {
        return Err(Fault::new(Kind::Usage, "cannot resolve moving refs")
            .because("--offline and --locked forbid it")
            .into());
    }
    if update {
        for name in &names {
            if let Some(locked) = workspace.lock.subsystems.get_mut(name) {
                locked.commit = None;
            }
        }
    }
    let unlocked = unlocked_refs(&workspace, &names);
    let commits = session.host.runtime()?.block_on(async {
        let runner = Arc::new(session.host.runner(jobs(session)));
        resolve_refs(&*runner, &unlocked).await
    })?;
    let changes: Vec<LockChange> = unlocked
        .iter()
        .filter_map(|subsystem| {
            Some(LockChange {
                commit: Some(commits.get(&subsystem.name)?.clone()),
                ..LockChange::nothing_of(&subsystem.name, subsystem.version.as_str())
            })
        })
        .collect();
    if !session.flags.dry_run {
        let (_at_work, cancel) = (session.host.at_work()?, session.host.cancel());
        write_lock(&workspace.layout, &changes, cancel, &|text| session.note(text))?;
    }
    for change in &changes {
        let commit = change.commit.as_deref().unwrap_or_default();
        session.say(&format!("{} {} is {commit}\n", change.name, change.version))?;
    }
    if changes.is_empty() {
        session.say("every moving ref is locked\n")?;
    }
    Ok(0)
}
