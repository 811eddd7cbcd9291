//! What is kept of closed panes, of all lanes, and the results that come of it.

use std::sync::Arc;

use super::{
    found::{Found, Latest},
    lane::weight,
};
use crate::{
    engine::{
        bins::{BinScale, Counting, counting::Counter, export::Export},
        chain::{Chains, Route},
        open::{ClosedPane, Pane},
        snapshot::ChannelInfo,
        statistics::{Detail, Details},
        summary::Figures,
    },
    limits::HISTOGRAM_BYTES_MAX,
};

/// The chains of all channels, and what their percentiles are counted in.
#[derive(Debug)]
pub(super) struct Banks {
    pub(super) chains: Vec<Chains>,
    pub(super) channels: Vec<Channel>,
    pub(super) counting: Counting,
    pub(super) details: Details,
    /// For each channel, the next instant at which it must be refreshed: dense, because every
    /// snapshot scans it.
    pub(super) look_ns: Vec<i64>,
    /// Percentiles of the latest result.
    ranked: Vec<f64>,
    /// Details of the latest result.
    detailed: Vec<Detail>,
}

#[derive(Debug)]
pub(super) struct Channel {
    /// Which chains it is in, and which of them is its own.
    pub(super) chains: u32,
    pub(super) nth: u32,
    /// Where the percentiles are counted, if there are any.
    pub(super) counter: Option<Counter>,
    /// Where its statistics are kept, if there are any.
    pub(super) detail: Option<u32>,
    pub(super) info: Arc<ChannelInfo>,
}

/// A pane that is being closed.
#[derive(Debug)]
pub(super) struct Closing {
    start_ns: i64,
    end_ns: i64,
    pane: Pane,
    /// Neighbours mostly have the same windows, hence the same way up.
    route: Option<(u32, Route)>,
    /// Readings that were in it.
    pub(super) accepted: u64,
}

impl Closing {
    pub(super) fn new((start_ns, end_ns): (i64, i64), pane: Pane) -> Self {
        Self { start_ns, end_ns, pane, route: None, accepted: 0 }
    }
}

impl Banks {
    /// Nothing closed yet, and so many bytes for percentiles.
    pub(super) fn new(percentile_bytes: u64) -> Self {
        Self {
            chains: Vec::new(),
            channels: Vec::new(),
            counting: Counting::new(percentile_bytes),
            details: Details::default(),
            look_ns: Vec::new(),
            ranked: Vec::new(),
            detailed: Vec::new(),
        }
    }

    /// Counts a value of a channel with percentiles; whether it lies within the range of the bins.
    #[inline]
    pub(super) fn note(&mut self, place: u32, pane: Pane, value: f64) -> bool {
        match &self.channels[place as usize].counter {
            Some(counter) => self.counting.note(counter, pane, value),
            None => true,
        }
    }

    /// What a channel counts for in a slice.
    pub(super) fn weight(&self, place: usize) -> usize {
        weight(self.channels[place].counter.is_some())
    }

    /// Takes a channel's part of a pane that is being closed, and says when its next result is
    /// due; `place` is its number here.
    pub(super) fn close(&mut self, place: u32, closed: &ClosedPane, closing: &mut Closing) -> i64 {
        let Self { chains, channels, counting, details, look_ns, .. } = self;
        let Channel { chains: of, nth, counter, detail, .. } = &channels[place as usize];
        let chains = &mut chains[*of as usize];
        let (_, route) = match &mut closing.route {
            Some(known) if known.0 == *of => known,
            other => other.insert((*of, chains.route(closing.start_ns))),
        };
        closing.accepted += closed.partial.accepted();
        chains.push(*nth, route, &closed.partial);
        if let Some(counter) = counter {
            counting.close(counter, closing.pane, closing.start_ns);
        }
        if let Some(number) = detail {
            details.close(*number, closing.end_ns);
        }
        look_ns[place as usize] = chains.next_look_ns(*nth);
        chains.next_due_ns(*nth)
    }

