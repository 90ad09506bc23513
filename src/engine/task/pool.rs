//! Pools: how many tasks of one kind run commands at the same time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{model::Fault, process::Cancel, workspace::Pool};

/// The pools of a run.
#[derive(Debug, Default)]
pub struct Pools(Mutex<HashMap<String, Arc<Semaphore>>>);

impl Pools {
    /// A seat in `pool`, not taken yet. A task without a pool has as many seats as it likes.
    pub fn seat(&self, pool: Option<&Pool>) -> PoolPermit {
        let seats = pool.map(|pool| {
            let mut pools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let seats = || Arc::new(Semaphore::new(usize::from(pool.limit)));
            pools.entry(pool.name.clone()).or_insert_with(seats).clone()
        });
        PoolPermit { seats, taken: None }
    }
}

/// The place of one task in its pool. It is held while the task runs commands and given back while
/// another task runs for it: nobody waits in a pool for somebody who waits for it.
#[derive(Debug)]
pub struct PoolPermit {
    seats: Option<Arc<Semaphore>>,
    taken: Option<OwnedSemaphorePermit>,
}

impl PoolPermit {
    /// Waits until it is free, and takes it.
    ///
    /// # Errors
    /// If the run is stopped meanwhile: `what` was stopped then.
    pub async fn take(&mut self, cancel: &Cancel, what: &str) -> Result<(), Fault> {
        let Some(seats) = self.seats.as_ref().filter(|_| self.taken.is_none()) else {
            return Ok(());
        };
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(cancel.fault(what)),
            // The pool is never closed; if it were, nothing would be limited.
            permit = seats.clone().acquire_owned() => {
                self.taken = permit.ok();
                Ok(())
            }
        }
    }

    /// Gives it back.
    pub fn leave(&mut self) {
        self.taken = None;
    }
}
