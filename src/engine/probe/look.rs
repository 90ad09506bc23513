//! Looking for one artifact, from the nearest place to the farthest.

use std::collections::BTreeMap;

use crate::{
    cache::{
        ArtifactRecord, CacheKey, Hit, InstallPlace, Installed, KnownRelease, Lookup, inspect,
        links_are_there,
    },
    model::{ArtifactId, Fault, Kind},
};

use super::{Acceptance, Finding, Prober, Verdict, use_rules::UseRules, want::ArtifactSpec};

/// One artifact being looked for: what is known so far.
pub(super) struct ProbeState {
    pub(super) want: ArtifactSpec,
    looked: Vec<(String, String)>,
    pub(super) warnings: Vec<Fault>,
    /// Why the nearest candidate did not do; the reason of a build.
    pub(super) why: Option<String>,
    /// What the first store holds under this version, if that is another artifact.
    pub(super) taken: Option<KnownRelease>,
    /// That a store holds it of other inputs.
    pub(super) stale: Option<Fault>,
    /// A store that might have it and was not asked.
    pub(super) unasked: Option<String>,
}

impl ProbeState {
    pub(super) fn note(&mut self, place: impl Into<String>, found: impl Into<String>) {
        self.looked.push((place.into(), found.into()));
    }

    fn finding(self, verdict: Verdict, reason: impl Into<String>, publish: bool) -> Finding {
        let Self { want, looked, warnings, taken, unasked, .. } = self;
        let (publish, reason) = (publish && taken.is_none(), reason.into());
        Finding { want, verdict, reason, looked, warnings, publish, taken, unasked }
    }
}

/// What a look at the installed artifact found, before that is compared with what is wanted.
#[derive(Debug)]
pub(super) struct InstalledState {
    found: Installed,
    has_links: bool,
}

