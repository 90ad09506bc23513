//! YAML as Task's templates write and read it.

use minijinja::{Error, Value, value::ValueKind};

use super::{
    super::{go::written, texts::quoted, wrong},
    GoFunction, arg, entries, text,
};
use crate::manifest::{self, Node, Quoting};

pub(super) const TABLE: &[GoFunction] = &[
    ("toYaml", |all| Ok(Value::from(document(&arg(all, 0))))),
    ("mustToYaml", |all| Ok(Value::from(document(&arg(all, 0))))),
    ("fromYaml", |all| Ok(read(&text(all, 0)).unwrap_or(Value::from(())))),
    ("mustFromYaml", |all| {
        read(&text(all, 0)).map_err(|why| wrong(format!("this is not valid YAML: {why}")))
    }),
];

/// How far what is in a mapping is moved in.
const STEP: usize = 4;

fn document(value: &Value) -> String {
    let mut said = String::new();
    block(value, 0, &mut said);
    if !said.ends_with('\n') {
        said.push('\n');
    }
    said
}

/// The next column for what is in a mapping at `indent`.
const fn next(indent: usize) -> usize {
    STEP * ((indent + STEP) / STEP)
}

/// Writes `value` where its first line begins at `indent` already.
fn block(value: &Value, indent: usize, said: &mut String) {
    let margin = " ".repeat(indent);
    match value.kind() {
        ValueKind::Map if !is_empty(value) => {
            let mut pairs = entries(std::slice::from_ref(value), 0);
            pairs.sort_by(|one, other| natural(&one.0).cmp(&natural(&other.0)));
            for (at, (key, one)) in pairs.iter().enumerate() {
                if at > 0 {
                    said.push_str(&margin);
                }
                said.push_str(&key_of(key));
                said.push(':');
                match is_block(one) {
                    true => {
                        let inner = next(indent);
                        said.push('\n');
                        said.push_str(&" ".repeat(inner));
                        block(one, inner, said);
                    }
                    false => {
                        said.push(' ');
                        scalar(one, next(indent), said);
                    }
                }
            }
        }
        ValueKind::Seq | ValueKind::Iterable if !is_empty(value) => {
            for (at, one) in value.try_iter().into_iter().flatten().enumerate() {
                if at > 0 {
                    said.push_str(&margin);
                }
                said.push_str("- ");
                match is_block(&one) {
                    true => block(&one, indent + 2, said),
                    false => scalar(&one, indent + 2, said),
                }
            }
        }
        _ => scalar(value, next(indent).min(STEP), said),
    }
}

fn is_empty(value: &Value) -> bool {
    value.len() == Some(0)
}

fn is_block(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Map | ValueKind::Seq | ValueKind::Iterable)
        && !is_empty(value)
}

/// Pieces of a key in the order in which Go's YAML sorts them: numbers by what they are.
fn natural(key: &str) -> Vec<(bool, u64, String)> {
    let mut parts: Vec<(bool, u64, String)> = Vec::new();
    for sign in key.chars() {
        let is_digit = sign.is_ascii_digit();
        match parts.last_mut() {
            Some((is_text, _, text)) if *is_text != is_digit => text.push(sign),
            _ => parts.push((!is_digit, 0, sign.to_string())),
        }
    }
    for (is_text, number, text) in &mut parts {
        if !*is_text {
            *number = text.parse().unwrap_or(u64::MAX);
            text.clear();
        }
    }
    parts
}

/// Writes what fits behind a key, with the end of its line.
fn scalar(value: &Value, indent: usize, said: &mut String) {
    let shown = match value.kind() {
        ValueKind::Map => "{}".to_owned(),
        ValueKind::Seq | ValueKind::Iterable => "[]".to_owned(),
        ValueKind::None | ValueKind::Undefined => "null".to_owned(),
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            if text.contains('\n') && !has_odd_signs(text) {
                return literal(text, indent, said);
            }
            in_a_line(text)
        }
        _ => written(value),
    };
    said.push_str(&shown);
    said.push('\n');
}

/// A text over several lines.
fn literal(text: &str, indent: usize, said: &mut String) {
    said.push('|');
    if text.starts_with([' ', '\n']) {
        said.push_str(&STEP.to_string());
    }
    let body = text.strip_suffix('\n').unwrap_or(text);
    match text.len() - text.trim_end_matches('\n').len() {
        0 => said.push('-'),
        1 if !body.is_empty() => {}
        _ => said.push('+'),
    }
    said.push('\n');
    for line in body.split('\n') {
        if !line.is_empty() {
            said.push_str(&" ".repeat(indent));
            said.push_str(line);
        }
        said.push('\n');
    }
}

/// What no block can hold: blanks before the end of a line, and what cannot be seen.
fn has_odd_signs(text: &str) -> bool {
    text.contains(" \n")
        || text.ends_with(' ')
        || text.chars().any(|sign| sign.is_control() && sign != '\n')
}

fn key_of(key: &str) -> String {
    if key.contains('\n') { quoted(key) } else { in_a_line(key) }
}

