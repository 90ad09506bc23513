//! What goes into a component besides its own folder: `also` and `imports` of `source:`, and what its
//! commands name.

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::model::text_to_path;

/// What else of the workspace goes into a component. Both its fingerprint and whether a change
/// affects it go by this.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharedInputs {
    /// Paths and patterns, relative to the workspace; a folder means all below it.
    pub also: Vec<String>,
    /// The same of what commands of the build use, though `also` does not name it.
    pub used: Vec<String>,
    /// Whether what its Go code imports does.
    pub imports: bool,
}

impl SharedInputs {
    /// Whether there is nothing else.
    pub fn is_empty(&self) -> bool {
        self.also.is_empty() && self.used.is_empty() && !self.imports
    }

    /// The paths and patterns, of `also` and of commands.
    pub fn patterns(&self) -> impl Iterator<Item = &String> {
        self.also.iter().chain(&self.used)
    }

    /// The part of `pattern` that is a path: where looking for what it means begins.
    pub fn start(pattern: &str) -> &str {
        match pattern.find(['*', '?', '[', '{', '\\']) {
            Some(at) => pattern[..at].rsplit_once('/').map_or("", |(start, _)| start),
            // The workspace as a whole.
            None if pattern == "." => "",
            None => pattern,
        }
    }

    /// Whether `text` can be read as a pattern.
    pub fn is_pattern(text: &str) -> bool {
        glob(text).is_some()
    }

    /// The pattern that means `path`, a path relative to the workspace.
    pub fn means(&self, path: &str) -> Option<&str> {
        self.patterns().find(|pattern| is_meant(pattern, path)).map(String::as_str)
    }
}

/// Whether `pattern` means `path`, a path relative to the workspace.
pub fn is_meant(pattern: &str, path: &str) -> bool {
    path.starts_with(SharedInputs::start(pattern))
        && glob(pattern).is_some_and(|glob| holds(&glob, path))
}

fn glob(pattern: &str) -> Option<Gitignore> {
    let mut glob = GitignoreBuilder::new("");
    // The workspace as a whole has no name of its own.
    let pattern = if pattern == "." { "*" } else { pattern };
    glob.add_line(None, &format!("/{pattern}")).ok()?;
    glob.build().ok()
}

fn holds(glob: &Gitignore, path: &str) -> bool {
    glob.matched_path_or_any_parents(text_to_path(path), false).is_ignore()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_means_all_below_it_and_a_pattern_what_it_says() {
        let shared =
            |also: &str| SharedInputs { also: vec![also.into()], ..SharedInputs::default() };
        let means = |also: &str, path: &str| shared(also).means(path).is_some();
        assert!(
            means("libs", "libs/a/b.go") && !means("libs", "libs2/a") && !means("libs", "x/libs/a")
        );
        assert!(
            means("libs/**/*.proto", "libs/a/b.proto") && !means("libs/**/*.proto", "libs/a/b.go")
        );
        assert!(means("a.txt", "a.txt") && !means("a.txt", "b/a.txt") && means(".", "b/a.txt"));
        assert_eq!(SharedInputs::start("libs/a*/b"), "libs");
        assert_eq!(SharedInputs::start("*.go"), "");
    }
}
