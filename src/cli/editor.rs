//! What editors check `versions.yml` and specs with: the schemas of this forge, in `.forge/schema`, where
//! the first line of the files that `forge init` writes points.

use crate::{
    cache::{make_folder, write_state},
    disk::read_text,
    manifest::{manifest_schema, spec_schema},
    model::{Fault, Layout},
};

/// How long a schema is believed to be at most.
const MAX_BYTES: u64 = 4 << 20;

/// Makes `.forge/schema` hold the schemas of this forge, unless it does.
///
/// # Errors
/// If they cannot be written.
pub(super) fn keep_schemas(layout: &Layout) -> Result<(), Fault> {
    let folder = layout.forge().join("schema");
    let id = format!("\"$id\": \"urn:forge:schema:versions:{}\"", env!("CARGO_PKG_VERSION"));
    let is_kept = |text: String| text.contains(&id);
    if read_text(&folder.join("versions.json"), MAX_BYTES).is_ok_and(is_kept) {
        return Ok(());
    }
    make_folder(layout, &folder)?;
    // The one that is looked at comes last.
    for (name, schema) in [("spec.json", spec_schema()), ("versions.json", manifest_schema())] {
        write_state(layout, &folder.join(name), format!("{schema:#}\n").as_bytes())?;
    }
    Ok(())
}
