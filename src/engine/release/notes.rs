//! The notes of a release of the project: what changed since the one before, in Markdown.

use std::fmt::Write as _;

use crate::{git::Commit, model::Precedence};

use super::{
    change::{Chapter, NoteEntry},
    changelog::{Links, contributors, credits, reference, told},
    components::Components,
    image_notes::ImageNotes,
};

/// GitHub takes no longer text for a release, in characters.
const LONGEST: usize = 125_000;

/// What notes are made of.
#[derive(Clone, Debug)]
pub struct Notes {
    /// The tag of the release before, if there is one.
    pub since: Option<String>,
    /// Its own tag, if it has one.
    pub tag: Option<String>,
    /// Where its source can be looked at.
    pub links: Option<Links>,
    /// The commits since then, the newest first.
    pub commits: Vec<Commit>,
    /// The versions then.
    pub before: Components,
    /// The versions now.
    pub now: Components,
    /// Its images, and what it lacks.
    pub images: ImageNotes,
}

impl Notes {
    /// The text.
    pub fn render(&self) -> String {
        self.render_within(LONGEST)
    }

    fn render_within(&self, longest: usize) -> String {
        let tail = self.tail();
        let room = longest.saturating_sub(tail.chars().count());
        cut(self.changes(), room) + &tail
    }

    /// The chapters, a line for each change, the oldest first.
    fn changes(&self) -> String {
        let mut changes: Vec<NoteEntry> =
            self.commits.iter().rev().map(NoteEntry::from_commit).collect();
        changes.sort_by_key(NoteEntry::chapter_of_notes);
        let mut text = String::new();
        for chapter in changes.chunk_by(|a, b| a.chapter_of_notes() == b.chapter_of_notes()) {
            let title = chapter[0].chapter_of_notes();
            if title == Chapter::Upkeep {
                let what = if chapter.len() == 1 { "commit" } else { "commits" };
                let _ = write!(text, "And {} {what} of upkeep.\n\n", chapter.len());
                continue;
            }
            let _ = write!(text, "## {}\n\n", title.title());
            for change in chapter {
                let told = told(change.scope.as_deref(), change.text());
                let _ = writeln!(text, "- {told} ({})", reference(change, self.links.as_ref()));
            }
            text.push('\n');
        }
        text
    }

    /// What is never left out: the table of components, and since when.
    fn tail(&self) -> String {
        let changed = self.before.changes(&self.now);
        let mut text = self.images.render();
        if !changed.is_empty() {
            text.push_str("## Components\n\n| component | before | now |\n|---|---|---|\n");
            for (name, before, now) in changed {
                let (before, now) = (before.unwrap_or("-"), now.unwrap_or("removed"));
                let _ = writeln!(text, "| {name} | {before} | {now} |");
            }
            text.push('\n');
        }
        if let Some(credits) = credits(&contributors(self.commits.iter())) {
            let _ = write!(text, "{credits}\n\n");
        }
        let page = self.links.as_ref().map(|links| {
            links.changes(self.since.as_deref(), self.tag.as_deref().unwrap_or("HEAD"))
        });
        text.push_str(&match (&self.since, page, self.commits.is_empty()) {
            (Some(since), _, true) => format!("No commit since {since}.\n"),
            (Some(since), None, false) => format!("All changes since {since}.\n"),
            (Some(since), Some(page), false) => format!("[All changes since {since}]({page}).\n"),
            (None, ..) => "The first release.\n".to_owned(),
        });
        text
    }
}

/// `text`, or as many of its first lines as have room in that many characters, and how many
/// are left out.
fn cut(text: String, room: usize) -> String {
    /// The line that says so is no longer.
    const SAID: usize = 40;
    if text.chars().count() <= room {
        return text;
    }
    let (mut kept, mut used, mut left) = (String::new(), SAID, text.lines().count());
    for line in text.split_inclusive('\n') {
        used += line.chars().count();
        if used > room {
            break;
        }
        kept.push_str(line);
        left -= 1;
    }
    format!("{kept}\n… and {left} lines more\n\n")
}

/// Whether `tag` is that of a release of the project: `v1.2.3`.
pub fn is_project_tag(tag: &str) -> bool {
    tag.starts_with('v') && Precedence::parse(tag).is_some()
}

/// The release before `tag`: the highest lower one. Of a stable release the highest lower
/// stable one, so that its notes tell what those of its candidates told too.
pub fn previous<'t>(tags: impl IntoIterator<Item = &'t str>, tag: &str) -> Option<&'t str> {
    let this = Precedence::parse(tag)?;
    let older = tags.into_iter().filter(|tag| is_project_tag(tag)).filter_map(|tag| {
        let precedence = Precedence::parse(tag)?;
        (precedence < this && (precedence.is_stable() || !this.is_stable()))
            .then_some((precedence, tag))
    });
    older.max().map(|(_, tag)| tag)
}

/// The highest of those tags that releases of the project have.
pub fn latest<'t>(tags: impl IntoIterator<Item = &'t str>) -> Option<&'t str> {
    let versions = tags.into_iter().filter(|tag| is_project_tag(tag));
    versions.filter_map(|tag| Some((Precedence::parse(tag)?, tag))).max().map(|(_, tag)| tag)
}

