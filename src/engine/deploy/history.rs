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
    /// That of how.
    pub settings: String,
    /// Why it failed.
    pub why: String,
}

impl Hold {
    /// What it is held against, as [`Deployment::identity`] has it.
    pub fn identity(&self) -> (&str, &str) {
        (&self.digest, &self.settings)
    }
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
        of.find(|it| it.state() == DeployState::Succeeded).filter(|it| !it.destroys)
    }

    /// Whether something happened in `environment` since [`Self::current`] that may have left it as
    /// nobody wants it.
    pub fn doubt(&self, environment: &str, name: &str) -> Option<&Deployment> {
        let last = self.deployed(environment, name).rfind(|it| it.has_begun())?;
        let is_good = matches!(last.state(), DeployState::Succeeded | DeployState::RolledBack);
        (!is_good).then_some(last)
    }

    /// What one would go back from: the last that began; or, if that should have brought an earlier version
    /// back and did not come to a good end, what it went back from.
    pub fn leaving(&self, environment: &str, name: &str) -> Option<&Deployment> {
        let mut one = self.deployed(environment, name).rfind(|it| it.has_begun())?;
        while one.state() != DeployState::Succeeded {
            match one.back_from.and_then(|from| self.all.get(&from)) {
                Some(earlier) => one = earlier,
                None => break,
            }
        }
        Some(one)
    }

    /// The deployment that went back from the deployment `id`, if one began to.
    pub fn went_back(&self, id: u64) -> Option<&Deployment> {
        self.all.values().find(|it| it.back_from == Some(id) && it.has_begun())
    }

    /// The last deployment that began of what has the digest `digest`.
    pub fn last_of(&self, environment: &str, name: &str, digest: &str) -> Option<&Deployment> {
        let is_meant = |it: &&Deployment| it.has_begun() && it.artifact.digest() == digest;
        self.deployed(environment, name).rfind(is_meant)
    }

    /// What there is to go back to, the best first: what succeeded, but for what does the same as `not`,
    /// the same once.
    pub fn candidates(&self, environment: &str, name: &str, not: (&str, &str)) -> Vec<&Deployment> {
        let mut candidates: Vec<&Deployment> = Vec::new();
        let holds = self.holds(environment, name);
        for one in self.deployed(environment, name).rev() {
            let identity = one.identity();
            let is_known = candidates.iter().any(|it| it.identity() == identity);
            let is_held = || holds.iter().any(|it| it.identity() == identity);
            let is_good = one.state() == DeployState::Succeeded && !one.destroys;
            if is_good && identity != not && !is_known && !is_held() {
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
            if one.back_from.is_none() {
                if one.forced {
                    holds.retain(|hold| hold.identity() != one.identity());
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
                settings: bad.settings.clone(),
                why,
            });
        }
        holds
    }

    /// The deployment whose stack `stack` is now.
    pub fn active(&self, stack: &str) -> Option<&Deployment> {
        self.all.values().find(|it| it.stack == stack && it.state().is_active())
    }

    /// Those that wait for `stack` and come before `id`: what waits to bring an earlier version back
    /// before all others, else who came first.
    pub fn ahead<'h>(
        &'h self,
        stack: &'h str,
        id: u64,
    ) -> impl Iterator<Item = &'h Deployment> + use<'h> {
        let rank = |it: &Deployment| (it.back_from.is_none(), it.id);
        let own = self.all.get(&id).map(rank);
        self.all.values().filter(move |it| {
            let waits = it.stack == stack && it.state() == DeployState::Queued;
            waits && own.is_some_and(|own| rank(it) < own)
        })
    }
}
