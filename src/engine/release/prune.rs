//! Which releases can go.

use std::collections::BTreeSet;

use jiff::{civil::Date, tz::TimeZone};

use crate::{
    model::{Name, Scheme},
    versioning::DateVersion,
};

use super::{
    catalog::{CatalogEntry, ReleaseCatalog},
    pins::{Pin, Pins},
};

/// What stays of each subsystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// So many of the newest versions.
    pub number: usize,
    /// And whatever is of this day or a later one.
    pub since: Option<Date>,
}

/// The releases of `names` that can go, the oldest of each subsystem first. Pre-releases of a version
/// that is out can always go, if a scheme made both: nobody waits for them any more. What stays:
///
/// - whatever `versions.yml` pins or `forge.lock` locks, in every revision;
/// - what is young enough, by the day in its version or the one on which it was published;
/// - the newest `keep` versions of each subsystem, and, where there are releases of commits too,
///   the newest `keep` of those, since nothing says which of a version and a commit is newer;
/// - a release of a commit of which nothing says when it was published;
/// - whatever is not a subsystem's.
pub fn outdated<'c>(
    catalog: &'c ReleaseCatalog,
    pins: &Pins,
    names: &BTreeSet<Name>,
    keep: RetentionPolicy,
) -> Vec<&'c CatalogEntry> {
    let mut outdated = Vec::new();
    for pin in pins.of_names(names) {
        let stays = |entry: &CatalogEntry| {
            let is_ageless = entry.is_commit() && entry.published().is_none();
            let is_young =
                keep.since.is_some_and(|since| day(entry).is_some_and(|day| day >= since));
            pin.pins(&entry.label) || pin.locks(&entry.label) || is_ageless || is_young
        };
        let (superseded, current): (Vec<_>, Vec<_>) =
            catalog.of_name(&pin.name).partition(|entry| is_superseded(catalog, pin, entry));
        outdated.extend(superseded.into_iter().rev().filter(|entry| !stays(entry)));
        for is_commit in [false, true] {
            let series = current.iter().copied().filter(|entry| entry.is_commit() == is_commit);
            let old: Vec<_> = series.skip(keep.number).filter(|entry| !stays(entry)).collect();
            outdated.extend(old.into_iter().rev());
        }
    }
    outdated
}

/// The day of a release: that in its version, or the one on which it was published.
pub(super) fn day(entry: &CatalogEntry) -> Option<Date> {
    let published = || Some(entry.published()?.to_zoned(TimeZone::UTC).date());
    entry.label.parse::<DateVersion>().ok().map(|version| version.day).or_else(published)
}

