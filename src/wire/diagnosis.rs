//! Why a serial line brings nothing but broken frames: the likely cause, from what is seen.
//!
//! A wrong baud rate, a wrong parity and a wrong format look alike in a count of refused frames,
//! and each is put right elsewhere. What tells them apart is which errors the line's driver
//! counts, and which bytes come.

use std::fmt;

use super::{FrameRefusal, WireTally};

/// Errors that a serial port has counted since it was registered; each wraps at 2^32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineErrorCounts {
    /// Characters without a stop bit: wrong baud rate, noise, a break.
    pub framing: u32,
    /// Characters with a wrong parity bit.
    pub parity: u32,
    /// Characters lost in the chip.
    pub overrun: u32,
    /// Characters lost in the driver's buffer.
    pub buffer_overrun: u32,
}

impl LineErrorCounts {
    /// What was counted since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self {
            framing: self.framing.wrapping_sub(before.framing),
            parity: self.parity.wrapping_sub(before.parity),
            overrun: self.overrun.wrapping_sub(before.overrun),
            buffer_overrun: self.buffer_overrun.wrapping_sub(before.buffer_overrun),
        }
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        [self.framing, self.parity, self.overrun, self.buffer_overrun].map(u64::from).iter().sum()
    }
}

/// What was seen since the last good frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    bytes: u64,
    /// Bytes of 00, and of FF.
    level: [u64; 2],
    /// Bytes with the eighth bit set.
    high: u64,
    /// Bytes that are text, and those that are if the eighth bit is taken away.
    text: u64,
    text_of_seven: u64,
    /// Bytes with an even number of ones.
    even: u64,
    framing: u64,
    parity: u64,
    overrun: u64,
    refused: u64,
    checksum: u64,
}

/// What is most likely wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The driver counts characters without a stop bit.
    BaudByDriver {
        /// How many.
        errors: u64,
    },
    /// The driver counts characters of the wrong parity.
    ParityByDriver {
        /// How many.
        errors: u64,
    },
    /// The driver loses characters.
    Overrun {
        /// How many.
        errors: u64,
    },
    /// Text whose eighth bit is a parity bit.
    SevenBits {
        /// Whether each byte has an even number of ones; else an odd one.
        even: bool,
    },
    /// Nearly all bytes are 00, or FF.
    Level {
        /// Which.
        byte: u8,
    },
    /// Bytes that are no text where text is expected.
    NoText {
        /// Their share in percent.
        percent: u64,
    },
    /// Text where none is expected.
    Text,
    /// Whole frames that fail their check.
    Checksum,
    /// Nothing but that the frames do not fit the format.
    Format,
}

impl Evidence {
    /// Takes in bytes as they came.
    pub fn see(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        for &byte in bytes {
            self.level[0] += u64::from(byte == 0x00);
            self.level[1] += u64::from(byte == 0xff);
            self.high += u64::from(0x80 <= byte);
            self.text += u64::from(is_text(byte));
            self.text_of_seven += u64::from(is_text(byte & 0x7f));
            self.even += u64::from(byte.count_ones() % 2 == 0);
        }
    }

    /// Takes in what the driver counted.
    pub fn count(&mut self, errors: &LineErrorCounts) {
        self.framing += u64::from(errors.framing);
        self.parity += u64::from(errors.parity);
        self.overrun += u64::from(errors.overrun) + u64::from(errors.buffer_overrun);
    }

    /// Takes in the frames that were refused between two counts.
    pub fn refuse(&mut self, before: &WireTally, after: &WireTally) {
        const CHECKSUM: usize = FrameRefusal::Checksum as usize;
        self.refused += after.refused_total() - before.refused_total();
        self.checksum += after.refused[CHECKSUM] - before.refused[CHECKSUM];
    }

