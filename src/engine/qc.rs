//! Quality control: readings are judged by the QARTOD tests of their channels.
//!
//! Flags combine as `qartod_compare` combines them: of all that is said of a reading, the worst
//! counts, in the order 9 < 2 < 1 < 3 < 4. A channel without tests costs its readings nothing
//! but a look; a plan without tests costs a batch one comparison.
//!
//! The spike test judges a value by the one after it. Until that comes the reading waits: it is
//! shown as the latest value, and enters its pane with the next reading of its channel, or when
//! that pane is about to close, then without the verdict. Nothing is ever lost or late by it.
//!
//! It is here that the latest values of other channels are at hand, so here a direction is given
//! the speed that goes with it.

pub mod attenuated;
pub mod bounds;
mod channel;
pub mod climatology;
mod companions;
pub mod flat_line;
mod partners;
mod saved;
pub mod plan;
pub mod rate;
pub mod spike;
mod sweep;
#[cfg(test)]
mod tests;

use std::mem;

use self::{
    channel::Judged, climatology::Almanac, companions::Companions, partners::Partners,
    plan::QcPlan, saved::Saving,
};
use super::{
    Plan,
    snapshot::ChannelInfo,
    summary::Flag,
    trace::Trace,
    validate::{Advance, Checked, Reading},
};
use crate::scan::{Rest, Step};

/// The third stage.
#[derive(Debug, Default)]
pub struct Qc {
    /// By channel: dense, because every reading asks for it.
    seats: Vec<Seat>,
    judged: Vec<Judged>,
    companions: Companions,
    partners: Partners,
    almanac: Almanac,
    waiting: Waiting,
    now_ns: i64,
    /// Room for the readings of the next batch.
    spare: Vec<Reading>,
    /// An image that is being taken.
    saving: Option<Saving>,
}

/// What is to be done with the readings of a channel.
#[derive(Clone, Copy, Debug)]
struct Seat {
    judged: Option<u32>,
    accompanied: Option<u32>,
    partner: Option<u32>,
    lane: u32,
}

/// For each lane the judged channels of which a reading waits, or has waited.
#[derive(Debug, Default)]
struct Waiting(Vec<Vec<u32>>);

