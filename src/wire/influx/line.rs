//! One line of the protocol, taken apart.
//!
//! Which bytes end what, and what a backslash takes the meaning from, differs from part to part
//! (<https://github.com/influxdata/line-protocol>); everywhere else a backslash is a backslash.

use std::ops::Range;

use memchr::memchr;

use crate::wire::number::{self, Decimal};

/// Why a text is no line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is none.
    Malformed,
    /// A string is not closed: it may go on behind the line end.
    Open,
}

/// A text with its escapes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Escaped<'a> {
    written: &'a str,
    /// Which characters a backslash stands before in vain.
    special: &'static [u8],
    /// Whether there is a backslash.
    has_escapes: bool,
}

impl<'a> Escaped<'a> {
    /// Appends what it stands for.
    #[inline]
    pub(super) fn append_to(self, out: &mut String) {
        if self.has_escapes {
            self.append_unescaped_to(out);
        } else {
            out.push_str(self.written);
        }
    }

    fn append_unescaped_to(self, out: &mut String) {
        let mut rest = self.written;
        while let Some(at) = memchr(b'\\', rest.as_bytes()) {
            let next = rest.as_bytes().get(at + 1);
            let escapes = next.is_some_and(|next| self.special.contains(next));
            let end = at + usize::from(!escapes);
            out.push_str(&rest[..end]);
            rest = &rest[at + 1..];
            if escapes {
                out.push_str(&rest[..1]);
                rest = &rest[1..];
            }
        }
        out.push_str(rest);
    }
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    /// A number of any kind, or a truth as 1 or 0.
    Number(f64),
    /// A string, which is no reading.
    Text,
}

/// The parts of a line that are names.
#[derive(Clone, Copy, Debug)]
enum Part {
    Measurement,
    Key,
    TagValue,
}

impl Part {
    /// The bytes that a backslash takes the meaning from: `=` is special in keys alone.
    fn special(self) -> &'static [u8] {
        match self {
            Self::Measurement => b", ",
            Self::Key | Self::TagValue => b",= ",
        }
    }

    /// Where the bytes from `at` on are none that stand for themselves any more.
    #[inline(always)]
    fn plain(self, bytes: &[u8], mut at: usize) -> usize {
        while at < bytes.len() && MARKS[usize::from(bytes[at])] & (ESCAPE | 1 << self as u8) == 0 {
            at += 1;
        }
        at
    }

    /// Where the part ends that goes on with a backslash at `at`.
    fn escaped(self, bytes: &[u8], mut at: usize) -> usize {
        while bytes.get(at) == Some(&b'\\') {
            let escapes = bytes.get(at + 1).is_some_and(|next| self.special().contains(next));
            at = self.plain(bytes, at + 1 + usize::from(escapes));
        }
        at
    }
}

/// What each byte is in a name: a bit for each [`Part`] that it ends, and one for a backslash.
const MARKS: [u8; 256] = {
    let mut marks = [0; 256];
    let mut byte = 0;
    while byte < marks.len() {
        marks[byte] = match byte as u8 {
            b'\\' => ESCAPE,
            b',' | b' ' | b'\r' | b'\n' => MEASUREMENT | KEY | TAG_VALUE,
            b'=' => KEY | TAG_VALUE,
            control if control.is_ascii_control() => MEASUREMENT | KEY,
            _ => 0,
        };
        byte += 1;
    }
    marks
};
const MEASUREMENT: u8 = 1 << Part::Measurement as u8;
const KEY: u8 = 1 << Part::Key as u8;
const TAG_VALUE: u8 = 1 << Part::TagValue as u8;
const ESCAPE: u8 = 1 << 7;

/// Where key and value of a tag are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) key: Range<usize>,
    pub(super) value: Range<usize>,
    has_escapes: bool,
}

