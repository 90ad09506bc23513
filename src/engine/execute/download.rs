//! Downloading: bytes stream from a store through hash and unpacking into staging, and
//! become visible only when everything about them is proven.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Read},
    path::Path,
    time::{Duration, Instant},
};

use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use tokio::sync::mpsc;

use crate::{
    archive::{DigestHasher, Unpacked, Unpacker},
    cache::{ArtifactRecord, CacheKey, KnownRelease, Staging},
    disk::{MOST_OF_TEXT, read_text},
    manifest::parse_stamp,
    model::{
        Algorithm, BinaryName, Digest, Event, Fault, How, Kind, LockedAsset, Revision, Sha256,
        Stamp,
    },
    plan::Action,
    probe::{Acceptance, ArtifactSpec, Finding, accept, check_header},
    provenance::Trust,
    store::{AssetStream, Beginnings, BrokenTransfer, Store, published_digest},
};

use super::{Context, Done, LockChange};

/// Chunks on their way from the network to the unpacking thread. Together with the size
/// of a chunk this bounds the memory of a transfer.
const CHUNKS_IN_FLIGHT: usize = 4;

/// How often a transfer of unknown length whose bytes are not the expected ones begins again.
const DOUBTS: u32 = 2;

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(100);

impl Context {
    /// Downloads an artifact from a store, proves it, and installs it.
    pub(super) async fn download(
        &self,
        action: &Action,
        finding: &Finding,
        store: usize,
        revision: Revision,
    ) -> Result<Done, Fault> {
        let want = &finding.want;
        let store = &self.stores[store];
        let tag = want.tag_of(revision);
        let label = format!("{tag}/{} from {}", want.asset, store.url());
        let pinned = self.private_or_locked(want, &label)?;
        // What the lock pins needs no second witness, and no request for one.
        let published = match pinned {
            Some(_) => None,
            None => published_digest(&**store, &tag, &want.asset).await?,
        };
        let digest = pinned.map(|asset| asset.sha256).or(published);
        let builder = self.trusted_builder(want, &tag, &**store, digest).await?;
        let staging = self.staging()?;
        let unpacker = Unpacker::new(&label);
        let origin = UnpackOrigin::Store(&**store, &tag, &want.asset);
        let expected = digest.map(Digest::from);
        let unpacked = self.unpack_all(action, origin, &unpacker, staging.path(), expected).await?;
        let unpacked = unpacked.ok_or_else(|| {
            Fault::new(Kind::Store, format!("{label} vanished"))
                .because("it was there a moment ago")
                .hint("run it again")
        })?;
        compare(&unpacked, pinned, published, &label)?;
        self.phase(action, "verifying");
        let Proven { stamp, asset, mut warnings } =
            self.prove(want, revision, &staging, &unpacked, &label)?;
        let release = KnownRelease::Holds { store: store.url().to_owned(), asset };
        let attested = self.workspaces.any().trust == Trust::Attested;
        let record =
            ArtifactRecord { builder, attested, ..self.new_record(stamp, None, Some(release)) };
        // Only under its digest: what others say of the recipe it was built by proves nothing.
        let key = CacheKey::Asset(asset.sha256);
        let (record, cache) = self.adopt(want, &staging, record, key)?;
        warnings.extend(cache);
        let lock = self.lock_change(want, &record.stamp, asset);
        Ok(Done { warnings, lock, ..Done::new(How::Downloaded, record) })
    }

    /// What the lock pins for this asset. With `--locked` there must be something.
    fn private_or_locked(
        &self,
        want: &ArtifactSpec,
        label: &str,
    ) -> Result<Option<LockedAsset>, Fault> {
        if want.locked.is_none() && self.options.locked && !self.options.private_store {
            return Err(Fault::new(
                Kind::Verification,
                format!("forge.lock has no digest of {label}"),
            )
            .because("--locked takes nothing that is not pinned")
            .hint(format!(
                "run `forge ensure {}` without --locked, and commit forge.lock",
                want.id.name
            )));
        }
        Ok(want.locked)
    }

