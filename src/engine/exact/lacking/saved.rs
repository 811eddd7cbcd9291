//! What an exact window lacks, in an image.

use std::collections::VecDeque;

use super::Lacking;
use crate::{
    engine::image::{Reader, Writer},
    limits::{EVENT_TIME_ABS_MAX_NS, EXACT_SLICES},
};

impl Lacking {
    pub(in crate::engine::exact) fn save(&self, writer: &mut Writer<'_>) {
        writer.count(self.slices.len());
        for &(slice, n) in &self.slices {
            writer.integer(slice);
            writer.number(u64::from(n));
        }
        writer.option((self.newest_ns != i64::MIN).then_some(self.newest_ns), Writer::integer);
    }

    pub(in crate::engine::exact) fn restore(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let (mut slices, mut before) = (VecDeque::new(), i64::MIN);
        let most = EVENT_TIME_ABS_MAX_NS / self.slice_ns;
        let within = -most - 1..=most;
        for _ in 0..reader.count(EXACT_SLICES as usize + 2)? {
            let slice = reader.time().filter(|slice| before < *slice && within.contains(slice))?;
            slices.push_back((slice, reader.small()?));
            before = slice;
        }
        let newest_ns = reader.option(Reader::time)?.unwrap_or(i64::MIN);
        (self.slices, self.newest_ns) = (slices, newest_ns);
        Some(())
    }
}
