//! The largest of values that came one after the other, and when.

mod saved;

use super::series::Merge;

/// The largest value, the first of several.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    value: f64,
    at_ns: i64,
}

impl Peak {
    /// The aggregate of one value.
    #[must_use]
    pub fn of(at_ns: i64, value: f64) -> Self {
        Self { value, at_ns }
    }

    /// The value and its time, if there is one.
    #[must_use]
    pub fn get(&self) -> Option<(f64, i64)> {
        (!self.is_empty()).then_some((self.value, self.at_ns))
    }
}

impl Merge for Peak {
    const EMPTY: Self = Self { value: f64::NEG_INFINITY, at_ns: 0 };

    fn is_empty(&self) -> bool {
        self.value == f64::NEG_INFINITY
    }

    fn merge(&mut self, later: &Self) {
        if self.value < later.value {
            *self = *later;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::statistics::{
        hold::Point,
        series::tests_support::{assert_associative, partials},
    };

    proptest! {
        #[test]
        fn merging_is_associative_and_keeps_the_largest(
            values in proptest::collection::vec(-3..3_i32, 1..40),
            cuts in any::<[prop::sample::Index; 2]>(),
        ) {
            let points: Vec<Point> = (0..).zip(&values)
                .map(|(at_ns, &value)| Point { at_ns, value: f64::from(value) }).collect();
            let of = |point: Point, _| Peak::of(point.at_ns, point.value);
            assert_associative(partials(&points, cuts, of), |a, b| a == b);
            let mut all = Peak::EMPTY;
            points.iter().for_each(|&point| all.merge(&of(point, Point::NEVER)));
            let largest = values.iter().max().expect("not empty");
            let at = values.iter().position(|value| value == largest).expect("it is there");
            prop_assert_eq!(all.get(), Some((f64::from(*largest), at as i64)));
        }
    }
}
