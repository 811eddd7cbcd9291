//! The last stage: readings into panes, panes into windows, windows into snapshots or results.

use std::sync::Arc;

use super::{
    Plan, Snapshot,
    aggregate::{Aggregator, Event, in_order},
    books::Books,
    directory::Listing,
    validate::{Advance, Checked, Reading},
    windows::{Emitted, Found, Windows},
};
use crate::scan::Step;

/// Rolls windows and gives a snapshot each period: what the daemon runs.
#[derive(Debug)]
pub struct Rolling {
    aggregator: Aggregator,
    books: Books,
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
            aggregator: Aggregator::new(plan.percentile_bytes),
            books: Books::new(plan),
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
            self.directory.add(Arc::clone(&added.info));
            self.aggregator.add(added.info);
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
        let Self { aggregator, books, .. } = self;
        aggregator.take(arrived_ns, &checked.readings, &checked.advances, books);
    }

    fn publish(&mut self) -> Arc<Snapshot> {
        let Self { aggregator, books, .. } = self;
        self.seq += 1;
        let part = aggregator.publish(self.seq);
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
            watermarks: aggregator.watermarks().map(|(_, at_ns)| at_ns).collect(),
            percentiles: aggregator.percentile_load(),
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
        self.aggregator.finish(&mut self.books);
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
                let through = &mut |result: Found<'_>| results.push(result.into());
                windows.push(channel, at_ns, value, flag, Some(through));
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
