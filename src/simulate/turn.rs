//! One turn of a device: its next frame, whole or spoilt, and what comes with it.

use super::{
    device::{Held, Sampled},
    layout::write_stranger,
    player::{Parcel, Player},
    random::Random,
    scenario::{FaultKind, LineFormat, STRANGER},
    sent::{Content, Stamp, Verdict},
};
use crate::wire::{
    FrameRefusal, Health,
    frame::{CRC_BYTES, HEADER_BYTES, Header, Kind, MAGIC, TimeKind},
};

/// Whatever is cut down to this is too short for a header and a checksum.
const CUT_BYTES_MAX: u32 = (HEADER_BYTES + CRC_BYTES) as u32 - 1;
/// Most bytes of garbage at a time.
const GARBAGE_BYTES_MAX: u32 = 64;
/// The first byte whose change is a matter of the checksum: magic and version are looked at
/// before.
const CHECKED_FROM: u32 = 2;
/// Never part of UTF-8, and not the magic of a frame.
const NOT_TEXT: u8 = 0xFF;

/// Whose turn it is, and when.
#[derive(Clone, Copy, Debug)]
struct Turn {
    index: usize,
    at_ns: i64,
    sampled: Sampled,
}

/// How a frame that decodes differs from the plain one.
#[derive(Clone, Copy, Debug)]
struct Shape {
    stamp: Stamp,
    /// Added to the stamp.
    shift_ns: i64,
    /// Whether it carries a reading of a channel that nobody knows.
    strange: bool,
}

const PLAIN: Shape = Shape { stamp: Stamp::True, shift_ns: 0, strange: false };

/// What is done to a frame so that it does not decode.
#[derive(Clone, Copy, Debug)]
enum Damage {
    /// Bytes change.
    Change,
    /// The end is missing.
    Cut,
}

impl Player {
    /// Makes the next frame of the device with this index, due at `at_ns`.
    pub(super) fn turn(&mut self, index: usize, at_ns: i64) {
        let actor = &mut self.actors[index];
        let sampled = actor.sample(&mut self.values, &mut self.account.sent.faults);
        let was_holding = actor.held.is_some();
        let turn = Turn { index, at_ns, sampled };
        let fault = self.fault(index);
        let decodes = self.play(&turn, fault);
        self.actors[index].advance(&mut self.account.sent.faults);
        let goes_on = self.schedule(index);
        self.release(&turn, was_holding && decodes, !goes_on);
    }

    /// What befalls the device's next frame as a whole.
    fn fault(&mut self, index: usize) -> Option<FaultKind> {
        let has_accepted = self.account.has_accepted();
        let actor = &mut self.actors[index];
        if actor.dropping > 0 {
            actor.dropping -= 1;
            return Some(FaultKind::Dropout { frames: 1 });
        }
        // The first frame of a boot makes the device known, and a frame that is held would meet
        // the fault of another: both are left alone, so that the verdicts are certain.
        let free = !actor.fresh && actor.held.is_none();
        let may = |kind: &FaultKind| {
            free && (has_accepted || !matches!(kind, FaultKind::LateStamp { .. }))
        };
        let fault = actor.verdict_fault(may, &mut self.account.sent.faults);
        if let Some(FaultKind::Dropout { frames }) = fault {
            actor.dropping = frames.saturating_sub(1);
        }
        fault
    }

