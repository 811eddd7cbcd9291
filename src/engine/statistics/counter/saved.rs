//! What counters counted, in an image.

use super::{Counter, Sum};
use crate::{
    engine::{
        image::{Reader, Writer},
        statistics::{
            hold::Point,
            saved::{Common, Saved},
            series::Span,
        },
    },
    limits::IMAGE_SUM_MAX,
};

impl Saved for Counter {
    fn save(&self, writer: &mut Writer<'_>) {
        self.first.save(writer);
        self.last.save(writer);
        self.before.save(writer);
        writer.flag(self.is_several);
        writer.real(self.sum.increase);
        writer.number(u64::from(self.sum.wraps));
        writer.number(u64::from(self.sum.resets));
    }

    fn restore(reader: &mut Reader<'_>, within: Span, common: &Common) -> Option<Self> {
        let [before, first, last] = Point::restore_ends(reader, within)?;
        let is_several = reader.flag()?;
        let increase = reader.real(IMAGE_SUM_MAX)?;
        let sum = Sum { increase, wraps: reader.small()?, resets: reader.small()? };
        let restored = Self { range: common.range, before, first, last, is_several, sum };
        last.is_known().then_some(restored)
    }
}
