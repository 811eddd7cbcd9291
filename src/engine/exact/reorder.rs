//! Readings that wait for the watermark, to be taken in the order of time.

mod saved;

use crate::engine::summary::Flag;

/// A reading, or a note that there was no value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noted {
    /// Event time.
    pub at_ns: i64,
    /// The value, if there is one.
    pub value: f64,
    /// Its verdict.
    pub flag: Flag,
}

/// A bounded buffer: readings go in as they arrive and come out by event time, those of equal
/// times in the order of arrival.
#[derive(Debug)]
pub struct Reorder {
    waiting: Vec<Noted>,
    most: usize,
    /// Whether they came in order, as they mostly do: nothing needs sorting then.
    in_order: bool,
}

impl Reorder {
    /// Room for so many.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { waiting: Vec::new(), most, in_order: true }
    }

    /// Bytes that a buffer for so many comes to at most.
    #[must_use]
    pub fn bytes_at_most(most: usize) -> usize {
        most * size_of::<Noted>()
    }

    /// Puts a reading in; whether the buffer is full then, and wants [`Self::take_older_half`].
    #[must_use = "a full buffer must be emptied"]
    pub fn push(&mut self, noted: Noted) -> bool {
        debug_assert!(self.waiting.len() < self.most);
        self.in_order &= self.waiting.last().is_none_or(|last| last.at_ns <= noted.at_ns);
        if self.waiting.len() == self.waiting.capacity() {
            let doubled = (2 * self.waiting.len()).clamp(1, self.most);
            self.waiting.reserve_exact(doubled - self.waiting.len());
        }
        self.waiting.push(noted);
        self.waiting.len() == self.most
    }

    /// Takes those before `end_ns` out.
    pub fn take_below(&mut self, end_ns: i64) -> impl Iterator<Item = Noted> {
        self.sort();
        let below = self.waiting.partition_point(|noted| noted.at_ns < end_ns);
        self.waiting.drain(..below)
    }

    /// Takes the older half out.
    pub fn take_older_half(&mut self) -> impl Iterator<Item = Noted> {
        self.sort();
        self.waiting.drain(..self.waiting.len() / 2)
    }

    fn sort(&mut self) {
        if !self.in_order {
            // Stable, hence equal times stay in the order of arrival.
            self.waiting.sort_by_key(|noted| noted.at_ns);
            self.in_order = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a list that is searched for the earliest: whatever the order of arrival, and
        /// however often some are taken out.
        #[test]
        fn comes_out_by_time_then_by_arrival(
            steps in proptest::collection::vec((-20..20_i64, any::<bool>()), 0..200),
        ) {
            let mut reorder = Reorder::new(16);
            let mut naive: Vec<(i64, usize)> = Vec::new();
            let take = |naive: &mut Vec<(i64, usize)>, taken: Vec<Noted>| {
                for noted in taken {
                    let first = *naive.iter().min().expect("as many are there");
                    naive.retain(|one| *one != first);
                    assert_eq!((noted.at_ns, noted.value), (first.0, first.1 as f64));
                }
            };
            for (arrival, (at_ns, cut)) in steps.into_iter().enumerate() {
                naive.push((at_ns, arrival));
                let full = reorder.push(Noted { at_ns, value: arrival as f64, flag: Flag::Pass });
                prop_assert_eq!(full, naive.len() == 16);
                if full {
                    let older = reorder.take_older_half().collect::<Vec<_>>();
                    prop_assert_eq!(older.len(), 8);
                    take(&mut naive, older);
                } else if cut {
                    take(&mut naive, reorder.take_below(at_ns).collect());
                    prop_assert!(naive.iter().all(|one| at_ns <= one.0));
                }
            }
        }
    }
}
