//! Sizes and times as people read them.

/// `bytes` in decimal units with three digits: `812 B`, `14.2 MB`, `1.05 GB`.
pub fn human_size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    // 999.5 would be rounded to 1000, which the next unit says better.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{} {}", three_digits(value), UNITS[unit])
}

/// `seconds` with the precision that matters: `3 ms`, `1.4 s`, `2 min 5 s`, `1 h 4 min`.
/// What is no time at all (negative, not a number) counts as 0.
pub fn human_time(seconds: f64) -> String {
    let seconds = if seconds.is_finite() { seconds.max(0.0) } else { 0.0 };
    let whole = seconds.round() as u64;
    match seconds {
        s if s < 0.9995 => format!("{} ms", (s * 1000.0).round() as u64),
        s if s < 59.95 => format!("{s:.1} s"),
        s if s < 3599.5 => format!("{} min {} s", whole / 60, whole % 60),
        _ => {
            let minutes = whole / 60;
            format!("{} h {} min", minutes / 60, minutes % 60)
        }
    }
}

fn three_digits(value: f64) -> String {
    match value {
        v if v < 9.995 => format!("{v:.2}"),
        v if v < 99.95 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits_and_roll_over_to_the_next_unit() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.00 kB"),
            (14_234_567, "14.2 MB"),
            (99_950, "100 kB"),
            (999_499, "999 kB"),
            (999_500, "1.00 MB"),
            (1_048_576_000, "1.05 GB"),
            (u64::MAX, "18.4 EB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(human_size(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn times_have_the_precision_that_matters() {
        let cases = [
            (0.0, "0 ms"),
            (0.0031, "3 ms"),
            (0.9994, "999 ms"),
            (0.9996, "1.0 s"),
            (1.44, "1.4 s"),
            (59.94, "59.9 s"),
            (59.96, "1 min 0 s"),
            (125.2, "2 min 5 s"),
            (3599.6, "1 h 0 min"),
            (3850.0, "1 h 4 min"),
            (-1.0, "0 ms"),
            (f64::NAN, "0 ms"),
        ];
        for (seconds, text) in cases {
            assert_eq!(human_time(seconds), text, "{seconds}");
        }
    }
}
