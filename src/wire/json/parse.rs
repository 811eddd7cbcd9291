//! A JSON text, walked through once: what it holds is told as it is met, with the way to it.
//!
//! The grammar is that of RFC 8259, without a byte more or less. Numbers beyond the doubles and
//! halves of surrogate pairs, which stand for nothing, are refused. The text has been found to be
//! UTF-8 before.

use crate::{
    limits::JSON_DEPTH_MAX,
    wire::{FrameRefusal, number::Decimal},
};

/// The way to a value: keys and indexes, joined by dots.
#[derive(Debug, Default)]
pub(in crate::wire) struct Path {
    text: String,
    /// Where the parts begin, and their indexes if they are such.
    parts: Vec<(usize, Option<usize>)>,
}

impl Path {
    /// Keys and indexes from the record on, joined by dots.
    pub(in crate::wire) fn text(&self) -> &str {
        &self.text
    }

    /// The first part.
    pub(in crate::wire) fn first(&self) -> &str {
        let end = self.parts.get(1).map_or(self.text.len(), |(start, _)| start - 1);
        &self.text[..end]
    }

    /// Number of parts.
    pub(in crate::wire) fn depth(&self) -> usize {
        self.parts.len()
    }

    /// The part with this number, if it is an index.
    pub(in crate::wire) fn index(&self, part: usize) -> Option<usize> {
        self.parts.get(part).and_then(|(_, index)| *index)
    }

    /// Begins a part, to which text is then appended.
    fn begin(&mut self, index: Option<usize>) {
        if !self.parts.is_empty() {
            self.text.push('.');
        }
        self.parts.push((self.text.len(), index));
    }

    fn push_index(&mut self, index: usize) {
        self.begin(Some(index));
        if index < 10 {
            self.text.push(char::from(b'0' + index as u8));
        } else {
            self.text.push_str(&index.to_string());
        }
    }

    fn pop(&mut self) {
        if let Some((start, _)) = self.parts.pop() {
            self.text.truncate(start.saturating_sub(1));
        }
    }

    fn clear(&mut self) {
        self.text.clear();
        self.parts.clear();
    }
}

/// A value that holds no others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::wire) enum Scalar<'a> {
    /// A number, and as it is written.
    Number(f64, &'a str),
    /// `true` or `false`.
    Truth(bool),
    /// `null`.
    Null,
    /// A string, as it is written between its quotes: escapes stand for themselves.
    Text(&'a str),
}

/// Hears what a text holds.
///
/// A record is an object: the text itself, or each that stands in the array that the text is.
pub(in crate::wire) trait Listener {
    /// A record begins.
    fn begin(&mut self) {}

    /// A value. Its path begins in the record; that of a value outside of one, in the array.
    fn scalar(&mut self, path: &Path, scalar: Scalar<'_>) -> Result<(), FrameRefusal>;

    /// A record has ended; `true` has it told again from its beginning.
    fn end(&mut self) -> Result<bool, FrameRefusal> {
        Ok(false)
    }
}

/// Walks through a text.
#[derive(Debug)]
pub(in crate::wire) struct Parser<'a> {
    text: &'a str,
    at: usize,
}

type Walked<T = ()> = Result<T, FrameRefusal>;

impl<'a> Parser<'a> {
    pub(in crate::wire) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// How far it has come.
    pub(in crate::wire) fn at(&self) -> usize {
        self.at
    }

    /// Walks through the object or array that comes next, and the white space before it.
    pub(in crate::wire) fn walk(
        &mut self,
        path: &mut Path,
        listener: &mut impl Listener,
    ) -> Walked {
        path.clear();
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.record(path, listener),
            Some(b'[') => self.items(path, listener, 1),
            _ => Err(FrameRefusal::Malformed),
        }
    }

    /// Passes white space; whether this byte is next.
    pub(in crate::wire) fn begins_with(&mut self, byte: u8) -> bool {
        self.skip_space();
        self.peek() == Some(byte)
    }

    /// Passes white space; whether that was all.
    pub(in crate::wire) fn is_at_end(&mut self) -> bool {
        self.skip_space();
        self.at == self.text.len()
    }

    fn record(&mut self, path: &mut Path, listener: &mut impl Listener) -> Walked {
        let start = self.at;
        loop {
            listener.begin();
            self.members(path, listener, 1)?;
            if !listener.end()? {
                return Ok(());
            }
            self.at = start;
        }
    }

    fn value(&mut self, path: &mut Path, listener: &mut impl Listener, depth: usize) -> Walked {
        let scalar = match self.peek() {
            Some(b'"') => Scalar::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b'{' | b'[') if JSON_DEPTH_MAX <= depth => return Err(FrameRefusal::Oversize),
            Some(b'{') => return self.members(path, listener, depth + 1),
            Some(b'[') => return self.items(path, listener, depth + 1),
            Some(b't') => self.word("true", Scalar::Truth(true))?,
            Some(b'f') => self.word("false", Scalar::Truth(false))?,
            Some(b'n') => self.word("null", Scalar::Null)?,
            _ => return Err(FrameRefusal::Malformed),
        };
        listener.scalar(path, scalar)
    }

    /// An object, whose brace comes next.
    fn members(&mut self, path: &mut Path, listener: &mut impl Listener, depth: usize) -> Walked {
        self.at += 1;
        self.skip_space();
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(FrameRefusal::Malformed);
            }
            let key = self.string()?;
            path.begin(None);
            append_unescaped(key, &mut path.text);
            self.skip_space();
            self.expect(b':')?;
            self.skip_space();
            self.value(path, listener, depth)?;
            path.pop();
            self.skip_space();
            if self.take(b'}') {
                return Ok(());
            }
            self.expect(b',')?;
            self.skip_space();
        }
    }

    /// An array, whose bracket comes next. Of the outermost one, objects are records.
    fn items(&mut self, path: &mut Path, listener: &mut impl Listener, depth: usize) -> Walked {
        self.at += 1;
        self.skip_space();
        if self.take(b']') {
            return Ok(());
        }
        for index in 0.. {
            if depth == 1 && self.peek() == Some(b'{') {
                self.record(path, listener)?;
            } else {
                path.push_index(index);
                self.value(path, listener, depth)?;
                path.pop();
            }
            self.skip_space();
            if self.take(b']') {
                break;
            }
            self.expect(b',')?;
            self.skip_space();
        }
        Ok(())
    }

    #[inline]
    fn number(&mut self) -> Walked<Scalar<'a>> {
        let decimal = Decimal::at_start_of(&self.text.as_bytes()[self.at..]);
        let decimal = decimal.filter(|decimal| decimal.is_json() && decimal.value.is_finite());
        let decimal = decimal.ok_or(FrameRefusal::Malformed)?;
        let written = &self.text[self.at..self.at + decimal.length];
        self.at += decimal.length;
        Ok(Scalar::Number(decimal.value, written))
    }

    fn word(&mut self, word: &str, scalar: Scalar<'static>) -> Walked<Scalar<'a>> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(FrameRefusal::Malformed);
        }
        self.at += word.len();
        Ok(scalar)
    }

    /// A string, whose quote comes next: what is written between its quotes.
    fn string(&mut self) -> Walked<&'a str> {
        let bytes = self.text.as_bytes();
        let start = self.at + 1;
        let mut at = start;
        loop {
            at += plain(&bytes[at..]);
            match bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => at += escape(&bytes[at..]).ok_or(FrameRefusal::Malformed)?.1,
                _ => return Err(FrameRefusal::Malformed),
            }
        }
        self.at = at + 1;
        // Both ends are beside a quote, and a quote is a character of its own in UTF-8.
        Ok(&self.text[start..at])
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let taken = self.peek() == Some(byte);
        self.at += usize::from(taken);
        taken
    }

    fn expect(&mut self, byte: u8) -> Walked {
        if self.take(byte) { Ok(()) } else { Err(FrameRefusal::Malformed) }
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }
}

