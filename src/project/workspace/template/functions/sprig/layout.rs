//! Forms of times as Go has them: `Mon Jan 2 15:04:05 MST 2006`, written and read.

use jiff::{Zoned, civil, tz::Offset, tz::TimeZone};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
/// The parts of a form; of several that fit, the first one counts.
const PARTS: [&str; 33] = [
    "January",
    "Jan",
    "Monday",
    "Mon",
    "MST",
    "Z07:00:00",
    "Z070000",
    "Z07:00",
    "Z0700",
    "Z07",
    "-07:00:00",
    "-070000",
    "-07:00",
    "-0700",
    "-07",
    "002",
    "01",
    "02",
    "03",
    "04",
    "05",
    "06",
    "15",
    "2006",
    "__2",
    "_2006",
    "_2",
    "PM",
    "pm",
    "1",
    "2",
    "3",
    "4",
];

/// A piece of a form: a part, by its name, or text that stands for itself.
enum Piece<'l> {
    Part(&'static str),
    /// A fraction of a second, with so many digits, all of them if it is of zeros.
    Fraction(char, usize),
    Text(&'l str),
}

fn pieces(layout: &str) -> Vec<Piece<'_>> {
    let (mut found, mut rest) = (Vec::new(), layout);
    while let Some(first) = rest.chars().next() {
        if let Some((sign, digits)) = fraction(rest) {
            found.push(Piece::Fraction(sign, digits));
            rest = &rest[digits + 1..];
            continue;
        }
        let is_short_name = |part: &str| matches!(part, "Jan" | "Mon");
        let fits = |part: &&&str| {
            let after = rest.strip_prefix(**part);
            after.is_some_and(|after| {
                !is_short_name(part) || !after.starts_with(|c: char| c.is_ascii_lowercase())
            })
        };
        match PARTS.iter().chain(&["5"]).find(fits) {
            // The underscore before a year stands for itself.
            Some(&"_2006") => {
                found.extend([Piece::Text("_"), Piece::Part("2006")]);
                rest = &rest[5..];
            }
            Some(part) => {
                found.push(Piece::Part(part));
                rest = &rest[part.len()..];
            }
            None => {
                let (text, after) = rest.split_at(first.len_utf8());
                found.push(Piece::Text(text));
                rest = after;
            }
        }
    }
    found
}

/// `.000` or `,999`: its digit, and how many of them.
fn fraction(text: &str) -> Option<(char, usize)> {
    let digits = text.strip_prefix(['.', ','])?;
    let sign = digits.chars().next().filter(|sign| matches!(sign, '0' | '9'))?;
    let count = digits.chars().take_while(|one| *one == sign).count();
    let is_end = !digits[count..].starts_with(|c: char| c.is_ascii_digit());
    is_end.then_some((sign, count))
}

/// `at` in the form `layout`.
pub(super) fn format(layout: &str, at: &Zoned) -> String {
    pieces(layout).iter().fold(String::new(), |text, piece| {
        text + &match piece {
            Piece::Text(text) => (*text).to_owned(),
            Piece::Fraction(sign, digits) => format_fraction(at, *sign, *digits),
            Piece::Part(part) => format_part(part, at),
        }
    })
}

fn format_fraction(at: &Zoned, sign: char, digits: usize) -> String {
    let nanos = format!("{:09}", at.subsec_nanosecond());
    let cut = &nanos[..digits.min(9)];
    match sign {
        '0' => format!(".{cut}"),
        _ => match cut.trim_end_matches('0') {
            "" => String::new(),
            cut => format!(".{cut}"),
        },
    }
}

fn format_part(part: &str, at: &Zoned) -> String {
    let month = MONTHS.get(usize::try_from(at.month() - 1).unwrap_or(0)).copied().unwrap_or("");
    let day = usize::try_from(at.weekday().to_monday_zero_offset()).unwrap_or(0);
    let day = DAYS.get(day).copied().unwrap_or("");
    let hour = match at.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    match part {
        "January" => month.to_owned(),
        "Jan" => month[..3].to_owned(),
        "Monday" => day.to_owned(),
        "Mon" => day[..3].to_owned(),
        "2006" => format!("{:04}", at.year()),
        "06" => format!("{:02}", at.year().rem_euclid(100)),
        "01" => format!("{:02}", at.month()),
        "1" => at.month().to_string(),
        "02" => format!("{:02}", at.day()),
        "_2" => format!("{:>2}", at.day()),
        "2" => at.day().to_string(),
        "002" => format!("{:03}", at.day_of_year()),
        "__2" => format!("{:>3}", at.day_of_year()),
        "15" => format!("{:02}", at.hour()),
        "03" => format!("{hour:02}"),
        "3" => hour.to_string(),
        "04" => format!("{:02}", at.minute()),
        "4" => at.minute().to_string(),
        "05" => format!("{:02}", at.second()),
        "5" => at.second().to_string(),
        "PM" => if at.hour() < 12 { "AM" } else { "PM" }.to_owned(),
        "pm" => if at.hour() < 12 { "am" } else { "pm" }.to_owned(),
        "MST" => zone_name(at),
        offset => format_offset(offset, at.offset().seconds()),
    }
}

