//! A second digest of files that forge keeps: BLAKE3, which all cores work out together.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::digest::{hex, unhex};

/// The BLAKE3 digest of a file's bytes. It only ever stands beside a SHA-256 of the same bytes in a
/// record of forge's own, where it saves time: outside of forge nobody knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentSum([u8; 32]);

/// A [`ContentSum`] in the making.
#[derive(Debug, Default)]
pub struct ContentHasher(blake3::Hasher);

impl ContentHasher {
    /// Takes in `bytes`, on all cores if they are many.
    pub fn update(&mut self, bytes: &[u8]) {
        /// Fewer bytes are hashed faster than they are shared out.
        const WORTH_SHARING: usize = 128 << 10;
        match bytes.len() < WORTH_SHARING {
            true => self.0.update(bytes),
            false => self.0.update_rayon(bytes),
        };
    }

    /// The digest of all that was taken in.
    #[must_use]
    pub fn finish(&self) -> ContentSum {
        ContentSum(*self.0.finalize().as_bytes())
    }
}

impl FromStr for ContentSum {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        unhex(text).map(Self).ok_or_else(|| format!("`{text}` is not 64 hexadecimal digits"))
    }
}

impl fmt::Display for ContentSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl TryFrom<String> for ContentSum {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ContentSum> for String {
    fn from(sum: ContentSum) -> Self {
        sum.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_the_bytes_come_the_sum_is_the_same() {
        let bytes: Vec<u8> = (0..1_000_000u32).map(|at| (at % 251) as u8).collect();
        let sum = |pieces: &mut dyn Iterator<Item = &[u8]>| {
            let mut hasher = ContentHasher::default();
            pieces.for_each(|piece| hasher.update(piece));
            hasher.finish()
        };
        let whole = sum(&mut std::iter::once(&bytes[..]));
        assert_eq!(sum(&mut bytes.chunks(1000)), whole);
        assert_eq!(sum(&mut bytes.chunks(300_000)), whole);
        assert_ne!(sum(&mut bytes[1..].chunks(1000)), whole);
        assert_eq!(whole.to_string().parse(), Ok(whole));
    }
}
