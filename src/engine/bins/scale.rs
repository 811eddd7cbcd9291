//! Which bin a value falls into.
//!
//! A value x becomes the integer q = round(x / resolution), halves away from zero. |q| falls into
//! a bin of HdrHistogram's log-linear layout (Gil Tene, <http://hdrhistogram.org>): exact up to
//! 2^(m + 1), then 2^m bins for each power of two, with m = 4, 7 or 10 for 1, 2 or 3 significant
//! figures. The sign goes to the bin's number, so that ascending bins are ascending values.
//!
//! With midpoints reported, |x^ - x(k)| <= r / 2 + (|x(k)| + r / 2) / 2^(m + 1) for the order
//! statistic x(k) and the resolution r, and the bin is always the one x(k) is in, because x goes
//! to its bin by a function that never falls, and counting is exact.
//!
//! The quotient is a product with 1 / resolution, which is not the same number: it is off by at
//! most 2^-52 of itself, far within the bound. It never falls either. For resolutions such as
//! 0.01, of which a whole number makes one, the product is the better of the two.

use crate::limits::BIN_VALUE_MAX;

/// The bins of one channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BinScale {
    resolution: f64,
    /// 1 / resolution, rounded if it is a whole number but for its own rounding.
    per_unit: f64,
    /// Whether it is: dividing by it gives back 1.38 where multiplying by 0.001 gives
    /// 1.3800000000000001.
    whole: bool,
    /// log2 of the bins per power of two.
    magnitude: u32,
}

/// A bin's number: 0 holds 0, positive bins positive values, ascending.
pub type Bin = i16;

/// The largest double below a half. Added before the cut, it rounds halves away from zero; a half
/// itself would also lift the largest double below a half.
const BELOW_HALF: f64 = 0.5 - f64::EPSILON / 4.0;

const _: () = assert!(bin_of_magnitude(BIN_VALUE_MAX, MAGNITUDE_MAX) <= Bin::MAX as u64);
const MAGNITUDE_MAX: u32 = 10;

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
            3 => MAGNITUDE_MAX,
            _ => panic!("{figures} significant figures: 1, 2 or 3 are possible"),
        };
        let exact = 1.0 / resolution;
        let rounded = exact.round();
        let whole = 1.0 <= rounded && (rounded * resolution - 1.0).abs() < 1e-12;
        let per_unit = if whole { rounded } else { exact };
        Self { resolution, per_unit, whole, magnitude }
    }

    /// Significant figures.
    #[must_use]
    pub fn figures(&self) -> u8 {
        (self.magnitude / 3) as u8
    }

    /// Width of the finest bin.
    #[must_use]
    pub fn resolution(&self) -> f64 {
        self.resolution
    }

    /// The bin of a finite value, and whether the value lies within the range of the bins; the
    /// outermost bin takes those that do not.
    #[inline]
    #[must_use]
    pub fn bin(&self, value: f64) -> (Bin, bool) {
        const MOST: f64 = BIN_VALUE_MAX as f64;
        let scaled = value * self.per_unit;
        let rounded = scaled.abs() + BELOW_HALF;
        let quantity = rounded.min(MOST) as u64;
        let bin = bin_of_magnitude(quantity, self.magnitude) as Bin;
        (if scaled < 0.0 { -bin } else { bin }, rounded < MOST + 1.0)
    }

    /// Middle of a bin, as HdrHistogram's `median_equivalent` defines it, times the resolution.
    #[must_use]
    pub fn middle(&self, bin: Bin) -> f64 {
        let (lowest, width) = self.range(bin);
        let middle = (lowest + width / 2) as f64;
        let middle = if self.whole { middle / self.per_unit } else { middle * self.resolution };
        if bin < 0 { -middle } else { middle }
    }

    /// These bins with one significant figure less; `None` if there is but one.
    #[must_use]
    pub fn coarser(self) -> Option<Self> {
        let magnitude = self.magnitude - 3;
        (4 <= magnitude).then_some(Self { magnitude, ..self })
    }

    /// The bin of coarser bins of the same resolution in which this one lies.
    ///
    /// A bin's lower edge is a multiple of its width, and a coarser bin's width a multiple of
    /// that: the finer bins never straddle.
    #[must_use]
    pub fn nest(&self, bin: Bin, coarser: &Self) -> Bin {
        debug_assert!(coarser.magnitude <= self.magnitude);
        let (lowest, _) = self.range(bin);
        let nest = bin_of_magnitude(lowest, coarser.magnitude) as Bin;
        if bin < 0 { -nest } else { nest }
    }

    /// Lowest magnitude and width of a bin, in resolutions.
    #[must_use]
    pub fn range(&self, bin: Bin) -> (u64, u64) {
        let index = u32::from(bin.unsigned_abs());
        let exact = 1_u32 << (self.magnitude + 1);
        if index < exact {
            return (u64::from(index), 1);
        }
        let octave = (index >> self.magnitude) - 1;
        let within_octave = u64::from(index - (octave << self.magnitude));
        (within_octave << octave, 1 << octave)
    }
}

