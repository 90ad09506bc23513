//! Changing the disk in one step: whole files, whole folders, or nothing.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::model::Fault;

/// A folder for half-made things, removed when dropped. Its name holds the process
/// id and a count, so that no two are the same, and none is ever mistaken for a
/// finished thing: whatever a kill leaves behind here is garbage.
#[derive(Debug)]
pub struct Staging {
    path: PathBuf,
}

impl Staging {
    /// Makes a new folder below `parent`, for something called `name`.
    pub fn new(parent: &Path, name: &str) -> Result<Self, Fault> {
        let path = parent.join(unique(name));
        make_folder(&path)
            .map_err(|e| Fault::io(format!("cannot make the folder {}", path.display()), &e))?;
        Ok(Self { path })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes what killed processes left below `parent`: whatever carries the process id of
    /// one that is gone, and is older than `age` (machines that share a folder do not see
    /// each other's processes).
    pub fn sweep(parent: &Path, age: Duration) {
        let Ok(entries) = fs::read_dir(parent) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let pid = name.rsplit('.').nth(1).and_then(|pid| pid.parse::<i32>().ok());
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            let is_old = modified.is_ok_and(|time| time.elapsed().unwrap_or_default() >= age);
            if is_old && pid.is_none_or(|pid| !is_alive(pid)) {
                let _ = match entry.file_type() {
                    Ok(kind) if kind.is_dir() => remove_tree(&entry.path()),
                    _ => fs::remove_file(entry.path()),
                };
            }
        }
    }
}

/// A name for something half-made that no other process and no other thread uses.
pub(super) fn unique(name: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{name}.{}.{count}", std::process::id())
}

impl Drop for Staging {
    fn drop(&mut self) {
        let _ = remove_tree(&self.path);
    }
}

fn is_alive(pid: i32) -> bool {
    let Some(pid) = rustix::process::Pid::from_raw(pid) else { return false };
    !matches!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH))
}

/// Makes `path`, which should be new, and its parents only if they are missing.
fn make_folder(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir_all(path),
        other => other,
    }
}

/// Removes a tree even if folders in it are read-only (as a Go module cache's are).
pub fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            unlock_folders(path)?;
            fs::remove_dir_all(path)
        }
        other => other,
    }
}

fn unlock_folders(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = fs::symlink_metadata(path)?;
    if metadata.is_dir() {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
        for entry in fs::read_dir(path)? {
            unlock_folders(&entry?.path())?;
        }
    }
    Ok(())
}

/// Writes `bytes` into the folder `half_made` and renames the result to `path`. The file is
/// synced first if `durable`: for what cannot be made again, such as the lock.
pub fn replace_file(path: &Path, bytes: &[u8], half_made: &Path, durable: bool) -> io::Result<()> {
    let name = unique(&path.file_name().unwrap_or_default().to_string_lossy());
    let temporary = half_made.join(&name);
    let moved = write_new(&temporary, bytes, durable).and_then(|()| rename_into(&temporary, path));
    match moved {
        // The two are on different file systems, so it has to be written where it goes.
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            let _ = fs::remove_file(&temporary);
            let temporary = path.with_file_name(format!(".{name}"));
            write_new(&temporary, bytes, durable)
                .and_then(|()| fs::rename(&temporary, path))
                .inspect_err(|_| drop(fs::remove_file(&temporary)))
        }
        other => other.inspect_err(|_| drop(fs::remove_file(&temporary))),
    }
}

fn write_new(path: &Path, bytes: &[u8], durable: bool) -> io::Result<()> {
    let mut file = match fs::File::create(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
            fs::File::create(path)?
        }
        other => other?,
    };
    file.write_all(bytes)?;
    if durable { file.sync_all() } else { Ok(()) }
}

fn rename_into(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(to.parent().unwrap_or(Path::new(".")))?;
            fs::rename(from, to)
        }
        other => other,
    }
}

/// Puts the folder `new` in the place of `place` in one step; what was there before
/// ends up at `new`, or nowhere if there was nothing.
pub fn exchange(new: &Path, place: &Path) -> io::Result<()> {
    // A folder with something in it makes `rename(2)` fail, so nothing is lost by trying.
    rename_into(new, place).or_else(|_| swap(new, place))
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn swap(new: &Path, place: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, new, CWD, place, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(()),
        // Some file systems (overlays, network ones) cannot exchange.
        Err(_) => swap_in_two_steps(new, place),
    }
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn swap(new: &Path, place: &Path) -> io::Result<()> {
    swap_in_two_steps(new, place)
}

/// Without an exchange there is an instant in which nothing is installed. That is
/// an honest state too: the next run sees a miss and installs again.
fn swap_in_two_steps(new: &Path, place: &Path) -> io::Result<()> {
    let aside = new.with_extension("old");
    fs::rename(place, &aside)?;
    fs::rename(new, place)?;
    fs::rename(&aside, new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replace_file_makes_parents_and_leaves_no_temporary() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/c.txt");
        let half_made = dir.path().join("half-made");
        replace_file(&path, b"one", &half_made, false).unwrap();
        replace_file(&path, b"two", &half_made, true).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        assert_eq!(fs::read_dir(half_made).unwrap().count(), 0);
    }

    #[test]
    fn exchange_swaps_folders_and_keeps_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let (new, place) = (dir.path().join("new"), dir.path().join("x/place"));
        for text in ["one", "two"] {
            fs::create_dir(&new).unwrap();
            fs::write(new.join("file"), text).unwrap();
            exchange(&new, &place).unwrap();
            assert_eq!(fs::read_to_string(place.join("file")).unwrap(), text);
        }
        assert_eq!(fs::read_to_string(new.join("file")).unwrap(), "one");
        swap_in_two_steps(&new, &place).unwrap();
        assert_eq!(fs::read_to_string(place.join("file")).unwrap(), "one");
    }

    #[test]
    fn sweep_removes_what_dead_processes_left_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let mine = Staging::new(dir.path(), "nats").unwrap();
        let dead = dir.path().join("nats.999999999.0");
        fs::create_dir(&dead).unwrap();
        Staging::sweep(dir.path(), Duration::from_secs(60));
        assert!(dead.exists(), "it is not old enough");
        Staging::sweep(dir.path(), Duration::ZERO);
        assert!(mine.path().exists());
        assert!(!dead.exists());
    }
}
