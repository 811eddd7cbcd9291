//! What is published for one channel and one window.

use super::{
    bins::counting::Precision,
    partial::Partial,
    rules::{Rules, Window},
};

/// QARTOD verdict of a reading (IOOS QARTOD manuals, "flags").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flag {
    /// 1: passed all tests.
    Pass,
    /// 2: no test was made.
    NotEvaluated,
    /// 3: of high interest or suspect.
    Suspect,
    /// 4: failed.
    Fail,
    /// 9: no value.
    Missing,
}

impl Flag {
    /// All flags.
    pub const ALL: [Self; 5] =
        [Self::Pass, Self::NotEvaluated, Self::Suspect, Self::Fail, Self::Missing];

    /// Name in a reply.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::NotEvaluated => "not_evaluated",
            Self::Suspect => "suspect",
            Self::Fail => "fail",
            Self::Missing => "missing",
        }
    }

    /// Its number in QARTOD's primary-level scheme.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Pass => 1,
            Self::NotEvaluated => 2,
            Self::Suspect => 3,
            Self::Fail => 4,
            Self::Missing => 9,
        }
    }

    /// What two verdicts on the same reading come to: the one that says more, in the order
    /// 9 < 2 < 1 < 3 < 4.
    #[must_use]
    pub fn combine(self, other: Self) -> Self {
        let rank = |flag| match flag {
            Self::Missing => 0,
            Self::NotEvaluated => 1,
            Self::Pass => 2,
            Self::Suspect => 3,
            Self::Fail => 4,
        };
        if rank(self) < rank(other) { other } else { self }
    }

    /// Whether a reading with this flag enters the value statistics.
    #[must_use]
    pub fn counts(self) -> bool {
        self < Self::Fail
    }
}

/// Result of one window of one channel as it is kept: plain numbers, from which the rest is
/// derived when somebody asks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// End of the window, nanoseconds since 1970 on the daemon's line.
    pub end_ns: i64,
    /// Readings per flag, in the order of [`Flag::ALL`].
    pub flags: [u64; Flag::ALL.len()],
    /// Readings in the value statistics.
    pub n: u64,
    /// Mean of the values.
    pub mean: f64,
    /// Sum of squared differences from the mean.
    pub m2: f64,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Value with the smallest event time.
    pub first: f64,
    /// Value with the largest event time.
    pub last: f64,
    /// Readings beyond the range of the percentile bins.
    pub out_of_range: u64,
    /// Readings that lie within an exact window and that it does not hold.
    pub overflow: u32,
    /// How precisely the percentiles were counted.
    pub precision: Precision,
}

// Snapshots keep one for each channel and window.
const _: () = assert!(size_of::<Figures>() == 120);

impl Figures {
    /// What a window that ends at `end_ns` came to.
    #[must_use]
    pub fn new(end_ns: i64, partial: &Partial) -> Self {
        let Partial { mean, m2, min, max, first, last, .. } = *partial;
        let (flags, n, out_of_range) = (partial.flags(), partial.n(), partial.out_of_range());
        let precision = Precision::Configured;
        let overflow = 0;
        Self {
            end_ns,
            flags,
            n,
            mean,
            m2,
            min,
            max,
            first,
            last,
            out_of_range,
            overflow,
            precision,
        }
    }

    /// Sample standard deviation, with n - 1; absent for fewer than two values.
    #[must_use]
    pub fn stddev(&self) -> Option<f64> {
        (1 < self.n).then(|| (self.m2 / (self.n - 1) as f64).sqrt())
    }
}

