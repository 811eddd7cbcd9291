//! Statistics beyond those of the panes, for channels that ask for them.
//!
//! Averages over time, directions, counters and states need readings in the order of time, and
//! what came before each. So the readings of such a channel wait until the watermark has passed
//! them, and are then taken one by one. What is kept of an interval is a type of its
//! own for each concern, which merges associatively ([`series::Merge`]) and lies in panes and
//! windows like those of values ([`series`]); what runs over all time stands beside.
//!
//! - *Determinism.* A result follows from the readings accepted before it fell due, in whatever
//!   batches they came and whenever it is worked out: of a reading after the end of a window it is
//!   known whether it was accepted before the watermark came to that end.
//! - *Bounds.* As many readings wait as are expected while the watermark lags, twice over, or a
//!   fixed number. If more come, the older half is taken early; what is earlier than those and
//!   comes later has no place in the order any more, and summaries count it as `unordered`.
//! - *Cost.* A few merges for each reading. None of it exists for other channels.
//!
//! Formulas and what happens at the edges: `docs/definitions.md`.

pub mod hold;
pub mod series;
pub mod weighted;
pub mod trust;
pub mod circular;
pub mod counter;
pub mod state;
pub mod ewma;
pub mod allan;
pub mod peak;
pub mod gust;
pub mod plan;
pub mod detail;
pub mod waiting;
mod channel;
mod saved;

use std::sync::Arc;

use self::{channel::Channel, hold::Point, waiting::Waits};
use super::{rules::Rules, snapshot::ChannelInfo, validate::Reading};

pub use self::{
    detail::Detail,
    plan::{Kind, Statistics},
};

/// What is kept of all channels that ask for it.
#[derive(Debug, Default)]
pub struct Details {
    channels: Vec<Channel>,
}

impl Details {
    /// Bytes that a channel with these rules comes to at most.
    #[must_use]
    pub fn bytes_per_channel(rules: &Rules) -> usize {
        if rules.statistics.is_kept() { Channel::bytes_at_most(rules) } else { 0 }
    }

    /// Adds a channel, and gives its number here; `None` if it asks for nothing.
    pub fn add(&mut self, info: &Arc<ChannelInfo>) -> Option<u32> {
        info.rules.statistics.is_kept().then(|| {
            self.channels.push(Channel::new(Arc::clone(info)));
            u32::try_from(self.channels.len() - 1).expect("CHANNELS_MAX holds")
        })
    }

    /// Takes a reading, or a note that there was no value, that is not below the watermark.
    pub fn push(&mut self, number: u32, reading: &Reading, watermark_ns: i64) {
        let Reading { at_ns, value, flag, tests, .. } = *reading;
        let value = if flag.counts() { value } else { f64::NAN };
        let (point, seen_ns, speed) = (Point { at_ns, value }, watermark_ns, f64::NAN);
        self.channels[number as usize].push(Waits { point, tests, seen_ns, speed });
    }

    /// Takes the value of another channel that goes with the next reading.
    pub fn accompany(&mut self, number: u32, value: f64) {
        self.channels[number as usize].accompany(value);
    }

    /// The channel's panes that end at or before `end_ns` are closed, and all results were worked
    /// out that are to know no more.
    pub fn close(&mut self, number: u32, end_ns: i64) {
        self.channels[number as usize].close(end_ns);
    }

    /// What a window says besides that ends at `at_ns`, a multiple of its step which no watermark
    /// is below and which is not before the last one asked for; as many details as the channel
    /// has are added.
    pub fn result(&mut self, number: u32, window: usize, at_ns: i64, details: &mut Vec<Detail>) {
        self.channels[number as usize].result(window, at_ns, details);
    }
}

#[cfg(test)]
mod tests;
