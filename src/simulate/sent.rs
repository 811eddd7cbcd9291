//! What was sent, and what a receiver must make of it.

use super::fault::FAULT_KINDS;
use crate::wire::FrameRefusal;

/// What was sent so far, in the terms of a receiver's ledger.
///
/// The expectations are those of a receiver that gets every frame, knows every device and channel
/// of the scenario and refuses all others. The stamps of frames count only where that receiver
/// takes the time from the devices; for one that takes the arrival see [`Sent::by_arrival`].
///
/// `frames = frames_ok + sum(frames_refused)` and
/// `readings = readings_accepted + sum of the refused` always hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Frames or lines handed out; on UDP, datagrams.
    pub frames: u64,
    /// Their bytes, without stuffing, delimiters and line ends.
    pub bytes: u64,
    /// Frames that decode.
    pub frames_ok: u64,
    /// Frames that do not, by the reason a receiver gives.
    pub frames_refused: [u64; FrameRefusal::ALL.len()],
    /// Frames that were made and then dropped by a fault.
    pub frames_withheld: u64,
    /// Readings in the frames that decode.
    pub readings: u64,
    /// Readings accepted.
    pub readings_accepted: u64,
    /// Readings refused, by reason.
    pub readings_refused: RefusedReadings,
    /// What the sequence numbers tell.
    pub sequence: Series,
    /// How often each fault began, in the order of [`super::FAULT_NAMES`]; readings for the kinds
    /// that befall readings, and also those in frames that were then dropped or spoilt.
    pub faults: [u64; FAULT_KINDS],
    /// Least lateness with which a receiver that takes the devices' time accepts what is counted
    /// as accepted.
    pub lateness_needed_ns: i64,
    /// Least future bound with which it does, for arrival at the planned time.
    pub future_needed_ns: i64,
}

/// Readings that a receiver refuses, by the names of its ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefusedReadings {
    /// From a device nobody knows.
    pub unknown_device: u64,
    /// From a channel nobody knows.
    pub unknown_channel: u64,
    /// No value, or an infinite one.
    pub not_finite: u64,
    /// In a frame that came before.
    pub duplicate: u64,
    /// Stamped ahead of their arrival.
    pub future: u64,
    /// Stamped before what is still open.
    pub late: u64,
}

impl RefusedReadings {
    /// Each reason with its name in the ledger.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64); 6] {
        [
            ("unknown_device", self.unknown_device),
            ("unknown_channel", self.unknown_channel),
            ("not_finite", self.not_finite),
            ("duplicate", self.duplicate),
            ("future", self.future),
            ("late", self.late),
        ]
    }

    /// Sum of all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.named().iter().map(|(_, n)| n).sum()
    }
}

/// What sequence numbers tell a receiver that saw everything that was sent.
///
/// A frame that never came is seen by the numbers around it, so frames that are missing before
/// the first or after the last of one boot do not show and are not counted as lost. A frame that
/// came broken is missing like one that did not come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Series {
    /// For each device and boot: numbers from the first to the highest that came, less those that
    /// came.
    pub lost: u64,
    /// Frames that came again.
    pub duplicate: u64,
    /// Frames that came after a younger one.
    pub reordered: u64,
    /// Boot ids that took the place of another.
    pub resets: u64,
}

impl Sent {
    /// Readings accepted and refused by a receiver that takes the arrival as event time, for
    /// which there is neither early nor late.
    #[must_use]
    pub fn by_arrival(&self) -> (u64, RefusedReadings) {
        let RefusedReadings { future, late, .. } = self.readings_refused;
        let refused = RefusedReadings { future: 0, late: 0, ..self.readings_refused };
        (self.readings_accepted + future + late, refused)
    }
}

/// What one frame is to its receiver.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verdict {
    /// It does not decode.
    Refused(FrameRefusal),
    /// It comes from a device that nobody knows.
    Stranger { readings: u64 },
    /// It decodes, and comes from the device with this index.
    Good(usize, Content),
}

impl Verdict {
    /// Readings that a receiver decodes.
    pub(super) fn readings(&self) -> u64 {
        match self {
            Self::Refused(_) => 0,
            Self::Stranger { readings } => *readings,
            Self::Good(_, content) => content.readings,
        }
    }

