//! Frames and lines as transports carry them.

use super::scenario::LineFormat;
use crate::wire::{cobs, decode::Framing};

/// Appends a frame or line to `out` as the transport carries it: a datagram as it is, on a stream
/// a frame stuffed and ended by a zero and a line ended by LF.
pub fn put_framed(format: LineFormat, framing: Framing, bytes: &[u8], out: &mut Vec<u8>) {
    match (framing, format) {
        (Framing::Datagram, _) => out.extend_from_slice(bytes),
        (Framing::Stream, LineFormat::Text) => {
            out.extend_from_slice(bytes);
            out.push(b'\n');
        }
        (Framing::Stream, LineFormat::Native) => {
            let from = out.len();
            out.resize(from + cobs::encoded_bytes_max(bytes.len()), 0);
            let stuffed = cobs::encode(bytes, &mut out[from..]);
            out.truncate(from + stuffed.expect("the room is the codec's own bound"));
            out.push(0);
        }
    }
}
