//! Cuts a byte stream at a delimiter, within a bound.
//!
//! Lines and stuffed blocks differ in the delimiter and in what is between two of them; how a
//! piece survives being split over many reads, and how an endless one is kept from filling the
//! memory, is the same and is here.

use memchr::memchr;

use super::{FrameRefusal, WireTally};

/// The cutter: holds the piece that has begun and not ended.
#[derive(Debug)]
pub(super) struct Delimited {
    delimiter: u8,
    bytes_max: usize,
    begun: Vec<u8>,
    /// The piece has outgrown the bound, is counted, and passes by up to its delimiter.
    passing: bool,
}

impl Delimited {
    /// Pieces may have `bytes_max` bytes, delimiter not included.
    pub(super) fn new(delimiter: u8, bytes_max: usize) -> Self {
        Self { delimiter, bytes_max, begun: Vec::new(), passing: false }
    }

    /// Hands each piece that `bytes` complete to `take`: without its delimiter, and with how many
    /// bytes it is to count as, which are the delimiter's too.
    ///
    /// A piece beyond the bound is refused as soon as that is known, so that a line without
    /// delimiters shows in the counts while it lasts; its further bytes are counted as they come.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        tally: &mut WireTally,
        mut take: impl FnMut(&[u8], usize, &mut WireTally),
    ) {
        let rest = self.pieces(bytes, tally, &mut take);
        if self.passing {
            tally.bytes_in_frames += rest.len() as u64;
        } else if self.begun.len() + rest.len() > self.bytes_max {
            tally.refuse(FrameRefusal::Oversize, self.begun.len() + rest.len());
            self.begun.clear();
            self.passing = true;
        } else {
            self.begun.extend_from_slice(rest);
        }
    }

    /// As [`Self::feed`] for bytes that nothing comes before or after: the last piece needs no
    /// delimiter.
    pub(super) fn feed_whole(
        &mut self,
        bytes: &[u8],
        tally: &mut WireTally,
        mut take: impl FnMut(&[u8], usize, &mut WireTally),
    ) {
        debug_assert!(self.begun.is_empty() && !self.passing);
        let rest = self.pieces(bytes, tally, &mut take);
        if self.bytes_max < rest.len() {
            tally.refuse(FrameRefusal::Oversize, rest.len());
        } else if !rest.is_empty() {
            take(rest, rest.len(), tally);
        }
    }

    /// Hands over each piece that is completed, and returns what follows the last.
    fn pieces<'b>(
        &mut self,
        mut bytes: &'b [u8],
        tally: &mut WireTally,
        take: &mut impl FnMut(&[u8], usize, &mut WireTally),
    ) -> &'b [u8] {
        while let Some(end) = memchr(self.delimiter, bytes) {
            let (piece, rest) = bytes.split_at(end);
            bytes = &rest[1..];
            if self.passing {
                tally.bytes_in_frames += piece.len() as u64 + 1;
                self.passing = false;
            } else if self.begun.len() + piece.len() > self.bytes_max {
                tally.refuse(FrameRefusal::Oversize, self.begun.len() + piece.len() + 1);
                self.begun.clear();
            } else if self.begun.is_empty() {
                take(piece, piece.len() + 1, tally);
            } else {
                self.begun.extend_from_slice(piece);
                take(&self.begun, self.begun.len() + 1, tally);
                self.begun.clear();
            }
        }
        bytes
    }

    /// The input has ended: hands what has begun to `take`; nothing follows it.
    pub(super) fn finish(
        &mut self,
        tally: &mut WireTally,
        take: impl FnOnce(&[u8], usize, &mut WireTally),
    ) {
        self.passing = false;
        if !self.begun.is_empty() {
            take(&self.begun, self.begun.len(), tally);
            self.begun.clear();
        }
    }

    /// The line went down: what has begun is refused.
    pub(super) fn reset(&mut self, tally: &mut WireTally) {
        self.finish(tally, |_, bytes, tally| tally.refuse(FrameRefusal::Partial, bytes));
    }

    /// Bytes of the piece that has begun.
    pub(super) fn buffered(&self) -> usize {
        self.begun.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the pieces one after the other; returns what came out and the counts.
    fn cut(fed: &[&[u8]]) -> (Vec<Vec<u8>>, WireTally, usize) {
        let mut cutter = Delimited::new(b'\n', 4);
        let mut tally = WireTally::default();
        let mut pieces = Vec::new();
        for bytes in fed {
            cutter.feed(bytes, &mut tally, |piece, bytes, tally| {
                tally.accept(bytes, 1);
                pieces.push(piece.to_vec());
            });
        }
        (pieces, tally, cutter.buffered())
    }

    #[test]
    fn a_piece_of_the_bound_passes_and_one_more_byte_does_not() {
        let (pieces, tally, buffered) = cut(&[b"abcd\nabcde\nx\ny"]);
        assert_eq!(pieces, [b"abcd".to_vec(), b"x".to_vec()]);
        assert_eq!((tally.frames_in, tally.refused[FrameRefusal::Oversize as usize]), (3, 1));
        assert_eq!((tally.bytes_in_frames, buffered), (13, 1));
    }

    #[test]
    fn an_endless_piece_is_counted_once_and_at_once() {
        let (pieces, tally, buffered) = cut(&[b"abc", b"de", b"fghijklmnop", b"q\nx\n"]);
        assert_eq!(pieces, [b"x".to_vec()]);
        assert_eq!(tally.refused[FrameRefusal::Oversize as usize], 1);
        assert_eq!((tally.bytes_in_frames, buffered), (20, 0));
        let (_, early, _) = cut(&[b"abcde"]);
        assert_eq!(early.refused[FrameRefusal::Oversize as usize], 1);
    }
}
