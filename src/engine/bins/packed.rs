//! Bins in use with their counts, as bytes.
//!
//! Ascending bins, each as the distance from the one before, twice, plus 1 if more than one
//! reading fell into it; then in that case how many beyond two. Both are LEB128 numbers: seven
//! bits a byte, the lowest first. A bin takes one byte for a single reading and mostly two for
//! several; distances count from the lowest bin there is.

use super::{Bin, BinScale};
use crate::{engine::image::Reader, limits::IMAGE_COUNT_MAX};

/// Longest a number may be: 64 bits in sevens.
const NUMBER_BYTES_MAX: usize = 10;

/// Appends a bin, which lies `gap` above the one before, with the count of its readings, which is
/// not 0.
pub fn push_entry(out: &mut Vec<u8>, gap: u32, count: u64) {
    let several = 1 < count;
    push_number(out, u64::from(gap) << 1 | u64::from(several));
    if several {
        push_number(out, count - 2);
    }
}

/// Appends a number.
pub fn push_number(out: &mut Vec<u8>, mut number: u64) {
    while 0x80 <= number {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Takes a number from the front of the bytes, which [`push_number`] made.
///
/// # Panics
/// If it did not.
pub fn take_number(bytes: &mut &[u8]) -> u64 {
    // Nearly all numbers are below 128.
    let (&first, rest) = bytes.split_first().expect("a number has an end");
    *bytes = rest;
    if first < 0x80 {
        return u64::from(first);
    }
    let mut number = u64::from(first & 0x7f);
    for place in 1..NUMBER_BYTES_MAX {
        let (&byte, rest) = bytes.split_first().expect("a number has an end");
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            break;
        }
    }
    number
}

/// Checks bytes that somebody else gives for packed: how many readings they count, at most
/// [`IMAGE_COUNT_MAX`]; `None` if [`Entries`] could not read them, or if `scale` lacks one of the
/// bins.
#[must_use]
pub fn check(bytes: &[u8], scale: &BinScale) -> Option<u64> {
    let mut reader = Reader::new(bytes);
    let (mut bin, mut n, mut is_first) = (i64::from(Bin::MIN), 0_u64, true);
    while reader.end().is_none() {
        let token = reader.small()?;
        let count = if token & 1 == 0 { 1 } else { reader.tally()? + 2 };
        let gap = i64::from(token >> 1);
        bin += gap;
        let ascends = is_first || 0 < gap;
        Bin::try_from(bin).ok().filter(|bin| ascends && scale.has(*bin))?;
        n = n.checked_add(count).filter(|n| *n <= IMAGE_COUNT_MAX)?;
        is_first = false;
    }
    Some(n)
}

/// The bins in packed bytes with their counts, ascending.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    bytes: &'a [u8],
    bin: i32,
}

impl<'a> Entries<'a> {
    /// Reads what [`push_entry`] made, and nothing else.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, bin: i32::from(Bin::MIN) }
    }
}

impl Iterator for Entries<'_> {
    type Item = (Bin, u64);

    #[inline]
    fn next(&mut self) -> Option<(Bin, u64)> {
        if self.bytes.is_empty() {
            return None;
        }
        let token = take_number(&mut self.bytes);
        let count = if token & 1 == 0 { 1 } else { take_number(&mut self.bytes) + 2 };
        self.bin += (token >> 1) as i32;
        Some((self.bin as Bin, count))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_packed_comes_out_again(
            entries in proptest::collection::btree_map(
                any::<Bin>(),
                prop_oneof![1..4_u64, 1..1_000_u64, 1..=u64::MAX],
                0..60,
            ),
        ) {
            let mut bytes = Vec::new();
            let mut before = i32::from(Bin::MIN);
            for (&bin, &count) in &entries {
                push_entry(&mut bytes, (i32::from(bin) - before) as u32, count);
                before = i32::from(bin);
            }
            let read: BTreeMap<Bin, u64> = Entries::new(&bytes).collect();
            prop_assert_eq!(read, entries);
        }
    }

    #[test]
    fn neighbouring_bins_take_a_byte_or_two() {
        let mut bytes = Vec::new();
        push_entry(&mut bytes, 32_768 + 500, 1);
        assert_eq!(bytes.len(), 3, "the first tells where it is");
        push_entry(&mut bytes, 1, 1);
        push_entry(&mut bytes, 63, 129);
        assert_eq!(bytes.len(), 3 + 1 + 2);
    }
}
