//! The devices of one source: what is known of each from frame to frame, and what the books do
//! not know yet.
//!
//! A frame of one reading costs little more than its reading, so a device is a few cache lines,
//! and what hardly ever happens is counted beside it.

mod saved;

use super::{
    condition::{Change, Condition, Origin},
    device_clock::{ClockMap, Stamp},
    ledger::{ReadingRefusal, SequenceTally},
    plan::TimeMode,
    sequence::{Sequences, Starts, Verdict},
};
use crate::wire::{Head, Health};

/// What a batch adds to the books of a device.
#[derive(Clone, Copy, Debug)]
pub struct DeviceReport {
    /// Number of the device within its source, in the order of meeting.
    pub number: u32,
    /// Device id.
    pub device: u32,
    /// What its latest frame said; `None` if only such came again as say nothing.
    pub heard: Option<Heard>,
    /// Frames decoded.
    pub frames: u64,
    /// Readings decoded from them.
    pub received: u64,
    /// Readings that entered a pane.
    pub accepted: u64,
    /// Place of what else was counted, in `DeviceNews::counts`.
    pub counts: Option<u32>,
}

/// What the latest frame of a device said of it.
#[derive(Clone, Copy, Debug)]
pub struct Heard {
    /// Its restart mark.
    pub boot: u16,
    /// Its judgement of itself.
    pub health: Health,
    /// When the frame arrived.
    pub at_ns: i64,
}

/// What else a batch counted of a device, which of most is nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeviceCounts {
    /// Readings refused, by reason.
    pub refused: [u64; ReadingRefusal::ALL.len()],
    /// What the sequence numbers told.
    pub sequence: SequenceTally,
}

/// What a batch adds to the books of the devices of its source.
#[derive(Clone, Debug, Default)]
pub struct DeviceNews {
    /// Devices that sent something, in the order of their first frame.
    pub devices: Vec<DeviceReport>,
    /// What was counted of some of them besides.
    pub counts: Vec<DeviceCounts>,
    /// What some of them said anew of themselves, in the order in which it came.
    pub words: Vec<DeviceWord>,
}

/// What a device said anew of itself.
#[derive(Clone, Copy, Debug)]
pub struct DeviceWord {
    /// Number of the device within its source.
    pub number: u32,
    /// Readings of the batch before.
    pub readings: usize,
    /// How often watermarks moved in the batch before.
    pub advances: usize,
    /// What it said, and from when on it holds.
    pub change: Change,
}

/// The devices of a source, by number.
#[derive(Debug)]
pub(super) struct Devices {
    all: Vec<Device>,
    starts: Starts,
}

/// What there is to know of a frame from its device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    /// Why none of its readings is news, if it was seen before.
    pub(super) repeats: Option<ReadingRefusal>,
    /// What to add to the samples' times; `None` if the arrival counts.
    pub(super) offset_ns: Option<i64>,
}

#[derive(Debug, Default)]
struct Device {
    sequences: Sequences,
    clock: ClockMap,
    /// What it said last of itself and of its clock.
    said: Option<Condition>,
    /// The same, if a frame with readings said it, as one number: every frame asks for it.
    stated: Stated,
    /// Place among the devices of the batch that is at work, if it is one of them.
    place: Option<u32>,
}

/// What a frame with readings states of its device; nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stated(u32);

impl Stated {
    #[inline]
    fn by(head: &Head) -> Self {
        Self(u32::from_le_bytes([head.health as u8, head.clock as u8, head.time_error, 1]))
    }
}

impl Devices {
    /// Without a device yet.
    pub(super) fn new(starts: Starts) -> Self {
        Self { all: Vec::new(), starts }
    }

