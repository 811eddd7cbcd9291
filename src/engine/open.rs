//! Panes that still take readings, for all channels of one lane.
//!
//! A slot holds one pane of all channels, side by side, and bits that tell which channels it was
//! touched by. A pane that finds its slot taken, which needs a frame that spans more time than
//! the lane's lateness, waits in a map: everything accepted has a place.

use std::collections::BTreeMap;

use super::{
    partial::{OpenPartial, Partial},
    summary::Flag,
};
use crate::limits::OPEN_SLOTS_MAX;

/// The open panes of a lane. Channels are numbered densely within the lane.
#[derive(Debug)]
pub struct OpenPanes {
    pane_ns: i64,
    channels: usize,
    slots: Box<[Slot]>,
    /// The slot that took the latest reading: most readings follow one of the same pane.
    recent: usize,
    /// Panes that found their slot taken, by start and channel.
    spilled: BTreeMap<(i64, u32), OpenPartial>,
}

#[derive(Clone, Debug)]
struct Slot {
    /// Number of the pane it holds.
    pane: i64,
    /// Start of that pane, or [`Slot::FREE`].
    start_ns: i64,
    panes: Vec<OpenPartial>,
    /// One bit a channel that the pane holds something of.
    touched: Vec<u64>,
}

/// A pane that takes no more readings.
#[derive(Debug)]
pub struct ClosedPane {
    /// Its channel, numbered within the lane.
    pub channel: u32,
    /// What it holds.
    pub partial: Partial,
}

impl OpenPanes {
    /// A lane with panes of `pane_ns` and room for readings that are `lateness_ns` late.
    #[must_use]
    pub fn new(pane_ns: i64, lateness_ns: i64) -> Self {
        let slot = Slot { pane: 0, start_ns: Slot::FREE, panes: Vec::new(), touched: Vec::new() };
        let slots = vec![slot; open_slots(pane_ns, lateness_ns)].into();
        Self { pane_ns, channels: 0, slots, recent: 0, spilled: BTreeMap::new() }
    }

    /// Bytes that each channel of such a lane holds all the time.
    #[must_use]
    pub fn bytes_per_channel(pane_ns: i64, lateness_ns: i64) -> usize {
        open_slots(pane_ns, lateness_ns) * size_of::<OpenPartial>()
    }

    /// Adds a channel and returns its number.
    pub fn add_channel(&mut self) -> u32 {
        let channel = self.channels;
        self.channels += 1;
        for slot in &mut self.slots {
            slot.panes.push(OpenPartial::EMPTY);
            slot.touched.resize(channel / 64 + 1, 0);
        }
        u32::try_from(channel).expect("CHANNELS_MAX holds")
    }

    /// Takes a reading, and gives the number of its pane.
    #[inline]
    pub fn push(&mut self, channel: u32, at_ns: i64, value: f64, flag: Flag) -> i64 {
        let slot = &mut self.slots[self.recent];
        // Below the start it wraps around and is too large; a free slot starts where no time is.
        let after_ns = at_ns.wrapping_sub(slot.start_ns).cast_unsigned();
        if after_ns < self.pane_ns.cast_unsigned() && self.spilled.is_empty() {
            slot.pane_mut(channel).push(at_ns, value, flag);
            return slot.pane;
        }
        let pane = at_ns.div_euclid(self.pane_ns);
        self.pane_mut(channel, pane).push(at_ns, value, flag);
        pane
    }

    /// Counts a value of an open pane that is beyond the percentile bins.
    pub fn note_out_of_range(&mut self, channel: u32, pane: i64) {
        self.pane_mut(channel, pane).note_out_of_range();
    }

    #[inline(never)]
    fn pane_mut(&mut self, channel: u32, pane: i64) -> &mut OpenPartial {
        let start_ns = pane * self.pane_ns;
        let number = pane.rem_euclid(self.slots.len() as i64) as usize;
        let slot = &mut self.slots[number];
        // A pane that began in the map stays there, though its slot may be free by now.
        let waits = !self.spilled.is_empty() && self.spilled.contains_key(&(start_ns, channel));
        if waits || (slot.start_ns != Slot::FREE && slot.start_ns != start_ns) {
            return self.spilled.entry((start_ns, channel)).or_insert(OpenPartial::EMPTY);
        }
        (slot.pane, slot.start_ns) = (pane, start_ns);
        self.recent = number;
        slot.pane_mut(channel)
    }

    /// Length of a pane, nanoseconds.
    #[must_use]
    pub fn pane_ns(&self) -> i64 {
        self.pane_ns
    }

    /// Start of the earliest pane that holds something.
    #[must_use]
    pub fn earliest_ns(&self) -> Option<i64> {
        let spilled = self.spilled.keys().next().map(|(start_ns, _)| *start_ns);
        self.held_ns().chain(spilled).min()
    }

    /// End of the latest pane that holds something.
    #[must_use]
    pub fn latest_end_ns(&self) -> Option<i64> {
        let spilled = self.spilled.keys().next_back().map(|(start_ns, _)| *start_ns);
        self.held_ns().chain(spilled).max().map(|start_ns| start_ns + self.pane_ns)
    }

    fn held_ns(&self) -> impl Iterator<Item = i64> {
        self.slots.iter().map(|slot| slot.start_ns).filter(|start_ns| *start_ns != Slot::FREE)
    }

    /// Closes the pane that starts at `start_ns`, in the order of channels.
    pub fn close(&mut self, start_ns: i64, mut closed: impl FnMut(ClosedPane)) {
        if let Some(number) = self.slots.iter().position(|slot| slot.start_ns == start_ns) {
            let slot = &mut self.slots[number];
            for word in 0..slot.touched.len() {
                slot.close(word, &mut closed);
            }
            slot.start_ns = Slot::FREE;
        }
        while let Some(entry) = self.spilled.first_entry()
            && entry.key().0 == start_ns
        {
            let ((_, channel), open) = entry.remove_entry();
            closed(ClosedPane { channel, partial: open.close() });
        }
    }
}

impl Slot {
    /// No pane starts here: event times are closer to 1970.
    const FREE: i64 = i64::MIN;

    /// The open pane of a channel, which is marked as touched.
    #[inline]
    fn pane_mut(&mut self, channel: u32) -> &mut OpenPartial {
        self.touched[channel as usize / 64] |= 1 << (channel % 64);
        &mut self.panes[channel as usize]
    }

    /// Closes the panes of the 64 channels of a word.
    fn close(&mut self, word: usize, closed: &mut impl FnMut(ClosedPane)) {
        let mut bits = std::mem::take(&mut self.touched[word]);
        while bits != 0 {
            let channel = word * 64 + bits.trailing_zeros() as usize;
            bits &= bits - 1;
            let open = std::mem::replace(&mut self.panes[channel], OpenPartial::EMPTY);
            closed(ClosedPane { channel: channel as u32, partial: open.close() });
        }
    }
}

/// Panes of a channel that are open at a time, rounded up to a power of two; at most
/// [`OPEN_SLOTS_MAX`].
#[must_use]
pub fn open_slots(pane_ns: i64, lateness_ns: i64) -> usize {
    let panes = usize::try_from(lateness_ns / pane_ns + 2).unwrap_or(usize::MAX);
    panes.min(OPEN_SLOTS_MAX).next_power_of_two()
}
