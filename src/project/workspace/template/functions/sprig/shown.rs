//! Values as programmers look at them: `spew`, and what `%#v` prints.

use minijinja::{Value, value::ValueKind};

use super::{
    super::{go::written, texts::quoted},
    GoFunction, arg, entries, items,
    lists::kind,
};

pub(super) const TABLE: &[GoFunction] = &[("spew", |all| {
    let value = arg(all, 0);
    Ok(Value::from(format!("({}) {}\n", type_of(&value), dumped(&value, 0))))
})];

fn type_of(value: &Value) -> String {
    match value.kind() {
        ValueKind::None | ValueKind::Undefined => "interface {}".to_owned(),
        _ => kind(value, true),
    }
}

/// A value with its types, at a depth.
fn dumped(value: &Value, depth: usize) -> String {
    let (margin, end) = (" ".repeat(depth + 1), " ".repeat(depth));
    let inner = |one: &Value| format!("({}) {}", type_of(one), dumped(one, depth + 1));
    let framed = |size: String, lines: Vec<String>| {
        let lines: Vec<String> = lines.iter().map(|line| format!("{margin}{line}")).collect();
        let body = if lines.is_empty() { String::new() } else { lines.join(",\n") + "\n" };
        format!("{size}{{\n{body}{end}}}")
    };
    match value.kind() {
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            match text.len() {
                0 => quoted(text),
                length => format!("(len={length}) {}", quoted(text)),
            }
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let all = items(std::slice::from_ref(value), 0).unwrap_or_default();
            let size = match all.len() {
                0 => String::new(),
                length => format!("(len={length} cap={length}) "),
            };
            framed(size, all.iter().map(inner).collect())
        }
        ValueKind::Map => {
            let pairs = entries(std::slice::from_ref(value), 0);
            let size = match pairs.len() {
                0 => String::new(),
                length => format!("(len={length}) "),
            };
            let pair = |(key, one): &(String, Value)| {
                format!("{}: {}", inner(&Value::from(key.as_str())), inner(one))
            };
            framed(size, pairs.iter().map(pair).collect())
        }
        _ => written(value),
    }
}

/// A value as one would write it in Go.
pub(super) fn as_source(value: &Value) -> String {
    match value.kind() {
        ValueKind::String => quoted(value.as_str().unwrap_or_default()),
        ValueKind::Seq | ValueKind::Iterable => {
            let all = items(std::slice::from_ref(value), 0).unwrap_or_default();
            let all: Vec<String> = all.iter().map(inner_source).collect();
            format!("[]interface {{}}{{{}}}", all.join(", "))
        }
        ValueKind::Map => {
            let pairs = entries(std::slice::from_ref(value), 0);
            let pair =
                |(key, one): &(String, Value)| format!("{}:{}", quoted(key), inner_source(one));
            let pairs: Vec<String> = pairs.iter().map(pair).collect();
            format!("map[string]interface {{}}{{{}}}", pairs.join(", "))
        }
        _ => written(value),
    }
}

fn inner_source(value: &Value) -> String {
    match value.kind() {
        ValueKind::None | ValueKind::Undefined => "interface {}(nil)".to_owned(),
        _ => as_source(value),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::give;

    #[test]
    fn values_are_shown_with_their_types() {
        give(&[
            (
                "{{ go('spew', ['a', 1, none, {}]) }}",
                "([]interface {}) (len=4 cap=4) {\n (string) (len=1) \"a\",\n (int) 1,\n (interface {}) <nil>,\n (map[string]interface {}) {\n }\n}\n",
            ),
            (
                "{{ go('spew', {'k': true}) }}",
                "(map[string]interface {}) (len=1) {\n (string) (len=1) \"k\": (bool) true\n}\n",
            ),
            (
                "{{ go('printf', '%#v', [1, none, 'x', {'a': 1.5}]) }}",
                "[]interface {}{1, interface {}(nil), \"x\", map[string]interface {}{\"a\":1.5}}",
            ),
        ]);
    }
}
