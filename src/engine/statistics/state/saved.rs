//! Times in states in an image.

use super::States;
use crate::engine::{
    image::{Reader, Writer},
    statistics::{
        hold::Ends,
        saved::{Common, Saved},
        series::Span,
    },
};

impl Saved for States {
    fn save(&self, writer: &mut Writer<'_>) {
        self.ends.save(writer);
        self.times.iter().for_each(|&ns| writer.number(ns.unsigned_abs()));
        writer.number(u64::from(self.transitions));
    }

    fn restore(reader: &mut Reader<'_>, within: Span, common: &Common) -> Option<Self> {
        let ends = Ends::restore(reader, within, common.hold)?;
        let (mut times, mut left_ns) = ([0; _], within.ns());
        for time in &mut times {
            let ns = i64::try_from(reader.number()?).ok()?;
            left_ns = left_ns.checked_sub(ns).filter(|left_ns| 0 <= *left_ns)?;
            *time = ns;
        }
        let transitions = reader.small()?;
        Some(Self { ends, times, transitions })
    }
}
