//! Consistent Overhead Byte Stuffing: bytes without zeros, so that a zero can end a block.
//!
//! Cheshire and Baker, "Consistent Overhead Byte Stuffing", IEEE/ACM Transactions on Networking
//! 7(2), 1999. `core` only, for the same reason as the frame codec. The zero that ends a block is
//! the caller's business in both directions.

/// The bytes are not a stuffed block: a zero inside, a code that points beyond the end, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error;

/// Longest run of bytes one code can announce, itself included.
const RUN: u8 = 0xFF;

/// Bytes that `bytes` take at most after stuffing, without the ending zero.
#[must_use]
pub const fn encoded_bytes_max(bytes: usize) -> usize {
    bytes + bytes / 254 + 1
}

/// Unstuffs the block in `bytes`, which does not include its ending zero, and returns the length
/// of the result at the start of `bytes`; the rest is left over.
///
/// # Errors
/// [`Error`]; the contents of `bytes` are then unspecified.
pub fn decode_in_place(bytes: &mut [u8]) -> Result<usize, Error> {
    let mut from = 0;
    let mut to = 0;
    if bytes.is_empty() {
        return Err(Error);
    }
    while let Some(&code) = bytes.get(from) {
        let end = from + usize::from(code);
        if code == 0 || end > bytes.len() || bytes[from + 1..end].contains(&0) {
            return Err(Error);
        }
        bytes.copy_within(from + 1..end, to);
        to += end - from - 1;
        from = end;
        if code != RUN && from < bytes.len() {
            bytes[to] = 0;
            to += 1;
        }
    }
    Ok(to)
}

/// Stuffs `bytes` into `out` and returns the length, without the ending zero; `None` where `out`
/// is too short, for which [`encoded_bytes_max`] is always enough.
#[must_use]
pub fn encode(bytes: &[u8], out: &mut [u8]) -> Option<usize> {
    let mut code_at = 0;
    let mut to = 1;
    let mut code = 1_u8;
    for (index, &byte) in bytes.iter().enumerate() {
        if byte != 0 {
            *out.get_mut(to)? = byte;
            to += 1;
            code += 1;
        }
        let full = code == RUN && index + 1 < bytes.len();
        if byte == 0 || full {
            *out.get_mut(code_at)? = code;
            code_at = to;
            to += 1;
            code = 1;
        }
    }
    *out.get_mut(code_at)? = code;
    Some(to)
}
