//! The blocks of a frame: rectangles of values.

use super::{BLOCK_FLAG_DELTAS, BLOCK_HEAD_BYTES, CHANNELS, DELTA_BYTES, Error, ValueType};

/// The shape of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHead {
    /// Number of the first channel.
    pub first_channel: u8,
    /// Channels side by side, at least 1; `first_channel + channels` is at most 256.
    pub channels: u8,
    /// How the values are written.
    pub value_type: ValueType,
    /// Samples of each channel, at least 1.
    pub samples: u16,
    /// Time from one sample to the next in microseconds; without meaning where deltas are given.
    pub dt_us: u32,
}

impl BlockHead {
    /// Number of values in the block.
    #[must_use]
    pub const fn values(&self) -> usize {
        self.samples as usize * self.channels as usize
    }

    /// At most 65535 * 255 * 8, which fits even 32 bits.
    const fn value_bytes(&self) -> usize {
        self.values() * self.value_type.bytes()
    }

    /// Whether there is something in it and all of its channels exist.
    pub(super) const fn is_valid(&self) -> bool {
        self.samples > 0
            && self.channels > 0
            && self.first_channel as usize + self.channels as usize <= CHANNELS
    }
}

/// Iterator over the blocks of a frame.
#[derive(Clone, Debug)]
pub struct Blocks<'a> {
    rest: &'a [u8],
}

impl<'a> Blocks<'a> {
    /// The blocks of a payload that [`check_all`] has passed.
    pub(super) fn of(checked: &'a [u8]) -> Self {
        Self { rest: checked }
    }
}

impl<'a> Iterator for Blocks<'a> {
    type Item = Block<'a>;

    fn next(&mut self) -> Option<Block<'a>> {
        // `check_all` has split the same bytes to the end: the only error left is that none remain.
        let (block, rest) = split_block(self.rest).ok()?;
        self.rest = rest;
        Some(block)
    }
}

/// One rectangle of values: some samples of some neighbouring channels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block<'a> {
    head: BlockHead,
    /// Empty where the samples are evenly spaced.
    deltas: &'a [u8],
    values: &'a [u8],
}

impl Block<'_> {
    /// The shape.
    #[must_use]
    pub fn head(&self) -> &BlockHead {
        &self.head
    }

    /// Number of the first channel.
    #[must_use]
    pub fn first_channel(&self) -> u8 {
        self.head.first_channel
    }

    /// Channels side by side.
    #[must_use]
    pub fn channels(&self) -> u8 {
        self.head.channels
    }

    /// Samples of each channel.
    #[must_use]
    pub fn samples(&self) -> u16 {
        self.head.samples
    }

    /// Microseconds from the time of the frame to this sample: its own delta where the block has
    /// deltas, `sample * dt_us` otherwise.
    #[must_use]
    pub fn offset_us(&self, sample: u16) -> u64 {
        match self.deltas.as_chunks::<DELTA_BYTES>().0.get(usize::from(sample)) {
            Some(delta) => u64::from(u32::from_le_bytes(*delta)),
            None => u64::from(sample) * u64::from(self.head.dt_us),
        }
    }

    /// One value, by sample and by channel number; `None` where the sender has no value, or where
    /// the block has no such sample or channel.
    #[must_use]
    pub fn value(&self, sample: u16, channel: u8) -> Option<f64> {
        let column = channel.checked_sub(self.head.first_channel)?;
        if column >= self.head.channels || sample >= self.head.samples {
            return None;
        }
        let size = self.head.value_type.bytes();
        let index = usize::from(sample) * usize::from(self.head.channels) + usize::from(column);
        let at = index * size;
        let one = Self {
            head: BlockHead { channels: 1, samples: 1, ..self.head },
            deltas: &[],
            values: &self.values[at..at + size],
        };
        let mut found = None;
        one.for_each(|_, _, value| found = Some(value).filter(|value| !value.is_nan()));
        found
    }

    /// Calls `visit(channel, offset_us, value)` for each value in the order of the wire; the
    /// value is NaN where the sender has none.
    ///
    /// The type is looked at once a block, not once a value.
    #[inline]
    pub fn for_each(&self, visit: impl FnMut(u8, u64, f64)) {
        match self.head.value_type {
            ValueType::I8 => self.run(|b| signed(i8::from_le_bytes(b), i8::MIN), visit),
            ValueType::U8 => self.run(|b| f64::from(u8::from_le_bytes(b)), visit),
            ValueType::I16 => self.run(|b| signed(i16::from_le_bytes(b), i16::MIN), visit),
            ValueType::U16 => self.run(|b| f64::from(u16::from_le_bytes(b)), visit),
            ValueType::I32 => self.run(|b| signed(i32::from_le_bytes(b), i32::MIN), visit),
            ValueType::U32 => self.run(|b| f64::from(u32::from_le_bytes(b)), visit),
            ValueType::F32 => self.run(|b| f64::from(f32::from_le_bytes(b)), visit),
            ValueType::F64 => self.run(f64::from_le_bytes, visit),
            ValueType::U64 => self.run(|b| u64::from_le_bytes(b) as f64, visit),
        }
    }

    #[inline]
    fn run<const N: usize>(
        &self,
        convert: impl Fn([u8; N]) -> f64,
        mut visit: impl FnMut(u8, u64, f64),
    ) {
        let first = self.head.first_channel;
        let rows = self.values.chunks_exact(N * usize::from(self.head.channels));
        for (sample, row) in (0..self.head.samples).zip(rows) {
            let offset_us = self.offset_us(sample);
            for (channel, value) in (first..=u8::MAX).zip(row.as_chunks::<N>().0) {
                visit(channel, offset_us, convert(*value));
            }
        }
    }
}

#[inline]
fn signed<T: Copy + PartialEq + Into<f64>>(value: T, none: T) -> f64 {
    if value == none { f64::NAN } else { value.into() }
}

/// Checks that the payload of a data frame is blocks to its end, one at least.
pub(super) fn check_all(payload: &[u8]) -> Result<(), Error> {
    let (_, mut rest) = split_block(payload)?;
    while !rest.is_empty() {
        (_, rest) = split_block(rest)?;
    }
    Ok(())
}

/// Takes the first block off `bytes`.
fn split_block(bytes: &[u8]) -> Result<(Block<'_>, &[u8]), Error> {
    let (head, rest) = bytes.split_first_chunk::<BLOCK_HEAD_BYTES>().ok_or(Error::Layout)?;
    let [first_channel, channels, code, flags, n0, n1, t0, t1, t2, t3] = *head;
    if flags & !BLOCK_FLAG_DELTAS != 0 {
        return Err(Error::Flags);
    }
    let index = usize::from(code).checked_sub(1).ok_or(Error::Layout)?;
    let head = BlockHead {
        first_channel,
        channels,
        value_type: *ValueType::ALL.get(index).ok_or(Error::Layout)?,
        samples: u16::from_le_bytes([n0, n1]),
        dt_us: u32::from_le_bytes([t0, t1, t2, t3]),
    };
    let delta_bytes = match flags & BLOCK_FLAG_DELTAS {
        0 => 0,
        _ => usize::from(head.samples) * DELTA_BYTES,
    };
    if !head.is_valid() {
        return Err(Error::Layout);
    }
    let (deltas, rest) = rest.split_at_checked(delta_bytes).ok_or(Error::Layout)?;
    let (values, rest) = rest.split_at_checked(head.value_bytes()).ok_or(Error::Layout)?;
    Ok((Block { head, deltas, values }, rest))
}
