//! What the notes of a release say of its images, and of what it lacks.

use std::fmt::Write as _;

/// The images of a release, and what it lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageNotes {
    /// The images that are there, each by its subsystem, as `repo:tag@sha256:…`.
    pub images: Vec<(String, String)>,
    /// What is missing, each with why: one sentence without a full stop.
    pub missing: Vec<(String, String)>,
}

impl ImageNotes {
    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty() && self.missing.is_empty()
    }

    /// The text, in Markdown. It ends with an empty line, unless there is none.
    pub fn render(&self) -> String {
        let mut text = String::new();
        if !self.missing.is_empty() {
            let names: Vec<_> = self.missing.iter().map(|(name, _)| name.as_str()).collect();
            let _ = writeln!(text, "**Not complete yet:** missing {}.\n", names.join(", "));
            for (name, why) in &self.missing {
                let _ = writeln!(text, "- {name}: {why}");
            }
            text.push('\n');
        }
        if !self.images.is_empty() {
            text.push_str("## Images\n\n| service | image |\n|---|---|\n");
            for (name, image) in &self.images {
                let _ = writeln!(text, "| {name} | `{image}` |");
            }
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_comes_first_and_each_image_has_its_digest() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let notes = ImageNotes {
            images: vec![pair("api", "r.io/api:v1@sha256:00")],
            missing: vec![pair("web", "r.io/web has no v1")],
        };
        insta::assert_snapshot!(notes.render(), @r"
        **Not complete yet:** missing web.

        - web: r.io/web has no v1

        ## Images

        | service | image |
        |---|---|
        | api | `r.io/api:v1@sha256:00` |
        ");
        assert!(ImageNotes::default().is_empty() && ImageNotes::default().render().is_empty());
    }
}
