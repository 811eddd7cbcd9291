//! Decimal numbers as devices print them, read from bytes.

/// The number that is the whole text: digits with a sign and a point where they may have one, and
/// nothing else; `None` for all other texts, the empty one among them.
///
/// As exact as the standard library's parser, which it leaves the long ones to.
pub(super) fn parse(text: &[u8]) -> Option<f64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.len() > DIGITS_FAST {
        return slow(text, digits);
    }
    let (mut whole, mut count, mut point) = (0_u64, 0, None);
    for (at, &byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                whole = whole * 10 + u64::from(byte - b'0');
                count += 1;
            }
            b'.' if point.is_none() => point = Some(at),
            _ => return None,
        }
    }
    if count == 0 {
        return None;
    }
    // Both are exact, so that one division rounds once, as the text asks (Clinger, "How to read
    // floating point numbers accurately", 1990).
    let value = whole as f64 / POWERS[point.map_or(0, |at| digits.len() - at - 1)];
    Some(if negative { -value } else { value })
}

/// Digits whose number is below 2^53, and a point.
const DIGITS_FAST: usize = 16;

const POWERS: [f64; DIGITS_FAST] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

fn slow(text: &[u8], digits: &[u8]) -> Option<f64> {
    // The standard parser also takes exponents, infinities and the like.
    if !digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') {
        return None;
    }
    str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_and_what_is_none() {
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

    proptest! {
        #[test]
        fn exactly_what_the_standard_library_reads(text in "[+-]?[0-9]{0,20}([.][0-9]{0,20})?") {
            prop_assert_eq!(parse(text.as_bytes()), text.parse().ok());
        }
    }
}
