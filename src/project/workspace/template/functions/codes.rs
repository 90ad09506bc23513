//! Digests, Base64 and dates.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::{Timestamp, Zoned, civil::Date, tz::TimeZone};
use minijinja::Error;
use ring::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};

use super::{super::engine::TemplateEngine, wrong};

pub fn add(engine: &mut TemplateEngine) {
    engine.add_filter("sha256", |text: &str| hex(&SHA256, text));
    engine.add_filter("sha1", |text: &str| hex(&SHA1_FOR_LEGACY_USE_ONLY, text));
    engine.add_filter("b64encode", |text: &str| BASE64_STANDARD.encode(text));
    engine.add_filter("b64decode", |text: &str| -> Result<String, Error> {
        let bytes = BASE64_STANDARD
            .decode(text.trim())
            .map_err(|error| wrong(format!("this is not valid Base64: {error}")))?;
        String::from_utf8(bytes).map_err(|_| wrong("what this Base64 stands for is not text"))
    });
    engine.add_filter("date", date);
}

fn hex(algorithm: &'static Algorithm, text: &str) -> String {
    let digest = digest(algorithm, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A time (RFC 3339, a date, or seconds since 1970) in the form that strftime's signs say; in
/// its own time zone, else in UTC.
fn date(value: &minijinja::Value, format: &str) -> Result<String, Error> {
    let text = super::text(value);
    let seconds = value.as_i64().or_else(|| text.parse().ok());
    let zoned = match seconds {
        Some(seconds) => Timestamp::from_second(seconds).ok().map(|at| at.to_zoned(TimeZone::UTC)),
        None => time(&text),
    };
    let zoned = zoned.ok_or_else(|| wrong(format!("`{text}` is not a time")))?;
    jiff::fmt::strtime::format(format, &zoned)
        .map_err(|error| wrong(format!("`{format}` is not a form of a date: {error}")))
}

/// A time, as RFC 3339, as a date or as Go writes it.
pub(super) fn time(text: &str) -> Option<Zoned> {
    let exact = || text.parse::<Zoned>().ok();
    let utc = || Some(text.parse::<Timestamp>().ok()?.to_zoned(TimeZone::UTC));
    let day = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok();
    let of_go = || with_offset(&from_go(text)?);
    exact().or_else(|| with_offset(text)).or_else(utc).or_else(day).or_else(of_go)
}

fn with_offset(text: &str) -> Option<Zoned> {
    let pieces = jiff::fmt::temporal::Pieces::parse(text).ok()?;
    let offset = pieces.to_numeric_offset()?;
    let at: Timestamp = text.parse().ok()?;
    Some(at.to_zoned(TimeZone::fixed(offset)))
}

/// `2006-01-02 15:04:05.999 +0200 CEST`, as RFC 3339 has it.
fn from_go(text: &str) -> Option<String> {
    let mut parts = text.split(' ');
    let (day, time, offset) = (parts.next()?, parts.next()?, parts.next()?);
    let (hours, minutes) = offset.split_at_checked(3)?;
    Some(format!("{day}T{time}{hours}:{minutes}"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{fail, give};

    #[test]
    fn digests_and_base64() {
        give(&[
            (
                "{{ '' | sha256 }}",
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ),
            ("{{ 'abc' | sha1 }}", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            ("{{ 'hé' | b64encode }} {{ 'aMOp\n' | b64decode }}", "aMOp hé"),
        ]);
        fail(&[
            ("{{ '!' | b64decode }}", "not valid Base64"),
            ("{{ '/w==' | b64decode }}", "not text"),
        ]);
    }

    #[test]
    fn times_are_shown_as_asked() {
        give(&[
            ("{{ '2024-02-29T10:20:30Z' | date('%Y-%m-%d %H:%M:%S') }}", "2024-02-29 10:20:30"),
            ("{{ '2024-02-29T10:20:30+02:00' | date('%H %z') }}", "10 +0200"),
            ("{{ '2024-02-29' | date('%d.%m.%y') }} {{ 0 | date('%Y') }}", "29.02.24 1970"),
            ("{{ '86400' | date('%F') }}", "1970-01-02"),
            ("{{ '2024-02-29 10:20:30.5 +0200 CEST' | date('%H:%M %z') }}", "10:20 +0200"),
        ]);
        fail(&[
            ("{{ 'soon' | date('%Y') }}", "is not a time"),
            ("{{ 0 | date('%!') }}", "not a form"),
        ]);
    }
}
