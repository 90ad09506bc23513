//! The habits of Taskfiles: `ensure:all`, `nats:ensure`, `bin:verify`, `clean:bin`, and a task's
//! name alone: `nats:test`, `hello`; and `x` for `exec`.

use std::ffi::OsString;

/// Flags that take the next argument as their value.
const WITH_VALUE: &[&str] =
    &["-C", "--directory", "-j", "--jobs", "--platform", "--group", "--color", "--trace"];

/// Verbs that a subsystem may stand before.
pub(super) const OF_SUBSYSTEM: &[&str] = &[
    "ensure",
    "plan",
    "status",
    "explain",
    "verify",
    "package",
    "package:bundle",
    "lock",
    "outdated",
    "bump",
    "image",
    "release:image",
    "release:binary",
    "promote",
    "release:list",
    "release:wait",
    "release:prune",
    "release:audit",
    "version:next",
    "history",
    "release:notes",
];

/// Rewrites the first word that is no flag from `<subsystem>:<verb>` or `<verb>:<what>`
/// to the words that stand for it. A word that is none of the `verbs` may be a task's name.
/// Everything else stays as it is.
pub(super) fn rewrite(argv: Vec<OsString>, verbs: &[&str]) -> Vec<OsString> {
    let Some(at) = first_word(&argv) else { return argv };
    let Some(words) = argv[at].to_str().and_then(|word| words(word, verbs)) else { return argv };
    let mut rewritten = argv[..at].to_vec();
    rewritten.extend(words.into_iter().map(OsString::from));
    rewritten.extend_from_slice(&argv[at + 1..]);
    rewritten
}

/// Where the first word is that is no flag.
pub(super) fn first_word(argv: &[OsString]) -> Option<usize> {
    let mut at = 1;
    while let Some(arg) = argv.get(at) {
        let arg = arg.to_string_lossy();
        if arg == "--" {
            return None;
        }
        if !arg.starts_with('-') {
            return Some(at);
        }
        at += if WITH_VALUE.contains(&&*arg) { 2 } else { 1 };
    }
    None
}

fn words<'w>(word: &'w str, verbs: &[&str]) -> Option<Vec<&'w str>> {
    match word.split_once(':') {
        _ if verbs.contains(&word) => None,
        _ if word == "x" => Some(vec!["exec", "--in-short"]),
        Some(("bin", "verify")) => Some(vec!["verify"]),
        Some(("bump", "all")) => Some(vec!["bump", "--all"]),
        Some((verb, "all")) if OF_SUBSYSTEM.contains(&verb) => Some(vec![verb]),
        Some(("clean", what)) => Some(vec!["clean", what]),
        Some((name, verb)) if OF_SUBSYSTEM.contains(&verb) => Some(vec![verb, name]),
        _ => Some(vec!["run", word]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(line: &str) -> String {
        let argv = line.split(' ').map(OsString::from).collect();
        let verbs =
            ["ensure", "list", "clean", "run", "ci:build", "release:list", "package:bundle"];
        let argv: Vec<_> =
            rewrite(argv, &verbs).iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
        argv.join(" ")
    }

    #[test]
    fn taskfile_habits_become_verbs() {
        for (habit, verb) in [
            ("forge ensure:all", "forge ensure"),
            ("forge -C x -j 4 ensure:all --json", "forge -C x -j 4 ensure --json"),
            ("forge nats:ensure", "forge ensure nats"),
            ("forge nats:release:wait --timeout 5m", "forge release:wait nats --timeout 5m"),
            ("forge bin:verify", "forge verify"),
            ("forge clean:bin", "forge clean bin"),
            ("forge bump:all --major no", "forge bump --all --major no"),
            ("forge nats:bump v2.11.0", "forge bump nats v2.11.0"),
            ("forge --offline package:all", "forge --offline package"),
            ("forge -v nats:test --offline", "forge -v run nats:test --offline"),
            ("forge hello", "forge run hello"),
            ("forge x -- make -j", "forge exec --in-short -- make -j"),
        ] {
            assert_eq!(rewritten(habit), verb);
        }
    }

    #[test]
    fn other_words_stay() {
        for line in [
            "forge",
            "forge ensure a:b",
            "forge -- ensure:all",
            "forge -C ensure:all list",
            "forge release:list",
            "forge package:bundle --into x",
            "forge run ensure:all",
            "forge ci:build nats",
        ] {
            assert_eq!(rewritten(line), line);
        }
    }
}
