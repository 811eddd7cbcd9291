//! The percentile bins of one window: its panes, packed, and their sum.

use super::{
    packed::{Entries, push_number, take_number},
    sum::{Sum, Taken},
    tier::Room,
};

/// A queue of panes, oldest first.
///
/// The panes lie one behind the other in one buffer: how far its number is from the one before,
/// the bytes of its bins, its bins. Panes that have gone leave room in front, which is made use
/// of when there is none behind.
#[derive(Clone, Debug)]
pub struct BinRing {
    bytes: Vec<u8>,
    /// Where the oldest pane begins.
    head: usize,
    oldest: i64,
    newest: i64,
    sum: Sum,
}

impl BinRing {
    /// A ring without panes.
    pub const EMPTY: Self =
        Self { bytes: Vec::new(), head: 0, oldest: 0, newest: 0, sum: Sum::EMPTY };

    /// Appends a pane, which is younger than all before, with its packed bins of `n` readings.
    pub fn push(&mut self, pane: i64, packed: &[u8], n: u64, room: Room) {
        if self.head == self.bytes.len() {
            (self.oldest, self.newest) = (pane, pane);
        }
        debug_assert!(self.newest <= pane);
        self.make_room(HEAD_BYTES_MAX + packed.len());
        push_number(&mut self.bytes, (pane - self.newest) as u64);
        push_number(&mut self.bytes, packed.len() as u64);
        self.bytes.extend_from_slice(packed);
        self.newest = pane;
        self.sum.add(Entries::new(packed), n, room);
    }

    /// Drops the panes below `pane`.
    pub fn evict_below(&mut self, pane: i64) {
        while self.head < self.bytes.len() && self.oldest < pane {
            let mut rest = &self.bytes[self.head..];
            take_number(&mut rest);
            let length = take_number(&mut rest) as usize;
            let (packed, mut rest) = rest.split_at(length);
            self.sum.subtract(Entries::new(packed));
            self.head = self.bytes.len() - rest.len();
            if !rest.is_empty() {
                self.oldest += take_number(&mut rest) as i64;
            }
        }
    }

    /// Bins of all panes held.
    #[must_use]
    pub fn sum(&self) -> &Sum {
        &self.sum
    }

    /// Number and packed bins of each pane, oldest first.
    pub fn panes(&self) -> impl Iterator<Item = (i64, &[u8])> {
        let mut rest = &self.bytes[self.head..];
        let mut pane = None;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let gap = take_number(&mut rest) as i64;
            let number = pane.map_or(self.oldest, |before: i64| before + gap);
            pane = Some(number);
            let length = take_number(&mut rest) as usize;
            let (packed, behind) = rest.split_at(length);
            rest = behind;
            Some((number, packed))
        })
    }

    /// Gives up what the sum takes for speed.
    pub fn confine(&mut self) {
        self.sum.confine();
    }

    /// What the panes and their sum take.
    #[must_use]
    pub fn taken(&self) -> Taken {
        let Taken { bytes, spare } = self.sum.taken();
        Taken { bytes: self.bytes.capacity() + bytes, spare }
    }

    /// Sees that `more` bytes fit behind, and that the buffer is at most half as large again as
    /// what it holds, but for [`SLACK_BYTES`]: the budget counts all of it.
    fn make_room(&mut self, more: usize) {
        let needed = self.bytes.len() - self.head + more;
        let room = self.bytes.capacity();
        if needed + needed / 2 + SLACK_BYTES < room {
            self.renew(needed);
        } else if room < self.bytes.len() + more {
            if needed + needed / 8 <= room {
                self.bytes.drain(..self.head);
                self.head = 0;
            } else {
                self.renew(needed);
            }
        }
    }

    fn renew(&mut self, needed: usize) {
        let mut bytes = Vec::with_capacity(needed + needed / 4);
        bytes.extend_from_slice(&self.bytes[self.head..]);
        (self.bytes, self.head) = (bytes, 0);
    }
}

/// Two numbers of at most ten bytes stand before a pane; hardly ever more than two bytes do.
const HEAD_BYTES_MAX: usize = 20;
/// Room that is not worth giving back.
const SLACK_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::{
        super::{Bin, tally::Tally},
        *,
    };

    proptest! {
        /// Against a map of maps, over random gaps and evictions; and the buffer stays small.
        #[test]
        fn holds_its_panes_and_their_sum(
            steps in proptest::collection::vec(
                (1..300_i64, 0..12_i64, proptest::collection::vec(-150..150_i16, 0..40)),
                1..60,
            ),
            room in prop_oneof![Just(Room::Ample), Just(Room::Tight)],
        ) {
            let (mut ring, mut tally) = (BinRing::EMPTY, Tally::new());
            let mut naive: BTreeMap<i64, BTreeMap<Bin, u64>> = BTreeMap::new();
            let mut now = -700;
            for (gap, behind, bins) in steps {
                now += gap;
                let mut packed = Vec::new();
                let pane = naive.entry(now).or_default();
                for bin in bins {
                    tally.note(bin);
                    *pane.entry(bin).or_insert(0) += 1;
                }
                let n = tally.pack(&mut packed);
                ring.push(now, &packed, n, room);
                ring.evict_below(now - behind * 50);
                naive.retain(|pane, _| now - behind * 50 <= *pane);
                let got = ring.panes().map(|(pane, packed)| (pane, Entries::new(packed).collect()));
                prop_assert_eq!(got.collect::<BTreeMap<_, _>>(), naive.clone());
                let mut sum = BTreeMap::new();
                ring.sum().for_each(|bin, count| { sum.insert(bin, count); });
                let mut expected = BTreeMap::new();
                for (bin, count) in naive.values().flatten() {
                    *expected.entry(*bin).or_insert(0) += count;
                }
                prop_assert_eq!(sum, expected);
            }
        }
    }

    #[test]
    fn the_buffer_follows_what_it_holds() {
        let (mut ring, mut tally) = (BinRing::EMPTY, Tally::new());
        for now in 0..2_000_i64 {
            let wide = if now % 1_000 < 500 { 300 } else { 3 };
            (0..wide).for_each(|bin| tally.note(bin * 7));
            let mut packed = Vec::new();
            let n = tally.pack(&mut packed);
            ring.evict_below(now - 9);
            ring.push(now, &packed, n, Room::Ample);
            let live = ring.bytes.len() - ring.head;
            assert!(ring.bytes.capacity() <= live + live / 2 + SLACK_BYTES + 32, "at {now}");
        }
    }
}
