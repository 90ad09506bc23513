//! A real HTTP server for a folder, with faults on demand and a count of requests.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use tower_http::services::ServeDir;

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This status, with an empty body.
    Status(u16),
    /// A page of HTML, with status 200.
    Html,
    /// The body ends after this many bytes, without a word.
    CutAfter(usize),
    /// The same, and nothing tells whether the file is still the same one: it cannot go on.
    CutForGood(usize),
    /// After this many bytes nothing comes any more, and the connection stays.
    StallAfter(usize),
    /// Another address has it.
    MovedTo(&'static str),
}

/// A server on 127.0.0.1 that lives as long as the value.
pub struct Server {
    address: std::net::SocketAddr,
    state: Arc<Behaviour>,
    _runtime: tokio::runtime::Runtime,
}

#[derive(Default)]
struct Behaviour {
    requests: Mutex<Vec<String>>,
    faults: Mutex<Vec<(String, Fault)>>,
    authorizations: Mutex<Vec<String>>,
}

impl Server {
    /// Serves the files below `folder`.
    pub fn serve(folder: &Path) -> Self {
        let state = Arc::new(Behaviour::default());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let app = Router::new()
            .fallback_service(ServeDir::new(PathBuf::from(folder)))
            .layer(middleware::from_fn_with_state(state.clone(), behave));
        let listener =
            runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("an address");
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { address, state, _runtime: runtime }
    }

    /// Its URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next request whose path contains `path` goes wrong; once per call.
    pub fn fail(&self, path: &str, fault: Fault) {
        self.state.faults.lock().unwrap().push((path.into(), fault));
    }

    /// Every request with this path goes wrong, as far as any test can tell.
    pub fn always_fail(&self, path: &str, fault: Fault) {
        for _ in 0..100 {
            self.fail(path, fault);
        }
    }

    /// The requests so far, as `METHOD /path`.
    pub fn requests(&self) -> Vec<String> {
        self.state.requests.lock().unwrap().clone()
    }
}

impl Server {
    /// The `Authorization` headers that came.
    pub fn authorizations(&self) -> Vec<String> {
        self.state.authorizations.lock().unwrap().clone()
    }
}

async fn behave(State(state): State<Arc<Behaviour>>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    state.requests.lock().unwrap().push(format!("{} {path}", request.method()));
    if let Some(value) = request.headers().get("authorization") {
        state.authorizations.lock().unwrap().push(value.to_str().unwrap_or_default().to_owned());
    }
    let fault = {
        let mut faults = state.faults.lock().unwrap();
        let at = faults.iter().position(|(wanted, _)| path.contains(wanted.as_str()));
        at.map(|at| faults.remove(at).1)
    };
    match fault {
        None => next.run(request).await,
        Some(Fault::Status(code)) => StatusCode::from_u16(code).expect("a status").into_response(),
        Some(Fault::Html) => {
            ([("content-type", "text/html")], "<!DOCTYPE html><h1>Sign in</h1>").into_response()
        }
        Some(Fault::CutAfter(bytes)) => cut(next.run(request).await, bytes, false),
        Some(Fault::CutForGood(bytes)) => {
            let mut response = next.run(request).await;
            response.headers_mut().remove("last-modified");
            cut(response, bytes, false)
        }
        Some(Fault::StallAfter(bytes)) => cut(next.run(request).await, bytes, true),
        Some(Fault::MovedTo(url)) => {
            (StatusCode::FOUND, [("location", format!("{url}{path}"))]).into_response()
        }
    }
}

/// The same answer, whose connection breaks, or falls silent, after some bytes of the body.
fn cut(response: Response, after: usize, stalls: bool) -> Response {
    use futures_util::{StreamExt, stream};
    let (parts, body) = response.into_parts();
    let mut left = after;
    let some = body.into_data_stream().map(move |chunk| {
        let chunk = chunk.map_err(std::io::Error::other)?;
        let part = chunk.slice(..chunk.len().min(left));
        left -= part.len();
        Ok::<_, std::io::Error>(part)
    });
    let end = stream::once(async move {
        if stalls {
            std::future::pending::<()>().await;
        }
        // What was sent so far leaves before the connection breaks, or else nothing would come at all.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        Err(std::io::Error::other("cut"))
    });
    let some = some.take_while(|chunk| {
        let more = matches!(chunk, Ok(bytes) if !bytes.is_empty());
        async move { more }
    });
    Response::from_parts(parts, Body::from_stream(some.chain(end)))
}
