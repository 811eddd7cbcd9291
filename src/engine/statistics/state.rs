//! Aggregates of states: how long each was held, and how often they changed.

mod saved;

use super::{
    hold::{Ends, Hold, Point, Stretch},
    series::{Edge, Merge, Span},
};
use crate::limits::STATES_MAX;

/// Time in each state from the first of some readings to the last.
///
/// The value of a reading is the number of its state; what is none of them is one more state. A
/// state goes on as [`Hold`] says, always stepped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct States {
    ends: Ends,
    times: Times,
    transitions: u32,
}

/// Time in each state, nanoseconds; in the last place that of any other.
pub type Times = [i64; STATES_MAX + 1];

/// What they come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StateTimes {
    /// Time in each state.
    pub times: Times,
    /// Changes from one state to another; a reading without a value between them hides one.
    pub transitions: u32,
}

impl States {
    /// The aggregate of one reading, with the one before it.
    #[must_use]
    pub fn of(point: Point, before: Point, hold: Hold) -> Self {
        Self { ends: Ends::of(point, before, hold), ..Self::EMPTY }
    }

    /// What they come to in a span of time; `edge` is that of the end.
    #[must_use]
    pub fn over(mut self, span: Span, edge: &Edge, hold: Hold) -> StateTimes {
        let Span { from_ns, until_ns } = span;
        if !self.is_empty() {
            self.add(self.ends.known_from(from_ns));
            self.change(self.ends.lead());
        }
        self.add(hold.between(edge.before, edge.after, (from_ns, until_ns)));
        let Self { times, transitions, .. } = self;
        StateTimes { times, transitions }
    }

    fn add(&mut self, stretch: Option<Stretch>) {
        if let Some(Stretch { mean, ns }) = stretch {
            self.times[number(mean)] += ns;
        }
    }

    fn change(&mut self, (a, b): (Point, Point)) {
        if a.is_known() && b.is_known() && number(a.value) != number(b.value) {
            self.transitions = self.transitions.saturating_add(1);
        }
    }
}

/// The number of the state that a value stands for, of which so many are known; all others have
/// the number after the last of them.
#[must_use]
pub fn known_or_other(value: f64, known: usize) -> f64 {
    let number = (0..known).find(|&number| number as f64 == value);
    number.unwrap_or(known) as f64
}

/// Number of the state that a value stands for.
fn number(value: f64) -> usize {
    // What is not the number of a state is not turned into one.
    (0..STATES_MAX).find(|&number| number as f64 == value).unwrap_or(STATES_MAX)
}

impl Merge for States {
    const EMPTY: Self = Self { ends: Ends::NONE, times: [0; _], transitions: 0 };

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
        let (pair, bridge) = self.ends.reach(&later.ends);
        self.add(bridge);
        self.change(pair);
        for (time, more) in self.times.iter_mut().zip(later.times) {
            *time += more;
        }
        self.transitions = self.transitions.saturating_add(later.transitions);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::statistics::{
        hold::Course,
        series::tests_support::{assert_associative, partials},
    };

    fn readings() -> impl Strategy<Value = Vec<Point>> {
        let value = prop_oneof![
            6 => (0..3_u8).prop_map(f64::from),
            1 => Just(f64::NAN),
            1 => prop_oneof![Just(-1.0), Just(0.5), Just(99.0), Just(1e300)],
        ];
        proptest::collection::vec((0..12_i64, value), 1..60).prop_map(|steps| {
            let mut at_ns = 0;
            let point = |(gap, value)| {
                at_ns += gap;
                Point { at_ns, value }
            };
            steps.into_iter().map(point).collect()
        })
    }

    const HOLD: Hold = Hold { course: Course::Stepped, max_ns: 8 };

    proptest! {
        #[test]
        fn merging_is_associative(
            points in readings(),
            cuts in any::<[prop::sample::Index; 2]>(),
        ) {
            let parts = partials(&points, cuts, |point, before| States::of(point, before, HOLD));
            assert_associative(parts, |a, b| {
                (a.times, a.transitions) == (b.times, b.transitions)
                    && a.ends.are_like(&b.ends)
            });
        }

        /// Against the state of each nanosecond.
        #[test]
        fn times_are_the_nanoseconds_in_each_state(
            points in readings(),
            cut in any::<[prop::sample::Index; 2]>(),
        ) {
            let newest_ns = points[points.len() - 1].at_ns;
            let mut ends = cut.map(|at| at.index(newest_ns as usize + 20) as i64);
            ends.sort_unstable();
            let [from_ns, until_ns] = ends;
            let (mut all, mut times) = (States::EMPTY, [0; STATES_MAX + 1]);
            let (mut last, mut changes) = (Point::NEVER, 0);
            for &point in points.iter().filter(|point| point.at_ns < until_ns) {
                if from_ns <= point.at_ns {
                    all.merge(&States::of(point, last, HOLD));
                    let both = !last.value.is_nan() && !point.value.is_nan();
                    changes += u32::from(both && number(last.value) != number(point.value));
                }
                last = point;
            }
            let after = points.iter().find(|p| until_ns <= p.at_ns).copied();
            let edge = Edge::new(until_ns, last, after.unwrap_or(Point::NOT_YET));
            for ns in from_ns..until_ns {
                let point = points.iter().rfind(|point| point.at_ns <= ns);
                let Some(point) = point.filter(|p| p.is_known() && ns < p.at_ns + 8) else {
                    continue;
                };
                let known = [0.0, 1.0, 2.0].iter().position(|state| *state == point.value);
                times[known.unwrap_or(STATES_MAX)] += 1;
            }
            let got = all.over(Span { from_ns, until_ns }, &edge, HOLD);
            prop_assert_eq!(got, StateTimes { times, transitions: changes });
        }
    }
}
