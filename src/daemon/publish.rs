//! The end of the pipeline: the latest snapshot, and how long it took.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use hdrhistogram::Histogram;
use tokio::sync::{mpsc, watch};

use crate::engine::{Batch, Snapshot};

/// Puts snapshots where everyone sees them.
#[derive(Debug)]
pub struct Publisher {
    latest: watch::Sender<Arc<Snapshot>>,
    queue: mpsc::WeakSender<Batch>,
    vitals: Arc<Vitals>,
    /// Microseconds from the arrival of the oldest frame that is new in a snapshot to its
    /// publication.
    latency: Histogram<u64>,
}

/// Signs of life of the data path, written by the engine and read by anyone.
#[derive(Debug, Default)]
pub struct Vitals {
    /// Snapshots published.
    pub published: AtomicU64,
    /// Turns of the runtime that the sources live on.
    pub ingest_turns: AtomicU64,
    /// Batches in the queue at the last publication.
    pub queue_batches: AtomicU64,
    /// Most batches seen in the queue.
    pub queue_batches_high: AtomicU64,
    /// Batches that the queue holds at most.
    pub queue_batches_max: AtomicU64,
    /// Median time from arrival to publication, microseconds.
    pub publish_p50_us: AtomicU64,
    /// 99th percentile of the same.
    pub publish_p99_us: AtomicU64,
    /// Longest of the same.
    pub publish_max_us: AtomicU64,
}

/// Longest latency told apart, ten minutes; longer ones count as this.
const LATENCY_US_MAX: u64 = 600_000_000;

impl Publisher {
    /// A publisher and where its snapshots are seen.
    ///
    /// # Panics
    /// Never: the bounds of the histogram are constant and valid.
    #[must_use]
    pub fn new(
        queue: &mpsc::Sender<Batch>,
        vitals: Arc<Vitals>,
    ) -> (Self, watch::Receiver<Arc<Snapshot>>) {
        let (latest, seen) = watch::channel(Arc::default());
        vitals.queue_batches_max.store(queue.max_capacity() as u64, Relaxed);
        let latency = Histogram::new_with_bounds(1, LATENCY_US_MAX, 2).expect("valid bounds");
        (Self { latest, queue: queue.downgrade(), vitals, latency }, seen)
    }

    /// Replaces the latest snapshot.
    pub fn publish(&mut self, snapshot: Arc<Snapshot>, now_ns: i64) {
        if let Some(oldest_ns) = snapshot.oldest_arrival_ns {
            let us = u64::try_from((now_ns - oldest_ns) / 1_000).unwrap_or(0);
            self.latency.saturating_record(us.max(1));
        }
        let vitals = &self.vitals;
        vitals.publish_p50_us.store(self.latency.value_at_quantile(0.5), Relaxed);
        vitals.publish_p99_us.store(self.latency.value_at_quantile(0.99), Relaxed);
        vitals.publish_max_us.store(self.latency.max(), Relaxed);
        if let Some(queue) = self.queue.upgrade() {
            let waiting = (queue.max_capacity() - queue.capacity()) as u64;
            vitals.queue_batches.store(waiting, Relaxed);
            vitals.queue_batches_high.fetch_max(waiting, Relaxed);
        }
        vitals.published.fetch_add(1, Relaxed);
        self.latest.send_replace(snapshot);
    }
}
