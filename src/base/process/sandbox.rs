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

use landlock_rules::{OpenPlace, Rules};

/// What all sandboxes of a run have in common: the places that builds share, and those that none of
/// them may write to. Each place is looked up once.
#[derive(Debug, Default)]
pub struct SandboxBase {
    /// Each without links in it.
    protected: Vec<PathBuf>,
    /// Each with all below it.
    shared: Vec<PathBuf>,
    /// The same as the kernel has it. What is missing when the first command starts is left out.
    places: OnceLock<Vec<OpenPlace>>,
}

/// The folders and files that a command may write to; it may read everything.
#[derive(Clone, Debug)]
pub struct Sandbox {
    base: Arc<SandboxBase>,
    /// Each with all below it. What is missing when the first command starts is left out.
    own: Vec<PathBuf>,
    /// What the kernel enforces, for all commands that share this sandbox.
    rules: Arc<OnceLock<Rules>>,
}

impl PartialEq for Sandbox {
    fn eq(&self, other: &Self) -> bool {
        self.own == other.own && self.base.shared == other.base.shared
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

/// How many places may be kept open for the next command: half as many files as a process may open.
fn most_kept_open() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit.map_or(usize::MAX, |limit| usize::try_from(limit / 2).unwrap_or(usize::MAX))
}

impl SandboxBase {
    /// No sandbox may write to what is in or below `protected`.
    pub fn new(protected: &[PathBuf]) -> Self {
        Self {
            protected: protected.iter().map(|path| real_path(path)).collect(),
            shared: DEVICES.iter().map(PathBuf::from).collect(),
            places: OnceLock::new(),
        }
    }

    /// Lets every sandbox write to `shared`, but for what is protected or in or below `besides`.
    ///
    /// A folder with something of that in it is replaced by what is in it now, links left out: new
    /// entries cannot be made there.
    #[must_use]
    pub fn with(mut self, shared: &[PathBuf], besides: &[PathBuf]) -> Self {
        let besides = besides.iter().map(|path| real_path(path));
        let protected: Vec<PathBuf> = self.protected.iter().cloned().chain(besides).collect();
        for path in shared {
            add_without(&real_path(path), &protected, &mut self.shared);
        }
        self.shared.sort();
        self.shared.dedup();
        self
    }

    /// A sandbox in which the folders `own` may be written to, and `in_workspace` but for what is
    /// protected there.
    pub fn sandbox(self: &Arc<Self>, own: Vec<PathBuf>, in_workspace: &[PathBuf]) -> Sandbox {
        let mut own = own;
        for path in in_workspace {
            add_without(&real_path(path), &self.protected, &mut own);
        }
        own.sort();
        own.dedup();
        Sandbox { base: self.clone(), own, rules: Arc::default() }
    }

    /// Does `work` with the places that are shared, as the kernel has them.
    fn with_places<T>(&self, work: impl FnOnce(&[OpenPlace]) -> T) -> T {
        let open = || self.shared.iter().filter_map(|path| OpenPlace::open(path)).collect();
        if self.shared.len() > most_kept_open() {
            let opened: Vec<OpenPlace> = open();
            return work(&opened);
        }
        work(self.places.get_or_init(open))
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
    for entry in entries(path).take(MOST_ENTRIES) {
        add_without(&entry, protected, to);
    }
}

/// What is in the folder `path`, links left out.
fn entries(path: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let is_link = |entry: &fs::DirEntry| entry.file_type().map_or(true, |kind| kind.is_symlink());
    entries.filter(move |entry| !is_link(entry)).map(|entry| entry.path())
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
    use std::{
        io,
        os::fd::{AsFd, BorrowedFd},
        path::Path,
    };

    use landlock::{
        ABI, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
        RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus,
    };

    /// What a thread is restricted to.
    #[derive(Debug)]
    pub struct Rules(RulesetCreated);

    /// An open folder or file, and what may be done with it and below it.
    #[derive(Debug)]
    pub struct OpenPlace {
        handle: PathFd,
        access: BitFlags<AccessFs>,
    }

    impl OpenPlace {
        /// The place at `path`, if something is there.
        pub fn open(path: &Path) -> Option<Self> {
            let handle = PathFd::new(path).ok()?;
            let stat = rustix::fs::fstat(handle.as_fd()).ok()?;
            let is_folder = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir();
            let writes = AccessFs::from_write(ABI::V3);
            let of_file = writes & AccessFs::from_file(ABI::V3);
            Some(Self { handle, access: if is_folder { writes } else { of_file } })
        }
    }

    impl AsFd for OpenPlace {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.handle.as_fd()
        }
    }

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
    pub fn rules<'p>(writable: impl Iterator<Item = &'p OpenPlace>) -> io::Result<Rules> {
        let created = Ruleset::default()
            .handle_access(AccessFs::from_write(ABI::V3))
            .and_then(Ruleset::create)
            .map_err(|error| failed(&error))?;
        let rules = writable.map(|place| Ok(PathBeneath::new(place, place.access)));
        let added: Result<_, RulesetError> = created.add_rules(rules);
        added.map(Rules).map_err(|error| failed(&error))
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
    use std::{io, path::Path};

    #[derive(Debug)]
    pub struct Rules;

    #[derive(Debug)]
    pub struct OpenPlace;

    impl OpenPlace {
        pub fn open(_: &Path) -> Option<Self> {
            None
        }
    }

    pub fn rules<'p>(_: impl Iterator<Item = &'p OpenPlace>) -> io::Result<Rules> {
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
            let own: Vec<OpenPlace> =
                self.own.iter().filter_map(|path| OpenPlace::open(path)).collect();
            let made =
                self.base.with_places(|shared| landlock_rules::rules(shared.iter().chain(&own)));
            let _ = self.rules.set(made?);
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
            let found = SandboxBase::new(&protected).with(&[top.join(shared)], &[]).shared;
            let below = found.iter().filter_map(|path| path.strip_prefix(&top).ok());
            below.map(|path| path.display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(sandbox("cache"), ["cache/go-build"]);
        assert_eq!(sandbox("cache/link/files"), Vec::<String>::new());
        assert_eq!(sandbox("plain"), Vec::<String>::new());
        assert_eq!(sandbox("new"), ["new"]);
        let base = Arc::new(SandboxBase::new(&[top.join("cache/forge")]));
        let within = base.sandbox(vec![top.join("new")], &[top.join("cache"), top.join("plain")]);
        assert_eq!(within.own, ["cache/go-build", "new", "plain"].map(|path| top.join(path)));
    }
}
