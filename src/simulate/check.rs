//! Whether a scenario can be played.

use std::{collections::BTreeSet, fmt};

use super::{
    layout::{Layout, STRANGE_BLOCK_BYTES, field_name, numbered, tag_bytes},
    scenario::{
        CHANNELS_MAX, Channel, DISTANCE_MAX, Device, Fault, FaultKind, LineFormat, STRANGER,
        STRANGER_FIELD, Scenario, Waveform,
    },
};
use crate::limits::{
    DEVICES_PER_SOURCE_MAX, FIELD_NAME_BYTES_MAX, FRAME_BYTES_MAX, LINE_BYTES_MAX, SECOND,
};

/// Why a scenario cannot be played: what is wrong, and with which part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The part, as a path of keys: `device[2].channel[0].noise`.
    pub part: String,
    /// What is wrong with it, as a sentence without its subject: "must be more than 0".
    pub problem: String,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.part, self.problem)
    }
}

impl std::error::Error for Flaw {}

/// Numbers beyond this leave no room for noise, drift and spikes on top.
const VALUE_MAX: f64 = 1e300;
/// Most channels of a scenario, replicas included: each has random numbers of its own.
const CHANNELS_IN_ALL_MAX: u64 = 1 << 20;
/// Longest number in text, with its separator and colon.
const NUMBER_BYTES_MAX: usize = 32;

type Checked = Result<(), Flaw>;

impl Scenario {
    /// Checks that the scenario can be played, whatever built it.
    ///
    /// # Errors
    /// The first flaw found, in the order of the file.
    pub fn check(&self) -> Result<(), Flaw> {
        let duration_ns = self.duration_ns.unwrap_or(1);
        holds(duration_ns > 0, || "duration".into(), "must be more than 0")?;
        holds(!self.devices.is_empty(), || "device".into(), "is missing: a scenario needs one")?;
        for (index, fault) in self.faults.iter().enumerate() {
            check_fault(fault, &|| format!("fault[{index}]"))?;
        }
        let fits = self.key.is_none() || self.format == LineFormat::Native;
        holds(fits, || "key_file".into(), "is for native frames: a line of text has no tag")?;
        for (index, device) in self.devices.iter().enumerate() {
            let part = || format!("device[{index}]");
            check_device(device, self.format, &part)?;
            check_size(device, self, || format!("{}.channel", part()))?;
        }
        self.check_together()
    }

    /// What no device can be found to break alone.
    fn check_together(&self) -> Checked {
        let devices = || self.devices.iter().enumerate();
        let count: u64 = devices().map(|(_, device)| u64::from(device.count)).sum();
        let most = DEVICES_PER_SOURCE_MAX as u64 - 1;
        holds(count <= most, || "device".into(), &format!("may be {most} in all, not {count}"))?;
        let channels: u64 = devices()
            .map(|(_, device)| u64::from(device.count) * numbered(device).count() as u64)
            .sum();
        let problem = format!("may be {CHANNELS_IN_ALL_MAX} in all, not {channels}");
        holds(channels <= CHANNELS_IN_ALL_MAX, || "channel".into(), &problem)?;
        let mut ids = BTreeSet::new();
        let mut names = BTreeSet::new();
        for (index, device) in devices() {
            for id in device.id..device.id + device.count {
                let problem = format!("takes {id}, which another device has");
                holds(ids.insert(id), || format!("device[{index}].id"), &problem)?;
                if self.format == LineFormat::Native {
                    continue;
                }
                for (channel, replica, _) in numbered(device) {
                    let name = field_name(device, channel, id, replica);
                    check_field(&name, &|| format!("device[{index}].channel"))?;
                    let problem = format!("has the field `{name}` twice");
                    holds(names.insert(name), || format!("device[{index}].channel"), &problem)?;
                }
            }
        }
        Ok(())
    }
}

