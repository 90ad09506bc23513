//! What is not as it should be among the releases of a store.

use std::{collections::BTreeMap, fmt};

use crate::{
    model::{LockedAsset, Name, Platform, Revision, Scheme, Sha256, asset_platform},
    store::{ReleaseAsset, checksum_name},
};

use super::{
    catalog::CatalogEntry,
    pins::{Pin, Pins},
};

/// A release with what was read of it for the audit.
#[derive(Clone, Debug)]
pub struct Audited {
    /// The release.
    pub entry: CatalogEntry,
    /// For each asset with a checksum beside it, the digest that this gives, or why it gives none.
    pub checksums: BTreeMap<String, Result<Sha256, String>>,
    /// For each asset that was downloaded, the digest of its bytes.
    pub hashed: BTreeMap<String, Sha256>,
    /// For each asset whose provenance tells it, the commit of the workspace it was built from.
    pub commits: BTreeMap<String, String>,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditFinding {
    /// The subsystem.
    pub name: Name,
    /// The release.
    pub tag: String,
    /// The file, where it is about one.
    pub file: Option<String>,
    /// What it is.
    pub trouble: AuditProblem,
    /// How bad that is.
    pub weight: Severity,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; everything works.
    Note,
    /// Something is missing.
    Missing,
    /// Bytes are not those that they should be.
    Wrong,
}

/// What is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditProblem {
    /// There is a release of the pinned version, and `forge.lock` has nothing of it.
    NotLocked,
    /// `forge.lock` has an asset that the store has not.
    LockedButAbsent,
    /// The asset's digest is not the one in `forge.lock`.
    NotAsLocked {
        /// The digest in `forge.lock`.
        locked: Sha256,
        /// The asset's.
        found: Sha256,
    },
    /// The asset's size is not the one in `forge.lock`; in bytes.
    SizeNotAsLocked {
        /// The size in `forge.lock`.
        locked: u64,
        /// The asset's.
        found: u64,
    },
    /// An asset without a checksum beside it.
    NoChecksum,
    /// The checksum beside an asset cannot be used.
    UnusableChecksum(String),
    /// The checksum beside an asset is not the asset's.
    WrongChecksum {
        /// What the checksum says.
        says: Sha256,
        /// The asset's digest.
        found: Sha256,
    },
    /// A release without assets for these platforms.
    PlatformsMissing(Vec<Platform>),
    /// A release that only those can see who may write.
    Draft,
    /// A release of a version that a scheme made, and no such tag at the remote.
    NoTag,
    /// A tag that claimed a version, and no release.
    NoRelease,
    /// The tag at the remote is of another commit than the asset was built from.
    OtherCommit {
        /// The tag's.
        tagged: String,
        /// The asset's.
        built: String,
    },
    /// A file that is neither an asset nor something that belongs beside one.
    UnknownFile,
    /// The index of an image names a manifest that is not there.
    ManifestMissing,
    /// A manifest of an image names a blob that is not there.
    BlobMissing,
    /// The bytes of a blob have another digest than its manifest says.
    OtherBytes(Sha256),
    /// An image of which `trust: ci` would not be satisfied, or of which nobody says who made it.
    NotVouched(String),
}

impl fmt::Display for AuditProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLocked => f.write_str("forge.lock has nothing of it"),
            Self::LockedButAbsent => f.write_str("forge.lock has it, the store has not"),
            Self::NotAsLocked { locked, found } => {
                write!(f, "its sha256 is {found}, forge.lock says {locked}")
            }
            Self::SizeNotAsLocked { locked, found } => {
                write!(f, "it has {found} bytes, forge.lock says {locked}")
            }
            Self::NoChecksum => f.write_str("no checksum stands beside it"),
            Self::UnusableChecksum(why) => write!(f, "its checksum cannot be used: {why}"),
            Self::WrongChecksum { says, found } => {
                write!(f, "its sha256 is {found}, the checksum beside it says {says}")
            }
            Self::PlatformsMissing(platforms) => {
                let names: Vec<_> = platforms.iter().map(ToString::to_string).collect();
                write!(f, "nothing for {}", names.join(", "))
            }
            Self::Draft => f.write_str("a draft, not published yet"),
            Self::NoTag => f.write_str("the remote has no such tag"),
            Self::NoRelease => f.write_str("the remote has the tag, and there is no release"),
            Self::OtherCommit { tagged, built } => {
                write!(f, "it was built from {}, the tag is {}", short(built), short(tagged))
            }
            Self::UnknownFile => f.write_str("neither an asset nor beside one"),
            Self::ManifestMissing => f.write_str("the index names it, the registry has it no more"),
            Self::BlobMissing => f.write_str("a manifest names it, the registry has it no more"),
            Self::OtherBytes(found) => write!(f, "its sha256 is {found}"),
            Self::NotVouched(why) => f.write_str(why),
        }
    }
}

