//! Finds the program that a name means, as a shell would.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access};

use super::environment::path_after;
use crate::model::Environment;

/// Why a name means no program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Absent {
    /// Nowhere on PATH, or no such file.
    Missing,
    /// There, but it cannot be executed.
    NotExecutable(PathBuf),
}

/// Where the program called `name` is, as an absolute path. A name with a `/` is a path seen
/// from `dir`; other names are looked up in `path`, whose relative folders are seen from `dir` too.
pub fn find(name: &str, path: &OsStr, dir: &Path) -> Result<PathBuf, Absent> {
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let mut absent = Absent::Missing;
    let folders: Vec<PathBuf> = if name.contains('/') {
        vec![PathBuf::new()]
    } else {
        std::env::split_paths(path).collect()
    };
    for folder in folders {
        let candidate = dir.join(folder).join(name);
        match candidate.metadata() {
            Ok(found) if found.is_file() && access(&candidate, Access::EXEC_OK).is_ok() => {
                return Ok(candidate);
            }
            Ok(_) if absent == Absent::Missing => absent = Absent::NotExecutable(candidate),
            _ => {}
        }
    }
    Err(absent)
}

/// Whether `name` is a program: in one of `folders`, or on the PATH that commands get in `environment`.
pub fn is_program(environment: &Environment, name: &str, folders: &[PathBuf]) -> bool {
    let path = path_after(environment, folders);
    find(name, &path, Path::new("/")).is_ok()
}

/// The folders of PATH that are absolute and not in `workspace`, as a PATH: what is found there was put
/// there by the user, not by whoever wrote the workspace.
pub fn path_outside(environment: &Environment, workspace: &Path) -> OsString {
    outside(&path_after(environment, &[]), workspace)
}

fn outside(path: &OsStr, workspace: &Path) -> OsString {
    let real = |folder: &Path| folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let workspace = real(workspace);
    let is_outside =
        |folder: &PathBuf| folder.is_absolute() && !real(folder).starts_with(&workspace);
    let folders = std::env::split_paths(path).filter(is_outside);
    // What was split at `:` can be joined again.
    std::env::join_paths(folders).unwrap_or_default()
}

/// Where the program called `name` is on `path`, as [`path_outside`] gives it.
pub fn find_outside(name: &str, path: &OsStr, workspace: &Path) -> Option<PathBuf> {
    if name.contains('/') {
        return None;
    }
    let found = find(name, path, Path::new("/")).ok()?;
    let workspace = workspace.canonicalize().unwrap_or_else(|_| workspace.to_owned());
    // It may be a link that leads there.
    (!found.canonicalize().ok()?.starts_with(workspace)).then_some(found)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    fn program(dir: &Path, name: &str, mode: u32) {
        fs::create_dir_all(dir).unwrap();
        fs::write(dir.join(name), "").unwrap();
        fs::set_permissions(dir.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_first_executable_one_on_path_is_taken() {
        let temp = tempfile::tempdir().unwrap();
        let at = |name: &str| temp.path().join(name);
        program(&at("a"), "tool", 0o644);
        program(&at("b"), "tool", 0o755);
        program(&at("c"), "tool", 0o755);
        fs::create_dir_all(at("a/folder")).unwrap();
        let path = std::env::join_paths([at("a"), at("b"), at("c")]).unwrap();
        assert_eq!(find("tool", &path, temp.path()), Ok(at("b/tool")));
        assert_eq!(find("tool", OsStr::new("none:c"), temp.path()), Ok(at("c/tool")));
        assert_eq!(find("./b/tool", &path, temp.path()), Ok(at("b/tool")));
        assert_eq!(find("tools", &path, temp.path()), Err(Absent::Missing));
        assert_eq!(
            find("tool", OsStr::new("a"), temp.path()),
            Err(Absent::NotExecutable(at("a/tool")))
        );
        assert_eq!(
            find("folder", OsStr::new("a"), temp.path()),
            Err(Absent::NotExecutable(at("a/folder")))
        );
    }

    #[test]
    fn nothing_of_the_workspace_is_found_outside_of_it() {
        let temp = tempfile::tempdir().unwrap();
        let at = |name: &str| temp.path().join(name);
        program(&at("ws/bin"), "tool", 0o755);
        program(&at("own"), "other", 0o755);
        fs::create_dir_all(at("links")).unwrap();
        std::os::unix::fs::symlink(at("ws"), at("links/ws")).unwrap();
        std::os::unix::fs::symlink(at("ws/bin/tool"), at("own/tool")).unwrap();
        let path =
            [at("ws/bin"), at("links/ws/bin"), "bin".into(), ".".into(), "".into(), at("own")];
        let path = outside(&std::env::join_paths(path).unwrap(), &at("ws"));
        assert_eq!(path, at("own").as_os_str());
        assert_eq!(find_outside("tool", &path, &at("ws")), None);
        assert_eq!(find_outside("other", &path, &at("ws")), Some(at("own/other")));
        assert_eq!(find_outside("./other", &path, &at("own")), None);
    }

    #[test]
    fn an_empty_folder_on_path_is_the_current_one() {
        let temp = tempfile::tempdir().unwrap();
        program(temp.path(), "tool", 0o755);
        assert_eq!(
            find("tool", OsStr::new(":/nowhere"), temp.path()),
            Ok(temp.path().join("tool"))
        );
    }
}
