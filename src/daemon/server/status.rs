//! The reply to `Status`.

mod kept;

use std::{fs, process, sync::atomic::Ordering::Relaxed};

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::json;

use super::{refusal::Refusal, request::Cursor, service::Service, service::host_clock};
use crate::{
    daemon::{
        clock,
        publish::{Depth, ShardVitals, Vitals},
    },
    engine::{
        Snapshot,
        bins::budget::Load,
        snapshot::{DeviceView, SourceView},
    },
    limits::{MS, REPLY_BYTES_MAX, REPLY_DEVICES_MAX, REPLY_ENVELOPE_BYTES},
    query::{
        json::{Rfc3339, append, number, optional},
        ledger::{DeviceLine, LedgerLine, SourceLine},
    },
};

/// Sources from the cursor on, as many as fit.
pub(super) fn reply(
    service: &Service,
    snapshot: &Snapshot,
    cursor: &Cursor,
) -> Result<Vec<u8>, Refusal> {
    let now_ns = service.line.now_ns();
    let mut out = Vec::new();
    out.extend_from_slice(b"{\"parameters\":");
    append(&mut out, &Head { service, snapshot, now_ns });
    // The head is an object; the sources and the cursor become its last entries.
    out.pop();
    out.extend_from_slice(b",\"sources\":[");
    let next = sources(&mut out, snapshot, cursor, now_ns)?;
    out.push(b']');
    if let Some((source, device)) = next {
        out.extend_from_slice(b",\"next\":");
        append(&mut out, &json!({ "source": source, "device": device }));
    }
    out.extend_from_slice(b"}}");
    Ok(out)
}

/// Writes sources with their devices; returns the source and device to go on with.
fn sources<'a>(
    out: &mut Vec<u8>,
    snapshot: &'a Snapshot,
    cursor: &Cursor,
    now_ns: i64,
) -> Result<Option<(&'a str, u32)>, Refusal> {
    let first = match &*cursor.source {
        "" => 0,
        name => {
            let found = snapshot.sources.iter().position(|source| &*source.name == name);
            found.ok_or_else(|| Refusal::NoSuchSource(name.into()))?
        }
    };
    let mut devices_left = REPLY_DEVICES_MAX;
    for (at, view) in snapshot.sources.iter().enumerate().skip(first) {
        let from = if at == first { cursor.device } else { 0 };
        let devices = &view.devices[view.devices.partition_point(|d| d.device < from)..];
        let bare_bytes = measure(&SourceLine { view, devices: &[], now_ns });
        let room = (REPLY_BYTES_MAX - REPLY_ENVELOPE_BYTES).saturating_sub(out.len());
        // The first source is told in any case, so that a walk of pages ends.
        if at != first && room < bare_bytes {
            return Ok(Some((&view.name, 0)));
        }
        let fit = fitting(devices, devices_left, room.saturating_sub(bare_bytes), now_ns);
        write_source(out, at != first, view, &devices[..fit], now_ns);
        devices_left -= fit;
        if let Some(next) = devices.get(fit) {
            return Ok(Some((&view.name, next.device)));
        }
    }
    Ok(None)
}

fn write_source(
    out: &mut Vec<u8>,
    comma: bool,
    view: &SourceView,
    devices: &[DeviceView],
    now_ns: i64,
) {
    if comma {
        out.push(b',');
    }
    append(out, &SourceLine { view, devices, now_ns });
}

/// How many of the devices fit the count and the bytes.
fn fitting(devices: &[DeviceView], count: usize, room: usize, now_ns: i64) -> usize {
    let count = count.min(devices.len());
    let mut bytes = 0;
    for (at, view) in devices[..count].iter().enumerate() {
        bytes += measure(&DeviceLine { view, now_ns }) + 1;
        if room < bytes {
            return at;
        }
    }
    count
}

fn measure(value: &impl Serialize) -> usize {
    let mut out = Vec::with_capacity(1_024);
    append(&mut out, value);
    out.len()
}

/// Everything but the sources.
struct Head<'a> {
    service: &'a Service,
    snapshot: &'a Snapshot,
    now_ns: i64,
}

