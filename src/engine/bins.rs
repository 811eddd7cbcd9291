//! Percentile bins: where a value falls, and how many fell there.
//!
//! A value x becomes the integer q = round(x / resolution). |q| falls into a bin of
//! HdrHistogram's log-linear layout (Gil Tene, <http://hdrhistogram.org>): exact up to
//! 2^(m + 1), then 2^m bins for each power of two, with m = 4, 7 or 10 for 1, 2 or 3 significant
//! figures. The sign goes to the bin's number, so that ascending bins are ascending values.
//!
//! With midpoints reported, |x^ - x(k)| <= resolution / 2 + |x(k)| / 2^(m + 1) for the order
//! statistic x(k), and the bin is always the one x(k) is in, because counting is exact.

use crate::limits::BIN_VALUE_MAX;

/// The bins of one channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BinScale {
    resolution: f64,
    /// 1 / resolution, if it is a whole number: dividing by it gives back 1.38 where multiplying
    /// by 0.001 gives 1.3800000000000001.
    per_unit: Option<f64>,
    /// log2 of the bins per power of two.
    magnitude: u32,
}

/// A bin's number: 0 holds 0, positive bins positive values, ascending.
pub type Bin = i32;

impl BinScale {
    /// Bins of `resolution` with 1 to 3 significant `figures`.
    ///
    /// # Panics
    /// If `figures` is none of 1, 2, 3, or the resolution is not positive and finite.
    #[must_use]
    pub fn new(resolution: f64, figures: u8) -> Self {
        assert!(resolution.is_finite() && 0.0 < resolution, "resolution {resolution}");
        let magnitude = match figures {
            1 => 4,
            2 => 7,
            3 => 10,
            _ => panic!("{figures} significant figures: 1, 2 or 3 are possible"),
        };
        let per_unit = (1.0 / resolution).round();
        let whole = 1.0 <= per_unit && (per_unit * resolution - 1.0).abs() < 1e-12;
        Self { resolution, per_unit: whole.then_some(per_unit), magnitude }
    }

    /// The bin of a finite value, and whether the value lies within the range of the bins; the
    /// outermost bin takes those that do not.
    #[must_use]
    pub fn bin(&self, value: f64) -> (Bin, bool) {
        let scaled = (value / self.resolution).round();
        let within = scaled.abs() <= BIN_VALUE_MAX as f64;
        let quantity = (scaled.abs() as u64).min(BIN_VALUE_MAX);
        let index = self.index(quantity);
        (if scaled < 0.0 { -index } else { index }, within)
    }

    /// Middle of a bin, as HdrHistogram's `median_equivalent` defines it, times the resolution.
    #[must_use]
    pub fn middle(&self, bin: Bin) -> f64 {
        let (lowest, width) = self.range(bin.unsigned_abs());
        let middle = (lowest + width / 2) as f64;
        let middle = match self.per_unit {
            Some(per_unit) => middle / per_unit,
            None => middle * self.resolution,
        };
        if bin < 0 { -middle } else { middle }
    }

    /// Number of the bin of a magnitude.
    fn index(&self, quantity: u64) -> Bin {
        let octave = (64 - quantity.leading_zeros()).saturating_sub(self.magnitude + 1);
        let within_octave = quantity >> octave;
        let index = (u64::from(octave) << self.magnitude) + within_octave;
        Bin::try_from(index).expect("BIN_VALUE_MAX keeps bins below 2^17")
    }

    /// Lowest magnitude and width of a bin.
    fn range(&self, index: u32) -> (u64, u64) {
        let exact = 1_u32 << (self.magnitude + 1);
        if index < exact {
            return (u64::from(index), 1);
        }
        let octave = (index >> self.magnitude) - 1;
        let within_octave = u64::from(index - (octave << self.magnitude));
        (within_octave << octave, 1 << octave)
    }
}

/// Bytes that one bin in use takes: its number and its count.
pub const BIN_ENTRY_BYTES: usize = size_of::<(Bin, u64)>();

/// How many values fell into which bins: ascending, without empty bins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BinCounts {
    entries: Vec<(Bin, u64)>,
}

impl BinCounts {
    /// No value counted.
    pub const EMPTY: Self = Self { entries: Vec::new() };

    /// Counts a list of bins, which is sorted in place.
    #[must_use]
    pub fn of(bins: &mut [Bin]) -> Self {
        bins.sort_unstable();
        let mut entries: Vec<(Bin, u64)> = Vec::new();
        for &bin in bins.iter() {
            match entries.last_mut() {
                Some((last, count)) if *last == bin => *count += 1,
                _ => entries.push((bin, 1)),
            }
        }
        Self { entries }
    }

    /// Whether nothing is counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds other counts; `scratch` lends its allocation.
    pub fn add(&mut self, other: &Self, scratch: &mut Vec<(Bin, u64)>) {
        if self.entries.is_empty() {
            self.entries.extend_from_slice(&other.entries);
            return;
        }
        scratch.clear();
        let (mut mine, mut theirs) = (self.entries.as_slice(), other.entries.as_slice());
        while let (Some(&(a, a_count)), Some(&(b, b_count))) = (mine.first(), theirs.first()) {
            if a < b {
                scratch.push((a, a_count));
                mine = &mine[1..];
            } else if b < a {
                scratch.push((b, b_count));
                theirs = &theirs[1..];
            } else {
                scratch.push((a, a_count + b_count));
                (mine, theirs) = (&mine[1..], &theirs[1..]);
            }
        }
        scratch.extend_from_slice(mine);
        scratch.extend_from_slice(theirs);
        std::mem::swap(&mut self.entries, scratch);
    }

