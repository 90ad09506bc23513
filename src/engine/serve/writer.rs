//! One thread that writes to a database. All steps that came while the disk was busy are one transaction, so that
//! many who ask at once wait for one `fsync`, and not for one each.

use std::{sync::mpsc, thread};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::model::{Fault, Kind};

/// At most so many steps are one transaction.
const MOST_AT_ONCE: usize = 256;

/// A step, with whoever waits for it.
trait QueuedStep: Send {
    /// Takes the step, within a transaction.
    fn take(&mut self, db: &Connection);
    /// Says what came of it; `committed` is what became of the transaction.
    fn answer(self: Box<Self>, committed: &Result<(), Fault>);
}

/// What writes.
#[derive(Clone)]
pub(super) struct BatchWriter {
    steps: mpsc::Sender<Box<dyn QueuedStep>>,
}

impl BatchWriter {
    /// Starts the thread, which ends when the last clone is gone.
    ///
    /// # Errors
    /// If the system has no thread for it.
    pub(super) fn begin(db: Connection) -> Result<Self, Fault> {
        let (steps, taken) = mpsc::channel();
        let begun =
            thread::Builder::new().name("jobs".into()).spawn(move || write_all(&db, &taken));
        begun.map_err(|error| Fault::io("cannot start a thread for the queue", &error))?;
        Ok(Self { steps })
    }

    /// Takes a step, and waits until it is on the disk.
    ///
    /// # Errors
    /// What `step` says, after which nothing of it stays; or that it could not be written.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        step: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        let (answer, answered) = oneshot::channel();
        let waiting = WaitingStep { step: Some(step), result: None, answer };
        let gone = || Fault::new(Kind::Failed, "the thread that writes the queue has ended");
        self.steps.send(Box::new(waiting)).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

struct WaitingStep<T, F> {
    step: Option<F>,
    result: Option<rusqlite::Result<T>>,
    answer: oneshot::Sender<Result<T, Fault>>,
}

impl<T, F> QueuedStep for WaitingStep<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> rusqlite::Result<T> + Send,
{
    fn take(&mut self, db: &Connection) {
        let Some(step) = self.step.take() else { return };
        let taken = db.execute_batch("SAVEPOINT step").and_then(|()| {
            let taken = step(db);
            let end = if taken.is_ok() { "RELEASE step" } else { "ROLLBACK TO step; RELEASE step" };
            db.execute_batch(end).and(taken)
        });
        self.result = Some(taken);
    }

    fn answer(self: Box<Self>, committed: &Result<(), Fault>) {
        let Self { result, answer, .. } = *self;
        let answered = match (committed, result) {
            (Ok(()), Some(taken)) => taken.map_err(|error| database_fault(&error)),
            (Err(fault), _) => Err(fault.clone()),
            (Ok(()), None) => Err(Fault::new(Kind::Failed, "a step of the queue was not taken")),
        };
        // Whoever asked may have gone away; the step is taken all the same.
        let _ = answer.send(answered);
    }
}

fn write_all(db: &Connection, steps: &mpsc::Receiver<Box<dyn QueuedStep>>) {
    while let Ok(first) = steps.recv() {
        let mut batch = vec![first];
        batch.extend(steps.try_iter().take(MOST_AT_ONCE - 1));
        let began = db.execute_batch("BEGIN IMMEDIATE");
        let committed = began.and_then(|()| {
            for step in &mut batch {
                step.take(db);
            }
            db.execute_batch("COMMIT").inspect_err(|_| {
                // What failed to be written is undone; that this fails as well changes nothing.
                let _ = db.execute_batch("ROLLBACK");
            })
        });
        let committed = committed.map_err(|error| database_fault(&error));
        for step in batch {
            step.answer(&committed);
        }
    }
}

/// What the database says is wrong.
pub(super) fn database_fault(error: &rusqlite::Error) -> Fault {
    let fault = Fault::new(Kind::Failed, "the queue of jobs cannot be used");
    let fault = fault.because(error.to_string());
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => fault.hint("free some space; nothing was lost"),
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => fault
            .hint("put the file back from a copy, or move it away to begin with an empty queue"),
        _ => fault,
    }
}
