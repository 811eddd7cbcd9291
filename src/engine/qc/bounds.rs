//! Bounds that a value or a difference is held against.

use crate::engine::summary::Flag;

/// Values from `min` to `max`, both included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// Smallest value inside.
    pub min: f64,
    /// Largest value inside.
    pub max: f64,
}

impl Span {
    /// Whether the value lies inside.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        self.min <= value && value <= self.max
    }
}

/// Where values fail, and where they are suspect.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spans {
    /// Outside of it a value fails.
    pub fail: Option<Span>,
    /// Outside of it a value is suspect.
    pub suspect: Option<Span>,
}

impl Spans {
    /// Fail outside of `fail`, else suspect outside of `suspect`, else pass.
    #[must_use]
    pub fn judge(&self, value: f64) -> Flag {
        let outside = |span: Option<Span>| span.is_some_and(|span| !span.contains(value));
        if outside(self.fail) {
            Flag::Fail
        } else if outside(self.suspect) {
            Flag::Suspect
        } else {
            Flag::Pass
        }
    }
}

/// A magnitude from which something fails, and one from which it is suspect.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Thresholds {
    /// Beyond it, it fails.
    pub fail: Option<f64>,
    /// Beyond it, it is suspect.
    pub suspect: Option<f64>,
}

impl Thresholds {
    /// Fail above `fail`, else suspect above `suspect`, else pass. On the threshold is not above.
    #[must_use]
    pub fn judge_above(&self, magnitude: f64) -> Flag {
        self.judge(|threshold| threshold < magnitude)
    }

    /// Fail below `fail`, else suspect below `suspect`, else pass. On the threshold is not below.
    #[must_use]
    pub fn judge_below(&self, magnitude: f64) -> Flag {
        self.judge(|threshold| magnitude < threshold)
    }

    fn judge(&self, beyond: impl Fn(f64) -> bool) -> Flag {
        if self.fail.is_some_and(&beyond) {
            Flag::Fail
        } else if self.suspect.is_some_and(&beyond) {
            Flag::Suspect
        } else {
            Flag::Pass
        }
    }
}
