//! Mappings and JSON, YAML.

use std::collections::{HashMap, HashSet};

use minijinja::{
    Error, Value,
    value::{Rest, ValueKind},
};

use super::{
    super::{engine::TemplateEngine, meter::weight},
    standard::laid_out,
    wrong,
};
use crate::manifest::{self, Node, Quoting};

pub fn add(engine: &mut TemplateEngine) {
    engine.add_filter("merge", |value: &Value, other: &Value| -> Result<Value, Error> {
        let others = pairs(other)?;
        let last: HashMap<&str, usize> =
            others.iter().enumerate().map(|(at, (key, _))| (key.as_str(), at)).collect();
        let mut merged = pairs(value)?;
        merged.retain(|(key, _)| !last.contains_key(key.as_str()));
        let others_once =
            others.iter().enumerate().filter(|(at, (key, _))| last[key.as_str()] == *at);
        merged.extend(others_once.map(|(_, pair)| pair.clone()));
        Ok(Value::from_pairs(merged))
    });
    engine.add_filter("pick", |value: &Value, keys: Rest<String>| -> Result<Value, Error> {
        let mut picked = pairs(value)?;
        let keys: HashSet<&String> = keys.iter().collect();
        picked.retain(|(key, _)| keys.contains(key));
        Ok(Value::from_pairs(picked))
    });
    engine.add_filter("omit", |value: &Value, keys: Rest<String>| -> Result<Value, Error> {
        let mut left = pairs(value)?;
        let keys: HashSet<&String> = keys.iter().collect();
        left.retain(|(key, _)| !keys.contains(key));
        Ok(Value::from_pairs(left))
    });
    engine.add_growing_filter("tojson", to_json, lines_of);
    let from_json = |text: &str| -> Result<Value, Error> {
        let value: serde_json::Value = serde_json::from_str(text)
            .map_err(|error| wrong(format!("this is not valid JSON: {error}")))?;
        Ok(of_json(&value))
    };
    engine.add_growing_filter("fromjson", from_json, |all| 4 * text_in(all));
    let to_yaml = |value: &Value| -> Result<String, Error> {
        let text = manifest::write_yaml(value).map_err(wrong)?;
        Ok(text.trim_end().to_owned())
    };
    engine.add_growing_filter("toyaml", to_yaml, lines_of);
    let from_yaml = |text: &str| -> Result<Value, Error> {
        let node = manifest::parse_yaml(text)
            .map_err(|why| wrong(format!("this is not valid YAML: {why}")))?;
        Ok(node.map_or(Value::from(()), |node| of_yaml(&node)))
    };
    engine.add_growing_filter("fromyaml", from_yaml, |all| 16 * text_in(all));
}

/// What writing the first one over lines makes; its guard let it pass, so it can be weighed.
fn lines_of(all: &[Value]) -> u64 {
    all.first().and_then(|value| weight(value).ok()).map_or(0, laid_out)
}

fn text_in(all: &[Value]) -> u64 {
    all.first().and_then(Value::as_str).map_or(0, |text| text.len() as u64)
}

fn pairs(value: &Value) -> Result<Vec<(String, Value)>, Error> {
    if value.kind() != ValueKind::Map {
        return Err(wrong(format!("a mapping is wanted here, not a {}", value.kind())));
    }
    let pair = |key: Value| Ok((key.to_string(), value.get_item(&key)?));
    value.try_iter()?.map(pair).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "minijinja hands them over")]
fn to_json(
    value: &Value,
    indent: Option<Value>,
    kwargs: minijinja::value::Kwargs,
) -> Result<String, Error> {
    let indent = match indent {
        Some(indent) => Some(indent),
        None => kwargs.get::<Option<Value>>("indent")?,
    };
    kwargs.assert_all_used()?;
    let failed = |error: &dyn std::fmt::Display| wrong(format!("this cannot be JSON: {error}"));
    let is_pretty = indent.is_some_and(|indent| indent.is_true());
    if !is_pretty {
        return serde_json::to_string(value).map_err(|error| failed(&error));
    }
    serde_json::to_string_pretty(value).map_err(|error| failed(&error))
}

fn of_json(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Array(items) => items.iter().map(of_json).collect(),
        serde_json::Value::Object(pairs) => {
            Value::from_pairs(pairs.iter().map(|(key, value)| (key.clone(), of_json(value))))
        }
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Bool(flag) => Value::from(*flag),
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(whole) => Value::from(whole),
            None => Value::from(number.as_f64().unwrap_or_default()),
        },
    }
}

fn of_yaml(node: &Node) -> Value {
    match &node.value {
        manifest::Value::Null => Value::from(()),
        manifest::Value::Scalar(scalar) if scalar.style == Quoting::Plain => of_plain(&scalar.text),
        manifest::Value::Scalar(scalar) => Value::from(scalar.text.as_str()),
        manifest::Value::List(nodes) => nodes.iter().map(of_yaml).collect(),
        manifest::Value::Map(entries) => {
            let pair = |entry: &manifest::Pair| (entry.key.value.clone(), of_yaml(&entry.value));
            Value::from_pairs(entries.iter().map(pair))
        }
    }
}

fn of_plain(text: &str) -> Value {
    match text {
        "true" => return Value::from(true),
        "false" => return Value::from(false),
        _ => {}
    }
    let whole = text.parse::<i64>().ok().map(Value::from);
    let is_number = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    let fraction = || text.parse::<f64>().ok().filter(|_| is_number).map(Value::from);
    whole.or_else(fraction).unwrap_or_else(|| Value::from(text))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{fail, give};

    #[test]
    fn mappings_are_merged_and_cut() {
        give(&[
            ("{{ {'a': 1, 'b': 2} | merge({'b': 3}) | tojson }}", r#"{"a":1,"b":3}"#),
            ("{{ {'a': 1, 'b': 2} | pick('b', 'z') | tojson }}", r#"{"b":2}"#),
            ("{{ {'a': 1, 'b': 2} | omit('b') | tojson }}", r#"{"a":1}"#),
        ]);
        fail(&[("{{ 'x' | merge({}) }}", "a mapping is wanted here")]);
    }

    #[test]
    fn json_comes_and_goes_in_its_order() {
        give(&[
            (
                r#"{{ '{"z": [1, 1.5, null, true], "a": "x"}' | fromjson | tojson }}"#,
                r#"{"z":[1,1.5,null,true],"a":"x"}"#,
            ),
            ("{{ {'a': 1} | tojson(indent=2) }}", "{\n  \"a\": 1\n}"),
            ("{{ '<a> & \"b\"' | tojson }}", r#""<a> & \"b\"""#),
            (r#"{{ ('{"a": {"b": [7]}}' | fromjson).a.b[0] }}"#, "7"),
        ]);
        fail(&[("{{ '{' | fromjson }}", "this is not valid JSON")]);
    }

    #[test]
    fn yaml_comes_and_goes() {
        give(&[
            (
                "{{ 'a: 1\nb: [x, true, 1.5]\nc:\n' | fromyaml | tojson }}",
                r#"{"a":1,"b":["x",true,1.5],"c":null}"#,
            ),
            ("{{ {'a': [1, 'x']} | toyaml }}", "a:\n- 1\n- x"),
            ("{{ \"'1'\" | fromyaml | tojson }} {{ 'nan' | fromyaml }}", "\"1\" nan"),
        ]);
        fail(&[("{{ 'a: [' | fromyaml }}", "this is not valid YAML")]);
    }
}
