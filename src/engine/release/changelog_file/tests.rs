//! A changelog that people write in too: what they wrote stays, and nothing is there twice.

use proptest::prelude::*;

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
- x (0000000007)

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
        - feat: x, which was taken back (0000000007)

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
    before.sections.insert(0, Section::from_commits(None, Some("ui-2.0.0".into()), &new));
    let text = update(&file, &before);
    let (unreleased, rest) = text.split_once("## [2.0.0] - 2026-01-08").unwrap();
    assert!(unreleased.contains("- the next") && !unreleased.contains("By hand"), "{text}");
    let (new, _) = rest.split_once("## [1.1.0]").unwrap();
    assert!(new.contains("- By hand") && new.contains("stricter"), "{text}");
    assert_eq!(update(&text, &before), text);
}

#[test]
fn nothing_under_unreleased_is_lost_whatever_is_written() {
    let all = changelog();
    let file = "## [Unreleased]\n\n- by Ann\n\n## Unreleased - soon\n\n### Added\n\n- by Bob\n";
    let updated = update(file, &all);
    for line in ["- by Ann", "- by Bob", "soon", "## [1.1.0] - 2026-01-06"] {
        assert!(updated.lines().any(|found| found == line), "{line}: {updated}");
    }
    assert_eq!(updated.matches("Unreleased]\n").count(), 1, "{updated}");
    // What is asked for is there already.
    let known = Changelog { sections: all.sections[1..].to_vec(), ..all.clone() };
    let file = "# C\r\n\r\n## Unreleased\r\n\r\n- by Ann\r\n\r\n## v1.1.0 - 2026\r\n- old";
    let updated = update(file, &known);
    assert_eq!(updated, format!("{file}\r\n").replace("2026\r\n- old", "2026\r\n- old"));
}

#[test]
fn code_and_comments_are_no_headings() {
    let block = "```md\n### Added\n- x\n## 9.0\n```\n\n<!--\n## 8.0\n### Fixed\n-->\n- after";
    let file = format!("## Unreleased\n\n### Changed\n\n{block}\n");
    let updated = update(&file, &changelog());
    assert!(updated.contains(block), "{updated}");
}

/// Lines that people and forge write.
fn lines() -> impl Strategy<Value = Vec<String>> {
    let line = prop::sample::select(vec![
        "",
        "## [Unreleased]",
        "## Unreleased",
        "## unreleased - later",
        "## [1.1.0] - 2026-01-06",
        "## v1.0.0",
        "## 0.9",
        "### Added",
        "### added",
        "### Fixed",
        "### Known issues",
        "# Old",
        "- one",
        "- two (0000000009)",
        "* three",
        "  more of it",
        "    code",
        "words",
        "```",
        "~~~",
        "<!--",
        "-->",
        "[docs]: https://docs.example",
        "[Unreleased]: https://elsewhere.example",
        "[1.1.0]: https://mine.example",
        "Contributors: everybody",
        "Contributors: Ann",
        "---",
        "1.1.0",
        "| a | b |",
        "#### deep",
        "> said",
    ]);
    let numbered = (line, 0..40u8).prop_map(|(line, number)| match line {
        "words" | "- one" | "  more of it" | "> said" => format!("{line} {number}"),
        line => line.to_owned(),
    });
    prop::collection::vec(numbered, 0..24)
}

proptest! {
    #[test]
    fn what_people_wrote_stays(
        lines in lines(),
        from in 0usize..4,
        is_linked: bool,
        end in prop::sample::select(vec!["\n", "\r\n"]),
        is_ended: bool,
    ) {
        let mut changelog = changelog();
        changelog.sections.drain(..from.min(changelog.sections.len()));
        if !is_linked {
            changelog.links = None;
        }
        let file = lines.join(end) + if is_ended { end } else { "" };
        let updated = update(&file, &changelog);
        // What opens a block and does not close it closes elsewhere when it has moved.
        if !lines.iter().any(|line| ["```", "~~~", "<!--", "-->"].contains(&line.as_str())) {
            prop_assert_eq!(&update(&updated, &changelog), &updated, "twice");
        }
        let found: Vec<_> = updated.lines().map(str::trim_end).collect();
        for line in &lines {
            // What forge generates, and what headings of Unreleased say beside that.
            let is_own = line.to_lowercase().starts_with("## ") && line.to_lowercase().contains("unreleased")
                || line == "Contributors: Ann";
            let count = |of: &str| lines.iter().filter(|line| *line == of).count();
            let least = if line.starts_with("### ") || is_own { 1.min(count(line)) } else { count(line) };
            let there = found.iter().filter(|other| **other == line.trim_end()).count();
            prop_assert!(is_own || line.is_empty() || there >= least, "{:?} of\n{}\n->\n{}", line, file, updated);
        }
    }
}
