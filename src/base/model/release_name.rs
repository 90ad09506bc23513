//! What a release and its files can be called: a release is a git tag and, in every store, a folder
//! or a part of an address; its files are files there.
//!
//! Rules: `git check-ref-format`, and the names that no release host rewrites.

/// What names that are refused get as advice.
pub const RELEASE_NAME_HELP: &str =
    "names are made of letters, digits and `._+@-`, and begin with no dot";

/// The longest name of a release, in bytes. File systems take 255; git (`TAG.lock`) and the
/// stores (`.removed-TAG-…`) write names beside it that are longer.
const MOST_OF_RELEASE: usize = 220;
/// The longest name of a file of a release, in bytes.
const MOST_OF_FILE: usize = 240;

/// Checks that a release can be called `tag`.
///
/// # Errors
/// Says why not, to follow "it": "holds `/`".
pub fn check_release_name(tag: &str) -> Result<(), String> {
    check(tag, MOST_OF_RELEASE)?;
    if let Some(first) = tag.chars().next().filter(|c| "-@".contains(*c)) {
        return Err(format!("begins with `{first}`"));
    }
    if tag.contains("..") {
        return Err("holds `..`".into());
    }
    match [".lock", "."].into_iter().find(|end| tag.ends_with(end)) {
        Some(end) => Err(format!("ends with `{end}`")),
        None => Ok(()),
    }
}

/// Checks that a file of a release can be called `file`: an asset, or what is written beside one.
///
/// # Errors
/// As [`check_release_name`].
pub fn check_file_name(file: &str) -> Result<(), String> {
    check(file, MOST_OF_FILE)
}

fn check(name: &str, most: usize) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._+@-".contains(c);
    match name.chars().find(|c| !is_plain(*c)) {
        _ if name.is_empty() => Err("is empty".into()),
        Some(bad) => Err(format!("holds `{}`", bad.escape_debug())),
        None if name.starts_with('.') => Err("begins with `.`".into()),
        None if name.len() > most => Err(format!("is longer than {most} bytes")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_and_every_store_take_is_a_name() {
        for good in ["api-v1.2.0", "v1", "jdk-21.0.2+13", "aws+ecs-20260107.0", "a@1.0.0", "0"] {
            assert_eq!(check_release_name(good), Ok(()), "{good}");
            assert_eq!(check_file_name(good), Ok(()), "{good}");
        }
        assert_eq!(check_file_name("--linux-amd64.tar.gz"), Ok(()));
        assert_eq!(check_release_name(&"a".repeat(MOST_OF_RELEASE)), Ok(()));
    }

    #[test]
    fn what_git_or_a_store_refuses_is_none() {
        for (bad, why) in [
            ("", "is empty"),
            ("api/v1", "holds `/`"),
            ("a b", "holds ` `"),
            ("a\tb", "holds `\\t`"),
            ("a\u{1b}b", "holds `\\u{1b}`"),
            ("a~1", "holds `~`"),
            ("a^1", "holds `^`"),
            ("a:1", "holds `:`"),
            ("a?", "holds `?`"),
            ("a*", "holds `*`"),
            ("a[", "holds `[`"),
            ("a\\b", "holds `\\\\`"),
            ("a@{1}", "holds `{`"),
            ("é", "holds `é`"),
            (".a", "begins with `.`"),
            ("-a", "begins with `-`"),
            ("@", "begins with `@`"),
            ("a..b", "holds `..`"),
            ("a.", "ends with `.`"),
            ("a.lock", "ends with `.lock`"),
        ] {
            assert_eq!(check_release_name(bad), Err(why.to_owned()), "{bad:?}");
        }
        assert!(check_release_name(&"a".repeat(MOST_OF_RELEASE + 1)).is_err());
        for bad in ["", "a/b", "..", ".a", "a\0b", &"a".repeat(MOST_OF_FILE + 1)] {
            assert!(check_file_name(bad).is_err(), "{bad:?}");
        }
    }
}
