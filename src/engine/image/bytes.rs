//! Numbers and texts as the bytes of an image, and back.
//!
//! Whole numbers that are mostly small are LEB128, seven bits a byte, the lowest first; everything
//! else has a fixed length and is little-endian. What is read is checked against the bounds of
//! what it is, so that nothing that comes of it overflows: see [`Reader`].

use crate::limits::{EVENT_TIME_ABS_MAX_NS, IMAGE_COUNT_MAX, IMAGE_TIME_MIN_NS, VALUE_ABS_MAX};

/// Longest a number may be: 64 bits in sevens.
const NUMBER_BYTES_MAX: u32 = 10;

/// Appends to the bytes of a record.
#[derive(Debug)]
pub struct Writer<'a>(pub(super) &'a mut Vec<u8>);

impl<'a> Writer<'a> {
    /// Writes behind what is there.
    pub fn new(bytes: &'a mut Vec<u8>) -> Self {
        Self(bytes)
    }

    /// One byte.
    pub fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    /// Yes or no.
    pub fn flag(&mut self, is_set: bool) {
        self.0.push(u8::from(is_set));
    }

    /// A whole number.
    pub fn number(&mut self, mut number: u64) {
        while 0x80 <= number {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// How many there are of something.
    pub fn count(&mut self, count: usize) {
        self.number(count as u64);
    }

    /// A time or another number that may be negative.
    pub fn integer(&mut self, integer: i64) {
        self.0.extend_from_slice(&integer.to_le_bytes());
    }

    /// 64 bits.
    pub fn word(&mut self, word: u64) {
        self.0.extend_from_slice(&word.to_le_bytes());
    }

    /// A real number, bit for bit.
    pub fn real(&mut self, real: f64) {
        self.0.extend_from_slice(&real.to_le_bytes());
    }

    /// Bytes behind their number.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    /// A text behind the number of its bytes.
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Whether there is something, and if so what `each` writes of it.
    pub fn option<T>(&mut self, option: Option<T>, each: impl FnOnce(&mut Self, T)) {
        self.flag(option.is_some());
        if let Some(value) = option {
            each(self, value);
        }
    }
}

/// Takes from the bytes of a record. `None` is that they are not what is asked for: too few, or
/// beyond the bounds within which no sum or product of the engine overflows.
#[derive(Clone, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads from the first of the bytes.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// All that is left.
    #[must_use]
    pub fn rest(self) -> &'a [u8] {
        self.0
    }

    /// Nothing is left.
    pub fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }

    /// So many bytes.
    pub fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    /// One byte.
    pub fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    /// Yes or no.
    pub fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// A whole number.
    pub fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for place in 0..NUMBER_BYTES_MAX {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if place == NUMBER_BYTES_MAX - 1 && 1 < bits {
                return None;
            }
            number |= bits << (7 * place);
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// A whole number of 32 bits.
    pub fn small(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    /// How often something was counted, at most [`IMAGE_COUNT_MAX`].
    pub fn tally(&mut self) -> Option<u64> {
        self.number().filter(|count| *count <= IMAGE_COUNT_MAX)
    }

    /// How many there are of something that takes at least a byte each: no more than bytes are
    /// left, nor than `most`, so that room can be made for them.
    pub fn count(&mut self, most: usize) -> Option<usize> {
        let count = usize::try_from(self.number()?).ok()?;
        (count <= most && count <= self.0.len()).then_some(count)
    }

    /// Any 64 bits as a number that may be negative.
    pub fn integer(&mut self) -> Option<i64> {
        self.word().map(u64::cast_signed)
    }

    /// A time: differences and sums of these with lengths do not overflow.
    pub fn time(&mut self) -> Option<i64> {
        self.integer().filter(|at_ns| (IMAGE_TIME_MIN_NS..=EVENT_TIME_ABS_MAX_NS).contains(at_ns))
    }

    /// Any 64 bits.
    pub fn word(&mut self) -> Option<u64> {
        let bytes = self.take(8)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    }

    /// A number, of at most this magnitude.
    pub fn real(&mut self, most: f64) -> Option<f64> {
        self.word().map(f64::from_bits).filter(|real| real.abs() <= most)
    }

    /// A value as panes may hold it.
    pub fn value(&mut self) -> Option<f64> {
        self.real(VALUE_ABS_MAX)
    }

    /// Such a value, or that there is none.
    pub fn value_or_none(&mut self) -> Option<f64> {
        let value = f64::from_bits(self.word()?);
        (value.is_nan() || value.abs() <= VALUE_ABS_MAX).then_some(value)
    }

    /// Bytes behind their number.
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let count = usize::try_from(self.number()?).ok()?;
        self.take(count)
    }

    /// A text of at most so many bytes.
    pub fn text(&mut self, most: usize) -> Option<&'a str> {
        let bytes = self.bytes().filter(|bytes| bytes.len() <= most)?;
        std::str::from_utf8(bytes).ok()
    }

    /// What `each` reads, if there is something; the outer `None` is as everywhere.
    pub fn option<T>(&mut self, each: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.flag()? { each(self).map(Some) } else { Some(None) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(number in any::<u64>(), integer in any::<i64>(), text in ".{0,9}") {
            let mut bytes = Vec::new();
            let mut writer = Writer::new(&mut bytes);
            writer.number(number);
            writer.integer(integer);
            writer.text(&text);
            writer.option(Some(integer), Writer::integer);
            writer.option(None, Writer::integer);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.number(), Some(number));
            prop_assert_eq!(reader.integer(), Some(integer));
            prop_assert_eq!(reader.text(64), Some(&*text));
            prop_assert_eq!(reader.option(Reader::integer), Some(Some(integer)));
            prop_assert_eq!(reader.option(Reader::integer), Some(None));
            prop_assert_eq!(reader.end(), Some(()));
            // And nothing of it from fewer bytes.
            let cut = &bytes[..bytes.len() - 1];
            let mut reader = Reader::new(cut);
            let all = (|| {
                reader.number()?;
                reader.integer()?;
                reader.text(64)?;
                reader.option(Reader::integer)?;
                reader.option(Reader::integer)
            })();
            prop_assert_eq!(all, None);
        }
    }

    #[test]
    fn what_is_out_of_bounds_is_not_read() {
        let real = |value: f64| Reader::new(&value.to_le_bytes()).value();
        assert_eq!(real(-1e140), Some(-1e140));
        assert_eq!([real(f64::NAN), real(f64::INFINITY), real(2e140)], [None; 3]);
        let time = |at_ns: i64| Reader::new(&at_ns.to_le_bytes()).time();
        assert_eq!((time(i64::MIN), time(i64::MAX), time(-5)), (None, None, Some(-5)));
        assert_eq!(Reader::new(&[0xff; 10]).number(), None, "more than 64 bits");
        assert_eq!(Reader::new(&[2]).flag(), None);
        assert_eq!(Reader::new(&[200, 1, 0]).count(1_000), None, "more than there are bytes");
    }
}