/// Walks through a line.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Walk<'a> {
    /// Of a line that is not empty, without its end and without white space before it.
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The measurement; tags follow.
    pub(super) fn measurement(&mut self) -> Result<Escaped<'a>, Fault> {
        self.part(Part::Measurement)
    }

    /// The next tag; `None` if fields follow.
    #[inline]
    pub(super) fn tag(&mut self) -> Result<Option<Tag>, Fault> {
        if !self.take(b',') {
            self.space()?;
            return Ok(None);
        }
        let start = self.at;
        self.key()?;
        let between = self.at;
        let Escaped { has_escapes, .. } = self.part(Part::TagValue)?;
        Ok(Some(Tag { key: start..between - 1, value: between..self.at, has_escapes }))
    }

    /// What the tag says.
    pub(super) fn tag_value(&self, tag: &Tag) -> Escaped<'a> {
        let (written, special) = (&self.text[tag.value.clone()], Part::TagValue.special());
        Escaped { written, special, has_escapes: tag.has_escapes }
    }

    /// The next field, its key and its value, and whether another follows.
    #[inline]
    pub(super) fn field(&mut self) -> Result<(Escaped<'a>, Value, bool), Fault> {
        let key = self.key()?;
        let value = if self.take(b'"') { self.string()? } else { self.value()? };
        Ok((key, value, self.take(b',')))
    }

    /// The time behind the fields, if there is one, and the end.
    #[inline]
    pub(super) fn time(&mut self) -> Result<Option<i64>, Fault> {
        if self.at == self.text.len() {
            return Ok(None);
        }
        self.space()?;
        let mut rest = &self.text.as_bytes()[self.at..];
        while let [before @ .., b' '] = rest {
            rest = before;
        }
        match rest {
            [] => Ok(None),
            [b'+', ..] => Err(Fault::Malformed),
            _ => number::parse_whole(rest).map(Some).ok_or(Fault::Malformed),
        }
    }

    fn key(&mut self) -> Result<Escaped<'a>, Fault> {
        let key = self.part(Part::Key)?;
        if self.take(b'=') { Ok(key) } else { Err(Fault::Malformed) }
    }

    /// Text, at least one byte of it, up to a byte that ends it.
    // Into each place that asks, where it is known what ends it.
    #[inline(always)]
    fn part(&mut self, part: Part) -> Result<Escaped<'a>, Fault> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let mut at = part.plain(bytes, start);
        let has_escapes = bytes.get(at) == Some(&b'\\');
        if has_escapes {
            at = part.escaped(bytes, at);
        }
        self.at = at;
        if at == start {
            return Err(Fault::Malformed);
        }
        Ok(Escaped { written: &self.text[start..at], special: part.special(), has_escapes })
    }

    /// A string, whose first quote has been taken.
    fn string(&mut self) -> Result<Value, Fault> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at) {
                None => return Err(Fault::Open),
                Some(b'"') => break,
                Some(b'\\') if matches!(bytes.get(self.at + 1), Some(b'"' | b'\\')) => self.at += 2,
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        Ok(Value::Text)
    }

    #[inline]
    fn value(&mut self) -> Result<Value, Fault> {
        let bytes = &self.text.as_bytes()[self.at..];
        let Some(decimal) = Decimal::at_start_of(bytes) else { return self.truth() };
        let is_end = |at: usize| matches!(bytes.get(at), None | Some(b',' | b' ' | b'\r' | b'\n'));
        let is_whole = decimal.fraction.is_none() && !decimal.exponent;
        let digits = &self.text[self.at..self.at + decimal.length];
        let (length, fits) = match bytes.get(decimal.length) {
            Some(b'i') if is_whole => {
                (decimal.length + 1, number::parse_whole(digits.as_bytes()).is_some())
            }
            Some(b'u') if is_whole => (decimal.length + 1, digits.parse::<u64>().is_ok()),
            _ => (decimal.length, decimal.value.is_finite()),
        };
        if !fits || !is_end(length) {
            return Err(Fault::Malformed);
        }
        self.at += length;
        Ok(Value::Number(decimal.value))
    }

    fn truth(&mut self) -> Result<Value, Fault> {
        let rest = &self.text[self.at..];
        let word = rest.split([',', ' ', '\r', '\n']).next().unwrap_or(rest);
        let value = match word {
            "t" | "T" | "true" | "True" | "TRUE" => 1.0,
            "f" | "F" | "false" | "False" | "FALSE" => 0.0,
            _ => return Err(Fault::Malformed),
        };
        self.at += word.len();
        Ok(Value::Number(value))
    }

    /// One space or more.
    fn space(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while self.take(b' ') {}
        if self.at == start { Err(Fault::Malformed) } else { Ok(()) }
    }

    fn take(&mut self, byte: u8) -> bool {
        let taken = self.text.as_bytes().get(self.at) == Some(&byte);
        self.at += usize::from(taken);
        taken
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The part that a text begins with, one character after the other: what it stands for, and
    /// how many bytes it takes. `None` where it has none.
    fn naive(part: Part, text: &str) -> Option<(String, usize)> {
        let is_special = |next: char| match part {
            Part::Measurement => matches!(next, ',' | ' '),
            Part::Key | Part::TagValue => matches!(next, ',' | ' ' | '='),
        };
        let ends = |next: char| match part {
            Part::Measurement => is_special(next) || next.is_ascii_control(),
            Part::Key => is_special(next) || next.is_ascii_control(),
            Part::TagValue => is_special(next) || matches!(next, '\r' | '\n'),
        };
        let (mut said, mut rest) = (String::new(), text);
        while let Some(first) = rest.chars().next() {
            let behind = &rest[first.len_utf8()..];
            let second = behind.chars().next().filter(|&next| first == '\\' && is_special(next));
            if second.is_none() && ends(first) {
                break;
            }
            said.push(second.unwrap_or(first));
            rest = &behind[second.map_or(0, char::len_utf8)..];
        }
        let length = text.len() - rest.len();
        (0 < length).then_some((said, length))
    }

    proptest! {
        #[test]
        fn a_part_is_what_a_naive_reader_reads(
            text in r"([a-zé\x01\t]|\\|[,= \r\n]|\\[,= \\]){0,12}",
        ) {
            for part in [Part::Measurement, Part::Key, Part::TagValue] {
                let mut walk = Walk::new(&text);
                let read = walk.part(part).ok().map(|escaped| {
                    // It is appended to what stands before it.
                    let mut said = "m.".to_owned();
                    escaped.append_to(&mut said);
                    (said.split_off(2), walk.at)
                });
                prop_assert_eq!(read, naive(part, &text), "{:?}", part);
            }
        }
    }
}
