//! What a workspace wants of releases: for each subsystem the pinned version, what is locked of
//! it, and how the assets of a complete release are called.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    model::{
        Compression, Fault, Kind, Locked, Name, Platform, Revision, Scheme, TagStem, Version,
        asset_name,
    },
    workspace::{Subsystem, Workspace},
};

/// What a workspace pins.
#[derive(Clone, Debug)]
pub struct Pins {
    /// What a complete release has.
    pub platforms: Vec<Platform>,
    /// Whether `forge.lock` has what is released; so for all but this user's private store.
    pub is_locking: bool,
    by_name: BTreeMap<Name, Pin>,
}

/// What is pinned of one subsystem.
#[derive(Clone, Debug)]
pub struct Pin {
    /// Its name.
    pub name: Name,
    /// The version in `versions.yml`.
    pub version: Version,
    /// How its versions come about, if nobody pins them.
    pub scheme: Option<Scheme>,
    /// What the tags of its releases begin with.
    pub tag: TagStem,
    /// What `forge.lock` says, of whatever version.
    pub locked: Option<Locked>,
    /// Its first binary, which names the assets.
    pub binary: String,
    /// How assets are packed.
    pub compression: Compression,
}

impl Pins {
    /// What `workspace` pins.
    pub fn from_workspace(workspace: &Workspace) -> Self {
        let pin = |subsystem: &Subsystem| Pin {
            name: subsystem.name.clone(),
            version: subsystem.version.clone(),
            scheme: subsystem.scheme.clone(),
            tag: subsystem.tag.clone(),
            locked: workspace.lock.subsystems.get(&subsystem.name).cloned(),
            binary: subsystem.binaries[0].clone(),
            compression: subsystem.compression,
        };
        let released = workspace.subsystems.values().filter(|one| one.releases_binaries());
        let pins = released.map(pin);
        let is_locking = !workspace.stores.is_empty();
        Self { is_locking, ..Self::new(workspace.platforms.clone(), pins) }
    }

    /// These pins; `platforms` is what a complete release has.
    pub fn new(platforms: Vec<Platform>, pins: impl IntoIterator<Item = Pin>) -> Self {
        let by_name = pins.into_iter().map(|pin| (pin.name.clone(), pin)).collect();
        Self { platforms, is_locking: true, by_name }
    }

    /// What is pinned of `name`.
    pub fn get(&self, name: &Name) -> Option<&Pin> {
        self.by_name.get(name)
    }

    /// All of it, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Pin> {
        self.by_name.values()
    }

    /// The same, of `names` alone.
    #[must_use]
    pub fn only(&self, names: &BTreeSet<Name>) -> Self {
        let pins = self.of_names(names).cloned();
        Self { is_locking: self.is_locking, ..Self::new(self.platforms.clone(), pins) }
    }

    /// What is pinned of `names`.
    pub fn of_names(&self, names: &BTreeSet<Name>) -> impl Iterator<Item = &Pin> {
        names.iter().filter_map(|name| self.by_name.get(name))
    }
}

impl Pin {
    /// What `forge.lock` says of the pinned version.
    pub fn lock(&self) -> Option<&Locked> {
        self.locked.as_ref().filter(|locked| locked.version == self.version.as_str())
    }

    /// The pinned version as it stands in a tag; `None` if it is a moving ref whose commit
    /// `forge.lock` does not tell.
    pub fn label(&self) -> Option<String> {
        let commit = self.lock().and_then(|locked| locked.commit.as_deref());
        (!self.version.is_moving() || commit.is_some())
            .then(|| self.version.label(commit.filter(|_| self.version.is_moving())))
    }

    /// [`Pin::label`], or why there is none.
    ///
    /// # Errors
    /// `Usage` if the version is a moving ref that is not locked.
    pub fn known_label(&self) -> Result<String, Fault> {
        self.label().ok_or_else(|| {
            let what = format!(
                "`{}` of {} is a moving ref that forge.lock does not pin",
                self.version, self.name
            );
            Fault::new(Kind::Usage, what).hint("run `forge lock` and commit forge.lock")
        })
    }

    /// The revision of the pinned version that is locked; the latest of them, if platforms
    /// differ. `None` if nothing is locked yet.
    pub fn locked_revision(&self) -> Option<Revision> {
        self.lock()?.assets.values().map(|asset| asset.revision).max()
    }

    /// Whether `versions.yml` pins the release of `label`. Of a moving ref that is not locked,
    /// every commit may be the pinned one.
    pub fn pins(&self, label: &str) -> bool {
        match self.label() {
            Some(pinned) => pinned == label,
            None => commit_of(label).is_some_and(|(reference, _)| reference == self.reference()),
        }
    }

    /// Whether `forge.lock` holds something of the release of `label`.
    pub fn locks(&self, label: &str) -> bool {
        let Some(locked) = &self.locked else { return false };
        let Ok(version) = Version::new(&locked.version) else { return false };
        version.label(locked.commit.as_deref().filter(|_| version.is_moving())) == label
    }

    /// A moving ref as it stands in a label, before the commit.
    pub fn reference(&self) -> String {
        self.version.label(None)
    }

    /// The asset for `platform`.
    pub fn asset(&self, platform: Platform) -> String {
        asset_name(&self.binary, platform, self.compression)
    }
}

/// Splits the label of a moving ref into the ref and the commit's first twelve digits.
pub fn commit_of(label: &str) -> Option<(&str, &str)> {
    let (reference, commit) = label.rsplit_once('-')?;
    let is_commit = commit.len() == 12
        && commit.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase());
    (is_commit && !reference.is_empty()).then_some((reference, commit))
}
