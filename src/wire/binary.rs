//! Binary frames that the configuration declares: how they are found, what is checked, and where
//! their values are.
//!
//! Frames that begin with certain bytes are looked for byte by byte: what has no such beginning is
//! skipped, and after a frame that is not sound the search goes on at the byte behind its first.
//! Frames without a beginning of their own (a fixed or a told length alone) are sound where one
//! follows the other; where that is lost, one is refused, and bytes are skipped until the checksum
//! and the required bytes fit again.

mod layout;
mod number;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use memchr::memmem;

pub use self::{
    layout::{
        Check, Counted, FieldRule, Kind, Layout, LayoutError, Length, Place, Require, Scaling,
    },
    number::{Bits, Number, Raw},
};
use super::{
    DeviceClock, FieldTable, FrameRefusal, Frames, WireTally, cobs,
    decode::{Decode, Framing, Naming},
    delimited::Delimited,
    draft::Draft,
    names::Names,
    slip,
    window::{Cut, Window},
};

/// How declared frames are read.
#[derive(Clone, Debug, PartialEq)]
pub struct BinaryOptions {
    /// Which names are taken up.
    pub naming: Naming,
    /// What the frames look like.
    pub layout: Arc<Layout>,
}

/// Decoder of one source of declared frames.
#[derive(Debug)]
pub(super) struct BinaryDecoder {
    framing: Framing,
    cutter: Cutter,
    reader: Reader,
}

/// What is held until it is a frame.
#[derive(Debug)]
enum Cutter {
    Delimited(Delimited, Stuffing),
    Counted {
        window: Window,
        counted: Counted,
        /// The last frame was sound, or nothing has come yet.
        aligned: bool,
    },
    Gap {
        gap_ns: i64,
        bytes_max: usize,
        held: Vec<u8>,
        /// When the last byte arrived.
        last_ns: i64,
        /// The frame has outgrown the bound, is counted, and passes by up to the next pause.
        passing: bool,
    },
    Whole {
        bytes_max: usize,
    },
}

/// What makes a frame of a piece between two delimiters.
#[derive(Clone, Copy, Debug)]
enum Stuffing {
    Line,
    Cobs,
    Slip,
}

/// Takes the values out of frames.
#[derive(Debug)]
struct Reader {
    layout: Arc<Layout>,
    names: Names,
    /// A frame while it is unstuffed.
    unstuffed: Vec<u8>,
}

impl BinaryDecoder {
    pub(super) fn new(options: &BinaryOptions, framing: Framing) -> Self {
        let delimited =
            |delimiter, max, stuffing| Cutter::Delimited(Delimited::new(delimiter, max), stuffing);
        let cutter = match options.layout.kind() {
            // The CR of a line is none of its bytes.
            Kind::Line { max } => delimited(b'\n', *max + 1, Stuffing::Line),
            Kind::Cobs { max } => delimited(0, *max, Stuffing::Cobs),
            Kind::Slip { max } => delimited(slip::END, *max, Stuffing::Slip),
            Kind::Counted(counted) => Cutter::Counted {
                window: Window::default(),
                counted: counted.clone(),
                aligned: true,
            },
            Kind::IdleGap { gap_ns, max } if framing == Framing::Stream => Cutter::Gap {
                gap_ns: *gap_ns,
                bytes_max: *max,
                held: Vec::new(),
                last_ns: i64::MIN,
                passing: false,
            },
            Kind::IdleGap { max, .. } | Kind::Datagram { max } => Cutter::Whole { bytes_max: *max },
        };
        let reader = Reader {
            layout: Arc::clone(&options.layout),
            names: Names::new(&options.naming),
            unstuffed: Vec::new(),
        };
        Self { framing, cutter, reader }
    }

    /// A pause has ended what is held, if it has lasted long enough.
    fn pause(&mut self, now_ns: i64, out: &mut Frames, tally: &mut WireTally) {
        let Cutter::Gap { gap_ns, held, last_ns, passing, .. } = &mut self.cutter else { return };
        if now_ns.saturating_sub(*last_ns) < *gap_ns {
            return;
        }
        *passing = false;
        if !held.is_empty() {
            self.reader.count(held, held.len(), *last_ns, out, tally);
            held.clear();
        }
    }
}

