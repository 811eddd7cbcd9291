//! What the tests remember, in an image, channel by channel.
//!
//! As with panes and windows, a channel is written before one of its readings changes it, and the
//! others a few at a time.

use std::sync::Arc;

use super::{Qc, Seat, channel::Judged, partners::Latest, plan::QcPlan};
use crate::{
    engine::{
        image::{Kept, Kind, Misfit, Sheet, Sitting, Unsaved},
        registry::Added,
        validate::{Checked, Reading},
    },
    limits::CHANNELS_PER_SAVE,
};

/// An image that is being taken.
#[derive(Debug)]
pub(super) struct Saving {
    sheet: Sheet,
    unsaved: Unsaved,
}

impl Qc {
    /// Calls for an image.
    pub(super) fn sit(&mut self, sitting: &Arc<Sitting>) {
        while self.save_some(usize::MAX) {}
        let is_remembered = |seat: &Seat| seat.judged.is_some() || seat.partner.is_some();
        let channels = if self.seats.iter().any(is_remembered) { self.seats.len() } else { 0 };
        let (sheet, unsaved) = (sitting.sheet(), Unsaved::all(channels));
        self.saving = Some(Saving { sheet, unsaved });
    }

    /// Writes the channels that a batch is going to change, and some of the others.
    pub(super) fn save_before(&mut self, checked: &Checked) {
        let Self { seats, judged, saving, .. } = self;
        let Some(Saving { unsaved, .. }) = saving else { return };
        let mut due: Vec<u32> = checked.readings.iter().map(|reading| reading.channel).collect();
        // Those of which a reading waits that a watermark lets go.
        let lanes = checked.advances.iter().map(|advance| advance.lane);
        let waiting = lanes.filter_map(|lane| self.waiting.0.get(lane)).flatten();
        let of_judged = |number: &u32| judged[*number as usize].waiting();
        due.extend(waiting.filter_map(of_judged).map(|reading| reading.channel));
        due.retain(|channel| unsaved.take(*channel as usize));
        debug_assert!(due.iter().all(|channel| (*channel as usize) < seats.len()));
        due.into_iter().for_each(|channel| self.write(channel));
    }

    /// Writes so many channels; whether there are more.
    pub(super) fn save_some(&mut self, channels: usize) -> bool {
        for _ in 0..channels {
            let Some(Saving { unsaved, .. }) = &mut self.saving else { return false };
            match unsaved.take_first() {
                Some(channel) => self.write(channel as u32),
                None => {
                    if let Some(done) = self.saving.take() {
                        done.sheet.hand_in();
                    }
                    return false;
                }
            }
        }
        self.saving.is_some()
    }

    /// Writes a slice of them.
    pub(super) fn save_slice(&mut self) -> bool {
        self.save_some(CHANNELS_PER_SAVE)
    }

    fn write(&mut self, channel: u32) {
        let Self { seats, judged, partners, companions, saving, .. } = self;
        let Some(Saving { sheet, .. }) = saving else { return };
        let Seat { judged: number, partner, .. } = seats[channel as usize];
        if number.is_none() && partner.is_none() {
            return;
        }
        let judged = number.map(|number| &judged[number as usize]);
        sheet.record(Kind::Judged, |writer| {
            writer.number(u64::from(channel));
            // First, because who looks for readings that are in no pane looks here.
            let waiting = judged.and_then(Judged::waiting);
            writer.option(waiting, |writer, reading| reading.save(writer));
            writer.option(partner, |writer, partner| {
                partners.save(partner, writer);
                companions.save(partner, writer);
            });
            writer.option(judged, |writer, judged| judged.save(writer));
        });
    }

    /// Lets a channel that was just added go on from what was remembered of it. A reading that
    /// waited for a verdict which no test gives any more goes to its pane.
    pub(super) fn resume(&mut self, added: &Added, kept: &Kept, settled: &mut Vec<Reading>) {
        let Some(mut reader) = kept.judged() else { return };
        let channel = added.info.index;
        let Seat { judged: number, partner, lane, .. } = self.seats[channel as usize];
        let restored = (|| {
            let waiting = reader.option(|reader| Reading::restore(reader, channel))?;
            let waiting = waiting.filter(|reading| kept.watermark_ns <= reading.at_ns);
            reader.option(|reader| {
                let latest = Latest::restore(reader)?;
                if let Some(partner) = partner {
                    self.partners.put(partner, latest);
                }
                self.companions.restore(partner, reader)
            })?;
            let has_memory = reader.flag()?;
            Some((waiting, has_memory))
        })();
        let Some((waiting, has_memory)) = restored else {
            kept.salvage().lose(Misfit::Malformed);
            return;
        };
        let goes_on = has_memory
            && number.is_some_and(|number| {
                self.judged[number as usize].restore(&mut reader, waiting).is_some()
            });
        if let (Some(number), Some(plan)) = (number, &added.qc)
            && !goes_on
        {
            self.begin_anew(number, plan);
        }
        if let Some(number) = number
            && self.judged[number as usize].enlists()
        {
            self.waiting.0[lane as usize].push(number);
        }
        if !goes_on {
            settled.extend(waiting);
        }
    }

    fn begin_anew(&mut self, number: u32, plan: &QcPlan) {
        self.judged[number as usize] = Judged::new(plan, &mut self.partners);
    }
}
