//! The bins of panes that still take readings.
//!
//! Numbers are noted as they come, in two cache lines a pane, and packed when these are full. A
//! channel has a few slots, a slot being every so many-th pane; one that finds its slot taken,
//! which needs a frame that spans more time than the lateness of the channel, waits in a map.

use std::collections::BTreeMap;

use super::{Bin, packed::Entries, packed::push_number, packed::take_number, tally::Tally};
use crate::{
    engine::{image::Writer, open::Pane},
    limits::OPEN_BIN_BYTES,
};

/// The open panes of all channels that are counted.
#[derive(Clone, Debug, Default)]
pub struct OpenBins {
    /// A channel's slots are neighbours.
    slots: Vec<Open>,
    /// Panes that found their slot taken, by their channel's place and their own number.
    spilled: BTreeMap<(u32, i64), Open>,
    scratch: Vec<u8>,
}

/// Where the open panes of one channel are: the first of its slots.
#[derive(Clone, Copy, Debug)]
pub struct Place(u32);

/// The bins of one open pane.
#[derive(Clone, Debug)]
struct Open {
    pane: i64,
    /// Bins beyond those noted: runs of packed counts, each behind its length.
    runs: Vec<u8>,
    noted: u8,
    bins: [Bin; NOTED_BINS],
}

/// Bins noted before they are packed.
const NOTED_BINS: usize = 47;

const _: () = assert!(size_of::<Open>() == 128);

impl OpenBins {
    /// Makes room for a channel with so many panes open at a time.
    pub fn add_channel(&mut self, slots: usize) -> Place {
        let first = u32::try_from(self.slots.len()).expect("CHANNELS_MAX and OPEN_SLOTS_MAX hold");
        self.slots.resize(self.slots.len() + slots, Open::EMPTY);
        Place(first)
    }

    /// Bytes that a channel with so many slots takes.
    #[must_use]
    pub fn bytes(slots: usize) -> usize {
        slots * size_of::<Open>()
    }

    /// Notes a reading of this pane.
    #[inline]
    pub fn note(&mut self, place: Place, pane: Pane, bin: Bin, tally: &mut Tally) {
        let Pane { number, slot } = pane;
        let open = &mut self.slots[(place.0 + slot) as usize];
        if open.pane == number || open.is_empty() {
            open.pane = number;
            return open.note(bin, tally, &mut self.scratch);
        }
        let key = (place.0, number);
        let open = self.spilled.entry(key).or_insert(Open { pane: number, ..Open::EMPTY });
        open.note(bin, tally, &mut self.scratch);
    }

    /// Writes the open panes of a channel with so many slots.
    pub(super) fn save(
        &self,
        place: Place,
        slots: usize,
        pane_ns: i64,
        (tally, writer): (&mut Tally, &mut Writer<'_>),
    ) {
        let held = self.slots[place.0 as usize..].iter().take(slots);
        let spilled = self.spilled.range((place.0, i64::MIN)..=(place.0, i64::MAX));
        let mut open: Vec<&Open> = held.chain(spilled.map(|(_, open)| open)).collect();
        open.retain(|open| !open.is_empty());
        // A pane that began in the map may have found its slot free later, and be in both.
        open.sort_by_key(|open| open.pane);
        let panes = || open.chunk_by(|a, b| a.pane == b.pane);
        writer.count(panes().count());
        let mut packed = Vec::new();
        for parts in panes() {
            writer.integer(parts[0].pane * pane_ns);
            parts.iter().for_each(|open| Open::clone(open).close(tally));
            packed.clear();
            tally.pack(&mut packed);
            writer.bytes(&packed);
        }
    }

    /// Puts packed bins in as those of this pane, of which nothing is noted.
    pub(super) fn put(&mut self, place: Place, pane: Pane, packed: &[u8]) {
        let Pane { number, slot } = pane;
        let mut runs = Vec::with_capacity(packed.len() + 10);
        push_number(&mut runs, packed.len() as u64);
        runs.extend_from_slice(packed);
        let put = Open { pane: number, runs, ..Open::EMPTY };
        let open = &mut self.slots[(place.0 + slot) as usize];
        if open.is_empty() {
            *open = put;
        } else {
            self.spilled.insert((place.0, number), put);
        }
    }

    /// Forgets the open panes of a channel with so many slots.
    pub(super) fn clear(&mut self, place: Place, slots: usize) {
        let first = place.0 as usize;
        self.slots[first..first + slots].fill(Open::EMPTY);
        self.spilled.retain(|(of, _), _| *of != place.0);
    }

    /// Counts the bins of this pane, which is open no longer, in the table.
    pub fn close(&mut self, place: Place, pane: Pane, tally: &mut Tally) {
        let Pane { number, slot } = pane;
        let open = &mut self.slots[(place.0 + slot) as usize];
        if open.pane == number {
            open.close(tally);
        }
        if !self.spilled.is_empty()
            && let Some(mut open) = self.spilled.remove(&(place.0, number))
        {
            open.close(tally);
        }
    }
}

impl Open {
    const EMPTY: Self = Self { pane: 0, runs: Vec::new(), noted: 0, bins: [0; NOTED_BINS] };

