//! The environment variables that forge was started with, as a value: they are read once, where the
//! process begins, and whoever needs them is given them.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fmt,
    path::PathBuf,
    sync::Arc,
};

/// Environment variables. Clones share them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(Arc<BTreeMap<OsString, OsString>>);

impl Environment {
    /// The value of `name`, if it is set and is UTF-8.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.raw(name)?.to_str()
    }

    /// The value of `name`, if it is set.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// The path that `name` holds, if it is set and not empty.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.raw(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// All variables, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.0.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// The variables whose name and value are UTF-8.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.iter().filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)))
    }

    /// [`Self::texts`], as a map of their own.
    #[must_use]
    pub fn to_texts(&self) -> BTreeMap<String, String> {
        self.texts().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

impl<N: Into<OsString>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let pairs = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self(Arc::new(pairs.collect()))
    }
}

impl fmt::Debug for Environment {
    /// Without the values, some of which are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Environment({} variables)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_text_or_a_path_and_shown_nowhere() {
        let environment: Environment = [("A", "x"), ("EMPTY", "")].into_iter().collect();
        assert_eq!((environment.get("A"), environment.get("B")), (Some("x"), None));
        assert_eq!(environment.path("A"), Some("x".into()));
        assert_eq!((environment.get("EMPTY"), environment.path("EMPTY")), (Some(""), None));
        assert_eq!(environment.texts().count(), 2);
        assert_eq!(format!("{environment:?}"), "Environment(2 variables)");
    }
}
