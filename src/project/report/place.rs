//! From bytes to lines and columns.

use std::ops::Range;

/// Where the lines of a text begin.
pub(super) struct LineStarts<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

/// A line and a column, both counted from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub line: usize,
    pub column: usize,
}

impl<'a> LineStarts<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self { text, starts: std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect() }
    }

    /// The number of the line that holds `byte`, from 1. Bytes beyond the end are in the last one.
    pub(super) fn line_of(&self, byte: usize) -> usize {
        self.starts.partition_point(|start| *start <= byte)
    }

    /// The bytes of a line that [`LineStarts::line_of`] numbered, without its end.
    pub(super) fn bytes_of(&self, line: usize) -> Range<usize> {
        let start = self.starts[line - 1];
        let Some(next) = self.starts.get(line) else { return start..self.text.len() };
        let line = &self.text[start..next - 1];
        start..start + line.strip_suffix('\r').unwrap_or(line).len()
    }

    /// Part of the text. Both ends must be on boundaries.
    pub(super) fn text(&self, bytes: Range<usize>) -> &'a str {
        &self.text[bytes]
    }

    pub(super) fn position(&self, byte: usize) -> Position {
        let byte = self.boundary(byte);
        let line = self.line_of(byte);
        let start = self.starts[line - 1];
        Position { line, column: self.text[start..byte].chars().count() + 1 }
    }

    /// The last place between characters that is not after `byte`.
    pub(super) fn boundary(&self, byte: usize) -> usize {
        let byte = byte.min(self.text.len());
        (0..=byte).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn columns_count_characters() {
        let lines = LineStarts::new("é: 1\r\nab\n");
        assert_eq!(lines.position(0), Position { line: 1, column: 1 });
        assert_eq!(lines.position(2), Position { line: 1, column: 2 });
        assert_eq!(lines.position(8), Position { line: 2, column: 2 });
        assert_eq!(lines.position(99), Position { line: 3, column: 1 });
        assert_eq!(lines.bytes_of(1), 0..5);
    }

    proptest! {
        #[test]
        fn a_position_is_what_counting_gives(text in "[a\n\ré]{0,30}", byte in 0..70_usize) {
            let lines = LineStarts::new(&text);
            let before = &text[..lines.boundary(byte)];
            let position = lines.position(byte);
            prop_assert_eq!(position.line, before.matches('\n').count() + 1);
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            prop_assert_eq!(position.column, column);
            prop_assert!(!text[lines.bytes_of(position.line)].contains('\n'));
        }
    }
}
