//! Panes that still take readings, for all channels of one lane.
//!
//! A slot holds one pane of all channels, side by side, and bits that tell which channels it was
//! touched by. A pane that is *sealed* takes no more readings, and keeps its slot until it is
//! closed, a few channels at a time. A pane that finds its slot taken, which needs a frame that
//! spans more time than the lane's lateness, or panes that are sealed faster than closed, waits in
//! a map: everything accepted has a place.

mod saved;

use std::collections::BTreeMap;

pub(in crate::engine) use self::saved::Opened;
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
    /// The pane that took the latest reading: most readings follow one of the same pane.
    recent: Pane,
    /// Panes that found their slot taken, by start and channel.
    spilled: BTreeMap<(i64, u32), OpenPartial>,
    /// Panes that start before this instant are sealed.
    sealed_ns: i64,
}

#[derive(Clone, Debug)]
struct Slot {
    /// Start of that pane, or [`Slot::FREE`].
    start_ns: i64,
    panes: Vec<OpenPartial>,
    /// One bit a channel that the pane holds something of.
    touched: Vec<u64>,
}

/// The pane that took the latest reading, at hand for those that follow.
#[derive(Debug)]
pub struct Recent<'a> {
    /// Which it is.
    pub pane: Pane,
    start_ns: i64,
    pane_ns: u64,
    panes: &'a mut [OpenPartial],
    touched: &'a mut [u64],
}

impl Recent<'_> {
    /// Takes a reading if it lies in the pane; whether it does.
    #[inline]
    pub fn push(&mut self, channel: u32, at_ns: i64, value: f64, flag: Flag) -> bool {
        // Below the start it wraps around and is too large.
        let within = at_ns.wrapping_sub(self.start_ns).cast_unsigned() < self.pane_ns;
        if within {
            touch(self.panes, self.touched, channel).push(at_ns, value, flag);
        }
        within
    }
}

/// Which pane of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pane {
    /// Counted by panes since 1970.
    pub number: i64,
    /// Which of the lane's slots is its.
    pub slot: u32,
}

impl Pane {
    /// The pane with this number in a lane with so many slots.
    #[must_use]
    pub fn new(number: i64, slots: usize) -> Self {
        Self { number, slot: number.rem_euclid(slots as i64) as u32 }
    }
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
        let (panes, touched) = (Vec::new(), Vec::new());
        let slot = Slot { start_ns: Slot::FREE, panes, touched };
        let slots = vec![slot; open_slots(pane_ns, lateness_ns)].into();
        Self {
            pane_ns,
            channels: 0,
            slots,
            recent: Pane { number: 0, slot: 0 },
            spilled: BTreeMap::new(),
            sealed_ns: i64::MIN,
        }
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

    /// Takes a reading, which lies in no pane that is sealed, and tells its pane.
    pub fn push(&mut self, channel: u32, at_ns: i64, value: f64, flag: Flag) -> Pane {
        if self.recent().is_some_and(|mut recent| recent.push(channel, at_ns, value, flag)) {
            return self.recent;
        }
        let pane = self.pane_at(at_ns);
        self.pane_mut(channel, pane).push(at_ns, value, flag);
        pane
    }

    /// Takes values of one pane, as by [`OpenPartial::push_run`]; `None` if they must be taken one
    /// by one.
    pub fn push_run(
        &mut self,
        channel: u32,
        flag: Flag,
        (from_ns, to_ns): (i64, i64),
        values: &[f64],
    ) -> Option<Pane> {
        let pane = self.pane_at(from_ns);
        let taken = self.pane_mut(channel, pane).push_run(flag, (from_ns, to_ns), values);
        taken.then_some(pane)
    }

    /// End of the pane that an instant lies in.
    #[must_use]
    pub fn end_ns(&self, at_ns: i64) -> i64 {
        (at_ns.div_euclid(self.pane_ns) + 1) * self.pane_ns
    }

