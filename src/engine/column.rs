//! One quantity of all channels, in chunks that snapshots share.
//!
//! A [`Column`] is what a snapshot holds: it never changes. A [`Draft`] makes the next one. Each
//! chunk of 64 channels has two buffers: one that the latest column shows, and a spare, which the
//! column before showed. A write goes to the spare; a publication brings it up to date, by
//! copying no more than what was written the time before and not since, and swaps the two. What
//! a publication costs is therefore what changed, and once every chunk has its two buffers,
//! nothing is allocated any more, unless somebody still reads the spare: then it is left to the
//! reader, and another one is made. Where chunks are many, a publication can be prepared some of
//! them at a time.

use std::{fmt, mem, ops::Range, sync::Arc};

use crate::limits::CHANNELS_PER_CHUNK;

/// Cells by dense channel index, none or several a channel: immutable, and cheap to clone.
pub struct Column<T> {
    chunks: Arc<Vec<Arc<Chunk<T>>>>,
}

/// The next [`Column`], as it is being written.
#[derive(Debug)]
pub struct Draft<T> {
    /// What the latest column shows.
    shown: Arc<Vec<Arc<Chunk<T>>>>,
    /// What the one before showed; the next will be made of it.
    back: Arc<Vec<Arc<Chunk<T>>>>,
    /// Whether `back` is this draft's alone, and has every chunk that `shown` has.
    begun: bool,
    spares: Vec<Spare<T>>,
    /// Chunks that were written.
    open: Vec<usize>,
    /// How many of them are closed again, in `back`.
    closed: usize,
    /// Chunks in which `back` was behind `shown` after the latest publication.
    behind: Vec<usize>,
    channels: usize,
}

/// The cells of neighbouring channels.
#[derive(Clone, Debug)]
struct Chunk<T> {
    places: Places,
    cells: Vec<T>,
}

/// Where the cells of each channel of a chunk end.
#[derive(Clone, Copy, Debug)]
struct Places([u16; CHANNELS_PER_CHUNK]);

/// What the draft keeps of a chunk.
#[derive(Debug)]
struct Spare<T> {
    places: Places,
    /// A buffer that was shown before, and may still be read.
    chunk: Option<Arc<Chunk<T>>>,
    /// Its cells while the chunk is open.
    cells: Vec<T>,
    /// Channels, one bit each, in which the spare is behind what is shown.
    stale: u64,
    /// Channels written since the last publication; the chunk is open unless there is none.
    written: u64,
    /// Whether `back` shows another buffer than `shown`.
    is_behind: bool,
}

const _: () = assert!(CHANNELS_PER_CHUNK == u64::BITS as usize);

impl<T> Column<T> {
    /// The cells of a channel; none for a channel that is not there.
    #[must_use]
    pub fn cells(&self, channel: usize) -> &[T] {
        let chunk = self.chunks.get(channel / CHANNELS_PER_CHUNK);
        chunk.map_or(&[], |chunk| &chunk.cells[chunk.places.of(channel % CHANNELS_PER_CHUNK)])
    }

    /// Whether both columns show the same buffer for this channel.
    #[cfg(test)]
    fn shares(&self, other: &Self, channel: usize) -> bool {
        let chunk = channel / CHANNELS_PER_CHUNK;
        Arc::ptr_eq(&self.chunks[chunk], &other.chunks[chunk])
    }
}

impl<T> Clone for Column<T> {
    fn clone(&self) -> Self {
        Self { chunks: Arc::clone(&self.chunks) }
    }
}

impl<T> Default for Column<T> {
    fn default() -> Self {
        Self { chunks: Arc::default() }
    }
}

impl<T> fmt::Debug for Column<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Column").field("chunks", &self.chunks.len()).finish()
    }
}

impl<T> Default for Draft<T> {
    fn default() -> Self {
        Self {
            shown: Arc::default(),
            back: Arc::default(),
            begun: false,
            spares: Vec::new(),
            open: Vec::new(),
            closed: 0,
            behind: Vec::new(),
            channels: 0,
        }
    }
}

