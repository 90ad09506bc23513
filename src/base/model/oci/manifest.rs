//! Indexes and manifests.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    Annotations, Descriptor, INDEX, MANIFEST, is_index_type, is_manifest_type, json, oci_type,
};
use crate::model::Platform;

/// One manifest per platform, or a list of referrers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageIndex {
    schema_version: u32,
    #[serde(default, deserialize_with = "json::absent")]
    media_type: String,
    /// What it is for, if it is an artifact that is not an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The manifests. Of several that fit a platform the first is taken.
    #[serde(default, deserialize_with = "json::absent")]
    pub manifests: Vec<Descriptor>,
    /// What it refers to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// What else is said of it.
    #[serde(
        default,
        deserialize_with = "json::absent",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub annotations: Annotations,
}

impl ImageIndex {
    /// An index of `manifests`, in this order.
    #[must_use]
    pub fn new(manifests: Vec<Descriptor>, annotations: Annotations) -> Self {
        let (schema_version, media_type) = (2, INDEX.to_owned());
        Self {
            schema_version,
            media_type,
            artifact_type: None,
            manifests,
            subject: None,
            annotations,
        }
    }

    /// Its bytes, the same for the same index.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        json::compact(self)
    }

    /// The first manifest that runs on `platform`.
    #[must_use]
    pub fn manifest_for(&self, platform: Platform) -> Option<&Descriptor> {
        let runs = |it: &&Descriptor| it.platform.as_ref().is_some_and(|its| its.runs(platform));
        self.manifests.iter().find(runs)
    }
}

/// An image for one platform, or an artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageManifest {
    schema_version: u32,
    #[serde(default, deserialize_with = "json::absent")]
    media_type: String,
    /// What it is for, if it is an artifact that is not an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The configuration.
    pub config: Descriptor,
    /// The layers, from the bottom up.
    #[serde(default, deserialize_with = "json::absent")]
    pub layers: Vec<Descriptor>,
    /// What it refers to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// What else is said of it.
    #[serde(
        default,
        deserialize_with = "json::absent",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub annotations: Annotations,
}

impl ImageManifest {
    /// A manifest of `layers` on each other, described by `config`.
    #[must_use]
    pub fn new(config: Descriptor, layers: Vec<Descriptor>, annotations: Annotations) -> Self {
        Self {
            schema_version: 2,
            media_type: MANIFEST.to_owned(),
            artifact_type: None,
            config,
            layers,
            subject: None,
            annotations,
        }
    }

    /// The same as an artifact of `artifact_type`.
    #[must_use]
    pub fn of_type(self, artifact_type: &str) -> Self {
        Self { artifact_type: Some(artifact_type.to_owned()), ..self }
    }

    /// The same, which refers to `subject`.
    #[must_use]
    pub fn about(self, subject: Descriptor) -> Self {
        Self { subject: Some(subject), ..self }
    }

    /// Its bytes, the same for the same manifest.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        json::compact(self)
    }
}

/// What a registry keeps under a tag.
#[allow(clippy::large_enum_variant, reason = "there are a few of them, each in one place")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistryDocument {
    /// One manifest per platform.
    Index(ImageIndex),
    /// An image for one platform, or an artifact.
    Manifest(ImageManifest),
}

impl RegistryDocument {
    /// Reads `bytes`, which a server called `content_type`. Docker's media types are replaced by the
    /// others that mean the same.
    ///
    /// # Errors
    /// Says in one sentence what it is instead.
    pub fn parse(bytes: &[u8], content_type: Option<&str>) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Beginning {
            schema_version: Option<u32>,
            media_type: Option<String>,
            manifests: Option<serde_json::Value>,
        }
        let first: Beginning = read(bytes)?;
        let generic = |it: &&str| is_index_type(it) || is_manifest_type(it);
        let said = first.media_type.as_deref().or(content_type.filter(generic));
        let is_index = match said.filter(|text| !text.is_empty()) {
            Some(said) if is_index_type(said) => true,
            Some(said) if is_manifest_type(said) => false,
            Some(said) => return Err(format!("it is of the type `{said}`, not an image")),
            None => first.manifests.is_some(),
        };
        if first.schema_version != Some(2) {
            return Err(
                "it is a manifest of Docker's first format, which forge does not read".into()
            );
        }
        if is_index {
            let mut index: ImageIndex = read(bytes)?;
            INDEX.clone_into(&mut index.media_type);
            index.manifests.iter_mut().for_each(in_oci_words);
            return Ok(Self::Index(index));
        }
        let mut manifest: ImageManifest = read(bytes)?;
        MANIFEST.clone_into(&mut manifest.media_type);
        in_oci_words(&mut manifest.config);
        manifest.layers.iter_mut().for_each(in_oci_words);
        Ok(Self::Manifest(manifest))
    }

    /// What is said of it.
    #[must_use]
    pub fn annotations(&self) -> &Annotations {
        match self {
            Self::Index(index) => &index.annotations,
            Self::Manifest(manifest) => &manifest.annotations,
        }
    }
}

fn in_oci_words(descriptor: &mut Descriptor) {
    descriptor.media_type = oci_type(&descriptor.media_type).into_owned();
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("it cannot be read: {error}"))
}
