//! The mergeable aggregate of one pane, or of several.

pub use self::open::OpenPartial;
use super::summary::Flag;

mod open;
mod saved;

/// Aggregate of the readings of one interval: 88 bytes, since a channel keeps some seventy.
///
/// Two partials of adjacent intervals merge into the partial of both by the pairwise update of
/// Chan, Golub and LeVeque ("Updating formulae and a pairwise algorithm for computing sample
/// variances", 1979); nothing is ever subtracted from a float. It is always the later that is
/// merged into the earlier, so which value is first and which is last needs no times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Partial {
    /// Mean of the values.
    pub mean: f64,
    /// Sum of squared differences from the mean.
    pub m2: f64,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Value with the smallest event time; of equals the first to arrive.
    pub first: f64,
    /// Value with the largest event time; of equals the last to arrive.
    pub last: f64,
    counts: Counts,
    /// What a ring knows its entry by; no part of the aggregate.
    pub(super) mark: u16,
}

const _: () = assert!(size_of::<Partial>() == 88);

/// Readings per flag and those out of range, in 48 bits each; see
/// [`crate::limits::READINGS_PER_WINDOW_MAX`].
#[derive(Clone, Copy, Debug, PartialEq)]
struct Counts {
    low: [u32; COUNTS],
    high: [u16; COUNTS],
}

const COUNTS: usize = Flag::ALL.len() + 1;
const OUT_OF_RANGE: usize = Flag::ALL.len();

impl Partial {
    /// The partial of no reading: merging it changes nothing.
    pub const EMPTY: Self = Self {
        mean: 0.0,
        m2: 0.0,
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
        first: 0.0,
        last: 0.0,
        counts: Counts { low: [0; COUNTS], high: [0; COUNTS] },
        mark: 0,
    };

    /// The partial of one reading.
    #[must_use]
    pub fn of(value: f64, flag: Flag) -> Self {
        let mut counts = Self::EMPTY.counts;
        counts.low[flag as usize] = 1;
        if !flag.counts() {
            return Self { counts, ..Self::EMPTY };
        }
        let (mean, min, max, first, last) = (value, value, value, value, value);
        Self { mean, min, max, first, last, counts, ..Self::EMPTY }
    }

    /// Readings per flag, in the order of [`Flag::ALL`].
    #[must_use]
    pub fn flags(&self) -> [u64; Flag::ALL.len()] {
        Flag::ALL.map(|flag| self.counts.of(flag as usize))
    }

    /// Values beyond the range of the percentile bins.
    #[must_use]
    pub fn out_of_range(&self) -> u64 {
        self.counts.of(OUT_OF_RANGE)
    }

    /// Readings whose values count.
    #[must_use]
    pub fn n(&self) -> u64 {
        let Counts { low: [pass, unknown, suspect, ..], high: [high @ .., _, _, _] } = self.counts;
        let high: u64 = high.iter().map(|&high| u64::from(high)).sum();
        u64::from(pass) + u64::from(unknown) + u64::from(suspect) + (high << 32)
    }

    /// Readings that were accepted: all but those that said that there is no value.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.n() + self.counts.of(Flag::Fail as usize)
    }

    /// Whether nothing at all was noted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Counts { low, high } = self.counts;
        low.iter().all(|&n| n == 0) && high.iter().all(|&n| n == 0)
    }

    /// Adds the partial of a later interval.
    pub fn merge(&mut self, later: &Self) {
        let (mine, theirs) = (self.n(), later.n());
        self.counts.add(&later.counts);
        if theirs == 0 {
            return;
        }
        if mine == 0 {
            let (counts, mark) = (self.counts, self.mark);
            *self = Self { counts, mark, ..*later };
            return;
        }
        let (mine, theirs) = (mine as f64, theirs as f64);
        let both = mine + theirs;
        let delta = later.mean - self.mean;
        let share = theirs / both;
        self.mean += delta * share;
        self.m2 += later.m2 + delta * delta * (mine * share);
        self.min = smaller(self.min, later.min);
        self.max = larger(self.max, later.max);
        self.last = later.last;
    }
}

impl Counts {
    fn new([a, b, c, d, e]: [u64; Flag::ALL.len()], out_of_range: u64) -> Self {
        let all = [a, b, c, d, e, out_of_range];
        Self { low: all.map(|n| n as u32), high: all.map(|n| (n >> 32) as u16) }
    }

    fn of(&self, which: usize) -> u64 {
        u64::from(self.low[which]) | u64::from(self.high[which]) << 32
    }

