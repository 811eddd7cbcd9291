//! Where the values of a device stand in its frames, and how these are written.

use core::fmt::Write;

use super::{
    scenario::{Channel, Device, LineFormat, STRANGER_CHANNEL, STRANGER_FIELD},
    waveform::Rounding,
};
use crate::wire::{
    frame::{
        BLOCK_HEAD_BYTES, BlockHead, CRC_BYTES, EncodeError, Encoder, HEADER_BYTES, Header,
        TAG_BYTES, ValueType,
    },
    key::Key,
};

/// The shape of a device's frames.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// Samples of each channel in a frame.
    pub(super) samples: u16,
    /// Time from one sample to the next.
    pub(super) dt_ns: i64,
    blocks: Vec<Block>,
    /// By channel number.
    columns: Vec<Column>,
}

/// A run of channels that share a type.
#[derive(Clone, Copy, Debug)]
struct Block {
    head: BlockHead,
    /// Index of its first value in the values of a frame.
    from: usize,
}

#[derive(Clone, Debug)]
struct Column {
    block: usize,
    from: usize,
    rounding: Rounding,
    /// Field name, for text.
    name: String,
}

/// Which values a type has that are not finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blanks {
    /// Floats and text: both.
    Both,
    /// Signed integers: only that there is no value.
    Nan,
    /// Unsigned integers.
    Neither,
}

/// Bytes of the block that carries the reading of a channel nobody knows.
pub(super) const STRANGE_BLOCK_BYTES: usize = BLOCK_HEAD_BYTES + 1;
/// The type and the value of that reading.
const STRANGE_TYPE: ValueType = ValueType::U8;
const STRANGE_VALUE: f64 = 42.0;

impl Layout {
    pub(super) fn new(device: &Device, format: LineFormat, id: u32, period_ns: i64) -> Self {
        let samples = device.samples_per_frame.max(1);
        let dt_ns = if samples == 1 { 0 } else { period_ns / i64::from(samples) };
        let dt_us = u32::try_from(dt_ns / 1_000).unwrap_or(u32::MAX);
        let mut blocks: Vec<Block> = Vec::new();
        let mut columns = Vec::new();
        let mut from = 0;
        for (channel, replica, number) in numbered(device) {
            let value_type = match format {
                LineFormat::Native => channel.value_type,
                LineFormat::Text => ValueType::F64,
            };
            match blocks.last_mut() {
                Some(block) if block.head.value_type == value_type => block.head.channels += 1,
                _ => {
                    let first_channel = number;
                    let head = BlockHead { first_channel, channels: 1, value_type, samples, dt_us };
                    blocks.push(Block { head, from: 0 });
                }
            }
            columns.push(Column {
                block: blocks.len() - 1,
                from: 0,
                rounding: match format {
                    LineFormat::Native => Rounding::native(channel),
                    LineFormat::Text => Rounding::text(channel),
                },
                name: field_name(device, channel, id, replica),
            });
        }
        for block in &mut blocks {
            block.from = from;
            from += block.head.values();
        }
        for (number, column) in columns.iter_mut().enumerate() {
            let block = &blocks[column.block];
            column.from = block.from + number - usize::from(block.head.first_channel);
        }
        Self { samples, dt_ns, blocks, columns }
    }

    /// Number of values in a frame.
    pub(super) fn values(&self) -> usize {
        self.columns.len() * usize::from(self.samples)
    }

    /// Bytes of a native frame without a tag.
    pub(super) fn frame_bytes(&self) -> usize {
        let blocks = self
            .blocks
            .iter()
            .map(|block| BLOCK_HEAD_BYTES + block.head.values() * block.head.value_type.bytes());
        HEADER_BYTES + blocks.sum::<usize>() + CRC_BYTES
    }

    /// Index of the first value of a channel, and the distance to the next.
    pub(super) fn column(&self, channel: usize) -> (usize, usize) {
        let column = &self.columns[channel];
        (column.from, usize::from(self.blocks[column.block].head.channels))
    }

