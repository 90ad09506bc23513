//! Values as Go's templates see them. A Taskfile that runs as it is means what Go makes of it: lists
//! are written `[a b]`, what is not there is empty, mappings are gone through by their sorted keys.

use jiff::{SignedDuration, Span, Zoned};
use minijinja::{
    Error, Value,
    value::{Rest, ValueKind},
};

use super::{
    super::{engine::TemplateEngine, meter::weight},
    codes::time,
    standard::laid_out,
    wrong,
};

pub fn add(engine: &mut TemplateEngine) {
    engine.add_growing_filter("as_go", |value: &Value| shown(value), weight_of_first);
    engine.add_filter("go_field", |value: &Value, names: Rest<String>| field(value, &names));
    engine.add_filter("go_method", |value: &Value, name: &str, given: Rest<Value>| {
        let Some(time) = value.as_str().and_then(time) else {
            return Err(wrong(format!("`{value}` is not a time, and has no `{name}`")));
        };
        method_with(&time, name, &given)
    });
    engine.add_filter("go_list", |value: &Value, written: &str| match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => Ok(value.clone()),
        _ => Err(wrong(format!("matrix reference `{written}` must resolve to a list"))),
    });
    engine.add_growing_filter("go_pairs", pairs, weight_of_first);
    engine.add_growing_filter(
        "go_numbered",
        |value: &Value| -> Result<Value, Error> {
            let items = value.try_iter()?.enumerate();
            Ok(Value::from_pairs(items.map(|(at, item)| (format!("_{at}"), item))))
        },
        weight_of_first,
    );
}

fn weight_of_first(all: &[Value]) -> u64 {
    all.first().and_then(|value| weight(value).ok()).map_or(0, laid_out)
}

/// A value as Go writes it. What is text, or something that is only known later, stays what it is.
fn shown(value: &Value) -> Value {
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Value::from(""),
        ValueKind::Number if value.is_integer() => value.clone(),
        ValueKind::Seq
        | ValueKind::Iterable
        | ValueKind::Map
        | ValueKind::Bool
        | ValueKind::Number => Value::from(written(value)),
        _ => value.clone(),
    }
}

/// A value as Go writes it.
pub(super) fn written(value: &Value) -> String {
    match value.kind() {
        ValueKind::Number if !value.is_integer() => real(value),
        ValueKind::Seq | ValueKind::Iterable => {
            let items = value.try_iter().into_iter().flatten();
            format!("[{}]", items.map(|item| written(&item)).collect::<Vec<_>>().join(" "))
        }
        ValueKind::Map => {
            let pair = |(key, item): &(Value, Value)| format!("{}:{}", written(key), written(item));
            let pairs = parts_of(value);
            format!("map[{}]", pairs.iter().map(pair).collect::<Vec<_>>().join(" "))
        }
        ValueKind::Undefined | ValueKind::None => "<nil>".into(),
        _ => super::text(value),
    }
}

