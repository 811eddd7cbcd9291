//! A series in an image, and what is known at an instant.

use super::{Edge, Level, Marked, Series, Span};
use crate::engine::{
    image::{Reader, Writer},
    ring::Panes,
    rules::Window,
    statistics::{
        hold::Point,
        saved::{Common, Saved},
    },
};

impl<M: Saved> Series<M> {
    pub(in crate::engine::statistics) fn save(&self, writer: &mut Writer<'_>) {
        for Level { state, entries, growing, growing_pane, .. } in &self.levels {
            state.save(entries, writer, |entry, writer| entry.aggregate.save(writer));
            writer.option((!growing.is_empty()).then_some(growing), |writer, growing| {
                writer.integer(*growing_pane);
                growing.save(writer);
            });
        }
    }

    /// Fills a series without readings to which nothing before `next_ns` will be added.
    pub(in crate::engine::statistics) fn restore(
        &mut self,
        reader: &mut Reader<'_>,
        next_ns: i64,
        common: &Common,
    ) -> Option<()> {
        for level in &mut self.levels {
            let every_ns = level.window.every_ns;
            let end = next_ns.div_euclid(every_ns);
            let aggregate = |reader: &mut Reader<'_>, panes: Panes| {
                let within = span(&level.window, panes)?;
                M::restore(reader, within, common).filter(|found| !found.is_empty())
            };
            let mut ring = super::Ring { state: &mut level.state, entries: &mut level.entries };
            ring.restore(reader, end, |reader, panes| {
                Some(Marked { aggregate: aggregate(reader, panes)?, mark: 0 })
            })?;
            let growing = reader.option(|reader| {
                let pane = reader.time().filter(|pane| *pane <= end)?;
                Some((pane, aggregate(reader, (pane, pane))?))
            })?;
            if let Some((pane, growing)) = growing {
                (level.growing, level.growing_pane) = (growing, pane);
            }
        }
        (0..self.levels.len()).all(|l| self.climbs(l)).then_some(())
    }

    /// Whether what grows at a level can be completed there and at those above.
    fn climbs(&mut self, l: usize) -> bool {
        let level = &self.levels[l];
        let Some(start_ns) = level.growing_pane.checked_mul(level.window.every_ns) else {
            return false;
        };
        level.growing.is_empty() || self.levels[l..].iter_mut().all(|upper| upper.takes(start_ns))
    }
}

impl<M: Saved> Level<M> {
    fn takes(&mut self, at_ns: i64) -> bool {
        let pane = at_ns.div_euclid(self.window.every_ns);
        let after_growing = self.growing.is_empty() || self.growing_pane <= pane;
        after_growing && self.ring().newest().is_none_or(|newest| newest < pane)
    }
}

/// The time of some panes.
fn span(window: &Window, (first, last): Panes) -> Option<Span> {
    let from_ns = first.checked_mul(window.every_ns)?;
    let until_ns = last.checked_add(1)?.checked_mul(window.every_ns)?;
    Some(Span { from_ns, until_ns })
}

impl Edge {
    pub(in crate::engine::statistics) fn save(&self, writer: &mut Writer<'_>) {
        writer.option((self.at_ns != i64::MIN).then_some(self.at_ns), Writer::integer);
        self.before.save(writer);
        self.after.save(writer);
        writer.option(self.good_ns, Writer::integer);
        writer.option(self.ewma, Writer::real);
    }

    pub(in crate::engine::statistics) fn restore(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            at_ns: reader.option(Reader::time)?.unwrap_or(i64::MIN),
            before: Point::restore(reader)?,
            after: Point::restore(reader)?,
            good_ns: reader.option(Reader::time)?,
            ewma: reader.option(Reader::value)?,
        })
    }
}
