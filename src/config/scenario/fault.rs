//! `[[fault]]` and `[[device.fault]]`: what goes wrong now and then.

use crate::{
    config::{keys, reader::Section},
    limits::WINDOW_MAX_NS,
    simulate::scenario::{DISTANCE_MAX, Fault, FaultKind},
};

/// Longest fault, in frames.
const FRAMES_MAX: i64 = 1_000_000;

/// The keys of a kind besides `kind` and `probability`, and how it is read.
type Kind = (&'static [&'static str], fn(&Section<'_>) -> Option<FaultKind>);

const KINDS: [(&str, Kind); 18] = [
    ("dropout", (&["frames"], |s| Some(FaultKind::Dropout { frames: frames(s, 1)? }))),
    ("stuck", (&["frames"], |s| Some(FaultKind::Stuck { frames: frames(s, 1)? }))),
    ("spike", (&["size"], |s| Some(FaultKind::Spike { size: number(s, "size")? }))),
    ("drift", (&["per_second", "frames"], drift)),
    ("nan", (&[], |_| Some(FaultKind::Nan))),
    ("infinite", (&[], |_| Some(FaultKind::Infinite))),
    ("bad_crc", (&[], |_| Some(FaultKind::BadCrc))),
    ("truncation", (&[], |_| Some(FaultKind::Truncation))),
    ("duplicate", (&["distance"], |s| Some(FaultKind::Duplicate { distance: distance(s, 0)? }))),
    ("reorder", (&["distance"], |s| Some(FaultKind::Reorder { distance: distance(s, 1)? }))),
    ("late_stamp", (&["by"], |s| Some(FaultKind::LateStamp { by_ns: by(s)? }))),
    ("future_stamp", (&["by"], |s| Some(FaultKind::FutureStamp { by_ns: by(s)? }))),
    ("clock_skew", (&["ppm", "frames"], clock_skew)),
    ("burst", (&["frames"], |s| Some(FaultKind::Burst { frames: frames(s, 2)? }))),
    ("reset", (&[], |_| Some(FaultKind::Reset))),
    ("unknown_device", (&[], |_| Some(FaultKind::UnknownDevice))),
    ("unknown_channel", (&[], |_| Some(FaultKind::UnknownChannel))),
    ("garbage", (&[], |_| Some(FaultKind::Garbage))),
];

/// Reads all faults of a scenario or of a device; `None` if one of them is wrong.
pub(super) fn read_all(parent: &Section<'_>, name: &'static str) -> Option<Vec<Fault>> {
    let tables = parent.sections("fault", name, keys::FAULT);
    let faults: Vec<Option<Fault>> = tables.iter().map(fault).collect();
    faults.into_iter().collect()
}

fn fault(section: &Section<'_>) -> Option<Fault> {
    section.require("kind", "\"dropout\"");
    section.require("probability", "0.01");
    let probability = section.number("probability", 0.0..=1.0);
    let (keys, read) = section.choice("kind", &KINDS)?.value;
    let fitting: Vec<&str> = ["kind", "probability"].iter().chain(keys).copied().collect();
    section.refuse_others(&fitting, "this kind of fault");
    let kind = read(section);
    Some(Fault { kind: kind?, probability: probability?.value })
}

fn drift(section: &Section<'_>) -> Option<FaultKind> {
    let (per_second, frames) = (number(section, "per_second"), frames(section, 1));
    Some(FaultKind::Drift { per_second: per_second?, frames: frames? })
}

fn clock_skew(section: &Section<'_>) -> Option<FaultKind> {
    section.require("ppm", "200");
    let ppm = section.number("ppm", -1e5..=1e5);
    let frames = frames(section, 1);
    Some(FaultKind::ClockSkew { ppm: ppm?.value, frames: frames? })
}

fn frames(section: &Section<'_>, least: i64) -> Option<u32> {
    section.require("frames", "3");
    section.integer("frames", least..=FRAMES_MAX).map(|found| found.value as u32)
}

fn distance(section: &Section<'_>, least: i64) -> Option<u32> {
    section.require("distance", "2");
    let most = i64::from(DISTANCE_MAX);
    section.integer("distance", least..=most).map(|found| found.value as u32)
}

fn by(section: &Section<'_>) -> Option<i64> {
    section.require("by", "\"5s\"");
    section.duration("by", 1..=WINDOW_MAX_NS).map(|found| found.value)
}

fn number(section: &Section<'_>, key: &'static str) -> Option<f64> {
    section.require(key, "1.0");
    section.number(key, -1e30..=1e30).map(|found| found.value)
}
