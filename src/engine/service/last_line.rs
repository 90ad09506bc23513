//! Starts a service so that all it prints is logged: the supervisor drops a last line that does not end
//! with a newline, and that is where programs say why they end.
//!
//! What the supervisor starts is a script, and that starts forge with a hidden argument. For each of
//! the two streams forge starts a process that copies it and ends its last line; then it becomes the
//! service, which so keeps its number, its process group, its signals and its exit code. The copiers are
//! no children of the service, which may wait for all of those, and in no group that is told to end:
//! each ends when everybody who writes to it has ended.

use std::{
    fs::File,
    io::{self, PipeWriter, Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::process::CommandExt,
    },
    process::{Command, ExitCode, Stdio},
};

use super::{ServicePaths, configuration::quoted};
use crate::{
    cache::write_state,
    model::{Environment, Fault},
    process::{MARK, this_program},
};

/// The hidden first argument with which forge starts a service.
pub const ARGUMENT: &str = "--forge-service";

/// What follows [`ARGUMENT`].
const START: &str = "start";
const DETACH: &str = "detach";
const COPY: &str = "copy";

/// So many bytes are copied at once.
const BUFFER: usize = 64 * 1024;

/// Writes the script with which the supervisor starts all services.
pub fn write_script(home: &ServicePaths) -> Result<(), Fault> {
    let script = home.start();
    let forge = this_program().display().to_string();
    // Without forge a service still runs.
    let text = format!(
        "# Starts a service.\nforge={}\ntest -x \"$forge\" && exec \"$forge\" {ARGUMENT} {START} \"$@\"\nexec \"$@\"\n",
        quoted(&forge)
    );
    write_state(home.layout(), &script, text.as_bytes())
}

/// What forge does in `environment` with the hidden argument. `words` are those after it.
pub fn main(environment: &Environment, words: &[std::ffi::OsString]) -> ExitCode {
    let done = match words {
        [start, program, arguments @ ..] if start == START => {
            Err(become_service(environment, Command::new(program).args(arguments)))
        }
        [detach] if detach == DETACH => {
            copier(environment, COPY).process_group(0).spawn().map(drop)
        }
        [copy] if copy == COPY => copy_stdin(),
        _ => Err(io::Error::other("this is for forge itself")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "forge: {error}");
            ExitCode::from(127)
        }
    }
}

/// Why this process did not become the service.
fn become_service(environment: &Environment, service: &mut Command) -> io::Error {
    // A system that has no process left for a copier is no reason not to start.
    if let Ok(copied) = copied(environment, io::stdout()) {
        service.stdout(copied);
    }
    if let Ok(copied) = copied(environment, io::stderr()) {
        service.stderr(copied);
    }
    service.exec()
}

/// A pipe from which all is copied to `stream`.
fn copied(environment: &Environment, stream: impl AsFd) -> io::Result<PipeWriter> {
    let (reader, writer) = io::pipe()?;
    let mut detach = copier(environment, DETACH);
    detach.stdin(reader).stdout(stream.as_fd().try_clone_to_owned()?).stderr(Stdio::null());
    match detach.status()?.success() {
        true => Ok(writer),
        false => Err(io::Error::other("no process copies what the service prints")),
    }
}

fn copier(environment: &Environment, part: &str) -> Command {
    let mut copier = Command::new(this_program());
    // Of the environment it needs only what tells that it may stay.
    let mark = environment.raw(MARK).unwrap_or_default();
    copier.args([ARGUMENT, part]).current_dir("/").env_clear().env(MARK, mark);
    copier
}

fn copy_stdin() -> io::Result<()> {
    let file = |stream: OwnedFd| File::from(stream);
    let input = file(io::stdin().as_fd().try_clone_to_owned()?);
    copy_lines(input, file(io::stdout().as_fd().try_clone_to_owned()?))
}

/// Copies bytes as they come, and ends the last line.
fn copy_lines(mut input: impl Read, mut output: impl Write) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    let mut is_ended = true;
    loop {
        match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                output.write_all(&buffer[..count])?;
                is_ended = buffer[count - 1] == b'\n';
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    if is_ended { Ok(()) } else { output.write_all(b"\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_copied_and_the_last_line_ends() {
        for (printed, logged) in
            [("", ""), ("a\n", "a\n"), ("a\nb", "a\nb\n"), ("\n\n", "\n\n"), ("\0", "\0\n")]
        {
            let mut output = Vec::new();
            copy_lines(printed.as_bytes(), &mut output).unwrap();
            assert_eq!(String::from_utf8(output).unwrap(), logged);
        }
        let long = vec![b'x'; 3 * BUFFER];
        let mut output = Vec::new();
        copy_lines(long.as_slice(), &mut output).unwrap();
        assert_eq!(output, [long.as_slice(), b"\n"].concat());
    }
}
