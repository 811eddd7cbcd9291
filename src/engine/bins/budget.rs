//! Who takes how much of the memory for percentiles.

use super::{
    relief::{Weight, Weights},
    sum::Taken,
};

/// What the bins of all channels take, and what has become of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Most bytes that they may take.
    pub budget_bytes: u64,
    /// Bytes that they take.
    pub bytes: u64,
    /// Those of them that are taken for the sake of speed, and given up first.
    pub spare: u64,
    /// Channels that have given them up.
    pub confined: u64,
    /// Channels that have fewer figures than configured.
    pub coarsened: u64,
    /// Channels that have no percentiles any more.
    pub withheld: u64,
}

impl Load {
    /// Adds what other channels take; the budget is that of all.
    pub fn add(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.spare += other.spare;
        self.confined += other.confined;
        self.coarsened += other.coarsened;
        self.withheld += other.withheld;
    }
}

/// Bytes by channel, with the largest of them at hand.
#[derive(Clone, Debug)]
pub struct Budget {
    /// The sum of the bytes, and what was done about it.
    pub load: Load,
    shares: Vec<Share>,
    /// The largest of each [`BLOCK`] of channels, unless they must be looked for anew.
    largest: Vec<Option<Largest>>,
}

#[derive(Clone, Copy, Debug)]
struct Share {
    bytes: u64,
    spare: u64,
    /// Index among all channels.
    index: u32,
    /// Whether the channel can do with fewer figures.
    yields: bool,
}

/// The channels of a block that have most to give.
#[derive(Clone, Copy, Debug)]
struct Largest {
    /// Of what is taken for speed.
    spare: Most,
    /// Of all, if they can do with fewer figures.
    yielding: Most,
}

/// Most bytes, and the first channel that has so many.
#[derive(Clone, Copy, Debug)]
struct Most {
    bytes: u64,
    channel: u32,
}

/// Channels whose largest is remembered together: looking for the largest of all costs one step
/// for each block, and one for each channel of those blocks that changed.
const BLOCK: usize = 256;

impl Budget {
    /// Room for so many bytes.
    #[must_use]
    pub fn new(budget_bytes: u64) -> Self {
        let load = Load { budget_bytes, ..Load::default() };
        Self { load, shares: Vec::new(), largest: Vec::new() }
    }

    /// A channel that takes nothing yet, and whether it can do with fewer figures. Its `index`
    /// among all channels is larger than those that were added before.
    pub fn add_channel(&mut self, index: u32, yields: bool) {
        self.shares.push(Share { bytes: 0, spare: 0, index, yields });
        self.largest.resize(self.shares.len().div_ceil(BLOCK), None);
    }

    /// The channel takes so many bytes now.
    #[inline]
    pub fn set(&mut self, channel: u32, taken: Taken) {
        let share = &mut self.shares[channel as usize];
        let (bytes, spare) = (taken.bytes as u64, taken.spare as u64);
        if (share.bytes, share.spare) != (bytes, spare) {
            self.load.bytes = self.load.bytes - share.bytes + bytes;
            self.load.spare = self.load.spare - share.spare + spare;
            (share.bytes, share.spare) = (bytes, spare);
            self.largest[channel as usize / BLOCK] = None;
        }
    }

    /// The channel cannot do with fewer figures.
    pub fn hold(&mut self, channel: u32) {
        self.shares[channel as usize].yields = false;
        self.largest[channel as usize / BLOCK] = None;
    }

    /// Whether the channel can do with fewer figures is as when it was added.
    pub fn release(&mut self, channel: u32, yields: bool) {
        self.shares[channel as usize].yields = yields;
        self.largest[channel as usize / BLOCK] = None;
    }

    /// Whether more bytes are taken than there are.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.load.budget_bytes < self.load.bytes
    }

    /// The channel with this index among all, if it is here.
    #[must_use]
    pub fn find(&self, index: u32) -> Option<u32> {
        let at = self.shares.binary_search_by_key(&index, |share| share.index).ok()?;
        Some(at as u32)
    }

    /// The channels that come into question when so many bytes are too many.
    #[must_use]
    pub fn weigh(&self, excess: u64) -> Weights {
        let taking = self.shares.iter().filter(|share| 0 < share.bytes);
        let weights = taking.map(|&Share { bytes, spare, index, yields }| {
            (Weight { channel: index, bytes, spare }, yields)
        });
        Weights::of(weights, excess)
    }

    /// The channel that takes most for the sake of speed, the first of equals.
    pub fn most_spare(&mut self) -> Option<u32> {
        if self.load.spare == 0 { None } else { self.most(|largest| largest.spare) }
    }

    /// The channel that takes most of those that can do with fewer figures, the first of equals.
    pub fn largest(&mut self) -> Option<u32> {
        self.most(|largest| largest.yielding)
    }

    fn most(&mut self, of: impl Fn(&Largest) -> Most) -> Option<u32> {
        let Self { shares, largest, .. } = self;
        let blocks = largest.iter_mut().zip(shares.chunks(BLOCK));
        let each = blocks.enumerate().map(|(block, (known, shares))| {
            of(known.get_or_insert_with(|| Largest::of(shares, block * BLOCK)))
        });
        let most = each.reduce(|a, b| if a.bytes < b.bytes { b } else { a })?;
        (0 < most.bytes).then_some(most.channel)
    }
}

impl Largest {
    fn of(shares: &[Share], from: usize) -> Self {
        let nothing = Most { bytes: 0, channel: from as u32 };
        let mut largest = Self { spare: nothing, yielding: nothing };
        for (channel, share) in (from as u32..).zip(shares) {
            if largest.spare.bytes < share.spare {
                largest.spare = Most { bytes: share.spare, channel };
            }
            if share.yields && largest.yielding.bytes < share.bytes {
                largest.yielding = Most { bytes: share.bytes, channel };
            }
        }
        largest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn finds_the_first_of_the_largest(
            steps in proptest::collection::vec(
                (0..700_u32, 0..5_usize, 0..5_usize, any::<bool>()),
                1..300,
            ),
        ) {
            let mut budget = Budget::new(100);
            (0..700).for_each(|index| budget.add_channel(index, true));
            let mut naive = vec![(0_u64, 0_u64, true); 700];
            for (channel, bytes, spare, hold) in steps {
                budget.set(channel, Taken { bytes, spare });
                let entry = &mut naive[channel as usize];
                (entry.0, entry.1) = (bytes as u64, spare as u64);
                if hold && bytes == 4 {
                    budget.hold(channel);
                    entry.2 = false;
                }
                let first_of_most = |size: fn(&(u64, u64, bool)) -> u64| {
                    let most = naive.iter().map(size).max().filter(|most| 0 < *most)?;
                    naive.iter().position(|entry| size(entry) == most).map(|at| at as u32)
                };
                let largest = first_of_most(|entry| if entry.2 { entry.0 } else { 0 });
                prop_assert_eq!(budget.largest(), largest);
                prop_assert_eq!(budget.most_spare(), first_of_most(|entry| entry.1));
                let sums = naive.iter().fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
                prop_assert_eq!((budget.load.bytes, budget.load.spare), sums);
                prop_assert_eq!(budget.is_broken(), 100 < sums.0);
            }
        }
    }
}
