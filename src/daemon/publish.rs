//! The end of the pipeline: the latest snapshot, and how long it took.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use tokio::sync::{mpsc, watch};

use super::meter::Meter;
use crate::{
    engine::{Batch, Snapshot},
    limits::LATENCY_MAX_NS,
};

/// Puts snapshots where everyone sees them.
#[derive(Debug)]
pub struct Publisher {
    latest: watch::Sender<Arc<Snapshot>>,
    queue: mpsc::WeakSender<Batch>,
    vitals: Arc<Vitals>,
}

/// Signs of life of the data path: written by it, read by the watchdog and by Status.
#[derive(Debug, Default)]
pub struct Vitals {
    /// Snapshots published.
    pub published: AtomicU64,
    /// Turns of the runtime that the sources live on.
    pub ingest_turns: AtomicU64,
    /// Batches and ticks that the engine has taken.
    pub engine_turns: AtomicU64,
    /// Batches in the queue at the last publication.
    pub queue_batches: AtomicU64,
    /// Most batches seen in the queue.
    pub queue_batches_high: AtomicU64,
    /// Batches that the queue holds at most.
    pub queue_batches_max: AtomicU64,
    /// From the arrival of the oldest frame that is new in a snapshot to its publication.
    pub arrival_to_visible: Arc<Meter>,
}

impl Publisher {
    /// A publisher, and where its snapshots are seen.
    #[must_use]
    pub fn new(
        queue: &mpsc::Sender<Batch>,
        vitals: Arc<Vitals>,
    ) -> (Self, watch::Receiver<Arc<Snapshot>>) {
        let (latest, seen) = watch::channel(Arc::default());
        vitals.queue_batches_max.store(queue.max_capacity() as u64, Relaxed);
        (Self { latest, queue: queue.downgrade(), vitals }, seen)
    }

    /// What the publisher counts, for the other end of the pipeline to count in.
    #[must_use]
    pub fn vitals(&self) -> Arc<Vitals> {
        Arc::clone(&self.vitals)
    }

    /// Replaces the latest snapshot.
    pub fn publish(&mut self, snapshot: Arc<Snapshot>, now_ns: i64) {
        let vitals = &self.vitals;
        if let Some(oldest_ns) = snapshot.oldest_arrival_ns {
            let waited_ns = now_ns.saturating_sub(oldest_ns);
            // The arrivals of a recording are of another time and say nothing of this daemon.
            if (0..LATENCY_MAX_NS).contains(&waited_ns) {
                vitals.arrival_to_visible.record_ns(waited_ns);
            }
        }
        if let Some(queue) = self.queue.upgrade() {
            let waiting = (queue.max_capacity() - queue.capacity()) as u64;
            vitals.queue_batches.store(waiting, Relaxed);
            vitals.queue_batches_high.fetch_max(waiting, Relaxed);
        }
        self.latest.send_replace(snapshot);
        vitals.published.fetch_add(1, Relaxed);
    }
}
