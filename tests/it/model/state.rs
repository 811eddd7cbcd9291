//! An engine that goes on from an image, against one that never stopped.
//!
//! Histories run over channels of all kinds: scalar with percentiles and exact windows, directions,
//! counters, states, means over time, tests that remember and wait, calibrations that remember, and
//! channels that are found on the way. Somewhere an image is called for, which is written while the
//! history goes on; an engine made of it plays the rest. From there on every snapshot of the two
//! must say the same, bit for bit.

mod kinds;
mod restarts;

use std::{
    fmt::Write as _,
    sync::{
        Arc,
        mpsc::{Receiver, sync_channel},
    },
};

use proptest::prelude::*;
use stillwell::engine::{
    Batch, Input, Plan, Snapshot,
    aggregate::{Aggregator, Answer, Work},
    bins::budget::Load,
    edition::{Binder, Edition, Editor},
    image::{Head, Image, Misfit, Sealed, Sitting, sitting::Blocks},
    normalize::Normalize,
    qc::Qc,
    split::Split,
    validate::{GoesOn, Terms, Validate},
};
use stillwell::scan::{Rest, Step};

use self::kinds::every_kind;
use super::{
    batches,
    history::{Event, Setting, history, moves, setting},
};
use stillwell::limits::MS;

/// All stages, with as many aggregators as there are shards.
pub(super) struct Engine {
    validate: Validate,
    normalize: Normalize,
    qc: Qc,
    editor: Editor,
    split: Split,
    aggregators: Vec<Aggregator>,
    binder: Binder,
}

impl Engine {
    fn with(plan: &Plan, validate: Validate, shards: usize, slice: usize) -> Self {
        Self {
            validate,
            normalize: Normalize::new(plan),
            qc: Qc::new(plan),
            editor: Editor::new(plan, MS, 1),
            split: Split::new(shards),
            aggregators: (0..shards).map(|_| Aggregator::in_slices(slice)).collect(),
            binder: Binder::new(plan),
        }
    }

    pub(super) fn new(plan: &Plan, shards: usize, slice: usize) -> Self {
        Self::with(plan, Validate::new(plan), shards, slice)
    }

    pub(super) fn resumed(plan: &Plan, image: &Arc<Image>, terms: &Terms, shards: usize) -> Self {
        Self::with(plan, Validate::resume(plan, image, terms), shards, usize::MAX)
    }

    /// Takes a batch, or the time alone; an image is called for behind it.
    pub(super) fn take(
        &mut self,
        now_ns: i64,
        batch: Option<Batch>,
        sitting: Option<Arc<Sitting>>,
    ) {
        let checked = self.validate.step(Input { now_ns, batch, sitting }).expect("one for one");
        let checked = self.normalize.step(checked).expect("one for one");
        let mut checked = self.qc.step(checked).expect("one for one");
        let arrived_ns = self.editor.enter(&mut checked);
        let sitting = checked.sitting.take();
        self.split.divide(arrived_ns, &mut checked);
        for (shard, aggregator) in self.aggregators.iter_mut().enumerate() {
            if let Some(portion) = self.split.take(shard) {
                assert!(aggregator.step(Work::Take(portion)).is_none(), "nobody asked");
            }
        }
        if let Some(sitting) = sitting {
            self.editor.save(&sitting);
            for aggregator in &mut self.aggregators {
                assert!(aggregator.step(Work::Sit(Arc::clone(&sitting))).is_none());
            }
        }
    }

    /// A slice of what was put off.
    fn idle(&mut self) {
        assert!(matches!(self.qc.go_on(), Rest::Nothing | Rest::More));
        for aggregator in &mut self.aggregators {
            assert!(matches!(aggregator.go_on(), Rest::Nothing | Rest::More));
        }
    }

    /// What there is to say now.
    pub(super) fn publish(&mut self) -> Arc<Snapshot> {
        let edition: Edition = self.editor.edition();
        let turn = edition.turn(self.binder.relief());
        let answer =
            |aggregator: &mut Aggregator| aggregator.ask(&turn).or_else(|| aggregator.complete());
        let answers: Option<Vec<Answer>> = self.aggregators.iter_mut().map(answer).collect();
        self.binder.bind(edition, answers.expect("each answers"))
    }

    pub(super) fn finish(mut self) -> Arc<Snapshot> {
        if let Some(mut checked) = self.qc.finish() {
            let arrived_ns = self.editor.enter(&mut checked);
            self.split.divide(arrived_ns, &mut checked);
            for (shard, aggregator) in self.aggregators.iter_mut().enumerate() {
                if let Some(portion) = self.split.take(shard) {
                    assert!(aggregator.step(Work::Take(portion)).is_none());
                }
            }
        }
        let answers: Option<Vec<Answer>> = self.aggregators.iter_mut().map(Step::finish).collect();
        self.binder.bind(self.editor.edition(), answers.expect("each answers"))
    }
}

/// A call for an image, and where it is given.
pub(super) fn call() -> (Arc<Sitting>, Receiver<Blocks>) {
    let (send, given) = sync_channel(1);
    (Sitting::new(move |blocks| send.send(blocks).expect("somebody waits")), given)
}

