//! A registry of images for tests, written from the distribution-spec (1.1) and from what ghcr.io and
//! ECR do differently: tokens with scopes and an end, strict `Accept`, immutable tags, uploads that
//! go elsewhere, and what may go wrong. The conformance suite of the spec runs against it.
//!
//! All state is behind one lock, and a blob is stored when it came whole.

mod serving;
mod world;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::Router;

pub use world::{Rules, World};

/// The user and the password that may do everything.
pub const LOGIN: (&str, &str) = ("somebody", "pass:word");

/// What goes wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goes {
    /// This status, with a page for people, and nothing is done.
    Page(u16),
    /// 429, and how many seconds to wait.
    Busy(u64),
    /// The connection is cut before the body was read.
    Cut,
    /// All is done, and then the connection is cut.
    DoneThenCut,
    /// All tokens end at once.
    TokensEnd,
    /// Before it is done, somebody else puts this manifest where it goes.
    SomebodyWasFaster(Vec<u8>),
}

/// A request that came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    /// With the query.
    pub path: String,
    pub host: String,
    pub authorization: Option<String>,
}

/// A registry, which lives as long as the value.
pub struct Registry {
    address: SocketAddr,
    world: Arc<Mutex<World>>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Registry {
    /// One that goes by `rules`.
    pub fn start(rules: Rules) -> Self {
        std::thread::spawn(|| Self::new(rules)).join().expect("it starts")
    }

    fn new(rules: Rules) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let listener =
            runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let world = Arc::new(Mutex::new(World::new(rules, address)));
        let shared = world.clone();
        let app = Router::new().fallback(move |request| serving::exchange(shared.clone(), request));
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { address, world, runtime: Some(runtime) }
    }

    /// Its host, with its port.
    pub fn host(&self) -> String {
        self.address.to_string()
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

    /// All requests so far, and none from then on.
    pub fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.world().asked)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // Not to be waited for: a test may drop it within a runtime of its own.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}
