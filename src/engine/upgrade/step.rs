//! One pin that changes, with all that it is for. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Looked, ManifestPin, ManifestPins, OfferFilter, Offers, UpstreamAnswer, comparison, is_newer,
};
use crate::{
    model::{Fault, Kind, Locked, Name, Precedence, Version, nearest},
    workspace::{Source, Subsystem, UpstreamDigest, Workspace},
};

/// A pin, with all that it is for: a family shares one, and so do names that share an anchor.
#[derive(Clone, Debug)]
pub struct SharedPin<'w> {
    /// The name before it.
    pub key: &'w str,
    /// The pin.
    pub pin: &'w ManifestPin,
    /// What has its version.
    pub subsystems: Vec<&'w Subsystem>,
}

/// One pin that changes.
#[derive(Clone, Debug)]
pub struct PinChange<'w> {
    /// The pin, and all that it is for.
    pub shared: SharedPin<'w>,
    /// The version that it is to be.
    pub to: String,
    /// What is to be locked of each, as far as that is known.
    pub locked: BTreeMap<Name, Locked>,
}

impl<'w> SharedPin<'w> {
    /// The pins of those called `names`, in the order of the file.
    pub fn select(
        workspace: &'w Workspace,
        pins: &'w ManifestPins,
        names: &BTreeSet<Name>,
    ) -> Vec<Self> {
        let mut all: BTreeMap<usize, Self> = BTreeMap::new();
        for subsystem in workspace.subsystems.values().filter(|it| it.scheme.is_none()) {
            if let Some((key, pin)) = pins.pin_of(subsystem) {
                let new = || Self { key, pin, subsystems: Vec::new() };
                all.entry(pin.bytes.start).or_insert_with(new).subsystems.push(subsystem);
            }
        }
        let is_meant = |shared: &Self| shared.subsystems.iter().any(|it| names.contains(&it.name));
        all.into_values().filter(is_meant).collect()
    }

    /// The step to `version`, of which nothing is locked yet.
    pub fn step(self, version: &str) -> PinChange<'w> {
        let bare = |subsystem: &&Subsystem| (subsystem.name.clone(), Locked::nothing_of(version));
        let locked = self.subsystems.iter().map(bare).collect();
        PinChange { shared: self, to: version.to_owned(), locked }
    }

    /// What all that share it can have.
    ///
    /// # Errors
    /// What `found` says of one that could not be asked for.
    pub fn offers(
        &self,
        found: &BTreeMap<&Name, UpstreamAnswer>,
    ) -> Result<Offers, UpstreamAnswer> {
        let mut common: Option<Offers> = None;
        for subsystem in &self.subsystems {
            match found.get(&subsystem.name) {
                Some(UpstreamAnswer::Offers(own)) => {
                    let own = own.clone();
                    common = Some(common.map_or(own.clone(), |common| common.shared_with(&own)));
                }
                Some(other) => return Err(other.clone()),
                None => {}
            }
        }
        Ok(common.unwrap_or_default())
    }

    /// The step to the newest of `offers`, if that is newer.
    ///
    /// # Errors
    /// Itself, if not.
    pub fn newest(self, offers: &Offers, wish: OfferFilter) -> Result<PinChange<'w>, Self> {
        let moves = self.subsystems.iter().any(|subsystem| offers.is_branch(&subsystem.version));
        let newest = offers.newest(&self.pin.version, wish).filter(|_| !moves);
        match newest.filter(|newest| is_newer(&newest.version, &self.pin.version)) {
            Some(newest) => Ok(self.step(&newest.version)),
            None => Err(self),
        }
    }

    /// Why nobody has newer versions of it.
    pub fn nobody(&self, why: &str) -> Fault {
        let what = format!("nobody has newer versions of {}", self.key);
        let is_own = self.subsystems.iter().any(|it| matches!(it.source, Source::Path { .. }));
        Fault::new(Kind::Usage, what).because(why).hint(match is_own {
            true => format!("`forge bump {} VERSION` says which one it has now", self.key),
            false => SAY_WHERE.to_owned(),
        })
    }
}

const SAY_WHERE: &str = "say with `newer:` in its spec where its versions are listed";

impl PinChange<'_> {
    /// Where people see what changes for `subsystem`.
    pub fn comparison(&self, subsystem: &Subsystem) -> Option<String> {
        comparison(subsystem.feed.as_ref()?, &self.shared.pin.version, &self.to)
    }
}

/// Refuses a version that upstream has not. Where nobody can be asked, what is to be told of that.
///
/// # Errors
/// `Usage` if upstream has it not or has taken it back, or what kept upstream from being asked.
pub fn exists(looked: &Looked, wanted: &Version) -> Result<Option<Fault>, Fault> {
    let Looked { subsystem, found } = looked;
    let name = &subsystem.name;
    let refused = || Fault::new(Kind::Usage, format!("cannot bump {name} to {wanted}"));
    let is_git = matches!(subsystem.source, Source::Git { .. });
    let offers = match found {
        UpstreamAnswer::Offers(offers) => offers,
        UpstreamAnswer::Failed(fault) => return Err(fault.clone()),
        // Nobody else knows what versions code of this workspace has.
        UpstreamAnswer::Nobody(_) if matches!(subsystem.source, Source::Path { .. }) => {
            return Ok(None);
        }
        UpstreamAnswer::Nobody(why) => {
            let what = format!("nobody was asked whether there is {name} {wanted}");
            return Ok(Some(Fault::new(Kind::Usage, what).because(*why).hint(SAY_WHERE)));
        }
    };
    match offers.get(wanted.as_str()) {
        Some(offer) if offer.listed.is_withdrawn => {
            Err(refused().because("it was taken back by those who published it"))
        }
        Some(_) => Ok(None),
        // A branch or a commit is listed nowhere, but its repository is asked what it means.
        None if is_git && Precedence::parse(wanted.as_str()).is_none() => Ok(None),
        None => {
            let index = subsystem.feed.as_ref().map(|feed| feed.index.to_string());
            let why = format!("{} has no such version", index.unwrap_or_default());
            Err(refused().because(why).hint(match nearest(wanted.as_str(), offers.versions()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("`forge outdated {name}` shows the newest"),
            }))
        }
    }
}

/// Whether the spec of `old`, which is `new` with another version, still pins the bytes of before.
pub fn has_stale_digest(old: &Subsystem, new: &Subsystem) -> bool {
    let archive = |subsystem: &Subsystem| match &subsystem.source {
        Source::Archive { url, digest, .. } => Some((url.clone(), *digest)),
        _ => None,
    };
    let asset = |subsystem: &Subsystem| match subsystem.upstream.as_ref()?.digest {
        UpstreamDigest::Pinned(digest) => Some((subsystem.upstream.as_ref()?.url.clone(), digest)),
        UpstreamDigest::Published(_) => None,
    };
    let is_stale = |old, new| match (old, new) {
        (Some((old_url, old)), Some((new_url, new))) => old_url != new_url && old == new,
        _ => false,
    };
    is_stale(archive(old), archive(new)) || is_stale(asset(old), asset(new))
}
