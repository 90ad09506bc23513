//! What changed with each version, in the form of Keep a Changelog 1.1.0
//! (<https://keepachangelog.com/en/1.1.0/>).
//!
//! The types of commits give the chapters: `feat` Added, `fix` Fixed, `deprecate` Deprecated,
//! `remove` Removed, `security` Security; `build`, `chore`, `ci`, `docs`, `style` and `test` are left
//! out; everything else is Changed. What breaks is told in the chapter of its type, with a word.

use std::fmt::Write as _;

use super::{
    change::{Chapter, NoteEntry},
    markdown,
};
use crate::{
    git::Commit,
    model::Precedence,
    versioning::{Message, standing},
};

/// What a line of credits begins with.
pub(super) const CREDITS: &str = "Contributors: ";

/// The changelog of a component, or of a project.
#[derive(Clone, Debug)]
pub struct Changelog {
    /// What it is of.
    pub name: String,
    /// The newest first.
    pub sections: Vec<Section>,
    /// Where its source can be looked at.
    pub links: Option<Links>,
}

/// A version that has a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    /// The version: `1.3.0`.
    pub label: String,
    /// Its tag.
    pub tag: String,
    /// The day in UTC on which it was tagged, or else that of its commit: `2026-01-07`.
    pub day: String,
}

/// What changed with one version.
#[derive(Clone, Debug)]
pub struct Section {
    /// The version; `None` for what is not released.
    pub released: Option<Released>,
    /// The tag of the version before, if there is one.
    pub since: Option<String>,
    /// What users notice, by chapters, the oldest first.
    pub changes: Vec<NoteEntry>,
    /// Commits that tell nothing here: taken back, or of upkeep.
    pub untold: Vec<NoteEntry>,
    /// Who wrote the commits, each once, in the order of names.
    pub contributors: Vec<String>,
}

/// The pages of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Links {
    /// The URL of the repository.
    pub repository: String,
}

/// Of the versions of a component those that have a section, the newest first: stable ones, which
/// tell of their pre-releases too, and pre-releases of what is not out yet.
pub fn shown(versions: Vec<Released>) -> Vec<Released> {
    let of = |one: &Released| Precedence::parse(&one.label);
    let mut versions: Vec<_> =
        versions.into_iter().filter_map(|one| Some((of(&one)?, one))).collect();
    versions.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| b.1.tag.cmp(&a.1.tag)));
    let mut is_after_stable = false;
    versions.retain(|(precedence, _)| {
        is_after_stable |= precedence.is_stable();
        !is_after_stable || precedence.is_stable()
    });
    versions.into_iter().map(|(_, one)| one).collect()
}

impl Links {
    /// The page of what differs since the version before `section`'s.
    pub fn changes_of(&self, section: &Section, released: &Released) -> String {
        self.changes(section.since.as_deref(), &released.tag)
    }

    /// GitLab keeps its pages under a path of its own.
    fn page(&self, path: &str) -> String {
        let between = if self.repository.contains("gitlab") { "/-" } else { "" };
        format!("{}{between}/{path}", self.repository)
    }

    fn commit(&self, hash: &str) -> String {
        self.page(&format!("commit/{hash}"))
    }

    /// What differs since `since`, or all that `tag` has.
    pub(super) fn changes(&self, since: Option<&str>, until: &str) -> String {
        match since {
            Some(since) => self.page(&format!("compare/{since}...{until}")),
            None => self.page(&format!("commits/{until}")),
        }
    }
}

impl Section {
    /// What `commits` changed, the newest of which is the first.
    pub fn from_commits(
        released: Option<Released>,
        since: Option<String>,
        commits: &[Commit],
    ) -> Self {
        let standing = standing(commits);
        let is_told = |change: &NoteEntry| change.chapter_of_changelog() != Chapter::Upkeep;
        let mut changes: Vec<_> =
            standing.iter().rev().map(|one| NoteEntry::from_commit(one)).filter(is_told).collect();
        changes.sort_by_key(NoteEntry::chapter_of_changelog);
        let told = |commit: &&Commit| changes.iter().any(|change| change.hash == commit.hash);
        let untold = commits.iter().filter(|commit| !told(commit));
        let untold = untold.map(NoteEntry::from_commit).collect();
        let contributors = contributors(standing.into_iter());
        Self { released, since, changes, untold, contributors }
    }

    /// `1.3.0`, or `Unreleased`.
    pub fn title(&self) -> &str {
        self.released.as_ref().map_or("Unreleased", |released| &released.label)
    }

