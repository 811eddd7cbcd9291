//! The panes of one window: a queue with its aggregate always at hand.
//!
//! Two-Stacks-Lite of Tangwongsan, Hirzel and Schneider ("In-order sliding-window aggregation in
//! worst-case constant time", VLDB Journal 2021): the older part of the ring holds suffix
//! aggregates in place, the younger part holds the panes as they came, `back` holds their
//! aggregate. Push, evict and query cost a constant number of merges, amortized; no inverse is
//! needed, hence no float is ever subtracted.
//!
//! Panes without readings are not stored: each entry knows its pane, and evicting goes by that.

use super::partial::Partial;

/// A bounded queue of panes, oldest first.
#[derive(Clone, Debug)]
pub struct Ring {
    slots: Box<[Slot]>,
    /// Position of the oldest entry.
    head: usize,
    len: usize,
    /// Entries, from the oldest, that hold suffix aggregates.
    folded: usize,
    /// Aggregate of the entries that are not folded.
    back: Partial,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    pane: i64,
    partial: Partial,
}

impl Ring {
    /// A ring for windows of `panes` panes.
    #[must_use]
    pub fn new(panes: usize) -> Self {
        let slots = vec![Slot { pane: 0, partial: Partial::EMPTY }; panes];
        Self { slots: slots.into(), head: 0, len: 0, folded: 0, back: Partial::EMPTY }
    }

    /// Bytes of a ring for windows of `panes` panes.
    #[must_use]
    pub fn bytes(panes: usize) -> usize {
        panes * size_of::<Slot>()
    }

    /// Number of the newest pane.
    #[must_use]
    pub fn newest(&self) -> Option<i64> {
        (0 < self.len).then(|| self.slots[self.at(self.len - 1)].pane)
    }

    /// Appends a pane, which must be younger than all before; [`Self::evict_below`] has made
    /// room.
    ///
    /// # Panics
    /// If the ring is full: more panes than a window has cannot lie within one.
    pub fn push(&mut self, pane: i64, partial: &Partial) {
        assert!(self.len < self.slots.len(), "a window holds no more panes than it has");
        debug_assert!(self.newest().is_none_or(|newest| newest < pane));
        let at = self.at(self.len);
        self.slots[at] = Slot { pane, partial: *partial };
        self.len += 1;
        self.back.merge(partial);
    }

    /// Drops the panes below `pane`.
    pub fn evict_below(&mut self, pane: i64) {
        while 0 < self.len && self.slots[self.head].pane < pane {
            if self.folded == 0 {
                self.fold();
            }
            self.head = self.at(1);
            self.len -= 1;
            self.folded -= 1;
        }
    }

    /// Aggregate of all panes held.
    #[must_use]
    pub fn aggregate(&self) -> Partial {
        if self.folded == 0 {
            return self.back;
        }
        let mut all = self.slots[self.head].partial;
        all.merge(&self.back);
        all
    }

    /// Turns the panes as they came into suffix aggregates.
    fn fold(&mut self) {
        let mut suffix = Partial::EMPTY;
        for i in (0..self.len).rev() {
            let at = self.at(i);
            let mut own = self.slots[at].partial;
            own.merge(&suffix);
            suffix = own;
            self.slots[at].partial = own;
        }
        self.folded = self.len;
        self.back = Partial::EMPTY;
    }

    fn at(&self, i: usize) -> usize {
        let at = self.head + i;
        if at < self.slots.len() { at } else { at - self.slots.len() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::partial::OpenPartial, *};
    use crate::engine::summary::Flag;

    fn pane_of(value: f64, at_ns: i64) -> Partial {
        let mut open = OpenPartial::EMPTY;
        open.push(at_ns, value, Flag::Pass);
        open.close()
    }

    proptest! {
        /// Against merging what is left from scratch, over random gaps and evictions.
        #[test]
        fn equals_a_recount(steps in proptest::collection::vec((1..4_i64, 0..12_i64), 1..120)) {
            let panes = 8;
            let mut ring = Ring::new(panes as usize);
            let mut naive: Vec<(i64, Partial)> = Vec::new();
            let mut now = 0;
            for (gap, behind) in steps {
                now += gap;
                let keep_from = now - panes + 1;
                ring.evict_below(keep_from);
                let value = (now * 37 % 11) as f64;
                ring.push(now, &pane_of(value, now));
                naive.push((now, pane_of(value, now)));
                let cut = (now - behind).max(keep_from);
                ring.evict_below(cut);
                naive.retain(|(pane, _)| cut <= *pane);
                let mut expected = Partial::EMPTY;
                naive.iter().for_each(|(_, partial)| expected.merge(partial));
                let got = ring.aggregate();
                prop_assert_eq!((got.n, got.first, got.last), (expected.n, expected.first, expected.last));
                prop_assert_eq!((got.min, got.max), (expected.min, expected.max));
                prop_assert!((got.mean - expected.mean).abs() < 1e-12);
                prop_assert!((got.m2 - expected.m2).abs() < 1e-9);
            }
        }
    }
}