impl Decode for BinaryDecoder {
    fn feed(&mut self, bytes: &[u8], arrived_ns: i64, out: &mut Frames, tally: &mut WireTally) {
        tally.bytes_in += bytes.len() as u64;
        if bytes.is_empty() && self.framing == Framing::Datagram {
            tally.refuse(FrameRefusal::Empty, 0);
            return;
        }
        self.pause(arrived_ns, out, tally);
        let reader = &mut self.reader;
        match &mut self.cutter {
            Cutter::Delimited(pieces, stuffing) => {
                pieces.feed(bytes, tally, |piece, bytes, tally| {
                    reader.piece(piece, bytes, *stuffing, arrived_ns, out, tally);
                });
            }
            Cutter::Counted { window, counted, aligned } => window.feed(bytes, |bytes| {
                reader.take(bytes, counted, aligned, false, arrived_ns, out, tally)
            }),
            Cutter::Gap { bytes_max, held, last_ns, passing, .. } => {
                *last_ns = arrived_ns;
                if *passing {
                    tally.bytes_in_frames += bytes.len() as u64;
                } else if *bytes_max < held.len() + bytes.len() {
                    tally.refuse(FrameRefusal::Oversize, held.len() + bytes.len());
                    held.clear();
                    *passing = true;
                } else {
                    held.extend_from_slice(bytes);
                }
            }
            Cutter::Whole { bytes_max } if *bytes_max < bytes.len() => {
                tally.refuse(FrameRefusal::Oversize, bytes.len());
            }
            Cutter::Whole { .. } if bytes.is_empty() => {}
            Cutter::Whole { .. } => reader.count(bytes, bytes.len(), arrived_ns, out, tally),
        }
        if self.framing == Framing::Datagram {
            self.finish(arrived_ns, out, tally);
        }
    }

    fn pending_ns(&self) -> Option<i64> {
        match &self.cutter {
            Cutter::Gap { held, last_ns, .. } if !held.is_empty() => Some(*last_ns),
            _ => None,
        }
    }

    fn tick(&mut self, now_ns: i64, out: &mut Frames, tally: &mut WireTally) {
        self.pause(now_ns, out, tally);
    }

    fn finish(&mut self, arrived_ns: i64, out: &mut Frames, tally: &mut WireTally) {
        let reader = &mut self.reader;
        match &mut self.cutter {
            Cutter::Delimited(pieces, stuffing) => pieces.finish(tally, |piece, bytes, tally| {
                match (self.framing, *stuffing) {
                    // A datagram ends what is in it, and so does the input a line.
                    (Framing::Datagram, _) | (_, Stuffing::Line) => {
                        reader.piece(piece, bytes, *stuffing, arrived_ns, out, tally);
                    }
                    _ => tally.refuse(FrameRefusal::Partial, bytes),
                }
            }),
            Cutter::Counted { window, counted, aligned } => {
                window.finish(tally, |bytes, tally| {
                    reader.take(bytes, counted, aligned, true, arrived_ns, out, tally)
                });
                *aligned = true;
            }
            Cutter::Gap { .. } => self.pause(i64::MAX, out, tally),
            Cutter::Whole { .. } => {}
        }
    }

    fn reset(&mut self, tally: &mut WireTally) {
        match &mut self.cutter {
            Cutter::Delimited(pieces, _) => pieces.reset(tally),
            Cutter::Counted { window, aligned, .. } => {
                window.reset(tally);
                *aligned = true;
            }
            Cutter::Gap { held, passing, .. } => {
                *passing = false;
                if !held.is_empty() {
                    tally.refuse(FrameRefusal::Partial, held.len());
                    held.clear();
                }
            }
            Cutter::Whole { .. } => {}
        }
    }

    fn buffered(&self) -> usize {
        match &self.cutter {
            Cutter::Delimited(pieces, _) => pieces.buffered(),
            Cutter::Counted { window, .. } => window.buffered(),
            Cutter::Gap { held, .. } => held.len(),
            Cutter::Whole { .. } => 0,
        }
    }

    fn fields(&self) -> &Arc<FieldTable> {
        self.reader.names.table()
    }
}

impl Reader {
    /// Makes a frame of what stood between two delimiters, and counts it as `length` bytes.
    fn piece(
        &mut self,
        piece: &[u8],
        length: usize,
        stuffing: Stuffing,
        arrived_ns: i64,
        out: &mut Frames,
        tally: &mut WireTally,
    ) {
        let mut unstuffed = std::mem::take(&mut self.unstuffed);
        unstuffed.clear();
        let unstuffing = match stuffing {
            Stuffing::Line => {
                unstuffed.extend_from_slice(piece.strip_suffix(b"\r").unwrap_or(piece));
                Ok(())
            }
            Stuffing::Slip => slip::unescape(piece, &mut unstuffed).map_err(|slip::Error| ()),
            Stuffing::Cobs if piece.is_empty() => Ok(()),
            Stuffing::Cobs => {
                unstuffed.extend_from_slice(piece);
                let decoded = cobs::decode_in_place(&mut unstuffed);
                decoded.map(|length| unstuffed.truncate(length)).map_err(|cobs::Error| ())
            }
        };
        match unstuffing {
            // Two delimiters in a row, or an empty line.
            Ok(()) if unstuffed.is_empty() => tally.bytes_skipped += length as u64,
            Ok(()) => self.count(&unstuffed, length, arrived_ns, out, tally),
            Err(()) => tally.refuse(FrameRefusal::Stuffing, length),
        }
        self.unstuffed = unstuffed;
    }

