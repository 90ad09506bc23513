//! What a shell would find wrong with a command, before any of it runs.
//!
//! Asking a shell takes a process, and there are thousands of commands. Most are `sound` at a glance; the
//! doubtful ones are collected, and asked about at once, side by side, through a port ([`Shells`]): whoever
//! stands behind it may know answers of earlier runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt, stream};

use super::{Command, CommandLine, CommandRunner, Inherit, Shell, sound::is_surely_sound};
use crate::model::{Environment, Fault, Kind};

/// How long a shell may take to read a command.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many shells read at once.
const AT_ONCE: usize = 16;

/// Why a shell cannot read a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The line of the command that the shell names, from 1, if it names one.
    pub line: Option<usize>,
    /// What it says.
    pub why: String,
}

/// A command that a shell has to be asked about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShellQuestion {
    /// The program of the shell: one of the system.
    pub shell: PathBuf,
    /// What it is asked to read.
    pub line: String,
}

/// What a shell says of a command: nothing, if it can read it.
pub type Reading = Option<SyntaxError>;

/// The port through which shells are asked.
pub trait Shells: Send + Sync + fmt::Debug {
    /// What is wrong with those of `questions` that a shell cannot read. What cannot be asked about is
    /// taken for sound: the run tells.
    fn errors(&self, questions: &BTreeSet<ShellQuestion>) -> BTreeMap<ShellQuestion, SyntaxError>;
}

/// Checks the syntax of commands by asking shells.
#[derive(Clone, Debug, Default)]
pub struct SyntaxCheck {
    /// Where shells are looked for.
    path: OsString,
    /// Who asks them; nobody if no shell may be asked.
    shells: Option<Arc<dyn Shells>>,
}

impl SyntaxCheck {
    /// Finds nothing wrong with any command, and asks nobody.
    pub fn off() -> Self {
        Self::default()
    }

    /// Asks the shells that the PATH of `environment` finds.
    pub fn by(shells: Arc<dyn Shells>, environment: &Environment) -> Self {
        let path = environment.raw("PATH").unwrap_or_default().to_owned();
        Self { path, shells: Some(shells) }
    }

    /// What has to be asked to know whether `shell` can read `line`, if anything. Only a shell of the
    /// system that speaks a known language is asked.
    pub fn question(&self, shell: &Shell, line: &str) -> Option<ShellQuestion> {
        self.shells.as_ref()?;
        let dialect = shell.dialect()?;
        if is_surely_sound(line) {
            return None;
        }
        let shell = shell_of_the_system(&self.path, dialect)?;
        Some(ShellQuestion { shell, line: line.to_owned() })
    }

    /// [`Shells::errors`].
    pub fn errors(
        &self,
        questions: &BTreeSet<ShellQuestion>,
    ) -> BTreeMap<ShellQuestion, SyntaxError> {
        match &self.shells {
            Some(shells) if !questions.is_empty() => shells.errors(questions),
            _ => BTreeMap::new(),
        }
    }
}

/// Where only the administrator of a machine puts programs.
const SYSTEM: &[&str] = &["/bin", "/usr/bin"];

/// The file of the shell `name`, a path or what `path` has first, if it is one of the system. Any other
/// file may be somebody's program with the name of a shell, which must not run before the user runs
/// something.
fn shell_of_the_system(path: &OsStr, name: &str) -> Option<PathBuf> {
    let path = if name.contains('/') {
        PathBuf::from(name)
    } else {
        std::env::split_paths(path).map(|dir| dir.join(name)).find(|path| path.is_file())?
    };
    let folder = path.parent()?;
    SYSTEM.iter().any(|system| folder == Path::new(system)).then_some(path)
}

/// Asks all `questions`, many at once. Whoever could not be asked is not among the answers.
pub async fn ask_shells(
    runner: &dyn CommandRunner,
    questions: impl IntoIterator<Item = ShellQuestion>,
) -> BTreeMap<ShellQuestion, Reading> {
    let asked = questions.into_iter().map(|question| async {
        let reading = ask(runner, &question).await.ok()?;
        Some((question, reading))
    });
    stream::iter(asked).buffer_unordered(AT_ONCE).filter_map(std::future::ready).collect().await
}

