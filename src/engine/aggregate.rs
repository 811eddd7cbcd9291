//! Aggregation of channels: their windows, and what snapshots show of them.
//!
//! One aggregator has all channels, or each of several has some ([`super::split`]). An aggregator
//! is a [`Step`]: it takes [`Work`], answers each publication that it is asked for, and answers
//! once more at the end of its input.

use std::sync::Arc;

use super::{
    bins::{
        budget::Load,
        relief::{Relief, Weights},
    },
    gallery::{Gallery, Part},
    snapshot::{ChannelInfo, Live},
    split::Portion,
    validate::{Advance, Entry, Reading},
    windows::{Count, Found, Windows},
};
use crate::scan::Step;

/// Takes accepted readings and watermarks of some channels, and gives what a snapshot shows of
/// them.
///
/// Channels are numbered densely in the order in which they were added; lanes are those of
/// everybody. Results are worked out when a snapshot shows them; those in between, which nobody
/// could see, cost nothing.
#[derive(Debug)]
pub struct Aggregator {
    windows: Windows,
    gallery: Gallery,
    closed: Closed,
    /// Of the latest publication.
    seq: u64,
}

/// What an aggregator is to do.
#[derive(Debug)]
pub enum Work {
    /// Take readings.
    Take(Portion),
    /// Answer for a publication.
    Publish(Turn),
}

/// A publication, as it is asked for.
#[derive(Clone, Debug)]
pub struct Turn {
    /// Its number.
    pub seq: u64,
    /// What is to be done about the percentiles before.
    pub relief: Relief,
}

/// What an aggregator has to say at a publication.
#[derive(Debug)]
pub struct Answer {
    /// Its channels.
    pub part: Part,
    /// Accepted readings that went into closed panes since the last answer, by source.
    pub closed: Vec<u64>,
    /// Watermarks of the lanes of its channels.
    pub watermarks: Vec<(usize, i64)>,
    /// What their percentiles take.
    pub load: Load,
    /// Those that take most, if it was asked for.
    pub weights: Weights,
}

impl Default for Aggregator {
    fn default() -> Self {
        Self::new()
    }
}

impl Aggregator {
    /// Nothing to aggregate yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            // How much is too much is decided over all aggregators: see `bins::relief`.
            windows: Windows::new(u64::MAX),
            gallery: Gallery::default(),
            closed: Closed::default(),
            seq: 0,
        }
    }

    /// Adds the next channel.
    pub fn add(&mut self, info: Arc<ChannelInfo>) {
        self.gallery.add(&info.rules);
        self.windows.add(info);
    }

    /// Takes readings that arrived about `arrived_ns`, and the watermarks between them.
    pub fn take(&mut self, arrived_ns: i64, readings: &[Reading], advances: &[Advance]) {
        let Self { windows, gallery, closed, .. } = self;
        in_order(readings, advances, |event| match event {
            Event::Reading(&Reading { channel, flag, entry, tests, at_ns, value }) => {
                if entry != Entry::Preview {
                    windows.push(channel, at_ns, value, flag, None);
                }
                if entry.is_shown() {
                    gallery.show_live(channel, Live { value, at_ns, arrived_ns, flag, tests });
                }
            }
            Event::Advance(&Advance { lane, watermark_ns, .. }) => {
                windows.advance(lane, watermark_ns, closed);
            }
        });
    }

    /// The channels as they are now; what changed is marked with the number of the publication.
    pub fn publish(&mut self, turn: &Turn) -> Answer {
        let weights = self.windows.relieve(&turn.relief);
        self.refresh();
        self.answer(turn.seq, weights)
    }

    /// The input has ended: closes every pane, and answers with the last result of each window
    /// for the publication after the latest.
    pub fn end(&mut self) -> Answer {
        // What is shown last must follow from the channel alone: beyond the watermark of its lane
        // nothing is shown but the first result that holds its newest reading.
        self.refresh();
        let Self { windows, gallery, closed, .. } = self;
        windows.finish(false, closed, &mut |found: Found<'_>| {
            let Found { place, window, figures, percentiles, .. } = found;
            gallery.show_summary(place, window, Some(figures), percentiles);
        });
        windows.finish_exact(|channel, window, figures, percentiles| {
            gallery.show_summary(channel, window, figures, percentiles);
        });
        self.answer(self.seq + 1, Weights::default())
    }

    /// Shows the latest results up to the watermarks.
    fn refresh(&mut self) {
        let Self { windows, gallery, .. } = self;
        let moved: Vec<u32> = windows.moved().collect();
        for channel in moved {
            windows.refresh(channel, |window, figures, percentiles| {
                gallery.show_summary(channel, window, figures, percentiles);
            });
        }
        windows.refresh_exact(|channel, window, figures, percentiles| {
            gallery.show_summary(channel, window, figures, percentiles);
        });
    }

    fn answer(&mut self, seq: u64, weights: Weights) -> Answer {
        self.seq = seq;
        Answer {
            part: self.gallery.publish(seq),
            closed: std::mem::take(&mut self.closed.0),
            watermarks: self.windows.watermarks().collect(),
            load: self.windows.percentile_load(),
            weights,
        }
    }
}

impl Step for Aggregator {
    type In = Work;
    type Out = Answer;

    fn step(&mut self, work: Work) -> Option<Answer> {
        match work {
            Work::Take(mut portion) => {
                portion.added.drain(..).for_each(|info| self.add(info));
                self.take(portion.arrived_ns, &portion.readings, &portion.advances);
                None
            }
            Work::Publish(turn) => Some(self.publish(&turn)),
        }
    }

    fn finish(&mut self) -> Option<Answer> {
        Some(self.end())
    }
}

/// Accepted readings that went into closed panes, by source.
#[derive(Debug, Default)]
struct Closed(Vec<u64>);

impl Count for Closed {
    fn closed(&mut self, source: usize, n: u64) {
        if self.0.len() <= source {
            self.0.resize(source + 1, 0);
        }
        self.0[source] += n;
    }
}

/// One reading, or a watermark that moves.
pub(super) enum Event<'a> {
    Reading(&'a Reading),
    Advance(&'a Advance),
}

/// Readings and watermarks in the order in which they came about.
pub(super) fn in_order(
    readings: &[Reading],
    advances: &[Advance],
    mut each: impl FnMut(Event<'_>),
) {
    let mut taken = 0;
    for advance in advances {
        readings[taken..advance.after].iter().for_each(|reading| each(Event::Reading(reading)));
        taken = advance.after;
        each(Event::Advance(advance));
    }
    readings[taken..].iter().for_each(|reading| each(Event::Reading(reading)));
}
