//! The bins of a whole window in sum.
//!
//! With counters of 32 bits for as long as these cannot overflow, and in one of two forms
//! ([`super::tier`]). Which counts there are follows from what was added alone.

use super::{
    Bin,
    packed::Entries,
    tier::{Room, Tier},
};

/// Bins of one chunk.
pub const CHUNK_BINS: usize = 16;

/// Counts by bin.
#[derive(Clone, Debug)]
pub struct Sum {
    n: u64,
    counts: Counts,
}

#[derive(Clone, Debug)]
enum Counts {
    /// Of fewer than 2^32 readings.
    Narrow(Tier<u32>),
    /// Of a window that has held more at a time.
    Wide(Tier<u64>),
}

/// What counts take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// All bytes.
    pub bytes: usize,
    /// Those of them that are taken for the sake of speed and can be given up.
    pub spare: usize,
}

/// An integer that counts readings.
pub trait Counter: Copy + Default + Into<u64> + TryFrom<u64> + std::iter::Sum {}

impl Counter for u32 {}
impl Counter for u64 {}

impl Sum {
    /// Nothing counted.
    pub const EMPTY: Self = Self { n: 0, counts: Counts::Narrow(Tier::EMPTY) };

    /// Adds packed counts, `n` readings together.
    pub fn add(&mut self, entries: Entries<'_>, n: u64, room: Room) {
        self.n += n;
        if let Counts::Narrow(tier) = &self.counts
            && u64::from(u32::MAX) < self.n
        {
            self.counts = Counts::Wide(tier.widened());
        }
        match &mut self.counts {
            Counts::Narrow(tier) => tier.add(entries, room),
            Counts::Wide(tier) => tier.add(entries, room),
        }
    }

    /// Takes away packed counts that were added before.
    ///
    /// # Panics
    /// If they were not.
    pub fn subtract(&mut self, entries: Entries<'_>) {
        self.n -= match &mut self.counts {
            Counts::Narrow(tier) => tier.subtract(entries),
            Counts::Wide(tier) => tier.subtract(entries),
        };
    }

    /// How many readings are counted.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Calls `each` with the bins that hold the readings of the given ranks, which ascend and
    /// count from 1.
    ///
    /// # Panics
    /// If a rank is more than there are readings.
    pub fn at_ranks(&self, ranks: impl Iterator<Item = u64>, each: impl FnMut(Bin)) {
        match &self.counts {
            Counts::Narrow(tier) => tier.at_ranks(ranks, each),
            Counts::Wide(tier) => tier.at_ranks(ranks, each),
        }
    }

    /// Calls `each` with all bins in use and their counts, ascending.
    pub fn for_each(&self, each: impl FnMut(Bin, u64)) {
        match &self.counts {
            Counts::Narrow(tier) => tier.for_each(each),
            Counts::Wide(tier) => tier.for_each(each),
        }
    }

    /// What the counts take.
    #[must_use]
    pub fn taken(&self) -> Taken {
        match &self.counts {
            Counts::Narrow(tier) => tier.taken(),
            Counts::Wide(tier) => tier.taken(),
        }
    }

    /// Gives up what is taken for speed.
    pub fn confine(&mut self) {
        match &mut self.counts {
            Counts::Narrow(tier) => tier.confine(),
            Counts::Wide(tier) => tier.confine(),
        }
    }
}

/// Place of the chunk that a bin is in.
#[inline]
pub(super) fn place_of(bin: Bin) -> i16 {
    bin.div_euclid(CHUNK_BINS as i16)
}

/// Where a bin is in its chunk.
#[inline]
pub(super) fn within(bin: Bin) -> usize {
    bin.rem_euclid(CHUNK_BINS as i16) as usize
}

#[inline]
pub(super) fn counter<C: Counter>(count: u64) -> C {
    C::try_from(count).ok().expect("a sum turns wide before a counter can overflow")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::{super::tally::Tally, *};

    fn packed(counts: &BTreeMap<Bin, u64>) -> (Vec<u8>, u64) {
        let (mut tally, mut bytes) = (Tally::new(), Vec::new());
        counts.iter().for_each(|(&bin, &count)| tally.add(bin, count));
        let n = tally.pack(&mut bytes);
        (bytes, n)
    }

    fn entries(sum: &Sum) -> BTreeMap<Bin, u64> {
        let mut all = BTreeMap::new();
        sum.for_each(|bin, count| assert!(all.insert(bin, count).is_none()));
        all
    }

    proptest! {
        /// Against a map, over additions and subtractions, beyond 2^32 readings too.
        #[test]
        fn equals_a_map(
            panes in proptest::collection::vec(
                proptest::collection::btree_map(
                    prop_oneof![-100..100_i16, any::<Bin>()],
                    prop_oneof![10 => 1..50_u64, 1 => 1..1_u64 << 33],
                    0..40,
                ),
                1..12,
            ),
            keep in 1..5_usize,
            percentile in 0.1..100.0_f64,
        ) {
            let mut sum = Sum::EMPTY;
            for (i, pane) in panes.iter().enumerate() {
                let (bytes, n) = packed(pane);
                sum.add(Entries::new(&bytes), n, Room::Ample);
                if let Some(gone) = i.checked_sub(keep) {
                    sum.subtract(Entries::new(&packed(&panes[gone]).0));
                }
                let mut expected = BTreeMap::new();
                for pane in &panes[(i + 1).saturating_sub(keep)..=i] {
                    pane.iter().for_each(|(bin, n)| *expected.entry(*bin).or_insert(0) += n);
                }
                prop_assert_eq!(entries(&sum), expected.clone());
                prop_assert_eq!(sum.n(), expected.values().sum::<u64>());
                if sum.n() == 0 {
                    continue;
                }
                let ranks = [1, super::super::rank(percentile, sum.n()), sum.n()];
                let mut got = Vec::new();
                let mut ascending = ranks;
                ascending.sort_unstable();
                sum.at_ranks(ascending.into_iter(), |bin| got.push(bin));
                let naive = ascending.map(|rank| {
                    let mut below = 0;
                    let found = expected.iter().find(|(_, n)| { below += **n; rank <= below });
                    *found.expect("a rank of these").0
                });
                prop_assert_eq!(got, naive.to_vec());
            }
        }
    }

    #[test]
    #[should_panic(expected = "only what was added")]
    fn what_was_not_added_cannot_go() {
        let mut sum = Sum::EMPTY;
        let (bytes, n) = packed(&BTreeMap::from([(5, 1)]));
        sum.add(Entries::new(&bytes), n, Room::Ample);
        sum.subtract(Entries::new(&packed(&BTreeMap::from([(5, 2)])).0));
    }
}
