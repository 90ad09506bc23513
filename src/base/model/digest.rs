//! Digests: what assets and binaries are known by outside forge. forge's own are SHA-256;
//! vendors publish some others too.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A SHA-256 digest (FIPS 180-4). Written as 64 hexadecimal digits, as
/// `sha256sum` does; read with or without the prefix `sha256:` that GitHub puts before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256(pub [u8; 32]);

/// Text that is no SHA-256 digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a SHA-256 digest: it takes 64 hexadecimal digits")]
pub struct ParseDigestError(pub String);

impl Sha256 {
    /// The first twelve hexadecimal digits, for messages.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{self}")
    }
}

impl FromStr for Sha256 {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        unhex(digits).map(Self).ok_or_else(|| ParseDigestError(text.to_owned()))
    }
}

impl TryFrom<String> for Sha256 {
    type Error = ParseDigestError;
    fn try_from(text: String) -> Result<Self, ParseDigestError> {
        text.parse()
    }
}

impl From<Sha256> for String {
    fn from(digest: Sha256) -> Self {
        digest.to_string()
    }
}

/// The algorithms of digests that forge compares downloads with (FIPS 180-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256: 32 bytes.
    Sha256,
    /// SHA-384: 48 bytes.
    Sha384,
    /// SHA-512: 64 bytes.
    Sha512,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    /// Its name as people write it in lower case: `sha512`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// How many bytes its digests have.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// The longest digest, in bytes.
const LONGEST: usize = 64;

/// A digest as a vendor publishes it: SHA-256, SHA-384 or SHA-512, told apart by length.
/// Written as hexadecimal digits; read with or without a prefix such as `sha512:`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest {
    algorithm: Algorithm,
    /// Zeros after the last byte of the digest.
    bytes: [u8; LONGEST],
}

/// Text that is no digest that forge compares with. Says why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a digest that forge can check: {why}")]
pub struct WrongDigest {
    /// The text.
    pub text: String,
    /// What is wrong with it, as the end of a sentence.
    pub why: String,
}

impl Digest {
    /// The digest with these bytes, if `algorithm` makes as many.
    #[must_use]
    pub fn new(algorithm: Algorithm, digest: &[u8]) -> Option<Self> {
        let mut bytes = [0; LONGEST];
        bytes
            .get_mut(..algorithm.bytes())?
            .copy_from_slice(Some(digest).filter(|digest| digest.len() == algorithm.bytes())?);
        Some(Self { algorithm, bytes })
    }

    /// Which algorithm it is of.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.algorithm.bytes()]
    }

    /// The same as a SHA-256 digest, if it is one.
    #[must_use]
    pub fn sha256(&self) -> Option<Sha256> {
        self.as_bytes().try_into().ok().map(Sha256)
    }

    /// The first twelve hexadecimal digits, for messages.
    #[must_use]
    pub fn short(&self) -> String {
        hex(&self.bytes[..6])
    }

    /// The digest that `digits`, and nothing else, stand for. Their number tells the algorithm.
    ///
    /// # Errors
    /// Why they stand for none, as the end of a sentence that begins with "it".
    pub fn from_digits(digits: &str) -> Result<Self, String> {
        if let Some(other) = digits.chars().find(|c| !c.is_ascii_hexdigit()) {
            return Err(format!("has {other:?} in it, which is not a hexadecimal digit"));
        }
        let of = Algorithm::ALL.into_iter().find(|it| it.bytes() * 2 == digits.len());
        let bytes = unhex_all(digits);
        of.zip(bytes).and_then(|(of, bytes)| Self::new(of, &bytes)).ok_or_else(|| {
            match digits.len() {
                32 => "is as long as an MD5 digest, which proves nothing any more".to_owned(),
                40 => "is as long as a SHA-1 digest, which proves nothing any more".to_owned(),
                count => format!(
                    "has {count} hexadecimal digits; SHA-256 has 64, SHA-384 96 and SHA-512 128"
                ),
            }
        })
    }
}