impl Prober<'_> {
    /// Looks at what is installed of an artifact.
    pub(super) fn look_at_place(&self, id: &ArtifactId) -> InstalledState {
        let layout = self.workspaces.layout();
        let found = inspect(&InstallPlace::for_artifact(layout, id), self.cache.key());
        let has_links = match &found {
            Installed::Intact { record, .. } => links_are_there(layout, id, record),
            _ => false,
        };
        InstalledState { found, has_links }
    }

    /// Looks for one artifact, of which `installed` is in its place. Without that, everything but
    /// building is passed over.
    pub(super) async fn probe_artifact(
        &self,
        want: ArtifactSpec,
        installed: Option<InstalledState>,
    ) -> Result<Finding, Fault> {
        let mut look = ProbeState {
            want,
            looked: Vec::new(),
            warnings: Vec::new(),
            why: None,
            taken: None,
            stale: None,
            unasked: None,
        };
        look.warnings.extend(look.want.skipped());
        let Some(installed) = installed else {
            return match self.options.stores_only {
                true => self.probe_stores(look).await,
                false => self.look_no_further(look, Some("--force")),
            };
        };
        if let Some((mut record, repair)) = self.look_at_installed(&mut look, installed) {
            self.retell(&mut look, &record);
            let publish = self.publishes_record(&look.want, &record)
                && !self.is_done(&look.want, &mut record).await?;
            return Ok(look.finding(
                Verdict::Fresh { record, repair },
                "installed and verified",
                publish,
            ));
        }
        if let Some((record, key)) = self.look_in_cache(&mut look).await {
            self.retell(&mut look, &record);
            let publish = self.publishes_record(&look.want, &record)
                && !self.is_released(&look.want, &record).await?;
            return Ok(look.finding(Verdict::Cached { record, key }, "in your cache", publish));
        }
        self.probe_stores(look).await
    }

    /// Looks for an artifact that is not on this machine, or of which that does not count.
    async fn probe_stores(&self, mut look: ProbeState) -> Result<Finding, Fault> {
        if let Some((store, revision)) = self.look_in_stores(&mut look).await? {
            let reason = format!("{} has {}", self.stores[store].url(), look.want.tag_of(revision));
            return Ok(look.finding(Verdict::Released { store, revision }, reason, false));
        }
        self.look_no_further(look, None)
    }

    /// Tells again why what is here stays local, as it was told when that turned out.
    fn retell(&self, look: &mut ProbeState, record: &ArtifactRecord) {
        let Some(KnownRelease::HoldsOther { store, why: Some(why) }) = &record.release else {
            return;
        };
        let is_asked_again = self.options.exact;
        let is_current = self.stores.first().is_some_and(|first| first.url() == store);
        if is_current && !is_asked_again && !self.options.is_inner_loop {
            look.warnings.push(why.clone());
        }
    }

    /// Whether the first store should have what is wanted: not what is only released as an image.
    fn publishes(&self, want: &ArtifactSpec) -> bool {
        self.options.publish && self.workspaces.subsystem(&want.id).releases_binaries()
    }

    /// Whether the first store should have the artifact of `record`: not what a remote cache gave, not even
    /// for this user alone.
    fn publishes_record(&self, want: &ArtifactSpec, record: &ArtifactRecord) -> bool {
        self.publishes(want) && record.remote.is_none()
    }

    /// Whether the release of what is installed is there. A no-op asks nobody, unless somebody asks for
    /// a release; where no record lasts, the store is asked for what the lock speaks of.
    async fn is_done(
        &self,
        want: &ArtifactSpec,
        record: &mut ArtifactRecord,
    ) -> Result<bool, Fault> {
        if record.release.is_some() {
            return Ok(!self.options.exact || self.is_released(want, record).await?);
        }
        let is_silent = self.options.exact || self.cache.key().lasts();
        let Some(pinned) = self.pinned(want).filter(|_| !is_silent) else { return Ok(false) };
        // A store that does not answer says so when it is published to.
        let is_there = self.is_released(want, &pinned).await.unwrap_or(false);
        if is_there && pinned.stamp.binaries == record.stamp.binaries {
            record.release = pinned.release;
        }
        Ok(record.release.is_some())
    }

    fn look_at_installed(
        &self,
        look: &mut ProbeState,
        installed: InstalledState,
    ) -> Option<(ArtifactRecord, bool)> {
        let layout = self.workspaces.layout();
        let label = layout.display(&layout.installed_artifact(&look.want.id));
        match installed.found {
            Installed::Absent => look.note(label, "nothing is installed"),
            Installed::Damaged(why) => {
                look.note(label, format!("damaged: {why}"));
                let what = format!("the installed {} is damaged", look.want.id);
                let fault = Fault::new(Kind::Verification, what).because(why.clone());
                look.warnings.push(fault.hint("it is obtained anew"));
                look.why = Some(format!("what was installed is damaged: {why}"));
            }
            Installed::Intact { record, is_ours, relearned } => {
                let acceptance = self.use_rules().judge_installed(&look.want, &record, is_ours);
                if accepts(look, &label, &record.stamp.version, acceptance) {
                    // A record that the next run does not believe repairs nothing.
                    let is_outdated = relearned && self.cache.key().lasts();
                    return Some((record, is_outdated || !installed.has_links));
                }
            }
        }
        None
    }

    /// The artifact in the user's cache: the one with the locked digest, or else what was made here
    /// by a wanted recipe.
    async fn look_in_cache(&self, look: &mut ProbeState) -> Option<(ArtifactRecord, CacheKey)> {
        let label = "your cache";
        let mut found = "not there";
        for key in cache_keys(&look.want) {
            match self.cache.find(key, self.pinned(&look.want)) {
                Lookup::Absent => {}
                Lookup::Unproven => {
                    found =
                        "not used: forge as you run it on this machine did not write its record";
                }
                Lookup::Hit(hit) => match proven(hit).await {
                    Ok(record) => {
                        let acceptance = self.use_rules().judge_cached(&look.want, &record);
                        let is_it = accepts(look, label, &record.stamp.version, acceptance);
                        return is_it.then_some((record, key));
                    }
                    Err(damage) => {
                        look.note(label, damage.to_string());
                        look.warnings.push(damage);
                        return None;
                    }
                },
            }
        }
        look.note(label, found);
        None
    }

    /// What is known of the wanted artifact by the lock alone: it is in the project's releases.
    fn pinned(&self, want: &ArtifactSpec) -> Option<ArtifactRecord> {
        let (stamp, asset) = (want.locked_stamp()?, want.locked?);
        let store = self.stores.first()?.url().to_owned();
        let release = Some(KnownRelease::Holds { store, asset });
        Some(ArtifactRecord { release, ..ArtifactRecord::unknown(stamp, BTreeMap::new()) })
    }

    fn use_rules(&self) -> UseRules<'_> {
        UseRules {
            workspaces: self.workspaces,
            takes: self.options.classes.takes,
            exact: self.options.exact,
            locked: self.options.locked,
            private_store: self.options.private_store,
        }
    }

    /// Nobody has it: the vendor, or a build.
    fn look_no_further(&self, look: ProbeState, forced: Option<&str>) -> Result<Finding, Fault> {
        let publish = self.publishes(&look.want);
        let reason = match (forced, &look.why, &look.unasked) {
            (Some(forced), _, _) => forced.to_owned(),
            (None, Some(why), _) => why.clone(),
            (None, None, Some(store)) => format!("{store} was {NOT_ASKED}"),
            (None, None, None) => "no store has it".to_owned(),
        };
        let can_build = look.want.build.is_some();
        // Nothing is to be obtained then.
        if self.options.stores_only {
            let is_vendors = look.want.upstream.is_some();
            let verdict = if is_vendors { Verdict::Upstream } else { Verdict::Build };
            return Ok(look.finding(verdict, reason, publish));
        }
        if look.want.upstream.is_some()
            && !(can_build && (forced.is_some() || self.options.offline))
        {
            if self.options.offline {
                return Err(Fault::new(
                    Kind::Store,
                    format!("{} can only be downloaded from its vendor", look.want.id),
                )
                .because("--offline forbids the network"));
            }
            return Ok(look.finding(Verdict::Upstream, reason, publish));
        }
        if look.want.is_past
            && let Some(store) = &look.unasked
        {
            return Err(not_asked(&look.want.tag, store));
        }
        if look.want.is_past {
            return Err(Fault::new(
                Kind::Usage,
                format!("there is no release {} to take", look.want.tag),
            )
            .because("what is in the workspace is the code of now, not of that version")
            .hint(format!("`forge release:list {}` shows what there is", look.want.id.name)));
        }
        Ok(look.finding(Verdict::Build, reason, publish))
    }
}

