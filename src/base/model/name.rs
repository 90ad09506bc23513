//! Subsystem names: what may stand before the colon in `versions.yml`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of a subsystem. It becomes part of a git tag, an asset name and a
/// folder name, so its alphabet is the intersection of what those three allow. One that is
/// discovered may have parts, with `/` between them: `aws/cluster`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Box<str>);

impl Name {
    /// Checks `text` against the alphabet: lower-case letters, digits, `-`, `_`
    /// and `.`, each part beginning with a letter or digit, at most 100 characters in all.
    ///
    /// # Errors
    /// Says in one sentence which character or length is wrong.
    pub fn new(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("a subsystem needs a name".into());
        }
        if text.len() > 100 {
            return Err(format!("`{text}` is longer than 100 characters"));
        }
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_./".contains(c);
        if let Some(bad) = text.chars().find(|c| !allowed(*c)) {
            return Err(format!(
                "`{text}` holds {bad:?}; a subsystem name is made of a-z, 0-9, `-`, `_`, `.` and `/`"
            ));
        }
        if !text.split('/').all(|part| part.starts_with(|c: char| c.is_ascii_alphanumeric())) {
            return Err(format!(
                "`{text}` must begin with a letter or a digit, and so must what follows a `/`"
            ));
        }
        let is_refused = |part: &str| part.ends_with('.') || part.ends_with(".lock");
        if text.contains("..") || text.split('/').any(is_refused) {
            return Err(format!("`{text}` cannot be part of a git tag"));
        }
        Ok(Self(text.into()))
    }

    /// The name as a file may be called: `aws+cluster`.
    #[must_use]
    pub fn file_name(&self) -> String {
        self.0.replace('/', "+")
    }

    /// The name that is called so as a file.
    ///
    /// # Errors
    /// As [`Name::new`].
    pub fn of_file(file: &str) -> Result<Self, String> {
        Self::new(&file.replace('+', "/"))
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
        for good in ["nats", "go1.22", "a", "x_y-z", "0ad", "aws/cluster"] {
            let name = Name::new(good).unwrap();
            assert_eq!(name.as_str(), good);
            assert_eq!(Name::of_file(&name.file_name()), Ok(name));
        }
    }

    #[test]
    fn refuses_everything_else_with_a_reason() {
        for bad in [
            "", "Nats", "a/", "/a", "a//b", "a/-b", "a./b", "a.lock/b", "-x", ".x", "a..b", "a.",
            "a.lock", "é", "a b",
        ] {
            let why = Name::new(bad).unwrap_err();
            assert!(!why.is_empty(), "{bad}");
        }
        assert!(Name::new(&"a".repeat(101)).is_err());
    }
}
