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

#[cfg(test)]
mod tests {
    use crate::process::testing::{environment, is_here};
    use std::{fs, time::Duration};

    use futures_util::FutureExt;

    use super::{
        super::{Cancel, Command, CommandLine, CommandRunner, Runner},
        *,
    };
    use crate::model::Fault;

    fn bytes_in(server: &JobServer) -> u64 {
        rustix::io::ioctl_fionread(&server.own).unwrap()
    }

    #[tokio::test]
    async fn one_more_command_takes_one_byte() {
        let server = JobServer::new(3).unwrap();
        let first = server.slot().await.unwrap();
        assert_eq!(bytes_in(&server), 2);
        let second = server.slot().await.unwrap();
        let third = server.slot().await.unwrap();
        assert_eq!(bytes_in(&server), 0);
        let mut fourth = Box::pin(server.slot());
        assert!(fourth.as_mut().now_or_never().is_none());
        drop(second);
        let fourth = tokio::time::timeout(Duration::from_secs(5), fourth).await.unwrap().unwrap();
        drop((first, third, fourth));
        assert_eq!(bytes_in(&server), 2);
    }

    #[tokio::test]
    async fn of_a_budget_of_one_commands_run_one_by_one() {
        let server = JobServer::new(1).unwrap();
        let first = server.slot().await.unwrap();
        let mut second = Box::pin(server.slot());
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        drop(tokio::time::timeout(Duration::from_secs(5), second).await.unwrap().unwrap());
    }

    #[tokio::test]
    async fn lost_bytes_come_back_when_nothing_runs() {
        let server = JobServer::new(4).unwrap();
        let slot = server.slot().await.unwrap();
        (&server.read).read_exact(&mut [0; 3]).unwrap();
        drop(slot);
        assert_eq!(bytes_in(&server), 3);
        let slot = server.slot().await.unwrap();
        (&server.write).write_all(b"++").unwrap();
        drop(slot);
        assert_eq!(bytes_in(&server), 3);
    }

    /// A Makefile of `count` targets, each of which notes in `trace` when it begins and ends.
    fn makefile(count: usize, trace: &Path) -> String {
        let targets: Vec<_> = (0..count).map(|n| format!("t{n}")).collect();
        let recipe = format!("\t@echo + >> '{0}'; sleep 0.03; echo - >> '{0}'\n", trace.display());
        format!("all: {0}\n{0}:\n{recipe}", targets.join(" "))
    }

    /// The most that ran at once according to a trace.
    fn most_at_once(trace: &Path) -> usize {
        let text = fs::read_to_string(trace).unwrap();
        let mut running = 0;
        let steps = text.lines().map(|line| {
            running = if line == "+" { running + 1 } else { running - 1 };
            running
        });
        steps.max().unwrap_or(0)
    }

    /// A Makefile whose `count` targets each wait until all of them have begun.
    fn meeting(count: usize) -> String {
        let targets: Vec<_> = (0..count).map(|n| format!("t{n}")).collect();
        let recipe = format!(
            "\t@echo > met-$@; while [ $$(ls met-* | wc -l) -lt {count} ]; do sleep 0.005; done\n"
        );
        format!("all: {0}\n{0}:\n{recipe}", targets.join(" "))
    }

    async fn make(runner: &Runner, folder: &Path) -> Result<(), Fault> {
        let mut command = Command::new(CommandLine::Shell("make all".into()), folder);
        (command.jobs, command.timeout) = (true, Some(Duration::from_secs(20)));
        runner.run(&command, &mut |line| panic!("{line}")).await
    }

    #[tokio::test]
    async fn real_makes_share_the_budget() {
        if !is_here("make") {
            return;
        }
        let temp = tempfile::tempdir().unwrap();
        let trace = temp.path().join("trace");
        let folders = ["a", "b"].map(|name| temp.path().join(name));
        for folder in &folders {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("Makefile"), makefile(6, &trace)).unwrap();
        }
        let runner = Runner::new(environment(), 3, Cancel::new());
        let made = tokio::join!(make(&runner, &folders[0]), make(&runner, &folders[1]));
        assert_eq!(made, (Ok(()), Ok(())));
        assert!(most_at_once(&trace) <= 3);
        assert_eq!(fs::read_to_string(&trace).unwrap().lines().count(), 24);
    }

    #[tokio::test]
    async fn a_make_alone_has_the_whole_budget() {
        if !is_here("make") {
            return;
        }
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("Makefile"), meeting(3)).unwrap();
        assert_eq!(make(&Runner::new(environment(), 3, Cancel::new()), temp.path()).await, Ok(()));
    }

    #[tokio::test]
    async fn a_killed_make_takes_no_jobs_with_it() {
        if !is_here("make") {
            return;
        }
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("Makefile"), meeting(3)).unwrap();
        fs::write(temp.path().join("slow.mk"), "all: a b c\na b c:\n\t@sleep 100\n").unwrap();
        let runner = Runner::new(environment(), 3, Cancel::new());
        let mut slow = Command::new(CommandLine::Shell("make -f slow.mk".into()), temp.path());
        (slow.jobs, slow.timeout) = (true, Some(Duration::from_millis(100)));
        assert!(runner.run(&slow, &mut |_| ()).await.is_err());
        assert_eq!(make(&runner, temp.path()).await, Ok(()));
    }
}
