//! What `stat` says of a file, as far as it tells whether the contents may have changed.

use std::{
    fs::Metadata,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

/// Size, times, inode and mode of a file. Equal values mean that nobody has written to the file
/// or changed what it is since: the modification time can be set back by whoever writes, the time
/// of the last change of the inode (`ctime`) is set by the system alone.
///
/// Changing the mode, renaming and linking change that time too, so a file's stat is to be taken
/// after the last of those.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileStat {
    /// Bytes.
    pub size: u64,
    /// Nanoseconds since 1970 (negative before).
    pub mtime: i64,
    /// When the file or what is known of it last changed, in nanoseconds since 1970; 0 where the
    /// system has none.
    pub ctime: i64,
    /// Inode number; 0 where the system has none.
    pub inode: u64,
    /// Type and permissions (`st_mode`); 0 where the system has none.
    pub mode: u32,
}

impl FileStat {
    /// Changes younger than this may share their modification time with an earlier state.
    pub const CLOCK_TICK: Duration = Duration::from_millis(50);

    /// Whether a change after `moment` would surely show in the times.
    #[must_use]
    pub fn is_settled(&self, moment: SystemTime) -> bool {
        let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
        let horizon = since.saturating_sub(Self::CLOCK_TICK).as_nanos();
        i128::from(self.mtime.max(self.ctime)) < i128::try_from(horizon).unwrap_or(i128::MAX)
    }

    /// Takes the facts out of `metadata`.
    #[must_use]
    pub fn from_metadata(metadata: &Metadata) -> Self {
        let mtime = metadata.modified().map_or(0, |time| match time.duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_nanos()).unwrap_or(i64::MAX),
        });
        #[cfg(unix)]
        let (ctime, inode, mode) = {
            use std::os::unix::fs::MetadataExt;
            let ctime = nanoseconds(metadata.ctime(), metadata.ctime_nsec());
            (ctime, metadata.ino(), metadata.mode())
        };
        #[cfg(not(unix))]
        let (ctime, inode, mode) = (0, 0, 0);
        Self { size: metadata.len(), mtime, ctime, inode, mode }
    }
}

/// Seconds and nanoseconds since 1970 as nanoseconds alone.
#[cfg(unix)]
fn nanoseconds(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}
