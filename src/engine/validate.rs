//! Which readings are accepted, and the count of those that are not.
//!
//! The rules, for each reading in the order of arrival, whatever the batches: its channel is
//! known; its value is a number; its frame is new; its time is not too far ahead of its arrival;
//! its pane is open, judged against the watermark as it stood before its frame; its raw value
//! stays a number through calibration. The first rule that fails names the reason.

use std::mem;

use super::{
    Batch, Input, Ledger, Link, Plan, ReadingRefusal, TimeMode,
    device_clock::{ClockMap, Stamp},
    ledger::{ReadingTally, SequenceTally},
    recycle::{Home, Spares},
    registry::{Added, Registry, Target},
    sequence::{Sequences, Verdict},
    snapshot::DeviceView,
    summary::Flag,
    timeline::{Place, Timeline},
    trace::{Trace, TracedReading, Tracer, Witness},
    verdict::{Test, Tests},
};
use crate::{
    limits::{EVENT_TIME_ABS_MAX_NS, SPARE_LISTS_MAX},
    scan::Step,
    wire::{FIELD_OVERFLOW, FIELD_UNKNOWN, FieldTable, Head, Health, Sample},
};

/// A batch after validation, or a tick.
#[derive(Debug)]
pub struct Checked {
    /// The engine's own time on the daemon's line.
    pub now_ns: i64,
    /// Accepted readings, and notes that a device had no value to give.
    pub readings: Vec<Reading>,
    /// Where among the readings watermarks move.
    pub advances: Vec<Advance>,
    /// Channels that are new from here on.
    pub added: Vec<Added>,
    /// What was counted; absent for a tick.
    pub report: Option<Report>,
    /// Frames that were marked, and what became of them.
    pub traces: Vec<Trace>,
    /// Where the emptied lists go.
    lists_home: Home<Lists>,
}

/// The lists of a [`Checked`], to be filled again.
#[derive(Debug, Default)]
struct Lists {
    readings: Vec<Reading>,
    advances: Vec<Advance>,
    devices: Vec<DeviceReport>,
}

impl Drop for Checked {
    fn drop(&mut self) {
        let mut lists = Lists {
            readings: mem::take(&mut self.readings),
            advances: mem::take(&mut self.advances),
            devices: self.report.take().map(|report| report.devices).unwrap_or_default(),
        };
        lists.readings.clear();
        lists.advances.clear();
        lists.devices.clear();
        self.lists_home.give_back(lists);
    }
}

/// One accepted reading.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Dense index of its channel.
    pub channel: u32,
    /// Its verdict; [`Flag::Missing`] marks a note without a value, which is not an accepted
    /// reading.
    pub flag: Flag,
    /// The tests that speak against it.
    pub tests: Tests,
    /// Event time.
    pub at_ns: i64,
    /// Raw value here, normalized later; not a number if none can be given, which its flag says.
    pub value: f64,
}

/// A watermark moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advance {
    /// After this many readings of the batch.
    pub after: usize,
    /// Which lane.
    pub lane: usize,
    /// Where to.
    pub watermark_ns: i64,
}

/// What a batch adds to the books of its source.
#[derive(Debug)]
pub struct Report {
    /// Index of the source.
    pub source: usize,
    /// Counts to add; gauges are left at zero but for `bytes_buffered`, which replaces.
    pub ledger: Ledger,
    /// State of the source, if it changed.
    pub link: Option<Link>,
    /// When the first frame of the batch arrived.
    pub first_arrival_ns: Option<i64>,
    /// When the latest frame of the batch arrived.
    pub last_arrival_ns: Option<i64>,
    /// Devices that sent something.
    pub devices: Vec<DeviceReport>,
}

/// What a batch adds to the books of a device.
#[derive(Clone, Copy, Debug)]
pub struct DeviceReport {
    /// Number of the device within its source, in the order of meeting.
    pub number: u32,
    /// Counts to add, and the latest of what is not counted.
    pub since: DeviceView,
}

/// The first stage.
#[derive(Debug)]
pub struct Validate {
    registry: Registry,
    timelines: Vec<Timeline>,
    sources: Vec<Source>,
    spare_lists: Spares<Lists>,
    /// Room for the devices of the next report.
    devices: Vec<DeviceReport>,
}

