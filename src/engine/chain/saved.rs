//! Chains in an image: of each level the ring and the pane that grows, and when each window has
//! something to say.

use super::{Chains, Head, Look, NEVER, NONE, panes};
use crate::{
    engine::{
        image::{Reader, Writer},
        partial::Partial,
        ring::RingState,
    },
    limits::IMAGE_COUNT_MAX,
};

impl Chains {
    /// Writes what is kept of a channel.
    pub(in crate::engine) fn save(&self, channel: u32, writer: &mut Writer<'_>) {
        let nth = channel as usize;
        let newest_ns = self.newest_ns[nth];
        writer.option((newest_ns != NONE).then_some(newest_ns), Writer::integer);
        for (level, look) in self.levels.iter().zip(self.looks(channel)) {
            let Head { ring, growing, growing_pane } = level.heads.piece(nth)[0];
            ring.save(level.entries.piece(nth), writer, Partial::save);
            writer.option((!growing.is_empty()).then_some(growing), |writer, growing| {
                writer.integer(growing_pane);
                growing.save(writer);
            });
            // What was shown last will be worked out and shown again.
            let due_ns = look.held_ns.unwrap_or(look.due_ns);
            writer.option((due_ns != NEVER).then_some(due_ns), Writer::integer);
        }
        for &before_ns in self.before_ns.iter().flat_map(|all| all.piece(nth)) {
            writer.option((before_ns != NONE).then_some(before_ns), Writer::integer);
        }
    }

    /// Fills a channel without readings, of whose lane the watermark is at `watermark_ns`; after
    /// `None` it must be [`Self::reset`].
    pub(in crate::engine) fn restore(
        &mut self,
        channel: u32,
        watermark_ns: i64,
        reader: &mut Reader<'_>,
    ) -> Option<()> {
        let nth = channel as usize;
        let newest_ns = reader.option(Reader::time)?;
        let before = |at_ns: Option<i64>| at_ns.is_none_or(|at_ns| at_ns < watermark_ns);
        if !before(newest_ns) {
            return None;
        }
        self.newest_ns[nth] = newest_ns.unwrap_or(NONE);
        for l in 0..self.levels.len() {
            let every_ns = self.windows[l].every_ns;
            let end = watermark_ns.div_euclid(every_ns);
            self.levels[l].ring(nth).restore(reader, end, |reader, _| Partial::restore(reader))?;
            let growing = reader.option(|reader| {
                let pane = reader.time().filter(|pane| *pane <= end)?;
                Some((pane, Partial::restore(reader).filter(|growing| !growing.is_empty())?))
            })?;
            if let Some((pane, growing)) = growing {
                let head = self.levels[l].head(nth);
                (head.growing, head.growing_pane) = (growing, pane);
            }
            let due_ns = reader.option(Reader::time)?;
            let is_instant = |at_ns: i64| at_ns % every_ns == 0 && at_ns - every_ns <= watermark_ns;
            if due_ns.is_some_and(|at_ns| !is_instant(at_ns)) {
                return None;
            }
            let due_ns = due_ns.unwrap_or(NEVER);
            self.looks.piece_mut(nth)[l] = Look { due_ns, held_ns: None };
        }
        for before_ns in self.before_ns.iter_mut().flat_map(|all| all.piece_mut(nth)) {
            *before_ns = reader.option(Reader::time)?.unwrap_or(NONE);
            if self.newest_ns[nth] <= *before_ns && *before_ns != NONE {
                return None;
            }
        }
        self.is_consistent(nth).then_some(())
    }

    /// A channel without readings again; its `index` as when it was added.
    pub(in crate::engine) fn reset(&mut self, channel: u32, index: u32) {
        let nth = channel as usize;
        for level in &mut self.levels {
            let ring = RingState::new(panes(&level.window), index as usize);
            *level.head(nth) = Head { ring, growing: Partial::EMPTY, growing_pane: 0 };
        }
        self.looks.piece_mut(nth).fill(Look { due_ns: NEVER, held_ns: None });
        self.newest_ns[nth] = NONE;
        if let Some(before_ns) = &mut self.before_ns {
            before_ns.piece_mut(nth).fill(NONE);
        }
    }

    /// Whether a base pane that starts at `start_ns` can come next: at no level it lies in a pane
    /// that is complete, or before one that grows.
    pub(in crate::engine) fn takes(&mut self, channel: u32, start_ns: i64) -> bool {
        (0..self.levels.len()).all(|l| self.level_takes(l, channel as usize, start_ns))
    }

    fn level_takes(&mut self, l: usize, nth: usize, start_ns: i64) -> bool {
        let level = &mut self.levels[l];
        let pane = start_ns.div_euclid(level.window.every_ns);
        let Head { growing, growing_pane, .. } = *level.head(nth);
        let after_growing = growing.is_empty() || growing_pane <= pane;
        after_growing && level.ring(nth).newest().is_none_or(|newest| newest < pane)
    }

    /// Whether what grows can climb, and all of it can be counted.
    fn is_consistent(&mut self, nth: usize) -> bool {
        (0..self.levels.len()).all(|l| {
            let level = &mut self.levels[l];
            let every_ns = level.window.every_ns;
            let Head { growing, growing_pane, .. } = *level.head(nth);
            let state = level.ring(nth);
            let counted = state
                .entries_held()
                .map(Partial::noted)
                .try_fold(0_u64, |sum, n| sum.checked_add(n).filter(|sum| *sum <= IMAGE_COUNT_MAX));
            let is_countable = counted.is_some() && growing.noted() <= IMAGE_COUNT_MAX;
            let start_ns = growing_pane.checked_mul(every_ns);
            let climbs = growing.is_empty()
                || start_ns.is_some_and(|start_ns| {
                    (l..self.levels.len()).all(|upper| self.level_takes(upper, nth, start_ns))
                });
            is_countable && climbs
        })
    }
}
