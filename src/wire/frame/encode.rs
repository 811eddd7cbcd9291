//! Writing a frame into a caller's buffer.

use super::{
    BLOCK_FLAG_DELTAS, BlockHead, FLAG_AUTHENTICATED, FLAG_FIRST, HEADER_BYTES, HEALTH_MAX, Header,
    Kind, MAGIC, TAG_BYTES, VERSION, ValueType, crc32,
};

/// Why a frame could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// The buffer is too short.
    Full,
    /// A health beyond 4, or a payload, an emptiness or a tag that does not fit the kind.
    Header,
    /// A block of an impossible shape, or the slices do not have the lengths the shape asks for.
    Shape,
    /// A value that the type cannot hold.
    Value,
}

/// Writes one frame into a caller's buffer: header, then blocks or a descriptor, then the end.
///
/// After an error the encoder is as it was before the call.
#[derive(Debug)]
pub struct Encoder<'a> {
    buffer: &'a mut [u8],
    used: usize,
    kind: Kind,
    authenticated: bool,
}

impl<'a> Encoder<'a> {
    /// Begins a frame with its header.
    ///
    /// # Errors
    /// [`EncodeError::Full`] and [`EncodeError::Header`].
    pub fn new(buffer: &'a mut [u8], header: &Header) -> Result<Self, EncodeError> {
        if header.health > HEALTH_MAX {
            return Err(EncodeError::Header);
        }
        let mut encoder =
            Encoder { buffer, used: 0, kind: header.kind, authenticated: header.authenticated };
        let flags = u8::from(header.first_since_reset) * FLAG_FIRST
            + u8::from(header.authenticated) * FLAG_AUTHENTICATED;
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(&[
            MAGIC,
            VERSION << 4 | header.kind as u8,
            flags,
            header.health,
        ]);
        bytes[4..8].copy_from_slice(&header.device.to_le_bytes());
        bytes[8..10].copy_from_slice(&header.boot.to_le_bytes());
        bytes[10] = header.time_kind as u8;
        bytes[11] = header.time_error;
        bytes[12..16].copy_from_slice(&header.sequence.to_le_bytes());
        bytes[16..].copy_from_slice(&header.time_us.to_le_bytes());
        encoder.put(&bytes)?;
        Ok(encoder)
    }

    /// Appends a block: `values` as [sample][channel], NaN for no value, integers rounded to
    /// nearest with ties away from zero. Where `deltas` are given, one a sample, they take the
    /// place of `head.dt_us`.
    ///
    /// # Errors
    /// [`EncodeError`] of every kind.
    pub fn block(
        &mut self,
        head: BlockHead,
        deltas: Option<&[u32]>,
        values: &[f64],
    ) -> Result<(), EncodeError> {
        let before = self.used;
        let written = self.try_block(head, deltas, values);
        if written.is_err() {
            self.used = before;
        }
        written
    }

    fn try_block(
        &mut self,
        head: BlockHead,
        deltas: Option<&[u32]>,
        values: &[f64],
    ) -> Result<(), EncodeError> {
        if self.kind != Kind::Data {
            return Err(EncodeError::Header);
        }
        let fits = deltas.is_none_or(|deltas| deltas.len() == usize::from(head.samples));
        if !head.is_valid() || !fits || values.len() != head.values() {
            return Err(EncodeError::Shape);
        }
        self.put(&[
            head.first_channel,
            head.channels,
            head.value_type as u8 + 1,
            u8::from(deltas.is_some()) * BLOCK_FLAG_DELTAS,
        ])?;
        self.put(&head.samples.to_le_bytes())?;
        self.put(&head.dt_us.to_le_bytes())?;
        for delta in deltas.unwrap_or_default() {
            self.put(&delta.to_le_bytes())?;
        }
        for &value in values {
            self.put_value(head.value_type, value)?;
        }
        Ok(())
    }

    /// Appends to the descriptor of an announce frame.
    ///
    /// # Errors
    /// [`EncodeError::Full`] and [`EncodeError::Header`].
    pub fn announce(&mut self, descriptor: &[u8]) -> Result<(), EncodeError> {
        match self.kind {
            Kind::Announce => self.put(descriptor),
            Kind::Data | Kind::Heartbeat => Err(EncodeError::Header),
        }
    }