/// The name of the time zone, or its offset where it has none.
pub(super) fn zone_name(at: &Zoned) -> String {
    let name = at.strftime("%Z").to_string();
    match name.starts_with(['+', '-']) {
        true if at.offset().seconds() == 0 => "UTC".to_owned(),
        true => format_offset("-0700", at.offset().seconds()),
        false => name,
    }
}

fn format_offset(part: &str, seconds: i32) -> String {
    let is_zulu = part.starts_with('Z');
    if is_zulu && seconds == 0 {
        return "Z".to_owned();
    }
    let sign = if seconds < 0 { '-' } else { '+' };
    let (all, rest) = (seconds.unsigned_abs() / 60, seconds.unsigned_abs() % 60);
    let (hours, minutes) = (all / 60, all % 60);
    match &part[1..] {
        "07:00:00" => format!("{sign}{hours:02}:{minutes:02}:{rest:02}"),
        "070000" => format!("{sign}{hours:02}{minutes:02}{rest:02}"),
        "07:00" => format!("{sign}{hours:02}:{minutes:02}"),
        "0700" => format!("{sign}{hours:02}{minutes:02}"),
        _ => format!("{sign}{hours:02}"),
    }
}

/// What is known of a time while it is read.
struct ReadTime {
    year: i16,
    month: i8,
    day: i8,
    day_of_year: Option<i16>,
    hour: i8,
    minute: i8,
    second: i8,
    nanosecond: i32,
    is_afternoon: Option<bool>,
    offset: Option<i32>,
}

/// The time that `text` is in the form `layout`; without an offset, in UTC.
pub(super) fn parse(layout: &str, text: &str) -> Option<Zoned> {
    let mut read = ReadTime {
        year: 0,
        month: 1,
        day: 1,
        day_of_year: None,
        hour: 0,
        minute: 0,
        second: 0,
        nanosecond: 0,
        is_afternoon: None,
        offset: None,
    };
    let mut rest = text;
    let pieces = pieces(layout);
    for (at, piece) in pieces.iter().enumerate() {
        rest = match piece {
            Piece::Text(" ") => rest.trim_start_matches(' '),
            Piece::Text(text) => rest.strip_prefix(text)?,
            Piece::Fraction('9', _) => read.fraction(rest).unwrap_or(rest),
            Piece::Fraction(..) => read.fraction(rest)?,
            Piece::Part(part) => read.part(part, rest)?,
        };
        // A fraction may follow the seconds though the form has none.
        let is_second = matches!(piece, Piece::Part("05" | "5"));
        if is_second && !matches!(pieces.get(at + 1), Some(Piece::Fraction(..))) {
            rest = read.fraction(rest).unwrap_or(rest);
        }
    }
    rest.is_empty().then(|| read.zoned()).flatten()
}

