//! Numbers that look random and are the same each time.

/// A linear congruential generator (Knuth's MMIX), whose upper bits are good enough to make input.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// One for everything that has this name.
    pub(crate) fn named(name: &str) -> Self {
        let seed =
            name.bytes().fold(0x5EED_u64, |seed, byte| seed.rotate_left(5) ^ u64::from(byte));
        println!("{name}: seed {seed:#x}");
        Self(seed)
    }

    /// A whole number from 0 up to `end`, which is not among them.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    /// A number with one decimal from 0 up to `end`.
    pub(crate) fn tenths(&mut self, end: usize) -> f64 {
        self.below(10 * end) as f64 / 10.0
    }

    /// One of these.
    pub(crate) fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// Bytes that no text has.
    pub(crate) fn garbage(&mut self) -> Vec<u8> {
        let length = 1 + self.below(40);
        (0..length).map(|_| 0xF5 + self.below(11) as u8).collect()
    }
}
