//! What a run waits for: one line that is drawn anew on a terminal, a line from time to time elsewhere.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use crate::{
    console::Console,
    report::{Role, cut, one_line},
    ui::{Choice, LiveDisplay},
};

/// On a terminal, from drawing to drawing.
const DRAW: Duration = Duration::from_millis(200);
/// Elsewhere, from line to line.
const LINE: Duration = Duration::from_secs(10);
/// To the beginning of the line, which is emptied.
const EMPTY: &str = "\r\u{1b}[2K";

/// The line. It is gone when this is dropped.
pub(super) struct WaitLine {
    choice: Choice,
    console: Console,
    next: Cell<Instant>,
    is_drawn: Cell<bool>,
}

impl WaitLine {
    pub(super) fn new(choice: Choice, console: Console) -> Self {
        let is_live = choice.live == LiveDisplay::Bars;
        let first = Instant::now() + if is_live { Duration::ZERO } else { LINE };
        Self { choice, console, next: Cell::new(first), is_drawn: Cell::new(false) }
    }

    /// Shows `text`, if it is time.
    pub(super) fn show(&self, text: &str) {
        let now = Instant::now();
        if self.choice.live == LiveDisplay::Quiet || now < self.next.get() {
            return;
        }
        let style = self.choice.stderr;
        let text = format!("waiting {}", one_line(text));
        if self.choice.live == LiveDisplay::Bars {
            self.next.set(now + DRAW);
            self.clear();
            let width = style.width.unwrap_or(80).saturating_sub(1);
            self.console.err(&style.paint(Role::Dim, &cut(&text, width)));
            self.is_drawn.set(true);
        } else {
            self.next.set(now + LINE);
            self.console.err(&format!("{text}\n"));
        }
    }

    /// Takes it away, so that something else can be printed.
    pub(super) fn clear(&self) {
        if self.is_drawn.replace(false) {
            self.console.err_command(EMPTY);
        }
    }
}

impl Drop for WaitLine {
    fn drop(&mut self) {
        self.clear();
    }
}
