//! Answers that are kept: good for a while, and after that for a conditional request, which
//! costs nothing of the hourly limit if nothing has changed.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::store::call::ApiResponse;

/// Answers by the URL that was asked.
#[derive(Default)]
pub(super) struct ResponseCache {
    slots: Mutex<HashMap<String, Arc<Slot>>>,
    /// Counts what was written since; what was kept before is outdated.
    writes: AtomicU64,
}

/// The place for an answer. Locked while it is asked for, so that many who want it ask once.
pub(super) type Slot = tokio::sync::Mutex<Option<CachedResponse>>;

/// An answer.
pub(super) struct CachedResponse {
    pub(super) reply: Arc<ApiResponse>,
    writes: u64,
    at: Instant,
}

impl ResponseCache {
    /// The place for the answer to `url`.
    pub(super) fn slot(&self, url: &str) -> Arc<Slot> {
        // What it holds is whole after every statement, also after a panic elsewhere.
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.entry(url.to_owned()).or_default().clone()
    }

    /// What was written since now may answer otherwise.
    pub(super) fn outdate(&self) {
        self.writes.fetch_add(1, Ordering::Relaxed);
    }

    /// `reply` as of now.
    pub(super) fn answer(&self, reply: Arc<ApiResponse>) -> CachedResponse {
        CachedResponse { reply, writes: self.writes.load(Ordering::Relaxed), at: Instant::now() }
    }

    /// Whether `answer` is younger than `age` and nothing was written since.
    pub(super) fn is_recent(&self, answer: &CachedResponse, age: Duration) -> bool {
        answer.writes == self.writes.load(Ordering::Relaxed) && answer.at.elapsed() < age
    }
}