/// A number with a fraction: without one where there is none, with an exponent where it is far off.
fn real(value: &Value) -> String {
    let number = f64::try_from(value.clone()).unwrap_or(0.0);
    let is_far = number != 0.0 && !(1e-4..1e21).contains(&number.abs());
    if !is_far || !number.is_finite() {
        return number.to_string();
    }
    let said = format!("{number:e}");
    let (digits, exponent) = said.split_once('e').unwrap_or((&said, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

/// The keys and values of a mapping, in the order of the keys.
pub(super) fn parts_of(map: &Value) -> Vec<(Value, Value)> {
    let keys = map.try_iter().into_iter().flatten();
    let pairs = keys.filter_map(|key| Some((key.clone(), map.get_item(&key).ok()?)));
    let mut pairs: Vec<(Value, Value)> = pairs.collect();
    pairs.sort_by_key(|(key, _)| super::text(key));
    pairs
}

/// What `range` goes through: a number or key, and the value there.
fn pairs(value: &Value) -> Result<Vec<Value>, Error> {
    let pair = |(key, item): (Value, Value)| Value::from(vec![key, item]);
    Ok(match value.kind() {
        ValueKind::Map => parts_of(value).into_iter().map(pair).collect(),
        ValueKind::Undefined | ValueKind::None => Vec::new(),
        ValueKind::String if value.as_str() == Some("") => Vec::new(),
        ValueKind::String => return Err(wrong("a text has no parts that `range` goes through")),
        ValueKind::Number => {
            let numbers = 0..value.as_i64().unwrap_or(0).min(100_000);
            numbers.map(|at| pair((Value::from(at), Value::from(at)))).collect()
        }
        _ => {
            let items = value.try_iter()?.enumerate();
            items.map(|(at, item)| pair((Value::from(at), item))).collect()
        }
    })
}

/// What fields of fields are; nothing where one is missing. Of a time, what Go's methods give.
fn field(value: &Value, names: &[String]) -> Result<Value, Error> {
    let mut value = value.clone();
    for name in names {
        let next = match value.kind() {
            ValueKind::Map => value.get_attr(name)?,
            ValueKind::String => method(value.as_str().unwrap_or_default(), name)?,
            _ => Value::from(""),
        };
        value = if next.is_undefined() || next.is_none() { Value::from("") } else { next };
    }
    Ok(value)
}

/// What a method of a time gives.
fn method(text: &str, name: &str) -> Result<Value, Error> {
    if text.is_empty() || name == "String" {
        return Ok(Value::from(text));
    }
    let Some(time) = time(text) else {
        return Err(wrong(format!("`{text}` is not a time, and has no `{name}`")));
    };
    Ok(match name {
        "Unix" => Value::from(time.timestamp().as_second()),
        "UnixMilli" => Value::from(time.timestamp().as_millisecond()),
        "UnixMicro" => Value::from(time.timestamp().as_microsecond()),
        "UnixNano" => Value::from(time.timestamp().as_nanosecond().to_string()),
        "Year" => Value::from(time.year()),
        "Day" => Value::from(time.day()),
        "Hour" => Value::from(time.hour()),
        "Minute" => Value::from(time.minute()),
        "Second" => Value::from(time.second()),
        "YearDay" => Value::from(time.day_of_year()),
        "Month" => Value::from(time.strftime("%B").to_string()),
        "Weekday" => Value::from(time.strftime("%A").to_string()),
        "UTC" | "Local" => Value::from(text),
        _ => return Err(wrong(format!("a time has no `{name}` here"))),
    })
}

/// What a method of a time gives that is told more.
fn method_with(time: &Zoned, name: &str, given: &[Value]) -> Result<Value, Error> {
    let count = |at: usize| given.get(at).and_then(Value::as_i64).unwrap_or_default();
    let other = || given.first().and_then(Value::as_str).and_then(self::time);
    let out_of_range = |error: jiff::Error| wrong(format!("this time is out of range: {error}"));
    let elapsed = |other: &Zoned| time.duration_since(other).as_nanos();
    Ok(match (name, other()) {
        ("AddDate", _) => {
            // The 30th of February is the 2nd of March.
            let months = i64::from(time.year()) * 12 + i64::from(time.month()) - 1;
            let months = months.saturating_add(count(0).saturating_mul(12));
            let months = months.saturating_add(count(1));
            let year = i16::try_from(months.div_euclid(12)).unwrap_or(i16::MAX);
            let month = i8::try_from(months.rem_euclid(12) + 1).unwrap_or(1);
            let days = (i64::from(time.day()) - 1).saturating_add(count(2));
            let first = time.with().day(1).year(year).month(month).build();
            let span = Span::new().try_days(days).map_err(out_of_range)?;
            let later = first.and_then(|first| first.checked_add(span)).map_err(out_of_range)?;
            Value::from(as_go(&later))
        }
        ("Add", _) => {
            let later = time.checked_add(SignedDuration::from_nanos(count(0)));
            Value::from(as_go(&later.map_err(out_of_range)?))
        }
        ("Before", Some(other)) => Value::from(elapsed(&other) < 0),
        ("After", Some(other)) => Value::from(elapsed(&other) > 0),
        ("Equal", Some(other)) => Value::from(elapsed(&other) == 0),
        _ => return Err(wrong(format!("a time has no `{name}` here"))),
    })
}

/// A time as Go writes it.
fn as_go(time: &Zoned) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S%.f %z %Z").to_string()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{fail, give};

    #[test]
    fn values_are_written_gone_through_and_looked_into_as_go_does() {
        give(&[
            (
                "{{ [1, 'two', true] | as_go }} {{ {'b': [1], 'a': 2} | as_go }} {{ true | as_go }}",
                "[1 two true] map[a:2 b:[1]] true",
            ),
            ("{{ 'x' | as_go }}{{ none | as_go }}", "x"),
            (
                "{% for pair in {'b': 1, 'a': 2} | go_pairs %}{{ pair[0] }}={{ pair[1] }};{% endfor %}",
                "a=2;b=1;",
            ),
            ("{% for pair in ['x'] | go_pairs %}{{ pair[0] }}={{ pair[1] }};{% endfor %}", "0=x;"),
            (
                "{{ {'a': {'b': 1}} | go_field('a', 'b') }}[{{ {'a': 1} | go_field('x', 'y') }}]",
                "1[]",
            ),
            ("{{ '1970-01-01T00:01:00Z' | go_field('Unix') }}", "60"),
            ("{{ '1970-01-01 00:01:00.5 +0000 UTC' | go_field('Minute') }}", "1"),
            ("{{ (['a', 'b'] | go_numbered)._1 }}", "b"),
        ]);
        give(&[
            (
                "{{ '2024-02-29 01:00:00 +0000 UTC' | go_method('AddDate', 1, 0, 1) }}",
                "2025-03-02 01:00:00 +0000 UTC",
            ),
            ("{{ ([1] | go_list('.X')) | as_go }}", "[1]"),
        ]);
        fail(&[
            ("{{ 'x' | go_field('Unix') }}", "not a time"),
            ("{{ 'x' | go_list('.X') }}", "must resolve to a list"),
        ]);
    }
}
