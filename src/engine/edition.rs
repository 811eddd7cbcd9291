//! What a snapshot shows besides the channels, and how it is put together with them.
//!
//! An [`Editor`] keeps the books and knows when a publication is due. The [`Edition`] it gives
//! then is the state of everything at one instant, but for what aggregators alone know; a
//! [`Binder`] puts in what each of them answers for the same instant.

use std::sync::Arc;

use super::{
    Ledger, Plan, Snapshot,
    aggregate::{Answer, Turn},
    bins::{
        budget::Load,
        relief::{Relief, Weights},
    },
    books::Books,
    desk::{self, Attendant, Given, Question},
    directory::{Directory, Listing},
    image::Sitting,
    snapshot::SourceView,
    validate::{Checked, Report},
};

/// Keeps what is published besides the channels.
#[derive(Debug)]
pub struct Editor {
    books: Books,
    directory: Listing,
    publish_ns: i64,
    next_ns: i64,
    now_ns: i64,
    oldest_arrival_ns: Option<i64>,
    oldest_due_ns: Option<i64>,
    seq: u64,
    epoch: u64,
    desk: Option<Attendant>,
    /// Accepted readings that are in panes, or were, before a restart, by source.
    resumed: Option<Vec<u64>>,
}

/// What a snapshot shows besides the channels; all accepted readings count as open in it.
#[derive(Debug)]
pub struct Edition {
    seq: u64,
    epoch: u64,
    at_ns: i64,
    oldest_arrival_ns: Option<i64>,
    oldest_due_ns: Option<i64>,
    directory: Arc<Directory>,
    sources: Arc<[Arc<SourceView>]>,
    total: Ledger,
    /// Of the accepted readings: those of before a restart that are in panes, or were, by source.
    resumed: Option<Vec<u64>>,
    /// What is asked besides.
    questions: Vec<Question>,
}

impl Editor {
    /// Publishes every `publish_ns`.
    #[must_use]
    pub fn new(plan: &Plan, publish_ns: i64, epoch: u64) -> Self {
        Self {
            books: Books::new(plan),
            directory: Listing::default(),
            publish_ns,
            next_ns: i64::MIN,
            now_ns: 0,
            oldest_arrival_ns: None,
            oldest_due_ns: None,
            seq: 0,
            epoch,
            desk: None,
            resumed: None,
        }
    }

    /// With questions that are asked at this desk.
    #[must_use]
    pub fn at(self, desk: Attendant) -> Self {
        Self { desk: Some(desk), ..self }
    }

    /// Going on after the publication with this number.
    #[must_use]
    pub fn after(self, seq: u64) -> Self {
        Self { seq, ..self }
    }

    /// Enters what a batch brought, and says when its frames arrived: near enough for an age, as
    /// the frames of a batch are a moment apart.
    pub fn enter(&mut self, checked: &mut Checked) -> i64 {
        // Gaps in the cadence of inputs must not let the time of a publication go back.
        self.now_ns = self.now_ns.max(checked.now_ns);
        for added in &checked.added {
            self.books.add_channel(added.info.source);
            self.directory.add(Arc::clone(&added.info));
        }
        if let Some(kept) = checked.kept_books.take() {
            self.resumed = Some(kept.in_panes());
            self.books.resume(*kept);
        }
        let mut arrived_ns = checked.now_ns;
        if let Some(report) = &mut checked.report {
            // A recording of the future has arrived now at the latest.
            arrived_ns = report.last_arrival_ns.unwrap_or(arrived_ns).min(arrived_ns);
            self.oldest_arrival_ns = self.oldest_arrival_ns.or(report.first_arrival_ns);
            self.books.enter(report);
            let Report { source, devices, .. } = report;
            devices.words.iter().for_each(|word| self.books.believe(*source, word));
        }
        if !checked.advances.is_empty() {
            self.oldest_due_ns = self.oldest_due_ns.or(Some(arrived_ns));
        }
        arrived_ns
    }

    /// Writes the ledgers into an image.
    pub fn save(&self, sitting: &Arc<Sitting>) {
        self.books.save(sitting);
    }

    /// What is to be published, once its time has come.
    pub fn due(&mut self) -> Option<Edition> {
        if self.now_ns < self.next_ns {
            return None;
        }
        // Aligned to the period, so that a late turn does not shift the following ones.
        self.next_ns = (self.now_ns.div_euclid(self.publish_ns) + 1) * self.publish_ns;
        let questions = self.desk.as_ref().map(Attendant::take).unwrap_or_default();
        Some(Edition { questions, ..self.edition() })
    }

    /// What is to be published now, without an answer to any question.
    pub fn edition(&mut self) -> Edition {
        self.seq += 1;
        Edition {
            seq: self.seq,
            epoch: self.epoch,
            at_ns: self.now_ns,
            oldest_arrival_ns: self.oldest_arrival_ns.take(),
            oldest_due_ns: self.oldest_due_ns.take(),
            directory: self.directory.publish(),
            sources: self.books.views(),
            total: self.books.total(),
            resumed: self.resumed.take(),
            questions: Vec::new(),
        }
    }
}

impl Edition {
    /// What is asked of each aggregator for it.
    #[must_use]
    pub fn turn(&self, relief: Relief) -> Turn {
        Turn { seq: self.seq, relief, picks: desk::picks(&self.questions) }
    }
}

