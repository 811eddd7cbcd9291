//! What is published for one channel and one window.

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

    /// Whether a reading with this flag enters the value statistics.
    #[must_use]
    pub fn counts(self) -> bool {
        self < Self::Fail
    }
}

/// Result of one window of one channel: immutable, over exactly the accepted readings with
/// `end - length <= event time < end`.
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
    /// Readings beyond the range of the percentile bins; the percentiles saturate there.
    pub out_of_range: u64,
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
    /// One value for each of the channel's percentiles.
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
