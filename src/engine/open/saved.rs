//! Open panes of a lane in an image, channel by channel.

use super::{OpenPanes, Pane, Slot};
use crate::{
    engine::{
        image::{Reader, Writer},
        partial::OpenPartial,
    },
    limits::{IMAGE_COUNT_MAX, OPEN_PANES_MAX},
};

/// Panes of a channel that are not closed, by their starts.
pub(in crate::engine) type Opened = Vec<(i64, OpenPartial)>;

impl OpenPanes {
    /// Accepted readings in the panes of a channel that are not closed.
    pub(in crate::engine) fn accepted(&self, channel: u32) -> u64 {
        self.of(channel).map(|(_, open)| open.accepted()).sum()
    }

    /// Writes the panes of a channel that are not closed.
    pub(in crate::engine) fn save(&self, channel: u32, writer: &mut Writer<'_>) {
        writer.count(self.of(channel).count());
        for (start_ns, open) in self.of(channel) {
            writer.integer(start_ns);
            open.save(writer);
        }
    }

    /// Reads such panes, and how many readings are accepted in them; [`Self::put`] puts them in.
    pub(in crate::engine) fn restore(&self, reader: &mut Reader<'_>) -> Option<(Opened, u64)> {
        let count = reader.count(2 * OPEN_PANES_MAX as usize)?;
        let (mut opened, mut accepted) = (Opened::with_capacity(count), 0);
        for _ in 0..count {
            let start_ns = reader.time().filter(|start_ns| start_ns % self.pane_ns == 0)?;
            let open = OpenPartial::restore(reader, (start_ns, start_ns + self.pane_ns))?;
            accepted += open.accepted();
            opened.push((start_ns, open));
        }
        opened.sort_by_key(|(start_ns, _)| *start_ns);
        let differ = opened.windows(2).all(|pair| pair[0].0 < pair[1].0);
        (differ && accepted <= IMAGE_COUNT_MAX).then_some((opened, accepted))
    }

    /// Puts panes of a channel in that has none.
    pub(in crate::engine) fn put(&mut self, channel: u32, opened: Opened) {
        for (start_ns, open) in opened {
            let pane = self.pane_at(start_ns);
            *self.pane_mut(channel, pane) = open;
        }
    }

    /// Calls `each` with the channels that [`Self::close_some`] would close a pane for.
    pub(in crate::engine) fn would_close(
        &self,
        start_ns: i64,
        from: u32,
        most: usize,
        mut each: impl FnMut(u32),
    ) {
        if let Some(slot) = self.slots.iter().find(|slot| slot.start_ns == start_ns) {
            let mut left = most;
            for word in (from / u64::BITS) as usize..slot.touched.len() {
                if left == 0 {
                    return;
                }
                let mut bits = slot.touched[word];
                left = left.saturating_sub(bits.count_ones() as usize);
                while bits != 0 {
                    each(word as u32 * u64::BITS + bits.trailing_zeros());
                    bits &= bits - 1;
                }
            }
        }
        let spilled = self.spilled.range((start_ns, 0)..=(start_ns, u32::MAX));
        spilled.for_each(|((_, channel), _)| each(*channel));
    }

    /// The panes of a channel that are not closed, each with its start.
    fn of(&self, channel: u32) -> impl Iterator<Item = (i64, &OpenPartial)> {
        let (word, bit) = (channel as usize / 64, 1 << (channel % 64));
        let touched =
            move |slot: &&Slot| slot.start_ns != Slot::FREE && slot.touched[word] & bit != 0;
        let held = self.slots.iter().filter(touched);
        let held = held.map(move |slot| (slot.start_ns, &slot.panes[channel as usize]));
        held.chain(self.spilled_starts_ns().filter_map(move |start_ns| {
            self.spilled.get(&(start_ns, channel)).map(|open| (start_ns, open))
        }))
    }

    /// Starts of the panes in the map, of whatever channels.
    fn spilled_starts_ns(&self) -> impl Iterator<Item = i64> {
        let mut from_ns = i64::MIN;
        std::iter::from_fn(move || {
            let ((start_ns, _), _) = self.spilled.range((from_ns, 0)..).next()?;
            from_ns = start_ns + 1;
            Some(*start_ns)
        })
    }
}

impl Pane {
    /// The pane of a lane with panes of `pane_ns` and so many slots that starts at this instant.
    pub(in crate::engine) fn starting(start_ns: i64, pane_ns: i64, slots: usize) -> Self {
        Self::new(start_ns.div_euclid(pane_ns), slots)
    }
}
