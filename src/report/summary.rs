//! The closing of a run: the table, failures with the root cause first, the sum.

use std::path::Path;

use super::style::Style;
use crate::model::{Layout, RunReport};

/// Which artifacts the closing table shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Show {
    /// No table and no sum unless something failed (`-q`).
    Failures,
    /// Those that were not simply fresh.
    #[default]
    Changed,
    /// All.
    All,
}

/// What the closing needs to know beside the report.
pub struct Closing<'a> {
    /// What was done to the artifacts, as a participle for the sum: `ensured`.
    pub done: &'a str,
    /// What the table shows.
    pub show: Show,
    /// Shortens the paths of logs.
    pub layout: &'a Layout,
    /// The end of a log (such as [`crate::ui::log_tail`]); asked only for failures.
    pub tail: &'a dyn Fn(&Path) -> Vec<String>,
}

/// The table, the failures and the sum, as far as there is something to say.
pub fn render_summary(report: &RunReport, closing: &Closing<'_>, style: Style) -> String {
    let _ = (report, style, closing.show);
    String::new()
}

/// The sum: `8 ensured in 14.2 s: 5 downloaded, 2 fresh, 1 built and published`.
pub fn render_sum(report: &RunReport, done: &str) -> String {
    let _ = (report, done);
    String::new()
}
