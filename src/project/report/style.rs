//! Colours by role, and the width that text may take.

use anstyle::{AnsiColor, Style as Ansi};

/// How text is dressed. Decided once at the edge of the program, and passed along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether escape sequences for colours may be used.
    pub color: bool,
    /// Columns of the terminal; `None` where lines may be of any length.
    pub width: Option<usize>,
}

/// What a piece of text is, which decides its colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Text like any other.
    #[default]
    Plain,
    /// Something went well.
    Ok,
    /// Something to look at.
    Warn,
    /// Something failed.
    Error,
    /// Of less weight than what is around.
    Dim,
    /// A name: of a subsystem, a task, a column.
    Name,
}

impl Style {
    /// No colours, lines of any length: for files, pipes and tests.
    pub const PLAIN: Self = Self { color: false, width: None };

    /// `label` in a colour of its own, the same each time.
    pub fn tint(self, label: &str) -> String {
        if !self.color || label.is_empty() {
            return label.to_owned();
        }
        // FNV-1a: spreads short names well.
        let mix = |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        let hash = label.bytes().fold(0x811c_9dc5, mix);
        let ansi = TINTS[hash as usize % TINTS.len()].on_default();
        format!("{ansi}{label}{ansi:#}")
    }

    /// `text` in the colour of `role`, if colours may be used.
    pub fn paint(self, role: Role, text: &str) -> String {
        let ansi = ansi(role);
        if !self.color || ansi.is_plain() || text.is_empty() {
            return text.to_owned();
        }
        format!("{ansi}{text}{ansi:#}")
    }
}

/// Colours for names. Red is for failures.
const TINTS: [AnsiColor; 9] = [
    AnsiColor::Cyan,
    AnsiColor::Magenta,
    AnsiColor::Blue,
    AnsiColor::Green,
    AnsiColor::Yellow,
    AnsiColor::BrightCyan,
    AnsiColor::BrightMagenta,
    AnsiColor::BrightBlue,
    AnsiColor::BrightGreen,
];

/// Only the sixteen colours that a terminal's owner has chosen, so that they stay
/// readable on light and dark grounds alike.
fn ansi(role: Role) -> Ansi {
    match role {
        Role::Plain => Ansi::new(),
        Role::Ok => AnsiColor::Green.on_default(),
        Role::Warn => AnsiColor::Yellow.on_default().bold(),
        Role::Error => AnsiColor::Red.on_default().bold(),
        Role::Dim => Ansi::new().dimmed(),
        Role::Name => Ansi::new().bold(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_come_only_when_asked_for() {
        let coloured = Style { color: true, width: None };
        assert_eq!(Style::PLAIN.paint(Role::Error, "no"), "no");
        assert_eq!(coloured.paint(Role::Error, "no"), "\u{1b}[1m\u{1b}[31mno\u{1b}[0m");
        assert_eq!(coloured.paint(Role::Plain, "so"), "so");
        assert_eq!(coloured.paint(Role::Ok, ""), "");
        assert_eq!(Style::PLAIN.tint("build"), "build");
        assert_eq!(coloured.tint("build"), coloured.tint("build"));
    }

    #[test]
    fn names_are_told_apart_by_their_colours() {
        let coloured = Style { color: true, width: None };
        let begin = |name: &String| coloured.tint(name).split('s').next().map(str::to_owned);
        let names: Vec<String> = (0..100).map(|number| format!("s{number}")).collect();
        let used: std::collections::BTreeSet<_> = names.iter().filter_map(begin).collect();
        assert_eq!(used.len(), TINTS.len());
    }
}
