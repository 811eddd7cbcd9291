//! Which tests a channel is judged by.

use std::sync::Arc;

use super::{
    attenuated::Attenuated,
    bounds::{Spans, Thresholds},
    climatology::Member,
    flat_line::FlatLine,
    spike::Spike,
    sweep::Sweep,
};
use crate::engine::unit::Conversion;

/// The tests of one channel; bounds are in its published unit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QcPlan {
    /// Bounds of the values.
    pub gross_range: Option<Spans>,
    /// Height above the neighbours in time.
    pub spike: Option<Spike>,
    /// Change per second.
    pub rate_of_change: Option<Thresholds>,
    /// Values that do not change.
    pub flat_line: Option<FlatLine>,
    /// Values that change too little.
    pub attenuated: Option<Attenuated>,
    /// Time since the value before, in seconds.
    pub gap: Option<Thresholds>,
    /// Bounds by season and depth.
    pub climatology: Option<Climatology>,
    /// Changes that another channel must share.
    pub multi_variate: Option<MultiVariate>,
    /// Another channel that must agree.
    pub neighbour: Option<Neighbour>,
}

/// Bounds by season and depth.
#[derive(Clone, Debug, PartialEq)]
pub struct Climatology {
    /// Of those that hold, the last counts.
    pub members: Arc<[Member]>,
    /// At which depth the channel measures.
    pub depth: Option<Depth>,
}

/// Depth, in the unit of the members' spans.
#[derive(Clone, Debug, PartialEq)]
pub enum Depth {
    /// Always the same.
    Fixed(f64),
    /// As another channel says.
    Measured(Partner),
}

/// Another channel whose latest value a test takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Partner {
    /// Its id.
    pub id: Arc<str>,
    /// A value that is further away in time says nothing.
    pub age_max_ns: i64,
}

/// QARTOD test 9 ("Multi-Variate Test"): a channel that changes while another that must change
/// with it does not.
#[derive(Clone, Debug, PartialEq)]
pub struct MultiVariate {
    /// The other.
    pub partner: Partner,
    /// Change per second from which the channel changes.
    pub rate: f64,
    /// Change per second up to which the other does not.
    pub partner_rate: f64,
}

/// QARTOD test 11 ("Neighbor Test"): a channel that differs from one nearby.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbour {
    /// The other.
    pub partner: Partner,
    /// From its unit to that of the channel.
    pub conversion: Conversion,
    /// How far the two may lie apart, in the unit of the channel.
    pub thresholds: Thresholds,
}

impl QcPlan {
    /// Whether there is no test.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The other channels that tests take values of.
    pub fn partners(&self) -> impl Iterator<Item = &Partner> {
        let depth = self.climatology.as_ref().and_then(|all| match &all.depth {
            Some(Depth::Measured(partner)) => Some(partner),
            Some(Depth::Fixed(_)) | None => None,
        });
        let with = self.multi_variate.as_ref().map(|test| &test.partner);
        let near = self.neighbour.as_ref().map(|test| &test.partner);
        [depth, with, near].into_iter().flatten()
    }

    /// Bytes that the history of the tests takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let flat = self.flat_line.map_or(0, |flat| {
            usize::from(flat.suspect_ns.is_some()) + usize::from(flat.fail_ns.is_some())
        });
        (flat + usize::from(self.attenuated.is_some())) * Sweep::BYTES
    }
}
