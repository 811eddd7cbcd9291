//! What the log is told of a source.

use std::mem;

use crate::{daemon::rate::LogLimit, engine::Link};

/// What the log has been told.
#[derive(Debug, Default)]
pub(super) struct Journal {
    pub(super) last: Option<Link>,
    pub(super) down: LogLimit,
    /// Whether the log's last word on the link is that something is wrong with it.
    pub(super) said_down: bool,
    pub(super) queue_full: LogLimit,
    pub(super) unlogged_readings: u64,
}

impl Journal {
    /// A link that goes up and down without end costs a pair of lines in a period.
    pub(super) fn write(&mut self, source: &str, link: &Link, now_ns: i64) {
        let first = self.last.is_none();
        match link {
            Link::Starting => {}
            Link::Up(detail) if first || self.said_down => {
                self.said_down = false;
                tracing::info!(source, "The source is up: {detail}.");
            }
            Link::Up(_) => {}
            Link::Down(reason) | Link::Silent(reason) | Link::Garbled(reason) => {
                if let Some(suppressed) = self.down.allow(now_ns) {
                    self.said_down = true;
                    let state = link.name();
                    tracing::warn!(source, suppressed, "The source is {state}: {reason}.");
                }
            }
            Link::Ended(None) => tracing::info!(source, "The source has come to its end."),
            Link::Ended(Some(reason)) => tracing::warn!(source, "The source has ended: {reason}."),
        }
    }

    /// Readings were dropped: told now and then, with how many since the last time.
    pub(super) fn shed(&mut self, source: &str, readings: u64, now_ns: i64) {
        self.unlogged_readings += readings;
        if let Some(suppressed) = self.queue_full.allow(now_ns) {
            tracing::warn!(
                source,
                batches = suppressed + 1,
                readings = mem::take(&mut self.unlogged_readings),
                "The queue to the engine is full: readings are counted as queue_full and dropped."
            );
        }
    }
}
