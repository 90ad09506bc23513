//! A reason why a component is affected, and its words.

use super::manifest::ComponentChange;
use crate::model::{Layout, Name};

/// Why a component is affected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// git has no tag of a release of it.
    Unreleased,
    /// This version of it was not; another one was.
    NewVersion(String),
    /// A file of its own.
    Own(String),
    /// Its spec.
    Spec(String),
    /// `versions.yml`; where it is known, what of it.
    Versions(Option<ComponentChange>),
    /// A file that a pattern of `also` means.
    Also(String, String),
    /// A file that its commands name.
    Used(String),
    /// A file that a link of its own leads to.
    Linked(String),
    /// A file that it imports.
    Imported(String),
    /// Another component that is needed to build it.
    Needs(Name),
}

impl Reason {
    /// The kind of it, as a word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unreleased | Self::NewVersion(_) => "unreleased",
            Self::Own(_) => "own",
            Self::Spec(_) => "spec",
            Self::Versions(_) => "versions",
            Self::Also(..) => "also",
            Self::Used(_) => "used",
            Self::Linked(_) => "linked",
            Self::Imported(_) => "imported",
            Self::Needs(_) => "needs",
        }
    }

    /// The file that has changed, if it is one.
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::Own(file)
            | Self::Spec(file)
            | Self::Also(file, _)
            | Self::Used(file)
            | Self::Linked(file)
            | Self::Imported(file) => Some(file),
            Self::Versions(_) => Some(Layout::MANIFEST),
            Self::Unreleased | Self::NewVersion(_) | Self::Needs(_) => None,
        }
    }

    /// The reason in words.
    pub fn told(&self) -> String {
        match self {
            Self::Unreleased => "no release of it is tagged in git".into(),
            Self::NewVersion(version) => format!("{version} is not released yet"),
            Self::Own(file) => file.clone(),
            Self::Spec(file) => format!("{file}, its spec"),
            Self::Versions(None) => format!("{}, which holds for all", Layout::MANIFEST),
            Self::Versions(Some(ComponentChange::Common(key))) => {
                format!("{}, whose `{key}` holds for all", Layout::MANIFEST)
            }
            Self::Versions(Some(ComponentChange::Version(name))) => {
                format!("{}, the line of {name}", Layout::MANIFEST)
            }
            Self::Also(file, pattern) => format!("{file}, by `also: {pattern}`"),
            Self::Used(file) => format!("{file}, which its commands name"),
            Self::Linked(file) => format!("{file}, which a link in it leads to"),
            Self::Imported(file) => format!("{file}, which it imports"),
            Self::Needs(name) => format!("{name}, which it is built with"),
        }
    }
}