/// Puts snapshots together.
#[derive(Debug)]
pub struct Binder {
    percentile_bytes: u64,
    /// Accepted readings in closed panes, by source.
    closed: Vec<u64>,
    /// Sources as the latest snapshot shows them, with what they were made of.
    sources: Vec<Entry>,
    /// What was asked of the aggregators.
    relief: Relief,
}

#[derive(Debug)]
struct Entry {
    entered: Arc<SourceView>,
    shown: Arc<SourceView>,
}

impl Binder {
    /// For so many bytes of percentiles.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        Self {
            percentile_bytes: plan.percentile_bytes,
            closed: vec![0; plan.sources.len()],
            sources: Vec::new(),
            relief: Relief::None,
        }
    }

    /// What is to be asked of every aggregator at the next publication.
    #[must_use]
    pub fn relief(&self) -> Relief {
        self.relief.clone()
    }

    /// The snapshot of an edition and what every aggregator answered for it, in the order of
    /// their parts; who asked something besides is told.
    pub fn bind(&mut self, edition: Edition, answers: Vec<Answer>) -> Arc<Snapshot> {
        let Edition { mut total, .. } = edition;
        if let Some(resumed) = &edition.resumed {
            self.resume(resumed, &answers);
        }
        for answer in &answers {
            for (sum, n) in self.closed.iter_mut().zip(&answer.closed) {
                *sum += n;
            }
        }
        settle(&mut total, self.closed.iter().sum());
        let watermarks = watermarks(&answers);
        let mut percentiles = Load { budget_bytes: self.percentile_bytes, ..Load::default() };
        let mut weights = Weights::default();
        let mut parts = Vec::with_capacity(answers.len());
        let mut given: Vec<Given> = Vec::new();
        for Answer { part, load, weights: own, exports, .. } in answers {
            parts.push(part);
            percentiles.add(&load);
            weights.join(own);
            given.extend(exports);
        }
        self.judge(&percentiles, weights);
        let snapshot = Arc::new(Snapshot {
            seq: edition.seq,
            epoch: edition.epoch,
            at_ns: edition.at_ns,
            oldest_arrival_ns: edition.oldest_arrival_ns,
            oldest_due_ns: edition.oldest_due_ns,
            directory: edition.directory,
            parts: parts.into(),
            sources: self.show(&edition.sources),
            total,
            watermarks,
            percentiles,
        });
        desk::tell(edition.questions, &snapshot, given);
        snapshot
    }

    /// What was accepted before a restart and is in no open pane is in a closed one.
    fn resume(&mut self, in_panes: &[u64], answers: &[Answer]) {
        for (source, (closed, in_panes)) in self.closed.iter_mut().zip(in_panes).enumerate() {
            let open = answers.iter().filter_map(|answer| answer.resumed.get(source));
            *closed += in_panes.saturating_sub(open.sum());
        }
    }

    /// Decides what is to be done about the percentiles at the next publication.
    fn judge(&mut self, load: &Load, weights: Weights) {
        let excess = load.bytes.saturating_sub(relieved_bytes(self.percentile_bytes));
        self.relief = match &self.relief {
            _ if excess == 0 => Relief::None,
            Relief::Weigh { excess } => weights.judge(*excess),
            Relief::None | Relief::Confine(_) | Relief::Coarsen(_) | Relief::Withhold(_) => {
                Relief::Weigh { excess }
            }
        };
    }

    /// The sources with what is known of their panes; what did not change is shared.
    fn show(&mut self, entered: &Arc<[Arc<SourceView>]>) -> Arc<[Arc<SourceView>]> {
        for (at, (view, &closed)) in entered.iter().zip(&self.closed).enumerate() {
            let known = self.sources.get(at).is_some_and(|entry| {
                Arc::ptr_eq(&entry.entered, view) && entry.shown.ledger.in_closed_panes == closed
            });
            if known {
                continue;
            }
            let mut shown = SourceView::clone(view);
            settle(&mut shown.ledger, closed);
            let entry = Entry { entered: Arc::clone(view), shown: Arc::new(shown) };
            match self.sources.get_mut(at) {
                Some(place) => *place = entry,
                None => self.sources.push(entry),
            }
        }
        self.sources.iter().map(|entry| Arc::clone(&entry.shown)).collect()
    }
}

/// Of the accepted readings, all of which count as open, so many are in closed panes.
fn settle(ledger: &mut Ledger, closed: u64) {
    ledger.in_open_panes -= closed;
    ledger.in_closed_panes = closed;
}

/// Bytes from which percentiles are relieved: what comes in until relief has come must fit too.
fn relieved_bytes(budget_bytes: u64) -> u64 {
    budget_bytes - budget_bytes / 16
}

/// Watermark of each lane; at the end of the input each aggregator goes on to the last pane of its
/// own channels, and the lane is where the furthest is.
fn watermarks(answers: &[Answer]) -> Vec<i64> {
    let mut watermarks = Vec::new();
    for &(lane, at_ns) in answers.iter().flat_map(|answer| &answer.watermarks) {
        if watermarks.len() <= lane {
            watermarks.resize(lane + 1, i64::MIN);
        }
        watermarks[lane] = at_ns.max(watermarks[lane]);
    }
    watermarks
}
