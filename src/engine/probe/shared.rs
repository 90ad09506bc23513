//! Which artifacts of one workspace may serve in another one: under which key the user's cache
//! holds what was made here.
//!
//! A fingerprint holds what forge can see of what goes into an artifact. A command can use more: a
//! script beside the source, a file in the user's home, whatever a URL gives today. Within a
//! workspace that is the owner's affair. But if the cache served it to all workspaces of the user,
//! a stranger's repository that was built once would decide what another one with the same recipe
//! gets. So only what holds all its inputs is shared:
//!
//! - a vendor's asset, under its fingerprint and the digest that its bytes were compared with;
//! - what the `go` preset builds from a pinned module, a digest, or a git repository that is reached
//!   over an authenticated protocol, with no tool, file or variable beside it and no option that leads elsewhere.
//!
//! Everything else has the workspace in its key: commands of `run:`, in-repo code, builds with
//! `build_needs` (whose binaries may come from a release), and the `cargo` preset (cargo reads
//! `.cargo/config.toml` and `rust-toolchain.toml` from every folder above the source).
//!
//! A workspace is the folder it lies in. A clone elsewhere shares with it what any two workspaces
//! share, and what `forge.lock` pins: that is found by the asset's digest, which is the same everywhere.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    cache::CacheKey,
    model::{Digest, Fingerprint, FingerprintBuilder},
    workspace::{Build, Source, Subsystem, Text},
};

/// The workspace that keys hold.
#[derive(Clone, Debug)]
pub(super) struct WorkspaceIdentity(PathBuf);

impl WorkspaceIdentity {
    /// The identity of the workspace at `root`, however that is written.
    pub(super) fn for_root(root: &Path) -> Self {
        Self(fs::canonicalize(root).unwrap_or_else(|_| root.to_owned()))
    }

    /// The key of what this workspace makes by the recipe with this fingerprint.
    pub(super) fn key(&self, fingerprint: Fingerprint) -> CacheKey {
        key([
            ("recipe", fingerprint.to_string().as_bytes()),
            ("workspace", self.0.as_os_str().as_encoded_bytes()),
        ])
    }
}

/// The key of a vendor's asset that was compared with `digest`.
pub fn upstream_key(fingerprint: Fingerprint, digest: Digest) -> CacheKey {
    let (recipe, digest) = (fingerprint.to_string(), digest.to_string());
    key([("recipe", recipe.as_bytes()), ("upstream", digest.as_bytes())])
}

/// The key of what any workspace makes by the recipe with this fingerprint.
pub(super) fn shared_key(fingerprint: Fingerprint) -> CacheKey {
    key([("recipe", fingerprint.to_string().as_bytes())])
}

fn key<const N: usize>(fields: [(&'static str, &[u8]); N]) -> CacheKey {
    let mut builder = FingerprintBuilder::new();
    for (field, value) in fields {
        builder.add(field, value);
    }
    CacheKey::Build(builder.finish().0)
}

/// Whether the fingerprint of building `subsystem` holds all that goes into it.
pub(super) fn holds_all_inputs(subsystem: &Subsystem, build: &Build) -> bool {
    build.preset == Some("go")
        && subsystem.build_needs.is_empty()
        && subsystem.shared.is_empty()
        && build.pass_env.is_empty()
        && is_pinned(&subsystem.source)
        && build.dir.as_ref().is_none_or(stays_inside)
        && build.steps.iter().chain(build.env.values()).all(stays_inside)
}

fn is_pinned(source: &Source) -> bool {
    match source {
        // `go install MODULE@VERSION`, which Go's checksum database vouches for.
        Source::None | Source::Archive { .. } => true,
        Source::Git { url, .. } => {
            // `git@host:path`, too.
            let is_scp = || url.split_once(':').is_some_and(|(host, _)| host.contains('@'));
            url.starts_with("https://") || url.starts_with("ssh://") || is_scp()
        }
        Source::Path { .. } => false,
    }
}

/// Whether nothing in a preset's command or variable can lead out of the source: no absolute path, no
/// parent folder, no other place of the workspace, nothing that the shell works out.
fn stays_inside(text: &Text) -> bool {
    const LEADS_OUT: [&str; 10] =
        ["..", "$", "`", "~", "{{ root", "{{ bin", " /", "=/", "\"/", "'/"];
    let text = text.symbolic().replace("$(go env GOMODCACHE)", "");
    !text.starts_with('/') && !LEADS_OUT.iter().any(|sign| text.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Sha256;

    #[test]
    fn a_workspace_is_where_it_lies() {
        let fingerprint: Fingerprint = "1".repeat(64).parse().unwrap();
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let key = |path: &Path| WorkspaceIdentity::for_root(path).key(fingerprint);
        assert_ne!(key(a.path()), key(b.path()));
        let link = b.path().join("link");
        std::os::unix::fs::symlink(a.path(), &link).unwrap();
        assert_eq!(key(a.path()), key(&link));
        assert_ne!(key(a.path()), shared_key(fingerprint));
        assert_ne!(
            upstream_key(fingerprint, Sha256([1; 32]).into()),
            upstream_key(fingerprint, Sha256([2; 32]).into())
        );
    }

    #[test]
    fn what_leads_out_of_the_source_is_seen() {
        let text = |text: &str| {
            Text::new(
                text.replace("{out}", &Text::symbol("out"))
                    .replace("{root}", &Text::symbol("root")),
            )
        };
        for inside in
            ["go build -trimpath -ldflags \"-s -w\" -o \"{out}/\" ./cmd/x", "-mod=vendor", "0"]
        {
            assert!(stays_inside(&text(inside)), "{inside}");
        }
        for outside in [
            "go build ../x",
            "/etc/x",
            "go build -overlay=/tmp/x",
            "go build -C {root}/x",
            "-ldflags \"$(cat x)\"",
            "-ldflags `cat x`",
            "-overlay ~/x",
            "$HOME",
        ] {
            assert!(!stays_inside(&text(outside)), "{outside}");
        }
    }
}
