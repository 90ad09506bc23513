//! A change of `versions.yml` and of `forge.lock`: both, or neither.
//!
//! Each file is replaced in one step. Who is killed between the two leaves a lock that speaks of
//! another version than the one that is pinned, which counts for nothing: the next run locks anew.

use std::{collections::BTreeMap, path::Path};

use crate::{
    cache::{rewrite_file, turn_to_write},
    disk::{MOST_OF_TEXT, is_absent, read_file},
    manifest::{parse_lock, render_lock},
    model::{Fault, Kind, Layout, Lock, Locked, Name},
    process::Cancel,
};

/// Writes a file.
type Write<'a> = &'a dyn Fn(&Path, &[u8]) -> Result<(), Fault>;

/// What is to become of the two files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinEdit {
    /// What `versions.yml` must hold, or else nothing is done.
    pub before: String,
    /// What it holds afterwards.
    pub after: String,
    /// What is locked afterwards. What the lock has of the same version stays; where nothing is
    /// known of a version, it is not mentioned.
    pub locked: BTreeMap<Name, Locked>,
}

impl PinEdit {
    /// Makes the change. If either file cannot be written, both are as they were. While another forge
    /// writes them, this waits, which `tell` is told, until `cancel` ends it.
    ///
    /// # Errors
    /// `Usage` if one of the files is another one meanwhile, `Failed` if one cannot be written.
    pub fn make(&self, layout: &Layout, cancel: &Cancel, tell: &dyn Fn(&str)) -> Result<(), Fault> {
        let _turn = turn_to_write(layout, cancel, tell)?;
        self.make_by(layout, &|path, bytes| rewrite_file(layout, path, bytes))
    }

    fn make_by(&self, layout: &Layout, write: Write) -> Result<(), Fault> {
        let manifest = layout.manifest();
        if read(&manifest)?.unwrap_or_default() != self.before.as_bytes() {
            return Err(Fault::new(Kind::Usage, format!("{} changed meanwhile", Layout::MANIFEST))
                .hint("run it again"));
        }
        let lock = self.lock(layout)?;
        write(&manifest, self.after.as_bytes())?;
        let Some(text) = lock else { return Ok(()) };
        write(&layout.lock(), text.as_bytes()).map_err(|fault| {
            match write(&manifest, self.before.as_bytes()) {
                Ok(()) => fault,
                Err(second) => fault.because(format!("and then: {second}")),
            }
        })
    }

    /// The text of the lock afterwards, if it is another one than now.
    fn lock(&self, layout: &Layout) -> Result<Option<String>, Fault> {
        let before = read(&layout.lock())?;
        let text = String::from_utf8_lossy(before.as_deref().unwrap_or_default());
        let mut lock = parse_lock(&text).map_err(|wrong| {
            Fault::new(Kind::Usage, "forge.lock cannot be read any more").because(wrong.what)
        })?;
        for (name, wanted) in &self.locked {
            apply(&mut lock, name, wanted);
        }
        let after = render_lock(&lock);
        let is_same = match before {
            Some(_) => text == after,
            None => lock.subsystems.is_empty(),
        };
        Ok((!is_same).then_some(after))
    }
}

fn apply(lock: &mut Lock, name: &Name, wanted: &Locked) {
    let known = lock.entry(name, &wanted.version);
    if wanted.commit.is_some() {
        known.commit.clone_from(&wanted.commit);
    }
    known.assets.extend(wanted.assets.iter().map(|(platform, asset)| (*platform, *asset)));
    known.binaries.extend(wanted.binaries.clone());
    known.upstream.extend(wanted.upstream.clone());
    if *known == Locked::nothing_of(&wanted.version) {
        lock.subsystems.remove(name);
    }
}

