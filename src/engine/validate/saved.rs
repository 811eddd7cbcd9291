//! What validation keeps, in an image, and how it goes on from one.
//!
//! It is here that an image is taken apart after a restart: the time of each source, its devices,
//! and the channels that were found. Every channel goes on to the stages behind with what the image
//! has of it, and the watermarks follow as if they had just moved.

use std::{collections::BTreeSet, sync::Arc};

use super::{Advance, Checked, Validate};
use crate::engine::{
    Plan, TimeMode,
    books::KeptBooks,
    image::{Image, Kept, Misfit, Sitting, SourceRecords},
    timeline::Past,
};

/// What is known about the time between an image and now.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Now, on the daemon's line.
    pub now_ns: i64,
    /// The line is that of the image, and not one that was anchored anew.
    pub line_goes_on: bool,
    /// What goes on of each source: of all that are not named here, everything.
    pub sources: Vec<GoesOn>,
}

impl Terms {
    fn of(&self, source: usize) -> GoesOn {
        self.sources.get(source).copied().unwrap_or_default()
    }
}

/// What goes on of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GoesOn {
    /// Everything.
    #[default]
    All,
    /// All but its devices, which count their frames from the beginning: it simulates them.
    AllButDevices,
    /// Its ledger: it plays a recording, and what it gave comes again.
    Ledger,
    /// Everything, and what its decoder holds: it is the engine that begins anew, not the source.
    Running,
}

/// What the first step after a restart tells the stages behind.
#[derive(Debug)]
pub(super) struct Resumption {
    advances: Vec<Advance>,
    books: Box<KeptBooks>,
}

impl Validate {
    /// A stage that goes on from an image.
    #[must_use]
    pub fn resume(plan: &Plan, image: &Arc<Image>, terms: &Terms) -> Self {
        let mut stage = Self::new(plan);
        let mut advances = Vec::new();
        let mut pasts: Vec<Result<(), Misfit>> = vec![Err(Misfit::Gone); plan.sources.len()];
        let numbers = |name: &str| plan.sources.iter().position(|source| *source.name == *name);
        let known: Vec<(u32, usize, &SourceRecords)> = image
            .sources()
            .filter_map(|(number, records)| Some((number, numbers(&records.name)?, records)))
            .collect();
        for &(_, source, records) in &known {
            let goes_on = terms.of(source);
            let is_replayed = goes_on == GoesOn::Ledger;
            pasts[source] = if is_replayed { Err(Misfit::Replayed) } else { Ok(()) };
            if matches!(goes_on, GoesOn::All | GoesOn::Running) {
                stage.meet_devices(source, image, records, terms.line_goes_on);
            }
        }
        let now_at = |number: u32| known.iter().find(|known| known.0 == number).map(|it| it.1);
        stage.adopt(image, &now_at);
        for &(_, source, records) in &known {
            let time = plan.sources[source].time;
            pasts[source] = pasts[source].and_then(|()| {
                let past = stage.past(source, image, records, (time, terms))?;
                stage.timelines[source].resume(&past, |lane, watermark_ns| {
                    advances.push(Advance { after: 0, lane, watermark_ns });
                });
                Ok(())
            });
        }
        let mut books = stage.books(image, &known, terms);
        for &(_, source, _) in &known {
            let heard = books.devices(source);
            stage.sources[source].devices.unsay(|number| !heard.contains(&number));
        }
        stage.hand_out(image, &pasts, &mut books);
        if !books.balance() {
            image.salvage().lose(Misfit::Malformed);
        }
        stage.resumption = Some(Resumption { advances, books: Box::new(books) });
        stage
    }

    /// Puts what the stages behind are to know into the first step.
    pub(super) fn tell(&mut self, checked: &mut Checked) {
        if let Some(Resumption { advances, books }) = self.resumption.take() {
            debug_assert!(checked.advances.is_empty());
            checked.advances.extend(advances);
            checked.kept_books = Some(books);
        }
    }

