//! What the system has left for this process, asked before libraries take it that would panic without.

use rayon::ThreadPoolBuilder;

/// Starts the threads on which files are read side by side; where the system has none, all is done on
/// the thread that asks.
pub(super) fn start_pool() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let pool = match threads_are_free(threads) {
        Ok(()) => ThreadPoolBuilder::new().num_threads(threads),
        Err(_) => ThreadPoolBuilder::new().num_threads(1).use_current_thread(),
    };
    // Fails only if it is there already, or if another process took the last threads just now.
    let _ = pool.build_global();
}

/// Whether the system has `count` more threads: tokio panics where it has not.
pub(super) fn threads_are_free(count: usize) -> std::io::Result<()> {
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
