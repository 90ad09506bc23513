//! Media types of what lives in registries.

use std::borrow::Cow;

/// An index: one manifest per platform.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// A manifest: a configuration and layers.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The configuration of an image.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// A layer: a tar, packed by gzip.
pub const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// A layer: a tar, packed by zstd.
pub const LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
/// A layer: a tar as it is.
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// The configuration of what has none: [`EMPTY_JSON`].
pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// The bytes of a configuration of type [`EMPTY`].
pub const EMPTY_JSON: &[u8] = b"{}";

/// Statements of who made something from what.
pub const IN_TOTO: &str = "application/vnd.in-toto+json";
/// A list of what is in something, as SPDX writes it.
pub const SPDX: &str = "application/spdx+json";

/// What [`INDEX`] is in Docker's older words.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// What [`MANIFEST`] is in Docker's older words.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// What every request for a manifest has to accept: a registry says that a manifest of another type
/// is not there.
pub const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.docker.distribution.manifest.v2+json";

/// The media type that means the same in the words of the Open Container Initiative. The blobs are
/// interchangeable.
#[must_use]
pub fn oci_type(media_type: &str) -> Cow<'_, str> {
    const LAYERS: [(&str, &str); 3] = [
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", LAYER_GZIP),
        ("application/vnd.docker.image.rootfs.diff.tar.zstd", LAYER_ZSTD),
        ("application/vnd.docker.image.rootfs.diff.tar", LAYER),
    ];
    const OTHERS: [(&str, &str); 3] = [
        (DOCKER_LIST, INDEX),
        (DOCKER_MANIFEST, MANIFEST),
        ("application/vnd.docker.container.image.v1+json", CONFIG),
    ];
    // Parameters such as `; charset=utf-8` say nothing of what it is.
    let plain = media_type.split(';').next().unwrap_or_default().trim();
    let same = LAYERS.iter().chain(&OTHERS).find(|(docker, _)| *docker == plain);
    same.map_or(Cow::Borrowed(plain), |(_, oci)| Cow::Borrowed(oci))
}

/// Whether it is an index, also in Docker's words.
#[must_use]
pub fn is_index_type(media_type: &str) -> bool {
    oci_type(media_type) == INDEX
}

/// Whether it is a manifest, also in Docker's words.
#[must_use]
pub fn is_manifest_type(media_type: &str) -> bool {
    oci_type(media_type) == MANIFEST
}

/// Whether it is a layer that can be unpacked onto others, also in Docker's words.
#[must_use]
pub fn is_layer_type(media_type: &str) -> bool {
    [LAYER_GZIP, LAYER_ZSTD, LAYER].contains(&oci_type(media_type).as_ref())
}
