//! The mergeable aggregate of one pane, or of several.

use super::summary::Flag;

/// Aggregate of the readings of one interval.
///
/// Two partials of adjacent intervals merge into the partial of both by the pairwise update of
/// Chan, Golub and LeVeque ("Updating formulae and a pairwise algorithm for computing sample
/// variances", 1979); nothing is ever subtracted from a float.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Partial {
    /// Readings per flag, in the order of [`Flag::ALL`].
    pub flags: [u64; Flag::ALL.len()],
    /// Readings whose values count.
    pub n: u64,
    /// Mean of the values.
    pub mean: f64,
    /// Sum of squared differences from the mean.
    pub m2: f64,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Value at `first_ns`.
    pub first: f64,
    /// Value at `last_ns`.
    pub last: f64,
    /// Smallest event time of a value.
    pub first_ns: i64,
    /// Largest event time of a value.
    pub last_ns: i64,
    /// Values beyond the range of the percentile bins.
    pub out_of_range: u64,
}

impl Partial {
    /// The partial of no reading: merging it changes nothing.
    pub const EMPTY: Self = Self {
        flags: [0; Flag::ALL.len()],
        n: 0,
        mean: 0.0,
        m2: 0.0,
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
        first: 0.0,
        last: 0.0,
        first_ns: i64::MAX,
        last_ns: i64::MIN,
        out_of_range: 0,
    };

    /// Readings that were accepted: all but those that said that there is no value.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.flags.iter().sum::<u64>() - self.flags[Flag::Missing as usize]
    }

    /// Whether nothing at all was noted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.flags.iter().all(|&n| n == 0)
    }

    /// Adds the partial of a later interval.
    pub fn merge(&mut self, later: &Self) {
        for (mine, theirs) in self.flags.iter_mut().zip(later.flags) {
            *mine += theirs;
        }
        self.out_of_range += later.out_of_range;
        if later.n == 0 {
            return;
        }
        if self.n == 0 {
            let (flags, out_of_range) = (self.flags, self.out_of_range);
            *self = Self { flags, out_of_range, ..*later };
            return;
        }
        let (mine, theirs) = (self.n as f64, later.n as f64);
        let both = mine + theirs;
        let delta = later.mean - self.mean;
        self.mean += delta * (theirs / both);
        self.m2 += later.m2 + delta * delta * (mine * theirs / both);
        self.n += later.n;
        self.min = self.min.min(later.min);
        self.max = self.max.max(later.max);
        if later.first_ns < self.first_ns {
            self.first = later.first;
            self.first_ns = later.first_ns;
        }
        if self.last_ns <= later.last_ns {
            self.last = later.last;
            self.last_ns = later.last_ns;
        }
    }
}

/// The aggregate of a pane that still takes readings.
///
/// Sums of differences from the first value need no division per reading. The shift is one of
/// the values, hence `n (mean - shift)^2 <= n M2` and the sum of squares is at most `(n + 1) M2`:
/// the conversion at the close cancels no more than a factor of n + 1 (Chan, Golub, LeVeque,
/// "Algorithms for computing the sample variance", 1983, section on shifted data).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OpenPartial {
    flags: [u64; Flag::ALL.len()],
    n: u64,
    shift: f64,
    sum: f64,
    sum_squares: f64,
    min: f64,
    max: f64,
    first: f64,
    last: f64,
    first_ns: i64,
    last_ns: i64,
    out_of_range: u64,
}

impl OpenPartial {
    /// A pane without readings.
    pub const EMPTY: Self = Self {
        flags: [0; Flag::ALL.len()],
        n: 0,
        shift: 0.0,
        sum: 0.0,
        sum_squares: 0.0,
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
        first: 0.0,
        last: 0.0,
        first_ns: i64::MAX,
        last_ns: i64::MIN,
        out_of_range: 0,
    };

    /// Takes one reading; its value counts unless its flag says otherwise.
    pub fn push(&mut self, at_ns: i64, value: f64, flag: Flag) {
        self.flags[flag as usize] += 1;
        if !flag.counts() {
            return;
        }
        if self.n == 0 {
            self.shift = value;
        }
        let shifted = value - self.shift;
        self.n += 1;
        self.sum += shifted;
        self.sum_squares += shifted * shifted;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        if at_ns < self.first_ns {
            self.first = value;
            self.first_ns = at_ns;
        }
        if self.last_ns <= at_ns {
            self.last = value;
            self.last_ns = at_ns;
        }
    }

    /// Counts a value beyond the percentile bins.
    pub fn note_out_of_range(&mut self) {
        self.out_of_range += 1;
    }

    /// The mergeable form.
    #[must_use]
    pub fn close(&self) -> Partial {
        let n = self.n as f64;
        let (mean, m2) = if self.n == 0 {
            (0.0, 0.0)
        } else {
            let mean = self.shift + self.sum / n;
            // Rounding may carry the mean of equal values past them; a mean lies between.
            let m2 = self.sum_squares - self.sum * (self.sum / n);
            (mean.clamp(self.min, self.max), m2.max(0.0))
        };
        Partial {
            flags: self.flags,
            n: self.n,
            mean,
            m2,
            min: self.min,
            max: self.max,
            first: self.first,
            last: self.last,
            first_ns: self.first_ns,
            last_ns: self.last_ns,
            out_of_range: self.out_of_range,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::summary::Figures;

    fn partial_of(values: &[f64], from_ns: i64) -> Partial {
        let mut open = OpenPartial::EMPTY;
        for (at, &value) in values.iter().enumerate() {
            open.push(from_ns + at as i64, value, Flag::Pass);
        }
        open.close()
    }

    fn close_to(a: f64, b: f64, relative: f64) -> bool {
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
        assert_eq!((left.n, left.min, left.max), (right.n, right.min, right.max));
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
        assert_eq!((partial.n, partial.accepted()), (2, 3));
        assert_eq!((partial.min, partial.max, partial.mean), (5.0, 7.0, 6.0));
        assert_eq!(partial.flags, [1, 0, 1, 1, 1]);
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
}
