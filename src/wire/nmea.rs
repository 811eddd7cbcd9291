//! NMEA 0183 and IEC 61162-1: sentences of boats, weather masts and receivers of satellites.
//!
//! A sentence with a sound checksum is a frame, whatever it is about; `sentences` lists those
//! that carry readings, all others are silent. Names are `type.quantity`, such as
//! `MWV.angle_relative`, `XDR.` and the transducer's own name for XDR; values are in the one unit
//! of the name, whatever unit the sentence used. A field that is empty, and a value that the
//! sentence itself calls invalid, is a missing value and never 0.
//!
//! Time is UTC: RMC and ZDA say date and time, GGA, GLL and GNS a time of day, and the readings of
//! all other sentences belong to the time that was said last, because a sentence about depth or
//! wind has none of its own. Before any was said, a reading has no time but its arrival.

mod clock;
mod sentence;
mod sentences;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::{clock::Clock, sentence::Sentence, sentences::Readings};
use super::{
    FieldTable, FrameRefusal, Frames, WireTally, checksum::Presence, decode::Naming, draft::Draft,
    names::Names, seek::Seek, window::Cut,
};

/// How NMEA sentences are read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NmeaOptions {
    /// Which names are taken up.
    pub naming: Naming,
    /// Whether a sentence must have a checksum.
    pub checksum: Presence,
    /// Whether who talks is part of a name.
    pub talkers: Talkers,
}

/// What becomes of the first two letters of a sentence's address, which name the talker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Talkers {
    /// They are dropped: `SDDPT` and `IIDPT` are both `DPT.depth`.
    #[default]
    Merged,
    /// They are kept: `SDDPT.depth` and `IIDPT.depth`.
    Apart,
}

/// Makes frames of sentences.
#[derive(Debug)]
pub(super) struct NmeaReader {
    checksum: Presence,
    talkers: Talkers,
    names: Names,
    /// Where names are put together.
    name: String,
    clock: Clock,
    /// The byte before the next one: a remark begins a line.
    before: u8,
}

impl NmeaReader {
    pub(super) fn new(options: &NmeaOptions) -> Self {
        let NmeaOptions { naming, checksum, talkers } = options;
        Self {
            checksum: *checksum,
            talkers: *talkers,
            names: Names::new(naming),
            name: String::new(),
            clock: Clock::default(),
            before: b'\n',
        }
    }

    /// Appends the frame of a sentence, if that is checked where it must be, and returns the
    /// number of its readings.
    fn read(
        &mut self,
        sentence: &Sentence<'_>,
        arrived_ns: i64,
        out: &mut Frames,
    ) -> Result<usize, FrameRefusal> {
        if !sentence.is_checked && self.checksum == Presence::Required {
            return Err(FrameRefusal::Unchecked);
        }
        let Self { talkers, names, name, clock, .. } = self;
        let mut draft = Draft::new(names, out);
        if let Some(kind) = sentence.kind() {
            clock.hear(kind, sentence);
            let prefix = match talkers {
                Talkers::Merged => None,
                Talkers::Apart => str::from_utf8(sentence.address).ok(),
            };
            Readings { draft: &mut draft, prefix, name }.read(kind, sentence);
        }
        let now_ns = clock.now_ns().filter(|_| 0 < draft.len());
        Ok(draft.keep_at(now_ns, arrived_ns))
    }
}

impl Seek for NmeaReader {
    fn take(
        &mut self,
        bytes: &[u8],
        ended: bool,
        arrived_ns: i64,
        out: &mut Frames,
        tally: &mut WireTally,
    ) -> Cut {
        let found = sentence::find(bytes, self.before == b'\n', ended);
        let cut = found.count(bytes.len(), tally, |sentence| self.read(&sentence, arrived_ns, out));
        if let Cut::Took(taken) = cut {
            self.before = bytes[taken - 1];
        }
        cut
    }

    fn part(&mut self) {
        self.before = b'\n';
    }

    fn forget(&mut self) {
        self.clock = Clock::default();
    }

    fn fields(&self) -> &Arc<FieldTable> {
        self.names.table()
    }
}
