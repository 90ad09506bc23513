//! The S3 store, against moto (which honours conditions), s3rver (which ignores them) and s3s-fs (which
//! checks signatures).

use std::time::{Duration, Instant};

use forge::{
    model::Kind,
    store::{Published, StoreSettings},
};

use super::{
    servers::{Running, is_here},
    suite::{
        Host, TAG, all, lists_many, noise, publish, release, settings, stays_offline, store,
        upload, writes,
    },
};

const CAREFUL: Host = Host { takes_empty: true, decides_races: true, tells_digest: true };

fn with(endpoint: &str, key: &str, secret: &str) -> StoreSettings {
    settings(&[
        ("AWS_ENDPOINT_URL_S3", endpoint),
        ("AWS_ACCESS_KEY_ID", key),
        ("AWS_SECRET_ACCESS_KEY", secret),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_SESSION_TOKEN", " "),
    ])
}

struct Moto {
    endpoint: String,
    _server: Running,
}

impl Moto {
    async fn start() -> Self {
        let arguments =
            |port: u16| vec!["-H".into(), "127.0.0.1".into(), "-p".into(), port.to_string()];
        let server = Running::start("moto_server", "/".as_ref(), arguments);
        let endpoint = format!("http://127.0.0.1:{}", server.port);
        make_bucket(&endpoint).await;
        Self { endpoint, _server: server }
    }
}