fn in_a_line(text: &str) -> String {
    let is_text = manifest_kind(text).is_none() && !is_old_flag(text) && !is_sexagesimal(text);
    let is_odd = text.chars().any(char::is_control) || text.contains('\n');
    match (is_text, is_odd) {
        (false, _) | (_, true) => quoted(text),
        (true, false) if is_plain(text) => text.to_owned(),
        _ => format!("'{}'", text.replace('\'', "''")),
    }
}

/// Whether `text` may stand without quotes.
fn is_plain(text: &str) -> bool {
    let first_is_sign = text.starts_with(|c: char| "#,[]{}&*!|>'\"%@`".contains(c));
    let leads = |sign: char| {
        let after = text.strip_prefix(sign);
        after.is_some_and(|after| after.is_empty() || after.starts_with(' '))
    };
    !(first_is_sign
        || leads('?')
        || leads('-')
        || leads(':')
        || text.starts_with("---")
        || text.starts_with("...")
        || text.starts_with(' ')
        || text.ends_with([' ', ':'])
        || text.contains(": ")
        || text.contains(" #"))
}

fn is_old_flag(text: &str) -> bool {
    matches!(
        text,
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "n" | "N" | "no" | "No" | "NO"
    ) || matches!(text, "off" | "Off" | "OFF")
}

/// `1:30`, which YAML once took for a number.
fn is_sexagesimal(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (first, rest) = text.split_once(':').unwrap_or((text, "x"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|one| one.is_ascii_digit());
    is_digits(first) && rest.split(':').all(|part| is_digits(part) && part.len() <= 2)
}

/// What YAML takes `text` for that stands without quotes; nothing if it is text.
fn manifest_kind(text: &str) -> Option<Value> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Value::from(())),
        "true" | "True" | "TRUE" => return Some(Value::from(true)),
        "false" | "False" | "FALSE" => return Some(Value::from(false)),
        ".inf" | ".Inf" | ".INF" | "+.inf" => return Some(Value::from(f64::INFINITY)),
        "-.inf" | "-.Inf" | "-.INF" => return Some(Value::from(f64::NEG_INFINITY)),
        ".nan" | ".NaN" | ".NAN" => return Some(Value::from(f64::NAN)),
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return None;
    }
    if super::layout::parse("2006-1-2", text).is_some() {
        return Some(Value::from(format!("{text} 00:00:00 +0000 UTC")));
    }
    let digits = text.replace('_', "");
    let is_real = digits.contains(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || "+-.eE".contains(c));
    let real = || digits.parse::<f64>().ok().filter(|_| is_real).map(Value::from);
    whole(&digits).map(Value::from).or_else(real)
}

/// A whole number, in any base.
fn whole(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let bases = [("0x", 16), ("0X", 16), ("0o", 8), ("0O", 8), ("0b", 2), ("0B", 2), ("0", 8)];
    let of_base = bases.iter().find_map(|(prefix, base)| {
        let rest = digits.strip_prefix(prefix)?;
        i64::from_str_radix(rest, *base).ok()
    });
    let decimal = || digits.bytes().all(|one| one.is_ascii_digit()).then(|| digits.parse().ok());
    of_base.or_else(|| decimal().flatten()).map(|number: i64| sign * number)
}

fn read(text: &str) -> Result<Value, Error> {
    let node = manifest::parse_yaml(text).map_err(wrong)?;
    Ok(node.map_or(Value::from(()), |node| of_node(&node)))
}

fn of_node(node: &Node) -> Value {
    match &node.value {
        manifest::Value::Null => Value::from(()),
        manifest::Value::Scalar(scalar) if scalar.style == Quoting::Plain => {
            manifest_kind(&scalar.text).unwrap_or_else(|| Value::from(scalar.text.as_str()))
        }
        manifest::Value::Scalar(scalar) => Value::from(scalar.text.as_str()),
        manifest::Value::List(nodes) => nodes.iter().map(of_node).collect(),
        manifest::Value::Map(entries) => {
            let pair = |entry: &manifest::Pair| (entry.key.value.clone(), of_node(&entry.value));
            Value::from_pairs(entries.iter().map(pair))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::give;

    #[test]
    fn yaml_is_written_and_read_as_task_does() {
        give(&[
            (
                "{{ go('toYaml', {'k': [[1, 2], {'a': [1], 'b': {'c': 1}}], 'm': {}, 'a10': 1, 'a9': none}) }}",
                "a9: null\na10: 1\nk:\n    - - 1\n      - 2\n    - a:\n        - 1\n      b:\n        c: 1\nm: {}\n",
            ),
            (
                "{{ go('toYaml', ['a: b', '#x', 'yes', '1.0', 'a\\nb', 'a\\n', '- y', \"it's\", '1:30', 'a[b']) }}",
                "- 'a: b'\n- '#x'\n- \"yes\"\n- \"1.0\"\n- |-\n  a\n  b\n- |\n  a\n- '- y'\n- it's\n- \"1:30\"\n- a[b\n",
            ),
            ("{{ go('toYaml', 1.5) }}{{ go('toYaml', '') }}", "1.5\n\"\"\n"),
            (
                "{{ go('toJson', go('fromYaml', 'a: 0x10\\nb: [1, ~, yes]')) }}",
                r#"{"a":16,"b":[1,null,"yes"]}"#,
            ),
            ("{{ go('fromYaml', 'a: [') is none }}", "true"),
        ]);
    }
}
