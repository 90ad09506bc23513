//! Runs commands: streams their lines, kills whole trees, keeps time limits.
//!
//! - `runner` is the port's implementation for this machine; `supervision` is one command
//!   from its start to its end.
//! - Starting: `shell` (is a shell needed?), `sound` and `syntax` (can it read that?), `program` (what PATH means), `inherit` and
//!   `environment` (its variables), `launch`.
//! - `sandbox` is what a command may write to, `caches` what all builds may.
//! - Output: `stream` reads it, `output` hands bytes to the `log` and, cut by `lines` and made
//!   `plain`, to whoever watches.
//! - Ending: `group` (the process group of a command), `strays` (what left its group),
//!   `guardian` (when forge itself is killed), `cancel`, `ending` (what an exit says).
//! - `replace` puts a command into forge's place.
//! - `terminal` hands the terminal through to a command.
//! - `detached` starts what outlives forge, `census` knows it again.
//! - `version` asks a program for its version.
//! - `job_server` shares parallel jobs between commands, as GNU make does.

mod caches;
mod cancel;
mod census;
mod children;
mod detached;
mod ending;
mod environment;
mod environment_secrets;
mod group;
pub mod guardian;
mod hint;
mod inherit;
mod job_server;
mod launch;
mod lines;
mod log;
mod output;
mod plain;
mod program;
mod replace;
mod runner;
mod sandbox;
mod shell;
mod sound;
mod strays;
mod stream;
mod supervision;
mod syntax;
mod terminal;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod version;

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

pub use caches::{temporary_folders, toolchain_caches};
pub use cancel::{Cancel, GracePeriod};
pub use census::{ProcessId, carriers, end_all, listener, outlast_all};
pub use detached::{DETACHED, start_detached};
pub use ending::timeout_fault;
pub use environment_secrets::{environment_secrets, keep_memory_private};
pub use guardian::this_program;
pub use inherit::{Inherit, LOGINS, changes_output, looks_secret};
pub use log::{tail, tail_from};
pub use program::{find_outside, is_program, path_outside};
pub use replace::become_command;
pub use runner::Runner;
pub use sandbox::{Sandbox, SandboxBase, can_sandbox, sandbox_holds};
pub use shell::{Shell, is_one_program};
pub use strays::VARIABLE as MARK;
pub use syntax::{Reading, ShellQuestion, Shells, SyntaxCheck, SyntaxError, ask_shells};
pub use version::ask_version;

use rustix::process::Signal;

use crate::model::{Environment, Fault, Secrets, shown_url};

/// How long lines are shown: what is longer is hardly read. In bytes.
const LONGEST_LINE: usize = 64 << 10;

/// A command to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What runs.
    pub line: CommandLine,
    /// Where it runs.
    pub dir: PathBuf,
    /// Variables set for it, over what it inherits.
    pub env: BTreeMap<String, String>,
    /// What it inherits of the variables that forge was started with.
    pub inherit: Inherit,
    /// Folders put before PATH, the first one first.
    pub path: Vec<PathBuf>,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// Where its output is kept, appended; created with the first byte. With a log, a
    /// flood of lines is passed on in part; without one, every line is.
    pub log: Option<PathBuf>,
    /// Where standard output and standard error are kept besides, each in a file of its own.
    pub streams: Option<[PathBuf; 2]>,
    /// The longest line that is passed on, in bytes; what is longer comes as several.
    pub longest_line: usize,
    /// Whether it may run parallel jobs of its own: it then takes part in the job budget.
    pub jobs: bool,
    /// What reads a [`CommandLine::Shell`].
    pub shell: Shell,
    /// Whether it gets the terminal, or whatever forge itself reads and prints to. It then runs
    /// in forge's own process group, so that Ctrl-C and Ctrl-Z are heard by both; its output
    /// passes nobody, so that nothing in it is logged or masked.
    pub terminal: bool,
    /// Whether what it prints goes, byte by byte, to forge's own standard output and standard error
    /// too, each to its own. What forge has to say about it goes to standard error then.
    pub through: bool,
    /// Whether it reads what forge is given on standard input, and not nothing.
    pub reads: bool,
    /// What is masked in all it prints.
    pub secrets: Secrets,
    /// What it may write to; everything if absent.
    pub sandbox: Option<Sandbox>,
    /// What ends it; that of the runner if absent.
    pub cancel: Option<Cancel>,
    /// How it is told to end, if that takes more care than usual.
    pub ending: Option<Ending>,
    /// Who is told of its process, before anything else is done with it.
    pub started: Option<StartHook>,
}

