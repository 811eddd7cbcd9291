//! However many share the channels, the same comes out.
//!
//! The stages run in one thread here, with as many aggregators as there are shards; what their
//! threads add is told in `tests/it/shards.rs`.

use std::{fmt::Write as _, sync::Arc};

use proptest::prelude::*;
use stillwell::{
    engine::{
        ChannelKey, ChannelPlan, Plan, Snapshot, Unknown,
        aggregate::{Aggregator, Answer, Work},
        edition::{Binder, Editor},
        rolling::Rolling,
        split::Split,
        validate::Checked,
    },
    limits::{CHANNELS_PER_CHUNK, MS},
    scan::Step,
};

use super::{
    Front, batches,
    history::{Event, Move, Setting, history, moves, setting},
    plan,
};

const SHARDS: [usize; 4] = [1, 2, 3, 4];

/// The last stages with several aggregators, one after the other.
struct Sharded {
    editor: Editor,
    split: Split,
    aggregators: Vec<Aggregator>,
    binder: Binder,
}

impl Sharded {
    fn new(plan: &Plan, publish_ns: i64, shards: usize) -> Self {
        Self {
            editor: Editor::new(plan, publish_ns, 1),
            split: Split::new(shards),
            aggregators: (0..shards).map(|_| Aggregator::new()).collect(),
            binder: Binder::new(plan),
        }
    }

    fn step(&mut self, mut checked: Checked) -> Option<Arc<Snapshot>> {
        let Self { editor, split, aggregators, binder } = self;
        let arrived_ns = editor.enter(&mut checked);
        split.divide(arrived_ns, &mut checked);
        for (shard, aggregator) in aggregators.iter_mut().enumerate() {
            if let Some(portion) = split.take(shard) {
                assert!(aggregator.step(Work::Take(portion)).is_none());
            }
        }
        let edition = editor.due()?;
        let turn = edition.turn(binder.relief());
        let answer = |aggregator: &mut Aggregator| aggregator.step(Work::Publish(turn.clone()));
        let answers: Option<Vec<Answer>> = aggregators.iter_mut().map(answer).collect();
        Some(binder.bind(edition, answers.expect("each answers")))
    }

    fn finish(mut self) -> Arc<Snapshot> {
        let answers: Option<Vec<Answer>> = self.aggregators.iter_mut().map(Step::finish).collect();
        self.binder.bind(self.editor.edition(), answers.expect("each answers"))
    }
}

/// The plan of the model with its channels far apart, so that each is in a chunk of its own; the
/// second device is met on the way.
pub(super) fn spread(setting: &Setting) -> Plan {
    let mut plan = plan(setting);
    plan.sources[0].unknown = Unknown::Discover { max: 100 };
    let configured = std::mem::take(&mut plan.channels).into_iter().take(3);
    for (nth, channel) in configured.enumerate() {
        let idle = |at: usize| ChannelPlan {
            id: format!("idle{nth}.{at}").into(),
            key: ChannelKey::Numbered { device: 1_000 + nth as u32, index: at as u8 },
            ..channel.clone()
        };
        plan.channels.push(channel.clone());
        plan.channels.extend((1..CHANNELS_PER_CHUNK).map(idle));
    }
    plan
}

/// All that a snapshot says: two that say the same are of the same numbers, bit for bit.
pub(super) fn said(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    let Snapshot { seq, epoch, at_ns, oldest_arrival_ns, oldest_due_ns, .. } = snapshot;
    let head = (seq, epoch, at_ns, oldest_arrival_ns, oldest_due_ns);
    let Snapshot { sources, total, watermarks, percentiles, .. } = snapshot;
    writeln!(text, "{head:?}\n{sources:?}\n{total:?}\n{watermarks:?}\n{percentiles:?}").unwrap();
    for &index in snapshot.directory.by_id() {
        let view = snapshot.channel(index);
        let windows = 0..view.info.rules.window_count();
        let summaries: Vec<_> = windows.map(|window| view.summary(window)).collect();
        if view.live.is_some() || view.changed_seq != 1 {
            let id = &view.info.id;
            writeln!(text, "{id} {:?} {} {summaries:?}", view.live, view.changed_seq).unwrap();
        }
    }
    text
}