impl Serialize for Head<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { service, snapshot, now_ns } = self;
        let about = &service.about;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("version", env!("CARGO_PKG_VERSION"))?;
        map.serialize_entry("pid", &process::id())?;
        let uptime_ns = clock::boot_ns() - service.started_boot_ns;
        map.serialize_entry("uptime_ms", &(uptime_ns / MS))?;
        map.serialize_entry("epoch", &snapshot.epoch)?;
        map.serialize_entry("seq", &snapshot.seq)?;
        map.serialize_entry("time", &Rfc3339(*now_ns))?;
        let clock = host_clock();
        map.serialize_entry("clock", clock.name)?;
        number(&mut map, "clock_error_ms", clock.error_ms)?;
        let memory = Memory::read();
        optional(&mut map, "rss_bytes", memory.rss_bytes)?;
        optional(&mut map, "rss_peak_bytes", memory.rss_peak_bytes)?;
        optional(&mut map, "degraded", about.degraded.as_deref())?;
        optional(&mut map, "config", about.config.as_deref().map(|path| path.to_string_lossy()))?;
        map.serialize_entry("channels", &snapshot.len())?;
        map.serialize_entry("total", &LedgerLine(&snapshot.total))?;
        let refused = snapshot.total.transport.batches_refused;
        map.serialize_entry("queue", &Queue { depth: &about.vitals.queue, refused })?;
        if !about.vitals.shards.is_empty() {
            map.serialize_entry("shards", &ShardQueues(&about.vitals.shards))?;
        }
        map.serialize_entry("percentiles", &Percentiles(&snapshot.percentiles))?;
        map.serialize_entry("state", &kept::state(&about.state, *now_ns))?;
        if let Some(reload) = about.reloads.last() {
            map.serialize_entry("reload", &kept::reload(&reload))?;
        }
        map.serialize_entry("clients", &service.clients.counts())?;
        map.serialize_entry("latency", &Latencies(&about.vitals))?;
        map.end()
    }
}

/// The queue between the sources and the engine, in batches.
struct Queue<'a> {
    depth: &'a Depth,
    refused: u64,
}

impl Serialize for Queue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Depth { now, high_water, max } = self.depth;
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("batches", &now.load(Relaxed))?;
        map.serialize_entry("high_water", &high_water.load(Relaxed))?;
        map.serialize_entry("max", &max.load(Relaxed))?;
        map.serialize_entry("refused", &self.refused)?;
        map.end()
    }
}

/// The queues between the engine and its shards, in portions of batches and publications.
struct ShardQueues<'a>(&'a [ShardVitals]);

impl Serialize for ShardQueues<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|shard| {
            let Depth { high_water, max, .. } = &shard.queue;
            json!({
                "waiting": shard.waiting(),
                "high_water": high_water.load(Relaxed),
                "max": max.load(Relaxed),
                "taken": shard.taken.load(Relaxed),
            })
        }))
    }
}

/// What the counts behind the percentiles take.
struct Percentiles<'a>(&'a Load);

impl Serialize for Percentiles<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Load { budget_bytes, bytes, spare, confined, coarsened, withheld } = self.0;
        let mut map = serializer.serialize_map(Some(6))?;
        map.serialize_entry("bytes", bytes)?;
        map.serialize_entry("spare", spare)?;
        map.serialize_entry("max_bytes", budget_bytes)?;
        map.serialize_entry("confined", confined)?;
        map.serialize_entry("coarsened", coarsened)?;
        map.serialize_entry("withheld", withheld)?;
        map.end()
    }
}

/// The daemon's own latencies.
struct Latencies<'a>(&'a Vitals);

impl Serialize for Latencies<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Vitals { arrival_to_visible, due_to_visible, watch, query, .. } = self.0;
        let meters = [
            ("query", query),
            ("watch", watch),
            ("arrival_to_visible", arrival_to_visible),
            ("due_to_visible", due_to_visible),
        ];
        serializer.collect_map(meters.map(|(name, meter)| (name, meter.read())))
    }
}

/// Resident memory, where /proc tells.
#[derive(Clone, Copy, Debug, Default)]
struct Memory {
    rss_bytes: Option<u64>,
    rss_peak_bytes: Option<u64>,
}

impl Memory {
    fn read() -> Self {
        Self::of(&fs::read_to_string("/proc/self/status").unwrap_or_default())
    }

    /// From lines such as `VmRSS:      6868 kB`; see proc_pid_status(5).
    fn of(status: &str) -> Self {
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kib: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
            kib.checked_mul(1_024)
        };
        Self { rss_bytes: bytes("VmRSS:"), rss_peak_bytes: bytes("VmHWM:") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_what_the_kernel_says() {
        let memory = Memory::of("Name:\tx\nVmHWM:\t    7000 kB\nVmRSS:\t    6868 kB\n");
        assert_eq!(memory.rss_bytes, Some(6_868 * 1_024));
        assert_eq!(memory.rss_peak_bytes, Some(7_000 * 1_024));
        assert_eq!(Memory::of("").rss_bytes, None);
        let own = Memory::read();
        assert!(own.rss_bytes <= own.rss_peak_bytes);
    }
}
