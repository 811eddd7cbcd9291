//! Checksums of frames, and how they are written.
//!
//! A CRC is any of the Rocksoft model (Williams, "A painless guide to CRC error detection
//! algorithms", 1993) of 8 to 32 bits. Eight bytes a step from eight tables (Kounavis and Berry,
//! "A systematic approach to building high performance software-based CRC generators", 2005).

use std::{fmt, sync::Arc};

/// A checksum over some bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum Checksum {
    /// Exclusive or of all bytes.
    Xor8,
    /// Sum of all bytes, low 8 bits.
    Sum8,
    /// Sum of all bytes, low 8 bits, which is 0 if the bytes are sound: one of them sees to it.
    Sum8Zero,
    /// Sum of all bytes, low 16 bits.
    Sum16,
    /// Fletcher's, modulo 255 (RFC 1146): the second sum in the high byte.
    Fletcher16,
    /// A cyclic redundancy check.
    Crc(Crc),
}

impl Checksum {
    /// The names of a configuration.
    pub const NAMES: [&'static str; 14] = [
        "xor8",
        "sum8",
        "sum8-zero",
        "sum16",
        "fletcher16",
        "crc16/modbus",
        "crc16/arc",
        "crc16/xmodem",
        "crc16/x25",
        "crc16/ccitt-false",
        "crc16/kermit",
        "crc16/mcrf4xx",
        "crc32",
        "crc32c",
    ];

    /// The checksum of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "xor8" => Self::Xor8,
            "sum8" => Self::Sum8,
            "sum8-zero" => Self::Sum8Zero,
            "sum16" => Self::Sum16,
            "fletcher16" => Self::Fletcher16,
            _ => Self::Crc(Crc::new(CrcRule::named(name)?)),
        })
    }

    /// The checksum of these bytes.
    #[must_use]
    pub fn of(&self, bytes: &[u8]) -> u32 {
        match self {
            Self::Xor8 => xor8(bytes).into(),
            Self::Sum8 | Self::Sum8Zero => sum8(bytes).into(),
            // 2^16 is a divisor of 2^32, so that a sum which wraps is right all the same.
            Self::Sum16 => {
                bytes.iter().fold(0_u32, |sum, &byte| sum.wrapping_add(byte.into())) & 0xFFFF
            }
            Self::Fletcher16 => fletcher16(bytes),
            Self::Crc(crc) => crc.of(bytes),
        }
    }

    /// How many bytes it takes where it is written in binary; 0 if it is not written, because the
    /// bytes it is over bear it themselves.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Sum8Zero => 0,
            Self::Xor8 | Self::Sum8 => 1,
            Self::Sum16 | Self::Fletcher16 => 2,
            Self::Crc(crc) => usize::from(crc.rule.width).div_ceil(8),
        }
    }
}

/// Exclusive or of all bytes.
#[must_use]
pub fn xor8(bytes: &[u8]) -> u8 {
    // Eight at a time: sentences are long enough for it to show.
    let (chunks, rest) = bytes.as_chunks::<8>();
    let wide = chunks.iter().fold(0, |xor, chunk| xor ^ u64::from_ne_bytes(*chunk));
    wide.to_ne_bytes().iter().chain(rest).fold(0, |xor, byte| xor ^ byte)
}

/// Sum of all bytes, low 8 bits.
#[must_use]
pub fn sum8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, &byte| sum.wrapping_add(byte))
}

fn fletcher16(bytes: &[u8]) -> u32 {
    // Between two reductions the second sum stays below 2^32: 5802 bytes would be the most.
    let (mut first, mut second) = (0_u32, 0_u32);
    for chunk in bytes.chunks(4_096) {
        for &byte in chunk {
            first += u32::from(byte);
            second += first;
        }
        first %= 255;
        second %= 255;
    }
    second << 8 | first
}

/// What tells one CRC from another. The polynomial and the two others are below 2^width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrcRule {
    /// Bits, 8 to 32.
    pub width: u8,
    /// The polynomial without its highest term, the second highest first.
    pub poly: u32,
    /// What the register begins with.
    pub init: u32,
    /// Bytes go in lowest bit first.
    pub refin: bool,
    /// The register comes out lowest bit first.
    pub refout: bool,
    /// What it is combined with at the end.
    pub xorout: u32,
}

impl CrcRule {
    /// Fewest bits.
    pub const WIDTH_MIN: u8 = 8;
    /// Most bits.
    pub const WIDTH_MAX: u8 = 32;

