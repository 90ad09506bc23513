//! The environment of commands: forge's own, without what would make the same command do
//! something else depending on how forge was started.

use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
};

use super::Command;

/// Variables that commands do not inherit.
const WITHHELD: &[&str] = &[
    // Of a make around forge: its flags, its job server and its files are not for the
    // makes below, which get a job server of forge's.
    "MAKEFLAGS",
    "MFLAGS",
    "GNUMAKEFLAGS",
    "MAKELEVEL",
    "MAKEFILES",
    "MAKEOVERRIDES",
    "CARGO_MAKEFLAGS",
    // Of a git around forge (a hook): git would work on that repository instead.
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    // `cd x` would print, or go elsewhere.
    "CDPATH",
    // Files that shells source, and options that they set, before the command's own.
    "ENV",
    "BASH_ENV",
    "BASHOPTS",
    "SHELLOPTS",
    // Arguments slipped into every grep and every tar.
    "GREP_OPTIONS",
    "GREP_COLOR",
    "TAR_OPTIONS",
];

/// Functions that bash takes from the environment; they would stand before programs.
const WITHHELD_PREFIX: &str = "BASH_FUNC_";

/// Where programs are if forge was started without PATH.
const USUAL_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// `folders` and then the folders of `rest`, as one PATH.
fn join(folders: &[PathBuf], rest: &OsStr) -> OsString {
    let mut path = OsString::new();
    for folder in folders {
        path.push(folder);
        path.push(":");
    }
    path.push(rest);
    path
}

/// What all commands of a run inherit.
#[derive(Debug)]
pub struct Environment {
    withheld: Vec<OsString>,
    path: OsString,
}

impl Environment {
    /// Looks at the environment of this process.
    pub fn inherited() -> Self {
        let withheld = std::env::vars_os().map(|(name, _)| name).filter(|name| is_withheld(name));
        let path = std::env::var_os("PATH").unwrap_or_else(|| USUAL_PATH.into());
        Self { withheld: withheld.collect(), path }
    }

    /// The PATH of `command`.
    pub fn path(&self, command: &Command) -> OsString {
        match command.env.get("PATH") {
            Some(rest) => join(&command.path, OsStr::new(rest)),
            None => self.path_after(&command.path),
        }
    }

    /// The PATH of a command that sets none itself, with `folders` before it.
    pub fn path_after(&self, folders: &[PathBuf]) -> OsString {
        join(folders, &self.path)
    }

    /// Gives `process` the environment of `command`, with `path` as its PATH.
    pub fn apply(&self, process: &mut std::process::Command, command: &Command, path: &OsStr) {
        for name in &self.withheld {
            process.env_remove(name);
        }
        if command.dir.is_absolute() {
            // A shell would set it; programs run without one should see the same.
            process.env("PWD", &command.dir);
        }
        process.envs(&command.env).env("PATH", path);
    }
}

fn is_withheld(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| WITHHELD.contains(&name) || name.starts_with(WITHHELD_PREFIX))
}

#[cfg(test)]
mod tests {
    use super::{super::CommandLine, *};

    #[test]
    fn folders_stand_before_the_commands_own_path() {
        let environment = Environment { withheld: Vec::new(), path: "/usr/bin".into() };
        let mut command = Command::new(CommandLine::Shell(String::new()), "/");
        command.path = vec!["/a".into(), "/b".into()];
        assert_eq!(environment.path(&command), "/a:/b:/usr/bin");
        command.env.insert("PATH".into(), "/c".into());
        assert_eq!(environment.path(&command), "/a:/b:/c");
    }

    #[test]
    fn flags_of_an_outer_make_are_withheld() {
        assert!(is_withheld(OsStr::new("MAKEFLAGS")));
        assert!(is_withheld(OsStr::new("BASH_FUNC_go%%")));
        assert!(!is_withheld(OsStr::new("GOFLAGS")));
    }
}
