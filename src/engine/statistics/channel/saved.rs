//! The statistics of one channel in an image.

use std::sync::Arc;

use super::{Channel, OfKind, Taken, most_waiting};
use crate::engine::{
    image::{Reader, Writer},
    statistics::{
        counter::Range, hold::Point, plan::Kind, saved::Common, series::Edge, waiting::Waits,
    },
};

impl Channel {
    pub(in crate::engine::statistics) fn save(&self, writer: &mut Writer<'_>) {
        self.waiting.save(writer);
        self.taken.save(writer);
    }

    pub(in crate::engine::statistics) fn restore(
        &mut self,
        watermark_ns: i64,
        reader: &mut Reader<'_>,
    ) -> Option<()> {
        let has_speed = self.info.rules.statistics.speed.is_some();
        let mut waiting = Vec::new();
        for _ in 0..reader.count(most_waiting(&self.info.rules) - 1)? {
            let waits = Waits::restore(reader)?;
            waiting.push(Some(waits).filter(|waits| has_speed || waits.speed.is_nan())?);
        }
        let newest = Point::restore(reader).filter(|newest| newest.at_ns != i64::MAX)?;
        // What may still be taken is not before any of these.
        let mut next_ns = newest.at_ns.max(watermark_ns);
        for waits in waiting {
            if waits.point.at_ns < newest.at_ns {
                return None;
            }
            next_ns = next_ns.min(waits.point.at_ns);
            // Fewer wait than make it full.
            let _ = self.waiting.push(waits);
        }
        let range = match &self.info.rules.statistics.kind {
            Kind::Counter(range) => *range,
            _ => Range { modulus: None, wrap_max: 0.0 },
        };
        let common = Common { hold: self.taken.hold, range, has_speed };
        self.taken.newest = newest;
        self.taken.restore(next_ns, &common, reader)
    }

    pub(in crate::engine::statistics) fn reset(&mut self) {
        *self = Self::new(Arc::clone(&self.info));
    }
}

impl Taken {
    fn save(&self, writer: &mut Writer<'_>) {
        self.newest.save(writer);
        self.good.save(writer);
        self.edges.iter().for_each(|edge| edge.save(writer));
        writer.integer(self.edge_ns);
        self.weighted.save(writer);
        self.trust.save(writer);
        match &self.of_kind {
            OfKind::Scalar => {}
            OfKind::Circular(series) => series.save(writer),
            OfKind::Counter(series) => series.save(writer),
            OfKind::State(series) => series.save(writer),
        }
        if let Some(ewma) = &self.ewma {
            ewma.save(writer);
        }
        for stability in &self.allan {
            stability.blocks.save(writer);
            stability.pairs.save(writer);
        }
        if let Some(gust) = &self.gust {
            gust.save(writer);
        }
    }

    /// What is behind the newest reading; what is taken next is not before `next_ns`.
    fn restore(&mut self, next_ns: i64, common: &Common, reader: &mut Reader<'_>) -> Option<()> {
        let newest_ns = self.newest.at_ns;
        self.good = Point::restore(reader).filter(|good| good.at_ns <= newest_ns)?;
        let has_ewma = self.ewma.is_some();
        for edge in &mut self.edges {
            *edge = Edge::restore(reader).filter(|edge| has_ewma || edge.ewma.is_none())?;
        }
        self.edge_ns = reader.integer()?;
        self.weighted.restore(reader, next_ns, common)?;
        self.trust.restore(reader, next_ns, common)?;
        match &mut self.of_kind {
            OfKind::Scalar => {}
            OfKind::Circular(series) => series.restore(reader, next_ns, common)?,
            OfKind::Counter(series) => series.restore(reader, next_ns, common)?,
            OfKind::State(series) => series.restore(reader, next_ns, common)?,
        }
        if let Some(ewma) = &mut self.ewma {
            ewma.restore(reader, newest_ns)?;
        }
        for stability in &mut self.allan {
            stability.blocks.restore(reader, next_ns)?;
            // A pair is of the instant at which its later block ends.
            let pair_ns =
                stability.blocks.end_ns().map_or(next_ns, |end_ns| next_ns.min(end_ns - 1));
            stability.pairs.restore(reader, pair_ns, common)?;
        }
        match &mut self.gust {
            Some(gust) => gust.restore(reader, next_ns, common),
            None => Some(()),
        }
    }
}
