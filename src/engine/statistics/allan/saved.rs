//! Allan deviations in an image.

use super::{Allan, Block, Blocks};
use crate::{
    engine::{
        image::{Reader, Writer},
        statistics::{
            saved::{Common, Saved},
            series::Span,
        },
    },
    limits::{IMAGE_SQUARES_MAX, IMAGE_SUM_MAX, IMAGE_TIME_MIN_NS},
};

impl Blocks {
    /// End of the block that takes readings, if one does.
    pub(in crate::engine::statistics) fn end_ns(&self) -> Option<i64> {
        self.open.map(|open| (open.number + 1) * self.length_ns)
    }

    pub(in crate::engine::statistics) fn save(&self, writer: &mut Writer<'_>) {
        writer.option(self.open, |writer, open| {
            writer.integer(open.number);
            writer.real(open.anchor);
            writer.real(open.sum);
            writer.number(open.n);
        });
        writer.option(self.before, |writer, (number, mean)| {
            writer.integer(number);
            writer.real(mean);
        });
    }

    /// Fills blocks without readings, which takes none before `next_ns`.
    pub(in crate::engine::statistics) fn restore(
        &mut self,
        reader: &mut Reader<'_>,
        next_ns: i64,
    ) -> Option<()> {
        let least = IMAGE_TIME_MIN_NS / self.length_ns - 1;
        let last = next_ns.div_euclid(self.length_ns);
        let number = |reader: &mut Reader<'_>| {
            reader.integer().filter(|number| least <= *number && *number <= last)
        };
        self.open = reader.option(|reader| {
            Some(Block {
                number: number(reader)?,
                anchor: reader.value()?,
                sum: reader.real(IMAGE_SUM_MAX)?,
                n: reader.tally().filter(|n| 0 < *n)?,
            })
        })?;
        self.before =
            reader.option(|reader| Some((number(reader)?, reader.real(IMAGE_SUM_MAX)?)))?;
        Some(())
    }
}

impl Saved for Allan {
    fn save(&self, writer: &mut Writer<'_>) {
        writer.number(self.pairs);
        writer.real(self.squares);
    }

    fn restore(reader: &mut Reader<'_>, _within: Span, _common: &Common) -> Option<Self> {
        let pairs = reader.tally()?;
        let squares = reader.real(IMAGE_SQUARES_MAX).filter(|squares| 0.0 <= *squares)?;
        Some(Self { pairs, squares })
    }
}
