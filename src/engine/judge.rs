//! How far a summary is to be trusted, and why not further.

use std::fmt;

use super::{
    duration::Nanoseconds,
    statistics::plan::Grades,
    summary::Flag,
    verdict::{Test, Tests},
};
use crate::limits::{MS, SECOND};

/// How far a summary is to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Enough of it is there, and enough of what is there is good.
    Good,
    /// Neither good nor bad.
    Uncertain,
    /// Too much of it is bad or absent.
    Bad,
}

impl Status {
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

/// What a summary is judged by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// Readings per flag, in the order of [`Flag::ALL`].
    pub flags: [u64; Flag::ALL.len()],
    /// Share of the expected readings that came, where some are expected.
    pub coverage: Option<f64>,
    /// Share of the time in which a value is known, where that is kept.
    pub known: Option<f64>,
}

impl Evidence {
    /// Good from the share [`Grades::good`] of good readings among those noted, of the readings
    /// expected and of the time; bad from [`Grades::bad`] of bad ones or of time in which no value
    /// is known.
    #[must_use]
    pub fn status(&self, grades: &Grades) -> Status {
        let noted: u64 = self.flags.iter().sum();
        // A window that a value reaches into needs no reading of its own.
        let has_readings = 0 < noted || self.known.is_none();
        let bad_share = self.bad() as f64 >= grades.bad * noted as f64;
        let unknown_share = self.known.is_some_and(|known| grades.bad <= 1.0 - known);
        let enough = |share: f64| grades.good <= share;
        if (has_readings && bad_share) || unknown_share {
            Status::Bad
        } else if (noted == 0 || enough(self.good() as f64 / noted as f64))
            && self.coverage.is_none_or(enough)
            && self.known.is_none_or(enough)
        {
            Status::Good
        } else {
            Status::Uncertain
        }
    }

    /// Whether so much is absent that values would mislead.
    #[must_use]
    pub fn is_incomplete(&self, grades: &Grades) -> bool {
        self.share().is_some_and(|share| share < grades.complete)
    }

    /// The share that completeness goes by: of the time if that is kept, else of the readings.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        self.known.or(self.coverage)
    }

    fn bad(&self) -> u64 {
        self.count(Flag::Fail) + self.count(Flag::Missing)
    }

    fn good(&self) -> u64 {
        self.count(Flag::Pass) + self.count(Flag::NotEvaluated)
    }

    fn count(&self, flag: Flag) -> u64 {
        self.flags[flag as usize]
    }
}

/// Why a summary is not good, or what it leaves out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reason {
    /// Fewer of the expected readings came than a good summary has.
    Readings {
        /// Share that came.
        share: f64,
        /// Share from which it is good.
        needed: f64,
    },
    /// A value is known for less of the time than in a good summary.
    Time {
        /// Share of the time in which it is.
        share: f64,
        /// Share from which it is good.
        needed: f64,
    },
    /// Nothing good came for longer than until the channel is stale.
    Gap {
        /// How long, nanoseconds.
        ns: i64,
        /// How long it takes to be stale.
        stale_ns: i64,
    },
    /// Readings that are not good.
    Flagged {
        /// Which flag they have.
        flag: Flag,
        /// How many.
        n: u64,
        /// Of how many.
        of: u64,
    },
    /// What speaks against readings.
    Tests(Tests),
    /// Readings came too late to be put in their place in time.
    Unordered {
        /// How many.
        n: u32,
    },
    /// Too much is absent for values to be shown.
    Withheld {
        /// Share that is there.
        share: f64,
        /// Share from which values are shown.
        needed: f64,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Readings { share, needed } => {
                let (share, needed) = (Percent(*share), Percent(*needed));
                write!(f, "{share} of the expected readings came, good from {needed}")
            }
            Self::Time { share, needed } => {
                let (share, needed) = (Percent(*share), Percent(*needed));
                write!(f, "a value is known for {share} of the time, good from {needed}")
            }
            Self::Gap { ns, stale_ns } => {
                let (longest, stale) = (Nanoseconds(readable(*ns)), Nanoseconds(*stale_ns));
                write!(f, "no good reading for {longest} at the longest, stale after {stale}")
            }
            Self::Flagged { flag, n, of } => {
                let what = match flag {
                    Flag::Missing => "without a value",
                    Flag::Fail => "failed",
                    Flag::Suspect => "suspect",
                    Flag::Pass | Flag::NotEvaluated => "good",
                };
                write!(f, "{n} of {of} readings {what}")
            }
            Self::Tests(tests) => {
                let names: Vec<&str> = tests.iter().map(Test::name).collect();
                write!(f, "against readings: {}", names.join(", "))
            }
            Self::Unordered { n } => {
                write!(f, "{n} readings came too late for their place in time")
            }
            Self::Withheld { share, needed } => {
                write!(f, "values withheld: {} is there of {}", Percent(*share), Percent(*needed))
            }
        }
    }
}

