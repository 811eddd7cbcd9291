//! A value that changes less than the quantity must.
//!
//! QARTOD test 10 ("Attenuated Signal Test"): the range or the standard deviation of a period.

use super::{
    bounds::Thresholds,
    sweep::{Reach, Sweep},
};
use crate::engine::summary::Flag;

/// What must vary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spread {
    /// The largest minus the smallest value.
    Range,
    /// The standard deviation, with n: the readings are all there are of the period.
    #[default]
    Stddev,
}

/// How much the values of a channel must vary.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attenuated {
    /// What must vary.
    pub spread: Spread,
    /// By how much.
    pub thresholds: Thresholds,
    /// Over what time: `(t - period, t]`.
    pub period_ns: i64,
    /// With fewer readings in it nothing is judged.
    pub readings_min: u64,
    /// Nor as long as they lie within less than this time.
    pub time_min_ns: i64,
}

/// The test of one channel.
#[derive(Debug)]
pub struct AttenuatedTest {
    bounds: Attenuated,
    pub(super) sweep: Sweep,
}

impl AttenuatedTest {
    /// The test with these bounds, without a value yet.
    #[must_use]
    pub fn new(bounds: &Attenuated) -> Self {
        Self { bounds: *bounds, sweep: Sweep::new(bounds.period_ns, Reach::Exclusive) }
    }

    /// Judges the next value, which is not older than the one before.
    pub fn next(&mut self, at_ns: i64, value: f64) -> Flag {
        let all = self.sweep.next(at_ns, value);
        let first_ns = self.sweep.first_ns().unwrap_or(at_ns);
        let is_short = at_ns.saturating_sub(first_ns) < self.bounds.time_min_ns;
        if is_short || all.n() < self.bounds.readings_min {
            return Flag::NotEvaluated;
        }
        self.bounds.thresholds.judge_below(match self.bounds.spread {
            Spread::Range => all.max - all.min,
            Spread::Stddev => (all.m2 / all.n() as f64).sqrt(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::SECOND;

    const DAY: i64 = 86_400 * SECOND;

    fn flags(bounds: Attenuated, series: &[Option<f64>]) -> Vec<u8> {
        let mut test = AttenuatedTest::new(&bounds);
        (0..)
            .zip(series)
            .map(|(at, value)| {
                value.map_or(Flag::Missing, |value| test.next(at * DAY, value)).code()
            })
            .collect()
    }

    fn over_two_days(spread: Spread, suspect: f64, fail: f64, readings_min: u64) -> Attenuated {
        let thresholds = Thresholds { suspect: Some(suspect), fail: Some(fail) };
        Attenuated { spread, thresholds, period_ns: 2 * DAY, readings_min, time_min_ns: 0 }
    }

    #[test]
    fn what_varies_too_little_over_the_period_is_flagged() {
        let series = [1.0, 2.0, 3.0, 100.0, 1000.0].map(Some);
        let range = |least| flags(over_two_days(Spread::Range, 100.0, 10.0, least), &series);
        assert_eq!(range(2), [2, 4, 4, 3, 1]);
        assert_eq!(range(0), [4, 4, 4, 3, 1]);
    }

    #[test]
    fn a_period_that_has_hardly_begun_is_not_judged() {
        let bounds = over_two_days(Spread::Range, 100.0, 10.0, 0);
        let mut test = AttenuatedTest::new(&Attenuated { time_min_ns: DAY, ..bounds });
        let hour = DAY / 24;
        let flags = (0..40).map(|n| test.next(n * hour, n as f64)).collect::<Vec<_>>();
        assert_eq!(flags.iter().position(|flag| *flag != Flag::NotEvaluated), Some(24));
        // After a silence it begins again.
        assert_eq!(test.next(9 * DAY, 0.0), Flag::NotEvaluated);
    }

    #[test]
    fn missing_values_count_for_nothing() {
        let series = [Some(1.0), None, Some(10.0), Some(100.0), Some(1000.0)];
        let range = flags(over_two_days(Spread::Range, 100.0, 50.0, 2), &series);
        assert_eq!(range, [2, 9, 2, 3, 1]);
        let stddev = flags(over_two_days(Spread::Stddev, 150.0, 40.0, 2), &series);
        assert_eq!(stddev, [2, 9, 2, 3, 1]);
    }
}
