//! Reads the references of a repository as `git ls-remote` lists them. Pure.

/// What a reference means in a repository at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The full hash of the commit, in lower case.
    pub commit: String,
    /// What the reference is.
    pub kind: ReferenceKind,
}

/// What a reference is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReferenceKind {
    /// A tag; an annotated one stands for the commit it was put on.
    Tag,
    /// A branch: it moves.
    Branch,
    /// A full commit hash.
    Commit,
}

/// The most similar tags that a message names.
const SIMILAR: usize = 3;

/// The commit that `text` is, if it is a full hash (SHA-1 or SHA-256), in lower case.
pub fn full_hash(text: &str) -> Option<String> {
    let is_hash = matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit());
    is_hash.then(|| text.to_ascii_lowercase())
}

/// What `reference` means according to `lines` of `git ls-remote`: `<hash>\t<name>`, where
/// `<name>^{}` is the commit that an annotated tag was put on. A tag goes before a branch.
pub fn find(lines: &[String], reference: &str) -> Option<Resolved> {
    let hash_of = |name: String| {
        let listed = |line: &&String| line.split_once('\t').is_some_and(|(_, found)| found == name);
        full_hash(lines.iter().find(listed)?.split_once('\t')?.0)
    };
    let tag = || {
        hash_of(format!("refs/tags/{reference}^{{}}"))
            .or_else(|| hash_of(format!("refs/tags/{reference}")))
    };
    let resolved = |kind| move |commit| Resolved { commit, kind };
    let branch = || hash_of(format!("refs/heads/{reference}"));
    tag()
        .map(resolved(ReferenceKind::Tag))
        .or_else(|| branch().map(resolved(ReferenceKind::Branch)))
}

/// The names among `lines` of `git ls-remote` most like `reference`, the best first.
pub fn similar<'a>(lines: &'a [String], reference: &str) -> Vec<&'a str> {
    let wanted = significant(reference);
    let mut found: Vec<(usize, &str)> = lines
        .iter()
        .filter_map(|line| line.split_once('\t'))
        .filter_map(|(_, name)| {
            name.strip_prefix("refs/tags/").or(name.strip_prefix("refs/heads/"))
        })
        .filter(|name| !name.ends_with("^{}"))
        .map(|name| (likeness(&wanted, &significant(name)), name))
        .filter(|(likeness, _)| *likeness > 0)
        .collect();
    // git lists names in order, so that of equals the last are the newest.
    found.reverse();
    found.sort_by_key(|(likeness, _)| std::cmp::Reverse(*likeness));
    found.into_iter().take(SIMILAR).map(|(_, name)| name).collect()
}

/// A name without what differs for no reason: case, and what stands before the number.
fn significant(name: &str) -> String {
    let number = name.find(|c: char| c.is_ascii_digit()).unwrap_or(0);
    name[number..].to_ascii_lowercase()
}

/// How much alike two names are; 0 if not at all.
fn likeness(wanted: &str, name: &str) -> usize {
    let common = wanted.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
    match common {
        _ if wanted == name => usize::MAX,
        _ if common * 2 >= wanted.len() => common,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(names: &[(&str, &str)]) -> Vec<String> {
        names.iter().map(|(digit, name)| format!("{}\t{name}", digit.repeat(40))).collect()
    }

    fn found(names: &[(&str, &str)], reference: &str) -> Option<(String, ReferenceKind)> {
        find(&lines(names), reference).map(|r| (r.commit[..1].to_owned(), r.kind))
    }

    #[test]
    fn annotated_tags_mean_their_commit_and_go_before_branches() {
        let names = [
            ("a", "refs/heads/v1"),
            ("B", "refs/tags/v1"),
            ("c", "refs/tags/v1^{}"),
            ("d", "refs/heads/main"),
        ];
        assert_eq!(found(&names, "v1"), Some(("c".into(), ReferenceKind::Tag)));
        assert_eq!(found(&names[..2], "v1"), Some(("b".into(), ReferenceKind::Tag)));
        assert_eq!(found(&names[..1], "v1"), Some(("a".into(), ReferenceKind::Branch)));
    }

    #[test]
    fn only_the_exact_name_counts() {
        let names = [
            ("a", "refs/tags/x/v1"),
            ("b", "refs/remotes/o/refs/tags/v1"),
            ("c", "refs/tags/v1.0"),
        ];
        assert_eq!(found(&names, "v1"), None);
        assert_eq!(find(&["warning: refs/tags/v1".into(), "x\trefs/tags/v1".into()], "v1"), None);
    }

    #[test]
    fn similar_names_are_found() {
        let all = ["v1.2.2", "v1.2.3", "v1.2.30", "v2.0.0", "cli/v1.2.4", "nightly"];
        let listed: Vec<_> =
            all.iter().map(|tag| format!("{}\trefs/tags/{tag}", "a".repeat(40))).collect();
        assert_eq!(similar(&listed, "1.2.3"), ["v1.2.3", "v1.2.30", "cli/v1.2.4"]);
        assert_eq!(similar(&listed, "Nightly"), ["nightly"]);
        assert!(similar(&listed, "9.9").is_empty());
    }

    #[test]
    fn hashes_are_full_or_none() {
        assert_eq!(full_hash(&"aB".repeat(20)), Some("ab".repeat(20)));
        assert!(full_hash(&"aB".repeat(32)).is_some());
        assert!(full_hash("abcdef0").is_none() && full_hash(&"g".repeat(40)).is_none());
    }
}
