//! Lists, mappings, JSON, and what kind a value is.

use minijinja::{Error, Value, value::ValueKind};

use super::super::{go::written, wrong};
use super::{GoFunction, arg, entries, is_nothing, is_same, items, text, whole};

pub(super) const TABLE: &[GoFunction] = &[
    ("all", |all| Ok(Value::from(!all.iter().any(is_nothing)))),
    ("any", |all| Ok(Value::from(!all.iter().all(is_nothing)))),
    ("coalesce", |all| {
        Ok(all.iter().find(|value| !is_nothing(value)).cloned().unwrap_or(Value::from(())))
    }),
    ("compact", |all| {
        let kept = items(all, 0)?.into_iter().filter(|value| !is_nothing(value));
        Ok(Value::from(kept.collect::<Vec<_>>()))
    }),
    ("push", |all| {
        let mut list = items(all, 0)?;
        list.push(arg(all, 1));
        Ok(Value::from(list))
    }),
    ("concat", |all| {
        let mut list = Vec::new();
        for at in 0..all.len() {
            list.extend(items(all, at)?);
        }
        Ok(Value::from(list))
    }),
    ("first", |all| Ok(items(all, 0)?.first().cloned().unwrap_or(Value::from(())))),
    ("last", |all| Ok(items(all, 0)?.last().cloned().unwrap_or(Value::from(())))),
    ("without", |all| {
        let mut list = items(all, 0)?;
        list.retain(|one| !all[1..].iter().any(|other| is_same(one, other)));
        Ok(Value::from(list))
    }),
    ("has", |all| Ok(Value::from(items(all, 1)?.iter().any(|one| is_same(one, &arg(all, 0)))))),
    ("uniq", |all| {
        let mut kept: Vec<Value> = Vec::new();
        for one in items(all, 0)? {
            if !kept.iter().any(|other| is_same(&one, other)) {
                kept.push(one);
            }
        }
        Ok(Value::from(kept))
    }),
    ("chunk", |all| {
        let size = usize::try_from(whole(all, 0)).unwrap_or(0).max(1);
        let chunks = items(all, 1)?;
        Ok(Value::from(
            chunks.chunks(size).map(|one| Value::from(one.to_vec())).collect::<Vec<_>>(),
        ))
    }),
    ("sortAlpha", |all| {
        let mut list: Vec<String> = items(all, 0)?.iter().map(written).collect();
        list.sort();
        Ok(Value::from(list))
    }),
    ("get", |all| Ok(found(&entries(all, 0), &text(all, 1)).unwrap_or(Value::from("")))),
    ("set", |all| {
        let mut pairs = entries(all, 0);
        pairs.retain(|(key, _)| *key != text(all, 1));
        pairs.push((text(all, 1), arg(all, 2)));
        Ok(Value::from_pairs(pairs))
    }),
    ("unset", |all| {
        let mut pairs = entries(all, 0);
        pairs.retain(|(key, _)| *key != text(all, 1));
        Ok(Value::from_pairs(pairs))
    }),
    ("pluck", |all| {
        let found = (1..all.len()).filter_map(|at| found(&entries(all, at), &text(all, 0)));
        Ok(Value::from(found.collect::<Vec<_>>()))
    }),
    ("merge", |all| {
        let mut pairs: Vec<(String, Value)> = Vec::new();
        for (key, value) in (0..all.len()).flat_map(|at| entries(all, at)) {
            pairs.retain(|(known, _)| *known != key);
            pairs.push((key, value));
        }
        Ok(Value::from_pairs(pairs))
    }),
    ("dig", dug),
    ("index", indexed),
    ("toJson", |all| Ok(Value::from(json(&arg(all, 0), None, true)))),
    ("toRawJson", |all| Ok(Value::from(json(&arg(all, 0), None, false)))),
    ("toPrettyJson", |all| Ok(Value::from(json(&arg(all, 0), Some(0), true)))),
    ("typeOf", |all| Ok(Value::from(kind(&arg(all, 0), true)))),
    ("kindOf", |all| Ok(Value::from(kind(&arg(all, 0), false)))),
    ("typeIs", |all| Ok(Value::from(text(all, 0) == kind(&arg(all, 1), true)))),
    ("typeIsLike", |all| {
        Ok(Value::from(text(all, 0).trim_start_matches('*') == kind(&arg(all, 1), true)))
    }),
    ("kindIs", |all| Ok(Value::from(text(all, 0) == kind(&arg(all, 1), false)))),
    ("deepEqual", |all| Ok(Value::from(is_same(&arg(all, 0), &arg(all, 1))))),
    ("slice", |all| {
        let end = |length: usize| match all.len() {
            ..=2 => length,
            _ => usize::try_from(whole(all, 2)).unwrap_or(0),
        };
        let from = usize::try_from(whole(all, 1)).unwrap_or(0);
        if let Some(text) = arg(all, 0).as_str() {
            let part = text.get(from..end(text.len()));
            return part.map(Value::from).ok_or_else(|| wrong("this slice is out of range"));
        }
        let list = items(all, 0)?;
        let part = list.get(from..end(list.len())).map(<[Value]>::to_vec);
        part.map(Value::from).ok_or_else(|| wrong("this slice is out of range"))
    }),
    ("len", |all| match arg(all, 0).len() {
        Some(_) if arg(all, 0).as_str().is_some() => Ok(Value::from(text(all, 0).len())),
        Some(length) => Ok(Value::from(length)),
        None => Err(wrong(format!("`{}` has no length", text(all, 0)))),
    }),
];