/// Number of the bin of a magnitude, with 2^m bins for each power of two.
const fn bin_of_magnitude(quantity: u64, magnitude: u32) -> u64 {
    let exact = (2_u64 << magnitude) - 1;
    let octave = (quantity | exact).ilog2() - magnitude;
    ((octave as u64) << magnitude) + (quantity >> octave)
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
            let (lowest, width) = scale.range(bin);
            prop_assert!(within);
            prop_assert_eq!(lowest, reference.lowest_equivalent(quantity));
            prop_assert_eq!(lowest + width, reference.next_non_equivalent(quantity));
            prop_assert_eq!(scale.middle(bin) as u64, reference.median_equivalent(quantity));
            let (negative, _) = scale.bin(-(quantity as f64));
            prop_assert_eq!(negative, -bin);
        }

        /// Finer bins lie within coarser ones: going by way of them loses nothing.
        #[test]
        fn a_finer_bin_nests(value in -1e6..1e6_f64) {
            let [one, two, three] = [1, 2, 3].map(|figures| BinScale::new(0.01, figures));
            let bin = three.bin(value).0;
            prop_assert_eq!(three.nest(bin, &two), two.bin(value).0);
            prop_assert_eq!(three.nest(bin, &one), one.bin(value).0);
            prop_assert_eq!(two.nest(two.bin(value).0, &one), one.bin(value).0);
        }

        /// Halves go away from zero, and so does nothing else.
        #[test]
        fn rounding_is_that_of_the_language(
            tie in (0..1_u64 << 41, -2..=2_i64),
            any in -1e12..1e12_f64,
        ) {
            let (halves, ulps) = tie;
            let near = f64::from_bits(((halves as f64 / 2.0).to_bits() as i64 + ulps).max(0) as u64);
            for value in [near, -near, any] {
                let expected = value.round().abs().min(BIN_VALUE_MAX as f64) as u64;
                let scale = BinScale::new(1.0, 3);
                let bin = bin_of_magnitude(expected, 10) as Bin;
                let within = value.round().abs() <= BIN_VALUE_MAX as f64;
                prop_assert_eq!(scale.bin(value), (if value < 0.0 { -bin } else { bin }, within));
            }
        }

        /// The middle of a value's bin lies within the stated bound of the value, for every
        /// resolution, and the bins ascend as the values do.
        #[test]
        fn bins_keep_their_bound(
            (a, b) in (-1e6..1e6_f64, -1e6..1e6_f64),
            resolution in prop_oneof![Just(0.01), Just(0.001), Just(0.3), Just(2.5), 1e-3..1e3_f64],
            figures in 1..=3_u8,
        ) {
            let scale = BinScale::new(resolution, figures);
            for x in [a, b] {
                let error = (scale.middle(scale.bin(x).0) - x).abs();
                prop_assert!(error <= bound(&scale, x), "{} gave {}", x, error);
            }
            prop_assert_eq!(a.total_cmp(&b), scale.bin(a).0.cmp(&scale.bin(b).0).then(a.total_cmp(&b)));
        }
    }

    fn bound(scale: &BinScale, x: f64) -> f64 {
        let half = scale.resolution / 2.0;
        let figures = (x.abs() + half) / f64::from(2_u32 << scale.magnitude);
        (half + figures) * (1.0 + 1e-12) + x.abs() * f64::EPSILON
    }

    /// The worst value of all: a half below a power of two goes up into a bin twice as wide.
    #[test]
    fn the_bound_is_reached_below_a_power_of_two() {
        let scale = BinScale::new(1.0, 2);
        let error = scale.middle(scale.bin(255.5).0) - 255.5;
        assert_eq!(error, bound(&scale, 255.5).round_ties_even() - 0.5);
        assert_eq!((error, 0.5 + 256.0 / 256.0), (1.5, 1.5));
    }

    #[test]
    fn the_outermost_bin_takes_what_is_beyond() {
        let scale = BinScale::new(0.001, 2);
        let outermost = bin_of_magnitude(BIN_VALUE_MAX, 7) as Bin;
        assert_eq!(scale.bin(1e300), (outermost, false));
        assert_eq!(scale.bin(-1e300), (-outermost, false));
        assert_eq!(scale.bin(f64::MAX), (outermost, false));
    }

    #[test]
    fn figures_become_fewer_one_by_one() {
        let scale = BinScale::new(0.5, 3);
        let two = scale.coarser().expect("two figures");
        let one = two.coarser().expect("one figure");
        assert_eq!((scale.figures(), two.figures(), one.figures()), (3, 2, 1));
        assert_eq!(one.coarser(), None);
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
