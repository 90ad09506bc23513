//! What people of other tools type, and what forge calls it: told where a verb is not known.

use crate::model::nearest;

/// Words of others, and what to write instead.
const SYNONYMS: [(&[&str], &str); 32] = [
    (&["build", "install", "sync", "fetch", "download", "make", "i", "get", "setup"], "ensure"),
    (&["update", "upgrade", "up-to-date"], "bump"),
    (&["pin", "set-version"], "bump"),
    (&["test", "tests"], "ci:test"),
    (&["use", "require"], "add"),
    (&["uninstall", "rm", "delete", "unuse", "drop"], "remove"),
    (&["dlx", "execute", "with"], "exec"),
    (&["version", "versions", "v"], "--version"),
    (&["where", "whereis", "path", "bin-path"], "which"),
    (&["info", "show", "describe", "inspect", "view"], "explain"),
    (&["ls", "tasks", "list-tasks"], "list"),
    (&["deps", "dependencies"], "tree"),
    (&["rdeps", "who", "needed-by"], "why"),
    (&["start", "daemon"], "up"),
    (&["kill", "shutdown"], "down"),
    (&["top", "services"], "ps"),
    (&["log", "tail"], "logs"),
    (&["watch", "dev"], "run --watch TASK"),
    (&["validate", "doctor:check", "lint"], "check"),
    (&["publish", "release", "push"], "release:all"),
    (&["ship", "rollout"], "deploy"),
    (&["undo", "revert"], "rollback"),
    (&["pack", "dist", "archive"], "package"),
    (&["new", "create"], "init"),
    (&["activate", "shellenv", "shell", "path:add", "direnv"], "env"),
    (&["gc", "prune", "purge", "clear"], "clean"),
    (&["completion", "complete"], "completions"),
    (&["import", "convert"], "migrate"),
    (&["diagnose", "health"], "doctor"),
    (&["stale", "newer", "check-updates"], "outdated"),
    (&["man", "usage", "commands", "options"], "help"),
    (&["dry-run", "diff", "what-if"], "plan"),
];

/// What to write instead of `word`, if others call a verb of forge so.
pub(super) fn hint(word: &str) -> Option<String> {
    let (_, own) = SYNONYMS.iter().find(|(words, _)| words.contains(&word))?;
    Some(format!("`forge {own}` does that"))
}

/// [`hint`], for what is nearly a word of others.
pub(super) fn near_hint(word: &str) -> Option<String> {
    // What only begins so is another word, and no slip.
    let is_as_long = |other: &&str| other.len() * 2 > word.len();
    let words = SYNONYMS.iter().flat_map(|(words, _)| *words).copied().filter(is_as_long);
    let near = nearest(word, words)?;
    Some(format!("did you mean `{near}`? {}", hint(near)?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{super::help::command, *};

    #[test]
    fn each_word_leads_to_one_verb_that_is_there() {
        let command = command();
        let mut seen = BTreeSet::new();
        for (words, own) in SYNONYMS {
            let verb = own.split(' ').next().unwrap();
            assert!(verb == "--version" || command.find_subcommand(verb).is_some(), "{own}");
            for word in words {
                assert!(seen.insert(word), "{word} twice");
                assert!(command.find_subcommand(word).is_none(), "{word} is a verb");
            }
        }
    }

    #[test]
    fn the_hint_names_both() {
        assert_eq!(hint("build").unwrap(), "`forge ensure` does that");
        assert_eq!(hint("surely-not"), None);
        assert_eq!(near_hint("wholly-other"), None);
        assert_eq!(near_hint("biuld").unwrap(), "did you mean `build`? `forge ensure` does that");
    }
}
