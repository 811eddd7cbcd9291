//! Exact windows: they slide with each reading, not by panes.
//!
//! A small window of a channel may be *exact*. It keeps its readings themselves, at most as many
//! as its capacity, and has a result for each event time t at which the channel noted something:
//! over what was accepted with `t - length < event time <= t`. The `end` of such a result is t,
//! the time of the newest reading it holds; where panes say `[end - length, end)`, an exact window
//! says `(end - length, end]`, which is the same of the instant one nanosecond later.
//!
//! - *Order.* Readings are taken in the order of event time, equal times in the order of arrival
//!   ([`reorder`]), once the watermark has passed them: before that an earlier one may still be
//!   accepted. Those of one event time are one event and have one result, if the window holds an
//!   accepted reading then; a note that there is no value is an event too.
//! - *Results.* A replay gives each of them, a snapshot shows the latest. It stands until the
//!   watermark has left the newest of its readings behind by the length; then the window is empty.
//! - *Overflow.* A window that is full gives up its oldest reading for a new one, and says in each
//!   result how many it lacks ([`queue`], [`lacking`]). Nothing else in the result tells of them.
//! - *Bounds.* At most twice the largest capacity of a channel's windows wait for the watermark.
//!   When as many do, the older half is taken without it, in order, with results that come early;
//!   what is earlier than those and accepted later has no place in the order any more, and counts
//!   as lacking while a reading that came into the window at that moment would stay.
//! - *Cost.* A reading costs three merges, amortized ([`queue`]), and the reordering, which is
//!   nothing for readings that come in order. Percentiles are order statistics of the readings
//!   held, not bins: each result that is given or shown selects among all of them, which takes
//!   work in proportion to how many there are, at most the capacity, for each percentile at worst.
//!
//! None of it exists for channels without exact windows.

pub mod reorder;
pub mod queue;
pub mod lacking;
mod channel;
mod given;
mod saved;

use std::sync::Arc;

use self::{
    channel::{Channel, To},
    given::Given,
    queue::Queue,
    reorder::{Noted, Reorder},
};
use super::{
    rules::Rules,
    snapshot::ChannelInfo,
    windows::{Found, Latest},
};

/// The exact windows of the channels of one lane.
#[derive(Debug, Default)]
pub struct Exact {
    channels: Vec<Channel>,
    /// By the channel's number within the lane, its position in `channels`; empty while there is
    /// none.
    numbers: Vec<u32>,
    /// Results that are not handed out yet.
    given: Given,
}

/// Position of a channel without exact windows.
const NOWHERE: u32 = u32::MAX;

impl Exact {
    /// Bytes that the exact windows of a channel with these rules come to at most.
    #[must_use]
    pub fn bytes_per_channel(rules: &Rules) -> usize {
        if rules.exact.is_empty() {
            return 0;
        }
        let queues = rules.exact.iter().map(Queue::bytes_at_most).sum::<usize>();
        size_of::<Channel>() + queues + Reorder::bytes_at_most(most_waiting(rules))
    }

    /// Adds the channel with number `member` within the lane, which has exact windows; `place` is
    /// its number among the channels of all lanes here.
    pub fn add(&mut self, member: u32, place: u32, info: Arc<ChannelInfo>) {
        let member = member as usize;
        if self.numbers.len() <= member {
            self.numbers.resize(member + 1, NOWHERE);
        }
        self.numbers[member] = u32::try_from(self.channels.len()).expect("CHANNELS_MAX holds");
        self.channels.push(Channel::new(place, info));
    }

    /// Notes a reading of the channel with this number within the lane; results that come early
    /// go to `through`, if all are wanted.
    pub fn push(&mut self, member: u32, noted: Noted, through: Option<&mut dyn FnMut(Found<'_>)>) {
        let Self { channels, numbers, given } = self;
        let number = numbers[member as usize];
        let channel = &mut channels[number as usize];
        if !channel.note(noted) {
            return;
        }
        channel.take_older_half(To { number, given: through.is_some().then_some(&mut *given) });
        if let Some(emit) = through {
            given.hand_out(channels, i64::MAX, emit);
        }
    }

    /// Takes what lies below the watermark; with `through`, results are kept for
    /// [`Self::hand_out_below`].
    pub fn advance(&mut self, watermark_ns: i64, through: bool) {
        let Self { channels, given, .. } = self;
        for (number, channel) in (0..).zip(channels) {
            channel.take_below(watermark_ns, To { number, given: through.then_some(&mut *given) });
        }
        if through {
            given.sort();
        }
    }

    /// Hands out the results that were kept and end before `end_ns`, in the order of time, channel
    /// and window.
    pub fn hand_out_below(&mut self, end_ns: i64, emit: &mut impl FnMut(Found<'_>)) {
        if !self.given.is_empty() {
            self.given.hand_out(&self.channels, end_ns, emit);
        }
    }

    /// The latest result of each window whose last answer no longer holds at this watermark.
    pub fn refresh(&mut self, watermark_ns: i64, shown: &mut impl FnMut(Latest<'_>)) {
        for channel in &mut self.channels {
            channel.refresh(watermark_ns, &mut self.given, shown);
        }
    }
}

/// Readings of a channel with these rules that wait for the watermark at most.
fn most_waiting(rules: &Rules) -> usize {
    2 * rules.exact.iter().map(|exact| exact.capacity).max().unwrap_or_default()
}
