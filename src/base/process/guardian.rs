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
//! =4711-18b3-2 2 300000
//! +4712 2 300000
//! ```
//!
//! The last says how that one is to be ended: it is asked by signal 2, and again after five
//! minutes ([`Ending`]). The one before says so of the command with that mark, before there is a
//! process: a forge that is killed while it starts one cuts it off no more than any other.
//!
//! When the pipe ends, forge is dead, and the groups still listed are told to end, and
//! killed a second later, as is every process that carries a mark of that forge. A forge that
//! ends as it should kills its guardian instead.
//!
//! The guardian is started before the first command, so that at no instant a kill leaves
//! anything alive: what was launched but not yet written to the pipe carries the mark, and
//! holds the pipe open until it does. Runs without commands start none.

use std::{
    collections::HashMap,
    ffi::OsString,
    io::{self, BufRead, BufReader, PipeWriter, Write},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::{
    Ending,
    census::{ProcessId, members},
    children::{Unmarked, account},
    strays,
};

/// The hidden first argument with which forge becomes the guardian.
pub const ARGUMENT: &str = "--forge-guardian";

/// How long the guardian lets processes end by themselves before it kills them.
const GRACE: Duration = Duration::from_secs(1);

/// The path of this very program.
pub fn this_program() -> PathBuf {
    // The second path still works after the program was replaced on disk.
    let own = PathBuf::from("/proc/self/exe");
    std::env::current_exe().ok().filter(|path| path.exists()).unwrap_or(own)
}

/// What the guardian does from its beginning to its end. The command line calls it, before
/// anything else, when the first argument is [`ARGUMENT`].
pub fn main() {
    if let Some(mark) = std::env::args().nth(2) {
        guard(&mark);
    }
}

/// Waits for the death of forge, then ends what it left: groups it told of, and processes
/// with a mark that begins with `mark`.
fn guard(mark: &str) {
    let mut left = GuardedGroups::read(io::stdin().lock());
    left.find_announced();
    let groups = left.groups;
    end_with_care(&groups);
    let signal_all = |signal| {
        for group in groups.keys() {
            let _ = kill_process_group(*group, signal);
        }
        for stray in strays::marked(mark) {
            let _ = kill_process(stray, signal);
        }
    };
    signal_all(Signal::TERM);
    signal_all(Signal::CONT);
    // Most end at once; there is no need to stay then.
    let is_alive = |group: &Pid| rustix::process::test_kill_process_group(*group).is_ok();
    for _ in 0..50 {
        if !groups.keys().any(is_alive) && strays::marked(mark).is_empty() {
            return;
        }
        sleep(GRACE / 50);
    }
    signal_all(Signal::KILL);
}

/// How often it is looked whether processes have ended.
const LOOK: Duration = Duration::from_millis(20);
/// How long a command may take to start that was announced when forge was killed.
const STARTS: Duration = Duration::from_millis(200);

/// Asks those groups that must not be cut off, and gives them their time.
fn end_with_care(groups: &HashMap<Pid, Option<Ending>>) {
    let mut careful: Vec<(Pid, Ending)> =
        groups.iter().filter_map(|(group, ending)| Some((*group, (*ending)?))).collect();
    let Some(grace) = careful.iter().map(|(_, ending)| ending.grace).max() else { return };
    for patience in [grace, Ending::LAST_GRACE.min(grace)] {
        let began = Instant::now();
        for (group, ending) in &careful {
            let _ = kill_process_group(*group, ending.signal());
        }
        while !careful.is_empty() && began.elapsed() < patience {
            sleep(LOOK);
            careful.retain(|(group, _)| !members(*group).is_empty());
        }
    }
}

/// The groups that began and did not end, and how they are to be ended.
#[derive(Default)]
struct GuardedGroups {
    groups: HashMap<Pid, Option<Ending>>,
    /// Marks of commands that must not be cut off, whose processes may have begun or not.
    announced: Vec<(String, Ending)>,
}

impl GuardedGroups {
    /// Reads `input` to its end.
    fn read(input: impl io::Read) -> Self {
        let mut left = Self::default();
        for line in BufReader::new(input).lines().map_while(Result::ok) {
            let Some((sign, rest)) = line.split_at_checked(1) else { continue };
            left.take(sign, rest);
        }
        left
    }

    fn take(&mut self, sign: &str, rest: &str) -> Option<()> {
        let mut words = rest.split(' ');
        let first = words.next()?;
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok());
        let ending = number().zip(number()).map(|(signal, grace)| Ending {
            signal: i32::try_from(signal).unwrap_or_default(),
            grace: Duration::from_millis(grace),
        });
        if sign == "=" {
            self.announced.push((first.to_owned(), ending?));
            return Some(());
        }
        let group = Pid::from_raw(first.parse().ok()?)?;
        if sign != "+" {
            self.groups.remove(&group);
            return Some(());
        }
        self.groups.insert(group, ending);
        // It began; one such command runs at a time.
        if ending.is_some() && !self.announced.is_empty() {
            self.announced.remove(0);
        }
        Some(())
    }

    /// Finds the groups of commands that were announced and not yet told of.
    fn find_announced(&mut self) {
        let began = Instant::now();
        while !self.announced.is_empty() && began.elapsed() < STARTS {
            let mut is_found = true;
            for (mark, ending) in &self.announced {
                let leads = |pid: &Pid| members(*pid).contains(pid);
                let leaders = strays::marked(mark).into_iter().filter(leads);
                let found: Vec<_> = leaders.map(|leader| (leader, Some(*ending))).collect();
                is_found &= !found.is_empty();
                self.groups.extend(found);
            }
            if is_found {
                return;
            }
            sleep(LOOK);
        }
    }
}

