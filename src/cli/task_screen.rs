//! How tasks that run are shown: one alone as it is; several with their names before each line,
//! or each as a group once it ended; or only what failed. What forge itself says goes to standard
//! error.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
    time::Instant,
};

use clap::ValueEnum;

use crate::{
    console::Console,
    model::Layout,
    report::{CLOSE_GROUP, Role, Style, human_time, open_group},
    task::{TaskEnd, TaskEvent, TaskMessage},
    workspace::Workspace,
};

use super::{
    actions::Actions,
    choice::TaskOutputMode,
    run::run_name,
    session::{Session, note, say},
    task_log::{Logs, Printed},
};

/// Where tasks are shown.
pub(super) struct TaskScreen {
    console: Console,
    output: TaskOutputMode,
    /// Whether lines are marked as Task marks them.
    has_brackets: bool,
    in_actions: bool,
    quiet: bool,
    verbose: bool,
    style: Style,
    error_style: Style,
    begun: Instant,
    logs: Logs,
    shown: Mutex<Shown>,
}

#[derive(Default)]
struct Shown {
    /// What the tasks printed that are not over.
    printed: BTreeMap<usize, Printed>,
    /// What the tasks printed that failed, with their labels, in the order they failed.
    failed: Vec<(usize, String, Printed)>,
    /// The runs of which something was shown, and the one that was last.
    seen: BTreeSet<usize>,
    last: Option<usize>,
    ends: Vec<TaskEnd>,
}

impl TaskScreen {
    /// The screen for tasks of `workspace`: for one `alone` or for several; as `asked`, or else as
    /// `versions.yml` says.
    pub(super) fn for_session(
        session: &Session,
        workspace: &Workspace,
        alone: bool,
        asked: Option<TaskOutputMode>,
    ) -> Self {
        let in_actions = Actions::from_host(&session.host).is_some();
        let said =
            workspace.output.as_deref().and_then(|word| TaskOutputMode::from_str(word, false).ok());
        let output = match asked {
            // All at once would be all at the end.
            Some(TaskOutputMode::Grouped) if alone => TaskOutputMode::Plain,
            Some(output) => output,
            None if said == Some(TaskOutputMode::Quiet) => TaskOutputMode::Quiet,
            None if alone => TaskOutputMode::Plain,
            None if in_actions => TaskOutputMode::Grouped,
            None => said.unwrap_or(TaskOutputMode::Prefixed),
        };
        Self::showing(session, &workspace.layout, output)
    }

    /// The screen for tasks of a Taskfile: as `asked`, or else as the Taskfile says.
    pub(super) fn as_task(
        session: &Session,
        workspace: &Workspace,
        asked: Option<TaskOutputMode>,
    ) -> Self {
        let said = workspace.output.as_deref();
        let said = said.and_then(|word| TaskOutputMode::from_str(word, false).ok());
        let output = asked.or(said).unwrap_or(TaskOutputMode::Plain);
        Self { has_brackets: true, ..Self::showing(session, &workspace.layout, output) }
    }

    /// The screen that shows tasks of the workspace at `layout` in one way.
    pub(super) fn showing(session: &Session, layout: &Layout, output: TaskOutputMode) -> Self {
        Self {
            console: session.console(),
            output,
            has_brackets: false,
            in_actions: Actions::from_host(&session.host).is_some(),
            quiet: session.flags.quiet || output == TaskOutputMode::Quiet,
            verbose: session.flags.verbose,
            style: session.stdout_style(),
            error_style: session.stderr_style(),
            begun: Instant::now(),
            logs: Logs::new(layout.clone(), run_name()),
            shown: Mutex::default(),
        }
    }

    fn note(&self, text: &str) {
        note(self.console, text);
    }

    /// Whether commands print for themselves, so that not a byte differs.
    pub(super) fn lets_through(&self) -> bool {
        self.output == TaskOutputMode::Plain
    }

