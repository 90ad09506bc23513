//! Which commits take others back: as git writes it, as the buttons of GitHub and GitLab do, and as people
//! who follow a convention do. Pure.
//!
//! | written | names |
//! |---|---|
//! | `This reverts commit HASH.`, also of several, `Refs: HASH, HASH` below `revert: …` | commits by their hashes |
//! | `Reverts OWNER/REPO#12`, `Reverts #12`, `Reverts https://HOST/OWNER/REPO/pull/12` | the commit whose title ends in `(#12)` |
//! | `This reverts merge request !12` | the same with `(!12)`, or `See merge request GROUP/REPO!12` in its message |
//! | `Revert "TITLE"`, `Reapply "TITLE"` (which takes back the revert), `revert: TITLE`, `revert: "TITLE"` | the last commit before with that title |
//!
//! A merge that is named by its hash or its request stands for all commits that it brought, which git tells.
//!
//! The first kind that is there counts. But of one hash or number that no commit has, the title decides: a
//! rebase or a squash gives commits other hashes and leaves their titles. Of titles the number of a pull
//! request at the end is left out where only one of the two has it, and `…` stands for the rest, since both
//! are what GitHub makes of a title.

use std::collections::HashSet;

use super::Message;
use crate::git::{Commit, merged_request, reverted_request};

/// What a commit takes back.
#[derive(Clone, Debug, PartialEq, Eq)]
enum RevertTarget<'m> {
    /// The commit with this hash, whole or abbreviated, or else with this title.
    Hash(&'m str, Option<String>),
    /// The commit that came of this pull request, or else has this title.
    Request(u64, Option<String>),
    /// The last commit with this title.
    Title(String),
}

/// Those of `commits`, which are the newest first, that were not taken back by others of them; what
/// takes back and is not taken back itself goes with what it took back. A revert of a commit that
/// is not among them stays.
pub fn standing(commits: &[Commit]) -> Vec<&Commit> {
    let mut gone: HashSet<usize> = HashSet::new();
    for (at, commit) in commits.iter().enumerate() {
        if gone.contains(&at) {
            continue;
        }
        let targets = targets(&commit.message);
        let here = targets.iter().map(|target| found(target, commits, at, &gone));
        let here: Vec<Vec<usize>> = here.filter(|here| !here.is_empty()).collect();
        if !here.is_empty() && here.len() == targets.len() {
            gone.insert(at);
        }
        gone.extend(here.into_iter().flatten());
    }
    let all = commits.iter().enumerate();
    all.filter(|(at, _)| !gone.contains(at)).map(|(_, commit)| commit).collect()
}

/// Which of the commits older than that `at` are meant: one, or those that a merge brought.
fn found(
    target: &RevertTarget<'_>,
    commits: &[Commit],
    at: usize,
    gone: &HashSet<usize>,
) -> Vec<usize> {
    let merged = commits[at].merged.iter().find(|merged| match target {
        RevertTarget::Hash(hash, _) => merged.hash.starts_with(&hash.to_ascii_lowercase()),
        RevertTarget::Request(number, _) => merged.request == Some(*number),
        RevertTarget::Title(_) => false,
    });
    let Some(merged) = merged else {
        return find(target, commits, at, gone).into_iter().collect();
    };
    let brought: HashSet<&str> = merged.brought.iter().map(String::as_str).collect();
    let older = at + 1..commits.len();
    older.filter(|older| brought.contains(commits[*older].hash.as_str())).collect()
}

/// Which of the commits older than that `at` is meant. A title is that of the last one which still stands.
fn find(
    target: &RevertTarget<'_>,
    commits: &[Commit],
    at: usize,
    gone: &HashSet<usize>,
) -> Option<usize> {
    let is = |is_it: &dyn Fn(&Commit) -> bool| {
        (at + 1..commits.len()).find(|older| !gone.contains(older) && is_it(&commits[*older]))
    };
    let by_title = |wanted: &str| is(&|older| is_title(wanted, title(&older.message)));
    match target {
        RevertTarget::Hash(hash, wanted) => {
            let hash = hash.to_ascii_lowercase();
            let by_hash =
                (at + 1..commits.len()).find(|older| commits[*older].hash.starts_with(&hash));
            by_hash.or_else(|| by_title(wanted.as_deref()?))
        }
        RevertTarget::Request(number, wanted) => {
            let by_number = is(&|older| came_of(&older.message) == Some(*number));
            by_number.or_else(|| by_title(wanted.as_deref()?))
        }
        RevertTarget::Title(wanted) => by_title(wanted),
    }
}

