//! The last stage: readings into panes, panes into windows, windows into snapshots or results.

use std::sync::Arc;

use super::{
    Plan, Snapshot,
    books::Books,
    directory::Listing,
    gallery::Gallery,
    snapshot::Live,
    summary::Flag,
    validate::{Advance, Checked, Reading},
    windows::{Emitted, Found, Windows},
};
use crate::scan::Step;

/// Rolls windows and gives a snapshot each period: what the daemon runs.
///
/// Results are worked out when a snapshot shows them; those in between, which nobody could see,
/// cost nothing.
#[derive(Debug)]
pub struct Rolling {
    windows: Windows,
    books: Books,
    gallery: Gallery,
    directory: Listing,
    publish_ns: i64,
    next_ns: i64,
    now_ns: i64,
    oldest_arrival_ns: Option<i64>,
    oldest_due_ns: Option<i64>,
    seq: u64,
    epoch: u64,
}

impl Rolling {
    /// A stage that publishes every `publish_ns`.
    #[must_use]
    pub fn new(plan: &Plan, publish_ns: i64, epoch: u64) -> Self {
        Self {
            windows: Windows::new(plan.percentile_bytes),
            books: Books::new(plan),
            gallery: Gallery::default(),
            directory: Listing::default(),
            publish_ns,
            next_ns: i64::MIN,
            now_ns: 0,
            oldest_arrival_ns: None,
            oldest_due_ns: None,
            seq: 0,
            epoch,
        }
    }

    fn take(&mut self, checked: &mut Checked) {
        // Gaps in the cadence of inputs must not let the time of a publication go back.
        self.now_ns = self.now_ns.max(checked.now_ns);
        for added in checked.added.drain(..) {
            self.books.add_channel(added.info.source);
            self.gallery.add(&added.info.rules);
            self.directory.add(Arc::clone(&added.info));
            self.windows.add(added.info);
        }
        // Near enough for an age: the frames of a batch are a moment apart.
        let mut arrived_ns = checked.now_ns;
        if let Some(report) = &mut checked.report {
            // A recording of the future has arrived now at the latest.
            arrived_ns = report.last_arrival_ns.unwrap_or(arrived_ns).min(arrived_ns);
            self.oldest_arrival_ns = self.oldest_arrival_ns.or(report.first_arrival_ns);
            self.books.enter(report);
        }
        if !checked.advances.is_empty() {
            self.oldest_due_ns = self.oldest_due_ns.or(Some(arrived_ns));
        }
        let Self { windows, books, gallery, .. } = self;
        in_order(&checked.readings, &checked.advances, |event| match event {
            Event::Reading(&Reading { channel, flag, tests, at_ns, value }) => {
                windows.push(channel, at_ns, value, flag);
                if flag != Flag::Missing {
                    gallery.show_live(channel, Live { value, at_ns, arrived_ns, flag, tests });
                }
            }
            Event::Advance(advance) => windows.advance(advance.lane, advance.watermark_ns, books),
        });
    }

    fn publish(&mut self) -> Arc<Snapshot> {
        let Self { windows, gallery, books, .. } = self;
        let moved: Vec<u32> = windows.moved().collect();
        for channel in moved {
            windows.refresh(channel, |window, figures, percentiles| {
                gallery.show_summary(channel, window, figures, percentiles);
            });
        }
        self.seq += 1;
        let part = gallery.publish(self.seq);
        Arc::new(Snapshot {
            seq: self.seq,
            epoch: self.epoch,
            at_ns: self.now_ns,
            oldest_arrival_ns: self.oldest_arrival_ns.take(),
            oldest_due_ns: self.oldest_due_ns.take(),
            directory: self.directory.publish(),
            parts: [part].into(),
            sources: books.views(),
            total: books.total(),
            watermarks: windows.watermarks().collect(),
            percentiles: windows.percentile_load(),
        })
    }
}

impl Step for Rolling {
    type In = Checked;
    type Out = Arc<Snapshot>;

    fn step(&mut self, mut checked: Checked) -> Option<Arc<Snapshot>> {
        self.take(&mut checked);
        if self.now_ns < self.next_ns {
            return None;
        }
        // Aligned to the period, so that a late turn does not shift the following ones.
        self.next_ns = (self.now_ns.div_euclid(self.publish_ns) + 1) * self.publish_ns;
        Some(self.publish())
    }

    fn finish(&mut self) -> Option<Arc<Snapshot>> {
        let Self { windows, gallery, books, .. } = self;
        windows.finish(false, books, &mut |Found { channel, window, figures, percentiles }| {
            gallery.show_summary(channel.index, window, Some(figures), percentiles);
        });
        Some(self.publish())
    }
}

/// Rolls windows and gives every result: what a replay runs.
#[derive(Debug)]
pub struct RollingThrough {
    windows: Windows,
    books: Books,
}

impl RollingThrough {
    /// A stage that has seen nothing.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        Self { windows: Windows::new(plan.percentile_bytes), books: Books::new(plan) }
    }

    /// What was counted.
    #[must_use]
    pub fn books(&self) -> &Books {
        &self.books
    }
}

impl Step for RollingThrough {
    type In = Checked;
    type Out = Vec<Emitted>;

    fn step(&mut self, mut checked: Checked) -> Option<Vec<Emitted>> {
        for added in checked.added.drain(..) {
            self.books.add_channel(added.info.source);
            self.windows.add(added.info);
        }
        if let Some(report) = &mut checked.report {
            self.books.enter(report);
        }
        let Self { windows, books } = self;
        let mut results = Vec::new();
        in_order(&checked.readings, &checked.advances, |event| match event {
            Event::Reading(&Reading { channel, flag, at_ns, value, .. }) => {
                windows.push(channel, at_ns, value, flag);
            }
            Event::Advance(&Advance { lane, watermark_ns, .. }) => {
                windows.advance_through(lane, watermark_ns, books, &mut |result| {
                    results.push(Emitted::from(result));
                });
            }
        });
        (!results.is_empty()).then_some(results)
    }

    fn finish(&mut self) -> Option<Vec<Emitted>> {
        let mut results = Vec::new();
        self.windows.finish(true, &mut self.books, &mut |result| results.push(result.into()));
        (!results.is_empty()).then_some(results)
    }
}

enum Event<'a> {
    Reading(&'a Reading),
    Advance(&'a Advance),
}

/// Readings and watermarks in the order in which they came about.
fn in_order(readings: &[Reading], advances: &[Advance], mut each: impl FnMut(Event<'_>)) {
    let mut taken = 0;
    for advance in advances {
        readings[taken..advance.after].iter().for_each(|reading| each(Event::Reading(reading)));
        taken = advance.after;
        each(Event::Advance(advance));
    }
    readings[taken..].iter().for_each(|reading| each(Event::Reading(reading)));
}