    /// Takes note of a frame; `newest_ns` is the largest time of its samples, if it has any.
    pub(super) fn hear(
        &mut self,
        number: u32,
        head: &Head,
        (time, newest_ns): (TimeMode, Option<i64>),
        news: &mut DeviceNews,
    ) -> Word {
        if self.all.len() <= number as usize {
            self.all.resize_with(number as usize + 1, Device::default);
        }
        let device = &mut self.all[number as usize];
        let place = *device.place.get_or_insert_with(|| news.add(number, head.device));
        let repeats = head.sequence.and_then(|sequence| {
            if device.sequences.follows(head.boot, sequence) {
                return None;
            }
            match device.judge(self.starts, sequence, head, news.counts(place)) {
                Verdict::New => None,
                Verdict::Duplicate => Some(ReadingRefusal::Duplicate),
                Verdict::Replayed => Some(ReadingRefusal::Replayed),
            }
        });
        let report = &mut news.devices[place as usize];
        report.frames += 1;
        report.received += u64::from(head.samples);
        // Whoever sends an old frame again must not make a device look alive, or well.
        if repeats.is_none() || self.starts == Starts::Marked {
            let Head { boot, health, arrived_ns, .. } = *head;
            report.heard = Some(Heard { boot, health, at_ns: arrived_ns });
        }
        let offset_ns = match (time, newest_ns) {
            (TimeMode::Arrival, _) | (_, None) => None,
            // A frame that comes again may have been kept back and must not teach the clock; its
            // time decides nothing any more.
            (TimeMode::Device, _) if repeats.is_some() => None,
            (TimeMode::Device, Some(newest_ns)) => {
                let Head { clock, boot, arrived_ns, .. } = *head;
                device.clock.learn(Stamp { clock, boot, newest_ns, arrived_ns })
            }
        };
        Word { repeats, offset_ns }
    }

    /// So many readings of the device entered a pane.
    pub(super) fn accept(&self, number: u32, n: u64, news: &mut DeviceNews) {
        if let Some(place) = self.all[number as usize].place {
            news.devices[place as usize].accepted += n;
        }
    }

    /// Whether a frame with readings states what the latest word of its device was already.
    #[inline]
    pub(super) fn is_known(&self, number: u32, head: &Head) -> bool {
        self.all[number as usize].stated == Stated::by(head)
    }

    /// What a frame, no duplicate, says of its device, if that is new. `time` is that of its
    /// readings, if some were accepted: one without says nothing of where their times come from.
    pub(super) fn learn_of(
        &mut self,
        number: u32,
        head: &Head,
        time: Option<TimeMode>,
    ) -> Option<Condition> {
        let device = &mut self.all[number as usize];
        let origin = match time {
            Some(time) => Some(Origin::of(head, time)),
            None => device.said.and_then(|said| said.origin),
        };
        // Where it goes on with readings, those state their part anew.
        device.stated = if time.is_some() { Stated::by(head) } else { Stated::default() };
        let said = Some(Condition { health: head.health, origin });
        (device.said != said).then(|| device.said = said)?;
        said
    }

    /// So many readings of the device did not.
    pub(super) fn refuse(&self, number: u32, why: ReadingRefusal, n: u64, news: &mut DeviceNews) {
        if let Some(place) = self.all[number as usize].place {
            news.counts(place).refused[why as usize] += n;
        }
    }

    /// The batch is through: the next one begins with nothing to tell.
    pub(super) fn told(&mut self, news: &DeviceNews) {
        for report in &news.devices {
            self.all[report.number as usize].place = None;
        }
    }
}

impl Device {
    fn judge(
        &mut self,
        starts: Starts,
        sequence: u32,
        head: &Head,
        counts: &mut DeviceCounts,
    ) -> Verdict {
        let tally = &mut counts.sequence;
        let resets = tally.resets;
        let verdict = self.sequences.judge(starts, (head.boot, sequence), head.first, tally);
        if resets < tally.resets {
            self.clock.restart(head.boot);
        }
        verdict
    }
}

impl DeviceNews {
    /// The device with this place among the devices, and what else was counted of it.
    pub fn each(&self) -> impl Iterator<Item = (&DeviceReport, Option<&DeviceCounts>)> {
        self.devices.iter().map(|report| {
            let counts = report.counts.map(|counts| &self.counts[counts as usize]);
            (report, counts)
        })
    }

    /// What the sequence numbers of all devices told.
    #[must_use]
    pub fn sequence(&self) -> SequenceTally {
        let mut sum = SequenceTally::default();
        self.counts.iter().for_each(|counts| sum.add(&counts.sequence));
        sum
    }

    /// Forgets the contents and keeps the allocations.
    pub(super) fn clear(&mut self) {
        self.devices.clear();
        self.counts.clear();
        self.words.clear();
    }

    fn add(&mut self, number: u32, device: u32) -> u32 {
        let place = self.devices.len();
        self.devices.push(DeviceReport {
            number,
            device,
            heard: None,
            frames: 0,
            received: 0,
            accepted: 0,
            counts: None,
        });
        u32::try_from(place).expect("DEVICES_PER_SOURCE_MAX holds")
    }

    fn counts(&mut self, place: u32) -> &mut DeviceCounts {
        let Self { devices, counts, .. } = self;
        let at = *devices[place as usize].counts.get_or_insert_with(|| {
            counts.push(DeviceCounts::default());
            counts.len() as u32 - 1
        });
        &mut counts[at as usize]
    }
}
