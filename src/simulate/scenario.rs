//! What is played: devices, their channels, and what goes wrong with them.

use crate::wire::{DeviceClock, Health, frame::ValueType, key::Key};

/// A whole scenario. [`Scenario::check`] says whether it can be played.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// What the devices speak.
    pub format: LineFormat,
    /// The key that native frames are authenticated with, if they are.
    pub key: Option<Key>,
    /// Seed of everything random unless the player is given another.
    pub seed: u64,
    /// Length of the play in nanoseconds; without end where there is none.
    pub duration_ns: Option<i64>,
    /// The devices; their ids do not overlap.
    pub devices: Vec<Device>,
    /// Faults that befall every device, besides its own.
    pub faults: Vec<Fault>,
}

/// What the devices of a scenario speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFormat {
    /// Native frames v1.
    Native,
    /// Lines of `name:value` pairs, separated by commas.
    Text,
}

/// One device, or several of a kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// Id of the first; [`STRANGER`] is taken.
    pub id: u32,
    /// How many there are, with consecutive ids; 1 or more.
    pub count: u32,
    /// Boot id at the start of the play; one more after each reset.
    pub boot: u16,
    /// The clock that stamps the frames. Text lines carry no time, whatever this says.
    pub clock: DeviceClock,
    /// How much too fast the clock runs, in parts per million.
    pub clock_skew_ppm: f64,
    /// How far ahead the clock is at the start of the play, nanoseconds.
    pub clock_offset_ns: i64,
    /// Frames a second, more than 0.
    pub rate_hz: f64,
    /// Samples of each channel in one frame, evenly spaced; 1 or more, and 1 for text.
    pub samples_per_frame: u16,
    /// Part of a frame period by which the first frame is late, in [0, 1). The devices of a
    /// `count` are spread evenly over the period from there.
    pub phase: f64,
    /// |error| that the device claims for its clock: at most 2^n microseconds; 255 is unknown.
    pub time_error: u8,
    /// The device's judgement of itself.
    pub health: Health,
    /// The channels, numbered from 0 in this order; at most [`CHANNELS_MAX`], replicas included.
    pub channels: Vec<Channel>,
    /// What goes wrong with this device and with each of its replicas on its own.
    pub faults: Vec<Fault>,
}

/// One channel, or several of a kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel {
    /// Name; the field name in text. Replicas are called `name.0`, `name.1` and so on.
    pub name: String,
    /// How many there are, with consecutive numbers; 1 or more.
    pub count: u16,
    /// UCUM unit, for people: it is not on the wire.
    pub unit: Option<String>,
    /// How a native frame carries the values.
    pub value_type: ValueType,
    /// The course of the true value.
    pub waveform: Waveform,
    /// Standard deviation of the gaussian noise on each reading, in the unit of the values.
    pub noise: f64,
    /// Width of one step, more than 0. Integers on the wire are `value / resolution`, rounded;
    /// floats and text are rounded to a multiple of it. Without it integers are the value itself,
    /// rounded, and floats and text are not rounded at all.
    pub resolution: Option<f64>,
}

/// The course of a value over time. Periods count from 1970, so that what is played does not
/// depend on when the play began, except for [`Waveform::RandomWalk`].
#[derive(Clone, Debug, PartialEq)]
pub enum Waveform {
    /// Always the same.
    Constant {
        /// The value.
        value: f64,
    },
    /// `offset + amplitude * sin(2 pi (t / period + phase))`.
    Sine {
        /// Middle.
        offset: f64,
        /// Greatest distance from the middle.
        amplitude: f64,
        /// Period, nanoseconds.
        period_ns: i64,
        /// Part of a period by which the wave is ahead.
        phase: f64,
    },
    /// Up from `low` to `high` and down again in equal times.
    Triangle {
        /// Least value.
        low: f64,
        /// Greatest value.
        high: f64,
        /// Period, nanoseconds.
        period_ns: i64,
        /// Part of a period by which the wave is ahead.
        phase: f64,
    },
    /// Up from `low` to `high`, then at once back to `low`.
    Sawtooth {
        /// First value of a period.
        low: f64,
        /// Value that the period ends before.
        high: f64,
        /// Period, nanoseconds.
        period_ns: i64,
        /// Part of a period by which the wave is ahead.
        phase: f64,
    },
    /// Each reading differs from the one before by an even share of `step` up or down, and is
    /// reflected at the bounds.
    RandomWalk {
        /// First value.
        start: f64,
        /// Greatest change from one reading to the next.
        step: f64,
        /// Lower bound.
        min: f64,
        /// Upper bound, more than `min`.
        max: f64,
    },
    /// The levels in turn, each for the same time.
    Steps {
        /// One or more.
        levels: Vec<f64>,
        /// How long each holds, nanoseconds.
        dwell_ns: i64,
    },
    /// `night` before sunrise and after sunset, between them a bell (a squared half sine) that
    /// reaches `noon` halfway; sun times are UTC.
    Day {
        /// Value while the sun is down.
        night: f64,
        /// Value halfway between sunrise and sunset.
        noon: f64,
        /// Nanoseconds after midnight.
        sunrise_ns: i64,
        /// Nanoseconds after midnight; after sunrise.
        sunset_ns: i64,
    },
    /// Gaussian noise alone.
    Noise {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        stddev: f64,
    },
}