    /// The pane that took the latest reading, for more of the same; none while panes wait in the
    /// map.
    pub fn recent(&mut self) -> Option<Recent<'_>> {
        let Slot { start_ns, panes, touched } = &mut self.slots[self.recent.slot as usize];
        let (start_ns, pane_ns) = (*start_ns, self.pane_ns.cast_unsigned());
        let held = start_ns != Slot::FREE && self.spilled.is_empty();
        held.then_some(Recent { pane: self.recent, start_ns, pane_ns, panes, touched })
    }

    /// Counts a value of an open pane that is beyond the percentile bins.
    pub fn note_out_of_range(&mut self, channel: u32, pane: Pane) {
        self.pane_mut(channel, pane).note_out_of_range();
    }

    #[inline(never)]
    fn pane_mut(&mut self, channel: u32, pane: Pane) -> &mut OpenPartial {
        let start_ns = pane.number * self.pane_ns;
        let slot = &mut self.slots[pane.slot as usize];
        // A pane that began in the map stays there, though its slot may be free by now.
        let waits = !self.spilled.is_empty() && self.spilled.contains_key(&(start_ns, channel));
        if waits || (slot.start_ns != Slot::FREE && slot.start_ns != start_ns) {
            return self.spilled.entry((start_ns, channel)).or_insert(OpenPartial::EMPTY);
        }
        slot.start_ns = start_ns;
        self.recent = pane;
        slot.pane_mut(channel)
    }

    /// The pane that an instant lies in.
    #[must_use]
    pub fn pane_at(&self, at_ns: i64) -> Pane {
        Pane::new(at_ns.div_euclid(self.pane_ns), self.slots.len())
    }

    /// Length of a pane, nanoseconds.
    #[must_use]
    pub fn pane_ns(&self) -> i64 {
        self.pane_ns
    }

    /// Start of the earliest pane that holds something and is not sealed.
    #[must_use]
    pub fn earliest_ns(&self) -> Option<i64> {
        let spilled = self.spilled.range((self.sealed_ns, 0)..).next();
        self.held_ns().chain(spilled.map(|((start_ns, _), _)| *start_ns)).min()
    }

    /// End of the latest pane that holds something and is not sealed.
    #[must_use]
    pub fn latest_end_ns(&self) -> Option<i64> {
        let spilled = self.spilled.range((self.sealed_ns, 0)..).next_back();
        let latest_ns = self.held_ns().chain(spilled.map(|((start_ns, _), _)| *start_ns)).max();
        latest_ns.map(|start_ns| start_ns + self.pane_ns)
    }

    fn held_ns(&self) -> impl Iterator<Item = i64> {
        let starts_ns = self.slots.iter().map(|slot| slot.start_ns);
        starts_ns.filter(|start_ns| *start_ns != Slot::FREE && self.sealed_ns <= *start_ns)
    }

    /// The pane that starts at `start_ns` takes no more readings, nor does any before; says how
    /// many channels it holds something of in its slot.
    pub fn seal(&mut self, start_ns: i64) -> usize {
        self.sealed_ns = start_ns + self.pane_ns;
        let slot = self.slots.iter().find(|slot| slot.start_ns == start_ns);
        let words = slot.map_or(&[][..], |slot| &slot.touched);
        words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether so many sealed panes hold slots that panes to come may find theirs taken.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        let sealed = |slot: &&Slot| slot.start_ns != Slot::FREE && slot.start_ns < self.sealed_ns;
        SEALED_SLOTS < self.slots.iter().filter(sealed).count()
    }

    /// Closes the pane that starts at `start_ns` for the channels from `from` on, for about so
    /// many of those that it holds something of, in their order; the channel to go on with, unless
    /// it is closed for all.
    pub fn close_some(
        &mut self,
        start_ns: i64,
        from: u32,
        most: usize,
        mut closed: impl FnMut(ClosedPane),
    ) -> Option<u32> {
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.start_ns == start_ns) {
            let mut left = most;
            for word in (from / u64::BITS) as usize..slot.touched.len() {
                if left == 0 {
                    return Some(word as u32 * u64::BITS);
                }
                left = left.saturating_sub(slot.touched[word].count_ones() as usize);
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
        None
    }
}

impl Slot {
    /// No pane starts here: event times are closer to 1970.
    const FREE: i64 = i64::MIN;

    /// The open pane of a channel, which is marked as touched.
    #[inline]
    fn pane_mut(&mut self, channel: u32) -> &mut OpenPartial {
        touch(&mut self.panes, &mut self.touched, channel)
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

/// The open pane of a channel among those of a slot, where it is marked as touched.
#[inline]
fn touch<'a>(
    panes: &'a mut [OpenPartial],
    touched: &mut [u64],
    channel: u32,
) -> &'a mut OpenPartial {
    touched[channel as usize / 64] |= 1 << (channel % 64);
    &mut panes[channel as usize]
}

/// Slots for panes that are sealed and not closed yet.
const SEALED_SLOTS: usize = 1;

/// Slots of a channel: panes that are open at a time, and some that are being closed; at most
/// [`OPEN_SLOTS_MAX`].
#[must_use]
pub fn open_slots(pane_ns: i64, lateness_ns: i64) -> usize {
    let panes = usize::try_from(lateness_ns / pane_ns + 2).unwrap_or(usize::MAX);
    panes.saturating_add(SEALED_SLOTS).min(OPEN_SLOTS_MAX)
}
