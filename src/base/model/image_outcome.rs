//! What became of images: rows of the closing table and of `--json`.

use super::{Fault, Kind, Name, Sha256};

/// How an image stands after a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the variants are the words themselves")]
pub enum ImageHow {
    Released,
    Pushed,
    Made,
    Failed,
    Skipped,
}

impl ImageHow {
    /// Every value, in the order of a summary.
    pub const ALL: &[Self] =
        &[Self::Released, Self::Pushed, Self::Made, Self::Failed, Self::Skipped];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Pushed => "pushed",
            Self::Made => "made",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    /// Whether the image is there.
    #[must_use]
    pub fn is_good(self) -> bool {
        matches!(self, Self::Released | Self::Pushed | Self::Made)
    }
}

/// What became of one image in a run.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageReport {
    /// The subsystem.
    pub name: Name,
    /// Its version label.
    pub version: String,
    /// The image by its tag: `ghcr.io/acme/api:v1.2.3`.
    pub image: String,
    /// The digest of its index, if there is one.
    pub digest: Option<Sha256>,
    /// How it stands.
    pub how: ImageHow,
    /// The tags that lead to it now and did not before.
    pub moved: Vec<String>,
    /// The bytes that were sent for it; of one that was only made, those of all its blobs.
    pub bytes: u64,
    /// How long the work on it took, in seconds.
    pub seconds: f64,
    /// Why it stands so: one sentence without a full stop.
    pub reason: String,
    /// What went wrong, if it failed.
    pub fault: Option<Fault>,
}

impl ImageReport {
    /// One that failed.
    #[must_use]
    pub fn failed(name: Name, version: String, image: String, fault: Fault) -> Self {
        let reason = fault.to_string();
        let how = ImageHow::Failed;
        Self {
            name,
            version,
            image,
            digest: None,
            how,
            moved: Vec::new(),
            bytes: 0,
            seconds: 0.0,
            reason,
            fault: Some(fault),
        }
    }

    /// What it is called by its digest, if it is there.
    #[must_use]
    pub fn pinned(&self) -> Option<String> {
        self.digest.map(|digest| format!("{}@sha256:{digest}", self.image))
    }
}

/// What the images of a run make of its exit code: nothing if all are there, what one that failed says,
/// and that some are there and some are not.
#[must_use]
pub fn images_kind(images: &[ImageReport]) -> Option<Kind> {
    let faults = || images.iter().filter_map(|image| image.fault.as_ref());
    let grave = |kind| faults().any(|fault| fault.kind == kind);
    let is_partial = images.iter().any(|image| image.how.is_good());
    match faults().next() {
        _ if grave(Kind::Interrupted) => Some(Kind::Interrupted),
        _ if grave(Kind::Verification) => Some(Kind::Verification),
        Some(_) if is_partial => Some(Kind::Partial),
        Some(first) => Some(first.kind),
        None => None,
    }
}
