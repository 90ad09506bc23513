//! Text with nothing in it that a terminal or a CI obeys.
//!
//! Formats: ECMA-48 for control sequences, UAX 9 for signs that turn the direction of reading.
//! Commands of CI: "Workflow commands" of GitHub Actions (`::name::` after blanks at the beginning of a
//! line, and the older `##[name]` anywhere in it), "Logging commands" of Azure Pipelines
//! (`##vso[`, `##[`), "Service messages" of TeamCity (`##teamcity[`), "Custom collapsible sections" of GitLab
//! (`section_start:`), "Managing log output" of Buildkite (`---`, `+++`, `~~~`, `^^^` at the beginning of a line,
//! and the sequences ESC `_bk;` and ESC `]13`).

use std::borrow::Cow;

use super::ConsoleReader;

/// `text`, whatever it holds, so that it is only shown. Line ends, tabs and colours stay.
pub fn harmless(text: &str, reader: ConsoleReader) -> Cow<'_, str> {
    let is_quiet = !text.contains(is_active);
    if is_quiet && !has_commands(text, reader) {
        return Cow::Borrowed(text);
    }
    if is_json(text) {
        return Cow::Owned(escaped(text, reader));
    }
    let shown = if is_quiet { Cow::Borrowed(text) } else { Cow::Owned(visible(text)) };
    match has_commands(&shown, reader) {
        true => Cow::Owned(shown.split_inclusive('\n').map(|line| inert(line, reader)).collect()),
        false => shown,
    }
}

/// Whether a terminal does something with `c` that is not looked at more closely.
fn is_active(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t') || turns(c)
}

/// Whether `c` turns the direction of reading.
fn turns(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Control characters as their pictures, but for colours and for the return before a line's end.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(colour) = colour(rest) {
            shown.push_str(&rest[..colour]);
            rest = &rest[colour..];
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            '\r' if rest.starts_with('\n') => {}
            c if !is_active(c) => shown.push(c),
            '\u{7f}' => shown.push('␡'),
            c if c < ' ' => shown.extend(char::from_u32(0x2400 + u32::from(c))),
            _ => shown.push('�'),
        }
    }
    shown
}

/// How long the sequence is that only changes colours, if `text` begins with one: ESC `[`, numbers, `m`.
fn colour(text: &str) -> Option<usize> {
    let inner = text.strip_prefix("\u{1b}[")?;
    let end = inner.find(|c: char| !c.is_ascii_digit() && c != ';' && c != ':')?;
    inner[end..].starts_with('m').then_some(end + 3)
}

fn has_commands(text: &str, reader: ConsoleReader) -> bool {
    match reader {
        ConsoleReader::Person => false,
        ConsoleReader::Actions => text.contains("##[") || text.contains("::"),
        ConsoleReader::Azure | ConsoleReader::TeamCity => text.contains("##"),
        ConsoleReader::GitLab => text.contains("section_"),
        ConsoleReader::Buildkite => text.lines().any(begins_a_group),
    }
}

/// One line, in which whoever reads finds no command.
fn inert(line: &str, reader: ConsoleReader) -> String {
    match reader {
        ConsoleReader::Actions => {
            let bare = without_colours(line);
            let mark = if bare.trim_start().starts_with("::") { "| " } else { "" };
            format!("{mark}{}", line.replace("##[", "## ["))
        }
        ConsoleReader::Azure => line.replace("##[", "## [").replace("##vso[", "## vso["),
        ConsoleReader::TeamCity => line.replace("##teamcity", "## teamcity"),
        ConsoleReader::GitLab => {
            line.replace("section_start", "section start").replace("section_end", "section end")
        }
        ConsoleReader::Buildkite if begins_a_group(line) => format!(" {line}"),
        ConsoleReader::Buildkite | ConsoleReader::Person => line.to_owned(),
    }
}

fn begins_a_group(line: &str) -> bool {
    let line = without_colours(line);
    ["---", "+++", "~~~", "^^^"].iter().any(|mark| line.starts_with(mark))
}

/// A reader may take colours away before it looks for commands.
fn without_colours(mut text: &str) -> Cow<'_, str> {
    if !text.contains('\u{1b}') {
        return Cow::Borrowed(text);
    }
    let mut bare = String::with_capacity(text.len());
    while let Some(at) = text.find('\u{1b}') {
        bare.push_str(&text[..at]);
        text = &text[at + colour(&text[at..]).unwrap_or(1)..];
    }
    bare.push_str(text);
    Cow::Owned(bare)
}