/// Whether `tag` is a stable version, and none of the other releases' tags is a higher one.
pub fn is_latest<'t>(others: impl IntoIterator<Item = &'t str>, tag: &str) -> bool {
    let Some(this) = Precedence::parse(tag).filter(Precedence::is_stable) else { return false };
    let others = others.into_iter().filter(|tag| is_project_tag(tag));
    others.filter_map(Precedence::parse).filter(Precedence::is_stable).all(|other| other <= this)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(number: usize, message: &str) -> Commit {
        let hash = format!("{number:040}");
        Commit { hash, message: message.to_owned(), ..Commit::default() }
    }

    fn notes(messages: &[&str]) -> Notes {
        let commits = messages.iter().enumerate().map(|(at, text)| commit(at, text));
        Notes {
            since: Some("v1.0.0".into()),
            tag: None,
            links: None,
            commits: commits.collect(),
            before: Components::read("versions: { nats: v2.10.23, old: v1 }", None),
            now: Components::read("versions: { nats: v2.10.24, new: v1 }", None),
            images: ImageNotes::default(),
        }
    }

    #[test]
    fn notes_have_chapters_and_a_table_of_components() {
        let notes = notes(&[
            "chore: x",
            "fix: later",
            "docs: y",
            "feat(ui): a",
            "fix: earlier",
            "feat!: b",
        ]);
        insta::assert_snapshot!(notes.render(), @r"
        ## Breaking changes

        - b (0000000000)

        ## Added

        - **ui:** a (0000000000)

        ## Fixed

        - earlier (0000000000)
        - later (0000000000)

        And 2 commits of upkeep.

        ## Components

        | component | before | now |
        |---|---|---|
        | nats | v2.10.23 | v2.10.24 |
        | new | - | v1 |
        | old | v1 | removed |

        All changes since v1.0.0.
        ");
    }

    #[test]
    fn notes_name_who_took_part_and_lead_to_the_source() {
        let links = Some(Links { repository: "https://git.example/o/r".into() });
        let mut notes = Notes { tag: Some("v1.1.0".into()), links, ..notes(&["fix: a"]) };
        notes.commits[0].author = "Ann".into();
        notes.now = notes.before.clone();
        insta::assert_snapshot!(notes.render(), @r"
        ## Fixed

        - a ([0000000000](https://git.example/o/r/commit/0000000000000000000000000000000000000000))

        Contributors: Ann

        [All changes since v1.0.0](https://git.example/o/r/compare/v1.0.0...v1.1.0).
        ");
    }

    #[test]
    fn notes_without_anything_say_so() {
        let same = Components::default();
        let empty = Notes { commits: Vec::new(), before: same.clone(), now: same, ..notes(&[]) };
        assert_eq!(empty.render(), "No commit since v1.0.0.\n");
        let first = Notes { since: None, ..empty };
        assert_eq!(first.render(), "The first release.\n");
    }

    #[test]
    fn long_notes_are_cut_at_a_line_and_keep_the_table() {
        let messages: Vec<String> =
            (0..3000).map(|n| format!("feat: ü {n} {}", "x".repeat(60))).collect();
        let notes = notes(&messages.iter().map(String::as_str).collect::<Vec<_>>());
        let text = notes.render();
        assert!(text.chars().count() <= LONGEST && text.chars().count() > LONGEST - 200);
        assert!(
            text.contains("\n\n… and ") && text.contains("| nats |"),
            "{}",
            &text[text.len() - 400..]
        );
        let told = text.lines().filter(|line| line.starts_with("- ")).count();
        let left = text.split("… and ").nth(1).unwrap().split(' ').next().unwrap();
        // The blank line after the chapter is one of them.
        assert_eq!(told + left.parse::<usize>().unwrap(), 3001);
        for longest in (0..400).step_by(21) {
            let least = notes.tail().chars().count() + 40;
            assert!(notes.render_within(longest).chars().count() <= longest.max(least));
        }
    }

    #[test]
    fn the_release_before_is_the_highest_lower_one() {
        let tags = ["v1.0.0", "v1.10.0", "v1.9.0", "v2.0.0-rc.1", "nats-v9", "other", "v10"];
        assert_eq!(previous(tags, "v1.10.0"), Some("v1.9.0"));
        assert_eq!(previous(tags, "v2.0.0-rc.2"), Some("v2.0.0-rc.1"));
        assert_eq!(previous(tags, "v2.0.0-rc.1"), Some("v1.10.0"));
        assert_eq!(previous(tags, "v2.0.0"), Some("v1.10.0"));
        assert_eq!(previous(tags, "v1.0.0"), None);
        assert_eq!(latest(tags), Some("v10"));
        assert_eq!(latest(["nats-v1"]), None);
    }

    #[test]
    fn only_the_highest_stable_version_is_the_latest() {
        assert!(is_latest(["v1.9.0", "v1.10.0", "v2.0.0-rc.1", "nats-v9"], "v1.10.0"));
        assert!(!is_latest(["v1.10.0"], "v1.9.9"));
        assert!(!is_latest([], "v2.0.0-rc.1"));
        assert!(is_latest([], "v0.1.0"));
    }
}
