//! The mapping of a device's clock in an image.

use super::{ClockMap, Envelope};
use crate::{
    engine::image::{Reader, Writer},
    limits::{CLOCK_BUCKET_NS, EVENT_TIME_ABS_MAX_NS},
};

impl ClockMap {
    pub(in crate::engine) fn save(&self, writer: &mut Writer<'_>) {
        writer.option(self.present, |writer, envelope| envelope.save(writer));
        writer.option(self.before, |writer, envelope| envelope.save(writer));
    }

    pub(in crate::engine) fn restore(reader: &mut Reader<'_>) -> Option<Self> {
        let present = reader.option(Envelope::restore)?;
        Some(Self { present, before: reader.option(Envelope::restore)? })
    }
}

impl Envelope {
    fn save(&self, writer: &mut Writer<'_>) {
        writer.number(u64::from(self.boot));
        writer.integer(self.bucket);
        writer.integer(self.offset_ns);
        writer.integer(self.offset_before_ns);
    }

    fn restore(reader: &mut Reader<'_>) -> Option<Self> {
        let boot = u16::try_from(reader.number()?).ok()?;
        let most = EVENT_TIME_ABS_MAX_NS / CLOCK_BUCKET_NS + 1;
        let bucket = reader.integer().filter(|bucket| (-most..=most).contains(bucket))?;
        let offset_ns = reader.integer()?;
        Some(Self { boot, bucket, offset_ns, offset_before_ns: reader.integer()? })
    }
}
