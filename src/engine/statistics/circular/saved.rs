//! Directions in an image.

use super::{Circular, Moving};
use crate::engine::{
    image::{Reader, Writer},
    statistics::{
        saved::{Common, Saved},
        series::Span,
    },
};

/// Bound of sums over unit vectors, as many as an image may count.
const SUM_MAX: f64 = 1e13;
/// Bound of sums over vectors.
const MOVING_MAX: f64 = 1e154;

impl Saved for Circular {
    fn save(&self, writer: &mut Writer<'_>) {
        writer.number(self.n);
        writer.real(self.sine);
        writer.real(self.cosine);
        let Moving { n, sine, cosine, length } = self.moving;
        writer.number(n);
        [sine, cosine, length].iter().for_each(|&real| writer.real(real));
    }

    fn restore(reader: &mut Reader<'_>, _within: Span, common: &Common) -> Option<Self> {
        let restored = Self {
            n: reader.tally()?,
            sine: reader.real(SUM_MAX)?,
            cosine: reader.real(SUM_MAX)?,
            moving: Moving {
                n: reader.tally()?,
                sine: reader.real(MOVING_MAX)?,
                cosine: reader.real(MOVING_MAX)?,
                length: reader.real(MOVING_MAX)?,
            },
        };
        (common.has_speed || restored.moving.n == 0).then_some(restored)
    }
}
