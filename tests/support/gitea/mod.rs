//! A Gitea for tests, written from its source (v1.27.3: `routers/api/v1/repo/release*.go`,
//! `services/release`, `models/repo`): one repository, its releases, and what may go wrong.
//!
//! All state is behind one lock, and a file is stored when it came whole. Every JSON that it
//! answers is checked against `swagger.json`, an extract of Gitea's own description.

mod contract;
mod world;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{Router, body::Body, extract::Request, http::StatusCode, response::Response};
use bytes::Bytes;

pub use world::Release;
use world::{Answer, Ask, World};

/// A token that may write.
pub const WRITER: &str = "token-that-writes";
/// A token that may read what is private.
pub const READER: &str = "token-that-reads";

/// What goes wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goes {
    /// This status, and nothing is done.
    Status(u16),
    /// All is done, and then this status.
    DoneThen(u16),
    /// Before it is done, somebody else uploads these bytes under the name asked for.
    SomebodyWasFaster(Vec<u8>),
    /// All is done, and then the first byte of what was stored changes.
    Corrupt,
}

/// A request that came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    /// With the query.
    pub path: String,
    pub authorization: Option<String>,
}

/// A Gitea with the repository `owner/repo`, which lives as long as the value.
pub struct Gitea {
    address: std::net::SocketAddr,
    world: Arc<Mutex<World>>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Gitea {
    /// One with a public repository that has a commit. Not to be made within a runtime.
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let listener =
            runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let world = Arc::new(Mutex::new(World::new(format!("http://{address}"))));
        let shared = world.clone();
        let app = Router::new().fallback(move |request| exchange(shared.clone(), request));
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { address, world, runtime: Some(runtime) }
    }

    /// The same, made from within a runtime.
    pub fn start() -> Self {
        std::thread::spawn(Self::new).join().expect("it starts")
    }

    /// Its origin, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How a manifest names it.
    pub fn store(&self) -> String {
        format!("gitea:{}/owner/repo", self.url())
    }

    /// Everything that is known, for one step.
    pub fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    /// The next request with this method whose path contains `path` goes wrong; once per call.
    pub fn next(&self, method: &str, path: &str, goes: Goes) -> &Self {
        self.world().faults.push((method.into(), path.into(), goes));
        self
    }

    /// Every request so far that `is_such`.
    pub fn asked(&self, is_such: impl Fn(&Asked) -> bool) -> Vec<Asked> {
        self.world().asked.iter().filter(|asked| is_such(asked)).cloned().collect()
    }

    /// How many requests went to the API.
    pub fn api_requests(&self) -> usize {
        self.asked(|asked| asked.path.starts_with("/api/")).len()
    }

    /// The release of `tag`, whoever may see it.
    pub fn release(&self, tag: &str) -> Option<Release> {
        self.world().releases.iter().find(|release| release.tag == tag).cloned()
    }
}

impl Drop for Gitea {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::ZERO);
        }
        let violations = std::mem::take(&mut self.world().violations);
        if !std::thread::panicking() {
            assert!(violations.is_empty(), "the stand-in broke its contract: {violations:?}");
        }
    }
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn exchange(world: Arc<Mutex<World>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let header = |name: &str| Some(parts.headers.get(name)?.to_str().ok()?.to_owned());
    let target = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let fault = {
        let mut world = lock(&world);
        world.asked.push(Asked {
            method: parts.method.to_string(),
            path: target.clone(),
            authorization: header("authorization"),
        });
        world.take_fault(parts.method.as_str(), &target)
    };
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return Response::new(Body::empty());
    };
    let url = reqwest::Url::parse("http://localhost").expect("a URL");
    let url = url.join(&target).expect("a path");
    let ask = Ask {
        // Whatever answers GET answers HEAD.
        method: parts.method.as_str().replace("HEAD", "GET"),
        path: url.path_segments().into_iter().flatten().map(str::to_owned).collect(),
        query: url.query_pairs().into_owned().collect(),
        kind: header("content-type").unwrap_or_default(),
        token: header("authorization").and_then(|it| Some(it.strip_prefix("token ")?.to_owned())),
        body,
    };
    let mut world = lock(&world);
    respond(match fault {
        None => world.checked(&ask),
        Some(Goes::Status(status)) => Answer::refusal(status, ""),
        Some(Goes::DoneThen(status)) => {
            world.checked(&ask);
            Answer::refusal(status, "")
        }
        Some(Goes::SomebodyWasFaster(bytes)) => {
            world.checked(&Ask { body: bytes.into(), ..ask.clone() });
            world.checked(&ask)
        }
        Some(Goes::Corrupt) => {
            let answer = world.checked(&ask);
            world.corrupt_last();
            answer
        }
    })
}

fn respond(answer: Answer) -> Response {
    let mut response =
        Response::builder().status(StatusCode::from_u16(answer.status).expect("one"));
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    let body = match (answer.json, answer.bytes) {
        (Some(json), _) => {
            response = response.header("content-type", "application/json;charset=utf-8");
            Bytes::from(json.to_string())
        }
        (None, bytes) => bytes,
    };
    response.body(body.into()).expect("a response")
}
