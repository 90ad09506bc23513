//! What went wrong in a run, the root cause first, and what waited for it in vain.

use std::borrow::Cow;

use super::text::mentions;
use crate::model::{ArtifactReport, Fault, How, Kind, RunReport};

/// The artifacts of a run that are not as they should be.
pub(super) struct Failures<'a> {
    /// What failed. The first one is the root cause: the gravest, which also decides
    /// the exit code.
    pub failed: Vec<&'a ArtifactReport>,
    /// What was not tried, each after what it waited for.
    pub skipped: Vec<&'a ArtifactReport>,
    /// What was stopped.
    pub cancelled: Vec<&'a ArtifactReport>,
}

impl<'a> Failures<'a> {
    pub(super) fn in_report(report: &'a RunReport) -> Self {
        let mut failures = Self { failed: Vec::new(), skipped: Vec::new(), cancelled: Vec::new() };
        for artifact in &report.artifacts {
            match artifact.how {
                How::Skipped => failures.skipped.push(artifact),
                How::Cancelled => failures.cancelled.push(artifact),
                How::Failed => failures.failed.push(artifact),
                // It is there, but something that belonged to the run did not work.
                _ if artifact.fault.is_some() => failures.failed.push(artifact),
                _ => {}
            }
        }
        let code = report.exit_code();
        failures.failed.sort_by_key(|one| fault_of(one).kind.exit_code() != code);
        failures.order_skipped();
        failures
    }

    /// Those that wait for another skipped artifact come after it. Who waits for whom
    /// is known from the reasons (`needs gcc-lib, which …`), so each finds its place
    /// by the length of its chain.
    fn order_skipped(&mut self) {
        let skipped = self.skipped.clone();
        let next = |one: &ArtifactReport| {
            let needed = one.reason.strip_prefix("needs ")?.split(',').next()?;
            skipped.iter().find(|other| other.id.name.as_str() == needed).copied()
        };
        let depth = |one: &&ArtifactReport| {
            let chain = std::iter::successors(next(one), |one| next(one));
            chain.take(skipped.len()).count()
        };
        self.skipped.sort_by_cached_key(depth);
    }
}

/// Why `artifact` failed. Whoever reported none at least said a reason.
pub(super) fn fault_of(artifact: &ArtifactReport) -> Cow<'_, Fault> {
    match &artifact.fault {
        Some(fault) if mentions(&fault.what, artifact.id.name.as_str()) => Cow::Borrowed(fault),
        Some(fault) => {
            let what = format!("{} {}: {}", artifact.id, artifact.version, fault.what);
            Cow::Owned(Fault { what, ..fault.clone() })
        }
        None => {
            let what = format!("{} {}: {}", artifact.id, artifact.version, artifact.reason);
            Cow::Owned(Fault::new(Kind::Failed, what))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    #[test]
    fn the_gravest_comes_first_and_dependents_after_what_they_wait_for() {
        let report = RunReport {
            artifacts: vec![
                sample::skipped("app", "needs lib, which was skipped"),
                sample::failed("broken", Kind::Failed),
                sample::skipped("lib", "needs z, which was skipped"),
                sample::failed("tampered", Kind::Verification),
                sample::skipped("z", "needs tampered, which failed"),
            ],
            ..RunReport::default()
        };
        let failures = Failures::in_report(&report);
        let names = |reports: &[&ArtifactReport]| {
            reports.iter().map(|one| one.id.name.to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(&failures.failed), "tampered broken");
        assert_eq!(names(&failures.skipped), "z lib app");
    }

    #[test]
    fn a_cycle_of_reasons_ends() {
        let artifacts = vec![
            sample::skipped("a", "needs b, which was skipped"),
            sample::skipped("b", "needs a, which was skipped"),
        ];
        let report = RunReport { artifacts, ..RunReport::default() };
        assert_eq!(Failures::in_report(&report).skipped.len(), 2);
    }
}
