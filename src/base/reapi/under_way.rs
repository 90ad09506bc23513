//! Blobs that are on their way: of several who want to send or fetch the same, one does.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use super::BlobDigest;

/// The blobs that are on their way in one direction.
#[derive(Debug, Default)]
pub(super) struct BlobsUnderWay {
    digests: Mutex<BTreeSet<BlobDigest>>,
    ended: Notify,
}

/// What one caller brings on its way, until it is dropped.
pub(super) struct BlobClaim<'a, T> {
    under_way: &'a BlobsUnderWay,
    digests: Vec<BlobDigest>,
    /// What it is that has those digests.
    pub(super) items: Vec<T>,
}

impl BlobsUnderWay {
    /// Takes those of `left` whose blob nobody brings on its way at the moment.
    pub(super) fn claim<T>(
        &self,
        left: &mut Vec<T>,
        digest_of: impl Fn(&T) -> BlobDigest,
    ) -> BlobClaim<'_, T> {
        let mut known = self.digests();
        let items: Vec<T> = left.extract_if(.., |item| known.insert(digest_of(item))).collect();
        BlobClaim { under_way: self, digests: items.iter().map(digest_of).collect(), items }
    }

    /// Waits until none of `digests` is on its way, whatever became of it.
    pub(super) async fn end_of(&self, digests: impl Iterator<Item = BlobDigest>) {
        let digests: Vec<_> = digests.collect();
        loop {
            let mut ended = std::pin::pin!(self.ended.notified());
            // From here on none is missed.
            ended.as_mut().enable();
            if !digests.iter().any(|digest| self.digests().contains(digest)) {
                return;
            }
            ended.await;
        }
    }

    fn digests(&self) -> MutexGuard<'_, BTreeSet<BlobDigest>> {
        self.digests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Drop for BlobClaim<'_, T> {
    fn drop(&mut self) {
        let mut known = self.under_way.digests();
        for digest in &self.digests {
            known.remove(digest);
        }
        drop(known);
        self.under_way.ended.notify_waiters();
    }
}
