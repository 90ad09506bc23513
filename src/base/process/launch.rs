//! Starts a command: in a process group of its own, with nothing to read, and one pipe
//! for all it prints, or two if it matters which is which; or with the terminal, in forge's own group.

use std::{
    ffi::OsString,
    io,
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{net::unix::pipe, process::Child};

use super::{
    Command, CommandLine,
    environment::Inherited,
    program::{self, Absent},
    shell::{self, LinePlan, Shell},
};
use crate::model::{Fault, Kind};

/// Where `sh` is on every Unix.
const SH: &str = "/bin/sh";
/// How often a program that somebody is still writing is tried again, and how long between.
const BUSY: (u32, Duration) = (20, Duration::from_millis(5));

/// A command that runs.
pub struct Launched {
    /// Its main process, the leader of its process group unless it has the terminal.
    pub child: Child,
    /// What all its processes print, unless it has the terminal.
    pub output: Option<pipe::Receiver>,
    /// What they print on standard error, if that is not in `output`.
    pub errors: Option<pipe::Receiver>,
}

/// The words with which a command is started.
struct StartWords {
    program: PathBuf,
    words: Vec<String>,
    /// Whether a shell reads the line.
    is_shell: bool,
}

/// Starts `command` with the variables `extra` over its own.
pub async fn launch(
    command: &Command,
    environment: &Inherited,
    extra: &[(&str, String)],
) -> Result<Launched, Fault> {
    let path = environment.path(command);
    let mut start = StartWords::for_command(command, &path)?;
    let mut attempts = 0;
    loop {
        let fault = match start.spawn(command, environment, &path, extra) {
            Ok(launched) => return Ok(launched),
            // A program without `#!`: the shell reads it, as it would have.
            Err(error) if error.raw_os_error() == Some(ENOEXEC) && !start.is_shell => {
                start = StartWords::of_shell(command, &path)?;
                continue;
            }
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => error,
            Err(error) => return Err(start.fault(command, &error)),
        };
        // The program was just written, and a process that is being started at this moment
        // still holds the file open for writing; that ends by itself.
        attempts += 1;
        if attempts > BUSY.0 {
            return Err(start.fault(command, &fault));
        }
        tokio::time::sleep(BUSY.1).await;
    }
}

/// A second handle of `reader` for the command itself: should forge be killed, what it prints goes
/// into the pipe and not to a reader that is gone, which would kill it in the middle of its work.
fn kept_open(reader: &io::PipeReader) -> io::Result<io::PipeReader> {
    let second = reader.try_clone()?;
    rustix::io::fcntl_setfd(&second, rustix::io::FdFlags::empty())?;
    #[cfg(target_os = "linux")]
    // As much as the system allows; what it has is enough for most.
    let _ = rustix::pipe::fcntl_setpipe_size(&second, 1 << 20);
    Ok(second)
}

/// `ENOEXEC` of every Unix.
const ENOEXEC: i32 = 8;

impl StartWords {
    fn for_command(command: &Command, path: &OsString) -> Result<Self, Fault> {
        let words = match &command.line {
            CommandLine::Argv(words) => words.clone(),
            CommandLine::Shell(line) => match shell::plan(line) {
                LinePlan::Direct(words) if command.shell == Shell::Sh => words,
                _ => return Self::of_shell(command, path),
            },
        };
        let Some(name) = words.first().filter(|name| !name.is_empty()) else {
            return Err(Fault::new(Kind::Failed, "cannot run a command without a program"));
        };
        match program::find(name, path, &command.dir) {
            Ok(program) => Ok(Self { program, words, is_shell: false }),
            Err(absent) => Err(folder_fault(command).unwrap_or_else(|| absent_fault(name, absent))),
        }
    }

    fn of_shell(command: &Command, path: &OsString) -> Result<Self, Fault> {
        let line = match &command.line {
            CommandLine::Shell(line) => line.clone(),
            CommandLine::Argv(words) => {
                let what = format!("{} cannot be executed", command.line);
                return Err(Fault::new(Kind::Failed, what)
                    .because(format!("`{}` is in no format this system runs", words[0])));
            }
        };
        let mut words = command.shell.words();
        let program = match (&command.shell, words.first()) {
            (Shell::Sh, _) | (_, None) => SH.into(),
            (_, Some(name)) => program::find(name, path, &command.dir).map_err(|absent| {
                let fault = folder_fault(command).unwrap_or_else(|| absent_fault(name, absent));
                fault.within(format!("the shell of {} cannot be started", command.line))
            })?,
        };
        words.push(line);
        Ok(Self { program, words, is_shell: true })
    }

    fn spawn(
        &self,
        command: &Command,
        environment: &Inherited,
        path: &OsString,
        extra: &[(&str, String)],
    ) -> io::Result<Launched> {
        let mut process = std::process::Command::new(&self.program);
        process.arg0(&self.words[0]).args(&self.words[1..]).current_dir(&command.dir);
        environment.apply(&mut process, command, path);
        process.envs(extra.iter().map(|(name, value)| (*name, value)));
        if command.terminal {
            let child = tokio::process::Command::from(process).kill_on_drop(true).spawn()?;
            return Ok(Launched { child, output: None, errors: None });
        }
        let (reader, writer) = io::pipe()?;
        let is_apart = command.through && !has_one_output() || command.streams.is_some();
        let apart = if is_apart { Some(io::pipe()?) } else { None };
        let (errors, error_writer) = match apart {
            Some((reader, writer)) => (Some(reader), writer),
            None => (None, writer.try_clone()?),
        };
        let _readers = match command.ending {
            Some(_) => Some(kept_open(&reader)?),
            None => None,
        };
        let input = if command.reads { Stdio::inherit() } else { Stdio::null() };
        process.stdin(input).stdout(writer).stderr(error_writer).process_group(0);
        let mut process = tokio::process::Command::from(process);
        process.kill_on_drop(true);
        let child = match &command.sandbox {
            Some(sandbox) => sandbox.spawn(|| process.spawn())?,
            None => process.spawn()?,
        };
        // Closes this side's copies of the pipe's other end, so that it can end.
        drop(process);
        let errors = errors.map(receiver).transpose()?;
        Ok(Launched { child, output: Some(receiver(reader)?), errors })
    }

    fn fault(&self, command: &Command, error: &io::Error) -> Fault {
        if let Some(fault) = folder_fault(command) {
            return fault;
        }
        let what = format!("cannot start {}", command.line);
        match error.kind() {
            // The program itself was found.
            io::ErrorKind::NotFound => Fault::new(Kind::Failed, what)
                .because(format!(
                    "`{}` names an interpreter that is not there",
                    self.program.display()
                ))
                .hint("look at its `#!` line; a binary may be for another system or C library"),
            io::ErrorKind::ArgumentListTooLong => Fault::io(what, error)
                .hint("pass long lists in a file instead of on the command line"),
            io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory => Fault::io(what, error)
                .hint("this machine runs out of processes or memory; run fewer at once with `-j`"),
            _ => Fault::new(Kind::Failed, what).because(error.to_string()),
        }
    }
}

fn receiver(reader: io::PipeReader) -> io::Result<pipe::Receiver> {
    rustix::io::ioctl_fionbio(&reader, true)?;
    pipe::Receiver::from_owned_fd_unchecked(OwnedFd::from(reader))
}

/// Whether forge's standard output and standard error end in the same place, as on a terminal: one
/// pipe then keeps what is printed in its order.
fn has_one_output() -> bool {
    let (out, error) = (io::stdout(), io::stderr());
    match (rustix::fs::fstat(&out), rustix::fs::fstat(&error)) {
        (Ok(out), Ok(error)) => (out.st_dev, out.st_ino) == (error.st_dev, error.st_ino),
        _ => false,
    }
}

/// The fault of a folder in which nothing can run, if it is one.
fn folder_fault(command: &Command) -> Option<Fault> {
    let dir: &Path = &command.dir;
    let why = match dir.metadata() {
        Ok(found) if found.is_dir() => return None,
        Ok(_) => "is not a folder".to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => "does not exist".to_owned(),
        Err(error) => format!("cannot be entered: {error}"),
    };
    let what = format!("cannot run {}", command.line);
    let fault = Fault::new(Kind::Failed, what);
    let fault = fault.because(format!("its folder `{}` {why}", dir.display()));
    Some(fault.hint("make the folder first, or correct `dir`"))
}

fn absent_fault(name: &str, absent: Absent) -> Fault {
    match absent {
        // As a shell would say it.
        Absent::Missing => Fault::new(Kind::Failed, format!("`{name}` was not found"))
            .exited(127)
            .hint(format!("install `{name}`, or put the folder it is in on PATH")),
        Absent::NotExecutable(found) => {
            let what = format!("`{}` cannot be executed", found.display());
            Fault::new(Kind::Failed, what)
                .hint(format!("make it executable: chmod +x {}", found.display()))
        }
    }
}
