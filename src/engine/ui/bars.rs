//! Bars on a terminal: a line per running action that is redrawn, lines that stay above
//! them, a count below.
//!
//! All lines are one region, a single `indicatif` bar whose message is drawn anew: so a
//! frame costs one drawing however many actions run, and what it shows depends on the
//! board alone. An action that ends soon never gets a line.

use std::{
    io::{self, Write},
    time::Duration,
};

use anstream::AutoStream;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{
    board::{BoardFrame, Running},
    line::news_text,
    screen::Painter,
    terminal::{self, Size},
};
use crate::report::{Align, Cell, Role, Style, Table, cut, human_size, human_time, one_line};

/// What takes less gets no bar.
const LASTING: Duration = Duration::from_millis(100);
/// Columns of a gauge, without its brackets.
const GAUGE: u64 = 16;

/// Draws the region and writes what stays above it.
pub(super) struct Bars<W> {
    region: ProgressBar,
    is_drawn: bool,
    above: W,
    size: Box<dyn Fn() -> Size + Send>,
    style: Style,
}

impl Bars<AutoStream<io::Stderr>> {
    /// On standard error.
    pub fn stderr(style: Style) -> Self {
        let size = || terminal::size(&io::stderr()).unwrap_or_default();
        Self::new(ProgressDrawTarget::stderr(), terminal::stderr(style), Box::new(size), style)
    }
}

