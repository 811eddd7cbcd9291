//! Formats whose frames are lines: what they share on the way from bytes to lines.

use std::{fmt::Debug, sync::Arc};

use super::{
    FieldTable, FrameRefusal, Frames, WireTally,
    decode::{Decode, Framing},
    delimited::Delimited,
    whole::Whole,
};
use crate::limits;

/// What a line turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A frame with so many samples, which have been appended.
    Frame(usize),
    /// Empty, or a remark.
    Nothing,
}

/// Makes frames of lines.
pub(super) trait ReadLine: Debug + Send {
    /// Reads one line of a read, without its end, and appends what it says to `out`: all of it or
    /// nothing.
    fn read(
        &mut self,
        line: &[u8],
        whole: Whole<'_>,
        arrived_ns: i64,
        out: &mut Frames,
    ) -> Result<Line, FrameRefusal>;

    /// What was said before does not hold for the next line: it may come from another sender.
    fn forget(&mut self) {}

    /// The names behind the samples.
    fn fields(&self) -> &Arc<FieldTable>;

    /// The columns that a header names.
    fn header(&self) -> Vec<&str> {
        Vec::new()
    }
}

/// Decoder of one source of lines.
///
/// A line is a frame; its end is LF or CR LF, and the last line of a datagram needs none.
#[derive(Debug)]
pub(super) struct Lines<R> {
    framing: Framing,
    cutter: Delimited,
    pub(super) reader: R,
}

impl<R: ReadLine> Lines<R> {
    pub(super) fn new(reader: R, framing: Framing) -> Self {
        Self { framing, cutter: Delimited::new(b'\n', limits::LINE_BYTES_MAX), reader }
    }
}

impl<R: ReadLine> Decode for Lines<R> {
    fn feed(&mut self, bytes: &[u8], arrived_ns: i64, out: &mut Frames, tally: &mut WireTally) {
        tally.bytes_in += bytes.len() as u64;
        let (reader, whole) = (&mut self.reader, Whole::of(bytes));
        let take = |line: &[u8], bytes, tally: &mut _| {
            read(reader, line, whole, bytes, arrived_ns, out, tally);
        };
        match self.framing {
            Framing::Stream => self.cutter.feed(bytes, tally, take),
            Framing::Datagram => {
                if bytes.is_empty() {
                    tally.refuse(FrameRefusal::Empty, 0);
                }
                self.cutter.feed_whole(bytes, tally, take);
                self.reader.forget();
            }
        }
    }

    fn finish(&mut self, arrived_ns: i64, out: &mut Frames, tally: &mut WireTally) {
        let reader = &mut self.reader;
        self.cutter.finish(tally, |line, bytes, tally| {
            read(reader, line, Whole::of(line), bytes, arrived_ns, out, tally);
        });
    }

    fn reset(&mut self, tally: &mut WireTally) {
        self.cutter.reset(tally);
        self.reader.forget();
    }

    fn buffered(&self) -> usize {
        self.cutter.buffered()
    }

    fn fields(&self) -> &Arc<FieldTable> {
        self.reader.fields()
    }

    fn header(&self) -> Vec<&str> {
        self.reader.header()
    }
}

/// Reads one line without its LF, and counts it as `bytes` bytes.
fn read(
    reader: &mut impl ReadLine,
    line: &[u8],
    whole: Whole<'_>,
    bytes: usize,
    arrived_ns: i64,
    out: &mut Frames,
    tally: &mut WireTally,
) {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match reader.read(line, whole, arrived_ns, out) {
        Ok(Line::Frame(samples)) => tally.accept(bytes, samples),
        Ok(Line::Nothing) => tally.bytes_skipped += bytes as u64,
        Err(why) => tally.refuse(why, bytes),
    }
}