/// Looks at each of `releases`, and for what `forge.lock` says should be among them. `pins` are
/// those of the subsystems in question.
pub fn audit(pins: &Pins, releases: &[Audited]) -> Vec<AuditFinding> {
    let mut findings = Vec::new();
    for pin in pins.iter() {
        for audited in releases.iter().filter(|audited| audited.entry.name == pin.name) {
            findings.extend(audited.troubles(pin, pins));
        }
        findings.extend(against_lock(pin, releases));
    }
    findings
}

impl Audited {
    fn finding(&self, file: Option<&str>, trouble: AuditProblem, weight: Severity) -> AuditFinding {
        let file = file.map(str::to_owned);
        let CatalogEntry { name, info, .. } = &self.entry;
        AuditFinding { name: name.clone(), tag: info.tag.clone(), file, trouble, weight }
    }

    /// What is wrong with the release beside its tag, whose commit is `tagged`.
    fn against_tag(&self, tagged: Option<&String>, scheme: &Scheme) -> Vec<AuditFinding> {
        let Some(tagged) = tagged else {
            let is_made = scheme.makes(&self.entry.label);
            let finding = || self.finding(None, AuditProblem::NoTag, Severity::Missing);
            return is_made.then(finding).into_iter().collect();
        };
        let others = self.commits.iter().filter(|(_, built)| *built != tagged);
        let found = |(file, built): (&String, &String)| {
            let trouble =
                AuditProblem::OtherCommit { tagged: tagged.clone(), built: built.clone() };
            self.finding(Some(file), trouble, Severity::Wrong)
        };
        others.map(found).collect()
    }

    /// What can be said of the release by itself.
    fn troubles(&self, pin: &Pin, pins: &Pins) -> Vec<AuditFinding> {
        let mut findings = Vec::new();
        let is_pinned = pin.pins(&self.entry.label);
        if self.entry.info.is_draft {
            findings.push(self.finding(None, AuditProblem::Draft, Severity::Missing));
        }
        let lacks = self.entry.lacks(&pins.platforms);
        if !lacks.is_empty() {
            // Of what is pinned no more, nobody wants another platform.
            let weight = if is_pinned { Severity::Missing } else { Severity::Note };
            findings.push(self.finding(None, AuditProblem::PlatformsMissing(lacks), weight));
        }
        if is_pinned && pins.is_locking && pin.locked_revision().is_none() {
            findings.push(self.finding(None, AuditProblem::NotLocked, Severity::Missing));
        }
        for asset in &self.entry.info.assets {
            let found = match asset_platform(&asset.name) {
                Some(_) => self.checksum_trouble(asset),
                None if self.stands_beside_an_asset(&asset.name) => None,
                None => Some((AuditProblem::UnknownFile, Severity::Note)),
            };
            let told = found.map(|(what, weight)| self.finding(Some(&asset.name), what, weight));
            findings.extend(told);
        }
        findings
    }

    fn checksum_trouble(&self, asset: &ReleaseAsset) -> Option<(AuditProblem, Severity)> {
        let says = match self.checksums.get(&asset.name) {
            None => return Some((AuditProblem::NoChecksum, Severity::Missing)),
            Some(Err(why)) => {
                return Some((AuditProblem::UnusableChecksum(why.clone()), Severity::Missing));
            }
            Some(Ok(says)) => *says,
        };
        let found = self.digest(asset)?;
        (says != found).then_some((AuditProblem::WrongChecksum { says, found }, Severity::Wrong))
    }

