//! Aggregates by time: what a quantity was on the average of the time in which it was known.

mod saved;

use super::{
    hold::{Ends, Hold, Point, Stretch},
    series::{Edge, Merge, Span},
};

/// Integral over the time in which a quantity was known.
///
/// It is kept as the integral of what it lies above an anchor, which is a value that it had:
/// nothing cancels, however large the values are beside their differences. Two of adjacent
/// intervals merge into that of both by what is known between the last reading of the one and the
/// first of the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeWeighted {
    ends: Ends,
    anchor: f64,
    /// Of differences from the anchor, in nanoseconds times the unit.
    integral: f64,
    known_ns: i64,
}

/// What it comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weighted {
    /// Mean over the time in which the quantity was known.
    pub mean: f64,
    /// That time.
    pub known_ns: i64,
}

impl Weighted {
    /// Integral over the time in which the quantity was known, in its unit times seconds.
    #[must_use]
    pub fn integral(&self) -> f64 {
        self.mean * (self.known_ns as f64 / 1e9)
    }
}

impl TimeWeighted {
    /// The aggregate of one reading, with the one before it.
    #[must_use]
    pub fn of(point: Point, before: Point, hold: Hold) -> Self {
        Self { ends: Ends::of(point, before, hold), ..Self::EMPTY }
    }

    /// What it comes to in a span of time that holds its readings and no others; `edge` is that
    /// of the end. `None` if nothing is known of it.
    #[must_use]
    pub fn over(mut self, span: Span, edge: &Edge, hold: Hold) -> Option<Weighted> {
        let Span { from_ns, until_ns } = span;
        if !self.is_empty() {
            self.add(self.ends.known_from(from_ns));
        }
        self.add(hold.between(edge.before, edge.after, (from_ns, until_ns)));
        let Self { anchor, integral, known_ns, .. } = self;
        (0 < known_ns).then(|| Weighted { mean: anchor + integral / known_ns as f64, known_ns })
    }

    fn add(&mut self, stretch: Option<Stretch>) {
        let Some(Stretch { mean, ns }) = stretch else { return };
        self.take(mean, 0.0, ns);
    }

    /// Adds a time with this integral of differences from an anchor.
    fn take(&mut self, anchor: f64, integral: f64, known_ns: i64) {
        if known_ns == 0 {
            return;
        }
        if self.known_ns == 0 {
            self.anchor = anchor;
        }
        self.integral += integral + (anchor - self.anchor) * known_ns as f64;
        self.known_ns += known_ns;
    }
}

impl Merge for TimeWeighted {
    const EMPTY: Self = Self { ends: Ends::NONE, anchor: 0.0, integral: 0.0, known_ns: 0 };

    fn is_empty(&self) -> bool {
        self.ends.is_none()
    }

