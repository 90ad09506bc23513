//! What the tests of this room share: a web server that does as it is told, and the suite
//! that every backend has to pass.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::stream::TryStreamExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{
    AssetInfo, AssetStream, Published, Store, StoreRelease, StoreSettings, Upload,
    publication::AssetPublication, published_digest,
};
use crate::model::{Environment, Fault, Kind, Layout, Sha256};

/// Settings under which retries take milliseconds.
pub(super) fn settings() -> StoreSettings {
    StoreSettings {
        proxies: false,
        attempts: 4,
        backoff: Duration::from_millis(1),
        ..StoreSettings::new(Layout::at("/nowhere".into()), &Environment::default())
    }
}

/// What the scripted server sends, byte for byte, before it hangs up.
pub(super) enum ScriptedReply {
    Close(Vec<u8>),
    /// It does not hang up, but says nothing more either.
    FallSilent(Vec<u8>),
    /// It sends a byte now and then from there on.
    Trickle(Vec<u8>, Duration),
}

/// A reply with `head` (status and headers, a line each) and `body`, however they fit.
pub(super) fn reply(head: &str, body: &[u8]) -> ScriptedReply {
    let head = head.replace('\n', "\r\n");
    ScriptedReply::Close([format!("HTTP/1.1 {head}\r\n\r\n").as_bytes(), body].concat())
}

/// A web server on this machine that answers each request as a function says.
pub(super) struct Server {
    pub(super) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// `answer` gets the number of the request, from 0, and its head in lower case with its
    /// body as it came.
    pub(super) async fn start(
        answer: impl Fn(usize, &str) -> ScriptedReply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (requests.clone(), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, log.clone(), answer.clone()));
            }
        });
        Self { url, requests }
    }

    /// Answers with `replies` one after the other, and with the last from then on.
    pub(super) async fn scripted(replies: &'static [(&str, &str)]) -> Self {
        Self::start(|number, _| {
            let (head, body) = replies[number.min(replies.len() - 1)];
            reply(head, body.as_bytes())
        })
        .await
    }

    /// All requests so far.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn converse(
    mut stream: TcpStream,
    log: Arc<Mutex<Vec<String>>>,
    answer: Arc<impl Fn(usize, &str) -> ScriptedReply>,
) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    let mut request = String::from_utf8(request).unwrap().to_lowercase();
    let length = request.split_once("\ncontent-length: ").map_or("0", |(_, rest)| rest);
    let mut body = vec![0; length.lines().next().unwrap().parse().unwrap()];
    if stream.read_exact(&mut body).await.is_err() {
        return;
    }
    request.push_str(&String::from_utf8_lossy(&body));
    let number = {
        let mut log = log.lock().unwrap();
        log.push(request.clone());
        log.len() - 1
    };
    match answer(number, &request) {
        ScriptedReply::Close(bytes) => {
            let _ = stream.write_all(&bytes).await;
        }
        ScriptedReply::FallSilent(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.read_u8().await;
        }
        ScriptedReply::Trickle(bytes, pause) => {
            let mut sent = stream.write_all(&bytes).await;
            while sent.is_ok() {
                tokio::time::sleep(pause).await;
                sent = stream.write_u8(b'.').await;
            }
        }
    }
}

/// Everything a stream yields.
pub(super) async fn all(stream: AssetStream) -> Result<Vec<u8>, Fault> {
    stream
        .bytes
        .map_err(Fault::from)
        .try_fold(Vec::new(), |all, piece| async move { Ok([all, piece.into()].concat()) })
        .await
}

pub(super) fn digest(bytes: &[u8]) -> Sha256 {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    Sha256(digest.as_ref().try_into().unwrap())
}

/// Bytes that are unlike at every place.
pub(super) fn noise(size: usize) -> Vec<u8> {
    (0..size as u64).map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

/// A publication of `bytes` as `tag-v1/asset` in the folder `root`.
pub(super) fn publication(root: &Path, bytes: &[u8]) -> AssetPublication {
    let source = root.join(format!(".source-{}", digest(bytes).short()));
    std::fs::write(&source, bytes).unwrap();
    AssetPublication {
        url: format!("dir:{}", root.display()),
        root: root.join("store"),
        tag: "tag-v1".into(),
        upload: Upload::new("asset".into(), source, digest(bytes)),
    }
}

/// Fills the folder `root` with what [`conforms`] looks for.
pub(super) fn furnish(root: &Path) {
    for size in SIZES {
        let mut publication = publication(root, &noise(size));
        publication.upload =
            Upload::new(size.to_string(), publication.upload.path, publication.upload.sha256);
        assert_eq!(publication.run().unwrap(), Published::Created);
    }
    let folder = root.join("store/tag-v1");
    std::fs::write(folder.join("bare"), "no sidecar").unwrap();
    std::fs::write(folder.join("odd"), "a wrong sidecar").unwrap();
    std::fs::write(folder.join("odd.sha256"), "what is this?").unwrap();
}

const SIZES: [usize; 6] = [0, 1, 2000, 256 * 1024, 256 * 1024 + 1, 1_000_000];

/// What every backend does with a store that [`furnish`] filled.
pub(super) async fn conforms(store: &dyn Store) {
    for size in SIZES {
        let (asset, bytes) = (size.to_string(), noise(size));
        let found = store.find("tag-v1", &asset).await.unwrap().unwrap();
        assert_eq!(found.size, Some(size as u64));
        assert!(found.sha256.is_none_or(|sha256| sha256 == digest(&bytes)), "{size}");
        let published = published_digest(store, "tag-v1", &asset).await.unwrap();
        assert_eq!(published, Some(digest(&bytes)), "{size}");
        let stream = store.open("tag-v1", &asset).await.unwrap().unwrap();
        assert_eq!(stream.size, Some(size as u64));
        assert!(all(stream).await.unwrap() == bytes, "{size}");
    }
    for (tag, asset) in [("tag-v1", "absent"), ("tag-v2", "2000")] {
        assert_eq!(store.find(tag, asset).await.unwrap(), None);
        assert!(store.open(tag, asset).await.unwrap().is_none());
    }
    let bare = store.find("tag-v1", "bare").await.unwrap().unwrap();
    assert_eq!(bare, AssetInfo { size: Some(10), sha256: None });

    let fault = published_digest(store, "tag-v1", "odd").await.unwrap_err();
    assert_eq!(fault.kind, Kind::Store);
    assert!(fault.what.contains("odd.sha256"), "{fault}");
    assert_eq!(fault.why, ["it holds no SHA-256, SHA-384 or SHA-512 digest"]);

    for (tag, asset) in [("..", "x"), ("tag-v1", "../x"), ("", "x"), ("a/b", "x"), ("a", ".x")] {
        assert_eq!(store.find(tag, asset).await.unwrap_err().kind, Kind::Usage);
        assert_eq!(store.open(tag, asset).await.err().unwrap().kind, Kind::Usage);
        let release = StoreRelease::of_subsystem(tag.into(), Vec::new());
        let upload = Upload::new(asset.into(), "/x".into(), Sha256([0; 32]));
        assert!(store.publish(&release, &upload).await.is_err());
    }
}
