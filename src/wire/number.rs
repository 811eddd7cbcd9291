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

/// The number that is the whole text: digits with a sign and a point where they may have one, and
/// nothing else; `None` for all other texts, the empty one among them.
#[inline]
pub(super) fn parse(text: &[u8]) -> Option<f64> {
    if text.is_empty() {
        return None;
    }
    let decimal = Decimal::at_start_of(text)?;
    (decimal.length == text.len() && !decimal.exponent).then_some(decimal.value)
}

/// The whole number that is the whole text: digits, with a sign if it has one.
#[inline]
pub(super) fn parse_whole(text: &[u8]) -> Option<i64> {
    let start = usize::from(matches!(text.first(), Some(b'+' | b'-')));
    let mut magnitude = 0;
    let end = digits(text, start, &mut magnitude);
    if end == start || end < text.len() {
        return None;
    }
    let fits = if end - start <= DIGITS_MAX { i64::try_from(magnitude).ok() } else { None };
    match fits {
        Some(magnitude) if text[0] == b'-' => Some(-magnitude),
        Some(magnitude) => Some(magnitude),
        None => str::from_utf8(text).ok()?.parse().ok(),
    }
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
    // Into each place that asks, which asks for little of it.
    #[inline(always)]
    pub(super) fn at_start_of(bytes: &[u8]) -> Option<Self> {
        let sign = bytes.first().copied().filter(|byte| matches!(byte, b'+' | b'-'));
        let start = usize::from(sign.is_some());
        if let Some((mantissa, whole, fraction)) = short(bytes, start) {
            let value = f64::from(mantissa) / POWERS[fraction.unwrap_or(0)];
            return Some(Self {
                value: if sign == Some(b'-') { -value } else { value },
                length: start + whole + fraction.map_or(0, |digits| 1 + digits),
                sign,
                whole,
                fraction,
                exponent: false,
                padded: 1 < whole && bytes[start] == b'0',
            });
        }
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
        let behind = match bytes.get(end) {
            Some(b'e' | b'E') => exponent_at(bytes, end),
            _ => None,
        };
        let (exponent, length) = behind.unwrap_or((0, end));
        let scale = exponent - fraction.unwrap_or(0) as i64;
        let value = if count <= DIGITS_MAX { quick(mantissa, scale) } else { None };
        let value = match value {
            Some(value) if sign == Some(b'-') => -value,
            Some(value) => value,
            None => slow(&bytes[..length])?,
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
#[inline(always)]
fn digits(bytes: &[u8], at: usize, mantissa: &mut u64) -> usize {
    let mut end = at;
    loop {
        let (value, count) = up_to_eight(word_at(bytes, end));
        *mantissa = mantissa.wrapping_mul(WHOLE_POWERS[count]).wrapping_add(value);
        end += count;
        if count < 8 {
            return end;
        }
    }
}

/// The eight bytes from `at` on, the first of them lowest; zeros for those that are not there.
///
/// Numbers often end a line or are a field on their own: fewer bytes are read as two halves that
/// overlap, not one by one.
#[inline(always)]
fn word_at(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or_default();
    match (rest.first_chunk(), rest.first_chunk(), rest.last_chunk()) {
        (Some(eight), ..) => u64::from_le_bytes(*eight),
        (None, Some(first), Some(last)) => {
            let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
            u64::from(first) | u64::from(last) << (8 * (rest.len() - 4))
        }
        _ => rest.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)),
    }
}

const WHOLE_POWERS: [u64; 9] =
    [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// The number of the digits that these bytes begin with, and how many there are.
///
/// All at once: neighbours are joined to pairs, to fours and to eight (Lemire, "Quickly parsing
/// eight digits", 2018). A number whose digits are counted one by one costs a wrong guess of the
/// processor wherever it is longer or shorter than the last.
#[inline(always)]
fn up_to_eight(word: u64) -> (u64, usize) {
    let count = leading_digits(word);
    (value_of(word, count), count)
}

/// What nearly all numbers of sensors are: one digit at least and seven at most, with a point
/// before, among or behind them or without; read as one word of which the point is taken out. All
/// digits, those before the point, and those behind it if there is one.
#[inline(always)]
fn short(bytes: &[u8], at: usize) -> Option<(u32, usize, Option<usize>)> {
    let word = word_at(bytes, at);
    let whole = leading_digits(word);
    if whole == 8 {
        return None;
    }
    let before = (1 << (8 * whole)) - 1;
    let has_point = word >> (8 * whole) & 0xFF == u64::from(b'.');
    let (word, count) = if has_point {
        let joined = word & before | word >> 8 & !before;
        (joined, leading_digits(joined))
    } else {
        (word, whole)
    };
    let end = at + count + usize::from(has_point);
    // A digit that is beyond the word may follow, or an exponent.
    if count == 0 || 7 <= count || matches!(bytes.get(end), Some(b'e' | b'E')) {
        return None;
    }
    Some((value_of(word, count) as u32, whole, has_point.then(|| count - whole)))
}

/// How many of the bytes are digits, up to the first that is none.
#[inline(always)]
fn leading_digits(word: u64) -> usize {
    let digits = word ^ 0x3030_3030_3030_3030;
    // The high bit of each byte that is no digit, up to the first of them; a carry may change
    // what is behind it.
    let others = (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080;
    others.trailing_zeros() as usize / 8
}

/// The number of the first so many bytes, which are digits.
#[inline(always)]
fn value_of(word: u64, count: usize) -> u64 {
    if count == 0 {
        return 0;
    }
    // What comes first counts most and stands lowest: zeros come in before it.
    let digits = (word ^ 0x3030_3030_3030_3030) << (64 - 8 * count);
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let (even, odd) = (pairs & 0x0000_00FF_0000_00FF, pairs >> 16 & 0x0000_00FF_0000_00FF);
    let value = even
        .wrapping_mul(100 + (1_000_000 << 32))
        .wrapping_add(odd.wrapping_mul(1 + (10_000 << 32)));
    value >> 32
}

/// The exponent at this place and where it ends; `None` if there is no whole one.
#[cold]
fn exponent_at(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
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
#[inline(always)]
fn quick(mantissa: u64, scale: i64) -> Option<f64> {
    if EXACT_MAX < mantissa {
        return None;
    }
    let power = POWERS.get(scale.unsigned_abs() as usize)?;
    let mantissa = mantissa as f64;
    Some(if scale < 0 { mantissa / power } else { mantissa * power })
}

/// What needs more than doubles to be read exactly.
#[cold]
fn slow(text: &[u8]) -> Option<f64> {
    str::from_utf8(text).ok()?.parse().ok()
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
    fn what_is_a_number_from_end_to_end() {
        for (text, expected) in [
            ("0", 0.0),
            ("-4", -4.0),
            ("+0.60", 0.6),
            ("00016", 16.0),
            ("5251.0094", 5251.0094),
            (".5", 0.5),
            ("5.", 5.0),
            ("9007199254740993", 9_007_199_254_740_993.0),
            ("123456789012345.6", 123_456_789_012_345.6),
            ("00000000000000000001.5", 1.5),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(expected), "{text}");
        }
        for text in ["", "-", "+", ".", "-.", "1e5", "inf", "nan", "0x10", "1,5", " 1", "1 ", "--1"]
        {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse(b"123456789012345678e5"), None);
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
            behind in r"[^0-9.eE][ -~]{0,12}|",
        ) {
            let bytes = [text.as_bytes(), behind.as_bytes()].concat();
            let decimal = Decimal::at_start_of(&bytes).expect("a number");
            let expected: f64 = text.parse().expect("a number");
            prop_assert_eq!(decimal.value.to_bits(), expected.to_bits());
            prop_assert_eq!(decimal.length, text.len());
        }

        #[test]
        fn plain_numbers_are_those_of_the_standard_library(
            text in "[+-]?[0-9]{0,20}([.][0-9]{0,20})?",
        ) {
            prop_assert_eq!(parse(text.as_bytes()), text.parse().ok());
        }

        #[test]
        fn whole_numbers_are_those_of_the_standard_library(
            text in "[+-]?[0-9]{0,21}.?",
            near in -9_i64..9,
        ) {
            prop_assert_eq!(parse_whole(text.as_bytes()), text.parse().ok());
            for end in [i64::MIN, i64::MAX] {
                let text = (i128::from(end) + i128::from(near)).to_string();
                prop_assert_eq!(parse_whole(text.as_bytes()), text.parse().ok());
            }
        }

        #[test]
        fn doubles_of_all_sizes_come_back(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            for text in [format!("{value}"), format!("{value:e}")] {
                let decimal = Decimal::at_start_of(text.as_bytes()).expect("a number");
                prop_assert_eq!((decimal.value.to_bits(), decimal.length), (bits, text.len()));
            }
        }

        #[test]
        fn a_word_has_zeros_where_the_bytes_end(
            bytes in prop::collection::vec(any::<u8>(), 0..12),
            at in 0..14_usize,
        ) {
            let mut eight = [0; 8];
            let rest = bytes.iter().skip(at);
            eight.iter_mut().zip(rest).for_each(|(to, &byte)| *to = byte);
            prop_assert_eq!(word_at(&bytes, at), u64::from_le_bytes(eight));
        }

        #[test]
        fn digits_are_counted_up_to_the_first_other_byte(bytes: [u8; 8], digits in "[0-9]{0,8}") {
            let mut eight = bytes;
            eight[..digits.len()].copy_from_slice(digits.as_bytes());
            let count = eight.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(8);
            let expected = eight[..count].iter().fold(0, |sum, b| 10 * sum + u64::from(b - b'0'));
            prop_assert_eq!(up_to_eight(u64::from_le_bytes(eight)), (expected, count));
        }
    }
}
