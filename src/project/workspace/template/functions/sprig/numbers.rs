//! Numbers.

use std::hash::{BuildHasher, Hasher, RandomState};

use minijinja::{Error, Value};

use super::super::wrong;
use super::{GoFunction, MOST, arg, number, real, text, truncated, whole};

pub(super) const TABLE: &[GoFunction] = &[
    ("add", |all| folded(all, i64::checked_add)),
    ("add1", |all| Ok(Value::from(whole(all, 0).wrapping_add(1)))),
    ("sub", |all| folded(all, i64::checked_sub)),
    ("mul", |all| folded(all, i64::checked_mul)),
    ("div", |all| folded(all, i64::checked_div)),
    ("mod", |all| folded(all, i64::checked_rem)),
    ("max", |all| Ok(Value::from(all.iter().map(number).max().unwrap_or(0)))),
    ("biggest", |all| Ok(Value::from(all.iter().map(number).max().unwrap_or(0)))),
    ("min", |all| Ok(Value::from(all.iter().map(number).min().unwrap_or(0)))),
    ("maxf", |all| Ok(Value::from(all.iter().map(real).fold(f64::MIN, f64::max)))),
    ("minf", |all| Ok(Value::from(all.iter().map(real).fold(f64::MAX, f64::min)))),
    ("ceil", |all| Ok(Value::from(real(&arg(all, 0)).ceil()))),
    ("floor", |all| Ok(Value::from(real(&arg(all, 0)).floor()))),
    ("round", |all| Ok(Value::from(rounded(all)))),
    ("atoi", |all| Ok(Value::from(whole(all, 0)))),
    ("int", |all| Ok(Value::from(whole(all, 0)))),
    ("int64", |all| Ok(Value::from(whole(all, 0)))),
    ("float64", |all| Ok(Value::from(real(&arg(all, 0))))),
    ("toDecimal", |all| Ok(Value::from(i64::from_str_radix(&text(all, 0), 8).unwrap_or(0)))),
    ("until", |all| {
        let end = whole(all, 0);
        steps(0, end, if end < 0 { -1 } else { 1 }).map(Value::from)
    }),
    ("untilStep", |all| steps(whole(all, 0), whole(all, 1), whole(all, 2)).map(Value::from)),
    ("seq", sequence),
    ("numCPU", |_| Ok(Value::from(std::thread::available_parallelism().map_or(1, usize::from)))),
    ("randInt", |all| chance(whole(all, 0), whole(all, 1)).map(Value::from)),
    ("randIntN", |all| chance(0, whole(all, 0)).map(Value::from)),
    ("uuid", |_| Ok(Value::from(uuid()))),
];

fn folded(all: &[Value], operation: fn(i64, i64) -> Option<i64>) -> Result<Value, Error> {
    let mut numbers = all.iter().map(number);
    let first = numbers.next().unwrap_or(0);
    let result = numbers.try_fold(first, operation);
    result.map(Value::from).ok_or_else(|| wrong("this cannot be calculated"))
}

fn rounded(all: &[Value]) -> f64 {
    let limit = all.get(2).map_or(0.5, real);
    let power = 10_f64.powf(real(&arg(all, 1)));
    let digits = real(&arg(all, 0)) * power;
    let whole = if digits.fract() >= limit { digits.ceil() } else { digits.floor() };
    whole / power
}

fn steps(start: i64, stop: i64, step: i64) -> Result<Vec<i64>, Error> {
    let is_down = stop < start;
    if is_down != (step < 0) || step == 0 || start == stop {
        return Ok(Vec::new());
    }
    if stop.abs_diff(start) / step.unsigned_abs() > MOST.unsigned_abs() {
        return Err(wrong("these are too many numbers"));
    }
    let next = |at: &i64| at.checked_add(step);
    let is_within = |at: &i64| if is_down { *at > stop } else { *at < stop };
    Ok(std::iter::successors(Some(start), next).take_while(is_within).collect())
}

fn sequence(all: &[Value]) -> Result<Value, Error> {
    let (start, end) = match all.len() {
        0 => return Ok(Value::from("")),
        1 => (1, whole(all, 0)),
        count => (whole(all, 0), whole(all, count - 1)),
    };
    let way = if end < start { -1 } else { 1 };
    let step = if all.len() == 3 { whole(all, 1) } else { way };
    if way < 0 && step > 0 {
        return Ok(Value::from(""));
    }
    let numbers = steps(start, end.saturating_add(way), step)?;
    let words: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    Ok(Value::from(words.join(" ")))
}

/// A number of chance, which nothing secret rests on.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn chance(least: i64, end: i64) -> Result<i64, Error> {
    let span = end.checked_sub(least).filter(|span| *span > 0);
    let span = span.ok_or_else(|| wrong("a number of chance needs a range"))?;
    Ok(least + truncated((random() % span.unsigned_abs()) as f64))
}

fn uuid() -> String {
    let (one, other) = (random(), random());
    let number = (u128::from(one) << 64 | u128::from(other)) & !(0xf << 76) & !(0x3 << 62);
    let digits = format!("{:032x}", number | 0x4 << 76 | 0x2 << 62);
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}
