//! The list of files that a user's git ignores in every repository: `core.excludesFile`.
//!
//! Sources: git-config(1), "FILES" and `core.excludesFile`; gitignore(5).

use std::{
    env::{home_dir, var_os},
    path::{Path, PathBuf},
};

use crate::disk::{MOST_OF_TEXT, read_file};

/// Where that list is, as the user's own configuration of git says, or else that of the system. It may
/// not be there.
pub fn excludes_file() -> Option<PathBuf> {
    let filled = |name| var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = home_dir().filter(|home| !home.as_os_str().is_empty());
    let below_home = |path: &str| home.as_ref().map(|home| home.join(path));
    let folder = filled("XDG_CONFIG_HOME").or_else(|| below_home(".config"));
    let folder = folder.map(|folder| folder.join("git"));
    let own = match filled("GIT_CONFIG_GLOBAL") {
        Some(named) => vec![named],
        None => {
            let shared = folder.as_ref().map(|folder| folder.join("config"));
            below_home(".gitconfig").into_iter().chain(shared).collect()
        }
    };
    let system = filled("GIT_CONFIG_SYSTEM").unwrap_or_else(|| "/etc/gitconfig".into());
    let said = own.iter().chain([&system]).find_map(|config| {
        // What is no regular file says nothing: it is not waited for.
        let bytes = read_file(config, MOST_OF_TEXT).ok()?;
        said_in(&String::from_utf8_lossy(&bytes), home.as_deref())
    });
    said.or_else(|| Some(folder?.join("ignore")))
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
