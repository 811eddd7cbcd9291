//! The data path, from the queue to the snapshots, in one chain.

use std::{cell::RefCell, pin::pin, sync::Arc, time::Duration};

use tokio::sync::mpsc;
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};

use super::{
    clock,
    clock::Line,
    publish::Publisher,
    shards::Shards,
    state::calls::Calls,
    tap::{Onlooker, Taps},
};
use crate::{
    engine::{
        Batch, Input, Plan,
        desk::Desk,
        edition::{Binder, Editor},
        image::Image,
        rolling::Rolling,
        stages::Stages as _,
        validate::Terms,
    },
    limits::TICK_NS,
    scan::StreamExt as _,
};

/// What the pipeline runs by.
#[derive(Debug)]
pub struct Aim {
    /// What the engine is to do.
    pub plan: Plan,
    /// Period of publication.
    pub publish_ns: i64,
    /// Stretch of unbroken time line.
    pub epoch: u64,
    /// The daemon's time.
    pub line: Line,
    /// Who looks on at frames.
    pub taps: Arc<Taps>,
    /// Who asks for what no snapshot has.
    pub desk: Arc<Desk>,
    /// What it goes on from, if there is anything, and under which terms.
    pub kept: Option<(Arc<Image>, Terms)>,
    /// When images of its state are taken, if they are kept anywhere.
    pub calls: Option<Calls>,
}

/// Runs until every source has dropped its end of the queue, and the last snapshot is out.
///
/// While no batch comes, ticks tell the time, so that a daemon without input goes on publishing.
/// A tick moves no window: how far a source's time has come is for the source to say, which
/// knows what it has handed over.
///
/// An image of all stages is taken now and then, and a last one at the end of the input, before
/// anything is flushed: what comes after a restart goes on from there.
///
/// With `shards` the channels are aggregated by these, and by the engine itself without.
pub async fn run(
    batches: mpsc::Receiver<Batch>,
    aim: Aim,
    shards: Option<Shards>,
    mut publisher: Publisher,
) {
    let Aim { plan, publish_ns, epoch, line, taps, desk, kept, calls } = aim;
    let calls = RefCell::new(calls);
    let due = |now_ns| calls.borrow_mut().as_mut().and_then(|calls| calls.due(now_ns));
    let last = || {
        let now_ns = line.now_ns();
        let sitting = calls.borrow_mut().as_mut().map(|calls| calls.last(now_ns));
        Input { now_ns, batch: None, sitting }
    };
    let mut onlooker = Onlooker::new(Arc::clone(&taps));
    let mut turn = publisher.turns();
    let checked = ReceiverStream::new(batches)
        .timeout_repeating(ticks())
        .map(|item| {
            turn();
            let now_ns = line.now_ns();
            Input { now_ns, batch: item.ok(), sitting: due(now_ns) }
        })
        .chain(futures::stream::once(async { last() }))
        .validate_from(&plan, kept)
        .normalize(&plan)
        .qc(&plan)
        .map(|checked| onlooker.tell(checked));
    let mut publish = |snapshot| publisher.publish(snapshot, line.now_ns());
    if let Some(shards) = shards {
        let editor = Editor::new(&plan, publish_ns, epoch).at(desk.attend());
        shards.run(checked, editor, Binder::new(&plan), publish).await;
    } else {
        let rolling = Rolling::new(&plan, publish_ns, epoch).at(desk.attend());
        let mut snapshots = pin!(checked.scan_with(rolling));
        while let Some(snapshot) = snapshots.next().await {
            publish(snapshot);
        }
    }
    taps.end();
}

fn ticks() -> tokio::time::Interval {
    let period = Duration::from_nanos(TICK_NS.unsigned_abs());
    // The first comes at once: until something is published, nobody can be served.
    let mut ticks = tokio::time::interval_at(clock::deadline_in(0), period);
    // After a stall one tick tells as much as ten.
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    ticks
}