/// A time in whole seconds, or in milliseconds below ten of them, rounded down.
fn readable(ns: i64) -> i64 {
    let unit = if 10 * SECOND <= ns { SECOND } else { MS };
    ns / unit * unit
}

/// A share in percents, rounded down to a tenth: one below a threshold never reads as that.
struct Percent(f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A share that was given in tenths is not exactly so many.
        let tenths = (1_000.0 * self.0 + 1e-9).floor();
        if tenths == 0.0 && 0.0 < self.0 {
            return f.write_str("less than 0.1 %");
        }
        write!(f, "{} %", tenths / 10.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(flags: [u64; 5], coverage: Option<f64>, known: Option<f64>) -> Evidence {
        Evidence { flags, coverage, known }
    }

    #[test]
    fn status_follows_the_shares() {
        let status =
            |flags, coverage, known| evidence(flags, coverage, known).status(&Grades::DEFAULT);
        assert_eq!(status([75, 0, 25, 0, 0], None, None), Status::Good);
        assert_eq!(status([74, 0, 26, 0, 0], None, None), Status::Uncertain);
        assert_eq!(status([51, 0, 0, 49, 0], None, None), Status::Uncertain);
        assert_eq!(status([50, 0, 0, 25, 25], None, None), Status::Bad);
        assert_eq!(status([9, 0, 0, 0, 0], Some(0.74), None), Status::Uncertain);
        assert_eq!(status([9, 0, 0, 0, 0], Some(0.75), Some(0.75)), Status::Good);
        assert_eq!(status([9, 0, 0, 0, 0], None, Some(0.74)), Status::Uncertain);
        assert_eq!(status([9, 0, 0, 0, 0], None, Some(0.5)), Status::Bad);
        assert_eq!(status([0; 5], None, None), Status::Bad, "nothing at all");
        assert_eq!(status([0; 5], None, Some(1.0)), Status::Good, "a value that holds");
    }

    #[test]
    fn thresholds_may_be_set() {
        let strict = Grades { good: 1.0, bad: 0.01, complete: 0.9 };
        assert_eq!(evidence([99, 0, 1, 0, 0], None, None).status(&strict), Status::Uncertain);
        assert_eq!(evidence([99, 0, 0, 1, 0], None, None).status(&strict), Status::Bad);
        assert!(evidence([9, 0, 0, 0, 0], Some(0.89), None).is_incomplete(&strict));
        assert!(!evidence([9, 0, 0, 0, 0], Some(0.5), Some(0.9)).is_incomplete(&strict));
        assert!(!evidence([9, 0, 0, 0, 0], None, None).is_incomplete(&strict));
    }

    #[test]
    fn reasons_are_words() {
        let told = |reason: Reason| reason.to_string();
        let needed = 0.75;
        let came = |share| told(Reason::Readings { share, needed });
        assert_eq!(came(0.424), "42.4 % of the expected readings came, good from 75 %");
        assert_eq!(came(0.74999), "74.9 % of the expected readings came, good from 75 %");
        assert_eq!(came(0.0004), "less than 0.1 % of the expected readings came, good from 75 %");
        assert_eq!(
            told(Reason::Time { share: 0.29, needed: 0.999 }),
            "a value is known for 29 % of the time, good from 99.9 %"
        );
        let gap = |ns| told(Reason::Gap { ns, stale_ns: 5 * SECOND });
        assert_eq!(gap(59_142_965_000), "no good reading for 59s at the longest, stale after 5s");
        assert_eq!(gap(9_142_965_000), "no good reading for 9142ms at the longest, stale after 5s");
        let failed = Reason::Flagged { flag: Flag::Fail, n: 3, of: 60 };
        assert_eq!(told(failed), "3 of 60 readings failed");
        let tests = Tests::from(Test::Spike) | Test::GrossRange.into();
        assert_eq!(told(Reason::Tests(tests)), "against readings: gross_range, spike");
        let withheld = Reason::Withheld { share: 0.0, needed: 0.75 };
        assert_eq!(told(withheld), "values withheld: 0 % is there of 75 %");
    }
}
