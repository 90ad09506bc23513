//! A workspace of its own for each test, and forge run in it.

#![allow(dead_code, reason = "not every helper is used by every test")]

mod ask;
mod asset;
mod disk;
pub mod documents;
mod git;
pub mod gitea;
pub mod github;
pub mod gitlab;
mod postgres;
mod processes;
pub mod reapi;
pub mod registry;
mod server;
mod serving;
mod terminal;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

pub use ask::{Ask, Reply};
pub use asset::{Asset, elf_for_arm64, sha256};
pub use disk::Mount;
pub use git::git;
pub use postgres::Postgres;
pub use processes::{Marker, is_alive, wait_until};
pub use server::{Fault, Server};
pub use serving::{Serving, curl};
pub use terminal::at_a_terminal;

/// A workspace, a cache and a private store that only one test sees.
pub struct Sandbox {
    dir: tempfile::TempDir,
    versions: Vec<(String, String)>,
    head: String,
}

impl Sandbox {
    /// A workspace without subsystems.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir_all(dir.path().join("work/subsystems")).expect("the workspace");
        // A build in a sandbox may add to it, and could not make it.
        fs::write(dir.path().join("builds"), "").expect("the count of builds");
        Self { dir, versions: Vec::new(), head: String::new() }
    }

    /// A workspace whose releases are in the folder `store` beside it.
    pub fn with_store() -> Self {
        let sandbox = Self::new();
        let store = format!("releases: dir:{}", sandbox.beside("store").display());
        sandbox.head(&store)
    }

    /// The workspace's folder.
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    /// A path in the workspace.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    /// A path beside the workspace.
    pub fn beside(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// Lines for the top of `versions.yml`: `releases:`, `groups:`, …
    pub fn head(mut self, text: &str) -> Self {
        self.head.push_str(text);
        self.head.push('\n');
        self.write_versions();
        self
    }

    /// A file in the workspace.
    pub fn file(self, path: &str, text: &str) -> Self {
        self.write(path, text);
        self
    }

    /// A subsystem with this spec.
    pub fn spec(mut self, name: &str, version: &str, spec: &str) -> Self {
        self.write(&format!("subsystems/{name}.yml"), spec);
        self.versions.push((name.into(), version.into()));
        self.write_versions();
        self
    }

    /// A subsystem whose binary is a script in the workspace that prints its name; building
    /// it adds a line to `builds` beside the workspace, so that builds can be counted.
    pub fn script(self, name: &str, version: &str) -> Self {
        let spec = format!(
            "source: {{ path: code/{name} }}\nbuild:\n  run:\n    - echo {name} >> {}\n    - cp {name}.sh {{{{ out }}}}/{name}\n",
            self.beside("builds").display()
        );
        let script = format!("#!/bin/sh\necho {name} {version}\n");
        self.file(&format!("code/{name}/{name}.sh"), &script).spec(name, version, &spec)
    }

    /// Gives a subsystem another version.
    pub fn bump(&mut self, name: &str, version: &str) {
        for (known, pinned) in &mut self.versions {
            if known == name {
                *pinned = version.into();
            }
        }
        self.write_versions();
    }

    fn write_versions(&self) {
        let mut text = self.head.clone();
        text.push_str("versions:\n");
        for (name, version) in &self.versions {
            text.push_str(&format!("  {name}: {version}\n"));
        }
        self.write("versions.yml", &text);
    }

    /// Writes a file in the workspace, replacing what is there.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("its folder");
        let _ = fs::remove_file(&path);
        fs::write(path, text).expect("the file");
    }

    /// Reads a file in the workspace.
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// The only asset of a release in the folder `store` beside the workspace.
    pub fn asset(&self, tag: &str) -> PathBuf {
        let folder = self.beside("store").join(tag);
        let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        let is_asset =
            |path: &PathBuf| path.extension().is_none_or(|e| e != "sha256" && e != "jsonl");
        let assets: Vec<_> = entries.flatten().map(|e| e.path()).filter(is_asset).collect();
        assert_eq!(assets.len(), 1, "{assets:?}");
        assets.into_iter().next().expect("one")
    }

    /// Makes the workspace take its releases from elsewhere.
    pub fn releases_from(&mut self, url: &str) {
        self.without_store();
        self.head.push_str(&format!("releases: {url}\n"));
        self.write_versions();
    }

    /// Makes the workspace keep its releases in the user's own store.
    pub fn without_store(&mut self) {
        let kept = self.head.split_inclusive('\n').filter(|line| !line.starts_with("releases:"));
        self.head = kept.collect();
        self.write_versions();
    }

    /// Everything in the workspace, the cache, the data folder and the store: what each file holds.
    pub fn listing(&self) -> BTreeMap<PathBuf, String> {
        let mut listing = BTreeMap::new();
        list_tree(self.dir.path(), self.dir.path(), &mut listing);
        listing
    }

    /// How often anything was built.
    pub fn builds(&self) -> usize {
        fs::read_to_string(self.beside("builds")).unwrap_or_default().lines().count()
    }

    /// Another workspace with the same files and no `.forge`, as a fresh clone has. It has a
    /// cache and a private store of its own.
    pub fn clone_fresh(&self) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        copy_tree(&self.root(), &dir.path().join("work"));
        fs::write(dir.path().join("builds"), "").expect("the count of builds");
        Self { dir, versions: self.versions.clone(), head: self.head.clone() }
    }

    /// forge with these words, split at blanks, ready to run.
    pub fn forge(&self, words: &str) -> Invocation {
        let mut command = hearing_interrupts(env!("CARGO_BIN_EXE_forge"));
        command
            .current_dir(self.root())
            .args(words.split_whitespace())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.beside("home"))
            .env("FORGE_CACHE_DIR", self.beside("cache"))
            .env("FORGE_DATA_DIR", self.beside("data"))
            .stdin(Stdio::null());
        Invocation { command, words: words.to_owned() }
    }

    /// Runs an installed binary and returns what it prints.
    pub fn run_binary(&self, name: &str) -> String {
        let output = Command::new(self.path(".forge/bin").join(name)).output();
        let output = output.unwrap_or_else(|e| panic!("cannot run {name}: {e}"));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// The `how` of each artifact in the `--json` document of `words`.
    pub fn hows(&self, words: &str) -> Vec<(String, String)> {
        let run = self.forge(&format!("{words} --json")).run();
        let artifacts = run.json()["artifacts"].as_array().cloned().unwrap_or_default();
        artifacts
            .iter()
            .map(|a| (a["name"].as_str().unwrap().into(), a["how"].as_str().unwrap().into()))
            .collect()
    }

    /// The one `how` that all artifacts of a successful `ensure` share.
    pub fn all_are(&self, how: &str) {
        let hows = self.hows("ensure");
        assert!(hows.iter().all(|(_, found)| found == how), "not all {how}: {hows:?}");
        assert!(!hows.is_empty());
    }
}

