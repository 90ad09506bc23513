//! What a command prints, on its way to the log and to whoever watches.

use std::{io, time::Instant};

use crate::{
    console::{Reader, Through},
    model::Mask,
};

use super::{
    Command,
    lines::Lines,
    log::{Limits, Log},
};

/// Where bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// Standard output, and standard error if it is not apart.
    Output,
    /// Standard error.
    Errors,
}

/// Takes all that one command prints.
pub struct Output<'a> {
    log: Option<Log>,
    printed: Lane,
    errors: Lane,
    through: Option<Through>,
    line: &'a mut (dyn FnMut(&str) + Send),
}

/// What comes from one place.
struct Lane {
    lines: Lines,
    /// Absent if there is nothing to mask.
    mask: Option<Mask>,
}

impl<'a> Output<'a> {
    /// For the output of `command`, whose lines go to `line`; what is let through is for `reader`.
    pub fn new(command: &Command, reader: Reader, line: &'a mut (dyn FnMut(&str) + Send)) -> Self {
        let log = command.log.clone().map(|path| Log::new(path, Limits::default()));
        let (printed, errors) = (Lane::of(command), Lane::of(command));
        let through = command.through.then(|| Through::new(reader));
        Self { log, printed, errors, through, line }
    }

    /// Takes bytes as they come.
    pub fn take(&mut self, from: From, bytes: &[u8]) {
        match &mut self.lane(from).mask {
            None => self.pass(from, bytes),
            Some(mask) => {
                let masked = mask.push(bytes);
                self.pass(from, &masked);
            }
        }
    }

    fn lane(&mut self, from: From) -> &mut Lane {
        match from {
            From::Output => &mut self.printed,
            From::Errors => &mut self.errors,
        }
    }

    fn pass(&mut self, from: From, bytes: &[u8]) {
        if let Some(through) = &mut self.through {
            through.push(from == From::Errors, bytes);
        }
        self.logged(|log| log.write(bytes));
        let lane = match from {
            From::Output => &mut self.printed,
            From::Errors => &mut self.errors,
        };
        lane.lines.push(bytes, Instant::now(), self.line);
    }

    /// Adds what forge itself has to say about the command, in a line of its own.
    pub fn note(&mut self, text: &str) {
        self.finish();
        let text = format!("[forge: {text}]");
        self.logged(|log| log.write(format!("{text}\n").as_bytes()));
        self.say(&text);
    }

    fn say(&mut self, text: &str) {
        if let Some(through) = &mut self.through {
            through.push(true, format!("{text}\n").as_bytes());
        }
        (self.line)(text);
    }

    /// Passes on and writes what is left.
    pub fn finish(&mut self) {
        for from in [From::Output, From::Errors] {
            if let Some(mask) = &mut self.lane(from).mask {
                let rest = mask.finish();
                self.pass(from, &rest);
            }
        }
        self.logged(Log::finish);
        if let Some(through) = &mut self.through {
            through.finish();
        }
        self.printed.lines.finish(self.line);
        self.errors.lines.finish(self.line);
    }

    /// Does something with the log. One that cannot be written ruins no command: that
    /// is told once, and from then on there is none.
    fn logged(&mut self, act: impl FnOnce(&mut Log) -> io::Result<()>) {
        let Some(log) = &mut self.log else { return };
        if let Err(error) = act(log) {
            let text = format!("[forge: cannot write the log {}: {error}]", log.path().display());
            self.log = None;
            self.say(&text);
        }
    }
}

impl Lane {
    fn of(command: &Command) -> Self {
        let is_kept = command.log.is_some();
        let longest = command.longest_line;
        let lines = match is_kept {
            true => Lines::limited(longest, Instant::now()),
            false => Lines::all(longest),
        };
        let secrets = Some(&command.secrets).filter(|secrets| !secrets.is_empty());
        Self { lines, mask: secrets.map(|secrets| Mask::new(secrets.clone())) }
    }
}
