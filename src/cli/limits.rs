//! What the system has left for this process, asked before libraries take it that would panic without.

use std::{fs::File, io};

use rayon::ThreadPoolBuilder;
use rustix::process::{Resource, getrlimit};

use crate::model::{Fault, Kind};

const MEBIBYTE: u64 = 1024 * 1024;
/// So much address space is needed, and so much more for each processor, since each thread reserves some.
const MEMORY: u64 = 512 * MEBIBYTE;
const MEMORY_OF_THREAD: u64 = 64 * MEBIBYTE;
/// However many processors there are.
const MOST_MEMORY: u64 = 2048 * MEBIBYTE;
/// So many files a runtime opens before anything is done on it.
const FILES: usize = 12;

/// Checks what a program cannot recover from when it is missing.
///
/// # Errors
/// `Failed` if the limit of memory is too low: an allocation that fails ends a program at once.
pub(super) fn check() -> Result<(), Fault> {
    // Counting the processors reads files, which nearly no run needs here.
    let Some(limit) = getrlimit(Resource::As).current else { return Ok(()) };
    let needed = (MEMORY + processors() as u64 * MEMORY_OF_THREAD).min(MOST_MEMORY);
    if limit >= needed {
        return Ok(());
    }
    let (limit, needed) = (limit / MEBIBYTE, needed / MEBIBYTE);
    let what = format!("this process may use {limit} MiB of memory, and needs {needed} MiB");
    let hint = format!("raise the limit: `ulimit -v {}`", needed * 1024);
    Err(Fault::new(Kind::Failed, what).hint(hint))
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Starts the threads on which files are read side by side; where the system has none, all is done on
/// the thread that asks. Whoever only says an old answer again needs none.
pub(super) fn start_pool() {
    let threads = processors();
    let pool = match threads_are_free(threads) {
        Ok(()) => ThreadPoolBuilder::new().num_threads(threads),
        Err(_) => ThreadPoolBuilder::new().num_threads(1).use_current_thread(),
    };
    // Fails only if it is there already, or if another process took the last threads just now.
    let _ = pool.build_global();
}

/// Whether the system has `count` more threads: tokio panics where it has not.
pub(super) fn threads_are_free(count: usize) -> io::Result<()> {
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    std::thread::scope(|scope| {
        // Each waits for the end of the channel, so that all are there at once.
        let wait = || drop(held.lock().map(|held| held.recv()));
        let started = (0..count)
            .try_for_each(|_| std::thread::Builder::new().spawn_scoped(scope, wait).map(drop));
        drop(hold);
        started
    })
}

/// Whether as many files can be opened as a runtime needs: tokio panics where they cannot.
pub(super) fn files_are_free() -> io::Result<()> {
    (0..FILES).map(|_| File::open("/dev/null")).collect::<io::Result<Vec<_>>>().map(drop)
}