    /// The change that an asset of a release, which holds what `stamp` says, makes to the lock.
    pub(super) fn lock_change(
        &self,
        want: &ArtifactSpec,
        stamp: &Stamp,
        asset: LockedAsset,
    ) -> Option<LockChange> {
        // What one invocation chose is nobody else's pin.
        let is_kept = !self.options.private_store && !self.workspaces.subsystem(&want.id).is_chosen;
        is_kept.then(|| LockChange {
            commit: stamp.commit.clone(),
            asset: Some((want.id.platform, asset, stamp.binaries.clone())),
            ..LockChange::nothing_of(
                &want.id.name,
                self.workspaces.subsystem(&want.id).version.as_str(),
            )
        })
    }

    /// Compares what was unpacked with its stamp, its stamp with what is wanted, and
    /// every binary's header with the platform.
    fn prove(
        &self,
        want: &ArtifactSpec,
        revision: Revision,
        staging: &Staging,
        unpacked: &Unpacked,
        label: &str,
    ) -> Result<Proven, Fault> {
        let wrong = |why: String| {
            Fault::new(Kind::Verification, format!("{label} is not the pinned artifact"))
                .because(why)
                .hint("nothing was installed; see who published it, or build it with `forge ensure --force`")
        };
        let text = read_text(&staging.path().join(Stamp::FILE), MOST_OF_TEXT)
            .map_err(|_| wrong("it has no stamp (`.version`)".into()))?;
        let stamp =
            parse_stamp(&text).map_err(|why| wrong(format!("its stamp is damaged: {why}")))?;
        let asset = LockedAsset {
            fingerprint: stamp.fingerprint,
            sha256: unpacked.sha256,
            size: unpacked.size,
            revision,
        };
        let release = (!self.options.private_store).then_some(&asset);
        let warnings = match accept(want, &stamp, release) {
            Acceptance::Yes => Vec::new(),
            // It was said already when the installed or cached one was looked at, or is said now.
            Acceptance::WithWarning(fault) => vec![fault],
            Acceptance::No(why) => return Err(wrong(why)),
        };
        compare_files(&stamp, unpacked).map_err(wrong)?;
        for name in stamp.binaries.keys() {
            check_header(want.id.platform, name, &staging.path().join(name))
                .map_err(|fault| fault.within(format!("{label} is not the pinned artifact")))?;
        }
        Ok(Proven { stamp, asset, warnings })
    }

    /// Gets `url`, whose digest should be `expected`, and unpacks what comes.
    pub(super) async fn fetch_and_unpack(
        &self,
        action: &Action,
        url: &str,
        unpacker: &Unpacker,
        into: &Path,
        expected: Digest,
    ) -> Result<Unpacked, Fault> {
        let unpacked =
            self.unpack_all(action, UnpackOrigin::Url(url), unpacker, into, Some(expected)).await?;
        unpacked.ok_or_else(|| nothing_at(url))
    }

    /// Unpacks what is at `origin` into the folder `into`; anew if a transfer breaks that cannot
    /// go on. `None` if nothing is there.
    async fn unpack_all(
        &self,
        action: &Action,
        origin: UnpackOrigin<'_>,
        unpacker: &Unpacker,
        into: &Path,
        expected: Option<Digest>,
    ) -> Result<Option<Unpacked>, Fault> {
        let mut beginnings = Beginnings::default();
        loop {
            if beginnings.broken() > 0 {
                empty(into)?;
            }
            let Some(stream) = self.open(origin).await? else { return Ok(None) };
            let has_length = stream.size.is_some();
            let unpacked = self.unpack_stream(action, stream, unpacker.clone(), into).await;
            let is_doubtful = !has_length && beginnings.broken() < DOUBTS;
            match unpacked {
                Ok(unpacked) if is_doubtful && expected.is_some_and(|it| it != unpacked.digest) => {
                    beginnings.again(cut_unnoticed(&unpacker.label))?;
                }
                Ok(unpacked) => return Ok(Some(unpacked)),
                Err(broken) if is_doubtful && broken.fault.kind == Kind::Verification => {
                    beginnings.again(cut_unnoticed(&unpacker.label))?;
                }
                Err(broken) if broken.fault.kind == Kind::Verification => {
                    let expected = expected.ok_or_else(|| broken.fault.clone())?;
                    return Err(self.judge_damage(origin, broken.fault, expected).await);
                }
                Err(broken) => beginnings.again(broken)?,
            }
        }
    }