impl<T: Copy + Default> Draft<T> {
    /// Bytes that a channel with this many cells takes: what is shown and the spare.
    #[must_use]
    pub const fn bytes_per_channel(cells: usize) -> usize {
        let chunk = size_of::<Chunk<T>>() + size_of::<Arc<Chunk<T>>>();
        2 * (cells * size_of::<T>() + chunk.div_ceil(CHANNELS_PER_CHUNK))
            + size_of::<Spare<T>>().div_ceil(CHANNELS_PER_CHUNK)
    }

    /// Adds the next channel, with so many cells, each with its default value.
    pub fn add(&mut self, cells: usize) {
        let (chunk, at) = place(self.channels);
        if self.spares.len() <= chunk {
            self.spares.push(Spare::default());
        }
        self.channels += 1;
        self.write(self.channels - 1);
        let spare = &mut self.spares[chunk];
        spare.places.add(at, cells);
        spare.fit();
    }

    /// Channels that were added.
    #[must_use]
    pub fn len(&self) -> usize {
        self.channels
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.channels == 0
    }

    /// The cells of a channel, to be written anew: what they hold may be of an earlier column.
    /// None is written between [`Self::prepare`] and [`Self::publish`].
    pub fn write(&mut self, channel: usize) -> &mut [T] {
        let (chunk, at) = place(channel);
        if self.spares[chunk].written == 0 {
            self.open(chunk);
        }
        let spare = &mut self.spares[chunk];
        spare.written |= 1 << at;
        &mut spare.cells[spare.places.of(at)]
    }

    /// The cells of a channel as the latest column shows them; none if it does not have it.
    #[must_use]
    pub fn latest(&self, channel: usize) -> &[T] {
        let (chunk, at) = place(channel);
        self.shown.get(chunk).map_or(&[], |chunk| &chunk.cells[chunk.places.of(at)])
    }

    /// Prepares about so many chunks for the next publication; says how many it did, fewer than
    /// asked for if all of them are ready.
    pub fn prepare(&mut self, chunks: usize) -> usize {
        let mut done = 0;
        // Chunks that were not written show in the next column what they show in the latest.
        while done < chunks
            && !self.open.is_empty()
            && let Some(chunk) = self.behind.pop()
        {
            self.catch_up(chunk);
            done += 1;
        }
        while done < chunks && self.closed < self.open.len() {
            self.close(self.open[self.closed]);
            self.closed += 1;
            done += 1;
        }
        done
    }

    /// Chunks that were written, and are not prepared.
    #[must_use]
    pub fn owed(&self) -> usize {
        self.open.len() - self.closed
    }

    /// What was written, with what was not, as a column that shows it from now on.
    pub fn publish(&mut self) -> Column<T> {
        self.prepare(usize::MAX);
        if !self.open.is_empty() {
            mem::swap(&mut self.shown, &mut self.back);
            mem::swap(&mut self.open, &mut self.behind);
            (self.begun, self.closed) = (false, 0);
        }
        Column { chunks: Arc::clone(&self.shown) }
    }

    /// Makes the buffers of the chunk ready for writing.
    fn open(&mut self, chunk: usize) {
        debug_assert!(self.closed == 0, "nothing is written before what is prepared is published");
        if !mem::replace(&mut self.begun, true) {
            self.begin();
        }
        self.catch_up(chunk);
        self.open.push(chunk);
        self.spares[chunk].open(self.shown.get(chunk).map(Arc::as_ref));
    }

    /// Makes `back` this draft's alone.
    fn begin(&mut self) {
        match Arc::get_mut(&mut self.back) {
            Some(back) => back.extend_from_slice(&self.shown[back.len()..]),
            None => {
                self.back = Arc::new(Vec::clone(&self.shown));
                for chunk in self.behind.drain(..) {
                    self.spares[chunk].is_behind = false;
                }
            }
        }
    }

