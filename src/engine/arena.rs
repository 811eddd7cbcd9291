//! Flat memory for many channels, a piece for each.

use crate::limits::CHANNELS_PER_CHUNK;

/// Equal pieces of memory, one a channel, that lie side by side.
///
/// It grows by chunks of [`CHANNELS_PER_CHUNK`] channels: no growth moves more than one chunk,
/// and a few channels take little more than their own.
#[derive(Debug)]
pub struct Arena<T> {
    piece: usize,
    chunks: Vec<Vec<T>>,
}

impl<T: Clone> Arena<T> {
    /// An arena without channels, for pieces of this many.
    #[must_use]
    pub fn new(piece: usize) -> Self {
        Self { piece, chunks: Vec::new() }
    }

    /// Adds the piece of the next channel.
    pub fn add(&mut self, value: T) {
        let whole = CHANNELS_PER_CHUNK * self.piece;
        if self.chunks.last().is_none_or(|chunk| chunk.len() == whole) {
            self.chunks.push(Vec::new());
        }
        let chunk = self.chunks.last_mut().expect("one was pushed if there was none");
        if chunk.len() == chunk.capacity() {
            let doubled = (2 * chunk.len()).max(self.piece).min(whole);
            chunk.reserve_exact(doubled - chunk.len());
        }
        chunk.extend(std::iter::repeat_n(value, self.piece));
    }

    /// The piece of a channel.
    #[must_use]
    pub fn piece(&self, nth: usize) -> &[T] {
        let from = nth % CHANNELS_PER_CHUNK * self.piece;
        &self.chunks[nth / CHANNELS_PER_CHUNK][from..from + self.piece]
    }

    /// The piece of a channel.
    #[must_use]
    pub fn piece_mut(&mut self, nth: usize) -> &mut [T] {
        let from = nth % CHANNELS_PER_CHUNK * self.piece;
        &mut self.chunks[nth / CHANNELS_PER_CHUNK][from..from + self.piece]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_channel_has_a_piece_of_its_own() {
        let mut arena = Arena::new(3);
        (0..200).for_each(|nth| arena.add(nth));
        for nth in 0..200 {
            assert_eq!(arena.piece(nth), [nth; 3]);
            arena.piece_mut(nth).fill(nth + 1_000);
        }
        assert!((0..200).all(|nth| arena.piece(nth) == [nth + 1_000; 3]));
    }

    #[test]
    fn a_chunk_takes_no_more_than_it_holds_once_it_is_full() {
        let mut arena = Arena::new(5);
        (0..CHANNELS_PER_CHUNK).for_each(|_| arena.add(0_u64));
        assert_eq!(arena.chunks[0].capacity(), 5 * CHANNELS_PER_CHUNK);
    }
}
