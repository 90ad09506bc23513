//! What is not as it should be among images.

use std::collections::BTreeMap;

use super::{
    audit::{AuditFinding, AuditProblem, Severity},
    images::ImagePin,
};
use crate::{image::ReleasedImage, model::Sha256};

/// An image with what was read of it for the audit.
#[derive(Clone, Debug)]
pub struct AuditedImage {
    /// The image.
    pub image: ReleasedImage,
    /// Why nobody that counts vouches for it, if so.
    pub not_vouched: Option<String>,
    /// For each blob that was downloaded, the digest of its bytes; nothing of one that is not there.
    pub hashed: BTreeMap<Sha256, Option<Sha256>>,
}

/// Looks at each of `images`, and for what `forge.lock` says should be among them. `is_strict` says
/// whether somebody has to vouch for each.
pub fn audit_images(
    pins: &[ImagePin],
    images: &[AuditedImage],
    is_strict: bool,
) -> Vec<AuditFinding> {
    let mut findings = Vec::new();
    for pin in pins {
        let own = images.iter().filter(|audited| audited.image.name == pin.name);
        for audited in own {
            findings.extend(audited.troubles(pin, is_strict));
        }
        findings.extend(absence(pin, images));
    }
    findings
}

impl AuditedImage {
    fn troubles(&self, pin: &ImagePin, is_strict: bool) -> Vec<AuditFinding> {
        let image = &self.image;
        let mut findings = Vec::new();
        let mut find = |file: Option<String>, trouble, weight| {
            let (name, tag) = (image.name.clone(), image.reference());
            findings.push(AuditFinding { name, tag, file, trouble, weight });
        };
        let is_pinned = pin.tag().as_deref() == Some(image.tag.as_str());
        let lacks = image.lacks(&pin.platforms);
        for child in image.children.iter().filter(|child| child.manifest.is_none()) {
            let platform = child.entry.platform.as_ref().map(ToString::to_string);
            find(platform, AuditProblem::ManifestMissing, Severity::Missing);
        }
        if !lacks.is_empty() {
            let weight = if is_pinned { Severity::Missing } else { Severity::Note };
            find(None, AuditProblem::PlatformsMissing(lacks), weight);
        }
        match pin.locked().filter(|_| is_pinned) {
            Some(locked) if locked.digest != image.digest => {
                let (locked, found) = (locked.digest, image.digest);
                find(None, AuditProblem::NotAsLocked { locked, found }, Severity::Wrong);
            }
            None if is_pinned => find(None, AuditProblem::NotLocked, Severity::Missing),
            _ => {}
        }
        if let Some(why) = &self.not_vouched {
            let weight = if is_strict && is_pinned { Severity::Missing } else { Severity::Note };
            find(None, AuditProblem::NotVouched(why.clone()), weight);
        }
        for (blob, found) in &self.hashed {
            let file = Some(format!("sha256:{}", blob.short()));
            match found {
                None => find(file, AuditProblem::BlobMissing, Severity::Missing),
                Some(found) if found != blob => {
                    find(file, AuditProblem::OtherBytes(*found), Severity::Wrong);
                }
                Some(_) => {}
            }
        }
        findings
    }
}

/// An image that `forge.lock` has and its registry has not.
fn absence(pin: &ImagePin, images: &[AuditedImage]) -> Option<AuditFinding> {
    let (tag, _) = (pin.tag()?, pin.locked()?);
    let is_it = |audited: &AuditedImage| audited.image.name == pin.name && audited.image.tag == tag;
    let finding = || AuditFinding {
        name: pin.name.clone(),
        tag: pin.repository.tagged(&tag).to_string(),
        file: None,
        trouble: AuditProblem::LockedButAbsent,
        weight: Severity::Missing,
    };
    (!images.iter().any(is_it)).then(finding)
}
