//! However small the slices are in which panes are closed and results shown, the same comes out.
//!
//! With slices of a channel or two, publications are answered long after they were asked for, and
//! readings and watermarks come in between; with slices that are large enough nothing is put off.

use std::{collections::BTreeMap, sync::Arc};

use proptest::prelude::*;
use stillwell::{
    engine::{
        Batch, Plan, Snapshot,
        aggregate::Aggregator,
        edition::{Binder, Editor},
        rolling::Rolling,
    },
    limits::MS,
    scan::{Rest, Step},
};

use super::{
    Front, batches,
    history::{Event, history, moves, setting},
    shards::{said, spread},
};

/// Snapshots by the time at which they were asked for, which tells of each where in the history
/// that was.
type Snapshots = BTreeMap<i64, Arc<Snapshot>>;

/// Batches that each come at a time of their own.
fn distinct(events: &[Event], cuts: &[usize]) -> Vec<Batch> {
    let mut before_ns = i64::MIN;
    let mut batches = batches(events, cuts, 400 * MS);
    for batch in &mut batches {
        batch.now_ns = batch.now_ns.max(before_ns + 1);
        before_ns = batch.now_ns;
    }
    batches
}

/// Plays a history with slices of so many channels, and as many again while there is no batch;
/// also how many snapshots came at another step than the one that asked for them.
fn sliced(
    plan: &Plan,
    batches: Vec<Batch>,
    publish_ns: i64,
    slice: (usize, usize),
) -> (Snapshots, usize) {
    let (channels, idle) = slice;
    let aggregator = Aggregator::in_slices(channels);
    let (mut front, mut rolling) =
        (Front::new(plan), Rolling::with(plan, publish_ns, 1, aggregator));
    let (mut snapshots, mut late) = (Snapshots::new(), 0);
    let mut keep = |snapshot: Arc<Snapshot>, now_ns| {
        assert_eq!(snapshot.total.imbalance(), None);
        late += usize::from(snapshot.at_ns < now_ns);
        assert!(snapshots.insert(snapshot.at_ns, snapshot).is_none(), "published twice");
    };
    for batch in batches {
        let now_ns = batch.now_ns;
        rolling.step(front.step(batch)).into_iter().for_each(|snapshot| keep(snapshot, now_ns));
        for _ in 0..idle {
            if let Rest::Says(snapshot) = rolling.go_on() {
                keep(snapshot, now_ns);
            }
        }
    }
    let last = rolling.finish().expect("a last snapshot");
    assert_eq!((last.total.imbalance(), last.total.in_open_panes), (None, 0));
    (snapshots, late)
}

/// What a history shows at these times, with everything done in one piece when it is asked for.
fn whole(plan: &Plan, batches: Vec<Batch>, asked: &Snapshots) -> Snapshots {
    let (mut front, mut editor, mut binder) =
        (Front::new(plan), Editor::new(plan, MS, 1), Binder::new(plan));
    let mut aggregator = Aggregator::in_slices(usize::MAX);
    let mut snapshots = Snapshots::new();
    for batch in batches {
        let now_ns = batch.now_ns;
        let mut checked = front.step(batch);
        let arrived_ns = editor.enter(&mut checked);
        checked.added.drain(..).for_each(|added| aggregator.add(added.info));
        aggregator.take(arrived_ns, &checked.readings, &checked.advances);
        if asked.contains_key(&now_ns) {
            let edition = editor.edition();
            assert!(aggregator.ask(&edition.turn(binder.relief())).is_none());
            let answer = aggregator.complete().expect("it was asked");
            snapshots.insert(now_ns, binder.bind(edition, vec![answer]));
        }
        while !matches!(aggregator.go_on(), Rest::Nothing) {}
    }
    snapshots
}

fn check(got: &Snapshots, whole: &Snapshots) {
    assert_eq!(got.len(), whole.len(), "snapshots");
    for (at_ns, snapshot) in got {
        let (got, whole) = (said(snapshot), said(&whole[at_ns]));
        for (got, whole) in got.lines().zip(whole.lines()) {
            assert_eq!(got, whole, "snapshot at {at_ns}");
        }
        assert_eq!(got.lines().count(), whole.lines().count(), "snapshot at {at_ns}");
    }
}

proptest! {
    /// Figures, percentiles, latest values, what changed when, watermarks and every count are the
    /// same in every snapshot, bit for bit, whatever came between its being asked for and given.
    #[test]
    fn snapshots_are_the_same_in_slices_of_any_size(
        setting in setting(),
        moves in moves(),
        cuts in proptest::collection::vec(1..40_usize, 1..6),
        publish_ms in prop_oneof![Just(1_i64), 1..2_000_i64],
        slice in (1..4_usize, 0..3_usize),
    ) {
        let (plan, events) = (spread(&setting), history(&moves));
        let batches = || distinct(&events, &cuts);
        let (got, _) = sliced(&plan, batches(), publish_ms * MS, slice);
        check(&got, &whole(&plan, batches(), &got));
    }
}

/// What the random histories may miss: with enough readings, most snapshots are late.
#[test]
fn slices_do_put_off() {
    let (setting, moves) = super::shards::busy(1 << 30);
    let (plan, events) = (spread(&setting), history(&moves));
    let batches = || distinct(&events, &[3, 7]);
    let (got, late) = sliced(&plan, batches(), 100 * MS, (1, 0));
    assert!(got.len() < 2 * late, "{late} of {} are late", got.len());
    check(&got, &whole(&plan, batches(), &got));
    let (_, late) = sliced(&plan, batches(), 100 * MS, (usize::MAX, 0));
    assert_eq!(late, 0, "what is done in one go is put off");
}
