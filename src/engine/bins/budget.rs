//! Who takes how much of the memory for percentiles.

use super::relief::{Weight, Weights};

/// What the bins of all channels take, and what has become of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Most bytes that they may take.
    pub budget_bytes: u64,
    /// Bytes that they take.
    pub bytes: u64,
    /// Channels that have fewer figures than configured.
    pub coarsened: u64,
    /// Channels that have no percentiles any more.
    pub withheld: u64,
}

impl Load {
    /// Adds what other channels take; the budget is that of all.
    pub fn add(&mut self, other: &Self) {
        self.bytes += other.bytes;
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
    /// The largest of each [`BLOCK`] of channels, unless it must be looked for anew.
    largest: Vec<Option<(u64, u32)>>,
}

#[derive(Clone, Copy, Debug)]
struct Share {
    bytes: u64,
    /// Index among all channels.
    index: u32,
    /// Whether the channel can do with less.
    yields: bool,
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

    /// A channel that takes nothing yet, and whether it can do with less. Its `index` among all
    /// channels is larger than those that were added before.
    pub fn add_channel(&mut self, index: u32, yields: bool) {
        self.shares.push(Share { bytes: 0, index, yields });
        self.largest.resize(self.shares.len().div_ceil(BLOCK), None);
    }

    /// The channel takes so many bytes now.
    #[inline]
    pub fn set(&mut self, channel: u32, bytes: u64) {
        let share = &mut self.shares[channel as usize];
        if share.bytes != bytes {
            self.load.bytes = self.load.bytes - share.bytes + bytes;
            share.bytes = bytes;
            self.largest[channel as usize / BLOCK] = None;
        }
    }

    /// The channel cannot do with less.
    pub fn hold(&mut self, channel: u32) {
        self.shares[channel as usize].yields = false;
        self.largest[channel as usize / BLOCK] = None;
    }

    /// Whether the channel can do with less is as when it was added.
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
        let weights = taking
            .map(|&Share { bytes, index, yields }| (Weight { channel: index, bytes }, yields));
        Weights::of(weights, excess)
    }

    /// The channel that takes most of those that can do with less, the first of equals.
    pub fn largest(&mut self) -> Option<u32> {
        let Self { shares, largest, .. } = self;
        let blocks = largest.iter_mut().zip(shares.chunks(BLOCK));
        let each = blocks.enumerate().map(|(block, (known, shares))| {
            *known.get_or_insert_with(|| largest_of(shares, block * BLOCK))
        });
        let first = each.reduce(|a, b| if a.0 < b.0 { b } else { a })?;
        (0 < first.0).then_some(first.1)
    }
}

fn largest_of(shares: &[Share], from: usize) -> (u64, u32) {
    let mut most = (0, from as u32);
    for (channel, share) in (from as u32..).zip(shares) {
        if share.yields && most.0 < share.bytes {
            most = (share.bytes, channel);
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn finds_the_first_of_the_largest(
            steps in proptest::collection::vec((0..700_u32, 0..5_u64, any::<bool>()), 1..300),
        ) {
            let mut budget = Budget::new(100);
            (0..700).for_each(|index| budget.add_channel(index, true));
            let mut naive = vec![(0_u64, true); 700];
            for (channel, bytes, hold) in steps {
                budget.set(channel, bytes);
                naive[channel as usize].0 = bytes;
                if hold && bytes == 4 {
                    budget.hold(channel);
                    naive[channel as usize].1 = false;
                }
                let yields = (0_u32..).zip(&naive).filter(|(_, share)| share.1 && 0 < share.0);
                let most = yields.clone().map(|(_, share)| share.0).max();
                let expected = yields.clone().find(|(_, share)| Some(share.0) == most);
                prop_assert_eq!(budget.largest(), expected.map(|(channel, _)| channel));
                let sum: u64 = naive.iter().map(|share| share.0).sum();
                prop_assert_eq!((budget.load.bytes, budget.is_broken()), (sum, 100 < sum));
            }
        }
    }
}