    /// The same of a frame that comes again.
    pub(super) fn again(self) -> Self {
        match self {
            Self::Good(device, content) => Self::Good(device, Content { again: true, ..content }),
            Self::Refused(_) | Self::Stranger { .. } => self,
        }
    }
}

/// A good frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content {
    /// Boot id and sequence, for formats that have them.
    pub(super) place: Option<(u16, u32)>,
    /// Whether the same frame went out before.
    pub(super) again: bool,
    pub(super) readings: u64,
    /// Of the readings: those of a channel that nobody knows.
    pub(super) strange: u64,
    /// Of the readings: those of known channels that are not finite.
    pub(super) not_finite: u64,
    pub(super) stamp: Stamp,
    /// Event times of the first and of the last reading as a receiver takes them.
    pub(super) oldest_ns: i64,
    pub(super) newest_ns: i64,
}

/// Whether the stamp of a frame is in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stamp {
    /// As the device's clock has it.
    True,
    /// Far too early.
    Late,
    /// Far too late.
    Future,
}

/// Keeps the account as a receiver would.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) sent: Sent,
    /// Boot id and highest sequence seen of each device.
    seen: Vec<Option<(u16, u32)>>,
    /// Greatest event time accepted.
    newest_ns: Option<i64>,
}

impl Account {
    pub(super) fn new(devices: usize) -> Self {
        Self { sent: Sent::default(), seen: vec![None; devices], newest_ns: None }
    }

    /// Whether a stamp can be late at all: there must be something it is later than.
    pub(super) fn has_accepted(&self) -> bool {
        self.newest_ns.is_some()
    }

    /// Counts one frame that went out at `at_ns`.
    pub(super) fn count(&mut self, verdict: Verdict, bytes: usize, at_ns: i64) {
        self.sent.frames += 1;
        self.sent.bytes += bytes as u64;
        match verdict {
            Verdict::Refused(why) => self.sent.frames_refused[why as usize] += 1,
            Verdict::Stranger { readings } => {
                self.sent.frames_ok += 1;
                self.sent.readings += readings;
                self.sent.readings_refused.unknown_device += readings;
            }
            Verdict::Good(device, content) => {
                self.sent.frames_ok += 1;
                self.place(device, &content);
                self.judge(&content, at_ns);
            }
        }
    }

    fn place(&mut self, device: usize, content: &Content) {
        let (Some((boot, sequence)), Some(seen)) = (content.place, self.seen.get_mut(device))
        else {
            return;
        };
        let series = &mut self.sent.sequence;
        match seen {
            _ if content.again => series.duplicate += 1,
            Some((known, highest)) if *known == boot => {
                // Modulo 2^32: less than half way round is ahead.
                let ahead = sequence.wrapping_sub(*highest);
                if ahead < 1 << 31 {
                    series.lost += u64::from(ahead.saturating_sub(1));
                    *highest = sequence;
                } else {
                    series.lost -= 1;
                    series.reordered += 1;
                }
            }
            _ => {
                series.resets += u64::from(seen.is_some());
                *seen = Some((boot, sequence));
            }
        }
    }

    /// The reading rules in their order: unknown, not finite, duplicate, future, late.
    fn judge(&mut self, content: &Content, at_ns: i64) {
        let sent = &mut self.sent;
        let refused = &mut sent.readings_refused;
        sent.readings += content.readings;
        refused.unknown_channel += content.strange;
        refused.not_finite += content.not_finite;
        let rest = content.readings - content.strange - content.not_finite;
        if content.again && content.place.is_some() {
            refused.duplicate += rest;
            return;
        }
        match content.stamp {
            Stamp::Future => refused.future += rest,
            Stamp::Late => refused.late += rest,
            Stamp::True if rest > 0 => {
                sent.readings_accepted += rest;
                // What is late is measured against the frames before, of which there may be none.
                let newest_ns = self.newest_ns.unwrap_or(content.oldest_ns);
                let behind_ns = newest_ns.saturating_sub(content.oldest_ns);
                sent.lateness_needed_ns = sent.lateness_needed_ns.max(behind_ns);
                let ahead_ns = content.newest_ns.saturating_sub(at_ns);
                sent.future_needed_ns = sent.future_needed_ns.max(ahead_ns);
                self.newest_ns = Some(newest_ns.max(content.newest_ns));
            }
            Stamp::True => {}
        }
    }
}
