//! Small files that came from URLs, by their digests: what `include` pins. Each is hashed again
//! whenever it is read, so one that was changed is as good as none.

use std::path::PathBuf;

use super::Cache;
use crate::{
    archive::Hasher,
    disk::{MOST_OF_TEXT, read_file},
    model::{Fault, Sha256},
};

impl Cache {
    /// The file with this digest, if it is here as it was.
    pub fn pinned(&self, sha256: Sha256) -> Option<Vec<u8>> {
        let bytes = read_file(&self.pinned_path(sha256), MOST_OF_TEXT).ok()?;
        let mut hasher = Hasher::new();
        hasher.update(&bytes);
        (hasher.finish() == sha256).then_some(bytes)
    }

    /// Keeps a file that was compared with this digest.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep_pinned(&self, sha256: Sha256, bytes: &[u8]) -> Result<(), Fault> {
        self.write(&self.pinned_path(sha256), bytes)
    }

    fn pinned_path(&self, sha256: Sha256) -> PathBuf {
        self.root().join("pinned").join(sha256.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::cache::SealKey;

    #[test]
    fn what_was_changed_is_as_good_as_none() {
        let dir = tempfile::tempdir().unwrap();
        let cache =
            Cache::new(dir.path().join("cache"), SealKey::in_folder(&dir.path().join("data")));
        let mut hasher = Hasher::new();
        hasher.update(b"text");
        let sha256 = hasher.finish();
        assert_eq!(cache.pinned(sha256), None);
        cache.keep_pinned(sha256, b"text").unwrap();
        assert_eq!(cache.pinned(sha256).as_deref(), Some(&b"text"[..]));
        fs::write(cache.pinned_path(sha256), "tex").unwrap();
        assert_eq!(cache.pinned(sha256), None);
        cache.keep_pinned(sha256, b"text").unwrap();
        assert!(cache.pinned(sha256).is_some());
    }
}
