//! `forge check`: every problem of every file at once; and `forge schema`, for editors.

use crate::{
    git::History,
    manifest::{manifest_schema, spec_schema},
    model::{Fault, Kind, counted},
    serve::openapi,
    workspace::Workspace,
};

use super::{
    CliError,
    desk::{mistaken, tags_here},
    next::warn,
    reference::document_schema,
    session::Session,
    shadow::{note, taken_names},
};

/// Checks the workspace. Problems end up on standard error, as those of any verb.
pub(super) fn check(session: &Session) -> Result<u8, CliError> {
    let workspace = session.workspace()?;
    warn_of_tags(session, &workspace)?;
    let cancel = session.host.cancel();
    if cancel.is_cancelled() {
        return Err(cancel.fault("the check").into());
    }
    let warnings = warn_of_names(session, &workspace);
    if session.flags.json {
        let document = serde_json::json!({
            "schema": 1,
            "subsystems": workspace.subsystems.len(),
            "tasks": workspace.tasks.len(),
            "problems": [],
            "warnings": warnings,
        });
        session.say(&format!("{document:#}\n"))?;
        return Ok(0);
    }
    let what = counted(workspace.subsystems.len(), "subsystem");
    if !session.flags.quiet {
        session.say(&format!("{what} in {}: no problems\n", workspace.layout.root().display()))?;
    }
    Ok(0)
}

/// Warns of tasks that a verb stands before. Returns what was said.
fn warn_of_names(session: &Session, workspace: &Workspace) -> Vec<String> {
    let taken = taken_names();
    let mut said = Vec::new();
    for task in workspace.tasks.values() {
        let Some(note) = note(task, &taken) else { continue };
        let place = format!("{}:{}", task.place.file.display(), task.line);
        let what = format!("the task `{}` has the name of a verb ({place})", task.name);
        warn(session, Some(&Fault::new(Kind::Usage, what.clone()).hint(note)));
        said.push(what);
    }
    said
}

/// Warns of tags of this clone that look like versions and count as none. Without git or a
/// repository there are none.
fn warn_of_tags(session: &Session, workspace: &Workspace) -> Result<(), Fault> {
    if workspace.subsystems.values().all(|subsystem| subsystem.scheme.is_none()) {
        return Ok(());
    }
    let runner = session.host.runner(1);
    let Some(history) = History::around(&runner, workspace.layout.root()) else { return Ok(()) };
    let Ok(tags) = session.host.runtime()?.block_on(tags_here(&history)) else { return Ok(()) };
    for subsystem in workspace.subsystems.values() {
        warn(session, mistaken(subsystem, &tags).as_ref());
    }
    Ok(())
}

/// Prints a schema.
pub(super) fn schema(session: &Session, of: &str) -> Result<u8, CliError> {
    let schema = match of {
        "spec" => spec_schema(),
        "api" => openapi(),
        of => document_schema(of).unwrap_or_else(manifest_schema),
    };
    session.say(&format!("{schema:#}\n"))?;
    Ok(0)
}
