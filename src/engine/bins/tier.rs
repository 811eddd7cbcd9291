//! The two forms of a window's counts, and when which is right.
//!
//! Chunks cost a step for each of them whenever a pane comes or goes, and a move of those behind
//! for each that begins; a strip costs no such steps, and takes memory for what lies between. So
//! few chunks stay as they are, and many become a strip, if it takes little more memory. What it
//! takes more is given up when memory is short, before anything that can be seen from outside: a
//! window holds the same counts in either form.
//!
//! The form changes when a pane is added and never when one goes, so that it follows from the
//! panes alone, not from when somebody asked for the window. It changes to a strip and back at
//! different limits, so that a window that lies between them keeps what it has.

use std::iter;

use super::{
    Bin,
    chunks::Chunks,
    packed::Entries,
    strip::Strip,
    sum::{CHUNK_BINS, Counter, Taken},
};

/// Counts by bin.
#[derive(Clone, Debug)]
pub enum Tier<C> {
    /// Where there is something.
    Sparse(Chunks<C>),
    /// In a range.
    Dense {
        /// The counts.
        strip: Strip<C>,
        /// Chunks in use when the last pane had been added.
        used: usize,
    },
}

/// How much more memory the counts of a window may take for the sake of speed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Room {
    /// Up to four times what its chunks would take.
    #[default]
    Ample,
    /// No more than its chunks would take with their own room to grow.
    Tight,
}

/// Chunks from which a strip is worth it, and up to which it is not any more: of eight chunks
/// it costs a sixth less to add and subtract, of three it costs the same.
const USED_MIN: usize = 8;
const USED_MAX: usize = 3;

/// How many times the bytes of its chunks a strip may take to begin, and to go on.
const AMPLE_BEGIN: usize = 3;
const AMPLE_MOST: usize = 4;

impl Room {
    /// Whether a strip of so many bytes may begin in place of chunks of so many.
    fn begins(self, strip: usize, chunks: usize) -> bool {
        match self {
            Self::Ample => strip <= AMPLE_BEGIN * chunks,
            Self::Tight => strip <= chunks,
        }
    }

    /// Whether it may go on.
    fn goes_on(self, strip: usize, chunks: usize) -> bool {
        match self {
            Self::Ample => strip <= AMPLE_MOST * chunks,
            Self::Tight => strip <= with_growth(chunks),
        }
    }
}

/// What chunks of so many bytes take at most, as they grow by a quarter at a time.
const fn with_growth(chunks: usize) -> usize {
    chunks + chunks / 4
}

/// The most bytes that the counts of a window take, if so many bins of a range of so many are in
/// use and none of them counts 2^32 readings.
#[must_use]
pub fn bytes_at_most(used_bins: u64, range_bins: u64) -> u64 {
    // The range may begin and end within a chunk.
    let range = range_bins.div_ceil(CHUNK_BINS as u64).saturating_add(1);
    let used = used_bins.min(range) as usize;
    let chunks = Chunks::<u32>::bytes_of(used);
    let strip = if USED_MAX < used { Strip::<u32>::bytes_of(range as usize) } else { 0 };
    with_growth(chunks).max(strip.min(AMPLE_MOST * chunks)) as u64
}

impl<C: Counter> Tier<C> {
    /// Nothing counted.
    pub const EMPTY: Self = Self::Sparse(Chunks::EMPTY);

    /// Adds packed counts, and takes the form that is right then.
    pub fn add(&mut self, entries: Entries<'_>, room: Room) {
        match self {
            Self::Sparse(chunks) => chunks.add(entries),
            Self::Dense { strip, .. } => {
                let mut left = entries;
                if let Some(beyond) = strip.add(&mut left) {
                    self.add_beyond(beyond, left, room);
                }
            }
        }
        self.judge(room);
    }

