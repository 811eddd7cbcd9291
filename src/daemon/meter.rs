//! Latencies that the daemon measures of itself.

use std::sync::{Mutex, PoisonError};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::limits::LATENCY_MAX_NS;

/// A histogram of durations, shared by those who measure and those who ask.
#[derive(Debug)]
pub struct Meter {
    /// Microseconds.
    histogram: Mutex<Histogram<u64>>,
}

/// Longest duration that is told apart from longer ones: an hour, in microseconds.
const LONGEST_US: u64 = LATENCY_MAX_NS.unsigned_abs() / 1_000;

impl Default for Meter {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST_US, 2)
            .expect("the bounds are constants that fit each other");
        Self { histogram: Mutex::new(histogram) }
    }
}

impl Meter {
    /// Counts a duration in nanoseconds; less than a microsecond counts as one.
    pub fn record_ns(&self, ns: i64) {
        let us = u64::try_from(ns / 1_000).unwrap_or(0).max(1);
        self.histogram.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(us);
    }

    /// Counts the time since `since_ns`, if there is such an instant and it is not of another time,
    /// as the arrivals of a recording are.
    pub fn record_since(&self, since_ns: Option<i64>, now_ns: i64) {
        let passed_ns = since_ns.map(|since_ns| now_ns.saturating_sub(since_ns));
        if let Some(ns) = passed_ns.filter(|ns| (0..LATENCY_MAX_NS).contains(ns)) {
            self.record_ns(ns);
        }
    }

    /// What was measured so far.
    #[must_use]
    pub fn read(&self) -> Quantiles {
        let histogram = self.histogram.lock().unwrap_or_else(PoisonError::into_inner);
        Quantiles {
            count: histogram.len(),
            p50_us: histogram.value_at_quantile(0.50),
            p99_us: histogram.value_at_quantile(0.99),
            max_us: histogram.max(),
        }
    }
}

/// Quantiles of a meter, microseconds, good to two significant figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Quantiles {
    /// Durations counted.
    pub count: u64,
    /// Median.
    pub p50_us: u64,
    /// 99 of 100 were at most this long.
    pub p99_us: u64,
    /// The longest.
    pub max_us: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_what_was_recorded() {
        let meter = Meter::default();
        assert_eq!(meter.read().count, 0);
        for us in 1..=100 {
            meter.record_ns(us * 1_000);
        }
        meter.record_ns(-5);
        meter.record_ns(i64::MAX);
        let read = meter.read();
        assert_eq!((read.count, read.p50_us), (102, 50));
        assert!(LONGEST_US <= read.max_us);
    }
}
