//! What is done when the percentiles of all channels take more than their budget, where the
//! channels are divided among several.
//!
//! It is decided over all of them, from one publication to the next: one finds that they take too
//! much, at the next everybody names the channels that take most, and at the one after these give
//! way: first what they take for the sake of speed, then a figure each time. With none left that
//! can do with less, the youngest give up their bins, for good. Each step follows from what the
//! channels take, and from nothing else: not from how many share the work, nor from who is how far
//! with it.

use std::{cmp::Reverse, sync::Arc};

/// What is to be done at a publication.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Relief {
    /// Nothing.
    #[default]
    None,
    /// Name the channels that come into question, as there are so many bytes too many.
    Weigh {
        /// Bytes to be freed.
        excess: u64,
    },
    /// Let these channels, by their indexes, take no more for the sake of speed.
    Confine(Arc<[u32]>),
    /// Count these channels, by their indexes, with one figure less.
    Coarsen(Arc<[u32]>),
    /// Count these channels, by their indexes, no more.
    Withhold(Arc<[u32]>),
}

/// What the bins of a channel take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight {
    /// Index of the channel.
    pub channel: u32,
    /// Bytes.
    pub bytes: u64,
    /// Those of them that are taken for the sake of speed.
    pub spare: u64,
}

/// The channels that come into question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weights {
    /// Of those that take some for the sake of speed the ones with most, as many as are needed.
    sparing: Vec<Weight>,
    /// Of those that can do with fewer figures the heaviest, as many as may be needed, if none
    /// takes any for the sake of speed.
    yielding: Vec<Weight>,
    /// Of those with bins the youngest, if none can do with less.
    youngest: Vec<Weight>,
}

/// Weights that are looked through for the heaviest before more are.
const FIRST_LOOK: usize = 64;

impl Weights {
    /// Those of some channels, each with whether it can do with fewer figures.
    pub fn of(channels: impl Iterator<Item = (Weight, bool)> + Clone, excess: u64) -> Self {
        let all = channels.clone().map(|(weight, _)| weight);
        let sparing = most_sparing(all.clone().filter(|weight| 0 < weight.spare).collect(), excess);
        if !sparing.is_empty() {
            return Self { sparing, ..Self::default() };
        }
        let yielding = channels.filter(|(_, yields)| *yields).map(|(weight, _)| weight);
        let yielding = heaviest(yielding.collect(), excess);
        if !yielding.is_empty() {
            return Self { yielding, ..Self::default() };
        }
        Self { youngest: youngest(all.collect(), excess), ..Self::default() }
    }

    /// Adds those of other channels.
    pub fn join(&mut self, mut other: Self) {
        self.sparing.append(&mut other.sparing);
        self.yielding.append(&mut other.yielding);
        self.youngest.append(&mut other.youngest);
    }

    /// Whether no channel comes into question.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sparing.is_empty() && self.yielding.is_empty() && self.youngest.is_empty()
    }

    /// What is to be done, of all channels and the excess for which they were weighed.
    #[must_use]
    pub fn judge(self, excess: u64) -> Relief {
        let channels =
            |weights: Vec<Weight>| weights.iter().map(|weight| weight.channel).collect::<Arc<_>>();
        if !self.sparing.is_empty() {
            Relief::Confine(channels(most_sparing(self.sparing, excess)))
        } else if !self.yielding.is_empty() {
            Relief::Coarsen(channels(heaviest(self.yielding, excess)))
        } else if !self.youngest.is_empty() {
            Relief::Withhold(channels(youngest(self.youngest, excess)))
        } else {
            Relief::None
        }
    }
}

/// Those that take most for the sake of speed, of equals the first, as many as free the excess.
fn most_sparing(weights: Vec<Weight>, excess: u64) -> Vec<Weight> {
    first_by(weights, excess, |weight| (Reverse(weight.spare), weight.channel), |it| it.spare)
}

