//! What a channel's summaries say besides.

use std::sync::Arc;

use super::{
    counter::Range,
    hold::{Course, Hold},
    state::known_or_other,
};
use crate::engine::qc::plan::Partner;

/// What the values of a channel are.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Quantities.
    Scalar,
    /// Directions, of which so many units are one turn.
    Circular {
        /// One turn, such as 360.
        turn: f64,
    },
    /// Readings of a counter.
    Counter(Range),
    /// Numbers of states, by their names.
    State(Arc<[Arc<str>]>),
}

/// What is kept of a channel besides its panes: nothing, unless somebody asked for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    /// What its values are.
    pub kind: Kind,
    /// How its values go on between readings; `None` if nobody asks for averages over time.
    pub course: Option<Course>,
    /// Longest time for which a value is taken as known without a reading.
    pub max_hold_ns: i64,
    /// Whether the root of the mean square is shown.
    pub rms: bool,
    /// Whether summaries say what speaks for and against them.
    pub trust: bool,
    /// Half-life of the exponentially weighted mean.
    pub ewma_ns: Option<i64>,
    /// Lengths of the blocks of the Allan deviations, ascending.
    pub allan: Arc<[i64]>,
    /// Length of the running mean whose largest is the gust.
    pub gust_ns: Option<i64>,
    /// The channel whose values are the speeds of directions.
    pub speed: Option<Partner>,
    /// How summaries are judged.
    pub grades: Grades,
}

/// Shares of what a summary is made of, by which it is judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grades {
    /// From this share of good readings, and of the time and of the readings expected, it is good.
    pub good: f64,
    /// From this share of bad ones it is bad.
    pub bad: f64,
    /// Below this share of the time, or of the readings expected, it shows no values.
    pub complete: f64,
}

impl Grades {
    /// Those that hold where nothing is said.
    pub const DEFAULT: Self = Self { good: 0.75, bad: 0.5, complete: 0.0 };
}

/// Name of all states that have none.
pub const OTHER_STATE: &str = "other";

impl Statistics {
    /// Nothing but what panes say.
    #[must_use]
    pub fn none() -> Self {
        Self {
            kind: Kind::Scalar,
            course: None,
            max_hold_ns: 0,
            rms: false,
            trust: false,
            ewma_ns: None,
            allan: Arc::from([]),
            gust_ns: None,
            speed: None,
            grades: Grades::DEFAULT,
        }
    }

    /// Whether anything is kept besides the panes.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        let Self { kind, course, trust, ewma_ns, allan, gust_ns, .. } = self;
        *kind != Kind::Scalar
            || course.is_some()
            || *trust
            || ewma_ns.is_some()
            || !allan.is_empty()
            || gust_ns.is_some()
    }

    /// How far a value reaches.
    #[must_use]
    pub fn hold(&self) -> Hold {
        Hold { course: self.course.unwrap_or(Course::Stepped), max_ns: self.max_hold_ns }
    }

    /// Time after a reading for which a window that does not hold it has something to say.
    #[must_use]
    pub fn reach_ns(&self) -> i64 {
        let holds = self.course.is_some() || matches!(self.kind, Kind::State(_));
        if holds { self.max_hold_ns } else { 0 }
    }

    /// What a value is called, if it is that of a state.
    #[must_use]
    pub fn name_of(&self, value: f64) -> Option<&str> {
        let Kind::State(names) = &self.kind else { return None };
        if !value.is_finite() {
            return None;
        }
        let number = known_or_other(value, names.len()) as usize;
        Some(names.get(number).map_or(OTHER_STATE, |name| name))
    }

    /// Details that a summary has at most.
    #[must_use]
    pub fn details(&self) -> usize {
        if !self.is_kept() {
            return 0;
        }
        let of_kind = match &self.kind {
            Kind::Scalar => 0,
            Kind::Circular { .. } | Kind::Counter(_) => 1,
            Kind::State(names) => names.len() + 2,
        };
        let Self { course, ewma_ns, gust_ns, speed, .. } = self;
        let some = [course.is_some(), ewma_ns.is_some(), gust_ns.is_some(), speed.is_some()];
        of_kind + self.allan.len() + TRUST + some.into_iter().filter(|&there| there).count()
    }
}

/// Details that every channel has of which something is kept.
const TRUST: usize = 2;
