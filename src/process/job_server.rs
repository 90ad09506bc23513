//! The job budget: how commands that run parallel jobs of their own share one number.
//!
//! GNU make's job server (manual, "POSIX Jobserver Interaction"): each program has one job
//! for free, and takes a byte from a shared pipe for each further one, to put it back
//! when that job is over. Forge is the top of such a tree: of a budget of N the pipe holds
//! N - 1 bytes, the first command runs for free, and forge takes a byte for each further one.
//!
//! The pipe is a FIFO without a name any more, so that forge can open it without blocking while
//! commands inherit descriptors that block. These are open in every command of the run; only
//! those that take part are told their numbers.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::{fd::AsRawFd, unix::fs::OpenOptionsExt},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rustix::{fs::OFlags, io::FdFlags};
use tokio::{
    net::unix::pipe::{self, Receiver},
    sync::Notify,
};

/// The shared pipe.
pub struct JobServer {
    jobs: usize,
    /// Tells when there are bytes.
    ready: Receiver,
    /// Forge's own way in, which never blocks.
    own: File,
    /// Inherited by commands.
    read: File,
    /// Inherited by commands.
    write: File,
    slots: Mutex<Slots>,
    free_again: Notify,
}

#[derive(Default)]
struct Slots {
    /// Commands that have one.
    taken: usize,
    /// Whether one of them is the one that costs no byte.
    free_taken: bool,
}

/// The right to run one command; gives its job back when dropped.
pub struct Slot<'a> {
    server: &'a JobServer,
    token: Token,
}

enum Token {
    Free,
    Byte(u8),
}

impl JobServer {
    /// A job server of `jobs` jobs (at least 1). Needs a runtime.
    pub fn new(jobs: usize) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("jobs");
        make_fifo(&path)?;
        let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
        let mut options = OpenOptions::new();
        // With both ends open here, opening only one end no longer blocks.
        let own = options.read(true).write(true).custom_flags(nonblocking).open(&path)?;
        let read = OpenOptions::new().read(true).open(&path)?;
        let write = OpenOptions::new().write(true).open(&path)?;
        for inherited in [&read, &write] {
            rustix::io::fcntl_setfd(inherited, FdFlags::empty())?;
        }
        let ready = pipe::OpenOptions::new().open_receiver(&path)?;
        let slots = Mutex::default();
        let server = Self { jobs, ready, own, read, write, slots, free_again: Notify::new() };
        server.refill();
        Ok(server)
    }

    /// Waits until one more command may run.
    pub async fn slot(&self) -> io::Result<Slot<'_>> {
        loop {
            let mut free_again = std::pin::pin!(self.free_again.notified());
            free_again.as_mut().enable();
            if let Some(slot) = self.try_slot() {
                return Ok(slot);
            }
            tokio::select! {
                () = free_again => {}
                ready = self.ready.readable() => ready?,
            }
        }
    }

    /// The variables that make a command take part.
    pub fn variables(&self) -> [(&'static str, String); 2] {
        let pipe = format!("{},{}", self.read.as_raw_fd(), self.write.as_raw_fd());
        // The old name (before make 4.2) and the new one.
        let flags = format!(" -j{} --jobserver-fds={pipe} --jobserver-auth={pipe}", self.jobs);
        [("MAKEFLAGS", flags.clone()), ("CARGO_MAKEFLAGS", flags)]
    }

    fn try_slot(&self) -> Option<Slot<'_>> {
        let mut slots = self.slots();
        let token = if slots.free_taken {
            let mut byte = [0];
            match self.ready.try_read(&mut byte) {
                Ok(1) => Token::Byte(byte[0]),
                _ => return None,
            }
        } else {
            slots.free_taken = true;
            Token::Free
        };
        slots.taken += 1;
        Some(Slot { server: self, token })
    }

    /// Makes the pipe hold what it holds when nobody has a job: killed commands may have
    /// taken bytes with them.
    fn refill(&self) {
        let mut pipe = &self.own;
        let full = self.jobs.saturating_sub(1);
        if rustix::io::ioctl_fionread(pipe).is_ok_and(|bytes| bytes == full as u64) {
            return;
        }
        let mut buffer = [0; 4096];
        while matches!(pipe.read(&mut buffer), Ok(1..)) {}
        // A pipe takes 4096 bytes at least; nobody has that many processors.
        let _ = pipe.write(&vec![b'+'; full.min(4096)]);
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut slots = self.server.slots();
        slots.taken -= 1;
        match self.token {
            Token::Free => slots.free_taken = false,
            Token::Byte(byte) => {
                let _ = (&self.server.own).write(&[byte]);
            }
        }
        if slots.taken == 0 {
            self.server.refill();
        }
        drop(slots);
        self.server.free_again.notify_waiters();
    }
}

#[cfg(not(target_vendor = "apple"))]
fn make_fifo(path: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    Ok(mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?)
}

/// This system has no safe call for it, but a program.
#[cfg(target_vendor = "apple")]
fn make_fifo(path: &Path) -> io::Result<()> {
    let status = std::process::Command::new("/usr/bin/mkfifo").arg(path).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other("mkfifo failed")) }
}
