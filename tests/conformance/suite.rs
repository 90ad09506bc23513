//! What every store has to do.

use std::{path::Path, time::Duration};

use async_trait::async_trait;
use forge::{
    model::{Environment, Fault, Kind, Layout, Sha256, UserFolders},
    store::{
        AssetStream, Login, Logins, Published, Receipt, Store, StoreRelease, StoreSettings,
        StoreUrl, Upload, open, published_digest,
    },
};
use futures_util::stream::{self, StreamExt, TryStreamExt};

pub const TAG: &str = "nats-v2.10.24";

/// What kind of host a store is on.
#[derive(Clone, Copy)]
pub struct Host {
    /// Whether it takes empty files.
    pub takes_empty: bool,
    /// Whether, of several who publish one name at once, exactly one wins.
    pub decides_races: bool,
    /// Whether `find` gives the digest.
    pub tells_digest: bool,
}

impl Host {
    pub const SIZES: [usize; 6] = [0, 1, 2000, 256 * 1024, 256 * 1024 + 1, 5_000_000];

    pub fn sizes(self) -> impl Iterator<Item = usize> {
        Self::SIZES.into_iter().filter(move |size| *size > 0 || self.takes_empty)
    }
}

/// Settings under which retries take milliseconds, and that know nothing of this machine.
pub fn settings(environment: &[(&str, &str)]) -> StoreSettings {
    StoreSettings {
        proxies: false,
        attempts: 4,
        backoff: Duration::from_millis(1),
        environment: environment.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
        ..StoreSettings::new(
            Layout::new("/nowhere".into(), UserFolders::default()),
            &Environment::default(),
        )
    }
}