    /// Adds a count that lies beyond the strip, and those behind it.
    #[cold]
    fn add_beyond(&mut self, beyond: (Bin, u64), mut entries: Entries<'_>, room: Room) {
        let Self::Dense { strip, .. } = self else { return };
        let highest = entries.clone().last().map_or(beyond.0, |(bin, _)| bin);
        // At least one chunk more will be in use.
        let chunks = Chunks::<C>::bytes_of(strip.used() + 1);
        if room.goes_on(Strip::<C>::bytes_of(strip.len_with(beyond.0, highest)), chunks) {
            strip.widen(beyond.0, highest);
            strip.add_one(beyond);
            let left = strip.add(&mut entries);
            debug_assert_eq!(left, None, "the range reaches to the highest");
        } else {
            let mut chunks = strip.chunks();
            chunks.add(iter::once(beyond).chain(entries));
            *self = Self::Sparse(chunks);
        }
    }

    /// Takes the form that is right.
    fn judge(&mut self, room: Room) {
        if let Self::Dense { strip, used } = self {
            *used = strip.used();
            let chunks = Chunks::<C>::bytes_of(*used);
            if USED_MAX < *used && room.goes_on(strip.bytes(), chunks) {
                return;
            }
            *self = Self::Sparse(strip.chunks());
        }
        if let Self::Sparse(chunks) = self
            && USED_MIN <= chunks.count()
        {
            let strip = Strip::<C>::bytes_of(chunks.span().1);
            if room.begins(strip, Chunks::<C>::bytes_of(chunks.count())) {
                *self = Self::Dense { strip: Strip::of(chunks), used: chunks.count() };
            }
        }
    }

    /// Gives up what is taken for speed, if it is more than there is room for.
    pub fn confine(&mut self) {
        if 0 < self.taken().spare
            && let Self::Dense { strip, .. } = self
        {
            *self = Self::Sparse(strip.chunks());
        }
    }

    /// Takes away packed counts that were added before; how many readings it was.
    ///
    /// # Panics
    /// If they were not.
    pub fn subtract(&mut self, entries: Entries<'_>) -> u64 {
        match self {
            Self::Sparse(chunks) => chunks.subtract(entries),
            Self::Dense { strip, .. } => strip.subtract(entries),
        }
    }

    /// Calls `each` with the bins of the readings of these ranks; see [`super::sum::Sum`].
    pub fn at_ranks(&self, ranks: impl Iterator<Item = u64>, each: impl FnMut(Bin)) {
        match self {
            Self::Sparse(chunks) => chunks.at_ranks(ranks, each),
            Self::Dense { strip, .. } => strip.at_ranks(ranks, each),
        }
    }

    /// Calls `each` with all bins in use and their counts, ascending.
    pub fn for_each(&self, mut each: impl FnMut(Bin, u64)) {
        let mut tell = |place: i16, counts: &[C]| {
            for (within, &count) in counts.iter().enumerate() {
                if count.into() != 0 {
                    each(place * CHUNK_BINS as i16 + within as i16, count.into());
                }
            }
        };
        match self {
            Self::Sparse(chunks) => chunks.iter().for_each(|it| tell(it.place, &it.counts)),
            Self::Dense { strip, .. } => strip.iter().for_each(|(at, _, counts)| tell(at, counts)),
        }
    }

    /// What the counts take.
    #[must_use]
    pub fn taken(&self) -> Taken {
        match self {
            Self::Sparse(chunks) => Taken { bytes: chunks.bytes(), spare: 0 },
            Self::Dense { strip, used } => {
                let (bytes, chunks) = (strip.bytes(), Chunks::<C>::bytes_of(*used));
                Taken { bytes, spare: bytes.saturating_sub(with_growth(chunks)) }
            }
        }
    }
}

impl Tier<u32> {
    /// The same with wider counters.
    #[must_use]
    pub fn widened(&self) -> Tier<u64> {
        match self {
            Self::Sparse(chunks) => Tier::Sparse(chunks.widened()),
            Self::Dense { strip, used } => Tier::Dense { strip: strip.widened(), used: *used },
        }
    }
}

#[cfg(test)]
mod tests;
