//! Directions, and the speeds that go with them.
//!
//! Within a frame their order does not matter: a direction waits for the end of its frame, and
//! takes the speed that is nearest to it in time.

mod saved;

use super::{partners::Partners, plan::Partner};
use crate::engine::validate::{Entry, Reading};

/// Channels that others' values go with, and the values that may.
#[derive(Debug, Default)]
pub(super) struct Companions {
    /// By accompanied channel: the number of its partner, and which it is.
    wanted: Vec<(u32, Partner)>,
    /// By number of the partner, if it is one of theirs: its last reading before the frame at hand,
    /// then those in the frame.
    seen: Vec<Option<Vec<Seen>>>,
    /// Partners that the frame at hand has readings of.
    fresh: Vec<u32>,
    /// Readings of accompanied channels in the frame at hand: where they stand in the batch, the
    /// number of the channel, and the reading.
    held: Vec<(usize, u32, Reading)>,
}

/// When a partner had a reading, and its value if it counts.
#[derive(Clone, Copy, Debug)]
struct Seen {
    at_ns: i64,
    value: Option<f64>,
}

impl Companions {
    /// Whether no channel is accompanied.
    pub(super) fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Adds a channel, and gives its number here.
    pub(super) fn add(&mut self, partner: &Partner, partners: &mut Partners) -> u32 {
        let number = partners.number(&partner.id);
        self.look_after(number);
        self.wanted.push((number, partner.clone()));
        self.wanted.len() as u32 - 1
    }

    /// Remembers the readings of a partner from now on.
    pub(super) fn look_after(&mut self, partner: u32) {
        let place = partner as usize;
        if self.seen.len() <= place {
            self.seen.resize(place + 1, None);
        }
        self.seen[place].get_or_insert_default();
    }

    /// Takes note of a reading of a partner; no value is one that does not count.
    pub(super) fn see(&mut self, partner: u32, at_ns: i64, value: Option<f64>) {
        if let Some(Some(seen)) = self.seen.get_mut(partner as usize) {
            seen.push(Seen { at_ns, value });
            self.fresh.push(partner);
        }
    }

    /// Keeps a reading of an accompanied channel to the end of its frame.
    pub(super) fn hold(&mut self, at: usize, number: u32, reading: Reading) {
        self.held.push((at, number, reading));
    }

    /// The frame has ended: gives what was held, each after the value that goes with it, with where
    /// it stood; then only the last reading of each partner counts.
    pub(super) fn end_frame(&mut self, mut give: impl FnMut(Option<Reading>, usize, Reading)) {
        let Self { wanted, seen, fresh, held } = self;
        for (at, number, reading) in held.drain(..) {
            let (partner, Partner { age_max_ns, .. }) = &wanted[number as usize];
            let seen = seen[*partner as usize].as_deref().unwrap_or_default();
            let distance = |seen: &&Seen| seen.at_ns.abs_diff(reading.at_ns);
            // Of several as near the last that came.
            let nearest = seen.iter().rev().min_by_key(distance);
            let near = nearest.filter(|seen| distance(seen) <= age_max_ns.unsigned_abs());
            let value = near.and_then(|seen| seen.value);
            let companion =
                value.map(|value| Reading { value, entry: Entry::Companion, ..reading });
            give(companion, at, reading);
        }
        for partner in fresh.drain(..) {
            if let Some(seen) = &mut seen[partner as usize] {
                seen.drain(..seen.len().saturating_sub(1));
            }
        }
    }
}
