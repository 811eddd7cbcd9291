//! A receiver in its plainest form, written from the design alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    limits::{MS, SECOND},
    simulate::{RefusedReadings, Scenario, Series, scenario::LineFormat},
    wire::{
        Decoder, Frames, WireTally,
        decode::{Format, Framing, Naming},
        native::NativeOptions,
        text::TextOptions,
    },
};

const PANE_NS: i64 = 100 * MS;
const FUTURE_NS: i64 = 2 * SECOND;

/// What a receiver counts; the rules of the ledger once more, in their plainest form.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Received {
    pub(super) tally: WireTally,
    pub(super) accepted: u64,
    pub(super) refused: RefusedReadings,
    pub(super) series: Series,
}

/// Receives datagrams, by the devices' time if there is a lateness, else by arrival.
pub(super) fn receive(
    scenario: &Scenario,
    played: &[(i64, Vec<u8>)],
    lateness_ns: Option<i64>,
) -> Received {
    let text = scenario.format == LineFormat::Text;
    let known: Vec<std::sync::Arc<str>> =
        ["flow", "level", "pressure", "mode", "sun.0", "sun.1", "sun.2"].map(Into::into).into();
    let format = if text {
        Format::Text(TextOptions {
            naming: Naming { known: known.clone(), discover: 0 },
            timestamp: None,
        })
    } else {
        Format::Native(NativeOptions { key: scenario.key.clone() })
    };
    let mut decoder = Decoder::new(&format, Framing::Datagram);
    let mut received = Received::default();
    let mut seen: BTreeMap<(u32, u16), BTreeSet<u32>> = BTreeMap::new();
    let mut boots: BTreeMap<u32, u16> = BTreeMap::new();
    let mut newest_ns: Option<i64> = None;
    for (at_ns, bytes) in played {
        let mut frames = Frames::default();
        decoder.feed(bytes, *at_ns, &mut frames, &mut received.tally);
        let Some(head) = frames.heads.first() else { continue };
        assert_eq!(frames.heads.len(), 1, "one emission is at most one frame");
        let refused = &mut received.refused;
        if !text && !scenario.devices.iter().any(|device| device.id == head.device) {
            refused.unknown_device += u64::from(head.samples);
            continue;
        }
        let mut again = false;
        if let Some(sequence) = head.sequence {
            let boot = boots.insert(head.device, head.boot);
            received.series.resets += u64::from(boot.is_some_and(|boot| boot != head.boot));
            let series = seen.entry((head.device, head.boot)).or_default();
            let younger = series.last().is_some_and(|last| sequence < *last);
            again = !series.insert(sequence);
            received.series.duplicate += u64::from(again);
            received.series.reordered += u64::from(younger && !again);
        }
        let closed_ns = newest_ns.zip(lateness_ns).map_or(i64::MIN, |(newest_ns, lateness_ns)| {
            (newest_ns - lateness_ns).div_euclid(PANE_NS) * PANE_NS
        });
        for sample in &frames.samples {
            let event_ns = if lateness_ns.is_some() { sample.at_ns } else { *at_ns };
            let channel_known =
                if text { sample.field < known.len() as u32 } else { sample.field < 7 };
            match () {
                () if !channel_known => refused.unknown_channel += 1,
                () if !sample.value.is_finite() => refused.not_finite += 1,
                () if again => refused.duplicate += 1,
                () if event_ns > at_ns + FUTURE_NS => refused.future += 1,
                () if event_ns < closed_ns => refused.late += 1,
                () => {
                    received.accepted += 1;
                    newest_ns = newest_ns.max(Some(event_ns));
                }
            }
        }
    }
    received.series.lost = seen
        .values()
        .map(|series| {
            let reach = series.last().unwrap() - series.first().unwrap() + 1;
            u64::from(reach) - series.len() as u64
        })
        .sum();
    received
}