    fn merge(&mut self, later: &Self) {
        if later.is_empty() {
            return;
        }
        if self.is_empty() {
            *self = *later;
            return;
        }
        let (_, bridge) = self.ends.reach(&later.ends);
        self.add(bridge);
        self.take(later.anchor, later.integral, later.known_ns);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::statistics::{
        hold::Course,
        series::tests_support::{assert_associative, close, partials},
    };

    fn readings() -> impl Strategy<Value = Vec<Point>> {
        let value = prop_oneof![8 => -100.0..100.0, 1 => Just(f64::NAN), 1 => Just(1e9)];
        proptest::collection::vec((0..12_i64, value), 1..60).prop_map(|steps| {
            let mut at_ns = 0;
            let point = |(gap, value)| {
                at_ns += gap;
                Point { at_ns, value }
            };
            steps.into_iter().map(point).collect()
        })
    }

    fn any_hold() -> impl Strategy<Value = Hold> {
        let course = prop_oneof![Just(Course::Stepped), Just(Course::Linear)];
        (course, 1..15_i64).prop_map(|(course, max_ns)| Hold { course, max_ns })
    }

    /// Value in the middle of a nanosecond, by looking for the readings around it.
    fn known_at(points: &[Point], hold: Hold, ns: i64) -> Option<f64> {
        let after = points.iter().position(|p| ns < p.at_ns).unwrap_or(points.len());
        let a = points[after.checked_sub(1)?];
        let b = points.get(after).copied();
        let is_line = |b: &Point| {
            hold.course == Course::Linear && b.is_known() && b.at_ns - a.at_ns <= hold.max_ns
        };
        if !a.is_known() || a.at_ns + hold.max_ns <= ns {
            return None;
        }
        match b.filter(is_line) {
            Some(b) => {
                let (x, length) = ((ns - a.at_ns) as f64 + 0.5, (b.at_ns - a.at_ns) as f64);
                Some(a.value + (b.value - a.value) * x / length)
            }
            None => Some(a.value),
        }
    }

    proptest! {
        /// Against the value at each nanosecond, over any part of the readings.
        #[test]
        fn equals_a_sum_over_every_nanosecond(
            points in readings(),
            hold in any_hold(),
            cut in any::<[prop::sample::Index; 2]>(),
        ) {
            let newest_ns = points[points.len() - 1].at_ns;
            let mut ends = cut.map(|at| at.index(newest_ns as usize + 20) as i64);
            ends.sort_unstable();
            let [from_ns, until_ns] = ends;
            let within = |p: &&Point| from_ns <= p.at_ns && p.at_ns < until_ns;
            let before = points.iter().rfind(|p| p.at_ns < from_ns).copied();
            let mut all = TimeWeighted::EMPTY;
            let mut last = before.unwrap_or(Point::NEVER);
            for &point in points.iter().filter(within) {
                all.merge(&TimeWeighted::of(point, last, hold));
                last = point;
            }
            let after = points.iter().find(|p| until_ns <= p.at_ns);
            let edge = Edge::new(until_ns, last, after.copied().unwrap_or(Point::NOT_YET));
            let got = all.over(Span { from_ns, until_ns }, &edge, hold);

            let known: Vec<f64> =
                (from_ns..until_ns).filter_map(|ns| known_at(&points, hold, ns)).collect();
            let largest = known.iter().fold(0.0_f64, |max, v| max.max(v.abs()));
            let mean = known.iter().sum::<f64>() / known.len() as f64;
            prop_assert_eq!(got.map_or(0, |got| got.known_ns), known.len() as i64);
            if let Some(got) = got {
                prop_assert!((got.mean - mean).abs() <= 1e-12 * largest, "{} {mean}", got.mean);
            }
        }

        #[test]
        fn merging_is_associative(
            points in readings(),
            hold in any_hold(),
            cuts in any::<[prop::sample::Index; 2]>(),
        ) {
            let parts = partials(&points, cuts, |point, before| TimeWeighted::of(point, before, hold));
            assert_associative(parts, |a, b| {
                a.known_ns == b.known_ns
                    && a.ends.are_like(&b.ends)
                    && close(a.over_all(), b.over_all(), 1e-12)
            });
        }
    }

    impl TimeWeighted {
        fn over_all(&self) -> f64 {
            if self.known_ns == 0 {
                0.0
            } else {
                self.anchor + self.integral / self.known_ns as f64
            }
        }
    }

    /// What a sum of values times lengths would lose.
    #[test]
    fn large_values_keep_their_differences() {
        let hold = Hold { course: Course::Stepped, max_ns: 10 };
        let mut all = TimeWeighted::EMPTY;
        let mut before = Point::NEVER;
        for at_ns in 0..100_000 {
            let value = 1e9 + if at_ns % 2 == 0 { 0.25 } else { 0.75 };
            let point = Point { at_ns, value };
            all.merge(&TimeWeighted::of(point, before, hold));
            before = point;
        }
        let edge = Edge::new(100_000, before, Point::NOT_YET);
        let got = all.over(Span { from_ns: 0, until_ns: 100_000 }, &edge, hold);
        assert_eq!(got, Some(Weighted { mean: 1e9 + 0.5, known_ns: 100_000 }));
    }
}