/// What a message says it takes back.
fn targets(text: &str) -> Vec<RevertTarget<'_>> {
    let quoted = quoted(title(text));
    let hashes: Vec<_> = told_hashes(text).into_iter().chain(listed_hashes(text)).collect();
    match hashes.as_slice() {
        [] => {}
        [hash] => return vec![RevertTarget::Hash(hash, quoted)],
        several => return several.iter().map(|hash| RevertTarget::Hash(hash, None)).collect(),
    }
    let requests: Vec<u64> = text.lines().skip(1).filter_map(reverted_request).collect();
    match (requests.as_slice(), quoted) {
        ([], Some(title)) => vec![RevertTarget::Title(title)],
        ([], None) => Vec::new(),
        ([number], title) => vec![RevertTarget::Request(*number, title)],
        (several, _) => several.iter().map(|number| RevertTarget::Request(*number, None)).collect(),
    }
}

fn title(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim()
}

/// The hashes behind `This reverts commit`, up to where something else is told: `…, reversing changes
/// made to …` names the commit that came before a merge.
fn told_hashes(text: &str) -> Vec<&str> {
    const TOLD: &str = "This reverts commit";
    let mut hashes = Vec::new();
    for rest in text.split(TOLD).skip(1) {
        let rest = rest.strip_prefix('s').unwrap_or(rest);
        let words = rest.split(|c: char| c.is_whitespace() || ",.:;()`".contains(c));
        let words = words.filter(|word| !word.is_empty());
        let is_of_list =
            |word: &&str| is_hash(word) || matches!(*word, "and" | "commit" | "-" | "*");
        hashes.extend(words.take_while(is_of_list).filter(|word| is_hash(word)));
    }
    hashes
}

/// The hashes behind `Refs` in a message of the type `revert`.
fn listed_hashes(text: &str) -> Vec<&str> {
    let Ok(message) = Message::read(text) else { return Vec::new() };
    let is_list = |footer: &super::Footer<'_>| footer.token.eq_ignore_ascii_case("refs");
    let lists = message.footers.iter().filter(|_| message.is("revert"));
    let lists = lists.filter(|footer| is_list(footer)).map(|footer| footer.value);
    let words = lists.flat_map(|list| list.split(|c: char| !c.is_ascii_alphanumeric()));
    words.filter(|word| is_hash(word)).collect()
}

