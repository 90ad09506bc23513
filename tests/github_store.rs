//! The GitHub store against the stand-in: what it asks, what it shows to whom, and that
//! everything ends in one release, whatever happens on the way.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use forge::{
    model::{Fault, Kind, Sha256},
    store::{
        self, Login, Logins, Mode, Pending, Published, Receipt, Release, Settings, Store, StoreUrl,
        Tempo, Upload, Waits,
    },
};
use futures_util::{TryStreamExt, future::join_all};

use crate::support::github::{Fault as Goes, GitHub, Host, NewRelease, Operation, Role};

/// Knows one login, and counts how often it is asked.
#[derive(Debug, Default)]
struct Purse {
    token: Option<String>,
    asked: AtomicUsize,
}

impl Logins for Purse {
    fn login<'a>(&'a self, _: &'a str) -> Pending<'a, Option<Login>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let login = self.token.clone().map(|token| Login { token, source: "a test".into() });
        Box::pin(std::future::ready(login))
    }
}

/// A store, and what it told on the way.
struct Opened {
    store: Arc<dyn Store>,
    purse: Arc<Purse>,
    waits: Arc<Mutex<Vec<String>>>,
}

fn settings() -> Settings {
    Settings {
        proxies: false,
        attempts: 6,
        backoff: Duration::from_millis(1),
        idle_timeout: Duration::from_secs(5),
        environment: BTreeMap::new(),
        tempo: Tempo {
            burst: 1000,
            between_writes: Duration::ZERO,
            after_refusal: Duration::from_millis(5),
            settling: Duration::from_secs(2),
            look: Duration::from_millis(2),
            upload: Duration::from_millis(60),
            recent: Duration::from_secs(20),
        },
        ..Settings::new("/nowhere".into())
    }
}

fn open_with(github: &GitHub, token: Option<&str>, settings: Settings) -> Opened {
    let purse = Arc::new(Purse { token: token.map(str::to_owned), ..Purse::default() });
    let waits = Arc::new(Mutex::new(Vec::new()));
    let told = waits.clone();
    let settings = Settings {
        logins: purse.clone(),
        waits: Waits(Arc::new(move |text| told.lock().unwrap().push(text.into()))),
        ..settings
    };
    let url = format!("github:{}/{}", github.url(), github.repository());
    let store = store::open(&StoreUrl::parse(&url).unwrap(), &settings).unwrap();
    Opened { store, purse, waits }
}

