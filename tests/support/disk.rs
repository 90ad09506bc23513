//! Small and read-only file systems, where the machine allows mounting.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// A mount, undone when dropped.
pub struct Mount {
    at: PathBuf,
}

impl Mount {
    /// A file system of this many KiB at `at`; or a printed reason why there can be none.
    pub fn small(at: &Path, kib: u32) -> Option<Self> {
        std::fs::create_dir_all(at).expect("a folder to mount on");
        Self::mounted(&["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"], at)
    }

    /// The folder `at` made read-only for everybody; or a printed reason why it cannot be.
    pub fn read_only(at: &Path) -> Option<Self> {
        let folder = at.display().to_string();
        let mount = Self::mounted(&["--bind", &folder], at)?;
        let again = Command::new("mount").args(["-o", "remount,bind,ro"]).arg(at).output();
        match again {
            Ok(output) if output.status.success() => Some(mount),
            _ => {
                eprintln!("skipped: this machine does not remount read-only");
                None
            }
        }
    }

    fn mounted(args: &[&str], at: &Path) -> Option<Self> {
        let why = match Command::new("mount").args(args).arg(at).output() {
            Ok(output) if output.status.success() => return Some(Self { at: at.to_owned() }),
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        eprintln!("skipped: this machine does not mount: {why}");
        None
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.at).output();
    }
}
