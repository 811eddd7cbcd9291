//! The bins of a window in the form in which HdrHistogram's libraries read them.
//!
//! "V2" without compression: a header of 40 bytes, big endian, then the counts of all bins from 0
//! to the last in use, a number each; a run of empty bins is its length, negative. Numbers are
//! ZigZag, then LEB128. Gil Tene's `AbstractHistogram.encodeIntoByteBuffer` defines it
//! (<https://github.com/HdrHistogram/HdrHistogram>).
//!
//! The form has no sign, hence two histograms: one of the values from 0 on, one of the magnitudes
//! of those below. Both count resolutions, and start with bin 0, which holds 0 and what rounds to
//! it.

use super::{Bin, BinScale, packed::push_number};
use crate::limits::BIN_VALUE_MAX;

/// What a histogram of the second version starts with, if the counts have any length.
const COOKIE: u32 = 0x1c84_9303 | 0x10;

/// A window's counts, as they are handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Significant figures of the bins.
    pub figures: u8,
    /// Readings counted.
    pub n: u64,
    /// Histogram of the values from 0 on; no bytes if there are none.
    pub positive: Box<[u8]>,
    /// Histogram of the magnitudes of those below; no bytes if there are none.
    pub negative: Box<[u8]>,
}

impl Export {
    /// Of these bins, ascending, with their counts. If it comes to more than `most` bytes, the
    /// bins are made coarser until it does not, or until they have but one figure.
    #[must_use]
    pub fn new(mut scale: BinScale, mut bins: Vec<(Bin, u64)>, most: usize) -> Self {
        loop {
            let export = Self::of(scale, &bins);
            if export.bytes() <= most {
                return export;
            }
            let Some(coarser) = scale.coarser() else { return export };
            bins = nested(&bins, &scale, &coarser);
            scale = coarser;
        }
    }

    fn of(scale: BinScale, bins: &[(Bin, u64)]) -> Self {
        let (below, above) = bins.split_at(bins.partition_point(|&(bin, _)| bin < 0));
        let figures = scale.figures();
        Self {
            figures,
            n: bins.iter().map(|(_, count)| count).sum(),
            positive: payload(figures, above.iter()),
            negative: payload(figures, below.iter().rev()),
        }
    }

    /// Length of both histograms.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.positive.len() + self.negative.len()
    }
}

/// The bins, ascending, in coarser ones.
fn nested(bins: &[(Bin, u64)], from: &BinScale, to: &BinScale) -> Vec<(Bin, u64)> {
    let mut nested: Vec<(Bin, u64)> = Vec::new();
    for &(bin, count) in bins {
        let nest = from.nest(bin, to);
        match nested.last_mut() {
            Some((last, sum)) if *last == nest => *sum += count,
            _ => nested.push((nest, count)),
        }
    }
    nested
}

/// One histogram of bins whose distances from 0 ascend.
fn payload<'a>(figures: u8, bins: impl Iterator<Item = &'a (Bin, u64)>) -> Box<[u8]> {
    let mut counts = Vec::new();
    let mut next = 0;
    for &(bin, count) in bins {
        let place = u64::from(bin.unsigned_abs());
        push_empty(&mut counts, place - next);
        // Below 2^49, as limits have it: where LEB128 is the same for everybody.
        push_number(&mut counts, count << 1);
        next = place + 1;
    }
    if counts.is_empty() {
        return Box::default();
    }
    let length = u32::try_from(counts.len()).expect("32,768 bins of 7 bytes at most");
    let mut out = Vec::with_capacity(40 + counts.len());
    out.extend_from_slice(&COOKIE.to_be_bytes());
    out.extend_from_slice(&length.to_be_bytes());
    // Normalizing index offset: bin 0 is the first.
    out.extend_from_slice(&0_u32.to_be_bytes());
    out.extend_from_slice(&u32::from(figures).to_be_bytes());
    // Lowest discernible and highest trackable value.
    out.extend_from_slice(&1_u64.to_be_bytes());
    out.extend_from_slice(&BIN_VALUE_MAX.to_be_bytes());
    // Conversion ratio, which not every library heeds: the resolution is told beside.
    out.extend_from_slice(&1.0_f64.to_be_bytes());
    out.append(&mut counts);
    out.into()
}

