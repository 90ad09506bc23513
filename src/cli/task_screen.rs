//! How tasks that run are shown: one alone as it is; several with their names before each line;
//! in GitHub Actions each as a group. What forge itself says goes to standard error.

use std::{
    collections::{BTreeMap, VecDeque},
    io::{self, Write},
    sync::{Mutex, PoisonError},
};

use crate::{
    report::{CLOSE_GROUP, Role, Style, inert, open_group},
    task::{End, Event, Told},
};

use super::{
    actions::Actions,
    session::{Session, say},
};

/// How many of the last lines of a task that failed are shown again.
const SHOWN_AGAIN: usize = 200;

/// Where tasks are shown.
pub(super) struct TaskScreen {
    way: Way,
    quiet: bool,
    verbose: bool,
    style: Style,
    shown: Mutex<Shown>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Plain,
    Prefixed,
    Grouped,
}

#[derive(Default)]
struct Shown {
    /// The last lines of each task that is not over.
    lines: BTreeMap<usize, VecDeque<String>>,
    /// The first task that failed, with its last lines.
    failed: Option<(String, Vec<String>)>,
}

impl TaskScreen {
    /// The screen of this process, for one task `alone` or for several; or for several as if each
    /// were alone, if they are to be shown `plain`.
    pub(super) fn of(session: &Session, alone: bool, plain: bool) -> Self {
        let way = match (alone || plain, Actions::of_process()) {
            (true, _) => Way::Plain,
            (false, None) => Way::Prefixed,
            (false, Some(_)) => Way::Grouped,
        };
        let (quiet, verbose) = (session.flags.quiet, session.flags.verbose);
        Self { way, quiet, verbose, style: session.stdout_style(), shown: Mutex::default() }
    }

    /// Shows what happened.
    pub(super) fn tell(&self, told: Told) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        match told.event {
            Event::Command(command) if self.verbose => note(&format!("{}: {command}", told.label)),
            Event::Note(text) if !self.quiet => note(&format!("{} {text}", told.label)),
            Event::Command(_) | Event::Note(_) => {}
            Event::Line(line) => self.line(&mut shown, told, line),
            Event::Ended(end) => self.ended(&mut shown, told, end),
        }
    }

    fn line(&self, shown: &mut Shown, told: Told, line: &str) {
        if self.way != Way::Grouped {
            let prefix = match self.way {
                Way::Prefixed => format!("{} | ", self.style.paint(Role::Name, told.label)),
                _ => String::new(),
            };
            // A reader that went away must not stop the task.
            let _ = say(&format!("{prefix}{line}\n"));
        }
        if self.way != Way::Plain {
            let lines = shown.lines.entry(told.run).or_default();
            // A group needs all of them.
            if self.way == Way::Prefixed && lines.len() == SHOWN_AGAIN {
                lines.pop_front();
            }
            lines.push_back(line.to_owned());
        }
    }

    fn ended(&self, shown: &mut Shown, told: Told, end: End) {
        let lines = Vec::from(shown.lines.remove(&told.run).unwrap_or_default());
        if self.way == Way::Grouped && !lines.is_empty() {
            let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
            let _ = say(&format!("{}{}{CLOSE_GROUP}", open_group(told.label), inert(&body)));
        }
        if end == End::Badly && shown.failed.is_none() {
            shown.failed = Some((told.label.to_owned(), lines));
        }
    }

    /// Shows what the task printed that failed first, as a whole.
    pub(super) fn finish(&self) {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((label, lines)) = &shown.failed else { return };
        if lines.is_empty() {
            return;
        }
        note(&format!("the last lines of {label}:"));
        for line in lines {
            let line = format!("  {line}");
            note(&if self.way == Way::Grouped { inert(&line) } else { line.into() });
        }
    }
}

/// Says something on standard error. If that is closed there is nobody left to tell.
fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
