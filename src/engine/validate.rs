//! Which readings are accepted, and the count of those that are not.
//!
//! The rules, for each reading in the order of arrival, whatever the batches: its channel is
//! known; its value is a number; its frame is new; its time is not too far ahead of its arrival;
//! its pane is open, judged against the watermark as it stood before its frame; its raw value
//! stays a number through calibration. The first rule that fails names the reason.

mod checked;
mod saved;

use std::mem;

use super::{
    Batch, Input, Ledger, Link, Plan, ReadingRefusal, TimeMode,
    condition::Change,
    devices::{DeviceNews, DeviceWord, Devices, Word},
    ledger::ReadingTally,
    recycle::Spares,
    registry::{Registry, Target},
    summary::Flag,
    timeline::{Place, Timeline},
    trace::{TracedReading, Tracer, Witness},
    verdict::{Test, Tests},
};
use crate::{
    limits::{EVENT_TIME_ABS_MAX_NS, RUN_READINGS_MIN, SPARE_LISTS_MAX},
    scan::Step,
    wire::{FIELD_OVERFLOW, FIELD_UNKNOWN, FieldTable, Head, Health, Sample},
};

use self::{checked::Lists, saved::Resumption};
pub use self::{
    checked::{Advance, Checked, Entry, Reading, Report},
    saved::{GoesOn, Terms},
};

/// The first stage.
#[derive(Debug)]
pub struct Validate {
    registry: Registry,
    timelines: Vec<Timeline>,
    sources: Vec<Source>,
    spare_lists: Spares<Lists>,
    /// Whether a channel takes another's value, those of its own frame included.
    tells_frames: bool,
    /// What the batch that is at work adds to the books.
    tally: ReadingTally,
    news: DeviceNews,
    /// What the first step is to tell after a restart.
    resumption: Option<Resumption>,
}

#[derive(Debug)]
struct Source {
    time: TimeMode,
    named_fields: bool,
    idle_ns: i64,
    /// When the latest frame arrived that had an accepted reading.
    last_accepted_ns: Option<i64>,
    devices: Devices,
}

/// What all samples of a frame have in common.
struct Frame {
    source: usize,
    device: u32,
    arrived_ns: i64,
    /// What to add to the samples' times; `None` if the arrival counts.
    offset_ns: Option<i64>,
    /// Smallest and largest event time of a sample; both the arrival if there is none.
    span_ns: (i64, i64),
    /// Why none of its readings is news, if it was seen before.
    repeats: Option<ReadingRefusal>,
    flag: Flag,
    tests: Tests,
}

