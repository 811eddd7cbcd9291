//! What the values of a stretch of time that ends now came to.

mod saved;

use std::collections::VecDeque;

use crate::{
    engine::{
        partial::{OpenPartial, Partial},
        ring::{Ring, RingState},
        summary::Flag,
    },
    limits::QC_SLICES,
};

/// The values of the last `length`, in [`QC_SLICES`] slices of time: bounded memory whatever the
/// rate, at the price that the older end moves by a slice at a time. Values that are further
/// apart than a slice are told apart exactly.
#[derive(Debug)]
pub(super) struct Sweep {
    slice_ns: i64,
    /// How many slices before the current one are part of it.
    older: i64,
    state: RingState,
    entries: Box<[Partial]>,
    current: OpenPartial,
    current_slice: i64,
    /// When readings came, those without a value too: slice by slice, the current one included.
    times: VecDeque<Times>,
    /// When they began to come without a pause longer than the stretch.
    since_ns: i64,
}

/// When the first and the last reading of a slice came.
#[derive(Clone, Copy, Debug)]
struct Times {
    slice: i64,
    first_ns: i64,
    last_ns: i64,
}

/// Which end of the stretch is part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// A value exactly `length` ago is part of it.
    Inclusive,
    /// It is not.
    Exclusive,
}

impl Sweep {
    /// Bytes of one.
    pub(super) const BYTES: usize =
        size_of::<Self>() + (QC_SLICES as usize + 1) * (size_of::<Partial>() + size_of::<Times>());

    /// A sweep over this length.
    #[must_use]
    pub(super) fn new(length_ns: i64, reach: Reach) -> Self {
        let older = match reach {
            Reach::Inclusive => QC_SLICES,
            Reach::Exclusive => QC_SLICES - 1,
        };
        let places = QC_SLICES as usize + 1;
        Self {
            slice_ns: (length_ns / QC_SLICES).max(1),
            older,
            state: RingState::new(places, 0),
            entries: vec![Partial::EMPTY; places].into(),
            current: OpenPartial::EMPTY,
            current_slice: 0,
            times: VecDeque::with_capacity(places),
            since_ns: 0,
        }
    }

    /// Takes the next value, which is not older than the one before, and gives the aggregate of
    /// the stretch that ends with it.
    pub(super) fn next(&mut self, at_ns: i64, value: f64) -> Partial {
        let (slice, at_ns) = self.turn_to(at_ns);
        self.current.push(at_ns, value, Flag::Pass);
        let mut ring = Ring { state: &mut self.state, entries: &mut self.entries };
        ring.evict_below(slice - self.older);
        let mut all = ring.aggregate();
        all.merge(&self.current.close());
        all
    }

    /// Takes note of a reading without a value.
    pub(super) fn miss(&mut self, at_ns: i64) {
        self.turn_to(at_ns);
    }

    /// Turns to the slice of a reading, which it takes note of, and gives the two. A value may be
    /// older than one that is missing: time does not go back for it.
    fn turn_to(&mut self, at_ns: i64) -> (i64, i64) {
        let at_ns = self.times.back().map_or(at_ns, |times| at_ns.max(times.last_ns));
        let slice = at_ns.div_euclid(self.slice_ns);
        let closed = self.current.close();
        if self.current_slice != slice && !closed.is_empty() {
            let mut ring = Ring { state: &mut self.state, entries: &mut self.entries };
            // Room first: a ring holds no more than the stretch has slices.
            ring.evict_below(self.current_slice - self.older);
            ring.push(self.current_slice, &closed);
            self.current = OpenPartial::EMPTY;
        }
        self.current_slice = slice;
        while self.times.front().is_some_and(|times| times.slice < slice - self.older) {
            self.times.pop_front();
        }
        match self.times.back_mut() {
            None => {
                self.since_ns = at_ns;
                self.times.push_back(Times { slice, first_ns: at_ns, last_ns: at_ns });
            }
            Some(last) if last.slice == slice => last.last_ns = at_ns,
            Some(_) => self.times.push_back(Times { slice, first_ns: at_ns, last_ns: at_ns }),
        }
        (slice, at_ns)
    }

    /// Forgets all values.
    pub(super) fn clear(&mut self) {
        self.state = RingState::new(self.entries.len(), 0);
        self.current = OpenPartial::EMPTY;
        self.times.clear();
    }

    /// When the first reading of the stretch came, if it has one.
    #[must_use]
    pub(super) fn first_ns(&self) -> Option<i64> {
        self.times.front().map(|times| times.first_ns)
    }

    /// When readings began to come without a pause longer than the stretch; of no meaning where
    /// there is none.
    #[must_use]
    pub(super) fn since_ns(&self) -> i64 {
        self.since_ns
    }
}