/// forge, about to run.
pub struct Invocation {
    command: Command,
    words: String,
}

impl Invocation {
    /// With a variable set.
    pub fn env(mut self, key: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// In this folder instead.
    pub fn within(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// With one more argument, blanks and all.
    pub fn arg(mut self, arg: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// The command itself, for what nothing here does.
    pub fn command(&mut self) -> &mut Command {
        &mut self.command
    }

    /// Started, with its output kept for later.
    pub fn start(mut self) -> std::process::Child {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("forge starts")
    }

    /// Runs to its end, which has to come within two minutes.
    pub fn run(mut self) -> Run {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = self.command.spawn().expect("forge starts");
        let pid = child.id().to_string();
        let (done, ended) = std::sync::mpsc::channel::<()>();
        let watch = std::thread::spawn(move || {
            let hangs = ended.recv_timeout(std::time::Duration::from_secs(120)).is_err();
            if hangs {
                let _ = Command::new("kill").args(["-9", &pid]).status();
            }
            hangs
        });
        let output = child.wait_with_output().expect("its output");
        let _ = done.send(());
        let run = Run { output, words: self.words };
        assert!(!watch.join().expect("a watch"), "it hangs:\n{run}");
        run
    }

    /// Runs, and must succeed.
    pub fn succeeds(self) -> Run {
        self.exits(0)
    }

    /// Runs, and must exit with `code`.
    pub fn exits(self, code: i32) -> Run {
        let run = self.run();
        assert_eq!(run.output.status.code(), Some(code), "{run}");
        run
    }
}

/// What a run of forge gave.
pub struct Run {
    output: Output,
    words: String,
}

impl Run {
    /// Standard output.
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    /// Standard error.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// The exit code.
    pub fn code(&self) -> Option<i32> {
        self.output.status.code()
    }

    /// Standard output as the one JSON document that it must be, as its schema says.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        let document = serde_json::from_slice(&self.output.stdout);
        let document = document.unwrap_or_else(|e| panic!("{e}\n{self}"));
        let misfit = documents::misfit(&self.words, &document);
        assert!(misfit.is_none(), "{}\n{self}", misfit.unwrap_or_default());
        document
    }

    /// Somewhere in its output there must be `text`.
    pub fn says(&self, text: &str) -> &Self {
        let all = format!("{}{}", self.stdout(), self.stderr());
        assert!(all.contains(text), "nowhere does it say {text:?}:\n{self}");
        self
    }

    /// Nowhere in its output there may be `text`.
    pub fn keeps_quiet_about(&self, text: &str) -> &Self {
        let all = format!("{}{}", self.stdout(), self.stderr());
        assert!(!all.contains(text), "it says {text:?}:\n{self}");
        self
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "forge {} ended with {}", self.words, self.output.status)?;
        write!(f, "--- stdout\n{}--- stderr\n{}", self.stdout(), self.stderr())
    }
}

fn list_tree(top: &Path, folder: &Path, listing: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        let metadata = fs::symlink_metadata(&path).expect("its metadata");
        let what = if metadata.is_symlink() {
            format!("link to {}", fs::read_link(&path).expect("a link").display())
        } else if metadata.is_dir() {
            list_tree(top, &path, listing);
            format!("folder changed {}.{}", metadata.mtime(), metadata.mtime_nsec())
        } else {
            let time = format!("{}.{}", metadata.mtime(), metadata.mtime_nsec());
            let digest = sha256(&fs::read(&path).expect("a file"));
            format!("file {:o} {time} {digest}", metadata.mode())
        };
        listing.insert(path.strip_prefix(top).expect("below").to_owned(), what);
    }
}

