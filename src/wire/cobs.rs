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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::frame::vectors::{VECTORS, unhex};

    fn encoded(bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![0; encoded_bytes_max(bytes.len())];
        let length = encode(bytes, &mut out).expect("the bound is always enough");
        out.truncate(length);
        out
    }

    fn decoded(bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let mut bytes = bytes.to_vec();
        let length = decode_in_place(&mut bytes)?;
        bytes.truncate(length);
        Ok(bytes)
    }

    #[test]
    fn the_pairs_of_the_paper() {
        let runs: Vec<u8> = (1..=255).collect();
        let mut pairs = vec![
            (unhex(""), unhex("01")),
            (unhex("00"), unhex("0101")),
            (unhex("0000"), unhex("010101")),
            (unhex("001100"), unhex("01021101")),
            (unhex("11220033"), unhex("0311220233")),
            (unhex("11000000"), unhex("0211010101")),
            (runs[..254].to_vec(), [&[255], &runs[..254]].concat()),
            (runs.clone(), [&[255], &runs[..254], &[2, 255]].concat()),
            ([&[0], &runs[..254]].concat(), [&[1, 255], &runs[..254]].concat()),
            ([&runs[..254], &[0]].concat(), [&[255], &runs[..254], &[1, 1]].concat()),
            ([&runs[1..], &[0]].concat(), [&[255], &runs[1..], &[1, 1]].concat()),
        ];
        for vector in VECTORS.iter().filter(|vector| !vector.serial.is_empty()) {
            let mut stuffed = vector.serial_bytes();
            assert_eq!(stuffed.pop(), Some(0), "{}", vector.name);
            pairs.push((vector.bytes(), stuffed));
        }
        for (plain, stuffed) in &pairs {
            assert_eq!(&encoded(plain), stuffed);
            assert_eq!(decoded(stuffed).as_ref(), Ok(plain));
        }
    }

    #[test]
    fn a_buffer_that_is_too_short_is_an_error_and_not_a_cut() {
        let plain = unhex("11220033");
        for length in 0..5 {
            assert_eq!(encode(&plain, &mut vec![0; length]), None, "{length}");
        }
    }

    #[test]
    fn broken_blocks_are_refused() {
        for stuffed in ["", "00", "0000", "02", "0311", "031100", "020011", "ff01"] {
            assert_eq!(decoded(&unhex(stuffed)), Err(Error), "{stuffed}");
        }
    }

    proptest! {
        #[test]
        fn what_is_stuffed_has_no_zero_and_comes_back(
            bytes in prop::collection::vec(prop_oneof![Just(0), any::<u8>(), Just(1)], 0..700),
        ) {
            let stuffed = encoded(&bytes);
            prop_assert!(!stuffed.contains(&0));
            prop_assert_eq!(decoded(&stuffed), Ok(bytes));
        }

        #[test]
        fn noise_is_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(plain) = decoded(&bytes) {
                prop_assert!(plain.len() < bytes.len());
            }
        }
    }
}
