//! Durations as people write them: `90s`, `10m`, `1h30m`, `500ms`, `7d`.

use std::time::Duration;

/// Reads `90s`, `10m`, `1h30m`, `500ms`, `7d`; more than zero, at most a week.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    const WEEK: u64 = 7 * 24 * 60 * 60 * 1000;
    let mut rest = text.trim();
    let mut milliseconds = 0_u64;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..end].parse().ok()?;
        let (unit, length) = match &rest.as_bytes()[end..] {
            [b'm', b's', ..] => (1, 2),
            [b's', ..] => (1000, 1),
            [b'm', ..] => (60 * 1000, 1),
            [b'h', ..] => (60 * 60 * 1000, 1),
            [b'd', ..] => (24 * 60 * 60 * 1000, 1),
            _ => return None,
        };
        milliseconds = milliseconds.checked_add(number.checked_mul(unit)?)?;
        rest = &rest[end + length..];
    }
    (1..=WEEK).contains(&milliseconds).then(|| Duration::from_millis(milliseconds))
}

/// Reads `500M` or `20G`: mebibytes or gibibytes; more than zero.
#[must_use]
pub fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..end].parse().ok().filter(|number| *number > 0)?;
    let unit = match text[end..].trim().to_ascii_lowercase().as_str() {
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(parse_duration("90s"), Some(Duration::from_secs(90)));
        assert_eq!(parse_duration("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(parse_duration("7d"), Some(Duration::from_secs(7 * 86_400)));
        assert_eq!(parse_duration("1m50ms"), Some(Duration::from_millis(60_050)));
        for bad in
            ["", "10", "m", "10x", "0s", "-1s", "1.5h", "99999999999999999999s", "200h", "10é"]
        {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }
}