/// Whether it is a pre-release of a version that is out.
fn is_superseded(catalog: &ReleaseCatalog, pin: &Pin, entry: &CatalogEntry) -> bool {
    if !matches!(pin.scheme, Some(Scheme::Commits(_))) {
        return false;
    }
    let Some((core, _)) = entry.label.split_once('-') else { return false };
    catalog.of_name(&pin.name).any(|other| other.label == core && !other.info.is_draft)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::sample, *};
    use crate::store::ReleaseInfo;

    /// The tags that can go, of releases with a day each of when they were published.
    fn gone(pins: &Pins, releases: &[(&str, Option<u8>)], keep: usize) -> Vec<String> {
        let release = |(tag, day): &(&str, Option<u8>)| ReleaseInfo {
            published_at: day.map(|day| format!("2026-03-{day:02}T12:00:00Z")),
            ..sample::release(tag, &[])
        };
        let catalog = ReleaseCatalog::from_releases(pins, releases.iter().map(release).collect());
        let names = pins.iter().map(|pin| pin.name.clone()).collect();
        let outdated =
            outdated(&catalog, pins, &names, RetentionPolicy { number: keep, since: None });
        outdated.iter().map(|entry| entry.info.tag.clone()).collect()
    }

    fn of_versions(pins: &Pins, tags: &[&str], keep: usize) -> Vec<String> {
        let releases: Vec<_> = tags.iter().map(|tag| (*tag, None)).collect();
        gone(pins, &releases, keep)
    }

    #[test]
    fn the_newest_stay_by_version_and_not_by_text() {
        let pins = sample::pins(&[("a", "v9.0.0")]);
        let tags = ["a-v1.9.0", "a-v1.10.0", "a-v1.10.0-rc.1", "a-v1.2.0", "a-v1.10.0-r2"];
        assert_eq!(of_versions(&pins, &tags, 2), ["a-v1.2.0", "a-v1.9.0", "a-v1.10.0-rc.1"]);
        assert_eq!(of_versions(&pins, &tags, 1).last().unwrap(), "a-v1.10.0");
        let dates = ["a-20251231.12", "a-20260107.9", "a-20260107.10", "a-20260108.0"];
        assert_eq!(of_versions(&pins, &dates, 2), ["a-20251231.12", "a-20260107.9"]);
    }

    #[test]
    fn what_is_young_stays_and_pre_releases_of_what_is_out_go_first() {
        let with = |scheme: Scheme| {
            let pin = Pin { scheme: Some(scheme), ..sample::pin("a", "0.0.0-unreleased") };
            Pins::new(sample::platforms(), [pin])
        };
        let left = |pins: &Pins, tags: &[&str], keep: RetentionPolicy| {
            let releases = tags.iter().map(|tag| sample::release(tag, &[])).collect();
            let catalog = ReleaseCatalog::from_releases(pins, releases);
            let names = pins.iter().map(|pin| pin.name.clone()).collect();
            let gone = outdated(&catalog, pins, &names, keep);
            gone.iter().map(|entry| entry.info.tag.clone()).collect::<Vec<_>>()
        };
        let dates = with(Scheme::Date);
        let tags = ["a-20251231.12", "a-20260107.9", "a-20260107.10", "a-20260108.0"];
        let keep =
            |number, day| RetentionPolicy { number, since: Some(Date::constant(2026, 1, day)) };
        assert_eq!(left(&dates, &tags, keep(1, 7)), ["a-20251231.12"]);
        assert_eq!(
            left(&dates, &tags, keep(1, 9)),
            ["a-20251231.12", "a-20260107.9", "a-20260107.10"]
        );
        let commits = with(Scheme::Commits(crate::model::Commits::default()));
        let tags =
            ["a-1.2.0", "a-1.3.0-dev.1", "a-1.3.0-dev.2", "a-1.3.0", "a-1.4.0-dev.1", "a-1.1.0"];
        let keep = |number| RetentionPolicy { number, since: None };
        assert_eq!(left(&commits, &tags, keep(9)), ["a-1.3.0-dev.1", "a-1.3.0-dev.2"]);
        assert_eq!(
            left(&commits, &tags, keep(2)),
            ["a-1.3.0-dev.1", "a-1.3.0-dev.2", "a-1.1.0", "a-1.2.0"]
        );
    }

    #[test]
    fn what_is_pinned_or_locked_stays_however_old() {
        let pins = Pins::new(
            sample::platforms(),
            [
                sample::locked(sample::pin("a", "v1"), "v2", None),
                sample::locked(sample::pin("b", "main"), "main", Some(&"ab".repeat(20))),
                sample::pin("c", "dev"),
            ],
        );
        let releases = [
            ("a-v1", None),
            ("a-v1-r2", None),
            ("a-v2", None),
            ("a-v3", None),
            ("a-v4", None),
            ("b-main-abababababab", Some(1)),
            ("b-main-111111111111", Some(2)),
            ("b-main-222222222222", Some(3)),
            ("b-main-333333333333", None),
            ("c-dev-111111111111", Some(1)),
            ("c-dev-222222222222", Some(2)),
            ("v0.1.0", None),
            ("other-v1", None),
        ];
        assert_eq!(gone(&pins, &releases, 1), ["a-v3", "b-main-111111111111"]);
    }

    fn tag() -> impl Strategy<Value = String> {
        let version = prop_oneof![
            (0u8..4, 0u8..4).prop_map(|(a, b)| format!("v{a}.{b}")),
            (0u8..4).prop_map(|commit| format!("main-00000000000{commit}")),
            Just("stray".to_owned()),
        ];
        let revision = prop_oneof![Just(""), Just("-r2"), Just("-r1")];
        ("a|b|a-b|c", version, revision).prop_map(|(n, v, r)| format!("{n}-{v}{r}"))
    }

    proptest! {
        #[test]
        fn neither_what_is_pinned_nor_the_newest_nor_foreign_ones_go(
            tags in prop::collection::btree_set(tag(), 0..24),
            pinned in (0u8..4, 0u8..4),
            days in prop::collection::vec(prop::option::of(1u8..28), 24),
            keep in 1usize..4,
        ) {
            let commit = format!("00000000000{}", pinned.0).repeat(4)[..40].to_owned();
            let version = format!("v{}.{}", pinned.0, pinned.1);
            let pins = Pins::new(sample::platforms(), [
                sample::pin("a", &version),
                sample::locked(sample::pin("b", "main"), "main", Some(&commit)),
                sample::locked(sample::pin("a-b", "v9"), &version, None),
            ]);
            let releases: Vec<_> =
                tags.iter().zip(&days).map(|(tag, day)| (tag.as_str(), *day)).collect();
            let gone = gone(&pins, &releases, keep);
            for tag in &gone {
                for safe in [format!("a-{version}"), format!("a-b-{version}")] {
                    prop_assert!(*tag != safe && *tag != format!("{safe}-r2"), "{tag}");
                }
                let locked = format!("b-main-00000000000{}", pinned.0);
                prop_assert!(!tag.starts_with(&locked), "{tag}");
                prop_assert!(!tag.starts_with("c-") && !tag.contains("stray"), "{tag}");
            }
            // Again, nothing more goes.
            let left: Vec<_> =
                releases.iter().copied().filter(|(tag, _)| !gone.contains(&(*tag).to_owned())).collect();
            prop_assert_eq!(super::tests::gone(&pins, &left, keep), Vec::<String>::new());
            for name in ["a", "b", "a-b"] {
                let of = |list: &[(&str, Option<u8>)]| {
                    let of = |(tag, _): &&(&str, Option<u8>)| {
                        tag.rsplit_once("-v").is_some_and(|(n, _)| n == name)
                    };
                    list.iter().filter(of).count()
                };
                prop_assert!(of(&left) >= of(&releases).min(keep));
            }
        }
    }
}
