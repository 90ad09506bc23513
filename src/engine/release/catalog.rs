//! The releases in a store, each with the subsystem it belongs to.
//!
//! A tag is `<subsystem>-<version>`, and both may hold hyphens. Read wrong, a release of
//! something else would count as a subsystem's old version and be removed, so a tag is a
//! subsystem's only if what follows the name is what `versions.yml` pins, or looks like a version
//! or like a commit of a branch; the longest name wins.

use std::{cmp::Ordering, collections::BTreeSet};

use jiff::Timestamp;

use crate::{
    model::{Name, Platform, Precedence, Revision, asset_platform},
    store::ReleaseInfo,
};

use super::pins::{Pin, Pins, commit_of};

/// The releases of a store.
#[derive(Clone, Debug, Default)]
pub struct ReleaseCatalog {
    /// Those of subsystems, by name, the newest first.
    pub entries: Vec<CatalogEntry>,
    /// Those of the project and of whatever else.
    pub others: Vec<ReleaseInfo>,
}

/// A release of a subsystem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogEntry {
    /// The subsystem.
    pub name: Name,
    /// The version, as it stands in the tag.
    pub label: String,
    /// Which release of that version.
    pub revision: Revision,
    /// What the store says of it.
    pub info: ReleaseInfo,
}

impl ReleaseCatalog {
    /// Sorts `releases` by the subsystems that `pins` knows.
    pub fn from_releases(pins: &Pins, releases: Vec<ReleaseInfo>) -> Self {
        let mut catalog = Self::default();
        for info in releases {
            match read(pins, &info.tag) {
                Some((name, label, revision)) => {
                    catalog.entries.push(CatalogEntry { name, label, revision, info });
                }
                None => catalog.others.push(info),
            }
        }
        catalog.sort();
        catalog
    }

    /// A catalog of releases of which it is known whose they are.
    pub fn from_entries(entries: Vec<CatalogEntry>) -> Self {
        let mut catalog = Self { entries, others: Vec::new() };
        catalog.sort();
        catalog
    }

    fn sort(&mut self) {
        self.entries.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| newest_first(a, b)));
    }

    /// The releases of `names` alone.
    #[must_use]
    pub fn only(mut self, names: &BTreeSet<Name>) -> Self {
        self.entries.retain(|entry| names.contains(&entry.name));
        self
    }

    /// The releases of one subsystem, the newest first.
    pub fn of_name(&self, name: &Name) -> impl Iterator<Item = &CatalogEntry> {
        self.entries.iter().filter(move |entry| entry.name == *name)
    }
}

impl CatalogEntry {
    /// The release of `pin` at `label`.
    pub fn new(pin: &Pin, label: &str, revision: Revision, info: ReleaseInfo) -> Self {
        Self { name: pin.name.clone(), label: label.to_owned(), revision, info }
    }

    /// The platforms it has assets for.
    pub fn platforms(&self) -> BTreeSet<Platform> {
        self.info.assets.iter().filter_map(|asset| asset_platform(&asset.name)).collect()
    }

    /// Those of `platforms` it has no asset for.
    pub fn lacks(&self, platforms: &[Platform]) -> Vec<Platform> {
        let present = self.platforms();
        platforms.iter().copied().filter(|platform| !present.contains(platform)).collect()
    }

    /// The size of all its files in bytes.
    pub fn bytes(&self) -> u64 {
        self.info.assets.iter().map(|asset| asset.size).sum()
    }

    /// Whether it was released from a commit, which has no number and only an age.
    pub fn is_commit(&self) -> bool {
        Precedence::parse(&self.label).is_none()
    }

    /// When it was published, if the store says.
    pub fn published(&self) -> Option<Timestamp> {
        self.info.published_at.as_deref()?.parse().ok()
    }
}

/// Versions before commits; versions by their order, commits by when they were published; what is
/// alike so far by its label, and of one label the last revision first. Each step compares the
/// same thing of all, or there would be no order.
fn newest_first(a: &CatalogEntry, b: &CatalogEntry) -> Ordering {
    let by_version = match (Precedence::parse(&a.label), Precedence::parse(&b.label)) {
        (Some(a), Some(b)) => b.cmp(&a),
        (None, None) => b.published().cmp(&a.published()),
        (a, b) => b.is_some().cmp(&a.is_some()),
    };
    by_version
        .then_with(|| a.label.cmp(&b.label))
        .then_with(|| b.revision.cmp(&a.revision))
        .then_with(|| a.info.tag.cmp(&b.info.tag))
}

