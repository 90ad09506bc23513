//! A command in forge's own place: it has forge's process id, terminal and parent, so that its exit code
//! and what signals do to it are its own.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    environment::path_after,
    program::{Absent, find},
};
use crate::model::{Environment, Fault, Kind};

/// Becomes `words` in `dir`, with `folders` before PATH and `env` over what forge was started with.
/// Returns only if that fails.
pub fn become_command(
    words: &[OsString],
    dir: &Path,
    environment: &Environment,
    folders: &[PathBuf],
    env: &BTreeMap<String, String>,
) -> Fault {
    let Some((program, arguments)) = words.split_first() else {
        return Fault::new(Kind::Usage, "there is no command to run");
    };
    let (path, name) = (path_after(environment, folders), program.to_string_lossy());
    let place = match find(&name, &path, dir) {
        Ok(place) => place,
        Err(Absent::NotExecutable(place)) => {
            return Fault::new(Kind::Usage, format!("{} cannot be executed", place.display()))
                .hint("`chmod +x` makes a program of it");
        }
        Err(Absent::Missing) => {
            return Fault::new(Kind::Usage, format!("there is no program `{name}`"))
                .because("no subsystem yields it, and it is not on PATH");
        }
    };
    let mut command = Command::new(&place);
    command.arg0(program).args(arguments).current_dir(dir);
    command.envs(env).env("PATH", &path);
    let error = command.exec();
    Fault::new(Kind::Failed, format!("cannot run {}", place.display())).because(error.to_string())
}