    /// The CRC-16 of DSMR meters, also called IBM.
    pub const ARC: Self = Self::reflected(16, 0x8005, 0, 0);

    /// The CRC-16 of Modbus on serial lines.
    pub const MODBUS: Self = Self::reflected(16, 0x8005, 0xFFFF, 0);

    const fn reflected(width: u8, poly: u32, init: u32, xorout: u32) -> Self {
        Self { width, poly, init, refin: true, refout: true, xorout }
    }

    const fn plain(poly: u32, init: u32) -> Self {
        Self { width: 16, poly, init, refin: false, refout: false, xorout: 0 }
    }

    fn named(name: &str) -> Option<Self> {
        const ONES: u32 = u32::MAX;
        Some(match name {
            "crc16/modbus" => Self::MODBUS,
            "crc16/arc" => Self::ARC,
            "crc16/xmodem" => Self::plain(0x1021, 0),
            "crc16/x25" => Self::reflected(16, 0x1021, 0xFFFF, 0xFFFF),
            "crc16/ccitt-false" => Self::plain(0x1021, 0xFFFF),
            "crc16/kermit" => Self::reflected(16, 0x1021, 0, 0),
            "crc16/mcrf4xx" => Self::reflected(16, 0x1021, 0xFFFF, 0),
            "crc32" => Self::reflected(32, 0x04C1_1DB7, ONES, ONES),
            "crc32c" => Self::reflected(32, 0x1EDC_6F41, ONES, ONES),
            _ => return None,
        })
    }
}

/// A CRC that is ready to be computed.
#[derive(Clone)]
pub struct Crc {
    rule: CrcRule,
    /// `[k][b]`: the remainder of byte `b` followed by `k` zero bytes.
    tables: Arc<[[u32; 256]; 8]>,
}

impl Crc {
    /// Computes the tables.
    ///
    /// # Panics
    /// If the width is not within [`CrcRule::WIDTH_MIN`] and [`CrcRule::WIDTH_MAX`].
    #[must_use]
    pub fn new(rule: CrcRule) -> Self {
        assert!((CrcRule::WIDTH_MIN..=CrcRule::WIDTH_MAX).contains(&rule.width));
        // A reflected register stands at the low end of a word, the other at its high end.
        let aligned = rule.poly << (32 - rule.width);
        let mut tables = [[0_u32; 256]; 8];
        for (byte, first) in (0..).zip(&mut tables[0]) {
            *first = if rule.refin {
                let poly = aligned.reverse_bits();
                (0..8).fold(byte, |crc, _| crc >> 1 ^ if crc & 1 == 1 { poly } else { 0 })
            } else {
                let top = 1 << 31;
                (0..8).fold(byte << 24, |crc, _| crc << 1 ^ if crc < top { 0 } else { aligned })
            };
        }
        for k in 1..tables.len() {
            for byte in 0..256 {
                let before = tables[k - 1][byte];
                tables[k][byte] = if rule.refin {
                    before >> 8 ^ tables[0][(before & 0xFF) as usize]
                } else {
                    before << 8 ^ tables[0][(before >> 24) as usize]
                };
            }
        }
        Self { rule, tables: Arc::new(tables) }
    }

    /// The CRC of these bytes.
    #[must_use]
    pub fn of(&self, bytes: &[u8]) -> u32 {
        let CrcRule { width, init, refin, refout, xorout, .. } = self.rule;
        let align = u32::from(32 - width);
        let register = if refin {
            self.reflected((init << align).reverse_bits(), bytes)
        } else {
            self.plain(init << align, bytes) >> align
        };
        let out = if refin == refout { register } else { register.reverse_bits() >> align };
        out ^ xorout
    }

    fn reflected(&self, mut crc: u32, bytes: &[u8]) -> u32 {
        let (chunks, rest) = bytes.as_chunks::<8>();
        for chunk in chunks {
            let [a, b, c, d, e, f, g, h] = *chunk;
            let [a, b, c, d] = (crc ^ u32::from_le_bytes([a, b, c, d])).to_le_bytes();
            crc = self.eight([a, b, c, d, e, f, g, h]);
        }
        for &byte in rest {
            crc = crc >> 8 ^ self.tables[0][usize::from(crc as u8 ^ byte)];
        }
        crc
    }

