//! What may go with directions, in an image.

use super::{Companions, Seen};
use crate::engine::image::{Reader, Writer};

impl Companions {
    /// Writes the last reading of a partner.
    pub(in crate::engine::qc) fn save(&self, partner: u32, writer: &mut Writer<'_>) {
        let seen = self.seen.get(partner as usize).and_then(|seen| seen.as_ref()?.last());
        writer.option(seen, |writer, seen| {
            writer.integer(seen.at_ns);
            writer.option(seen.value, Writer::real);
        });
    }

    /// Goes on with the last reading of a partner, if it is one.
    pub(in crate::engine::qc) fn restore(
        &mut self,
        partner: Option<u32>,
        reader: &mut Reader<'_>,
    ) -> Option<()> {
        let last = reader.option(|reader| {
            Some(Seen { at_ns: reader.time()?, nth: 0, value: reader.option(Reader::value)? })
        })?;
        let seen = partner.and_then(|partner| self.seen.get_mut(partner as usize)?.as_mut());
        if let (Some(seen), Some(last)) = (seen, last) {
            *seen = vec![last];
        }
        Some(())
    }
}