fn found(pairs: &[(String, Value)], name: &str) -> Option<Value> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
}

fn dug(all: &[Value]) -> Result<Value, Error> {
    let [keys @ .., default, map] = all else { return Err(wrong("`dig` needs more arguments")) };
    let mut value = map.clone();
    for key in keys {
        match found(&entries(&[value], 0), &written(key)) {
            Some(next) => value = next,
            None => return Ok(default.clone()),
        }
    }
    Ok(value)
}

/// What is at the keys. Of a mapping, nothing where a key is missing.
fn indexed(all: &[Value]) -> Result<Value, Error> {
    let mut value = arg(all, 0);
    for key in all.get(1..).unwrap_or_default() {
        let of_list = matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable);
        let place =
            if of_list { usize::try_from(whole(std::slice::from_ref(key), 0)).ok() } else { None };
        value = match (of_list, place) {
            (true, place) => {
                let items = items(&[value], 0)?;
                let one = place.and_then(|at| items.get(at).cloned());
                one.ok_or_else(|| wrong(format!("the list has no element {}", written(key))))?
            }
            (false, _) if value.kind() == ValueKind::Map => {
                found(&entries(&[value], 0), &written(key)).unwrap_or(Value::from(""))
            }
            _ => return Err(wrong(format!("`{}` has no elements", written(&value)))),
        };
    }
    Ok(value)
}

/// The kind of a value, or its type.
fn kind(value: &Value, is_type: bool) -> String {
    let name = match value.kind() {
        ValueKind::String => "string",
        ValueKind::Bool => "bool",
        ValueKind::Number if value.is_integer() => "int",
        ValueKind::Number => "float64",
        ValueKind::Seq | ValueKind::Iterable if is_type => "[]interface {}",
        ValueKind::Seq | ValueKind::Iterable => "slice",
        ValueKind::Map if is_type => "map[string]interface {}",
        ValueKind::Map => "map",
        _ if is_type => "<nil>",
        _ => "invalid",
    };
    name.to_owned()
}

/// A value as Go writes JSON: keys sorted, and `<`, `>` and `&` in other words if `is_safe`.
fn json(value: &Value, depth: Option<usize>, is_safe: bool) -> String {
    let inner = depth.map(|depth| depth + 1);
    let line = |depth: Option<usize>| match depth {
        Some(depth) => format!("\n{}", "  ".repeat(depth)),
        None => String::new(),
    };
    let framed = |open: char, parts: Vec<String>, close: char| match parts.is_empty() {
        true => format!("{open}{close}"),
        false => {
            let parts = parts.join(&format!(",{}", line(inner)));
            format!("{open}{}{parts}{}{close}", line(inner), line(depth))
        }
    };
    match value.kind() {
        ValueKind::String => json_text(value.as_str().unwrap_or_default(), is_safe),
        ValueKind::Seq | ValueKind::Iterable => {
            let parts = value.try_iter().into_iter().flatten();
            framed('[', parts.map(|one| json(&one, inner, is_safe)).collect(), ']')
        }
        ValueKind::Map => {
            let gap = if depth.is_some() { " " } else { "" };
            let pair = |(key, one): &(String, Value)| {
                format!("{}:{gap}{}", json_text(key, is_safe), json(one, inner, is_safe))
            };
            let pairs = entries(std::slice::from_ref(value), 0);
            framed('{', pairs.iter().map(pair).collect(), '}')
        }
        ValueKind::None | ValueKind::Undefined => "null".into(),
        _ => written(value),
    }
}

fn json_text(text: &str, is_safe: bool) -> String {
    let said = serde_json::to_string(text).unwrap_or_default();
    match is_safe {
        true => said.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026"),
        false => said,
    }
}