    /// Shows what happened.
    pub(super) fn show(&self, told: TaskMessage) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        match told.event {
            TaskEvent::Command(command) if self.verbose => {
                self.note(&format!("{}: {command}", told.label));
            }
            TaskEvent::Note(text) if !self.quiet => self.note(&format!("{} {text}", told.label)),
            TaskEvent::Command(_) | TaskEvent::Note(_) => {}
            TaskEvent::Line(line) => self.line(&mut shown, told, line),
            TaskEvent::Printed(line, is_error) => {
                // Here commands print for themselves, and one elsewhere cannot.
                if self.output == TaskOutputMode::Plain {
                    match is_error {
                        true => self.note(line),
                        false => drop(say(self.console, &format!("{line}\n"))),
                    }
                }
                self.line(&mut shown, told, line);
            }
            TaskEvent::Ended(end) => self.ended(&mut shown, told, end),
        }
    }

    fn line(&self, shown: &mut Shown, told: TaskMessage, line: &str) {
        if self.output == TaskOutputMode::Prefixed {
            let label = self.style.tint(told.label);
            // A reader that went away must not stop the task.
            let _ = match self.has_brackets {
                true => say(self.console, &format!("[{label}] {line}\n")),
                false => say(self.console, &format!("{label} | {line}\n")),
            };
            shown.saw(told.run);
        }
        let begin = || self.logs.begin(told.label, told.run);
        shown.printed.entry(told.run).or_insert_with(begin).push(line);
    }

    fn ended(&self, shown: &mut Shown, told: TaskMessage, end: TaskEnd) {
        shown.ends.push(end);
        let Some(printed) = shown.printed.remove(&told.run) else { return };
        if self.output == TaskOutputMode::Grouped {
            self.group(told.label, end, &printed);
            shown.saw(told.run);
        }
        if end == TaskEnd::Badly {
            shown.failed.push((told.run, told.label.to_owned(), printed));
        }
    }

    fn group(&self, label: &str, end: TaskEnd, printed: &Printed) {
        if self.has_brackets {
            printed.each(&mut |text| drop(self.console.out(text)));
            return;
        }
        let outcome = if end == TaskEnd::Badly { " (failed)" } else { "" };
        let heading = match self.in_actions {
            true => self.console.out_command(&open_group(&format!("{label}{outcome}"))),
            false => self.console.out(&format!("--- {}{outcome}\n", self.style.tint(label))),
        };
        // A reader that went away must not stop the task.
        drop(heading);
        printed.each(&mut |text| drop(self.console.out(text)));
        if self.in_actions {
            let _ = self.console.out_command(CLOSE_GROUP);
        }
    }

    /// Sums up what ran. If it failed, with what `fault` says, shows before what the task printed
    /// that is the cause.
    pub(super) fn finish(&self, fault: Option<&str>) {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fault) = fault {
            self.show_cause(&shown, fault);
        }
        if shown.ends.len() > 1 && !self.quiet {
            let seconds = self.begun.elapsed().as_secs_f64();
            self.note(&self.error_style.paint(Role::Dim, &sum(&shown.ends, seconds)));
        }
    }

    fn show_cause(&self, shown: &Shown, fault: &str) {
        let is_cause = |(_, label, _): &&(usize, String, Printed)| {
            fault.contains(&format!("task {label} failed"))
        };
        let cause = shown.failed.iter().find(is_cause).or(shown.failed.first());
        let Some((run, label, printed)) = cause else { return };
        let stands_there = match self.output {
            TaskOutputMode::Plain => true,
            TaskOutputMode::Prefixed => shown.seen.len() == 1,
            TaskOutputMode::Grouped => shown.last == Some(*run),
            TaskOutputMode::Quiet => false,
        };
        if stands_there {
            return;
        }
        let (lines, cut) = printed.last();
        self.note(&match (cut, printed.path()) {
            (false, _) => format!("{label} printed:"),
            (true, None) => format!("the last {} lines of {label}:", lines.len()),
            (true, Some(path)) => {
                let path = self.logs.shown(path);
                format!("the last {} lines of {label} (all of them are in {path}):", lines.len())
            }
        });
        for line in lines {
            self.note(&format!("  {line}"));
        }
    }
}

impl Shown {
    fn saw(&mut self, run: usize) {
        self.seen.insert(run);
        self.last = Some(run);
    }
}

/// What became of tasks, in a line.
fn sum(ends: &[TaskEnd], seconds: f64) -> String {
    let count = |end: TaskEnd, word: &str| match ends.iter().filter(|one| **one == end).count() {
        0 => None,
        count => Some(format!("{count} {word}")),
    };
    let parts = [
        count(TaskEnd::Well, "ran"),
        count(TaskEnd::Fresh, "fresh"),
        count(TaskEnd::Remote, "remote"),
        count(TaskEnd::LeftOut, "left out"),
        count(TaskEnd::Badly, "failed"),
        count(TaskEnd::Stopped, "stopped"),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    format!("{} tasks in {}: {}", ends.len(), human_time(seconds), parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_names_only_what_happened() {
        let ends = [TaskEnd::Well, TaskEnd::Well, TaskEnd::Fresh];
        assert_eq!(sum(&ends, 3.21), "3 tasks in 3.2 s: 2 ran, 1 fresh");
        let ends = [TaskEnd::Badly, TaskEnd::LeftOut, TaskEnd::Stopped];
        assert_eq!(sum(&ends, 0.05), "3 tasks in 50 ms: 1 left out, 1 failed, 1 stopped");
    }
}
