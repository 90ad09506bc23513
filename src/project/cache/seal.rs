//! Who wrote a record: a message authentication code (keyed BLAKE3) over it, by a key that only
//! this user's forge on this machine has.
//!
//! A cache is carried about: CI keeps it between runs, groups share its folder, people unpack it
//! from archives. Whoever can write to it could write records, too, so a record only counts with
//! a code made by the key in the user's *data* folder (`record.key`, 32 random bytes, readable by
//! its owner alone), which nobody carries about. A record without a valid code is not a record: what
//! it would have saved is done again.
//!
//! The code covers the record's purpose, so that a record cannot stand in another's place.
//!
//! What this cannot do: a program of the same user that may read the data folder can read the key
//! as forge does. What must hold against such programs is pinned in `forge.lock`.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use ring::rand::{SecureRandom, SystemRandom};

use super::user::can_be_made;
use crate::{
    disk::Folder,
    model::{Mac, UserFolders},
};

/// What the first line of a sealed record begins with.
const FORMAT: &str = "forge-sealed 1 ";

/// The file name of the key in the data folder.
const FILE: &str = "record.key";

type Key = [u8; 32];

/// The key that records are sealed with. It is read when it is first needed, and made when
/// something is first sealed, so that merely looking writes nothing.
#[derive(Clone, Debug)]
pub struct SealKey {
    /// Where the key lies; nowhere if the user has no data folder. Then what this run seals
    /// counts in this run only.
    path: Option<PathBuf>,
    key: OnceLock<Key>,
}

impl SealKey {
    /// The key of a user with these folders.
    #[must_use]
    pub fn of_user(user: &UserFolders) -> Self {
        let path = user.data().ok().map(|folder| folder.join(FILE));
        Self { path, key: OnceLock::new() }
    }

    /// The key that lies in `folder`, or will.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self { path: Some(folder.join(FILE)), key: OnceLock::new() }
    }

    /// `body` with a line before it that proves who wrote it. `purpose` says what it is a record
    /// of; what is sealed for one purpose cannot be opened for another.
    #[must_use]
    pub fn seal(&self, purpose: &str, body: &[u8]) -> Vec<u8> {
        let mut bytes = format!("{FORMAT}{}\n", self.code(purpose, body)).into_bytes();
        bytes.extend_from_slice(body);
        bytes
    }

    /// The code of `body` for `purpose`, for whoever writes it down beside the body.
    #[must_use]
    pub fn code(&self, purpose: &str, body: &[u8]) -> Mac {
        let key = self.key.get_or_init(|| self.read().unwrap_or_else(|| self.make()));
        Mac::compute(key, purpose, body)
    }

    /// Whether `code` is that of `body` for `purpose` with this key.
    #[must_use]
    pub fn confirms(&self, purpose: &str, body: &[u8], code: &Mac) -> bool {
        self.known().is_some_and(|key| Mac::compute(&key, purpose, body) == *code)
    }

    /// The body of what [`seal`](Self::seal) made for this `purpose` with this key; nothing if
    /// somebody else wrote it, or it was changed since.
    #[must_use]
    pub fn open<'a>(&self, purpose: &str, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let at = bytes.iter().position(|byte| *byte == b'\n')?;
        let (line, body) = (&bytes[..at], &bytes[at + 1..]);
        let found: Mac =
            std::str::from_utf8(line.strip_prefix(FORMAT.as_bytes())?).ok()?.parse().ok()?;
        self.confirms(purpose, body, &found).then_some(body)
    }

    /// Whether what is sealed with it counts in later runs: it lies in its place, or can be put there.
    #[must_use]
    pub fn lasts(&self) -> bool {
        let folder = self.path.as_deref().and_then(Path::parent);
        self.known().is_some() || folder.is_some_and(can_be_made)
    }

    fn known(&self) -> Option<Key> {
        if let Some(key) = self.key.get() {
            return Some(*key);
        }
        let key = self.read()?;
        Some(*self.key.get_or_init(|| key))
    }

    /// The key that lies in its place. One that others may have read or written is none.
    fn read(&self) -> Option<Key> {
        let path = self.path.as_ref()?;
        let mut file = Folder::open(path.parent()?).ok()?.open_file(FILE.as_ref()).ok()?;
        let metadata = file.metadata().ok()?;
        let me = rustix::process::geteuid();
        let is_mine = me.is_root() || metadata.uid() == me.as_raw();
        let of_others = metadata.mode() & 0o077;
        let is_private = of_others == 0;
        let mut key = Key::default();
        if !is_mine || !is_private || metadata.len() != key.len() as u64 {
            return None;
        }
        file.read_exact(&mut key).ok()?;
        Some(key)
    }

    /// Makes a key and puts it in its place. If that fails, or another forge was faster, what lies
    /// there counts; if nothing usable does, the key is this run's alone.
    fn make(&self) -> Key {
        let mut key = Key::default();
        SystemRandom::new().fill(&mut key).expect("the operating system gives random bytes");
        let Some(path) = &self.path else { return key };
        match put(path, &key, || self.read().is_none()) {
            Ok(()) => self.read().unwrap_or(key),
            Err(_) => key,
        }
    }
}