/// The subsystem, version and revision that a tag means.
fn read(pins: &Pins, tag: &str) -> Option<(Name, String, Revision)> {
    let readings = pins.iter().filter_map(|pin| {
        let (label, revision) = pin.tag.read(tag)?;
        Some((pin, label, revision))
    });
    let likely = readings.filter_map(|(pin, label, revision)| {
        let is_wanted = pin.pins(label) || pin.locks(label);
        (is_wanted || is_release(pin, label)).then_some((is_wanted, pin, label, revision))
    });
    let (_, pin, label, revision) =
        likely.max_by_key(|(is_wanted, pin, ..)| (*is_wanted, pin.tag.as_str().len()))?;
    Some((pin.name.clone(), label.to_owned(), revision))
}

/// Whether `label` is what a release of `pin` may be called.
fn is_release(pin: &Pin, label: &str) -> bool {
    let is_hash = label.len() == 40 && label.bytes().all(|b| b.is_ascii_hexdigit());
    if is_hash {
        return true;
    }
    if Precedence::parse(label).is_some() {
        // `go-1-v2.0` is version v2.0 of another subsystem, `go-1`.
        return !label.split('-').skip(1).any(is_version_with_v);
    }
    // `nats-ui-main-0123456789ab` may be of a subsystem `nats-ui` that is gone by now.
    commit_of(label)
        .is_some_and(|(reference, _)| reference == pin.reference() || !reference.contains('-'))
}

fn is_version_with_v(part: &str) -> bool {
    part.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    fn read_as(pins: &Pins, tag: &str) -> Option<String> {
        read(pins, tag).map(|(name, label, revision)| format!("{name} {label} {revision}"))
    }

    #[test]
    fn a_tag_is_of_the_subsystem_whose_version_it_holds() {
        let pins = sample::pins(&[("nats", "v2.0"), ("nats-ui", "main"), ("go", "1.22")]);
        for (tag, read) in [
            ("nats-v1.9", "nats v1.9 r1"),
            ("nats-v1.9-r3", "nats v1.9 r3"),
            ("nats-ui-v1.0", "nats-ui v1.0 r1"),
            ("nats-ui-main-0123456789ab", "nats-ui main-0123456789ab r1"),
            ("nats-main-0123456789ab-r2", "nats main-0123456789ab r2"),
            ("go-1.22rc1", "go 1.22rc1 r1"),
            ("go-20260107.0", "go 20260107.0 r1"),
        ] {
            assert_eq!(read_as(&pins, tag).as_deref(), Some(read), "{tag}");
        }
        let hash = format!("go-{}", "0a".repeat(20));
        assert!(read_as(&pins, &hash).is_some());
    }

    #[test]
    fn what_may_be_anothers_is_nobodys() {
        let pins = sample::pins(&[("nats", "v2.0"), ("go", "1.22")]);
        for tag in [
            "v1.0.0",
            "nats",
            "nats-",
            "natsy-v1.0",
            "nats-ui-v1.0",
            "nats-ui-main-0123456789ab",
            "nats-latest",
            "nats-nightly",
            "nats-v1.0-r1",
            "go-1-v2.0",
            "other-v1.0",
        ] {
            assert_eq!(read_as(&pins, tag), None, "{tag}");
        }
    }

    #[test]
    fn what_is_pinned_is_read_as_that() {
        let pins = sample::pins(&[("a", "1-v2"), ("a-1", "v3")]);
        assert_eq!(read_as(&pins, "a-1-v2").as_deref(), Some("a 1-v2 r1"));
        assert_eq!(read_as(&pins, "a-1-v3").as_deref(), Some("a-1 v3 r1"));
    }

    #[test]
    fn the_newest_is_first() {
        let pins = sample::pins(&[("a", "v1")]);
        let release = |(tag, published): (&str, &str)| {
            let mut info = sample::release(tag, &[]);
            info.published_at = Some(published.to_owned()).filter(|text| !text.is_empty());
            info
        };
        let releases = [
            ("a-v1.9.0", "2026-03-01T00:00:00Z"),
            ("a-main-00000000000a", "2026-01-02T00:00:00Z"),
            ("a-v1.10.0-r2", ""),
            ("a-main-00000000000b", "2026-01-03T00:00:00+09:00"),
            ("a-v1.10.0-r10", ""),
            ("a-main-00000000000c", ""),
            ("a-v1.10.0", ""),
        ];
        let catalog =
            ReleaseCatalog::from_releases(&pins, releases.into_iter().map(release).collect());
        let tags: Vec<_> = catalog.entries.iter().map(|entry| &entry.info.tag[2..]).collect();
        let newest_first = [
            "v1.10.0-r10",
            "v1.10.0-r2",
            "v1.10.0",
            "v1.9.0",
            "main-00000000000b",
            "main-00000000000a",
            "main-00000000000c",
        ];
        assert_eq!(tags, newest_first);
    }
}
