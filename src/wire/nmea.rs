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

use self::{
    clock::Clock,
    sentence::{Found, Sentence},
    sentences::Readings,
};
use super::{
    DeviceClock, FieldTable, FrameRefusal, Frames, WireTally,
    checksum::Presence,
    decode::{Decode, Framing, Naming},
    draft::Draft,
    names::Names,
    window::{Cut, Window},
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

/// Decoder of one source of NMEA sentences.
#[derive(Debug)]
pub(super) struct NmeaDecoder {
    framing: Framing,
    window: Window,
    reader: Reader,
}

/// Makes frames of sentences.
#[derive(Debug)]
struct Reader {
    checksum: Presence,
    talkers: Talkers,
    names: Names,
    /// Where names are put together.
    name: String,
    clock: Clock,
    /// The byte before the next one: a remark begins a line.
    before: u8,
}

impl NmeaDecoder {
    pub(super) fn new(options: &NmeaOptions, framing: Framing) -> Self {
        let NmeaOptions { naming, checksum, talkers } = options;
        let reader = Reader {
            checksum: *checksum,
            talkers: *talkers,
            names: Names::new(naming),
            name: String::new(),
            clock: Clock::default(),
            before: b'\n',
        };
        Self { framing, window: Window::default(), reader }
    }
}

impl Decode for NmeaDecoder {
    fn feed(&mut self, bytes: &[u8], arrived_ns: i64, out: &mut Frames, tally: &mut WireTally) {
        tally.bytes_in += bytes.len() as u64;
        if self.framing == Framing::Stream {
            let reader = &mut self.reader;
            self.window.feed(bytes, |bytes| reader.take(bytes, false, arrived_ns, out, tally));
            return;
        }
        if bytes.is_empty() {
            tally.refuse(FrameRefusal::Empty, 0);
        }
        let reader = &mut self.reader;
        self.window.feed(bytes, |bytes| reader.take(bytes, true, arrived_ns, out, tally));
        reader.before = b'\n';
    }

    fn finish(&mut self, arrived_ns: i64, out: &mut Frames, tally: &mut WireTally) {
        let reader = &mut self.reader;
        self.window.finish(tally, |bytes, tally| reader.take(bytes, true, arrived_ns, out, tally));
    }

    fn reset(&mut self, tally: &mut WireTally) {
        self.window.reset(tally);
        self.reader.before = b'\n';
        self.reader.clock = Clock::default();
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
        let taken = match sentence::find(bytes, self.before == b'\n', ended) {
            Found::More => return Cut::More(bytes.len() + 1),
            Found::Noise(length) => {
                tally.bytes_skipped += length as u64;
                length
            }
            Found::Refused(why, length) => {
                tally.refuse(why, length);
                length
            }
            Found::Unchecked(_, length) if self.checksum == Presence::Required => {
                tally.refuse(FrameRefusal::Unchecked, length);
                length
            }
            Found::Unchecked(sentence, length) | Found::Sentence(sentence, length) => {
                tally.accept(length, self.read(&sentence, arrived_ns, out));
                length
            }
        };
        self.before = bytes[taken - 1];
        Cut::Took(taken)
    }

    /// Appends the frame of a sound sentence and returns the number of its readings.
    fn read(&mut self, sentence: &Sentence<'_>, arrived_ns: i64, out: &mut Frames) -> usize {
        let Self { talkers, names, name, clock, .. } = self;
        let mut draft = Draft::new(names, out);
        if let Some(kind) = sentence.kind() {
            clock.hear(kind, sentence);
            let prefix = str::from_utf8(sentence.address).ok();
            let prefix = prefix.filter(|_| *talkers == Talkers::Apart);
            Readings { draft: &mut draft, prefix, name }.read(kind, sentence);
        }
        match clock.now_ns() {
            Some(now_ns) if 0 < draft.len() => {
                draft.stamp_from(0, now_ns);
                draft.keep(DeviceClock::Utc, arrived_ns)
            }
            _ => draft.keep(DeviceClock::None, arrived_ns),
        }
    }
}