    fn is_empty(&self) -> bool {
        self.noted == 0 && self.runs.is_empty()
    }

    #[inline]
    fn note(&mut self, bin: Bin, tally: &mut Tally, scratch: &mut Vec<u8>) {
        if usize::from(self.noted) == NOTED_BINS {
            self.pack(tally, scratch);
        }
        self.bins[usize::from(self.noted)] = bin;
        self.noted += 1;
    }

    /// Packs what was noted, together with what was packed when that has become much.
    #[cold]
    fn pack(&mut self, tally: &mut Tally, scratch: &mut Vec<u8>) {
        if OPEN_BIN_BYTES < self.runs.len() {
            self.close(tally);
        } else {
            self.count_noted(tally);
        }
        scratch.clear();
        tally.pack(scratch);
        push_number(&mut self.runs, scratch.len() as u64);
        self.runs.extend_from_slice(scratch);
    }

    fn count_noted(&mut self, tally: &mut Tally) {
        self.bins[..usize::from(self.noted)].iter().for_each(|&bin| tally.note(bin));
        self.noted = 0;
    }

    fn close(&mut self, tally: &mut Tally) {
        self.count_noted(tally);
        let mut rest = self.runs.as_slice();
        while !rest.is_empty() {
            let length = take_number(&mut rest) as usize;
            let (packed, behind) = rest.split_at(length);
            tally.add_all(Entries::new(packed));
            rest = behind;
        }
        self.runs.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Every pane of every channel has its own bins, however many are open and however many
        /// readings come.
        #[test]
        fn panes_keep_their_readings_apart(
            readings in proptest::collection::vec((0..3_usize, 0..6_i64, -300..300_i16), 0..3_000),
        ) {
            let (mut open, mut tally) = (OpenBins::default(), Tally::new());
            let places = [1, 2, 3].map(|slots| (slots, open.add_channel(slots)));
            for &(channel, pane, bin) in &readings {
                let (slots, place) = places[channel];
                open.note(place, Pane::new(pane - 3, slots), bin, &mut tally);
            }
            for pane in 0..6 {
                for (channel, (slots, place)) in places.iter().enumerate() {
                    let mine = readings.iter().filter(|(c, p, _)| (*c, *p) == (channel, pane));
                    let mut expected: Vec<Bin> = mine.map(|(_, _, bin)| *bin).collect();
                    expected.sort_unstable();
                    open.close(*place, Pane::new(pane - 3, *slots), &mut tally);
                    let mut packed = Vec::new();
                    tally.pack(&mut packed);
                    let got = Entries::new(&packed)
                        .flat_map(|(bin, count)| std::iter::repeat_n(bin, count as usize));
                    prop_assert_eq!(got.collect::<Vec<_>>(), expected);
                }
            }
        }
    }
}
