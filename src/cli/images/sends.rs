//! What a release of an image would send, as far as that is known before anything is built: for dry runs.

use std::collections::BTreeMap;

use serde_json::json;

use crate::{
    image::{ImageSpec, read_base},
    model::{Fault, Sha256, oci::Descriptor},
    report::human_size,
};

use super::{
    ImageWork, list,
    wants::{image, needed},
};

/// What would be sent for one image.
#[derive(Debug)]
pub(super) struct ImageSends {
    /// The image by its tag.
    pub(super) image: String,
    platforms: usize,
    layers: Vec<String>,
    base: Option<BaseSends>,
    also: Vec<String>,
}

/// What would be sent of a base.
#[derive(Debug)]
struct BaseSends {
    host: String,
    is_beside: bool,
    layers: usize,
    missing: usize,
    bytes: u64,
}

impl ImageWork<'_> {
    /// What would be sent for the image of `spec`, whose tag nothing has.
    pub(super) async fn sends(&self, spec: &ImageSpec) -> Result<ImageSends, Fault> {
        let workspaces = self.workspaces();
        let own = image(workspaces, &spec.name);
        let files = (!own.files.is_empty()).then(|| "files".to_owned());
        let dockerfile = own.dockerfile.as_ref();
        let built = dockerfile.map(|it| format!("what {} makes", it.path.display()));
        let binaries = needed(workspaces, &spec.name);
        let binaries = binaries.iter().filter(|_| dockerfile.is_none());
        let binaries = binaries.map(|name| format!("binaries of {name}"));
        Ok(ImageSends {
            image: spec.reference().to_string(),
            platforms: spec.platforms.len(),
            layers: files.into_iter().chain(built).chain(binaries).collect(),
            base: self.base_sends(spec).await?,
            also: spec.also.clone(),
        })
    }

    async fn base_sends(&self, spec: &ImageSpec) -> Result<Option<BaseSends>, Fault> {
        let registries = &self.wants.registries;
        let Some(base) = self.wants.bases.get(&spec.name) else { return Ok(None) };
        let read = read_base(registries, base, &spec.platforms).await?;
        let layers = read.platforms.values().flat_map(|platform| &platform.layers);
        let layers: BTreeMap<Sha256, &Descriptor> =
            layers.map(|layer| (layer.digest, layer)).collect();
        let (mut missing, mut bytes) = (0, 0);
        for layer in layers.values() {
            if !registries.has_blob(&spec.repository, layer.digest).await? {
                missing += 1;
                bytes += layer.size;
            }
        }
        Ok(Some(BaseSends {
            host: base.repository.host().to_owned(),
            is_beside: base.repository.is_beside(&spec.repository),
            layers: layers.len(),
            missing,
            bytes,
        }))
    }
}

impl ImageSends {
    /// One line: what is sent, and which tags.
    pub(super) fn line(&self) -> String {
        let manifests = match self.platforms {
            1 => "an index and 1 manifest".to_owned(),
            count => format!("an index and {count} manifests"),
        };
        let layers = match self.layers.as_slice() {
            [] => String::new(),
            layers => format!(", {}", list(layers)),
        };
        let base = self.base.as_ref().map(BaseSends::words).unwrap_or_default();
        let also = match self.also.as_slice() {
            [] => String::new(),
            also => format!("; then moves {}", list(also)),
        };
        format!("{}: sends {manifests}{layers}, provenance and SBOM{base}{also}\n", self.image)
    }

    pub(super) fn json(&self) -> serde_json::Value {
        let base = self.base.as_ref().map(|base| {
            json!({
                "layers": base.layers,
                "missing": base.missing,
                "bytes": base.bytes,
                "mounted": base.is_beside,
            })
        });
        json!({
            "manifests": self.platforms + 1,
            "layers": self.layers,
            "base": base,
            "moves": self.also,
        })
    }
}

impl BaseSends {
    fn words(&self) -> String {
        let (missing, layers) = (self.missing, self.layers);
        let how = if self.is_beside { "mounted" } else { "copied" };
        match missing {
            0 => "; all layers of its base are there".to_owned(),
            _ => format!(
                "; {missing} of {layers} layers of its base, {}, are {how} from {}",
                human_size(self.bytes),
                self.host
            ),
        }
    }
}
