//! A value that changes faster than the quantity can.
//!
//! QARTOD test 7 ("Rate of Change Test"): the change since the value before, by the time
//! between the two, to the nanosecond.

use super::bounds::Thresholds;
use crate::engine::summary::Flag;

/// The rate of change of a channel, from one value to the next.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slope {
    previous: Option<(i64, f64)>,
}

impl Slope {
    /// Goes on from this value.
    pub(super) fn since(previous: Option<(i64, f64)>) -> Self {
        Self { previous }
    }

    /// Time and value of the one before.
    pub(super) fn previous(&self) -> Option<(i64, f64)> {
        self.previous
    }

    /// Takes the next value of a channel and gives its change per second since the one before;
    /// `None` for the first, for the first after one that is missing, and for one that is not
    /// younger than the one before.
    pub fn next(&mut self, at_ns: i64, value: f64) -> Option<f64> {
        let (since_ns, before) = self.previous.replace((at_ns, value))?;
        let seconds = at_ns.checked_sub(since_ns).filter(|ns| 0 < *ns)? as f64 / 1e9;
        Some((value - before) / seconds)
    }

    /// A value was due and is missing.
    pub fn miss(&mut self) {
        self.previous = None;
    }
}

/// Judges a change per second. Of the first value there is none, and nothing speaks against it.
#[must_use]
pub fn judge(thresholds: &Thresholds, per_second: Option<f64>) -> Flag {
    per_second.map_or(Flag::Pass, |rate| thresholds.judge_above(rate.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{MS, SECOND};

    const QUARTER: i64 = 900 * SECOND;
    /// Five in a quarter of an hour, rounded down.
    const LIMIT: f64 = 0.005_555_555_555_555_555;

    fn flags(fail: Option<f64>, step_ns: i64, series: &[Option<f64>]) -> Vec<u8> {
        let thresholds = Thresholds { suspect: Some(LIMIT), fail };
        let mut slope = Slope::default();
        (0..)
            .zip(series)
            .map(|(at, value)| match value {
                Some(value) => judge(&thresholds, slope.next(at * step_ns, *value)).code(),
                None => {
                    slope.miss();
                    Flag::Missing.code()
                }
            })
            .collect()
    }

    #[test]
    fn a_value_that_jumps_is_suspect_and_so_is_the_way_back() {
        let series = [
            2.0, 10.0, 2.1, 3.0, 4.0, 5.0, 7.0, 10.0, 0.0, 2.0, 2.2, 2.0, 1.0, 2.0, 3.0, 90.0,
            91.0, 92.0, 93.0, 1.0, 2.0, 3.0, 4.0, 5.0,
        ];
        let got = flags(None, QUARTER, &series.map(Some));
        let suspect: Vec<_> = (0..got.len()).filter(|&at| got[at] == 3).collect();
        assert_eq!(suspect, [1, 2, 8, 15, 19]);
        let got = flags(Some(2.0 * LIMIT), QUARTER, &series.map(Some));
        let failed: Vec<_> = (0..got.len()).filter(|&at| got[at] == 4).collect();
        assert_eq!(failed, [8, 15, 19]);
    }

    #[test]
    fn there_is_no_rate_across_a_missing_value() {
        let series = [Some(2.0), Some(10.0), Some(2.0), Some(3.0), None, None, Some(99.0)];
        assert_eq!(flags(None, QUARTER, &series), [1, 3, 3, 1, 9, 9, 1]);
    }

    /// Half a second is half a second: whole seconds would make an infinite rate of it, or none.
    #[test]
    fn fractions_of_a_second_count() {
        let step = |seconds: f64| Some(LIMIT * seconds);
        assert_eq!(flags(None, 500 * MS, &[Some(0.0), step(0.49)]), [1, 1]);
        assert_eq!(flags(None, 500 * MS, &[Some(0.0), step(0.51)]), [1, 3]);
        assert_eq!(flags(None, 1_900 * MS, &[Some(0.0), step(1.89)]), [1, 1]);
    }

    #[test]
    fn between_values_of_one_time_there_is_no_rate() {
        let mut slope = Slope::default();
        assert_eq!(slope.next(1_000_000_000, 1.0), None);
        assert_eq!(slope.next(1_000_000_000, 2.0), None);
        assert_eq!(slope.next(3_000_000_000, 5.0), Some(1.5));
    }
}
