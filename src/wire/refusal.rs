//! Why a frame was refused, and the count of every byte and frame.

/// Why one frame, line or datagram was not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FrameRefusal {
    /// Nothing in it: a datagram of no bytes.
    Empty,
    /// Too short to hold a header and a checksum, or a tag where it says that it has one; or cut
    /// where the next frame begins, or joined behind its beginning.
    Truncated,
    /// Longer than the documented bound.
    Oversize,
    /// Does not start as a frame of the format does.
    Magic,
    /// A version this program does not know.
    Version,
    /// A frame type this program does not know.
    Type,
    /// Reserved flag bits are set.
    Flags,
    /// A header field has a value that the format does not define.
    Header,
    /// The checksum does not fit the bytes, also because the last of them are lost.
    Checksum,
    /// The blocks do not add up: sizes, types or counts that the format does not allow.
    Layout,
    /// The byte stuffing is broken.
    Stuffing,
    /// The line went down, or the input ended, in the middle of a frame.
    Partial,
    /// A text line or sentence that no rule of the format explains.
    Malformed,
    /// Bytes that are not text where text is expected.
    NotText,
    /// A sound frame with an authentication tag, from a source without a key to check it by.
    Authentication,
    /// No checksum, where the format or the sender has one.
    Unchecked,
    /// A HEX message on a VE.Direct line, which is not read here.
    Hex,
    /// A Modbus device did not answer in time: a frame of no bytes.
    Timeout,
    /// A Modbus device answered that it does not do what it was asked for.
    Exception,
    /// A sound Modbus reply of a device that was not asked.
    Unit,
    /// A sound Modbus reply to another function than the one that was asked for.
    Function,
    /// A sound Modbus reply with more or fewer values than were asked for.
    Length,
    /// A sound Modbus reply that nobody waited for, or not any more.
    Unasked,
    /// A sound frame without an authentication tag, from a source with a key.
    Unauthenticated,
    /// A sound frame with an authentication tag that was not made with the key of its source.
    Forged,
}

impl FrameRefusal {
    /// All reasons.
    pub const ALL: [Self; 25] = [
        Self::Empty,
        Self::Truncated,
        Self::Oversize,
        Self::Magic,
        Self::Version,
        Self::Type,
        Self::Flags,
        Self::Header,
        Self::Checksum,
        Self::Layout,
        Self::Stuffing,
        Self::Partial,
        Self::Malformed,
        Self::NotText,
        Self::Authentication,
        Self::Unchecked,
        Self::Hex,
        Self::Timeout,
        Self::Exception,
        Self::Unit,
        Self::Function,
        Self::Length,
        Self::Unasked,
        Self::Unauthenticated,
        Self::Forged,
    ];

    /// Name in the ledger.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Truncated => "truncated",
            Self::Oversize => "oversize",
            Self::Magic => "magic",
            Self::Version => "version",
            Self::Type => "type",
            Self::Flags => "flags",
            Self::Header => "header",
            Self::Checksum => "checksum",
            Self::Layout => "layout",
            Self::Stuffing => "stuffing",
            Self::Partial => "partial",
            Self::Malformed => "malformed",
            Self::NotText => "not_text",
            Self::Authentication => "authentication",
            Self::Unchecked => "unchecked",
            Self::Hex => "hex",
            Self::Timeout => "timeout",
            Self::Exception => "exception",
            Self::Unit => "unit",
            Self::Function => "function",
            Self::Length => "length",
            Self::Unasked => "unasked",
            Self::Unauthenticated => "unauthenticated",
            Self::Forged => "forged",
        }
    }
}

/// Counts of bytes and frames; plain sums, so that two tallies add up to a third.
///
/// `bytes_in = bytes_in_frames + bytes_skipped + bytes buffered in the decoder`, and
/// `frames_in = frames_ok + sum(refused)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WireTally {
    /// Bytes handed to the decoder.
    pub bytes_in: u64,
    /// Bytes of frames, good or refused, with their delimiters.
    pub bytes_in_frames: u64,
    /// Bytes outside any frame: empty lines, comments, lone delimiters.
    pub bytes_skipped: u64,
    /// Frames seen.
    pub frames_in: u64,
    /// Frames decoded.
    pub frames_ok: u64,
    /// Of the decoded: frames that carry no reading (announce, heartbeat, header line).
    pub frames_silent: u64,
    /// Readings in the decoded frames.
    pub readings: u64,
    /// Frames refused, by reason.
    pub refused: [u64; FrameRefusal::ALL.len()],
}

impl WireTally {
    /// Counts `bytes` of one refused frame.
    pub fn refuse(&mut self, why: FrameRefusal, bytes: usize) {
        self.frames_in += 1;
        self.bytes_in_frames += bytes as u64;
        self.refused[why as usize] += 1;
    }

    /// Counts `bytes` of one decoded frame with its number of readings.
    pub fn accept(&mut self, bytes: usize, readings: usize) {
        self.frames_in += 1;
        self.frames_ok += 1;
        self.bytes_in_frames += bytes as u64;
        self.readings += readings as u64;
        self.frames_silent += u64::from(readings == 0);
    }

    /// Adds another tally.
    pub fn add(&mut self, other: &Self) {
        self.bytes_in += other.bytes_in;
        self.bytes_in_frames += other.bytes_in_frames;
        self.bytes_skipped += other.bytes_skipped;
        self.frames_in += other.frames_in;
        self.frames_ok += other.frames_ok;
        self.frames_silent += other.frames_silent;
        self.readings += other.readings;
        for (mine, theirs) in self.refused.iter_mut().zip(other.refused) {
            *mine += theirs;
        }
    }

    /// Sum of all refusals.
    #[must_use]
    pub fn refused_total(&self) -> u64 {
        self.refused.iter().sum()
    }
}
