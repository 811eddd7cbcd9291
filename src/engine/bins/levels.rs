//! The percentile bins of all windows of one channel: each level's panes feed the next.
//!
//! The same rules as in [`crate::engine::chain`], for bins instead of partials: level l has panes
//! of its window's `every`, and one that is complete goes into the window's ring and into the
//! pane that grows at the next level.

use super::{
    BinScale,
    packed::{Entries, push_number, take_number},
    ring::BinRing,
    sum::{Sum, Taken},
    tally::Tally,
    tier::Room,
};
use crate::{engine::rules::Window, limits::GROWING_BIN_BYTES};

/// An instant that no watermark reaches.
const NEVER: i64 = i64::MAX;

/// The counts of one channel.
#[derive(Clone, Debug)]
pub struct Levels {
    levels: Box<[Level]>,
    room: Room,
    /// When the first of the growing panes is complete.
    complete_ns: i64,
}

#[derive(Clone, Debug)]
struct Level {
    window: Window,
    ring: BinRing,
    /// The pane that still grows, by its number.
    growing_pane: i64,
    growing: Runs,
}

/// Packed counts that belong together and are not merged yet, each behind its length.
#[derive(Clone, Debug, Default)]
struct Runs {
    bytes: Vec<u8>,
    n: u64,
    count: u32,
    /// Bytes of the last merge's outcome.
    merged: u32,
}

impl Levels {
    /// Windows without readings; each `every` divides that of the next.
    #[must_use]
    pub fn new(windows: &[Window]) -> Self {
        let level = |&window: &Window| Level {
            window,
            ring: BinRing::EMPTY,
            growing_pane: 0,
            growing: Runs::default(),
        };
        let levels = windows.iter().map(level).collect();
        Self { levels, room: Room::Ample, complete_ns: NEVER }
    }

    /// Takes the packed bins of a base pane, `n` readings; panes come in the order of time, and
    /// none before an instant that was asked for.
    pub fn push(&mut self, start_ns: i64, packed: &[u8], n: u64, tally: &mut Tally) {
        // So that what is held does not depend on what was asked for.
        self.settle(start_ns, tally);
        self.feed(0, start_ns, packed, n, tally);
    }

    /// Bins of the window that ends at `at_ns`, a multiple of its `every`.
    pub fn ask(&mut self, window: usize, at_ns: i64, tally: &mut Tally) -> &Sum {
        self.settle(at_ns, tally);
        let Level { window, ring, .. } = &mut self.levels[window];
        ring.evict_below((at_ns - window.length_ns).div_euclid(window.every_ns));
        ring.sum()
    }

    /// Leaves nothing held as of `at_ns` that could have been dropped or completed.
    pub fn catch_up(&mut self, at_ns: i64, tally: &mut Tally) {
        self.settle(at_ns, tally);
        for Level { window, ring, .. } in &mut self.levels {
            ring.evict_below((at_ns - window.length_ns).div_euclid(window.every_ns));
        }
    }

    /// Counts in coarser bins from now on, what is held included.
    pub fn coarsen(&mut self, from: &BinScale, to: &BinScale, tally: &mut Tally) {
        let mut packed = Vec::new();
        for level in &mut self.levels {
            let mut ring = BinRing::EMPTY;
            for (pane, bins) in level.ring.panes() {
                packed.clear();
                let n = nest(Entries::new(bins), from, to, tally, &mut packed);
                ring.push(pane, &packed, n, self.room);
            }
            level.ring = ring;
            level.growing.coarsen(from, to, tally);
        }
    }

    /// Takes no more memory for the sake of speed, from now on.
    pub fn confine(&mut self) {
        self.room = Room::Tight;
        self.levels.iter_mut().for_each(|level| level.ring.confine());
    }

    /// How much memory may be taken for the sake of speed.
    #[must_use]
    pub fn room(&self) -> Room {
        self.room
    }

    /// How many windows there are.
    pub(super) fn len(&self) -> usize {
        self.levels.len()
    }

    /// The window of a level.
    pub(super) fn window(&self, l: usize) -> Window {
        self.levels[l].window
    }

    /// Number and packed bins of each pane of a level, oldest first.
    pub(super) fn panes(&self, l: usize) -> impl Iterator<Item = (i64, &[u8])> {
        self.levels[l].ring.panes()
    }

    /// Number of the pane that grows at a level, if one does.
    pub(super) fn growing(&self, l: usize) -> Option<i64> {
        let level = &self.levels[l];
        (level.growing.count != 0).then_some(level.growing_pane)
    }

    /// Counts what grows at a level in a table.
    pub(super) fn count_growing(&self, l: usize, tally: &mut Tally) {
        self.levels[l].growing.each(|packed| tally.add_all(Entries::new(packed)));
    }

    /// Puts a complete pane behind those of a level, which it is younger than.
    pub(super) fn put(&mut self, l: usize, pane: i64, packed: &[u8], n: u64) {
        self.levels[l].ring.push(pane, packed, n, self.room);
    }

    /// Lets a pane grow at a level at which none does.
    pub(super) fn grow(
        &mut self,
        l: usize,
        pane: i64,
        (packed, n): (&[u8], u64),
        tally: &mut Tally,
    ) {
        let level = &mut self.levels[l];
        level.growing_pane = pane;
        level.growing.add(packed, n, tally);
        self.complete_ns = self.complete_ns.min(level.end_ns());
    }

