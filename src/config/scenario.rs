//! A scenario of the simulator: devices, their channels, and what goes wrong with them.

use std::{ops::Range, path::Path};

use toml::de::DeTable;

use super::{
    Context,
    errors::{File, Finding, Remark, Sink},
    key, keys,
    reader::{Found, Section},
    walk,
};
use crate::{
    engine::unit::Unit,
    limits::{FIELD_NAME_BYTES_MAX, SECOND, WINDOW_MAX_NS},
    simulate::{
        Scenario,
        scenario::{CHANNELS_MAX, Channel, Device, LineFormat, STRANGER},
    },
    wire::{DeviceClock, Health, frame::ValueType},
};

mod fault;
mod waveform;

const DAY_NS: i64 = 86_400 * SECOND;
const UNKNOWN_TIME_ERROR: u8 = u8::MAX;

/// Checks a scenario that was read from `path`; all that is wrong, or none.
pub(super) fn parse(
    text: &str,
    path: &Path,
    context: &Context<'_>,
) -> Result<Scenario, Vec<Finding>> {
    let read = |table: &DeTable<'_>, sink: &Sink| scenario(table, sink, context);
    let (sink, scenario) = walk(&File::new(path, text), read);
    let clean = sink.is_clean();
    match scenario {
        Some(scenario) if clean => Ok(scenario),
        _ => Err(sink.into_findings().0),
    }
}

fn scenario(table: &DeTable<'_>, sink: &Sink, context: &Context<'_>) -> Option<Scenario> {
    let root = Section::open(table, 0..0, "the scenario", keys::SCENARIO, sink);
    root.require("format", "\"native\"");
    root.require("device", "[{ … }]");
    let formats = [("native", LineFormat::Native), ("text", LineFormat::Text)];
    let format = root.choice("format", &formats).map(|found| found.value);
    let key = key::read(&root, context);
    let seed = root.integer("seed", 0..=i64::MAX).map_or(1, |found| found.value.unsigned_abs());
    let duration_ns = root.duration("duration", 1..=WINDOW_MAX_NS).map(|found| found.value);
    let tables = root.sections("device", "[[device]]", keys::DEVICE);
    let devices: Vec<_> = tables.iter().map(device).collect();
    let faults = fault::read_all(&root, "[[fault]]");
    let devices = devices.into_iter().collect::<Option<_>>()?;
    let scenario = Scenario { format: format?, key, seed, duration_ns, devices, faults: faults? };
    // Whatever lies within the ranges of its keys and still cannot be played.
    if let Err(flaw) = scenario.check() {
        let part = flaw.part.replace("rate_hz", "rate");
        sink.missing(&locate(table, &part), Remark::new(format!("{part} {}", flaw.problem)));
    }
    Some(scenario)
}

fn device(section: &Section<'_>) -> Option<Device> {
    section.require("id", "17");
    section.require("rate", "10");
    section.require("channel", "[{ … }]");
    let clocks = [
        ("none", DeviceClock::None),
        ("since_boot", DeviceClock::SinceBoot),
        ("utc_unsynced", DeviceClock::UtcUnsynced),
        ("utc", DeviceClock::Utc),
        ("tai", DeviceClock::Tai),
    ];
    let healths = Health::ALL.map(|health| (health.name(), health));
    let id = section.integer("id", 0..=i64::from(STRANGER) - 1);
    let count = section.integer("count", 1..=i64::from(u32::MAX));
    let boot = section.integer("boot", 0..=i64::from(u16::MAX));
    let clock = section.choice("clock", &clocks);
    let skew = section.number("clock_skew_ppm", -5e5..=5e5);
    let offset = section.signed_duration("clock_offset", WINDOW_MAX_NS);
    let rate = section.number("rate", 1e-5..=1e6);
    let samples = section.integer("samples_per_frame", 1..=i64::from(u16::MAX));
    let phase = phase(section);
    let time_error = section.integer("time_error", 0..=i64::from(UNKNOWN_TIME_ERROR));
    let health = section.choice("health", &healths);
    let channels = channels(section);
    let faults = fault::read_all(section, "[[device.fault]]");
    Some(Device {
        id: id?.value as u32,
        count: count.map_or(1, |found| found.value as u32),
        boot: boot.map_or(1, |found| found.value as u16),
        clock: clock.map_or(DeviceClock::None, |found| found.value),
        clock_skew_ppm: skew.map_or(0.0, |found| found.value),
        clock_offset_ns: offset.map_or(0, |found| found.value),
        rate_hz: rate?.value,
        samples_per_frame: samples.map_or(1, |found| found.value as u16),
        phase,
        time_error: time_error.map_or(UNKNOWN_TIME_ERROR, |found| found.value as u8),
        health: health.map_or(Health::Good, |found| found.value),
        channels: channels?,
        faults: faults?,
    })
}

