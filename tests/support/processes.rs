//! Which processes are alive, by a mark in their command line.

use std::{
    fs,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

/// A number of seconds for `sleep` that no other test uses: whoever sleeps so long is
/// known by it.
pub struct Marker(String);

impl Marker {
    /// A new one.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(format!("9{:07}.{count:04}", std::process::id()))
    }

    /// `sleep` for that long.
    pub fn sleep(&self) -> String {
        format!("sleep {}", self.0)
    }

    /// How many processes with this mark are alive. One that has ended and only waits to be
    /// reaped is not.
    pub fn alive(&self) -> usize {
        let processes = fs::read_dir("/proc").expect("/proc").flatten();
        let marked = processes.filter(|process| {
            let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            line.starts_with("sleep ") && line.contains(&self.0)
        });
        marked.count()
    }
}

/// Whether a process is alive and no zombie.
pub fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next());
    state.is_some_and(|state| state != "Z" && state != "X")
}

/// Waits until something holds; a test that waits longer than 20 seconds has failed.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(20), "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
