//! The guardian: a tiny process that outlives a killed forge just long enough to
//! end what forge was running.
//!
//! Nothing else can do that: SIGKILL gives forge no last word. The guardian is forge started
//! once more with a hidden argument; it waits on the read end of a pipe of which forge
//! holds the only write end. Forge writes there which process groups begin and end:
//!
//! ```text
//! +4711
//! -4711
//! ```
//!
//! When the pipe ends, forge is dead, and the groups still listed are told to end, and
//! killed a second later, as is every process that carries a mark of that forge. A forge that
//! ends as it should kills its guardian instead.
//!
//! The guardian is started when a command has run for a while, so runs of short commands pay nothing;
//! a forge killed before that leaves such a command to end by itself.

use std::{
    collections::HashSet,
    ffi::OsString,
    io::{self, BufRead, BufReader, PipeWriter, Write},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread::sleep,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::strays;

/// The hidden first argument with which forge becomes the guardian.
pub const ARGUMENT: &str = "--forge-guardian";

/// How long the guardian lets processes end by themselves before it kills them.
const GRACE: Duration = Duration::from_secs(1);

/// What the guardian does from its beginning to its end. The command line calls it, before
/// anything else, when the first argument is [`ARGUMENT`].
pub fn main() {
    let mark = std::env::args().nth(2).unwrap_or_default();
    let groups = groups_left(io::stdin().lock());
    let signal_all = |signal| {
        for group in &groups {
            let _ = kill_process_group(*group, signal);
        }
        for stray in strays::marked(&mark) {
            let _ = kill_process(stray, signal);
        }
    };
    signal_all(Signal::TERM);
    signal_all(Signal::CONT);
    // Most end at once; there is no need to stay then.
    let is_alive = |group: &Pid| rustix::process::test_kill_process_group(*group).is_ok();
    for _ in 0..50 {
        if !groups.iter().any(is_alive) && strays::marked(&mark).is_empty() {
            return;
        }
        sleep(GRACE / 50);
    }
    signal_all(Signal::KILL);
}

/// Reads to the end of `input` which groups began and did not end.
fn groups_left(input: impl io::Read) -> HashSet<Pid> {
    let mut groups = HashSet::new();
    for line in BufReader::new(input).lines().map_while(Result::ok) {
        let Some((sign, number)) = line.split_at_checked(1) else { continue };
        let Some(group) = number.parse().ok().and_then(Pid::from_raw) else { continue };
        match sign {
            "+" => groups.insert(group),
            _ => groups.remove(&group),
        };
    }
    groups
}

/// Forge's side: the guardian, if there is to be one, and what it has been told.
pub struct Guardian {
    /// The command line that starts it.
    words: Option<Vec<OsString>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    groups: HashSet<Pid>,
    /// Whether it was started, or tried to.
    started: bool,
    process: Option<(Child, PipeWriter)>,
}

impl Guardian {
    /// A guardian to be started with `words`; none, if there are none.
    pub fn new(words: Option<Vec<OsString>>) -> Self {
        Self { words, state: Mutex::default() }
    }

    /// The command line that starts this very program as the guardian of processes
    /// that carry `mark`.
    pub fn of_this_program(mark: &str) -> Option<Vec<OsString>> {
        // The second path still works after the program was replaced on disk.
        let own = PathBuf::from("/proc/self/exe");
        let program = std::env::current_exe().ok().filter(|path| path.exists()).unwrap_or(own);
        Some(vec![program.into(), ARGUMENT.into(), mark.into()])
    }

    /// Starts the guardian, if it is not there yet. Takes about a millisecond, once.
    pub fn start(&self) {
        let mut state = self.state();
        let Some(words) = self.words.as_ref().filter(|_| !state.started) else { return };
        state.started = true;
        // Without a guardian all is well as long as nobody kills forge, so a system that
        // has no process left for one is no reason to stop.
        state.process = spawn(words).ok();
        for group in state.groups.clone() {
            state.tell('+', group);
        }
    }

    /// A process group began.
    pub fn began(&self, group: Pid) {
        let mut state = self.state();
        state.groups.insert(group);
        state.tell('+', group);
    }

    /// A process group is gone.
    pub fn ended(&self, group: Pid) {
        let mut state = self.state();
        state.groups.remove(&group);
        state.tell('-', group);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn tell(&mut self, sign: char, group: Pid) {
        if let Some((_, pipe)) = &mut self.process {
            // One write, so that a line is never torn; fails only if the guardian is dead.
            let line = format!("{sign}{}\n", group.as_raw_nonzero());
            let _ = pipe.write_all(line.as_bytes());
        }
    }
}

fn spawn(words: &[OsString]) -> io::Result<(Child, PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    // Must never make forge wait, not even when somebody stopped the guardian.
    rustix::io::ioctl_fionbio(&writer, true)?;
    let child = Command::new(&words[0])
        .args(&words[1..])
        // Ctrl-C in a terminal goes to the group of forge.
        .process_group(0)
        .current_dir("/")
        .stdin(reader)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok((child, writer))
}

impl Drop for Guardian {
    fn drop(&mut self) {
        if let Some((mut child, _)) = self.state().process.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