fn check_device(device: &Device, format: LineFormat, part: &dyn Fn() -> String) -> Checked {
    let key = |key: &'static str| move || format!("{}.{key}", part());
    holds(device.count > 0, key("count"), "must be 1 or more")?;
    let last = device.id.checked_add(device.count - 1);
    let free = last.is_some_and(|last| last < STRANGER);
    holds(free, key("id"), &format!("must stay below {STRANGER} with all replicas"))?;
    finite(device.rate_hz, key("rate_hz"))?;
    let fast = 0.0 < device.rate_hz && device.rate_hz * f64::from(device.samples_per_frame) <= 1e6;
    holds(fast, key("rate_hz"), "must be more than 0, and give at most 1e6 samples a second")?;
    let slow = device.rate_hz >= 1e-6;
    holds(slow, key("rate_hz"), "must be at least 1e-6: a frame in 12 days")?;
    holds(device.samples_per_frame > 0, key("samples_per_frame"), "must be 1 or more")?;
    let one = format == LineFormat::Native || device.samples_per_frame == 1;
    holds(one, key("samples_per_frame"), "must be 1: a line of text is one sample")?;
    let slow_samples = device.samples_per_frame == 1
        || SECOND as f64 / device.rate_hz / 1_000.0 <= f64::from(u32::MAX);
    holds(slow_samples, key("rate_hz"), "is too low for several samples a frame")?;
    holds((0.0..1.0).contains(&device.phase), key("phase"), "must be at least 0 and below 1")?;
    within(device.clock_skew_ppm, 500_000.0, key("clock_skew_ppm"))?;
    let channels: usize = device.channels.iter().map(|channel| usize::from(channel.count)).sum();
    let problem = format!("must be 1 to {CHANNELS_MAX} with all replicas, not {channels}");
    holds((1..=CHANNELS_MAX).contains(&channels), key("channel"), &problem)?;
    for (index, channel) in device.channels.iter().enumerate() {
        check_channel(channel, &|| format!("{}.channel[{index}]", part()))?;
    }
    for (index, fault) in device.faults.iter().enumerate() {
        check_fault(fault, &|| format!("{}.fault[{index}]", part()))?;
    }
    Ok(())
}

/// The largest frame or line of the device, with the reading of a stranger's channel.
fn check_size(device: &Device, scenario: &Scenario, part: impl Fn() -> String) -> Checked {
    let (bytes, most) = match scenario.format {
        LineFormat::Native => {
            let layout = Layout::new(device, scenario.format, device.id, SECOND);
            let tag = tag_bytes(scenario.key.as_ref());
            (layout.frame_bytes() + STRANGE_BLOCK_BYTES + tag, FRAME_BYTES_MAX)
        }
        LineFormat::Text => {
            let name = |(channel, replica, _)| {
                field_name(device, channel, u32::MAX, replica).len() + NUMBER_BYTES_MAX
            };
            let names: usize = numbered(device).map(name).sum();
            (names + STRANGER_FIELD.len() + NUMBER_BYTES_MAX, LINE_BYTES_MAX)
        }
    };
    holds(bytes <= most, part, &format!("make a frame of up to {bytes} bytes, the most is {most}"))
}

fn check_channel(channel: &Channel, part: &dyn Fn() -> String) -> Checked {
    let key = |key: &'static str| move || format!("{}.{key}", part());
    holds(!channel.name.is_empty(), key("name"), "must not be empty")?;
    holds(channel.count > 0, key("count"), "must be 1 or more")?;
    finite(channel.noise, key("noise"))?;
    holds(channel.noise >= 0.0, key("noise"), "must not be negative")?;
    if let Some(resolution) = channel.resolution {
        finite(resolution, key("resolution"))?;
        holds(resolution >= 1.0 / VALUE_MAX, key("resolution"), "must be more than 0")?;
    }
    check_waveform(&channel.waveform, &key("waveform"))
}

