//! Keeps a command, and all it starts, from writing outside of some folders, by Landlock.
//!
//! Landlock (landlock(7)) restricts a thread, and what it starts from then on. A sandboxed command is
//! therefore started by a thread of its own that restricts itself first and ends with the start; forge
//! itself stays as it is. As a side effect the command cannot gain privileges (`sudo` fails), and
//! cannot read the memory or environment of forge or of other builds, unless it has CAP_PERFMON.
//!
//! What this does not cover: reading, the network, and changes of mode, owner and time of files. Linux
//! before 5.19 refuses each rename between two folders to a restricted process, which breaks too
//! many builds: there nothing is restricted. Linux before 6.2 does not cover truncate(2).

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

/// The folders and files that a command may write to; it may read everything.
#[derive(Clone, Debug, Default)]
pub struct Sandbox {
    /// Each with all below it. What is missing when the first command starts is left out.
    writable: Vec<PathBuf>,
    /// The same as the kernel has it, for all commands that share this sandbox.
    rules: Arc<OnceLock<landlock_rules::Rules>>,
}

impl PartialEq for Sandbox {
    fn eq(&self, other: &Self) -> bool {
        self.writable == other.writable
    }
}

impl Eq for Sandbox {}

/// Devices that everybody may write to.
const DEVICES: &[&str] = &[
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/ptmx",
    "/dev/pts",
    "/dev/shm",
];

/// How many entries of a folder are looked at to leave some of them out.
const MOST_ENTRIES: usize = 1024;

impl Sandbox {
    /// A sandbox in which the folders `own` may be written to.
    pub fn new(own: Vec<PathBuf>) -> Self {
        let devices = DEVICES.iter().map(PathBuf::from);
        Self { writable: own.into_iter().chain(devices).collect(), rules: Arc::default() }
    }

    /// Lets `shared` be written to, but for what is in or below `protected`.
    ///
    /// A folder with something protected in it is replaced by what is in it now, links left out: new
    /// entries cannot be made there.
    #[must_use]
    pub fn with(mut self, shared: &[PathBuf], protected: &[PathBuf]) -> Self {
        let protected: Vec<PathBuf> = protected.iter().map(|path| real_path(path)).collect();
        for path in shared {
            add_without(&real_path(path), &protected, &mut self.writable);
        }
        self.writable.sort();
        self.writable.dedup();
        self
    }
}

/// Adds what of `path` is not in `protected`.
fn add_without(path: &Path, protected: &[PathBuf], to: &mut Vec<PathBuf>) {
    if protected.iter().any(|one| path.starts_with(one)) {
        return;
    }
    if !protected.iter().any(|one| one.starts_with(path)) {
        to.push(path.to_owned());
        return;
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten().take(MOST_ENTRIES);
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_symlink())) {
        add_without(&entry.path(), protected, to);
    }
}

/// `path` without links in it, as far as it is there.
fn real_path(path: &Path) -> PathBuf {
    let found = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    match found {
        Some((above, real)) => match path.strip_prefix(above) {
            Ok(rest) if !rest.as_os_str().is_empty() => real.join(rest),
            _ => real,
        },
        None => path.to_owned(),
    }
}

#[cfg(target_os = "linux")]
mod landlock_rules {
    use landlock::{
        ABI, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreated,
        RulesetCreatedAttr, RulesetError, RulesetStatus, path_beneath_rules,
    };

    use super::{PathBuf, io};

    /// What a thread is restricted to.
    #[derive(Debug)]
    pub struct Rules(RulesetCreated);

    /// Whether the kernel can restrict a command to a sandbox.
    pub fn is_available() -> bool {
        needs(AccessFs::Refer)
    }

    /// Whether the kernel restricts all that a sandbox promises.
    pub fn is_complete() -> bool {
        needs(AccessFs::Truncate)
    }

    fn needs(access: AccessFs) -> bool {
        let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
        ruleset.handle_access(access).and_then(Ruleset::create).is_ok()
    }

    fn failed(error: &RulesetError) -> io::Error {
        io::Error::other(error.to_string())
    }

    /// Rules by which nothing but `writable` may be written to.
    pub fn rules(writable: &[PathBuf]) -> io::Result<Rules> {
        let writes = AccessFs::from_write(ABI::V3);
        let created = Ruleset::default().handle_access(writes).and_then(Ruleset::create);
        let add = |created: RulesetCreated| created.add_rules(path_beneath_rules(writable, writes));
        created.and_then(add).map(Rules).map_err(|error| failed(&error))
    }

    /// Restricts this thread, and all it starts.
    pub fn restrict(rules: &Rules) -> io::Result<()> {
        let status = rules.0.try_clone()?.restrict_self().map_err(|error| failed(&error))?;
        match status.ruleset {
            RulesetStatus::NotEnforced => Err(io::Error::other("Landlock is not available")),
            _ => Ok(()),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod landlock_rules {
    use super::{PathBuf, io};

    #[derive(Debug)]
    pub struct Rules;

    pub fn rules(_: &[PathBuf]) -> io::Result<Rules> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    pub fn is_available() -> bool {
        false
    }

    pub fn is_complete() -> bool {
        false
    }

    pub fn restrict(_: &Rules) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }
}

/// Whether this system can keep a command in a [`Sandbox`].
pub fn can_sandbox() -> bool {
    landlock_rules::is_available()
}

/// Whether nothing that a sandboxed command does changes the content of a file outside of it.
pub fn sandbox_holds() -> bool {
    landlock_rules::is_complete()
}

impl Sandbox {
    /// Does `start` on a thread that is restricted to this sandbox, and with it all it starts.
    pub(super) fn spawn<T: Send>(
        &self,
        start: impl FnOnce() -> io::Result<T> + Send,
    ) -> io::Result<T> {
        let within = tokio::runtime::Handle::current();
        if self.rules.get().is_none() {
            // Another command may just have made them.
            let _ = self.rules.set(landlock_rules::rules(&self.writable)?);
        }
        std::thread::scope(|scope| {
            let restricted = || {
                let _within = within.enter();
                match self.rules.get() {
                    Some(rules) => landlock_rules::restrict(rules)?,
                    None => return Err(io::Error::other("the sandbox has no rules")),
                }
                start()
            };
            let thread = std::thread::Builder::new().spawn_scoped(scope, restricted)?;
            thread.join().map_err(|_| io::Error::other("the thread that starts it died"))?
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_protected_is_left_out_and_links_are_not_followed() {
        let temp = tempfile::tempdir().unwrap();
        let top = temp.path().canonicalize().unwrap();
        for folder in ["cache/forge/files", "cache/go-build", "plain"] {
            fs::create_dir_all(top.join(folder)).unwrap();
        }
        std::os::unix::fs::symlink(top.join("cache/forge"), top.join("cache/link")).unwrap();
        let sandbox = |shared: &str| {
            let protected = [top.join("cache/forge"), top.join("plain/missing/one")];
            let found = Sandbox::new(Vec::new()).with(&[top.join(shared)], &protected).writable;
            let below = found.iter().filter_map(|path| path.strip_prefix(&top).ok());
            below.map(|path| path.display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(sandbox("cache"), ["cache/go-build"]);
        assert_eq!(sandbox("cache/link/files"), Vec::<String>::new());
        assert_eq!(sandbox("plain"), Vec::<String>::new());
        assert_eq!(sandbox("new"), ["new"]);
    }
}
