//! Is this artifact the pinned one? One rule for what is installed, cached and released.

use crate::{
    cache::ArtifactRecord,
    model::{Binaries, BinaryName, Fault, Kind, LockedAsset, Stamp},
};

use super::want::ArtifactSpec;

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
pub fn accept(want: &ArtifactSpec, stamp: &Stamp, asset: Option<&LockedAsset>) -> Acceptance {
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
    if let Some(extra) = stamp.binaries.keys().find(|name| !want.binaries.contains(name)) {
        return Acceptance::No(format!("it has a binary `{extra}`, which the spec does not name"));
    }
    if let Some(why) = want.locked_binaries.as_ref().and_then(|locked| differing(locked, stamp)) {
        return Acceptance::No(why);
    }
    if want.has(stamp.fingerprint) || want.is_past && asset.is_some() {
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
            "the release is used as it is; `forge release:binary {}` builds by the new recipe and releases it as the next revision",
            want.id.name
        )),
    )
}

/// Compares what is installed with what is wanted. `is_ours` says that this user's forge vouches for
/// the record (see [`crate::cache::Installed`]); nobody else's counts, unless `forge.lock` has the
/// digest of each binary.
pub fn accept_installed(want: &ArtifactSpec, record: &ArtifactRecord, is_ours: bool) -> Acceptance {
    if !is_ours && want.locked_binaries.is_none() {
        return Acceptance::No(
            "no record says that it was installed by forge as you run it on this machine".into(),
        );
    }
    // What was built here and is in no release was not taken from anybody.
    let is_of_here = is_ours && record.made.is_some() && record.asset().is_none();
    if is_of_here && want.locked_binaries.is_some() {
        let want = ArtifactSpec { locked_binaries: None, ..want.clone() };
        return accept(&want, &record.stamp, record.asset());
    }
    accept(want, &record.stamp, record.asset())
}

/// In which binary a stamp differs from what `forge.lock` pins.
fn differing(locked: &Binaries, stamp: &Stamp) -> Option<String> {
    let differs = |name: &&BinaryName| stamp.binaries.get(*name) != locked.get(*name);
    let name = stamp.binaries.keys().chain(locked.keys()).find(differs)?;
    let short = |binaries: &Binaries| binaries.get(name).map_or("absent".into(), |d| d.short());
    Some(format!("its `{name}` is {}, forge.lock pins {}", short(&stamp.binaries), short(locked)))
}

