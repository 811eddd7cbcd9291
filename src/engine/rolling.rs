//! The last stage: readings into panes, panes into windows, windows into snapshots or results.

use std::sync::Arc;

use super::{
    Plan, Snapshot,
    aggregate::{Aggregator, Answer, Event, in_order},
    books::Books,
    edition::{Binder, Edition, Editor},
    validate::{Advance, Checked, Entry, Reading},
    windows::{Emitted, Found, Windows},
};
use crate::scan::Step;

/// Rolls windows and gives a snapshot each period: what the daemon runs, with one aggregator for
/// all channels.
#[derive(Debug)]
pub struct Rolling {
    editor: Editor,
    aggregator: Aggregator,
    binder: Binder,
}

impl Rolling {
    /// A stage that publishes every `publish_ns`.
    #[must_use]
    pub fn new(plan: &Plan, publish_ns: i64, epoch: u64) -> Self {
        Self {
            editor: Editor::new(plan, publish_ns, epoch),
            aggregator: Aggregator::new(),
            binder: Binder::new(plan),
        }
    }

    fn bind(&mut self, edition: Edition, answer: Answer) -> Arc<Snapshot> {
        self.binder.bind(edition, vec![answer])
    }
}

impl Step for Rolling {
    type In = Checked;
    type Out = Arc<Snapshot>;

    fn step(&mut self, mut checked: Checked) -> Option<Arc<Snapshot>> {
        let Self { editor, aggregator, binder } = self;
        let arrived_ns = editor.enter(&mut checked);
        checked.added.drain(..).for_each(|added| aggregator.add(added.info));
        aggregator.take(arrived_ns, &checked.readings, &checked.advances);
        let edition = editor.due()?;
        let answer = aggregator.publish(&edition.turn(binder.relief()));
        Some(self.bind(edition, answer))
    }

    fn finish(&mut self) -> Option<Arc<Snapshot>> {
        let (edition, answer) = (self.editor.edition(), self.aggregator.end());
        Some(self.bind(edition, answer))
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
            Event::Reading(&Reading { entry: Entry::Preview, .. }) => {}
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
