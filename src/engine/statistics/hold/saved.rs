//! Points, and the ends of aggregates, in an image.

use super::{Ends, Hold, Point};
use crate::engine::{
    image::{Reader, Writer},
    statistics::series::Span,
};

impl Point {
    pub(in crate::engine::statistics) fn save(&self, writer: &mut Writer<'_>) {
        match self.at_ns {
            i64::MIN => writer.byte(0),
            i64::MAX => writer.byte(1),
            at_ns => {
                writer.byte(2);
                writer.integer(at_ns);
                writer.real(self.value);
            }
        }
    }

    pub(in crate::engine::statistics) fn restore(reader: &mut Reader<'_>) -> Option<Self> {
        match reader.byte()? {
            0 => Some(Self::NEVER),
            1 => Some(Self::NOT_YET),
            2 => Some(Self { at_ns: reader.time()?, value: reader.value_or_none()? }),
            _ => None,
        }
    }

    /// Two that are there, of which the first is not after the second, within a time; and what
    /// came before the first.
    pub(in crate::engine::statistics) fn restore_ends(
        reader: &mut Reader<'_>,
        within: Span,
    ) -> Option<[Self; 3]> {
        let [first, last] = [Self::restore(reader)?, Self::restore(reader)?];
        let are_within = within.holds(first.at_ns) && within.holds(last.at_ns);
        let before = Self::restore(reader).filter(|before| before.at_ns <= first.at_ns)?;
        (are_within && first.at_ns <= last.at_ns).then_some([before, first, last])
    }
}

impl Ends {
    pub(in crate::engine::statistics) fn save(&self, writer: &mut Writer<'_>) {
        [self.first, self.last, self.before].iter().for_each(|point| point.save(writer));
    }

    pub(in crate::engine::statistics) fn restore(
        reader: &mut Reader<'_>,
        within: Span,
        hold: Hold,
    ) -> Option<Self> {
        let [before, first, last] = Point::restore_ends(reader, within)?;
        Some(Self { hold, before, first, last })
    }
}
