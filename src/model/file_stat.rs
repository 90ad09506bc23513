//! What `stat` says of a file, as far as it tells whether the contents may have changed.

use std::{
    fs::Metadata,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

/// Size, modification time, inode and mode of a file. Equal values mean that nobody has written
/// to the file or changed what it is since, as far as the file system tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileStat {
    /// Bytes.
    pub size: u64,
    /// Nanoseconds since 1970 (negative before).
    pub mtime: i64,
    /// Inode number; 0 where the system has none.
    pub inode: u64,
    /// Type and permissions (`st_mode`); 0 where the system has none. A change of these alone
    /// leaves the modification time as it was.
    pub mode: u32,
}

impl FileStat {
    /// Changes younger than this may share their modification time with an earlier state.
    pub const CLOCK_TICK: Duration = Duration::from_millis(50);

    /// Whether a change after `moment` would surely show in the modification time.
    #[must_use]
    pub fn is_settled(&self, moment: SystemTime) -> bool {
        let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
        let horizon = since.saturating_sub(Self::CLOCK_TICK).as_nanos();
        i128::from(self.mtime) < i128::try_from(horizon).unwrap_or(i128::MAX)
    }

    /// Takes the facts out of `metadata`.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        let mtime = metadata.modified().map_or(0, |time| match time.duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_nanos()).unwrap_or(i64::MAX),
        });
        #[cfg(unix)]
        let (inode, mode) = {
            use std::os::unix::fs::MetadataExt;
            (metadata.ino(), metadata.mode())
        };
        #[cfg(not(unix))]
        let (inode, mode) = (0, 0);
        Self { size: metadata.len(), mtime, inode, mode }
    }
}
