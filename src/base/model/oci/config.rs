//! The configuration of an image: what runs in it, and which layers it has.

#![allow(clippy::zero_sized_map_values, reason = "image-spec writes a set so: `{\"80/tcp\":{}}`")]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ImagePlatform, json};
use crate::model::Sha256;

/// The configuration of an image for one platform. What forge does not know of one is kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// When it was made, as RFC 3339 has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The processor architecture, by its `GOARCH` name.
    #[serde(default, deserialize_with = "json::absent")]
    pub architecture: String,
    /// The operating system, by its `GOOS` name.
    #[serde(default, deserialize_with = "json::absent")]
    pub os: String,
    /// What of an architecture: `v7` of arm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// What runs, and how.
    #[serde(default, deserialize_with = "json::absent")]
    pub config: ImageSettings,
    /// The layers.
    #[serde(default, deserialize_with = "json::absent")]
    pub rootfs: ImageRootFs,
    /// Where each layer came from.
    #[serde(default, deserialize_with = "json::absent", skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<ImageHistory>,
    /// Everything else.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// What runs in an image, and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImageSettings {
    /// Who runs it: `65532:65532`.
    #[serde(default, deserialize_with = "json::absent", skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// The ports that it listens to: `8080/tcp`.
    #[serde(
        default,
        deserialize_with = "json::absent",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub exposed_ports: BTreeMap<String, NoDetails>,
    /// Variables, as `NAME=VALUE`.
    #[serde(default, deserialize_with = "json::absent", skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// The command, before [`ImageSettings::cmd`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// The arguments that whoever runs it may replace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Vec<String>>,
    /// The folders that outlive it.
    #[serde(
        default,
        deserialize_with = "json::absent",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub volumes: BTreeMap<String, NoDetails>,
    /// Where it runs.
    #[serde(default, deserialize_with = "json::absent", skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// What is said of it to runtimes.
    #[serde(
        default,
        deserialize_with = "json::absent",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub labels: BTreeMap<String, String>,
    /// What ends it: `SIGTERM`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// `{}`: what is there is said by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoDetails {}

/// The layers of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRootFs {
    /// `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The digests of the layers' tars, unpacked, from the bottom up.
    #[serde(default, with = "json::digest::list")]
    pub diff_ids: Vec<Sha256>,
}

impl Default for ImageRootFs {
    fn default() -> Self {
        Self { kind: "layers".to_owned(), diff_ids: Vec::new() }
    }
}

/// Where a layer came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageHistory {
    /// When, as RFC 3339 has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// By which command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// What is to say of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Whether there is no layer for it.
    #[serde(default, deserialize_with = "json::absent", skip_serializing_if = "is_false")]
    pub empty_layer: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "that is how serde asks")]
fn is_false(value: &bool) -> bool {
    !value
}

impl ImageConfig {
    /// Reads the configuration of an image.
    ///
    /// # Errors
    /// Says in one sentence why it is not one.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes)
            .map_err(|error| format!("it is not the configuration of an image: {error}"))
    }

    /// Its bytes, the same for the same configuration.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        json::compact(self)
    }

    /// What it runs on.
    #[must_use]
    pub fn platform(&self) -> ImagePlatform {
        ImagePlatform {
            architecture: self.architecture.clone(),
            os: self.os.clone(),
            os_version: None,
            variant: self.variant.clone(),
        }
    }
}