/// Forge's side: the guardian, if there is to be one, and what it has been told.
pub struct Guardian {
    /// The command line that starts it.
    words: Option<Vec<OsString>>,
    state: Mutex<GuardianState>,
}

#[derive(Default)]
struct GuardianState {
    groups: HashMap<Pid, Option<Ending>>,
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
    pub fn of_this_program(mark: &str) -> Vec<OsString> {
        vec![this_program().into(), ARGUMENT.into(), mark.into()]
    }

    /// Starts the guardian, if it is not there yet. Takes about a millisecond, once.
    pub fn start(&self) {
        let mut state = self.state();
        let Some(words) = self.words.as_ref().filter(|_| !state.started) else { return };
        state.started = true;
        // Without a guardian all is well as long as nobody kills forge, so a system that
        // has no process left for one is no reason to stop.
        state.process = spawn(words).ok();
        for (group, ending) in state.groups.clone() {
            state.write_sign('+', group, ending);
        }
    }

    /// A command is about to begin that must not be cut off.
    pub fn announce(&self, mark: &str, ending: Ending) {
        if let Some((_, pipe)) = &mut self.state().process {
            let how = (ending.signal, ending.grace.as_millis());
            let _ = pipe.write_all(format!("={mark} {} {}\n", how.0, how.1).as_bytes());
        }
    }

    /// A process group began.
    pub fn began(&self, group: Pid, ending: Option<Ending>) {
        let mut state = self.state();
        state.groups.insert(group, ending);
        state.write_sign('+', group, ending);
    }

    /// A process group is gone.
    pub fn ended(&self, group: Pid) {
        let mut state = self.state();
        state.groups.remove(&group);
        state.write_sign('-', group, None);
    }

    fn state(&self) -> MutexGuard<'_, GuardianState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GuardianState {
    fn write_sign(&mut self, sign: char, group: Pid, ending: Option<Ending>) {
        if let Some((_, pipe)) = &mut self.process {
            // One write, so that a line is never torn; fails only if the guardian is dead.
            let how = ending.map(|it| format!(" {} {}", it.signal, it.grace.as_millis()));
            let line = format!("{sign}{}{}\n", group.as_raw_nonzero(), how.unwrap_or_default());
            let _ = pipe.write_all(line.as_bytes());
        }
    }
}

