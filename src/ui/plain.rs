//! Plain lines, one after the other: for CI logs, files and pipes.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    time::Duration,
};

use anstream::{AutoStream, ColorChoice};

use super::{
    board::Frame,
    line::{action, news_text},
    screen::Painter,
};
use crate::{
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

impl Plain<AutoStream<io::Stderr>> {
    /// To standard error.
    pub fn stderr(style: Style) -> Self {
        let choice = if style.color { ColorChoice::Always } else { ColorChoice::Never };
        Self::new(AutoStream::new(io::stderr(), choice), style)
    }
}

impl<W: Write> Plain<W> {
    fn new(to: W, style: Style) -> Self {
        Self { to, style, told: BTreeMap::new() }
    }

    /// A line for each action that has been at something new for a while.
    fn tell(&mut self, frame: &Frame, now: Duration) -> String {
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
    fn paint(&mut self, frame: Frame, now: Duration) {
        let mut text = self.tell(&frame, now);
        text.extend(frame.news.iter().map(|news| news_text(news, self.style)));
        // A closed standard error must not stop the run.
        let _ = self.to.write_all(text.as_bytes()).and_then(|()| self.to.flush());
    }

    fn close(&mut self) {}
}
