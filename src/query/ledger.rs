//! The ledger, sources and devices as JSON objects.
//!
//! The main sums are always there, so that the identities of the ledger can be checked by
//! anyone; reasons are there when they happened.

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::json::{NonZero, Rfc3339, optional};
use crate::{
    engine::{
        Ledger, ReadingRefusal,
        ledger::ReadingTally,
        snapshot::{DeviceView, SourceView},
    },
    limits::MS,
    wire::{FrameRefusal, WireTally},
};

/// All counters of a ledger.
#[derive(Clone, Copy, Debug)]
pub struct LedgerLine<'a>(pub &'a Ledger);

impl Serialize for LedgerLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Ledger {
            transport,
            wire,
            bytes_buffered,
            readings,
            in_closed_panes,
            in_open_panes,
            sequence,
        } = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("datagrams", &transport.datagrams)?;
        map.serialize_entry("kernel_dropped", &transport.kernel_dropped)?;
        map.serialize_entry("line_errors", &transport.line_errors)?;
        map.serialize_entry("receive_errors", &transport.receive_errors)?;
        map.serialize_entry("batches_refused", &transport.batches_refused)?;
        map.serialize_entry("unstamped", &transport.unstamped)?;
        map.serialize_entry("bytes_in", &wire.bytes_in)?;
        map.serialize_entry("bytes_in_frames", &wire.bytes_in_frames)?;
        map.serialize_entry("bytes_skipped", &wire.bytes_skipped)?;
        map.serialize_entry("bytes_buffered", bytes_buffered)?;
        map.serialize_entry("frames_in", &wire.frames_in)?;
        map.serialize_entry("frames_ok", &wire.frames_ok)?;
        map.serialize_entry("frames_silent", &wire.frames_silent)?;
        map.serialize_entry("frames_refused", &NonZero(&frames_refused(wire)))?;
        map.serialize_entry("readings", &readings.received)?;
        map.serialize_entry("accepted", &readings.accepted)?;
        map.serialize_entry("readings_refused", &NonZero(&readings_refused(readings)))?;
        map.serialize_entry("in_closed_panes", in_closed_panes)?;
        map.serialize_entry("in_open_panes", in_open_panes)?;
        map.serialize_entry("lost_on_the_way", &sequence.lost())?;
        map.serialize_entry("duplicates", &sequence.duplicate)?;
        map.serialize_entry("reordered", &sequence.reordered)?;
        map.serialize_entry("resets", &sequence.resets)?;
        optional(&mut map, "imbalance", self.0.imbalance())?;
        map.end()
    }
}

fn frames_refused(wire: &WireTally) -> [(&'static str, u64); FrameRefusal::ALL.len()] {
    FrameRefusal::ALL.map(|why| (why.name(), wire.refused[why as usize]))
}

fn readings_refused(readings: &ReadingTally) -> [(&'static str, u64); ReadingRefusal::ALL.len()] {
    ReadingRefusal::ALL.map(|why| (why.name(), readings.refused[why as usize]))
}

/// A source with those of its devices that are asked for.
#[derive(Clone, Copy, Debug)]
pub struct SourceLine<'a> {
    /// The source.
    pub view: &'a SourceView,
    /// Some of its devices.
    pub devices: &'a [DeviceView],
    /// When it is looked at, nanoseconds on the daemon's line.
    pub now_ns: i64,
}

impl Serialize for SourceLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &*self.view.name)?;
        map.serialize_entry("state", self.view.link.name())?;
        optional(&mut map, "detail", self.view.link.detail())?;
        let age_ms = self.view.last_arrival_ns.map(|at_ns| age_ms(self.now_ns, at_ns));
        optional(&mut map, "last_arrival", self.view.last_arrival_ns.map(Rfc3339))?;
        optional(&mut map, "last_arrival_age_ms", age_ms)?;
        map.serialize_entry("channels", &self.view.channels)?;
        map.serialize_entry("ledger", &LedgerLine(&self.view.ledger))?;
        map.serialize_entry("devices_total", &self.view.devices.len())?;
        map.serialize_entry("devices", &Devices { devices: self.devices, now_ns: self.now_ns })?;
        map.end()
    }
}

struct Devices<'a> {
    devices: &'a [DeviceView],
    now_ns: i64,
}

impl Serialize for Devices<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let lines = self.devices.iter().map(|view| DeviceLine { view, now_ns: self.now_ns });
        super::json::sequence(serializer, lines)
    }
}

/// A device.
#[derive(Clone, Copy, Debug)]
pub struct DeviceLine<'a> {
    /// The device.
    pub view: &'a DeviceView,
    /// When it is looked at, nanoseconds on the daemon's line.
    pub now_ns: i64,
}

impl Serialize for DeviceLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let DeviceView {
            device, boot, health, last_arrival_ns, frames, readings, sequence, ..
        } = self.view;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("device", device)?;
        map.serialize_entry("boot", boot)?;
        map.serialize_entry("health", health.name())?;
        map.serialize_entry("last_arrival_age_ms", &age_ms(self.now_ns, *last_arrival_ns))?;
        map.serialize_entry("frames", frames)?;
        map.serialize_entry("readings", &readings.received)?;
        map.serialize_entry("accepted", &readings.accepted)?;
        map.serialize_entry("readings_refused", &NonZero(&readings_refused(readings)))?;
        map.serialize_entry("lost_on_the_way", &sequence.lost())?;
        map.serialize_entry("duplicates", &sequence.duplicate)?;
        map.serialize_entry("reordered", &sequence.reordered)?;
        map.serialize_entry("resets", &sequence.resets)?;
        map.end()
    }
}

fn age_ms(now_ns: i64, at_ns: i64) -> i64 {
    now_ns.saturating_sub(at_ns).max(0) / MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_always_there_and_reasons_when_they_happened() {
        let mut ledger = Ledger::default();
        ledger.wire.refuse(FrameRefusal::Checksum, 40);
        ledger.wire.bytes_in = 40;
        let text = serde_json::to_string(&LedgerLine(&ledger)).expect("serialises");
        assert!(text.contains(r#""frames_refused":{"checksum":1}"#), "{text}");
        assert!(text.contains(r#""readings_refused":{}"#), "{text}");
        assert!(text.contains(r#""accepted":0"#), "{text}");
        assert!(!text.contains("imbalance"), "{text}");
    }

    #[test]
    fn an_imbalance_is_said_in_words() {
        let mut ledger = Ledger::default();
        ledger.wire.bytes_in = 1;
        let text = serde_json::to_string(&LedgerLine(&ledger)).expect("serialises");
        assert!(text.contains(r#""imbalance":"bytes_in = "#), "{text}");
    }
}
