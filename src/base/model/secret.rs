//! Secrets: values that stand in no line, log, error, key or record. Whatever is shown goes
//! through a mask first, which puts `***` where a secret would stand.
//!
//! A secret of several lines is also looked for line by line, since that is how output is shown;
//! lines of fewer than [`SHORT`] bytes (the braces of a JSON key) are left alone then. A whole
//! secret is masked however short it is: what is readable matters less than what is promised.

use std::{
    borrow::Cow,
    fmt,
    ops::Range,
    sync::{Arc, PoisonError, RwLock},
};

/// What stands where a secret would.
pub const MASKED: &str = "***";

/// Lines of a secret shorter than this, in bytes, say nothing about it.
const SHORT: usize = 4;

/// Values that are shown nowhere.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    /// What is looked for; none is empty.
    values: Vec<String>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {MASKED}", self.values.len())
    }
}

impl Secrets {
    /// Keeps `value` secret from now on.
    pub fn add(&mut self, value: &str) {
        let whole = value.trim_matches(['\r', '\n']);
        let lines = whole.lines().map(str::trim).filter(|line| line.len() >= SHORT);
        for part in std::iter::once(whole).chain(lines) {
            if !part.is_empty() && !self.values.iter().any(|known| known == part) {
                self.values.push(part.to_owned());
            }
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// `text` with all secrets masked.
    pub fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if !self.values.iter().any(|value| text.contains(value.as_str())) {
            return Cow::Borrowed(text);
        }
        let mut mask = Mask::new(self.clone());
        let mut masked = mask.push(text.as_bytes());
        masked.extend(mask.finish());
        Cow::Owned(String::from_utf8_lossy(&masked).into_owned())
    }
}

impl Extend<String> for Secrets {
    fn extend<T: IntoIterator<Item = String>>(&mut self, values: T) {
        values.into_iter().for_each(|value| self.add(&value));
    }
}

/// All secrets that this process knows, as they become known. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct KnownSecrets(Arc<RwLock<Secrets>>);

impl KnownSecrets {
    /// Keeps `value` secret from now on.
    pub fn add(&self, value: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).add(value);
    }

    /// Keeps `others` secret, too.
    pub fn add_all(&self, others: &Secrets) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.extend(others.values.iter().cloned());
    }

    /// Those known now, and `others`.
    pub fn with(&self, others: &Secrets) -> Secrets {
        let mut all = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        all.extend(others.values.iter().cloned());
        all
    }

    /// `text` with all secrets masked.
    pub fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).mask(text)
    }
}

impl From<Secrets> for KnownSecrets {
    fn from(secrets: Secrets) -> Self {
        Self(Arc::new(RwLock::new(secrets)))
    }
}

/// Masks a stream of bytes, wherever it is cut into pieces.
#[derive(Debug)]
pub struct Mask {
    secrets: Secrets,
    /// What was taken and may be the beginning of a secret.
    held: Vec<u8>,
    /// How many bytes of that are known to belong to one.
    covered: usize,
    /// Whether the last that came out is a masked secret.
    masked: bool,
}

impl Mask {
    /// Masks `secrets`.
    pub fn new(secrets: Secrets) -> Self {
        Self { secrets, held: Vec::new(), covered: 0, masked: false }
    }

