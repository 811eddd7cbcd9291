//! Native frame v1: layout, check and conversion of one binary frame.
//!
//! `core` only, so that firmware compiles this very file and its folder: no allocation, no
//! dependency, no other module of the program. Decoding borrows from the caller's bytes, encoding
//! writes into the caller's buffer. What it does not do: find frames in a stream (that is COBS,
//! next door), judge sequence numbers, or check authentication tags, for which it has no key.
//!
//! All numbers are little-endian:
//!
//! ```text
//!  0 u8  magic F5             24 blocks, each:
//!  1 u8  version << 4 | type      u8  first channel
//!  2 u8  flags                    u8  channels
//!  3 u8  health                   u8  value type
//!  4 u32 device                   u8  block flags
//!  8 u16 boot                     u16 samples
//! 10 u8  time kind                u32 dt, us
//! 11 u8  time error               u32 delta of each sample, us   (block flag b0)
//! 12 u32 sequence                 values as [sample][channel]
//! 16 u64 time, us             tag of 16 bytes                    (frame flag b1)
//!                             u32 CRC-32 (zlib) over all before it
//! ```
//!
//! Two things the layout alone leaves open are settled here: a block of no samples or of no
//! channels, and a data frame of no blocks, are refused, because they say nothing and a sender
//! with nothing to say has the heartbeat; and a heartbeat carries no payload.

// The paths are spelled out because `tests/no_std.rs` includes this file from elsewhere.
#[path = "frame/block.rs"]
mod block;
#[path = "frame/crc.rs"]
mod crc;
#[path = "frame/encode.rs"]
mod encode;
#[cfg(test)]
#[path = "frame/tests.rs"]
mod tests;
#[cfg(test)]
#[path = "frame/vectors.rs"]
pub(crate) mod vectors;

pub use block::{Block, BlockHead, Blocks};
pub use crc::crc32;
pub use encode::{EncodeError, Encoder};

/// First byte of a frame; never occurs in UTF-8.
pub const MAGIC: u8 = 0xF5;
/// The version of the layout that this file reads and writes.
pub const VERSION: u8 = 1;
/// Bytes before the first block.
pub const HEADER_BYTES: usize = 24;
/// Bytes of a block before its deltas and values.
pub const BLOCK_HEAD_BYTES: usize = 10;
/// Bytes of the authentication tag, where there is one.
pub const TAG_BYTES: usize = 16;
/// Bytes of the checksum at the end.
pub const CRC_BYTES: usize = 4;
/// Channels a device can have: the number is one byte.
pub const CHANNELS: usize = 256;

const FLAG_FIRST: u8 = 1;
const FLAG_AUTHENTICATED: u8 = 2;
const BLOCK_FLAG_DELTAS: u8 = 1;
const HEALTH_MAX: u8 = 4;
const DELTA_BYTES: usize = 4;

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Blocks of values.
    Data,
    /// A JSON descriptor of the device and its channels.
    Announce,
    /// A sign of life, with health and clock but no values.
    Heartbeat,
}

impl Kind {
    /// All of them, in the order of their codes on the wire.
    pub const ALL: [Self; 3] = [Self::Data, Self::Announce, Self::Heartbeat];
}

/// Which clock of the device stamped the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeKind {
    /// None: the times in the frame mean nothing.
    None,
    /// Time since the start of the device.
    SinceBoot,
    /// Coordinated universal time, never set since the start.
    UtcUnsynced,
    /// Coordinated universal time.
    Utc,
    /// International atomic time.
    Tai,
}

impl TimeKind {
    /// All of them, in the order of their codes on the wire.
    pub const ALL: [Self; 5] =
        [Self::None, Self::SinceBoot, Self::UtcUnsynced, Self::Utc, Self::Tai];
}

/// The first 24 bytes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the frame is for.
    pub kind: Kind,
    /// Flag b0: the first frame since the device's reset.
    pub first_since_reset: bool,
    /// Flag b1: a tag of [`TAG_BYTES`] precedes the checksum.
    pub authenticated: bool,
    /// NAMUR NE 107: 0 good, 1 failure, 2 check, 3 off-spec, 4 maintenance.
    pub health: u8,
    /// Number of the sender.
    pub device: u32,
    /// Changes at each reset, which tells a reset from a wrap of the sequence.
    pub boot: u16,
    /// Which clock stamped the frame.
    pub time_kind: TimeKind,
    /// |error| of the time is at most 2^n microseconds; 255 is unknown.
    pub time_error: u8,
    /// One more with each frame of one boot.
    pub sequence: u32,
    /// Time of the first sample, in microseconds of that clock.
    pub time_us: u64,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// Signed, 1 byte; -128 means no value.
    I8,
    /// Unsigned, 1 byte.
    U8,
    /// Signed, 2 bytes; the minimum means no value.
    I16,
    /// Unsigned, 2 bytes.
    U16,
    /// Signed, 4 bytes; the minimum means no value.
    I32,
    /// Unsigned, 4 bytes.
    U32,
    /// IEEE 754, 4 bytes; NaN means no value.
    F32,
    /// IEEE 754, 8 bytes; NaN means no value.
    F64,
    /// Unsigned, 8 bytes; beyond 2^53 it is rounded to the nearest `f64`.
    U64,
}