    /// Writes what is kept here.
    pub(super) fn save(&self, sitting: &Arc<Sitting>) {
        let mut sheet = sitting.sheet();
        for (number, (source, timeline)) in self.sources.iter().zip(&self.timelines).enumerate() {
            let name = self.registry.source_name(number);
            timeline.save((number, name), source.last_accepted_ns, &mut sheet);
            let id = |device| self.registry.device_id(number, device);
            source.devices.save(number, id, &mut sheet);
        }
        sheet.hand_in();
    }

    fn meet_devices(
        &mut self,
        source: usize,
        image: &Image,
        records: &SourceRecords,
        line_goes_on: bool,
    ) {
        for place in &records.devices {
            let mut reader = image.reader(place);
            let met = reader.small().ok_or(Misfit::Malformed).and_then(|id| {
                let device = self.registry.device(source, id).map_err(|_| Misfit::Gone)?;
                let devices = &mut self.sources[source].devices;
                devices.restore(device, line_goes_on, &mut reader).ok_or(Misfit::Malformed)
            });
            met.unwrap_or_else(|why| image.salvage().lose(why));
        }
    }

    /// Takes up what was found before.
    fn adopt(&mut self, image: &Image, now_at: &impl Fn(u32) -> Option<usize>) {
        for (_, channel) in image.channels().filter(|(_, channel)| channel.discovered) {
            let Some(source) = now_at(channel.source) else {
                image.salvage().lose(Misfit::Gone);
                continue;
            };
            let timeline = &mut self.timelines[source];
            // One that is configured now is known by its id.
            let is_configured = self
                .registry
                .added_mut()
                .iter()
                .any(|added| !added.info.discovered && added.info.id == channel.id);
            if !is_configured && let Err(why) = self.registry.adopt(source, channel, timeline) {
                image.salvage().lose(why);
            }
        }
    }

    /// The time of a source as it was, if it can go on.
    fn past(
        &mut self,
        source: usize,
        image: &Image,
        records: &SourceRecords,
        (time, terms): (TimeMode, &Terms),
    ) -> Result<Past, Misfit> {
        let lanes = records.lanes.iter().map(|place| image.reader(place));
        let read = Past::read(image.reader(&records.time), lanes);
        let (past, last_accepted_ns) = read.ok_or(Misfit::Malformed)?;
        // The time of a source that runs goes on as it did.
        if terms.of(source) != GoesOn::Running && past.is_ahead(terms.now_ns, time) {
            return Err(Misfit::Ahead);
        }
        self.sources[source].last_accepted_ns = last_accepted_ns;
        Ok(past)
    }

    /// Gives each channel what there is of it, and counts what nobody takes.
    fn hand_out(
        &mut self,
        image: &Arc<Image>,
        pasts: &[Result<(), Misfit>],
        books: &mut KeptBooks,
    ) {
        let mut ids = BTreeSet::new();
        for added in self.registry.added_mut() {
            let info = &added.info;
            if image.find(&info.id).is_none() {
                continue;
            }
            ids.insert(Arc::clone(&info.id));
            let watermark_ns = self.timelines[info.source].watermark_ns(info.lane);
            match pasts[info.source].and_then(|()| Kept::of(image, info, watermark_ns)) {
                Ok(kept) => {
                    if let Some(kept) = &kept {
                        books.claim(info.source, kept.records());
                    }
                    added.kept = kept;
                }
                Err(why) => image.salvage().lose(why),
            }
        }
        let configured = image.channels().filter(|(_, channel)| !channel.discovered);
        let gone = configured.filter(|(_, channel)| !ids.contains(&channel.id));
        gone.for_each(|_| image.salvage().lose(Misfit::Gone));
    }

    /// What the ledgers go on from.
    fn books(
        &mut self,
        image: &Image,
        known: &[(u32, usize, &SourceRecords)],
        terms: &Terms,
    ) -> KeptBooks {
        let mut books = KeptBooks::new(self.sources.len());
        for &(_, source, records) in known {
            let device = |id| self.registry.device(source, id).ok();
            let terms = (terms.line_goes_on, terms.of(source) == GoesOn::Running);
            if books.read(source, image, records, terms, device).is_none() {
                image.salvage().lose(Misfit::Malformed);
            }
        }
        books
    }
}