/// Part of a period, in [0, 1).
fn phase(section: &Section<'_>) -> f64 {
    let Some(found) = section.number("phase", 0.0..=1.0) else { return 0.0 };
    found.value.fract()
}

fn channels(device: &Section<'_>) -> Option<Vec<Channel>> {
    let tables = device.sections("channel", "[[device.channel]]", keys::DEVICE_CHANNEL);
    let channels: Vec<_> = tables.iter().map(channel).collect();
    channels.into_iter().collect()
}

fn channel(section: &Section<'_>) -> Option<Channel> {
    section.require("name", "\"flow_temp\"");
    section.require("waveform", "{ kind = \"constant\", value = 1 }");
    let types = [
        ("i8", ValueType::I8),
        ("u8", ValueType::U8),
        ("i16", ValueType::I16),
        ("u16", ValueType::U16),
        ("i32", ValueType::I32),
        ("u32", ValueType::U32),
        ("f32", ValueType::F32),
        ("f64", ValueType::F64),
        ("u64", ValueType::U64),
    ];
    let name = section.text("name").filter(|found| check_name(section, found));
    let count = section.integer("count", 1..=CHANNELS_MAX as i64);
    let unit = section.text("unit").inspect(|found| {
        if let Err(error) = Unit::parse(found.value) {
            let remark = Remark::new(format!("`unit` \"{}\" is no unit: {error}", found.value));
            let help = error.suggestion().map(|near| format!("did you mean \"{near}\"?"));
            section.sink.error(&found.span, remark.maybe_help(help));
        }
    });
    let value_type = section.choice("type", &types);
    let noise = section.number("noise", 0.0..=1e30);
    let resolution = section.number("resolution", 1e-30..=1e30);
    let waveform = waveform::read(section);
    Some(Channel {
        name: name?.value.to_owned(),
        count: count.map_or(1, |found| found.value as u16),
        unit: unit.map(|found| found.value.to_owned()),
        value_type: value_type.map_or(ValueType::F32, |found| found.value),
        waveform: waveform?,
        noise: noise.map_or(0.0, |found| found.value),
        resolution: resolution.map(|found| found.value),
    })
}

/// Names go over the wire between colons and commas, with numbers behind them.
fn check_name(section: &Section<'_>, found: &Found<&str>) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let length = found.value.len();
    let most = FIELD_NAME_BYTES_MAX;
    let valid = 0 < length && length <= most && found.value.bytes().all(fits);
    if !valid {
        let remark = Remark::new(format!("\"{}\" cannot be the name of a channel", found.value));
        let help = format!("1 to {most} letters, digits, `_`, `-` and `.`");
        section.sink.error(&found.span, remark.help(help));
    }
    valid
}

/// Where the part stands that a [`crate::simulate::Flaw`] names, such as
/// `device[2].channel[0].noise`: as far as the file goes.
fn locate(table: &DeTable<'_>, part: &str) -> Range<usize> {
    let (mut table, mut span) = (table, 0..0);
    for step in part.split('.') {
        let (key, index) = step.trim_end_matches(']').split_once('[').unwrap_or((step, ""));
        let Some(mut value) = table.get(key) else { break };
        let item = index.parse::<usize>().ok().zip(value.get_ref().as_array());
        if let Some(item) = item.and_then(|(index, items)| items.get(index)) {
            value = item;
        }
        span = value.span();
        match value.get_ref().as_table() {
            Some(inner) => table = inner,
            None => break,
        }
    }
    span
}

#[cfg(test)]
mod tests;
