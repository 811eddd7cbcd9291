//! The data path, from the queue to the snapshots, in one chain.

use std::{
    cell::{Cell, RefCell},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::sync::mpsc;
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tracing::error;

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
        image::{Head, Image, Sealed, Sitting, sitting::Blocks},
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
    /// Number of the last publication before.
    pub seq: u64,
    /// The daemon's time.
    pub line: Line,
    /// Who looks on at frames.
    pub taps: Arc<Taps>,
    /// Who asks for what no snapshot has.
    pub desk: Arc<Desk>,
    /// What it goes on from, if there is anything.
    pub kept: Option<Kept>,
    /// When images of its state are taken, if they are kept anywhere.
    pub calls: Option<Calls>,
    /// Whether another pipeline goes on from its end.
    pub hands_over: Arc<AtomicBool>,
}

/// What a pipeline goes on from, and under which terms.
#[derive(Debug)]
pub enum Kept {
    /// An image.
    Image(Arc<Image>, Terms),
    /// What the pipeline before handed over.
    Handed(Handed, Terms),
}

/// The state of a pipeline at its end, for the next.
#[derive(Debug)]
pub struct Handed {
    head: Head,
    blocks: Blocks,
}

/// What is left of a pipeline that has ended.
#[derive(Debug)]
pub struct Ended {
    /// Who publishes.
    pub publisher: Publisher,
    /// Who calls for images.
    pub calls: Option<Calls>,
    /// The state, if it hands over.
    pub handed: Option<Handed>,
}

impl Kept {
    fn open(self) -> Option<(Arc<Image>, Terms)> {
        match self {
            Self::Image(image, terms) => Some((image, terms)),
            Self::Handed(Handed { head, blocks }, terms) => {
                let image = Image::open(Sealed::new(&head, blocks).to_bytes());
                let image = image.inspect_err(|damage| {
                    error!("What was handed over is no state, which is a defect: {damage}.");
                });
                Some((Arc::new(image.ok()?), terms))
            }
        }
    }
}

/// Runs until every source has dropped its end of the queue, and the last snapshot is out.
///
/// While no batch comes, ticks tell the time, so that a daemon without input goes on publishing.
/// A tick moves no window: how far a source's time has come is for the source to say, which
/// knows what it has handed over.
///
/// An image of all stages is taken now and then, and a last one at the end of the input, before
/// anything is flushed: what comes after a restart goes on from there. A pipeline that hands over
/// gives that to the next one, and publishes nothing of what it would have flushed.
///
/// With `shards` the channels are aggregated by these, and by the engine itself without.
pub async fn run(
    batches: mpsc::Receiver<Batch>,
    aim: Aim,
    shards: Option<Shards>,
    mut publisher: Publisher,
) -> Ended {
    let Aim { plan, publish_ns, epoch, seq, line, taps, desk, kept, calls, hands_over } = aim;
    let kept = kept.and_then(Kept::open);
    let calls = RefCell::new(calls);
    let due = |now_ns| calls.borrow_mut().as_mut().and_then(|calls| calls.due(now_ns));
    let (hand, handed) = std::sync::mpsc::sync_channel(1);
    let last = || {
        let now_ns = line.now_ns();
        let sitting = if hands_over.load(Relaxed) {
            let head = Head { epoch, at_ns: now_ns, ..Head::default() };
            let hand = hand.clone();
            Some(Sitting::new(move |blocks| {
                // Nobody waits if the daemon was cut off.
                let _ = hand.try_send(Handed { head, blocks });
            }))
        } else {
            calls.borrow_mut().as_mut().map(|calls| calls.last(now_ns))
        };
        Input { now_ns, batch: None, sitting }
    };
    let names = plan.sources.iter().map(|source| Arc::clone(&source.name)).collect();
    let mut onlooker = Onlooker::new(Arc::clone(&taps), names);
    let mut turn = publisher.turns();
    let is_over = Cell::new(false);
    let checked = ReceiverStream::new(batches)
        .timeout_repeating(ticks())
        .map(|item| {
            turn();
            let now_ns = line.now_ns();
            Input { now_ns, batch: item.ok(), sitting: due(now_ns) }
        })
        .chain(futures::stream::once(async {
            is_over.set(hands_over.load(Relaxed));
            last()
        }))
        .validate_from(&plan, kept)
        .normalize(&plan)
        .qc(&plan)
        .map(|checked| onlooker.tell(checked));
    let mut publish = |snapshot| {
        if !is_over.get() {
            publisher.publish(snapshot, line.now_ns());
        }
    };
    if let Some(shards) = shards {
        let editor = Editor::new(&plan, publish_ns, epoch).after(seq).at(desk.attend());
        shards.run(checked, editor, Binder::new(&plan), publish).await;
    } else {
        let rolling = Rolling::new(&plan, publish_ns, epoch).after(seq).at(desk.attend());
        let mut snapshots = pin!(checked.scan_with(rolling));
        while let Some(snapshot) = snapshots.next().await {
            publish(snapshot);
        }
    }
    taps.end();
    drop(hand);
    Ended { publisher, calls: calls.into_inner(), handed: handed.try_recv().ok() }
}

fn ticks() -> tokio::time::Interval {
    let period = Duration::from_nanos(TICK_NS.unsigned_abs());
    // The first comes at once: until something is published, nobody can be served.
    let mut ticks = tokio::time::interval_at(clock::deadline_in(0), period);
    // After a stall one tick tells as much as ten.
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    ticks
}
