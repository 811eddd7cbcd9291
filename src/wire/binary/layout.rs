//! What a declared frame looks like. A layout that exists fits together.

use std::{fmt, ops::Range, sync::Arc};

use super::super::{
    FrameRefusal,
    checksum::{Checksum, Order},
};
use super::number::{Bits, Number, Raw};

/// Where something is in a frame: so many bytes from its first byte, or before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Behind so many bytes.
    FromStart(usize),
    /// So many bytes before the end.
    FromEnd(usize),
}

impl Place {
    /// A number of the configuration: a negative one counts from the end.
    #[must_use]
    pub fn new(at: i64) -> Self {
        let distance = usize::try_from(at.unsigned_abs()).unwrap_or(usize::MAX);
        if at < 0 { Self::FromEnd(distance) } else { Self::FromStart(distance) }
    }

    fn of(self, frame_bytes: usize) -> Option<usize> {
        match self {
            Self::FromStart(at) => (at <= frame_bytes).then_some(at),
            Self::FromEnd(distance) => frame_bytes.checked_sub(distance),
        }
    }

    /// The bytes of something of this size, if the frame has them.
    fn span(self, size: usize, frame_bytes: usize) -> Option<Range<usize>> {
        let start = self.of(frame_bytes)?;
        let end = start.checked_add(size)?;
        (end <= frame_bytes).then_some(start..end)
    }
}

/// How frames are found.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Each ends with LF, or CR LF, which are no part of it.
    Line {
        /// Most bytes of one.
        max: usize,
    },
    /// Each is stuffed with COBS and ends with a zero.
    Cobs {
        /// Most bytes of one while it is stuffed.
        max: usize,
    },
    /// Each is escaped and ends as RFC 1055 says.
    Slip {
        /// Most bytes of one while it is escaped.
        max: usize,
    },
    /// Each begins with certain bytes, or with none, and has a length.
    Counted(Counted),
    /// Each is what comes without a pause.
    IdleGap {
        /// The pause, in nanoseconds.
        gap_ns: i64,
        /// Most bytes of one.
        max: usize,
    },
    /// Each is what the transport hands over at once.
    Datagram {
        /// Most bytes of one.
        max: usize,
    },
}

/// Frames that say how long they are, or always are as long.
#[derive(Clone, Debug, PartialEq)]
pub struct Counted {
    /// What each begins with; may be empty.
    pub sync: Box<[u8]>,
    /// How long one is.
    pub length: Length,
}

/// The length of a frame, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Length {
    /// Always the same.
    Fixed(usize),
    /// A number in the frame, and so many more.
    Told {
        /// Where the number is, from the start.
        at: usize,
        /// How it is written.
        number: Number,
        /// What is added.
        plus: i64,
        /// Most bytes of a frame.
        max: usize,
    },
}

/// Bytes that each frame must have.
#[derive(Clone, Debug, PartialEq)]
pub struct Require {
    /// Where.
    pub at: Place,
    /// Which.
    pub equals: Box<[u8]>,
}

/// The checksum of a frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// Which.
    pub checksum: Checksum,
    /// From where.
    pub from: Place,
    /// Up to where, this byte not included.
    pub to: Place,
    /// Where it is written, if it is.
    pub at: Place,
    /// How it is written.
    pub order: Order,
}

impl Check {
    fn holds(&self, frame: &[u8]) -> Option<bool> {
        let over = self.from.of(frame.len())?..self.to.of(frame.len())?;
        let sum = self.checksum.of(frame.get(over)?);
        let size = self.checksum.size();
        if size == 0 {
            return Some(sum == 0);
        }
        let written = &frame[self.at.span(self.order.written(size), frame.len())?];
        Some(self.order.read(written) == Some(sum))
    }
}

/// One value of a frame.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldRule {
    /// Its name.
    pub name: Arc<str>,
    /// Code of its unit.
    pub unit: Option<Arc<str>>,
    /// Where it is.
    pub at: Place,
    /// How it is written.
    pub number: Number,
    /// Which bits of it, if not all.
    pub bits: Option<Bits>,
    /// What makes the raw number a value.
    pub scaling: Scaling,
    /// Raw numbers that say that there is no value.
    pub missing: Box<[f64]>,
}

impl FieldRule {
    /// The value, NaN where there is none.
    pub(in crate::wire) fn value(&self, frame: &[u8]) -> f64 {
        let Some(span) = self.at.span(self.number.size(), frame.len()) else { return f64::NAN };
        let raw = match self.bits {
            Some(bits) => Some(self.number.read_bits(&frame[span], bits)),
            None => self.number.read(&frame[span]),
        };
        let Some(raw) = raw.map(Raw::value).filter(|raw| !self.missing.contains(raw)) else {
            return f64::NAN;
        };
        self.scaling.of(raw)
    }
}

/// `raw * scale + offset`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scaling {
    times: f64,
    over: f64,
    offset: f64,
}

impl Scaling {
    /// Of this scale and offset.
    #[must_use]
    pub fn new(scale: f64, offset: f64) -> Self {
        // 0.1 is no binary fraction, but a tenth is a division by ten, which rounds once: 1236
        // becomes 123.6 and not 123.60000000000001.
        let inverse = (1.0 / scale).round();
        let (times, over) = if 1.0 / inverse == scale { (1.0, inverse) } else { (scale, 1.0) };
        Self { times, over, offset }
    }

