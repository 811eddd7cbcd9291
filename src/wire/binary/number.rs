//! Numbers as bytes hold them.

/// How some bytes are read as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    encoding: Encoding,
    /// Bytes, 1 to 8.
    size: usize,
    /// The lowest byte comes first.
    little: bool,
    /// Of the pairs of bytes the lowest comes first, whatever is first within them.
    words_swapped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Unsigned,
    Signed,
    Float,
    /// Two decimal digits in a byte.
    Bcd {
        digits: u32,
    },
}

/// A number as it was sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Raw {
    /// Of any of the types for whole numbers.
    Whole(i128),
    /// A floating-point number.
    Float(f64),
}

impl Raw {
    /// The nearest floating-point number.
    #[must_use]
    pub fn value(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Float(value) => value,
        }
    }
}

impl Number {
    /// The number that a type such as `u16be`, `f32le`, `u32be-ws`, `bcd8le` or `u8` names.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let (name, words_swapped) = match name.strip_suffix("-ws") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let (base, little) = match (name.strip_suffix("le"), name.strip_suffix("be")) {
            (Some(base), _) => (base, Some(true)),
            (_, Some(base)) => (base, Some(false)),
            _ => (name, None),
        };
        let (encoding, size) = match base {
            "u8" => (Encoding::Unsigned, 1),
            "i8" => (Encoding::Signed, 1),
            "u16" => (Encoding::Unsigned, 2),
            "i16" => (Encoding::Signed, 2),
            "u24" => (Encoding::Unsigned, 3),
            "i24" => (Encoding::Signed, 3),
            "u32" => (Encoding::Unsigned, 4),
            "i32" => (Encoding::Signed, 4),
            "u64" => (Encoding::Unsigned, 8),
            "i64" => (Encoding::Signed, 8),
            "f32" => (Encoding::Float, 4),
            "f64" => (Encoding::Float, 8),
            _ => {
                let digits: u32 = base.strip_prefix("bcd")?.parse().ok()?;
                let size = (1..=16).contains(&digits).then_some(digits.div_ceil(2) as usize)?;
                (Encoding::Bcd { digits }, size)
            }
        };
        // One byte has no order, more have one that must be said.
        if little.is_none() != (size == 1) || words_swapped && !matches!(size, 4 | 8) {
            return None;
        }
        Some(Self { encoding, size, little: little.unwrap_or_default(), words_swapped })
    }

    /// Bytes that it takes.
    #[must_use]
    pub fn size(self) -> usize {
        self.size
    }

    /// Whether it has bits that mean something on their own.
    #[must_use]
    pub fn has_bits(self) -> bool {
        matches!(self.encoding, Encoding::Unsigned | Encoding::Signed)
    }

    /// Whether it can say a length.
    #[must_use]
    pub fn is_unsigned(self) -> bool {
        matches!(self.encoding, Encoding::Unsigned | Encoding::Bcd { .. })
    }

    /// Reads the number; `None` where a digit of a decimal one is none.
    ///
    /// # Panics
    /// If there are not [`Self::size`] bytes.
    #[must_use]
    pub fn read(self, bytes: &[u8]) -> Option<Raw> {
        let word = self.word(bytes);
        let spare = 64 - 8 * self.size as u32;
        Some(match self.encoding {
            Encoding::Unsigned => Raw::Whole(word.into()),
            Encoding::Signed => Raw::Whole((((word << spare) as i64) >> spare).into()),
            Encoding::Float if self.size == 4 => Raw::Float(f32::from_bits(word as u32).into()),
            Encoding::Float => Raw::Float(f64::from_bits(word)),
            Encoding::Bcd { digits } => Raw::Whole(decimal(word, digits)?),
        })
    }

    /// Reads some of the bits, which the sign of a signed number is the highest of.
    ///
    /// # Panics
    /// If there are not [`Self::size`] bytes, or not so many bits in them.
    #[must_use]
    pub fn read_bits(self, bytes: &[u8], bits: Bits) -> Raw {
        let spare = 63 - u32::from(bits.high);
        let left = self.word(bytes) << spare;
        let down = spare + u32::from(bits.low);
        Raw::Whole(match self.encoding {
            Encoding::Signed => ((left as i64) >> down).into(),
            _ => (left >> down).into(),
        })
    }

    /// The bytes as one word, in order.
    fn word(self, bytes: &[u8]) -> u64 {
        assert_eq!(bytes.len(), self.size);
        let join = |word: u64, byte: &u8| word << 8 | u64::from(*byte);
        let word =
            if self.little { bytes.iter().rev().fold(0, join) } else { bytes.iter().fold(0, join) };
        match (self.words_swapped, self.size) {
            (true, 4) => u64::from((word as u32).rotate_left(16)),
            (true, _) => {
                let low = word.rotate_left(32);
                (low & 0xFFFF_0000_FFFF_0000) >> 16 | (low & 0x0000_FFFF_0000_FFFF) << 16
            }
            _ => word,
        }
    }
}