/// Makes the bucket `forge`, whoever asks.
async fn make_bucket(endpoint: &str) {
    let answer = put(endpoint, "/forge").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

async fn put(endpoint: &str, path: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let host = endpoint.trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    let request = format!(
        "PUT {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn moto_conforms() {
    if !is_here("moto_server") {
        return;
    }
    let moto = Moto::start().await;
    let settings = with(&moto.endpoint, "key", "secret");
    writes(&*store("s3:forge/some/prefix", &settings), CAREFUL).await;
    stays_offline("s3:forge", &settings).await;

    let access = store("s3:forge", &settings).access().await.unwrap();
    assert_eq!(access.login.as_deref(), Some("AWS_ACCESS_KEY_ID"));
    assert_eq!((access.may_read, access.may_write), (true, None));

    let nowhere = store("s3:absent/prefix", &settings);
    for fault in [
        nowhere.find(TAG, "1").await.err(),
        nowhere.open(TAG, "1").await.err(),
        nowhere.releases().await.err(),
        nowhere.release(TAG).await.err(),
    ] {
        let fault = fault.expect("a bucket that is not there holds no absence");
        assert!(fault.to_string().contains("NoSuchBucket"), "{fault}");
        assert!(fault.hint.unwrap().contains("make the bucket first"));
    }
}

/// S3 takes no smaller part but the last.
const SMALLEST_PART: u64 = 5 << 20;

/// What is larger than goes at once arrives in parts, once, and is found as a whole.
async fn takes_parts(url: &str, settings: StoreSettings) {
    let settings = StoreSettings { most_at_once: Some(SMALLEST_PART), ..settings };
    let store = store(url, &settings);
    let temp = tempfile::tempdir().unwrap();
    let bytes = noise(usize::try_from(SMALLEST_PART).unwrap() * 2 + 12_345, 7);
    let large = upload(temp.path(), "large", &bytes);
    assert_eq!(publish(&*store, TAG, &large).await, Published::Created);
    assert_eq!(publish(&*store, TAG, &large).await, Published::Identical);
    let found = store.find(TAG, "large").await.unwrap().expect("it is there");
    assert_eq!(found.size, Some(bytes.len() as u64));
    let other = upload(temp.path(), "large", &noise(bytes.len(), 8));
    assert!(matches!(publish(&*store, TAG, &other).await, Published::Conflict { .. }));
    let stream = store.open(TAG, "large").await.unwrap().expect("it is there");
    assert!(all(stream).await.unwrap() == bytes, "other bytes came back");
}

#[tokio::test]
async fn moto_takes_parts() {
    if !is_here("moto_server") {
        return;
    }
    let moto = Moto::start().await;
    takes_parts("s3:forge/parts", with(&moto.endpoint, "key", "secret")).await;
}

/// A server that checks signatures, and two writers of which one may win a race twice.
#[tokio::test]
async fn a_server_that_checks_signatures_conforms() {
    if !is_here("s3s-fs") {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    std::fs::create_dir(temp.path().join("forge")).unwrap();
    let folder = temp.path().display().to_string();
    let server = Running::start("s3s-fs", temp.path(), |port| {
        let port = port.to_string();
        let keys = ["--access-key", "an-access-key", "--secret-key", "a/secret+key", &folder];
        let words = ["--host", "127.0.0.1", "--port", &port].into_iter().chain(keys);
        words.map(str::to_owned).collect()
    });
    let endpoint = format!("http://127.0.0.1:{}", server.port);
    let settings = with(&endpoint, "an-access-key", "a/secret+key");
    let careless = Host { decides_races: false, ..CAREFUL };
    writes(&*store("s3:forge/prefix", &settings), careless).await;
    takes_parts("s3:forge/parts", settings).await;
    for (key, secret) in [("an-access-key", "another"), ("nobody", "a/secret+key")] {
        let store = store("s3:forge/prefix", &with(&endpoint, key, secret));
        let fault = store.open(TAG, "1").await.err().expect("a refusal");
        assert_eq!(fault.kind, Kind::Store, "{fault}");
        let upload = upload(temp.path(), "new", b"new");
        assert!(store.publish(&release(TAG), &upload).await.is_err());
    }
}

#[tokio::test]
async fn moto_lists_many_releases() {
    if !is_here("moto_server") {
        return;
    }
    let moto = Moto::start().await;
    let settings = with(&moto.endpoint, "key", "secret");
    lists_many(&*store("s3:forge/many", &settings), 130).await;
}

#[tokio::test]
async fn without_credentials_it_is_only_read() {
    let store = store("s3:forge", &settings(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:9")]));
    assert!(!store.is_writable());
    let temp = tempfile::tempdir().unwrap();
    let upload = upload(temp.path(), "1", b"1");
    let fault = store.publish(&release(TAG), &upload).await.unwrap_err();
    assert!(fault.to_string().contains("no credentials in AWS_ACCESS_KEY_ID"), "{fault}");
    assert!(fault.hint.unwrap().contains("export-credentials"));
}

#[tokio::test]
async fn nobody_there_is_known_soon() {
    let store = store("s3:forge", &with("http://127.0.0.1:9", "key", "secret"));
    let start = Instant::now();
    for fault in [
        store.find(TAG, "1").await.err(),
        store.open(TAG, "1").await.err(),
        store.releases().await.err(),
    ] {
        let fault = fault.unwrap();
        assert_eq!(fault.kind, Kind::Store);
        assert!(fault.to_string().contains("no connection to `127.0.0.1`"), "{fault}");
        let told = format!("{fault:?}");
        assert!(!told.contains("Signature") && !told.contains("secret"), "{told}");
    }
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn what_the_environment_gets_wrong_is_told() {
    for (environment, told) in [
        (vec![("AWS_ENDPOINT_URL", "http://s3.example.org")], "only with this machine"),
        (vec![("AWS_ENDPOINT_URL", "ftp://127.0.0.1")], "must be an https one"),
        (vec![("AWS_ENDPOINT_URL_S3", "nowhere")], "AWS_ENDPOINT_URL_S3 is not a URL"),
        (vec![("AWS_ACCESS_KEY_ID", "key")], "only one is set"),
    ] {
        let url = forge::store::StoreUrl::parse("s3:forge/p").unwrap();
        let fault = forge::store::open(&url, &settings(&environment)).err().unwrap();
        assert_eq!(fault.kind, Kind::Usage);
        assert!(fault.to_string().contains(told), "{fault}");
    }
}

#[tokio::test]
async fn a_careless_server_conforms_except_in_races() {
    if !is_here("s3rver") {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().display().to_string();
    let server = Running::start("s3rver", temp.path(), |port| {
        ["-a", "127.0.0.1", "-p", &port.to_string(), "-d", &folder, "--configure-bucket", "forge"]
            .map(str::to_owned)
            .to_vec()
    });
    let endpoint = format!("http://127.0.0.1:{}", server.port);
    let settings = with(&endpoint, "S3RVER", "S3RVER");
    let careless = Host { decides_races: false, ..CAREFUL };
    writes(&*store("s3:forge/prefix", &settings), careless).await;
}