/// One login, whatever the host, and where it is from.
#[derive(Debug)]
struct Token(String, &'static str);

#[async_trait]
impl Logins for Token {
    async fn login(&self, _: &str) -> Option<Login> {
        Some(Login { token: self.0.clone(), source: self.1.into() })
    }
}

/// The same with a login.
pub fn with_token(settings: StoreSettings, token: &str) -> StoreSettings {
    logged_in(settings, token, "a test")
}

/// The same with a login from `source`.
pub fn logged_in(settings: StoreSettings, token: &str, source: &'static str) -> StoreSettings {
    StoreSettings { logins: std::sync::Arc::new(Token(token.into(), source)), ..settings }
}

pub fn store(url: &str, settings: &StoreSettings) -> std::sync::Arc<dyn Store> {
    open(&StoreUrl::parse(url).expect(url), settings).expect(url)
}

pub fn digest(bytes: &[u8]) -> Sha256 {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    Sha256(digest.as_ref().try_into().expect("32 bytes"))
}

/// Bytes that are unlike at every place, and other ones for each `seed`.
pub fn noise(size: usize, seed: u64) -> Vec<u8> {
    let mix = |i: u64| ((i + seed * 7919).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8;
    (0..size as u64).map(mix).collect()
}

/// `bytes` as a file in `folder`, to be published as `asset`.
pub fn upload(folder: &Path, asset: &str, bytes: &[u8]) -> Upload {
    let path = folder.join(format!("source-{}", digest(bytes)));
    std::fs::write(&path, bytes).expect("the source");
    Upload::new(asset.into(), path, digest(bytes))
}

pub fn release(tag: &str) -> StoreRelease {
    StoreRelease::of_subsystem(tag.into(), Vec::new())
}

pub async fn all(stream: AssetStream) -> Result<Vec<u8>, Fault> {
    let all = |all: Vec<u8>, piece: bytes::Bytes| async move { Ok([&all[..], &piece].concat()) };
    stream.bytes.map_err(Fault::from).try_fold(Vec::new(), all).await
}

pub async fn publish(store: &dyn Store, tag: &str, upload: &Upload) -> Published {
    let Receipt { published, waits_for } = store.publish(&release(tag), upload).await.unwrap();
    assert!(waits_for.is_empty(), "{waits_for:?}");
    published
}

/// All that a store which can be written does.
pub async fn writes(store: &dyn Store, host: Host) {
    let temp = tempfile::tempdir().unwrap();
    nothing_is_there(store).await;
    for size in host.sizes() {
        let upload = upload(temp.path(), &size.to_string(), &noise(size, 0));
        assert_eq!(publish(store, TAG, &upload).await, Published::Created, "{size}");
    }
    reads(store, host).await;
    what_is_there_stays(store, temp.path()).await;
    races(store, host, temp.path()).await;
    names_are_checked(store).await;
    removal_is_complete(store).await;
}

async fn nothing_is_there(store: &dyn Store) {
    assert!(store.is_writable());
    assert_eq!(store.find(TAG, "2000").await.unwrap(), None);
    assert!(store.open(TAG, "2000").await.unwrap().is_none());
    assert_eq!(store.release(TAG).await.unwrap(), None);
    assert_eq!(store.releases().await.unwrap(), []);
    store.remove(TAG).await.unwrap();
    let access = store.access().await.unwrap();
    assert!(access.may_read && access.may_write != Some(false), "{access:?}");
}

/// Looks for what [`writes`] or [`furnish`] put there.
pub async fn reads(store: &dyn Store, host: Host) {
    for size in host.sizes() {
        let (asset, bytes) = (size.to_string(), noise(size, 0));
        let found = store.find(TAG, &asset).await.unwrap().unwrap();
        assert_eq!(found.size, Some(size as u64));
        let told = host.tells_digest.then(|| digest(&bytes));
        assert_eq!(found.sha256, told, "{size}");
        let published = published_digest(store, TAG, &asset).await.unwrap();
        assert_eq!(published, Some(digest(&bytes)), "{size}");
        let stream = store.open(TAG, &asset).await.unwrap().unwrap();
        assert_eq!(stream.size, Some(size as u64));
        assert!(all(stream).await.unwrap() == bytes, "{size}");
    }
    for (tag, asset) in [(TAG, "absent"), ("nats-v2.10", "2000"), ("absent-v1", "2000")] {
        assert_eq!(store.find(tag, asset).await.unwrap(), None);
        assert!(store.open(tag, asset).await.unwrap().is_none());
    }
}

/// Fills the folder of a directory store with what [`reads`] looks for.
pub async fn furnish(folder: &Path, host: Host) {
    let store = store(&format!("dir:{}", folder.display()), &settings(&[]));
    let temp = tempfile::tempdir().unwrap();
    for size in host.sizes() {
        publish(&*store, TAG, &upload(temp.path(), &size.to_string(), &noise(size, 0))).await;
    }
}

async fn what_is_there_stays(store: &dyn Store, temp: &Path) {
    let (first, other) = (noise(2000, 0), noise(2000, 1));
    let same = upload(temp, "2000", &first).with("2000.note".into(), "first".into());
    assert_eq!(publish(store, TAG, &same).await, Published::Identical);
    let again = upload(temp, "2000", &first).with("2000.note".into(), "second".into());
    assert_eq!(publish(store, TAG, &again).await, Published::Identical);
    let stream = store.open(TAG, "2000.note").await.unwrap().unwrap();
    assert_eq!(all(stream).await.unwrap(), b"first");

    let theirs = Published::Conflict { theirs: digest(&first) };
    assert_eq!(publish(store, TAG, &upload(temp, "2000", &other)).await, theirs);
    let stream = store.open(TAG, "2000").await.unwrap().unwrap();
    assert!(all(stream).await.unwrap() == first);
    assert_eq!(published_digest(store, TAG, "2000").await.unwrap(), Some(digest(&first)));

    let mut broken = upload(temp, "broken", &other);
    broken.sha256 = digest(&first);
    let fault = store.publish(&release(TAG), &broken).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Verification, "{fault}");
    assert_eq!(store.find(TAG, "broken").await.unwrap(), None);
}

async fn races(store: &dyn Store, host: Host, temp: &Path) {
    for round in 0..3 {
        let asset = format!("race-{round}");
        let uploads: Vec<_> =
            (0..4).map(|n| upload(temp, &asset, &noise(30_000, 10 + n))).collect();
        let release = release("race-v1");
        let racing = uploads.iter().map(|upload| store.publish(&release, upload));
        let outcomes = futures_util::future::join_all(racing).await;
        let stream = store.open("race-v1", &asset).await.unwrap().unwrap();
        let there = digest(&all(stream).await.unwrap());
        assert!(uploads.iter().any(|upload| upload.sha256 == there), "one of them, and whole");
        if !host.decides_races {
            continue;
        }
        for (upload, outcome) in uploads.iter().zip(outcomes) {
            let expected = match upload.sha256 == there {
                true => Published::Created,
                false => Published::Conflict { theirs: there },
            };
            assert_eq!(outcome.unwrap().published, expected);
        }
    }
    // The same bytes from everywhere: nobody loses.
    let same = upload(temp, "same", &noise(30_000, 5));
    let racing = (0..4).map(|_| publish(store, "race-v1", &same));
    let outcomes = futures_util::future::join_all(racing).await;
    assert!(!outcomes.iter().any(|o| matches!(o, Published::Conflict { .. })), "{outcomes:?}");
    let info = store.release("race-v1").await.unwrap().unwrap();
    let names: Vec<_> = info.assets.iter().map(|asset| asset.name.as_str()).collect();
    if !host.decides_races {
        return;
    }
    assert_eq!(
        names,
        [
            "race-0",
            "race-0.sha256",
            "race-1",
            "race-1.sha256",
            "race-2",
            "race-2.sha256",
            "same",
            "same.sha256"
        ]
    );
}

pub async fn names_are_checked(store: &dyn Store) {
    for (tag, asset) in [("..", "x"), (TAG, "../x"), ("", "x"), ("a/b", "x"), ("a", ".x")] {
        assert_eq!(store.find(tag, asset).await.unwrap_err().kind, Kind::Usage);
        assert_eq!(store.open(tag, asset).await.err().unwrap().kind, Kind::Usage);
        let upload = Upload::new(asset.into(), "/x".into(), Sha256([0; 32]));
        assert!(store.publish(&release(tag), &upload).await.is_err());
    }
}

async fn removal_is_complete(store: &dyn Store) {
    let tags = |listed: Vec<forge::store::ReleaseInfo>| {
        listed.into_iter().map(|info| info.tag).collect::<Vec<_>>()
    };
    assert_eq!(tags(store.releases().await.unwrap()), [TAG, "race-v1"]);
    for _ in 0..2 {
        store.remove("race-v1").await.unwrap();
        assert_eq!(store.release("race-v1").await.unwrap(), None);
        assert_eq!(tags(store.releases().await.unwrap()), [TAG]);
    }
    assert!(store.find(TAG, "1").await.unwrap().is_some(), "only the one is gone");
}

/// More releases than a page holds.
pub async fn lists_many(store: &dyn Store, count: usize) {
    let temp = tempfile::tempdir().unwrap();
    let small = upload(temp.path(), "a+b@c", b"small");
    let tags: Vec<_> = (0..count).map(|n| format!("many-v{n:04}")).collect();
    let publishing = stream::iter(&tags).map(|tag| publish(store, tag, &small));
    let outcomes: Vec<_> = publishing.buffer_unordered(4).collect().await;
    assert!(outcomes.iter().all(|outcome| *outcome == Published::Created));
    let listed = store.releases().await.unwrap();
    assert!(listed.iter().map(|info| &info.tag).eq(&tags));
    for info in &listed {
        let names: Vec<_> = info.assets.iter().map(|a| (a.name.as_str(), a.size)).collect();
        assert_eq!(names[0], ("a+b@c", 5));
        assert_eq!(names.len(), 2, "{names:?}");
    }
    assert!(store.find(&tags[0], "a+b@c").await.unwrap().is_some());
}

/// Without the network, nothing is asked and nothing is thought absent.
pub async fn stays_offline(url: &str, online: &StoreSettings) {
    let offline = store(url, &StoreSettings { offline: true, ..online.clone() });
    let temp = tempfile::tempdir().unwrap();
    let upload = upload(temp.path(), "1", b"1");
    for fault in [
        offline.find(TAG, "1").await.err(),
        offline.open(TAG, "1").await.err(),
        offline.publish(&release(TAG), &upload).await.err(),
        offline.release(TAG).await.err(),
        offline.releases().await.err(),
        offline.remove(TAG).await.err(),
    ] {
        let fault = fault.expect("a fault");
        assert_eq!(fault.kind, Kind::Store);
        assert!(fault.to_string().contains("--offline forbids the network"), "{fault}");
    }
}
