//! How many readings a window lacks that lie within its length.
//!
//! A window that gave readings up cannot keep their times, or it would keep them. They are counted
//! by the part of the window's length in which they lie, a 64th of it, and a part grows old as a
//! whole. So the count is never too small, too large by at most what one part lacks, and 0 exactly
//! when the window holds everything, because the time of the newest is kept.

mod saved;

use std::collections::VecDeque;

use crate::limits::EXACT_SLICES;

/// Readings that were given up, by slices of time.
#[derive(Clone, Debug)]
pub struct Lacking {
    slice_ns: i64,
    /// Number of each slice with its readings, ascending; at most [`EXACT_SLICES`] and one
    /// when the old ones are forgotten.
    slices: VecDeque<(i64, u32)>,
    newest_ns: i64,
}

impl Lacking {
    /// Nothing is lacking in a window of this length.
    #[must_use]
    pub fn new(length_ns: i64) -> Self {
        let slice_ns = (length_ns + EXACT_SLICES - 1) / EXACT_SLICES;
        Self { slice_ns, slices: VecDeque::new(), newest_ns: i64::MIN }
    }

    /// Bytes that it comes to at most, besides its own.
    #[must_use]
    pub fn bytes_at_most() -> usize {
        // The parts that a length touches are one more than it has, and room doubles as it fills.
        2 * EXACT_SLICES as usize * size_of::<(i64, u32)>()
    }

    /// One more is lacking, of this time.
    pub fn add(&mut self, at_ns: i64) {
        self.newest_ns = self.newest_ns.max(at_ns);
        let slice = at_ns.div_euclid(self.slice_ns);
        let after = self.slices.partition_point(|(number, _)| *number <= slice);
        match after.checked_sub(1).map(|at| &mut self.slices[at]) {
            Some((number, n)) if *number == slice => *n = n.saturating_add(1),
            _ => self.slices.insert(after, (slice, 1)),
        }
    }

    /// Forgets those up to this time, slice by slice.
    #[inline]
    pub fn forget(&mut self, upto_ns: i64) {
        if self.slices.is_empty() {
            return;
        }
        if self.newest_ns <= upto_ns {
            self.slices.clear();
        }
        while let Some((slice, _)) = self.slices.front()
            && (slice + 1) * self.slice_ns <= upto_ns + 1
        {
            self.slices.pop_front();
        }
    }

    /// How many are lacking; no more than fit the number.
    #[must_use]
    pub fn n(&self) -> u32 {
        self.slices.iter().fold(0, |sum, (_, n)| sum.saturating_add(*n))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against every time kept: never too few, too many by no more than one slice holds, and
        /// none exactly when none is lacking.
        #[test]
        fn never_too_few_and_none_when_there_is_none(
            length_ns in prop_oneof![1..300_i64, Just(500_000_000_i64)],
            steps in proptest::collection::vec((any::<u16>(), any::<u16>()), 1..200),
        ) {
            let (mut lacking, mut naive) = (Lacking::new(length_ns), Vec::new());
            let mut now_ns = -length_ns;
            for (gap, behind) in steps {
                now_ns += i64::from(gap) * length_ns / 200_000;
                let at_ns = now_ns - i64::from(behind) * length_ns / 70_000;
                lacking.add(at_ns);
                naive.push(at_ns);
                lacking.forget(now_ns - length_ns);
                naive.retain(|at_ns| now_ns - length_ns < *at_ns);
                let (got, least) = (lacking.n() as usize, naive.len());
                let old = (now_ns - length_ns).div_euclid(lacking.slice_ns);
                prop_assert_eq!(got == 0, least == 0);
                prop_assert!(least <= got);
                prop_assert!(lacking.slices.iter().skip(1).all(|(slice, _)| old < *slice));
                prop_assert!(lacking.slices.len() <= EXACT_SLICES as usize + 1);
            }
        }
    }
}
