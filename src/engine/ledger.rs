//! The counters that account for everything received.

use crate::wire::WireTally;

use super::batch::Transport;

/// Why a reading did not enter an aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReadingRefusal {
    /// The queue to the engine was full.
    QueueFull,
    /// The device is not configured, and the source does not discover.
    UnknownDevice,
    /// The channel or field is not configured, and the source does not discover.
    UnknownChannel,
    /// The cap on discovered devices, channels or fields is reached.
    Cardinality,
    /// No value, or one that is not finite.
    NotFinite,
    /// The frame was seen before.
    Duplicate,
    /// Stamped further ahead of its arrival than the future bound allows.
    Future,
    /// Its pane is closed.
    Late,
    /// Calibration or unit conversion leaves the range of numbers.
    NotRepresentable,
    /// The frame is of an earlier start of its device than one that was heard, and not one of
    /// those remembered: only where starts are counted.
    Replayed,
}

impl ReadingRefusal {
    /// All reasons.
    pub const ALL: [Self; 10] = [
        Self::QueueFull,
        Self::UnknownDevice,
        Self::UnknownChannel,
        Self::Cardinality,
        Self::NotFinite,
        Self::Duplicate,
        Self::Future,
        Self::Late,
        Self::NotRepresentable,
        Self::Replayed,
    ];

    /// Name in the ledger.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::UnknownDevice => "unknown_device",
            Self::UnknownChannel => "unknown_channel",
            Self::Cardinality => "cardinality",
            Self::NotFinite => "not_finite",
            Self::Duplicate => "duplicate",
            Self::Future => "future",
            Self::Late => "late",
            Self::NotRepresentable => "not_representable",
            Self::Replayed => "replayed",
        }
    }
}

/// Readings received, accepted and refused.
///
/// `received = accepted + sum(refused)` whenever the engine is at rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadingTally {
    /// Readings decoded from frames.
    pub received: u64,
    /// Readings that entered a pane.
    pub accepted: u64,
    /// Readings refused, by reason.
    pub refused: [u64; ReadingRefusal::ALL.len()],
}

impl ReadingTally {
    /// Counts refused readings.
    pub fn refuse(&mut self, why: ReadingRefusal, n: u64) {
        self.refused[why as usize] += n;
    }

    /// Adds another tally.
    pub fn add(&mut self, other: &Self) {
        self.received += other.received;
        self.accepted += other.accepted;
        for (mine, theirs) in self.refused.iter_mut().zip(other.refused) {
            *mine += theirs;
        }
    }

    /// Whether everything received is accounted for.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.received == self.accepted + self.refused.iter().sum::<u64>()
    }
}

/// What the sequence numbers of a device tell. All of it only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SequenceTally {
    /// Frames that had not come when a younger one came.
    pub missed: u64,
    /// Of the missed: those that came after all.
    pub found: u64,
    /// Frames that came again, replayed ones included.
    pub duplicate: u64,
    /// Frames that came after a younger one.
    pub reordered: u64,
    /// Restarts of the device.
    pub resets: u64,
}

impl SequenceTally {
    /// Frames that were sent and never came.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.missed - self.found
    }

    /// Adds another tally.
    pub fn add(&mut self, other: &Self) {
        self.missed += other.missed;
        self.found += other.found;
        self.duplicate += other.duplicate;
        self.reordered += other.reordered;
        self.resets += other.resets;
    }
}

/// Everything counted for one source, or for all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Datagrams and line errors.
    pub transport: Transport,
    /// Bytes and frames.
    pub wire: WireTally,
    /// Bytes waiting in decoders.
    pub bytes_buffered: u64,
    /// Readings.
    pub readings: ReadingTally,
    /// Of the accepted readings: those whose pane is closed.
    pub in_closed_panes: u64,
    /// Of the accepted readings: those whose pane is open.
    pub in_open_panes: u64,
    /// Sequence numbers of all devices.
    pub sequence: SequenceTally,
}

impl Ledger {
    /// Adds another ledger.
    pub fn add(&mut self, other: &Self) {
        self.transport.add(&other.transport);
        self.wire.add(&other.wire);
        self.bytes_buffered += other.bytes_buffered;
        self.readings.add(&other.readings);
        self.in_closed_panes += other.in_closed_panes;
        self.in_open_panes += other.in_open_panes;
        self.sequence.add(&other.sequence);
    }

    /// The first of the identities of the ledger that does not hold, in words.
    #[must_use]
    pub fn imbalance(&self) -> Option<&'static str> {
        let wire = &self.wire;
        if wire.bytes_in != wire.bytes_in_frames + wire.bytes_skipped + self.bytes_buffered {
            return Some("bytes_in = bytes_in_frames + bytes_skipped + bytes_buffered");
        }
        if wire.frames_in != wire.frames_ok + wire.refused_total() {
            return Some("frames_in = frames_ok + sum(frames_refused)");
        }
        if wire.readings != self.readings.received {
            return Some("readings decoded = readings received");
        }
        if !self.readings.balances() {
            return Some("readings = accepted + sum(readings_refused)");
        }
        if self.readings.accepted != self.in_closed_panes + self.in_open_panes {
            return Some("accepted = in closed panes + in open panes");
        }
        None
    }
}