    fn of(self, raw: f64) -> f64 {
        raw * self.times / self.over + self.offset
    }
}

/// What makes no layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayoutError {
    /// The required bytes with this index are beyond the end of the frame.
    Require(usize),
    /// What the checksum is over is beyond the end of the frame, or ends before it begins.
    CheckOver,
    /// The checksum is written beyond the end of the frame.
    CheckAt,
    /// The field with this index is beyond the end of the frame.
    Field(usize),
    /// Nothing tells where a frame begins.
    Unaligned,
    /// The length is told beyond the longest frame, or a frame may not be so long as what tells
    /// its length.
    Length,
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Require(_) | Self::CheckAt | Self::Field(_) => {
                "this is beyond the end of the frame"
            }
            Self::CheckOver => "this is no part of the frame",
            Self::Unaligned => "nothing tells where a frame begins",
            Self::Length => "no frame is so long that it holds its own length",
        })
    }
}

/// What a declared frame looks like.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    kind: Kind,
    require: Box<[Require]>,
    check: Option<Check>,
    fields: Box<[FieldRule]>,
}

impl Layout {
    /// Puts the parts together.
    ///
    /// # Errors
    /// If they do not fit.
    pub fn new(
        kind: Kind,
        require: Box<[Require]>,
        check: Option<Check>,
        fields: Box<[FieldRule]>,
    ) -> Result<Self, LayoutError> {
        let layout = Self { kind, require, check, fields };
        // Whatever fits into the longest frame may be there; in frames of one length it must be.
        let longest = layout.frame_bytes_max();
        for (index, require) in layout.require.iter().enumerate() {
            let fits = require.at.span(require.equals.len(), longest).is_some();
            fits.then_some(()).ok_or(LayoutError::Require(index))?;
        }
        if let Some(check) = &layout.check {
            let over = check.from.of(longest).zip(check.to.of(longest));
            let fits = over.is_some_and(|(from, to)| from < to);
            fits.then_some(()).ok_or(LayoutError::CheckOver)?;
            let size = check.checksum.size();
            let fits = size == 0 || check.at.span(check.order.written(size), longest).is_some();
            fits.then_some(()).ok_or(LayoutError::CheckAt)?;
        }
        for (index, field) in layout.fields.iter().enumerate() {
            let fits = field.at.span(field.number.size(), longest).is_some();
            fits.then_some(()).ok_or(LayoutError::Field(index))?;
        }
        if let Kind::Counted(counted) = &layout.kind {
            if longest < counted.head_bytes() {
                return Err(LayoutError::Length);
            }
            let marked = !counted.sync.is_empty() || !layout.require.is_empty();
            if !marked && layout.check.is_none() {
                return Err(LayoutError::Unaligned);
            }
        }
        Ok(layout)
    }

    /// How frames are found.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The values of a frame.
    #[must_use]
    pub fn fields(&self) -> &[FieldRule] {
        &self.fields
    }

    /// Most bytes of a frame.
    #[must_use]
    pub fn frame_bytes_max(&self) -> usize {
        match &self.kind {
            Kind::Line { max }
            | Kind::Cobs { max }
            | Kind::Slip { max }
            | Kind::IdleGap { max, .. }
            | Kind::Datagram { max } => *max,
            Kind::Counted(Counted { length, .. }) => match length {
                Length::Fixed(length) => *length,
                Length::Told { max, .. } => *max,
            },
        }
    }

    /// Whether a whole frame is one.
    pub(super) fn judge(&self, frame: &[u8]) -> Result<(), FrameRefusal> {
        for Require { at, equals } in &self.require {
            let span = at.span(equals.len(), frame.len()).ok_or(FrameRefusal::Layout)?;
            (frame[span] == **equals).then_some(()).ok_or(FrameRefusal::Header)?;
        }
        match self.check.as_ref().map(|check| check.holds(frame)) {
            None | Some(Some(true)) => Ok(()),
            Some(Some(false)) => Err(FrameRefusal::Checksum),
            Some(None) => Err(FrameRefusal::Layout),
        }
    }

    /// Whether bytes that begin a frame have what is required, as far as they go.
    pub(super) fn may_begin(&self, bytes: &[u8]) -> bool {
        self.require.iter().all(|Require { at, equals }| match *at {
            Place::FromStart(at) => {
                let there = bytes.get(at..).unwrap_or_default();
                let length = there.len().min(equals.len());
                there[..length] == equals[..length]
            }
            Place::FromEnd(_) => true,
        })
    }
}

impl Counted {
    /// How many bytes there must be before the length is known.
    pub(super) fn head_bytes(&self) -> usize {
        match &self.length {
            Length::Fixed(_) => self.sync.len().max(1),
            Length::Told { at, number, .. } => self.sync.len().max(at + number.size()),
        }
    }

    /// The length that the head of a frame tells; `None` where no frame is so long.
    pub(super) fn frame_bytes(&self, head: &[u8]) -> Option<usize> {
        match &self.length {
            Length::Fixed(length) => Some(*length),
            Length::Told { at, number, plus, max } => {
                let Raw::Whole(told) = number.read(&head[*at..at + number.size()])? else {
                    return None;
                };
                let length = usize::try_from(told.checked_add(i128::from(*plus))?).ok()?;
                (self.head_bytes()..=*max).contains(&length).then_some(length)
            }
        }
    }
}