impl<W: Write> Bars<W> {
    fn new(
        target: ProgressDrawTarget,
        above: W,
        size: Box<dyn Fn() -> Size + Send>,
        style: Style,
    ) -> Self {
        let region = ProgressBar::with_draw_target(None, target);
        // The simplest template of all is valid.
        region.set_style(
            ProgressStyle::with_template("{msg}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        Self { region, is_drawn: false, above, size, style }
    }

    fn write_above(&mut self, text: &str) {
        let above = &mut self.above;
        let mut write = || above.write_all(text.as_bytes()).and_then(|()| above.flush());
        // A closed standard error must not stop the run.
        let _ = if self.is_drawn { self.region.suspend(write) } else { write() };
    }
}

impl<W: Write + Send> Painter for Bars<W> {
    fn paint(&mut self, frame: BoardFrame, now: Duration) {
        let lasting = frame.running.iter().any(|(_, one)| lasts(one, now));
        if lasting || self.is_drawn {
            self.is_drawn = true;
            self.region.set_message(region(&frame, now, (self.size)(), self.style));
        }
        let text: String = frame.news.iter().map(|news| news_text(news, self.style)).collect();
        if !text.is_empty() {
            self.write_above(&text);
        }
    }

    fn close(&mut self) {
        if self.is_drawn {
            self.region.finish_and_clear();
        }
    }
}

fn lasts(running: &Running, now: Duration) -> bool {
    now.saturating_sub(running.since) >= LASTING
}

/// The lines of the region: of the actions that last the oldest ones, as many as fit,
/// and the count.
fn region(frame: &BoardFrame, now: Duration, size: Size, style: Style) -> String {
    let style = Style { width: Some(size.columns), ..style };
    let mut lasting: Vec<&Running> =
        frame.running.iter().map(|(_, one)| one).filter(|one| lasts(one, now)).collect();
    lasting.sort_by_key(|one| one.since);
    // One row for the count, one for the cursor.
    let shown = lasting.len().min(size.rows.saturating_sub(2));
    let mut table =
        Table::new([("", Align::Left), ("", Align::Left), ("", Align::Right), ("", Align::Left)]);
    for running in &lasting[..shown] {
        table.row(row(running, now, size));
    }
    let text = count(frame, lasting.len() - shown, now);
    let count = style.paint(Role::Dim, &cut(&text, size.columns));
    table.render_cut(style) + &count
}

fn row(running: &Running, now: Duration, size: Size) -> [Cell; 4] {
    let third = size.columns / 3;
    [
        Cell::from(cut(&running.doing, third)),
        Cell::new(Role::Name, cut(&running.what, third)),
        Cell::from(human_time(now.saturating_sub(running.since).as_secs_f64())),
        detail(running, now),
    ]
}

/// How far a transfer is, or else what the command printed last.
fn detail(running: &Running, now: Duration) -> Cell {
    let Some((done, total)) = running.bytes else {
        return Cell::new(Role::Dim, one_line(&running.line));
    };
    let seconds = now.saturating_sub(running.doing_since).as_secs_f64().max(0.001);
    let rate = human_size((done as f64 / seconds) as u64);
    let done_text = human_size(done);
    Cell::from(match total {
        Some(total) => {
            format!("{} {done_text} of {}, {rate}/s", gauge(done, total), human_size(total))
        }
        None => format!("{done_text}, {rate}/s"),
    })
}

/// `[=====>          ]`
fn gauge(done: u64, total: u64) -> String {
    let part = if total == 0 { 1.0 } else { (done as f64 / total as f64).min(1.0) };
    let filled = (part * GAUGE as f64) as usize;
    let head = if part < 1.0 { ">" } else { "" };
    format!("[{:<width$}]", format!("{}{head}", "=".repeat(filled)), width = GAUGE as usize)
}

/// `3 of 12 done, 2 running, 14.2 s`
fn count(frame: &BoardFrame, hidden: usize, now: Duration) -> String {
    let hidden = if hidden > 0 { format!(" ({hidden} not shown)") } else { String::new() };
    format!(
        "{} of {} done, {} running{hidden}, {}",
        frame.done,
        frame.planned.max(frame.done + frame.running.len()),
        frame.running.len(),
        human_time(now.as_secs_f64()),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use indicatif::{InMemoryTerm, TermLike};

    use super::{
        super::{board::Board, sample},
        *,
    };
    use crate::{model::Event, report::display_width};
    use proptest::prelude::*;

    /// Lines above the region, on the same terminal.
    struct Above(InMemoryTerm);

    impl Write for Above {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let text = String::from_utf8_lossy(bytes).replace('\n', "\r\n");
            self.0.write_str(&text).map(|()| bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn bars(rows: usize, columns: usize) -> (InMemoryTerm, Bars<Above>) {
        let term = InMemoryTerm::new(rows as u16, columns as u16);
        let target = ProgressDrawTarget::term_like(Box::new(term.clone()));
        let size = Box::new(move || Size { rows, columns });
        (term.clone(), Bars::new(target, Above(term), size, Style::PLAIN))
    }

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn busy_board() -> Board {
        let mut board = Board::new(false);
        board.take(Event::Planned { actions: 12 }, seconds(0.0));
        board.take(sample::started(1, "nats", "downloading"), seconds(1.0));
        board.take(sample::transfer(1, 14_200_000, Some(30_100_000)), seconds(2.0));
        board.take(sample::started(2, "arc", "building"), seconds(2.0));
        board.take(
            sample::line(2, "\u{1b}[32mCompiling\u{1b}[0m a very long crate name that goes on"),
            seconds(2.0),
        );
        board.take(sample::started(3, "telegraf", "downloading"), seconds(3.0));
        board.take(sample::transfer(3, 500, None), seconds(3.0));
        board.take(sample::started(4, "docs", "building"), seconds(4.95));
        board
    }

    #[test]
    fn each_lasting_action_has_a_line_with_what_it_does() {
        let (term, mut bars) = bars(10, 100);
        bars.paint(busy_board().frame(), seconds(5.0));
        insta::assert_snapshot!(term.contents(), @r"
        downloading  nats v1.2.3      4.0 s  [=======>        ] 14.2 MB of 30.1 MB, 3.55 MB/s
        building     arc v1.2.3       3.0 s  Compiling a very long crate name that goes on
        downloading  telegraf v1.2.3  2.0 s  500 B, 250 B/s
        0 of 12 done, 4 running, 5.0 s
        ");
    }

    #[test]
    fn a_narrow_and_low_terminal_shows_what_fits() {
        let (term, mut bars) = bars(4, 30);
        bars.paint(busy_board().frame(), seconds(5.0));
        insta::assert_snapshot!(term.contents(), @r"
        downloadi…  nats v1.2…  4.0 s
        building    arc v1.2.3  3.0 s
        0 of 12 done, 4 running (1 no…
        ");
        for size in [Size { rows: 0, columns: 0 }, Size { rows: 1, columns: 1 }] {
            let text = region(&busy_board().frame(), seconds(5.0), size, Style::PLAIN);
            assert_eq!(text.lines().count(), size.columns, "{text:?}");
        }
    }

    #[test]
    fn what_ends_stays_above_and_the_region_goes() {
        let (term, mut bars) = bars(10, 60);
        let mut board = busy_board();
        bars.paint(board.frame(), seconds(5.0));
        board.take(sample::finished(1, "nats"), seconds(6.0));
        bars.paint(board.frame(), seconds(6.0));
        insta::assert_snapshot!(term.contents(), @r"
        built       nats v1.2.3  14.2 MB in 1.4 s
        building     arc v1.2.3       4.0 s  Compiling a very long …
        downloading  telegraf v1.2.3  3.0 s  500 B, 166 B/s
        building     docs v1.2.3      1.1 s
        1 of 12 done, 3 running, 6.0 s
        ");
        bars.close();
        insta::assert_snapshot!(term.contents(), @r"built       nats v1.2.3  14.2 MB in 1.4 s");
    }

    #[test]
    fn a_thousand_short_actions_draw_no_bar() {
        let (term, mut bars) = bars(1100, 60);
        let mut board = Board::new(false);
        for id in 0..1000 {
            board.take(sample::started(id, "nats", "linking"), seconds(0.01));
            board.take(sample::finished(id, "nats"), seconds(0.02));
        }
        bars.paint(board.frame(), seconds(0.1));
        bars.close();
        assert!(!bars.is_drawn);
        assert_eq!(term.contents().lines().count(), 1000);
    }

    #[test]
    fn a_terminal_that_is_resized_shows_what_fits_from_the_next_frame_on() {
        let term = InMemoryTerm::new(10, 100);
        let columns = Arc::new(AtomicUsize::new(100));
        let seen = Arc::clone(&columns);
        let size = Box::new(move || Size { rows: 10, columns: seen.load(Ordering::Relaxed) });
        let target = ProgressDrawTarget::term_like(Box::new(term.clone()));
        let mut bars = Bars::new(target, Above(term.clone()), size, Style::PLAIN);
        let mut board = busy_board();
        bars.paint(board.frame(), seconds(5.0));
        columns.store(20, Ordering::Relaxed);
        bars.paint(board.frame(), seconds(6.0));
        insta::assert_snapshot!(term.contents(), @r"
        downl…  nats …
        build…  arc v…
        downl…  teleg…
        build…  docs …
        0 of 12 done, 4 run…
        ");
    }

    proptest! {
        #[test]
        fn the_region_never_sticks_out(
            rows in 2..40_usize,
            columns in 0..120_usize,
            actions in prop::collection::vec((0..9_u32, "\\PC{0,30}|[\\x00-\\x1f]{0,9}", any::<u64>()), 0..60),
        ) {
            let mut board = Board::new(false);
            for (at, (start, line, bytes)) in actions.iter().enumerate() {
                let id = at as u32;
                board.take(sample::started(id, "nats", "building"), seconds(f64::from(*start)));
                board.take(sample::line(id, line), seconds(9.0));
                if bytes % 3 == 0 {
                    board.take(sample::transfer(id, *bytes, Some(bytes / 2)), seconds(9.0));
                }
            }
            let text = region(&board.frame(), seconds(10.0), Size { rows, columns }, Style::PLAIN);
            prop_assert!(text.lines().count() < rows);
            for line in text.lines() {
                prop_assert!(display_width(line) <= columns, "{line:?}");
            }
        }
    }

    #[test]
    fn a_gauge_fills_from_left_to_right() {
        assert_eq!(gauge(0, 100), "[>               ]");
        assert_eq!(gauge(50, 100), "[========>       ]");
        assert_eq!(gauge(99, 100), "[===============>]");
        assert_eq!(gauge(100, 100), "[================]");
        assert_eq!(gauge(200, 100), "[================]");
        assert_eq!(gauge(0, 0), "[================]");
    }
}