    /// Takes away counts that were added before: exact, because counts are integers.
    ///
    /// # Panics
    /// If they were not.
    pub fn subtract(&mut self, other: &Self) {
        let mut theirs = other.entries.iter().copied().peekable();
        self.entries.retain_mut(|(bin, count)| {
            if let Some((_, taken)) = theirs.next_if(|(their_bin, _)| their_bin == bin) {
                *count = count.checked_sub(taken).expect("only what was added is subtracted");
            }
            *count != 0
        });
        assert!(theirs.next().is_none(), "only what was added is subtracted");
    }

    /// The bins that hold the values of the given ranks, which ascend and count from 1.
    pub fn at_ranks(&self, ranks: impl Iterator<Item = u64>) -> impl Iterator<Item = Option<Bin>> {
        let mut seen = 0;
        let mut entries = self.entries.iter();
        let mut current = None;
        ranks.map(move |rank| {
            while seen < rank {
                let &(bin, count) = entries.next()?;
                seen += count;
                current = Some(bin);
            }
            current
        })
    }
}

/// Rank of a percentile among n values: max(1, ceil(p n / 100)), at most n.
///
/// The product may miss a whole number by its rounding: it is taken for the whole number, since
/// no percentile that people write lies as close to the next rank. So 99.9 % of 1,000 is 999.
#[must_use]
pub fn rank(percentile: f64, n: u64) -> u64 {
    let exact = percentile * n as f64 / 100.0;
    let rank = (exact * (1.0 - 4.0 * f64::EPSILON)).ceil() as u64;
    rank.clamp(1, n.max(1))
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;
    use proptest::prelude::*;

    use super::*;

    fn crate_histogram(figures: u8) -> Histogram<u64> {
        Histogram::new_with_bounds(1, BIN_VALUE_MAX, figures).expect("valid bounds")
    }

    proptest! {
        /// Same layout as the reference implementation: lowest value, width and middle of every
        /// bin agree.
        #[test]
        fn bins_are_those_of_hdrhistogram(
            quantity in prop_oneof![0..5_000_u64, 0..=BIN_VALUE_MAX],
            figures in 1..=3_u8,
        ) {
            let scale = BinScale::new(1.0, figures);
            let reference = crate_histogram(figures);
            let (bin, within) = scale.bin(quantity as f64);
            let (lowest, width) = scale.range(bin.unsigned_abs());
            prop_assert!(within);
            prop_assert_eq!(lowest, reference.lowest_equivalent(quantity));
            prop_assert_eq!(lowest + width, reference.next_non_equivalent(quantity));
            prop_assert_eq!(scale.middle(bin) as u64, reference.median_equivalent(quantity));
            let (negative, _) = scale.bin(-(quantity as f64));
            prop_assert_eq!(negative, -bin);
        }

        /// Each reported value lies within the stated bound of the true order statistic.
        #[test]
        fn percentiles_keep_their_bound(
            values in proptest::collection::vec(-1e6..1e6_f64, 1..200),
            percentile in 0.1..100.0_f64,
            figures in 1..=3_u8,
        ) {
            let scale = BinScale::new(0.01, figures);
            let mut bins: Vec<Bin> = values.iter().map(|&x| scale.bin(x).0).collect();
            let counts = BinCounts::of(&mut bins);
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let rank = rank(percentile, sorted.len() as u64);
            let truth = sorted[rank as usize - 1];
            let bin = counts.at_ranks([rank].into_iter()).next().flatten().expect("in range");
            prop_assert_eq!(bin, scale.bin(truth).0);
            let figures_bound = truth.abs() / f64::from(1_u32 << (scale.magnitude + 1));
            let error = (scale.middle(bin) - truth).abs();
            prop_assert!(error <= 0.005 + figures_bound + 1e-9, "{truth} gave {error}");
        }

        #[test]
        fn subtracting_undoes_adding(
            mut first in proptest::collection::vec(-50..50_i32, 0..100),
            mut second in proptest::collection::vec(-50..50_i32, 0..100),
        ) {
            let (kept, gone) = (BinCounts::of(&mut first), BinCounts::of(&mut second));
            let mut both = kept.clone();
            both.add(&gone, &mut Vec::new());
            let mut all = [first.clone(), second.clone()].concat();
            prop_assert_eq!(&both, &BinCounts::of(&mut all));
            both.subtract(&gone);
            prop_assert_eq!(both, kept);
        }
    }

    #[test]
    fn the_outermost_bin_takes_what_is_beyond() {
        let scale = BinScale::new(0.001, 2);
        let (bin, within) = scale.bin(1e300);
        assert_eq!((bin, within), (scale.index(BIN_VALUE_MAX), false));
        let (bin, within) = scale.bin(-1e300);
        assert_eq!((bin, within), (-scale.index(BIN_VALUE_MAX), false));
    }

    #[test]
    fn ranks_follow_the_ceiling_rule() {
        assert_eq!(rank(50.0, 4), 2);
        assert_eq!(rank(50.0, 5), 3);
        assert_eq!(rank(0.001, 5), 1);
        assert_eq!(rank(100.0, 5), 5);
        for (percentile, n, expected) in [(99.9, 1_000, 999), (7.0, 100, 7), (55.0, 100, 55)] {
            assert_eq!(rank(percentile, n), expected, "{percentile} of {n}");
        }
    }

    #[test]
    fn ranks_are_those_of_whole_numbers() {
        for thousandths in (1..=100_000_u64).step_by(37) {
            for n in (1..5_000).step_by(41) {
                let expected = (thousandths * n).div_ceil(100_000).max(1);
                assert_eq!(rank(thousandths as f64 / 1_000.0, n), expected, "{thousandths} {n}");
            }
        }
    }
}