    /// Its line in Markdown, linked or not.
    pub fn heading(&self, is_linked: bool) -> String {
        let title = self.title();
        let title = if is_linked { format!("[{title}]") } else { title.to_owned() };
        match &self.released {
            Some(released) => format!("## {title} - {}", released.day),
            None => format!("## {title}"),
        }
    }

    /// The line that says where its heading leads.
    pub fn definition(&self, links: &Links) -> String {
        let until = self.released.as_ref().map_or("HEAD", |released| &released.tag);
        format!("[{}]: {}", self.title(), links.changes(self.since.as_deref(), until))
    }

    /// Its changes as items, each with its chapter's heading and its short hash.
    pub fn items<'s>(
        &'s self,
        links: Option<&'s Links>,
    ) -> impl Iterator<Item = (&'static str, &'s str, String)> {
        self.changes.iter().map(move |change| {
            (change.chapter_of_changelog().title(), change.short_hash(), item(change, links))
        })
    }

    /// Whether `text` is the item of a commit that tells nothing here any more, as forge wrote it before.
    pub fn is_of_untold(&self, text: &str, links: Option<&Links>) -> bool {
        let is_its = |change: &&NoteEntry| text.contains(change.short_hash());
        let wrote = |change: &NoteEntry| text == item(change, links) || text == item(change, None);
        self.untold.iter().filter(is_its).any(wrote)
    }

    /// What stands in place of chapters, if a version has none.
    pub fn placeholder(&self) -> Option<&'static str> {
        self.released.as_ref().map(|_| "Nothing that users notice.")
    }

    /// The line that names who took part.
    pub fn credits(&self) -> Option<String> {
        credits(&self.contributors)
    }
}

/// Who wrote `commits`, each once, in the order of names.
pub(super) fn contributors<'c>(commits: impl Iterator<Item = &'c Commit>) -> Vec<String> {
    let mut names: Vec<String> = commits.flat_map(authors).collect();
    names.sort_by_key(|name| name.to_lowercase());
    names.dedup();
    names
}

/// The line that names `contributors`, if there are any.
pub(super) fn credits(contributors: &[String]) -> Option<String> {
    let names: Vec<_> = contributors.iter().map(|name| markdown::inline(name)).collect();
    (!names.is_empty()).then(|| format!("{CREDITS}{}", names.join(", ")))
}

/// What a commit says, behind the part of the code that it is about, as an item begins.
pub(super) fn told(scope: Option<&str>, text: &str) -> String {
    match scope {
        Some(scope) => format!("**{}:** {}", markdown::inline(scope), markdown::inline(text)),
        None => markdown::line(text),
    }
}

/// A commit as notes name it: its short hash, linked to its page if that is known.
pub(super) fn reference(change: &NoteEntry, links: Option<&Links>) -> String {
    let hash = change.short_hash();
    match links {
        Some(links) => format!("[{hash}]({})", links.commit(&change.hash)),
        None => hash.to_owned(),
    }
}