/// How a store stands that was to be left alone.
pub const NOT_ASKED: &str = "not asked: --offline";

/// That nobody knows whether `tag` is released, since `store` was not asked.
pub fn not_asked(tag: &str, store: &str) -> Fault {
    Fault::new(Kind::Store, format!("cannot tell whether {tag} is released"))
        .because(format!("{store} was {NOT_ASKED}"))
        .hint("run it without --offline")
}

/// Notes whether a place has the wanted artifact, at `version`.
fn accepts(look: &mut ProbeState, label: &str, version: &str, acceptance: Acceptance) -> bool {
    match acceptance {
        Acceptance::Yes => look.note(label, format!("{version} is there")),
        Acceptance::WithWarning(fault) => {
            look.note(label, format!("{version} is there, by another recipe"));
            look.warnings.push(fault);
        }
        Acceptance::No(why) => {
            look.why.get_or_insert(format!("{label} is {why}"));
            look.note(label, why);
            return false;
        }
    }
    true
}

/// Where the cache could have it.
fn cache_keys(want: &ArtifactSpec) -> Vec<CacheKey> {
    match &want.locked {
        Some(locked) => vec![CacheKey::Asset(locked.sha256)],
        None => want.build.iter().chain(&want.upstream).map(|print| print.cache_key).collect(),
    }
}

/// Hashes what is not proven, on a thread of its own.
async fn proven(hit: Hit) -> Result<ArtifactRecord, Fault> {
    if hit.is_proven() {
        return hit.prove();
    }
    match tokio::task::spawn_blocking(|| hit.prove()).await {
        Ok(proven) => proven,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
