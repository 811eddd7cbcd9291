//! P1 telegrams of smart meters: the Dutch DSMR, its Belgian and Irish kin, and what else speaks
//! IEC 62056-21 in the same manner.
//!
//! A telegram goes from `/` to a line with `!`, behind which stands the CRC-16/ARC of all of it,
//! both included, in hexadecimal digits; some meters drop leading zeros, those before DSMR 4 send
//! none. Since a telegram that has lost its CRC looks like one that never had any, a meter that
//! has sent one must send it each time.
//!
//! Times are the meter's: local time with an S (summer, UTC+2) or a W (winter, UTC+1). What comes
//! from a meter behind this one (M-Bus) has a time of its own, as old as an hour, and is a reading
//! once, when that time is new, however often telegrams repeat it.

mod obis;
mod telegram;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::{
    obis::Readings,
    telegram::{Found, Telegram},
};
use super::{
    DeviceClock, FieldTable, FrameRefusal, Frames, WireTally,
    checksum::{Crc, CrcRule, Presence},
    decode::{Decode, Framing, Naming},
    draft::Draft,
    names::Names,
    window::{Cut, Window},
};

/// How P1 telegrams are read.
#[derive(Clone, Debug, PartialEq)]
pub struct DsmrOptions {
    /// Which names are taken up.
    pub naming: Naming,
    /// Whether a telegram must have a CRC.
    pub checksum: Presence,
}

impl Default for DsmrOptions {
    fn default() -> Self {
        Self { naming: Naming::default(), checksum: Presence::Optional }
    }
}

/// Decoder of one source of P1 telegrams.
#[derive(Debug)]
pub(super) struct DsmrDecoder {
    framing: Framing,
    window: Window,
    reader: Reader,
}

/// Makes frames of telegrams.
#[derive(Debug)]
struct Reader {
    checksum: Presence,
    /// A telegram had a sound CRC.
    has_crc: bool,
    crc: Crc,
    names: Names,
    seen: obis::Seen,
}

impl DsmrDecoder {
    pub(super) fn new(options: &DsmrOptions, framing: Framing) -> Self {
        let reader = Reader {
            checksum: options.checksum,
            has_crc: false,
            crc: Crc::new(CrcRule::ARC),
            names: Names::new(&options.naming),
            seen: obis::Seen::default(),
        };
        Self { framing, window: Window::default(), reader }
    }
}

impl Decode for DsmrDecoder {
    fn feed(&mut self, bytes: &[u8], arrived_ns: i64, out: &mut Frames, tally: &mut WireTally) {
        tally.bytes_in += bytes.len() as u64;
        let ended = self.framing == Framing::Datagram;
        if ended && bytes.is_empty() {
            tally.refuse(FrameRefusal::Empty, 0);
        }
        let reader = &mut self.reader;
        self.window.feed(bytes, |bytes| reader.take(bytes, ended, arrived_ns, out, tally));
        if ended {
            self.finish(arrived_ns, out, tally);
        }
    }

    fn finish(&mut self, arrived_ns: i64, out: &mut Frames, tally: &mut WireTally) {
        let reader = &mut self.reader;
        self.window.finish(tally, |bytes, tally| reader.take(bytes, true, arrived_ns, out, tally));
    }

    fn reset(&mut self, tally: &mut WireTally) {
        self.window.reset(tally);
        self.reader.has_crc = false;
        self.reader.seen = obis::Seen::default();
    }

    fn buffered(&self) -> usize {
        self.window.buffered()
    }

    fn fields(&self) -> &Arc<FieldTable> {
        self.reader.names.table()
    }
}

impl Reader {
    /// Deals with what stands first; `ended` says that nothing follows these bytes.
    fn take(
        &mut self,
        bytes: &[u8],
        ended: bool,
        arrived_ns: i64,
        out: &mut Frames,
        tally: &mut WireTally,
    ) -> Cut {
        let taken = match telegram::find(bytes, ended) {
            Found::More => return Cut::More(bytes.len() + 1),
            Found::Noise(length) => {
                tally.bytes_skipped += length as u64;
                length
            }
            Found::Refused(why, length) => {
                tally.refuse(why, length);
                length
            }
            Found::Telegram(telegram, length) => {
                match self.check(&telegram) {
                    Ok(()) => tally.accept(length, self.read(&telegram, arrived_ns, out)),
                    Err(why) => tally.refuse(why, length),
                }
                length
            }
        };
        Cut::Took(taken)
    }

    fn check(&mut self, telegram: &Telegram<'_>) -> Result<(), FrameRefusal> {
        match telegram.crc {
            Some(crc) if u32::from(crc) == self.crc.of(telegram.bytes) => {
                self.has_crc = true;
                Ok(())
            }
            Some(_) => Err(FrameRefusal::Checksum),
            None if self.has_crc || self.checksum == Presence::Required => {
                Err(FrameRefusal::Unchecked)
            }
            None => Ok(()),
        }
    }

    /// Appends the frame of a sound telegram and returns the number of its readings.
    fn read(&mut self, telegram: &Telegram<'_>, arrived_ns: i64, out: &mut Frames) -> usize {
        let mut draft = Draft::new(&mut self.names, out);
        let made_ns = telegram.made_ns();
        Readings::new(&mut draft, &mut self.seen, made_ns).read(telegram.lines());
        draft.keep(made_ns.map_or(DeviceClock::None, |_| DeviceClock::Utc), arrived_ns)
    }
}
