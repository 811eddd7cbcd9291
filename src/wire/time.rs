//! The time field of a line.

use std::ops::Range;

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};

/// A time in seconds is below this, one in milliseconds is not.
const SECONDS_END: i64 = 100_000_000_000;
/// A time in milliseconds is below this, one in microseconds is not.
const MILLIS_END: i64 = 1_000 * SECONDS_END;
/// A time in microseconds is below this, one in nanoseconds is not.
const MICROS_END: i64 = 1_000 * MILLIS_END;

/// From 2001 to 2100, in nanoseconds since 1970.
pub(super) const THIS_CENTURY: Range<i64> = 978_307_200_000_000_000..4_133_980_800_000_000_000;

/// Nanoseconds since 1970 UTC, or `None` where the text is no time or beyond `i64`.
///
/// - A date, or a date and a time with `T` or a space between them, and with `Z`, an offset, or
///   neither, which means UTC (RFC 3339, ISO 8601).
/// - A plain number without exponent, whose unit is told by its size: below 1e11 seconds (the
///   year 5138), below 1e14 milliseconds, below 1e17 microseconds, else nanoseconds. Decimals are
///   exact; what is below a nanosecond is cut off.
pub(super) fn parse(text: &str) -> Option<i64> {
    number(text).or_else(|| calendar(text))
}

/// Whether the text is a date, a time of day, or both: something that a text column may hold and
/// that is no damaged number.
pub(super) fn is_calendar(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
        && (calendar(text).is_some()
            || text.parse::<Date>().is_ok()
            || text.parse::<Time>().is_ok())
}

fn calendar(text: &str) -> Option<i64> {
    let timestamp = match text.parse::<Timestamp>() {
        Ok(timestamp) => timestamp,
        Err(_) => TimeZone::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok()?,
    };
    i64::try_from(timestamp.as_nanosecond()).ok()
}

fn number(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let (unit_ns, decimals) = match whole {
        0..SECONDS_END => (1_000_000_000_i64, 9),
        SECONDS_END..MILLIS_END => (1_000_000, 6),
        MILLIS_END..MICROS_END => (1_000, 3),
        _ => (1, 0),
    };
    let fraction_ns = fraction
        .bytes()
        .chain(std::iter::repeat(b'0'))
        .take(decimals)
        .fold(0_i64, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    let time_ns = whole.checked_mul(unit_ns)?.checked_add(fraction_ns)?;
    Some(if negative { -time_ns } else { time_ns })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_accepted_way_to_say_a_time() {
        const T: i64 = 1_293_632_100_000_000_000;
        for (text, expected) in [
            ("2010-12-29 14:15:00+00:00", T),
            ("2010-12-29T14:15:00Z", T),
            ("2010-12-29t14:15:00z", T),
            ("2010-12-29 07:15:00-07:00", T),
            ("2010-12-29 14:15:00", T),
            ("2010-12-29T14:15", T),
            ("2010-12-29T14:15:00.000000001Z", T + 1),
            ("2010-12-29", T - 51_300_000_000_000),
            ("1293632100", T),
            ("1293632100.000000001", T + 1),
            ("1293632100.0000000019", T + 1),
            ("1293632100.1", T + 100_000_000),
            ("1293632100000", T),
            ("1293632100000.25", T + 250_000),
            ("1293632100000000", T),
            ("1293632100000000.001", T + 1),
            ("1293632100000000000", T),
            ("1293632100000000000.9", T),
            ("0", 0),
            ("-0.5", -500_000_000),
            ("+1", 1_000_000_000),
            ("99999999999", i64::MAX),
        ] {
            // Seconds reach to the year 5138 but i64 nanoseconds only to 2262.
            let expected = Some(expected).filter(|&time_ns| time_ns != i64::MAX);
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "-",
            ".",
            ".5",
            "1e9",
            "0x10",
            "1_000",
            "nan",
            "timestamp",
            "14:15:00",
            "2010-13-29 14:15:00",
            "2010-12-29 25:15:00",
            "9223372036854775808",
            "3000-01-01T00:00:00Z",
            "--5",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn dates_and_clocks_are_told_from_damaged_numbers() {
        assert!(
            ["2010-12-29", "14:15:00", "14:15", "2010-12-29 14:15:00+01:00"]
                .into_iter()
                .all(is_calendar)
        );
        assert!(!["2x.5", "21.5.3", "12-", "T14:15:00", "noon", "5"].into_iter().any(is_calendar));
    }
}
