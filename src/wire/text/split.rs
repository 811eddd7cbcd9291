//! Lines into parts, parts into labels and values.

use memchr::{memchr, memchr_iter, memchr2, memchr3, memrchr};

use crate::{limits, wire::number::Decimal};

/// What stands between the parts of a line: the first of these that the line contains.
///
/// The separator decides before anything else, so a date with spaces and colons in a line with
/// commas is one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Separator {
    /// `,`
    Comma,
    /// `;`
    Semicolon,
    /// One tab.
    Tab,
    /// Any run of white space.
    Space,
}

impl Separator {
    /// Number of separators.
    pub(super) const COUNT: usize = 4;

    /// The separator of this line.
    pub(super) fn of(line: &str) -> Self {
        let line = line.as_bytes();
        let Some(first) = memchr3(b',', b';', b'\t', line) else { return Self::Space };
        let rest = &line[first..];
        let has = |byte| rest[0] == byte || memchr(byte, rest).is_some();
        match () {
            () if has(b',') => Self::Comma,
            () if has(b';') => Self::Semicolon,
            () => Self::Tab,
        }
    }

    /// The parts of the line, without surrounding white space and without quotes around the
    /// whole of them.
    pub(super) fn parts(self, line: &str) -> Parts<'_> {
        Parts { rest: Some(line), separator: self }
    }

    /// How many parts the line has, counted no further than this.
    pub(super) fn count(self, line: &str, at_most: usize) -> usize {
        match self.byte() {
            Some(byte) => 1 + memchr_iter(byte, line.as_bytes()).take(at_most - 1).count(),
            None => self.parts(line).take(at_most).count(),
        }
    }

    /// The last part of the line.
    pub(super) fn last(self, line: &str) -> Option<&str> {
        let Some(byte) = self.byte() else { return self.parts(line).last() };
        let start = memrchr(byte, line.as_bytes()).map_or(0, |at| at + 1);
        self.parts(&line[start..]).next()
    }

    /// The byte that it is, if it is one.
    pub(super) fn byte(self) -> Option<u8> {
        match self {
            Self::Comma => Some(b','),
            Self::Semicolon => Some(b';'),
            Self::Tab => Some(b'\t'),
            Self::Space => None,
        }
    }
}

/// The parts of a line that have not been taken.
#[derive(Clone, Debug)]
pub(super) struct Parts<'a> {
    rest: Option<&'a str>,
    separator: Separator,
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest?;
        let Some(separator) = self.separator.byte() else {
            let (part, rest) = split_at_space(rest)?;
            self.rest = Some(rest);
            return Some(unquoted(part));
        };
        // A byte below 128 is a character of its own wherever it stands in UTF-8.
        let (part, rest) = match memchr(separator, rest.as_bytes()) {
            Some(end) => (&rest[..end], Some(&rest[end + 1..])),
            None => (rest, None),
        };
        self.rest = rest;
        Some(unquoted(trimmed(part)))
    }
}

/// What nearly all parts are, read without looking for their ends first. Whatever is not quite as
/// plain is left for [`Parts::next`].
impl<'a> Parts<'a> {
    /// Takes the next part if it is a number: as text too.
    pub(super) fn number(&mut self) -> Option<(&'a str, f64)> {
        let rest = self.rest?;
        let start = spaces(rest.as_bytes(), 0);
        // Most that is none begins with a letter.
        if rest.as_bytes().get(start).is_none_or(u8::is_ascii_alphabetic) {
            return None;
        }
        let decimal = Decimal::at_start_of(&rest.as_bytes()[start..])?;
        let end = start + decimal.length;
        self.pass(rest, end).then(|| (&rest[start..end], decimal.value))
    }

    /// Takes the next part if it is a name and a number: the name, and the number also as text.
    pub(super) fn labelled_number(&mut self) -> Option<(&'a str, &'a str, f64)> {
        let rest = self.rest?;
        let bytes = rest.as_bytes();
        let (start, sign) = plain_label(bytes)?;
        let name = &rest[start..sign];
        let begin = spaces(bytes, sign + 1);
        let decimal = Decimal::at_start_of(&bytes[begin..])?;
        let end = begin + decimal.length;
        self.pass(rest, end).then(|| (name, &rest[begin..end], decimal.value))
    }

