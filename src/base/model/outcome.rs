//! What became of artifacts: the words of the closing table and of `--json`.

use std::path::PathBuf;

use super::{ArtifactId, Fault, ImageReport, Kind, images_kind};

/// How an artifact was obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the variants are the words themselves")]
pub enum How {
    Fresh,
    Cached,
    Downloaded,
    Upstream,
    Remote,
    Built,
    Failed,
    Skipped,
    Cancelled,
}

impl How {
    /// Every value, in the order of a summary.
    pub const ALL: &[Self] = &[
        Self::Fresh,
        Self::Cached,
        Self::Downloaded,
        Self::Upstream,
        Self::Remote,
        Self::Built,
        Self::Failed,
        Self::Skipped,
        Self::Cancelled,
    ];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Cached => "cached",
            Self::Downloaded => "downloaded",
            Self::Upstream => "upstream",
            Self::Remote => "remote",
            Self::Built => "built",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the artifact is there and proven.
    #[must_use]
    pub fn is_good(self) -> bool {
        !matches!(self, Self::Failed | Self::Skipped | Self::Cancelled)
    }
}

/// What became of one artifact in a run.
#[derive(Clone, Debug, PartialEq)]
pub struct ArtifactReport {
    /// Which artifact.
    pub id: ArtifactId,
    /// Its version label.
    pub version: String,
    /// How it was obtained.
    pub how: How,
    /// Whether this run put it into a store (an identical asset that was there already does not count).
    pub published: bool,
    /// The size of its binaries in bytes; 0 if unknown.
    pub bytes: u64,
    /// How long the work on it took, in seconds.
    pub seconds: f64,
    /// Why it was obtained so, or why it failed: one sentence.
    pub reason: String,
    /// The log of its commands, if they printed anything.
    pub log: Option<PathBuf>,
    /// What went wrong, if it failed.
    pub fault: Option<Fault>,
}

/// How the reason of what was built begins if there is a release of its version, from other inputs.
pub const OTHER_RELEASE: &str = "the released one is another";

impl ArtifactReport {
    /// Whether it was built since what is released of its version has other inputs: it stays here.
    #[must_use]
    pub fn is_beside_its_release(&self) -> bool {
        self.how == How::Built && !self.published && self.reason.starts_with(OTHER_RELEASE)
    }
}

/// What became of a whole run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunReport {
    /// One entry per artifact, sorted by name.
    pub artifacts: Vec<ArtifactReport>,
    /// What became of images, sorted by name.
    pub images: Vec<ImageReport>,
    /// Things that did not stop the run but that its owner should know.
    pub warnings: Vec<Fault>,
    /// What went in and out of the remote cache; nothing if none was asked.
    pub remote: Option<RemoteTotals>,
    /// Wall-clock seconds.
    pub seconds: f64,
}

/// What went in and out of a remote cache in one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoteTotals {
    /// The cache.
    pub cache: String,
    /// How many artifacts came from it.
    pub fetched: usize,
    /// How many it did not have, or not as they should be.
    pub missed: usize,
    /// How many were put into it.
    pub written: usize,
    /// How many ran on workers.
    pub executed: usize,
    /// How many bytes that took.
    pub sent: u64,
}

impl RemoteTotals {
    /// Adds what another run with the same cache counted.
    fn add(&mut self, more: &Self) {
        self.fetched += more.fetched;
        self.missed += more.missed;
        self.written += more.written;
        self.executed += more.executed;
        self.sent += more.sent;
    }
}

impl RunReport {
    /// Whether everything that was asked for is there.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let is_good =
            |artifact: &ArtifactReport| artifact.how.is_good() && artifact.fault.is_none();
        self.artifacts.iter().all(is_good) && self.images.iter().all(|image| image.fault.is_none())
    }

    /// Adds what a run beside this one gave: its images, and artifacts that this one did not speak of.
    pub fn add(&mut self, other: Self) {
        let Self { artifacts, images, warnings, remote, seconds } = other;
        let known: Vec<ArtifactId> = self.artifacts.iter().map(|one| one.id.clone()).collect();
        self.artifacts.extend(artifacts.into_iter().filter(|one| !known.contains(&one.id)));
        self.artifacts.sort_by(|a, b| a.id.cmp(&b.id));
        self.images.extend(images);
        self.warnings.extend(warnings);
        match (&mut self.remote, remote) {
            (Some(totals), Some(more)) => totals.add(&more),
            (None, more) => self.remote = more,
            (Some(_), None) => {}
        }
        self.seconds += seconds;
    }

    /// The exit code: that of the gravest root cause, 0 if there is none. Bytes that
    /// fail verification are graver than anything, an interruption explains all else.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        const BY_GRAVITY: [Kind; 7] = [
            Kind::Interrupted,
            Kind::Verification,
            Kind::Usage,
            Kind::Failed,
            Kind::Timeout,
            Kind::Store,
            Kind::Partial,
        ];
        // What was skipped is not a root cause: it needed something that failed for a reason of its own.
        let causes = self.artifacts.iter().filter(|artifact| artifact.how != How::Skipped);
        let mut kinds: Vec<Kind> =
            causes.filter_map(|a| a.fault.as_ref()).map(|f| f.kind).collect();
        // Stopped while the lock waited to be written, the run did not do all it should.
        kinds
            .extend(self.warnings.iter().map(|w| w.kind).filter(|kind| *kind == Kind::Interrupted));
        // An image that lacks what failed to build has said so, and others may be there.
        if let Some(kind) = images_kind(&self.images) {
            let is_graver = |graver: &Kind| kinds.contains(graver);
            return BY_GRAVITY[..2].iter().copied().find(is_graver).unwrap_or(kind).exit_code();
        }
        BY_GRAVITY.iter().find(|kind| kinds.contains(kind)).map_or(0, |kind| kind.exit_code())
    }
}