    /// Of bytes that cannot be unpacked: whether they are the expected ones. Unpacking stops at the first
    /// that is wrong, so they are fetched once more to be hashed.
    async fn judge_damage(
        &self,
        origin: UnpackOrigin<'_>,
        damage: Fault,
        expected: Digest,
    ) -> Fault {
        let Some(digest) = self.digest_at(origin, expected.algorithm()).await else {
            return damage;
        };
        if digest == expected {
            return damage.because(format!("its digest is the expected one, {expected}"));
        }
        let what = format!("{} is not what was published", origin.label());
        let why = damage.why.first().map_or(String::new(), |why| format!(": {why}"));
        Fault::new(Kind::Verification, what)
            .because(format!("its digest is {digest:?}, expected is {expected}"))
            .because(format!("it cannot be unpacked{why}"))
            .hint("nothing was installed; fetch it again, and find out who changed it if that does not help")
    }

    /// The digest of what is at `origin`, if it comes whole.
    async fn digest_at(&self, origin: UnpackOrigin<'_>, algorithm: Algorithm) -> Option<Digest> {
        let mut stream = self.open(origin).await.ok()??;
        let mut hasher = DigestHasher::new(algorithm);
        loop {
            tokio::select! {
                next = stream.bytes.next() => match next {
                    Some(chunk) => hasher.update(&chunk.ok()?),
                    None => return hasher.finish(),
                },
                () = self.cancel.cancelled() => return None,
            }
        }
    }

    async fn open(&self, origin: UnpackOrigin<'_>) -> Result<Option<AssetStream>, Fault> {
        match origin {
            UnpackOrigin::Store(store, tag, asset) => store.open(tag, asset).await,
            UnpackOrigin::Url(url) => tokio::select! {
                stream = self.fetcher.get(url) => stream,
                () = self.cancel.cancelled() => Err(self.cancel.fault(&format!("fetching {url}"))),
            },
        }
    }

    /// Passes a stream to a thread that unpacks it, and tells how far it is.
    async fn unpack_stream(
        &self,
        action: &Action,
        mut stream: AssetStream,
        unpacker: Unpacker,
        into: &Path,
    ) -> Result<Unpacked, BrokenTransfer> {
        let (sender, receiver) = mpsc::channel(CHUNKS_IN_FLIGHT);
        let reader = ChunkReader { receiver, chunk: Bytes::new(), ended: false };
        let into = into.to_owned();
        let unpacking = tokio::task::spawn_blocking(move || unpacker.unpack(reader, &into));
        let mut progress = Progress::new(self, action, stream.size);
        let mut broken = None;
        loop {
            let next = tokio::select! {
                next = stream.bytes.next() => next,
                // A build is not broken off from outside, so its downloads listen themselves.
                () = self.cancel.cancelled() => Some(Err(self.cancel.fault("a transfer").into())),
            };
            let part = match next {
                Some(Ok(chunk)) => {
                    progress.add(chunk.len());
                    DownloadPart::Chunk(chunk)
                }
                Some(Err(cut)) => {
                    broken = Some(cut);
                    break;
                }
                None => DownloadPart::End,
            };
            let is_end = matches!(part, DownloadPart::End);
            // A receiver that is gone has met an error, which it is about to return.
            if sender.send(part).await.is_err() || is_end {
                break;
            }
        }
        drop(sender);
        let unpacked = match unpacking.await {
            Ok(unpacked) => unpacked,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        // Whatever unpacking says of a stream that broke off, the break is the cause.
        broken.map_or(unpacked.map_err(BrokenTransfer::from), Err)
    }
}

/// Where something to be unpacked is.
#[derive(Clone, Copy)]
enum UnpackOrigin<'a> {
    /// A store, a tag and an asset.
    Store(&'a dyn Store, &'a str, &'a str),
    Url(&'a str),
}

impl UnpackOrigin<'_> {
    fn label(self) -> String {
        match self {
            Self::Store(store, tag, asset) => format!("{tag}/{asset} from {}", store.url()),
            Self::Url(url) => url.to_owned(),
        }
    }
}

/// Of a transfer without a length, an end may be a cut that nobody noticed.
fn cut_unnoticed(label: &str) -> BrokenTransfer {
    let fault = Fault::new(Kind::Store, format!("{label} did not come whole"))
        .because("the server did not say how long it is");
    BrokenTransfer { fault, may_begin_again: true }
}

/// Removes all that is in `folder`, which a broken transfer left.
fn empty(folder: &Path) -> Result<(), Fault> {
    let what = || format!("cannot empty {}", folder.display());
    let remove = || -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    };
    match remove() {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Fault::io(what(), &error)),
        _ => Ok(()),
    }
}