impl Validate {
    /// A stage that has seen nothing.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let mut timelines = vec![Timeline::new(); plan.sources.len()];
        let registry = Registry::new(plan, &mut timelines);
        let sources = plan.sources.iter().map(|source| Source {
            time: source.time,
            named_fields: source.named_fields,
            idle_ns: source.idle_ns,
            last_accepted_ns: None,
            devices: Devices::new(source.starts),
        });
        Self {
            registry,
            timelines,
            sources: sources.collect(),
            spare_lists: Spares::new(SPARE_LISTS_MAX),
            tells_frames: !plan.junctions().is_empty()
                || plan.all_rules().any(|rules| rules.statistics.speed.is_some()),
            tally: ReadingTally::default(),
            news: DeviceNews::default(),
            resumption: None,
        }
    }

    fn batch(&mut self, mut batch: Batch, checked: &mut Checked) {
        let mut tracer = Tracer::new(batch.source, std::mem::take(&mut batch.marks));
        let Batch { source, now_ns, frames, fields, .. } = &batch;
        checked.readings.reserve_exact(frames.samples.len());
        let mut samples = frames.samples.as_slice();
        for (at, head) in frames.heads.iter().enumerate() {
            let own = if head.shed { 0 } else { head.samples as usize };
            let (mine, rest) = samples.split_at(own.min(samples.len()));
            samples = rest;
            match tracer.of_frame(at, head) {
                None => self.frame(*source, head, mine, fields, checked, &mut ()),
                Some(trace) => self.frame(*source, head, mine, fields, checked, trace),
            }
            if self.tells_frames {
                checked.frame_ends.push(checked.readings.len());
            }
        }
        checked.traces = tracer.into_traces();
        self.tally.received += batch.shed_readings;
        self.tally.refuse(ReadingRefusal::QueueFull, batch.shed_readings);
        self.drain_if_idle(*source, *now_ns, checked);
        if matches!(batch.link, Some(Link::Ended(_))) {
            self.close(*source, checked);
        }
        checked.report = Some(self.report(batch));
    }

    /// Judges one frame.
    fn frame<W: Witness>(
        &mut self,
        source: usize,
        head: &Head,
        samples: &[Sample],
        fields: &FieldTable,
        checked: &mut Checked,
        witness: &mut W,
    ) {
        let received = u64::from(head.samples);
        self.tally.received += received;
        let device = match self.registry.device(source, head.device) {
            Ok(device) => device,
            Err(why) => {
                let why = if head.shed { ReadingRefusal::QueueFull } else { why };
                for sample in samples {
                    witness.saw(|| TracedReading::new(sample, fields, None, Err(why)));
                }
                self.tally.refuse(why, received);
                return;
            }
        };
        let frame = self.open_frame(source, device, head, samples);
        if head.shed {
            self.refuse(&frame, ReadingRefusal::QueueFull, received);
        }
        let (mut accepted, mut newest_ns) = (0, i64::MIN);
        let (first, mut rest) = (checked.readings.len(), samples);
        loop {
            if !W::LOOKS && self.is_plain(&frame) {
                let plain = self.take_plain(&frame, rest, &mut checked.readings, &mut newest_ns);
                accepted += plain as u64;
                rest = &rest[plain..];
            }
            let Some((sample, behind)) = rest.split_first() else { break };
            rest = behind;
            let verdict = self.sample(&frame, sample, fields, checked);
            self.show(&frame, sample, fields, verdict, checked, witness);
            match verdict {
                Ok(at_ns) => {
                    accepted += 1;
                    newest_ns = newest_ns.max(at_ns);
                }
                Err(why) => self.refuse(&frame, why, 1),
            }
        }
        if accepted == 0 || !self.sources[source].devices.is_known(device, head) {
            let times_ns = checked.readings[first..].iter().map(|reading| reading.at_ns);
            let oldest_ns = times_ns.min().unwrap_or(i64::MAX);
            self.believe(&frame, head, oldest_ns, first, checked.advances.len());
        }
        if 0 < accepted {
            if has_run(samples) {
                join(&mut checked.readings[first..]);
            }
            self.tally.accepted += accepted;
            self.sources[source].last_accepted_ns = Some(head.arrived_ns);
            self.sources[source].devices.accept(device, accepted, &mut self.news);
            let after = checked.readings.len();
            self.timelines[source].accept(newest_ns, |lane, watermark_ns| {
                checked.advances.push(Advance { after, lane, watermark_ns });
            });
        }
    }

    /// Takes note of what the frame says of its device; `oldest_ns` is the earliest event time of
    /// its accepted readings, [`i64::MAX`] if there is none, and `readings` and `advances` were
    /// before it in the batch.
    #[cold]
    fn believe(
        &mut self,
        frame: &Frame,
        head: &Head,
        oldest_ns: i64,
        readings: usize,
        advances: usize,
    ) {
        let &Frame { source, device: number, arrived_ns, repeats, .. } = frame;
        let Source { devices, time, .. } = &mut self.sources[source];
        let time = (oldest_ns != i64::MAX).then_some(*time);
        if repeats.is_none()
            && let Some(condition) = devices.learn_of(number, head, time)
        {
            // Without a reading the arrival counts, behind all that windows were told of.
            let from_ns = match time {
                Some(_) => oldest_ns,
                None => self.timelines[source].newest_ns().max(arrived_ns),
            };
            let change = Change { from_ns, condition };
            self.news.words.push(DeviceWord { number, readings, advances, change });
        }
    }

    fn refuse(&mut self, frame: &Frame, why: ReadingRefusal, n: u64) {
        self.tally.refuse(why, n);
        self.sources[frame.source].devices.refuse(frame.device, why, n, &mut self.news);
    }

    /// Whether nothing but its channel and its value can speak against a reading of the frame.
    fn is_plain(&self, frame: &Frame) -> bool {
        frame.repeats.is_none()
            && self.timelines[frame.source].is_open(frame.span_ns, frame.arrived_ns)
    }

    /// Takes readings of a plain frame for as long as there is nothing against their channels and
    /// values, and says how many; the first that is left is for [`Self::sample`] to judge.
    fn take_plain(
        &self,
        frame: &Frame,
        samples: &[Sample],
        readings: &mut Vec<Reading>,
        newest_ns: &mut i64,
    ) -> usize {
        let targets = self.registry.targets(frame.source, frame.device);
        let Frame { flag, tests, .. } = *frame;
        let before = readings.len();
        for &Sample { field, at_ns, value } in samples {
            let Some(target) = targets.get(field as usize).filter(|target| target.takes(value))
            else {
                break;
            };
            let at_ns = frame.event_time(at_ns);
            *newest_ns = (*newest_ns).max(at_ns);
            let (channel, entry) = (target.channel, Entry::Value);
            readings.push(Reading { channel, flag, entry, tests, at_ns, value });
        }
        readings.len() - before
    }

    /// Shows a verdict to the witness, if there is one.
    fn show<W: Witness>(
        &self,
        frame: &Frame,
        sample: &Sample,
        fields: &FieldTable,
        verdict: Result<i64, ReadingRefusal>,
        checked: &Checked,
        witness: &mut W,
    ) {
        if W::LOOKS {
            let channel = self.registry.known(frame.source, frame.device, sample.field);
            let place = verdict.map(|_| checked.readings.len() - 1);
            witness.saw(|| TracedReading::new(sample, fields, channel, place));
        }
    }

    /// Books the frame with its device, and finds out what its samples have in common.
    fn open_frame(&mut self, source: usize, number: u32, head: &Head, samples: &[Sample]) -> Frame {
        let Source { devices, time, .. } = &mut self.sources[source];
        // Where the arrival counts, nobody asks when samples were made.
        let made_ns = match time {
            TimeMode::Arrival => None,
            TimeMode::Device => extent(samples),
        };
        let ask = (*time, made_ns.map(|(_, newest_ns)| newest_ns));
        let Word { repeats, offset_ns } = devices.hear(number, head, ask, &mut self.news);
        let (flag, tests) = match head.health {
            Health::Good | Health::Maintenance => (Flag::NotEvaluated, Tests::NONE),
            Health::OffSpec => (Flag::Suspect, Test::Health.into()),
            Health::Failure | Health::Check => (Flag::Fail, Test::Health.into()),
        };
        let arrived_ns = within_event_time(head.arrived_ns);
        let span_ns = (arrived_ns, arrived_ns);
        let device = number;
        let mut frame =
            Frame { source, device, arrived_ns, offset_ns, span_ns, repeats, flag, tests };
        if let Some((oldest_ns, newest_ns)) = made_ns {
            frame.span_ns = (frame.event_time(oldest_ns), frame.event_time(newest_ns));
        }
        frame
    }

    /// Judges one reading; its event time if it is accepted.
    fn sample(
        &mut self,
        frame: &Frame,
        sample: &Sample,
        fields: &FieldTable,
        checked: &mut Checked,
    ) -> Result<i64, ReadingRefusal> {
        let Target { channel, lane, raw_abs_max } = self.target(frame, sample.field, fields)?;
        let at_ns = frame.event_time(sample.at_ns);
        let place = self.timelines[frame.source].place(lane as usize, at_ns, frame.arrived_ns);
        let Frame { flag, tests, .. } = *frame;
        let (entry, value) = (Entry::Value, sample.value);
        let mut reading = Reading { channel, flag, entry, tests, at_ns, value };
        if !sample.value.is_finite() {
            // That there is no value is worth a note in the pane where one was due.
            if sample.value.is_nan() && frame.repeats.is_none() && place == Place::Open {
                (reading.flag, reading.entry) = (Flag::Missing, Entry::Note);
                checked.readings.push(reading);
            }
            return Err(ReadingRefusal::NotFinite);
        }
        if let Some(why) = frame.repeats {
            return Err(why);
        }
        match place {
            Place::Future => return Err(ReadingRefusal::Future),
            Place::Late => return Err(ReadingRefusal::Late),
            Place::Open => {}
        }
        if raw_abs_max < sample.value.abs() {
            return Err(ReadingRefusal::NotRepresentable);
        }
        checked.readings.push(reading);
        Ok(at_ns)
    }

    fn target(
        &mut self,
        frame: &Frame,
        field: u32,
        fields: &FieldTable,
    ) -> Result<Target, ReadingRefusal> {
        let named = self.sources[frame.source].named_fields;
        match field {
            FIELD_UNKNOWN if named => return Err(ReadingRefusal::UnknownChannel),
            FIELD_OVERFLOW if named => return Err(ReadingRefusal::Cardinality),
            _ => {}
        }
        let met = || if named { fields.get(field).cloned() } else { None };
        let timeline = &mut self.timelines[frame.source];
        self.registry.target(frame.source, frame.device, field, met, timeline)
    }

    fn drain_if_idle(&mut self, source: usize, now_ns: i64, checked: &mut Checked) {
        // A source that sends what is refused is as silent as one that sends nothing: it must
        // not hold its windows, nor may a stranger on the same port.
        let Source { last_accepted_ns, idle_ns, .. } = &mut self.sources[source];
        let now_ns = within_event_time(now_ns);
        let since_ns = *last_accepted_ns.get_or_insert(now_ns);
        if *idle_ns <= now_ns.saturating_sub(since_ns) {
            let after = checked.readings.len();
            self.timelines[source].drain(now_ns, |lane, watermark_ns| {
                checked.advances.push(Advance { after, lane, watermark_ns });
            });
        }
    }

    /// The source has ended: nothing can be late any more, and its last panes close.
    fn close(&mut self, source: usize, checked: &mut Checked) {
        let after = checked.readings.len();
        self.timelines[source].close(|lane, watermark_ns| {
            checked.advances.push(Advance { after, lane, watermark_ns });
        });
    }

    fn report(&mut self, batch: Batch) -> Report {
        let devices = mem::take(&mut self.news);
        self.sources[batch.source].devices.told(&devices);
        let ledger = Ledger {
            transport: batch.transport,
            wire: batch.wire,
            bytes_buffered: batch.buffered,
            readings: mem::take(&mut self.tally),
            sequence: devices.sequence(),
            ..Ledger::default()
        };
        let mut frames = batch.frames;
        let first_arrival_ns = frames.heads.first().map(|head| head.arrived_ns);
        let last_arrival_ns = frames.heads.last().map(|head| head.arrived_ns);
        frames.clear();
        batch.frames_home.give_back(frames);
        Report {
            source: batch.source,
            ledger,
            drops: batch.drops,
            link: batch.link,
            first_arrival_ns,
            last_arrival_ns,
            devices,
        }
    }
}