    /// Takes parts up to the first that has a label; whether there is one.
    pub(super) fn any_label(&mut self) -> bool {
        while let Some(rest) = self.rest {
            if plain_label(rest.as_bytes()).is_some() {
                return true;
            }
            if memchr2(b':', b'=', rest.as_bytes()).is_none() {
                return false;
            }
            // What begins as a number is no label.
            let begins = rest.as_bytes()[spaces(rest.as_bytes(), 0)..].first();
            if let Some(b'0'..=b'9' | b'-' | b'+' | b'.') = begins
                && let Some(separator) = self.separator.byte()
            {
                let end = memchr(separator, rest.as_bytes());
                self.rest = end.map(|end| &rest[end + 1..]);
                continue;
            }
            match self.next() {
                Some(part) if label(part).is_some() => return true,
                Some(_) => {}
                None => return false,
            }
        }
        false
    }

    /// Goes behind the part if it ends here; whether it does.
    fn pass(&mut self, rest: &'a str, end: usize) -> bool {
        match (rest.as_bytes().get(end), self.separator.byte()) {
            (None, _) => self.rest = None,
            (Some(byte), Some(separator)) if *byte == separator => {
                self.rest = Some(&rest[end + 1..]);
            }
            (Some(b' '), None) => self.rest = Some(&rest[end..]),
            _ => return false,
        }
        true
    }
}

/// Where the name of a part begins and the sign behind it is, if these bytes begin with a label
/// that needs no second look.
#[inline]
fn plain_label(bytes: &[u8]) -> Option<(usize, usize)> {
    let start = spaces(bytes, 0);
    if !bytes.get(start).is_some_and(|&first| begins_name(first)) {
        return None;
    }
    let mut sign = start + 1;
    while let Some(&byte) = bytes.get(sign)
        && byte != b' '
        && is_in_name(byte)
    {
        sign += 1;
    }
    let is_label = matches!(bytes.get(sign), Some(b':' | b'='))
        && sign - start <= limits::FIELD_NAME_BYTES_MAX;
    is_label.then_some((start, sign))
}

/// Where the spaces end that may be here.
#[inline]
fn spaces(bytes: &[u8], mut from: usize) -> usize {
    while bytes.get(from) == Some(&b' ') {
        from += 1;
    }
    from
}

/// Takes a word off the text, or three at most where they are a label, its colon or equals sign,
/// and a number: `t: 21.5` and `t = 21.5` are one part.
fn split_at_space(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let mut end = word_end(text, 0)?;
    if let Some(next_end) = word_end(text, end) {
        let next = text[end..next_end].trim_start();
        if is_sign(next) && is_name(&text[..end]) {
            end = next_end;
        }
    }
    if text[..end].ends_with(is_sign_char)
        && let Some(next_end) = word_end(text, end)
        && number(text[end..next_end].trim_start()).is_some()
    {
        end = next_end;
    }
    Some(text.split_at(end))
}

/// Where the next word after `from` ends; `None` if there is none.
fn word_end(text: &str, from: usize) -> Option<usize> {
    let rest = &text[from..];
    let word = rest.trim_start();
    if word.is_empty() {
        return None;
    }
    let length = word.find(char::is_whitespace).unwrap_or(word.len());
    Some(text.len() - word.len() + length)
}

fn is_sign(word: &str) -> bool {
    matches!(word, ":" | "=")
}

fn is_sign_char(character: char) -> bool {
    matches!(character, ':' | '=')
}

/// The part without white space around it, which few have.
fn trimmed(part: &str) -> &str {
    match part.as_bytes() {
        [b'!'..=b'~'] | [b'!'..=b'~', .., b'!'..=b'~'] => part,
        _ => part.trim(),
    }
}

fn unquoted(part: &str) -> &str {
    part.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(part)
}