fn is_json(text: &str) -> bool {
    text.starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// A JSON document that means the same, with what is active in its texts escaped.
fn escaped(json: &str, reader: ConsoleReader) -> String {
    let mut shown = String::with_capacity(json.len() + 8);
    let mut before = ' ';
    for c in json.chars() {
        let is_command = reader != ConsoleReader::Person && (before, c) == ('#', '#')
            || reader == ConsoleReader::GitLab && (before, c) == ('n', '_');
        match is_command || is_active(c) && c != '\r' {
            true => shown.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => shown.push(c),
        }
        before = if is_command { ' ' } else { c };
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [ConsoleReader; 6] = [
        ConsoleReader::Person,
        ConsoleReader::Actions,
        ConsoleReader::Azure,
        ConsoleReader::TeamCity,
        ConsoleReader::GitLab,
        ConsoleReader::Buildkite,
    ];

    #[test]
    fn each_reader_finds_no_command() {
        for (reader, text, shown) in [
            (ConsoleReader::Actions, "a :: b\n", "a :: b\n"),
            (
                ConsoleReader::Actions,
                "::error::x\n\t ::endgroup::\nok",
                "| ::error::x\n| \t ::endgroup::\nok",
            ),
            (ConsoleReader::Actions, "a\r::set-env name=x::y\r\n", "a␍::set-env name=x::y\n"),
            (ConsoleReader::Actions, "x ##[error]y\n", "x ## [error]y\n"),
            (ConsoleReader::Actions, "::##[a]", "| ::## [a]"),
            (ConsoleReader::Actions, "\u{a0}::x", "| \u{a0}::x"),
            (ConsoleReader::Actions, "\u{1b}[1m::x::", "| \u{1b}[1m::x::"),
            (
                ConsoleReader::Azure,
                "a ##vso[task.setvariable]x ##[group]",
                "a ## vso[task.setvariable]x ## [group]",
            ),
            (ConsoleReader::TeamCity, "##teamcity[publish 'x']", "## teamcity[publish 'x']"),
            (ConsoleReader::GitLab, "section_start:1:a\r\u{1b}[0Kx", "section start:1:a␍␛[0Kx"),
            (ConsoleReader::Buildkite, "--- a\n+++ b\n-- c\n", " --- a\n +++ b\n-- c\n"),
            (ConsoleReader::Buildkite, "\u{1b}_bk;t=1\u{7}x", "␛_bk;t=1␇x"),
            (ConsoleReader::Person, "::x::\n##[y]\n--- z\n", "::x::\n##[y]\n--- z\n"),
        ] {
            assert_eq!(harmless(text, reader), shown, "{reader:?}");
        }
    }

    #[test]
    fn only_colours_reach_a_terminal() {
        for (text, shown) in [
            ("\u{1b}[1;31merror\u{1b}[0m", "\u{1b}[1;31merror\u{1b}[0m"),
            ("\u{1b}[2Jgone", "␛[2Jgone"),
            ("\u{1b}]0;title\u{7}", "␛]0;title␇"),
            ("\u{9b}2J \u{85}", "�2J �"),
            ("a\rb\r\nc", "a␍b\nc"),
            ("\u{202e}txt.exe\u{2066}", "�txt.exe�"),
            ("tab\there\u{8}\u{7f}", "tab\there␈␡"),
        ] {
            assert_eq!(harmless(text, ConsoleReader::Person), shown);
        }
    }

    #[test]
    fn a_document_means_what_it_meant() {
        let document = serde_json::json!({"a": "##[error]x \u{9b}\u{202e}", "b": "section_start:1", "c": ["##vso[x]"]});
        let text = format!("{document:#}\n");
        for reader in ALL {
            let shown = harmless(&text, reader);
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), document);
            assert!(!shown.contains(is_active), "{shown}");
            if reader != ConsoleReader::Person {
                assert!(!shown.contains("##"), "{shown}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_harmless_stays_as_it_is(text in "[ -\"$-9;-~üß\n\t]{0,60}") {
            let text = text.replace("---", "").replace("~~~", "").replace("+++", "").replace("^^^", "").replace("section_", "");
            for reader in ALL {
                prop_assert_eq!(harmless(&text, reader), text.as_str());
            }
        }

        #[test]
        fn nothing_active_is_left(text in "(##|::|\\[|vso|teamcity|\u{1b}|\r|\n|---|a|\u{85}|m|1){0,30}") {
            for reader in ALL {
                let shown = harmless(&text, reader).into_owned();
                let is_shown = shown.chars().all(|c| c == '\u{1b}' || !is_active(c));
                prop_assert!(is_shown, "{:?}", shown);
                prop_assert_eq!(&harmless(&shown, reader), &shown, "once is enough");
                if reader == ConsoleReader::Actions {
                    let begins = shown.lines().any(|line| line.trim_start().starts_with("::"));
                    prop_assert!(!begins && !shown.contains("##["), "{:?}", shown);
                }
            }
        }
    }
}