    /// The digest of an asset's bytes, or what the store says it is.
    fn digest(&self, asset: &ReleaseAsset) -> Option<Sha256> {
        self.hashed.get(&asset.name).copied().or(asset.sha256)
    }

    /// Whether a file is called after an asset: `<asset>.sha256`, `<asset>.intoto.jsonl`.
    fn stands_beside_an_asset(&self, file: &str) -> bool {
        let assets =
            self.entry.info.assets.iter().filter(|asset| asset_platform(&asset.name).is_some());
        let beside = |asset: &ReleaseAsset| {
            file == checksum_name(&asset.name)
                || [".intoto.jsonl", ".ci.intoto.jsonl", ".sigstore.json", ".sbom.json"]
                    .iter()
                    .any(|end| file.strip_suffix(end) == Some(asset.name.as_str()))
        };
        assets.into_iter().any(beside)
    }
}

/// Compares the releases of versions that schemes made with the tags of the remote, which say whose a
/// version is: `tags` are names with commits.
pub fn audit_tags(
    pins: &Pins,
    releases: &[Audited],
    tags: &BTreeMap<String, String>,
) -> Vec<AuditFinding> {
    let mut findings = Vec::new();
    for pin in pins.iter() {
        let Some(scheme) = &pin.scheme else { continue };
        let own = |audited: &&Audited| {
            audited.entry.name == pin.name && audited.entry.revision == Revision::FIRST
        };
        for audited in releases.iter().filter(own) {
            findings.extend(audited.against_tag(tags.get(&audited.entry.info.tag), scheme));
        }
        let is_claim = |tag: &&String| {
            pin.tag
                .read(tag)
                .is_some_and(|(label, revision)| revision == Revision::FIRST && scheme.makes(label))
        };
        let is_released = |tag: &str| releases.iter().any(|one| one.entry.info.tag == tag);
        let claims = tags.keys().filter(is_claim).filter(|tag| !is_released(tag));
        findings.extend(claims.map(|tag| AuditFinding {
            name: pin.name.clone(),
            tag: tag.clone(),
            file: None,
            trouble: AuditProblem::NoRelease,
            weight: Severity::Missing,
        }));
    }
    findings
}

/// Compares what `forge.lock` has of the pinned version with the releases of `pin`.
fn against_lock(pin: &Pin, releases: &[Audited]) -> Vec<AuditFinding> {
    let (Some(locked), Some(label)) = (pin.lock(), pin.label()) else { return Vec::new() };
    let mut findings = Vec::new();
    for (platform, locked) in &locked.assets {
        let tag = pin.tag.revised(&label, locked.revision);
        let file = pin.asset(*platform);
        let release = releases.iter().find(|audited| audited.entry.info.tag == tag);
        let asset = release.and_then(|audited| {
            let asset = audited.entry.info.assets.iter().find(|asset| asset.name == file)?;
            Some((audited, asset))
        });
        let trouble = match asset {
            None => Some((AuditProblem::LockedButAbsent, Severity::Missing)),
            Some((audited, asset)) => lock_trouble(audited, asset, locked),
        };
        findings.extend(trouble.map(|(trouble, weight)| AuditFinding {
            name: pin.name.clone(),
            tag,
            file: Some(file),
            trouble,
            weight,
        }));
    }
    findings
}

/// The first digits of a commit.
fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

