//! Counts by bin, flat: a place for each bin from the lowest to the highest.
//!
//! The bins are grouped as in [`super::chunks`], and the sums of the groups lie before the counts.
//! A bin is found by its number alone, so that to count it takes the same few steps wherever it
//! lies; a rank is found by sums of sums, by sums, and by counts.

use super::{
    Bin,
    chunks::{Chunk, Chunks},
    packed::Entries,
    sum::{CHUNK_BINS, Counter, counter, place_of, within},
};

/// Counts by bin, in a range of them.
#[derive(Clone, Debug)]
pub struct Strip<C> {
    /// A sum for each chunk, then the counts of all.
    cells: Box<[C]>,
    /// Place of the first chunk.
    first: i16,
    /// Chunks that are not empty.
    used: u16,
}

/// Sums that are added up at a time on the way to a rank: as many as are one vector operation or a
/// few, so that a range of thousands of chunks is crossed in a hundred steps.
const STRIDE: usize = 32;

impl<C: Counter> Strip<C> {
    /// What these chunks hold, in the range from the first to the last.
    #[must_use]
    pub fn of(chunks: &Chunks<C>) -> Self {
        let (first, len) = chunks.span();
        let mut strip = Self::empty(first, len);
        strip.used = chunks.count() as u16;
        let (sums, counts) = strip.cells.split_at_mut(len);
        for chunk in chunks.iter() {
            let at = (i32::from(chunk.place) - i32::from(first)) as usize;
            sums[at] = chunk.n;
            counts[at * CHUNK_BINS..][..CHUNK_BINS].copy_from_slice(&chunk.counts);
        }
        strip
    }

    fn empty(first: i16, len: usize) -> Self {
        let cells = vec![C::default(); len * (1 + CHUNK_BINS)].into_boxed_slice();
        Self { cells, first, used: 0 }
    }

    /// The same in chunks.
    #[must_use]
    pub fn chunks(&self) -> Chunks<C> {
        let chunks = self.iter().map(|(place, n, counts)| {
            let counts = counts.try_into().expect("a chunk has as many bins");
            Chunk { counts, n, place }
        });
        Chunks::of(self.used(), chunks)
    }

