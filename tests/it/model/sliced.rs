//! However small the slices are in which panes are closed and results shown, the same comes out.
//!
//! With slices of a channel or two, publications are answered long after they were asked for, and
//! readings and watermarks come in between; with slices that are large enough nothing is put off.

use std::{collections::BTreeMap, sync::Arc};

use proptest::prelude::*;
use stillwell::{
    engine::{Plan, Snapshot, aggregate::Aggregator, rolling::Rolling},
    limits::MS,
    scan::{Rest, Step},
};

use super::{
    Front, batches,
    history::{Event, history, moves, setting},
    shards::{said, spread},
};

/// What a run came to.
struct Run {
    /// Snapshots by their number.
    snapshots: BTreeMap<u64, Arc<Snapshot>>,
    /// How many of them came at another step than the one that asked for them.
    late: usize,
}

/// Plays a history with slices of so many channels; after each batch there is time for so many.
fn run(
    plan: &Plan,
    events: &[Event],
    cuts: &[usize],
    publish_ns: i64,
    slice: (usize, usize),
) -> Run {
    let (channels, idle) = slice;
    let aggregator = Aggregator::in_slices(channels);
    let (mut front, mut rolling) =
        (Front::new(plan), Rolling::with(plan, publish_ns, 1, aggregator));
    let mut run = Run { snapshots: BTreeMap::new(), late: 0 };
    let mut keep = |snapshot: Arc<Snapshot>| {
        assert_eq!(snapshot.total.imbalance(), None);
        assert!(run.snapshots.insert(snapshot.seq, snapshot).is_none(), "published twice");
    };
    for batch in batches(events, cuts, 400 * MS) {
        let now_ns = batch.now_ns;
        if let Some(snapshot) = rolling.step(front.step(batch)) {
            run.late += usize::from(snapshot.at_ns < now_ns);
            keep(snapshot);
        }
        for _ in 0..idle {
            if let Rest::Says(snapshot) = rolling.go_on() {
                run.late += 1;
                keep(snapshot);
            }
        }
    }
    rolling.finish().into_iter().for_each(keep);
    run
}

fn check(got: &Run, whole: &Run) {
    for (seq, snapshot) in &got.snapshots {
        let (got, whole) = (said(snapshot), said(&whole.snapshots[seq]));
        for (got, whole) in got.lines().zip(whole.lines()) {
            assert_eq!(got, whole, "snapshot {seq}");
        }
        assert_eq!(got.lines().count(), whole.lines().count(), "snapshot {seq}");
    }
    // The last may overtake the one before it, and no other may be left out.
    let last = whole.snapshots.keys().last().expect("a last snapshot");
    for seq in whole.snapshots.keys().filter(|seq| **seq + 1 != *last) {
        assert!(got.snapshots.contains_key(seq), "snapshot {seq} was left out");
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
        let (plan, events, publish_ns) = (spread(&setting), history(&moves), publish_ms * MS);
        let whole = run(&plan, &events, &cuts, publish_ns, (usize::MAX, 0));
        prop_assert_eq!(whole.late, 0, "what is done in one go is put off");
        check(&run(&plan, &events, &cuts, publish_ns, slice), &whole);
    }
}

/// What the random histories may miss: with enough readings, most snapshots are late.
#[test]
fn slices_do_put_off() {
    let (setting, moves) = super::shards::busy(1 << 30);
    let (plan, events) = (spread(&setting), history(&moves));
    let whole = run(&plan, &events, &[3, 7], 100 * MS, (usize::MAX, 0));
    let sliced = run(&plan, &events, &[3, 7], 100 * MS, (1, 0));
    assert!(sliced.snapshots.len() < 2 * sliced.late, "{} are late", sliced.late);
    check(&sliced, &whole);
}
