//! What templates know.

use std::fmt::Write as _;

use super::{ReferenceTopic, code, table};
use crate::workspace::{
    FunctionKind, TEMPLATE_FUNCTIONS, TEMPLATE_WORDS, TemplateFunction, TemplateWord,
};

/// Words, then filters, tests and functions.
pub(super) fn page(_: &ReferenceTopic) -> String {
    let mut text = String::from("## Words\n\n");
    for (place, words) in chapters(TEMPLATE_WORDS, |word| word.place) {
        let _ = writeln!(text, "### {place}\n");
        let row = |it: &TemplateWord| vec![code(it.name), it.doc.to_owned(), code(it.example)];
        text.push_str(&table(&["word", "what it is", "such as"], words.iter().map(row)));
    }
    text.push_str("## Filters, tests and functions\n\n");
    text.push_str(
        "A filter is written `VALUE | name`, a test `VALUE is name`, a function `name(…)`. All of them are \
         pure: the same in, the same out, on every machine.\n\n",
    );
    for (chapter, functions) in chapters(TEMPLATE_FUNCTIONS, |it| it.chapter) {
        let _ = writeln!(text, "### {chapter}\n");
        let head = ["name", "kind", "what it gives", "example", "becomes"];
        text.push_str(&table(&head, functions.iter().map(row)));
    }
    text
}

fn row(it: &TemplateFunction) -> Vec<String> {
    let kind = match it.kind {
        FunctionKind::Filter => "filter",
        FunctionKind::Test => "test",
        FunctionKind::Function => "function",
    };
    let result = it.result.replace('\n', "⏎");
    vec![code(it.name), kind.into(), it.doc.into(), code(it.example), code(&result)]
}

/// Rows that follow each other and have the same chapter, together.
fn chapters<T>(rows: &[T], of: fn(&T) -> &'static str) -> Vec<(&'static str, &[T])> {
    let same = |a: &T, b: &T| of(a) == of(b);
    rows.chunk_by(same).map(|rows| (of(&rows[0]), rows)).collect()
}
