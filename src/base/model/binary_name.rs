//! Names of binaries: what specs, stamps, records and `forge.lock` may call them.

use std::{borrow::Borrow, collections::BTreeMap, fmt, ops::Deref, path::Path, str::FromStr};

use serde::{Deserialize, Serialize};

use super::Sha256;

/// The digest of each binary of an artifact.
pub type Binaries = BTreeMap<BinaryName, Sha256>;

/// The file name of a binary. Whatever names one, be it a spec, a stamp in an asset or a record in
/// a cache, can only name a plain file: never a path, never a hidden file such as `.version`, and
/// nothing that means something to a shell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BinaryName(Box<str>);

impl BinaryName {
    /// Checks `text`.
    ///
    /// # Errors
    /// Says in one sentence that it cannot be the name of a binary.
    pub fn new(text: &str) -> Result<Self, String> {
        const MAX_BYTES: usize = 255;
        let is_bad =
            |c: char| c.is_control() || c.is_whitespace() || "/\\:\"'$`;&|<>()*?".contains(c);
        if text.is_empty()
            || text.len() > MAX_BYTES
            || text.starts_with(['.', '-'])
            || text.contains(is_bad)
        {
            return Err(format!("`{}` cannot be the name of a binary", text.escape_debug()));
        }
        Ok(Self(text.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for BinaryName {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for BinaryName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<Path> for BinaryName {
    fn as_ref(&self) -> &Path {
        Path::new(&*self.0)
    }
}

impl fmt::Display for BinaryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for BinaryName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::new(text)
    }
}

impl TryFrom<String> for BinaryName {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::new(&text)
    }
}

impl From<BinaryName> for String {
    fn from(name: BinaryName) -> Self {
        name.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_file_names_are_taken() {
        for good in ["nats-server", "a.exe", "x_y", "0ad", "clang++", "日本"] {
            assert_eq!(BinaryName::new(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn whatever_could_lead_elsewhere_is_refused() {
        for bad in [
            "",
            ".",
            "..",
            ".version",
            ".record",
            "-x",
            "a/b",
            "/etc/passwd",
            "../x",
            "a\\b",
            "a b",
            "a\nb",
            "a\0b",
            "c:",
            "$HOME",
            "a*",
        ] {
            assert!(BinaryName::new(bad).is_err(), "{bad:?}");
            let json = serde_json::to_string(bad).unwrap();
            assert!(serde_json::from_str::<BinaryName>(&json).is_err(), "{bad:?} in a record");
        }
        assert!(BinaryName::new(&"a".repeat(256)).is_err());
    }
}
