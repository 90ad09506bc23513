//! Plain lines, one after the other: for CI logs, files and pipes.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    time::Duration,
};

use anstream::AutoStream;

use super::{
    board::BoardFrame,
    line::{action, news_text},
    screen::Painter,
    terminal,
};
use crate::{
    console::{Console, Harmless},
    model::ActionId,
    report::{Role, Style},
};

/// What takes less is only told when it ends.
const LASTING: Duration = Duration::from_secs(1);

/// Writes lines.
pub(super) struct Plain<W> {
    to: W,
    style: Style,
    /// What each running action was last said to do.
    told: BTreeMap<ActionId, String>,
}

impl Plain<Harmless<AutoStream<io::Stderr>>> {
    /// To standard error.
    pub fn stderr(console: Console, style: Style) -> Self {
        Self::new(console.guard(terminal::stderr(style)), style)
    }
}

impl<W: Write> Plain<W> {
    fn new(to: W, style: Style) -> Self {
        Self { to, style, told: BTreeMap::new() }
    }

    /// A line for each action that has been at something new for a while.
    fn progress_lines(&mut self, frame: &BoardFrame, now: Duration) -> String {
        self.told.retain(|id, _| frame.running.iter().any(|(running, _)| running == id));
        let mut text = String::new();
        for (id, running) in &frame.running {
            let lasts = now.saturating_sub(running.doing_since) >= LASTING;
            if lasts && self.told.get(id).is_none_or(|told| *told != running.doing) {
                text.push_str(&action(Role::Dim, &running.doing, &running.what, self.style));
                text.push('\n');
                self.told.insert(*id, running.doing.to_string());
            }
        }
        text
    }
}

impl<W: Write + Send> Painter for Plain<W> {
    fn paint(&mut self, frame: BoardFrame, now: Duration) {
        let mut text = self.progress_lines(&frame, now);
        text.extend(frame.news.iter().map(|news| news_text(news, self.style)));
        // A closed standard error must not stop the run.
        let _ = self.to.write_all(text.as_bytes()).and_then(|()| self.to.flush());
    }

    fn close(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::{
        super::{board::Board, sample},
        *,
    };
    use crate::model::{Event, Fault, How, Kind};

    /// What is printed if each step's events come and then the clock says its seconds.
    fn printed(verbose: bool, style: Style, steps: Vec<(f64, Vec<Event>)>) -> String {
        let mut board = Board::new(verbose);
        let mut plain = Plain::new(Vec::new(), style);
        for (seconds, events) in steps {
            let now = Duration::from_secs_f64(seconds);
            for event in events {
                board.take(event, now);
            }
            plain.paint(board.frame(), now);
        }
        plain.close();
        String::from_utf8(plain.to).unwrap()
    }

    fn a_run() -> Vec<(f64, Vec<Event>)> {
        let warning = Event::Warning {
            artifact: None,
            fault: Fault::new(Kind::Store, "cannot write to the cache").because("disk full"),
        };
        let failed = crate::report::sample::failed("docs", Kind::Failed);
        let skipped = crate::report::sample::skipped("site", "needs docs, which failed");
        let fresh = crate::report::sample::artifact("gh", How::Fresh);
        let end = |action, report| Event::Finished { action: ActionId(action), report };
        vec![
            (
                0.0,
                vec![sample::started(1, "nats", "building"), sample::started(2, "arc", "linking")],
            ),
            (0.2, vec![sample::finished(2, "arc"), sample::line(1, "go build \u{1b}[1m./...")]),
            (1.1, vec![warning]),
            (1.2, vec![sample::phase(1, "waiting for another forge")]),
            (2.3, vec![sample::line(1, "")]),
            (
                2.4,
                vec![sample::finished(1, "nats"), end(3, failed), end(4, skipped), end(5, fresh)],
            ),
        ]
    }

    #[test]
    fn what_lasts_is_told_when_it_does_and_all_that_ends_when_it_ends() {
        insta::assert_snapshot!(printed(false, Style::PLAIN, a_run()), @r"
        built       arc v1.2.3  14.2 MB in 1.4 s
        building    nats v1.2.3
        warning: cannot write to the cache
          because: disk full
        waiting for another forge nats v1.2.3
        built       nats v1.2.3  14.2 MB in 1.4 s
        failed      docs v1.2.3  after 1.4 s
        skipped     site v1.2.3  needs docs, which failed
        ");
    }

    #[test]
    fn what_commands_print_is_shown_only_when_asked_for() {
        insta::assert_snapshot!(printed(true, Style::PLAIN, a_run()), @r"
        built       arc v1.2.3  14.2 MB in 1.4 s
        nats | go build ./...
        building    nats v1.2.3
        warning: cannot write to the cache
          because: disk full
        waiting for another forge nats v1.2.3
        nats |
        built       nats v1.2.3  14.2 MB in 1.4 s
        failed      docs v1.2.3  after 1.4 s
        skipped     site v1.2.3  needs docs, which failed
        ");
    }

    #[test]
    fn colour_marks_outcomes_and_names() {
        let text = printed(true, Style { color: true, width: None }, a_run());
        insta::assert_snapshot!(text.replace('\u{1b}', "␛"), @r"
        ␛[32mbuilt      ␛[0m ␛[1marc␛[0m v1.2.3  14.2 MB in 1.4 s
        ␛[2mnats |␛[0m go build ./...
        ␛[2mbuilding   ␛[0m nats v1.2.3
        ␛[1m␛[33mwarning:␛[0m cannot write to the cache
        ␛[2m  because:␛[0m disk full
        ␛[2mwaiting for another forge␛[0m nats v1.2.3
        ␛[2mnats |␛[0m
        ␛[32mbuilt      ␛[0m ␛[1mnats␛[0m v1.2.3  14.2 MB in 1.4 s
        ␛[1m␛[31mfailed     ␛[0m ␛[1mdocs␛[0m v1.2.3  after 1.4 s
        ␛[1m␛[33mskipped    ␛[0m ␛[1msite␛[0m v1.2.3  needs docs, which failed
        ");
    }
}