/// Label and value of `label:value` or `label=value`; the value may be empty.
pub(super) fn label(part: &str) -> Option<(&str, &str)> {
    let at = memchr2(b':', b'=', part.as_bytes())?;
    let name = part[..at].trim_end();
    is_name(name).then(|| (name, part[at + 1..].trim_start()))
}

/// Whether the text can be the name of a field: a letter or `_` first, then letters, digits,
/// inner spaces and `_ - . / % ( ) [ ] ^ °`, and not longer than the bound.
///
/// Strict on purpose: bytes read at the wrong speed must not turn into fields.
pub(super) fn is_name(text: &str) -> bool {
    let begins = |first: char| match u8::try_from(first) {
        Ok(byte) if byte.is_ascii() => begins_name(byte),
        _ => first.is_alphabetic(),
    };
    let inside = |character: char| match u8::try_from(character) {
        Ok(byte) if byte.is_ascii() => is_in_name(byte),
        _ => character.is_alphanumeric() || character == '°',
    };
    text.len() <= limits::FIELD_NAME_BYTES_MAX
        && text.starts_with(begins)
        && (text.bytes().all(is_in_name) || text.chars().all(inside))
}

fn begins_name(byte: u8) -> bool {
    IN_NAMES[usize::from(byte)] == Some(true)
}

fn is_in_name(byte: u8) -> bool {
    IN_NAMES[usize::from(byte)].is_some()
}

/// Whether a byte may be in a name, and if so, whether it may begin one.
const IN_NAMES: [Option<bool>; 256] = {
    let mut bytes = [None; 256];
    let mut byte = 0;
    while byte < bytes.len() {
        bytes[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => Some(true),
            b'0'..=b'9' | b' ' | b'-' | b'.' | b'/' | b'%' => Some(false),
            b'(' | b')' | b'[' | b']' | b'^' => Some(false),
            _ => None,
        };
        byte += 1;
    }
    bytes
};

/// A value as text writes it: a decimal number with optional sign and exponent, `nan` and `inf`
/// in the spellings of [`f64::from_str`](std::str::FromStr), or `true` and `false`, which are
/// 1 and 0.
pub(super) fn number(text: &str) -> Option<f64> {
    // A word is none, and is most that is none.
    if text.starts_with(|first: char| !first.is_ascii_alphabetic()) {
        let decimal = Decimal::at_start_of(text.as_bytes());
        if let Some(decimal) = decimal.filter(|decimal| decimal.length == text.len()) {
            return Some(decimal.value);
        }
    }
    match truth_at_start_of(text.as_bytes()) {
        Some((value, length)) if length == text.len() => Some(value),
        // All but infinities and the like has been read.
        _ if text.starts_with(|first: char| first.is_ascii_digit() || first == '.') => None,
        _ => text.parse().ok(),
    }
}

/// 1 or 0 if the bytes begin with `true` or `false`, and the length of that.
pub(super) fn truth_at_start_of(bytes: &[u8]) -> Option<(f64, usize)> {
    let begins_with =
        |word: &[u8]| bytes.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word));
    if begins_with(b"true") { Some((1.0, 4)) } else { begins_with(b"false").then_some((0.0, 5)) }
}

