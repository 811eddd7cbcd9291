//! The aggregate of a pane that still takes readings.

mod saved;

use super::{Counts, Partial, larger, smaller};
use crate::engine::summary::Flag;

/// The aggregate of a pane that still takes readings.
///
/// Sums of differences from a shift need no division per reading. The shift is the first value,
/// and from 8 values on the mean at the time when their number reached a power of two: a first
/// value far from the others would cost digits, the more of them the longer the pane. With a shift
/// that is the mean of m of n values, `n (mean - shift)^2 <= (n - m) / m M2`, hence the sum of
/// squares is at most `n / m M2` and the conversion at the close cancels no more than a factor of
/// 2 (of n + 1, that is 8, while the first value is the shift). See Chan, Golub and LeVeque,
/// "Algorithms for computing the sample variance", 1983, section on shifted data.
/// Beyond that the sums are rounded once a reading.
///
/// What a reading that comes in the order of time touches lies in one cache line, and the rest
/// in another.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub struct OpenPartial {
    shift: f64,
    sum: f64,
    sum_squares: f64,
    min: f64,
    max: f64,
    last: f64,
    /// [`Self::NO_VALUE_NS`] while there is no value.
    last_ns: i64,
    /// Readings with the flag `run_flag` that are not in `flags` yet.
    run: u16,
    /// At so many the run is to end.
    run_end: u16,
    /// A flag that counts, or [`Self::NO_FLAG`].
    run_flag: u8,
    /// The shift is of as many values as two to the power of this; below
    /// [`Self::FIRST_SHIFT_LOG2`] it is the first value.
    shift_log2: u8,
    first: f64,
    first_ns: i64,
    flags: [u64; Flag::ALL.len()],
    out_of_range: u64,
}

const _: () = assert!(size_of::<OpenPartial>() == 128);

impl OpenPartial {
    /// A pane without readings.
    pub const EMPTY: Self = Self {
        shift: 0.0,
        sum: 0.0,
        sum_squares: 0.0,
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
        last: 0.0,
        last_ns: Self::NO_VALUE_NS,
        run: 0,
        run_end: 0,
        run_flag: Self::NO_FLAG,
        shift_log2: Self::FIRST_SHIFT_LOG2 - 1,
        first: 0.0,
        first_ns: i64::MAX,
        flags: [0; Flag::ALL.len()],
        out_of_range: 0,
    };

    /// Earlier than any event time.
    const NO_VALUE_NS: i64 = i64::MIN;
    const NO_FLAG: u8 = u8::MAX;
    /// From so many values on, as a power of two, the shift is their mean.
    const FIRST_SHIFT_LOG2: u8 = 3;

    /// Takes one reading; its value counts unless its flag says otherwise.
    #[inline]
    pub fn push(&mut self, at_ns: i64, value: f64, flag: Flag) {
        if flag as u8 == self.run_flag && self.last_ns <= at_ns && self.run < self.run_end {
            self.run += 1;
            self.add(value);
            self.last = value;
            self.last_ns = at_ns;
        } else {
            self.push_otherwise(at_ns, value, flag);
        }
    }

    /// Takes values in the order of time, the first and the last of them at these times, and all
    /// with one flag that counts. Sums are formed four at a time, so that one need not wait for
    /// another: how many are taken together shows in the last digits. Nothing is taken, and
    /// `false` given, if they begin before the latest value.
    #[must_use = "they may have to be taken one by one"]
    pub fn push_run(&mut self, flag: Flag, (from_ns, to_ns): (i64, i64), values: &[f64]) -> bool {
        if from_ns < self.last_ns {
            return false;
        }
        let mut rest = values;
        while let Some((&value, behind)) = rest.split_first() {
            // The usual way is for the first, and for one at which a run ends.
            self.push(from_ns, value, flag);
            let room = usize::from(self.run_end - self.run).min(behind.len());
            let (together, behind) = behind.split_at(room);
            self.add_all(together);
            rest = behind;
        }
        self.last = values.last().copied().unwrap_or(self.last);
        self.last_ns = to_ns;
        true
    }