/// `its source differs`: the fields in which a stamp differs from the recipe it is nearer to.
fn differing_fields(want: &ArtifactSpec, stamp: &Stamp) -> String {
    let prints = want.build.iter().chain(&want.upstream);
    let fields = prints.map(|print| stamp.differing_inputs(&print.inputs));
    let fields = fields.min_by_key(Vec::len).unwrap_or_default();
    match fields.as_slice() {
        [] => "its recipe differs".into(),
        [field] => format!("its `{field}` differs"),
        [fields @ .., last] => format!("its `{}` and `{last}` differ", fields.join("`, `")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cache::{CacheKey, KnownRelease, Made},
        model::{ArtifactId, FingerprintBuilder, Name, Platform, Sha256, TagStem},
        probe::RecipePrint,
    };

    fn print(steps: &str) -> RecipePrint {
        let (fingerprint, inputs) =
            FingerprintBuilder::new().add("version", "v1").add("steps", steps).finish();
        RecipePrint { fingerprint, inputs, cache_key: CacheKey::Build(fingerprint) }
    }

    fn want() -> ArtifactSpec {
        ArtifactSpec {
            id: ArtifactId { name: Name::new("nats").unwrap(), platform: Platform::host() },
            stem: TagStem::for_subsystem(&Name::new("nats").unwrap()),
            version: "v1".into(),
            tag: "nats-v1".into(),
            asset: "nats.tar.gz".into(),
            commit: None,
            binaries: vec![BinaryName::new("nats").unwrap()],
            build: Some(print("make")),
            upstream: None,
            tree: None,
            locked: None,
            locked_binaries: None,
            locked_upstream: None,
            in_repo: false,
            strict: false,
            is_past: false,
        }
    }

    fn stamp(steps: &str) -> Stamp {
        let RecipePrint { fingerprint, inputs, .. } = print(steps);
        Stamp {
            name: Name::new("nats").unwrap(),
            version: "v1".into(),
            commit: None,
            platform: Platform::host(),
            fingerprint,
            inputs,
            binaries: binaries(&[("nats", 7)]),
        }
    }

    fn binaries(all: &[(&str, u8)]) -> Binaries {
        let binary =
            |(name, byte): &(&str, u8)| (BinaryName::new(name).unwrap(), Sha256([*byte; 32]));
        all.iter().map(binary).collect()
    }

    fn asset(byte: u8) -> LockedAsset {
        let fingerprint = stamp("make").fingerprint;
        LockedAsset {
            fingerprint,
            sha256: Sha256([byte; 32]),
            size: 1,
            revision: crate::model::Revision::FIRST,
        }
    }

    #[test]
    fn the_same_recipe_is_accepted_wherever_it_comes_from() {
        assert_eq!(accept(&want(), &stamp("make"), None), Acceptance::Yes);
        assert_eq!(accept(&want(), &stamp("make"), Some(&asset(1))), Acceptance::Yes);
    }

    #[test]
    fn a_release_by_another_recipe_serves_with_a_warning() {
        let Acceptance::WithWarning(fault) = accept(&want(), &stamp("cmake"), Some(&asset(1)))
        else {
            panic!("a pinned external source keeps its release");
        };
        assert_eq!(fault.why, ["its `steps` differs"]);
    }

    #[test]
    fn in_repo_code_and_local_builds_get_no_such_grace() {
        let in_repo = ArtifactSpec { strict: true, ..want() };
        let no = Acceptance::No("its `steps` differs".into());
        assert_eq!(accept(&in_repo, &stamp("cmake"), Some(&asset(1))), no);
        assert_eq!(accept(&want(), &stamp("cmake"), None), no);
    }

    #[test]
    fn what_the_lock_pins_is_not_traded_for_another_asset() {
        let locked = ArtifactSpec { locked: Some(asset(1)), ..want() };
        assert_eq!(accept(&locked, &stamp("make"), Some(&asset(1))), Acceptance::Yes);
        assert!(matches!(accept(&locked, &stamp("make"), Some(&asset(2))), Acceptance::No(_)));
    }

    #[test]
    fn another_version_platform_commit_or_binary_is_another_artifact() {
        let other = "windows-arm64".parse().unwrap();
        let none = Binaries::new();
        let more = binaries(&[("nats", 7), ("ls", 7)]);
        for stamp in [
            Stamp { version: "v2".into(), ..stamp("make") },
            Stamp { platform: other, ..stamp("make") },
            Stamp { commit: Some("b".repeat(40)), ..stamp("make") },
            Stamp { binaries: none, ..stamp("make") },
            Stamp { binaries: more, ..stamp("make") },
        ] {
            let want = ArtifactSpec { commit: Some("a".repeat(40)), ..want() };
            assert!(matches!(accept(&want, &stamp, None), Acceptance::No(_)), "{stamp:?}");
        }
    }

    #[test]
    fn what_the_lock_pins_of_binaries_counts_whoever_says_otherwise() {
        let pinned = |byte| ArtifactSpec {
            locked: Some(asset(1)),
            locked_binaries: Some(binaries(&[("nats", byte)])),
            ..want()
        };
        let released = KnownRelease::Holds { store: "dir:x".into(), asset: asset(1) };
        let record = ArtifactRecord::unknown(stamp("make"), std::collections::BTreeMap::new());
        let record = ArtifactRecord { release: Some(released), ..record };
        for is_ours in [true, false] {
            assert_eq!(accept_installed(&pinned(7), &record, is_ours), Acceptance::Yes);
            let no = accept_installed(&pinned(8), &record, is_ours);
            assert!(
                matches!(&no, Acceptance::No(why) if why.contains("forge.lock pins")),
                "{no:?}"
            );
        }
        assert_eq!(accept_installed(&want(), &record, true), Acceptance::Yes);
        assert!(matches!(accept_installed(&want(), &record, false), Acceptance::No(_)));
    }

    #[test]
    fn what_was_built_here_and_not_released_serves_here() {
        let want = ArtifactSpec {
            locked: Some(asset(1)),
            locked_binaries: Some(binaries(&[("nats", 8)])),
            ..want()
        };
        let record = ArtifactRecord::unknown(stamp("make"), std::collections::BTreeMap::new());
        let built = ArtifactRecord { made: Some(Made::default()), ..record.clone() };
        assert_eq!(accept_installed(&want, &built, true), Acceptance::Yes);
        assert!(matches!(accept_installed(&want, &built, false), Acceptance::No(_)), "says who?");
        assert!(
            matches!(accept_installed(&want, &record, true), Acceptance::No(_)),
            "made by whom?"
        );
    }
}
