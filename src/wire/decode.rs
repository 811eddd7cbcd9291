//! One decoder a source, chosen by format and framing.

use std::sync::Arc;

use super::{FieldTable, Frames, WireTally, native::NativeDecoder, text::TextDecoder};

/// The formats a source can speak.
#[derive(Clone, Debug, PartialEq)]
pub enum Format {
    /// Binary frame v1.
    Native,
    /// Lines of text.
    Text(TextOptions),
}

/// How text lines are read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextOptions {
    /// Fields with a channel of their own: known from the start and never crowded out.
    pub known: Vec<Arc<str>>,
    /// How many further field names may be taken up; 0 rejects unknown fields.
    pub discover: usize,
    /// The field that holds the time of the line rather than a value.
    pub timestamp: Option<Arc<str>>,
}

/// Whether the transport keeps frame boundaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Each slice handed over is one whole message.
    Datagram,
    /// Slices are arbitrary cuts of a byte stream.
    Stream,
}

/// Turns bytes into [`Frames`].
#[derive(Debug)]
pub enum Decoder {
    /// Native frames.
    Native(NativeDecoder),
    /// Text lines.
    Text(TextDecoder),
}

impl Decoder {
    /// A decoder that has seen nothing yet.
    #[must_use]
    pub fn new(format: &Format, framing: Framing) -> Self {
        match format {
            Format::Native => Self::Native(NativeDecoder::new(framing)),
            Format::Text(options) => Self::Text(TextDecoder::new(options, framing)),
        }
    }

    /// Feeds bytes that arrived at `arrived_ns`; appends to `out` and counts in `tally`.
    ///
    /// With [`Framing::Datagram`] the slice is one whole datagram.
    pub fn feed(&mut self, bytes: &[u8], arrived_ns: i64, out: &mut Frames, tally: &mut WireTally) {
        match self {
            Self::Native(decoder) => decoder.feed(bytes, arrived_ns, out, tally),
            Self::Text(decoder) => decoder.feed(bytes, arrived_ns, out, tally),
        }
    }

    /// The line went down: what is buffered is counted as a partial frame and forgotten, and so
    /// is all that a new connection must learn anew.
    pub fn reset(&mut self, tally: &mut WireTally) {
        match self {
            Self::Native(decoder) => decoder.reset(tally),
            Self::Text(decoder) => decoder.reset(tally),
        }
    }

    /// The input has ended for good: a last line without a line end counts as a line.
    pub fn finish(&mut self, arrived_ns: i64, out: &mut Frames, tally: &mut WireTally) {
        match self {
            Self::Native(decoder) => decoder.reset(tally),
            Self::Text(decoder) => decoder.finish(arrived_ns, out, tally),
        }
    }

    /// Bytes of a frame that has begun and not ended.
    #[must_use]
    pub fn buffered(&self) -> usize {
        match self {
            Self::Native(decoder) => decoder.buffered(),
            Self::Text(decoder) => decoder.buffered(),
        }
    }

    /// The names behind [`super::Sample::field`]; empty for formats that number their fields.
    #[must_use]
    pub fn fields(&self) -> &Arc<FieldTable> {
        match self {
            Self::Native(decoder) => decoder.fields(),
            Self::Text(decoder) => decoder.fields(),
        }
    }
}
