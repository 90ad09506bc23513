//! What forge prints. Everything that goes to standard output and standard error goes through here,
//! and nothing of it is obeyed: file names, logs, commit titles and what servers say come from
//! others, and may hold what moves a terminal's cursor or is a command to the CI that reads along.

mod harmless;
mod reader;
mod through;

use std::io::{self, Write};

pub use harmless::harmless;
pub use reader::ConsoleReader;
pub use through::Through;

/// Where forge prints, and who reads it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Console {
    reader: ConsoleReader,
}

impl Console {
    /// The console that `reader` reads.
    #[must_use]
    pub fn new(reader: ConsoleReader) -> Self {
        Self { reader }
    }

    /// Prints on standard output.
    ///
    /// # Errors
    /// If it cannot be written; a reader that went away is none: `forge list | head` is fine.
    pub fn out(self, text: &str) -> io::Result<()> {
        to_stdout(&harmless(text, self.reader))
    }

    /// Prints on standard error. If that is closed there is nobody left to tell.
    pub fn err(self, text: &str) {
        let _ = io::stderr().lock().write_all(harmless(text, self.reader).as_bytes());
    }

    /// Passes whole lines on to `to`, harmless.
    pub fn guard<W: Write>(self, to: W) -> Harmless<W> {
        Harmless { to, reader: self.reader }
    }

    /// [`Self::out`], of commands to CI that forge itself gives.
    ///
    /// # Errors
    /// As [`Self::out`].
    pub fn out_command(self, text: &str) -> io::Result<()> {
        to_stdout(text)
    }

    /// [`Self::err`], of commands to CI that forge itself gives.
    pub fn err_command(self, text: &str) {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
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
    reader: ConsoleReader,
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
