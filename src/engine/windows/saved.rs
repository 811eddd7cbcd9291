//! Panes and windows in an image, channel by channel.
//!
//! While an image is taken, readings and watermarks come on. A channel is therefore written before
//! any of them changes it, and those that nothing changes are written a few at a time: what is
//! written is of the instant at which the image was called for.

use std::sync::Arc;

use super::{
    Windows,
    banks::{Banks, Channel},
    lane::Lane,
    seat::Seat,
};
use crate::engine::{
    gallery::Values,
    image::{Kept, Kind, Reader, Sheet, Sitting, Unsaved, Writer},
    plan::ChannelKey,
    snapshot::{ChannelInfo, Live},
};

/// An image that is being taken.
#[derive(Debug)]
pub(super) struct Saving {
    sheet: Sheet,
    unsaved: Unsaved,
    /// Latest values, when it was called for.
    values: Vec<Values>,
}

/// What a channel goes on with.
#[derive(Clone, Copy, Debug)]
pub struct Resumed {
    /// Its latest value.
    pub(in crate::engine) values: Values,
    /// Accepted readings in its open panes.
    pub accepted: u64,
}

impl Windows {
    /// Calls for an image; `values` are the latest of all channels.
    pub(in crate::engine) fn sit(&mut self, sitting: &Arc<Sitting>, values: Vec<Values>) {
        while self.save_some(usize::MAX) {}
        let unsaved = Unsaved::all(self.seats.len());
        self.saving = Some(Saving { sheet: sitting.sheet(), unsaved, values });
        // Every watermark moves them.
        let exact: Vec<u32> = self.lanes.iter().flat_map(|lane| lane.exact.places()).collect();
        exact.into_iter().for_each(|place| self.save_before(place));
    }

    /// Whether an image is being taken.
    #[must_use]
    pub fn is_saving(&self) -> bool {
        self.saving.is_some()
    }

    /// Writes a channel if it is yet to be written, because it is about to change.
    pub fn save_before(&mut self, place: u32) {
        let Self { lanes, seats, banks, saving, .. } = self;
        if let Some(saving) = saving {
            saving.before(place, lanes, seats, banks);
        }
    }

    /// Writes so many channels; whether there are more.
    pub fn save_some(&mut self, channels: usize) -> bool {
        let Self { lanes, seats, banks, saving, .. } = self;
        let Some(some) = saving else { return false };
        for _ in 0..channels {
            match some.unsaved.take_first() {
                Some(place) => some.write(place as u32, lanes, seats, banks),
                None => {
                    if let Some(done) = saving.take() {
                        done.sheet.hand_in();
                    }
                    return false;
                }
            }
        }
        true
    }

    /// Lets a channel, which has no reading yet, go on from what was kept of it. If that does not
    /// fit it has none still.
    pub fn resume(&mut self, place: u32, kept: &Kept) -> Option<Resumed> {
        let mut reader = kept.windows();
        let resumed = self.read(place, kept, &mut reader);
        if resumed.is_none() {
            self.reset(place);
        }
        resumed
    }

    fn read(&mut self, place: u32, kept: &Kept, reader: &mut Reader<'_>) -> Option<Resumed> {
        let watermark_ns = kept.watermark_ns;
        let Seat { lane, member, .. } = self.seats[place as usize];
        let Lane { open, exact, .. } = &mut self.lanes[lane as usize];
        let Banks { chains, channels, counting, details, .. } = &mut self.banks;
        let Channel { chains: of, nth, counter, detail, info } = &channels[place as usize];
        let chains = &mut chains[*of as usize];
        let live = reader.option(Live::restore)?;
        let values = Values { live, begun_ns: reader.option(Reader::time)? };
        chains.restore(*nth, watermark_ns, reader)?;
        let (opened, accepted) = open.restore(reader)?;
        if !opened.iter().all(|(start_ns, _)| chains.takes(*nth, *start_ns)) {
            return None;
        }
        if let Some(counter) = counter {
            counting.restore(counter, &info.rules, (watermark_ns, &opened), reader)?;
        }
        exact.restore(member, watermark_ns, reader)?;
        if let Some(number) = detail {
            details.restore(*number, watermark_ns, reader)?;
        }
        reader.end().filter(|()| accepted == kept.records().claimed)?;
        open.put(member, opened);
        self.banks.look_ns[place as usize] = chains.next_look_ns(*nth);
        Some(Resumed { values, accepted })
    }

    fn reset(&mut self, place: u32) {
        let Seat { lane, member, .. } = self.seats[place as usize];
        let Banks { chains, channels, counting, details, .. } = &mut self.banks;
        let Channel { chains: of, nth, counter, detail, info } = &channels[place as usize];
        chains[*of as usize].reset(*nth, info.index);
        if let Some(counter) = counter {
            counting.clear(counter, &info.rules);
        }
        self.lanes[lane as usize].exact.reset(member);
        if let Some(number) = detail {
            details.reset(*number);
        }
    }
}

impl Saving {
    /// Writes a channel if it is yet to be written.
    pub(super) fn before(&mut self, place: u32, lanes: &[Lane], seats: &[Seat], banks: &mut Banks) {
        if self.unsaved.take(place as usize) {
            self.write(place, lanes, seats, banks);
        }
    }

    /// Writes all that are yet to be written.
    pub(super) fn rest(&mut self, lanes: &[Lane], seats: &[Seat], banks: &mut Banks) {
        while let Some(place) = self.unsaved.take_first() {
            self.write(place as u32, lanes, seats, banks);
        }
    }

    fn write(&mut self, place: u32, lanes: &[Lane], seats: &[Seat], banks: &mut Banks) {
        let Seat { lane, member, .. } = seats[place as usize];
        let Lane { open, exact, .. } = &lanes[lane as usize];
        let Banks { chains, channels, counting, details, .. } = banks;
        let Channel { chains: of, nth, counter, detail, info } = &channels[place as usize];
        let Values { live, begun_ns } =
            self.values.get(place as usize).copied().unwrap_or_default();
        self.sheet.record(Kind::Channel, |writer| {
            info.save(writer);
            writer.number(open.accepted(member));
            writer.option(live, |writer, live| live.save(writer));
            writer.option(begun_ns, Writer::integer);
            chains[*of as usize].save(*nth, writer);
            open.save(member, writer);
            if let Some(counter) = counter {
                counting.save(counter, &info.rules, writer);
            }
            exact.save(member, writer);
            if let Some(number) = detail {
                details.save(*number, writer);
            }
        });
    }
}

impl ChannelInfo {
    /// Writes who it is; read by [`crate::engine::image::record`].
    fn save(&self, writer: &mut Writer<'_>) {
        writer.number(u64::from(self.index));
        writer.text(&self.id);
        writer.count(self.source);
        match &self.key {
            ChannelKey::Numbered { device, index } => {
                writer.byte(0);
                writer.number(u64::from(*device));
                writer.byte(*index);
            }
            ChannelKey::Named(name) => {
                writer.byte(1);
                writer.text(name);
            }
        }
        writer.option(self.unit.as_deref(), Writer::text);
        writer.flag(self.discovered);
        writer.word(self.fingerprint);
    }
}
