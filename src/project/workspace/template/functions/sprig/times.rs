//! Times and durations.

use jiff::{SignedDuration, Timestamp, Zoned, civil, fmt::strtime, tz::TimeZone};
use minijinja::{Error, Value};

use super::super::{codes::time, wrong};
use super::{GoFunction, arg, number, text};

pub(super) const TABLE: &[GoFunction] = &[
    ("date", |all| shown(&text(all, 0), &arg(all, 1))),
    ("dateInZone", |all| shown(&text(all, 0), &arg(all, 1))),
    ("date_in_zone", |all| shown(&text(all, 0), &arg(all, 1))),
    ("htmlDate", |all| shown("2006-01-02", &arg(all, 0))),
    ("htmlDateInZone", |all| shown("2006-01-02", &arg(all, 0))),
    ("dateModify", |all| Ok(later(&text(all, 0), &arg(all, 1)))),
    ("date_modify", |all| Ok(later(&text(all, 0), &arg(all, 1)))),
    ("must_date_modify", |all| Ok(later(&text(all, 0), &arg(all, 1)))),
    ("toDate", |all| read(&text(all, 0), &text(all, 1)).map(|at| Value::from(written(&at)))),
    ("unixEpoch", |all| Ok(Value::from(at(&arg(all, 0)).timestamp().as_second().to_string()))),
    ("ago", |all| {
        let past = Timestamp::now().as_second() - at(&arg(all, 0)).timestamp().as_second();
        Ok(Value::from(go_duration(SignedDuration::from_secs(past))))
    }),
    ("duration", |all| {
        let seconds = arg(all, 0).as_str().and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok(Value::from(go_duration(SignedDuration::from_secs(seconds))))
    }),
    ("durationRound", |all| Ok(Value::from(rounded(&text(all, 0))))),
];

/// The time that a value is; now if it is none.
fn at(value: &Value) -> Zoned {
    let of_text = value.as_str().and_then(time);
    let of_number = || Timestamp::from_second(number(value)).ok().filter(|_| value.is_integer());
    let of_number = || of_number().map(|at| at.to_zoned(TimeZone::UTC));
    of_text.or_else(of_number).unwrap_or_else(|| Timestamp::now().to_zoned(TimeZone::UTC))
}

fn shown(layout: &str, value: &Value) -> Result<Value, Error> {
    let said = strtime::format(strftime(layout), &at(value));
    said.map(Value::from).map_err(|error| wrong(format!("`{layout}` is not a form: {error}")))
}

/// A time as Go writes it.
fn written(at: &Zoned) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S%.f %z %Z").to_string()
}

fn read(layout: &str, text: &str) -> Result<Zoned, Error> {
    let parsed = strtime::parse(strftime(layout), text).ok();
    let parsed = parsed.and_then(|parts| {
        let day = parts.to_date().ok()?;
        let time = parts.to_time().unwrap_or(civil::Time::midnight());
        day.to_datetime(time).to_zoned(TimeZone::UTC).ok()
    });
    parsed.ok_or_else(|| wrong(format!("`{text}` is not a time of the form `{layout}`")))
}

fn later(duration: &str, value: &Value) -> Value {
    let moved = parsed(duration).and_then(|by| at(value).checked_add(by).ok());
    moved.map_or_else(|| value.clone(), |at| Value::from(written(&at)))
}

/// A duration as Go writes it: `-1h2m3.5s`.
fn parsed(text: &str) -> Option<SignedDuration> {
    const UNITS: [(&str, f64); 7] = [
        ("ms", 1e-3),
        ("us", 1e-6),
        ("µs", 1e-6),
        ("ns", 1e-9),
        ("h", 3600.0),
        ("m", 60.0),
        ("s", 1.0),
    ];
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut total = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (unit, seconds) = UNITS.iter().find(|(unit, _)| rest[end..].starts_with(unit))?;
        total += rest[..end].parse::<f64>().ok()? * seconds;
        rest = &rest[end + unit.len()..];
    }
    SignedDuration::try_from_secs_f64(sign * total).ok().filter(|_| !text.is_empty())
}

fn go_duration(duration: SignedDuration) -> String {
    let sign = if duration.is_negative() { "-" } else { "" };
    let seconds = duration.as_secs().unsigned_abs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, _) => format!("{sign}{minutes}m{seconds}s"),
        _ => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

fn rounded(text: &str) -> String {
    const UNITS: [(u64, &str); 6] =
        [(365 * 86400, "y"), (30 * 86400, "mo"), (86400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    let seconds = parsed(text).map_or(0, |one| one.as_secs().unsigned_abs());
    let unit = UNITS.iter().find(|(unit, _)| seconds > *unit);
    unit.map_or_else(|| "0s".into(), |(unit, name)| format!("{}{name}", seconds / unit))
}

/// A form of a time as Go writes it (`2006-01-02`), as strftime does (`%Y-%m-%d`).
pub fn strftime(layout: &str) -> String {
    const PARTS: [(&str, &str); 30] = [
        ("2006", "%Y"),
        ("January", "%B"),
        ("Jan", "%b"),
        ("Monday", "%A"),
        ("Mon", "%a"),
        ("MST", "%Z"),
        ("Z07:00", "%:z"),
        ("Z0700", "%z"),
        ("-07:00", "%:z"),
        ("-0700", "%z"),
        ("-07", "%z"),
        (".000000000", "%.9f"),
        (".000000", "%.6f"),
        (".000", "%.3f"),
        (".999999999", "%.f"),
        (".999999", "%.f"),
        (".999", "%.f"),
        ("01", "%m"),
        ("02", "%d"),
        ("03", "%I"),
        ("04", "%M"),
        ("05", "%S"),
        ("06", "%y"),
        ("002", "%j"),
        ("15", "%H"),
        ("PM", "%p"),
        ("pm", "%P"),
        ("_2", "%e"),
        ("2", "%-d"),
        ("1", "%-m"),
    ];
    let (mut said, mut rest) = (String::new(), layout);
    while let Some(first) = rest.chars().next() {
        match PARTS.iter().find(|(go, _)| rest.starts_with(go)) {
            Some((go, other)) => {
                said.push_str(other);
                rest = &rest[go.len()..];
            }
            None => {
                said.push_str(if first == '%' { "%%" } else { &rest[..first.len_utf8()] });
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    said
}
