//! What systemd is told.
//!
//! Without a service manager, that is without NOTIFY_SOCKET, all of this does nothing.

use std::{
    io,
    os::fd::BorrowedFd,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use sd_notify::NotifyState;
use tracing::warn;

use super::publish::{ShardVitals, Vitals};

/// The inputs were attempted and the socket serves.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The configuration is being read anew; followed by [`ready`].
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => warn!(%error, "The service manager cannot be told of the reload."),
    }
}

/// The daemon is ending.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping: the sources drain")]);
}

/// Whether there is a service manager that is told.
#[must_use]
pub fn is_heard() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// Lets the service manager keep a descriptor under this name, and give it to the next start.
///
/// # Errors
/// If it cannot be told.
pub fn keep(name: &str, fd: BorrowedFd<'_>) -> io::Result<()> {
    // Memory has no readiness for a service manager to wait for.
    let states = [NotifyState::FdStore, NotifyState::FdName(name), NotifyState::Custom("FDPOLL=0")];
    sd_notify::notify_with_fds(&states, &[fd])
}

/// Lets the service manager close the descriptors that it keeps under this name.
///
/// # Errors
/// If it cannot be told.
pub fn forget(name: &str) -> io::Result<()> {
    sd_notify::notify(&[NotifyState::FdStoreRemove, NotifyState::FdName(name)])
}

/// Pings the watchdog, if there is one, as long as the data path gets on: the sources' runtime
/// takes turns, the engine takes batches or ticks, no shard leaves lying what it was handed, and
/// snapshots come out each `publish_ns`. A hung part stops the pings, whatever else still runs.
///
/// Never returns.
pub async fn watchdog(vitals: Arc<Vitals>, publish_ns: i64) {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return std::future::pending().await;
    };
    // Three looks in a limit: one may find that nothing has moved since the one before.
    let period = (limit / 3).max(Duration::from_millis(1));
    let mut looks = tokio::time::interval(period);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut progress = Progress::new(period, publish_ns);
    loop {
        looks.tick().await;
        if progress.earns(&Counts::read(&vitals)) {
            tell(&[NotifyState::Watchdog]);
        }
    }
}

/// How far each part of the data path has come.
#[derive(Clone, Debug, Default)]
struct Counts {
    ingest: u64,
    engine: u64,
    shards: Vec<ShardCounts>,
    published: u64,
}

/// How far a shard has come.
#[derive(Clone, Copy, Debug, Default)]
struct ShardCounts {
    taken: u64,
    waiting: u64,
}

impl Counts {
    fn read(vitals: &Vitals) -> Self {
        let shard = |shard: &ShardVitals| ShardCounts {
            taken: shard.taken.load(Relaxed),
            waiting: shard.waiting(),
        };
        Self {
            ingest: vitals.ingest_turns.load(Relaxed),
            engine: vitals.engine_turns.load(Relaxed),
            shards: vitals.shards.iter().map(shard).collect(),
            published: vitals.published.load(Relaxed),
        }
    }
}

/// Whether a ping is earned.
#[derive(Debug)]
struct Progress {
    /// At the last look that earned a ping; `published` at the last that found a new snapshot.
    before: Counts,
    /// Looks since then without a new snapshot.
    still: u64,
    /// Looks that may pass without one: snapshots may be due less often than pings.
    still_max: u64,
}

impl Progress {
    fn new(period: Duration, publish_ns: i64) -> Self {
        let looks = u128::from(publish_ns.unsigned_abs()).div_ceil(period.as_nanos().max(1));
        let still_max = u64::try_from(looks).unwrap_or(u64::MAX);
        Self { before: Counts::default(), still: 0, still_max }
    }

    fn earns(&mut self, now: &Counts) -> bool {
        if self.before.published < now.published {
            self.before.published = now.published;
            self.still = 0;
        } else {
            self.still = self.still.saturating_add(1);
        }
        let Counts { ingest, engine, shards, .. } = &self.before;
        // A shard to which nothing is handed need not move.
        let stuck = shards
            .iter()
            .zip(&now.shards)
            .any(|(before, now)| 0 < now.waiting && now.taken == before.taken);
        let moved = *ingest < now.ingest && *engine < now.engine && !stuck;
        let earned = moved && self.still <= self.still_max;
        if earned {
            self.before = Counts { published: self.before.published, ..now.clone() };
        }
        earned
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "The service manager cannot be told: is NOTIFY_SOCKET right?");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Duration = Duration::from_secs(5);
    const SECOND: i64 = crate::limits::SECOND;

    fn counts(ingest: u64, engine: u64, published: u64) -> Counts {
        Counts { ingest, engine, published, shards: Vec::new() }
    }

    #[test]
    fn a_ping_needs_progress_of_every_part() {
        for stuck in ["nothing", "ingest", "engine", "publisher"] {
            let mut progress = Progress::new(LOOK, SECOND);
            assert!(!progress.earns(&counts(0, 0, 0)), "nothing has run yet");
            assert!(progress.earns(&counts(1, 1, 1)));
            let at = |part: &str, n: u64| if part == stuck { 1 } else { n };
            let pings: Vec<bool> = (2..6)
                .map(|n| {
                    let now = counts(at("ingest", n), at("engine", n), at("publisher", n));
                    progress.earns(&now)
                })
                .collect();
            let expected = match stuck {
                "nothing" => [true; 4],
                // One look may fall between two publications.
                "publisher" => [true, false, false, false],
                _ => [false; 4],
            };
            assert_eq!(pings, expected, "{stuck} stuck");
        }
    }

    #[test]
    fn a_shard_that_leaves_lying_what_it_was_handed_stops_the_pings() {
        let mut progress = Progress::new(LOOK, SECOND);
        let at = |n: u64, shards: [(u64, u64); 2]| Counts {
            shards: shards.map(|(taken, waiting)| ShardCounts { taken, waiting }).into(),
            ..counts(n, n, n)
        };
        assert!(progress.earns(&at(1, [(0, 0), (0, 0)])));
        assert!(progress.earns(&at(2, [(5, 3), (0, 0)])), "nothing waits for the second");
        assert!(progress.earns(&at(3, [(9, 3), (1, 2)])));
        assert!(!progress.earns(&at(4, [(12, 3), (1, 4)])), "the second is stuck");
        assert!(progress.earns(&at(5, [(15, 0), (2, 4)])), "and gets on");
    }

    #[test]
    fn a_part_that_gets_on_again_is_forgiven() {
        let mut progress = Progress::new(LOOK, SECOND);
        assert!(progress.earns(&counts(1, 1, 1)));
        assert!(!progress.earns(&counts(9, 1, 1)), "the engine stalls");
        assert!(progress.earns(&counts(10, 2, 2)));
    }

    #[test]
    fn snapshots_may_be_due_less_often_than_pings() {
        let mut progress = Progress::new(LOOK, 60 * SECOND);
        assert!(progress.earns(&counts(1, 1, 1)));
        let pings = (2..20).map(|n| progress.earns(&counts(n, n, 1)));
        assert_eq!(pings.filter(|earned| *earned).count(), 12, "one minute and no more");
        assert!(progress.earns(&counts(20, 20, 2)));
    }
}