fn open(github: &GitHub, role: impl Into<Option<Role>>) -> Opened {
    open_with(github, role.into().map(|role| github.token(role)), settings())
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

fn release(mode: Mode) -> Release {
    let expected = ASSETS.map(str::to_owned).to_vec();
    Release { mode, ..Release::of_subsystem(TAG.into(), expected) }
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

#[tokio::test]
async fn a_hit_asks_neither_the_api_nor_for_a_login() {
    let github = furnished();
    let opened = open(&github, Role::Write);
    let found = opened.store.find("nats-v1", "a.tar.gz").await.unwrap().unwrap();
    assert_eq!((found.size, found.sha256), (Some(6), None));
    assert_eq!(read(&*opened.store, "nats-v1", "a.tar.gz").await.unwrap(), b"binary");
    assert_eq!(github.api_requests(), 0);
    assert_eq!(opened.purse.asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_miss_in_a_public_repository_costs_one_look_at_its_page() {
    let github = furnished();
    let opened = open(&github, None);
    for tag in ["nats-v1", "nats-v2", "nats-v3"] {
        assert_eq!(opened.store.find(tag, "b.tar.gz").await.unwrap(), None);
        assert!(opened.store.open(tag, "b.tar.gz").await.unwrap().is_none());
    }
    assert_eq!(github.api_requests(), 0);
    assert_eq!(github.count(|asked| asked.operation == Operation::Page), 1);
    assert_eq!(opened.purse.asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_private_repository_is_read_by_the_api_and_the_token_stays_there() {
    for (asks_to_sign_in, hands_out) in [(false, false), (true, false), (false, true)] {
        let github = github();
        let names: Vec<_> = (0..40).map(|n| format!("asset-{n}.tar.gz")).collect();
        let new = names.iter().fold(NewRelease::tagged("nats-v1"), |release, name| {
            release.asset(name, name.clone().into_bytes())
        });
        github.add_release(new).make_private();
        if asks_to_sign_in {
            github.asks_to_sign_in();
        }
        if hands_out {
            github.hands_out_assets();
        }
        let opened = open(&github, Role::Read);
        let looks = names.iter().map(|name| opened.store.find("nats-v1", name));
        for (found, name) in join_all(looks).await.into_iter().zip(&names) {
            let found = found.unwrap().unwrap();
            assert_eq!(found.size, Some(name.len() as u64));
            assert_eq!(found.sha256, Some(digest(name.as_bytes())));
        }
        assert!(github.api_requests() <= 4, "{} requests", github.api_requests());
        assert_eq!(
            read(&*opened.store, "nats-v1", &names[39]).await.unwrap(),
            names[39].as_bytes()
        );
        assert_eq!(opened.store.find("nats-v1", "absent").await.unwrap(), None);
        assert_eq!(opened.store.find("nats-v2", &names[0]).await.unwrap(), None);
        assert_eq!(opened.purse.asked.load(Ordering::Relaxed), 1);
        assert_token_stayed_home(&github);
    }
}

#[tokio::test]
async fn a_repository_that_cannot_be_seen_is_no_miss() {
    let github = furnished();
    github.make_private();
    let opened = open(&github, None);
    for _ in 0..3 {
        let fault = opened.store.find("nats-v1", "a.tar.gz").await.unwrap_err();
        assert!(
            fault.to_string().ends_with("does not exist, or is private: forge has no login for it"),
            "{fault}"
        );
        let hint = fault.hint.unwrap();
        assert!(hint.contains("FORGE_GITHUB_TOKEN") && hint.contains("gh auth login"), "{hint}");
    }
    assert!(opened.store.open("nats-v1", "a.tar.gz").await.is_err());
    assert_eq!(github.count(|asked| asked.operation == Operation::Page), 1);

    let fault = open(&github, Role::Outsider).store.find("nats-v1", "a.tar.gz").await.unwrap_err();
    assert!(fault.to_string().contains("the login from a test cannot see it"), "{fault}");

    let elsewhere = format!("github:{}/owner/nothing", github.url());
    let nothing = store::open(&StoreUrl::parse(&elsewhere).unwrap(), &settings()).unwrap();
    assert!(nothing.find("nats-v1", "a.tar.gz").await.is_err());
}

#[tokio::test]
async fn a_page_with_status_200_is_no_asset() {
    let github = furnished();
    github.always(Operation::Download, Goes::Html);
    let fault = open(&github, None).store.find("nats-v1", "a.tar.gz").await.unwrap_err();
    assert!(fault.to_string().contains("a web page instead of the file"), "{fault}");
    assert!(open(&github, None).store.open("nats-v1", "a.tar.gz").await.is_err());
    // With a login there is another way.
    let found = open(&github, Role::Read).store.find("nats-v1", "a.tar.gz").await.unwrap().unwrap();
    assert_eq!(found.sha256, Some(digest(b"binary")));
}

#[tokio::test]
async fn trouble_with_pages_is_no_miss() {
    for fault in [Goes::Status(500), Goes::Status(429), Goes::NotAccessible, Goes::RedirectToItself]
    {
        let github = furnished();
        github.always(Operation::Download, fault);
        assert_eq!(
            open(&github, None).store.find("nats-v1", "x").await.unwrap_err().kind,
            Kind::Store
        );
    }
    let github = furnished();
    github.always(Operation::Page, Goes::Status(503));
    assert!(open(&github, None).store.find("nats-v1", "x").await.is_err());
}

#[tokio::test]
async fn cut_downloads_go_on_where_they_stopped() {
    for private in [false, true] {
        let github = github();
        let bytes = noise(700_000);
        github.add_release(NewRelease::tagged("nats-v1").asset("a.tar.gz", bytes.clone()));
        if private {
            github.make_private();
        }
        let opened = open(&github, private.then_some(Role::Read));
        for _ in 0..3 {
            github.next_transfer(Goes::ResetAfter(100_000));
        }
        assert!(read(&*opened.store, "nats-v1", "a.tar.gz").await.unwrap() == bytes);
        assert_eq!(github.downloads(), 4);
        assert_token_stayed_home(&github);
    }
}

#[tokio::test]
async fn what_is_published_is_found_and_never_the_latest() {
    let (github, files) = (github(), Files::new());
    let opened = open(&github, Role::Write);
    let upload = files.upload(ASSETS[0], b"binary");
    let receipt = opened.store.publish(&release(Mode::Detected), &upload).await.unwrap();
    assert_eq!(receipt, Receipt { published: Published::Created, waits_for: Vec::new() });
    assert_eq!((github.creates(), github.uploads()), (1, 2));
    assert_eq!(read(&*opened.store, TAG, ASSETS[0]).await.unwrap(), b"binary");
    let theirs = store::published_digest(&*opened.store, TAG, ASSETS[0]).await.unwrap();
    assert_eq!(theirs, Some(digest(b"binary")));
    assert!(github.latest().is_none());
    let known = opened.store.release(TAG).await.unwrap().unwrap();
    assert_eq!((known.is_draft, known.is_immutable, known.assets.len()), (false, false, 2));
    assert_eq!(opened.store.releases().await.unwrap(), [known]);

    // Again, by somebody who knows nothing of it yet: no byte is sent.
    let again = open(&github, Role::Write);
    let receipt = again.store.publish(&release(Mode::Append), &upload).await.unwrap();
    assert_eq!(receipt.published, Published::Identical);
    assert_eq!(github.uploads(), 2);

    let other = files.upload(ASSETS[0], b"other");
    let receipt = again.store.publish(&release(Mode::Append), &other).await.unwrap();
    assert_eq!(receipt.published, Published::Conflict { theirs: digest(b"binary") });
    assert_eq!(github.release(TAG).unwrap().asset(ASSETS[0]).unwrap().bytes, &b"binary"[..]);

    let project = Release { is_latest: true, tag: "v1.0.0".into(), ..release(Mode::Append) };
    opened.store.publish(&project, &upload).await.unwrap();
    assert_eq!(github.latest().unwrap().tag, "v1.0.0");
    assert_token_stayed_home(&github);
}
