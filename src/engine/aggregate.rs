//! Aggregation of channels: their windows, and what snapshots show of them.

use std::sync::Arc;

use super::{
    bins::budget::Load,
    gallery::{Gallery, Part},
    snapshot::{ChannelInfo, Live},
    summary::Flag,
    validate::{Advance, Reading},
    windows::{Count, Found, Windows},
};

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
}

impl Aggregator {
    /// Nothing to aggregate yet, and so many bytes for percentiles.
    #[must_use]
    pub fn new(percentile_bytes: u64) -> Self {
        Self { windows: Windows::new(percentile_bytes), gallery: Gallery::default() }
    }

    /// Adds the next channel.
    pub fn add(&mut self, info: Arc<ChannelInfo>) {
        self.gallery.add(&info.rules);
        self.windows.add(info);
    }

    /// Takes readings that arrived about `arrived_ns`, and the watermarks between them.
    pub fn take(
        &mut self,
        arrived_ns: i64,
        readings: &[Reading],
        advances: &[Advance],
        count: &mut impl Count,
    ) {
        let Self { windows, gallery } = self;
        in_order(readings, advances, |event| match event {
            Event::Reading(&Reading { channel, flag, tests, at_ns, value }) => {
                windows.push(channel, at_ns, value, flag, None);
                if flag != Flag::Missing {
                    gallery.show_live(channel, Live { value, at_ns, arrived_ns, flag, tests });
                }
            }
            Event::Advance(&Advance { lane, watermark_ns, .. }) => {
                windows.advance(lane, watermark_ns, count);
            }
        });
    }

    /// The input has ended: closes every pane, and shows the last result of each window.
    pub fn finish(&mut self, count: &mut impl Count) {
        let Self { windows, gallery } = self;
        windows.finish(false, count, &mut |Found {
                                               place, window, figures, percentiles, ..
                                           }| {
            gallery.show_summary(place, window, Some(figures), percentiles);
        });
    }

    /// The channels as they are now; what changed is marked with `seq`.
    pub fn publish(&mut self, seq: u64) -> Part {
        let Self { windows, gallery } = self;
        let moved: Vec<u32> = windows.moved().collect();
        for channel in moved {
            windows.refresh(channel, |window, figures, percentiles| {
                gallery.show_summary(channel, window, figures, percentiles);
            });
        }
        windows.refresh_exact(|channel, window, figures, percentiles| {
            gallery.show_summary(channel, window, figures, percentiles);
        });
        gallery.publish(seq)
    }

    /// Watermark of each lane that has one of the channels, with the number of the lane.
    pub fn watermarks(&self) -> impl Iterator<Item = (usize, i64)> {
        self.windows.watermarks()
    }

    /// What the percentiles of all channels take.
    #[must_use]
    pub fn percentile_load(&self) -> Load {
        self.windows.percentile_load()
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