pub(super) fn image_of(blocks: Blocks) -> Vec<u8> {
    Sealed::new(&Head { epoch: 1, number: 1, ..Head::default() }, blocks).to_bytes()
}

pub(super) fn terms(now_ns: i64) -> Terms {
    Terms { now_ns, line_goes_on: true, sources: Vec::new() }
}

/// What a snapshot says of everything but itself: two that say the same are of the same numbers.
pub(super) fn said(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    let Snapshot { sources, total, watermarks, percentiles, .. } = snapshot;
    // How much room counts take depends on how they came about.
    let percentiles = Load { bytes: 0, spare: 0, ..*percentiles };
    writeln!(text, "{sources:#?}\n{total:?}\n{watermarks:?}\n{percentiles:?}").unwrap();
    for &index in snapshot.directory.by_id() {
        let view = snapshot.channel(index);
        let info = view.info;
        writeln!(text, "{} {index} {:?} {:?}", info.id, view.begun_ns, view.live).unwrap();
        for window in 0..info.rules.window_count() {
            writeln!(text, "{} {window} {:?}", info.id, view.summary(window)).unwrap();
        }
    }
    text
}

fn assert_same(got: &Snapshot, whole: &Snapshot, when: &str) {
    assert_eq!(got.total.imbalance(), None, "{when}");
    let (got, whole) = (said(got), said(whole));
    for (got, whole) in got.lines().zip(whole.lines()) {
        assert_eq!(got, whole, "{when}");
    }
    assert_eq!(got.lines().count(), whole.lines().count(), "{when}");
}

/// How an image is taken.
#[derive(Clone, Copy, Debug)]
struct Manner {
    /// Behind this batch.
    at: usize,
    /// Channels of a slice.
    slice: usize,
    /// Slices between batches.
    idle: usize,
    /// Aggregators that share the channels, before and after.
    shards: (usize, usize),
}

/// Plays a history with an image taken on the way, and gives it.
fn saved(plan: &Plan, batches: Vec<Batch>, manner: Manner) -> Vec<u8> {
    let Manner { at, slice, idle, shards } = manner;
    let mut engine = Engine::new(plan, shards.0, slice);
    let (sitting, given) = call();
    let mut sitting = Some(sitting);
    for (number, batch) in batches.into_iter().enumerate() {
        // As often as in the engine that this is compared with: see `Chains::result`.
        engine.publish();
        let called = if number == at { sitting.take() } else { None };
        engine.take(batch.now_ns, Some(batch), called);
        (0..idle).for_each(|_| engine.idle());
    }
    engine.finish();
    image_of(given.try_recv().expect("given at the end at the latest"))
}

fn check(plan: &Plan, events: &[Event], cuts: &[usize], manner: Manner) {
    let batches = || batches(events, cuts, 400 * MS);
    let at = manner.at % batches().len().max(1);
    let manner = Manner { at, ..manner };
    if batches().is_empty() {
        return;
    }
    let image = Arc::new(Image::open(saved(plan, batches(), manner)).expect("whole"));
    let mut whole = Engine::new(plan, 1, usize::MAX);
    let mut goes_on: Option<Engine> = None;
    for (number, batch) in batches().into_iter().enumerate() {
        let now_ns = batch.now_ns;
        if let Some(engine) = &mut goes_on {
            let again = super::batch_again(&batch);
            engine.take(now_ns, Some(again), None);
        }
        whole.take(now_ns, Some(batch), None);
        let shown = whole.publish();
        if number == at {
            let mut engine = Engine::resumed(plan, &image, &terms(now_ns), manner.shards.1);
            engine.take(now_ns, None, None);
            let lost: Vec<(Misfit, u64)> = image.salvage().dropped().collect();
            assert!(lost.is_empty(), "{lost:?}");
            goes_on = Some(engine);
        }
        if let Some(engine) = &mut goes_on {
            assert_same(&engine.publish(), &shown, &format!("{} batches after", number - at));
        }
    }
    let goes_on = goes_on.expect("it was among the batches");
    assert_same(&goes_on.finish(), &whole.finish(), "at the end");
}

fn manner() -> impl Strategy<Value = Manner> {
    let slice = prop_oneof![1..4_usize, Just(usize::MAX)];
    let shards = (1..4_usize, 1..4_usize);
    (any::<usize>(), slice, 0..3_usize, shards).prop_map(|(at, slice, idle, shards)| Manner {
        at,
        slice,
        idle,
        shards,
    })
}

proptest! {
    /// Whatever came before and comes after, however it is cut into batches, in whatever slices the
    /// image is written and whoever shares the channels.
    #[test]
    fn an_engine_goes_on_as_if_it_had_never_stopped(
        setting in setting(),
        moves in moves(),
        cuts in proptest::collection::vec(1..40_usize, 1..6),
        discovers in any::<bool>(),
        manner in manner(),
    ) {
        let setting = Setting { percentile_bytes: 1 << 30, ..setting };
        let plan = every_kind(&setting, discovers);
        check(&plan, &history(&moves), &cuts, manner);
    }
}
