//! Taking a binary from its vendor's own release: only with a digest, then stamped like any other.

use std::{collections::BTreeMap, fs, path::Path};

use crate::{
    archive::{EntryPolicy, Unpacked, Unpacker},
    model::{Binaries, Digest, Fault, Fingerprint, How, Kind, LockedUpstream},
    plan::Action,
    probe::{ArtifactSpec, Finding, check_header, upstream_key},
    store::{asset_path, find_digest},
    workspace::{Upstream, UpstreamDigest},
};

use super::{Context, Done, LockChange, adopt::new_stamp, download::nothing_at};

/// A checksums file beyond this is none.
const MAX_CHECKSUMS: u64 = 1 << 20;

impl Context {
    /// Fetches an artifact from its vendor, proves it, and installs it.
    pub(super) async fn fetch_upstream(
        &self,
        action: &Action,
        finding: &Finding,
    ) -> Result<Done, Fault> {
        let want = &finding.want;
        let subsystem = self.workspaces.subsystem(&want.id);
        let (Some(upstream), Some(print)) = (&subsystem.upstream, &want.upstream) else {
            return Err(Fault::new(Kind::Usage, format!("{} has no `upstream:`", want.id)));
        };
        let begun = jiff::Timestamp::now();
        let expected = self.upstream_digest(want, upstream).await?;
        let staging = self.staging()?;
        let paths = want.binaries.iter().map(|name| path_in_archive(upstream, name).to_owned());
        let unpacker = Unpacker {
            strip: upstream.strip,
            program: Some(want.binaries[0].to_string()),
            keep: EntryPolicy::Only(paths.collect()),
            algorithm: expected.algorithm(),
            ..Unpacker::new(&upstream.url)
        };
        let into = staging.path().join("unpacked");
        let unpacked =
            self.fetch_and_unpack(action, &upstream.url, &unpacker, &into, expected).await?;
        if unpacked.digest != expected {
            return Err(Fault::new(
                Kind::Verification,
                format!("{} is not what was published", upstream.url),
            )
            .because(format!("its digest is {:?}, expected is {expected}", unpacked.digest))
            .hint("nothing was installed; a vendor who replaces an asset should say why"));
        }
        self.phase(action, "verifying");
        let binaries = take_binaries(want, upstream, &unpacked, staging.path())?;
        let stamp = new_stamp(want, print, None, binaries);
        let record = self.new_record(
            stamp,
            Some(self.made(begun, BTreeMap::new(), None)),
            finding.taken.clone(),
        );
        let key = upstream_key(print.fingerprint, expected);
        let (record, warnings) = self.adopt(want, &staging, record, key)?;
        let lock = self.lock_upstream(want, upstream, print.fingerprint, expected);
        Ok(Done { warnings, lock, ..Done::new(How::Upstream, record) })
    }

    /// The change that a vendor's digest makes to the lock when it is first used.
    fn lock_upstream(
        &self,
        want: &ArtifactSpec,
        upstream: &Upstream,
        fingerprint: Fingerprint,
        digest: Digest,
    ) -> Option<LockChange> {
        let subsystem = self.workspaces.subsystem(&want.id);
        let is_new = matches!(upstream.digest, UpstreamDigest::Published(_))
            && want.locked_upstream.is_none()
            && !subsystem.is_chosen;
        is_new.then(|| LockChange {
            upstream: Some((want.id.platform, LockedUpstream { fingerprint, digest })),
            ..LockChange::nothing_of(&want.id.name, subsystem.version.as_str())
        })
    }

    /// The digest that the vendor's asset must have: the one in the spec, or else the one that the
    /// vendor publishes, which must be the one of its first use.
    async fn upstream_digest(
        &self,
        want: &ArtifactSpec,
        upstream: &Upstream,
    ) -> Result<Digest, Fault> {
        let url = match &upstream.digest {
            UpstreamDigest::Pinned(digest) => return Ok(*digest),
            UpstreamDigest::Published(url) => url,
        };
        let Some(locked) = want.locked_upstream else {
            if self.options.locked {
                return Err(unlocked(want, upstream));
            }
            return self.published_digest(upstream, url).await;
        };
        match self.published_digest(upstream, url).await {
            Ok(published) if published != locked => Err(replaced(want, url, published, locked)),
            // What is locked needs no second witness: if the vendor's list has gone, the bytes decide.
            _ => Ok(locked),
        }
    }

