//! Problems in files, each with its place: the line, a caret, a label, help.

use super::style::Style;
use crate::model::Problems;

/// All of `problems`, a blank line after each, and a last line that counts them. Empty if there are none.
pub fn render_problems(problems: &Problems, style: Style) -> String {
    let _ = (problems, style);
    String::new()
}