/// The bytes of the file at `path`, if it is there.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, Fault> {
    match read_file(path, MOST_OF_TEXT) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(Fault::io(format!("cannot read {}", path.display()), &error)),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt, symlink},
    };

    use super::*;
    use crate::model::{LockedAsset, Revision, Sha256};

    const BEFORE: &str = "versions: {a: v1}\n";
    const AFTER: &str = "versions: {a: v2}\n";

    fn workspace() -> (tempfile::TempDir, Layout) {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::at(dir.path().to_owned());
        fs::write(layout.manifest(), BEFORE).unwrap();
        (dir, layout)
    }

    fn change(commit: Option<&str>) -> PinEdit {
        let locked = Locked { commit: commit.map(str::to_owned), ..Locked::nothing_of("v2") };
        let locked = [(Name::new("a").unwrap(), locked)].into();
        PinEdit { before: BEFORE.into(), after: AFTER.into(), locked }
    }

    #[test]
    fn both_files_change_and_keep_their_modes_and_links() {
        let (dir, layout) = workspace();
        let elsewhere = dir.path().join("elsewhere.yml");
        fs::rename(layout.manifest(), &elsewhere).unwrap();
        symlink(&elsewhere, layout.manifest()).unwrap();
        fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o664)).unwrap();
        change(Some("c0ffee")).make(&layout, &Cancel::new(), &|_| ()).unwrap();
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), AFTER);
        assert!(layout.manifest().is_symlink());
        assert_eq!(fs::metadata(&elsewhere).unwrap().permissions().mode() & 0o777, 0o664);
        assert!(
            fs::read_to_string(layout.lock()).unwrap().ends_with("version: v2\n  commit: c0ffee\n")
        );
    }

    #[test]
    fn what_is_not_known_is_not_locked() {
        let (_dir, layout) = workspace();
        change(None).make(&layout, &Cancel::new(), &|_| ()).unwrap();
        assert!(!layout.lock().exists());
        fs::write(layout.lock(), "a:\n  version: v1\n  commit: abc\nb:\n  version: v1\n").unwrap();
        fs::write(layout.manifest(), BEFORE).unwrap();
        change(None).make(&layout, &Cancel::new(), &|_| ()).unwrap();
        let lock = fs::read_to_string(layout.lock()).unwrap();
        assert!(!lock.contains("abc") && lock.contains("b:"), "{lock}");
    }

    #[test]
    fn what_is_locked_of_the_same_version_stays() {
        let asset = LockedAsset {
            fingerprint: "ab".repeat(32).parse().unwrap(),
            sha256: Sha256([1; 32]),
            size: 1,
            revision: Revision::FIRST,
        };
        let name = Name::new("a").unwrap();
        let mut lock = Lock::default();
        lock.entry(&name, "v2").assets.insert("linux-amd64".parse().unwrap(), asset);
        apply(&mut lock, &name, &change(Some("abc")).locked[&name]);
        assert_eq!(lock.subsystems[&name].assets.len(), 1);
        assert_eq!(lock.subsystems[&name].commit.as_deref(), Some("abc"));
    }

    #[test]
    fn where_the_lock_cannot_be_written_the_manifest_stays() {
        let (_dir, layout) = workspace();
        let seen = std::cell::RefCell::new(Vec::new());
        let full = |path: &Path, bytes: &[u8]| {
            seen.borrow_mut().push(path.to_owned());
            match path == layout.lock() {
                true => Err(Fault::new(Kind::Failed, "the disk is full")),
                false => rewrite_file(&layout, path, bytes),
            }
        };
        let fault = change(Some("abc")).make_by(&layout, &full).unwrap_err();
        assert_eq!(fault.what, "the disk is full");
        assert_eq!(*seen.borrow(), [layout.manifest(), layout.lock(), layout.manifest()]);
        assert_eq!(fs::read_to_string(layout.manifest()).unwrap(), BEFORE);
        fs::write(layout.lock(), "garbage").unwrap();
        assert_eq!(
            change(Some("abc")).make(&layout, &Cancel::new(), &|_| ()).unwrap_err().kind,
            Kind::Usage
        );
        assert_eq!(fs::read_to_string(layout.manifest()).unwrap(), BEFORE);
    }

    #[test]
    fn a_manifest_that_somebody_edited_meanwhile_is_left_alone() {
        let (_dir, layout) = workspace();
        fs::write(layout.manifest(), "versions: {a: v9}\n").unwrap();
        assert!(
            change(None)
                .make(&layout, &Cancel::new(), &|_| ())
                .unwrap_err()
                .what
                .contains("changed meanwhile")
        );
        assert_eq!(fs::read_to_string(layout.manifest()).unwrap(), "versions: {a: v9}\n");
    }

    #[test]
    fn no_link_out_of_the_workspace_is_written_through() {
        let (dir, layout) = workspace();
        let outside = tempfile::tempdir().unwrap();
        let victim = outside.path().join("profile");
        fs::write(&victim, "mine\n").unwrap();
        let link = dir.path().join("CHANGELOG.md");
        symlink(&victim, &link).unwrap();
        let fault = rewrite_file(&layout, &link, b"theirs\n").unwrap_err().to_string();
        assert!(fault.contains("is a link that leads out of"), "{fault}");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "mine\n");
    }
}