/// Whether the text says that there is no value: nothing at all, or one of the marks in use.
pub(super) fn is_missing(text: &str) -> bool {
    const MARKS: [&str; 7] = ["n/a", "null", "none", "nil", "-", "--", "---"];
    text.is_empty() || MARKS.iter().any(|mark| text.eq_ignore_ascii_case(mark))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(line: &str) -> Vec<&str> {
        Separator::of(line).parts(line).collect()
    }

    #[test]
    fn the_separator_decides_first() {
        assert_eq!(
            parts("2010-12-29 14:15:00+00:00,0.0,False"),
            ["2010-12-29 14:15:00+00:00", "0.0", "False"]
        );
        assert_eq!(parts(" a b ; c "), ["a b", "c"]);
        assert_eq!(parts("\t5\t"), ["", "5", ""]);
        assert_eq!(parts("  1   2 "), ["1", "2"]);
        assert_eq!(parts(r#""a b",'c',"5""#), ["a b", "'c'", "5"]);
        assert_eq!(parts(",,"), ["", "", ""]);
    }

    #[test]
    fn a_sign_may_stand_apart_from_its_label_and_number() {
        assert_eq!(parts("t: 21.5 h: 45"), ["t: 21.5", "h: 45"]);
        assert_eq!(parts("t = 21.5 h =45"), ["t = 21.5", "h", "=45"]);
        assert_eq!(parts("t: h:45"), ["t:", "h:45"]);
        assert_eq!(parts("t: h: "), ["t:", "h:"]);
        assert_eq!(parts("t :21.5"), ["t", ":21.5"]);
        assert_eq!(parts("5 = 3"), ["5", "= 3"]);
    }

    #[test]
    fn labels() {
        assert_eq!(label("t:21.5"), Some(("t", "21.5")));
        assert_eq!(label("room temp = 21.5"), Some(("room temp", "21.5")));
        assert_eq!(label("a:b=c"), Some(("a", "b=c")));
        assert_eq!(label("t:"), Some(("t", "")));
        for part in ["", ":5", "5:3", "2010-12-29 14:15:00", "t", "a$:1", "?=2", "-a:1"] {
            assert_eq!(label(part), None, "{part}");
        }
    }

    #[test]
    fn names() {
        for name in ["t", "_x", "Global CMP22 (vent/cor) [W/m^2]", "PM2.5", "Außen °C", "a-b%"] {
            assert!(is_name(name), "{name}");
        }
        let long = "a".repeat(limits::FIELD_NAME_BYTES_MAX + 1);
        for name in ["", " a", "2a", "a\"b", "a\u{1}", "\u{fffd}", "a*", &long] {
            assert!(!is_name(name), "{name}");
        }
        assert!(is_name(&long[1..]));
    }

    #[test]
    fn numbers() {
        for (text, value) in [
            ("21.53", 21.53),
            ("-1", -1.0),
            ("+.5", 0.5),
            ("1.", 1.0),
            ("1e3", 1000.0),
            ("-2.5E-1", -0.25),
            ("inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("TRUE", 1.0),
            ("False", 0.0),
        ] {
            assert_eq!(number(text), Some(value), "{text}");
        }
        assert!(number("NaN").is_some_and(f64::is_nan));
        for text in ["", "0x10", "1_000", "1,5", "--5", "21.5C", "e5", ".", "1 2"] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    proptest! {
        /// What is read at once is what is read part by part.
        #[test]
        fn plain_parts_are_read_as_all_others_are(
            line in r"([a-z_(]{1,3} {0,2}[:=]?|[ ,;\t]|[-+0-9.e]{1,6}|[:= \x22°]){0,14}",
            labelled: bool,
        ) {
            let mut slow = Separator::of(&line).parts(&line);
            let mut quick = slow.clone();
            while let Some(part) = slow.next() {
                let before = quick.clone();
                let read = if labelled {
                    quick.labelled_number().map(|(name, text, value)| {
                        assert_eq!(label(part), Some((name, text)));
                        (text, value)
                    })
                } else {
                    quick.number().inspect(|(text, _)| assert_eq!(*text, part))
                };
                match read {
                    Some((text, value)) => prop_assert_eq!(number(text), Some(value)),
                    None => {
                        prop_assert_eq!(quick.rest, before.rest, "nothing is taken in vain");
                        quick.next();
                    }
                }
                let ends = |parts: &Parts<'_>| parts.clone().collect::<Vec<_>>().concat();
                prop_assert_eq!(ends(&quick), ends(&slow));
            }
            prop_assert_eq!(quick.next(), None);
            let separator = Separator::of(&line);
            prop_assert_eq!(separator.count(&line, 9), separator.parts(&line).take(9).count());
            prop_assert_eq!(separator.last(&line), separator.parts(&line).last());
        }
    }
}
