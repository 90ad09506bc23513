//! Problems in files, each with its place: the line, a caret, a label, help.

use std::{borrow::Cow, collections::BTreeMap, ops::Range, path::Path};

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::{
    place::LineStarts,
    style::{Role, Style},
    text::visible,
};
use crate::model::{Diagnostic, Problems, Span};

/// Of a line, no more bytes before and after a place than this are looked at: no
/// terminal is wider, and a line may have megabytes.
const AROUND: usize = 1_000;
/// Places in one file that are farther apart, in bytes, get a picture each.
const FAR: usize = 64 * 1024;

/// All of `problems`, a blank line after each, and a last line that counts them. Empty
/// if there are none.
pub fn render_problems(problems: &Problems, style: Style) -> String {
    if problems.diagnostics.is_empty() {
        return String::new();
    }
    pictures_of(problems, style) + &style.paint(Role::Error, &count_of(problems)) + "\n"
}

/// All of `problems`, a blank line after each.
pub(super) fn pictures_of(problems: &Problems, style: Style) -> String {
    let texts = problems.texts.iter().map(|(file, text)| (file.as_path(), LineStarts::new(text)));
    let texts: Texts<'_> = texts.collect();
    let renderer = renderer(style);
    let mut text = String::new();
    for problem in &problems.diagnostics {
        text.push_str(&render(problem, &texts, &renderer));
        text.push_str("\n\n");
    }
    text
}

type Texts<'a> = BTreeMap<&'a Path, LineStarts<'a>>;

fn renderer(style: Style) -> Renderer {
    // Links in a terminal would need absolute paths; spans are relative to the workspace.
    let renderer =
        if style.color { Renderer::styled().hyperlink(false) } else { Renderer::plain() };
    match style.width {
        Some(width) => renderer.term_width(width.max(40)),
        None => renderer,
    }
}

/// `3 problems in 2 files`.
pub(super) fn count_of(problems: &Problems) -> String {
    let mut files: Vec<_> = problems.diagnostics.iter().map(|one| &one.span.file).collect();
    files.sort();
    files.dedup();
    let number = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    };
    format!("{} in {}", number(problems.diagnostics.len(), "problem"), number(files.len(), "file"))
}

fn render(problem: &Diagnostic, texts: &Texts<'_>, renderer: &Renderer) -> String {
    let mut group = Group::with_title(Level::ERROR.primary_title(visible(&problem.what)));
    let mut moved = Vec::new();
    for picture in pictures(problem) {
        let file = visible(&picture.file.to_string_lossy()).into_owned();
        if let Some(lines) = texts.get(picture.file) {
            let (snippet, cut) = picture.snippet(lines);
            moved.extend(cut.map(|(line, seen, real)| {
                (format!("{file}:{line}:{seen}"), format!("{file}:{line}:{real}"))
            }));
            group = group.element(snippet.path(file));
        } else {
            group = group.element(Origin::path(file));
        }
    }
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(visible(help)));
    }
    let text = renderer.render(&[group]);
    moved.iter().fold(text, |text, (seen, real)| text.replacen(seen, real, 1))
}

/// Places of one file that are shown together.
struct Picture<'a> {
    file: &'a Path,
    places: Vec<ProblemPlace<'a>>,
}

struct ProblemPlace<'a> {
    bytes: Range<usize>,
    label: &'a str,
    kind: AnnotationKind,
}

/// The place of the problem with the related places near it, then the others one by one.
fn pictures(problem: &Diagnostic) -> Vec<Picture<'_>> {
    let place = |span: &Span, label, kind| ProblemPlace { bytes: span.bytes.clone(), label, kind };
    let primary = place(&problem.span, problem.label.as_str(), AnnotationKind::Primary);
    let mut pictures = vec![Picture { file: &problem.span.file, places: vec![primary] }];
    for (span, label) in &problem.related {
        let related = place(span, label, AnnotationKind::Context);
        let near = span.bytes.start.abs_diff(problem.span.bytes.start) < FAR;
        if near && span.file == problem.span.file {
            pictures[0].places.push(related);
        } else {
            pictures.push(Picture { file: &span.file, places: vec![related] });
        }
    }
    pictures
}

/// A line, the column that seems to be the place in it, and the one that is.
type Cut = (usize, usize, usize);

