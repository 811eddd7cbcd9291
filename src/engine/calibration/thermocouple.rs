//! Thermocouples by the reference functions of ITS-90.

use super::{
    its90::{Function, Piece},
    solve::invert,
};

/// A pair of metals, by the letter of IEC 60584.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thermocouple {
    /// Platinum with 30 % and with 6 % rhodium.
    B,
    /// Chromel and constantan.
    E,
    /// Iron and constantan.
    J,
    /// Chromel and alumel.
    K,
    /// Nicrosil and nisil.
    N,
    /// Platinum with 13 % rhodium, and platinum.
    R,
    /// Platinum with 10 % rhodium, and platinum.
    S,
    /// Copper and constantan.
    T,
}

/// Half of the last digit of the tables of IEC 60584-1, millivolt, and a hair.
const TABLE_HALF_DIGIT: f64 = 0.5001e-3;

impl Thermocouple {
    /// All of them, by their letters.
    pub const ALL: [(&'static str, Self); 8] = [
        ("B", Self::B),
        ("E", Self::E),
        ("J", Self::J),
        ("K", Self::K),
        ("N", Self::N),
        ("R", Self::R),
        ("S", Self::S),
        ("T", Self::T),
    ];

    /// The voltage of the pair between 0 and this many degrees Celsius, millivolt; `None` outside
    /// of what the reference function is defined for.
    #[must_use]
    pub fn millivolt(self, celsius: f64) -> Option<f64> {
        let function = Function::of(self);
        let is_within = function.low() <= celsius && celsius <= function.high();
        is_within.then(|| function.at(celsius).0)
    }

    /// The temperature at which the pair has this voltage against 0 degrees Celsius; `None` if
    /// there is none, or more than one.
    ///
    /// The voltages of tables are rounded: one that is that much over an end is that of the end.
    ///
    /// It is found by inverting the reference function, and not by the inverse polynomials of the
    /// standard, which are off by up to 0.06 degrees Celsius.
    #[must_use]
    pub fn celsius(self, millivolt: f64) -> Option<f64> {
        let function = Function::of(self);
        let range = (function.unique_from, function.high());
        let (least, most) = (function.at(range.0).0, function.at(range.1).0);
        // Below `unique_from` there may be a second temperature.
        let is_lowest = function.unique_from == function.low();
        let below = if is_lowest { TABLE_HALF_DIGIT } else { 0.0 };
        if !(least - below <= millivolt && millivolt <= most + TABLE_HALF_DIGIT) {
            return None;
        }
        let millivolt = millivolt.clamp(least, most);
        let share = (millivolt - least) / (most - least);
        let guess = range.0 + share * (range.1 - range.0);
        Some(invert(millivolt, range, guess, |celsius| function.at(celsius)))
    }
}

impl Function {
    fn low(&self) -> f64 {
        self.pieces[0].from
    }

    fn high(&self) -> f64 {
        self.pieces[self.pieces.len() - 1].to
    }

    /// Millivolt at a temperature, and by how much they rise with each degree.
    fn at(&self, celsius: f64) -> (f64, f64) {
        let holds = |piece: &&Piece| celsius <= piece.to;
        let last = &self.pieces[self.pieces.len() - 1];
        let piece = self.pieces.iter().find(holds).unwrap_or(last);
        let (mut sum, mut slope) = (0.0, 0.0);
        for coefficient in piece.coefficients.iter().rev() {
            slope = slope * celsius + sum;
            sum = sum * celsius + coefficient;
        }
        if let Some([height, width, centre]) = piece.bell {
            let from_centre = celsius - centre;
            let bell = height * (width * from_centre * from_centre).exp();
            sum += bell;
            slope += 2.0 * width * from_centre * bell;
        }
        (sum, slope)
    }
}
