//! Gusts in an image.

use super::Gust;
use crate::engine::{
    image::{Reader, Writer},
    statistics::saved::Common,
};

impl Gust {
    pub(in crate::engine::statistics) fn save(&self, writer: &mut Writer<'_>) {
        let times = (self.newest_ns != i64::MIN).then_some((self.since_ns, self.newest_ns));
        writer.option(times, |writer, (since_ns, newest_ns)| {
            writer.integer(since_ns);
            writer.integer(newest_ns);
        });
        self.queue.save(writer);
        self.peaks.save(writer);
    }

    pub(in crate::engine::statistics) fn restore(
        &mut self,
        reader: &mut Reader<'_>,
        next_ns: i64,
        common: &Common,
    ) -> Option<()> {
        let times = reader.option(|reader| Some((reader.time()?, reader.time()?)))?;
        if let Some((since_ns, newest_ns)) = times {
            if next_ns < newest_ns || newest_ns < since_ns {
                return None;
            }
            (self.since_ns, self.newest_ns) = (since_ns, newest_ns);
        }
        self.queue.restore(times.map(|(_, newest_ns)| newest_ns), reader)?;
        self.peaks.restore(reader, next_ns, common)
    }
}
