//! What commands print, let through to where forge itself prints.

use std::io::{self, Write};

use super::{ConsoleReader, harmless};

/// Lets bytes through as they come to a person's terminal, which belongs to the command then; to CI
/// line by line, harmless.
#[derive(Debug)]
pub struct Through {
    reader: ConsoleReader,
    /// Lines without an end: of standard output, and of standard error.
    partial: [Vec<u8>; 2],
}

/// How much of a line without an end is held back.
const LONGEST: usize = 64 * 1024;

impl Through {
    /// For output that `reader` reads.
    #[must_use]
    pub fn new(reader: ConsoleReader) -> Self {
        Self { reader, partial: Default::default() }
    }

    /// Takes bytes; `is_error` says whether they are for standard error. A reader that went away
    /// must not stop the command.
    pub fn push(&mut self, is_error: bool, bytes: &[u8]) {
        if self.reader == ConsoleReader::Person {
            return write(is_error, bytes);
        }
        let partial = &mut self.partial[usize::from(is_error)];
        partial.extend_from_slice(bytes);
        let end = match partial.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => at + 1,
            None if partial.len() > LONGEST => partial.len(),
            None => return,
        };
        let lines: Vec<u8> = partial.drain(..end).collect();
        self.show(is_error, &lines);
    }

    /// Lets through what is left.
    pub fn finish(&mut self) {
        for is_error in [false, true] {
            let rest = std::mem::take(&mut self.partial[usize::from(is_error)]);
            if !rest.is_empty() {
                self.show(is_error, &rest);
            }
        }
    }

    fn show(&self, is_error: bool, lines: &[u8]) {
        let text = String::from_utf8_lossy(lines);
        write(is_error, harmless(&text, self.reader).as_bytes());
    }
}

fn write(is_error: bool, bytes: &[u8]) {
    let _ = match is_error {
        false => {
            let mut out = io::stdout().lock();
            out.write_all(bytes).and_then(|()| out.flush())
        }
        true => io::stderr().lock().write_all(bytes),
    };
}
