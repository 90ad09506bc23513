//! The sign of life of a deployment's owner, for machines that share the folder of the ledger and do not see
//! each other's locks: the owner touches a file from time to time, and whoever finds it fresh leaves the
//! deployment alone. On one machine the lock alone counts, which ends with its process at once.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    time::{Duration, SystemTime},
};

use crate::disk::Folder;

/// How often the file is touched.
const BEAT: Duration = Duration::from_secs(20);
/// How long a touch counts: some beats, and what clocks differ by.
const LEASE: Duration = Duration::from_secs(180);

/// An owner that is there, as long as this lives.
#[derive(Debug)]
pub(super) struct Heartbeat {
    /// When it goes, the beat ends.
    _stop: Sender<()>,
}

impl Heartbeat {
    /// Begins to touch the file `path` of `folder`.
    pub(super) fn begin(folder: Arc<Folder>, path: PathBuf) -> Self {
        let (stop, stopped) = channel::<()>();
        std::thread::spawn(move || {
            while stopped.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                // A disk that is full or away is told by the ledger itself.
                let file = folder.open_or_create(&path);
                let _ = file.and_then(|file| file.set_modified(SystemTime::now()));
            }
        });
        Self { _stop: stop }
    }
}

/// Whether the file `path` of `folder` was touched a short time ago.
pub(super) fn is_fresh(folder: &Folder, path: &Path) -> bool {
    let touched = folder.open_file(path).and_then(|file| file.metadata()?.modified());
    touched.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age < LEASE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_touched_long_ago_is_not_fresh() {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::make(temp.path()).unwrap();
        let path = Path::new("7");
        assert!(!is_fresh(&folder, path));
        let file = folder.open_or_create(path).unwrap();
        assert!(is_fresh(&folder, path));
        file.set_modified(SystemTime::now() - LEASE - BEAT).unwrap();
        assert!(!is_fresh(&folder, path));
    }
}
