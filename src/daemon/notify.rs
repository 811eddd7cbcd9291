//! What systemd is told.
//!
//! Without a service manager, that is without NOTIFY_SOCKET, all of this does nothing.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use sd_notify::NotifyState;
use tracing::warn;

use super::publish::Vitals;

/// The inputs were attempted and the socket serves.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The daemon is ending.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping: the sources drain")]);
}

/// Pings the watchdog, if there is one, as long as the data path gets on: the sources' runtime
/// takes turns and the engine publishes. A hung part stops the pings, whatever else still runs.
///
/// Never returns.
pub async fn watchdog(vitals: Arc<Vitals>) {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return std::future::pending().await;
    };
    // Three looks in a limit: one may find that nothing has moved since the one before.
    let period = (limit / 3).max(Duration::from_millis(1));
    let mut looks = tokio::time::interval(period);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut before = progress(&vitals);
    loop {
        looks.tick().await;
        let now = progress(&vitals);
        if before.0 < now.0 && before.1 < now.1 {
            tell(&[NotifyState::Watchdog]);
            before = now;
        }
    }
}

fn progress(vitals: &Vitals) -> (u64, u64) {
    (vitals.ingest_turns.load(Relaxed), vitals.published.load(Relaxed))
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "the service manager cannot be told: is NOTIFY_SOCKET right?");
    }
}
