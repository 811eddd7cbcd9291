//! From raw to calibrated values.
//!
//! A calibration is a line, or a list of eras, each of which begins at an event time and is a
//! chain of transfer functions. What lies outside of a function's domain gets a flag and, where
//! the function has no answer, no value: never one that is made up.
//!
//! Formulas, their sources and what happens at the edges: `docs/definitions.md`.

use std::sync::Arc;

use super::{
    plan::Linear,
    summary::Flag,
    verdict::{Test, Tests},
};
use crate::limits::VALUE_ABS_MAX;

pub use self::{
    counter::{Count, Counter, Gives, OnReset, Step},
    current_loop::CurrentLoop,
    curve::{Outside, Table, TableError, polynomial},
    junction::{Cold, Junction},
    resistance::{Divider, Rtd, RtdError, Side, Thermistor},
    thermocouple::Thermocouple,
    transfer::{Moment, Transfer},
};

mod counter;
mod current_loop;
mod curve;
mod its90;
mod junction;
mod resistance;
mod solve;
mod thermocouple;
mod transfer;

/// How a channel's raw values become calibrated ones.
#[derive(Clone, Debug, PartialEq)]
pub enum Calibration {
    /// A line, at all times: what most channels have, and what costs next to nothing.
    Linear(Linear),
    /// Anything else.
    Eras(Arc<Eras>),
}

/// Chains of transfer functions, each in force from an event time on.
#[derive(Clone, Debug, PartialEq)]
pub struct Eras(Box<[Era]>);

/// A chain of transfer functions in force from an event time on, until that of the next era.
#[derive(Clone, Debug, PartialEq)]
pub struct Era {
    /// The first event time, nanoseconds since 1970; `i64::MIN` if there was none before.
    pub from_ns: i64,
    /// What people call it, such as the number of a certificate.
    pub version: Option<Arc<str>>,
    /// In the order in which they are applied.
    pub chain: Box<[Transfer]>,
}

/// A value, and what speaks against it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Graded {
    /// The value; not a number if none can be given.
    pub value: f64,
    /// How badly; [`Flag::NotEvaluated`] if nothing speaks against it.
    pub flag: Flag,
    /// What does.
    pub tests: Tests,
}

impl Calibration {
    /// Leaves values as they are.
    pub const IDENTITY: Self = Self::Linear(Linear::IDENTITY);

    /// What the calibration in force at an event time is called, if it has a name.
    #[must_use]
    pub fn version_at(&self, at_ns: i64) -> Option<&str> {
        self.era_at(at_ns)?.version.as_deref()
    }

    /// The channels whose values this takes as cold junctions.
    pub fn junctions(&self) -> impl Iterator<Item = u32> {
        let eras = match self {
            Self::Linear(_) => &[][..],
            Self::Eras(eras) => &eras.0,
        };
        eras.iter().filter_map(|era| Some(era.junction_channel()?.0))
    }

    /// The same with the numbers from 0 in place of those of the channels that are its cold
    /// junctions, which [`Self::junctions`] gives in this order: numbers change with the plan.
    #[must_use]
    pub fn with_junctions_renumbered(&self) -> Self {
        let Self::Eras(eras) = self else { return self.clone() };
        let mut all = eras.0.to_vec();
        let chains = all.iter_mut().flat_map(|era| era.chain.iter_mut());
        let junctions = chains.filter_map(|transfer| match transfer {
            Transfer::Thermocouple { junction: Junction::Channel { channel, .. }, .. } => {
                Some(channel)
            }
            _ => None,
        });
        (0..).zip(junctions).for_each(|(number, channel)| *channel = number);
        Self::Eras(Arc::new(Eras::new(all)))
    }

    fn era_at(&self, at_ns: i64) -> Option<&Era> {
        match self {
            Self::Linear(_) => None,
            Self::Eras(eras) => eras.at(at_ns),
        }
    }
}

impl Eras {
    /// Eras in the order of their beginnings, which differ.
    ///
    /// # Panics
    /// If two begin at the same time.
    #[must_use]
    pub fn new(mut eras: Vec<Era>) -> Self {
        eras.sort_by_key(|era| era.from_ns);
        assert!(eras.windows(2).all(|pair| pair[0].from_ns < pair[1].from_ns), "each has its time");
        Self(eras.into())
    }

    /// The one in force at an event time: that which began last, at this instant or before.
    #[must_use]
    pub fn at(&self, at_ns: i64) -> Option<&Era> {
        let begun = self.0.partition_point(|era| era.from_ns <= at_ns);
        begun.checked_sub(1).map(|last| &self.0[last])
    }

    /// All of them, the oldest first.
    #[must_use]
    pub fn all(&self) -> &[Era] {
        &self.0
    }
}

impl Era {
    /// The channel that gives the temperature of the cold junction, and how far apart the
    /// readings of both may lie, nanoseconds; `None` if the chain needs none.
    #[must_use]
    pub fn junction_channel(&self) -> Option<(u32, i64)> {
        self.chain.iter().find_map(|transfer| match transfer {
            Transfer::Thermocouple { junction, .. } => match *junction {
                Junction::Channel { channel, max_age_ns } => Some((channel, max_age_ns)),
                Junction::Fixed { .. } => None,
            },
            _ => None,
        })
    }

    /// Applies the chain until there is no value any more.
    #[must_use]
    pub fn apply(&self, raw: f64, moment: &mut Moment<'_>) -> Graded {
        let mut graded = Graded::good(raw);
        for transfer in &self.chain {
            if graded.flag == Flag::Fail {
                break;
            }
            graded = graded.then(transfer.apply(graded.value, moment)).representable();
        }
        graded
    }
}

impl Graded {
    /// Nothing speaks against it.
    #[must_use]
    pub fn good(value: f64) -> Self {
        Self { value, flag: Flag::NotEvaluated, tests: Tests::NONE }
    }

    /// A value that is in doubt.
    #[must_use]
    pub fn suspect(value: f64, test: Test) -> Self {
        Self { value, flag: Flag::Suspect, tests: test.into() }
    }

    /// No value.
    #[must_use]
    pub fn fail(test: Test) -> Self {
        Self { value: f64::NAN, flag: Flag::Fail, tests: test.into() }
    }

    /// No value if this one is beyond [`VALUE_ABS_MAX`].
    #[must_use]
    pub fn representable(self) -> Self {
        let is_value = self.value.abs() <= VALUE_ABS_MAX;
        if is_value || self.flag == Flag::Fail { self } else { self.then(Self::fail(Test::Domain)) }
    }

    /// What the next function made of it, with what spoke against it before.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        let Self { value, flag, tests } = next;
        Self { value, flag: self.flag.combine(flag), tests: self.tests | tests }
    }
}

#[cfg(test)]
mod tests;
