//! The panes of one window: a queue with its aggregate always at hand.
//!
//! Two-Stacks-Lite of Tangwongsan, Hirzel and Schneider ("In-order sliding-window aggregation in
//! worst-case constant time", VLDB Journal 2021): the older part of the ring holds suffix
//! aggregates in place, the younger part holds the panes as they came, `back` holds their
//! aggregate. Push, evict and query cost a constant number of merges, amortized; no inverse is
//! needed, hence no float is ever subtracted.
//!
//! Panes without readings are not stored: each entry knows its pane, and evicting goes by that.

mod saved;

use super::partial::Partial;

pub use self::saved::Panes;

/// What a ring holds: the aggregate of a pane, or of several.
pub trait Entry: Copy {
    /// The aggregate of nothing: merging it changes nothing.
    const EMPTY: Self;

    /// Adds the aggregate of a later interval; leaves the mark alone.
    fn merge(&mut self, later: &Self);

    /// What the ring knows the entry by.
    fn mark(&self) -> u16;

    /// Gives it another mark.
    fn set_mark(&mut self, mark: u16);
}

impl Entry for Partial {
    const EMPTY: Self = Self::EMPTY;

    fn merge(&mut self, later: &Self) {
        self.merge(later);
    }

    fn mark(&self) -> u16 {
        self.mark
    }

    fn set_mark(&mut self, mark: u16) {
        self.mark = mark;
    }
}

/// What a ring keeps besides its entries, which lie in an arena with those of other channels.
#[derive(Clone, Copy, Debug)]
pub struct RingState<E = Partial> {
    /// Aggregate of the entries that are not folded.
    back: E,
    /// Number of the newest pane; without meaning while there is none.
    newest: i64,
    /// Position of the oldest entry.
    head: u32,
    len: u32,
    /// Entries, from the oldest, that hold suffix aggregates.
    folded: u32,
    /// Number of entries at which they are folded once though nothing is evicted yet.
    fold_at: u32,
}

/// A bounded queue of panes, oldest first: as many entries as a window has panes.
#[derive(Debug)]
pub struct Ring<'a, E = Partial> {
    /// What the ring keeps of itself.
    pub state: &'a mut RingState<E>,
    /// Its part of the arena.
    pub entries: &'a mut [E],
}

impl<E: Entry> RingState<E> {
    /// An empty ring of `panes` entries for the n-th channel.
    ///
    /// Rings that fill at the same time would fold at the same time for ever, all channels in
    /// one pane. So each folds once while it fills, after a number of panes that goes round with
    /// the channels; from then on it folds that many panes after the others.
    #[must_use]
    pub fn new(panes: usize, nth: usize) -> Self {
        let fold_at = u32::try_from(nth % panes + 1).expect("PANES_PER_WINDOW_MAX holds");
        Self { back: E::EMPTY, newest: 0, head: 0, len: 0, folded: 0, fold_at }
    }
}

impl Ring<'_> {
    /// Bytes of the entries for a window of `panes` panes.
    #[must_use]
    pub fn bytes(panes: usize) -> usize {
        panes * size_of::<Partial>()
    }
}

impl<E: Entry> Ring<'_, E> {
    /// Appends a pane, which must be younger than all before; [`Self::evict_below`] has made
    /// room.
    ///
    /// # Panics
    /// If the ring is full: more panes than a window has cannot lie within one.
    pub fn push(&mut self, pane: i64, partial: &E) {
        self.append(pane, partial);
        if self.state.len == self.state.fold_at && self.state.folded == 0 {
            self.fold();
        }
    }

    fn append(&mut self, pane: i64, partial: &E) {
        assert!(self.len() < self.entries.len(), "a window holds no more panes than it has");
        debug_assert!(self.len() == 0 || self.state.newest < pane);
        let at = self.at(self.len());
        self.entries[at] = *partial;
        self.entries[at].set_mark(pane as u16);
        self.state.newest = pane;
        self.state.len += 1;
        self.state.back.merge(partial);
    }

    /// Drops the panes below `pane`.
    pub fn evict_below(&mut self, pane: i64) {
        while 0 < self.len() && self.oldest() < pane {
            if self.state.folded == 0 {
                self.fold();
            }
            self.state.head = self.at(1) as u32;
            self.state.len -= 1;
            self.state.folded -= 1;
        }
    }

    /// Aggregate of all panes held.
    #[must_use]
    pub fn aggregate(&self) -> E {
        if self.state.folded == 0 {
            return self.state.back;
        }
        let mut all = self.entries[self.state.head as usize];
        all.merge(&self.state.back);
        all
    }

    /// Number of the oldest pane. The entries lie within [`PANES_PER_WINDOW_MAX`] panes, hence
    /// the low 16 bits tell how far each is behind the newest.
    ///
    /// [`PANES_PER_WINDOW_MAX`]: crate::limits::PANES_PER_WINDOW_MAX
    fn oldest(&self) -> i64 {
        let behind = (self.state.newest as u16).wrapping_sub(self.entries[self.at(0)].mark());
        self.state.newest - i64::from(behind)
    }

    /// Turns the panes as they came into suffix aggregates.
    fn fold(&mut self) {
        let mut suffix = E::EMPTY;
        for i in (0..self.len()).rev() {
            let at = self.at(i);
            self.entries[at].merge(&suffix);
            suffix = self.entries[at];
        }
        self.state.folded = self.state.len;
        self.state.back = E::EMPTY;
    }

    fn len(&self) -> usize {
        self.state.len as usize
    }

    fn at(&self, i: usize) -> usize {
        let at = self.state.head as usize + i;
        if at < self.entries.len() { at } else { at - self.entries.len() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::{partial::OpenPartial, summary::Flag};

    fn pane_of(value: f64, at_ns: i64) -> Partial {
        let mut open = OpenPartial::EMPTY;
        open.push(at_ns, value, Flag::Pass);
        open.close()
    }

    proptest! {
        /// Against merging what is left from scratch, over random gaps and evictions.
        #[test]
        fn equals_a_recount(
            nth in 0..8_usize,
            from in prop_oneof![Just(0), Just(65_530), -70_000..70_000_i64],
            steps in proptest::collection::vec((1..4_i64, 0..12_i64), 1..120),
        ) {
            let panes = 8;
            let (mut state, mut entries) = (RingState::new(8, nth), [Partial::EMPTY; 8]);
            let mut ring = Ring { state: &mut state, entries: &mut entries };
            let mut naive: Vec<(i64, Partial)> = Vec::new();
            let mut now = from;
            for (gap, behind) in steps {
                now += gap;
                let keep_from = now - panes + 1;
                ring.evict_below(keep_from);
                let value = (now * 37).rem_euclid(11) as f64;
                ring.push(now, &pane_of(value, now));
                naive.push((now, pane_of(value, now)));
                let cut = (now - behind).max(keep_from);
                ring.evict_below(cut);
                naive.retain(|(pane, _)| cut <= *pane);
                let mut expected = Partial::EMPTY;
                naive.iter().for_each(|(_, partial)| expected.merge(partial));
                let got = ring.aggregate();
                prop_assert_eq!(got.n(), expected.n());
                prop_assert_eq!((got.first, got.last), (expected.first, expected.last));
                prop_assert_eq!((got.min, got.max), (expected.min, expected.max));
                prop_assert!((got.mean - expected.mean).abs() < 1e-12);
                prop_assert!((got.m2 - expected.m2).abs() < 1e-9);
            }
        }
    }
}