impl<'a> Picture<'a> {
    /// The lines that hold the places, without what lies far before and after them. If
    /// that cuts off the beginning of the line with the first place, its column has to
    /// be put right afterwards: the renderer only counts what it is shown.
    fn snippet(&self, lines: &LineStarts<'a>) -> (Snippet<'a, Annotation<'a>>, Option<Cut>) {
        let marks: Vec<Range<usize>> = self.places.iter().map(|place| mark(place, lines)).collect();
        let first = marks.iter().map(|mark| mark.start).min().unwrap_or(0);
        let last = marks.iter().map(|mark| mark.end).max().unwrap_or(0);
        let line = lines.line_of(first);
        let line_start = lines.bytes_of(line).start;
        let start = line_start.max(lines.boundary(first.saturating_sub(AROUND)));
        let end = lines.bytes_of(lines.line_of(last)).end.min(lines.boundary(last + AROUND));

        let annotations = self.places.iter().zip(&marks).map(|(place, mark)| {
            let label = (!place.label.is_empty()).then(|| visible(place.label));
            place.kind.span(mark.start - start..mark.end - start).label(label)
        });
        let mut text = Cow::Borrowed(lines.text(start..end.max(last)));
        if text.ends_with('\n') {
            // The renderer knows no line after the last line end, but a place may be there.
            text.to_mut().push(' ');
        }
        let snippet = Snippet::source(text).line_start(line).annotations(annotations);

        let real = lines.position(marks[0].start);
        let seen = lines.text(start..marks[0].start).chars().count() + 1;
        let is_cut = start > line_start && real.line == line;
        (snippet, is_cut.then_some((line, seen, real.column)))
    }
}

