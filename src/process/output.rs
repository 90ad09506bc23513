//! What a command prints, on its way to the log and to whoever watches.

use std::{io, time::Instant};

use crate::model::Mask;

use super::{
    Command,
    lines::Lines,
    log::{Limits, Log},
};

/// Takes all that one command prints.
pub struct Output<'a> {
    log: Option<Log>,
    lines: Lines,
    /// Absent if there is nothing to mask.
    mask: Option<Mask>,
    line: &'a mut (dyn FnMut(&str) + Send),
}

impl<'a> Output<'a> {
    /// For the output of `command`, whose lines go to `line`.
    pub fn new(command: &Command, line: &'a mut (dyn FnMut(&str) + Send)) -> Self {
        let log = command.log.clone().map(|path| Log::new(path, Limits::default()));
        let lines = if log.is_some() { Lines::limited(Instant::now()) } else { Lines::all() };
        let secrets = Some(&command.secrets).filter(|secrets| !secrets.is_empty());
        let mask = secrets.map(|secrets| Mask::new(secrets.clone()));
        Self { log, lines, mask, line }
    }

    /// Takes bytes as they come.
    pub fn take(&mut self, bytes: &[u8]) {
        match &mut self.mask {
            None => self.pass(bytes),
            Some(mask) => {
                let masked = mask.push(bytes);
                self.pass(&masked);
            }
        }
    }

    fn pass(&mut self, bytes: &[u8]) {
        self.logged(|log| log.write(bytes));
        self.lines.push(bytes, Instant::now(), self.line);
    }

    /// Adds what forge itself has to say about the command, in a line of its own.
    pub fn note(&mut self, text: &str) {
        self.finish();
        let text = format!("[forge: {text}]");
        self.logged(|log| log.write(format!("{text}\n").as_bytes()));
        (self.line)(&text);
    }

    /// Passes on and writes what is left.
    pub fn finish(&mut self) {
        if let Some(mask) = &mut self.mask {
            let rest = mask.finish();
            self.pass(&rest);
        }
        self.logged(Log::finish);
        self.lines.finish(self.line);
    }

    /// Does something with the log. One that cannot be written ruins no command: that
    /// is told once, and from then on there is none.
    fn logged(&mut self, act: impl FnOnce(&mut Log) -> io::Result<()>) {
        let Some(log) = &mut self.log else { return };
        if let Err(error) = act(log) {
            let text = format!("[forge: cannot write the log {}: {error}]", log.path().display());
            self.log = None;
            (self.line)(&text);
        }
    }
}