    /// Frames refused since the last good one.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Bytes since the last good frame.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The likely cause; `text` tells whether the format is one of text. The driver knows best,
    /// then the bytes, then the reasons of the decoder.
    #[must_use]
    pub fn cause(&self, text: bool) -> Cause {
        if self.bytes == 0 {
            return Cause::Format;
        }
        // Noise breaks a character now and then; a wrong setting breaks every second one.
        let many = |errors: u64| 0 < errors && self.bytes <= 8 * errors;
        let most = |count: u64| 9 * self.bytes <= 10 * count;
        let errors = self.framing.max(self.parity).max(self.overrun);
        if many(errors) {
            return match errors {
                _ if errors == self.framing => Cause::BaudByDriver { errors },
                _ if errors == self.parity => Cause::ParityByDriver { errors },
                _ => Cause::Overrun { errors },
            };
        }
        for (byte, count) in [0x00, 0xff].into_iter().zip(self.level) {
            if most(count) {
                return Cause::Level { byte };
            }
        }
        // A parity bit sets the eighth bit of about half of the characters of a text.
        let even = self.even == self.bytes;
        if (even || self.even == 0) && most(self.text_of_seven) && self.bytes <= 8 * self.high {
            return Cause::SevenBits { even };
        }
        if text && self.bytes <= 4 * (self.bytes - self.text) {
            return Cause::NoText { percent: 100 * (self.bytes - self.text) / self.bytes };
        }
        if !text && most(self.text) {
            return Cause::Text;
        }
        if self.refused != 0 && self.refused <= 2 * self.checksum {
            return Cause::Checksum;
        }
        Cause::Format
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BaudByDriver { errors } => write!(
                f,
                "the port counts {errors} characters without a stop bit: most likely another \
                 `baud`"
            ),
            Self::ParityByDriver { errors } => write!(
                f,
                "the port counts {errors} characters of the wrong parity: most likely another \
                 `parity` or other `data_bits`"
            ),
            Self::Overrun { errors } => write!(
                f,
                "the port has lost {errors} characters because they were not fetched in time: a \
                 lower `baud`, or `flow`"
            ),
            Self::SevenBits { even } => write!(
                f,
                "the bytes are text with a parity bit: `data_bits = 7`, `parity = \"{}\"`",
                if *even { "even" } else { "odd" }
            ),
            Self::Level { byte } => write!(
                f,
                "nearly all bytes are {byte:02X}: most likely another `baud` by far, or the wires \
                 are swapped or open"
            ),
            Self::NoText { percent } => write!(
                f,
                "{percent} % of the bytes are no text: most likely another `baud` or `parity`, or \
                 a binary `format`"
            ),
            Self::Text => f.write_str("the bytes are text: most likely another `format`"),
            Self::Checksum => f.write_str(
                "whole frames come and fail their check: noise or lost bytes on the line, or \
                 another kind of frame",
            ),
            Self::Format => f.write_str("what comes does not fit the `format`"),
        }
    }
}

/// What lines of text are made of, beyond ASCII excepted.
fn is_text(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &[u8] = b"temp:21.5,hum:45.2\r\n";

    fn cause(bytes: &[u8], text: bool) -> Cause {
        let mut evidence = Evidence::default();
        evidence.see(bytes);
        evidence.cause(text)
    }

    /// The line as eight bits see it that were sent as seven and a parity bit.
    fn with_parity(even: bool) -> Vec<u8> {
        let parity = |byte: &u8| (byte.count_ones().is_multiple_of(2)) != even;
        LINE.iter().map(|byte| byte | if parity(byte) { 0x80 } else { 0 }).collect()
    }

    #[test]
    fn what_the_driver_counts_comes_first() {
        let cases = [
            (LineErrorCounts { framing: 9, parity: 4, ..Default::default() }, "another `baud`"),
            (LineErrorCounts { framing: 2, parity: 9, ..Default::default() }, "`parity`"),
            (LineErrorCounts { buffer_overrun: 9, ..Default::default() }, "not fetched in time"),
        ];
        for (errors, words) in cases {
            let mut evidence = Evidence::default();
            evidence.see(&with_parity(true));
            evidence.count(&errors);
            let cause = evidence.cause(true).to_string();
            assert!(cause.contains(words) && cause.contains('9'), "{cause}");
        }
    }

    #[test]
    fn an_error_now_and_then_is_noise() {
        let mut evidence = Evidence::default();
        evidence.see(&with_parity(false));
        evidence.count(&LineErrorCounts { framing: 1, ..Default::default() });
        assert_eq!(evidence.cause(true), Cause::SevenBits { even: false });
    }

    #[test]
    fn seven_bits_are_told_with_their_parity() {
        assert_eq!(cause(&with_parity(true), true), Cause::SevenBits { even: true });
        assert_eq!(cause(&with_parity(false), true), Cause::SevenBits { even: false });
        assert_eq!(cause(LINE, false), Cause::Text, "text without a parity bit is text");
    }

    #[test]
    fn the_bytes_tell_a_level_from_a_wrong_rate_from_a_wrong_format() {
        assert_eq!(cause(&[0; 40], true), Cause::Level { byte: 0 });
        assert_eq!(cause(&[0xff; 40], false), Cause::Level { byte: 0xff });
        assert_eq!(cause(b"ab\x93\xe0\x04\xff\x80c", true), Cause::NoText { percent: 62 });
        assert_eq!(cause(b"ab\x93\xe0\x04\xff\x80c", false), Cause::Format);
        assert_eq!(cause(b"what is this", true), Cause::Format);
        assert_eq!(cause(b"", true), Cause::Format);
    }

    #[test]
    fn frames_that_only_fail_their_check_are_whole() {
        let (before, mut after) = (WireTally::default(), WireTally::default());
        after.refuse(FrameRefusal::Checksum, 3);
        after.refuse(FrameRefusal::Checksum, 3);
        after.refuse(FrameRefusal::Magic, 3);
        let mut evidence = Evidence::default();
        evidence.see(&[1, 2, 3, 1, 2, 3, 9, 8, 7]);
        evidence.refuse(&before, &after);
        assert_eq!((evidence.refused(), evidence.cause(false)), (3, Cause::Checksum));
    }

    #[test]
    fn counters_are_differences_that_survive_a_wrap() {
        let before = LineErrorCounts { framing: u32::MAX - 1, parity: 5, ..Default::default() };
        let now = LineErrorCounts { framing: 2, parity: 6, ..Default::default() };
        let since = now.since(&before);
        assert_eq!((since.framing, since.parity, since.total()), (4, 1, 5));
    }
}
