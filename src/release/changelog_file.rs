//! A changelog in a file that people write in too.
//!
//! Sections of versions that the file has stay as they are. Above them come the versions that it has
//! not, and what is not released. What a person wrote under Unreleased goes with the next version;
//! an item that names a commit is that commit's, however it was reworded.

use super::{
    Changelog,
    change::Chapter,
    changelog::{Links, Section},
};

/// The file, in parts.
struct Page<'f> {
    /// What stands before the first section.
    head: &'f str,
    unreleased: Option<Body>,
    /// The other sections: what their heading names, and their text.
    sections: Vec<(String, String)>,
    /// Where headings lead: what they name, and the line.
    definitions: Vec<(String, &'f str)>,
}

/// What stands below a heading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Body {
    /// Before the first chapter.
    text: String,
    /// Chapters by their titles, with their items, of which each may have several lines.
    chapters: Vec<(String, Vec<String>)>,
}

/// What a line of credits begins with: it is written anew.
const CREDITS: &str = "Contributors: ";

/// `file` with what `changelog` has and it has not. The same again changes nothing.
pub fn update(file: &str, changelog: &Changelog) -> String {
    let page = Page::read(file);
    let is_known =
        |section: &Section| page.sections.iter().any(|(title, _)| is_same(title, section.title()));
    // Versions older than one that the file has were left out by somebody.
    let fresh: Vec<&Section> =
        changelog.sections.iter().take_while(|section| !is_known(section)).collect();
    let bodies = shared_out(page.unreleased.unwrap_or_default(), &fresh, changelog.links.as_ref());
    let mut text = if page.head.trim().is_empty() {
        changelog.preamble()
    } else {
        format!("{}\n", page.head.trim_end())
    };
    for (section, body) in fresh.iter().zip(&bodies) {
        text.push_str(&format!("\n{}\n", section.heading(changelog.links.is_some())));
        match section.placeholder().filter(|_| *body == Body::default()) {
            Some(line) => text.push_str(&format!("\n{line}\n")),
            None => text.push_str(&body.render()),
        }
        text.push_str(&section.credits().map(|line| format!("\n{line}\n")).unwrap_or_default());
    }
    for (_, section) in &page.sections {
        text.push_str(&format!("\n{}\n", section.trim_end()));
    }
    let definitions = definitions(&fresh, changelog.links.as_ref(), &page.definitions);
    if !definitions.is_empty() {
        text.push_str(&format!("\n{}\n", definitions.join("\n")));
    }
    text
}

/// Whether two headings name the same version.
fn is_same(a: &str, b: &str) -> bool {
    let bare = |text: &str| text.strip_prefix('v').unwrap_or(text).to_lowercase();
    bare(a) == bare(b)
}

/// Gives each section its own items, and what a person wrote under Unreleased.
fn shared_out(written: Body, fresh: &[&Section], links: Option<&Links>) -> Vec<Body> {
    let mut bodies = vec![Body::default(); fresh.len()];
    // What no commit is named in goes out with the newest version.
    let newest = fresh.iter().position(|section| section.released.is_some()).unwrap_or(0);
    let Some(body) = bodies.get_mut(newest) else { return bodies };
    body.text = written.text;
    for (chapter, items) in written.chapters {
        for item in items {
            let names = |hash: &str| item.contains(hash);
            let is_its = |section: &&Section| {
                section.changes.iter().any(|change| names(change.short_hash()))
            };
            let at = fresh.iter().position(is_its).unwrap_or(newest);
            let is_gone = fresh.iter().any(|section| section.untold.iter().any(|hash| names(hash)));
            if !is_gone || is_its(&fresh[at]) {
                bodies[at].chapter(&chapter).push(item);
            }
        }
    }
    for (section, body) in fresh.iter().zip(&mut bodies) {
        for (chapter, hash, item) in section.items(links) {
            if !body.names(hash) {
                body.chapter(chapter).push(item);
            }
        }
        body.sort();
    }
    bodies
}

/// The lines at the end: those of `fresh`, then the file's own.
fn definitions(fresh: &[&Section], links: Option<&Links>, own: &[(String, &str)]) -> Vec<String> {
    let new = fresh.iter().filter_map(|section| Some(section.definition(links?)));
    let is_new = |title: &str| fresh.iter().any(|section| is_same(section.title(), title));
    let kept = own.iter().filter(|(title, _)| links.is_none() || !is_new(title));
    new.chain(kept.map(|(_, line)| (*line).to_owned())).collect()
}

impl Body {
    fn read(text: &str) -> Self {
        let mut body = Self::default();
        for line in text.lines().filter(|line| !line.starts_with(CREDITS)) {
            let is_item = line.starts_with("- ") || line.starts_with("* ");
            if let Some(title) = line.strip_prefix("### ") {
                body.chapter(title.trim());
                continue;
            }
            let Some((_, items)) = body.chapters.last_mut() else {
                body.text.push_str(line);
                body.text.push('\n');
                continue;
            };
            match items.last_mut() {
                Some(item) if !is_item => {
                    item.push('\n');
                    item.push_str(line);
                }
                _ => items.push(line.to_owned()),
            }
        }
        body.text = body.text.trim().to_owned();
        for (_, items) in &mut body.chapters {
            for item in items.iter_mut() {
                item.truncate(item.trim_end().len());
            }
            items.retain(|item| !item.is_empty());
        }
        body
    }

