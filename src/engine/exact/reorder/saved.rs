//! Readings that wait for the watermark, in an image: in the order in which they came.

use super::Reorder;
use crate::engine::image::Writer;

impl Reorder {
    pub(in crate::engine::exact) fn save(&self, writer: &mut Writer<'_>) {
        writer.count(self.waiting.len());
        self.waiting.iter().for_each(|noted| noted.save(writer));
    }
}
