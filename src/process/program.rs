//! Finds the program that a name means, as a shell would.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access};

use super::environment::Environment;

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

/// Whether `name` is a program: in one of `folders`, or on the PATH that commands get.
pub fn is_program(name: &str, folders: &[PathBuf]) -> bool {
    let path = Environment::inherited().path_after(folders);
    find(name, &path, Path::new("/")).is_ok()
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
    fn an_empty_folder_on_path_is_the_current_one() {
        let temp = tempfile::tempdir().unwrap();
        program(temp.path(), "tool", 0o755);
        assert_eq!(
            find("tool", OsStr::new(":/nowhere"), temp.path()),
            Ok(temp.path().join("tool"))
        );
    }
}
