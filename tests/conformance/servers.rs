//! Real servers, started for a test and stopped with it.

use std::{
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Whether `program` can be run here. In continuous integration it has to be.
pub fn is_here(program: &str) -> bool {
    let found = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    });
    assert!(found || std::env::var_os("CI").is_none(), "CI installs no {program}");
    if !found {
        eprintln!("skipped: no {program} here");
    }
    found
}

/// A server under way; stopped when it is dropped.
pub struct Running {
    child: Child,
    pub port: u16,
}

impl Running {
    /// Starts `program` with what `arguments` makes of a free port, and waits until it listens.
    pub fn start(program: &str, folder: &Path, arguments: impl Fn(u16) -> Vec<String>) -> Self {
        // Somebody else may take the port in between: then the server ends, and another is tried.
        for _ in 0..5 {
            let free = TcpListener::bind("127.0.0.1:0").expect("a port");
            let port = free.local_addr().expect("its address").port();
            drop(free);
            let mut child = Command::new(program)
                .args(arguments(port))
                .current_dir(folder)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap_or_else(|error| panic!("{program}: {error}"));
            if listens(&mut child, port) {
                return Self { child, port };
            }
            let _ = (child.kill(), child.wait());
        }
        panic!("{program} does not start");
    }
}

impl Running {
    /// Kills it, with no time to put anything in order.
    pub fn kill(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

fn listens(child: &mut Child, port: u16) -> bool {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(60) {
        if child.try_wait().expect("its state").is_some() {
            return false;
        }
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

impl Drop for Running {
    fn drop(&mut self) {
        // Politely, since shims and masters have children of their own.
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(5) {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = (self.child.kill(), self.child.wait());
    }
}
