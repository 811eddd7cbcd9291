//! The values of a stretch of time in an image.

use super::Sweep;
use crate::engine::{
    image::{Reader, Writer},
    partial::{OpenPartial, Partial},
    ring::Ring,
};

impl Sweep {
    pub(in crate::engine::qc) fn save(&self, writer: &mut Writer<'_>) {
        writer.option(self.first_ns, |writer, first_ns| {
            writer.integer(first_ns);
            writer.integer(self.current_slice);
            self.current.save(writer);
            self.state.save(&self.entries, writer, Partial::save);
        });
    }

    /// Goes on as after values of which the newest was of `newest_ns`; after `None` it must be
    /// cleared.
    pub(in crate::engine::qc) fn restore(
        &mut self,
        reader: &mut Reader<'_>,
        newest_ns: i64,
    ) -> Option<()> {
        let Self { state, entries, current, current_slice, first_ns, slice_ns, .. } = self;
        let begun = reader.option(|reader| {
            let first_ns = reader.time().filter(|first_ns| *first_ns <= newest_ns)?;
            let last = newest_ns.div_euclid(*slice_ns);
            let slice = reader.time().filter(|slice| *slice <= last)?;
            let start_ns = slice.checked_mul(*slice_ns)?;
            *current = OpenPartial::restore(reader, (start_ns, start_ns + *slice_ns))?;
            *current_slice = slice;
            let mut ring = Ring { state, entries };
            ring.restore(reader, slice, |reader, _| Partial::restore(reader))?;
            Some(first_ns)
        })?;
        *first_ns = begun;
        Some(())
    }
}
