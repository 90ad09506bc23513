//! Commands that a shell was asked about and can read, by their digests. They are kept so that no run asks
//! again; the file is sealed, since a command that counts as sound without being so fails in the middle of a
//! build.

use std::{collections::BTreeSet, path::PathBuf};

use super::Cache;
use crate::{disk::read_file, model::Fault};

/// What the file is sealed as.
const PURPOSE: &str = "commands that shells can read";

/// The digest of a command and the shell that can read it.
pub type CommandDigest = [u8; 32];

/// How many are kept.
pub const MOST_COMMANDS: usize = 20_000;

/// More than the file ever takes, in bytes.
const MOST_BYTES: u64 = 2 << 20;

impl Cache {
    /// The commands that are known to be sound.
    pub fn sound_commands(&self) -> BTreeSet<CommandDigest> {
        let bytes = read_file(&self.sound_commands_path(), MOST_BYTES).unwrap_or_default();
        let body = self.key().open(PURPOSE, &bytes).unwrap_or_default();
        body.as_chunks().0.iter().copied().collect()
    }

    /// Keeps these and no others.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn keep_sound_commands(&self, commands: &BTreeSet<CommandDigest>) -> Result<(), Fault> {
        let body = commands.iter().flatten().copied().collect::<Vec<u8>>();
        self.write(&self.sound_commands_path(), &self.key().seal(PURPOSE, &body))
    }

    fn sound_commands_path(&self) -> PathBuf {
        self.root().join("sound-commands")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::SealKey;

    #[test]
    fn only_what_this_user_kept_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let cache = |data: &str| {
            Cache::new(dir.path().join("cache"), SealKey::in_folder(&dir.path().join(data)))
        };
        assert_eq!(cache("data").sound_commands(), BTreeSet::new());
        let commands = BTreeSet::from([[1; 32], [2; 32]]);
        cache("data").keep_sound_commands(&commands).unwrap();
        assert_eq!(cache("data").sound_commands(), commands);
        assert_eq!(cache("another").sound_commands(), BTreeSet::new());
    }
}
