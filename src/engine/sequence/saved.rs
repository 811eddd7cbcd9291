//! What is known of the frames of a device, in an image.

use super::{Boot, Sequences};
use crate::{
    engine::image::{Reader, Writer},
    limits::{BOOTS_REMEMBERED, SEQUENCE_WINDOW},
};

impl Sequences {
    pub(in crate::engine) fn save(&self, writer: &mut Writer<'_>) {
        writer.option(self.present.as_ref(), |writer, boot| boot.save(writer));
        writer.count(self.before.len());
        self.before.iter().for_each(|boot| boot.save(writer));
    }

    pub(in crate::engine) fn restore(reader: &mut Reader<'_>) -> Option<Self> {
        let present = reader.option(Boot::restore)?;
        let mut before = Vec::new();
        for _ in 0..reader.count(BOOTS_REMEMBERED - 1)? {
            before.push(Boot::restore(reader)?);
        }
        Some(Self { present, before })
    }
}

impl Boot {
    fn save(&self, writer: &mut Writer<'_>) {
        writer.number(u64::from(self.boot));
        writer.number(u64::from(self.newest));
        writer.number(u64::from(self.span));
        writer.word(self.seen);
    }

    fn restore(reader: &mut Reader<'_>) -> Option<Self> {
        let boot = u16::try_from(reader.number()?).ok()?;
        let (newest, span, seen) = (reader.small()?, reader.small()?, reader.word()?);
        // The newest was seen, and so was the oldest, as far as the window reaches.
        let fits = seen & 1 == 1
            && span <= SEQUENCE_WINDOW
            && (span == SEQUENCE_WINDOW || seen >> span & 1 == 1);
        fits.then_some(Self { boot, newest, span, seen })
    }
}