/// Whether `word` may be the hash of a commit: git abbreviates to seven digits or more.
fn is_hash(word: &str) -> bool {
    (7..=64).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The title that the title of a revert names.
fn quoted(title: &str) -> Option<String> {
    let inner = |rest: &str| Some(rest[..rest.rfind('"')?].to_owned());
    let named = match title.strip_prefix("Revert \"") {
        Some(rest) => inner(rest)?,
        None => match title.strip_prefix("Reapply \"") {
            Some(rest) => format!("Revert \"{}\"", inner(rest)?),
            None => {
                let message = Message::read(title).ok().filter(|message| message.is("revert"))?;
                let described = message.description;
                let marks = |c: char| "\"'`".contains(c);
                let bare = numbered(described).0;
                let named =
                    if bare.starts_with(marks) { bare.trim_matches(marks) } else { described };
                // With less than a title of its own it names none.
                Message::read(named).ok()?;
                named.to_owned()
            }
        },
    };
    (!named.trim().is_empty()).then_some(named)
}

/// A title without the number of a pull request at its end, and that number.
fn numbered(title: &str) -> (&str, Option<u64>) {
    let split = || {
        let (bare, number) = title.trim_end().strip_suffix(')')?.rsplit_once(" (")?;
        Some((bare, number.strip_prefix(['#', '!'])?.parse().ok()?))
    };
    split().map_or((title, None), |(bare, number)| (bare, Some(number)))
}

/// The number of the request that a commit with this message came of.
fn came_of(message: &str) -> Option<u64> {
    numbered(title(message)).1.or_else(|| message.lines().find_map(merged_request))
}

/// Whether a commit with the title `found` is the one called `wanted`.
fn is_title(wanted: &str, found: &str) -> bool {
    if let Some(beginning) = wanted.strip_suffix('…').or_else(|| wanted.strip_suffix("...")) {
        const LEAST: usize = 20;
        return beginning.len() >= LEAST && found.starts_with(beginning.trim_end());
    }
    let ((wanted, of_wanted), (found, of_found)) = (numbered(wanted), numbered(found));
    let is_other = of_wanted.is_some() && of_found.is_some() && of_wanted != of_found;
    wanted.trim() == found.trim() && !is_other
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::git::Merged;

    const ONE: &str = "0123456789abcdef0123456789abcdef01234567";

    fn commits(messages: &[&str]) -> Vec<Commit> {
        let commit = |(at, message): (usize, &&str)| Commit {
            hash: format!("{at:040x}"),
            message: (*message).to_owned(),
            ..Commit::default()
        };
        messages.iter().enumerate().rev().map(commit).collect()
    }

    /// The places of those that stand among `messages`, which are the oldest first.
    fn left(messages: &[&str]) -> Vec<usize> {
        let commits = commits(messages);
        let places = standing(&commits).into_iter().rev();
        places.map(|one| usize::from_str_radix(&one.hash, 16).unwrap()).collect()
    }

    #[test]
    fn a_revert_names_what_it_takes_back() {
        let two = ONE.replace('0', "f");
        let title = |text: &str| vec![RevertTarget::Title(text.to_owned())];
        let (a, b) = (RevertTarget::Hash(ONE, None), RevertTarget::Hash(&two, None));
        let titled = |title: &str| vec![RevertTarget::Hash(ONE, Some(title.to_owned()))];
        for (text, named) in [
            (format!("Revert \"feat: x\"\n\nThis reverts commit {ONE}.\n"), titled("feat: x")),
            (format!("revert: x\n\nRefs: {ONE}, {two}"), vec![a.clone(), b.clone()]),
            (format!("fix: x\n\nRefs: {ONE}"), vec![]),
            (format!("Undo it\n\nThis reverts commit {ONE}"), vec![a.clone()]),
            (
                format!("x: y\n\nThis reverts commits {ONE}, and\n{two}. As {ONE} told."),
                vec![a.clone(), b.clone()],
            ),
            (
                format!("x: y\n\nThis reverts commit {ONE}, reversing\nchanges made to {two}."),
                vec![a.clone()],
            ),
            (
                format!("x: y\n\nThis reverts commit {ONE}.\nThis reverts commit {two}."),
                vec![a.clone(), b],
            ),
            (
                "Revert \"feat: x (#15)\" (#16)\n\nReverts acme/app#15".into(),
                vec![RevertTarget::Request(15, Some("feat: x (#15)".into()))],
            ),
            (
                "Revert both\n\nReverts #15\nReverts acme/app#17.".into(),
                vec![RevertTarget::Request(15, None), RevertTarget::Request(17, None)],
            ),
            (
                "chore: back out\n\nReverts https://github.com/o/r/pull/15".into(),
                vec![RevertTarget::Request(15, None)],
            ),
            (
                "Revert \"feat: x\"\n\nThis reverts merge request !12".into(),
                vec![RevertTarget::Request(12, Some("feat: x".into()))],
            ),
            ("revert: \"feat: x (#15)\" (#16)".into(), title("feat: x (#15)")),
            ("revert: `feat: x`".into(), title("feat: x")),
            ("Revert \"feat: x\" (#16)".into(), title("feat: x")),
            ("Revert \"Revert \"feat: x\" (#2)\" (#3)".into(), title("Revert \"feat: x\" (#2)")),
            ("Reapply \"feat: x\"".into(), title("Revert \"feat: x\"")),
            ("revert: feat(a): x".into(), title("feat(a): x")),
            ("revert: let us never speak of it".into(), vec![]),
            ("fix: Reverts nothing\n\nIt reverts #12, says it.".into(), vec![]),
        ] {
            assert_eq!(targets(&text), named, "{text}");
        }
    }

    #[test]
    fn what_was_taken_back_does_not_stand() {
        let button = "Revert \"feat: x (#15)\" (#16)\n\nReverts acme/app#15";
        let again = "Revert \"Revert \"feat: x (#15)\" (#16)\" (#17)\n\nReverts acme/app#16";
        let both = format!("x: y\n\nThis reverts commits {:040x} and {:040x}.", 0, 1);
        let half = format!("x: y\n\nThis reverts commits {:040x} and {ONE}.", 0);
        for (messages, standing) in [
            (&["feat: x (#15)", button][..], &[][..]),
            (&["feat: x (#15)", button, again], &[0]),
            (&["feat: x (#15)", button, "Reapply \"feat: x (#15)\" (#18)"], &[0]),
            // The title in quotes is that of the request, which has no number.
            (&["feat: x (#15)", "Revert \"feat: x\" (#16)"], &[]),
            (&["feat: x", "Revert \"feat: x (#15)\" (#16)"], &[]),
            (&["feat: x (#14)", "Revert \"feat: x (#15)\" (#16)"], &[0, 1]),
            // The request was renamed when it was merged.
            (&["feat: better (#15)", "Revert \"feat: x\" (#16)\n\nReverts acme/app#15"], &[]),
            // It was not squashed.
            (&["feat: x", "Revert \"feat: x\" (#16)\n\nReverts acme/app#15"], &[]),
            // Of several with one title the last one.
            (&["feat: x", "fix: x", "feat: x", "Revert \"feat: x\""], &[0, 1]),
            (&["feat: x", "Revert \"feat: x\"", "feat: x", "Revert \"feat: x\""], &[]),
            (&["feat: x", "fix: y", &both], &[]),
            (&["feat: x", "fix: y", &half], &[1, 2]),
            // What is not among them was released: that it is gone is news.
            (&["fix: y", "Revert \"feat: x\" (#16)\n\nReverts acme/app#15"], &[0, 1]),
            // A rebase gave it another hash.
            (&["feat: x", &format!("Revert \"feat: x\"\n\nThis reverts commit {ONE}.")], &[]),
            (&["feat: y", &format!("Revert \"feat: x\"\n\nThis reverts commit {ONE}.")], &[0, 1]),
            // A hash that is known is that commit, and none that has its title.
            (
                &[
                    "feat: x",
                    "feat: x",
                    &format!("Revert \"feat: x\"\n\nThis reverts commit {:040x}.", 0),
                ],
                &[1],
            ),
            (&["feat: x (!12)", "Revert \"feat: x\"\n\nThis reverts merge request !12"], &[]),
            (
                &[
                    "feat: x\n\nSee merge request o/r!12",
                    "chore: no\n\nThis reverts merge request !12",
                ],
                &[],
            ),
            (&["feat: x (#15)", "chore: no\n\nReverts https://github.com/o/r/pull/15"], &[]),
            (&["feat: x (#15)", "revert: \"feat: x (#15)\" (#16)"], &[]),
            (
                &[
                    "feat: a title that is far too long for them (#15)",
                    "Revert \"feat: a title that is far too lo…\" (#16)",
                ],
                &[],
            ),
            (&["Merge x", "feat: y"], &[0, 1]),
        ] {
            assert_eq!(left(messages), standing, "{messages:?}");
        }
    }

    #[test]
    fn a_merge_that_was_taken_back_takes_all_that_it_brought() {
        let hash = "f".repeat(40);
        let by_hash = format!(
            "Revert \"Merge branch 'x'\"\n\nThis reverts commit {hash}, reversing\nchanges made to {ONE}."
        );
        let by_request = "Revert \"feat: x\" (#8)\n\nReverts o/r#7".to_owned();
        for revert in [by_hash, by_request] {
            let messages = ["feat: x", "feat: y", "fix: other", &revert];
            let mut all = commits(&messages);
            let brought = vec![all[3].hash.clone(), all[2].hash.clone()];
            all[0].merged = vec![Merged { hash: hash.clone(), request: Some(7), brought }];
            let told = |commits: &[Commit]| -> Vec<String> {
                standing(commits).into_iter().map(|one| one.message.clone()).collect()
            };
            assert_eq!(told(&all), ["fix: other"], "{revert}");
            // And what took it back may be taken back.
            let again = Commit {
                message: format!("Revert \"Revert\"\n\nThis reverts commit {}.", all[0].hash),
                ..Commit::default()
            };
            all.insert(0, again);
            assert_eq!(told(&all), ["fix: other", "feat: y", "feat: x"]);
            // If git knows none, that a merge is gone is news.
            all.remove(0);
            all[0].merged.clear();
            let count = if revert.contains("reversing") { 4 } else { 2 };
            assert_eq!(told(&all).len(), count);
        }
    }

    proptest! {
        /// Each revert of the one before turns the first on and off again.
        #[test]
        fn reverts_of_reverts_count(times in 0usize..8, by_button in any::<bool>()) {
            let mut messages = vec!["feat: x (#1)".to_owned()];
            for n in 1..=times {
                let before = messages[n - 1].lines().next().unwrap().to_owned();
                let body = if by_button { format!("\n\nReverts o/r#{n}") } else { String::new() };
                messages.push(format!("Revert \"{before}\" (#{}){body}", n + 1));
            }
            let texts: Vec<_> = messages.iter().map(String::as_str).collect();
            let expected: &[usize] = if times % 2 == 0 { &[0] } else { &[] };
            prop_assert_eq!(left(&texts), expected);
        }

        #[test]
        fn no_message_panics(
            title in "(Revert|Reapply|revert:|)[ \"]{0,3}\\PC{0,12}",
            body in "((This reverts commit|Reverts|Refs:)?[ #s]{0,2}\\PC{0,12}\n){0,3}",
        ) {
            let text = format!("{title}\n\n{body}");
            let _ = left(&[&text, &text, &title]);
        }
    }
}
