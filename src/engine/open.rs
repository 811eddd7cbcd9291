//! Panes that still take readings, for all channels of one lane.
//!
//! A lane's open panes lie in a flat arena of a few slots per channel, a slot being the same
//! pane for all channels. A pane that finds its slot taken, which needs a frame that spans more
//! time than the lane's lateness, waits in a map: everything accepted has a place.

use std::collections::BTreeMap;

use super::{
    bins::{Bin, BinCounts, BinScale},
    partial::{OpenPartial, Partial},
    summary::Flag,
};
use crate::limits::{OPEN_BINS_COMPACT, OPEN_SLOTS_MAX};

/// The open panes of a lane. Channels are numbered densely within the lane.
#[derive(Clone, Debug)]
pub struct OpenPanes {
    pane_ns: i64,
    slots: usize,
    /// Channel-major: `slots` panes for each channel.
    arena: Vec<OpenPane>,
    /// Which pane each slot is, and which channels it holds, one bit each.
    held: Vec<Held>,
    /// Panes that found their slot taken, by pane and channel.
    spilled: BTreeMap<(i64, u32), OpenPane>,
}

#[derive(Clone, Debug)]
struct Held {
    pane: Option<i64>,
    channels: Vec<u64>,
}

#[derive(Clone, Debug)]
struct OpenPane {
    partial: OpenPartial,
    bins: OpenBins,
}

/// A pane that takes no more readings.
#[derive(Debug)]
pub struct ClosedPane {
    /// Its channel, numbered within the lane.
    pub channel: u32,
    /// Its start.
    pub start_ns: i64,
    /// What it holds.
    pub partial: Partial,
    /// Its percentile bins; empty if the channel has no percentiles.
    pub bins: BinCounts,
}

impl OpenPanes {
    /// A lane with panes of `pane_ns` and room for readings that are `lateness_ns` late.
    #[must_use]
    pub fn new(pane_ns: i64, lateness_ns: i64) -> Self {
        let slots = slots(pane_ns, lateness_ns);
        let held = vec![Held { pane: None, channels: Vec::new() }; slots];
        Self { pane_ns, slots, arena: Vec::new(), held, spilled: BTreeMap::new() }
    }

    /// Bytes that each channel of such a lane holds all the time.
    #[must_use]
    pub fn bytes_per_channel(pane_ns: i64, lateness_ns: i64) -> usize {
        slots(pane_ns, lateness_ns) * size_of::<OpenPane>()
    }

    /// Adds a channel and returns its number.
    pub fn add_channel(&mut self) -> u32 {
        let channel = self.arena.len() / self.slots;
        self.arena.resize_with(self.arena.len() + self.slots, || OpenPane::EMPTY);
        for held in &mut self.held {
            held.channels.resize(channel / 64 + 1, 0);
        }
        u32::try_from(channel).expect("CHANNELS_MAX holds")
    }

    /// Takes a reading, its bin if the channel has percentiles.
    pub fn push(
        &mut self,
        channel: u32,
        at_ns: i64,
        value: f64,
        flag: Flag,
        scale: Option<&BinScale>,
    ) {
        let pane = at_ns.div_euclid(self.pane_ns);
        let open = self.pane_mut(channel, pane);
        open.partial.push(at_ns, value, flag);
        if let Some(scale) = scale.filter(|_| flag.counts()) {
            let (bin, within) = scale.bin(value);
            open.bins.push(bin);
            if !within {
                open.partial.note_out_of_range();
            }
        }
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
                    closed(open.close(channel as u32, pane * self.pane_ns));
                }
            }
        }
        while let Some(entry) = self.spilled.first_entry()
            && entry.key().0 == pane
        {
            let channel = entry.key().1;
            closed(entry.remove().close(channel, pane * self.pane_ns));
        }
    }

    fn pane_mut(&mut self, channel: u32, pane: i64) -> &mut OpenPane {
        // A pane that began in the map stays there, though its slot may be free by now.
        if !self.spilled.is_empty() && self.spilled.contains_key(&(pane, channel)) {
            return self.spilled.entry((pane, channel)).or_insert(OpenPane::EMPTY);
        }
        let slot = self.slot(pane);
        let held = &mut self.held[slot];
        if *held.pane.get_or_insert(pane) == pane {
            held.channels[channel as usize / 64] |= 1 << (channel % 64);
            return &mut self.arena[channel as usize * self.slots + slot];
        }
        self.spilled.entry((pane, channel)).or_insert(OpenPane::EMPTY)
    }

    fn slot(&self, pane: i64) -> usize {
        pane.rem_euclid(self.slots as i64) as usize
    }
}

fn slots(pane_ns: i64, lateness_ns: i64) -> usize {
    let panes = usize::try_from(lateness_ns / pane_ns + 2).unwrap_or(usize::MAX);
    panes.min(OPEN_SLOTS_MAX).next_power_of_two()
}

impl OpenPane {
    const EMPTY: Self = Self { partial: OpenPartial::EMPTY, bins: OpenBins::EMPTY };

    fn close(&mut self, channel: u32, start_ns: i64) -> ClosedPane {
        let partial = self.partial.close();
        self.partial = OpenPartial::EMPTY;
        ClosedPane { channel, start_ns, partial, bins: self.bins.close() }
    }
}

/// Bins of an open pane: noted as they come, counted when they get many.
#[derive(Clone, Debug)]
struct OpenBins {
    noted: Vec<Bin>,
    counted: BinCounts,
}

impl OpenBins {
    const EMPTY: Self = Self { noted: Vec::new(), counted: BinCounts::EMPTY };

    fn push(&mut self, bin: Bin) {
        self.noted.push(bin);
        if self.noted.len() == OPEN_BINS_COMPACT {
            self.count();
        }
    }

    fn close(&mut self) -> BinCounts {
        if self.counted.is_empty() {
            let counts = BinCounts::of(&mut self.noted);
            self.noted.clear();
            return counts;
        }
        self.count();
        std::mem::take(&mut self.counted)
    }

    fn count(&mut self) {
        let counts = BinCounts::of(&mut self.noted);
        self.noted.clear();
        self.counted.add(&counts, &mut Vec::new());
    }
}
