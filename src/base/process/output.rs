//! What a command prints, on its way to the log and to whoever watches.

use std::{io, path::PathBuf, time::Instant};

use crate::{
    console::{ConsoleReader, Through},
    model::{Mask, Secrets},
};

use super::{
    Command,
    lines::LineSplitter,
    log::{CommandLog, LogLimits},
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
pub struct OutputSink<'a> {
    log: Option<CommandLog>,
    /// The logs of standard output and of standard error alone.
    streams: [Option<CommandLog>; 2],
    printed: Lane,
    errors: Lane,
    through: Option<Through>,
    /// What no line may hold. Once control sequences are taken out, what they parted is whole.
    secrets: Option<Secrets>,
    line: &'a mut (dyn FnMut(&str) + Send),
}

/// What comes from one place.
struct Lane {
    lines: LineSplitter,
    /// Absent if there is nothing to mask.
    mask: Option<Mask>,
}

impl<'a> OutputSink<'a> {
    /// For the output of `command`, whose lines go to `line`; what is let through is for `reader`.
    pub fn new(
        command: &Command,
        reader: ConsoleReader,
        line: &'a mut (dyn FnMut(&str) + Send),
    ) -> Self {
        let log = command.log.clone().map(|path| CommandLog::new(path, LogLimits::default()));
        let stream = |path: PathBuf| CommandLog::new(path, LogLimits::of_stream());
        let streams = command.streams.clone().map_or([None, None], |it| it.map(stream).map(Some));
        let (printed, errors) = (Lane::for_command(command), Lane::for_command(command));
        let through = command.through.then(|| Through::new(reader));
        let secrets = Some(&command.secrets).filter(|secrets| !secrets.is_empty()).cloned();
        Self { log, streams, printed, errors, through, secrets, line }
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
        let at = usize::from(from == From::Errors);
        self.streamed(at, |log| log.write(bytes));
        let Self { printed, errors, secrets, line, .. } = self;
        let lane = match from {
            From::Output => printed,
            From::Errors => errors,
        };
        lane.lines.push(bytes, Instant::now(), &mut masked(secrets.as_ref(), *line));
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
        self.logged(CommandLog::finish);
        for at in [0, 1] {
            self.streamed(at, CommandLog::finish);
        }
        if let Some(through) = &mut self.through {
            through.finish();
        }
        let Self { printed, errors, secrets, line, .. } = self;
        let mut line = masked(secrets.as_ref(), *line);
        printed.lines.finish(&mut line);
        errors.lines.finish(&mut line);
    }

    /// Does something with the log of a stream, of which the log tells as well: that it cannot be written is
    /// told once, of that.
    fn streamed(&mut self, at: usize, act: impl FnOnce(&mut CommandLog) -> io::Result<()>) {
        let Some(log) = &mut self.streams[at] else { return };
        if act(log).is_err() {
            self.streams[at] = None;
        }
    }

    /// Does something with the log. One that cannot be written ruins no command: that
    /// is told once, and from then on there is none.
    fn logged(&mut self, act: impl FnOnce(&mut CommandLog) -> io::Result<()>) {
        let Some(log) = &mut self.log else { return };
        if let Err(error) = act(log) {
            let text = format!("[forge: cannot write the log {}: {error}]", log.path().display());
            self.log = None;
            self.say(&text);
        }
    }
}

/// Passes lines on to `line`, without `secrets`.
fn masked<'l>(
    secrets: Option<&'l Secrets>,
    line: &'l mut (dyn FnMut(&str) + Send),
) -> impl FnMut(&str) + 'l {
    move |text| match secrets {
        Some(secrets) => line(&secrets.mask(text)),
        None => line(text),
    }
}

impl Lane {
    fn for_command(command: &Command) -> Self {
        let is_kept = command.log.is_some();
        let longest = command.longest_line;
        let lines = match is_kept {
            true => LineSplitter::limited(longest, Instant::now()),
            false => LineSplitter::all(longest),
        };
        let secrets = Some(&command.secrets).filter(|secrets| !secrets.is_empty());
        Self { lines, mask: secrets.map(|secrets| Mask::new(secrets.clone())) }
    }
}
