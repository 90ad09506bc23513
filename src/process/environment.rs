//! The environment of commands: what they inherit of forge's own, without what would make the same
//! command do something else depending on how forge was started.

use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
};

use super::{Command, Inherit};

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

/// The environment that forge was started with, as the commands of a run inherit it.
#[derive(Debug)]
pub struct Environment {
    /// Variables that no command inherits.
    withheld: Vec<OsString>,
    /// Variables that every build inherits.
    of_builds: Vec<(OsString, OsString)>,
    /// The names of the others.
    names: Vec<String>,
    path: OsString,
}

impl Environment {
    /// Looks at the environment of this process.
    pub fn inherited() -> Self {
        Self::of(std::env::vars_os())
    }

    fn of(variables: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let (withheld, usual): (Vec<_>, Vec<_>) =
            variables.partition(|(name, _)| is_withheld(name));
        let path = usual.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone());
        let builds = Inherit::of_build([]);
        let (of_builds, others): (Vec<_>, Vec<_>) = usual
            .into_iter()
            .partition(|(name, _)| name.to_str().is_some_and(|name| builds.allows(name)));
        Self {
            withheld: withheld.into_iter().map(|(name, _)| name).collect(),
            of_builds,
            names: others.into_iter().filter_map(|(name, _)| name.into_string().ok()).collect(),
            path: path.unwrap_or_else(|| USUAL_PATH.into()),
        }
    }

    /// The variables that `command` does not inherit and does not set, though forge has them.
    pub fn denied<'e>(&'e self, command: &'e Command) -> impl Iterator<Item = &'e str> {
        let names = self.names.iter().map(String::as_str);
        names.filter(|name| !command.inherit.allows(name) && !command.env.contains_key(*name))
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
        match &command.inherit {
            Inherit::All => self.withhold(process),
            Inherit::AllBut(names) => {
                self.withhold(process);
                for name in names {
                    process.env_remove(name);
                }
            }
            Inherit::Listed(names) => {
                let named = names.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
                process.env_clear().envs(self.of_builds.iter().cloned()).envs(named);
            }
        }
        if command.dir.is_absolute() {
            // A shell would set it; programs run without one should see the same.
            process.env("PWD", &command.dir);
        }
        process.envs(&command.env).env("PATH", path);
    }
}

impl Environment {
    fn withhold(&self, process: &mut std::process::Command) {
        for name in &self.withheld {
            process.env_remove(name);
        }
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
        let environment = Environment::of([("PATH".into(), "/usr/bin".into())].into_iter());
        let mut command = Command::new(CommandLine::Shell(String::new()), "/");
        command.path = vec!["/a".into(), "/b".into()];
        assert_eq!(environment.path(&command), "/a:/b:/usr/bin");
        command.env.insert("PATH".into(), "/c".into());
        assert_eq!(environment.path(&command), "/a:/b:/c");
    }

    #[test]
    fn what_a_command_does_not_inherit_is_known() {
        let variables = [("HOME", "/h"), ("GH_TOKEN", "t"), ("CI", "true"), ("MAKEFLAGS", "-j")];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let environment = Environment::of(variables.into_iter());
        let mut command = Command::new(CommandLine::Shell(String::new()), "/");
        assert_eq!(environment.denied(&command).count(), 0);
        command.inherit = Inherit::of_build(&["CI".to_owned()]);
        assert_eq!(environment.denied(&command).collect::<Vec<_>>(), ["GH_TOKEN"]);
        command.env.insert("GH_TOKEN".into(), "own".into());
        assert_eq!(environment.denied(&command).count(), 0);
    }

    #[test]
    fn flags_of_an_outer_make_are_withheld() {
        assert!(is_withheld(OsStr::new("MAKEFLAGS")));
        assert!(is_withheld(OsStr::new("BASH_FUNC_go%%")));
        assert!(!is_withheld(OsStr::new("GOFLAGS")));
    }
}