    fn plain(&self, mut crc: u32, bytes: &[u8]) -> u32 {
        let (chunks, rest) = bytes.as_chunks::<8>();
        for chunk in chunks {
            let [a, b, c, d, e, f, g, h] = *chunk;
            let [a, b, c, d] = (crc ^ u32::from_be_bytes([a, b, c, d])).to_be_bytes();
            crc = self.eight([a, b, c, d, e, f, g, h]);
        }
        for &byte in rest {
            crc = crc << 8 ^ self.tables[0][usize::from((crc >> 24) as u8 ^ byte)];
        }
        crc
    }

    fn eight(&self, bytes: [u8; 8]) -> u32 {
        let tables = self.tables.iter().rev().zip(bytes);
        tables.fold(0, |crc, (table, byte)| crc ^ table[usize::from(byte)])
    }
}

impl fmt::Debug for Crc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Crc").field(&self.rule).finish()
    }
}

impl PartialEq for Crc {
    fn eq(&self, other: &Self) -> bool {
        self.rule == other.rule
    }
}

/// Whether a frame must have its checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// A frame without is refused.
    #[default]
    Required,
    /// A frame without is taken as it is; one that has a checksum must still fit it.
    Optional,
}

/// How a checksum is written in its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// High byte first.
    Be,
    /// Low byte first.
    Le,
    /// Hexadecimal digits, high digit first, in either case.
    Hex,
    /// Three characters of six bits each above a 40 (SDI-12), for 16 bits.
    Sdi12,
}

