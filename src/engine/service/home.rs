//! Where things of services are, and the mark that their processes carry.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{
    archive::Hasher,
    cache::{BusyLock, Patience, SealKey, forge_folder, make_folder, write_state},
    disk::{EntryKind, MOST_OF_TEXT, read_text},
    model::{Fault, Layout, Name},
    process::{Cancel, DETACHED},
};

/// What marks are sealed as.
const PURPOSE: &str = "services";
/// How long the path of a socket may be, unix(7), with room for what the supervisor adds.
const LONGEST_SOCKET: usize = 100;

/// The paths of one workspace's services.
#[derive(Clone, Debug)]
pub struct ServicePaths {
    layout: Layout,
    key: String,
}

impl ServicePaths {
    /// Those of the workspace with this layout.
    pub fn new(layout: &Layout) -> Self {
        let root = layout.root();
        // The same folder, by whatever way somebody came to it.
        let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        let mut hasher = Hasher::new();
        hasher.update(root.as_os_str().as_encoded_bytes());
        let key = hasher.finish().to_string()[..16].to_owned();
        Self { layout: layout.clone(), key }
    }

    /// Where things are in the workspace.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What the mark in the environment of the supervisor and of all that descends from it begins with.
    pub fn mark(&self) -> String {
        format!("{DETACHED}{}", self.key)
    }

    /// The whole mark, which only this user's forge can make: [`is_service`].
    pub fn sealed_mark(&self) -> String {
        let code = SealKey::of_user(self.layout.user()).code(PURPOSE, self.key.as_bytes());
        format!("{}-{code}", self.mark())
    }

    /// The folder that all but logs are in.
    pub fn folder(&self) -> PathBuf {
        self.layout.state().join("services")
    }

    /// What the supervisor is told: JSON, which YAML readers read too.
    pub fn configuration(&self) -> PathBuf {
        self.folder().join("process-compose.yml")
    }

    /// Which process the supervisor is.
    pub fn record(&self) -> PathBuf {
        self.folder().join("supervisor")
    }

    /// What the supervisor says of itself.
    pub fn own_log(&self) -> PathBuf {
        self.folder().join("supervisor.log")
    }

    /// What the supervisor prints, and the services with it.
    pub fn output(&self) -> PathBuf {
        self.folder().join("supervisor.out")
    }

    /// The script that starts a service.
    pub fn start(&self) -> PathBuf {
        self.folder().join("start")
    }

    /// The script that looks whether `name` is ready.
    pub fn ready_script(&self, name: &Name) -> PathBuf {
        self.folder().join("ready").join(name.file_name())
    }

    /// What was seen last of `name` while it was not ready.
    pub fn seen(&self, name: &Name) -> PathBuf {
        self.folder().join("ready").join(format!("{}.seen", name.file_name()))
    }

    /// Where in its log the last start of `name` begins.
    fn begun(&self, name: &Name) -> PathBuf {
        self.folder().join("begun").join(name.file_name())
    }

    /// Remembers that `name` starts now: what its log holds is of earlier starts, and so is what was seen.
    ///
    /// # Errors
    /// If that cannot be written.
    pub fn remember_start(&self, name: &Name) -> Result<(), Fault> {
        let (file, length) = self.log_identity(name).unwrap_or_default();
        write_state(&self.layout, &self.begun(name), format!("{file} {length}").as_bytes())?;
        write_state(&self.layout, &self.seen(name), b"")
    }

    /// How many bytes of the log of `name` are of earlier starts than the last. A log that began anew
    /// meanwhile has none.
    pub fn log_start(&self, name: &Name) -> u64 {
        let begun = read_text(&self.begun(name), MOST_OF_TEXT).unwrap_or_default();
        let Some((file, length)) = begun.split_once(' ') else { return 0 };
        let length = length.parse().unwrap_or(0);
        let is_same = |(now, size): &(u64, u64)| now.to_string() == file && *size >= length;
        self.log_identity(name).filter(is_same).map_or(0, |_| length)
    }

    /// Which file the log is, and how long.
    fn log_identity(&self, name: &Name) -> Option<(u64, u64)> {
        use std::os::unix::fs::MetadataExt;
        let metadata = self.log(name).symlink_metadata().ok()?;
        Some((metadata.ino(), metadata.len()))
    }

    /// What `name` printed.
    pub fn log(&self, name: &Name) -> PathBuf {
        self.layout.logs().join("services").join(format!("{}.log", name.file_name()))
    }

    /// The lock of whoever changes what runs.
    pub fn lock(&self) -> PathBuf {
        self.layout.state().join("locks").join("services")
    }