/// Something that goes wrong now and then.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// How likely it is to begin at a frame or, for the kinds that say so, at a reading; 0 to 1.
    pub probability: f64,
}

/// What can go wrong. Where nothing else is said, it begins at a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FaultKind {
    /// Frames are made and never sent.
    Dropout {
        /// How many in a row; 1 or more.
        frames: u32,
    },
    /// One channel repeats its value.
    Stuck {
        /// For how many frames; 1 or more.
        frames: u32,
    },
    /// A reading is off, up or down.
    Spike {
        /// By how much, in the unit of the channel.
        size: f64,
    },
    /// One channel moves away from its true value and returns at once at the end.
    Drift {
        /// How fast, in the unit of the channel.
        per_second: f64,
        /// For how many frames; 1 or more.
        frames: u32,
    },
    /// A reading says that there is no value. Unsigned types cannot say it and are passed over.
    Nan,
    /// A reading is infinite, up or down. Integers cannot be, and say that there is no value.
    Infinite,
    /// A bit of the frame flips; a text line becomes one that no rule explains.
    BadCrc,
    /// The frame ends within its header; a text line after its first label.
    Truncation,
    /// The frame comes again.
    Duplicate {
        /// Later frames of the device that may come between; at most [`DISTANCE_MAX`].
        distance: u32,
    },
    /// The frame comes after younger ones.
    Reorder {
        /// Most younger frames that pass it; 1 to [`DISTANCE_MAX`].
        distance: u32,
    },
    /// The frame is stamped as older than it is: only where the clock is UTC or TAI.
    LateStamp {
        /// By how much, nanoseconds.
        by_ns: i64,
    },
    /// The frame is stamped as younger than it is: only where the clock is UTC or TAI.
    FutureStamp {
        /// By how much, nanoseconds.
        by_ns: i64,
    },
    /// The clock runs fast or slow for a while, and is then set right.
    ClockSkew {
        /// How much too fast, parts per million.
        ppm: f64,
        /// For how many frames; 1 or more.
        frames: u32,
    },
    /// Frames are held up and then sent all at once.
    Burst {
        /// How many; 2 or more.
        frames: u32,
    },
    /// The device restarts: another boot id, the sequence and the time since boot begin anew.
    Reset,
    /// A frame of a device that nobody knows, [`STRANGER`], comes in between.
    UnknownDevice,
    /// The frame carries one reading more, of a channel nobody knows: [`STRANGER_CHANNEL`], or
    /// the field [`STRANGER_FIELD`] in text.
    UnknownChannel,
    /// Random bytes come in between that are no frame and no text.
    Garbage,
}

/// Id of the device that [`FaultKind::UnknownDevice`] makes up.
pub const STRANGER: u32 = u32::MAX;
/// Number of the channel that [`FaultKind::UnknownChannel`] makes up.
pub const STRANGER_CHANNEL: u8 = u8::MAX;
/// Name of the field that [`FaultKind::UnknownChannel`] makes up.
pub const STRANGER_FIELD: &str = "stranger";
/// Most channels of one device: all numbers but [`STRANGER_CHANNEL`].
pub const CHANNELS_MAX: usize = 255;
/// Most frames that may come between a frame and its duplicate, or pass a reordered one: well
/// inside the window over which receivers tell duplicates from news.
pub const DISTANCE_MAX: u32 = crate::limits::SEQUENCE_WINDOW / 4;
