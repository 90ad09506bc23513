//! A bundle: every binary of the workspace for one platform in one archive, with the list of
//! their digests and the lock that they come from.

use std::path::Path;

use crate::{
    archive::{Contents, FileToPack, Hasher},
    cache::ArtifactRecord,
    model::{Compression, Layout, Platform, Sha256, asset_name},
};

/// The file in a bundle that `sha256sum --check` reads.
pub const DIGESTS: &str = "SHA256SUMS";

/// The file name of a bundle: `<project>-<version>-<platform>.tar.gz`.
pub fn bundle_name(project: &str, version: &str, platform: Platform) -> String {
    asset_name(&format!("{project}-{version}"), platform, Compression::TarGz)
}

/// What a bundle called `name` holds, all of it in a folder of that name without `.tar.gz`: the
/// binaries of `artifacts`, each a record and the folder it is installed in, and `lock`, the text
/// of `forge.lock`, if there is one.
pub fn bundle_entries(
    name: &str,
    artifacts: &[(ArtifactRecord, &Path)],
    lock: Option<String>,
) -> Vec<FileToPack> {
    let folder = name.strip_suffix(".tar.gz").unwrap_or(name);
    let entry = |name: &str, contents: Contents, executable: bool| FileToPack {
        name: format!("{folder}/{name}"),
        contents,
        executable,
    };
    let mut entries = Vec::new();
    let mut digests: Vec<(&str, Sha256)> = Vec::new();
    for (record, installed) in artifacts {
        for (binary, digest) in &record.stamp.binaries {
            entries.push(entry(binary, Contents::Proven(installed.join(binary), *digest), true));
            digests.push((binary.as_str(), *digest));
        }
    }
    if let Some(lock) = lock {
        let mut hasher = Hasher::new();
        hasher.update(lock.as_bytes());
        digests.push((Layout::LOCK, hasher.finish()));
        entries.push(entry(Layout::LOCK, Contents::Bytes(lock.into_bytes()), false));
    }
    digests.sort_unstable();
    let list: String = digests.iter().map(|(file, digest)| format!("{digest}  {file}\n")).collect();
    entries.push(entry(DIGESTS, Contents::Bytes(list.into_bytes()), false));
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_are_called_after_project_version_and_platform() {
        let platform = "linux-arm64".parse().unwrap();
        assert_eq!(bundle_name("my app", "v1.2.0", platform), "my-app-v1.2.0-linux-arm64.tar.gz");
    }
}