    /// Place, sum and counts of each chunk that is not empty, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (i16, C, &[C])> {
        let (sums, counts) = self.cells.split_at(self.len());
        let chunks = (self.first..).zip(sums.iter().zip(counts.chunks_exact(CHUNK_BINS)));
        chunks.map(|(place, (&n, counts))| (place, n, counts)).filter(|(_, n, _)| (*n).into() != 0)
    }

    /// Chunks of the range.
    fn len(&self) -> usize {
        self.cells.len() / (1 + CHUNK_BINS)
    }

    /// Chunks of the range that are not empty.
    #[must_use]
    pub fn used(&self) -> usize {
        usize::from(self.used)
    }

    /// Bytes of a range of so many chunks.
    #[must_use]
    pub const fn bytes_of(len: usize) -> usize {
        len * (1 + CHUNK_BINS) * size_of::<C>()
    }

    /// Bytes that the counts take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.cells)
    }

    /// Chunks of the range if it reached from its lowest bin or `low` to its highest or `high`.
    #[must_use]
    pub fn len_with(&self, low: Bin, high: Bin) -> usize {
        let (first, end) = self.range_with(low, high);
        (end - first) as usize
    }

    fn range_with(&self, low: Bin, high: Bin) -> (i32, i32) {
        let first = i32::from(self.first);
        let low = i32::from(place_of(low)).min(first);
        let end = (i32::from(place_of(high)) + 1).max(first + self.len() as i32);
        (low, end)
    }

    /// Widens the range so that it holds these bins.
    pub fn widen(&mut self, low: Bin, high: Bin) {
        let (first, end) = self.range_with(low, high);
        let (len, held) = ((end - first) as usize, self.len());
        let mut wider = Self::empty(first as i16, len);
        let at = (i32::from(self.first) - first) as usize;
        let (sums, counts) = wider.cells.split_at_mut(len);
        sums[at..][..held].copy_from_slice(&self.cells[..held]);
        counts[at * CHUNK_BINS..][..held * CHUNK_BINS].copy_from_slice(&self.cells[held..]);
        *self = Self { used: self.used, ..wider };
    }

    /// Adds counts by bin, which ascend, up to the first that lies beyond the range; gives that.
    pub fn add(&mut self, entries: &mut Entries<'_>) -> Option<(Bin, u64)> {
        let (first, len) = (i32::from(self.first) * CHUNK_BINS as i32, self.len());
        let (sums, counts) = self.cells.split_at_mut(len);
        for (bin, count) in entries {
            // Below the range it wraps, and is beyond as well.
            let at = (i32::from(bin) - first) as usize;
            let Some(cell) = counts.get_mut(at) else { return Some((bin, count)) };
            let sum = &mut sums[at / CHUNK_BINS];
            self.used += u16::from((*sum).into() == 0);
            *cell = counter((*cell).into() + count);
            *sum = counter((*sum).into() + count);
        }
        None
    }

    /// Adds the count of a bin, which lies in the range.
    pub fn add_one(&mut self, (bin, count): (Bin, u64)) {
        let len = self.len();
        let chunk = (i32::from(place_of(bin)) - i32::from(self.first)) as usize;
        self.used += u16::from(self.cells[chunk].into() == 0);
        for cell in [chunk, len + chunk * CHUNK_BINS + within(bin)] {
            self.cells[cell] = counter(self.cells[cell].into() + count);
        }
    }

    /// Takes away counts by bin that were added before; how many readings it was.
    ///
    /// # Panics
    /// If they were not.
    pub fn subtract(&mut self, entries: impl Iterator<Item = (Bin, u64)>) -> u64 {
        let (first, len) = (i32::from(self.first) * CHUNK_BINS as i32, self.len());
        let (sums, counts) = self.cells.split_at_mut(len);
        let mut n = 0;
        for (bin, count) in entries {
            let at = (i32::from(bin) - first) as usize;
            let left = counts[at].into().checked_sub(count);
            counts[at] = counter(left.expect("only what was added is subtracted"));
            let sum = &mut sums[at / CHUNK_BINS];
            *sum = counter((*sum).into() - count);
            self.used -= u16::from((*sum).into() == 0);
            n += count;
        }
        n
    }

    /// Calls `each` with the bins of the readings of these ranks; see [`super::sum::Sum`].
    pub fn at_ranks(&self, ranks: impl Iterator<Item = u64>, mut each: impl FnMut(Bin)) {
        let (sums, counts) = self.cells.split_at(self.len());
        let (mut at, mut below) = (0, 0);
        for rank in ranks {
            loop {
                let stride = &sums[at..sums.len().min(at + STRIDE)];
                let together: u64 = stride.iter().copied().sum::<C>().into();
                if rank <= below + together {
                    break;
                }
                below += together;
                at += STRIDE;
            }
            let mut seen = below;
            let chunk = at + seek(&sums[at..], rank, &mut seen);
            let bin = seek(&counts[chunk * CHUNK_BINS..][..CHUNK_BINS], rank, &mut seen);
            let first = i32::from(self.first) * CHUNK_BINS as i32;
            each((first + (chunk * CHUNK_BINS + bin) as i32) as Bin);
        }
    }
}

/// Which of these cells holds the reading of a rank, if `seen` readings lie before them; those
/// before that cell are added to it.
fn seek<C: Counter>(cells: &[C], rank: u64, seen: &mut u64) -> usize {
    let found = cells.iter().position(|&n| {
        let reached = *seen + n.into();
        let is_here = rank <= reached;
        if !is_here {
            *seen = reached;
        }
        is_here
    });
    found.expect("a sum is that of its parts, and no rank is beyond all")
}

impl Strip<u32> {
    /// The same with wider counters.
    #[must_use]
    pub fn widened(&self) -> Strip<u64> {
        let cells = self.cells.iter().copied().map(u64::from).collect();
        Strip { cells, first: self.first, used: self.used }
    }
}