/// The bytes under which the carets stand: of a place with several lines the first one.
fn mark(place: &ProblemPlace<'_>, lines: &LineStarts<'_>) -> Range<usize> {
    let start = lines.boundary(place.bytes.start);
    let line = lines.bytes_of(lines.line_of(start));
    let start = start.min(line.end);
    let end = lines.boundary(place.bytes.end.min(start + AROUND));
    start..end.clamp(start, line.end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MANIFEST: &str = "versions:\n  nats: v2.10.24\n  arc: v0.1.0\n  nats: v2.9.0\n";

    fn span(file: &str, text: &str, word: &str) -> Span {
        let start = text.rfind(word).unwrap();
        Span { file: file.into(), bytes: start..start + word.len() }
    }

    fn problems(texts: &[(&str, &str)], diagnostics: Vec<Diagnostic>) -> Problems {
        let texts = texts.iter().map(|(file, text)| (file.into(), (*text).to_owned())).collect();
        Problems { diagnostics, texts }
    }

    #[test]
    fn a_problem_shows_its_line_with_a_caret_and_what_to_do() {
        let spec = "binary: nats-server\nsourec:\n  git: https://example.org\n";
        let one = Diagnostic::new(
            span("subsystems/nats.yml", spec, "sourec"),
            "unknown key `sourec`",
            "not a known key",
        )
        .help("did you mean `source`?");
        let first = Span { file: "versions.yml".into(), bytes: 12..16 };
        let two = Diagnostic::new(
            span("versions.yml", MANIFEST, "nats"),
            "`nats` is defined twice",
            "again here",
        )
        .related(first, "first defined here");
        let three = Diagnostic::new(
            span("versions.yml", MANIFEST, "v0.1.0"),
            "`arc` is pinned nowhere",
            "",
        )
        .related(span("subsystems/nats.yml", spec, "binary"), "needed here")
        .related(Span { file: "subsystems/gone.yml".into(), bytes: 0..1 }, "gone");
        let all = problems(
            &[("versions.yml", MANIFEST), ("subsystems/nats.yml", spec)],
            vec![one, two, three],
        );
        insta::assert_snapshot!(render_problems(&all, Style::PLAIN), @r"
        error: unknown key `sourec`
         --> subsystems/nats.yml:2:1
          |
        2 | sourec:
          | ^^^^^^ not a known key
          |
          = help: did you mean `source`?

        error: `nats` is defined twice
         --> versions.yml:4:3
          |
        2 |   nats: v2.10.24
          |   ---- first defined here
        3 |   arc: v0.1.0
        4 |   nats: v2.9.0
          |   ^^^^ again here

        error: `arc` is pinned nowhere
         --> versions.yml:3:8
          |
        3 |   arc: v0.1.0
          |        ^^^^^^
          |
         ::: subsystems/nats.yml:1:1
          |
        1 | binary: nats-server
          | ------ needed here
         ::: subsystems/gone.yml

        3 problems in 2 files
        ");
    }

    #[test]
    fn colour_marks_level_caret_and_count() {
        let one =
            Diagnostic::new(span("versions.yml", MANIFEST, "arc"), "unknown `arc`", "no spec");
        let all = problems(&[("versions.yml", MANIFEST)], vec![one]);
        let text = render_problems(&all, Style { color: true, width: Some(80) });
        insta::assert_snapshot!(text.replace('\u{1b}', "␛"), @r"
        ␛[1m␛[91merror␛[0m␛[1m: unknown `arc`␛[0m
         ␛[1m␛[94m--> ␛[0mversions.yml:3:3
          ␛[1m␛[94m|␛[0m
        ␛[1m␛[94m3␛[0m ␛[1m␛[94m|␛[0m   arc: v0.1.0
          ␛[1m␛[94m|␛[0m   ␛[1m␛[91m^^^␛[0m ␛[1m␛[91mno spec␛[0m

        ␛[1m␛[31m1 problem in 1 file␛[0m
        ");
    }

    #[test]
    fn of_a_line_of_megabytes_what_is_around_the_caret_is_shown_with_its_true_column() {
        let line = format!("a: 1\n{}nat: 1 # {}", "é".repeat(2_500_000), "y".repeat(5_000_000));
        let place = span("big.yml", &line, "nat");
        let one = Diagnostic::new(place, "unknown key `nat`", "not a known key");
        let all = problems(&[("big.yml", &line)], vec![one]);
        let text = render_problems(&all, Style { color: false, width: Some(60) });
        insta::assert_snapshot!(text, @r"
        error: unknown key `nat`
         --> big.yml:2:2500001
          |
        2 | ...ééééééééééééééénat: 1 # yyyyyyyyyyyyyyyyyyyyyyyyyy...
          |                   ^^^ not a known key

        1 problem in 1 file
        ");
    }

    #[test]
    fn control_characters_are_seen_and_not_obeyed() {
        let text = "nats: \u{1b}[31mred\u{7}\n";
        let one = Diagnostic::new(
            span("a\u{1b}.yml", text, "\u{1b}"),
            "bad\u{1b} value",
            "the \u{8}character",
        );
        let all = problems(&[("a\u{1b}.yml", text)], vec![one.help("remove \u{1b}")]);
        insta::assert_snapshot!(render_problems(&all, Style::PLAIN), @r"
        error: bad␛ value
         --> a␛.yml:1:7
          |
        1 | nats: ␛[31mred␇
          |       ^ the ␈character
          |
          = help: remove ␛

        1 problem in 1 file
        ");
    }

    #[test]
    fn without_problems_there_is_nothing_to_say() {
        assert_eq!(render_problems(&Problems::default(), Style::PLAIN), "");
    }

    proptest! {
        #[test]
        fn no_span_and_no_text_can_break_it(
            text in "[a:\n\r\té日\x1b ]{0,40}",
            spans in prop::collection::vec((0..60_usize, 0..60_usize), 1..4),
            width in prop::option::of(0..80_usize),
        ) {
            let mut spans = spans.into_iter().map(|(start, len)| Span { file: "a".into(), bytes: start..start + len });
            let mut one = Diagnostic::new(spans.next().unwrap(), "what\u{7}", "label\u{8}").help("help\u{9b}");
            for span in spans {
                one = one.related(span, "there\r");
            }
            let all = problems(&[("a", &text)], vec![one]);
            let shown = render_problems(&all, Style { color: false, width });
            prop_assert!(shown.ends_with("1 problem in 1 file\n"));
            prop_assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
            let lines = LineStarts::new(&text);
            let bytes = all.diagnostics[0].span.bytes.clone();
            let place = ProblemPlace { bytes, label: "", kind: AnnotationKind::Primary };
            let place = lines.position(mark(&place, &lines).start);
            prop_assert!(shown.contains(&format!("--> a:{}:{}", place.line, place.column)), "{shown}");
        }
    }
}