    /// What the counts take, beyond the bytes of [`Self::bytes_empty`].
    #[must_use]
    pub fn taken(&self) -> Taken {
        let mut all = Taken::default();
        for Level { ring, growing, .. } in &self.levels {
            let Taken { bytes, spare } = ring.taken();
            all.bytes += bytes + growing.bytes.capacity();
            all.spare += spare;
        }
        all
    }

    /// Bytes of so many windows without readings.
    #[must_use]
    pub fn bytes_empty(windows: usize) -> usize {
        size_of::<Self>() + windows * size_of::<Level>()
    }

    /// Completes the panes that end at or before `at_ns`, finest level first.
    fn settle(&mut self, at_ns: i64, tally: &mut Tally) {
        if at_ns < self.complete_ns {
            return;
        }
        for l in 0..self.levels.len() {
            if self.levels[l].end_ns() <= at_ns {
                self.complete(l, tally);
            }
        }
        self.complete_ns = self.levels.iter().map(Level::end_ns).min().unwrap_or(NEVER);
    }

    fn feed(&mut self, l: usize, start_ns: i64, packed: &[u8], n: u64, tally: &mut Tally) {
        let Some(level) = self.levels.get(l) else { return };
        let pane = start_ns.div_euclid(level.window.every_ns);
        if level.growing.count != 0 && level.growing_pane != pane {
            self.complete(l, tally);
        }
        let level = &mut self.levels[l];
        level.growing_pane = pane;
        level.growing.add(packed, n, tally);
        self.complete_ns = self.complete_ns.min(level.end_ns());
    }

    /// Moves the growing pane of a level into its ring and up.
    fn complete(&mut self, l: usize, tally: &mut Tally) {
        let Level { window, ring, growing_pane, growing } = &mut self.levels[l];
        let Window { length_ns, every_ns, .. } = *window;
        let (pane, mut runs) = (*growing_pane, std::mem::take(growing));
        runs.merge(tally);
        let mut packed = runs.bytes.as_slice();
        take_number(&mut packed);
        ring.evict_below(pane + 1 - length_ns / every_ns);
        ring.push(pane, packed, runs.n, self.room);
        self.feed(l + 1, pane * every_ns, packed, runs.n, tally);
        // The next pane will be about as large.
        runs.bytes.clear();
        self.levels[l].growing = Runs { bytes: runs.bytes, ..Runs::default() };
    }
}

impl Level {
    /// End of the growing pane.
    fn end_ns(&self) -> i64 {
        match self.growing.count {
            0 => NEVER,
            _ => (self.growing_pane + 1) * self.window.every_ns,
        }
    }
}

impl Runs {
    fn add(&mut self, packed: &[u8], n: u64, tally: &mut Tally) {
        // Twice what the last merge came to, so that a merge is not in vain.
        let most = GROWING_BIN_BYTES.max(2 * self.merged as usize);
        if 1 < self.count && most < self.bytes.len() + packed.len() {
            self.merge(tally);
            self.merged = self.bytes.len() as u32;
        }
        let needed = self.bytes.len() + packed.len() + 4;
        if self.bytes.capacity() < needed {
            self.bytes.reserve_exact(needed + needed / 4 - self.bytes.len());
        }
        push_number(&mut self.bytes, packed.len() as u64);
        self.bytes.extend_from_slice(packed);
        self.n += n;
        self.count += 1;
    }

    /// Makes one run of all.
    fn merge(&mut self, tally: &mut Tally) {
        if self.count < 2 {
            return;
        }
        self.each(|packed| tally.add_all(Entries::new(packed)));
        self.replace(tally);
    }

    fn coarsen(&mut self, from: &BinScale, to: &BinScale, tally: &mut Tally) {
        self.each(|packed| add_nested(Entries::new(packed), from, to, tally));
        // The room of the finer bins is what was wanted back.
        let held = self.count != 0;
        self.bytes = Vec::new();
        if held {
            self.replace(tally);
        }
    }

    fn each(&self, mut each: impl FnMut(&[u8])) {
        let mut rest = self.bytes.as_slice();
        while !rest.is_empty() {
            let length = take_number(&mut rest) as usize;
            let (packed, behind) = rest.split_at(length);
            each(packed);
            rest = behind;
        }
    }

    fn replace(&mut self, tally: &mut Tally) {
        let mut packed = Vec::new();
        let n = tally.pack(&mut packed);
        debug_assert_eq!(n, self.n);
        self.bytes.clear();
        (self.n, self.count, self.merged) = (0, 0, 0);
        self.add(&packed, n, tally);
    }
}

/// Packs entries anew in coarser bins.
pub fn nest(
    entries: Entries<'_>,
    from: &BinScale,
    to: &BinScale,
    tally: &mut Tally,
    out: &mut Vec<u8>,
) -> u64 {
    add_nested(entries, from, to, tally);
    tally.pack(out)
}

fn add_nested(entries: Entries<'_>, from: &BinScale, to: &BinScale, tally: &mut Tally) {
    entries.for_each(|(bin, count)| tally.add(from.nest(bin, to), count));
}