    /// Sends the frame as its fault wants it; says whether it went out and decodes.
    fn play(&mut self, turn: &Turn, fault: Option<FaultKind>) -> bool {
        let mut shape = PLAIN;
        match fault {
            Some(FaultKind::Dropout { .. }) => {
                self.account.sent.frames_withheld += 1;
                return false;
            }
            Some(FaultKind::BadCrc) => return self.send_damaged(turn, Damage::Change),
            Some(FaultKind::Truncation) => return self.send_damaged(turn, Damage::Cut),
            Some(FaultKind::Reorder { distance }) => return self.send_behind(turn, distance),
            Some(FaultKind::Duplicate { distance }) => return self.send_twice(turn, distance),
            Some(FaultKind::LateStamp { by_ns }) => {
                shape = Shape { stamp: Stamp::Late, shift_ns: by_ns.saturating_neg(), ..PLAIN };
            }
            Some(FaultKind::FutureStamp { by_ns }) => {
                shape = Shape { stamp: Stamp::Future, shift_ns: by_ns, ..PLAIN };
            }
            Some(FaultKind::UnknownChannel) => shape = Shape { strange: true, ..PLAIN },
            Some(FaultKind::UnknownDevice) => self.send_stranger(turn.at_ns),
            Some(FaultKind::Garbage) => self.send_garbage(turn),
            Some(FaultKind::Reset) => self.actors[turn.index].restart(),
            // Faults of values, clock and line are in the frame already.
            _ => {}
        }
        self.send(turn, shape);
        true
    }

    /// Sends the frame in a form that decodes.
    fn send(&mut self, turn: &Turn, shape: Shape) {
        let from = self.bytes.len();
        let actor = &self.actors[turn.index];
        let Sampled { first_ns, last_ns, not_finite } = turn.sampled;
        let shown_ns = actor.clock.shows_ns(first_ns);
        let place = match self.format {
            LineFormat::Native => {
                let header = Header {
                    kind: Kind::Data,
                    first_since_reset: actor.fresh,
                    authenticated: self.key.is_some(),
                    health: health_code(actor.health),
                    device: actor.id,
                    boot: actor.boot,
                    time_kind: actor.clock.time_kind(),
                    time_error: actor.time_error,
                    sequence: actor.sequence,
                    time_us: microseconds(shown_ns.saturating_add(shape.shift_ns)),
                };
                let (values, key) = (&self.values, self.key.as_ref());
                actor.layout.write_frame(&header, values, shape.strange, key, &mut self.bytes);
                Some((actor.boot, actor.sequence))
            }
            LineFormat::Text => {
                actor.layout.write_line(&self.values, shape.strange, &mut self.bytes);
                None
            }
        };
        let strange = u64::from(shape.strange);
        let oldest_ns = actor.clock.event_ns(first_ns, shown_ns);
        let content = Content {
            place,
            again: false,
            readings: self.values.len() as u64 + strange,
            strange,
            not_finite,
            stamp: shape.stamp,
            oldest_ns,
            newest_ns: oldest_ns.saturating_add(last_ns.saturating_sub(first_ns)),
        };
        let verdict = Verdict::Good(turn.index, content);
        let device = actor.id;
        self.parcels.push(Parcel {
            at_ns: turn.at_ns,
            device,
            range: from..self.bytes.len(),
            verdict,
        });
    }

    /// Sends the frame so that it does not decode.
    fn send_damaged(&mut self, turn: &Turn, damage: Damage) -> bool {
        self.send(turn, PLAIN);
        let parcel = self.parcels.last_mut().expect("one was just sent");
        let bytes = &mut self.bytes[parcel.range.clone()];
        let random = &mut self.actors[turn.index].random;
        let (why, kept) = match (self.format, damage) {
            (LineFormat::Native, Damage::Change) => {
                let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                let at = CHECKED_FROM + random.below(length - CHECKED_FROM);
                bytes[at as usize] ^= 1 << random.below(8);
                (FrameRefusal::Checksum, bytes.len())
            }
            (LineFormat::Native, Damage::Cut) => {
                (FrameRefusal::Truncated, 1 + random.below(CUT_BYTES_MAX) as usize)
            }
            (LineFormat::Text, Damage::Change) => {
                // A digit that is none makes a damaged number of the last value.
                if let Some(last) = bytes.last_mut() {
                    *last = b'?';
                }
                (FrameRefusal::Malformed, bytes.len())
            }
            (LineFormat::Text, Damage::Cut) => {
                // A second label without its colon is neither a label nor a value.
                let mut colons = (0..bytes.len()).filter(|&at| bytes[at] == b':');
                (FrameRefusal::Malformed, colons.nth(1).unwrap_or(bytes.len()))
            }
        };
        parcel.range.end = parcel.range.start + kept;
        parcel.verdict = Verdict::Refused(why);
        self.bytes.truncate(parcel.range.end);
        false
    }

