//! The readings of an exact window in an image.
//!
//! The aggregates are made anew of the readings: those of the front from as many of them as were
//! there when it was built up, so that sums go on being rounded as if nothing had happened.

use super::Queue;
use crate::engine::{
    exact::reorder::Noted,
    image::{Reader, Writer},
    rules::ExactWindow,
};

impl Queue {
    /// Its length and capacity.
    pub(in crate::engine) fn window(&self) -> &ExactWindow {
        &self.window
    }

    pub(in crate::engine) fn save(&self, writer: &mut Writer<'_>) {
        writer.count(self.held.len());
        writer.count(self.front.len());
        self.held.iter().for_each(|noted| noted.save(writer));
        self.lacking.save(writer);
    }

    /// Fills a window without readings, of which none is younger than `newest_ns`.
    pub(in crate::engine) fn restore(
        &mut self,
        newest_ns: Option<i64>,
        reader: &mut Reader<'_>,
    ) -> Option<()> {
        let count = reader.count(self.window.capacity)?;
        let front = usize::try_from(reader.number()?).ok().filter(|front| *front <= count)?;
        let mut before_ns = i64::MIN;
        for at in 0..count {
            let noted = Noted::restore(reader)?;
            let is_next = before_ns <= noted.at_ns && Some(noted.at_ns) <= newest_ns;
            let stays = self
                .held
                .front()
                .is_none_or(|oldest| noted.at_ns - self.window.length_ns < oldest.at_ns);
            if !(is_next && stays) {
                return None;
            }
            before_ns = noted.at_ns;
            self.push(noted);
            if at + 1 == front {
                self.turn_over();
            }
        }
        self.lacking.restore(reader)
    }
}
