//! The stages of the data path as stream combinators, so that a pipeline reads aloud.

use std::sync::Arc;

use futures::Stream;

use super::{
    Input, Plan,
    image::Image,
    normalize::Normalize,
    qc::Qc,
    rolling::{Rolling, RollingThrough},
    validate::{Checked, Terms, Validate},
};
use crate::scan::{ScanWith, StreamExt as _};

/// The stages, for every stream of what they take.
pub trait Stages: Stream + Sized {
    /// Accepts readings, or counts why not.
    fn validate(self, plan: &Plan) -> ScanWith<Self, Validate>
    where
        Self: Stream<Item = Input>,
    {
        self.scan_with(Validate::new(plan))
    }

    /// As [`Self::validate`], going on from an image if there is one.
    fn validate_from(
        self,
        plan: &Plan,
        kept: Option<(Arc<Image>, Terms)>,
    ) -> ScanWith<Self, Validate>
    where
        Self: Stream<Item = Input>,
    {
        self.scan_with(match kept {
            Some((image, terms)) => Validate::resume(plan, &image, &terms),
            None => Validate::new(plan),
        })
    }

    /// Calibrates values and converts their units.
    fn normalize(self, plan: &Plan) -> ScanWith<Self, Normalize>
    where
        Self: Stream<Item = Checked>,
    {
        self.scan_with(Normalize::new(plan))
    }

    /// Judges readings by the quality tests of their channels.
    fn qc(self, plan: &Plan) -> ScanWith<Self, Qc>
    where
        Self: Stream<Item = Checked>,
    {
        self.scan_with(Qc::new(plan))
    }

    /// Aggregates over rolling windows, and gives a snapshot each `publish_ns`.
    fn rolling(self, plan: &Plan, publish_ns: i64, epoch: u64) -> ScanWith<Self, Rolling>
    where
        Self: Stream<Item = Checked>,
    {
        self.scan_with(Rolling::new(plan, publish_ns, epoch))
    }

    /// Aggregates over rolling windows, and gives every result.
    fn rolling_through(self, plan: &Plan) -> ScanWith<Self, RollingThrough>
    where
        Self: Stream<Item = Checked>,
    {
        self.scan_with(RollingThrough::new(plan))
    }
}

impl<St: Stream> Stages for St {}
