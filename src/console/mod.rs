//! What forge prints. Everything that goes to standard output and standard error goes through here,
//! and nothing of it is obeyed: file names, logs, commit titles and what servers say come from
//! others, and may hold what moves a terminal's cursor or is a command to the CI that reads along.

mod harmless;
mod reader;
mod through;

use std::io::{self, Write};

pub use harmless::harmless;
pub use reader::Reader;
pub use through::Through;

/// Prints on standard output.
///
/// # Errors
/// If it cannot be written; a reader that went away is none: `forge list | head` is fine.
pub fn out(text: &str) -> io::Result<()> {
    to_stdout(&harmless(text, Reader::of_process()))
}

/// Prints on standard error. If that is closed there is nobody left to tell.
pub fn err(text: &str) {
    let _ = io::stderr().lock().write_all(harmless(text, Reader::of_process()).as_bytes());
}

/// [`out`], of commands to CI that forge itself gives.
///
/// # Errors
/// As [`out`].
pub fn out_command(text: &str) -> io::Result<()> {
    to_stdout(text)
}

/// [`err`], of commands to CI that forge itself gives.
pub fn err_command(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

fn to_stdout(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// Passes whole lines on to `W`, harmless.
#[derive(Debug)]
pub struct Harmless<W> {
    to: W,
    reader: Reader,
}

impl<W: Write> Harmless<W> {
    /// For whoever reads what this process prints.
    pub fn new(to: W) -> Self {
        Self { to, reader: Reader::of_process() }
    }
}

impl<W: Write> Write for Harmless<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        self.to.write_all(harmless(&text, self.reader).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