    /// The values of one column.
    pub(super) fn cut<'a>(
        &self,
        values: &'a mut [f64],
        from: usize,
        stride: usize,
    ) -> impl Iterator<Item = &'a mut f64> {
        values[from..].iter_mut().step_by(stride).take(usize::from(self.samples))
    }

    /// Rounds all values as their channels do.
    pub(super) fn round(&self, values: &mut [f64]) {
        for (number, column) in self.columns.iter().enumerate() {
            let (from, stride) = self.column(number);
            for value in self.cut(values, from, stride) {
                *value = column.rounding.apply(*value);
            }
        }
    }

    /// What takes the place of the value at this index so that it is none or infinite.
    pub(super) fn blank(&self, at: usize, infinite: bool, up: bool) -> Option<f64> {
        let block = self.blocks.iter().rev().find(|block| block.from <= at)?;
        match Blanks::of(block.head.value_type) {
            Blanks::Both if infinite && up => Some(f64::INFINITY),
            Blanks::Both if infinite => Some(f64::NEG_INFINITY),
            Blanks::Both | Blanks::Nan => Some(f64::NAN),
            Blanks::Neither => None,
        }
    }

    /// Appends a native frame, with a tag if there is a key; `strange` adds the reading of a
    /// channel that nobody knows.
    pub(super) fn write_frame(
        &self,
        header: &Header,
        values: &[f64],
        strange: bool,
        key: Option<&Key>,
        out: &mut Vec<u8>,
    ) {
        let extra = if strange { STRANGE_BLOCK_BYTES } else { 0 };
        let from = out.len();
        out.resize(from + self.frame_bytes() + extra + tag_bytes(key), 0);
        let written = Encoder::new(&mut out[from..], header).and_then(|mut encoder| {
            for block in &self.blocks {
                let values = &values[block.from..block.from + block.head.values()];
                encoder.block(block.head, None, values)?;
            }
            if strange {
                encoder.block(one(STRANGER_CHANNEL, STRANGE_TYPE), None, &[STRANGE_VALUE])?;
            }
            finish(encoder, key)
        });
        written.expect("the buffer has the size of the frame, and the values are rounded to fit");
    }

    /// Appends a line without its end; `strange` adds a field that nobody knows.
    pub(super) fn write_line(&self, values: &[f64], strange: bool, out: &mut Vec<u8>) {
        let mut separator = "";
        for (column, value) in self.columns.iter().zip(values) {
            write_field(out, separator, &column.name, *value);
            separator = ",";
        }
        if strange {
            write_field(out, separator, STRANGER_FIELD, STRANGE_VALUE);
        }
    }
}

impl Blanks {
    fn of(value_type: ValueType) -> Self {
        match value_type {
            ValueType::F32 | ValueType::F64 => Self::Both,
            ValueType::I8 | ValueType::I16 | ValueType::I32 => Self::Nan,
            ValueType::U8 | ValueType::U16 | ValueType::U32 | ValueType::U64 => Self::Neither,
        }
    }
}

/// Appends the frame of a device that nobody knows, with one reading.
pub(super) fn write_stranger(header: &Header, key: Option<&Key>, out: &mut Vec<u8>) {
    let from = out.len();
    out.resize(from + HEADER_BYTES + STRANGE_BLOCK_BYTES + tag_bytes(key) + CRC_BYTES, 0);
    let written = Encoder::new(&mut out[from..], header).and_then(|mut encoder| {
        encoder.block(one(0, STRANGE_TYPE), None, &[STRANGE_VALUE])?;
        finish(encoder, key)
    });
    written.expect("the buffer has the size of the frame");
}

/// Bytes of the tag, where there is one.
pub(super) fn tag_bytes(key: Option<&Key>) -> usize {
    key.map_or(0, |_| TAG_BYTES)
}

fn finish<'a>(encoder: Encoder<'a>, key: Option<&Key>) -> Result<&'a [u8], EncodeError> {
    match key {
        None => encoder.finish(),
        Some(key) => encoder.finish_with_tag(|before| key.tag(before)),
    }
}

/// The channels of a device with their numbers, replicas counted out.
pub(super) fn numbered(device: &Device) -> impl Iterator<Item = (&Channel, u16, u8)> {
    device
        .channels
        .iter()
        .flat_map(|channel| (0..channel.count).map(move |replica| (channel, replica)))
        .zip(0..STRANGER_CHANNEL)
        .map(|((channel, replica), number)| (channel, replica, number))
}

/// The name of a field in text: that of the channel, with a `d` and the id of the device before
/// it, and the number of the replica after it, where there are several.
pub(super) fn field_name(device: &Device, channel: &Channel, id: u32, replica: u16) -> String {
    let name = &channel.name;
    match (device.count > 1, channel.count > 1) {
        (false, false) => name.clone(),
        (false, true) => format!("{name}.{replica}"),
        (true, false) => format!("d{id}.{name}"),
        (true, true) => format!("d{id}.{name}.{replica}"),
    }
}

fn one(first_channel: u8, value_type: ValueType) -> BlockHead {
    BlockHead { first_channel, channels: 1, value_type, samples: 1, dt_us: 0 }
}

fn write_field(out: &mut Vec<u8>, separator: &str, name: &str, value: f64) {
    let mut text = Text(out);
    // Without an exponent, 1e300 is a line of its own length.
    let written = match value.abs() {
        size if size == 0.0 || (1e-5..1e15).contains(&size) => {
            write!(text, "{separator}{name}:{value}")
        }
        size if size.is_finite() => write!(text, "{separator}{name}:{value:e}"),
        // `NaN`, `inf` and `-inf`.
        _ => write!(text, "{separator}{name}:{value}"),
    };
    written.expect("a vector takes whatever is written");
}

/// Lets `write!` append to bytes.
struct Text<'a>(&'a mut Vec<u8>);

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
