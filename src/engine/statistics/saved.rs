//! Statistics in an image.

use super::{Details, hold::Hold, series::Merge};
use crate::engine::{
    image::{Reader, Writer},
    statistics::{counter::Range, series::Span},
};

/// What a channel's aggregates have in common, which is not written with each.
#[derive(Clone, Copy, Debug)]
pub struct Common {
    pub hold: Hold,
    pub range: Range,
    /// Whether speeds go with directions.
    pub has_speed: bool,
}

/// An aggregate that can be put into an image.
pub trait Saved: Merge {
    /// Writes it; it is not that of no reading.
    fn save(&self, writer: &mut Writer<'_>);

    /// Reads one of readings within this time.
    fn restore(reader: &mut Reader<'_>, within: Span, common: &Common) -> Option<Self>;
}

impl Span {
    pub(super) fn holds(&self, at_ns: i64) -> bool {
        self.from_ns <= at_ns && at_ns < self.until_ns
    }
}

impl Details {
    /// Writes what is kept of a channel.
    pub(in crate::engine) fn save(&self, number: u32, writer: &mut Writer<'_>) {
        self.channels[number as usize].save(writer);
    }

    /// Fills a channel without readings; after `None` it must be [`Self::reset`].
    pub(in crate::engine) fn restore(
        &mut self,
        number: u32,
        watermark_ns: i64,
        reader: &mut Reader<'_>,
    ) -> Option<()> {
        self.channels[number as usize].restore(watermark_ns, reader)
    }

    /// A channel without readings again.
    pub(in crate::engine) fn reset(&mut self, number: u32) {
        self.channels[number as usize].reset();
    }
}
