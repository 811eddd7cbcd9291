//! Checksums as their definitions say, bit by bit and byte by byte: what the program's own are
//! held against.

/// The sum of all bytes.
pub(crate) fn sum8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// With the sum of all bytes behind it, in two bytes.
pub(crate) fn with_sum16(bytes: &[u8]) -> Vec<u8> {
    let sum: u16 = bytes.iter().map(|byte| u16::from(*byte)).sum();
    [bytes, &sum.to_be_bytes()].concat()
}

/// A CRC of 16 bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crc16 {
    /// The lowest bit of each byte comes first, and the polynomial is turned round.
    lowest_first: bool,
    poly: u16,
    init: u16,
}

impl Crc16 {
    pub(crate) const ARC: Self = Self { lowest_first: true, poly: 0xA001, init: 0 };
    pub(crate) const CCITT_FALSE: Self = Self { lowest_first: false, poly: 0x1021, init: 0xFFFF };
    pub(crate) const MODBUS: Self = Self { lowest_first: true, poly: 0xA001, init: 0xFFFF };
    pub(crate) const XMODEM: Self = Self { lowest_first: false, poly: 0x1021, init: 0 };

    pub(crate) fn of(self, bytes: &[u8]) -> u16 {
        let mut crc = self.init;
        for byte in bytes {
            crc ^= if self.lowest_first { u16::from(*byte) } else { u16::from(*byte) << 8 };
            for _ in 0..8 {
                let (out, moved) =
                    if self.lowest_first { (crc & 1, crc >> 1) } else { (crc >> 15, crc << 1) };
                crc = if out == 1 { moved ^ self.poly } else { moved };
            }
        }
        crc
    }

    /// With it behind the bytes, the high byte first.
    pub(crate) fn behind(self, bytes: &[u8]) -> Vec<u8> {
        [bytes, &self.of(bytes).to_be_bytes()].concat()
    }
}

#[test]
fn the_check_values_of_the_catalogue() {
    let all = [
        (Crc16::ARC, 0xBB3D),
        (Crc16::CCITT_FALSE, 0x29B1),
        (Crc16::MODBUS, 0x4B37),
        (Crc16::XMODEM, 0x31C3),
    ];
    for (crc, expected) in all {
        assert_eq!(crc.of(b"123456789"), expected, "{crc:?}");
    }
}