    /// Adds values of the run.
    fn add_all(&mut self, values: &[f64]) {
        const LANES: usize = 4;
        let [mut sum, mut squares] = [[0.0; LANES]; 2];
        let (mut min, mut max) = ([f64::INFINITY; LANES], [f64::NEG_INFINITY; LANES]);
        let (fours, rest) = values.as_chunks::<LANES>();
        for four in fours {
            for lane in 0..LANES {
                let shifted = four[lane] - self.shift;
                sum[lane] += shifted;
                squares[lane] += shifted * shifted;
                min[lane] = smaller(min[lane], four[lane]);
                max[lane] = larger(max[lane], four[lane]);
            }
        }
        self.sum += (sum[0] + sum[1]) + (sum[2] + sum[3]);
        self.sum_squares += (squares[0] + squares[1]) + (squares[2] + squares[3]);
        self.min = min.into_iter().fold(self.min, smaller);
        self.max = max.into_iter().fold(self.max, larger);
        rest.iter().for_each(|&value| self.add(value));
        self.run += values.len() as u16;
    }

    /// Takes the first of a pane, one with another flag than the one before, one at which a run
    /// ends, and one that is late.
    #[cold]
    #[inline(never)]
    fn push_otherwise(&mut self, at_ns: i64, value: f64, flag: Flag) {
        if !flag.counts() {
            self.flags[flag as usize] += 1;
            return;
        }
        if flag as u8 != self.run_flag || self.run == self.run_end {
            self.begin_run(flag);
        }
        if self.last_ns == Self::NO_VALUE_NS {
            self.shift = value;
        }
        self.run += 1;
        self.add(value);
        if at_ns < self.first_ns {
            self.first = value;
            self.first_ns = at_ns;
        }
        if self.last_ns <= at_ns {
            self.last = value;
            self.last_ns = at_ns;
        }
    }

    /// Ends a run, and moves the shift if there are twice as many values as when it was chosen.
    fn begin_run(&mut self, flag: Flag) {
        self.flags = self.flags();
        self.run_flag = flag as u8;
        self.run = 0;
        let values = Flag::ALL.iter().zip(self.flags).filter(|(flag, _)| flag.counts());
        let n: u64 = values.map(|(_, n)| n).sum();
        if 2 << self.shift_log2 <= n {
            self.move_shift(n);
            self.shift_log2 = n.ilog2() as u8;
        }
        self.run_end = u16::try_from((2 << self.shift_log2) - n).unwrap_or(u16::MAX);
    }

    /// Takes the mean of the `n` values as the shift.
    fn move_shift(&mut self, n: u64) {
        let n = n as f64;
        let shift = (self.shift + self.sum / n).clamp(self.min, self.max);
        let by = shift - self.shift;
        self.sum_squares = (self.sum_squares - by * (2.0 * self.sum - n * by)).max(0.0);
        self.sum -= n * by;
        self.shift = shift;
    }

    /// Counts a value beyond the percentile bins.
    pub fn note_out_of_range(&mut self) {
        self.out_of_range += 1;
    }

    fn add(&mut self, value: f64) {
        let shifted = value - self.shift;
        self.sum += shifted;
        self.sum_squares += shifted * shifted;
        self.min = smaller(self.min, value);
        self.max = larger(self.max, value);
    }

    fn flags(&self) -> [u64; Flag::ALL.len()] {
        let mut flags = self.flags;
        if let Some(flag) = flags.get_mut(usize::from(self.run_flag)) {
            *flag += u64::from(self.run);
        }
        flags
    }