/// The heaviest, of equals the first, as many as free the excess if one figure less halves what
/// a channel takes: mostly it leaves less than that.
fn heaviest(weights: Vec<Weight>, excess: u64) -> Vec<Weight> {
    first_by(weights, excess, |weight| (Reverse(weight.bytes), weight.channel), |it| it.bytes / 2)
}

/// The first by an order, as many as free the excess.
fn first_by(
    mut weights: Vec<Weight>,
    excess: u64,
    order: impl Fn(&Weight) -> (Reverse<u64>, u32),
    freed: impl Fn(&Weight) -> u64,
) -> Vec<Weight> {
    // They may be a million and those that are needed few: these are found without sorting all.
    let mut look = FIRST_LOOK;
    while look < weights.len() {
        weights.select_nth_unstable_by_key(look, &order);
        if excess <= weights[..look].iter().map(&freed).sum() {
            weights.truncate(look);
        }
        look *= 8;
    }
    weights.sort_unstable_by_key(order);
    first(weights, excess, freed)
}

/// The youngest, as many as free the excess.
fn youngest(mut weights: Vec<Weight>, excess: u64) -> Vec<Weight> {
    weights.sort_unstable_by_key(|weight| Reverse(weight.channel));
    first(weights, excess, |weight| weight.bytes)
}

fn first(mut weights: Vec<Weight>, excess: u64, freed: impl Fn(&Weight) -> u64) -> Vec<Weight> {
    let mut sum = 0;
    let mut enough = |weight| {
        let before = sum;
        sum += freed(weight);
        excess <= before
    };
    let needed = weights.iter().position(&mut enough).unwrap_or(weights.len());
    weights.truncate(needed);
    weights
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whoever has which channels, the same are named, and they are what a look at all of
        /// them gives.
        #[test]
        fn the_same_channels_are_named_however_they_are_divided(
            channels in proptest::collection::vec((1..40_u64, 0..30_u64, any::<bool>()), 1..700),
            is_any_spare in any::<bool>(),
            excess in 1..4_000_u64,
            shards in 1..5_usize,
        ) {
            let all = (0_u32..).zip(&channels).map(|(channel, &(bytes, spare, yields))| {
                let spare = if is_any_spare { spare.saturating_sub(15) } else { 0 };
                (Weight { channel, bytes, spare }, yields)
            });
            let mut joined = Weights::default();
            for shard in 0..shards {
                let mine = all.clone().filter(|(weight, _)| {
                    weight.channel as usize % shards == shard
                });
                joined.join(Weights::of(mine, excess));
            }
            prop_assert_eq!(joined.judge(excess), naive(&all.collect::<Vec<_>>(), excess));
        }
    }

    fn naive(all: &[(Weight, bool)], excess: u64) -> Relief {
        let named = |mut order: Vec<(u64, Reverse<u64>, Weight)>| -> Arc<[u32]> {
            order.sort_by_key(|(_, size, weight)| (*size, weight.channel));
            let mut left = excess;
            let needed = order.iter().take_while(|(freed, ..)| {
                let needed = 0 < left;
                left = left.saturating_sub(*freed);
                needed
            });
            needed.map(|(.., weight)| weight.channel).collect()
        };
        let each = all.iter().map(|(weight, _)| *weight);
        if each.clone().any(|weight| 0 < weight.spare) {
            let sparing = each.filter(|weight| 0 < weight.spare);
            let order = sparing.map(|weight| (weight.spare, Reverse(weight.spare), weight));
            return Relief::Confine(named(order.collect()));
        }
        if all.iter().any(|(_, yields)| *yields) {
            let yielding = all.iter().filter(|(_, yields)| *yields);
            let order =
                yielding.map(|(weight, _)| (weight.bytes / 2, Reverse(weight.bytes), *weight));
            return Relief::Coarsen(named(order.collect()));
        }
        let order = each.map(|weight| (weight.bytes, Reverse(u64::from(weight.channel)), weight));
        Relief::Withhold(named(order.collect()))
    }

    #[test]
    fn without_bins_there_is_nothing_to_be_done() {
        assert_eq!(Weights::of(std::iter::empty(), 7).judge(7), Relief::None);
    }
}
