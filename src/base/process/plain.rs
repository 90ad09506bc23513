//! Plain text from what programs print: without colours, cursor movements and progress
//! that was overwritten.

use std::borrow::Cow;

/// A printed line as a person saw it at the end: the last of the texts that a carriage
/// return overwrote, without escape sequences (ECMA-48) and control characters but
/// tabs, invalid UTF-8 replaced.
pub fn plain(line: &[u8]) -> Cow<'_, str> {
    if !line.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
        return String::from_utf8_lossy(line);
    }
    line.rsplit(|byte| *byte == b'\r')
        .map(without_escapes)
        .find(|segment| !segment.is_empty())
        .unwrap_or_default()
        .into()
}

fn without_escapes(segment: &[u8]) -> String {
    let mut text = Vec::with_capacity(segment.len());
    let mut rest = segment;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            0x1b => rest = after_escape(after),
            b'\t' => text.push(byte),
            _ if byte.is_ascii_control() => {}
            _ => text.push(byte),
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// What follows the escape sequence of which `rest` is all but its ESC.
fn after_escape(rest: &[u8]) -> &[u8] {
    let length = match rest.first() {
        // CSI: parameters, then one final byte.
        Some(b'[') => rest.iter().skip(1).position(|b| (0x40..=0x7e).contains(b)).map(|at| at + 2),
        // OSC, DCS, SOS, PM and APC: up to BEL or ESC \.
        Some(b']' | b'P' | b'X' | b'^' | b'_') => {
            let bell = rest.iter().position(|b| *b == 0x07).map(|at| at + 1);
            let end = rest.windows(2).position(|pair| pair == b"\x1b\\").map(|at| at + 2);
            [bell, end].into_iter().flatten().min()
        }
        // Others: intermediates, then one final byte.
        _ => rest.iter().position(|b| !(0x20..=0x2f).contains(b)).map(|at| at + 1),
    };
    &rest[length.unwrap_or(rest.len())..]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn colours_and_titles_go() {
        assert_eq!(plain(b"\x1b[1;31merror\x1b[0m: x"), "error: x");
        assert_eq!(plain(b"\x1b]0;title\x07a\x1b]8;;http://x\x1b\\b\x1b(Bc"), "abc");
        assert_eq!(plain(b"a\x08\x07b\tc"), "ab\tc");
        assert_eq!(plain(b"cut \x1b[3"), "cut ");
    }

    #[test]
    fn the_last_progress_stays() {
        assert_eq!(plain(b"10%\r50%\r100%\r"), "100%");
        assert_eq!(plain(b"100%\r\x1b[K"), "100%");
        assert_eq!(plain(b"\r"), "");
    }

    #[test]
    fn invalid_bytes_are_replaced() {
        assert_eq!(plain(b"a\xffb"), "a\u{fffd}b");
    }

    proptest! {
        #[test]
        fn nothing_that_moves_a_cursor_is_left(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert!(!plain(&bytes).chars().any(|c| c.is_ascii_control() && c != '\t'));
        }

        #[test]
        fn plain_text_stays(text in "[ -~ü]{0,40}") {
            prop_assert_eq!(plain(text.as_bytes()), text.as_str());
        }
    }
}
