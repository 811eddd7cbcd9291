//! Units by their UCUM codes: <https://ucum.org/ucum>, table 3 and following.

/// Placeholder until the table stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conversion {
    /// Factor.
    pub factor: f64,
    /// Added after the factor.
    pub offset: f64,
}

impl Conversion {
    /// Leaves values as they are.
    pub const IDENTITY: Self = Self { factor: 1.0, offset: 0.0 };

    /// Converts a point (not a difference).
    #[must_use]
    pub fn point(&self, value: f64) -> f64 {
        value * self.factor + self.offset
    }
}
