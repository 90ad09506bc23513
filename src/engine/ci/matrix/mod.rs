//! The jobs that a pipeline is dealt out to: which builds what, on which runner.
//!
//! ```text
//! artifacts ─ what depends on each other ─> loads ─ by runner, by time ─> jobs ─┬> github
//!                                                                               └> gitlab
//! ```
//!
//! What depends on each other stays together, so that no job builds what another one builds. A runner
//! takes jobs of its own: one that builds for several platforms gets the artifacts of all of them.
//! An image has a job of its own, which makes it for all its platforms, with all that goes into it.

mod deal;
mod github;
mod gitlab;
mod images;
mod runner;

use std::collections::{BTreeMap, BTreeSet};

pub use github::MOST_JOBS;
pub use gitlab::GitlabPipeline;
pub use images::ImageLoad;
pub use runner::{PlatformRunner, RunnerHost};

use crate::{
    model::{ArtifactId, Name, Platform},
    workspace::Workspaces,
};

use super::quote::shell_word;

/// Seconds that a build is thought to take if nothing was ever recorded.
const UNKNOWN_BUILD: f64 = 60.0;

/// Which runners there are, and how many jobs.
#[derive(Clone, Copy, Debug)]
pub struct Fleet<'a> {
    /// Whose runners.
    pub host: RunnerHost,
    /// Those that `versions.yml` names.
    pub named: &'a BTreeMap<Platform, Vec<String>>,
    /// How many jobs at most; each runner that is needed has one at least.
    pub jobs: usize,
    /// What forge is told before the names: `-C FOLDER`.
    pub folder: Option<&'a str>,
}

/// The jobs of one pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// In the order in which they are listed.
    pub jobs: Vec<Job>,
}

/// A job.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// What it is called; no two are called the same.
    pub name: String,
    /// What it runs on.
    pub runner: PlatformRunner,
    /// What it builds, by platform.
    pub artifacts: BTreeMap<Platform, BTreeSet<Name>>,
    /// The images that it makes, each with its platforms.
    pub images: BTreeMap<Name, BTreeSet<Platform>>,
    /// Seconds that it is expected to take.
    pub seconds: f64,
    /// What builds and tests it all; publishes nothing.
    pub command: String,
    /// What publishes it afterwards, where that is allowed.
    pub publish: String,
}