/// How many bytes come before the next quote, backslash or control character; eight are looked at
/// at once. The high bit of a byte tells of the first such byte in a word and of none before it.
fn plain(bytes: &[u8]) -> usize {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let below = |word: u64, end: u8| word.wrapping_sub(EACH * u64::from(end)) & !word;
    let (words, _) = bytes.as_chunks::<8>();
    let mut at = 0;
    for word in words {
        let word = u64::from_le_bytes(*word);
        let is = |byte: u8| below(word ^ (EACH * u64::from(byte)), 1);
        let marks = (is(b'"') | is(b'\\') | below(word, b' ')) & (EACH << 7);
        if marks != 0 {
            return at + marks.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let is_other = |byte: &u8| *byte < b' ' || matches!(byte, b'"' | b'\\');
    at + bytes[at..].iter().position(is_other).unwrap_or(bytes.len() - at)
}

/// The character that an escape stands for, and its length; `None` if it is none.
fn escape(bytes: &[u8]) -> Option<(char, usize)> {
    let character = match bytes.get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode_escape(bytes),
        _ => return None,
    };
    Some((character, 2))
}

/// `\uhhhh`, or two of them that are a surrogate pair.
fn unicode_escape(bytes: &[u8]) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        digits.iter().try_fold(0, |unit, digit| {
            char::from(*digit).to_digit(16).map(|digit| unit << 4 | digit)
        })
    };
    let first = unit(0)?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first).map(|character| (character, 6));
    }
    let second = unit(6).filter(|second| (0xdc00..0xe000).contains(second))?;
    let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    char::from_u32(code).map(|character| (character, 12))
}

/// Appends what a string stands for that has been found to be one: only escapes in it are not
/// plain.
#[inline]
pub(in crate::wire) fn append_unescaped(mut written: &str, out: &mut String) {
    loop {
        let (before, rest) = written.split_at(plain(written.as_bytes()));
        out.push_str(before);
        let Some((character, length)) = escape(rest.as_bytes()) else { break };
        out.push(character);
        written = &rest[length..];
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn eight_bytes_at_once_are_what_they_are_one_by_one(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), 30..36_u8, Just(b'\\')], 0..40),
        ) {
            let is_plain = |byte: &&u8| b' ' <= **byte && !matches!(byte, b'"' | b'\\');
            prop_assert_eq!(plain(&bytes), bytes.iter().take_while(is_plain).count());
        }
    }
}