    fn add(&mut self, other: &Self) {
        for which in 0..COUNTS {
            let (low, carry) = self.low[which].overflowing_add(other.low[which]);
            self.low[which] = low;
            self.high[which] += other.high[which] + u16::from(carry);
        }
    }
}

/// One instruction for numbers, where `f64::min` minds what is none.
fn smaller(a: f64, b: f64) -> f64 {
    if b < a { b } else { a }
}

fn larger(a: f64, b: f64) -> f64 {
    if a < b { b } else { a }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::summary::Figures;

    pub(super) fn partial_of(values: &[f64], from_ns: i64) -> Partial {
        let mut open = OpenPartial::EMPTY;
        for (at, &value) in values.iter().enumerate() {
            open.push(from_ns + at as i64, value, Flag::Pass);
        }
        open.close()
    }

    pub(super) fn close_to(a: f64, b: f64, relative: f64) -> bool {
        (a - b).abs() <= relative * a.abs().max(b.abs()).max(1e-300)
    }

    /// NIST StRD NumAcc4: b, then b -+ 0.1 a thousand times: mean b, standard deviation 0.1.
    #[test]
    fn numacc4_keeps_its_digits() {
        for base in [1.2, 1_000_000.2, 10_000_000.2] {
            let mut values = vec![base];
            for i in 0..1_000 {
                values.push(if i % 2 == 0 { base - 0.1 } else { base + 0.1 });
            }
            let mut merged = Partial::EMPTY;
            for (chunk, part) in values.chunks(7).enumerate() {
                merged.merge(&partial_of(part, chunk as i64 * 7));
            }
            let stddev = Figures::new(0, &merged).stddev().expect("many values");
            assert!(close_to(merged.mean, base, 1e-14), "mean {}", merged.mean);
            assert!(close_to(stddev, 0.1, 1e-8), "stddev {stddev} at {base}");
        }
    }

    #[test]
    fn merging_is_associative() {
        let parts = [
            partial_of(&[1.0, 2.0, 4.0], 0),
            partial_of(&[], 10),
            partial_of(&[-3.5], 20),
            partial_of(&[100.0, 101.0], 30),
        ];
        let mut left = parts[0];
        for part in &parts[1..] {
            left.merge(part);
        }
        let mut tail = parts[2];
        tail.merge(&parts[3]);
        let mut right = parts[0];
        right.merge(&parts[1]);
        right.merge(&tail);
        assert_eq!((left.n(), left.min, left.max), (right.n(), right.min, right.max));
        assert_eq!((left.first, left.last), (right.first, right.last));
        assert!(close_to(left.mean, right.mean, 1e-15));
        assert!(close_to(left.m2, right.m2, 1e-14));
    }

    #[test]
    fn flags_that_do_not_count_leave_the_values_alone() {
        let mut open = OpenPartial::EMPTY;
        open.push(1, 5.0, Flag::Pass);
        open.push(2, 900.0, Flag::Fail);
        open.push(3, f64::NAN, Flag::Missing);
        open.push(4, 7.0, Flag::Suspect);
        let partial = open.close();
        assert_eq!((partial.n(), partial.accepted()), (2, 3));
        assert_eq!((partial.min, partial.max, partial.mean), (5.0, 7.0, 6.0));
        assert_eq!(partial.flags(), [1, 0, 1, 1, 1]);
    }

    #[test]
    fn equal_times_take_the_first_to_arrive_first_and_the_last_last() {
        let mut open = OpenPartial::EMPTY;
        for value in [1.0, 2.0, 3.0] {
            open.push(7, value, Flag::Pass);
        }
        let partial = open.close();
        assert_eq!((partial.first, partial.last), (1.0, 3.0));
    }

    #[test]
    fn the_largest_values_allowed_stay_numbers() {
        let big = crate::limits::VALUE_ABS_MAX;
        let partial = partial_of(&[big, -big, big], 0);
        assert!(partial.mean.is_finite() && partial.m2.is_finite());
    }

    #[test]
    fn counts_go_beyond_32_bits() {
        let counts = Counts::new([u64::from(u32::MAX); 5], 0);
        let mut some = Partial { counts, ..Partial::EMPTY };
        let n = some.n();
        some.merge(&some.clone());
        assert_eq!(some.flags(), [2 * u64::from(u32::MAX); 5]);
        assert_eq!((some.n(), some.accepted()), (2 * n, 8 * u64::from(u32::MAX)));
    }
}
