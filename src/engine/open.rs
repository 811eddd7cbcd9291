//! Panes that still take readings, for all channels of one lane.
//!
//! A lane's open panes lie in a flat arena of a few slots per channel, a slot being the same
//! pane for all channels. A pane that finds its slot taken, which needs a frame that spans more
//! time than the lane's lateness, waits in a map: everything accepted has a place.

use std::collections::BTreeMap;

use super::{
    partial::{OpenPartial, Partial},
    summary::Flag,
};
use crate::limits::OPEN_SLOTS_MAX;

/// The open panes of a lane. Channels are numbered densely within the lane.
#[derive(Clone, Debug)]
pub struct OpenPanes {
    pane_ns: i64,
    slots: usize,
    /// Channel-major: `slots` panes for each channel.
    arena: Vec<OpenPartial>,
    /// Which pane each slot is, and which channels it holds, one bit each.
    held: Vec<Held>,
    /// Panes that found their slot taken, by pane and channel.
    spilled: BTreeMap<(i64, u32), OpenPartial>,
}

#[derive(Clone, Debug)]
struct Held {
    pane: Option<i64>,
    channels: Vec<u64>,
}

/// A pane that takes no more readings.
#[derive(Debug)]
pub struct ClosedPane {
    /// Its channel, numbered within the lane.
    pub channel: u32,
    /// Its number: its start divided by the length of a pane.
    pub pane: i64,
    /// Its start.
    pub start_ns: i64,
    /// What it holds.
    pub partial: Partial,
}

impl OpenPanes {
    /// A lane with panes of `pane_ns` and room for readings that are `lateness_ns` late.
    #[must_use]
    pub fn new(pane_ns: i64, lateness_ns: i64) -> Self {
        let slots = open_slots(pane_ns, lateness_ns);
        let held = vec![Held { pane: None, channels: Vec::new() }; slots];
        Self { pane_ns, slots, arena: Vec::new(), held, spilled: BTreeMap::new() }
    }

    /// Bytes that each channel of such a lane holds all the time.
    #[must_use]
    pub fn bytes_per_channel(pane_ns: i64, lateness_ns: i64) -> usize {
        open_slots(pane_ns, lateness_ns) * size_of::<OpenPartial>()
    }

    /// Adds a channel and returns its number.
    pub fn add_channel(&mut self) -> u32 {
        let channel = self.arena.len() / self.slots;
        self.arena.resize(self.arena.len() + self.slots, OpenPartial::EMPTY);
        for held in &mut self.held {
            held.channels.resize(channel / 64 + 1, 0);
        }
        u32::try_from(channel).expect("CHANNELS_MAX holds")
    }

    /// Takes a reading, and gives the number of its pane.
    pub fn push(&mut self, channel: u32, at_ns: i64, value: f64, flag: Flag) -> i64 {
        let pane = at_ns.div_euclid(self.pane_ns);
        self.pane_mut(channel, pane).push(at_ns, value, flag);
        pane
    }

    /// Counts a value of an open pane that is beyond the percentile bins.
    pub fn note_out_of_range(&mut self, channel: u32, pane: i64) {
        self.pane_mut(channel, pane).note_out_of_range();
    }

    /// End of the earliest pane that holds something.
    #[must_use]
    pub fn earliest_end_ns(&self) -> Option<i64> {
        let slot = self.held.iter().filter_map(|held| held.pane);
        let spilled = self.spilled.keys().next().map(|(pane, _)| *pane);
        slot.chain(spilled).min().map(|pane| (pane + 1) * self.pane_ns)
    }

    /// End of the latest pane that holds something.
    #[must_use]
    pub fn latest_end_ns(&self) -> Option<i64> {
        let slot = self.held.iter().filter_map(|held| held.pane);
        let spilled = self.spilled.keys().next_back().map(|(pane, _)| *pane);
        slot.chain(spilled).max().map(|pane| (pane + 1) * self.pane_ns)
    }

    /// Closes the pane that ends at `end_ns`, in the order of channels.
    pub fn close(&mut self, end_ns: i64, mut closed: impl FnMut(ClosedPane)) {
        let pane = end_ns / self.pane_ns - 1;
        let slot = self.slot(pane);
        if self.held[slot].pane == Some(pane) {
            self.held[slot].pane = None;
            for word in 0..self.held[slot].channels.len() {
                let mut bits = std::mem::take(&mut self.held[slot].channels[word]);
                while bits != 0 {
                    let channel = word * 64 + bits.trailing_zeros() as usize;
                    bits &= bits - 1;
                    let open = &mut self.arena[channel * self.slots + slot];
                    closed(close(open, channel as u32, pane, self.pane_ns));
                }
            }
        }
        while let Some(entry) = self.spilled.first_entry()
            && entry.key().0 == pane
        {
            let channel = entry.key().1;
            closed(close(&mut entry.remove(), channel, pane, self.pane_ns));
        }
    }

    fn pane_mut(&mut self, channel: u32, pane: i64) -> &mut OpenPartial {
        // A pane that began in the map stays there, though its slot may be free by now.
        if !self.spilled.is_empty() && self.spilled.contains_key(&(pane, channel)) {
            return self.spilled.entry((pane, channel)).or_insert(OpenPartial::EMPTY);
        }
        let slot = self.slot(pane);
        let held = &mut self.held[slot];
        if *held.pane.get_or_insert(pane) == pane {
            held.channels[channel as usize / 64] |= 1 << (channel % 64);
            return &mut self.arena[channel as usize * self.slots + slot];
        }
        self.spilled.entry((pane, channel)).or_insert(OpenPartial::EMPTY)
    }

    fn slot(&self, pane: i64) -> usize {
        pane.rem_euclid(self.slots as i64) as usize
    }
}

/// Panes of a channel that are open at a time, rounded up to a power of two; at most
/// [`OPEN_SLOTS_MAX`].
#[must_use]
pub fn open_slots(pane_ns: i64, lateness_ns: i64) -> usize {
    let panes = usize::try_from(lateness_ns / pane_ns + 2).unwrap_or(usize::MAX);
    panes.min(OPEN_SLOTS_MAX).next_power_of_two()
}

fn close(open: &mut OpenPartial, channel: u32, pane: i64, pane_ns: i64) -> ClosedPane {
    let partial = open.close();
    *open = OpenPartial::EMPTY;
    ClosedPane { channel, pane, start_ns: pane * pane_ns, partial }
}