    /// Makes the folders that services and their supervisor write to, and removes what is no file where
    /// they write files: they would follow a link.
    ///
    /// # Errors
    /// If they cannot be made.
    pub fn make_folders<'n>(&self, names: impl Iterator<Item = &'n Name>) -> Result<(), Fault> {
        let folder = make_folder(&self.layout, &self.folder())?;
        let failed =
            |e: io::Error| Fault::io(format!("cannot use {}", self.folder().display()), &e);
        // Variables may hold what is nobody else's business.
        rustix::fs::fchmod(&folder, rustix::fs::Mode::RWXU).map_err(|e| failed(e.into()))?;
        make_folder(&self.layout, &self.layout.logs().join("services"))?;
        let forge = forge_folder(&self.layout)?;
        let logs = names.map(|name| self.log(name));
        for path in [self.own_log(), self.output()].into_iter().chain(logs) {
            let there = forge.entry(&path).map_err(failed)?;
            if there.is_some_and(|there| there.kind != EntryKind::File) {
                forge.remove_all(&path).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Takes the lock of whoever changes what runs, and waits for it until `cancel` ends that.
    ///
    /// # Errors
    /// If it cannot be taken, or if the waiting was ended.
    pub fn turn(&self, cancel: &Cancel, tell: &dyn Fn(&str)) -> Result<BusyLock, Fault> {
        let what = "which starts or ends services";
        BusyLock::wait(&self.layout, &self.lock(), &Patience { what, cancel, tell, limit: None })
    }

    /// The supervisor's socket: beside the rest, or where paths are short.
    pub fn socket(&self) -> PathBuf {
        let near = self.folder().join("socket");
        if near.as_os_str().len() <= LONGEST_SOCKET { near } else { self.far_socket() }
    }

    /// Removes the socket, if one is there.
    pub fn remove_socket(&self) {
        use std::os::unix::fs::FileTypeExt;
        let socket = self.socket();
        // Nothing but a socket, whoever made a folder of it a link.
        if std::fs::symlink_metadata(&socket).is_ok_and(|found| found.file_type().is_socket()) {
            let _ = std::fs::remove_file(socket);
        }
    }

    fn far_socket(&self) -> PathBuf {
        let own = self.layout.user().runtime();
        let own = own.filter(|folder| folder.is_dir() && folder.as_os_str().len() < 60);
        own.unwrap_or(Path::new("/tmp")).join(format!("forge-{}", self.key))
    }
}

/// The mark of a process that outlives the command that starts it and is not a service: only this user's forge
/// can make it, as [`is_service`] tells. `key` has letters and digits.
pub fn detached_mark(key_of_user: &SealKey, key: &str) -> String {
    format!("{DETACHED}{key}-{}", key_of_user.code(PURPOSE, key.as_bytes()))
}

/// Whether `mark` is one that the forge of the user with this key gave to the services of some workspace.
/// They outlive the command that started them.
#[must_use]
pub fn is_service(key_of_user: &SealKey, mark: &str) -> bool {
    let parts = mark.strip_prefix(DETACHED).and_then(|rest| rest.split_once('-'));
    let Some((key, code)) = parts else { return false };
    code.parse().is_ok_and(|code| key_of_user.confirms(PURPOSE, key.as_bytes(), &code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::UserFolders;

    #[test]
    fn sockets_of_deep_workspaces_lie_where_paths_are_short_each_its_own() {
        let home = |root: String| ServicePaths::new(&Layout::at(root.into()));
        let near = home("/w".into());
        assert_eq!(near.socket(), Path::new("/w/.forge/state/services/socket"));
        let deep = |last| home(format!("/{}/{last}", "deep".repeat(30)));
        assert!(deep("a").socket().as_os_str().len() <= LONGEST_SOCKET);
        assert_ne!(deep("a").socket(), deep("b").socket());
        assert_ne!(deep("a").mark(), deep("b").mark());
        assert_eq!(deep("a").mark(), deep("a").mark());
    }

    #[test]
    fn a_mark_that_somebody_made_up_is_none() {
        let data = tempfile::tempdir().unwrap();
        let named = [("FORGE_DATA_DIR", data.path())].into_iter().collect();
        let user = UserFolders::new(&named, None);
        let key = SealKey::of_user(&user);
        let home = ServicePaths::new(&Layout::new("/w".into(), user.clone()));
        let sealed = home.sealed_mark();
        assert!(is_service(&key, &sealed) && sealed.starts_with(&home.mark()));
        let other = ServicePaths::new(&Layout::new("/v".into(), user));
        let moved = sealed.replace(&home.mark(), &other.mark());
        for made_up in ["", "services-", "services-x", &home.mark(), &moved, &sealed[..89]] {
            assert!(!is_service(&key, made_up), "{made_up}");
        }
    }
}
