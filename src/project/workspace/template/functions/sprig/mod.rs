//! The functions of Task's templates, as Go, sprig and Task have them, for Taskfiles that run as they
//! are: `go('trunc', -3, text)`. What forge's own templates say just as well has no row here.

mod lists;
mod numbers;
mod print;
mod texts;
mod times;

use minijinja::{
    Error, Value,
    value::{Rest, ValueKind},
};

use super::{
    super::engine::TemplateEngine,
    go::{parts_of, written},
    standard::laid_out,
    wrong,
};
use crate::workspace::template::meter::weight;

pub use times::strftime;

/// A function, by the name that Taskfiles know.
type GoFunction = (&'static str, GoBody);

/// What a function does.
type GoBody = fn(&[Value]) -> Result<Value, Error>;

/// How much of it a text or list may be made longer by a number.
const MOST: i64 = 100_000;

pub fn add(engine: &mut TemplateEngine) {
    engine.add_function(
        "go",
        |name: &str, arguments: Rest<Value>| match found(name) {
            Some(function) => function(&arguments),
            None => Err(wrong(format!("there is no function `{name}`"))),
        },
        |all| all.iter().filter_map(|value| weight(value).ok()).map(laid_out).sum(),
    );
}

/// Whether `go(name, …)` is something.
pub fn is_go_function(name: &str) -> bool {
    found(name).is_some()
}

fn found(name: &str) -> Option<GoBody> {
    let tables = [lists::TABLE, numbers::TABLE, print::TABLE, texts::TABLE, times::TABLE];
    let row = tables.into_iter().flatten().find(|row| row.0 == name);
    row.map(|row| row.1)
}

/// The argument at `at`; nothing if it is not given.
fn arg(all: &[Value], at: usize) -> Value {
    all.get(at).cloned().unwrap_or(Value::from(()))
}

/// The argument at `at` as text.
fn text(all: &[Value], at: usize) -> String {
    all.get(at).map(written).unwrap_or_default()
}

/// The argument at `at` as a whole number, as sprig takes it for one.
fn whole(all: &[Value], at: usize) -> i64 {
    all.get(at).map_or(0, number)
}

fn number(value: &Value) -> i64 {
    match value.kind() {
        ValueKind::String => value.as_str().and_then(|text| text.parse().ok()).unwrap_or(0),
        ValueKind::Bool => i64::from(value.is_true()),
        ValueKind::Number => value.as_i64().unwrap_or_else(|| truncated(real(value))),
        _ => 0,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "as Go converts")]
fn truncated(number: f64) -> i64 {
    number as i64
}

fn real(value: &Value) -> f64 {
    match value.kind() {
        ValueKind::String => value.as_str().and_then(|text| text.parse().ok()).unwrap_or(0.0),
        ValueKind::Bool => f64::from(u8::from(value.is_true())),
        _ => f64::try_from(value.clone()).unwrap_or(0.0),
    }
}

/// The elements of the list at `at`.
///
/// # Errors
/// If it is not a list.
fn items(all: &[Value], at: usize) -> Result<Vec<Value>, Error> {
    let value = arg(all, at);
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => Ok(value.try_iter()?.collect()),
        ValueKind::None | ValueKind::Undefined => Ok(Vec::new()),
        _ => Err(wrong(format!("`{}` is not a list", written(&value)))),
    }
}

/// The keys and values of the mapping at `at`, in the order of the keys.
fn entries(all: &[Value], at: usize) -> Vec<(String, Value)> {
    let pairs = all.get(at).map(parts_of).unwrap_or_default();
    pairs.into_iter().map(|(key, value)| (written(&key), value)).collect()
}

/// Whether it is what Go's `if` takes for no.
fn is_nothing(value: &Value) -> bool {
    !value.is_true()
}

fn is_same(one: &Value, other: &Value) -> bool {
    one == other && (one.kind() == other.kind())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{fail, give};

    #[test]
    fn functions_give_what_those_of_go_give() {
        give(&[
            ("{{ go('trunc', -3, 'abcdef') }} {{ go('substr', 2, -1, 'abcdef') }}", "def cdef"),
            ("{{ go('quote', 'a', 1) }} {{ go('squote', 'a', 'b') }}", "\"a\" \"1\" 'a' 'b'"),
            (
                "{{ go('seq', 2, 5) }} {{ go('seq', 5, 1) }} {{ go('seq', 1, 2, 7) }}",
                "2 3 4 5 5 4 3 2 1 1 3 5 7",
            ),
            ("{{ go('div', -7, 2) }} {{ go('mod', -7, 3) }} {{ go('add', 1.9, '2') }}", "-3 -1 3"),
            ("{{ go('round', 2.5, 0) | as_go }} {{ go('float64', 3) | as_go }}", "3 3"),
            ("{{ go('splitn', '/', 2, 'a/b/c') | as_go }}", "map[_0:a _1:b/c]"),
            ("{{ go('toJson', {'b': 1, 'a': '<'}) }}", r#"{"a":"\u003c","b":1}"#),
            (
                "{{ go('print', 'a', 1, 2, 'b') }} {{ go('printf', '%v %5.1f %q', [1], 2.25, 'x') }}",
                "a1 2b [1]   2.2 \"x\"",
            ),
            (
                "{{ go('toDate', '2006-01-02', '2024-02-29') | as_go }}",
                "2024-02-29 00:00:00 +0000 UTC",
            ),
            ("{{ go('durationRound', '2h10m5s') }} {{ go('duration', '95') }}", "2h 1m35s"),
            ("{{ go('typeOf', [1]) }} {{ go('kindOf', 1.5) }}", "[]interface {} float64"),
            (
                "{{ go('adler32sum', 'abc') }} {{ go('b32enc', 'abc') }} {{ go('b32dec', 'MFRGG===') }}",
                "38600999 MFRGG=== abc",
            ),
            ("{{ go('urlParse', 'http://u:p@h:80/p?q=1#f').hostname }}", "h"),
        ]);
        fail(&[("{{ go('frob') }}", "no function `frob`"), ("{{ go('fail', 'why') }}", "why")]);
    }
}
