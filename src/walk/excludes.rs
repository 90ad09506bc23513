//! The list of files that a user's git ignores in every repository: `core.excludesFile`.
//!
//! Sources: git-config(1), "FILES" and `core.excludesFile`; gitignore(5).

use std::path::{Path, PathBuf};

use crate::{
    disk::{MOST_OF_TEXT, read_file},
    model::UserFolders,
};

/// Where that list is, as the settings of `user`'s git say, or else those of the system. It may not be
/// there.
pub fn excludes_file(user: &UserFolders) -> Option<PathBuf> {
    let said = user.git_settings().iter().find_map(|settings| {
        // What is no regular file says nothing: it is not waited for.
        let bytes = read_file(settings, MOST_OF_TEXT).ok()?;
        said_in(&String::from_utf8_lossy(&bytes), user.home().ok())
    });
    said.or_else(|| user.git_ignore().map(Path::to_owned))
}

/// What the configuration `text` says last.
fn said_in(text: &str, home: Option<&Path>) -> Option<PathBuf> {
    let mut is_core = false;
    let mut said = None;
    for line in text.lines().map(str::trim) {
        let mut line = line;
        if let Some((section, rest)) = line.strip_prefix('[').and_then(|line| line.split_once(']'))
        {
            is_core = section.trim().eq_ignore_ascii_case("core");
            line = rest.trim();
        }
        let Some((key, value)) = line.split_once('=').filter(|_| is_core) else { continue };
        if key.trim().eq_ignore_ascii_case("excludesfile") {
            said = Some(value_of(value)).filter(|value| !value.is_empty());
        }
    }
    let said = said?;
    match (said.strip_prefix("~/"), home) {
        (Some(below), Some(home)) => Some(home.join(below)),
        _ => Some(said.into()),
    }
}

/// A value without its quotes and the comment after it.
fn value_of(written: &str) -> String {
    let (mut value, mut is_quoted, mut signs) = (String::new(), false, written.trim().chars());
    while let Some(sign) = signs.next() {
        match sign {
            '"' => is_quoted = !is_quoted,
            '\\' => value.extend(signs.next()),
            '#' | ';' if !is_quoted => break,
            sign => value.push(sign),
        }
    }
    value.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_of_git_is_read_as_git_reads_it() {
        let home = Path::new("/home/me");
        for (text, wanted) in [
            ("[core]\n\texcludesFile = ~/ignored\n", Some("/home/me/ignored")),
            ("[CORE]\nexcludesfile=\"/a b\" ; comment\n", Some("/a b")),
            ("[core] excludesFile = /a\n[core]\nexcludesFile = /b # last\n", Some("/b")),
            ("[user]\nexcludesFile = /a\n", None),
            ("# [core]\n; excludesFile = /a\n", None),
            ("[core]\nexcludesFile =\n", None),
        ] {
            assert_eq!(said_in(text, Some(home)), wanted.map(PathBuf::from), "{text}");
        }
    }
}
