//! Text for a terminal: how wide it is, cut to fit, and with nothing in it that the
//! terminal would obey.

use std::borrow::Cow;

use anstream::adapter::strip_str;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The columns that `text` takes. It should hold no escape sequences.
pub fn display_width(text: &str) -> usize {
    text.width()
}

/// `text`, cut to `width` columns; where something is left out, the last one is `…`.
pub fn cut(text: &str, width: usize) -> Cow<'_, str> {
    // Each column takes at least a part of a byte: short text needs no look at its width.
    if text.len() <= width || display_width(text) <= width {
        return Cow::Borrowed(text);
    }
    let mut room = width.saturating_sub(1);
    let mut kept = String::new();
    for c in text.chars() {
        let columns = c.width().unwrap_or(0);
        if columns > room {
            break;
        }
        room -= columns;
        kept.push(c);
    }
    // A sequence can be wider than its characters one by one (emoji with a selector).
    while display_width(&kept) >= width.max(1) {
        kept.pop();
    }
    if width > 0 {
        kept.push('…');
    }
    Cow::Owned(kept)
}

/// `text` in lines of at most `width` columns, cut at blanks; a word that is longer is cut after a `/`, or
/// where the line ends. Blanks at the beginning are kept on every line.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let text = text.trim_end();
    if display_width(text) <= width {
        return vec![text.to_owned()];
    }
    let indent = (text.len() - text.trim_start_matches(' ').len()).min(width.saturating_sub(2) / 2);
    let room = (width - indent).max(2);
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let mut pieces = broken(word, room).into_iter();
        match (lines.last_mut(), pieces.next()) {
            (Some(line), Some(piece))
                if display_width(line) + 1 + display_width(&piece) <= room =>
            {
                line.push(' ');
                line.push_str(&piece);
            }
            (_, piece) => lines.extend(piece),
        }
        lines.extend(pieces);
    }
    lines.iter().map(|line| " ".repeat(indent) + line).collect()
}

/// `word` in pieces of at most `room` columns.
fn broken(word: &str, room: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    for c in word.chars() {
        piece.push(c);
        if display_width(&piece) > room {
            piece.pop();
            // A path is cut between its folders, unless that leaves nearly nothing on the line.
            let at = piece.rfind('/').map(|at| at + 1).filter(|at| *at > piece.len() / 2);
            let rest = piece.split_off(at.unwrap_or(piece.len()));
            pieces.push(std::mem::replace(&mut piece, rest));
            piece.push(c);
        }
    }
    pieces.push(piece);
    pieces
}

/// `text` with every control character made visible, except line ends: a tab becomes
/// four blanks, the others their pictures (`␛`), and what would turn the direction of
/// reading becomes `�`.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_active) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\t' => shown.push_str("    "),
            c if !is_active(c) => shown.push(c),
            '\u{7f}' => shown.push('␡'),
            c if c < ' ' => shown.extend(char::from_u32(0x2400 + u32::from(c))),
            _ => shown.push('�'),
        }
    }
    Cow::Owned(shown)
}

/// One line of a command's output as it can stand beside other text: escape sequences
/// are gone, of a line that was overwritten (`\r`) the last state counts, and what
/// else controls a terminal is made visible.
pub fn one_line(line: &str) -> Cow<'_, str> {
    let line = line.trim_end();
    let last = line.rsplit('\r').next().unwrap_or(line);
    if !last.contains(|c| c == '\n' || is_active(c)) {
        return Cow::Borrowed(last);
    }
    let stripped = strip_str(last).to_string().replace('\n', " ");
    Cow::Owned(visible(stripped.trim_end()).into_owned())
}

/// Whether `name` stands in `text` as a word.
pub(super) fn mentions(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    text.match_indices(name).any(|(at, _)| {
        !text[..at].ends_with(is_part) && !text[at + name.len()..].starts_with(is_part)
    })
}

/// Whether a terminal does something else with `c` than to show it.
fn is_active(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cuts_where_a_wide_character_would_stick_out() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("日本語", 6), "日本語");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("abc", 0), "");
    }

    #[test]
    fn long_text_goes_on_in_further_lines() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("  one two", 6), ["  one", "  two"]);
        assert_eq!(wrap("see dir:/home/you/releases", 16), ["see", "dir:/home/you/", "releases"]);
        assert_eq!(wrap("abcdefgh ij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("日本語", 4), ["日本", "語"]);
        assert_eq!(wrap("", 4), [""]);
    }

    #[test]
    fn control_characters_are_seen_and_not_obeyed() {
        assert_eq!(visible("a\tb\u{1b}[31m\u{7f}\u{9b}\u{202e}\nc"), "a    b␛[31m␡��\nc");
        assert_eq!(one_line("\u{1b}[32mok\u{1b}[0m\u{7}"), "ok");
        assert_eq!(one_line("10 %\r100 %\r\n"), "100 %");
        assert_eq!(one_line("a\nb"), "a b");
    }

    #[test]
    fn a_part_of_a_word_is_no_mention() {
        assert!(mentions("cannot build arc: no", "arc"));
        assert!(mentions("arc", "arc"));
        for text in ["cannot search", "the arc-lib", "my_arc", ""] {
            assert!(!mentions(text, "arc"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_cut_fits_and_is_a_beginning(text in "\\PC{0,40}", width in 0..40_usize) {
            let short = cut(&text, width);
            prop_assert!(display_width(&short) <= width);
            prop_assert!(text.starts_with(short.trim_end_matches('…')) || text.contains('…'));
        }

        #[test]
        fn what_is_wrapped_fits_and_is_whole(text in "[ a-z/日]{0,60}", width in 2..40_usize) {
            let lines = wrap(&text, width);
            prop_assert!(lines.iter().all(|line| display_width(line) <= width), "{lines:?}");
            let bare = |text: &str| text.replace(' ', "");
            prop_assert_eq!(bare(&lines.concat()), bare(&text));
        }

        #[test]
        fn one_line_is_one_and_harmless(text in ".{0,40}|[\\x00-\\x9f]{0,40}") {
            prop_assert!(!one_line(&text).contains(|c: char| c.is_control()));
        }
    }
}
