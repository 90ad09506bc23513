//! Looking in stores: which of them has a release of the wanted version, and which
//! revision of it.
//!
//! A store is asked for the locked release and no other. Without a lock, it is asked for the
//! first release of the version and then for its revisions, of which the last counts; where
//! exactly one recipe will do, the stamp at the beginning of each asset says which has it.

use std::sync::Arc;

use futures_util::TryStreamExt;

use crate::{
    archive::peek_stamp,
    cache::{ArtifactRecord, KnownRelease},
    manifest::parse_stamp,
    model::{Fault, Kind, OTHER_RELEASE, Revision, Stamp},
    provenance::RunClass,
    store::{AssetInfo, AssetStream, Store},
};

use super::{
    Acceptance, Prober, accept,
    look::{NOT_ASKED, ProbeState},
    want::ArtifactSpec,
};

/// More revisions than anybody makes of one version.
const MAX_REVISIONS: u32 = 1000;

impl Prober<'_> {
    /// Whether the first store holds the artifact of `record`, or is known to hold another.
    pub(super) async fn is_released(
        &self,
        want: &ArtifactSpec,
        record: &ArtifactRecord,
    ) -> Result<bool, Fault> {
        let Some(store) = self.stores.first() else { return Ok(true) };
        match &record.release {
            Some(KnownRelease::Holds { asset, .. }) => {
                let tag = want.tag_of(asset.revision);
                Ok(store.find(&tag, &want.asset).await?.is_some())
            }
            // Whoever asks for a release is told why there is none.
            Some(KnownRelease::HoldsOther { store: url, .. }) => {
                Ok(url == store.url() && !self.options.exact)
            }
            None => Ok(false),
        }
    }

    /// Asks the stores in order. A doubt about one store is only forgotten if another has the asset.
    pub(super) async fn look_in_stores(
        &self,
        look: &mut ProbeState,
    ) -> Result<Option<(usize, Revision)>, Fault> {
        if !self.workspaces.subsystem(&look.want.id).releases_binaries() {
            look.note("the releases", "not asked: it is released as an image, and not by itself");
            look.why.get_or_insert("it is released as an image alone".to_owned());
            return Ok(None);
        }
        let mut doubt: Option<Fault> = None;
        for (index, store) in self.stores.iter().enumerate() {
            let url = store.url().to_owned();
            if self.options.offline && is_remote(&url) {
                look.note(&url, NOT_ASKED);
                look.unasked.get_or_insert(url);
                continue;
            }
            if look.want.locked.is_none() && self.is_open_to_lower_runs(&**store) {
                look.note(
                    url,
                    "not asked: only the lock's digest makes a folder good enough to publish from",
                );
                continue;
            }
            match releases(&look.want, &**store).await {
                Ok(found) if found.is_empty() => {
                    look.note(url, format!("no {}/{}", look.want.tag, look.want.asset));
                }
                Ok(found) => {
                    if let Some(revision) = self.choose(look, store, found).await? {
                        let tag = look.want.tag_of(revision);
                        look.note(&url, format!("has {tag}/{}", look.want.asset));
                        look.warnings.extend(doubt.take());
                        look.unasked = None;
                        return Ok(Some((index, revision)));
                    }
                    if index == 0 && look.want.in_repo {
                        let why = look.stale.take();
                        look.taken = Some(KnownRelease::HoldsOther { store: url, why });
                    }
                }
                Err(fault) => {
                    look.note(url, fault.to_string());
                    doubt.get_or_insert(fault);
                }
            }
        }
        match doubt {
            None => Ok(None),
            Some(fault) => Err(fault
                .within(format!("cannot tell whether {} is released", look.want.tag))
                .hint("try again, or use --offline to build without asking the store")),
        }
    }

    /// Whether runs of a class that this run takes nothing of can write to `store`, beside a first one
    /// that others read.
    fn is_open_to_lower_runs(&self, store: &dyn Store) -> bool {
        let publishes_to_others = self.stores.first().is_some_and(|first| first.is_shared());
        publishes_to_others
            && !store.is_shared()
            && self.options.classes.takes > RunClass::Untrusted
    }

    /// The release to take: the last, or where exactly one recipe will do, the last that has it.
    async fn choose(
        &self,
        look: &mut ProbeState,
        store: &Arc<dyn Store>,
        found: Vec<(Revision, AssetInfo)>,
    ) -> Result<Option<Revision>, Fault> {
        for (revision, info) in found.into_iter().rev() {
            compare_with_lock(&look.want, &info, store.url())?;
            let is_certain = !look.want.strict || look.want.locked.is_some();
            if is_certain || self.has_the_recipe(look, store, revision).await? {
                return Ok(Some(revision));
            }
        }
        Ok(None)
    }

    /// Whether a release is of exactly the wanted recipe. Its stamp stands at the beginning of the
    /// asset, so asking costs little.
    async fn has_the_recipe(
        &self,
        look: &mut ProbeState,
        store: &Arc<dyn Store>,
        revision: Revision,
    ) -> Result<bool, Fault> {
        let tag = look.want.tag_of(revision);
        let Some(stamp) = read_stamp(&**store, &tag, &look.want.asset).await? else {
            return Ok(false);
        };
        let Acceptance::No(why) = accept(&look.want, &stamp, None) else { return Ok(true) };
        look.note(store.url(), format!("its {tag} is not the pinned one: {why}"));
        let other = format!("{OTHER_RELEASE}: {why}");
        match look.want.in_repo {
            // What is built then stays beside that release, whatever else is the reason.
            true => look.why = Some(other),
            false => drop(look.why.get_or_insert(other)),
        }
        if look.want.in_repo {
            let fault = stale(&look.want, &why);
            if self.options.exact {
                return Err(fault.hint(format!("to release what is here, {}", self.renewal(look))));
            }
            let renewal = self.renewal(look);
            let fault =
                fault.hint(format!("what is here is not published; to release it, {renewal}"));
            if !self.options.is_inner_loop {
                look.warnings.push(fault.clone());
            }
            look.stale = Some(fault);
        }
        Ok(false)
    }

    /// How code that changed gets a version of its own.
    fn renewal(&self, look: &ProbeState) -> String {
        let id = &look.want.id;
        match self.workspaces.subsystem(id).scheme {
            Some(_) => {
                format!("commit it: `forge release:binary {}` gives it the next version", id.name)
            }
            None => format!("give {} a new version in versions.yml", id.name),
        }
    }
}

