//! Lines into parts, parts into labels and values.

use crate::limits;

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
        let has = |byte| line.as_bytes().contains(&byte);
        match () {
            () if has(b',') => Self::Comma,
            () if has(b';') => Self::Semicolon,
            () if has(b'\t') => Self::Tab,
            () => Self::Space,
        }
    }

    /// The parts of the line, without surrounding white space and without quotes around the
    /// whole of them.
    pub(super) fn parts(self, line: &str) -> impl Iterator<Item = &str> + Clone {
        Parts { rest: Some(line), separator: self }.map(unquoted)
    }
}

#[derive(Clone)]
struct Parts<'a> {
    rest: Option<&'a str>,
    separator: Separator,
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest?;
        let separator = match self.separator {
            Separator::Comma => b',',
            Separator::Semicolon => b';',
            Separator::Tab => b'\t',
            Separator::Space => {
                let (part, rest) = split_at_space(rest)?;
                self.rest = Some(rest);
                return Some(part);
            }
        };
        // A byte below 128 is a character of its own wherever it stands in UTF-8.
        match rest.bytes().position(|byte| byte == separator) {
            Some(end) => {
                self.rest = Some(&rest[end + 1..]);
                Some(rest[..end].trim())
            }
            None => {
                self.rest = None;
                Some(rest.trim())
            }
        }
    }
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

fn unquoted(part: &str) -> &str {
    part.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(part)
}

/// Label and value of `label:value` or `label=value`; the value may be empty.
pub(super) fn label(part: &str) -> Option<(&str, &str)> {
    let at = part.bytes().position(|byte| matches!(byte, b':' | b'='))?;
    let name = part[..at].trim_end();
    is_name(name).then(|| (name, part[at + 1..].trim_start()))
}

/// Whether the text can be the name of a field: a letter or `_` first, then letters, digits,
/// inner spaces and `_ - . / % ( ) [ ] ^ °`, and not longer than the bound.
///
/// Strict on purpose: bytes read at the wrong speed must not turn into fields.
pub(super) fn is_name(text: &str) -> bool {
    let inside = |character: char| {
        character.is_alphanumeric()
            || matches!(character, ' ' | '_' | '-' | '.' | '/' | '%')
            || matches!(character, '(' | ')' | '[' | ']' | '^' | '°')
    };
    text.len() <= limits::FIELD_NAME_BYTES_MAX
        && text.starts_with(|first: char| first.is_alphabetic() || first == '_')
        && text.chars().all(inside)
}

/// A value as text writes it: a decimal number with optional sign and exponent, `nan` and `inf`
/// in the spellings of [`f64::from_str`](std::str::FromStr), or `true` and `false`, which are
/// 1 and 0.
pub(super) fn number(text: &str) -> Option<f64> {
    match text.parse() {
        Ok(value) => Some(value),
        Err(_) if text.eq_ignore_ascii_case("true") => Some(1.0),
        Err(_) if text.eq_ignore_ascii_case("false") => Some(0.0),
        Err(_) => None,
    }
}

/// Whether the text says that there is no value: nothing at all, or one of the marks in use.
pub(super) fn is_missing(text: &str) -> bool {
    const MARKS: [&str; 7] = ["n/a", "null", "none", "nil", "-", "--", "---"];
    text.is_empty() || MARKS.iter().any(|mark| text.eq_ignore_ascii_case(mark))
}

#[cfg(test)]
mod tests {
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
}