fn play(
    plan: &Plan,
    events: &[Event],
    cuts: &[usize],
    mut step: impl FnMut(Checked) -> Option<Arc<Snapshot>>,
) -> Vec<Arc<Snapshot>> {
    let mut front = Front::new(plan);
    let batches = batches(events, cuts, 400 * MS).into_iter();
    batches.filter_map(|batch| step(front.step(batch))).collect()
}

/// Plays a history with one aggregator and with several, and returns what the last snapshot was.
fn same_for_all(
    setting: &Setting,
    moves: &[Move],
    cuts: &[usize],
    publish_ns: i64,
) -> Vec<Arc<Snapshot>> {
    let (plan, events) = (spread(setting), history(moves));
    let mut rolling = Rolling::new(&plan, publish_ns, 1);
    let mut whole = play(&plan, &events, cuts, |checked| rolling.step(checked));
    whole.extend(rolling.finish());
    for shards in SHARDS {
        let mut sharded = Sharded::new(&plan, publish_ns, shards);
        let mut got = play(&plan, &events, cuts, |checked| sharded.step(checked));
        got.push(sharded.finish());
        assert_eq!(got.len(), whole.len(), "publications of {shards} shards");
        for (got, whole) in got.iter().zip(&whole) {
            assert_eq!(got.total.imbalance(), None);
            let (got, whole) = (said(got), said(whole));
            for (got, whole) in got.lines().zip(whole.lines()) {
                assert_eq!(got, whole, "{shards} shards");
            }
            assert_eq!(got.lines().count(), whole.lines().count(), "{shards} shards");
        }
    }
    whole
}

proptest! {
    /// Figures, percentiles, latest values, what changed when, watermarks and every count are the
    /// same in every snapshot, whoever has which channel, and so is who has to do with fewer
    /// figures when percentiles take too much.
    #[test]
    fn snapshots_are_the_same_for_any_number_of_shards(
        setting in setting(),
        moves in moves(),
        cuts in proptest::collection::vec(1..40_usize, 1..6),
        publish_ms in prop_oneof![Just(1_i64), 1..2_000_i64],
    ) {
        let last = same_for_all(&setting, &moves, &cuts, publish_ms * MS).pop();
        let last = last.expect("a last snapshot");
        prop_assert_eq!(last.total.imbalance(), None);
        prop_assert_eq!(last.total.in_open_panes, 0);
    }
}

/// Many readings in order, and so many bytes for percentiles.
pub(super) fn busy(percentile_bytes: u64) -> (Setting, Vec<Move>) {
    let frame = |n: u32| Move::Frame {
        device: 1 + n % 2,
        gap_ms: 30,
        stamps_ms: vec![(n % 3, 0), ((n + 1) % 3, 0)],
        values: (0..6).map(|i| f64::from(n * (i + 3) % 97) * 1.37).collect(),
        health: 0,
    };
    let moves: Vec<Move> = (0..600).map(frame).collect();
    let second = |length: i64| stillwell::engine::Window {
        length_ns: length * 1_000 * MS,
        every_ns: length * 100 * MS,
    };
    let setting = Setting {
        pane_ns: 100 * MS,
        lateness_ns: 0,
        future_ns: 0,
        windows: vec![second(1), second(10)],
        exact: Vec::new(),
        idle_ns: 1_000 * MS,
        figures: 3,
        percentile_bytes,
    };
    (setting, moves)
}

/// What the random histories may miss: so little memory that all that can be done is done.
#[test]
fn a_budget_that_is_far_too_small_is_met_in_the_same_way_by_all() {
    let load = |bytes| {
        let (setting, moves) = busy(bytes);
        let snapshots = same_for_all(&setting, &moves, &[7, 3, 11], 100 * MS);
        snapshots.last().expect("a last snapshot").percentiles
    };
    let enough = load(1 << 30);
    assert_eq!((enough.coarsened, enough.withheld), (0, 0));
    let tight = load(enough.bytes / 2);
    assert!(0 < tight.coarsened && tight.withheld == 0, "{tight:?}");
    let tighter = load(500);
    assert!(0 < tighter.withheld, "{tighter:?}");
    assert!(tighter.bytes <= 500, "{tighter:?}");
}
