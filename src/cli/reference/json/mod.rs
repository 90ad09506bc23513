//! The JSON documents that `--json` prints: their page, and a JSON Schema of each.

mod documents;
mod schema;

use std::fmt::Write as _;

use super::{ReferenceTopic, code, table};

pub use documents::JSON_DOCUMENTS;
pub use schema::document_schema;

/// A document: its name, the verbs that print it, what it is, and its keys with their kinds and meanings. A kind
/// is `t` for text, `n` for a number, `b` for `true` or `false`, and nothing for a mapping; with `?` at its end it
/// may be `null`, with `-` before it the key may be absent. `=plan` has the keys that the document `plan` has there.
pub type JsonDocument = (
    &'static str,
    &'static [&'static str],
    &'static str,
    &'static [(&'static str, &'static str, &'static str)],
);

/// All documents.
pub(super) fn page(_: &ReferenceTopic) -> String {
    let mut text =
        String::from("`forge schema NAME` prints the JSON Schema of the document called so.\n\n");
    for (name, _, about, keys) in JSON_DOCUMENTS {
        let _ = writeln!(text, "## {name}\n\n{about}\n");
        let row = |(path, kind, doc): &(&str, &str, &str)| {
            vec![code(path), words(kind), (*doc).to_owned()]
        };
        text.push_str(&table(&["key", "value", "meaning"], keys.iter().map(row)));
    }
    text
}

fn words(kind: &str) -> String {
    let absent = if kind.starts_with('-') { "; may be absent" } else { "" };
    let kind = kind.trim_start_matches('-');
    if let Some(other) = kind.strip_prefix('=') {
        return format!("as in `{other}`{absent}");
    }
    let value = match kind {
        "t" => "text",
        "t?" => "text, or `null`",
        "n" => "a number",
        "n?" => "a number, or `null`",
        "b" => "`true` or `false`",
        "b?" => "`true`, `false` or `null`",
        _ => "a mapping, or `null`",
    };
    format!("{value}{absent}")
}
