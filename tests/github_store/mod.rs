//! The GitHub store against the stand-in: what it asks, what it shows to whom, and that
//! everything ends in one release, whatever happens on the way.

mod publishing;
mod reading;
mod sealing;
mod together;
mod trouble;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use forge::{
    model::{Environment, Fault, Kind, Layout, Sha256, UserFolders},
    store::{
        self, Login, Logins, Mode, Published, Receipt, Store, StoreRelease, StoreSettings,
        StoreUrl, Tempo, Upload, Waits,
    },
};
use futures_util::{TryStreamExt, future::join_all};

use crate::support::github::{Fault as Goes, GitHub, Host, Lag, NewRelease, Operation, Role};

/// Knows one login, and counts how often it is asked.
#[derive(Debug, Default)]
struct Purse {
    token: Option<String>,
    asked: AtomicUsize,
}

#[async_trait]
impl Logins for Purse {
    async fn login(&self, _: &str) -> Option<Login> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.token.clone().map(|token| Login { token, source: "a test".into() })
    }
}

/// A store, and what it told on the way.
struct Opened {
    store: Arc<dyn Store>,
    purse: Arc<Purse>,
    waits: Arc<Mutex<Vec<String>>>,
}

fn settings() -> StoreSettings {
    StoreSettings {
        proxies: false,
        attempts: 6,
        backoff: Duration::from_millis(1),
        idle_timeout: Duration::from_secs(5),
        environment: BTreeMap::new(),
        tempo: Some(Tempo {
            burst: 1000,
            between_writes: Duration::ZERO,
            after_refusal: Duration::from_millis(5),
            settling: Duration::from_secs(2),
            look: Duration::from_millis(2),
            upload: Duration::from_millis(60),
            recent: Duration::from_secs(20),
        }),
        ..StoreSettings::new(
            Layout::new("/nowhere".into(), UserFolders::default()),
            &Environment::default(),
        )
    }
}

fn open_with(github: &GitHub, token: Option<&str>, settings: StoreSettings) -> Opened {
    let purse = Arc::new(Purse { token: token.map(str::to_owned), ..Purse::default() });
    let waits = Arc::new(Mutex::new(Vec::new()));
    let told = waits.clone();
    let settings = StoreSettings {
        logins: purse.clone(),
        waits: Waits(Arc::new(move |text| told.lock().unwrap().push(text.into()))),
        ..settings
    };
    let url = format!("github:{}/{}", github.url(), github.repository());
    let store = store::open(&StoreUrl::parse(&url).unwrap(), &settings).unwrap();
    Opened { store, purse, waits }
}

fn open(github: &GitHub, role: impl Into<Option<Role>>) -> Opened {
    open_with(github, role.into().map(|role| role.token()), settings())
}

fn digest(bytes: &[u8]) -> Sha256 {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    Sha256(digest.as_ref().try_into().unwrap())
}

/// The files that are uploaded.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(digest(bytes).to_string());
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn upload(&self, asset: &str, bytes: &[u8]) -> Upload {
        Upload::new(asset.into(), self.path(bytes), digest(bytes))
    }
}

const TAG: &str = "nats-v2.10.24";
const ASSETS: [&str; 4] = [
    "n-linux-amd64.tar.gz",
    "n-linux-arm64.tar.gz",
    "n-darwin-amd64.tar.gz",
    "n-darwin-arm64.tar.gz",
];

fn release(mode: Mode) -> StoreRelease {
    let expected = ASSETS.map(str::to_owned).to_vec();
    StoreRelease { mode, ..StoreRelease::of_subsystem(TAG.into(), expected) }
}

/// The names of everything that the release has when it is complete, sorted.
fn complete() -> Vec<String> {
    let mut names: Vec<_> =
        ASSETS.iter().flat_map(|name| [(*name).into(), format!("{name}.sha256")]).collect();
    names.sort();
    names
}

async fn read(store: &dyn Store, tag: &str, asset: &str) -> Result<Vec<u8>, Fault> {
    let stream = store.open(tag, asset).await?.expect("it is there");
    stream
        .bytes
        .map_err(Fault::from)
        .try_fold(Vec::new(), |all, piece| async move { Ok([all, piece.into()].concat()) })
        .await
}

fn noise(size: usize) -> Vec<u8> {
    (0..size as u64).map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

/// A GitHub; it has a runtime of its own, which cannot be made within another one.
fn github() -> GitHub {
    std::thread::spawn(|| GitHub::new("owner/repo")).join().unwrap()
}

/// A GitHub with one release that has `a.tar.gz`.
fn furnished() -> GitHub {
    let github = github();
    github.add_release(NewRelease::tagged("nats-v1").asset("a.tar.gz", b"binary".to_vec()));
    github
}

/// Nothing that was shown a token but those who may see it.
fn assert_token_stayed_home(github: &GitHub) {
    assert_eq!(github.tokens_seen_at(Host::Object), Vec::<String>::new());
    assert_eq!(github.tokens_seen_at(Host::Web), Vec::<String>::new());
}
