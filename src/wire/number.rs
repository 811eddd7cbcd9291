//! Decimal numbers in bytes.

/// A decimal number at the start of some bytes, and how it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Decimal {
    /// The nearest double; infinite where the number is beyond them.
    pub(super) value: f64,
    /// Bytes it takes.
    pub(super) length: usize,
    /// `+` or `-`.
    pub(super) sign: Option<u8>,
    /// Digits before the point.
    pub(super) whole: usize,
    /// Digits behind the point, if there is one.
    pub(super) fraction: Option<usize>,
    /// Whether there is an exponent.
    pub(super) exponent: bool,
    /// Whether the first of several digits before the point is 0.
    pub(super) padded: bool,
}

/// Powers of ten that are doubles.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];
/// Whole numbers up to this are doubles.
const EXACT_MAX: u64 = 1 << 53;
/// So many digits fit into a `u64`, whatever they are.
const DIGITS_MAX: usize = 19;

impl Decimal {
    /// The number that the bytes begin with: a sign, digits with or without a point among or
    /// beside them, an exponent; all but one digit may be missing. `None` if no digit is there.
    pub(super) fn at_start_of(bytes: &[u8]) -> Option<Self> {
        let sign = bytes.first().copied().filter(|byte| matches!(byte, b'+' | b'-'));
        let start = usize::from(sign.is_some());
        let mut mantissa = 0_u64;
        let mut end = digits(bytes, start, &mut mantissa);
        let whole = end - start;
        let mut fraction = None;
        if bytes.get(end) == Some(&b'.') {
            let point = end + 1;
            end = digits(bytes, point, &mut mantissa);
            fraction = Some(end - point);
        }
        let count = whole + fraction.unwrap_or(0);
        if count == 0 {
            return None;
        }
        let behind = exponent_at(bytes, end);
        let (exponent, length) = behind.unwrap_or((0, end));
        let scale = exponent - i64::try_from(fraction.unwrap_or(0)).unwrap_or(i64::MAX);
        let value = if count <= DIGITS_MAX { quick(mantissa, scale) } else { None };
        let value = match value {
            Some(value) if sign == Some(b'-') => -value,
            Some(value) => value,
            None => str::from_utf8(&bytes[..length]).ok()?.parse().ok()?,
        };
        let padded = 1 < whole && bytes[start] == b'0';
        Some(Self { value, length, sign, whole, fraction, exponent: behind.is_some(), padded })
    }

    /// Whether it is written as RFC 8259, section 6, has it.
    pub(super) fn is_json(&self) -> bool {
        self.sign != Some(b'+') && 0 < self.whole && !self.padded && self.fraction != Some(0)
    }
}

/// Where the digits from `at` on end; they are appended to `mantissa`, which wraps.
fn digits(bytes: &[u8], at: usize, mantissa: &mut u64) -> usize {
    let mut end = at;
    while let Some(digit) = bytes.get(end).map(|byte| byte.wrapping_sub(b'0'))
        && digit < 10
    {
        *mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
        end += 1;
    }
    end
}

/// The exponent at this place and where it ends; `None` if there is no whole one.
fn exponent_at(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    if !matches!(bytes.get(at), Some(b'e' | b'E')) {
        return None;
    }
    let sign = bytes.get(at + 1).copied().filter(|byte| matches!(byte, b'+' | b'-'));
    let start = at + 1 + usize::from(sign.is_some());
    let mut magnitude = 0_u64;
    let end = digits(bytes, start, &mut magnitude);
    if end == start {
        return None;
    }
    // So large that it matters no more; more digits than that may have wrapped.
    let magnitude = if DIGITS_MAX < end - start { u64::MAX } else { magnitude };
    let magnitude = i64::try_from(magnitude).unwrap_or(i64::MAX / 2).min(i64::MAX / 2);
    Some((if sign == Some(b'-') { -magnitude } else { magnitude }, end))
}

/// One rounding at most, of a product or quotient of two doubles, is exact (Clinger, "How to read
/// floating point numbers accurately", 1990).
fn quick(mantissa: u64, scale: i64) -> Option<f64> {
    if EXACT_MAX < mantissa {
        return None;
    }
    let power = POWERS.get(usize::try_from(scale.unsigned_abs()).ok()?)?;
    let mantissa = mantissa as f64;
    Some(if scale < 0 { mantissa / power } else { mantissa * power })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn how_a_number_is_written() {
        for (text, length, json) in [
            ("0", 1, true),
            ("-0", 2, true),
            ("12.50,", 5, true),
            ("1e5}", 3, true),
            ("1E+05", 5, true),
            ("1e", 1, true),
            ("1e+", 1, true),
            ("01", 2, false),
            ("+1", 2, false),
            ("1.", 2, false),
            (".5", 2, false),
            ("1.e3", 4, false),
        ] {
            let decimal = Decimal::at_start_of(text.as_bytes()).expect(text);
            assert_eq!((decimal.length, decimal.is_json()), (length, json), "{text}");
        }
        for text in ["", "-", ".", "+.", "e5", "nan", "--1"] {
            assert_eq!(Decimal::at_start_of(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn exponents_beyond_all_measure_are_zero_or_infinite() {
        let value = |text: &str| Decimal::at_start_of(text.as_bytes()).expect("a number").value;
        assert_eq!(value("1e99999999999999999999999"), f64::INFINITY);
        assert_eq!(value("1e-99999999999999999999999"), 0.0);
        assert_eq!(value("0e99999999999999999999999"), 0.0);
        assert_eq!(value("-1e400"), f64::NEG_INFINITY);
    }

    proptest! {
        #[test]
        fn values_are_those_of_the_standard_library(
            text in r"[+-]?[0-9]{1,25}(\.[0-9]{0,25})?([eE][+-]?[0-9]{1,3})?",
        ) {
            let decimal = Decimal::at_start_of(text.as_bytes()).expect("a number");
            let expected: f64 = text.parse().expect("a number");
            prop_assert_eq!(decimal.value.to_bits(), expected.to_bits());
            prop_assert_eq!(decimal.length, text.len());
        }
    }
}
