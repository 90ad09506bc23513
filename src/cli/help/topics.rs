//! The pages of `forge help`: verbs, options, and the topics of the reference, as a terminal shows them.

use std::fmt::Write as _;

use clap::{Arg, Command};

use super::{
    super::reference::{ReferenceTopic, TOPICS},
    WIDTH, groups,
};
use crate::report::{Role, Style, display_width, wrap};

/// Pages beside those of the reference.
const OWN: [&str; 2] = ["verbs", "options"];
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
        self.text.push_str(gap);
        for line in wrap(title, self.width()) {
            let _ = writeln!(self.text, "{}", self.style.paint(Role::Name, &line));
        }
    }

    fn width(&self) -> usize {
        self.style.width.unwrap_or(WIDTH).clamp(40, WIDTH)
    }

    /// A term in a column of `width`, and what it means, wrapped; below it where there is little room.
    fn entry(&mut self, width: usize, term: &str, meaning: &str) {
        let is_narrow = self.width() < 2 * width + 12;
        let indent = if is_narrow { 6 } else { width + 4 };
        let lines = wrap(meaning, self.width() - indent);
        let start = term.len() - term.trim_start_matches(' ').len() + 2;
        // Several names in one term: those that have no room are on lines of their own.
        let mut terms = wrap(term.trim_start_matches(' '), self.width().saturating_sub(start));
        let last = terms.pop().unwrap_or_default();
        for term in terms {
            let _ =
                writeln!(self.text, "{}{}", " ".repeat(start), self.style.paint(Role::Name, &term));
        }
        let shown = self.style.paint(Role::Name, &last);
        let end = start + display_width(&last);
        let gap = indent.checked_sub(end).filter(|gap| *gap > 1 && !is_narrow);
        let first = gap.map_or_else(String::new, |gap| " ".repeat(gap) + &lines[0]);
        let _ =
            writeln!(self.text, "{}", format!("{}{shown}{first}", " ".repeat(start)).trim_end());
        for line in &lines[usize::from(gap.is_some())..] {
            let _ = writeln!(self.text, "{}", format!("{}{line}", " ".repeat(indent)).trim_end());
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

    /// A page of the reference: headings, tables, paragraphs, and lines that stay as they are.
    fn markdown(&mut self, text: &str) {
        let mut rows: Vec<Vec<String>> = Vec::new();
        let mut paragraph = String::new();
        for line in text.lines() {
            let is_row = line.starts_with('|');
            let stays = line.starts_with([' ', '#', '-', '*']) || line.trim().is_empty();
            if !is_row && !stays {
                paragraph.push_str(line.trim());
                paragraph.push(' ');
                continue;
            }
            self.paragraph(&std::mem::take(&mut paragraph));
            if is_row {
                rows.push(cells(line));
                continue;
            }
            self.table(std::mem::take(&mut rows));
            match line.trim_start_matches('#').trim() {
                title if line.starts_with('#') => self.heading(title),
                "" if self.text.ends_with("\n\n") => {}
                _ if line.starts_with(' ') => {
                    let _ = writeln!(self.text, "{}", line.trim_end());
                }
                _ => self.paragraph(line),
            }
        }
        self.paragraph(&paragraph);
        self.table(rows);
    }

    /// Text in lines of this page's width. Nothing if there is none.
    fn paragraph(&mut self, text: &str) {
        for line in wrap(text, self.width()).iter().filter(|_| !text.is_empty()) {
            let _ = writeln!(self.text, "{line}");
        }
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

    #[test]
    fn pages_fit_a_narrow_terminal_but_for_what_is_copied() {
        let command = command();
        for (name, width) in names().flat_map(|name| [(name, 40), (name, 80)]) {
            let page = page(name, &command, Style { color: false, width: Some(width) }).unwrap();
            // A word alone, such as the path of a field, cannot be broken.
            let is_broken = |line: &str| line.starts_with("    ") || !line.trim().contains(' ');
            let is_wide = |line: &&str| !is_broken(line) && line.chars().count() > width;
            let wide: Vec<_> = page.lines().filter(is_wide).collect();
            assert!(wide.is_empty(), "{name} at {width}: {wide:#?}");
        }
    }
}