/// Appends a run of empty bins; one alone is a count like any other.
fn push_empty(out: &mut Vec<u8>, bins: u64) {
    match bins {
        0 => {}
        1 => out.push(0),
        _ => push_number(out, 2 * bins - 1),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use hdrhistogram::{
        Histogram,
        serialization::{Deserializer, Serializer, V2Serializer},
    };
    use proptest::prelude::*;

    use super::*;

    /// What the values come to in the reference implementation, by sign.
    fn reference(quantities: &[i64], figures: u8) -> [Histogram<u64>; 2] {
        let mut both = [0; 2].map(|_| {
            Histogram::<u64>::new_with_bounds(1, BIN_VALUE_MAX, figures).expect("valid bounds")
        });
        for quantity in quantities {
            both[usize::from(*quantity < 0)] += quantity.unsigned_abs();
        }
        both
    }

    fn bins(scale: &BinScale, quantities: &[i64]) -> Vec<(Bin, u64)> {
        let mut bins = BTreeMap::new();
        for quantity in quantities {
            *bins.entry(scale.bin(*quantity as f64).0).or_insert(0) += 1;
        }
        bins.into_iter().collect()
    }

    fn quantity() -> impl Strategy<Value = i64> {
        let most = BIN_VALUE_MAX as i64;
        prop_oneof![-3..=3_i64, 1_990..2_060_i64, -9_000..9_000_i64, -most..=most]
    }

    proptest! {
        /// Byte by byte what the reference implementation writes, and it reads back the same
        /// bins.
        #[test]
        fn the_reference_writes_the_same_and_reads_it(
            quantities in proptest::collection::vec((quantity(), 1..300_usize), 0..80),
            figures in 1..=3_u8,
        ) {
            let repeated = quantities.iter().map(|&(quantity, n)| std::iter::repeat_n(quantity, n));
            let quantities: Vec<i64> = repeated.flatten().collect();
            let scale = BinScale::new(1.0, figures);
            let export = Export::new(scale, bins(&scale, &quantities), usize::MAX);
            prop_assert_eq!((export.figures, export.n), (figures, quantities.len() as u64));
            let both = [&export.positive, &export.negative];
            for (payload, expected) in both.into_iter().zip(reference(&quantities, figures)) {
                if expected.is_empty() {
                    prop_assert!(payload.is_empty());
                    continue;
                }
                let mut bytes = Vec::new();
                V2Serializer::new().serialize(&expected, &mut bytes).expect("serialises");
                prop_assert_eq!(&**payload, &*bytes);
                let read: Histogram<u64> =
                    Deserializer::new().deserialize(&mut &**payload).expect("deserialises");
                prop_assert_eq!(read, expected);
            }
        }

        /// What is too long is told in coarser bins, which are those of the values themselves.
        #[test]
        fn it_becomes_coarser_until_it_fits(
            quantities in proptest::collection::vec(quantity(), 1..200),
            most in 0..700_usize,
        ) {
            let [one, two, three] = [1, 2, 3].map(|figures| {
                let scale = BinScale::new(1.0, figures);
                Export::new(scale, bins(&scale, &quantities), usize::MAX)
            });
            let fine = BinScale::new(1.0, 3);
            let fitting = Export::new(fine, bins(&fine, &quantities), most);
            let expected = [three, two].into_iter().find(|export| export.bytes() <= most);
            prop_assert_eq!(fitting, expected.unwrap_or(one));
        }
    }

    /// A count of its largest size, as the reference has it.
    #[test]
    fn large_counts_keep_their_form() {
        let scale = BinScale::new(1.0, 2);
        let count = crate::limits::READINGS_PER_WINDOW_MAX;
        let export = Export::new(scale, vec![(-7, 1), (0, count), (3, 2)], usize::MAX);
        let mut expected = reference(&[], 2);
        expected[0].record_n(0, count).expect("within");
        expected[0].record_n(3, 2).expect("within");
        expected[1].record_n(7, 1).expect("within");
        for (payload, expected) in [export.positive, export.negative].iter().zip(expected) {
            let mut bytes = Vec::new();
            V2Serializer::new().serialize(&expected, &mut bytes).expect("serialises");
            assert_eq!(**payload, *bytes);
        }
    }
}
