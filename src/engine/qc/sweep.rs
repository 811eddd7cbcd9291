//! What the values of a stretch of time that ends now came to.

mod saved;

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
    /// When the first value came since a break.
    first_ns: Option<i64>,
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
        size_of::<Self>() + (QC_SLICES as usize + 1) * size_of::<Partial>();

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
            first_ns: None,
        }
    }

    /// Takes the next value, which is not older than the one before, and gives the aggregate of
    /// the stretch that ends with it.
    pub(super) fn next(&mut self, at_ns: i64, value: f64) -> Partial {
        let slice = at_ns.div_euclid(self.slice_ns);
        if self.first_ns.is_none() {
            self.first_ns = Some(at_ns);
            self.current_slice = slice;
        }
        let mut ring = Ring { state: &mut self.state, entries: &mut self.entries };
        if self.current_slice != slice {
            // Room first: a ring holds no more than the stretch has slices.
            ring.evict_below(self.current_slice - self.older);
            ring.push(self.current_slice, &self.current.close());
            self.current = OpenPartial::EMPTY;
            self.current_slice = slice;
        }
        ring.evict_below(slice - self.older);
        self.current.push(at_ns, value, Flag::Pass);
        let mut all = ring.aggregate();
        all.merge(&self.current.close());
        all
    }

    /// Forgets all values.
    pub(super) fn clear(&mut self) {
        self.state = RingState::new(self.entries.len(), 0);
        self.current = OpenPartial::EMPTY;
        self.first_ns = None;
    }

    /// When the first value came since the sweep began.
    #[must_use]
    pub(super) fn first_ns(&self) -> Option<i64> {
        self.first_ns
    }
}
