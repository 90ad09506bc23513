//! Versions by date: `20260107.3` is the fourth release of a component on the 7th of January 2026,
//! in UTC. Compared as two numbers: `.10` comes after `.9`, and any day after all of the day before.
//! Pure.

use std::{fmt, str::FromStr};

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};

/// A version by date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateVersion {
    /// The day in UTC.
    pub day: Date,
    /// How many were released on it before.
    pub count: u32,
}

/// Why there is no next version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FromTheFuture {
    /// The version of a day to come.
    pub version: DateVersion,
    /// The day that this machine's clock says, in UTC.
    pub today: Date,
}

impl FromStr for DateVersion {
    type Err = ();

    fn from_str(label: &str) -> Result<Self, ()> {
        let (day, count) = label.split_once('.').ok_or(())?;
        let is_written_so = count == "0" || !count.starts_with('0');
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if day.len() != 8 || !is_written_so || !digits(day) || !digits(count) {
            return Err(());
        }
        // Two digits fit; all of them are of one byte.
        let pair = |at: usize| day[at..at + 2].parse::<i8>().map_err(drop);
        let year = day[..4].parse().map_err(drop)?;
        let day = Date::new(year, pair(4)?, pair(6)?).map_err(drop)?;
        Ok(Self { day, count: count.parse().map_err(drop)? })
    }
}

impl fmt::Display for DateVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.day.strftime("%Y%m%d"), self.count)
    }
}

/// The day of `now` in UTC.
pub fn day(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::UTC).date()
}

/// The version after those that are `taken`, on the day `today`.
///
/// Where somebody's clock is ahead by some hours, their day is taken for today: a later release has
/// the higher version, whoever makes it.
///
/// # Errors
/// When one of them is of a day later than tomorrow: that clock or this one is wrong.
pub fn next(
    today: Date,
    taken: impl IntoIterator<Item = DateVersion>,
) -> Result<DateVersion, FromTheFuture> {
    let Some(last) = taken.into_iter().max().filter(|last| last.day >= today) else {
        return Ok(DateVersion { day: today, count: 0 });
    };
    let tomorrow = today.saturating_add(1.day());
    if last.day > tomorrow {
        return Err(FromTheFuture { version: last, today });
    }
    Ok(DateVersion { day: last.day, count: last.count.saturating_add(1) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn version(text: &str) -> DateVersion {
        text.parse().unwrap_or_else(|()| panic!("{text}"))
    }

    #[test]
    fn numbers_compare_as_numbers_and_days_go_first() {
        let sorted = ["20251231.12", "20260107.0", "20260107.9", "20260107.10", "20260108.0"];
        for pair in sorted.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
        }
        for text in sorted {
            assert_eq!(version(text).to_string(), text);
        }
    }

    #[test]
    fn what_only_looks_like_one_is_none() {
        for other in [
            "v1.2-20260101.0",
            "20260101",
            "20260101.",
            "20260101.01",
            "20261301.0",
            "20260230.0",
            "2026010.1",
            "20260101.-1",
            "20260101.1.2",
            "２０２６０１０１.0",
        ] {
            assert_eq!(other.parse::<DateVersion>(), Err(()), "{other}");
        }
    }

    #[test]
    fn the_day_is_that_of_utc() {
        let at = |text: &str| day(text.parse().unwrap()).to_string();
        assert_eq!(at("2026-01-07T23:59:59Z"), "2026-01-07");
        assert_eq!(at("2026-01-08T01:30:00+02:00"), "2026-01-07");
        assert_eq!(at("2026-01-07T22:00:00-05:00"), "2026-01-08");
    }

    #[test]
    fn a_clock_that_is_ahead_does_not_turn_the_order_round() {
        let today = version("20260107.0").day;
        let next = |taken: &str| next(today, taken.split(' ').map(version)).map(|v| v.to_string());
        assert_eq!(next("20260106.4"), Ok("20260107.0".into()));
        assert_eq!(next("20260107.9 20260107.10"), Ok("20260107.11".into()));
        assert_eq!(next("20260107.9 20260108.0"), Ok("20260108.1".into()));
        let version = version("20260109.0");
        assert_eq!(next("20260107.9 20260109.0"), Err(FromTheFuture { version, today }));
    }

    proptest! {
        /// Against a list of all that were ever given.
        #[test]
        fn versions_of_any_days_have_no_gaps_and_no_duplicates(steps in prop::collection::vec(0i64..3, 1..60)) {
            let mut today = Date::constant(2026, 2, 27);
            let mut given: Vec<DateVersion> = Vec::new();
            for days in steps {
                today = today.checked_add(days.days()).unwrap();
                let version = next(today, given.iter().copied()).unwrap();
                let before = given.iter().filter(|other| other.day == today).count();
                prop_assert_eq!((version.day, version.count as usize), (today, before));
                prop_assert!(given.iter().all(|other| *other < version));
                given.push(version);
            }
        }

        #[test]
        fn what_is_written_is_read(days in 0i64..40_000, count in any::<u32>()) {
            let day = Date::constant(1990, 1, 1).checked_add(days.days()).unwrap();
            let version = DateVersion { day, count };
            prop_assert_eq!(version.to_string().parse(), Ok(version));
        }
    }
}