impl Fleet<'_> {
    /// The runner for `platform`.
    pub fn runner(&self, platform: Platform) -> PlatformRunner {
        PlatformRunner::for_platform(self.host, platform, self.named)
    }

    /// What building `id` needs to have, if all has to be built: what goes with it, and tools that
    /// run on the runner.
    pub fn needs(&self, workspaces: &Workspaces, id: &ArtifactId) -> BTreeSet<ArtifactId> {
        let machine = self.runner(id.platform).machine;
        let subsystem = workspaces.subsystem(id);
        let of = |platform| move |name: &Name| ArtifactId { name: name.clone(), platform };
        let needs = subsystem.needs.iter().map(of(id.platform));
        needs.chain(subsystem.build_needs.iter().map(of(machine))).collect()
    }

    /// Deals `wanted` and `images` out. `seconds` says how long each artifact took the last time, where
    /// that is known. Each image has a job of its own, however many there may be.
    pub fn deal(
        &self,
        workspaces: &Workspaces,
        wanted: &BTreeSet<ArtifactId>,
        images: &[ImageLoad],
        seconds: &BTreeMap<ArtifactId, f64>,
    ) -> Matrix {
        let usual = usual(seconds);
        let mut by_runner: BTreeMap<PlatformRunner, Vec<Load>> = BTreeMap::new();
        let mut left: Vec<&ImageLoad> = images.iter().collect();
        let mut of_images = Vec::new();
        for artifacts in self.clusters(workspaces, wanted, images) {
            let (own, others): (Vec<_>, Vec<_>) =
                left.into_iter().partition(|image| image.takes(&artifacts));
            left = others;
            if !own.is_empty() {
                of_images.push(self.image_job(&own, &artifacts, seconds, usual));
                continue;
            }
            let runner = self.runner_of_all(&artifacts);
            let weight = artifacts.iter().map(|id| seconds.get(id).copied().unwrap_or(usual)).sum();
            by_runner.entry(runner).or_default().push(Load { artifacts, weight });
        }
        let weights = |loads: &Vec<Load>| loads.iter().map(|load| load.weight).collect();
        let kinds: Vec<Vec<f64>> = by_runner.values().map(weights).collect();
        let counts = deal::share(&kinds, self.jobs);
        let alone = BTreeSet::new();
        let alone = left.into_iter().map(|it| self.image_job(&[it], &alone, seconds, usual));
        of_images.extend(alone);
        of_images.sort_by(|a, b| a.name.cmp(&b.name));
        let mut jobs = Vec::new();
        for (((runner, loads), weights), count) in by_runner.iter().zip(&kinds).zip(counts) {
            let dealt = deal::deal(weights, count);
            let all = dealt.len();
            let of_runner = dealt.iter().enumerate().map(|(at, places)| {
                let loads: Vec<&Load> = places.iter().map(|place| &loads[*place]).collect();
                self.job(runner, &loads, (at + 1, all))
            });
            jobs.extend(of_runner);
        }
        jobs.extend(of_images);
        Matrix { jobs }
    }

    /// Sets of artifacts of which some need others, or that go into one image; sorted.
    fn clusters(
        &self,
        workspaces: &Workspaces,
        wanted: &BTreeSet<ArtifactId>,
        images: &[ImageLoad],
    ) -> Vec<BTreeSet<ArtifactId>> {
        let mut neighbours: BTreeMap<&ArtifactId, BTreeSet<&ArtifactId>> = BTreeMap::new();
        let mut join = |one, other| {
            neighbours.entry(one).or_default().insert(other);
            neighbours.entry(other).or_default().insert(one);
        };
        for id in wanted {
            self.reach(workspaces, wanted, id).into_iter().for_each(|need| join(id, need));
        }
        for image in images {
            let parts = image.parts.iter().flat_map(|part| {
                let own = wanted.get(part);
                own.into_iter().chain(self.reach(workspaces, wanted, part))
            });
            let parts: Vec<&ArtifactId> = parts.collect();
            parts.windows(2).for_each(|two| join(two[0], two[1]));
        }
        let mut left: BTreeSet<&ArtifactId> = wanted.iter().collect();
        let mut clusters = Vec::new();
        while let Some(first) = left.pop_first() {
            let mut cluster = BTreeSet::new();
            let mut rest = vec![first];
            while let Some(id) = rest.pop() {
                cluster.insert(id.clone());
                let beside = neighbours.get(id).into_iter().flatten();
                rest.extend(beside.filter(|id| left.remove(**id)));
            }
            clusters.push(cluster);
        }
        clusters
    }

    /// Those of `wanted` that a job which builds `id` would build too: directly, or through what can
    /// be had and needs them in turn.
    fn reach<'w>(
        &self,
        workspaces: &Workspaces,
        wanted: &'w BTreeSet<ArtifactId>,
        id: &ArtifactId,
    ) -> BTreeSet<&'w ArtifactId> {
        let mut reached = BTreeSet::new();
        let mut seen = BTreeSet::from([id.clone()]);
        let mut rest: Vec<ArtifactId> = self.needs(workspaces, id).into_iter().collect();
        while let Some(need) = rest.pop().filter(|need| workspaces.knows(need.platform)) {
            match wanted.get(&need) {
                Some(need) => drop(reached.insert(need)),
                None if seen.insert(need.clone()) => rest.extend(workspaces.needs(&need)),
                None => {}
            }
        }
        reached
    }

    /// The runner for artifacts that stay together: one that is itself what some of them are for,
    /// since tools among them run there.
    fn runner_of_all(&self, artifacts: &BTreeSet<ArtifactId>) -> PlatformRunner {
        let platforms: BTreeSet<Platform> = artifacts.iter().map(|id| id.platform).collect();
        let runners = platforms.iter().map(|platform| self.runner(*platform));
        let by_fit =
            |runner: &PlatformRunner| (!platforms.contains(&runner.machine), runner.clone());
        let best = runners.min_by_key(by_fit);
        best.unwrap_or_else(|| self.runner(Platform::host()))
    }

    fn job(&self, runner: &PlatformRunner, loads: &[&Load], place: (usize, usize)) -> Job {
        let mut artifacts: BTreeMap<Platform, BTreeSet<Name>> = BTreeMap::new();
        for id in loads.iter().flat_map(|load| &load.artifacts) {
            artifacts.entry(id.platform).or_default().insert(id.name.clone());
        }
        Job {
            name: name(runner, &artifacts, place),
            runner: runner.clone(),
            command: self.command("ci", " --part --no-publish", &artifacts),
            publish: self.command("ci:release", " --part", &artifacts),
            artifacts,
            images: BTreeMap::new(),
            seconds: loads.iter().map(|load| load.weight).sum(),
        }
    }

    fn command(
        &self,
        verb: &str,
        flags: &str,
        artifacts: &BTreeMap<Platform, BTreeSet<Name>>,
    ) -> String {
        let folder = self.folder.map(|folder| format!(" -C {}", shell_word(folder)));
        let folder = folder.unwrap_or_default();
        let line = |(platform, names): (&Platform, &BTreeSet<Name>)| {
            format!("forge{folder} {verb} {} --platform {platform}{flags}", words(names))
        };
        artifacts.iter().map(line).collect::<Vec<_>>().join(" && ")
    }
}

/// What stays together, and the seconds that it takes.
struct Load {
    artifacts: BTreeSet<ArtifactId>,
    weight: f64,
}

/// `linux-amd64`, or `linux-amd64 2 of 3`; of a runner that builds for several platforms its own
/// label stands for them.
fn name(
    runner: &PlatformRunner,
    artifacts: &BTreeMap<Platform, BTreeSet<Name>>,
    (at, all): (usize, usize),
) -> String {
    let mut platforms = artifacts.keys();
    let what = match (platforms.next(), platforms.next()) {
        (Some(platform), None) if *platform == runner.machine => platform.to_string(),
        (Some(platform), None) => format!("{platform} on {}", runner.labels.join(" ")),
        _ => runner.labels.join(" "),
    };
    if all == 1 { what } else { format!("{what}, {at} of {all}") }
}

/// Names with blanks between them.
pub(super) fn words(names: &BTreeSet<Name>) -> String {
    names.iter().map(Name::as_str).collect::<Vec<_>>().join(" ")
}

/// What is assumed of builds that were never timed: the middle of those that were.
fn usual(seconds: &BTreeMap<ArtifactId, f64>) -> f64 {
    let mut known: Vec<f64> = seconds.values().copied().collect();
    known.sort_by(f64::total_cmp);
    known.get(known.len() / 2).copied().unwrap_or(UNKNOWN_BUILD)
}

impl Job {
    /// All names, whatever they are built for.
    pub fn names(&self) -> BTreeSet<Name> {
        self.artifacts.values().flatten().chain(self.images.keys()).cloned().collect()
    }

    /// Its platforms.
    pub fn platforms(&self) -> Vec<String> {
        let platforms = self.artifacts.keys().chain(self.images.values().flatten());
        platforms.collect::<BTreeSet<_>>().into_iter().map(ToString::to_string).collect()
    }
}

#[cfg(test)]
mod tests;
