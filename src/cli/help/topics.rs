//! The pages of `forge help`: verbs, options, and the topics of the reference, as a terminal shows them.

use std::fmt::Write as _;

use clap::{Arg, Command};

use super::{
    super::reference::{ReferenceTopic, TOPICS},
    groups,
};
use crate::report::{Role, Style};

/// Pages beside those of the reference.
const OWN: [&str; 2] = ["verbs", "options"];
/// How wide lines are where there is no terminal.
const WIDTH: usize = 100;
/// How wide the column of terms is at most.
const TERMS: usize = 28;

/// What pages are called.
pub(in super::super) fn names() -> impl Iterator<Item = &'static str> {
    // What a verb does is told by `forge help VERB`.
    let topics = TOPICS.iter().map(|topic| topic.name).filter(|name| *name != "commands");
    OWN.into_iter().chain(topics)
}

/// The page called `name`.
pub(super) fn page(name: &str, command: &Command, style: Style) -> Option<String> {
    let mut page = HelpPage { text: String::new(), style };
    match (name, ReferenceTopic::named(name)) {
        ("verbs", _) => page.verbs(command),
        ("options", _) => page.options(command),
        ("commands", _) | (_, None) => return None,
        (_, Some(topic)) => page.markdown(&topic.text()),
    }
    Some(page.text)
}

/// A page in the making.
struct HelpPage {
    text: String,
    style: Style,
}

impl HelpPage {
    fn heading(&mut self, title: &str) {
        let gap = if self.text.is_empty() || self.text.ends_with("\n\n") { "" } else { "\n" };
        let _ = writeln!(self.text, "{gap}{}", self.style.paint(Role::Name, title));
    }

    fn width(&self) -> usize {
        self.style.width.unwrap_or(WIDTH).clamp(40, WIDTH)
    }

    /// A term in a column of `width`, and what it means, wrapped.
    fn entry(&mut self, width: usize, term: &str, meaning: &str) {
        let room = self.width().saturating_sub(width + 4);
        let mut lines = wrapped(meaning, room).into_iter();
        let shown = self.style.paint(Role::Name, term);
        let pad = match width.checked_sub(term.chars().count()) {
            Some(rest) => format!("{}  {}", " ".repeat(rest), lines.next().unwrap_or_default()),
            None => String::new(),
        };
        let _ = writeln!(self.text, "{}", format!("  {shown}{pad}").trim_end());
        for line in lines {
            let _ = writeln!(self.text, "  {}  {line}", " ".repeat(width));
        }
    }

    fn verbs(&mut self, command: &Command) {
        for group in &groups::GROUPS {
            self.heading(group.title);
            for verb in group.verbs {
                self.entry(15, verb, &groups::about_of(command, verb));
            }
        }
    }

    fn options(&mut self, command: &Command) {
        self.heading("Options that work with every verb, before it or after it");
        for option in command.get_arguments() {
            let about = option.get_help().map(ToString::to_string).unwrap_or_default();
            self.entry(25, &option_form(option), &about);
        }
    }

    /// A page of the reference: headings, tables and lines.
    fn markdown(&mut self, text: &str) {
        let mut rows: Vec<Vec<String>> = Vec::new();
        for line in text.lines() {
            if line.starts_with('|') {
                rows.push(cells(line));
                continue;
            }
            self.table(std::mem::take(&mut rows));
            match line.trim_start_matches('#').trim() {
                title if line.starts_with('#') => self.heading(title),
                "" if self.text.ends_with("\n\n") => {}
                _ => {
                    for line in wrapped_line(line, self.width()) {
                        let _ = writeln!(self.text, "{line}");
                    }
                }
            }
        }
        self.table(rows);
    }

    /// The rows of a table below its head: what is in the first column, and the rest beside it.
    fn table(&mut self, rows: Vec<Vec<String>>) {
        let rows: Vec<_> = rows.into_iter().skip(2).collect();
        let terms = rows.iter().filter_map(|row| row.first()).map(|term| term.chars().count());
        let width = terms.max().unwrap_or(0).min(TERMS);
        for row in rows {
            let Some((term, rest)) = row.split_first() else { continue };
            let rest: Vec<&str> =
                rest.iter().map(String::as_str).filter(|it| !it.is_empty()).collect();
            self.entry(width, term, &rest.join(" · "));
        }
    }
}

/// The cells of a line of a table, the first without the marks of code.
fn cells(line: &str) -> Vec<String> {
    let line = line.trim().trim_start_matches('|').trim_end_matches('|').replace("\\|", "\u{1}");
    let cells = line.split('|').map(|cell| cell.trim().replace('\u{1}', "|"));
    let plain =
        |(index, cell): (usize, String)| if index == 0 { cell.replace('`', "") } else { cell };
    cells.enumerate().map(plain).collect()
}

/// `-C, --directory DIR`.
fn option_form(option: &Arg) -> String {
    let short = option.get_short().map_or_else(|| "    ".to_owned(), |short| format!("-{short}, "));
    let long = option.get_long().map(|long| format!("--{long}")).unwrap_or_default();
    let takes_value = option.get_action().takes_values();
    let value = option.get_value_names().and_then(<[_]>::first).filter(|_| takes_value);
    format!("{short}{long}{}", value.map_or_else(String::new, |value| format!(" {value}")))
}

/// `line` cut where it is too long; one that is indented, or fits, stays as it is.
fn wrapped_line(line: &str, width: usize) -> Vec<String> {
    match line.chars().count() <= width || line.starts_with(' ') {
        true => vec![line.trim_end().to_owned()],
        false => wrapped(line, width),
    }
}

/// `text` in lines of at most `width` characters, cut at blanks.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{super::command, *};

    #[test]
    fn each_page_says_something_in_lines_without_blanks_at_their_ends() {
        let command = command();
        for name in names() {
            let page = page(name, &command, Style::PLAIN).unwrap();
            assert!(page.lines().count() > 3, "{page}");
            assert!(page.lines().all(|line| line.trim_end() == line), "{name}");
            assert!(!page.contains("|---"), "{name}: tables are laid out");
        }
        assert!(page("nonsense", &command, Style::PLAIN).is_none());
    }
}
