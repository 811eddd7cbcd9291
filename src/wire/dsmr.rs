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

use self::{obis::Readings, telegram::Telegram};
use super::{
    DeviceClock, FieldTable, FrameRefusal, Frames, WireTally,
    checksum::{Crc, CrcRule, Presence},
    decode::Naming,
    draft::Draft,
    names::Names,
    seek::Seek,
    window::Cut,
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

/// Makes frames of telegrams.
#[derive(Debug)]
pub(super) struct DsmrReader {
    checksum: Presence,
    /// A telegram had a sound CRC.
    has_crc: bool,
    crc: Crc,
    names: Names,
    seen: obis::Seen,
}

impl DsmrReader {
    pub(super) fn new(options: &DsmrOptions) -> Self {
        Self {
            checksum: options.checksum,
            has_crc: false,
            crc: Crc::new(CrcRule::ARC),
            names: Names::new(&options.naming),
            seen: obis::Seen::default(),
        }
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

    /// Appends the frame of a telegram, if it is sound, and returns the number of its readings.
    fn read(
        &mut self,
        telegram: &Telegram<'_>,
        arrived_ns: i64,
        out: &mut Frames,
    ) -> Result<usize, FrameRefusal> {
        self.check(telegram)?;
        let mut draft = Draft::new(&mut self.names, out);
        let made_ns = telegram.made_ns();
        Readings::new(&mut draft, &mut self.seen, made_ns).read(telegram.lines());
        Ok(draft.keep(made_ns.map_or(DeviceClock::None, |_| DeviceClock::Utc), arrived_ns))
    }
}

impl Seek for DsmrReader {
    fn take(
        &mut self,
        bytes: &[u8],
        ended: bool,
        arrived_ns: i64,
        out: &mut Frames,
        tally: &mut WireTally,
    ) -> Cut {
        let found = telegram::find(bytes, ended);
        found.count(bytes.len(), tally, |telegram| self.read(&telegram, arrived_ns, out))
    }

    fn forget(&mut self) {
        self.has_crc = false;
        self.seen.clear();
    }

    fn fields(&self) -> &Arc<FieldTable> {
        self.names.table()
    }
}