    /// Appends the checksum and returns the frame.
    ///
    /// # Errors
    /// [`EncodeError::Full`]; [`EncodeError::Header`] for a data frame of no blocks and for a
    /// header that promises a tag.
    pub fn finish(self) -> Result<&'a [u8], EncodeError> {
        if self.authenticated {
            return Err(EncodeError::Header);
        }
        self.check_not_empty()?;
        self.close()
    }

    /// Appends the tag that `tag_of` makes of the bytes so far, then the checksum.
    ///
    /// # Errors
    /// As [`Encoder::finish`], but for a header that promises no tag.
    pub fn finish_with_tag(
        mut self,
        tag_of: impl FnOnce(&[u8]) -> [u8; TAG_BYTES],
    ) -> Result<&'a [u8], EncodeError> {
        if !self.authenticated {
            return Err(EncodeError::Header);
        }
        self.check_not_empty()?;
        let tag = tag_of(&self.buffer[..self.used]);
        self.put(&tag)?;
        self.close()
    }

    fn check_not_empty(&self) -> Result<(), EncodeError> {
        let empty = self.kind == Kind::Data && self.used == HEADER_BYTES;
        if empty { Err(EncodeError::Header) } else { Ok(()) }
    }

    fn close(mut self) -> Result<&'a [u8], EncodeError> {
        let check = crc32(&self.buffer[..self.used]);
        self.put(&check.to_le_bytes())?;
        Ok(&self.buffer[..self.used])
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        let room = self.buffer[self.used..].get_mut(..bytes.len()).ok_or(EncodeError::Full)?;
        room.copy_from_slice(bytes);
        self.used += bytes.len();
        Ok(())
    }

    fn put_value(&mut self, value_type: ValueType, value: f64) -> Result<(), EncodeError> {
        // The casts are exact: `whole` has checked the range.
        match value_type {
            ValueType::I8 => self.put(&(signed_whole(value, 8)? as i8).to_le_bytes()),
            ValueType::U8 => self.put(&(whole(value, 0.0, 255.0)? as u8).to_le_bytes()),
            ValueType::I16 => self.put(&(signed_whole(value, 16)? as i16).to_le_bytes()),
            ValueType::U16 => self.put(&(whole(value, 0.0, 65_535.0)? as u16).to_le_bytes()),
            ValueType::I32 => self.put(&(signed_whole(value, 32)? as i32).to_le_bytes()),
            ValueType::U32 => self.put(&(whole(value, 0.0, 4_294_967_295.0)? as u32).to_le_bytes()),
            ValueType::F32 => {
                let single = value as f32;
                if single.is_infinite() && value.is_finite() {
                    return Err(EncodeError::Value);
                }
                self.put(&single.to_le_bytes())
            }
            ValueType::F64 => self.put(&value.to_le_bytes()),
            ValueType::U64 => self.put(&(whole(value, 0.0, U64_LAST)? as u64).to_le_bytes()),
        }
    }
}

/// The largest `f64` below 2^64.
const U64_LAST: f64 = 18_446_744_073_709_549_568.0;

/// A whole number of `bits` bits whose minimum stands for NaN and is no value itself.
fn signed_whole(value: f64, bits: u32) -> Result<i64, EncodeError> {
    let end = 1_i64 << (bits - 1);
    if value.is_nan() {
        return Ok(-end);
    }
    let last = (end - 1) as f64;
    whole(value, -last, last).map(|value| value as i64)
}

/// Rounds to nearest, ties away from zero, and checks the range; NaN is in no range.
fn whole(value: f64, min: f64, max: f64) -> Result<f64, EncodeError> {
    /// From 2^52 on, every `f64` is whole.
    const WHOLE: f64 = 4_503_599_627_370_496.0;
    let rounded = if value.abs() < WHOLE {
        let towards_zero = (value as i64) as f64;
        match value - towards_zero {
            up if up >= 0.5 => towards_zero + 1.0,
            down if down <= -0.5 => towards_zero - 1.0,
            _ => towards_zero,
        }
    } else {
        value
    };
    if (min..=max).contains(&rounded) { Ok(rounded) } else { Err(EncodeError::Value) }
}
