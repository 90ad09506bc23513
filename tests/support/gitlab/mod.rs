//! A GitLab for tests, written from its documentation (<https://docs.gitlab.com/api/>) and, where that
//! is silent, its source (18.x: `lib/api/{releases,release/links,generic_packages,project_packages}.rb`):
//! one project, its releases, its registry of packages, and what may go wrong.
//!
//! All state is behind one lock. Files are kept on a host of their own, `localhost`, which answers
//! nobody who shows it a token.

mod world;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{Router, body::Body, extract::Request, http::StatusCode, response::Response};

use world::{Answer, Ask, World};
pub use world::{Package, Release};

/// A token of somebody who may write.
pub const WRITER: &str = "glpat-writes";
/// A token of somebody who may read what is private.
pub const READER: &str = "glpat-reads";
/// The token of a job of the project.
pub const JOB: &str = "glcbt-job";

/// What goes wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goes {
    /// This status, and nothing is done.
    Status(u16),
    /// Too many requests: try again at once.
    TooMany,
    /// All is done, and then this status.
    DoneThen(u16),
    /// Before it is done, somebody else does the same with these bytes.
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
    /// The header that carried a token, and the token.
    pub login: Option<(&'static str, String)>,
    /// Which host was asked.
    pub host: String,
}

/// A GitLab with the project `group/sub/project`, which lives as long as the value.
pub struct GitLab {
    address: std::net::SocketAddr,
    world: Arc<Mutex<World>>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl GitLab {
    /// One with a public project that has a commit. Not to be made within a runtime.
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let listener =
            runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let world = Arc::new(Mutex::new(World::new(address.port())));
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
        format!("gitlab:{}/group/sub/project", self.url())
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

    /// The release of `tag`.
    pub fn release(&self, tag: &str) -> Option<Release> {
        self.world().releases.iter().find(|release| release.tag == tag).cloned()
    }

    /// The files of the package of `tag`.
    pub fn package(&self, tag: &str) -> Option<Package> {
        self.world().packages.iter().find(|package| package.version == tag).cloned()
    }
}

impl Drop for GitLab {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::ZERO);
        }
        if !std::thread::panicking() {
            let seen = self.asked(|asked| asked.host == "localhost" && asked.login.is_some());
            assert!(seen.is_empty(), "a token left its host: {seen:?}");
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
    let login = ["private-token", "job-token", "authorization"]
        .into_iter()
        .find_map(|name| Some((name, header(name)?.trim_start_matches("Bearer ").to_owned())));
    let host = header("host").unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default().to_owned();
    let fault = {
        let mut world = lock(&world);
        world.asked.push(Asked {
            method: parts.method.to_string(),
            path: target.clone(),
            login: login.clone(),
            host: host.clone(),
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
        login,
        is_storage: host == "localhost",
        body,
    };
    let mut world = lock(&world);
    respond(match fault {
        None => world.answer(&ask),
        Some(Goes::Status(status)) => Answer::refusal(status, &format!("{status} Broken")),
        Some(Goes::TooMany) => {
            let headers = vec![("retry-after", "0".to_owned())];
            Answer { headers, body: "Retry later\n".into(), ..Answer::empty(429) }
        }
        Some(Goes::DoneThen(status)) => {
            world.answer(&ask);
            Answer::refusal(status, &format!("{status} Broken"))
        }
        Some(Goes::SomebodyWasFaster(bytes)) => {
            world.answer(&ask.by_somebody(&bytes));
            world.answer(&ask)
        }
        Some(Goes::Corrupt) => {
            world.corrupts = true;
            let answer = world.answer(&ask);
            world.corrupts = false;
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
    response.body(answer.body.into()).expect("a response")
}
