//! One function of a chain, of whatever kind.

use super::{
    Cold, Count, Counter, CurrentLoop, Divider, Graded, Junction, Rtd, Table, Thermistor,
    Thermocouple, polynomial,
};
use crate::engine::{plan::Linear, verdict::Test};

/// From one quantity to the next.
#[derive(Clone, Debug, PartialEq)]
pub enum Transfer {
    /// A line.
    Linear(Linear),
    /// Lets values within these bounds through, both included, and fails others.
    Within {
        /// The least that is let through.
        min: f64,
        /// The most that is let through.
        max: f64,
    },
    /// A polynomial: coefficients in the order of rising powers.
    Polynomial(Box<[f64]>),
    /// Points, and straight lines between them.
    Table(Table),
    /// From milliampere to the quantity of the transmitter.
    CurrentLoop(CurrentLoop),
    /// From a ratio of voltages to ohm.
    Divider(Divider),
    /// From ohm to degrees Celsius.
    Thermistor(Thermistor),
    /// From ohm to degrees Celsius.
    Rtd(Rtd),
    /// From millivolt to degrees Celsius.
    Thermocouple {
        /// The pair of metals.
        pair: Thermocouple,
        /// Where the temperature of the other end comes from.
        junction: Junction,
    },
    /// From the reading of a counter to what it counted.
    Counter(Counter),
    /// An angle with an offset, brought back into one turn.
    Circular {
        /// Added.
        offset: f64,
        /// One turn, such as 360.
        turn: f64,
    },
}

/// What a function knows besides its argument.
#[derive(Debug)]
pub struct Moment<'a> {
    /// Event time of the reading.
    pub at_ns: i64,
    /// Temperature of the cold junction, if a channel gives it.
    pub cold: Option<Cold>,
    /// What the channel's counter stood at.
    pub count: &'a mut Option<Count>,
}

impl Transfer {
    /// What a value comes to.
    #[must_use]
    pub fn apply(&self, value: f64, moment: &mut Moment<'_>) -> Graded {
        match self {
            Self::Linear(line) => Graded::good(line.at(value)),
            Self::Within { min, max } => match *min <= value && value <= *max {
                true => Graded::good(value),
                false => Graded::fail(Test::Domain),
            },
            Self::Polynomial(coefficients) => Graded::good(polynomial(coefficients, value)),
            Self::Table(table) => table.at(value),
            Self::CurrentLoop(current_loop) => current_loop.at(value),
            Self::Divider(divider) => divider.ohm(value),
            Self::Thermistor(thermistor) => thermistor.celsius(value),
            Self::Rtd(rtd) => rtd.celsius(value),
            Self::Thermocouple { pair, junction } => junction.compensate(*pair, value, moment.cold),
            Self::Counter(counter) => counter.step(value, moment.at_ns, moment.count),
            Self::Circular { offset, turn } => Graded::good(within_turn(value + offset, *turn)),
        }
    }
}

/// The same angle in `[0, turn)`.
fn within_turn(angle: f64, turn: f64) -> f64 {
    let angle = angle.rem_euclid(turn);
    // What lies a hair below zero rounds to a whole turn.
    if angle < turn { angle } else { 0.0 }
}