impl ValueType {
    /// All of them; the code on the wire is the index plus one.
    pub const ALL: [Self; 9] = [
        Self::I8,
        Self::U8,
        Self::I16,
        Self::U16,
        Self::I32,
        Self::U32,
        Self::F32,
        Self::F64,
        Self::U64,
    ];

    /// Bytes of one value.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::F64 | Self::U64 => 8,
        }
    }
}

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Too short for a header and a checksum, or for the tag that its flags announce.
    Truncated,
    /// Does not begin with [`MAGIC`].
    Magic,
    /// Another version than [`VERSION`].
    Version,
    /// The checksum does not fit.
    Checksum,
    /// A frame type without a meaning.
    Type,
    /// Reserved bits are set, in the flags of the frame or of a block.
    Flags,
    /// A health or a time kind without a meaning.
    Header,
    /// The payload does not fit its kind, or the blocks do not add up to the frame.
    Layout,
}

/// One checked frame: whatever it hands out cannot fail any more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame<'a> {
    header: Header,
    payload: &'a [u8],
    tag: Option<&'a [u8; TAG_BYTES]>,
}

/// Checks the bytes of one frame, first to last.
///
/// The checksum comes right after magic, length and version, so that every later refusal is a
/// statement about the sender and not about noise on the way.
///
/// # Errors
/// The first thing that is wrong, in the order of [`Error`] but with the magic before the length.
pub fn parse(bytes: &[u8]) -> Result<Frame<'_>, Error> {
    parse_with(bytes, crc32)
}

/// As [`parse`], with a checksum of the caller's: the same function as [`crc32`], by a way that
/// its machine is faster at.
///
/// # Errors
/// Those of [`parse`].
pub fn parse_with(bytes: &[u8], checksum: impl FnOnce(&[u8]) -> u32) -> Result<Frame<'_>, Error> {
    if bytes.first().is_some_and(|&first| first != MAGIC) {
        return Err(Error::Magic);
    }
    let (head, rest) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(Error::Truncated)?;
    let (rest, check) = rest.split_last_chunk::<CRC_BYTES>().ok_or(Error::Truncated)?;
    if head[1] >> 4 != VERSION {
        return Err(Error::Version);
    }
    if checksum(&bytes[..bytes.len() - CRC_BYTES]) != u32::from_le_bytes(*check) {
        return Err(Error::Checksum);
    }
    let header = parse_header(head)?;
    let (payload, tag) = if header.authenticated {
        let (payload, tag) = rest.split_last_chunk::<TAG_BYTES>().ok_or(Error::Truncated)?;
        (payload, Some(tag))
    } else {
        (rest, None)
    };
    match header.kind {
        Kind::Data => block::check_all(payload)?,
        Kind::Announce => {}
        Kind::Heartbeat if payload.is_empty() => {}
        Kind::Heartbeat => return Err(Error::Layout),
    }
    Ok(Frame { header, payload, tag })
}

fn parse_header(head: &[u8; HEADER_BYTES]) -> Result<Header, Error> {
    let [_, version_kind, flags, health, d0, d1, d2, d3, b0, b1, time_kind, time_error, rest @ ..] =
        *head;
    let [s0, s1, s2, s3, time_us @ ..] = rest;
    let kind = *Kind::ALL.get(usize::from(version_kind & 0x0F)).ok_or(Error::Type)?;
    if flags & !(FLAG_FIRST | FLAG_AUTHENTICATED) != 0 {
        return Err(Error::Flags);
    }
    if health > HEALTH_MAX {
        return Err(Error::Header);
    }
    Ok(Header {
        kind,
        first_since_reset: flags & FLAG_FIRST != 0,
        authenticated: flags & FLAG_AUTHENTICATED != 0,
        health,
        device: u32::from_le_bytes([d0, d1, d2, d3]),
        boot: u16::from_le_bytes([b0, b1]),
        time_kind: *TimeKind::ALL.get(usize::from(time_kind)).ok_or(Error::Header)?,
        time_error,
        sequence: u32::from_le_bytes([s0, s1, s2, s3]),
        time_us: u64::from_le_bytes(time_us),
    })
}

impl<'a> Frame<'a> {
    /// The header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The blocks in the order of the wire; none unless this is a data frame.
    #[must_use]
    pub fn blocks(&self) -> Blocks<'a> {
        Blocks::of(if self.header.kind == Kind::Data { self.payload } else { &[] })
    }

    /// The descriptor; empty unless this is an announce frame. Not checked to be text.
    #[must_use]
    pub fn announce(&self) -> &'a [u8] {
        if self.header.kind == Kind::Announce { self.payload } else { &[] }
    }

    /// The authentication tag, unchecked.
    #[must_use]
    pub fn tag(&self) -> Option<&'a [u8; TAG_BYTES]> {
        self.tag
    }
}