/// Puts `key` at `path` in one step. What is there already is replaced if it `is_unusable`.
fn put(path: &Path, key: &Key, is_unusable: impl Fn() -> bool) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(".record.key").tempfile_in(folder)?;
    file.write_all(key)?;
    file.as_file().sync_all()?;
    let taken = match file.persist_noclobber(path) {
        Ok(_) => return sync_folder(folder),
        Err(taken) if taken.error.kind() == io::ErrorKind::AlreadyExists => taken,
        Err(other) => return Err(other.error),
    };
    if is_unusable() {
        taken.file.persist(path).map_err(|error| error.error)?;
    }
    sync_folder(folder)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn key() -> (tempfile::TempDir, SealKey) {
        let dir = tempfile::tempdir().unwrap();
        let key = SealKey::in_folder(&dir.path().join("data"));
        (dir, key)
    }

    #[test]
    fn what_was_sealed_is_opened_by_the_same_user_later() {
        let (dir, key) = key();
        let sealed = key.seal("artifact", b"body");
        let later = SealKey::in_folder(&dir.path().join("data"));
        assert_eq!(later.open("artifact", &sealed), Some(&b"body"[..]));
        assert_eq!(later.open("other", &sealed), None, "another purpose");
    }

    #[test]
    fn no_changed_byte_is_taken() {
        let (_dir, key) = key();
        let sealed = key.seal("artifact", b"body");
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 1;
            assert_eq!(key.open("artifact", &bad), None, "byte {at}");
            assert_eq!(key.open("artifact", &sealed[..at]), None, "cut at {at}");
        }
    }

    #[test]
    fn what_another_key_sealed_is_no_record() {
        let ((_a, ours), (_b, theirs)) = (key(), key());
        let sealed = theirs.seal("artifact", b"body");
        let _ = ours.seal("artifact", b"body");
        assert_eq!(ours.open("artifact", &sealed), None);
    }

    #[test]
    fn looking_makes_no_key() {
        let (dir, key) = key();
        assert_eq!(key.open("artifact", b"forge-sealed 1 00\nbody"), None);
        assert!(!dir.path().join("data").exists());
    }

    #[test]
    fn a_key_that_others_may_read_is_replaced() {
        let (dir, key) = key();
        let sealed = key.seal("artifact", b"body");
        let file = dir.path().join("data").join(FILE);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let later = SealKey::in_folder(&dir.path().join("data"));
        assert_eq!(later.open("artifact", &sealed), None);
        let again = later.seal("artifact", b"body");
        assert_ne!(again, sealed);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(SealKey::in_folder(&dir.path().join("data")).open("artifact", &again).is_some());
    }

    #[test]
    fn without_a_place_for_the_key_records_count_for_this_run() {
        let key = SealKey { path: None, key: OnceLock::new() };
        let sealed = key.seal("artifact", b"body");
        assert_eq!(key.open("artifact", &sealed), Some(&b"body"[..]));
        let other = SealKey { path: None, key: OnceLock::new() };
        assert_eq!(other.open("artifact", &sealed), None);
    }

    #[test]
    fn of_many_that_make_the_key_at_once_all_have_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let sealed: Vec<_> = std::thread::scope(|scope| {
            let seal = || SealKey::in_folder(dir.path()).seal("artifact", b"body");
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(seal)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(sealed.iter().all(|one| *one == sealed[0]));
    }
}
