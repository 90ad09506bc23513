//! `forge check`: every problem of every file at once; and `forge schema`, for editors.

use crate::manifest::{manifest_schema, spec_schema};

use super::{
    Stop,
    choice::SchemaOf,
    session::{Session, say},
};

/// Checks the workspace. Problems end up on standard error, as those of any verb.
pub(super) fn check(session: &Session) -> Result<u8, Stop> {
    let workspace = session.workspace()?;
    let count = workspace.subsystems.len();
    let what = if count == 1 { "1 subsystem" } else { &format!("{count} subsystems") };
    if !session.flags.quiet {
        say(&format!("{what} in {}: no problems\n", workspace.layout.root().display()))?;
    }
    Ok(0)
}

/// Prints a schema.
pub(super) fn schema(of: SchemaOf) -> Result<u8, Stop> {
    let schema = match of {
        SchemaOf::Manifest => manifest_schema(),
        SchemaOf::Spec => spec_schema(),
    };
    say(&format!("{schema:#}\n"))?;
    Ok(0)
}