/// Whom the process of a command is told to.
#[derive(Clone)]
pub struct StartHook(Arc<dyn Fn(ProcessId) + Send + Sync>);

impl StartHook {
    /// Tells `told`.
    pub fn new(told: impl Fn(ProcessId) + Send + Sync + 'static) -> Self {
        Self(Arc::new(told))
    }

    fn tell_start(&self, number: i32) {
        (self.0)(ProcessId::find(number).unwrap_or_else(|| ProcessId::unknown(number)));
    }
}

impl fmt::Debug for StartHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StartHook")
    }
}

impl PartialEq for StartHook {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for StartHook {}

/// How a command is told to end that must not be cut off in the middle of what it does: it is asked, as
/// by a terminal, is given its time, and is asked once more before all is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The signal, as the system numbers it.
    pub signal: i32,
    /// How long until it is asked again.
    pub grace: Duration,
}

impl Ending {
    /// How long it has after it was asked again.
    pub const LAST_GRACE: Duration = Duration::from_secs(30);

    /// The signal.
    fn signal(self) -> Signal {
        Signal::from_named_raw(self.signal).unwrap_or(Signal::INT)
    }
}

impl Command {
    /// A command that runs `line` in `dir` and has nothing else set.
    pub fn new(line: CommandLine, dir: impl AsRef<Path>) -> Self {
        Self {
            line,
            dir: dir.as_ref().to_owned(),
            env: BTreeMap::new(),
            inherit: Inherit::All,
            path: Vec::new(),
            timeout: None,
            log: None,
            longest_line: LONGEST_LINE,
            jobs: false,
            shell: Shell::default(),
            terminal: false,
            through: false,
            streams: None,
            reads: false,
            secrets: Secrets::default(),
            sandbox: None,
            cancel: None,
            ending: None,
            started: None,
        }
    }
}

/// What a [`Command`] executes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandLine {
    /// A line for a shell. Executed without one where that makes no difference.
    Shell(String),
    /// A program and its arguments.
    Argv(Vec<String>),
}

impl CommandLine {
    /// The most characters that messages show of a line.
    const SHOWN: usize = 80;
}

impl fmt::Display for CommandLine {
    /// As messages call it: in backquotes, its first line only, not too long, without
    /// credentials in URLs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Shell(line) => line.trim().to_owned(),
            Self::Argv(words) => words.join(" "),
        };
        let text = shown_url(&text);
        let first = text.lines().next().unwrap_or_default();
        let shown: String = first.chars().take(Self::SHOWN).collect();
        let more = if shown.len() < text.len() { "…" } else { "" };
        write!(f, "`{shown}{more}`")
    }
}

/// A boxed future, as ports return it.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The port through which everything that runs a program goes.
pub trait CommandRunner: Send + Sync {
    /// Runs `command` to its end and passes each line that it prints (standard output and
    /// standard error in the order they came) to `line`.
    ///
    /// # Errors
    /// `Failed` if it cannot be started or exits with another code than 0, `Timeout` if
    /// it took too long, `Interrupted` if the run was cancelled. Whatever happens, no
    /// process it started is alive when this returns.
    fn run<'a>(
        &'a self,
        command: &'a Command,
        line: &'a mut (dyn FnMut(&str) + Send),
    ) -> Pending<'a, Result<(), Fault>>;

    /// What forge was started with, of which commands inherit.
    fn environment(&self) -> &Environment;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_show_commands_short_and_shown_url() {
        let line = CommandLine::Shell("set -x\nmake\n".into());
        assert_eq!(line.to_string(), "`set -x…`");
        let words = ["git", "fetch", "https://user:secret@host/x.git"].map(String::from).to_vec();
        assert_eq!(CommandLine::Argv(words).to_string(), "`git fetch https://host/x.git`");
        assert_eq!(
            CommandLine::Shell("ü".repeat(99)).to_string(),
            format!("`{}…`", "ü".repeat(80))
        );
    }
}
