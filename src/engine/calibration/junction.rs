//! The cold end of a thermocouple.

use super::{Graded, Thermocouple};
use crate::engine::{summary::Flag, verdict::Test};

/// Where the temperature of the cold junction comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Junction {
    /// It is always the same: an ice bath, or electronics that compensate for it.
    Fixed {
        /// Degrees Celsius.
        celsius: f64,
    },
    /// Another channel.
    Channel {
        /// Its place in the plan, which is its dense index.
        channel: u32,
        /// The event times of both readings differ by at most this.
        max_age_ns: i64,
    },
}

/// The temperature of a cold junction as a channel gave it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cold {
    /// Degrees Celsius.
    pub celsius: f64,
    /// Whether something speaks against it.
    pub is_suspect: bool,
}

impl Junction {
    /// The temperature of the hot junction. Voltages add up, temperatures do not: the measured
    /// one lacks that of the pair between 0 degrees Celsius and the cold junction.
    pub(super) fn compensate(
        &self,
        pair: Thermocouple,
        millivolt: f64,
        cold: Option<Cold>,
    ) -> Graded {
        let cold = match self {
            Self::Fixed { celsius } => Some(Cold { celsius: *celsius, is_suspect: false }),
            Self::Channel { .. } => cold,
        };
        let lacking = cold.and_then(|cold| pair.millivolt(cold.celsius));
        let (Some(cold), Some(lacking)) = (cold, lacking) else {
            return Graded::fail(Test::Companion);
        };
        let hot = match pair.celsius(millivolt + lacking) {
            Some(celsius) => Graded::good(celsius),
            None => Graded::fail(Test::Domain),
        };
        if cold.is_suspect && hot.flag != Flag::Fail {
            hot.then(Graded::suspect(hot.value, Test::Companion))
        } else {
            hot
        }
    }
}