/// Result of one window of one channel: immutable, over exactly the accepted readings with
/// `end - length <= event time < end`, or `end - length < event time <= end` for an exact window.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// End of the window, nanoseconds since 1970 on the daemon's line.
    pub end_ns: i64,
    /// Readings in the value statistics.
    pub n: u64,
    /// Readings that a full window would have, where a rate is expected.
    pub n_expected: Option<f64>,
    /// Share of the expected readings that came, at most 1.
    pub coverage: Option<f64>,
    /// How far to trust it.
    pub status: Status,
    /// Readings per flag, in the order of [`Flag::ALL`].
    pub flags: [u64; Flag::ALL.len()],
    /// Statistics of the values; absent when there is none.
    pub values: Option<Values>,
    /// How precisely the percentiles were counted.
    pub precision: Precision,
    /// Readings beyond the range of the percentile bins; the percentiles saturate there.
    pub out_of_range: u64,
    /// Readings that lie within an exact window and that it does not hold; nothing else is said
    /// of them here.
    pub overflow: u32,
}

impl Summary {
    /// What there is to say of a window's figures; of `percentiles` there is one for each of the
    /// channel's, or none if there is no value.
    #[must_use]
    pub fn of(figures: &Figures, percentiles: &[f64], window: Window, rules: &Rules) -> Self {
        let seconds = window.length_ns as f64 / 1e9;
        let n_expected = rules.expected_rate.map(|rate| rate * seconds);
        let coverage = n_expected.map(|expected| (figures.n as f64 / expected).min(1.0));
        let values = (0 < figures.n).then(|| Values {
            min: figures.min,
            max: figures.max,
            mean: figures.mean,
            stddev: figures.stddev(),
            first: figures.first,
            last: figures.last,
            rate: figures.n as f64 / seconds,
            percentiles: match figures.precision {
                Precision::Configured | Precision::Coarsened(_) => percentiles.into(),
                Precision::Withheld => Box::default(),
            },
        });
        Self {
            end_ns: figures.end_ns,
            n: figures.n,
            n_expected,
            coverage,
            status: Status::of(figures, coverage),
            flags: figures.flags,
            values,
            precision: figures.precision,
            out_of_range: figures.out_of_range,
            overflow: figures.overflow,
        }
    }
}

/// Statistics of at least one value.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Arithmetic mean.
    pub mean: f64,
    /// Sample standard deviation (n - 1); absent for a single value.
    pub stddev: Option<f64>,
    /// Value with the smallest event time; of equals the first to arrive.
    pub first: f64,
    /// Value with the largest event time; of equals the last to arrive.
    pub last: f64,
    /// Readings a second over the whole window.
    pub rate: f64,
    /// One value for each of the channel's percentiles; empty if they were withheld.
    pub percentiles: Box<[f64]>,
}

/// How far a summary is to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// At least 75 % of the expected readings came, and at least 75 % of those noted are good.
    Good,
    /// Neither good nor bad.
    Uncertain,
    /// At least half of what was noted failed or had no value.
    Bad,
}

impl Status {
    /// Good from 75 % good readings of those noted and 75 % coverage, bad from 50 % bad ones.
    fn of(figures: &Figures, coverage: Option<f64>) -> Self {
        let noted: u64 = figures.flags.iter().sum();
        let bad = figures.flags[Flag::Fail as usize] + figures.flags[Flag::Missing as usize];
        let suspect = figures.flags[Flag::Suspect as usize];
        let good = figures.n - suspect;
        let good_share = good as f64 / noted.max(1) as f64;
        if noted <= 2 * bad {
            Self::Bad
        } else if 0.75 <= good_share && coverage.is_none_or(|coverage| 0.75 <= coverage) {
            Self::Good
        } else {
            Self::Uncertain
        }
    }

    /// Name in a reply.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Uncertain => "uncertain",
            Self::Bad => "bad",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of `qartod_compare`: the higher flag wins, in the order 9 < 2 < 1 < 3 < 4.
    #[test]
    fn of_two_verdicts_the_one_that_says_more_counts() {
        let ascending = [Flag::Missing, Flag::NotEvaluated, Flag::Pass, Flag::Suspect, Flag::Fail];
        assert_eq!(ascending.map(Flag::code), [9, 2, 1, 3, 4]);
        for (a, first) in ascending.into_iter().enumerate() {
            for (b, second) in ascending.into_iter().enumerate() {
                assert_eq!(first.combine(second), ascending[a.max(b)]);
            }
        }
    }
}
