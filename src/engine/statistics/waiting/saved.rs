//! Readings that wait for the watermark, in an image.

use super::{Waiting, Waits};
use crate::engine::{
    image::{Reader, Writer},
    statistics::hold::Point,
    verdict::Tests,
};

impl Waiting {
    pub(in crate::engine::statistics) fn save(&self, writer: &mut Writer<'_>) {
        writer.count(self.held.len());
        for Waits { point, tests, seen_ns, speed } in &self.held {
            point.save(writer);
            tests.save(writer);
            writer.integer(*seen_ns);
            writer.real(*speed);
        }
    }
}

impl Waits {
    pub(in crate::engine::statistics) fn restore(reader: &mut Reader<'_>) -> Option<Self> {
        let is_there = |point: &Point| !matches!(point.at_ns, i64::MIN | i64::MAX);
        Some(Self {
            point: Point::restore(reader).filter(is_there)?,
            tests: Tests::restore(reader)?,
            seen_ns: reader.integer()?,
            speed: reader.value_or_none()?,
        })
    }
}