    /// Holds the frame back until younger ones have gone out.
    fn send_behind(&mut self, turn: &Turn, distance: u32) -> bool {
        self.send(turn, PLAIN);
        let parcel = self.parcels.pop().expect("one was just sent");
        let bytes = self.bytes[parcel.range.clone()].to_vec();
        self.bytes.truncate(parcel.range.start);
        let actor = &mut self.actors[turn.index];
        let wait = 1 + actor.random.below(distance);
        actor.held = Some(Held { bytes, verdict: parcel.verdict, wait });
        false
    }

    /// Sends the frame, and keeps a copy for later.
    fn send_twice(&mut self, turn: &Turn, distance: u32) -> bool {
        self.send(turn, PLAIN);
        let parcel = self.parcels.last().expect("one was just sent");
        let bytes = self.bytes[parcel.range.clone()].to_vec();
        let verdict = parcel.verdict.again();
        let actor = &mut self.actors[turn.index];
        let wait = actor.random.below(distance + 1);
        actor.held = Some(Held { bytes, verdict, wait });
        true
    }

    /// Sends what was held back once enough frames have `passed` it, or at the end of the play.
    fn release(&mut self, turn: &Turn, passed: bool, at_end: bool) {
        let actor = &mut self.actors[turn.index];
        let due = actor.held.take_if(|held| {
            held.wait -= u32::from(passed).min(held.wait);
            held.wait == 0 || at_end
        });
        if let Some(held) = due {
            let device = actor.id;
            self.push(turn.at_ns, device, held.verdict, &held.bytes);
        }
    }

    fn send_stranger(&mut self, at_ns: i64) {
        let header = Header {
            kind: Kind::Data,
            first_since_reset: self.strangers == 0,
            authenticated: self.key.is_some(),
            health: health_code(Health::Good),
            device: STRANGER,
            boot: 0,
            time_kind: TimeKind::None,
            time_error: u8::MAX,
            sequence: self.strangers,
            time_us: 0,
        };
        self.strangers = self.strangers.wrapping_add(1);
        let from = self.bytes.len();
        write_stranger(&header, self.key.as_ref(), &mut self.bytes);
        let range = from..self.bytes.len();
        let verdict = Verdict::Stranger { readings: 1 };
        self.parcels.push(Parcel { at_ns, device: STRANGER, range, verdict });
    }

    fn send_garbage(&mut self, turn: &Turn) {
        let actor = &mut self.actors[turn.index];
        let device = actor.id;
        let (why, garbage) = match self.format {
            LineFormat::Native => (FrameRefusal::Magic, binary_garbage(&mut actor.random)),
            LineFormat::Text => (FrameRefusal::NotText, text_garbage(&mut actor.random)),
        };
        self.push(turn.at_ns, device, Verdict::Refused(why), &garbage);
    }

    fn push(&mut self, at_ns: i64, device: u32, verdict: Verdict, bytes: &[u8]) {
        let from = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.parcels.push(Parcel { at_ns, device, range: from..self.bytes.len(), verdict });
    }
}

/// Random bytes that do not begin as a frame does.
fn binary_garbage(random: &mut Random) -> Vec<u8> {
    let mut bytes = vec![0; 1 + random.below(GARBAGE_BYTES_MAX) as usize];
    random.fill(&mut bytes);
    if bytes[0] == MAGIC {
        bytes[0] = NOT_TEXT;
    }
    bytes
}

/// Random bytes that are no text, and one line of it.
fn text_garbage(random: &mut Random) -> Vec<u8> {
    let mut bytes = binary_garbage(random);
    bytes[0] = NOT_TEXT;
    for byte in &mut bytes {
        *byte |= 0x80;
    }
    bytes
}

/// The code of a health on the wire.
fn health_code(health: Health) -> u8 {
    health as u8
}

fn microseconds(ns: i64) -> u64 {
    u64::try_from(ns / 1_000).unwrap_or(0)
}
