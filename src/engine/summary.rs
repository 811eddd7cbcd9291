//! What is published for one channel and one window.

use super::{
    bins::counting::Precision,
    judge::{Evidence, Reason},
    partial::Partial,
    rules::{Rules, Window},
    statistics::{Detail, trust::Trusted},
    verdict::Tests,
};

pub use super::judge::Status;

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

    /// Root of the mean square of at least one value: `sqrt(mean^2 + M2 / n)`, where nothing
    /// cancels.
    #[must_use]
    pub fn rms(&self) -> f64 {
        self.mean.hypot((self.m2 / self.n as f64).sqrt())
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
    /// Share of the time in which a value is known, where that is kept.
    pub known: Option<f64>,
    /// How far to trust it.
    pub status: Status,
    /// Why not further, and what is left out.
    pub reasons: Box<[Reason]>,
    /// Readings per flag, in the order of [`Flag::ALL`].
    pub flags: [u64; Flag::ALL.len()],
    /// Statistics of the values; absent when there is none, and when too much is absent.
    pub values: Option<Values>,
    /// What it says besides; nothing of the values when too much is absent.
    pub details: Box<[Detail]>,
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
    /// channel's, or none if there is no value, and of `details` as many as the channel has.
    #[must_use]
    pub fn of(
        figures: &Figures,
        percentiles: &[f64],
        details: &[Detail],
        window: Window,
        rules: &Rules,
    ) -> Self {
        let seconds = window.length_ns as f64 / 1e9;
        let n_expected = rules.expected_rate.map(|rate| rate * seconds);
        let coverage = n_expected.map(|expected| (figures.n as f64 / expected).min(1.0));
        let known = details.iter().find_map(|detail| match detail {
            Detail::Known { ns } => Some(*ns as f64 / window.length_ns as f64),
            _ => None,
        });
        let evidence = Evidence { flags: figures.flags, coverage, known };
        let grades = &rules.statistics.grades;
        let withheld = evidence.is_incomplete(grades);
        let details = details.iter().filter(|detail| match detail {
            Detail::Nothing => false,
            Detail::Known { .. } | Detail::Trust(_) => true,
            _ => !withheld,
        });
        let details: Box<[Detail]> = details.copied().collect();
        let status = evidence.status(grades);
        let reasons = reasons(&evidence, status, (withheld, &details), rules);
        Self {
            end_ns: figures.end_ns,
            n: figures.n,
            n_expected,
            coverage,
            known,
            status,
            reasons,
            flags: figures.flags,
            values: (0 < figures.n && !withheld)
                .then(|| Values::of(figures, percentiles, seconds, rules)),
            details,
            precision: figures.precision,
            out_of_range: figures.out_of_range,
            overflow: figures.overflow,
        }
    }

    /// What speaks for and against its readings, where that is kept.
    #[must_use]
    pub fn trust(&self) -> Option<&Trusted> {
        trust(&self.details)
    }

    /// Whether its values are withheld because too much is absent.
    #[must_use]
    pub fn is_withheld(&self) -> bool {
        self.reasons.iter().any(|reason| matches!(reason, Reason::Withheld { .. }))
    }
}

fn trust(details: &[Detail]) -> Option<&Trusted> {
    details.iter().find_map(|detail| match detail {
        Detail::Trust(trust) => Some(trust),
        _ => None,
    })
}

/// Why a summary is no better than its status says, and what it leaves out.
fn reasons(
    evidence: &Evidence,
    status: Status,
    (withheld, details): (bool, &[Detail]),
    rules: &Rules,
) -> Box<[Reason]> {
    let mut reasons = Vec::new();
    let trust = trust(details);
    if status != Status::Good {
        let needed = rules.statistics.grades.good;
        let less = |share: Option<f64>| share.filter(|share| *share < needed);
        reasons.extend(less(evidence.coverage).map(|share| Reason::Readings { share, needed }));
        reasons.extend(less(evidence.known).map(|share| Reason::Time { share, needed }));
        let stale_ns = rules.stale_ns;
        let gap_ns = trust.map(|trust| trust.gap_ns).filter(|ns| stale_ns < *ns);
        reasons.extend(gap_ns.map(|ns| Reason::Gap { ns, stale_ns }));
        let of = evidence.flags.iter().sum();
        for flag in [Flag::Suspect, Flag::Fail, Flag::Missing] {
            let n = evidence.flags[flag as usize];
            reasons.extend((0 < n).then_some(Reason::Flagged { flag, n, of }));
        }
        let tests = trust.map_or(Tests::NONE, |trust| trust.tests);
        reasons.extend((!tests.is_empty()).then_some(Reason::Tests(tests)));
    }
    let unordered = trust.map_or(0, |trust| trust.unordered);
    reasons.extend((0 < unordered).then_some(Reason::Unordered { n: unordered }));
    if let (true, Some(share)) = (withheld, evidence.share()) {
        reasons.push(Reason::Withheld { share, needed: rules.statistics.grades.complete });
    }
    reasons.into()
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
    /// Root of the mean square, where it is wanted.
    pub rms: Option<f64>,
    /// Value with the smallest event time; of equals the first to arrive.
    pub first: f64,
    /// Value with the largest event time; of equals the last to arrive.
    pub last: f64,
    /// Readings a second over the whole window.
    pub rate: f64,
    /// One value for each of the channel's percentiles; empty if they were withheld.
    pub percentiles: Box<[f64]>,
}

impl Values {
    fn of(figures: &Figures, percentiles: &[f64], seconds: f64, rules: &Rules) -> Self {
        Self {
            min: figures.min,
            max: figures.max,
            mean: figures.mean,
            stddev: figures.stddev(),
            rms: rules.statistics.rms.then(|| figures.rms()),
            first: figures.first,
            last: figures.last,
            rate: figures.n as f64 / seconds,
            percentiles: match figures.precision {
                Precision::Configured | Precision::Coarsened(_) => percentiles.into(),
                Precision::Withheld => Box::default(),
            },
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
