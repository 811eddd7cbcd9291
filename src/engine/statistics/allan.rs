//! The Allan deviation: how much the means of neighbouring stretches of time differ.

mod saved;

use super::series::Merge;

/// Squared differences between the means of blocks that follow each other.
///
/// Time is cut into blocks of one length, aligned to 1970. A pair counts for the interval in which
/// its later block ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Allan {
    pairs: u64,
    squares: f64,
}

/// The block that takes readings, and the one before.
#[derive(Clone, Copy, Debug)]
pub struct Blocks {
    length_ns: i64,
    open: Option<Block>,
    /// Number and mean of the block before the open one.
    before: Option<(i64, f64)>,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    number: i64,
    /// The first value: sums of differences from it do not cancel.
    anchor: f64,
    sum: f64,
    n: u64,
}

impl Allan {
    /// The deviation `sqrt(sum (y[k+1] - y[k])^2 / 2 pairs)` (NIST SP 1065, 5.2.2); `None` without
    /// a pair.
    #[must_use]
    pub fn deviation(&self) -> Option<f64> {
        (self.pairs != 0).then(|| (self.squares / (2.0 * self.pairs as f64)).sqrt())
    }
}

impl Blocks {
    /// Blocks of this length.
    #[must_use]
    pub fn new(length_ns: i64) -> Self {
        Self { length_ns, open: None, before: None }
    }

    /// Closes the open block if it ends at or before an instant; gives the last nanosecond of it
    /// with the pair that it makes with the one before, if that is next to it.
    pub fn close_until(&mut self, at_ns: i64) -> Option<(i64, Allan)> {
        let open = self.open.filter(|open| (open.number + 1) * self.length_ns <= at_ns)?;
        self.open = None;
        let mean = open.anchor + open.sum / open.n as f64;
        let (number, before) = self.before.replace((open.number, mean))?;
        let pair = Allan { pairs: 1, squares: (mean - before) * (mean - before) };
        (number + 1 == open.number).then(|| ((open.number + 1) * self.length_ns - 1, pair))
    }

    /// Takes a reading; [`Self::close_until`] its time came before.
    pub fn push(&mut self, at_ns: i64, value: f64) {
        let number = at_ns.div_euclid(self.length_ns);
        let block = self.open.get_or_insert(Block { number, anchor: value, sum: 0.0, n: 0 });
        debug_assert_eq!(block.number, number);
        block.sum += value - block.anchor;
        block.n += 1;
    }
}

impl Merge for Allan {
    const EMPTY: Self = Self { pairs: 0, squares: 0.0 };

    fn is_empty(&self) -> bool {
        self.pairs == 0
    }

    fn merge(&mut self, later: &Self) {
        self.pairs += later.pairs;
        self.squares += later.squares;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::statistics::{
        hold::Point,
        series::tests_support::{assert_associative, close, partials},
    };

    /// The deviation of values that are one nanosecond apart, with blocks of so many.
    fn deviation(values: &[f64], length: i64) -> Option<f64> {
        let (mut blocks, mut all) = (Blocks::new(length), Allan::EMPTY);
        let mut close = |blocks: &mut Blocks, at_ns| {
            if let Some((_, pair)) = blocks.close_until(at_ns) {
                all.merge(&pair);
            }
        };
        for (at_ns, &value) in (0..).zip(values) {
            close(&mut blocks, at_ns);
            blocks.push(at_ns, value);
        }
        close(&mut blocks, values.len() as i64);
        all.deviation()
    }

    /// NIST SP 1065, 12.4: the nine-point set of NBS Monograph 140, and the thousand points of the
    /// prime modulus generator.
    #[test]
    fn published_sets_have_their_deviations() {
        let nine = [892.0, 809.0, 823.0, 798.0, 671.0, 644.0, 883.0, 903.0, 677.0];
        for (length, expected) in [(1, 91.22945), (2, 115.8082)] {
            let got = deviation(&nine, length).expect("pairs");
            assert!(close(got, expected, 5e-7), "{got} for {expected}");
        }
        let mut n = 1_234_567_890_u64;
        let thousand: Vec<f64> = (0..1_000)
            .map(|_| {
                let value = n as f64 / 2_147_483_647.0;
                n = 16_807 * n % 2_147_483_647;
                value
            })
            .collect();
        for (length, expected) in [(1, 2.922319e-1), (10, 9.965736e-2), (100, 3.897804e-2)] {
            let got = deviation(&thousand, length).expect("pairs");
            assert!(close(got, expected, 5e-7), "{got} for {expected}");
        }
    }

    #[test]
    fn blocks_with_a_gap_between_them_are_no_pair() {
        let mut blocks = Blocks::new(10);
        blocks.push(1, 5.0);
        assert_eq!(blocks.close_until(9), None);
        assert_eq!(blocks.close_until(10), None, "the first has none before it");
        blocks.push(25, 7.0);
        assert_eq!(blocks.close_until(30), None, "the one before is not next to it");
        blocks.push(30, 10.0);
        assert_eq!(blocks.close_until(40), Some((39, Allan { pairs: 1, squares: 9.0 })));
        assert_eq!(Allan::EMPTY.deviation(), None);
    }

    proptest! {
        #[test]
        fn merging_is_associative(
            squares in proptest::collection::vec(0.0..100.0, 1..60),
            cuts in any::<[prop::sample::Index; 2]>(),
        ) {
            let points: Vec<Point> =
                squares.iter().map(|&value| Point { at_ns: 0, value }).collect();
            let of = |point: Point, _| Allan { pairs: 1, squares: point.value };
            assert_associative(partials(&points, cuts, of), |a, b| {
                a.pairs == b.pairs && close(a.squares, b.squares, 1e-12)
            });
        }
    }
}