fn lock_trouble(
    audited: &Audited,
    asset: &ReleaseAsset,
    locked: &LockedAsset,
) -> Option<(AuditProblem, Severity)> {
    let checksum = || audited.checksums.get(&asset.name)?.as_ref().ok().copied();
    match audited.digest(asset).or_else(checksum) {
        Some(found) if found != locked.sha256 => {
            let trouble = AuditProblem::NotAsLocked { locked: locked.sha256, found };
            Some((trouble, Severity::Wrong))
        }
        _ if asset.size != locked.size => {
            let trouble = AuditProblem::SizeNotAsLocked { locked: locked.size, found: asset.size };
            Some((trouble, Severity::Wrong))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};
    use crate::{model::Fingerprint, release::ReleaseCatalog, store::ReleaseInfo};

    const LINUX: &str = "a-linux-amd64.tar.gz";
    const DARWIN: &str = "a-darwin-arm64.tar.gz";
    const ALL: [&str; 4] =
        [DARWIN, "a-darwin-arm64.tar.gz.sha256", LINUX, "a-linux-amd64.tar.gz.sha256"];

    fn locked_asset() -> LockedAsset {
        let fingerprint: Fingerprint = "1".repeat(64).parse().unwrap();
        LockedAsset {
            fingerprint,
            sha256: sample::digest(LINUX),
            size: 100,
            revision: Revision::FIRST,
        }
    }

    /// The subsystem `a` at v1, whose asset for Linux is locked.
    fn pins() -> Pins {
        let mut pin = sample::locked(sample::pin("a", "v1"), "v1", None);
        let assets = &mut pin.locked.as_mut().unwrap().assets;
        assets.insert("linux-amd64".parse().unwrap(), locked_asset());
        Pins::new(sample::platforms(), [pin])
    }

    /// The release with good checksums for its assets that have some.
    fn audited(pins: &Pins, info: ReleaseInfo) -> Audited {
        let entry = ReleaseCatalog::from_releases(pins, vec![info]).entries.remove(0);
        let sums = entry.info.assets.iter().filter_map(|file| file.name.strip_suffix(".sha256"));
        let checksums = sums.map(|asset| (asset.to_owned(), Ok(sample::digest(asset)))).collect();
        Audited { entry, checksums, hashed: BTreeMap::new(), commits: BTreeMap::new() }
    }

    fn found(pins: &Pins, releases: &[Audited]) -> Vec<String> {
        let line = |finding: AuditFinding| {
            let file = finding.file.map(|file| format!("/{file}")).unwrap_or_default();
            let text =
                finding.trouble.to_string().replace(&sample::digest(LINUX).to_string(), "LINUX");
            format!("{:?} {}{file}: {text}", finding.weight, finding.tag)
        };
        audit(pins, releases).into_iter().map(line).collect()
    }

    #[test]
    fn a_complete_release_as_it_is_locked_is_clean() {
        let pins = pins();
        let mut files = ALL.to_vec();
        files.extend(["a-linux-amd64.tar.gz.intoto.jsonl", "a-linux-amd64.tar.gz.ci.intoto.jsonl"]);
        let release = audited(&pins, sample::release("a-v1", &files));
        assert_eq!(found(&pins, &[release]), Vec::<String>::new());
    }

    #[test]
    fn what_is_missing_is_named() {
        let pins = pins();
        assert_eq!(
            found(&pins, &[]),
            ["Missing a-v1/a-linux-amd64.tar.gz: forge.lock has it, the store has not"]
        );
        let draft = ReleaseInfo { is_draft: true, ..sample::release("a-v1", &[LINUX]) };
        assert_eq!(
            found(&pins, &[audited(&pins, draft)]),
            [
                "Missing a-v1: a draft, not published yet",
                "Missing a-v1: nothing for darwin-arm64",
                "Missing a-v1/a-linux-amd64.tar.gz: no checksum stands beside it",
            ]
        );
        let unlocked = sample::pins(&[("a", "v1")]);
        let release = audited(&unlocked, sample::release("a-v1", &ALL));
        let told = found(&unlocked, std::slice::from_ref(&release));
        assert_eq!(told, ["Missing a-v1: forge.lock has nothing of it"]);
        let mut private = unlocked;
        private.is_locking = false;
        assert_eq!(found(&private, &[release]), Vec::<String>::new());
    }

    #[test]
    fn releases_and_the_tags_that_claimed_them_belong_together() {
        let pin = Pin { scheme: Some(Scheme::Date), ..sample::pin("a", "20260107.1") };
        let pins = Pins::new(sample::platforms(), [pin]);
        let mut release = audited(&pins, sample::release("a-20260107.0", &ALL));
        release.commits.insert(LINUX.into(), "c".repeat(40));
        let stray = audited(&pins, sample::release("a-20260107.2", &ALL));
        let tags = [
            ("a-20260107.0", "d".repeat(40)),
            ("a-20260107.1", "d".repeat(40)),
            ("a-v1", "d".repeat(40)),
        ];
        let tags = tags.map(|(tag, commit)| (tag.to_owned(), commit)).into();
        let told = |finding: &AuditFinding| {
            let file = finding.file.as_deref().unwrap_or("-");
            format!("{:?} {} {file}: {}", finding.weight, finding.tag, finding.trouble)
        };
        let releases = [release, stray];
        let findings: Vec<_> = audit_tags(&pins, &releases, &tags).iter().map(told).collect();
        assert_eq!(
            findings,
            [
                format!(
                    "Wrong a-20260107.0 {LINUX}: it was built from cccccccccc, the tag is dddddddddd"
                ),
                "Missing a-20260107.2 -: the remote has no such tag".to_owned(),
                "Missing a-20260107.1 -: the remote has the tag, and there is no release"
                    .to_owned(),
            ]
        );
    }

    #[test]
    fn an_old_release_lacks_nothing_that_anybody_wants() {
        let pins = pins();
        let new = audited(&pins, sample::release("a-v1", &ALL));
        let old = audited(&pins, sample::release("a-v0", &[ALL[2], ALL[3], "README.md"]));
        assert_eq!(
            found(&pins, &[new, old]),
            [
                "Note a-v0: nothing for darwin-arm64",
                "Note a-v0/README.md: neither an asset nor beside one",
            ]
        );
    }

    #[test]
    fn digests_that_disagree_are_wrong() {
        let pins = pins();
        let other = sample::digest("other");
        let change = |change: &dyn Fn(&mut Audited)| {
            let mut release = audited(&pins, sample::release("a-v1", &ALL));
            change(&mut release);
            found(&pins, &[release])
        };
        let wrong = format!("Wrong a-v1/{LINUX}: its sha256 is");
        let changed = change(&|release| release.entry.info.assets[2].sha256 = Some(other));
        assert_eq!(
            changed,
            [
                format!("{wrong} {other}, the checksum beside it says LINUX"),
                format!("{wrong} {other}, forge.lock says LINUX"),
            ]
        );
        // The bytes count, whatever the store says of them.
        let hashed = change(&|release| {
            release.hashed.insert(LINUX.into(), other);
        });
        assert_eq!(hashed, changed);
        let sum = change(&|release| {
            release.checksums.insert(LINUX.into(), Ok(other));
        });
        assert_eq!(sum, [format!("{wrong} LINUX, the checksum beside it says {other}")]);
        // A store that gives no digest is judged by the checksum.
        let unknown = change(&|release| {
            release.entry.info.assets[2].sha256 = None;
            release.checksums.insert(LINUX.into(), Ok(other));
        });
        assert_eq!(unknown, [format!("{wrong} {other}, forge.lock says LINUX")]);
        let size = change(&|release| release.entry.info.assets[2].size = 99);
        assert_eq!(size, [format!("Wrong a-v1/{LINUX}: it has 99 bytes, forge.lock says 100")]);
        let garbage = change(&|release| {
            release.checksums.insert(LINUX.into(), Err("it is empty".into()));
        });
        assert_eq!(
            garbage,
            [format!("Missing a-v1/{LINUX}: its checksum cannot be used: it is empty")]
        );
    }

    #[test]
    fn what_is_locked_of_a_revision_is_looked_for_there() {
        let mut pin = sample::locked(sample::pin("a", "v1"), "v1", None);
        let asset = LockedAsset { revision: Revision::new(2).unwrap(), ..locked_asset() };
        let assets = &mut pin.locked.as_mut().unwrap().assets;
        assets.insert("linux-amd64".parse().unwrap(), asset);
        let pins = Pins::new(sample::platforms(), [pin]);
        let first = audited(&pins, sample::release("a-v1", &ALL));
        let second = audited(&pins, sample::release("a-v1-r2", &ALL));
        let absent = "Missing a-v1-r2/a-linux-amd64.tar.gz: forge.lock has it, the store has not";
        assert_eq!(found(&pins, std::slice::from_ref(&first)), [absent]);
        assert_eq!(found(&pins, &[first, second]), Vec::<String>::new());
    }
}