    /// The latest result at this watermark of each window of a channel whose last answer no longer
    /// holds.
    pub(super) fn refresh(
        &mut self,
        place: u32,
        watermark_ns: i64,
        shown: &mut impl FnMut(Latest<'_>),
    ) {
        let Channel { chains, nth, .. } = self.channels[place as usize];
        let chains = chains as usize;
        for window in 0..self.chains[chains].windows() {
            if let Some(at_ns) = self.chains[chains].look_at(nth, window, watermark_ns) {
                let figures = self.result(place, window, at_ns);
                let (percentiles, details) = (&self.ranked, &self.detailed);
                shown(Latest { place, window, figures, percentiles, details });
            }
        }
        self.look_ns[place as usize] = self.chains[chains].next_look_ns(nth);
    }

    /// The bins behind the latest result of a window, nothing counted if there is none; `None` if
    /// they were given up.
    pub(super) fn export(&mut self, place: u32, window: usize) -> Option<Export> {
        let Self { chains, channels, counting, .. } = self;
        let Channel { chains: of, nth, counter, info, .. } = &channels[place as usize];
        let mut bins = Vec::new();
        let scale = match (counter, chains[*of as usize].held_ns(*nth, window)) {
            (None, _) => return None,
            (_, None) => BinScale::new(info.rules.resolution, info.rules.figures),
            (Some(counter), Some(at_ns)) => {
                counting.bins(counter, (window, at_ns), |bin, count| bins.push((bin, count)))?
            }
        };
        Some(Export::new(scale, bins, HISTOGRAM_BYTES_MAX))
    }

    /// Gives the result of a window at this instant, if it has one.
    pub(super) fn emit(
        &mut self,
        place: u32,
        window: usize,
        at_ns: i64,
        emit: &mut impl FnMut(Found<'_>),
    ) {
        if let Some(figures) = self.result(place, window, at_ns) {
            let channel = &self.channels[place as usize].info;
            let (percentiles, details) = (&self.ranked, &self.detailed);
            emit(Found { channel, place, window, figures, percentiles, details });
        }
    }

    /// Before a pane is closed that holds notes alone: gives the results that are the last of their
    /// windows unless more readings come, as far as their instants are not after the beginning of
    /// the pane. What is noted later is not theirs.
    pub(super) fn emit_before(
        &mut self,
        place: u32,
        closed: &ClosedPane,
        closing: &Closing,
        emit: &mut impl FnMut(Found<'_>),
    ) {
        if 0 < closed.partial.accepted() {
            return;
        }
        let Channel { chains, nth, .. } = self.channels[place as usize];
        for window in 0..self.chains[chains as usize].windows() {
            let last = self.chains[chains as usize].last_instant(nth, window);
            if let Some(at_ns) = last.filter(|at_ns| *at_ns <= closing.start_ns) {
                self.emit(place, window, at_ns, emit);
            }
        }
    }

    /// The first instant of each window whose result holds the newest reading of its channel, in
    /// the order of time, channel and window, unless it was asked for.
    pub(super) fn last_instants(&self) -> Vec<(i64, u32, usize)> {
        let mut last = Vec::new();
        for (place, &Channel { chains, nth, .. }) in (0..).zip(&self.channels) {
            let chains = &self.chains[chains as usize];
            for window in 0..chains.windows() {
                if let Some(at_ns) = chains.last_instant(nth, window) {
                    last.push((at_ns, place, window));
                }
            }
        }
        last.sort_unstable();
        last
    }

    /// Result of a window, as by [`Chains::result`]; its percentiles replace what `ranked` holds,
    /// and its details what `detailed` does.
    fn result(&mut self, place: u32, window: usize, at_ns: i64) -> Option<Figures> {
        let Self { chains, channels, counting, details, ranked, detailed, .. } = self;
        ranked.clear();
        detailed.clear();
        let Channel { chains: of, nth, counter, detail, info } = &channels[place as usize];
        let mut figures = chains[*of as usize].result(*nth, window, at_ns)?;
        if let Some(counter) = counter
            && 0 < figures.n
        {
            let extremes = (figures.min, figures.max);
            let ask = (window, at_ns);
            figures.precision = counting.ask(counter, &info.rules, ask, extremes, ranked);
        }
        if let Some(number) = detail {
            details.result(*number, window, at_ns, detailed);
        }
        Some(figures)
    }
}
