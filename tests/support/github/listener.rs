//! Ports and sockets.

use std::{path::Path, sync::Arc};

use axum::{Router, extract::Request};
use tokio::{
    net::{TcpListener, UnixListener},
    runtime::Runtime,
};

use super::{
    call::Door,
    exchange::{Shared, exchange},
};

/// Serves at a port of 127.0.0.1, any for 0. Gives its origin.
pub fn port(runtime: &Runtime, shared: &Arc<Shared>, door: Door, port: u16) -> String {
    let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", port))).expect("a free port");
    let address = listener.local_addr().expect("an address");
    let app = app(shared, door);
    runtime.spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}")
}

/// Serves at a socket, where the `Host` header tells the hosts apart.
pub fn socket(runtime: &Runtime, shared: &Arc<Shared>, path: &Path) {
    let _inside = runtime.enter();
    let listener = UnixListener::bind(path).expect("a socket");
    let app = app(shared, Door::Front);
    runtime.spawn(async move { axum::serve(listener, app).await });
}

fn app(shared: &Arc<Shared>, door: Door) -> Router {
    let shared = shared.clone();
    Router::new().fallback(move |request: Request| exchange(door, shared.clone(), request))
}
