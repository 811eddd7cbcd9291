//! The exponentially weighted mean in an image.

use super::Ewma;
use crate::engine::image::{Reader, Writer};

/// Most that the weights of readings may sum up to: there are not as many.
const WEIGHT_MAX: f64 = 1e18;

impl Ewma {
    pub(in crate::engine::statistics) fn save(&self, writer: &mut Writer<'_>) {
        writer.option((self.newest_ns != i64::MIN).then_some(self.newest_ns), |writer, at_ns| {
            writer.integer(at_ns);
            writer.real(self.mean);
            writer.real(self.weight);
        });
    }

    /// As after readings of which none is younger than `newest_ns`.
    pub(in crate::engine::statistics) fn restore(
        &mut self,
        reader: &mut Reader<'_>,
        newest_ns: i64,
    ) -> Option<()> {
        let mean = reader.option(|reader| {
            let at_ns = reader.time().filter(|at_ns| *at_ns <= newest_ns)?;
            let mean = reader.value()?;
            let weight = reader.real(WEIGHT_MAX).filter(|weight| 0.0 <= *weight)?;
            Some((at_ns, mean, weight))
        })?;
        if let Some(all) = mean {
            (self.newest_ns, self.mean, self.weight) = all;
        }
        Some(())
    }
}
