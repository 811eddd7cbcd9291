//! Which shard has a channel, and what a shard is given of a batch.
//!
//! Chunk k of [`CHANNELS_PER_CHUNK`] channels belongs to shard k modulo the number of shards.
//! Chunks, not single channels: what is neighbouring stays so, and every shard numbers its own
//! channels densely.

use std::{mem, sync::Arc};

use super::{
    aggregate::{Event, in_order},
    image::Kept,
    recycle::{Home, Spares},
    registry::Added,
    snapshot::ChannelInfo,
    validate::{Advance, Checked, Reading},
};
use crate::limits::{CHANNELS_PER_CHUNK, SHARD_QUEUE};

/// The shard that has a channel, and the channel's number there.
#[must_use]
pub fn seat(channel: usize, shards: usize) -> (usize, usize) {
    let (chunk, at) = (channel / CHANNELS_PER_CHUNK, channel % CHANNELS_PER_CHUNK);
    (chunk % shards, chunk / shards * CHANNELS_PER_CHUNK + at)
}

/// What a shard is given of a batch.
#[derive(Debug, Default)]
pub struct Portion {
    /// When the frames arrived, near enough.
    pub arrived_ns: i64,
    /// Channels that are new from here on, which take the shard's next numbers.
    pub added: Vec<Newcomer>,
    /// Readings of the shard's channels, by their numbers there.
    pub readings: Vec<Reading>,
    /// Where among these readings watermarks move; lanes are those of everybody.
    pub advances: Vec<Advance>,
    home: Home<Lists>,
}

/// A channel that is new to an aggregator.
#[derive(Debug)]
pub struct Newcomer {
    /// What never changes about it.
    pub info: Arc<ChannelInfo>,
    /// What it goes on from, if there is anything.
    pub kept: Option<Kept>,
}

impl From<Added> for Newcomer {
    fn from(Added { info, kept, .. }: Added) -> Self {
        Self { info, kept }
    }
}

/// The lists of a [`Portion`], to be filled again.
#[derive(Debug, Default)]
struct Lists {
    readings: Vec<Reading>,
    advances: Vec<Advance>,
}

impl Drop for Portion {
    fn drop(&mut self) {
        let mut lists = Lists {
            readings: mem::take(&mut self.readings),
            advances: mem::take(&mut self.advances),
        };
        lists.readings.clear();
        lists.advances.clear();
        self.home.give_back(lists);
    }
}

/// Divides batches among shards.
#[derive(Debug)]
pub struct Split {
    shards: Vec<Shard>,
    /// By chunk of channels: every reading asks for it.
    seats: Vec<Seat>,
}

#[derive(Debug)]
struct Shard {
    /// What was divided and not taken.
    open: Portion,
    spares: Spares<Lists>,
}

/// Where the channels of a chunk are.
#[derive(Clone, Copy, Debug)]
struct Seat {
    shard: u32,
    /// Number of the chunk's first channel there.
    first: u32,
}

impl Split {
    /// Divides among so many shards.
    #[must_use]
    pub fn new(shards: usize) -> Self {
        let shard = || {
            // As many as can be under way, with the one that is filled and the one in hand.
            let spares = Spares::new(SHARD_QUEUE + 2);
            Shard { open: Portion::new(&spares), spares }
        };
        Self { shards: (0..shards).map(|_| shard()).collect(), seats: Vec::new() }
    }

    /// Divides what is new since the shards last took their portions, whose frames arrived about
    /// `arrived_ns`.
    pub fn divide(&mut self, arrived_ns: i64, checked: &mut Checked) {
        for added in checked.added.drain(..) {
            self.seat(added.into());
        }
        let Self { shards, seats } = self;
        for Shard { open, .. } in &mut *shards {
            open.arrived_ns = arrived_ns;
        }
        in_order(&checked.readings, &checked.advances, |event| match event {
            Event::Reading(reading) => {
                let at = reading.channel as usize;
                let Seat { shard, first } = seats[at / CHANNELS_PER_CHUNK];
                let channel = first + (at % CHANNELS_PER_CHUNK) as u32;
                shards[shard as usize].open.readings.push(Reading { channel, ..*reading });
            }
            Event::Advance(advance) => {
                for Shard { open, .. } in &mut *shards {
                    let after = open.readings.len();
                    open.advances.push(Advance { after, ..*advance });
                }
            }
        });
    }

    /// What there is for a shard; `None` if it is nothing.
    pub fn take(&mut self, shard: usize) -> Option<Portion> {
        let Shard { open, spares } = &mut self.shards[shard];
        let Portion { added, readings, advances, .. } = &*open;
        let nothing = added.is_empty() && readings.is_empty() && advances.is_empty();
        (!nothing).then(|| mem::replace(open, Portion::new(spares)))
    }

    fn seat(&mut self, newcomer: Newcomer) {
        let info = &newcomer.info;
        let (shard, place) = seat(info.index as usize, self.shards.len());
        if (info.index as usize).is_multiple_of(CHANNELS_PER_CHUNK) {
            self.seats.push(Seat { shard: shard as u32, first: place as u32 });
        }
        self.shards[shard].open.added.push(newcomer);
    }
}

impl Portion {
    fn new(spares: &Spares<Lists>) -> Self {
        let Lists { readings, advances } = spares.take().unwrap_or_default();
        let home = spares.home();
        Self { arrived_ns: 0, added: Vec::new(), readings, advances, home }
    }
}