impl Qc {
    /// A stage that learns of channels as they come, and knows from the plan whose values others
    /// are judged by.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let mut stage = Self::default();
        for partner in plan.all_tests().flat_map(QcPlan::partners) {
            stage.partners.number(&partner.id);
        }
        for partner in plan.all_rules().filter_map(|rules| rules.statistics.speed.as_ref()) {
            let number = stage.partners.number(&partner.id);
            stage.companions.look_after(number);
        }
        stage
    }

    fn add(&mut self, info: &ChannelInfo, plan: Option<&QcPlan>) {
        let ChannelInfo { id, lane, rules, .. } = info;
        let judged = plan.map(|plan| {
            self.judged.push(Judged::new(plan, &mut self.partners));
            self.judged.len() as u32 - 1
        });
        let speed = rules.statistics.speed.as_ref();
        let accompanied = speed.map(|speed| self.companions.add(speed, &mut self.partners));
        if self.waiting.0.len() <= *lane {
            self.waiting.0.resize_with(lane + 1, Vec::new);
        }
        let partner = self.partners.known(id);
        self.seats.push(Seat { judged, accompanied, partner, lane: *lane as u32 });
    }

    /// Judges the reading that stands at `at` in its batch, and puts what is settled by it before
    /// it; those of a channel that another's values go with are held back.
    fn reading(
        &mut self,
        at: usize,
        mut reading: Reading,
        moved: &mut Moved,
        out: &mut Vec<Reading>,
    ) {
        let Self { seats, judged, companions, partners, almanac, waiting, .. } = self;
        let Seat { judged: number, accompanied: goes_with, partner, lane } =
            seats[reading.channel as usize];
        if let Some(number) = number {
            let channel = &mut judged[number as usize];
            // A calibration may have no value to give either.
            let settled = if reading.value.is_finite() && reading.flag != Flag::Missing {
                channel.judge(&mut reading, partners, almanac)
            } else {
                channel.miss(reading.at_ns)
            };
            out.extend(settled);
            if channel.enlists() {
                waiting.0[lane as usize].push(number);
            }
        }
        if let Some(partner) = partner {
            let value = reading.flag.counts().then_some(reading.value);
            match value {
                Some(value) => partners.show(partner, reading.at_ns, value),
                None => partners.miss(partner),
            }
            companions.see(partner, reading.at_ns, value);
        }
        match goes_with {
            // Whether they count or not, or those of one time would change places.
            Some(number) => companions.hold(at, number, reading),
            None => {
                moved.note(at, out.len());
                out.push(reading);
            }
        }
    }

    /// Lets go of what lies in panes that are about to close.
    fn release(&mut self, lane: usize, before_ns: i64, out: &mut Vec<Reading>) {
        let Self { judged, waiting: Waiting(lanes), .. } = self;
        if let Some(waiting) = lanes.get_mut(lane) {
            waiting.retain(|&number| {
                let channel = &mut judged[number as usize];
                out.extend(channel.release_before(before_ns));
                channel.stays_listed()
            });
        }
    }

    fn judge(&mut self, checked: &mut Checked) {
        let mut out = mem::take(&mut self.spare);
        let readings = mem::take(&mut checked.readings);
        out.reserve_exact(readings.len());
        let mut moved = Moved::new(&checked.traces, readings.len());
        let mut ends = checked.frame_ends.iter().peekable();
        let words = checked.report.iter_mut().flat_map(|report| &mut report.devices.words);
        let mut words = words.peekable();
        let mut advances = checked.advances.iter_mut().peekable();
        for (at, reading) in readings.iter().enumerate() {
            while ends.next_if(|end| **end == at).is_some() {
                self.end_frame(&mut moved, &mut out);
            }
            while let Some(advance) = advances.next_if(|advance| advance.after == at) {
                self.pass(advance, &mut out);
            }
            while let Some(word) = words.next_if(|word| word.readings == at) {
                word.readings = out.len();
            }
            self.reading(at, *reading, &mut moved, &mut out);
        }
        self.end_frame(&mut moved, &mut out);
        advances.for_each(|advance| self.pass(advance, &mut out));
        words.for_each(|word| word.readings = out.len());
        moved.apply(&mut checked.traces);
        checked.readings = out;
        self.spare = readings;
        self.spare.clear();
    }

    /// Lets go of what was held back to the end of its frame.
    fn end_frame(&mut self, moved: &mut Moved, out: &mut Vec<Reading>) {
        self.companions.end_frame(|companion, at, reading| {
            out.extend(companion);
            moved.note(at, out.len());
            out.push(reading);
        });
    }

    fn pass(&mut self, advance: &mut Advance, out: &mut Vec<Reading>) {
        self.release(advance.lane, advance.watermark_ns, out);
        advance.after = out.len();
    }
}

/// Where readings stand now, for the traces that tell of them.
struct Moved(Option<Vec<usize>>);

impl Moved {
    fn new(traces: &[Trace], readings: usize) -> Self {
        Self((!traces.is_empty()).then(|| vec![0; readings]))
    }

    /// The reading that stood at `at` is at `place` now.
    fn note(&mut self, at: usize, place: usize) {
        if let Self(Some(places)) = self {
            places[at] = place;
        }
    }

    fn apply(&self, traces: &mut [Trace]) {
        let Self(Some(places)) = self else { return };
        for reading in traces.iter_mut().flat_map(|trace| &mut trace.readings) {
            if let Ok(place) = &mut reading.verdict {
                *place = places[*place];
            }
        }
    }
}

impl Step for Qc {
    type In = Checked;
    type Out = Checked;

    fn step(&mut self, mut checked: Checked) -> Option<Checked> {
        self.now_ns = checked.now_ns;
        let mut settled = Vec::new();
        for added in &checked.added {
            self.add(&added.info, added.qc.as_deref());
            if let Some(kept) = &added.kept {
                self.resume(added, kept, &mut settled);
            }
        }
        if self.saving.is_some() {
            self.save_before(&checked);
            self.save_slice();
        }
        if !(self.judged.is_empty() && self.companions.is_empty()) {
            self.judge(&mut checked);
        }
        if !settled.is_empty() {
            checked.precede(settled);
        }
        if let Some(sitting) = &checked.sitting {
            self.sit(sitting);
        }
        Some(checked)
    }

    fn go_on(&mut self) -> Rest<Checked> {
        if self.save_slice() { Rest::More } else { Rest::Nothing }
    }

    /// What still waits has nothing to wait for.
    fn finish(&mut self) -> Option<Checked> {
        while self.save_some(usize::MAX) {}
        let mut checked = Checked::empty(self.now_ns);
        for lane in 0..self.waiting.0.len() {
            self.release(lane, i64::MAX, &mut checked.readings);
        }
        (!checked.readings.is_empty()).then_some(checked)
    }
}
