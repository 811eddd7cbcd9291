//! From bytes to JSON texts, for all formats that are JSON.

use std::{fmt::Debug, sync::Arc};

use super::parse::Parser;
use crate::{
    limits::JSON_BYTES_MAX,
    wire::{
        FieldTable, FrameRefusal, Frames, WireTally,
        decode::{Decode, Framing},
        delimited::Delimited,
        whole::Whole,
    },
};

/// Makes frames of JSON texts.
pub(in crate::wire) trait ReadJson: Debug + Send {
    /// Reads one text and appends what it says to `out`, all of it or nothing; how many samples.
    fn read(
        &mut self,
        parser: &mut Parser<'_>,
        arrived_ns: i64,
        out: &mut Frames,
    ) -> Result<usize, FrameRefusal>;

    /// The text without what wraps it.
    fn unwrapped<'t>(&self, text: &'t str) -> &'t str {
        text
    }

    /// The names behind the samples.
    fn fields(&self) -> &Arc<FieldTable>;
}

/// Decoder of one source of JSON.
///
/// In a stream a text does not go on in the next line; in a datagram it may.
#[derive(Debug)]
pub(in crate::wire) struct Messages<R> {
    framing: Framing,
    cutter: Delimited,
    reader: R,
}

impl<R: ReadJson> Messages<R> {
    pub(in crate::wire) fn new(reader: R, framing: Framing) -> Self {
        Self { framing, cutter: Delimited::new(b'\n', JSON_BYTES_MAX), reader }
    }
}

impl<R: ReadJson> Decode for Messages<R> {
    fn feed(&mut self, bytes: &[u8], arrived_ns: i64, out: &mut Frames, tally: &mut WireTally) {
        tally.bytes_in += bytes.len() as u64;
        let (reader, whole) = (&mut self.reader, Whole::of(bytes));
        if self.framing == Framing::Stream {
            self.cutter.feed(bytes, tally, |line, bytes, tally| {
                read_line(reader, line, whole, bytes, arrived_ns, out, tally);
            });
            return;
        }
        if bytes.is_empty() {
            tally.refuse(FrameRefusal::Empty, 0);
        }
        match whole.text_of(bytes) {
            Some(text) if text.len() <= JSON_BYTES_MAX => {
                texts(reader, text, 0, arrived_ns, out, tally);
            }
            _ => self.cutter.feed_whole(bytes, tally, |line, bytes, tally| {
                read_line(reader, line, whole, bytes, arrived_ns, out, tally);
            }),
        }
    }

    fn finish(&mut self, arrived_ns: i64, out: &mut Frames, tally: &mut WireTally) {
        let reader = &mut self.reader;
        self.cutter.finish(tally, |line, bytes, tally| {
            read_line(reader, line, Whole::of(line), bytes, arrived_ns, out, tally);
        });
    }

    fn reset(&mut self, tally: &mut WireTally) {
        self.cutter.reset(tally);
    }

    fn buffered(&self) -> usize {
        self.cutter.buffered()
    }

    fn fields(&self) -> &Arc<FieldTable> {
        self.reader.fields()
    }
}

/// Reads a line without its end, with which it counts as `bytes` bytes.
fn read_line(
    reader: &mut impl ReadJson,
    line: &[u8],
    whole: Whole<'_>,
    bytes: usize,
    arrived_ns: i64,
    out: &mut Frames,
    tally: &mut WireTally,
) {
    match whole.text_of(line) {
        Some(text) => texts(reader, text, bytes - line.len(), arrived_ns, out, tally),
        None => tally.refuse(FrameRefusal::NotText, bytes),
    }
}

/// Reads the texts that follow each other here, behind which are `more` bytes that belong to the
/// last. One that is wrong costs what comes up to its line end.
fn texts(
    reader: &mut impl ReadJson,
    mut text: &str,
    more: usize,
    arrived_ns: i64,
    out: &mut Frames,
    tally: &mut WireTally,
) {
    loop {
        if Parser::new(text).is_at_end() {
            tally.bytes_skipped += (text.len() + more) as u64;
            return;
        }
        let inner = reader.unwrapped(text);
        let mut parser = Parser::new(inner);
        let read = reader.read(&mut parser, arrived_ns, out);
        let length = match read {
            Ok(_) => {
                parser.is_at_end();
                text.len() - inner.len() + parser.at()
            }
            Err(_) => {
                let start = text.len() - text.trim_start_matches([' ', '\t', '\r', '\n']).len();
                text[start..].find('\n').map_or(text.len(), |end| start + end + 1)
            }
        };
        text = &text[length..];
        let bytes = if text.is_empty() { length + more } else { length };
        match read {
            Ok(samples) => tally.accept(bytes, samples),
            Err(why) => tally.refuse(why, bytes),
        }
        if text.is_empty() {
            return;
        }
    }
}