fn decimal(word: u64, digits: u32) -> Option<i128> {
    (0..digits).rev().try_fold(0_i128, |sum, at| {
        let digit = word >> (4 * at) & 0xF;
        (digit <= 9).then_some(sum * 10 + i128::from(digit))
    })
}

/// Some neighbouring bits of a number, the lowest of which is bit 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bits {
    high: u8,
    low: u8,
}

impl Bits {
    /// The bits from `high` down to `low`; `None` where a number of this kind does not have them.
    #[must_use]
    pub fn of(number: Number, high: u8, low: u8) -> Option<Self> {
        let within = number.has_bits() && usize::from(high) < 8 * number.size;
        (within && low <= high).then_some(Self { high, low })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, bytes: &[u8]) -> Option<f64> {
        Number::named(name).expect(name).read(bytes).map(Raw::value)
    }

    #[test]
    fn every_type_in_every_order() {
        let eight = [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x08];
        for (name, bytes, expected) in [
            ("u8", &[0xFF][..], 255.0),
            ("i8", &[0xFF], -1.0),
            ("u16be", &[0x12, 0x34], 0x1234.into()),
            ("u16le", &[0x12, 0x34], 0x3412.into()),
            ("i16be", &[0x80, 0x00], -32_768.0),
            ("i16le", &[0xFE, 0xFF], -2.0),
            ("u24be", &[1, 2, 3], 0x01_0203.into()),
            ("u24le", &[1, 2, 3], 0x03_0201.into()),
            ("i24be", &[0xFF, 0xFF, 0xFD], -3.0),
            ("i24le", &[0x00, 0x00, 0x80], -8_388_608.0),
            ("u32be", &eight[..4], 0x1122_3344.into()),
            ("u32le", &eight[..4], 0x4433_2211.into()),
            ("u32be-ws", &eight[..4], 0x3344_1122.into()),
            ("u32le-ws", &eight[..4], 0x2211_4433.into()),
            ("i32be-ws", &[0xFF, 0xFE, 0xFF, 0xFF], -2.0),
            ("u64be", &eight, 0x1122_3344_5566_7708_u64 as f64),
            ("u64le", &eight, 0x0877_6655_4433_2211_u64 as f64),
            ("u64be-ws", &eight, 0x7708_5566_3344_1122_u64 as f64),
            ("i64be", &[0xFF; 8], -1.0),
            ("f32be", &[0x41, 0xAC, 0x00, 0x00], 21.5),
            ("f32le", &[0x00, 0x00, 0xAC, 0x41], 21.5),
            ("f32be-ws", &[0x00, 0x00, 0x41, 0xAC], 21.5),
            ("f32le-ws", &[0xAC, 0x41, 0x00, 0x00], 21.5),
            ("f64be", &21.5_f64.to_be_bytes(), 21.5),
            ("f64le", &21.5_f64.to_le_bytes(), 21.5),
            ("f64be-ws", &[0, 0, 0, 0, 0x80, 0x00, 0x40, 0x35], 21.5),
            ("bcd2", &[0x42], 42.0),
            ("bcd4be", &[0x12, 0x34], 1_234.0),
            ("bcd4le", &[0x34, 0x12], 1_234.0),
            ("bcd3be", &[0xF1, 0x23], 123.0),
            ("bcd8le", &[0x78, 0x56, 0x34, 0x12], 12_345_678.0),
        ] {
            assert_eq!(read(name, bytes), Some(expected), "{name}");
        }
        assert_eq!(read("bcd4be", &[0x1A, 0x34]), None);
        assert!(read("f32be", &[0x7F, 0xC0, 0, 0]).is_some_and(f64::is_nan));
    }

    #[test]
    fn what_is_no_type() {
        for name in
            ["", "u16", "u8le", "u12be", "f16be", "bcd", "bcd0", "bcd17be", "bcd4", "u16be-ws"]
        {
            assert_eq!(Number::named(name), None, "{name}");
        }
    }

    #[test]
    fn bits_are_counted_from_the_lowest() {
        let bits = |name: &str, high, low| {
            let number = Number::named(name)?;
            Some(number.read_bits(&[0xA5, 0x0F][..number.size()], Bits::of(number, high, low)?))
        };
        assert_eq!(bits("u8", 7, 0), Some(Raw::Whole(0xA5)));
        assert_eq!(bits("u8", 7, 5), Some(Raw::Whole(0b101)));
        assert_eq!(bits("u8", 0, 0), Some(Raw::Whole(1)));
        assert_eq!(bits("i8", 7, 5), Some(Raw::Whole(-3)));
        assert_eq!(bits("i8", 5, 4), Some(Raw::Whole(-2)));
        assert_eq!(bits("u16be", 11, 4), Some(Raw::Whole(0x50)));
        assert_eq!(bits("u16le", 11, 4), Some(Raw::Whole(0xFA)));
        assert_eq!(bits("u8", 8, 0), None);
        assert_eq!(bits("u8", 2, 3), None);
        assert_eq!(bits("bcd2", 3, 0), None);
    }
}
