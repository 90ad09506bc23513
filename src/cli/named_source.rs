//! The file of a repository that a compiler means, which names it relative to wherever it ran.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

/// How many files and folders are looked at.
const MOST: usize = 50_000;
/// Folders that hold what is not the repository's own.
const OTHERS: [&str; 3] = ["node_modules", "target", "vendor"];

/// Where sources may be.
pub(super) struct Sources<'a> {
    /// The repository that annotations are relative to.
    pub(super) repository: &'a Path,
    /// The workspace in it.
    pub(super) workspace: &'a Path,
    /// The folder with the source that was built, if it is known.
    pub(super) source: Option<&'a Path>,
}

impl Sources<'_> {
    /// The path of the file called `name`, relative to the repository: where it is as it stands, also
    /// in the source that was built, or else the only file whose path ends so. Nothing if it is not of the repository.
    pub(super) fn find(&self, name: &str) -> Option<String> {
        let name = Path::new(name.trim_start_matches("./"));
        let path = match name.is_absolute() {
            true => self.own(name),
            false => [self.workspace, self.repository]
                .into_iter()
                .chain(self.source)
                .find_map(|base| self.own(&base.join(name)))
                .or_else(|| self.only_one(name)),
        };
        Some(path?.display().to_string())
    }

    /// `path` relative to the repository, if it is a file of that.
    fn own(&self, path: &Path) -> Option<PathBuf> {
        let path = path.canonicalize().ok().filter(|path| path.is_file())?;
        let path = path.strip_prefix(self.repository.canonicalize().ok()?).ok()?.to_owned();
        let is_made = |part: Component<'_>| part.as_os_str() == ".forge";
        (!path.components().any(is_made)).then_some(path)
    }

    fn only_one(&self, end: &Path) -> Option<PathBuf> {
        if end.components().any(|part| !matches!(part, Component::Normal(_))) {
            return None;
        }
        let mut folders = vec![self.repository.to_owned()];
        let (mut found, mut seen) = (None, 0);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                seen += 1;
                let (path, name) = (entry.path(), entry.file_name());
                let name = name.to_string_lossy();
                let is_other = name.starts_with('.') || OTHERS.contains(&&*name);
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() && !is_other => folders.push(path),
                    // Two of that name: either may be meant.
                    Ok(kind) if kind.is_file() && path.ends_with(end) && found.is_some() => {
                        return None;
                    }
                    Ok(kind) if kind.is_file() && path.ends_with(end) => found = Some(path),
                    _ => {}
                }
            }
            if seen > MOST {
                return None;
            }
        }
        self.own(&found?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_wherever_its_compiler_ran_and_only_in_the_repository() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for file in
            ["stack/cmd/cli/main.go", "stack/cmd/api/main.go", "x/y_test.go", "node_modules/z.js"]
        {
            fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            fs::write(root.join(file), "").unwrap();
        }
        fs::create_dir_all(root.join("stack/.forge/src")).unwrap();
        fs::write(root.join("stack/.forge/src/a.go"), "").unwrap();
        let workspace = root.join("stack");
        let sources = Sources { repository: root, workspace: &workspace, source: None };
        let absolute = root.join("x/y_test.go").display().to_string();
        for (name, found) in [
            ("./cmd/cli/main.go", Some("stack/cmd/cli/main.go")),
            ("cli/main.go", Some("stack/cmd/cli/main.go")),
            ("main.go", None),
            ("y_test.go", Some("x/y_test.go")),
            (&absolute, Some("x/y_test.go")),
            ("z.js", None),
            ("../../etc/passwd", None),
            ("/etc/passwd", None),
            ("a.go", None),
            (".forge/src/a.go", None),
        ] {
            assert_eq!(sources.find(name).as_deref(), found, "{name}");
        }
        let source = workspace.join("cmd/cli");
        let sources = Sources { source: Some(&source), ..sources };
        assert_eq!(sources.find("./main.go").as_deref(), Some("stack/cmd/cli/main.go"));
    }
}