impl Order {
    /// The names of a configuration.
    pub const ALL: [(&'static str, Self); 4] =
        [("be", Self::Be), ("le", Self::Le), ("hex", Self::Hex), ("sdi12", Self::Sdi12)];

    /// How many bytes a checksum of `size` bytes takes.
    #[must_use]
    pub fn written(self, size: usize) -> usize {
        match self {
            Self::Be | Self::Le => size,
            Self::Hex => 2 * size,
            Self::Sdi12 => 3,
        }
    }

    /// Reads a checksum; `None` where the bytes are none.
    #[must_use]
    pub fn read(self, bytes: &[u8]) -> Option<u32> {
        let join = |sum, &byte: &u8| sum << 8 | u32::from(byte);
        match self {
            Self::Be => Some(bytes.iter().fold(0, join)),
            Self::Le => Some(bytes.iter().rev().fold(0, join)),
            Self::Hex => bytes
                .iter()
                .try_fold(0, |sum, &digit| Some(sum << 4 | char::from(digit).to_digit(16)?)),
            Self::Sdi12 => match *bytes {
                [high @ 0x40..0x50, middle @ 0x40..0x80, low @ 0x40..0x80] => Some(
                    u32::from(high & 0x3F) << 12
                        | u32::from(middle & 0x3F) << 6
                        | u32::from(low & 0x3F),
                ),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CHECKED: &[u8] = b"123456789";

    #[test]
    fn the_check_values_of_the_catalogue() {
        // Sums by hand; the CRCs are those of the catalogue of parametrised CRC algorithms.
        for (name, expected) in Checksum::NAMES.into_iter().zip([
            0x31,
            0xDD,
            0xDD,
            0x01DD,
            0x1EDE,
            0x4B37,
            0xBB3D,
            0x31C3,
            0x906E,
            0x29B1,
            0x2189,
            0x6F91,
            0xCBF4_3926,
            0xE306_9283,
        ]) {
            let checksum = Checksum::named(name).expect("it is listed");
            assert_eq!(checksum.of(CHECKED), expected, "{name}");
        }
        assert_eq!(Checksum::named("crc16"), None);
    }

    #[test]
    fn crcs_of_other_widths_and_mixed_reflection() {
        let rule = |width, poly, init, refin, refout, xorout| CrcRule {
            width,
            poly,
            init,
            refin,
            refout,
            xorout,
        };
        for (name, rule, expected) in [
            ("CRC-8/SMBUS", rule(8, 0x07, 0, false, false, 0), 0xF4),
            ("CRC-8/MAXIM-DOW", rule(8, 0x31, 0, true, true, 0), 0xA1),
            ("CRC-8/NRSC-5", rule(8, 0x31, 0xFF, false, false, 0), 0xF7),
            ("CRC-10/ATM", rule(10, 0x233, 0, false, false, 0), 0x199),
            ("CRC-12/UMTS", rule(12, 0x80F, 0, false, true, 0), 0xDAF),
            ("CRC-15/CAN", rule(15, 0x4599, 0, false, false, 0), 0x059E),
            ("CRC-24/OPENPGP", rule(24, 0x86_4CFB, 0xB7_04CE, false, false, 0), 0x21_CF02),
            ("CRC-24/BLE", rule(24, 0x00_065B, 0x55_5555, true, true, 0), 0xC2_5A56),
            ("CRC-32/MPEG-2", rule(32, 0x04C1_1DB7, !0, false, false, 0), 0x0376_E6E7),
        ] {
            assert_eq!(Crc::new(rule).of(CHECKED), expected, "{name}");
        }
    }

    #[test]
    fn whole_messages_of_the_field() {
        let modbus = Checksum::named("crc16/modbus").expect("it is listed");
        assert_eq!(modbus.of(&[1, 3, 0, 0, 0, 10]), 0xCDC5);
        let xmodem = Checksum::named("crc16/xmodem").expect("it is listed");
        assert_eq!(xmodem.of(&[0xC6, 0xCE, 0xA2, 0x03]), 0xE2B4);
        assert_eq!(Checksum::Sum8.of(&[0x08, 0x0B, 0x72]), 0x85, "M-Bus");
        assert_eq!(Checksum::Fletcher16.of(b"abcde"), 0xC8F0);
    }

    #[test]
    fn every_order_reads_what_it_says() {
        assert_eq!(Order::Be.read(&[0x12, 0x34]), Some(0x1234));
        assert_eq!(Order::Le.read(&[0x12, 0x34]), Some(0x3412));
        assert_eq!(Order::Hex.read(b"1aF0"), Some(0x1AF0));
        assert_eq!(Order::Hex.read(b"1xF0"), None);
        let arc = Crc::new(CrcRule::ARC);
        // Answers in Vaisala's manuals.
        for (answer, crc) in [
            ("1+2.7+85.2-0.2-2.7+770.5", "CAH"),
            ("0+0.04+10+14.8+0.0+0+0.0", "INy"),
            ("0+3.14", "OqZ"),
        ] {
            let read = Order::Sdi12.read(crc.as_bytes());
            assert_eq!(read, Some(arc.of(answer.as_bytes())), "{answer}");
        }
        assert_eq!(Order::Sdi12.read(b"~AA"), None, "more than 16 bits");
        assert_eq!((Order::Hex.written(2), Order::Sdi12.written(2)), (4, 3));
    }

    proptest! {
        #[test]
        fn fast_sums_are_the_plain_ones(bytes in prop::collection::vec(any::<u8>(), 0..9_000)) {
            prop_assert_eq!(xor8(&bytes), bytes.iter().fold(0, |xor, byte| xor ^ byte));
            let (mut first, mut second) = (0_u32, 0_u32);
            for &byte in &bytes {
                first = (first + u32::from(byte)) % 255;
                second = (second + first) % 255;
            }
            prop_assert_eq!(fletcher16(&bytes), second << 8 | first);
        }

        #[test]
        fn a_crc_by_tables_is_that_by_bits(
            bytes in prop::collection::vec(any::<u8>(), 0..40),
            width in CrcRule::WIDTH_MIN..=CrcRule::WIDTH_MAX,
            words in any::<[u32; 3]>(),
            refin: bool,
            refout: bool,
        ) {
            let [poly, init, xorout] = words.map(|word| word >> (32 - width));
            let rule = CrcRule { width, poly, init, refin, refout, xorout };
            prop_assert_eq!(Crc::new(rule).of(&bytes), bit_by_bit(&rule, &bytes));
        }
    }

    /// The Rocksoft model to the letter.
    fn bit_by_bit(rule: &CrcRule, bytes: &[u8]) -> u32 {
        let mask = u64::from(u32::MAX >> (32 - rule.width));
        let mut register = u64::from(rule.init);
        for &byte in bytes {
            let byte = if rule.refin { byte.reverse_bits() } else { byte };
            for bit in (0..8).rev() {
                let carry = register >> (rule.width - 1) & 1 ^ u64::from(byte >> bit & 1);
                register = ((register << 1) ^ (carry * u64::from(rule.poly))) & mask;
            }
        }
        let register = register as u32;
        let out = if rule.refout { register.reverse_bits() >> (32 - rule.width) } else { register };
        out ^ rule.xorout
    }
}