impl ReadTime {
    fn part<'t>(&mut self, part: &str, text: &'t str) -> Option<&'t str> {
        let rest = match part {
            "January" | "Jan" => {
                let (at, rest) = named(&MONTHS, part == "Jan", text)?;
                self.month = at + 1;
                rest
            }
            "Monday" | "Mon" => named(&DAYS, part == "Mon", text)?.1,
            "2006" => digits(text, 4, 4).map(|(year, rest)| {
                self.year = i16::try_from(year).unwrap_or(0);
                rest
            })?,
            "06" => digits(text, 2, 2).map(|(year, rest)| {
                let year = i16::try_from(year).unwrap_or(0);
                self.year = year + if year >= 69 { 1900 } else { 2000 };
                rest
            })?,
            "01" | "1" => small(text, part.len(), &mut self.month)?,
            "02" | "2" => small(text, part.len(), &mut self.day)?,
            "_2" => small(text.strip_prefix(' ').unwrap_or(text), 1, &mut self.day)?,
            "002" | "__2" => {
                let text = text.trim_start_matches(' ');
                let (day, rest) = digits(text, if part == "002" { 3 } else { 1 }, 3)?;
                self.day_of_year = i16::try_from(day).ok();
                rest
            }
            "15" => small(text, 1, &mut self.hour)?,
            "03" | "3" => small(text, part.len(), &mut self.hour)?,
            "04" | "4" => small(text, part.len(), &mut self.minute)?,
            "05" | "5" => small(text, part.len(), &mut self.second)?,
            "PM" | "pm" => {
                let (sign, rest) = text.split_at_checked(2)?;
                let (am, pm) = if part == "PM" { ("AM", "PM") } else { ("am", "pm") };
                self.is_afternoon = Some(sign == pm);
                (sign == am || sign == pm).then_some(rest)?
            }
            "MST" => {
                let is_name = |c: char| c.is_ascii_uppercase();
                let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
                self.offset = self.offset.or(Some(0));
                (3..=5).contains(&end).then(|| &text[end..])?
            }
            offset => self.offset(offset, text)?,
        };
        Some(rest)
    }

    fn offset<'t>(&mut self, part: &str, text: &'t str) -> Option<&'t str> {
        if let (true, Some(rest)) = (part.starts_with('Z'), text.strip_prefix('Z')) {
            self.offset = Some(0);
            return Some(rest);
        }
        let sign = match text.chars().next()? {
            '+' => 1,
            '-' => -1,
            _ => return None,
        };
        let (mut rest, mut total) = (&text[1..], 0);
        for (at, unit) in part[1..].split(':').flat_map(pairs).zip([3600, 60, 1]).enumerate() {
            if at > 0 && part.contains(':') {
                rest = rest.strip_prefix(':')?;
            }
            let (number, after) = digits(rest, 2, 2)?;
            total += i32::try_from(number).ok()? * unit.1;
            rest = after;
        }
        self.offset = Some(sign * total);
        Some(rest)
    }

    fn fraction<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let rest = text.strip_prefix(['.', ','])?;
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let shown = format!("{:0<9}", &rest[..end.min(9)]);
        self.nanosecond = shown.parse().ok().filter(|_| end > 0)?;
        Some(&rest[end..])
    }

    fn zoned(&self) -> Option<Zoned> {
        let hour = match self.is_afternoon {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let day = match self.day_of_year {
            Some(day) => civil::Date::new(self.year, 1, 1)
                .ok()?
                .checked_add(jiff::Span::new().try_days(i64::from(day) - 1).ok()?)
                .ok()?,
            None => civil::Date::new(self.year, self.month, self.day).ok()?,
        };
        let time = civil::Time::new(hour, self.minute, self.second, self.nanosecond).ok()?;
        let zone = match self.offset {
            None | Some(0) => TimeZone::UTC,
            Some(seconds) => TimeZone::fixed(Offset::from_seconds(seconds).ok()?),
        };
        day.to_datetime(time).to_zoned(zone).ok()
    }
}

fn pairs(digits: &str) -> impl Iterator<Item = ()> + '_ {
    digits.as_bytes().chunks(2).map(|_| ())
}

/// Which of `names` a text begins with, in small or great letters.
fn named<'t>(names: &[&str], is_short: bool, text: &'t str) -> Option<(i8, &'t str)> {
    let shown = |name: &&str| if is_short { name[..3].to_owned() } else { (*name).to_owned() };
    names.iter().zip(0..).find_map(|(name, at)| {
        let name = shown(name);
        let (begin, rest) = text.split_at_checked(name.len())?;
        begin.eq_ignore_ascii_case(&name).then_some((at, rest))
    })
}

/// The number at the beginning of a text, of at least and at most so many digits.
fn digits(text: &str, least: usize, most: usize) -> Option<(u32, &str)> {
    let count = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let number = text[..count].parse().ok().filter(|_| count >= least)?;
    Some((number, &text[count..]))
}

fn small<'t>(text: &'t str, least: usize, into: &mut i8) -> Option<&'t str> {
    let (number, rest) = digits(text, least.min(2), 2)?;
    *into = i8::try_from(number).ok()?;
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read_in_any_form() {
        for (layout, text, written) in [
            ("2006-01-02", "2024-02-29", "2024-02-29"),
            ("Mon Jan _2 15:04:05 2006", "Tue Mar  5 07:08:09 2024", "Tue Mar  5 07:08:09 2024"),
            (
                "Jan 2, 2006 at 3:04pm (MST)",
                "Feb 3, 2013 at 7:54pm (UTC)",
                "Feb 3, 2013 at 7:54pm (UTC)",
            ),
            ("2006-01-02T15:04:05Z07:00", "2021-12-31T23:59:58Z", "2021-12-31T23:59:58Z"),
            ("2006-01-02T15:04:05Z07:00", "2021-12-31T23:59:58+02:00", "2021-12-31T23:59:58+02:00"),
            ("02/01/06 03:04 PM -0700", "31/01/99 12:00 AM +0130", "31/01/99 12:00 AM +0130"),
            ("15:04:05.000", "01:02:03.5", "01:02:03.500"),
            ("2006 002", "2024 060", "2024 060"),
        ] {
            let at = parse(layout, text).unwrap_or_else(|| panic!("{layout}: {text}"));
            assert_eq!(format(layout, &at), written, "{layout}");
        }
        for (layout, text) in [("2006-01-02", "2024-02-30"), ("2006", "x"), ("15:04", "12:30x")] {
            assert!(parse(layout, text).is_none(), "{layout}: {text}");
        }
    }
}