    /// The items of the chapter called `title`.
    fn chapter(&mut self, title: &str) -> &mut Vec<String> {
        let at = self.chapters.iter().position(|(known, _)| known.eq_ignore_ascii_case(title));
        let at = at.unwrap_or_else(|| {
            self.chapters.push((title.to_owned(), Vec::new()));
            self.chapters.len() - 1
        });
        &mut self.chapters[at].1
    }

    fn names(&self, hash: &str) -> bool {
        self.chapters.iter().any(|(_, items)| items.iter().any(|item| item.contains(hash)))
    }

    /// Puts the chapters in their order; others come last, as they were.
    fn sort(&mut self) {
        let order = |title: &str| {
            let place = Chapter::ALL.iter().position(|one| one.title().eq_ignore_ascii_case(title));
            place.unwrap_or(usize::MAX)
        };
        self.chapters.sort_by_key(|(title, _)| order(title));
        self.chapters.retain(|(_, items)| !items.is_empty());
    }

    fn render(&self) -> String {
        let mut text = String::new();
        if !self.text.is_empty() {
            text.push_str(&format!("\n{}\n", self.text));
        }
        for (title, items) in &self.chapters {
            text.push_str(&format!("\n### {title}\n\n{}\n", items.join("\n")));
        }
        text
    }
}

impl<'f> Page<'f> {
    fn read(file: &'f str) -> Self {
        let (mut head, mut definitions) = (0, Vec::new());
        let mut sections: Vec<(String, String)> = Vec::new();
        let mut is_code = false;
        for line in file.split_inclusive('\n') {
            is_code ^= line.starts_with("```");
            if let Some(title) = line.strip_prefix("## ").filter(|_| !is_code) {
                sections.push((named(title), String::new()));
            }
            let definition = defined(line).filter(|_| !is_code && !sections.is_empty());
            match (definition, sections.last_mut()) {
                (Some(name), _) => definitions.push((name, line.trim_end())),
                (None, Some((_, text))) => text.push_str(line),
                (None, None) => head += line.len(),
            }
        }
        let at = sections.iter().position(|(title, _)| is_same(title, "Unreleased"));
        let unreleased = at.map(|at| sections.remove(at).1);
        let below = |text: String| text.split_once('\n').map(|(_, body)| Body::read(body));
        let unreleased = unreleased.and_then(below);
        Self { head: &file[..head], unreleased, sections, definitions }
    }
}

/// What a heading names: `[1.3.0] - 2026-01-07`.
fn named(title: &str) -> String {
    let title = title.trim();
    let title = match title.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => title.split_whitespace().next(),
    };
    title.unwrap_or_default().to_owned()
}

/// What a line says where a heading leads: `[1.3.0]: https://…`.
fn defined(line: &str) -> Option<String> {
    let (name, _) = line.strip_prefix('[')?.split_once("]: ")?;
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{
        super::changelog::tests::{changelog, commit},
        *,
    };

    #[test]
    fn what_is_written_is_read_as_the_same() {
        let changelog = changelog();
        let text = changelog.render();
        assert_eq!(update(&text, &changelog), text);
    }

    #[test]
    fn what_a_person_wrote_stays() {
        let file = "\
# Changes

Our own words.

## [Unreleased]

Read this first.

### Added

- By hand,
  on two lines

### Fixed

- Reworded (0000000009)
- feat: x, which was taken back (0000000007)

### Known issues

- One

## [v1.1.0] - 2026-01-06 - the big one

Only by hand.

```
## code
[code]: x
```

## 0.9

[Unreleased]: https://git.example/o/r/compare/old
[v1.1.0]: https://elsewhere.example
[0.9]: https://git.example/old
";
        let updated = update(file, &changelog());
        insta::assert_snapshot!(updated, @r#"
        # Changes

        Our own words.

        ## [Unreleased]

        Read this first.

        ### Added

        - By hand,
          on two lines

        ### Fixed

        - Reworded (0000000009)

        ### Known issues

        - One

        Contributors: Ann

        ## [v1.1.0] - 2026-01-06 - the big one

        Only by hand.

        ```
        ## code
        [code]: x
        ```

        ## 0.9

        [Unreleased]: https://git.example/o/r/compare/ui-1.1.0...HEAD
        [v1.1.0]: https://elsewhere.example
        [0.9]: https://git.example/old
        "#);
        assert_eq!(update(&updated, &changelog()), updated);
    }

    #[test]
    fn what_was_unreleased_goes_with_the_version() {
        let mut before = changelog();
        let file = before.render().replace("## [1.1.0]", "- By hand\n\n## [1.1.0]");
        let released = super::super::Released {
            label: "2.0.0".into(),
            tag: "ui-2.0.0".into(),
            day: "2026-01-08".into(),
        };
        before.sections[0].released = Some(released);
        let new = [commit(10, "Ann", "fix: the next")];
        before.sections.insert(0, Section::of(None, Some("ui-2.0.0".into()), &new));
        let text = update(&file, &before);
        let (unreleased, rest) = text.split_once("## [2.0.0] - 2026-01-08").unwrap();
        assert!(unreleased.contains("- the next") && !unreleased.contains("By hand"), "{text}");
        let (new, _) = rest.split_once("## [1.1.0]").unwrap();
        assert!(new.contains("- By hand") && new.contains("stricter"), "{text}");
        assert_eq!(update(&text, &before), text);
    }
}
