//! A plain text table: columns as wide as their widest cell, two blanks between them, no trailing blanks.
//! Where that does not fit, nothing is lost: long cells go on in further lines, and where columns would
//! become too narrow to be read, each row is a list.

use super::{
    style::{Role, Style},
    text::{cut, display_width, one_line, wrap},
};

/// How narrow a column becomes at most whose cells go on in further lines.
const LEAST_COLUMN: usize = 20;
/// On less than that, lines are cut.
const LEAST_LINE: usize = 24;

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

    /// The table as lines, each with its end, none wider than `style.width`.
    pub fn render(&self, style: Style) -> String {
        let widths = self.widths();
        match style.width {
            Some(room) if room >= LEAST_LINE && whole(&widths) > room => {
                match self.fitted(&widths, room) {
                    Some(widths) => self.render_folded(&widths, style),
                    None => self.render_lists(room, style),
                }
            }
            _ => self.render_cut(style),
        }
    }

    /// The table as one line for each row, cut at `style.width`; right-aligned cells are shown whole or
    /// not at all.
    pub fn render_cut(&self, style: Style) -> String {
        let widths = self.widths();
        let mut text = String::new();
        for line in self.lines() {
            self.render_line(line, &widths, style, &mut text);
            text.push('\n');
        }
        text
    }

    /// The heading, if there is one, and the rows.
    fn lines(&self) -> impl Iterator<Item = &Vec<Cell>> {
        let has_heading = self.heading.iter().any(|cell| !cell.text.is_empty());
        has_heading.then_some(&self.heading).into_iter().chain(&self.rows)
    }

    /// The widest columns with which the table takes at most `room`, if they can still be read. Names, which
    /// come first, and numbers stay whole.
    fn fitted(&self, natural: &[usize], room: usize) -> Option<Vec<usize>> {
        let limited = |limit: usize| -> Vec<usize> {
            let narrowed = natural.iter().enumerate().map(|(column, width)| {
                let is_text = column > 0 && self.aligns.get(column) != Some(&Align::Right);
                if is_text { limit.min(*width) } else { *width }
            });
            narrowed.collect()
        };
        (LEAST_COLUMN..room).rev().map(limited).find(|widths| whole(widths) <= room)
    }

    /// Rows whose long cells go on below.
    fn render_folded(&self, widths: &[usize], style: Style) -> String {
        let mut text = String::new();
        for line in self.lines() {
            let cells: Vec<Vec<String>> =
                line.iter().zip(widths).map(|(cell, width)| wrap(&cell.text, *width)).collect();
            for at in 0..cells.iter().map(Vec::len).max().unwrap_or(1) {
                let part = |(cell, lines): (&Cell, &Vec<String>)| Cell {
                    text: lines.get(at).cloned().unwrap_or_default(),
                    role: cell.role,
                };
                let part: Vec<Cell> = line.iter().zip(&cells).map(part).collect();
                self.render_line(&part, widths, style, &mut text);
                text.push('\n');
            }
        }
        text
    }

    /// Each row as a list: its name, and below it what the heading calls the other cells.
    fn render_lists(&self, room: usize, style: Style) -> String {
        let labels = self.heading.iter().skip(1).map(|cell| display_width(&cell.text));
        let label_width = labels.max().unwrap_or(0);
        let indent = if label_width == 0 { 2 } else { label_width + 4 };
        let mut text = String::new();
        for row in &self.rows {
            let Some((first, rest)) = row.split_first() else {
                text.push('\n');
                continue;
            };
            for line in wrap(&first.text, room).iter().filter(|line| !line.is_empty()) {
                text.push_str(&style.paint(first.role, line));
                text.push('\n');
            }
            for (column, cell) in rest.iter().enumerate().filter(|(_, cell)| !cell.text.is_empty())
            {
                let label = self.heading.get(column + 1).map_or("", |cell| cell.text.as_str());
                let lines = wrap(cell.text.trim_start(), room.saturating_sub(indent));
                for (at, line) in lines.iter().enumerate() {
                    let label = if at == 0 { label } else { "" };
                    let gap = " ".repeat(indent - 2 - display_width(label));
                    let label = style.paint(Role::Dim, label);
                    text.push_str(&format!("  {label}{gap}{}\n", style.paint(cell.role, line)));
                }
            }
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

/// How wide a line is that has such columns.
fn whole(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1)
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
    fn where_there_is_little_room_cells_go_on_below_and_then_rows_are_lists() {
        let mut table =
            Table::new([("store", Align::Left), ("size", Align::Right), ("found", Align::Left)]);
        let found = "may be read, and written by this user: /home/you/.local/share/forge";
        table.row(["dir".into(), "12 kB".into(), Cell::new(Role::Dim, found)]);
        table.row([]);
        table.row(["a-bucket".into(), "".into(), "not there".into()]);
        let narrow = |width| table.render(Style { color: false, width: Some(width) });
        insta::assert_snapshot!(narrow(50), @r"
        store      size  found
        dir       12 kB  may be read, and written by this
                         user:
                         /home/you/.local/share/forge

        a-bucket         not there
        ");
        insta::assert_snapshot!(narrow(34), @r"
        dir
          size   12 kB
          found  may be read, and written
                 by this user:
                 /home/you/.local/share/
                 forge

        a-bucket
          found  not there
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
