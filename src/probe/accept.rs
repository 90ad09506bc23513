//! Is this artifact the pinned one? One rule for what is installed, cached and released.

use crate::model::{Fault, Kind, LockedAsset, Stamp};

use super::want::Want;

/// The answer, with what must be said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// It is the pinned artifact.
    Yes,
    /// It is the pinned version, released under another recipe.
    WithWarning(Fault),
    /// It is something else.
    No(String),
}

/// Compares a stamp, and the asset it came from if any, with what is wanted.
pub fn accept(want: &Want, stamp: &Stamp, asset: Option<&LockedAsset>) -> Acceptance {
    let no = |what: &str, found: &str, wanted: &str| {
        Acceptance::No(format!("its {what} is {found}, pinned is {wanted}"))
    };
    if stamp.name != want.id.name {
        return no("name", stamp.name.as_str(), want.id.name.as_str());
    }
    if stamp.version != want.version {
        return no("version", &stamp.version, &want.version);
    }
    if stamp.platform != want.id.platform {
        let (found, wanted) = (stamp.platform.to_string(), want.id.platform.to_string());
        return no("platform", &found, &wanted);
    }
    if let (Some(locked), Some(asset)) = (&want.locked, asset)
        && locked.sha256 != asset.sha256
    {
        return no("asset's sha256", &asset.sha256.short(), &locked.sha256.short());
    }
    if let (Some(found), Some(wanted)) = (&stamp.commit, &want.commit)
        && found != wanted
    {
        return no("commit", found, wanted);
    }
    if let Some(missing) = want.binaries.iter().find(|b| !stamp.binaries.contains_key(*b)) {
        return Acceptance::No(format!("it has no binary `{missing}`"));
    }
    if want.has(stamp.fingerprint) {
        return Acceptance::Yes;
    }
    let fields = differing_fields(want, stamp);
    if want.strict || asset.is_none() {
        return Acceptance::No(fields);
    }
    Acceptance::WithWarning(
        Fault::new(
            Kind::Verification,
            format!("the release {} was built by another recipe than the spec has now", want.tag),
        )
        .because(fields)
        .hint(format!(
            "the release is used as it is; `forge ensure --force {}` builds by the new recipe, a new version releases it",
            want.id.name
        )),
    )
}

/// `its source differs`: the fields in which a stamp differs from the recipe it is nearer to.
fn differing_fields(want: &Want, stamp: &Stamp) -> String {
    let prints = want.build.iter().chain(&want.upstream);
    let fields = prints.map(|print| stamp.differing_inputs(&print.inputs));
    let fields = fields.min_by_key(Vec::len).unwrap_or_default();
    match fields.as_slice() {
        [] => "its recipe differs".into(),
        [field] => format!("its {field} differs"),
        [fields @ .., last] => format!("its {} and {last} differ", fields.join(", ")),
    }
}
