//! Bytes in, frames and samples out.
//!
//! A decoder is a pure state machine that is fed byte slices: however a stream is split, the
//! same frames come out. It never reads a clock, never logs, never allocates from a length that
//! came over the wire, and never drops a byte without counting it under a reason.

pub mod binary;
pub mod checksum;
pub mod cobs;
pub mod decode;
mod delimited;
pub mod diagnosis;
mod draft;
pub mod dsmr;
pub mod fields;
pub mod frame;
#[cfg(test)]
mod harness;
pub mod influx;
pub mod key;
pub mod json;
mod lines;
pub mod log;
pub mod modbus;
mod names;
pub mod native;
pub mod nmea;
mod number;
#[cfg(test)]
mod properties;
pub mod refusal;
mod seek;
pub mod senml;
pub mod statsd;
mod slip;
pub mod text;
mod time;
pub mod vedirect;
mod whole;
mod window;

use crate::limits::EVENT_TIME_ABS_MAX_NS;

pub use decode::Decoder;
pub use fields::{Field, FieldTable};
pub use refusal::{FrameRefusal, WireTally};

/// What a decoder found, in the order of the wire.
///
/// `heads[0]` owns the first `heads[0].samples` entries of `samples`, `heads[1]` the next, and
/// so on; a head whose `shed` is set owns none, whatever its count says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frames {
    /// One entry a frame.
    pub heads: Vec<Head>,
    /// The values of all frames.
    pub samples: Vec<Sample>,
}

impl Frames {
    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// Takes the frames from these places on as having arrived when they say that they were made,
    /// if they say so, and never before `now_ns` or one another: for recordings that noted no
    /// arrivals. Returns the last arrival.
    pub fn arrive_as_made(&mut self, heads: usize, samples: usize, mut now_ns: i64) -> i64 {
        let mut samples = &self.samples[samples..];
        for head in &mut self.heads[heads..] {
            let (own, rest) = samples.split_at(head.samples as usize);
            samples = rest;
            let newest_ns = own.iter().map(|sample| sample.at_ns).max();
            if let (DeviceClock::Utc | DeviceClock::Tai, Some(newest_ns)) = (head.clock, newest_ns)
            {
                now_ns = now_ns.max(newest_ns.min(EVENT_TIME_ABS_MAX_NS));
                head.arrived_ns = now_ns;
            }
        }
        now_ns
    }

    /// Moves the frames from these places on by `shift_ns`: their arrivals and their true times.
    /// Times since a device's start stay as they are, since only the arrival gives them a place.
    fn shift(&mut self, heads: usize, samples: usize, shift_ns: i64) {
        let mut samples = &mut self.samples[samples..];
        for head in &mut self.heads[heads..] {
            head.arrived_ns = head.arrived_ns.saturating_add(shift_ns);
            let (own, rest) = samples.split_at_mut(head.samples as usize);
            samples = rest;
            if let DeviceClock::Utc | DeviceClock::Tai = head.clock {
                own.iter_mut().for_each(|s| s.at_ns = s.at_ns.saturating_add(shift_ns));
            }
        }
    }

    /// Forgets the contents and keeps the allocations.
    pub fn clear(&mut self) {
        self.heads.clear();
        self.samples.clear();
    }
}

/// What is known about one frame besides its values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Head {
    /// Sender; 0 for formats that name none.
    pub device: u32,
    /// Restart mark of the sender; 0 for formats that have none.
    pub boot: u16,
    /// Position in the sender's series, for formats that count.
    pub sequence: Option<u32>,
    /// The sender says that this is its first frame since its start.
    pub first: bool,
    /// The sender's own judgement of itself.
    pub health: Health,
    /// What the sample times mean.
    pub clock: DeviceClock,
    /// |error| of the sample times is at most 2^n microseconds; 255 is unknown.
    pub time_error: u8,
    /// When the last byte of the frame arrived, in nanoseconds on the daemon's line.
    pub arrived_ns: i64,
    /// Number of samples the frame carried.
    pub samples: u32,
    /// The queue was full: the samples were counted and dropped, only the head came through.
    pub shed: bool,
}

/// One value of one field at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Native frames: the channel number. Text: index into the source's [`FieldTable`].
    pub field: u32,
    /// Nanoseconds on the clock that the head names; 0 where it names none.
    pub at_ns: i64,
    /// The value; NaN where the frame says that there is none.
    pub value: f64,
}

/// A field that no table names: unknown and not to be discovered.
pub const FIELD_UNKNOWN: u32 = u32::MAX;
/// A field that could not be discovered because the table is full.
pub const FIELD_OVERFLOW: u32 = u32::MAX - 1;

/// Which clock stamped the samples of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceClock {
    /// None: the arrival counts.
    None,
    /// Time since the device's start.
    SinceBoot,
    /// Coordinated universal time, never set since the device's start.
    UtcUnsynced,
    /// Coordinated universal time.
    Utc,
    /// International atomic time.
    Tai,
}

/// NAMUR NE 107 status of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// The device works.
    #[default]
    Good,
    /// The value is not valid because of a fault of the device.
    Failure,
    /// The value is temporarily not valid because the device is worked on.
    Check,
    /// The device works outside its specified range.
    OffSpec,
    /// The value is valid, the device needs attention soon.
    Maintenance,
}

impl Health {
    /// All of them, in the order of their codes on the wire.
    pub const ALL: [Self; 5] =
        [Self::Good, Self::Failure, Self::Check, Self::OffSpec, Self::Maintenance];

    /// The health for a code on the wire.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// Name for people and for replies.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Failure => "failure",
            Self::Check => "check",
            Self::OffSpec => "off-spec",
            Self::Maintenance => "maintenance",
        }
    }
}
