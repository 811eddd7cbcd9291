//! What speaks for and against readings, in an image.

use super::Trust;
use crate::engine::{
    image::{Reader, Writer},
    statistics::{
        saved::{Common, Saved},
        series::{Merge as _, Span},
    },
    verdict::Tests,
};

impl Saved for Trust {
    fn save(&self, writer: &mut Writer<'_>) {
        writer.option(self.has_good().then_some(self.good_ns), |writer, (first_ns, last_ns)| {
            writer.integer(first_ns);
            writer.integer(last_ns);
        });
        writer.integer(self.gap_ns);
        self.tests.save(writer);
        writer.number(u64::from(self.unordered));
    }

    fn restore(reader: &mut Reader<'_>, within: Span, _common: &Common) -> Option<Self> {
        let good_ns = reader.option(|reader| Some((reader.time()?, reader.time()?)))?;
        let are_within = good_ns.is_none_or(|(first_ns, last_ns)| {
            within.holds(first_ns) && within.holds(last_ns) && first_ns <= last_ns
        });
        let restored = Self {
            good_ns: good_ns.unwrap_or(Self::EMPTY.good_ns),
            gap_ns: reader.integer().filter(|ns| (0..=within.ns()).contains(ns))?,
            tests: Tests::restore(reader)?,
            unordered: reader.small()?,
            is_empty: false,
        };
        are_within.then_some(restored)
    }
}
