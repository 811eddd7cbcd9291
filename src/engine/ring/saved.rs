//! Rings in an image.
//!
//! The older entries are written as what they are, aggregates up to the youngest of them, so that
//! sums go on being rounded as if nothing had happened.

use super::{Entry, Ring, RingState};
use crate::engine::image::{Reader, Writer};

/// The panes that a restored entry is the aggregate of: from the first, up to the second included.
pub type Panes = (i64, i64);

impl<E: Entry> RingState<E> {
    /// Writes the panes of a ring with these entries, each by `save`.
    pub(in crate::engine) fn save(
        &self,
        entries: &[E],
        writer: &mut Writer<'_>,
        save: impl Fn(&E, &mut Writer<'_>),
    ) {
        writer.count(self.len as usize);
        if self.len == 0 {
            return;
        }
        writer.integer(self.newest);
        writer.number(u64::from(self.folded));
        let (older, younger) = (&entries[self.head as usize..], &entries[..self.head as usize]);
        let held = || older.iter().chain(younger).take(self.len as usize);
        for entry in held() {
            writer.number(u64::from((self.newest as u16).wrapping_sub(entry.mark())));
        }
        held().for_each(|entry| save(entry, writer));
    }
}

impl<E: Entry> Ring<'_, E> {
    /// Number of the newest pane, if there is one.
    pub(in crate::engine) fn newest(&self) -> Option<i64> {
        (0 < self.len()).then_some(self.state.newest)
    }

    /// Those entries that together make up all: the first of the older ones, and the younger ones.
    pub(in crate::engine) fn entries_held(&self) -> impl Iterator<Item = &E> {
        let folded = self.state.folded as usize;
        let first = (0 < folded).then_some(0);
        first.into_iter().chain(folded..self.len()).map(|i| &self.entries[self.at(i)])
    }

    /// Fills an empty ring, all of whose panes lie before number `end`; entries are read by
    /// `restore`, which is told their panes. What is in it after `None` is without meaning.
    pub(in crate::engine) fn restore(
        &mut self,
        reader: &mut Reader<'_>,
        end: i64,
        restore: impl Fn(&mut Reader<'_>, Panes) -> Option<E>,
    ) -> Option<()> {
        let count = reader.count(self.entries.len())?;
        if count == 0 {
            return Some(());
        }
        let newest = reader.time().filter(|newest| *newest < end)?;
        let folded = usize::try_from(reader.number()?).ok().filter(|folded| *folded <= count)?;
        let mut panes = Vec::with_capacity(count);
        for _ in 0..count {
            let behind = reader.number().filter(|behind| *behind < self.entries.len() as u64)?;
            panes.push(newest - behind as i64);
        }
        let ascend = panes.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascend || panes.last() != Some(&newest) {
            return None;
        }
        for (at, &pane) in panes.iter().enumerate() {
            if at < folded {
                let entry = restore(reader, (pane, panes[folded - 1]))?;
                self.append_folded(pane, &entry);
            } else {
                let entry = restore(reader, (pane, pane))?;
                self.append(pane, &entry);
            }
        }
        Some(())
    }

    /// Appends a pane with the aggregate up to the last one that is so appended; all of them come
    /// before any other.
    fn append_folded(&mut self, pane: i64, aggregate: &E) {
        debug_assert_eq!(self.state.len, self.state.folded);
        let at = self.at(self.len());
        self.entries[at] = *aggregate;
        self.entries[at].set_mark(pane as u16);
        self.state.newest = pane;
        self.state.len += 1;
        self.state.folded += 1;
    }
}
