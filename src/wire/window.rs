//! The bytes of a stream of which nobody can tell yet what they are.
//!
//! For formats that find their frames by looking, and look again one byte further on when what
//! looked like a frame is none. How bytes survive being split over many reads is here; what they
//! are is the cutter's to say, and depends on them alone.

use super::{FrameRefusal, WireTally};

/// What a cutter says of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// So many of the first bytes, one at least, are dealt with and counted.
    Took(usize),
    /// Nothing can be said before there are so many bytes, which is more than there are.
    More(usize),
}

/// Bytes that wait for more.
#[derive(Debug, Default)]
pub(super) struct Window {
    held: Vec<u8>,
    /// How many bytes there must be before it is worth looking again.
    wanted: usize,
}

impl Window {
    /// Has `cut` look at what there is, from one place after the other, until it wants more.
    ///
    /// The cutter holds the bound: it must not want more forever.
    pub(super) fn feed(&mut self, bytes: &[u8], mut cut: impl FnMut(&[u8]) -> Cut) {
        if self.held.is_empty() {
            let taken = self.look(bytes, &mut cut);
            self.held.extend_from_slice(&bytes[taken..]);
            return;
        }
        self.held.extend_from_slice(bytes);
        if self.held.len() < self.wanted {
            return;
        }
        let mut held = std::mem::take(&mut self.held);
        let taken = self.look(&held, &mut cut);
        held.drain(..taken);
        self.held = held;
    }

    fn look(&mut self, bytes: &[u8], cut: &mut impl FnMut(&[u8]) -> Cut) -> usize {
        let mut taken = 0;
        while taken < bytes.len() {
            match cut(&bytes[taken..]) {
                Cut::Took(count) => {
                    debug_assert!(0 < count);
                    taken += count;
                }
                Cut::More(wanted) => {
                    debug_assert!(bytes.len() - taken < wanted);
                    self.wanted = wanted;
                    break;
                }
            }
        }
        taken
    }

    /// Nothing follows: has `cut` decide on what is left. Where it would want more, what is left is
    /// refused as partial.
    pub(super) fn finish(
        &mut self,
        tally: &mut WireTally,
        mut cut: impl FnMut(&[u8], &mut WireTally) -> Cut,
    ) {
        let mut rest = self.held.as_slice();
        while !rest.is_empty() {
            rest = match cut(rest, tally) {
                Cut::Took(count) => &rest[count..],
                Cut::More(_) => {
                    tally.refuse(FrameRefusal::Partial, rest.len());
                    break;
                }
            };
        }
        self.held.clear();
    }

    /// The line went down: what waits is refused.
    pub(super) fn reset(&mut self, tally: &mut WireTally) {
        if !self.held.is_empty() {
            tally.refuse(FrameRefusal::Partial, self.held.len());
            self.held.clear();
        }
    }

    /// Bytes that wait.
    pub(super) fn buffered(&self) -> usize {
        self.held.len()
    }
}
