//! Counts by bin where there is something, and nothing elsewhere.
//!
//! Chunks of neighbouring bins, ascending, none of them empty. Readings of a sensor lie close
//! together, so most windows are a few chunks; two clusters far apart are two clusters, not the
//! whole range between.

use super::{
    Bin,
    sum::{CHUNK_BINS, Counter, counter, place_of, within},
};

/// Counts by bin, in chunks.
#[derive(Clone, Debug, Default)]
pub struct Chunks<C>(Vec<Chunk<C>>);

/// The counts of some neighbouring bins.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<C> {
    /// By bin.
    pub counts: [C; CHUNK_BINS],
    /// Sum of the counts.
    pub n: C,
    /// Number of its first bin, divided by [`CHUNK_BINS`].
    pub place: i16,
}

impl<C: Counter> Chunks<C> {
    /// Nothing counted.
    pub const EMPTY: Self = Self(Vec::new());

    /// Those that come out of `chunks`, which ascend and of which there are so many.
    pub fn of(count: usize, chunks: impl Iterator<Item = Chunk<C>>) -> Self {
        let mut all = Vec::with_capacity(count);
        all.extend(chunks);
        Self(all)
    }

    /// All of them, ascending.
    pub fn iter(&self) -> impl Iterator<Item = &Chunk<C>> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Places from the first chunk up to the last.
    #[must_use]
    pub fn span(&self) -> (i16, usize) {
        let (Some(first), Some(last)) = (self.0.first(), self.0.last()) else { return (0, 0) };
        (first.place, (i32::from(last.place) - i32::from(first.place) + 1) as usize)
    }

    /// Bytes of so many chunks.
    #[must_use]
    pub const fn bytes_of(count: usize) -> usize {
        count * size_of::<Chunk<C>>()
    }

    /// Bytes that the counts take, room to grow included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        Self::bytes_of(self.0.capacity())
    }

    /// Adds counts by bin, which ascend.
    pub fn add(&mut self, entries: impl Iterator<Item = (Bin, u64)>) {
        let mut at = 0;
        for (bin, count) in entries {
            at = self.seek(at, place_of(bin));
            let chunk = &mut self.0[at];
            let slot = &mut chunk.counts[within(bin)];
            *slot = counter((*slot).into() + count);
            chunk.n = counter(chunk.n.into() + count);
        }
    }

    /// Position of the chunk of this place, at or after `at`; there is one then.
    #[inline]
    fn seek(&mut self, mut at: usize, place: i16) -> usize {
        while at < self.0.len() && self.0[at].place < place {
            at += 1;
        }
        if self.0.get(at).is_none_or(|chunk| chunk.place != place) {
            self.begin(at, place);
        }
        at
    }

    #[cold]
    fn begin(&mut self, at: usize, place: i16) {
        if self.0.len() == self.0.capacity() {
            // Not doubled: the budget counts what is held, used or not.
            self.0.reserve_exact(1 + self.0.len() / 4);
        }
        self.0.insert(at, Chunk { counts: [C::default(); CHUNK_BINS], n: C::default(), place });
    }

    /// Takes away counts by bin, which ascend and were added before; how many readings it was.
    ///
    /// # Panics
    /// If they were not.
    pub fn subtract(&mut self, entries: impl Iterator<Item = (Bin, u64)>) -> u64 {
        let (mut at, mut emptied, mut n) = (0, false, 0);
        for (bin, count) in entries {
            let place = place_of(bin);
            while self.0[at].place < place {
                at += 1;
            }
            let chunk = &mut self.0[at];
            let slot = &mut chunk.counts[within(bin)];
            let left = (*slot).into().checked_sub(count);
            *slot = counter(left.expect("only what was added is subtracted"));
            chunk.n = counter(chunk.n.into() - count);
            emptied |= chunk.n.into() == 0;
            n += count;
        }
        if emptied {
            self.0.retain(|chunk| chunk.n.into() != 0);
        }
        n
    }

    /// Calls `each` with the bins of the readings of these ranks; see [`super::sum::Sum`].
    pub fn at_ranks(&self, ranks: impl Iterator<Item = u64>, mut each: impl FnMut(Bin)) {
        let (mut at, mut below) = (0, 0);
        for rank in ranks {
            while below + self.0[at].n.into() < rank {
                below += self.0[at].n.into();
                at += 1;
            }
            let chunk = &self.0[at];
            let mut seen = below;
            let within = chunk.counts.iter().position(|&count| {
                seen += count.into();
                rank <= seen
            });
            let within = within.expect("a chunk's count is the sum of its bins'");
            each(chunk.place * CHUNK_BINS as i16 + within as i16);
        }
    }
}

impl Chunks<u32> {
    /// The same with wider counters.
    #[must_use]
    pub fn widened(&self) -> Chunks<u64> {
        let chunks = self.iter().map(|chunk| Chunk {
            counts: chunk.counts.map(u64::from),
            n: u64::from(chunk.n),
            place: chunk.place,
        });
        Chunks::of(self.count(), chunks)
    }
}
