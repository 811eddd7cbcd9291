//! Directions, and the speeds that go with them.
//!
//! Within a frame their order does not matter: a direction waits for the end of its frame, and
//! takes the speed that is nearest to it in time.

mod saved;

use std::cmp::Reverse;

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
    /// Which it is in the order in which they came.
    nth: u32,
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
            seen.push(Seen { at_ns, nth: seen.len() as u32, value });
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
        fresh.sort_unstable();
        fresh.dedup();
        // A frame may have thousands of each.
        for &partner in &*fresh {
            if let Some(seen) = &mut seen[partner as usize] {
                seen.sort_unstable_by_key(|seen| (seen.at_ns, seen.nth));
            }
        }
        for (at, number, reading) in held.drain(..) {
            let (partner, Partner { age_max_ns, .. }) = &wanted[number as usize];
            let seen = seen[*partner as usize].as_deref().unwrap_or_default();
            let near = nearest(seen, reading.at_ns)
                .filter(|seen| seen.at_ns.abs_diff(reading.at_ns) <= age_max_ns.unsigned_abs());
            let value = near.and_then(|seen| seen.value).filter(|_| reading.flag.counts());
            let companion =
                value.map(|value| Reading { value, entry: Entry::Companion, ..reading });
            give(companion, at, reading);
        }
        for partner in fresh.drain(..) {
            if let Some(seen) = &mut seen[partner as usize] {
                let last = seen.iter().copied().max_by_key(|seen| seen.nth);
                seen.clear();
                seen.extend(last.map(|last| Seen { nth: 0, ..last }));
            }
        }
    }
}

/// Of those in the order of time the nearest to an instant; of several as near the last that came.
fn nearest(seen: &[Seen], at_ns: i64) -> Option<Seen> {
    let until = |at_ns: i64| seen.partition_point(|seen| seen.at_ns <= at_ns);
    let last_until = |at_ns: i64| until(at_ns).checked_sub(1).map(|last| seen[last]);
    let after = seen.get(until(at_ns)).and_then(|next| last_until(next.at_ns));
    let both = [last_until(at_ns), after].into_iter().flatten();
    both.min_by_key(|seen| (seen.at_ns.abs_diff(at_ns), Reverse(seen.nth)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_nearest_is_found_as_by_looking_at_each(
            times in proptest::collection::vec(-20..20_i64, 0..12),
            at_ns in -25..25_i64,
        ) {
            let came = (0..).zip(&times).map(|(nth, &at_ns)| Seen { at_ns, nth, value: None });
            let mut seen: Vec<Seen> = came.collect();
            let naive = seen.iter().rev().min_by_key(|seen| seen.at_ns.abs_diff(at_ns)).copied();
            seen.sort_unstable_by_key(|seen| (seen.at_ns, seen.nth));
            prop_assert_eq!(nearest(&seen, at_ns).map(|seen| seen.nth), naive.map(|seen| seen.nth));
        }
    }
}
