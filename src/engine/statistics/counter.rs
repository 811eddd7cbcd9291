//! Aggregates of counters: what they counted, wraps and resets apart.

mod saved;

use super::{hold::Point, series::Merge};
use crate::engine::calibration::Step;

/// The range of a counter, and what is a wrap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// It goes from 0 up to here, and over to 0; `None` if it never wraps.
    pub modulus: Option<f64>,
    /// The largest step that is a wrap.
    pub wrap_max: f64,
}

impl Range {
    fn step(&self, before: f64, now: f64) -> Step {
        Step::between(before, now, self.modulus, self.wrap_max)
    }
}

/// What a counter counted from the first of some readings to the last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counter {
    range: Range,
    /// The last reading with a value before the first.
    before: Point,
    first: Point,
    last: Point,
    /// Whether the last is another reading than the first.
    is_several: bool,
    sum: Sum,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Sum {
    increase: f64,
    wraps: u32,
    resets: u32,
}

/// What it comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counted {
    /// What was counted from the last reading before the first of the window to its last, as far
    /// as it is known: what was counted before a reset and not read is lost.
    pub increase: f64,
    /// That over the time between these two, a second; absent if there is none between them.
    pub per_second: Option<f64>,
    /// How often the counter went over the end of its range.
    pub wraps: u32,
    /// How often it began anew.
    pub resets: u32,
}

impl Counter {
    /// The aggregate of one reading that has a value, with the one before it that had.
    #[must_use]
    pub fn of(point: Point, before: Point, range: Range) -> Self {
        Self { range, before, first: point, last: point, is_several: false, sum: Sum::NOTHING }
    }

    /// What it comes to; `None` for no reading, and for one without any before it.
    #[must_use]
    pub fn counted(mut self) -> Option<Counted> {
        if self.is_empty() {
            return None;
        }
        let mut since = self.first;
        if self.before.is_known() {
            since = self.before;
            self.sum.step(self.range.step(self.before.value, self.first.value));
        } else if !self.is_several {
            return None;
        }
        let Sum { increase, wraps, resets } = self.sum;
        let seconds = (self.last.at_ns - since.at_ns) as f64 / 1e9;
        let per_second = (0.0 < seconds).then(|| increase / seconds);
        Some(Counted { increase, per_second, wraps, resets })
    }
}

impl Sum {
    const NOTHING: Self = Self { increase: 0.0, wraps: 0, resets: 0 };

    fn step(&mut self, step: Step) {
        match step {
            Step::Forward(by) => self.increase += by,
            Step::Wrap(by) => {
                self.increase += by;
                self.wraps = self.wraps.saturating_add(1);
            }
            Step::Reset(by) => {
                self.increase += by;
                self.resets = self.resets.saturating_add(1);
            }
        }
    }
}

impl Merge for Counter {
    const EMPTY: Self = Self {
        range: Range { modulus: None, wrap_max: 0.0 },
        before: Point::NEVER,
        first: Point::NEVER,
        last: Point::NEVER,
        is_several: false,
        sum: Sum::NOTHING,
    };

    fn is_empty(&self) -> bool {
        !self.first.is_known()
    }

    fn merge(&mut self, later: &Self) {
        if later.is_empty() {
            return;
        }
        if self.is_empty() {
            *self = *later;
            return;
        }
        self.sum.step(self.range.step(self.last.value, later.first.value));
        self.sum.increase += later.sum.increase;
        self.sum.wraps = self.sum.wraps.saturating_add(later.sum.wraps);
        self.sum.resets = self.sum.resets.saturating_add(later.sum.resets);
        self.last = later.last;
        self.is_several = true;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::statistics::series::tests_support::{assert_associative, partials};

    const U32: Range = Range { modulus: Some(4_294_967_296.0), wrap_max: 2_147_483_648.0 };

    fn merged(readings: &[(i64, f64)], range: Range) -> Counter {
        let mut all = Counter::EMPTY;
        let mut before = Point::NEVER;
        for &(at_ns, value) in readings {
            let point = Point { at_ns, value };
            all.merge(&Counter::of(point, before, range));
            before = point;
        }
        all
    }

    /// 4294967290, 4294967295, 3 at 0, 1.0 and 2.5 ms: increments of 5 and 4.
    #[test]
    fn a_counter_of_32_bits_goes_over_its_end() {
        let readings = [(0, 4_294_967_290.0), (1_000_000, 4_294_967_295.0), (2_500_000, 3.0)];
        let got = merged(&readings, U32).counted().expect("two steps");
        assert_eq!((got.increase, got.wraps, got.resets), (9.0, 1, 0));
        assert_eq!(got.per_second, Some(9.0 / 0.0025));
    }

    #[test]
    fn a_drop_of_more_than_half_the_range_is_a_reset() {
        let got = merged(&[(0, 100.0), (1, 110.0), (2, 7.0), (3, 8.0)], U32).counted();
        let got = got.expect("three steps");
        assert_eq!((got.increase, got.wraps, got.resets), (18.0, 0, 1));
        let never = Range { modulus: None, wrap_max: 0.0 };
        let got = merged(&[(0, 4e9), (1, 1.0)], never).counted().expect("a step");
        assert_eq!((got.increase, got.wraps, got.resets), (1.0, 0, 1));
    }

    #[test]
    fn a_step_belongs_to_the_reading_that_shows_it() {
        let before = Point { at_ns: 0, value: 10.0 };
        let alone = Counter::of(Point { at_ns: 2_000_000_000, value: 14.0 }, before, U32);
        let got = alone.counted().expect("a step");
        assert_eq!((got.increase, got.per_second), (4.0, Some(2.0)));
        assert_eq!(merged(&[(0, 10.0)], U32).counted(), None, "the first gives no step");
        let twice = merged(&[(0, 10.0), (0, 10.0)], U32).counted().expect("a step");
        assert_eq!((twice.increase, twice.per_second), (0.0, None));
    }

    proptest! {
        /// Of whole numbers there is nothing to round.
        #[test]
        fn merging_is_associative(
            readings in proptest::collection::vec(0..256_u32, 1..60),
            cuts in any::<[prop::sample::Index; 2]>(),
        ) {
            let range = Range { modulus: Some(256.0), wrap_max: 128.0 };
            let points: Vec<Point> = (0..).zip(&readings)
                .map(|(at_ns, &raw)| Point { at_ns, value: f64::from(raw) }).collect();
            let parts = partials(&points, cuts, |point, before| Counter::of(point, before, range));
            assert_associative(parts, |a, b| a.counted() == b.counted() && a.last == b.last);
        }

        /// What a true counter counted, of which only the low bits are read.
        #[test]
        fn the_increase_is_that_of_the_true_counter(
            steps in proptest::collection::vec(0..128_u64, 2..200),
        ) {
            let range = Range { modulus: Some(256.0), wrap_max: 128.0 };
            let mut truth = 0_u64;
            let readings: Vec<(i64, f64)> = (0..).zip(&steps).map(|(at_ns, step)| {
                truth += step;
                (at_ns, (truth % 256) as f64)
            }).collect();
            let got = merged(&readings, range).counted().expect("two readings");
            let increase: u64 = steps[1..].iter().sum();
            prop_assert_eq!(got.increase, increase as f64);
            let wraps = truth / 256 - steps[0] / 256;
            prop_assert_eq!((u64::from(got.wraps), got.resets), (wraps, 0));
        }
    }
}
