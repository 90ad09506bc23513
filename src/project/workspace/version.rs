//! Which version a subsystem has: as `versions.yml` pins it, or else as its scheme gave it last.

use std::collections::BTreeMap;

use super::LoadInputs;
use crate::{
    manifest::{CommitsDoc, Findings, ManifestDoc, Pairs, Scalar, SchemeDoc, Sp, VersionDoc},
    model::{Commits, Lock, Name, Scheme, Version},
};

/// What stands behind a name under `versions:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stated {
    /// A version.
    Version(Version),
    /// How it comes about.
    Scheme(Scheme),
    /// The project's own tag is it.
    ProjectTag,
}

/// The version that a subsystem has in this invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Current {
    /// The version.
    pub version: Version,
    /// How its versions come about, if they are not pinned.
    pub scheme: Option<Scheme>,
    /// Whether the project's own tag is it.
    pub follows_tag: bool,
    /// Whether this invocation chose it over what the files say.
    pub is_chosen: bool,
}

/// All that says which versions there are.
#[derive(Clone, Copy)]
pub struct VersionTable<'a> {
    /// What `versions.yml` states.
    pub stated: &'a BTreeMap<Name, Sp<Stated>>,
    /// What `forge.lock` holds.
    pub lock: &'a Lock,
    /// What this invocation chooses, and what schemes came to just now.
    pub outside: &'a LoadInputs<'a>,
}

impl VersionTable<'_> {
    /// The version of `name`, which its own line or that of its `family` states, or else its spec.
    pub fn version_of(
        &self,
        name: &Name,
        family: &str,
        in_spec: Option<&Sp<Stated>>,
    ) -> Option<Sp<Current>> {
        let stated = self.stated.get(name).or_else(|| self.stated.get(family)).or(in_spec)?;
        let (pinned, scheme) = match &stated.value {
            Stated::Version(version) => (version.clone(), None),
            Stated::Scheme(scheme) => {
                let current = self.outside.current.get(name).cloned();
                (current.unwrap_or_else(|| self.last(name, scheme)), Some(scheme.clone()))
            }
            Stated::ProjectTag => {
                let tag = self.outside.project_tag.clone();
                (tag.unwrap_or_else(Scheme::unreleased), None)
            }
        };
        let chosen = self.outside.chosen.get(name);
        let is_chosen = chosen.is_some();
        let follows_tag = stated.value == Stated::ProjectTag;
        let version = chosen.cloned().unwrap_or(pinned);
        Some(Sp {
            value: Current { version, scheme, follows_tag, is_chosen },
            bytes: stated.bytes.clone(),
        })
    }

    /// The last version that is known of what `scheme` gave `name`.
    fn last(&self, name: &Name, scheme: &Scheme) -> Version {
        let locked = self.lock.subsystems.get(name).map(|locked| locked.version.as_str());
        let locked = locked.filter(|version| scheme.makes(version));
        locked.and_then(|text| Version::new(text).ok()).unwrap_or_else(Scheme::unreleased)
    }
}

/// What `doc` states, as far as it is valid. The rest is told to `found`.
pub fn stated(doc: &ManifestDoc, found: &mut Findings) -> BTreeMap<Name, Sp<Stated>> {
    let mut all = BTreeMap::new();
    for (key, value) in &doc.versions {
        let name = Name::new(&key.value).map_err(|why| {
            found.add(
                key.bytes.clone(),
                why,
                "not a valid name",
                "rename the subsystem here and its spec",
            );
        });
        let stated = match value {
            VersionDoc::Text(text) => version(text, found)
                .map(|version| Sp { value: Stated::Version(version), bytes: text.bytes.clone() }),
            VersionDoc::Scheme(doc) => stated_scheme(doc, found),
        };
        if let (Ok(name), Some(stated)) = (name, stated) {
            all.entry(name).or_insert(stated);
        }
    }
    all
}

/// The scheme of `doc`, as far as it is valid. The rest is told to `found`.
pub fn stated_scheme(doc: &SchemeDoc, found: &mut Findings) -> Option<Sp<Stated>> {
    let bytes = doc.scheme.bytes.clone();
    if doc.scheme.text == "tag" {
        only_of_commits(&doc.commits, "a tag is as it is", found);
        return Some(Sp { value: Stated::ProjectTag, bytes });
    }
    scheme(doc, found).map(|scheme| Sp { value: Stated::Scheme(scheme), bytes })
}

fn version(text: &Scalar, found: &mut Findings) -> Option<Version> {
    let tell = |why| {
        found.add(
            text.bytes.clone(),
            why,
            "not a valid version",
            "write a tag such as `v1.2.3`, a branch, or a full commit hash",
        );
    };
    Version::new(&text.text).map_err(tell).ok()
}

/// The scheme of `doc`. A word that is none was told when it was compared with its table.
fn scheme(doc: &SchemeDoc, found: &mut Findings) -> Option<Scheme> {
    match doc.scheme.text.as_str() {
        "date" => {
            only_of_commits(&doc.commits, "dates know nothing of this", found);
            Some(Scheme::Date)
        }
        "commits" => commits(&doc.commits, found).map(Scheme::Commits),
        _ => None,
    }
}

/// Tells of what is said of commits where they make no versions.
fn only_of_commits(doc: &CommitsDoc, what: &str, found: &mut Findings) {
    let CommitsDoc { first, bump_minor_pre_major, channels } = doc;
    let first = first.iter().map(|first| &first.bytes);
    let bump = bump_minor_pre_major.iter().map(|flag| &flag.bytes);
    let channels = channels.iter().map(|(branch, _)| &branch.bytes);
    for bytes in first.chain(bump).chain(channels) {
        let help = "remove it, or write `scheme: commits`";
        found.add(bytes.clone(), what, "only of commits", help);
    }
}

fn commits(doc: &CommitsDoc, found: &mut Findings) -> Option<Commits> {
    let usual = Commits::default();
    let first = doc.first.as_ref().map_or(usual.first.as_str(), |first| first.text.as_str());
    let scheme = Commits {
        first: first.to_owned(),
        bump_minor_pre_major: doc
            .bump_minor_pre_major
            .as_ref()
            .is_some_and(|flag| flag.text == "true"),
        channels: channels(&doc.channels, found)?,
    };
    let is_release = Scheme::Commits(scheme.clone()).makes(first) && !first.contains(['-', '+']);
    if let Some(written) = doc.first.as_ref().filter(|_| !is_release) {
        let what = format!("`{first}` is not a semantic version");
        let help = "write three numbers, such as `0.1.0` or `v1.0.0`";
        found.add(written.bytes.clone(), what, "not a first version", help);
        return None;
    }
    Some(scheme)
}

/// Branches with the names of their pre-releases (an identifier, SemVer 2.0.0 section 9).
fn channels(pairs: &Pairs<Scalar>, found: &mut Findings) -> Option<BTreeMap<String, String>> {
    let mut channels = BTreeMap::new();
    let before = found.diagnostics.len();
    for (branch, channel) in pairs {
        let is_word = channel.text.starts_with(|c: char| c.is_ascii_alphabetic())
            && channel.text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !is_word {
            let what = format!("`{}` can be no part of a pre-release", channel.text);
            let help = "write a word such as `dev`, `beta` or `rc`";
            found.add(channel.bytes.clone(), what, "not a channel", help);
        }
        channels.insert(branch.value.clone(), channel.text.clone());
    }
    (found.diagnostics.len() == before).then_some(channels)
}
