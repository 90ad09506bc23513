//! The environment of commands: what they inherit of forge's own, without what would make the same
//! command do something else depending on how forge was started.

use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
};

use super::{Command, Inherit};
use crate::model::Environment;

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
pub struct Inherited {
    /// What forge was started with.
    all: Environment,
    /// Variables that every build inherits.
    of_builds: Vec<(OsString, OsString)>,
    /// Variables that other commands inherit, too.
    others: Vec<(OsString, OsString)>,
    path: OsString,
}

impl Inherited {
    /// What commands inherit of `environment`.
    pub fn from_environment(environment: &Environment) -> Self {
        let usual = environment.iter().filter(|(name, _)| !is_withheld(name));
        let builds = Inherit::of_build([]);
        let (of_builds, others) = usual
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .partition(|(name, _)| name.to_str().is_some_and(|name| builds.allows(name)));
        Self { all: environment.clone(), of_builds, others, path: path_of(environment) }
    }

    /// The variables that `command` does not inherit and does not set, though forge has them.
    pub fn denied<'e>(&'e self, command: &'e Command) -> impl Iterator<Item = &'e str> {
        let names = self.others.iter().filter_map(|(name, _)| name.to_str());
        names.filter(|name| !command.inherit.allows(name) && !command.env.contains_key(*name))
    }

    /// The PATH of `command`.
    pub fn path(&self, command: &Command) -> OsString {
        match command.env.get("PATH") {
            Some(rest) => join(&command.path, OsStr::new(rest)),
            None => join(&command.path, &self.path),
        }
    }

    /// Gives `process` the environment of `command`, with `path` as its PATH.
    pub fn apply(&self, process: &mut std::process::Command, command: &Command, path: &OsStr) {
        process.env_clear();
        if command.inherit != Inherit::Nothing {
            process.envs(pairs(&self.of_builds));
        }
        match &command.inherit {
            Inherit::Nothing => {}
            Inherit::All => drop(process.envs(pairs(&self.others))),
            Inherit::AllBut(names) => {
                process.envs(pairs(&self.others));
                for name in names {
                    process.env_remove(name);
                }
            }
            Inherit::Listed(names) => {
                let named = names.iter().filter_map(|name| Some((name, self.all.raw(name)?)));
                process.envs(named);
            }
        }
        if command.dir.is_absolute() {
            // A shell would set it; programs run without one should see the same.
            process.env("PWD", &command.dir);
        }
        process.envs(&command.env).env("PATH", path);
    }
}

fn pairs(variables: &[(OsString, OsString)]) -> impl Iterator<Item = (&OsStr, &OsStr)> {
    variables.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
}

/// The PATH that commands get which set none themselves, with `folders` before it.
pub fn path_after(environment: &Environment, folders: &[PathBuf]) -> OsString {
    join(folders, &path_of(environment))
}

fn path_of(environment: &Environment) -> OsString {
    environment.raw("PATH").map_or_else(|| USUAL_PATH.into(), OsStr::to_owned)
}

fn is_withheld(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| WITHHELD.contains(&name) || name.starts_with(WITHHELD_PREFIX))
}

#[cfg(test)]
mod tests {
    use super::{super::CommandLine, *};

    #[test]
    fn folders_stand_before_the_commands_own_path() {
        let environment =
            Inherited::from_environment(&[("PATH", "/usr/bin")].into_iter().collect());
        let mut command = Command::new(CommandLine::Shell(String::new()), "/");
        command.path = vec!["/a".into(), "/b".into()];
        assert_eq!(environment.path(&command), "/a:/b:/usr/bin");
        command.env.insert("PATH".into(), "/c".into());
        assert_eq!(environment.path(&command), "/a:/b:/c");
    }

    #[test]
    fn what_a_command_does_not_inherit_is_known() {
        let variables = [("HOME", "/h"), ("GH_TOKEN", "t"), ("CI", "true"), ("MAKEFLAGS", "-j")];
        let environment = Inherited::from_environment(&variables.into_iter().collect());
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