fn spawn(words: &[OsString]) -> io::Result<(Child, PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    // Must never make forge wait, not even when somebody stopped the guardian.
    rustix::io::ioctl_fionbio(&writer, true)?;
    let _unmarked = Unmarked::begin();
    let child = Command::new(&words[0])
        .args(&words[1..])
        // Ctrl-C in a terminal goes to the group of forge.
        .process_group(0)
        .current_dir("/")
        // It needs none of it, and others could read secrets there.
        .env_clear()
        .stdin(reader)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    account().add(i32::try_from(child.id()).ok().and_then(ProcessId::find));
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

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::{
        super::{Cancel, Command as Line, CommandLine, CommandRunner, Runner},
        *,
    };
    use crate::process::testing::environment;

    /// The variable by which this test program, started once more, knows what to be.
    const PART: &str = "FORGE_TEST_PART";

    #[test]
    fn groups_that_ended_are_forgotten() {
        let groups = GuardedGroups::read(&b"+10\n+11\n-10\nrubbish\n+0\n+12"[..]).groups;
        let expected = [11, 12].map(|n| (Pid::from_raw(n).unwrap(), None));
        assert_eq!(groups, HashMap::from(expected));
        let left = GuardedGroups::read(&b"=7-a-0 2 300000\n+10 2 300000\n=7-a-1 2 300000\n"[..]);
        let ending = Ending { signal: 2, grace: Duration::from_secs(300) };
        assert_eq!(left.groups.into_values().next(), Some(Some(ending)));
        assert_eq!(left.announced, [("7-a-1".to_owned(), ending)]);
    }

    fn this_test(name: &str) -> Vec<OsString> {
        let name = format!("process::guardian::tests::{name}");
        let program = std::env::current_exe().unwrap();
        vec![program.into(), "--exact".into(), name.into(), "--nocapture".into()]
    }

    /// Not a test by itself: the forge that is killed, and its guardian.
    #[tokio::test]
    async fn parts() {
        let Ok(folder) = std::env::var(PART) else { return };
        let folder = Path::new(&folder);
        if std::env::var_os("FORGE_TEST_MARK").is_some() {
            fs::write(folder.join("guardian"), std::process::id().to_string()).unwrap();
            let mark = std::env::var("FORGE_TEST_MARK").unwrap();
            tokio::task::spawn_blocking(move || guard(&mark)).await.unwrap();
            std::process::exit(0);
        }
        let runner = Runner::new(environment(), 1, Cancel::new()).guarded_by(|mark| {
            let folder = std::env::var(PART).unwrap_or_default();
            let variables = [format!("{PART}={folder}"), format!("FORGE_TEST_MARK={mark}")];
            let words = ["env".to_owned()].into_iter().chain(variables).map(OsString::from);
            words.chain(this_test("parts")).collect()
        });
        let line = "trap '' TERM; echo $$ > group; setsid sh -c 'echo $$ > stray; sleep 100' & \
                    while :; do sleep 0.01; done";
        let command = Line::new(CommandLine::Shell(line.into()), folder);
        let _ = runner.run(&command, &mut |_| ()).await;
    }

    fn lives(pid: &str) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        stat.is_ok_and(|stat| !stat.rsplit_once(')').unwrap().1.starts_with(" Z"))
    }

    fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
        let start = Instant::now();
        while !is_so() {
            assert!(start.elapsed() < Duration::from_secs(20), "{what}");
            sleep(Duration::from_millis(2));
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn when_forge_is_killed_nothing_is_left() {
        let temp = tempfile::tempdir().unwrap();
        let words = this_test("parts");
        let mut forge = Command::new(&words[0])
            .args(&words[1..])
            .env(PART, temp.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pid_in = |name: &str| fs::read_to_string(temp.path().join(name)).unwrap_or_default();
        let names = ["guardian", "group", "stray"];
        wait_until("all parts begin", || names.iter().all(|name| !pid_in(name).is_empty()));
        forge.kill().unwrap();
        forge.wait().unwrap();
        for name in names {
            wait_until(name, || !lives(&pid_in(name)));
        }
    }
}
