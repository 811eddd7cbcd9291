//! The time field of a line.

use std::ops::Range;

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};

use super::number::parse_whole;

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
    parse_plain(text.as_bytes()).or_else(|| calendar(text))
}

/// As [`parse`] for what nearly all times are; `None` is not the last word.
pub(super) fn parse_plain(text: &[u8]) -> Option<i64> {
    plain_calendar(text).or_else(|| number(text))
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

/// What nearly all calendar times are: `2010-12-29 14:15:00.25+01:00`, where the space may be a T,
/// and a Z or nothing may stand for the offset; between 1970 and 2200. `None` is not the last word.
fn plain_calendar(text: &[u8]) -> Option<i64> {
    let (date, rest) = text.split_first_chunk::<10>()?;
    let (time, rest) = rest.split_first_chunk::<9>()?;
    let marked = date[4] == b'-'
        && date[7] == b'-'
        && matches!(time[0], b'T' | b' ')
        && time[3] == b':'
        && time[6] == b':';
    if !marked {
        return None;
    }
    let year = 100 * pair(date, 0, 99)? + pair(date, 2, 99)?;
    if !(1_970..2_200).contains(&year) {
        return None;
    }
    let (month, day) = (pair(date, 5, 12)?, pair(date, 8, 31)?);
    let (hour, minute, second) = (pair(time, 1, 23)?, pair(time, 4, 59)?, pair(time, 7, 59)?);
    let (fraction_ns, rest) = match rest {
        [b'.', digits @ ..] => fraction_ns(digits)?,
        _ => (0, rest),
    };
    let offset = match *rest {
        [] | [b'Z'] => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let minutes = 60 * pair(rest, 1, 23)? + pair(rest, 4, 59)?;
            // Zero with a minus says that the offset is not known.
            if sign == b'+' { minutes } else { -Some(minutes).filter(|&minutes| 0 < minutes)? }
        }
        _ => return None,
    };
    let minutes = (24 * day_number(year, month, day)? + hour) * 60 + minute - offset;
    Some((60 * minutes + second) * 1_000_000_000 + fraction_ns)
}

/// Days since 1970, by Hinnant ("chrono-Compatible Low-Level Date Algorithms", 2014).
/// `None` for a day that no calendar has, and before year 1.
pub(super) fn day_number(year: i64, month: i64, day: i64) -> Option<i64> {
    const DAYS: [i64; 13] = [0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let exists = 1 <= year
        && 1 <= day
        && day <= usize::try_from(month).ok().and_then(|month| DAYS.get(month).copied())?
        && (month != 2 || day <= 28 || is_leap);
    if !exists {
        return None;
    }
    // The year begins in March, so that a leap day is its last.
    let year = year - i64::from(month <= 2);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(365 * year + year / 4 - year / 100 + year / 400 + day_of_year - 719_468)
}

/// Two digits that are at most this.
fn pair(text: &[u8], at: usize, at_most: i64) -> Option<i64> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
    let value = 10 * digit(text[at])? + digit(text[at + 1])?;
    (value <= at_most).then_some(value)
}

/// Nanoseconds in one to nine digits behind the point, and what follows them.
fn fraction_ns(text: &[u8]) -> Option<(i64, &[u8])> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(count);
    let zeros = std::iter::repeat_n(&b'0', 9_usize.checked_sub(count)?);
    let value = digits.iter().chain(zeros).fold(0, |sum, digit| 10 * sum + i64::from(digit - b'0'));
    (0 < count).then_some((value, rest))
}

