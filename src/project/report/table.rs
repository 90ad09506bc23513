//! A plain text table: columns as wide as their widest cell, two blanks between them,
//! no trailing blanks.

use super::{
    style::{Role, Style},
    text::{cut, display_width, one_line},
};

/// On which side the cells of a column stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the variants are the words themselves")]
pub enum Align {
    #[default]
    Left,
    Right,
}

/// One cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    text: String,
    role: Role,
}

impl Cell {
    /// A cell with the colour of `role`.
    pub fn new(role: Role, text: impl AsRef<str>) -> Self {
        Self { text: one_line(text.as_ref()).into_owned(), role }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(Role::Plain, text)
    }
}

/// A table with a heading. Rows may be shorter than the heading, and longer too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    heading: Vec<Cell>,
    aligns: Vec<Align>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows yet. Headings may be empty; if all are, none is printed.
    pub fn new<'a>(columns: impl IntoIterator<Item = (&'a str, Align)>) -> Self {
        let (heading, aligns) =
            columns.into_iter().map(|(name, align)| (Cell::new(Role::Dim, name), align)).unzip();
        Self { heading, aligns, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as lines, each with its end. If it is wider than `style.width`, the
    /// lines are cut there; right-aligned cells are shown whole or not at all.
    pub fn render(&self, style: Style) -> String {
        let has_heading = self.heading.iter().any(|cell| !cell.text.is_empty());
        let lines = has_heading.then_some(&self.heading).into_iter().chain(&self.rows);
        let widths = self.widths();
        let mut text = String::new();
        for line in lines {
            self.render_line(line, &widths, style, &mut text);
            text.push('\n');
        }
        text
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths = Vec::new();
        for line in std::iter::once(&self.heading).chain(&self.rows) {
            widths.resize(widths.len().max(line.len()), 0);
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = display_width(&cell.text).max(*width);
            }
        }
        widths
    }

    /// Blanks are owed and only paid when more text follows, so that none trail.
    fn render_line(&self, cells: &[Cell], widths: &[usize], style: Style, text: &mut String) {
        let mut room = style.width.unwrap_or(usize::MAX);
        let mut owed = 0;
        for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
            let rest = width - display_width(&cell.text);
            let is_right = self.aligns.get(column) == Some(&Align::Right);
            let (before, after) = if is_right { (rest, 0) } else { (0, rest) };
            let shown = cut(&cell.text, room.saturating_sub(owed + before));
            // A part of a number would be another number.
            let is_torn = is_right && shown != cell.text;
            if is_torn || shown.is_empty() || room <= owed + before {
                owed += width + 2;
                continue;
            }
            text.extend(std::iter::repeat_n(' ', owed + before));
            text.push_str(&style.paint(cell.role, &shown));
            room -= owed + before + display_width(&shown);
            owed = after + 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Table {
        let mut table =
            Table::new([("name", Align::Left), ("size", Align::Right), ("", Align::Left)]);
        table.row(["nats".into(), "14.2 MB".into(), Cell::new(Role::Dim, "fresh")]);
        table.row(["日本語ツール".into(), "3 B".into(), "".into()]);
        table.row(["x".into(), "".into(), "built".into()]);
        table
    }

    #[test]
    fn columns_stand_under_each_other_without_trailing_blanks() {
        insta::assert_snapshot!(sample().render(Style::PLAIN), @r"
        name             size
        nats          14.2 MB  fresh
        日本語ツール      3 B
        x                      built
        ");
        let narrow = Style { color: false, width: Some(16) };
        insta::assert_snapshot!(sample().render(narrow), @r"
        name
        nats
        日本語ツール
        x
        ");
    }

    #[test]
    fn colour_does_not_move_anything() {
        let coloured = Style { color: true, width: None };
        let stripped = anstream::adapter::strip_str(&sample().render(coloured)).to_string();
        assert_eq!(stripped, sample().render(Style::PLAIN));
    }

    proptest! {
        #[test]
        fn no_table_panics_sticks_out_or_trails_blanks(
            rows in prop::collection::vec(prop::collection::vec(".{0,12}|\\PC{0,6}", 0..5), 0..6),
            right in prop::collection::vec(any::<bool>(), 0..4),
            width in prop::option::of(0..60_usize),
        ) {
            let aligns = right.iter().map(|r| ("h", if *r { Align::Right } else { Align::Left }));
            let mut table = Table::new(aligns);
            for row in &rows {
                table.row(row.iter().map(Cell::from));
            }
            for line in table.render(Style { color: false, width }).lines() {
                prop_assert!(width.is_none_or(|width| display_width(line) <= width), "{line:?}");
                prop_assert!(!line.ends_with(' '), "{line:?}");
            }
        }
    }
}
