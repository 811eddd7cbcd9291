//! The bins of a whole window in sum: dense where there is something, absent elsewhere.
//!
//! Chunks of neighbouring bins, ascending, none of them empty. Readings of a sensor lie close
//! together, so most windows are a few chunks; two clusters far apart are two clusters, not the
//! whole range between. What a sum takes follows from what it holds alone.

use super::{Bin, packed::Entries};

/// Bins of one chunk.
const CHUNK_BINS: usize = 16;

/// Counts by bin, with counters of 32 bits for as long as these cannot overflow.
#[derive(Clone, Debug)]
pub enum Sum {
    /// Holds fewer than 2^32 readings.
    Narrow(Chunks<u32>),
    /// Has held more at a time.
    Wide(Chunks<u64>),
}

/// An integer that counts readings.
pub trait Counter: Copy + Default + Into<u64> + TryFrom<u64> + PartialEq {}

impl Counter for u32 {}
impl Counter for u64 {}

/// Counts by bin.
#[derive(Clone, Debug, Default)]
pub struct Chunks<C> {
    chunks: Vec<Chunk<C>>,
    n: u64,
}

#[derive(Clone, Copy, Debug)]
struct Chunk<C> {
    counts: [C; CHUNK_BINS],
    /// Sum of the counts.
    n: C,
    /// Number of its first bin, divided by [`CHUNK_BINS`].
    place: i16,
}

impl Sum {
    /// Nothing counted.
    pub const EMPTY: Self = Self::Narrow(Chunks { chunks: Vec::new(), n: 0 });

    /// Adds packed counts, `n` readings together.
    pub fn add(&mut self, entries: Entries<'_>, n: u64) {
        if let Self::Narrow(chunks) = self {
            if chunks.n + n <= u64::from(u32::MAX) {
                return chunks.add(entries, n);
            }
            *self = Self::Wide(chunks.widened());
        }
        if let Self::Wide(chunks) = self {
            chunks.add(entries, n);
        }
    }

    /// Takes away packed counts that were added before.
    ///
    /// # Panics
    /// If they were not.
    pub fn subtract(&mut self, entries: Entries<'_>) {
        match self {
            Self::Narrow(chunks) => chunks.subtract(entries),
            Self::Wide(chunks) => chunks.subtract(entries),
        }
    }

    /// How many readings are counted.
    #[must_use]
    pub fn n(&self) -> u64 {
        match self {
            Self::Narrow(chunks) => chunks.n,
            Self::Wide(chunks) => chunks.n,
        }
    }

    /// Calls `each` with the bins that hold the readings of the given ranks, which ascend and
    /// count from 1.
    ///
    /// # Panics
    /// If a rank is more than there are readings.
    pub fn at_ranks(&self, ranks: impl Iterator<Item = u64>, each: impl FnMut(Bin)) {
        match self {
            Self::Narrow(chunks) => chunks.at_ranks(ranks, each),
            Self::Wide(chunks) => chunks.at_ranks(ranks, each),
        }
    }

    /// Calls `each` with all bins in use and their counts, ascending.
    pub fn for_each(&self, each: impl FnMut(Bin, u64)) {
        match self {
            Self::Narrow(chunks) => chunks.for_each(each),
            Self::Wide(chunks) => chunks.for_each(each),
        }
    }

    /// Bytes that the counts take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Narrow(chunks) => chunks.bytes(),
            Self::Wide(chunks) => chunks.bytes(),
        }
    }
}

impl<C: Counter> Chunks<C> {
    fn add(&mut self, entries: Entries<'_>, n: u64) {
        self.n += n;
        let mut at = 0;
        for (bin, count) in entries {
            let place = bin.div_euclid(CHUNK_BINS as i16);
            at = self.seek(at, place);
            let chunk = &mut self.chunks[at];
            let slot = &mut chunk.counts[bin.rem_euclid(CHUNK_BINS as i16) as usize];
            *slot = counter((*slot).into() + count);
            chunk.n = counter(chunk.n.into() + count);
        }
    }

    /// Position of the chunk of this place, at or after `at`; there is one then.
    fn seek(&mut self, mut at: usize, place: i16) -> usize {
        while at < self.chunks.len() && self.chunks[at].place < place {
            at += 1;
        }
        if self.chunks.get(at).is_none_or(|chunk| chunk.place != place) {
            if self.chunks.len() == self.chunks.capacity() {
                // Not doubled: the budget counts what is held, used or not.
                self.chunks.reserve_exact(1 + self.chunks.len() / 4);
            }
            let chunk = Chunk { counts: [C::default(); CHUNK_BINS], n: C::default(), place };
            self.chunks.insert(at, chunk);
        }
        at
    }

    fn subtract(&mut self, entries: Entries<'_>) {
        let (mut at, mut emptied) = (0, false);
        for (bin, count) in entries {
            let place = bin.div_euclid(CHUNK_BINS as i16);
            while self.chunks[at].place < place {
                at += 1;
            }
            let chunk = &mut self.chunks[at];
            let slot = &mut chunk.counts[bin.rem_euclid(CHUNK_BINS as i16) as usize];
            let left = (*slot).into().checked_sub(count);
            *slot = counter(left.expect("only what was added is subtracted"));
            chunk.n = counter(chunk.n.into() - count);
            emptied |= chunk.n.into() == 0;
            self.n -= count;
        }
        if emptied {
            self.chunks.retain(|chunk| chunk.n.into() != 0);
        }
    }

    fn at_ranks(&self, ranks: impl Iterator<Item = u64>, mut each: impl FnMut(Bin)) {
        let (mut at, mut below) = (0, 0);
        for rank in ranks {
            while below + self.chunks[at].n.into() < rank {
                below += self.chunks[at].n.into();
                at += 1;
            }
            let chunk = &self.chunks[at];
            let mut seen = below;
            let within = chunk.counts.iter().position(|&count| {
                seen += count.into();
                rank <= seen
            });
            let within = within.expect("a chunk's count is the sum of its bins'");
            each(chunk.place * CHUNK_BINS as i16 + within as i16);
        }
    }

    fn for_each(&self, mut each: impl FnMut(Bin, u64)) {
        for chunk in &self.chunks {
            for (within, &count) in chunk.counts.iter().enumerate() {
                if count.into() != 0 {
                    each(chunk.place * CHUNK_BINS as i16 + within as i16, count.into());
                }
            }
        }
    }

    fn bytes(&self) -> usize {
        self.chunks.capacity() * size_of::<Chunk<C>>()
    }
}

impl Chunks<u32> {
    fn widened(&self) -> Chunks<u64> {
        let chunks = self.chunks.iter().map(|chunk| Chunk {
            counts: chunk.counts.map(u64::from),
            n: u64::from(chunk.n),
            place: chunk.place,
        });
        Chunks { chunks: chunks.collect(), n: self.n }
    }
}

#[inline]
fn counter<C: Counter>(count: u64) -> C {
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
                sum.add(Entries::new(&bytes), n);
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
        sum.add(Entries::new(&bytes), n);
        sum.subtract(Entries::new(&packed(&BTreeMap::from([(5, 2)])).0));
    }
}
