//! Faults by name, and when they are due.

use super::{
    random::Random,
    scenario::{Fault, FaultKind},
};

/// Number of kinds of faults.
pub const FAULT_KINDS: usize = FAULT_NAMES.len();

/// Names of the kinds, as in scenario files and in what the simulator reports.
pub const FAULT_NAMES: [&str; 18] = [
    "dropout",
    "stuck",
    "spike",
    "drift",
    "nan",
    "infinite",
    "bad_crc",
    "truncation",
    "duplicate",
    "reorder",
    "late_stamp",
    "future_stamp",
    "clock_skew",
    "burst",
    "reset",
    "unknown_device",
    "unknown_channel",
    "garbage",
];

impl FaultKind {
    /// Place of the kind in [`FAULT_NAMES`].
    #[must_use]
    pub fn index(&self) -> usize {
        match self {
            Self::Dropout { .. } => 0,
            Self::Stuck { .. } => 1,
            Self::Spike { .. } => 2,
            Self::Drift { .. } => 3,
            Self::Nan => 4,
            Self::Infinite => 5,
            Self::BadCrc => 6,
            Self::Truncation => 7,
            Self::Duplicate { .. } => 8,
            Self::Reorder { .. } => 9,
            Self::LateStamp { .. } => 10,
            Self::FutureStamp { .. } => 11,
            Self::ClockSkew { .. } => 12,
            Self::Burst { .. } => 13,
            Self::Reset => 14,
            Self::UnknownDevice => 15,
            Self::UnknownChannel => 16,
            Self::Garbage => 17,
        }
    }

    /// Name of the kind.
    #[must_use]
    pub fn name(&self) -> &'static str {
        FAULT_NAMES[self.index()]
    }

    /// How a receiver comes to know of it.
    pub(super) fn scope(&self) -> Scope {
        match self {
            Self::Nan | Self::Infinite | Self::Spike { .. } => Scope::Reading,
            Self::Stuck { .. } | Self::Drift { .. } | Self::ClockSkew { .. } => Scope::Spell,
            Self::Burst { .. } => Scope::Line,
            Self::Dropout { .. }
            | Self::BadCrc
            | Self::Truncation
            | Self::Duplicate { .. }
            | Self::Reorder { .. }
            | Self::LateStamp { .. }
            | Self::FutureStamp { .. }
            | Self::Reset
            | Self::UnknownDevice
            | Self::UnknownChannel
            | Self::Garbage => Scope::Verdict,
        }
    }
}

/// What a fault befalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Single readings; drawn a reading.
    Reading,
    /// The values or the clock, for several frames; drawn a frame.
    Spell,
    /// The times of sending; drawn a frame.
    Line,
    /// The frame as a whole, so that a receiver's verdict on it changes. One frame has at most
    /// one of these, for then it is certain what a receiver counts.
    Verdict,
}

/// One fault of one device, waiting for its time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    pub(super) kind: FaultKind,
    probability: f64,
    /// Trials that are still to pass.
    left: u64,
}

impl Due {
    pub(super) fn new(fault: &Fault, random: &mut Random) -> Self {
        let probability = fault.probability;
        Self { kind: fault.kind, probability, left: random.failures_before(probability) }
    }

    /// Counts one trial and says whether the fault is due; it stays so until it is [`begun`].
    ///
    /// [`begun`]: Due::begin
    pub(super) fn is_due(&mut self) -> bool {
        if self.left == 0 {
            return true;
        }
        self.left -= u64::from(self.left != u64::MAX);
        false
    }

    /// Draws the next time.
    pub(super) fn begin(&mut self, random: &mut Random) {
        self.left = random.failures_before(self.probability);
    }

    /// Calls `hit` with each of `trials` consecutive trials at which the fault is due.
    pub(super) fn each(
        &mut self,
        trials: usize,
        random: &mut Random,
        mut hit: impl FnMut(usize, &mut Random),
    ) {
        let mut at = 0;
        while let Ok(left) = usize::try_from(self.left)
            && left < trials - at
        {
            at += left;
            self.left = random.failures_before(self.probability);
            hit(at, random);
            at += 1;
        }
        if self.left != u64::MAX {
            self.left -= (trials - at) as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::random::Purpose;

    #[test]
    fn trials_by_the_frame_and_by_the_reading_hit_at_the_same_places() {
        let fault = Fault { kind: FaultKind::Nan, probability: 0.2 };
        let mut random = Random::new(9, 1, 0, Purpose::Faults);
        let mut due = Due::new(&fault, &mut random);
        let mut single = Vec::new();
        for at in 0..1_000 {
            if due.is_due() {
                single.push(at);
                due.begin(&mut random);
            }
        }
        let mut random = Random::new(9, 1, 0, Purpose::Faults);
        let mut due = Due::new(&fault, &mut random);
        let mut bulk = Vec::new();
        for chunk in 0..100 {
            due.each(10, &mut random, |at, _| bulk.push(chunk * 10 + at));
        }
        assert_eq!(single, bulk);
        assert!((150..250).contains(&single.len()), "{}", single.len());
    }

    #[test]
    fn what_cannot_happen_does_not_and_what_must_always_does() {
        let mut random = Random::new(9, 1, 0, Purpose::Faults);
        let mut never = Due::new(&Fault { kind: FaultKind::Nan, probability: 0.0 }, &mut random);
        let mut always = Due::new(&Fault { kind: FaultKind::Nan, probability: 1.0 }, &mut random);
        let mut hits = 0;
        never.each(10_000, &mut random, |_, _| hits += 1);
        assert!(!never.is_due());
        assert_eq!(hits, 0);
        always.each(10_000, &mut random, |_, _| hits += 1);
        assert_eq!(hits, 10_000);
    }
}
