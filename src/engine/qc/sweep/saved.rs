//! The values of a stretch of time in an image.

use super::{Sweep, Times};
use crate::engine::{
    image::{Reader, Writer},
    partial::{OpenPartial, Partial},
    ring::Ring,
};

impl Sweep {
    pub(in crate::engine::qc) fn save(&self, writer: &mut Writer<'_>) {
        writer.option((!self.times.is_empty()).then_some(()), |writer, ()| {
            writer.integer(self.current_slice);
            self.current.save(writer);
            self.state.save(&self.entries, writer, Partial::save);
            writer.integer(self.since_ns);
            writer.count(self.times.len());
            for Times { first_ns, last_ns, .. } in &self.times {
                writer.integer(*first_ns);
                writer.integer(*last_ns);
            }
        });
    }

    /// Goes on as it was; after `None` it must be cleared.
    pub(in crate::engine::qc) fn restore(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let Self { state, entries, current, current_slice, slice_ns, .. } = self;
        let (times, since_ns) = (&mut self.times, &mut self.since_ns);
        reader.option(|reader| {
            let slice = reader.time()?;
            let start_ns = slice.checked_mul(*slice_ns)?;
            *current = OpenPartial::restore(reader, (start_ns, start_ns + *slice_ns))?;
            *current_slice = slice;
            let mut ring = Ring { state, entries };
            ring.restore(reader, slice, |reader, _| Partial::restore(reader))?;
            *since_ns = reader.time()?;
            let mut newest = None;
            for _ in 0..reader.count(entries.len())? {
                let (first_ns, last_ns) = (reader.time()?, reader.time()?);
                let slice = first_ns.div_euclid(*slice_ns);
                let is_later = newest.is_none_or(|newest_ns| newest_ns < first_ns);
                let is_one = first_ns <= last_ns && last_ns.div_euclid(*slice_ns) == slice;
                if !is_later || !is_one {
                    return None;
                }
                newest = Some(last_ns);
                times.push_back(Times { slice, first_ns, last_ns });
            }
            (times.back()?.slice == *current_slice && *since_ns <= times.front()?.first_ns)
                .then_some(())
        })?;
        Some(())
    }
}
