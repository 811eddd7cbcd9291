//! The exact windows of one channel in an image.

use super::{Channel, Slide, Window};
use crate::engine::{
    exact::{most_waiting, queue::Queue, reorder::Noted},
    image::{Reader, Writer},
};

impl Channel {
    pub(in crate::engine::exact) fn save(&self, writer: &mut Writer<'_>) {
        let Slide { windows, newest_ns, is_open, .. } = &self.slide;
        self.waiting.save(writer);
        writer.option((*newest_ns != i64::MIN).then_some(*newest_ns), Writer::integer);
        writer.flag(*is_open);
        windows.iter().for_each(|window| window.queue.save(writer));
    }

    pub(in crate::engine::exact) fn restore(
        &mut self,
        watermark_ns: i64,
        reader: &mut Reader<'_>,
    ) -> Option<()> {
        let mut waiting = Vec::new();
        for _ in 0..reader.count(most_waiting(&self.info.rules) - 1)? {
            waiting.push(Noted::restore(reader)?);
        }
        let newest_ns = reader.option(Reader::time)?;
        let is_open = reader.flag()?;
        for window in &mut self.slide.windows {
            window.queue.restore(newest_ns, reader)?;
        }
        let newest_ns = newest_ns.unwrap_or(i64::MIN);
        // What lies below the watermark was taken, unless it came while so much waited.
        if waiting.iter().any(|noted| noted.at_ns < newest_ns || noted.at_ns < watermark_ns) {
            return None;
        }
        for noted in waiting {
            // Fewer wait than make it full.
            let _ = self.waiting.push(noted);
        }
        // Whatever was shown is shown again.
        (self.slide.newest_ns, self.slide.is_open, self.slide.has_moved) =
            (newest_ns, is_open, true);
        Some(())
    }

    pub(in crate::engine::exact) fn reset(&mut self) {
        let queue = |window: &Window| Queue::new(*window.queue.window());
        let window = |window: &Window| Window { queue: queue(window), is_shown: false };
        let windows = self.slide.windows.iter().map(window).collect();
        self.slide = Slide { windows, newest_ns: i64::MIN, is_open: false, has_moved: false };
        self.waiting = super::Reorder::new(most_waiting(&self.info.rules));
    }
}