    /// Takes a buffer that is shown no longer out of `back`.
    fn catch_up(&mut self, chunk: usize) {
        if mem::take(&mut self.spares[chunk].is_behind) {
            self.back_mut()[chunk] = Arc::clone(&self.shown[chunk]);
        }
    }

    /// Puts what was written of a chunk into `back`.
    fn close(&mut self, chunk: usize) {
        let spare = &mut self.spares[chunk];
        let closed = spare.close(self.shown.get(chunk).map(Arc::as_ref));
        // As it will be once it is published.
        spare.is_behind = true;
        let shown = Arc::clone(&closed);
        match self.back_mut().get_mut(chunk) {
            // It shows the buffer that now becomes the spare.
            Some(place) => self.spares[chunk].chunk = Some(mem::replace(place, shown)),
            None => self.back_mut().push(shown),
        }
    }

    fn back_mut(&mut self) -> &mut Vec<Arc<Chunk<T>>> {
        Arc::get_mut(&mut self.back).expect("to begin made it our own")
    }
}

impl<T> Default for Spare<T> {
    fn default() -> Self {
        Self {
            places: Places::NONE,
            chunk: None,
            cells: Vec::new(),
            stale: 0,
            written: 0,
            is_behind: false,
        }
    }
}

impl<T: Copy + Default> Spare<T> {
    fn open(&mut self, shown: Option<&Chunk<T>>) {
        match self.chunk.as_mut().and_then(Arc::get_mut) {
            Some(chunk) => self.cells = mem::take(&mut chunk.cells),
            None => {
                self.chunk = None;
                self.cells = shown.map_or_else(Vec::new, |shown| shown.cells.clone());
                self.stale = 0;
            }
        }
        self.fit();
    }

    /// Gives channels that were added since their cells.
    fn fit(&mut self) {
        self.cells.resize(self.places.total(), T::default());
    }

    /// Brings the spare up to date and makes it what is to be shown.
    fn close(&mut self, shown: Option<&Chunk<T>>) -> Arc<Chunk<T>> {
        let written = mem::take(&mut self.written);
        let behind = mem::replace(&mut self.stale, written) & !written;
        if let Some(shown) = shown {
            for at in bits(behind) {
                let cells = self.places.of(at);
                self.cells[cells.clone()].copy_from_slice(&shown.cells[cells]);
            }
        }
        let (places, cells) = (self.places, mem::take(&mut self.cells));
        match self.chunk.take() {
            Some(mut chunk) => {
                *Arc::get_mut(&mut chunk).expect("it was when it was opened") =
                    Chunk { places, cells };
                chunk
            }
            None => Arc::new(Chunk { places, cells }),
        }
    }
}

impl Places {
    const NONE: Self = Self([0; CHANNELS_PER_CHUNK]);

    /// Gives the next channel so many cells.
    fn add(&mut self, at: usize, cells: usize) {
        let end = u16::try_from(self.total() + cells).expect("few cells a channel");
        self.0[at..].fill(end);
    }

    fn of(&self, at: usize) -> Range<usize> {
        let start = at.checked_sub(1).map_or(0, |before| self.0[before]);
        usize::from(start)..usize::from(self.0[at])
    }

    fn total(&self) -> usize {
        usize::from(self.0[CHANNELS_PER_CHUNK - 1])
    }
}

/// Chunk of a channel, and its place in there.
fn place(channel: usize) -> (usize, usize) {
    (channel / CHANNELS_PER_CHUNK, channel % CHANNELS_PER_CHUNK)
}

