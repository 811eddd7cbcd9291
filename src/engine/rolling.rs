//! The last stage: readings into panes, panes into windows, windows into snapshots or results.

use std::sync::Arc;

use super::{
    Plan, Snapshot,
    aggregate::{Aggregator, Answer, Event, in_order},
    books::Books,
    desk::Attendant,
    devices::DeviceWord,
    edition::{Binder, Edition, Editor},
    validate::{Advance, Checked, Entry, Reading},
    windows::{Emitted, Found, Windows},
};
use crate::scan::{Rest, Step};

/// Rolls windows and gives a snapshot each period: what the daemon runs, with one aggregator for
/// all channels.
#[derive(Debug)]
pub struct Rolling {
    editor: Editor,
    aggregator: Aggregator,
    binder: Binder,
    /// What the aggregator was asked for and has not answered.
    under_way: Option<Edition>,
}

impl Rolling {
    /// A stage that publishes every `publish_ns`.
    #[must_use]
    pub fn new(plan: &Plan, publish_ns: i64, epoch: u64) -> Self {
        Self::with(plan, publish_ns, epoch, Aggregator::new())
    }

    /// As [`Self::new`], with this aggregator.
    #[must_use]
    pub fn with(plan: &Plan, publish_ns: i64, epoch: u64, aggregator: Aggregator) -> Self {
        Self {
            editor: Editor::new(plan, publish_ns, epoch),
            aggregator,
            binder: Binder::new(plan),
            under_way: None,
        }
    }

    /// Going on after the publication with this number.
    #[must_use]
    pub fn after(self, seq: u64) -> Self {
        Self { editor: self.editor.after(seq), ..self }
    }

    /// With questions that are asked at this desk.
    #[must_use]
    pub fn at(self, desk: Attendant) -> Self {
        Self { editor: self.editor.at(desk), ..self }
    }

    fn bind(&mut self, answer: Answer) -> Option<Arc<Snapshot>> {
        Some(self.binder.bind(self.under_way.take()?, vec![answer]))
    }
}

impl Step for Rolling {
    type In = Checked;
    type Out = Arc<Snapshot>;

    fn step(&mut self, mut checked: Checked) -> Option<Arc<Snapshot>> {
        let Self { editor, aggregator, .. } = self;
        let arrived_ns = editor.enter(&mut checked);
        checked.added.drain(..).for_each(|added| aggregator.welcome(added.into()));
        aggregator.take(arrived_ns, &checked.readings, &checked.advances);
        if let Some(sitting) = &checked.sitting {
            editor.save(sitting);
            aggregator.sit(sitting);
        }
        if self.under_way.is_none()
            && let Some(edition) = editor.due()
        {
            let earlier = aggregator.ask(&edition.turn(self.binder.relief()));
            debug_assert!(earlier.is_none(), "none is under way");
            self.under_way = Some(edition);
        }
        match self.go_on() {
            Rest::Says(snapshot) => Some(snapshot),
            Rest::Nothing | Rest::More => None,
        }
    }

    fn go_on(&mut self) -> Rest<Arc<Snapshot>> {
        match self.aggregator.go_on() {
            Rest::Nothing => Rest::Nothing,
            Rest::More => Rest::More,
            Rest::Says(answer) => self.bind(answer).map_or(Rest::More, Rest::Says),
        }
    }

    fn finish(&mut self) -> Option<Arc<Snapshot>> {
        // One that is under way is overtaken by the last, but what it counts is to be booked.
        let (earlier, last) = self.aggregator.end();
        if let Some(earlier) = earlier {
            drop(self.bind(earlier));
        }
        self.under_way = Some(self.editor.edition());
        self.bind(last)
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

/// Results as they come, with the conditions of their devices as these are known then: in the order
/// in which frames came, whatever the batches.
#[derive(Default)]
struct Results {
    all: Vec<Emitted>,
    /// So many have their conditions.
    judged: usize,
}

impl Results {
    fn push(&mut self, found: Found<'_>) {
        self.all.push(found.into());
    }

    fn judge(&mut self, books: &Books) {
        for Emitted { channel, window, summary, condition } in &mut self.all[self.judged..] {
            let (from_ns, until_ns) = channel.rules.window(*window).span_ns(summary.end_ns);
            *condition = books.condition(channel, from_ns, until_ns);
        }
        self.judged = self.all.len();
    }

    fn told(self) -> Option<Vec<Emitted>> {
        (!self.all.is_empty()).then_some(self.all)
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
        let mut results = Results::default();
        let news = checked.report.as_ref().map(|report| (report.source, &report.devices.words));
        let (source, words) = news.map_or((0, &[][..]), |(source, words)| (source, words));
        let (mut words, mut taken, mut passed) = (words.iter().peekable(), 0, 0);
        in_order(&checked.readings, &checked.advances, |event| {
            let is_before = |word: &&DeviceWord| match event {
                Event::Reading(_) => word.readings <= taken,
                Event::Advance(_) => word.advances <= passed,
            };
            while let Some(word) = words.next_if(is_before) {
                books.believe(source, word);
            }
            match event {
                Event::Reading(reading) => {
                    taken += 1;
                    take(windows, reading, &mut results);
                }
                Event::Advance(&Advance { lane, watermark_ns, .. }) => {
                    passed += 1;
                    let emit = &mut |found: Found<'_>| results.push(found);
                    windows.advance_through(lane, watermark_ns, books, emit);
                }
            }
            results.judge(books);
        });
        words.for_each(|word| books.believe(source, word));
        results.told()
    }

    fn finish(&mut self) -> Option<Vec<Emitted>> {
        let mut results = Results::default();
        self.windows.finish(true, &mut self.books, &mut |found| results.push(found));
        results.judge(&self.books);
        results.told()
    }
}

fn take(windows: &mut Windows, reading: &Reading, results: &mut Results) {
    match reading.entry {
        Entry::Preview => {}
        Entry::Companion => windows.accompany(reading),
        Entry::Value | Entry::Next | Entry::Note | Entry::Settled => {
            windows.push(reading, Some(&mut |found: Found<'_>| results.push(found)));
        }
    }
}
