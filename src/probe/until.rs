//! A time that ends.

use crate::{daemon::clock, limits::SECOND};

/// The time that someone listens for.
#[derive(Clone, Copy, Debug)]
pub struct Until {
    end_ns: i64,
}

impl Until {
    /// A time of this length from now on.
    #[must_use]
    pub fn after_ns(ns: i64) -> Self {
        Self { end_ns: clock::boot_ns().saturating_add(ns) }
    }

    /// As long as it takes.
    #[must_use]
    pub fn never() -> Self {
        Self { end_ns: i64::MAX }
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.end_ns <= clock::boot_ns()
    }

    /// Whole seconds that are left.
    #[must_use]
    pub fn seconds_left(&self) -> i64 {
        (self.end_ns.saturating_sub(clock::boot_ns())).max(0) / SECOND
    }
}
