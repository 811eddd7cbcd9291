//! Durations as people write them: `100ms`, `6s`, `144m`, `1h30m`.

use std::fmt;

/// Units from long to short, with their nanoseconds.
const UNITS: [(&str, i64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Why a text is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DurationError {
    /// No number where one must be.
    Number,
    /// A number without a unit, or with one that is not known.
    Unit,
    /// More than 292 years.
    TooLong,
}

impl fmt::Display for DurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Number => "expected a number followed by a unit, such as \"100ms\" or \"1h30m\"",
            Self::Unit => "expected a unit: one of d, h, m, s, ms, us, ns",
            Self::TooLong => "longer than 292 years",
        })
    }
}

impl std::error::Error for DurationError {}

/// Nanoseconds of a text such as `1.5s` or `1h30m`.
///
/// # Errors
/// If the text is empty, a number or a unit is missing, or the sum does not fit.
pub fn parse(text: &str) -> Result<i64, DurationError> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(DurationError::Number);
    }
    let mut total = 0_i64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number = &rest[..digits];
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = &rest[..letters];
        rest = rest[letters..].trim_start();
        let Some((_, unit_ns)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(if number.is_empty() {
                DurationError::Number
            } else {
                DurationError::Unit
            });
        };
        total = total.checked_add(scaled(number, *unit_ns)?).ok_or(DurationError::TooLong)?;
    }
    Ok(total)
}

/// `number * unit_ns`, exact for as many decimals as a nanosecond has.
fn scaled(number: &str, unit_ns: i64) -> Result<i64, DurationError> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return Err(DurationError::Number);
    }
    let mut total = if whole.is_empty() {
        0
    } else {
        let whole: i64 = whole.parse().map_err(|_| DurationError::TooLong)?;
        whole.checked_mul(unit_ns).ok_or(DurationError::TooLong)?
    };
    let mut place_ns = unit_ns;
    for digit in fraction.bytes() {
        place_ns /= 10;
        let part_ns = i64::from(digit - b'0') * place_ns;
        total = total.checked_add(part_ns).ok_or(DurationError::TooLong)?;
    }
    Ok(total)
}

/// Shows nanoseconds in the form that [`parse`] reads, with one unit where one will do: `90m`,
/// `144m`, `24h`, `1.5s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nanoseconds(pub i64);

impl fmt::Display for Nanoseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.0;
        if ns == 0 {
            return f.write_str("0s");
        }
        // Days are written as hours, as in `24h`: that is how windows are spoken of.
        let (name, unit_ns) =
            UNITS[1..].iter().find(|(_, unit_ns)| ns % unit_ns == 0).expect("1 ns divides all");
        write!(f, "{}{name}", ns / unit_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        let cases = [
            ("100ms", 100_000_000),
            ("1.5s", 1_500_000_000),
            ("1h30m", 5_400_000_000_000),
            ("24h", 86_400_000_000_000),
            ("1d", 86_400_000_000_000),
            (" 6 s ", 6_000_000_000),
            ("0s", 0),
            (".5ms", 500_000),
        ];
        for (text, ns) in cases {
            assert_eq!(parse(text), Ok(ns), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        let cases = [
            ("", DurationError::Number),
            ("s", DurationError::Number),
            ("5", DurationError::Unit),
            ("5 parsecs", DurationError::Unit),
            ("1..5s", DurationError::Number),
            ("-1s", DurationError::Number),
            ("99999999999h", DurationError::TooLong),
            ("9223372036.9s", DurationError::TooLong),
            ("99999999999999999999s", DurationError::TooLong),
        ];
        for (text, error) in cases {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn shows_what_it_reads() {
        for text in ["100ms", "1s", "6s", "144m", "24h", "90m", "1500ms", "7us", "1ns", "0s"] {
            assert_eq!(Nanoseconds(parse(text).expect("valid")).to_string(), text);
        }
    }
}
