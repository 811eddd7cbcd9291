//! A traced frame as a JSON object: its bytes, what it decoded to, and what became of that.

use std::{fmt::Write as _, sync::Arc};

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::json::{Rfc3339, number, optional, reasons, sequence};
use crate::{
    engine::{
        ReadingRefusal,
        snapshot::ChannelInfo,
        trace::{Fate, Settled, TracedReading, Witnessed},
        validate::{Entry, Reading},
    },
    limits::TAP_HEX_BYTES_MAX,
    query::Selection,
    wire::{FIELD_OVERFLOW, FIELD_UNKNOWN},
};

const _: () = assert!(FIELD_OVERFLOW < FIELD_UNKNOWN);

/// A frame, with the readings of it that are selected.
#[derive(Clone, Copy, Debug)]
pub struct FrameLine<'a> {
    /// The frame.
    pub witnessed: &'a Witnessed,
    /// Which channels are asked for.
    pub selection: &'a Selection,
}

impl FrameLine<'_> {
    /// Whether there is something to tell: all frames where all channels are asked for, else
    /// those with a reading of one.
    #[must_use]
    pub fn is_selected(&self) -> bool {
        self.selection.is_all() || self.readings().next().is_some()
    }

    fn readings(&self) -> impl Iterator<Item = ReadingLine<'_>> {
        let Witnessed { trace, outcomes, .. } = self.witnessed;
        let lines = trace.readings.iter().zip(outcomes).map(|(reading, (channel, published))| {
            ReadingLine { reading, channel: channel.as_ref(), published: published.as_ref() }
        });
        let selection = self.selection;
        lines.filter(move |line| match line.channel {
            Some(info) => selection.matches(&info.id),
            None => selection.is_all(),
        })
    }
}

impl Serialize for FrameLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Witnessed { source, trace, .. } = self.witnessed;
        let mark = &trace.mark;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("source", &**source)?;
        map.serialize_entry("arrived", &Rfc3339(mark.arrived_ns))?;
        map.serialize_entry("bytes", &mark.bytes.len())?;
        map.serialize_entry("hex", &hex(&mark.bytes))?;
        if mark.is_cut {
            map.serialize_entry("cut", &true)?;
        }
        let refused = match (mark.fate, &trace.head) {
            (Fate::Refused(why), _) => Some(why.name()),
            (Fate::Decoded(_), Some(head)) if head.shed => Some(ReadingRefusal::QueueFull.name()),
            (Fate::Decoded(_), None) => Some(ReadingRefusal::QueueFull.name()),
            (Fate::Decoded(_), Some(_)) => None,
        };
        map.serialize_entry("verdict", if refused.is_some() { "refused" } else { "ok" })?;
        optional(&mut map, "reason", refused)?;
        if let Some(head) = &trace.head {
            // Formats without devices have number 0, and no sequence.
            if head.device != 0 || head.sequence.is_some() {
                map.serialize_entry("device", &head.device)?;
                map.serialize_entry("health", head.health.name())?;
            }
            optional(&mut map, "sequence", head.sequence)?;
            map.serialize_entry("readings", &Readings(self))?;
            optional(&mut map, "more", Some(trace.more).filter(|more| 0 < *more))?;
        }
        map.end()
    }
}

struct Readings<'a>(&'a FrameLine<'a>);

impl Serialize for Readings<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        sequence(serializer, self.0.readings())
    }
}

/// A reading on its way.
struct ReadingLine<'a> {
    reading: &'a TracedReading,
    channel: Option<&'a Arc<ChannelInfo>>,
    published: Option<&'a Reading>,
}

impl Serialize for ReadingLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { reading, channel, published } = self;
        let mut map = serializer.serialize_map(None)?;
        optional(&mut map, "id", channel.map(|info| &*info.id))?;
        match &reading.name {
            Some(name) => map.serialize_entry("field", &**name)?,
            // A name that is not taken up has no number either.
            None if FIELD_OVERFLOW <= reading.field => {}
            None => map.serialize_entry("index", &reading.field)?,
        }
        number(&mut map, "raw", Some(reading.raw))?;
        match reading.verdict {
            Ok(_) => map.serialize_entry("verdict", "accepted")?,
            Err(why) => {
                map.serialize_entry("verdict", "refused")?;
                map.serialize_entry("reason", why.name())?;
            }
        }
        if let (Some(info), Some(published)) = (channel, published) {
            publish(&mut map, info, published)?;
        }
        map.end()
    }
}

/// A reading that has had the verdict it waited for.
#[derive(Clone, Copy, Debug)]
pub struct SettledLine<'a>(pub &'a Settled);

impl Serialize for SettledLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Settled { channel, reading, .. } = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &*channel.id)?;
        publish(&mut map, channel, reading)?;
        map.end()
    }
}

/// Writes what is published of a reading, or would be if it did not wait.
fn publish<M: SerializeMap>(
    map: &mut M,
    info: &ChannelInfo,
    published: &Reading,
) -> Result<(), M::Error> {
    number(map, "value", Some(published.value))?;
    optional(map, "unit", info.unit.as_deref())?;
    map.serialize_entry("flag", published.flag.name())?;
    reasons(map, published.tests)?;
    if published.entry == Entry::Preview {
        map.serialize_entry("waits", &true)?;
    }
    let version = info.calibration.version_at(published.at_ns);
    optional(map, "calibration", version)?;
    map.serialize_entry("time", &Rfc3339(published.at_ns))?;
    let pane_ns = info.rules.pane_ns;
    let pane = published.at_ns.div_euclid(pane_ns).saturating_mul(pane_ns);
    map.serialize_entry("pane", &Rfc3339(pane))
}

/// The first bytes in hexadecimal.
fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len().min(TAP_HEX_BYTES_MAX));
    for byte in bytes.iter().take(TAP_HEX_BYTES_MAX) {
        write!(text, "{byte:02x}").expect("a string takes it");
    }
    text
}
