//! From a place inside a scalar's text to the place in the file. The two differ by
//! quotes, escapes, indentation and folded lines.

use std::ops::Range;

use super::node::{Quoting, Scalar};

impl Scalar {
    /// Where the bytes `inner` of this scalar's text stand in `file`, the text of its file.
    ///
    /// All that is neither blank nor escaped stands in both texts in the same order,
    /// so walking along both in step finds it, whatever the style.
    pub fn locate(&self, file: &str, inner: Range<usize>) -> Range<usize> {
        let Some(source) = file.get(self.bytes.clone()) else { return self.bytes.clone() };
        let mut walk =
            Walk { source, style: self.style, at: usize::from(self.style != Quoting::Plain) };
        let mut start = None;
        for (index, char) in self.text.char_indices() {
            let before = walk.step(char);
            if index >= inner.start && start.is_none() {
                start = Some(before);
            }
            if index + char.len_utf8() >= inner.end {
                break;
            }
        }
        let base = self.bytes.start;
        start.map_or(self.bytes.clone(), |start| base + start..base + walk.at.max(start))
    }
}

struct Walk<'a> {
    source: &'a str,
    style: Quoting,
    at: usize,
}

impl Walk<'_> {
    /// Goes over what stands for `char`; returns where that began.
    fn step(&mut self, char: char) -> usize {
        let blank = char.is_whitespace();
        loop {
            let before = self.at;
            let Some(next) = self.source[self.at..].chars().next() else { return before };
            if next == '\\' && self.style == Quoting::Double {
                self.at += self.escape();
                let continues_line =
                    matches!(self.source.as_bytes()[before + 1..], [b'\r' | b'\n', ..]);
                if continues_line {
                    continue;
                }
            } else if next == char {
                let doubled = next == '\'' && self.style == Quoting::Single;
                self.at += if doubled { 2 } else { next.len_utf8() };
            } else if next.is_whitespace() {
                self.at += next.len_utf8();
                if !blank {
                    continue;
                }
            } else if !blank {
                // The texts have gone apart; stay on a character boundary and go on.
                self.at += next.len_utf8();
            }
            self.at = self.at.min(self.source.len());
            return before;
        }
    }

    /// The length of the escape sequence at the current place (YAML 1.2, section 5.7).
    fn escape(&self) -> usize {
        let mut rest = self.source[self.at..].chars().skip(1);
        let wanted = match rest.next() {
            Some('x') => 4,
            Some('u') => 6,
            Some('U') => 10,
            Some(other) => 1 + other.len_utf8(),
            None => 1,
        };
        let end = (self.at + wanted).min(self.source.len());
        let end = (end..=self.source.len()).find(|end| self.source.is_char_boundary(*end));
        end.unwrap_or(self.source.len()) - self.at
    }
}

#[cfg(test)]
mod tests {
    use super::super::{node::Node, yaml::parse};
    use proptest::prelude::*;

    proptest! {
        /// Whatever the style, a letter that stands once in text and file is found.
        #[test]
        fn a_unique_letter_is_found_in_every_style(
            before in "[a-y 0-9é'\n]{0,30}", after in "[a-y 0-9é'\n]{0,30}", style in 0usize..5
        ) {
            let lines = format!("q{before}Z{after}q");
            let indented = lines.replace('\n', "\n  ");
            let file = match style {
                0 => format!("k: |\n  {indented}\n"),
                1 => format!("k: >-\n  {indented}\n"),
                2 => format!("k: '{}'\n", indented.replace('\'', "''")),
                3 => format!("k: {lines:?}\n"),
                _ => format!("k:\n  {indented}\n"),
            };
            let Ok(Some(root)) = parse(&file) else { return Ok(()) };
            let Some(scalar) = root.get("k").and_then(Node::scalar) else { return Ok(()) };
            let inner = scalar.text.find('Z').unwrap();
            let place = scalar.locate(&file, inner..inner + 1);
            prop_assert_eq!(&file[place.clone()], "Z", "{} {:?}", file, place);
        }

        #[test]
        fn no_range_leads_out_of_the_file(text in "[ -~\n\\PC]{0,40}", start: u8, length: u8) {
            let file = format!("k: {text}\n");
            let Ok(Some(root)) = parse(&file) else { return Ok(()) };
            for entry in root.entries() {
                if let Some(scalar) = entry.value.scalar() {
                    let inner = usize::from(start)..usize::from(start) + usize::from(length);
                    prop_assert!(file.get(scalar.locate(&file, inner)).is_some());
                }
            }
        }
    }
}
