//! A file of a release.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{origins::Origins, user};

/// A file of a release, as it is stored.
#[derive(Clone, Debug)]
pub struct Asset {
    pub id: u64,
    /// The name after sanitising.
    pub name: String,
    pub label: String,
    pub content_type: String,
    pub state: State,
    pub bytes: Bytes,
    /// `sha256:…`; old assets have none.
    pub digest: Option<String>,
    pub created_at: String,
    pub downloads: u64,
}

/// How far an upload got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Begun, and perhaps never to be finished.
    Starter,
    Uploaded,
}

impl Asset {
    /// The object that the API gives for it. `folder` is `owner/repo`, and `tag` the one that
    /// download addresses have.
    pub fn to_json(&self, origins: &Origins, folder: &str, tag: &str) -> Value {
        let Self { id, name, label, content_type, digest, created_at, downloads, .. } = self;
        let state = match self.state {
            State::Starter => "starter",
            State::Uploaded => "uploaded",
        };
        json!({
            "url": format!("{}/repos/{folder}/releases/assets/{id}", origins.api),
            "id": id,
            "node_id": format!("RA_{id}"),
            "name": name,
            "label": label,
            "uploader": user::to_json(origins),
            "content_type": content_type,
            "state": state,
            "size": self.bytes.len(),
            "digest": digest,
            "download_count": downloads,
            "created_at": created_at,
            "updated_at": created_at,
            "browser_download_url":
                format!("{}/{folder}/releases/download/{tag}/{name}", origins.web),
        })
    }
}

/// The digest of bytes as GitHub writes it: `sha256:` and 64 digits.
pub fn digest_of(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    let digits: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

/// The name under which GitHub keeps an asset: what is neither letter, digit nor one of `_+@-`
/// becomes a dot, one for a whole run; dots at the ends go, and what began with one gets
/// `default` in front.
pub fn sanitised(name: &str) -> String {
    let mut kept = String::new();
    for symbol in name.chars() {
        if symbol.is_ascii_alphanumeric() || "_+@-".contains(symbol) {
            kept.push(symbol);
        } else if !kept.ends_with('.') {
            kept.push('.');
        }
    }
    let kept = kept.trim_end_matches('.');
    if kept.starts_with('.') { format!("default{kept}") } else { kept.to_owned() }
}
