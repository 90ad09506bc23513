//! Looking for one artifact, from the nearest place to the farthest.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    archive::peek_stamp,
    cache::{Installed, Place, Record, Release, inspect, links_are_there},
    manifest::parse_stamp,
    model::{Fault, Kind, LockedAsset, Stamp},
    store::{AssetInfo, AssetStream, Store},
};

use super::{Acceptance, Finding, Prober, Verdict, accept, distrust, want::Want};

/// One artifact being looked for: what is known so far.
struct Look {
    want: Want,
    looked: Vec<(String, String)>,
    warnings: Vec<Fault>,
    /// Why the nearest candidate did not do; the reason of a build.
    why: Option<String>,
    /// The first store, if it holds another artifact under this version.
    taken_in: Option<String>,
}

impl Look {
    fn note(&mut self, place: impl Into<String>, found: impl Into<String>) {
        self.looked.push((place.into(), found.into()));
    }

    fn finding(self, verdict: Verdict, reason: impl Into<String>, publish: bool) -> Finding {
        let Self { want, looked, warnings, taken_in, .. } = self;
        let publish = publish && taken_in.is_none();
        Finding { want, verdict, reason: reason.into(), looked, warnings, publish, taken_in }
    }
}

impl Prober<'_> {
    /// Looks for one artifact. With `force`, everything but building is passed over.
    pub(super) async fn look(&self, want: Want, force: bool) -> Result<Finding, Fault> {
        let mut look =
            Look { want, looked: Vec::new(), warnings: Vec::new(), why: None, taken_in: None };
        if force {
            return self.look_no_further(look, Some("--force"));
        }
        if let Some((record, repair)) = self.look_at_installed(&mut look) {
            let publish = self.options.publish && record.release.is_none();
            return Ok(look.finding(
                Verdict::Fresh { record, repair },
                "installed and proven",
                publish,
            ));
        }
        if let Some(record) = self.look_in_cache(&mut look) {
            let publish = self.options.publish && !self.is_released(&look.want, &record).await?;
            return Ok(look.finding(Verdict::Cached { record }, "in your cache", publish));
        }
        if let Some((store, reason)) = self.look_in_stores(&mut look).await? {
            return Ok(look.finding(Verdict::Released { store }, reason, false));
        }
        self.look_no_further(look, None)
    }

    fn look_at_installed(&self, look: &mut Look) -> Option<(Record, bool)> {
        let layout = &self.workspace.layout;
        let place = Place::of(layout, &look.want.id);
        let label = layout.display(&place.folder);
        match inspect(&place) {
            Installed::Absent => look.note(label, "nothing is installed"),
            Installed::Damaged(why) => {
                look.note(label, format!("damaged: {why}"));
                let what = format!("the installed {} is damaged", look.want.id);
                let fault = Fault::new(Kind::Verification, what).because(why.clone());
                look.warnings.push(fault.hint("it is obtained anew"));
                look.why = Some(format!("what was installed is damaged: {why}"));
            }
            Installed::Intact { record, relearned } => {
                if self.trusts(look, &label, &record)
                    && self.accepts(look, &label, &record.stamp, record.asset())
                {
                    let links = links_are_there(layout, &look.want.id, &record);
                    return Some((record, relearned || !links));
                }
            }
        }
        None
    }

    fn look_in_cache(&self, look: &mut Look) -> Option<Record> {
        let found = match &look.want.locked {
            Some(locked) => self.cache.find_asset(locked.sha256),
            None => {
                let want = &look.want;
                let prints: BTreeSet<_> =
                    want.build.iter().chain(&want.upstream).map(|p| p.fingerprint).collect();
                prints
                    .into_iter()
                    .map(|fingerprint| self.cache.find_built(fingerprint))
                    .find(|found| !matches!(found, Ok(None)))
                    .unwrap_or(Ok(None))
            }
        };
        match found {
            Ok(Some(record)) => {
                let label = "your cache".to_owned();
                let is_it = self.trusts(look, &label, &record)
                    && self.accepts(look, &label, &record.stamp, record.asset());
                is_it.then_some(record)
            }
            Ok(None) => {
                look.note("your cache", "not there");
                None
            }
            Err(damage) => {
                look.note("your cache", damage.0.to_string());
                look.warnings.push(damage.0);
                None
            }
        }
    }

    /// Whether `record` may serve under `trust:`; notes why if not.
    fn trusts(&self, look: &mut Look, label: &str, record: &Record) -> bool {
        let Some(why) = distrust(self.workspace, record) else { return true };
        look.why.get_or_insert(format!("{label} is not trusted: {why}"));
        look.note(label, format!("not trusted: {why}"));
        false
    }

    /// Whether `stamp` is the wanted artifact; notes the answer either way.
    fn accepts(
        &self,
        look: &mut Look,
        label: &str,
        stamp: &Stamp,
        asset: Option<&LockedAsset>,
    ) -> bool {
        // An asset in this user's private store is no release of the project's.
        let asset = asset.filter(|_| !self.options.private_store);
        match accept(&look.want, stamp, asset) {
            Acceptance::Yes => look.note(label, format!("{} is there", stamp.version)),
            Acceptance::WithWarning(fault) => {
                look.note(label, format!("{} is there, by another recipe", stamp.version));
                look.warnings.push(fault);
            }
            Acceptance::No(why) => {
                look.note(label, format!("not the pinned one: {why}"));
                look.why.get_or_insert(format!("{label} is not the pinned one: {why}"));
                return false;
            }
        }
        true
    }

    /// Whether the first store holds the artifact of `record`.
    async fn is_released(&self, want: &Want, record: &Record) -> Result<bool, Fault> {
        let Some(store) = self.stores.first() else { return Ok(true) };
        match &record.release {
            Some(Release::Holds { .. }) => Ok(store.find(&want.tag, &want.asset).await?.is_some()),
            Some(Release::HoldsOther { store: url, .. }) => Ok(url == store.url()),
            None => Ok(false),
        }
    }

    /// Asks the stores in order. A doubt about one store is only forgotten if another has the asset.
    async fn look_in_stores(&self, look: &mut Look) -> Result<Option<(usize, String)>, Fault> {
        let mut doubt: Option<Fault> = None;
        for (index, store) in self.stores.iter().enumerate() {
            let url = store.url().to_owned();
            if self.options.offline && is_remote(&url) {
                look.note(url, "not asked: --offline");
                continue;
            }
            match store.find(&look.want.tag, &look.want.asset).await {
                Ok(None) => look.note(url, format!("no {}/{}", look.want.tag, look.want.asset)),
                Ok(Some(info)) => {
                    compare_with_lock(&look.want, &info, &url)?;
                    if self.release_is_stale(look, store).await? {
                        if index == 0 {
                            look.taken_in = Some(url);
                        }
                        continue;
                    }
                    look.note(&url, format!("has {}/{}", look.want.tag, look.want.asset));
                    look.warnings.extend(doubt.take());
                    return Ok(Some((index, format!("{url} has {}", look.want.tag))));
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
                .hint("an error is no miss: try again, or build without asking with --offline")),
        }
    }

    /// For in-repo code a release may be of other sources under the same version. Its
    /// stamp stands at the beginning of the asset, so this costs little.
    async fn release_is_stale(
        &self,
        look: &mut Look,
        store: &Arc<dyn Store>,
    ) -> Result<bool, Fault> {
        if !look.want.strict || look.want.locked.is_some() {
            return Ok(false);
        }
        let (tag, asset) = (&look.want.tag, &look.want.asset);
        let Some(stream) = store.open(tag, asset).await? else { return Ok(false) };
        let label = format!("{} in {}", look.want.asset, store.url());
        let stamp = read_stamp(stream, &label).await?;
        match accept(&look.want, &stamp, None) {
            Acceptance::No(why) => {
                look.note(
                    store.url(),
                    format!("its {} is not the pinned one: {why}", look.want.tag),
                );
                look.why.get_or_insert(format!("the released one is another: {why}"));
                look.warnings.push(stale(&look.want, &why));
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Nobody has it: the vendor, or a build.
    fn look_no_further(&self, look: Look, forced: Option<&str>) -> Result<Finding, Fault> {
        let publish = self.options.publish;
        let reason = match (forced, &look.why) {
            (Some(forced), _) => forced.to_owned(),
            (None, Some(why)) => why.clone(),
            (None, None) => "no store has it".to_owned(),
        };
        let can_build = look.want.build.is_some();
        if look.want.upstream.is_some()
            && !(can_build && (forced.is_some() || self.options.offline))
        {
            if self.options.offline {
                return Err(Fault::new(
                    Kind::Store,
                    format!("{} can only be had from its vendor", look.want.id),
                )
                .because("--offline forbids the network"));
            }
            return Ok(look.finding(Verdict::Upstream, reason, publish));
        }
        Ok(look.finding(Verdict::Build, reason, publish))
    }
}

/// Whether a store is beyond this machine.
pub fn is_remote(url: &str) -> bool {
    !url.starts_with("dir:")
}

fn compare_with_lock(want: &Want, info: &AssetInfo, url: &str) -> Result<(), Fault> {
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

fn stale(want: &Want, why: &str) -> Fault {
    Fault::new(Kind::Verification, format!("{} is released already, from other inputs", want.tag))
        .because(why.to_owned())
        .hint(format!(
            "built here and not published; to release it, give {} a new version in versions.yml",
            want.id.name
        ))
}

/// Reads the stamp at the beginning of an asset.
async fn read_stamp(stream: AssetStream, label: &str) -> Result<Stamp, Fault> {
    use futures_util::TryStreamExt;
    let mut bytes = stream.bytes;
    let mut head = Vec::new();
    loop {
        let next = bytes.try_next().await?;
        let ended = next.is_none();
        head.extend_from_slice(&next.unwrap_or_default());
        match peek_stamp(&head) {
            Some(text) => {
                return parse_stamp(&text).map_err(|why| {
                    Fault::new(Kind::Verification, format!("the stamp of {label} is damaged"))
                        .because(why)
                });
            }
            None if ended || head.len() > PEEK_LIMIT => {
                return Err(Fault::new(
                    Kind::Verification,
                    format!("{label} does not begin with a stamp, or is damaged"),
                )
                .because("forge puts `.version` first into every asset it packs"));
            }
            None => {}
        }
    }
}

/// How much of an asset may be read in search of its stamp, in bytes.
const PEEK_LIMIT: usize = 4 << 20;