/// Who wrote a commit: its author, and who it says wrote it too.
fn authors(commit: &Commit) -> Vec<String> {
    let others = Message::read(&commit.message).map(|message| message.footers).unwrap_or_default();
    let others = others.into_iter().filter(|one| one.token.eq_ignore_ascii_case("co-authored-by"));
    let others = others.filter_map(|one| one.value.lines().next());
    let names = others.map(|value| value.split('<').next().unwrap_or_default());
    let names = std::iter::once(commit.author.as_str()).chain(names).map(str::trim);
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn item(change: &NoteEntry, links: Option<&Links>) -> String {
    let mut text = format!("- {}", told(change.scope.as_deref(), &change.description));
    match &change.breaks {
        Some(breaks) => {
            let _ = write!(text, ". **Breaking:** {}", markdown::inline(breaks));
        }
        None if change.is_breaking => text.push_str(" (**breaking**)"),
        None => {}
    }
    let _ = write!(text, " ({})", reference(change, links));
    text
}

impl Changelog {
    /// What stands above all sections.
    pub fn preamble(&self) -> String {
        format!(
            "# Changelog\n\nAll notable changes of {}, in the form of \
             [Keep a Changelog](https://keepachangelog.com/en/1.1.0/).\n",
            self.name
        )
    }

    /// The text, in Markdown.
    pub fn render(&self) -> String {
        super::update("", self)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn commit(number: usize, author: &str, message: &str) -> Commit {
        Commit {
            hash: format!("{number:010}{number:030}"),
            day: "2026-01-07".into(),
            author: author.into(),
            message: message.into(),
            ..Commit::default()
        }
    }

    fn released(label: &str, day: &str) -> Released {
        Released { label: label.into(), tag: format!("ui-{label}"), day: day.into() }
    }

    pub fn changelog() -> Changelog {
        let new = [
            commit(
                9,
                "Ann",
                "fix!: a stricter check\n\nBREAKING CHANGE: what was\naccepted is not",
            ),
            commit(8, "Ann", "Revert \"feat: x\"\n\nThis reverts commit 0000000007."),
            commit(7, "Eve", "feat: x"),
        ];
        let old = [
            commit(6, "bob", "fix(api): later\n\nCo-authored-by: Cem <c@d.e>"),
            commit(5, "Ann", "chore!: drop the old format"),
            commit(4, "Ann", "docs: words"),
            commit(3, "Ann", "security: close it"),
            commit(2, "Ann", "Words without a type"),
            commit(1, "Ann", "feat(api): earlier"),
        ];
        let sections = vec![
            Section::from_commits(None, Some("ui-1.1.0".into()), &new),
            Section::from_commits(
                Some(released("1.1.0", "2026-01-06")),
                Some("ui-1.0.0".into()),
                &old,
            ),
            Section::from_commits(
                Some(released("1.0.0", "2025-12-31")),
                None,
                &[commit(0, "Ann", "feat: it")],
            ),
        ];
        let links = Some(Links { repository: "https://git.example/o/r".into() });
        Changelog { name: "ui".into(), sections, links }
    }

    #[test]
    fn a_changelog_has_chapters_links_and_names() {
        insta::assert_snapshot!(changelog().render(), @r#"
        # Changelog

        All notable changes of ui, in the form of [Keep a Changelog](https://keepachangelog.com/en/1.1.0/).

        ## [Unreleased]

        ### Fixed

        - a stricter check. **Breaking:** what was accepted is not ([0000000009](https://git.example/o/r/commit/0000000009000000000000000000000000000009))

        Contributors: Ann

        ## [1.1.0] - 2026-01-06

        ### Added

        - **api:** earlier ([0000000001](https://git.example/o/r/commit/0000000001000000000000000000000000000001))

        ### Changed

        - Words without a type ([0000000002](https://git.example/o/r/commit/0000000002000000000000000000000000000002))
        - drop the old format (**breaking**) ([0000000005](https://git.example/o/r/commit/0000000005000000000000000000000000000005))

        ### Fixed

        - **api:** later ([0000000006](https://git.example/o/r/commit/0000000006000000000000000000000000000006))

        ### Security

        - close it ([0000000003](https://git.example/o/r/commit/0000000003000000000000000000000000000003))

        Contributors: Ann, bob, Cem

        ## [1.0.0] - 2025-12-31

        ### Added

        - it ([0000000000](https://git.example/o/r/commit/0000000000000000000000000000000000000000))

        Contributors: Ann

        [Unreleased]: https://git.example/o/r/compare/ui-1.1.0...HEAD
        [1.1.0]: https://git.example/o/r/compare/ui-1.0.0...ui-1.1.0
        [1.0.0]: https://git.example/o/r/commits/ui-1.0.0
        "#);
    }

    #[test]
    fn without_a_repository_there_are_no_links() {
        let text = Changelog { links: None, ..changelog() }.render();
        assert!(text.contains("\n## Unreleased\n") && text.contains("\n## 1.1.0 - 2026-01-06\n"));
        assert!(text.contains("- it (0000000000)\n") && !text.contains("]: "), "{text}");
    }

    #[test]
    fn pre_releases_have_a_section_until_what_they_announce_is_out() {
        let of = |labels: &str| {
            let versions = labels.split(' ').map(|label| released(label, "2026-01-07")).collect();
            let shown = shown(versions).into_iter().map(|one| one.label);
            shown.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of("1.3.0-dev.2 1.2.0 1.10.0 1.3.0 1.3.0-dev.10"), "1.10.0 1.3.0 1.2.0");
        assert_eq!(of("1.2.0 1.3.0-dev.2 1.3.0-dev.10"), "1.3.0-dev.10 1.3.0-dev.2 1.2.0");
        assert_eq!(of("20260107.9 20260107.10 x"), "20260107.10 20260107.9");
    }
}
