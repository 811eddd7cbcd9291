//! What is done when the percentiles of all channels take more than their budget, where the
//! channels are divided among several.
//!
//! It is decided over all of them, from one publication to the next: one finds that they take too
//! much, at the next everybody names the channels that take most, and at the one after these are
//! counted with a figure less. With none left that can do with less, the youngest give up their
//! bins, for good. Each step follows from what the channels take, and from nothing else: not from
//! how many share the work, nor from who is how far with it.

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
}

/// The channels that come into question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weights {
    /// Of those that can do with less the heaviest, as many as may be needed.
    yielding: Vec<Weight>,
    /// Of those with bins the youngest, if none can do with less.
    youngest: Vec<Weight>,
}

/// Weights that are looked through for the heaviest before more are.
const FIRST_LOOK: usize = 64;

impl Weights {
    /// Those of some channels, each with whether it can do with less.
    pub fn of(channels: impl Iterator<Item = (Weight, bool)> + Clone, excess: u64) -> Self {
        let yielding = channels.clone().filter(|(_, yields)| *yields).map(|(weight, _)| weight);
        let yielding = heaviest(yielding.collect(), excess);
        let youngest = if yielding.is_empty() {
            youngest(channels.map(|(weight, _)| weight).collect(), excess)
        } else {
            Vec::new()
        };
        Self { yielding, youngest }
    }

    /// Adds those of other channels.
    pub fn join(&mut self, mut other: Self) {
        self.yielding.append(&mut other.yielding);
        self.youngest.append(&mut other.youngest);
    }

    /// Whether no channel comes into question.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.yielding.is_empty() && self.youngest.is_empty()
    }

    /// What is to be done, of all channels and the excess for which they were weighed.
    #[must_use]
    pub fn judge(self, excess: u64) -> Relief {
        let channels =
            |weights: Vec<Weight>| weights.iter().map(|weight| weight.channel).collect::<Arc<_>>();
        if !self.yielding.is_empty() {
            Relief::Coarsen(channels(heaviest(self.yielding, excess)))
        } else if !self.youngest.is_empty() {
            Relief::Withhold(channels(youngest(self.youngest, excess)))
        } else {
            Relief::None
        }
    }
}

/// The heaviest, of equals the first, as many as free the excess if one figure less halves what
/// a channel takes: mostly it leaves less than that.
fn heaviest(mut weights: Vec<Weight>, excess: u64) -> Vec<Weight> {
    let order = |weight: &Weight| (Reverse(weight.bytes), weight.channel);
    // They may be a million and those that are needed few: these are found without sorting all.
    let mut look = FIRST_LOOK;
    while look < weights.len() {
        weights.select_nth_unstable_by_key(look, order);
        if excess <= weights[..look].iter().map(|weight| weight.bytes / 2).sum() {
            weights.truncate(look);
        }
        look *= 8;
    }
    weights.sort_unstable_by_key(order);
    first(weights, excess, |weight| weight.bytes / 2)
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
            channels in proptest::collection::vec((1..40_u64, any::<bool>()), 1..700),
            excess in 1..4_000_u64,
            shards in 1..5_usize,
        ) {
            let all = (0_u32..).zip(&channels).map(|(channel, &(bytes, yields))| {
                (Weight { channel, bytes }, yields)
            });
            let mut joined = Weights::default();
            for shard in 0..shards {
                let mine = all.clone().filter(|(weight, _)| {
                    weight.channel as usize % shards == shard
                });
                joined.join(Weights::of(mine, excess));
            }
            let mut left = excess;
            let can_yield = channels.iter().any(|(_, yields)| *yields);
            let mut order: Vec<(Weight, bool)> = all.filter(|it| it.1 || !can_yield).collect();
            order.sort_by_key(|(Weight { channel, bytes }, _)| match can_yield {
                true => (Reverse(*bytes), i64::from(*channel)),
                false => (Reverse(0), -i64::from(*channel)),
            });
            let named = order.iter().take_while(|(Weight { bytes, .. }, _)| {
                let needed = 0 < left;
                left = left.saturating_sub(if can_yield { bytes / 2 } else { *bytes });
                needed
            });
            let named: Arc<[u32]> = named.map(|(weight, _)| weight.channel).collect();
            let expected =
                if can_yield { Relief::Coarsen(named) } else { Relief::Withhold(named) };
            prop_assert_eq!(joined.judge(excess), expected);
        }
    }

    #[test]
    fn without_bins_there_is_nothing_to_be_done() {
        assert_eq!(Weights::of(std::iter::empty(), 7).judge(7), Relief::None);
    }
}
