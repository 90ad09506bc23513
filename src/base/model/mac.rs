//! A message authentication code: who has the key wrote this, and nobody changed it since.

use std::{fmt, str::FromStr};

use super::digest::{hex, unhex};

/// A keyed BLAKE3 code over a purpose and some bytes. Comparing two takes the same time whether
/// they are equal or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mac(blake3::Hash);

impl Mac {
    /// The code that `key` gives to `bytes` for `purpose`.
    #[must_use]
    pub fn compute(key: &[u8; 32], purpose: &str, bytes: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(key);
        // With its length before it, no purpose can run over into the bytes.
        hasher.update(&(purpose.len() as u64).to_le_bytes());
        hasher.update(purpose.as_bytes());
        hasher.update(bytes);
        Self(hasher.finalize())
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(self.0.as_bytes()))
    }
}

impl FromStr for Mac {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bytes = unhex(text).ok_or_else(|| format!("`{text}` is not 64 hexadecimal digits"))?;
        Ok(Self(bytes.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_purpose_and_bytes_all_count() {
        let mac = Mac::compute(&[1; 32], "ab", b"c");
        assert_eq!(mac.to_string().parse(), Ok(mac));
        assert_ne!(mac, Mac::compute(&[2; 32], "ab", b"c"));
        assert_ne!(mac, Mac::compute(&[1; 32], "a", b"bc"), "the purpose ends where it ends");
        assert_ne!(mac, Mac::compute(&[1; 32], "ab", b"d"));
    }
}