    /// Takes what comes next; returns what may be shown now.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.secrets.is_empty() {
            return bytes.to_vec();
        }
        self.held.extend_from_slice(bytes);
        let open = self.open();
        self.release(open)
    }

    /// What is left at the end.
    pub fn finish(&mut self) -> Vec<u8> {
        self.release(self.held.len())
    }

    /// From where on the bytes held may be the beginning of a secret that is not whole yet.
    fn open(&self) -> usize {
        let longest = self.values().map(<[u8]>::len).max().unwrap_or(0);
        let first = (self.held.len() + 1).saturating_sub(longest);
        let begins = |at: &usize| {
            let rest = &self.held[*at..];
            self.values().any(|value| value.len() > rest.len() && value.starts_with(rest))
        };
        (first..self.held.len()).find(begins).unwrap_or(self.held.len())
    }

    /// Gives out the first `count` bytes, those of secrets masked.
    fn release(&mut self, count: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(count);
        let mut at = 0;
        for found in self.found() {
            if found.start >= count {
                break;
            }
            self.pass(at..found.start, &mut out);
            if !self.masked {
                out.extend_from_slice(MASKED.as_bytes());
            }
            self.masked = true;
            at = found.end;
        }
        self.pass(at.min(count)..count, &mut out);
        self.held.drain(..count);
        self.covered = at.max(self.covered).saturating_sub(count);
        out
    }

    fn pass(&mut self, range: Range<usize>, out: &mut Vec<u8>) {
        self.masked &= range.is_empty();
        out.extend_from_slice(&self.held[range]);
    }

    /// Where secrets stand, in order; those that touch or overlap are one.
    fn found(&self) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        if self.covered > 0 {
            found.push(0..self.covered);
        }
        let mut begins = [false; 256];
        self.values().for_each(|value| begins[usize::from(value[0])] = true);
        for at in (0..self.held.len()).filter(|at| begins[usize::from(self.held[*at])]) {
            let rest = &self.held[at..];
            let length = self.values().filter(|value| rest.starts_with(value)).map(<[u8]>::len);
            let Some(length) = length.max() else { continue };
            match found.last_mut() {
                Some(last) if last.end >= at => last.end = last.end.max(at + length),
                _ => found.push(at..at + length),
            }
        }
        found
    }

    fn values(&self) -> impl Iterator<Item = &[u8]> {
        self.secrets.values.iter().map(String::as_bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secrets(values: &[&str]) -> Secrets {
        let mut secrets = Secrets::default();
        for value in values {
            secrets.add(value);
        }
        secrets
    }

    #[test]
    fn secrets_are_masked_whole_overlapping_and_line_by_line() {
        let mask = |values: &[&str], text: &str| secrets(values).mask(text).into_owned();
        assert_eq!(mask(&["hunter2"], "user:hunter2@host"), "user:***@host");
        assert_eq!(mask(&["abc", "bcd"], "xabcdy abc"), "x***y ***");
        assert_eq!(mask(&["x"], "axxb"), "a***b", "a short one is one all the same");
        let key = "BEGIN\n{\n  line one\n}\nEND KEY\n";
        assert_eq!(mask(&[key], "1: BEGIN\n2: {\n3: line one"), "1: ***\n2: {\n3: ***");
        assert_eq!(mask(&[""], "nothing"), "nothing");
        assert_eq!(format!("{:?}", secrets(&["hunter2"])), "1 ***");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// However output is cut into pieces: no secret comes out, nothing else is lost, and the
        /// pieces do not change what comes out.
        #[test]
        fn no_secret_comes_out_however_output_is_cut(
            values in prop::collection::vec("[ab]{1,5}|[abc\n]{4,9}", 1..4),
            text in "[abcd\n]{0,60}",
            cuts in prop::collection::vec(1usize..9, 1..30),
        ) {
            let mut secrets = Secrets::default();
            for value in &values {
                secrets.add(value);
            }
            let mut mask = Mask::new(secrets.clone());
            let (mut rest, mut out, mut cuts) = (text.as_bytes(), Vec::new(), cuts.iter().cycle());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                out.extend(mask.push(piece));
                rest = after;
            }
            out.extend(mask.finish());
            let out = String::from_utf8(out).unwrap();
            for value in &secrets.values {
                prop_assert!(!out.contains(value.as_str()), "{out:?} shows {value:?}");
            }
            prop_assert_eq!(&out, &*secrets.mask(&text));
            let is_outside = |at: usize| !secrets.values.iter().any(|value| {
                let from = at.saturating_sub(value.len() - 1);
                (from..=at).any(|start| text[start..].starts_with(value.as_str()))
            });
            let outside: String =
                text.char_indices().filter(|(at, _)| is_outside(*at)).map(|(_, c)| c).collect();
            prop_assert_eq!(out.replace(MASKED, ""), outside);
        }
    }
}