/// What the shell says of the line, without running it. It inherits no variable: `SHELLOPTS` and the
/// like change how a shell reads.
async fn ask(runner: &dyn CommandRunner, question: &ShellQuestion) -> Result<Reading, Fault> {
    let ShellQuestion { shell, line } = question;
    let words = [shell.to_string_lossy().into_owned(), "-n".into(), "-c".into(), line.clone()];
    let command = Command {
        inherit: Inherit::Nothing,
        timeout: Some(PATIENCE),
        ..Command::new(CommandLine::Argv(words.into()), "/")
    };
    let mut first = None;
    let mut take = |line: &str| {
        if first.is_none() {
            first = Some(line.to_owned());
        }
    };
    let ended = runner.run(&command, &mut take).await;
    match ended {
        Ok(()) => Ok(None),
        Err(fault) if fault.kind == Kind::Failed && fault.code.is_some() => {
            Ok(Some(error_of(&first.unwrap_or_default())))
        }
        Err(fault) => Err(fault),
    }
}

/// `sh: 1: Syntax error: "fi" unexpected`, `sh: -c: line 1: syntax error: …`
fn error_of(said: &str) -> SyntaxError {
    let parts = said.split(": ").map(|part| part.strip_prefix("line ").unwrap_or(part));
    let line = parts.take(4).find_map(|part| part.trim().parse().ok());
    let why = said.split_once("yntax error: ").map_or(said, |(_, why)| why);
    SyntaxError { line, why: why.trim().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::testing::{AskingShells, environment};

    fn check() -> SyntaxCheck {
        SyntaxCheck::by(Arc::new(AskingShells), &environment())
    }

    fn told(check: &SyntaxCheck, shell: &Shell, line: &str) -> Option<SyntaxError> {
        let question = check.question(shell, line)?;
        check.errors(&BTreeSet::from([question])).into_values().next()
    }

    #[test]
    fn errors_are_told_with_their_lines() {
        let (check, sh) = (check(), Shell::Sh);
        assert_eq!(told(&check, &sh, "echo a && echo b > c 2>&1"), None);
        assert_eq!(told(&check, &sh, "for a in b; do echo $a; done"), None);
        let error = told(&check, &sh, "echo\nif true; then\n  echo\n}\n").unwrap();
        assert!(error.line.is_some_and(|line| line > 3) && !error.why.is_empty(), "{error:?}");
        assert_eq!(told(&check, &sh, "echo \"a").unwrap().line, Some(1));
        let python = Shell::Words(vec!["python3".into(), "-c".into()]);
        assert_eq!(check.question(&python, "if"), None);
        assert_eq!(SyntaxCheck::off().question(&sh, "if"), None);
    }

    #[test]
    fn many_commands_are_asked_about_at_once() {
        let check = check();
        let question = |at| check.question(&Shell::Sh, &format!("echo $(echo {at})")).unwrap();
        let mut questions: BTreeSet<_> = (0..40).map(question).collect();
        let broken = check.question(&Shell::Sh, "echo $(").unwrap();
        questions.insert(broken.clone());
        assert_eq!(check.errors(&questions).into_keys().collect::<Vec<_>>(), [broken]);
    }

    #[test]
    fn only_shells_of_the_system_are_asked() {
        let folder = tempfile::tempdir().unwrap();
        let planted = folder.path().join("sh");
        std::fs::write(&planted, "#!/bin/sh\necho planted: syntax error >&2; exit 2\n").unwrap();
        rustix::fs::chmod(&planted, rustix::fs::Mode::from_raw_mode(0o755)).unwrap();
        let planted = planted.to_str().unwrap();
        let path = OsStr::new("/bin");
        for shell in [planted, "./sh", "../bin/sh", "bin/sh"] {
            assert_eq!(shell_of_the_system(path, shell), None, "{shell}");
            let shell = Shell::Words(vec![shell.to_owned(), "-c".into()]);
            assert_eq!(check().question(&shell, "echo $("), None);
        }
        assert_eq!(shell_of_the_system(path, "/bin/sh"), Some("/bin/sh".into()));
    }
}
