//! The versions of all subsystems at one commit, by what `versions.yml` and `forge.lock` were then.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use crate::{
    manifest::{Findings, MAX_BYTES, ManifestFile, VersionDoc, parse_lock, read_manifest},
    model::{Layout, Version},
};

/// Subsystem to version, as it stands in tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Components(BTreeMap<String, String>);

impl Components {
    /// Reads what the files held. What is not understood there any more is left out: an old
    /// commit has no duty to please a new forge.
    pub fn read(manifest: &str, lock: Option<&str>) -> Self {
        let path = PathBuf::from(Layout::MANIFEST);
        let file = ManifestFile::new(path, manifest.as_bytes().to_vec(), MAX_BYTES);
        let versions = read_manifest(&file, &mut Findings::new(&file)).versions;
        let lock = lock.and_then(|text| parse_lock(text).ok()).unwrap_or_default();
        let label = |name: &str, text: &str| {
            let Ok(version) = Version::new(text) else { return text.to_owned() };
            let locked = lock.subsystems.get(name).filter(|locked| locked.version == text);
            let commit = locked.and_then(|locked| locked.commit.as_deref());
            version.label(commit.filter(|_| version.is_moving()))
        };
        // What a scheme makes stands in the lock alone.
        let locked = lock.subsystems.iter();
        let mut components: BTreeMap<String, String> =
            locked.map(|(name, locked)| (name.to_string(), locked.version.clone())).collect();
        for (name, version) in &versions {
            if let VersionDoc::Text(text) = version {
                components.insert(name.value.clone(), label(&name.value, &text.text));
            }
        }
        Self(components)
    }

    /// What is different in `newer`: name, version here, version there.
    pub fn changes<'c>(
        &'c self,
        newer: &'c Self,
    ) -> Vec<(&'c str, Option<&'c str>, Option<&'c str>)> {
        let names: BTreeSet<&String> = self.0.keys().chain(newer.0.keys()).collect();
        let both = names.into_iter().map(|name| {
            let version = |components: &'c Self| components.0.get(name).map(String::as_str);
            (name.as_str(), version(self), version(newer))
        });
        both.filter(|(_, before, after)| before != after).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_told_by_name() {
        let commit =
            |digit: &str| format!("tip:\n  version: main\n  commit: {}\n", digit.repeat(40));
        let old = "versions: { same: v1, up: v1.9, gone: v1, tip: main }\n";
        let new = "versions: { same: v1, up: v1.10, new: 2, tip: main }\nodd: true\n";
        let old = Components::read(old, Some(&commit("a")));
        let new = Components::read(new, Some(&commit("b")));
        let changes = old.changes(&new);
        let label = |digit: &str| format!("main-{}", digit.repeat(12));
        assert_eq!(
            changes,
            [
                ("gone", Some("v1"), None),
                ("new", None, Some("2")),
                ("tip", Some(label("a").as_str()), Some(label("b").as_str())),
                ("up", Some("v1.9"), Some("v1.10")),
            ]
        );
        assert_eq!(Components::read("no: [yaml", Some("garbage")), Components::default());
    }
}
