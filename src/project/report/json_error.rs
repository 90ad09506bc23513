//! The document that `--json` puts on standard output where there is nothing else to put there: why
//! forge stopped.

use std::path::Path;

use serde::Serialize;

use super::{SCHEMA, place::LineStarts, problems::count_of};
use crate::model::{Diagnostic, Fault, Kind, Problems, Span};

#[derive(Serialize)]
struct ErrorDocument<'a> {
    schema: u32,
    ok: bool,
    exit_code: u8,
    error: ErrorText<'a>,
    problems: Vec<ProblemRow<'a>>,
}

#[derive(Serialize)]
struct ErrorText<'a> {
    what: &'a str,
    because: &'a [String],
    help: Option<&'a str>,
}

#[derive(Serialize)]
struct ProblemRow<'a> {
    file: &'a Path,
    line: usize,
    column: usize,
    what: &'a str,
    help: Option<&'a str>,
}

/// The document about `fault`: one line with its end.
pub fn render_json_fault(fault: &Fault) -> String {
    let error = ErrorText { what: &fault.what, because: &fault.why, help: fault.hint.as_deref() };
    let problems = fault.shown.as_deref().map_or_else(Vec::new, rows);
    document(fault.kind.exit_code(), error, problems)
}

/// The document about `problems` of files: one line with its end.
pub fn render_json_problems(problems: &Problems) -> String {
    let what = count_of(problems);
    let error = ErrorText { what: &what, because: &[], help: None };
    document(Kind::Usage.exit_code(), error, rows(problems))
}

fn document(exit_code: u8, error: ErrorText<'_>, problems: Vec<ProblemRow<'_>>) -> String {
    let document = ErrorDocument { schema: SCHEMA, ok: false, exit_code, error, problems };
    let text = serde_json::to_string(&document).expect("numbers and strings always serialize");
    text + "\n"
}

fn rows(problems: &Problems) -> Vec<ProblemRow<'_>> {
    let row = |problem| row(problem, problems);
    problems.diagnostics.iter().map(row).collect()
}

fn row<'a>(problem: &'a Diagnostic, problems: &Problems) -> ProblemRow<'a> {
    let Span { file, bytes } = &problem.span;
    let text = problems.texts.get(file).map_or("", String::as_str);
    let place = LineStarts::new(text).position(bytes.start);
    ProblemRow {
        file,
        line: place.line,
        column: place.column,
        what: &problem.what,
        help: problem.help.as_deref(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_fault_is_a_document_with_its_causes() {
        let fault = Fault::new(Kind::Store, "cannot read it").because("it answered 503");
        insta::assert_snapshot!(render_json_fault(&fault), @r#"{"schema":1,"ok":false,"exit_code":5,"error":{"what":"cannot read it","because":["it answered 503"],"help":null},"problems":[]}"#);
    }

    #[test]
    fn problems_have_lines_and_columns() {
        let span = Span { file: "versions.yml".into(), bytes: 12..15 };
        let wrong = Diagnostic::new(span, "no key `é`", "not a known key").help("leave it out");
        let texts = BTreeMap::from([("versions.yml".into(), "versions:\n  é: 1\n".to_owned())]);
        let problems = Problems::gather(vec![wrong], texts);
        insta::assert_snapshot!(render_json_problems(&problems), @r#"{"schema":1,"ok":false,"exit_code":2,"error":{"what":"1 problem in 1 file","because":[],"help":null},"problems":[{"file":"versions.yml","line":2,"column":3,"what":"no key `é`","help":"leave it out"}]}"#);
    }
}
