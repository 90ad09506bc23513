//! What the lines of the ledger come to: what is where, what an environment is held against, and
//! what there is to go back to.

use std::collections::BTreeMap;

use super::{DeployState, Deployment};

/// All deployments of a ledger, by their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeployHistory {
    /// The deployments.
    pub all: BTreeMap<u64, Deployment>,
    /// The numbers of those that began to change what is there, in the order in which they did. One that waited
    /// may have begun after one with a higher number.
    pub began: Vec<u64>,
}

/// A version that an environment is held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The deployment that failed.
    pub id: u64,
    /// Its version.
    pub version: String,
    /// The digest of what was deployed.
    pub digest: String,
    /// Why it failed.
    pub why: String,
}

impl DeployHistory {
    /// The deployments of `name` to `environment`: in the order in which they began, and behind them those
    /// that did not begin.
    pub fn deployed<'h, 'n>(
        &'h self,
        environment: &'n str,
        name: &'n str,
    ) -> impl DoubleEndedIterator<Item = &'h Deployment> + use<'h, 'n> {
        let is_meant = move |it: &&Deployment| it.environment == environment && it.name == name;
        let began = self.began.iter().filter_map(|id| self.all.get(id));
        let others = self.all.values().filter(|it| !it.has_begun());
        began.chain(others).filter(is_meant)
    }

    /// What runs in `environment`, as far as the ledger tells: the last that succeeded.
    pub fn current(&self, environment: &str, name: &str) -> Option<&Deployment> {
        let mut of = self.deployed(environment, name).rev();
        of.find(|it| it.state() == DeployState::Succeeded)
    }

    /// Whether something happened in `environment` since [`Self::current`] that may have left it as
    /// nobody wants it.
    pub fn doubt(&self, environment: &str, name: &str) -> Option<&Deployment> {
        let last = self.deployed(environment, name).rfind(|it| it.has_begun())?;
        let is_good = matches!(last.state(), DeployState::Succeeded | DeployState::RolledBack);
        (!is_good).then_some(last)
    }

    /// What there is to go back to, the best first: what succeeded, but for what is there, each version
    /// once.
    pub fn candidates(&self, environment: &str, name: &str, not: &str) -> Vec<&Deployment> {
        let mut candidates: Vec<&Deployment> = Vec::new();
        let holds = self.holds(environment, name);
        for one in self.deployed(environment, name).rev() {
            let digest = one.artifact.digest();
            let is_known = candidates.iter().any(|it| it.artifact.digest() == digest);
            let is_held = || holds.iter().any(|it| it.digest == digest);
            if one.state() == DeployState::Succeeded && digest != not && !is_known && !is_held() {
                candidates.push(one);
            }
        }
        candidates
    }

    /// What `environment` is held against: each version that an earlier one was brought back from,
    /// until another one succeeds or somebody insists.
    pub fn holds(&self, environment: &str, name: &str) -> Vec<Hold> {
        let mut holds: Vec<Hold> = Vec::new();
        for one in self.deployed(environment, name) {
            let digest = one.artifact.digest();
            if one.back_from.is_none() {
                if one.forced {
                    holds.retain(|hold| hold.digest != digest);
                }
                if one.state() == DeployState::Succeeded {
                    holds.clear();
                }
            }
            let went_back = one.changes.iter().any(|it| it.state == DeployState::RollingBack);
            // A rollback that was given up before it began brought nobody back from anything.
            let back_from = one.back_from.filter(|_| one.has_begun());
            let was_left = back_from.and_then(|id| self.all.get(&id));
            let bad = if went_back { Some(one) } else { was_left };
            let Some(bad) = bad.filter(|bad| holds.iter().all(|hold| hold.id != bad.id)) else {
                continue;
            };
            let failed = bad.changes.iter().find(|it| it.state.is_over());
            let why = match failed.filter(|it| it.state != DeployState::Succeeded) {
                Some(change) => change.why.clone(),
                None => "somebody went back from it".to_owned(),
            };
            holds.push(Hold {
                id: bad.id,
                version: bad.version.clone(),
                digest: bad.artifact.digest().to_owned(),
                why,
            });
        }
        holds
    }

    /// The deployment whose stack `stack` is now.
    pub fn active(&self, stack: &str) -> Option<&Deployment> {
        self.all.values().find(|it| it.stack == stack && it.state().is_active())
    }

    /// Those that wait for `stack` and came before `id`.
    pub fn ahead<'h>(&'h self, stack: &'h str, id: u64) -> impl Iterator<Item = &'h Deployment> {
        let waits = move |it: &&Deployment| it.stack == stack && it.state() == DeployState::Queued;
        self.all.range(..id).map(|(_, it)| it).filter(waits)
    }
}
