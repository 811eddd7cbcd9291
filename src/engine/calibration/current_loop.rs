//! Transmitters with 4 to 20 mA.

use super::Graded;
use crate::engine::verdict::Test;

/// A transmitter whose quantity goes in a line with its current.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurrentLoop {
    /// Quantity at 4 mA.
    pub low: f64,
    /// Quantity at 20 mA.
    pub high: f64,
    /// Currents outside of these are no measurement, milliampere.
    pub fail: (f64, f64),
    /// Currents outside of these are saturated, milliampere.
    pub suspect: (f64, f64),
}

impl CurrentLoop {
    /// Below and above these currents a transmitter reports a failure (NAMUR NE 43).
    pub const NE43_FAIL: (f64, f64) = (3.6, 21.0);
    /// Between these currents a transmitter measures (NAMUR NE 43).
    pub const NE43_MEASURES: (f64, f64) = (3.8, 20.5);

    /// The quantity at a current; the bounds belong to the better side.
    pub(super) fn at(&self, milliampere: f64) -> Graded {
        let value = self.low + (milliampere - 4.0) / 16.0 * (self.high - self.low);
        let lies_in = |(min, max): (f64, f64)| min <= milliampere && milliampere <= max;
        if lies_in(self.suspect) {
            Graded::good(value)
        } else if lies_in(self.fail) {
            Graded::suspect(value, Test::CurrentLoop)
        } else {
            Graded::fail(Test::CurrentLoop)
        }
    }
}