    async fn published_digest(&self, upstream: &Upstream, url: &str) -> Result<Digest, Fault> {
        let text = self.fetcher.get_text(url, MAX_CHECKSUMS).await?;
        let text = text.ok_or_else(|| nothing_at(url))?;
        let path = asset_path(&upstream.url);
        find_digest(&text, &path).map_err(|why| {
            let asset = path.rsplit('/').next().unwrap_or_default();
            Fault::new(Kind::Verification, format!("{url} has no digest of `{asset}`"))
                .because(why)
                .hint("correct `upstream.sha256`, or pin the digest itself there")
        })
    }
}

fn unlocked(want: &ArtifactSpec, upstream: &Upstream) -> Fault {
    Fault::new(Kind::Verification, format!("forge.lock has no digest of {}", upstream.url))
        .because("--locked takes nothing that is not pinned")
        .hint(format!(
            "run `forge ensure {}` without --locked, and commit forge.lock",
            want.id.name
        ))
}

/// The vendor says something else than at first use.
fn replaced(want: &ArtifactSpec, url: &str, published: Digest, locked: Digest) -> Fault {
    let what = format!("the vendor of {} publishes another digest than before", want.id);
    Fault::new(Kind::Verification, what)
        .because(format!("{url} says {published}, forge.lock says {locked}"))
        .hint(format!(
            "find out why the vendor replaced {} {}; to accept it, remove its line below `upstream:` \
             of `{}` from forge.lock",
            want.id.name, want.version, want.id.name
        ))
}

/// Moves the binaries out of the vendor's archive into `staging`, and drops the rest.
fn take_binaries(
    want: &ArtifactSpec,
    upstream: &Upstream,
    unpacked: &Unpacked,
    staging: &Path,
) -> Result<Binaries, Fault> {
    let folder = staging.join("unpacked");
    let mut binaries = Binaries::new();
    for name in &want.binaries {
        let path = path_in_archive(upstream, name);
        let Some(file) = unpacked.files.get(path) else {
            return Err(no_binary(path, upstream, unpacked));
        };
        check_header(want.id.platform, name, &folder.join(path))
            .map_err(|fault| fault.within(format!("{} does not fit", upstream.url)))?;
        fs::rename(folder.join(path), staging.join(name))
            .map_err(|e| Fault::io(format!("cannot take `{path}` out of the archive"), &e))?;
        binaries.insert(name.clone(), file.sha256);
    }
    fs::remove_dir_all(&folder)
        .map_err(|e| Fault::io(format!("cannot remove {}", folder.display()), &e))?;
    Ok(binaries)
}

/// Where a binary is in the vendor's archive.
fn path_in_archive<'a>(upstream: &'a Upstream, name: &'a str) -> &'a str {
    let plain = name.strip_suffix(".exe").unwrap_or(name);
    upstream.paths.get(plain).map_or(name, String::as_str)
}

fn no_binary(path: &str, upstream: &Upstream, unpacked: &Unpacked) -> Fault {
    let url = &upstream.url;
    let is_other =
        unpacked.links.contains_key(path) || unpacked.skipped.iter().any(|it| it == path);
    if is_other {
        return Fault::new(Kind::Failed, format!("`{path}` of {url} is not a file of its own"))
            .because("it is a link, or not a file at all")
            .hint("say with `upstream.paths` where the program itself is");
    }
    let there = unpacked.files.keys().chain(&unpacked.skipped);
    let some: Vec<_> = there.take(8).map(String::as_str).collect();
    let why = match some.is_empty() {
        true => "it holds no files".to_owned(),
        false => format!("it holds {}", some.join(", ")),
    };
    Fault::new(Kind::Failed, format!("{url} holds no `{path}`"))
        .because(why)
        .hint("say where it is with `upstream.strip` and `upstream.paths`")
}