impl From<Sha256> for Digest {
    fn from(sha256: Sha256) -> Self {
        let mut bytes = [0; LONGEST];
        bytes[..32].copy_from_slice(&sha256.0);
        Self { algorithm: Algorithm::Sha256, bytes }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(self.as_bytes()))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{self}", self.algorithm.as_str())
    }
}

impl FromStr for Digest {
    type Err = WrongDigest;

    fn from_str(text: &str) -> Result<Self, WrongDigest> {
        let wrong = |why: String| WrongDigest { text: text.to_owned(), why };
        let (algorithm, digits) = match text.split_once(':') {
            Some((name, digits)) => {
                let of = Algorithm::ALL.into_iter().find(|it| it.as_str() == name);
                let why = || wrong(format!("`{name}` is none of sha256, sha384 and sha512"));
                (Some(of.ok_or_else(why)?), digits)
            }
            None => (None, text),
        };
        let digest = Self::from_digits(digits).map_err(|why| wrong(format!("it {why}")))?;
        match algorithm {
            Some(of) if of != digest.algorithm => Err(wrong(format!(
                "it is called {}, which has {} hexadecimal digits",
                of.as_str(),
                of.bytes() * 2
            ))),
            _ => Ok(digest),
        }
    }
}

impl TryFrom<String> for Digest {
    type Error = WrongDigest;
    fn try_from(text: String) -> Result<Self, WrongDigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)] as char);
        text.push(DIGITS[usize::from(byte & 15)] as char);
    }
    text
}

/// The 32 bytes that 64 hexadecimal digits stand for.
pub(super) fn unhex(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    (digits.len() == 2 * bytes.len()).then_some(())?;
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = unhex_pair(pair)?;
    }
    Some(bytes)
}

/// The bytes that hexadecimal digits stand for, two each.
fn unhex_all(digits: &str) -> Option<Vec<u8>> {
    digits.as_bytes().chunks(2).map(unhex_pair).collect()
}

fn unhex_pair(pair: &[u8]) -> Option<u8> {
    let value = |digit: u8| (digit as char).to_digit(16).and_then(|v| u8::try_from(v).ok());
    Some(value(*pair.first()?)? << 4 | value(*pair.get(1)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_digest_says_why() {
        for (text, why) in [
            ("a".repeat(32), "as long as an MD5 digest"),
            ("a".repeat(40), "as long as a SHA-1 digest"),
            ("a".repeat(63), "has 63 hexadecimal digits; SHA-256 has 64"),
            ("a".repeat(100), "has 100 hexadecimal digits"),
            ("x".repeat(64), "has 'x' in it"),
            (format!("sha512:{}", "a".repeat(64)), "called sha512, which has 128"),
            (format!("md5:{}", "a".repeat(32)), "`md5` is none of sha256"),
            (String::new(), "has 0 hexadecimal digits"),
        ] {
            let wrong = text.parse::<Digest>().unwrap_err().to_string();
            assert!(wrong.contains(why), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_digest_survives_the_round_trip(bytes: [u8; 32]) {
            let digest = Sha256(bytes);
            prop_assert_eq!(digest.to_string().parse(), Ok(digest));
            prop_assert_eq!(format!("sha256:{digest}").parse(), Ok(digest));
        }

        #[test]
        fn no_other_text_is_taken_for_one(text in "[0-9a-fA-F]{0,63}|.{0,80}") {
            prop_assume!(text.len() != 64 && text.len() != 71);
            prop_assert!(text.parse::<Sha256>().is_err());
        }

        #[test]
        fn a_published_digest_is_told_by_its_length(bytes: [u8; 32], more: [u8; 32]) {
            let all = [bytes, more].concat();
            for of in Algorithm::ALL {
                let digest = Digest::new(of, &all[..of.bytes()]).unwrap();
                prop_assert_eq!(digest.to_string().to_uppercase().parse(), Ok(digest));
                prop_assert_eq!(format!("{digest:?}").parse(), Ok(digest));
                prop_assert_eq!(digest.as_bytes(), &all[..of.bytes()]);
                prop_assert_eq!(digest.sha256().is_some(), of == Algorithm::Sha256);
            }
            prop_assert_eq!(Digest::from(Sha256(bytes)).to_string(), Sha256(bytes).to_string());
        }
    }
}
