//! Thermometers that are resistors, and the divider by which their resistance is measured.

use super::{Graded, solve::invert};
use crate::engine::verdict::Test;

/// Half of the last digit of the tables of IEC 60751, of which those of 100 ohm have two behind the
/// point, and a hair: a share of the resistance at 0 degrees Celsius.
const TABLE_HALF_DIGIT: f64 = 0.5001e-4;

/// Zero degrees Celsius, kelvin.
const ZERO_CELSIUS: f64 = 273.15;

/// A resistor in series with the one that is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Divider {
    /// The known resistor, ohm.
    pub known_ohm: f64,
    /// Over which of the two the voltage is measured.
    pub side: Side,
    /// The raw value of the whole voltage: 1 for ratios, 1023 for a converter of ten bits.
    pub full_scale: f64,
}

/// Where in a divider the sensor is, seen from the tap that is measured against ground.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Between the tap and ground: the voltage over the sensor is measured.
    Low,
    /// Between the supply and the tap: the voltage over the known resistor is measured.
    High,
}

impl Divider {
    /// The resistance of the sensor, ohm. A voltage at either end is that of a short or a broken
    /// wire.
    pub(super) fn ohm(&self, raw: f64) -> Graded {
        let ratio = raw / self.full_scale;
        if !(0.0 < ratio && ratio < 1.0) {
            return Graded::fail(Test::Domain);
        }
        Graded::good(match self.side {
            Side::Low => self.known_ohm * ratio / (1.0 - ratio),
            Side::High => self.known_ohm * (1.0 - ratio) / ratio,
        })
    }
}

/// A resistor of semiconductor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thermistor {
    /// `1/T = a + b ln R + c (ln R)^3`, kelvin and ohm (Steinhart and Hart, "Calibration curves
    /// for thermistors", Deep-Sea Research 15, 1968).
    pub coefficients: [f64; 3],
    /// What it is good for, degrees Celsius.
    pub range: (f64, f64),
}

impl Thermistor {
    /// The range of a thermistor whose maker is not asked, degrees Celsius.
    pub const RANGE: (f64, f64) = (-100.0, 300.0);

    /// The coefficients of `1/T = 1/T0 + ln(R / R0) / beta`, with T0 in degrees Celsius.
    #[must_use]
    pub fn beta(beta: f64, r0_ohm: f64, t0_celsius: f64) -> [f64; 3] {
        [1.0 / (t0_celsius + ZERO_CELSIUS) - r0_ohm.ln() / beta, 1.0 / beta, 0.0]
    }

    /// Whether a resistance between a milliohm and a teraohm has a temperature within the range.
    #[must_use]
    pub fn reaches_its_range(&self) -> bool {
        let decades = (-30..=120).map(|tenth| 10_f64.powf(f64::from(tenth) / 10.0));
        decades.into_iter().any(|ohm| self.celsius(ohm).value.is_finite())
    }

    /// The temperature at a resistance.
    pub(super) fn celsius(&self, ohm: f64) -> Graded {
        let [a, b, c] = self.coefficients;
        let log = ohm.ln();
        let celsius = 1.0 / (a + b * log + c * log * log * log) - ZERO_CELSIUS;
        // The logarithm of what is no resistance is in no range either.
        match self.range.0 <= celsius && celsius <= self.range.1 {
            true => Graded::good(celsius),
            false => Graded::fail(Test::Domain),
        }
    }
}

/// A resistor of platinum, or of another metal with coefficients of its own.
///
/// `R = r0 (1 + a t + b t^2 + c (t - 100) t^3)`, the last term below 0 degrees Celsius only
/// (Callendar and Van Dusen; IEC 60751).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rtd {
    r0_ohm: f64,
    coefficients: [f64; 3],
    range: (f64, f64),
    /// Resistances at the ends of the range.
    ohm: (f64, f64),
}

/// Resistance does not rise with temperature, at this one and within the range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RtdError {
    /// Degrees Celsius.
    pub celsius: f64,
}

impl Rtd {
    /// The coefficients of platinum (IEC 60751).
    pub const PLATINUM: [f64; 3] = [3.908_3e-3, -5.775e-7, -4.183e-12];
    /// What the standard's formula is good for, degrees Celsius.
    pub const RANGE: (f64, f64) = (-200.0, 850.0);

    /// A resistor with `r0_ohm` at 0 degrees Celsius, good for the range.
    ///
    /// # Errors
    /// If its resistance does not rise all over the range.
    pub fn new(r0_ohm: f64, coefficients: [f64; 3], range: (f64, f64)) -> Result<Self, RtdError> {
        let mut rtd = Self { r0_ohm, coefficients, range, ohm: (0.0, 0.0) };
        let steps = 1_000;
        for step in 0..=steps {
            let celsius = range.0 + (range.1 - range.0) * f64::from(step) / f64::from(steps);
            let (ohm, slope) = rtd.resistance(celsius);
            if !(0.0 < slope && slope.is_finite() && 0.0 < ohm) {
                return Err(RtdError { celsius });
            }
        }
        rtd.ohm = (rtd.resistance(range.0).0, rtd.resistance(range.1).0);
        Ok(rtd)
    }

    /// Resistance at a temperature, and by how much it rises with each degree.
    #[must_use]
    pub fn resistance(&self, t: f64) -> (f64, f64) {
        let [a, b, c] = self.coefficients;
        let c = if t < 0.0 { c } else { 0.0 };
        let ratio = 1.0 + t * (a + t * (b + t * (t - 100.0) * c));
        let slope = a + t * (2.0 * b + t * (4.0 * t - 300.0) * c);
        (self.r0_ohm * ratio, self.r0_ohm * slope)
    }

    /// The temperature at a resistance, by inversion of the formula. One that is over an end by no
    /// more than the tables are rounded is that of the end.
    pub(super) fn celsius(&self, ohm: f64) -> Graded {
        let rounding = TABLE_HALF_DIGIT * self.r0_ohm;
        if !(self.ohm.0 - rounding <= ohm && ohm <= self.ohm.1 + rounding) {
            return Graded::fail(Test::Domain);
        }
        let ohm = ohm.clamp(self.ohm.0, self.ohm.1);
        let guess = (ohm / self.r0_ohm - 1.0) / self.coefficients[0];
        Graded::good(invert(ohm, self.range, guess, |t| self.resistance(t)))
    }
}