/// Copies a tree, except `.forge`.
pub fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the folder");
    for entry in fs::read_dir(from).expect("the folder").flatten() {
        let target = to.join(entry.file_name());
        match entry.file_type().expect("its type") {
            _ if entry.file_name() == ".forge" => {}
            kind if kind.is_dir() => copy_tree(&entry.path(), &target),
            _ => {
                fs::copy(entry.path(), target).expect("the copy");
            }
        }
    }
}

/// Replaces the contents of a file that may be read-only, in place.
pub fn overwrite(path: &Path, bytes: &[u8]) {
    let mode = fs::metadata(path).expect("the file").permissions().mode();
    fs::set_permissions(path, fs::Permissions::from_mode(mode | 0o200)).expect("its mode");
    fs::write(path, bytes).expect("the bytes");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode");
}

/// A command for `program` that hears an interrupt, also if the tests run in the background of a
/// script, where it is ignored: who is born into that does not hear it either, by good custom.
fn hearing_interrupts(program: &str) -> Command {
    const INTERRUPT: u64 = 1 << 1;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    if mask & INTERRUPT == 0 {
        return Command::new(program);
    }
    // By its place: a test may give forge a PATH without it.
    let mut command = Command::new("/usr/bin/env");
    command.args(["--default-signal=INT", program]);
    command
}

/// Whether `program` is here; a test that needs it is skipped otherwise, and says so. In
/// continuous integration nothing may be missing.
pub fn is_here(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let is_here = command.status().is_ok();
    assert!(is_here || std::env::var_os("CI").is_none(), "{program} is missing here");
    if !is_here {
        eprintln!("skipped: there is no {program}");
    }
    is_here
}

/// A Python that can import `module`: `FORGE_TEST_PYTHON`, or else `python3`. A test that needs
/// it is skipped otherwise, and says so. In continuous integration nothing may be missing.
pub fn python_with(module: &str) -> Option<String> {
    let python = std::env::var("FORGE_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let mut command = Command::new(&python);
    command.args(["-c", &format!("import {module}")]).stderr(Stdio::null());
    let has_it = command.status().is_ok_and(|status| status.success());
    assert!(has_it || std::env::var_os("CI").is_none(), "{python} lacks {module}");
    if !has_it {
        eprintln!("skipped: {python} has no module {module}");
    }
    has_it.then_some(python)
}
