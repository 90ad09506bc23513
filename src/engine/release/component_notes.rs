//! The notes of a component's release: what changed with it, who did that, which assets it has, and
//! which it lacks yet.

use std::fmt::Write as _;

use super::changelog::{Links, Section};
use crate::{model::Platform, store::ReleaseAsset};

/// What the notes are made of.
#[derive(Clone, Debug)]
pub struct ComponentNotes<'s> {
    /// What changed.
    pub section: &'s Section,
    /// Where its source can be looked at.
    pub links: Option<&'s Links>,
    /// The assets, without what stands beside them.
    pub assets: Vec<ReleaseAsset>,
    /// What it has no asset for yet.
    pub missing: Vec<Platform>,
}

impl ComponentNotes<'_> {
    /// The text, in Markdown.
    pub fn render(&self) -> String {
        let mut text = String::new();
        let mut chapter = "";
        for (title, _, item) in self.section.items(self.links) {
            if title != chapter {
                let _ =
                    write!(text, "{}### {title}\n\n", if chapter.is_empty() { "" } else { "\n" });
                chapter = title;
            }
            let _ = writeln!(text, "{item}");
        }
        if chapter.is_empty() {
            let _ = writeln!(text, "Nothing that users notice.");
        }
        if let Some(credits) = self.section.credits() {
            let _ = write!(text, "\n{credits}\n");
        }
        if !self.missing.is_empty() {
            let names: Vec<_> = self.missing.iter().map(ToString::to_string).collect();
            let _ = write!(text, "\n**Not complete yet:** nothing for {}.\n", names.join(", "));
        }
        if !self.assets.is_empty() {
            text.push_str("\n| asset | sha256 |\n|---|---|\n");
            for asset in &self.assets {
                let digest = asset.sha256.map_or_else(|| "-".to_owned(), |it| it.to_string());
                let _ = writeln!(text, "| `{}` | `{digest}` |", asset.name);
            }
        }
        if let (Some(links), Some(released)) = (self.links, &self.section.released) {
            let _ = write!(text, "\nAll changes: {}\n", links.changes_of(self.section, released));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{super::changelog::tests::changelog, *};

    #[test]
    fn what_is_there_and_what_is_not_is_told() {
        let changelog = changelog();
        let mut notes = ComponentNotes {
            section: &changelog.sections[1],
            links: changelog.links.as_ref(),
            assets: vec![ReleaseAsset {
                name: "ui-linux-amd64.tar.gz".into(),
                size: 1,
                sha256: None,
            }],
            missing: vec!["darwin-arm64".parse().unwrap()],
        };
        insta::assert_snapshot!(notes.render(), @r"
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

        **Not complete yet:** nothing for darwin-arm64.

        | asset | sha256 |
        |---|---|
        | `ui-linux-amd64.tar.gz` | `-` |

        All changes: https://git.example/o/r/compare/ui-1.0.0...ui-1.1.0
        ");
        notes.missing.clear();
        assert!(!notes.render().contains("Not complete"));
    }
}
