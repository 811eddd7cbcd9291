//! The data path, from the queue to the snapshots, in one chain.

use std::{pin::pin, sync::Arc, time::Duration};

use futures::{Stream, StreamExt as _};
use tokio::sync::mpsc;
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};

use super::{clock, clock::Line, publish::Publisher};
use crate::{
    engine::{
        Batch, Input, Plan, Snapshot,
        normalize::Normalize,
        rolling::Rolling,
        validate::{Checked, Validate},
    },
    limits::TICK_NS,
    scan::{ScanWith, StreamExt as _},
};

/// What the pipeline runs by.
#[derive(Clone, Debug)]
pub struct Aim {
    /// What the engine is to do.
    pub plan: Plan,
    /// Period of publication.
    pub publish_ns: i64,
    /// Stretch of unbroken time line.
    pub epoch: u64,
    /// The daemon's time.
    pub line: Line,
}

/// Runs until every source has dropped its end of the queue, and the last snapshot is out.
///
/// Time comes with the batches; while none comes, ticks tell it, so that what was aggregated is
/// published in silence too. A tick does not move a window: how far a source's time has come is
/// for the source to say, which knows what it has handed over.
pub async fn run(batches: mpsc::Receiver<Batch>, aim: Aim, mut publisher: Publisher) {
    let line = aim.line;
    let snapshots = ReceiverStream::new(batches)
        .timeout_repeating(tick())
        .map(|item| match item {
            Ok(batch) => Input::Batch(batch),
            Err(_elapsed) => Input::Tick { now_ns: line.now_ns() },
        })
        .validate(&aim.plan)
        .normalize()
        .rolling(&aim);
    let mut snapshots = pin!(snapshots);
    while let Some(snapshot) = futures::StreamExt::next(&mut snapshots).await {
        publisher.publish(snapshot, line.now_ns());
    }
}

/// The stages, as combinators.
trait Stages: Stream + Sized {
    /// Accepts readings, or counts why not.
    fn validate(self, plan: &Plan) -> ScanWith<Self, Validate>
    where
        Self: Stream<Item = Input>,
    {
        self.scan_with(Validate::new(plan))
    }

    /// Calibrates and converts units.
    fn normalize(self) -> ScanWith<Self, Normalize>
    where
        Self: Stream<Item = Checked>,
    {
        self.scan_with(Normalize::new())
    }

    /// Aggregates over rolling windows, and gives a snapshot each period.
    fn rolling(self, aim: &Aim) -> ScanWith<Self, Rolling>
    where
        Self: Stream<Item = Checked>,
    {
        self.scan_with(Rolling::new(&aim.plan, aim.publish_ns, aim.epoch))
    }
}

impl<St: Stream> Stages for St {}

fn tick() -> tokio::time::Interval {
    let period = Duration::from_nanos(TICK_NS.unsigned_abs());
    let mut tick = tokio::time::interval_at(clock::deadline_in(TICK_NS), period);
    // After a stall one tick tells as much as ten.
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    tick
}

/// The queue of batches between the sources and the engine.
#[must_use]
pub fn queue(batches: usize) -> (mpsc::Sender<Batch>, mpsc::Receiver<Batch>) {
    mpsc::channel(batches)
}

/// The latest snapshot, as everyone but the engine sees it.
pub type Latest = tokio::sync::watch::Receiver<Arc<Snapshot>>;