#[derive(Debug)]
struct Source {
    time: TimeMode,
    named_fields: bool,
    idle_ns: i64,
    /// When the latest frame arrived that had an accepted reading.
    last_accepted_ns: Option<i64>,
    devices: Vec<Device>,
    /// Devices that sent something in this batch.
    touched: Vec<u32>,
}

#[derive(Debug, Default)]
struct Device {
    sequences: Sequences,
    clock: ClockMap,
    sequence: SequenceTally,
    told: SequenceTally,
    since: Option<DeviceView>,
}

/// What all samples of a frame have in common.
struct Frame {
    source: usize,
    device: u32,
    arrived_ns: i64,
    /// What to add to the samples' times; `None` if the arrival counts.
    offset_ns: Option<i64>,
    duplicate: bool,
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
            devices: Vec::new(),
            touched: Vec::new(),
        });
        Self {
            registry,
            timelines,
            sources: sources.collect(),
            spare_lists: Spares::new(SPARE_LISTS_MAX),
            devices: Vec::new(),
        }
    }

    fn batch(&mut self, mut batch: Batch, checked: &mut Checked) {
        let mut tracer = Tracer::new(batch.source, std::mem::take(&mut batch.marks));
        let Batch { source, now_ns, frames, fields, .. } = &batch;
        checked.readings.reserve_exact(frames.samples.len());
        let mut tally = ReadingTally::default();
        let mut samples = frames.samples.as_slice();
        for (at, head) in frames.heads.iter().enumerate() {
            let own = if head.shed { 0 } else { head.samples as usize };
            let (mine, rest) = samples.split_at(own.min(samples.len()));
            samples = rest;
            tally.add(&match tracer.of_frame(at, head) {
                None => self.frame(*source, head, mine, fields, checked, &mut ()),
                Some(trace) => self.frame(*source, head, mine, fields, checked, trace),
            });
        }
        checked.traces = tracer.into_traces();
        tally.received += batch.shed_readings;
        tally.refuse(ReadingRefusal::QueueFull, batch.shed_readings);
        self.drain_if_idle(*source, *now_ns, checked);
        if matches!(batch.link, Some(Link::Ended(_))) {
            self.close(*source, checked);
        }
        checked.report = Some(self.report(batch, tally));
    }

    /// Judges one frame and returns what it adds to the books.
    fn frame(
        &mut self,
        source: usize,
        head: &Head,
        samples: &[Sample],
        fields: &FieldTable,
        checked: &mut Checked,
        witness: &mut impl Witness,
    ) -> ReadingTally {
        let mut tally = ReadingTally { received: u64::from(head.samples), ..Default::default() };
        let device = match self.registry.device(source, head.device) {
            Ok(device) => device,
            Err(why) => {
                let why = if head.shed { ReadingRefusal::QueueFull } else { why };
                for sample in samples {
                    witness.saw(|| TracedReading::new(sample, fields, None, Err(why)));
                }
                tally.refuse(why, tally.received);
                return tally;
            }
        };
        let frame = self.open_frame(source, device, head, samples);
        if head.shed {
            tally.refuse(ReadingRefusal::QueueFull, tally.received);
        }
        let mut newest_ns = i64::MIN;
        for sample in samples {
            let verdict = self.sample(&frame, sample, fields, checked);
            self.show(&frame, sample, fields, (verdict, checked), witness);
            match verdict {
                Ok(at_ns) => {
                    tally.accepted += 1;
                    newest_ns = newest_ns.max(at_ns);
                }
                Err(why) => tally.refuse(why, 1),
            }
        }
        if 0 < tally.accepted {
            self.sources[source].last_accepted_ns = Some(head.arrived_ns);
        }
        let after = checked.readings.len();
        self.timelines[source].accept(newest_ns, |lane, watermark_ns| {
            checked.advances.push(Advance { after, lane, watermark_ns });
        });
        if let Some(since) = &mut self.sources[source].devices[device as usize].since {
            since.readings.add(&tally);
        }
        tally
    }

    /// Shows a verdict to the witness, if there is one.
    fn show<W: Witness>(
        &self,
        frame: &Frame,
        sample: &Sample,
        fields: &FieldTable,
        (verdict, checked): (Result<i64, ReadingRefusal>, &Checked),
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
        let Source { devices, touched, time, .. } = &mut self.sources[source];
        if devices.len() <= number as usize {
            devices.resize_with(number as usize + 1, Device::default);
        }
        let device = &mut devices[number as usize];
        let since = device.since.get_or_insert_with(|| {
            touched.push(number);
            DeviceView::unheard(head.device)
        });
        since.frames += 1;
        since.boot = head.boot;
        since.health = head.health;
        since.last_arrival_ns = head.arrived_ns;
        let resets = device.sequence.resets;
        let duplicate = head.sequence.is_some_and(|sequence| {
            let tally = &mut device.sequence;
            device.sequences.judge(head.boot, sequence, head.first, tally) == Verdict::Duplicate
        });
        if resets < device.sequence.resets {
            device.clock.restart(head.boot);
        }
        let offset_ns = match time {
            TimeMode::Arrival => None,
            // A frame that comes again may have been kept back and must not teach the clock; its
            // time decides nothing any more.
            TimeMode::Device if duplicate => None,
            TimeMode::Device => {
                samples.iter().map(|sample| sample.at_ns).max().and_then(|newest_ns| {
                    let Head { clock, boot, arrived_ns, .. } = *head;
                    device.clock.learn(Stamp { clock, boot, newest_ns, arrived_ns })
                })
            }
        };
        let (flag, tests) = match head.health {
            Health::Good | Health::Maintenance => (Flag::NotEvaluated, Tests::NONE),
            Health::OffSpec => (Flag::Suspect, Test::Health.into()),
            Health::Failure | Health::Check => (Flag::Fail, Test::Health.into()),
        };
        let arrived_ns = within_event_time(head.arrived_ns);
        Frame { source, device: number, arrived_ns, offset_ns, duplicate, flag, tests }
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
        let at_ns = match frame.offset_ns {
            None => frame.arrived_ns,
            Some(offset_ns) => sample.at_ns.saturating_add(offset_ns),
        };
        let at_ns = within_event_time(at_ns);
        let place = self.timelines[frame.source].place(lane as usize, at_ns, frame.arrived_ns);
        let Frame { flag, tests, .. } = *frame;
        let mut reading = Reading { channel, flag, tests, at_ns, value: sample.value };
        if !sample.value.is_finite() {
            // That there is no value is worth a note in the pane where one was due.
            if sample.value.is_nan() && !frame.duplicate && place == Place::Open {
                reading.flag = Flag::Missing;
                checked.readings.push(reading);
            }
            return Err(ReadingRefusal::NotFinite);
        }
        if frame.duplicate {
            return Err(ReadingRefusal::Duplicate);
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

    fn report(&mut self, batch: Batch, readings: ReadingTally) -> Report {
        let source = &mut self.sources[batch.source];
        let mut sequence = SequenceTally::default();
        let mut devices = mem::take(&mut self.devices);
        for number in source.touched.drain(..) {
            let device = &mut source.devices[number as usize];
            let Some(mut since) = device.since.take() else { continue };
            since.sequence = device.sequence.since(&device.told);
            device.told = device.sequence;
            sequence.add(&since.sequence);
            devices.push(DeviceReport { number, since });
        }
        let ledger = Ledger {
            transport: batch.transport,
            wire: batch.wire,
            bytes_buffered: batch.buffered,
            readings,
            sequence,
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
            link: batch.link,
            first_arrival_ns,
            last_arrival_ns,
            devices,
        }
    }
}

/// Times that no sum with a length overflows; see [`EVENT_TIME_ABS_MAX_NS`].
fn within_event_time(ns: i64) -> i64 {
    ns.clamp(-EVENT_TIME_ABS_MAX_NS, EVENT_TIME_ABS_MAX_NS)
}

impl Step for Validate {
    type In = Input;
    type Out = Checked;

    fn step(&mut self, input: Input) -> Option<Checked> {
        let Lists { readings, advances, devices } = self.spare_lists.take().unwrap_or_default();
        self.devices = devices;
        let mut checked = Checked {
            now_ns: input.now_ns,
            readings,
            advances,
            added: Vec::new(),
            report: None,
            traces: Vec::new(),
            lists_home: self.spare_lists.home(),
        };
        if let Some(batch) = input.batch {
            self.batch(batch, &mut checked);
        }
        // Also those of the configuration, which no batch brings.
        checked.added = self.registry.take_added();
        Some(checked)
    }

    fn finish(&mut self) -> Option<Checked> {
        None
    }
}