/// The releases of the wanted version in `store` that have the asset, in order.
async fn releases(
    want: &ArtifactSpec,
    store: &dyn Store,
) -> Result<Vec<(Revision, AssetInfo)>, Fault> {
    let mut found = Vec::new();
    let mut revision = want.locked.map_or(Revision::FIRST, |locked| locked.revision);
    while let Some(info) = store.find(&want.tag_of(revision), &want.asset).await? {
        found.push((revision, info));
        if want.locked.is_some() || want.in_repo || revision.number() >= MAX_REVISIONS {
            break;
        }
        revision = revision.next();
    }
    Ok(found)
}

/// Whether a store is beyond this machine.
pub fn is_remote(url: &str) -> bool {
    !url.starts_with("dir:")
}

fn compare_with_lock(want: &ArtifactSpec, info: &AssetInfo, url: &str) -> Result<(), Fault> {
    let Some(locked) = &want.locked else { return Ok(()) };
    let differs = info.sha256.is_some_and(|found| found != locked.sha256)
        || info.size.is_some_and(|size| size != locked.size);
    if !differs {
        return Ok(());
    }
    let found = match (info.sha256, info.size) {
        (Some(sha256), _) => format!("its sha256 is {sha256}, forge.lock says {}", locked.sha256),
        (None, size) => {
            format!("it has {} bytes, forge.lock says {}", size.unwrap_or_default(), locked.size)
        }
    };
    Err(Fault::new(
        Kind::Verification,
        format!("{}/{} in {url} is not the asset that forge.lock pins", want.tag, want.asset),
    )
    .because(found)
    .hint("find out who replaced it; if the new one is right, remove its entry from forge.lock"))
}

fn stale(want: &ArtifactSpec, why: &str) -> Fault {
    Fault::new(Kind::Verification, format!("{} is released already, from other inputs", want.tag))
        .because(why.to_owned())
}

/// Reads the stamp at the beginning of an asset; `None` if there is no such asset.
///
/// # Errors
/// `Store` if the asset cannot be read, `Verification` if it does not begin with a stamp.
pub async fn read_stamp(store: &dyn Store, tag: &str, asset: &str) -> Result<Option<Stamp>, Fault> {
    let Some(AssetStream { mut bytes, .. }) = store.open(tag, asset).await? else {
        return Ok(None);
    };
    let label = || format!("{tag}/{asset} in {}", store.url());
    let mut head = Vec::new();
    loop {
        let next = bytes.try_next().await?;
        let ended = next.is_none();
        head.extend_from_slice(&next.unwrap_or_default());
        match peek_stamp(&head) {
            Some(text) => {
                return parse_stamp(&text).map(Some).map_err(|why| {
                    Fault::new(Kind::Verification, format!("the stamp of {} is damaged", label()))
                        .because(why)
                });
            }
            None if ended || head.len() > PEEK_LIMIT => {
                return Err(Fault::new(
                    Kind::Verification,
                    format!("{} does not begin with a stamp, or is damaged", label()),
                )
                .because("forge puts `.version` first into every asset it packs"));
            }
            None => {}
        }
    }
}

/// How much of an asset may be read in search of its stamp, in bytes.
const PEEK_LIMIT: usize = 4 << 20;
