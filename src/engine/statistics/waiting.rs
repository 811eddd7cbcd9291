//! Readings that wait for the watermark, to be taken in the order of time.

mod saved;

use std::collections::VecDeque;

use super::hold::Point;
use crate::engine::verdict::Tests;

/// A reading that waits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Waits {
    /// When, and which value if it has one that counts.
    pub point: Point,
    /// What speaks against it.
    pub tests: Tests,
    /// Where the watermark was when it was accepted.
    pub seen_ns: i64,
    /// The value of another channel that goes with it; not a number if there is none.
    pub speed: f64,
}

/// A bounded list of readings by time, those of one time in the order of arrival.
#[derive(Debug)]
pub struct Waiting {
    held: VecDeque<Waits>,
    most: usize,
}

impl Waiting {
    /// Room for so many.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { held: VecDeque::new(), most }
    }

    /// Bytes that a list for so many comes to at most.
    #[must_use]
    pub fn bytes_at_most(most: usize) -> usize {
        most * size_of::<Waits>()
    }

    /// Puts a reading in; whether the list is full then.
    #[must_use = "a full list must be emptied"]
    pub fn push(&mut self, waits: Waits) -> bool {
        debug_assert!(self.held.len() < self.most);
        if self.held.len() == self.held.capacity() {
            let doubled = (2 * self.held.len()).clamp(1, self.most);
            self.held.reserve_exact(doubled - self.held.len());
        }
        // Most come in order, and have their place at the end.
        let at_ns = waits.point.at_ns;
        if self.held.back().is_none_or(|last| last.point.at_ns <= at_ns) {
            self.held.push_back(waits);
        } else {
            let after = self.held.partition_point(|other| other.point.at_ns <= at_ns);
            self.held.insert(after, waits);
        }
        self.held.len() == self.most
    }

    /// The earliest.
    #[must_use]
    pub fn first(&self) -> Option<Waits> {
        self.held.front().copied()
    }

    /// Takes the earliest out.
    pub fn pop(&mut self) {
        self.held.pop_front();
    }

    /// Time of the one in the middle, if there is one.
    #[must_use]
    pub fn middle_ns(&self) -> Option<i64> {
        self.held.get(self.held.len() / 2).map(|waits| waits.point.at_ns)
    }

    /// The earliest at or after an instant of those that were accepted before the watermark came
    /// to the instant.
    #[must_use]
    pub fn after(&self, at_ns: i64) -> Point {
        let from = self.held.partition_point(|waits| waits.point.at_ns < at_ns);
        let mut later = self.held.range(from..);
        later.find(|waits| waits.seen_ns < at_ns).map_or(Point::NOT_YET, |waits| waits.point)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a list that is searched each time.
        #[test]
        fn comes_out_by_time_then_by_arrival(
            steps in proptest::collection::vec((-20..20_i64, -20..20_i64, any::<bool>()), 0..200),
        ) {
            let mut waiting = Waiting::new(16);
            let mut naive: Vec<(i64, usize, i64)> = Vec::new();
            for (arrival, (at_ns, seen_ns, takes)) in steps.into_iter().enumerate() {
                let point = Point { at_ns, value: arrival as f64 };
                naive.push((at_ns, arrival, seen_ns));
                let full = waiting.push(Waits { point, tests: Tests::NONE, seen_ns, speed: f64::NAN });
                prop_assert_eq!(full, naive.len() == 16);
                let later = naive.iter().filter(|(at, _, seen)| seen_ns <= *at && *seen < seen_ns);
                let after = later.min().map(|(_, arrival, _)| *arrival as f64);
                let got = waiting.after(seen_ns);
                prop_assert_eq!(got.is_known().then_some(got.value), after);
                if full || takes {
                    let first = *naive.iter().min().expect("one is there");
                    naive.retain(|one| *one != first);
                    let got = waiting.first().map(|waits| waits.point.value);
                    prop_assert_eq!(got, Some(first.1 as f64));
                    waiting.pop();
                }
            }
        }
    }
}
