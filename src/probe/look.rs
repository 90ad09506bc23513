//! Looking for one artifact, from the nearest place to the farthest.

use std::collections::BTreeSet;

use crate::{
    cache::{Installed, Place, Record, inspect, links_are_there},
    model::{Fault, Kind, LockedAsset, Stamp},
};

use super::{Acceptance, Finding, Prober, Verdict, accept, distrust, want::Want};

/// One artifact being looked for: what is known so far.
pub(super) struct Look {
    pub(super) want: Want,
    looked: Vec<(String, String)>,
    pub(super) warnings: Vec<Fault>,
    /// Why the nearest candidate did not do; the reason of a build.
    pub(super) why: Option<String>,
    /// The first store, if it holds another artifact under this version.
    pub(super) taken_in: Option<String>,
}

impl Look {
    pub(super) fn note(&mut self, place: impl Into<String>, found: impl Into<String>) {
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
            // A no-op asks nobody, unless somebody asks for a release.
            let is_done = record.release.is_some()
                && (!self.options.exact || self.is_released(&look.want, &record).await?);
            let publish = self.options.publish && !is_done;
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
        if let Some((store, revision)) = self.look_in_stores(&mut look).await? {
            let reason = format!("{} has {}", self.stores[store].url(), look.want.tag_of(revision));
            return Ok(look.finding(Verdict::Released { store, revision }, reason, false));
        }
        self.look_no_further(look, None)
    }

    fn look_at_installed(&self, look: &mut Look) -> Option<(Record, bool)> {
        let layout = self.workspaces.layout();
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

    /// Whether `record` may be used by this run; notes why if not.
    fn trusts(&self, look: &mut Look, label: &str, record: &Record) -> bool {
        let Some(why) = distrust(
            self.workspaces.any(),
            record,
            look.want.locked.as_ref(),
            self.options.classes.takes,
        ) else {
            return true;
        };
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
