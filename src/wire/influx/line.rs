//! One line of the protocol, taken apart.
//!
//! Which bytes end what, and what a backslash takes the meaning from, differs from part to part
//! (<https://github.com/influxdata/line-protocol>); everywhere else a backslash is a backslash.

use crate::wire::number::Decimal;

/// Why a text is no line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is none.
    Malformed,
    /// A string is not closed: it may go on behind the line end.
    Open,
}

/// A text with its escapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Escaped<'a> {
    written: &'a str,
    /// Which characters a backslash stands before in vain.
    special: &'static [u8],
}

impl<'a> Escaped<'a> {
    /// Appends what it stands for.
    pub(super) fn append_to(self, out: &mut String) {
        let mut rest = self.written;
        while let Some(at) = rest.bytes().position(|byte| byte == b'\\') {
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

/// A measurement or a key; `=` is special in keys alone.
const MEASUREMENT: &[u8] = b", ";
const KEY: &[u8] = b",= ";

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
        self.part(MEASUREMENT, b", ", |byte| byte.is_ascii_control())
    }

    /// The next tag, its key and its value; `None` if fields follow.
    pub(super) fn tag(&mut self) -> Result<Option<(Escaped<'a>, Escaped<'a>)>, Fault> {
        if !self.take(b',') {
            self.space()?;
            return Ok(None);
        }
        let key = self.key()?;
        let value = self.part(KEY, b",= ", |byte| matches!(byte, b'\r' | b'\n'))?;
        Ok(Some((key, value)))
    }

    /// The next field, its key and its value, and whether another follows.
    pub(super) fn field(&mut self) -> Result<(Escaped<'a>, Value, bool), Fault> {
        let key = self.key()?;
        let value = if self.take(b'"') { self.string()? } else { self.value()? };
        Ok((key, value, self.take(b',')))
    }

    /// The time behind the fields, if there is one, and the end.
    pub(super) fn time(&mut self) -> Result<Option<i64>, Fault> {
        if self.at == self.text.len() {
            return Ok(None);
        }
        self.space()?;
        let rest = self.text[self.at..].trim_end_matches(' ');
        if rest.is_empty() {
            return Ok(None);
        }
        if rest.starts_with('+') {
            return Err(Fault::Malformed);
        }
        rest.parse().map(Some).map_err(|_| Fault::Malformed)
    }

    fn key(&mut self) -> Result<Escaped<'a>, Fault> {
        let key = self.part(KEY, b",= ", |byte| byte.is_ascii_control())?;
        if self.take(b'=') { Ok(key) } else { Err(Fault::Malformed) }
    }

    /// Text, at least one byte of it, up to a byte that ends it.
    fn part(
        &mut self,
        special: &'static [u8],
        ends: &[u8],
        is_end: impl Fn(u8) -> bool,
    ) -> Result<Escaped<'a>, Fault> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        while let Some(&byte) = bytes.get(self.at) {
            let escapes =
                byte == b'\\' && bytes.get(self.at + 1).is_some_and(|next| special.contains(next));
            if escapes {
                self.at += 2;
            } else if ends.contains(&byte) || is_end(byte) {
                break;
            } else {
                self.at += 1;
            }
        }
        if self.at == start {
            return Err(Fault::Malformed);
        }
        Ok(Escaped { written: &self.text[start..self.at], special })
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

    fn value(&mut self) -> Result<Value, Fault> {
        let bytes = &self.text.as_bytes()[self.at..];
        let Some(decimal) = Decimal::at_start_of(bytes) else { return self.truth() };
        let is_end = |at: usize| matches!(bytes.get(at), None | Some(b',' | b' ' | b'\r' | b'\n'));
        let is_whole = decimal.fraction.is_none() && !decimal.exponent;
        let digits = &self.text[self.at..self.at + decimal.length];
        let (length, fits) = match bytes.get(decimal.length) {
            Some(b'i') if is_whole => (decimal.length + 1, digits.parse::<i64>().is_ok()),
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
