//! Aggregates of what speaks for and against readings.

mod saved;

use super::series::{Edge, Merge, Span};
use crate::engine::verdict::Tests;

/// When readings had a value, and what spoke against readings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trust {
    /// Earliest and latest time of a reading with a value; the former is after the latter while
    /// there is none.
    good_ns: (i64, i64),
    /// Longest time between two of them that follow each other.
    gap_ns: i64,
    tests: Tests,
    /// Readings that came too late to be put in their place.
    unordered: u32,
    is_empty: bool,
}

/// What it comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trusted {
    /// Longest time without a reading that has a value.
    pub gap_ns: i64,
    /// Time since the last reading that has a value, be it older than the window.
    pub age_ns: Option<i64>,
    /// All that speaks against a reading.
    pub tests: Tests,
    /// Readings that came too late to be put in their place in time; what goes by time leaves them
    /// out.
    pub unordered: u32,
}

impl Trust {
    /// The aggregate of one reading.
    #[must_use]
    pub fn of(at_ns: i64, is_good: bool, tests: Tests) -> Self {
        let good_ns = if is_good { (at_ns, at_ns) } else { Self::EMPTY.good_ns };
        Self { good_ns, tests, is_empty: false, ..Self::EMPTY }
    }

    /// The aggregate of a reading that has no place in the order of time.
    #[must_use]
    pub fn unordered(tests: Tests) -> Self {
        Self { tests, unordered: 1, is_empty: false, ..Self::EMPTY }
    }

    fn has_good(&self) -> bool {
        self.good_ns.0 <= self.good_ns.1
    }

    /// What it comes to in a span of time; `edge` is that of the end.
    #[must_use]
    pub fn over(&self, span: Span, edge: &Edge) -> Trusted {
        let gap_ns = match self.has_good() {
            true => {
                let (first_ns, last_ns) = self.good_ns;
                let ends_ns = (first_ns - span.from_ns).max(span.until_ns - last_ns);
                self.gap_ns.max(ends_ns)
            }
            false => span.ns(),
        };
        let age_ns = edge.good_ns.map(|good_ns| (span.until_ns - good_ns).max(0));
        Trusted { gap_ns, age_ns, tests: self.tests, unordered: self.unordered }
    }
}

impl Merge for Trust {
    const EMPTY: Self = Self {
        good_ns: (i64::MAX, i64::MIN),
        gap_ns: 0,
        tests: Tests::NONE,
        unordered: 0,
        is_empty: true,
    };

    fn is_empty(&self) -> bool {
        self.is_empty
    }

    fn merge(&mut self, later: &Self) {
        if self.has_good() && later.has_good() {
            self.gap_ns = self.gap_ns.max(later.good_ns.0 - self.good_ns.1);
        }
        self.gap_ns = self.gap_ns.max(later.gap_ns);
        self.good_ns.0 = self.good_ns.0.min(later.good_ns.0);
        self.good_ns.1 = self.good_ns.1.max(later.good_ns.1);
        self.tests = self.tests | later.tests;
        self.unordered = self.unordered.saturating_add(later.unordered);
        self.is_empty &= later.is_empty;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::{
        statistics::{
            hold::Point,
            series::tests_support::{assert_associative, partials},
        },
        verdict::Test,
    };

    fn points() -> impl Strategy<Value = Vec<Point>> {
        let value = prop_oneof![3 => 0..16_i32, 1 => Just(-1)];
        proptest::collection::vec((1..20_i64, value), 1..60).prop_map(|steps| {
            let mut at_ns = 0;
            let point = |(gap, value)| {
                at_ns += gap;
                let value = if value < 0 { f64::NAN } else { f64::from(value) };
                Point { at_ns, value }
            };
            steps.into_iter().map(point).collect()
        })
    }

    fn of(point: Point, _: Point) -> Trust {
        let test = Test::ALL[point.value.max(0.0) as usize];
        Trust::of(point.at_ns, point.is_known(), test.into())
    }

    proptest! {
        #[test]
        fn merging_is_associative(
            points in points(),
            cuts in any::<[prop::sample::Index; 2]>(),
        ) {
            assert_associative(partials(&points, cuts, of), |a, b| a == b);
        }

        /// Against each nanosecond asked how long it is since a reading with a value.
        #[test]
        fn the_longest_gap_is_the_longest_run_of_nanoseconds_without_one(
            points in points(),
            behind in 0..30_i64,
        ) {
            let (from_ns, until_ns) = (-3, points[points.len() - 1].at_ns + 1 + behind);
            let mut all = Trust::EMPTY;
            points.iter().for_each(|&point| all.merge(&of(point, Point::NEVER)));
            let edge = Edge::new(until_ns, Point::NEVER, Point::NOT_YET);
            let got = all.over(Span { from_ns, until_ns }, &edge);
            let (mut run, mut longest) = (0, 0);
            for ns in from_ns..until_ns {
                let is_good = points.iter().any(|point| point.at_ns == ns && point.is_known());
                run = if is_good { 1 } else { run + 1 };
                longest = longest.max(run);
            }
            prop_assert_eq!(got.gap_ns, longest);
        }
    }
}
