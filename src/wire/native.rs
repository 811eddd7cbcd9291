//! Native frames from datagrams and from COBS on a byte stream.
//!
//! On a stream the receiver may join in the middle of a frame: that tail is counted as refused,
//! with the reason it happens to fail with, and the first zero after it puts things right.

use std::sync::Arc;

use super::{
    DeviceClock, FieldTable, FrameRefusal, Frames, Head, Health, Sample, WireTally, cobs,
    decode::{Decode, Framing},
    delimited::Delimited,
    frame::{self, CRC_BYTES, Frame, Kind, TAG_BYTES, TimeKind},
    key::Key,
};
use crate::limits;

/// Zero ends a block of stuffed bytes.
const DELIMITER: u8 = 0;

/// What a source of native frames is told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NativeOptions {
    /// The key that every frame must have been made with.
    pub key: Option<Key>,
}

/// Decoder of one source of native frames.
#[derive(Debug)]
pub(super) struct NativeDecoder {
    framing: Framing,
    key: Option<Key>,
    blocks: Delimited,
    /// A block while it is unstuffed.
    unstuffed: Vec<u8>,
    /// Always empty: channels have numbers.
    fields: Arc<FieldTable>,
}

impl NativeDecoder {
    /// A decoder that has seen nothing yet.
    pub(super) fn new(options: &NativeOptions, framing: Framing) -> Self {
        Self {
            framing,
            key: options.key.clone(),
            blocks: Delimited::new(DELIMITER, limits::COBS_BYTES_MAX),
            unstuffed: Vec::new(),
            fields: Arc::default(),
        }
    }
}

impl Decode for NativeDecoder {
    /// Announce and heartbeat frames appear as heads without samples. A channel without a value
    /// appears as NaN. Times are the device's, in nanoseconds, at most `i64::MAX`, and 0 where
    /// the device has no clock.
    fn feed(&mut self, bytes: &[u8], arrived_ns: i64, out: &mut Frames, tally: &mut WireTally) {
        tally.bytes_in += bytes.len() as u64;
        match self.framing {
            Framing::Datagram => {
                let decoded = decode(bytes, self.key.as_ref(), arrived_ns, out);
                count(decoded, bytes.len(), tally);
            }
            Framing::Stream => {
                let (unstuffed, key) = (&mut self.unstuffed, self.key.as_ref());
                self.blocks.feed(bytes, tally, |block, bytes, tally| {
                    if block.is_empty() {
                        tally.bytes_skipped += 1;
                        return;
                    }
                    unstuffed.clear();
                    unstuffed.extend_from_slice(block);
                    let decoded = cobs::decode_in_place(unstuffed)
                        .map_err(|cobs::Error| FrameRefusal::Stuffing)
                        .and_then(|length| decode(&unstuffed[..length], key, arrived_ns, out));
                    count(decoded, bytes, tally);
                });
            }
        }
    }

    fn reset(&mut self, tally: &mut WireTally) {
        self.blocks.reset(tally);
    }

    fn buffered(&self) -> usize {
        self.blocks.buffered()
    }

    fn fields(&self) -> &Arc<FieldTable> {
        &self.fields
    }
}

fn count(decoded: Result<usize, FrameRefusal>, bytes: usize, tally: &mut WireTally) {
    match decoded {
        Ok(readings) => tally.accept(bytes, readings),
        Err(why) => tally.refuse(why, bytes),
    }
}

/// Decodes one frame, and returns the number of its samples.
fn decode(
    bytes: &[u8],
    key: Option<&Key>,
    arrived_ns: i64,
    out: &mut Frames,
) -> Result<usize, FrameRefusal> {
    if bytes.is_empty() {
        return Err(FrameRefusal::Empty);
    }
    if bytes.len() > limits::FRAME_BYTES_MAX {
        return Err(FrameRefusal::Oversize);
    }
    let frame = frame::parse_with(bytes, crc32fast::hash)?;
    let header = frame.header();
    authenticate(&frame, bytes, key)?;
    if header.kind == Kind::Announce && str::from_utf8(frame.announce()).is_err() {
        return Err(FrameRefusal::Layout);
    }
    let before = out.samples.len();
    append_samples(&frame, &mut out.samples);
    let samples = out.samples.len() - before;
    out.heads.push(Head {
        device: header.device,
        boot: header.boot,
        sequence: Some(header.sequence),
        health: Health::from_code(header.health).expect("parse has checked the code"),
        clock: DeviceClock::from(header.time_kind),
        first: header.first_since_reset,
        time_error: header.time_error,
        arrived_ns,
        samples: u32::try_from(samples).expect("a sample is a byte at least"),
        shed: false,
    });
    Ok(samples)
}

/// Whether the frame that these bytes are comes from someone who has the key, where one is needed.
fn authenticate(frame: &Frame<'_>, bytes: &[u8], key: Option<&Key>) -> Result<(), FrameRefusal> {
    match (key, frame.tag()) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(FrameRefusal::Authentication),
        (Some(_), None) => Err(FrameRefusal::Unauthenticated),
        (Some(key), Some(tag)) => {
            let before = &bytes[..bytes.len() - TAG_BYTES - CRC_BYTES];
            if key.verifies(before, tag) { Ok(()) } else { Err(FrameRefusal::Forged) }
        }
    }
}

fn append_samples(frame: &Frame<'_>, samples: &mut Vec<Sample>) {
    let header = frame.header();
    let timed = header.time_kind != TimeKind::None;
    for block in frame.blocks() {
        // No larger than the frame itself: the layout has been checked.
        samples.reserve(block.head().values());
        block.for_each(|channel, offset_us, value| {
            let at_ns = if timed { to_ns(header.time_us.saturating_add(offset_us)) } else { 0 };
            samples.push(Sample { field: u32::from(channel), at_ns, value });
        });
    }
}

fn to_ns(time_us: u64) -> i64 {
    i64::try_from(time_us).unwrap_or(i64::MAX).saturating_mul(1_000)
}

impl From<frame::Error> for FrameRefusal {
    fn from(error: frame::Error) -> Self {
        match error {
            frame::Error::Truncated => Self::Truncated,
            frame::Error::Magic => Self::Magic,
            frame::Error::Version => Self::Version,
            frame::Error::Checksum => Self::Checksum,
            frame::Error::Type => Self::Type,
            frame::Error::Flags => Self::Flags,
            frame::Error::Header => Self::Header,
            frame::Error::Layout => Self::Layout,
        }
    }
}

impl From<TimeKind> for DeviceClock {
    fn from(kind: TimeKind) -> Self {
        match kind {
            TimeKind::None => Self::None,
            TimeKind::SinceBoot => Self::SinceBoot,
            TimeKind::UtcUnsynced => Self::UtcUnsynced,
            TimeKind::Utc => Self::Utc,
            TimeKind::Tai => Self::Tai,
        }
    }
}

#[cfg(test)]
mod tests;