    /// The mergeable form.
    #[must_use]
    pub fn close(&self) -> Partial {
        let counts = Counts::new(self.flags(), self.out_of_range);
        let closed = Partial { counts, ..Partial::EMPTY };
        let n = closed.n();
        if n == 0 {
            return closed;
        }
        let mean_shifted = self.sum / n as f64;
        Partial {
            // Rounding may carry the mean of equal values past them; a mean lies between.
            mean: (self.shift + mean_shifted).clamp(self.min, self.max),
            m2: (self.sum_squares - self.sum * mean_shifted).max(0.0),
            min: self.min,
            max: self.max,
            first: self.first,
            last: self.last,
            ..closed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{close_to, partial_of},
        *,
    };

    /// One value far from the others, at any place and in panes of any length: within the bound
    /// that summaries are held to.
    #[test]
    fn an_outlier_costs_no_digits_however_long_the_pane() {
        for n in [2, 7, 8, 9, 60, 120, 1_000] {
            for (far, at) in [(-1e3, 0), (-1e3, n / 2), (1e6, 0), (1e6, n - 1), (1e12, 0)] {
                let value = |i| if i == at { far } else { 20.0 + 0.01 * ((i * 37 % 11) as f64) };
                let values: Vec<f64> = (0..n).map(value).collect();
                let partial = partial_of(&values, 0);
                let mean = values.iter().sum::<f64>() / n as f64;
                // The mean of the rest is exact enough to be subtracted from each.
                let (mut m2, mut rest) = (0.0_f64, 0.0);
                for x in &values {
                    let square = (x - mean) * (x - mean);
                    let next = m2 + square;
                    rest += if square <= m2 { (m2 - next) + square } else { (square - next) + m2 };
                    m2 = next;
                }
                let (m2, n) = (m2 + rest, n as f64);
                let (got, stddev) = ((partial.m2 / (n - 1.0)).sqrt(), (m2 / (n - 1.0)).sqrt());
                let bound = 8.0 * 2_f64.powi(-53) * (1.0 + far.abs() / stddev) * stddev;
                assert!((got - stddev).abs() <= bound, "{n} with {far} at {at}: {got}, {stddev}");
            }
        }
    }

    proptest::proptest! {
        /// What is taken together comes to what it does one by one.
        #[test]
        fn runs_are_as_their_values(
            before in proptest::collection::vec((-5..5_i64, -100.0..100.0_f64, 0..5_usize), 0..40),
            values in proptest::collection::vec(-100.0..1e3_f64, 1..400),
            flag in 0..3_usize,
        ) {
            let mut singly = OpenPartial::EMPTY;
            for (at_ns, value, flag) in before {
                singly.push(at_ns, value, Flag::ALL[flag]);
            }
            let (mut together, flag) = (singly, Flag::ALL[flag]);
            let to_ns = 5 + values.len() as i64 - 1;
            proptest::prop_assert!(together.push_run(flag, (5, to_ns), &values));
            (5..).zip(&values).for_each(|(at_ns, value)| singly.push(at_ns, *value, flag));
            proptest::prop_assert!(!together.push_run(flag, (to_ns - 1, to_ns), &values));
            let (got, expected) = (together.close(), singly.close());
            proptest::prop_assert_eq!(got.flags(), expected.flags());
            proptest::prop_assert_eq!((got.min, got.max), (expected.min, expected.max));
            proptest::prop_assert_eq!((got.first, got.last), (expected.first, expected.last));
            proptest::prop_assert!((got.mean - expected.mean).abs() <= 1e-12 * 1e3);
            proptest::prop_assert!(close_to(got.m2, expected.m2, 1e-12));
            // Both go on alike.
            proptest::prop_assert_eq!(together.last_ns, singly.last_ns);
            proptest::prop_assert_eq!(together.first_ns, singly.first_ns);
            proptest::prop_assert_eq!(together.shift_log2, singly.shift_log2);
        }
    }

    #[test]
    fn a_long_run_of_one_flag_is_counted_whole() {
        let mut open = OpenPartial::EMPTY;
        (0..200_000).for_each(|at_ns| open.push(at_ns, 1.0, Flag::Pass));
        open.push(0, 1.0, Flag::Suspect);
        assert_eq!(open.close().flags(), [200_000, 0, 1, 0, 0]);
    }
}