/// Positions of the bits that are set, ascending.
pub(super) fn bits(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let at = (word != 0).then(|| word.trailing_zeros() as usize)?;
        word &= word - 1;
        Some(at)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    /// What happens to a draft.
    #[derive(Clone, Debug)]
    enum Move {
        Add { cells: usize },
        Write { channel: usize, value: u32 },
        Publish { held: bool, slices: Vec<usize> },
        LetGo,
    }

    fn any_move() -> impl Strategy<Value = Move> {
        prop_oneof![
            2 => (0..4_usize).prop_map(|cells| Move::Add { cells }),
            8 => (any::<usize>(), any::<u32>())
                .prop_map(|(channel, value)| Move::Write { channel, value }),
            4 => (any::<bool>(), proptest::collection::vec(1..4_usize, 0..4))
                .prop_map(|(held, slices)| Move::Publish { held, slices }),
            2 => Just(Move::LetGo),
        ]
    }

    fn read(column: &Column<u32>, channels: usize) -> Vec<Vec<u32>> {
        (0..channels).map(|channel| column.cells(channel).to_vec()).collect()
    }

    proptest! {
        /// A column shows what a copy of everything would, and goes on showing it while it is
        /// held, whatever is written and published since.
        #[test]
        fn columns_are_as_copies(
            first in 0..200_usize,
            moves in proptest::collection::vec(any_move(), 0..120),
        ) {
            let mut draft = Draft::<u32>::default();
            let mut naive: Vec<Vec<u32>> = Vec::new();
            let mut held: VecDeque<(Column<u32>, Vec<Vec<u32>>)> = VecDeque::new();
            let adds = (0..first).map(|at| Move::Add { cells: at % 3 });
            let publish = Move::Publish { held: true, slices: vec![1] };
            for step in adds.chain(moves).chain([publish]) {
                match step {
                    Move::Add { cells } => {
                        draft.add(cells);
                        naive.push(vec![0; cells]);
                    }
                    Move::Write { channel, value } if !naive.is_empty() => {
                        let channel = channel % naive.len();
                        naive[channel].fill(value);
                        draft.write(channel).fill(value);
                    }
                    Move::Write { .. } => {}
                    Move::Publish { held: hold, slices } => {
                        for chunks in slices {
                            prop_assert!(draft.prepare(chunks) <= chunks);
                        }
                        let column = draft.publish();
                        prop_assert_eq!(&read(&column, naive.len()), &naive);
                        prop_assert!(column.cells(naive.len()).is_empty());
                        if hold {
                            held.push_back((column, naive.clone()));
                        }
                    }
                    Move::LetGo => drop(held.pop_front()),
                }
            }
            for (column, then) in &held {
                prop_assert_eq!(&read(column, then.len()), then);
            }
        }
    }

    fn filled(channels: usize) -> Draft<u32> {
        let mut draft = Draft::default();
        (0..channels).for_each(|_| draft.add(1));
        draft
    }

    #[test]
    fn what_did_not_change_is_shared() {
        let mut draft = filled(200);
        let first = draft.publish();
        draft.write(70).fill(7);
        let second = draft.publish();
        let shared = [0, 64, 128, 192].map(|channel| first.shares(&second, channel));
        assert_eq!(shared, [true, false, true, true]);
        assert_eq!((first.cells(70), second.cells(70)), (&[0][..], &[7][..]));
        assert!(Arc::ptr_eq(&second.chunks, &draft.publish().chunks), "nothing was written");
    }

    #[test]
    fn two_buffers_take_turns_while_nobody_holds_one() {
        let mut draft = filled(64);
        let mut buffers = Vec::new();
        let mut latest = draft.publish();
        for value in 0..6 {
            draft.write(3).fill(value);
            latest = draft.publish();
            buffers.push(latest.chunks[0].cells.as_ptr());
        }
        assert_eq!(buffers[0], buffers[2]);
        assert_eq!(buffers[1], buffers[5]);
        let reader = latest.clone();
        for value in 6..9 {
            draft.write(3).fill(value);
            latest = draft.publish();
            assert_ne!(latest.chunks[0].cells.as_ptr(), reader.chunks[0].cells.as_ptr());
        }
        assert_eq!((reader.cells(3), latest.cells(3)), (&[5][..], &[8][..]));
    }
}