    /// Deals with what stands first where frames say how long they are; `ended` says that nothing
    /// follows these bytes.
    #[expect(clippy::too_many_arguments, reason = "the parts of the decoder are borrowed apart")]
    fn take(
        &mut self,
        bytes: &[u8],
        counted: &Counted,
        aligned: &mut bool,
        ended: bool,
        arrived_ns: i64,
        out: &mut Frames,
        tally: &mut WireTally,
    ) -> Cut {
        let (why, begun) = match begin(bytes, counted) {
            Begin::At(0) => match self.layout.find(bytes, counted) {
                Find::Frame(length) => match self.read(&bytes[..length], arrived_ns, out) {
                    Ok(readings) => {
                        *aligned = true;
                        tally.accept(length, readings);
                        return Cut::Took(length);
                    }
                    Err(why) => (why, true),
                },
                Find::More(wanted) if !ended => return Cut::More(wanted),
                Find::More(_) => (FrameRefusal::Partial, true),
                Find::Not => (FrameRefusal::Header, true),
            },
            Begin::At(noise) => {
                tally.bytes_skipped += noise as u64;
                return Cut::Took(noise);
            }
            Begin::Perhaps if !ended => return Cut::More(bytes.len() + 1),
            Begin::Perhaps => (FrameRefusal::Partial, false),
        };
        // Without a beginning of its own each byte could be the first of a frame.
        if begun && (!counted.sync.is_empty() || *aligned) {
            tally.refuse(why, 1);
        } else {
            tally.bytes_skipped += 1;
        }
        *aligned = false;
        Cut::Took(1)
    }

    fn count(
        &mut self,
        frame: &[u8],
        length: usize,
        arrived_ns: i64,
        out: &mut Frames,
        tally: &mut WireTally,
    ) {
        match self.read(frame, arrived_ns, out) {
            Ok(readings) => tally.accept(length, readings),
            Err(why) => tally.refuse(why, length),
        }
    }

    /// Appends a frame, if it is one, and returns the number of its readings.
    fn read(
        &mut self,
        frame: &[u8],
        arrived_ns: i64,
        out: &mut Frames,
    ) -> Result<usize, FrameRefusal> {
        self.layout.judge(frame)?;
        let mut draft = Draft::new(&mut self.names, out);
        for field in self.layout.fields() {
            draft.push_with(&field.name, field.unit.as_deref(), 0, field.value(frame));
        }
        Ok(draft.keep(DeviceClock::None, arrived_ns))
    }
}

enum Begin {
    /// The bytes that begin a frame come behind so many others.
    At(usize),
    /// All that there is may be the first of them.
    Perhaps,
}

/// Where the next frame may begin.
fn begin(bytes: &[u8], counted: &Counted) -> Begin {
    let sync = &counted.sync;
    if bytes.starts_with(sync) {
        return Begin::At(0);
    }
    if let Some(at) = memmem::find(bytes, sync) {
        return Begin::At(at);
    }
    let tail = bytes.len().saturating_sub(sync.len() - 1);
    match (tail..bytes.len()).find(|&at| sync.starts_with(&bytes[at..])) {
        Some(0) => Begin::Perhaps,
        Some(at) => Begin::At(at),
        None => Begin::At(bytes.len()),
    }
}

enum Find {
    /// A frame of this length.
    Frame(usize),
    /// So many bytes are needed to tell.
    More(usize),
    /// No frame begins here.
    Not,
}

impl Layout {
    /// Whether the frame that these bytes begin is there.
    fn find(&self, bytes: &[u8], counted: &Counted) -> Find {
        if !self.may_begin(bytes) {
            return Find::Not;
        }
        if bytes.len() < counted.head_bytes() {
            return Find::More(counted.head_bytes());
        }
        match counted.frame_bytes(bytes) {
            None => Find::Not,
            Some(length) if length <= bytes.len() => Find::Frame(length),
            Some(length) => Find::More(length),
        }
    }
}
