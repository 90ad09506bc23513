//! The board: what runs now and what is news since somebody last looked. Events are
//! folded into it; painters take frames from it. No I/O, no clock.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use crate::model::{ActionId, ArtifactId, ArtifactReport, Event, Fault};

/// Of a command's last line, no more than this is kept: no terminal is wider.
const LINE_BYTES: usize = 4096;
/// Lines that wait for a slow terminal; what comes beyond them is only counted, since
/// the log has it.
const LINES_WAITING: usize = 20_000;

/// What runs now and what is news. Times are counted from the start of the run.
#[derive(Debug, Default)]
pub(super) struct Board {
    verbose: bool,
    running: BTreeMap<ActionId, Running>,
    news: Vec<News>,
    lines: usize,
    left_out: usize,
    planned: usize,
    done: usize,
}

/// An action that runs.
#[derive(Clone, Debug)]
pub(super) struct Running {
    /// Its artifact: `nats`.
    pub name: String,
    /// Its artifact and version: `nats v2.10.24`.
    pub what: String,
    /// What it does: its verb, later its phase.
    pub doing: Cow<'static, str>,
    /// Since when it runs.
    pub since: Duration,
    /// Since when it does what it does.
    pub doing_since: Duration,
    /// Bytes so far, and in all.
    pub bytes: Option<(u64, Option<u64>)>,
    /// What its command printed last.
    pub line: String,
}

/// Something to tell once.
#[derive(Debug)]
pub(super) enum News {
    /// A command printed a line.
    Line { name: String, line: String },
    /// So many lines came too fast to be shown.
    LeftOut(usize),
    /// A warning.
    Warning { artifact: Option<ArtifactId>, fault: Fault },
    /// A host asked to wait.
    Waiting(String),
    /// An action ended.
    Finished(Box<ArtifactReport>),
}

/// The board at one moment.
#[derive(Debug, Default)]
pub(super) struct BoardFrame {
    /// The actions that run, in the order of the plan.
    pub running: Vec<(ActionId, Running)>,
    /// What is news since the last frame.
    pub news: Vec<News>,
    /// Actions in all.
    pub planned: usize,
    /// Actions that ended.
    pub done: usize,
}

impl Board {
    /// An empty board; what commands print is news only if `verbose`.
    pub fn new(verbose: bool) -> Self {
        Self { verbose, ..Self::default() }
    }

    /// Folds in one event that happened at `now`.
    pub fn take(&mut self, event: Event, now: Duration) {
        match event {
            Event::Planned { actions } => self.planned = actions,
            Event::Started { action, artifact, version, verb } => {
                let running = Running {
                    name: artifact.to_string(),
                    what: format!("{artifact} {version}"),
                    doing: Cow::Borrowed(verb),
                    since: now,
                    doing_since: now,
                    bytes: None,
                    line: String::new(),
                };
                self.running.insert(action, running);
            }
            Event::Phase { action, phase } => self.change(action, |running| {
                running.doing = Cow::Owned(phase);
                running.doing_since = now;
                running.bytes = None;
                running.line.clear();
            }),
            Event::Transfer { action, done, total } => {
                self.change(action, |running| running.bytes = Some((done, total)));
            }
            Event::Line { action, line } => self.take_line(action, line),
            Event::Warning { artifact, fault } => self.news.push(News::Warning { artifact, fault }),
            Event::Waiting { why } => self.news.push(News::Waiting(why)),
            Event::Finished { action, report } => {
                let published =
                    self.running.remove(&action).is_some_and(|r| r.doing == "publishing");
                self.done += 1;
                // That it was obtained was told when it was; nothing new is not a news.
                if !published || report.published || report.fault.is_some() {
                    self.news.push(News::Finished(Box::new(report)));
                }
            }
        }
    }

    /// What is to be painted now. Its news are gone from the board.
    pub fn frame(&mut self) -> BoardFrame {
        self.lines = 0;
        if self.left_out > 0 {
            self.news.push(News::LeftOut(std::mem::take(&mut self.left_out)));
        }
        BoardFrame {
            running: self.running.iter().map(|(id, running)| (*id, running.clone())).collect(),
            news: std::mem::take(&mut self.news),
            planned: self.planned,
            done: self.done,
        }
    }

    fn change(&mut self, action: ActionId, change: impl FnOnce(&mut Running)) {
        if let Some(running) = self.running.get_mut(&action) {
            change(running);
        }
    }

    fn take_line(&mut self, action: ActionId, line: String) {
        let Some(running) = self.running.get_mut(&action) else { return };
        running.line.clear();
        running.line.push_str(beginning(&line));
        if !self.verbose {
            return;
        }
        if self.lines == LINES_WAITING {
            self.left_out += 1;
            return;
        }
        self.lines += 1;
        self.news.push(News::Line { name: running.name.clone(), line });
    }
}

/// As much of `line` as anybody can see.
fn beginning(line: &str) -> &str {
    let end = (0..=LINE_BYTES.min(line.len())).rev().find(|at| line.is_char_boundary(*at));
    &line[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    const NOW: Duration = Duration::from_secs(1);

    fn board(verbose: bool, events: Vec<Event>) -> Board {
        let mut board = Board::new(verbose);
        for event in events {
            board.take(event, NOW);
        }
        board
    }

    #[test]
    fn news_are_told_once() {
        let mut board =
            board(true, vec![sample::started(1, "a", "building"), sample::line(1, "x")]);
        assert_eq!(board.frame().news.len(), 1);
        assert_eq!(board.frame().news.len(), 0);
        assert_eq!(board.frame().running[0].1.line, "x");
    }

    #[test]
    fn a_new_phase_begins_without_the_bytes_and_lines_of_the_last_one() {
        let events = vec![
            sample::started(1, "a", "downloading"),
            sample::transfer(1, 5, Some(9)),
            sample::line(1, "x"),
            sample::phase(1, "packing"),
        ];
        let running = board(false, events).frame().running.remove(0).1;
        assert_eq!(
            (running.doing.as_ref(), running.bytes, running.line.as_str()),
            ("packing", None, "")
        );
    }

    #[test]
    fn events_of_unknown_actions_change_nothing() {
        let events =
            vec![sample::transfer(7, 1, None), sample::line(7, "x"), sample::phase(7, "y")];
        let frame = board(true, events).frame();
        assert!(frame.running.is_empty() && frame.news.is_empty());
    }

    #[test]
    fn more_lines_than_anybody_can_read_are_counted() {
        let lines = (0..LINES_WAITING + 5).map(|_| sample::line(1, "x"));
        let events = std::iter::once(sample::started(1, "a", "building")).chain(lines).collect();
        let news = board(true, events).frame().news;
        assert_eq!(news.len(), LINES_WAITING + 1);
        assert!(matches!(news.last(), Some(News::LeftOut(5))));
    }

    #[test]
    fn of_a_huge_line_the_beginning_is_kept() {
        let huge = "é".repeat(1_000_000);
        let events = vec![sample::started(1, "a", "building"), sample::line(1, &huge)];
        let kept = board(false, events).frame().running.remove(0).1.line;
        assert!(kept.len() <= LINE_BYTES && huge.starts_with(&kept) && !kept.is_empty());
    }
}
