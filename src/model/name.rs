//! Subsystem names: what may stand before the colon in `versions.yml`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of a subsystem. It becomes part of a git tag, an asset name and a
/// folder name, so its alphabet is the intersection of what those three allow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Box<str>);

impl Name {
    /// Checks `text` against the alphabet: lower-case letters, digits, `-`, `_`
    /// and `.`, beginning with a letter or digit, at most 64 characters.
    ///
    /// # Errors
    /// Says in one sentence which character or length is wrong.
    pub fn new(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("a subsystem needs a name".into());
        }
        if text.len() > 64 {
            return Err(format!("`{text}` is longer than 64 characters"));
        }
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
        if let Some(bad) = text.chars().find(|c| !allowed(*c)) {
            return Err(format!(
                "`{text}` holds {bad:?}; a subsystem name is made of a-z, 0-9, `-`, `_` and `.`"
            ));
        }
        if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err(format!("`{text}` must begin with a letter or a digit"));
        }
        if text.contains("..") || text.ends_with('.') || text.ends_with(".lock") {
            return Err(format!("`{text}` cannot be part of a git tag"));
        }
        Ok(Self(text.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for Name {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::new(&text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0.into()
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_tags_assets_and_folders_accept() {
        for good in ["nats", "go1.22", "a", "x_y-z", "0ad"] {
            assert_eq!(Name::new(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn refuses_everything_else_with_a_reason() {
        for bad in ["", "Nats", "a/b", "-x", ".x", "a..b", "a.", "a.lock", "é", "a b"] {
            let why = Name::new(bad).unwrap_err();
            assert!(!why.is_empty(), "{bad}");
        }
        assert!(Name::new(&"a".repeat(65)).is_err());
    }
}
