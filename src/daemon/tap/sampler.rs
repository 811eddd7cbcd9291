//! Which bytes made which frame, for some of the frames while somebody looks on.
//!
//! Decoders promise the same frames however a stream is cut. So the reads that are looked at are
//! fed byte by byte, and between two bytes it shows which frame, or which refusal, the bytes so
//! far have made. That costs time, so only so many frames are looked at in a while; the others are
//! fed as ever, and counted as passed over.

use std::sync::Arc;

use crate::{
    engine::trace::{Fate, Mark},
    limits::{TAP_FRAMES_PER_SLICE, TAP_SLICE_NS},
    wire::{Decoder, FrameRefusal, Frames, WireTally, decode::Framing},
};

/// What a source remembers of its bytes while somebody looks on.
#[derive(Debug, Default)]
pub(super) struct Sampler {
    /// The bytes that are not yet part of a frame.
    pending: Vec<u8>,
    /// Bytes that were buffered before anybody looked on are not among them.
    is_cut: bool,
    /// The stretch of time that the budget is for.
    slice: Option<i64>,
    left: usize,
}

/// What is fed, and where to.
pub(in crate::daemon) struct Feeding<'a> {
    pub(in crate::daemon) decoder: &'a mut Decoder,
    pub(in crate::daemon) frames: &'a mut Frames,
    pub(in crate::daemon) wire: &'a mut WireTally,
    pub(in crate::daemon) marks: &'a mut Vec<Mark>,
    pub(in crate::daemon) arrived_ns: i64,
}

impl Sampler {
    /// Somebody begins to look on.
    pub(super) fn begin(&mut self, decoder: &Decoder) {
        self.pending.clear();
        self.is_cut = 0 < decoder.buffered();
    }

    /// Feeds bytes; returns how many frames were passed over.
    pub(super) fn feed(&mut self, bytes: &[u8], framing: Framing, to: &mut Feeding<'_>) -> u64 {
        let slice = Some(to.arrived_ns.div_euclid(TAP_SLICE_NS));
        if slice != self.slice {
            (self.slice, self.left) = (slice, TAP_FRAMES_PER_SLICE);
        }
        let (frames_before, marks_before) = (to.wire.frames_in, to.marks.len());
        if framing == Framing::Stream && 0 < self.left {
            bytes.iter().for_each(|byte| self.step(std::slice::from_ref(byte), to));
        } else {
            self.step(bytes, to);
        }
        let marked = (to.marks.len() - marks_before) as u64;
        (to.wire.frames_in - frames_before).saturating_sub(marked)
    }

    /// The line went down, which the decoder has been told: what had begun is refused.
    pub(super) fn reset(&mut self, refused_before: &[u64], to: &mut Feeding<'_>) {
        self.mark_refused(refused_before, to);
        self.pending.clear();
        self.is_cut = false;
    }

    fn step(&mut self, bytes: &[u8], to: &mut Feeding<'_>) {
        self.pending.extend_from_slice(bytes);
        let (heads, refused) = (to.frames.heads.len(), to.wire.refused);
        to.decoder.feed(bytes, to.arrived_ns, to.frames, to.wire);
        // What a decoder holds is always the end of what it was fed.
        let keep = to.decoder.buffered().min(self.pending.len());
        if heads < to.frames.heads.len() || refused != to.wire.refused {
            let rest = self.pending.split_off(self.pending.len() - keep);
            let made: Arc<[u8]> = self.pending.as_slice().into();
            for head in heads..to.frames.heads.len() {
                self.mark(Fate::Decoded(head), &made, to);
            }
            self.mark_refused(&refused, to);
            self.pending = rest;
            self.is_cut = false;
        } else if keep < self.pending.len() {
            self.pending.drain(..self.pending.len() - keep);
            self.is_cut &= 0 < keep;
        }
    }

    fn mark_refused(&mut self, before: &[u64], to: &mut Feeding<'_>) {
        let bytes: Arc<[u8]> = self.pending.as_slice().into();
        for why in FrameRefusal::ALL {
            if before[why as usize] < to.wire.refused[why as usize] {
                self.mark(Fate::Refused(why), &bytes, to);
            }
        }
    }

    fn mark(&mut self, fate: Fate, bytes: &Arc<[u8]>, to: &mut Feeding<'_>) {
        if self.left == 0 {
            return;
        }
        self.left -= 1;
        let (arrived_ns, bytes) = (to.arrived_ns, Arc::clone(bytes));
        to.marks.push(Mark { fate, arrived_ns, bytes, is_cut: self.is_cut });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{
        decode::{Format, Naming},
        text::TextOptions,
    };

    fn text() -> Format {
        let naming = Naming { discover: 100, ..Naming::default() };
        Format::Text(TextOptions { naming, ..TextOptions::default() })
    }

    /// The bytes and fates of the marks, and how many frames were passed over.
    fn marked(reads: &[&[u8]], framing: Framing) -> (Vec<(Vec<u8>, Fate)>, u64) {
        let mut decoder = Decoder::new(&text(), framing);
        let (mut frames, mut wire, mut marks) = Default::default();
        let mut sampler = Sampler::default();
        sampler.begin(&decoder);
        let mut passed = 0;
        for read in reads {
            let mut to = Feeding {
                decoder: &mut decoder,
                frames: &mut frames,
                wire: &mut wire,
                marks: &mut marks,
                arrived_ns: 1,
            };
            passed += sampler.feed(read, framing, &mut to);
        }
        let marks = marks.into_iter().map(|mark: Mark| (mark.bytes.to_vec(), mark.fate));
        (marks.collect(), passed)
    }

    #[test]
    fn each_frame_of_a_stream_has_its_own_bytes() {
        let (marks, passed) =
            marked(&[b"t:1\n# x\nnons", b"ense\nt:2", b",h:3\n"], Framing::Stream);
        assert_eq!(
            marks,
            [
                (b"t:1\n".to_vec(), Fate::Decoded(0)),
                (b"nonsense\n".to_vec(), Fate::Refused(FrameRefusal::Malformed)),
                (b"t:2,h:3\n".to_vec(), Fate::Decoded(1)),
            ]
        );
        assert_eq!(passed, 0);
    }

    #[test]
    fn the_frames_of_a_datagram_share_its_bytes_and_an_empty_one_is_refused() {
        let (marks, _) = marked(&[b"t:1\nt:2", b""], Framing::Datagram);
        let all = b"t:1\nt:2".to_vec();
        assert_eq!(
            marks,
            [
                (all.clone(), Fate::Decoded(0)),
                (all, Fate::Decoded(1)),
                (Vec::new(), Fate::Refused(FrameRefusal::Empty)),
            ]
        );
    }

    #[test]
    fn beyond_the_budget_frames_are_passed_over_and_counted() {
        let lines = b"t:1\n".repeat(TAP_FRAMES_PER_SLICE + 7);
        let (marks, passed) = marked(&[&lines, b"t:2\n"], Framing::Stream);
        assert_eq!((marks.len(), passed), (TAP_FRAMES_PER_SLICE, 8));
    }
}