fn number(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [sign @ (b'+' | b'-'), digits @ ..] => (*sign == b'-', digits),
        _ => (false, text),
    };
    let is_point = |byte: &u8| *byte == b'.';
    let point = digits.iter().position(is_point).unwrap_or(digits.len());
    let (whole, fraction) = (&digits[..point], digits.get(point + 1..).unwrap_or_default());
    if matches!(whole, [] | [b'+' | b'-', ..]) || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let whole = parse_whole(whole)?;
    let (unit_ns, decimals) = match whole {
        0..SECONDS_END => (1_000_000_000_i64, 9),
        SECONDS_END..MILLIS_END => (1_000_000, 6),
        MILLIS_END..MICROS_END => (1_000, 3),
        _ => (1, 0),
    };
    let fraction_ns = fraction
        .iter()
        .chain(std::iter::repeat(&b'0'))
        .take(decimals)
        .fold(0_i64, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    let time_ns = whole.checked_mul(unit_ns)?.checked_add(fraction_ns)?;
    Some(if negative { -time_ns } else { time_ns })
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::Index};

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

    const CALENDAR_TIME: &str = concat!(
        r"(19[67]|20[0-9]|2[12][0-9])[0-9]-(0[1-9]|1[0-2])-([0-2][0-9]|3[01])",
        r"([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,10})?)?",
        r"(|Z|[-+](0[0-9]|1[0-4]):[0-5][0-9]))?",
    );
    const NUMBER: &str = r"[-+]?[0-9]{1,20}(\.[0-9]{0,12})?";
    const DAMAGE: &str = r"[-+0-9:.TZtz ]?";

    /// What [`number`] says, in more bits than it has.
    fn careful_number(text: &str) -> Option<i64> {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let whole: i64 = whole.parse().ok()?;
        let decimals = match whole.checked_ilog10().unwrap_or(0) {
            0..11 => 9,
            11..14 => 6,
            14..17 => 3,
            _ => 0,
        };
        let time_ns: i128 = format!("{whole}{fraction:0<decimals$.decimals$}").parse().ok()?;
        i64::try_from(if text.starts_with('-') { -time_ns } else { time_ns }).ok()
    }

    proptest! {
        #[test]
        fn days_are_those_of_the_calendar(year in 0..3_000_i64, month in 0..14_i64, day in 0..33_i64) {
            let date = Date::new(year as i16, month as i8, day as i8).ok().filter(|_| 0 < year);
            let day_of = |date: Date| {
                let start = TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).expect("in range");
                start.as_second() / 86_400
            };
            prop_assert_eq!(day_number(year, month, day), date.map(day_of));
        }

        /// The plain form is read as the library for calendars reads it, or left to that.
        #[test]
        fn plain_times_are_those_of_the_calendar(
            year in prop_oneof![1_960..2_210_i32, Just(2_000), Just(2_100), Just(2_024)],
            month in prop_oneof![0..14_u8, Just(2)],
            day in prop_oneof![0..33_u8, 28..31_u8],
            clock in (0..25_u8, 0..61_u8, 0..62_u8),
            between in "[Tt _]",
            behind in r"(\.[0-9]{0,10})?(|Z|z|[-+](0[0-9]|2[0-6]):[0-6][0-9])",
        ) {
            let (hour, minute, second) = clock;
            let date = format!("{year:04}-{month:02}-{day:02}");
            let text = format!("{date}{between}{hour:02}:{minute:02}:{second:02}{behind}");
            if let Some(time_ns) = plain_calendar(text.as_bytes()) {
                prop_assert_eq!(calendar(&text), Some(time_ns), "{}", text);
            }
        }

        /// A time in any form, or a damaged one, is what careful readers say, or none.
        #[test]
        fn any_text_is_the_time_that_careful_readers_say(
            text in prop_oneof![CALENDAR_TIME, NUMBER],
            damages in prop::collection::vec((any::<Index>(), 0..2_usize, DAMAGE), 0..3),
        ) {
            let mut text = text;
            for (at, removed, damage) in damages {
                let at = at.index(text.len() + 1);
                text.replace_range(at..(at + removed).min(text.len()), &damage);
            }
            let expected = careful_number(&text).or_else(|| calendar(&text));
            prop_assert_eq!(parse(&text), expected, "{}", text);
            let plain = parse_plain(text.as_bytes());
            prop_assert!(plain.is_none() || plain == expected, "{} is not {:?}", text, plain);
        }
    }
}
