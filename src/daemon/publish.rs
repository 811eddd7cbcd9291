//! The end of the pipeline: the latest snapshot, and how long it took.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use tokio::sync::{mpsc, watch};

use super::meter::Meter;
use crate::engine::{Batch, Snapshot};

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
    /// The queue between the sources and the engine.
    pub queue: Depth,
    /// The shards; none where the engine itself aggregates.
    pub shards: Box<[ShardVitals]>,
    /// From the arrival of the oldest frame that is new in a snapshot to its publication.
    pub arrival_to_visible: Meter,
    /// From the arrival that let a window fall due to the publication of its result.
    pub due_to_visible: Meter,
    /// From the instant of a snapshot to the moment at which a subscriber's message is written.
    pub watch: Meter,
    /// From a request read to its reply written.
    pub query: Meter,
}

/// Signs of life of a shard.
#[derive(Debug, Default)]
pub struct ShardVitals {
    /// Portions and publications that the engine has handed to it.
    pub handed: AtomicU64,
    /// Those that it has taken.
    pub taken: AtomicU64,
    /// Its queue.
    pub queue: Depth,
}

/// How full a queue is: in batches, or in what it is of.
#[derive(Debug, Default)]
pub struct Depth {
    /// Waiting when last one was taken.
    pub now: AtomicU64,
    /// Most that were waiting at once.
    pub high_water: AtomicU64,
    /// Held at most.
    pub max: AtomicU64,
}

impl Vitals {
    /// Those of a daemon with so many shards, of which one is none: the engine itself aggregates.
    #[must_use]
    pub fn new(shards: usize) -> Self {
        let apart = if shards < 2 { 0 } else { shards };
        let shards = (0..apart).map(|_| ShardVitals::default()).collect();
        Self { shards, ..Self::default() }
    }
}

impl ShardVitals {
    /// The engine has handed it something.
    pub fn handed(&self) {
        self.handed.fetch_add(1, Relaxed);
        self.queue.note(self.waiting());
    }

    /// It takes something.
    pub fn took(&self) {
        self.taken.fetch_add(1, Relaxed);
        self.queue.note(self.waiting());
    }

    /// What it was handed and has not taken.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        // It may have taken what the engine is just about to count.
        self.handed.load(Relaxed).saturating_sub(self.taken.load(Relaxed))
    }
}

impl Depth {
    /// Notes how many are waiting.
    pub fn note(&self, waiting: u64) {
        self.now.store(waiting, Relaxed);
        // Nearly always it is no record, and a look is cheaper than a write.
        if self.high_water.load(Relaxed) < waiting {
            self.high_water.fetch_max(waiting, Relaxed);
        }
    }
}

impl Publisher {
    /// A publisher, and where its snapshots are seen.
    #[must_use]
    pub fn new(
        queue: &mpsc::Sender<Batch>,
        vitals: Arc<Vitals>,
    ) -> (Self, watch::Receiver<Arc<Snapshot>>) {
        let (latest, seen) = watch::channel(Arc::default());
        vitals.queue.max.store(queue.max_capacity() as u64, Relaxed);
        (Self { latest, queue: queue.downgrade(), vitals }, seen)
    }

    /// Watches another queue from now on, that of the next pipeline.
    #[must_use]
    pub fn of_queue(mut self, queue: mpsc::WeakSender<Batch>) -> Self {
        if let Some(queue) = queue.upgrade() {
            self.vitals.queue.max.store(queue.max_capacity() as u64, Relaxed);
        }
        self.queue = queue;
        self
    }

    /// What to call when the engine takes a batch: notes that it lives, and how many wait behind.
    pub fn turns(&self) -> impl FnMut() + 'static {
        let (queue, vitals) = (self.queue.clone(), Arc::clone(&self.vitals));
        move || {
            vitals.engine_turns.fetch_add(1, Relaxed);
            // Held for this moment only: the queue ends when the sources drop it.
            if let Some(queue) = queue.upgrade() {
                vitals.queue.note((queue.max_capacity() - queue.capacity()) as u64);
            }
        }
    }

    /// Replaces the latest snapshot.
    pub fn publish(&mut self, snapshot: Arc<Snapshot>, now_ns: i64) {
        let vitals = &self.vitals;
        vitals.arrival_to_visible.record_since(snapshot.oldest_arrival_ns, now_ns);
        vitals.due_to_visible.record_since(snapshot.oldest_due_ns, now_ns);
        self.latest.send_replace(snapshot);
        vitals.published.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{MS, SECOND};

    #[tokio::test]
    async fn what_waits_is_counted_and_the_most_is_kept() {
        let (queue, mut batches) = mpsc::channel(8);
        let vitals = Arc::new(Vitals::default());
        let (publisher, _seen) = Publisher::new(&queue, Arc::clone(&vitals));
        let mut turn = publisher.turns();
        for _ in 0..5 {
            queue.send(Batch::default()).await.expect("room");
        }
        for left in (0..5).rev() {
            batches.recv().await.expect("a batch");
            turn();
            assert_eq!(vitals.queue.now.load(Relaxed), left);
        }
        let Vitals { engine_turns, queue: Depth { high_water, max, .. }, .. } = &*vitals;
        let seen = [engine_turns, high_water, max].map(|counter| counter.load(Relaxed));
        assert_eq!(seen, [5, 4, 8]);
        drop(queue);
        turn();
        assert!(batches.recv().await.is_none(), "a gauge keeps no queue open");
    }

    #[test]
    fn a_snapshot_without_news_is_no_latency_and_neither_is_a_recording() {
        let (queue, _batches) = mpsc::channel(1);
        let vitals = Arc::new(Vitals::default());
        let (mut publisher, _seen) = Publisher::new(&queue, Arc::clone(&vitals));
        let now_ns = 1_000_000 * SECOND;
        for (arrived_ns, due_ns) in [
            (None, None),
            (Some(now_ns - 5 * MS), None),
            (Some(now_ns - 7 * MS), Some(now_ns - 3 * MS)),
            (Some(SECOND), Some(SECOND)),
        ] {
            let snapshot = Snapshot {
                oldest_arrival_ns: arrived_ns,
                oldest_due_ns: due_ns,
                ..Snapshot::default()
            };
            publisher.publish(Arc::new(snapshot), now_ns);
        }
        let (arrival, due) = (vitals.arrival_to_visible.read(), vitals.due_to_visible.read());
        assert_eq!((arrival.count, due.count), (2, 1));
        assert!((2_900..3_100).contains(&due.p50_us), "{due:?}");
        assert!((6_900..7_100).contains(&arrival.max_us), "{arrival:?}");
    }
}