impl Frame {
    /// Event time of a sample that was made at `made_ns` on the clock of its device.
    fn event_time(&self, made_ns: i64) -> i64 {
        match self.offset_ns {
            None => self.arrived_ns,
            Some(offset_ns) => within_event_time(made_ns.saturating_add(offset_ns)),
        }
    }
}

/// Whether there may be as many samples of one field in a row as make a run.
fn has_run(samples: &[Sample]) -> bool {
    // It takes in one of these places and the next.
    let mut places = (1..samples.len()).step_by(RUN_READINGS_MIN / 2);
    places.any(|at| samples[at - 1].field == samples[at].field)
}

/// Marks what follows another value of its channel: only within a frame, because how frames are
/// cut into batches must not show in any result.
fn join(readings: &mut [Reading]) {
    for at in 1..readings.len() {
        let (before, reading) = (readings[at - 1], &mut readings[at]);
        let follows = before.channel == reading.channel && before.entry != Entry::Note;
        if follows && reading.entry == Entry::Value {
            reading.entry = Entry::Next;
        }
    }
}

/// Smallest and largest time of the samples, if there are any.
fn extent(samples: &[Sample]) -> Option<(i64, i64)> {
    let times = samples.iter().map(|sample| (sample.at_ns, sample.at_ns));
    times.reduce(|(oldest, newest), (at, _)| (oldest.min(at), newest.max(at)))
}

/// Times that no sum with a length overflows; see [`EVENT_TIME_ABS_MAX_NS`].
fn within_event_time(ns: i64) -> i64 {
    ns.clamp(-EVENT_TIME_ABS_MAX_NS, EVENT_TIME_ABS_MAX_NS)
}

impl Step for Validate {
    type In = Input;
    type Out = Checked;

    fn step(&mut self, input: Input) -> Option<Checked> {
        let Lists { readings, advances, frame_ends, devices } =
            self.spare_lists.take().unwrap_or_default();
        self.news = devices;
        let mut checked = Checked {
            now_ns: input.now_ns,
            readings,
            advances,
            frame_ends,
            added: Vec::new(),
            report: None,
            traces: Vec::new(),
            sitting: input.sitting,
            kept_books: None,
            lists_home: self.spare_lists.home(),
        };
        self.tell(&mut checked);
        if let Some(batch) = input.batch {
            self.batch(batch, &mut checked);
        }
        // Also those of the configuration, which no batch brings.
        checked.added = self.registry.take_added();
        if let Some(sitting) = &checked.sitting {
            self.save(sitting);
        }
        Some(checked)
    }

    fn finish(&mut self) -> Option<Checked> {
        None
    }
}