/// Why a file that a spec names cannot be obtained.
pub(super) fn nothing_at(url: &str) -> Fault {
    Fault::new(Kind::Store, format!("there is nothing at {url}"))
        .hint("correct the URL in the spec, or the version in versions.yml")
}

/// Compares the packed bytes with what the lock pins and the store publishes.
fn compare(
    unpacked: &Unpacked,
    locked: Option<LockedAsset>,
    published: Option<Sha256>,
    label: &str,
) -> Result<(), Fault> {
    let locked = locked.map(|locked| ("forge.lock", locked.sha256));
    let published = published.map(|sha256| ("its .sha256 file", sha256));
    for (who, wanted) in locked.into_iter().chain(published) {
        if wanted != unpacked.sha256 {
            return Err(Fault::new(
                Kind::Verification,
                format!("{label} is corrupt or was replaced"),
            )
            .because(format!("its sha256 is {}, {who} says {wanted}", unpacked.sha256))
            .hint("nothing was installed; find out what happened to the release"));
        }
    }
    Ok(())
}

/// Compares the files of an asset with what its stamp says of them.
fn compare_files(stamp: &Stamp, unpacked: &Unpacked) -> Result<(), String> {
    for (name, sha256) in &stamp.binaries {
        let Some(file) = unpacked.files.get(name.as_str()) else {
            return Err(format!("its stamp names `{name}`, which it does not hold"));
        };
        if file.sha256 != *sha256 {
            return Err(format!(
                "the sha256 of `{name}` is {}, its stamp says {}",
                file.sha256.short(),
                sha256.short()
            ));
        }
    }
    let known: BTreeSet<&str> =
        stamp.binaries.keys().map(BinaryName::as_str).chain([Stamp::FILE]).collect();
    if let Some(name) = unpacked.files.keys().find(|name| !known.contains(name.as_str())) {
        return Err(format!("it holds `{name}`, which its stamp does not name"));
    }
    match unpacked.links.keys().next() {
        Some(name) => Err(format!("it holds `{name}`, which is a link and not a file")),
        None => Ok(()),
    }
}

/// A downloaded artifact that is what it should be.
struct Proven {
    stamp: Stamp,
    asset: LockedAsset,
    warnings: Vec<Fault>,
}

/// What goes from the network to the unpacking thread.
enum DownloadPart {
    Chunk(Bytes),
    /// All of it came. A channel that closes without this was cut off.
    End,
}

/// Reads the parts as one stream of bytes, on a thread that may block.
struct ChunkReader {
    receiver: mpsc::Receiver<DownloadPart>,
    chunk: Bytes,
    ended: bool,
}

impl Read for ChunkReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() && !self.ended {
            match self.receiver.blocking_recv() {
                Some(DownloadPart::Chunk(chunk)) => self.chunk = chunk,
                Some(DownloadPart::End) => self.ended = true,
                None => return Err(io::Error::other("the transfer was broken off")),
            }
        }
        let count = buffer.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

/// Tells how far a transfer is, not more often than anybody can see.
struct Progress<'a> {
    context: &'a Context,
    action: &'a Action,
    total: Option<u64>,
    done: u64,
    told: Instant,
}

impl<'a> Progress<'a> {
    fn new(context: &'a Context, action: &'a Action, total: Option<u64>) -> Self {
        Self { context, action, total, done: 0, told: Instant::now() }
    }

    fn add(&mut self, bytes: usize) {
        self.done += bytes as u64;
        if self.told.elapsed() >= TELL_EVERY {
            self.told = Instant::now();
            let (action, done, total) = (self.action.id, self.done, self.total);
            self.context.events.emit(Event::Transfer { action, done, total });
        }
    }
}
