//! A file on its way out: read piece by piece, with an eye on whether it gets anywhere.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::stream::{StreamExt, TryStreamExt};
use reqwest::{Body, RequestBuilder, header::CONTENT_LENGTH};

use super::{AssetStream, file};
use crate::model::{Fault, Kind};

/// The file at `path`, from its beginning.
pub(super) fn open(path: &Path) -> Result<AssetStream, Fault> {
    let gone = || {
        Fault::new(Kind::Failed, format!("cannot read {}", path.display()))
            .because("it is not there any more")
            .hint("run it again: what is to be uploaded is made anew")
    };
    file::open(path)?.ok_or_else(gone)
}

/// `request`, carrying `stream`, and what tells how it gets on.
pub(super) fn carrying(request: RequestBuilder, stream: AssetStream) -> (RequestBuilder, Meter) {
    let meter = Meter(Arc::new(Mutex::new(Instant::now())));
    let moved = meter.clone();
    let pieces = stream.bytes.map_err(Fault::from).inspect(move |_| moved.moved());
    // Hosts of releases want to know the length and take no chunks.
    let length = stream.size.unwrap_or_default();
    (request.header(CONTENT_LENGTH, length).body(Body::wrap_stream(pieces)), meter)
}

/// When the last piece went out.
#[derive(Clone)]
pub(super) struct Meter(Arc<Mutex<Instant>>);

impl Meter {
    fn moved(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Ends when no piece went out for `limit`.
    pub(super) async fn silent_for(&self, limit: Duration) {
        loop {
            let moved = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(left) = limit.checked_sub(moved.elapsed()) else { return };
            tokio::time::sleep(left).await;
        }
    }
}