fn check_waveform(waveform: &Waveform, part: &dyn Fn() -> String) -> Checked {
    let key = |key: &'static str| move || format!("{}.{key}", part());
    let period = |period_ns: i64| holds(period_ns > 0, key("period"), "must be more than 0");
    match *waveform {
        Waveform::Constant { value } => finite(value, key("value")),
        Waveform::Sine { offset, amplitude, period_ns, phase } => {
            finite(offset, key("offset"))?;
            finite(amplitude, key("amplitude"))?;
            finite(phase, key("phase"))?;
            period(period_ns)
        }
        Waveform::Triangle { low, high, period_ns, phase }
        | Waveform::Sawtooth { low, high, period_ns, phase } => {
            finite(low, key("low"))?;
            finite(high, key("high"))?;
            finite(phase, key("phase"))?;
            period(period_ns)
        }
        Waveform::RandomWalk { start, step, min, max } => {
            for (value, name) in [(start, "start"), (step, "step"), (min, "min"), (max, "max")] {
                finite(value, key(name))?;
            }
            holds(step >= 0.0, key("step"), "must not be negative")?;
            holds(min < max, key("max"), "must be more than `min`")?;
            holds((min..=max).contains(&start), key("start"), "must be between `min` and `max`")
        }
        Waveform::Steps { ref levels, dwell_ns } => {
            holds(!levels.is_empty(), key("levels"), "must not be empty")?;
            levels.iter().try_for_each(|level| finite(*level, key("levels")))?;
            holds(dwell_ns > 0, key("dwell"), "must be more than 0")
        }
        Waveform::Day { night, noon, sunrise_ns, sunset_ns } => {
            finite(night, key("night"))?;
            finite(noon, key("noon"))?;
            let day = 0 <= sunrise_ns && sunrise_ns < sunset_ns && sunset_ns <= 86_400 * SECOND;
            holds(day, key("sunset"), "must come after `sunrise`, on the same day")
        }
        Waveform::Noise { mean, stddev } => {
            finite(mean, key("mean"))?;
            finite(stddev, key("stddev"))?;
            holds(stddev >= 0.0, key("stddev"), "must not be negative")
        }
    }
}

fn check_fault(fault: &Fault, part: &dyn Fn() -> String) -> Checked {
    let key = |key: &'static str| move || format!("{}.{key}", part());
    let likely = (0.0..=1.0).contains(&fault.probability);
    holds(likely, key("probability"), "must be between 0 and 1")?;
    match fault.kind {
        FaultKind::Dropout { frames } | FaultKind::Stuck { frames } => {
            holds(frames > 0, key("frames"), "must be 1 or more")
        }
        FaultKind::Spike { size } => finite(size, key("size")),
        FaultKind::Drift { per_second, frames } => {
            holds(frames > 0, key("frames"), "must be 1 or more")?;
            finite(per_second, key("per_second"))
        }
        FaultKind::ClockSkew { ppm, frames } => {
            holds(frames > 0, key("frames"), "must be 1 or more")?;
            within(ppm, 500_000.0, key("ppm"))
        }
        FaultKind::Duplicate { distance } => {
            let problem = format!("must be at most {DISTANCE_MAX}");
            holds(distance <= DISTANCE_MAX, key("distance"), &problem)
        }
        FaultKind::Reorder { distance } => {
            let problem = format!("must be 1 to {DISTANCE_MAX}");
            holds((1..=DISTANCE_MAX).contains(&distance), key("distance"), &problem)
        }
        FaultKind::LateStamp { by_ns } | FaultKind::FutureStamp { by_ns } => {
            holds(by_ns > 0, key("by"), "must be more than 0")
        }
        FaultKind::Burst { frames } => holds(frames > 1, key("frames"), "must be 2 or more"),
        FaultKind::Nan
        | FaultKind::Infinite
        | FaultKind::BadCrc
        | FaultKind::Truncation
        | FaultKind::Reset
        | FaultKind::UnknownDevice
        | FaultKind::UnknownChannel
        | FaultKind::Garbage => Ok(()),
    }
}

/// A field name as every reader of labelled text takes it.
fn check_field(name: &str, part: &dyn Fn() -> String) -> Checked {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let plain = name.bytes().all(inside)
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.len() <= FIELD_NAME_BYTES_MAX
        && name != STRANGER_FIELD;
    let problem = format!(
        "has the name `{name}`: in text a name begins with a letter, goes on with letters, digits, \
         `_`, `-` and `.` to at most {FIELD_NAME_BYTES_MAX} bytes, and is not `{STRANGER_FIELD}`"
    );
    holds(plain, part, &problem)
}

fn holds(good: bool, part: impl Fn() -> String, problem: &str) -> Checked {
    if good { Ok(()) } else { Err(Flaw { part: part(), problem: problem.to_owned() }) }
}

fn finite(value: f64, part: impl Fn() -> String) -> Checked {
    within(value, VALUE_MAX, part)
}

fn within(value: f64, most: f64, part: impl Fn() -> String) -> Checked {
    let good = (-most..=most).contains(&value);
    holds(good, part, &format!("must be a number between -{most:e} and {most:e}"))
}
