//! Averages over time in an image.

use super::TimeWeighted;
use crate::{
    engine::{
        image::{Reader, Writer},
        statistics::{
            hold::Ends,
            saved::{Common, Saved},
            series::Span,
        },
    },
    limits::IMAGE_SUM_MAX,
};

impl Saved for TimeWeighted {
    fn save(&self, writer: &mut Writer<'_>) {
        self.ends.save(writer);
        writer.real(self.anchor);
        writer.real(self.integral);
        writer.integer(self.known_ns);
    }

    fn restore(reader: &mut Reader<'_>, within: Span, common: &Common) -> Option<Self> {
        Some(Self {
            ends: Ends::restore(reader, within, common.hold)?,
            anchor: reader.value()?,
            integral: reader.real(IMAGE_SUM_MAX)?,
            known_ns: reader.integer().filter(|ns| (0..=within.ns()).contains(ns))?,
        })
    }
}
