//! Formats whose frames are found by looking at each place where one may begin: what they share
//! on the way from bytes to frames.

use std::{fmt::Debug, sync::Arc};

use super::{
    FieldTable, FrameRefusal, Frames, WireTally,
    decode::{Decode, Framing},
    window::{Cut, Window},
};

/// What stands at the start of some bytes, with its length.
#[derive(Debug, PartialEq)]
pub(super) enum Found<F> {
    /// Nothing can be said before more bytes are there.
    More,
    /// No part of a frame.
    Noise(usize),
    /// A frame that is not sound.
    Refused(FrameRefusal, usize),
    /// A frame, as far as its form goes.
    Frame(F, usize),
}

impl<F> Found<F> {
    /// Counts what was found in so many bytes. A frame is read, which gives the number of its
    /// readings.
    #[inline]
    pub(super) fn count(
        self,
        bytes: usize,
        tally: &mut WireTally,
        read: impl FnOnce(F) -> Result<usize, FrameRefusal>,
    ) -> Cut {
        let taken = match self {
            Self::More => return Cut::More(bytes + 1),
            Self::Noise(length) => {
                tally.bytes_skipped += length as u64;
                length
            }
            Self::Refused(why, length) => {
                tally.refuse(why, length);
                length
            }
            Self::Frame(frame, length) => {
                match read(frame) {
                    Ok(readings) => tally.accept(length, readings),
                    Err(why) => tally.refuse(why, length),
                }
                length
            }
        };
        Cut::Took(taken)
    }
}

/// Makes frames of bytes.
pub(super) trait Seek: Debug + Send {
    /// Deals with what stands first in `bytes`, which are not empty, and counts it; `ended` says
    /// that nothing follows them. Without `ended` what it does must not depend on bytes behind
    /// what it takes.
    fn take(
        &mut self,
        bytes: &[u8],
        ended: bool,
        arrived_ns: i64,
        out: &mut Frames,
        tally: &mut WireTally,
    ) -> Cut;

    /// The next bytes do not follow the last ones.
    fn part(&mut self) {}

    /// The line went down: what was learned of the sender may not hold for the next.
    fn forget(&mut self) {}

    /// The names behind the samples.
    fn fields(&self) -> &Arc<FieldTable>;
}

/// Decoder of one source of frames that are looked for.
#[derive(Debug)]
pub(super) struct Seeker<R> {
    framing: Framing,
    window: Window,
    reader: R,
}

impl<R: Seek> Seeker<R> {
    pub(super) fn new(reader: R, framing: Framing) -> Self {
        Self { framing, window: Window::default(), reader }
    }
}

impl<R: Seek> Decode for Seeker<R> {
    fn feed(&mut self, bytes: &[u8], arrived_ns: i64, out: &mut Frames, tally: &mut WireTally) {
        tally.bytes_in += bytes.len() as u64;
        let ended = self.framing == Framing::Datagram;
        if ended && bytes.is_empty() {
            tally.refuse(FrameRefusal::Empty, 0);
        }
        let reader = &mut self.reader;
        self.window.feed(bytes, |bytes| reader.take(bytes, ended, arrived_ns, out, tally));
        if ended {
            self.finish(arrived_ns, out, tally);
            self.reader.part();
        }
    }

    fn finish(&mut self, arrived_ns: i64, out: &mut Frames, tally: &mut WireTally) {
        let reader = &mut self.reader;
        self.window.finish(tally, |bytes, tally| reader.take(bytes, true, arrived_ns, out, tally));
    }

    fn reset(&mut self, tally: &mut WireTally) {
        self.window.reset(tally);
        self.reader.part();
        self.reader.forget();
    }

    fn buffered(&self) -> usize {
        self.window.buffered()
    }

    fn fields(&self) -> &Arc<FieldTable> {
        self.reader.fields()
    }
}
