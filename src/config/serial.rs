//! A source of kind `serial`: the line, and what is said on it.

use std::sync::Arc;

use super::{
    Context,
    daemon::{PATH_BYTES_MAX, path},
    errors::Remark,
    keys,
    model::{Flow, Parity, PollConfig, PortConfig, Rs485, SerialConfig, SilenceConfig},
    reader::{Section, hex_bytes},
};
use crate::limits::{
    GARBLED_AFTER_DEFAULT, MS, POLL_MIN_NS, RS485_DELAY_MAX_MS, SECOND, SENT_BYTES_MAX,
};

const BAUD: u32 = 115_200;
const POLL_NS: i64 = SECOND;
const MINUTE_NS: i64 = 60 * SECOND;
const DAY_NS: i64 = 24 * 60 * MINUTE_NS;

/// Reads what is particular to the kind; `None` if it has not even a path.
pub(super) fn read(section: &Section<'_>, context: &Context<'_>) -> Option<SerialConfig> {
    let port = port(section, context);
    let garbled_after = section.integer("garbled_after", 1..=1_000_000);
    Some(SerialConfig {
        settle_ns: section.duration("settle", 0..=MINUTE_NS).map_or(0, |found| found.value),
        on_open: sent(section, "on_open").unwrap_or_default(),
        poll: poll(section),
        silence: silence(section),
        garbled_after: garbled_after.map_or(GARBLED_AFTER_DEFAULT, |found| found.value as u32),
        port: port?,
    })
}

/// Where the line is and how it is set; `None` if it has no path.
pub(super) fn port(section: &Section<'_>, context: &Context<'_>) -> Option<PortConfig> {
    section.require("path", "\"/dev/serial/by-id/usb-…\"");
    let parities = [("none", Parity::None), ("odd", Parity::Odd), ("even", Parity::Even)];
    let flows = [("none", Flow::None), ("software", Flow::Software), ("hardware", Flow::Hardware)];
    let baud = section.integer("baud", 50..=12_000_000);
    let data_bits = section.integer("data_bits", 5..=8);
    let parity = section.choice("parity", &parities);
    let stop_bits = section.integer("stop_bits", 1..=2);
    let flow = section.choice("flow", &flows);
    let low_latency = section.boolean("low_latency");
    let rs485 = rs485(section);
    let (dtr, rts) = (section.boolean("dtr"), section.boolean("rts"));
    let automatic = rs485.is_some() || flow.as_ref().is_some_and(|f| f.value == Flow::Hardware);
    if let (true, Some(span)) = (automatic, section.key_span("rts")) {
        let remark = Remark::new("`rts` has no effect: the driver sets that line by itself");
        section.sink.warn(&span, remark.help("remove it, or `rs485` and `flow = \"hardware\"`"));
    }
    let path = path(section, "path", context.dir, PATH_BYTES_MAX)?;
    let renumbered = ["/dev/ttyUSB", "/dev/ttyACM"];
    if let (Some(text), Some(span)) = (path.to_str(), section.key_span("path"))
        && renumbered.iter().any(|prefix| text.starts_with(prefix))
    {
        let remark = Remark::new(format!("{text} may be another device after a restart"));
        let help =
            "take the name below /dev/serial/by-id, or by-path if the adapter has no serial number";
        section.sink.warn(&span, remark.help(help));
    }
    Some(PortConfig {
        path,
        baud: baud.map_or(BAUD, |found| found.value as u32),
        data_bits: data_bits.map_or(8, |found| found.value as u8),
        parity: parity.map_or(Parity::None, |found| found.value),
        stop_bits: stop_bits.map_or(1, |found| found.value as u8),
        flow: flow.map_or(Flow::None, |found| found.value),
        low_latency: low_latency.is_some_and(|found| found.value),
        rs485,
        dtr: dtr.map(|found| found.value),
        rts: rts.map(|found| found.value),
    })
}

fn rs485(section: &Section<'_>) -> Option<Rs485> {
    let inner = section.section("rs485", "`rs485`", keys::RS485)?;
    let truth = |key, default| inner.boolean(key).map_or(default, |found| found.value);
    Some(Rs485 {
        rts_on_send: truth("rts_on_send", true),
        rts_after_send: truth("rts_after_send", false),
        delay_before_ms: delay(&inner, "delay_before"),
        delay_after_ms: delay(&inner, "delay_after"),
        rx_during_tx: truth("rx_during_tx", false),
    })
}

/// A delay in the whole milliseconds that the kernel counts in.
fn delay(inner: &Section<'_>, key: &'static str) -> u32 {
    let Some(found) = inner.duration(key, 0..=i64::from(RS485_DELAY_MAX_MS) * MS) else { return 0 };
    if found.value % MS != 0 {
        let remark = Remark::new(format!("`{key}` is not whole milliseconds"));
        inner.sink.error(&found.span, remark.help("the kernel counts this delay in milliseconds"));
    }
    (found.value / MS) as u32
}

fn poll(section: &Section<'_>) -> Option<PollConfig> {
    let every = section.duration("poll_every", POLL_MIN_NS..=DAY_NS);
    let bytes = sent(section, "poll");
    if let (false, Some(span)) = (section.has("poll"), section.key_span("poll_every")) {
        let remark = Remark::new("`poll_every` has no effect without `poll`");
        section.sink.missing(&span, remark.help("add what is to be sent: `poll = \"…\\r\\n\"`"));
    }
    Some(PollConfig { bytes: bytes?, every_ns: every.map_or(POLL_NS, |found| found.value) })
}

fn silence(section: &Section<'_>) -> Option<SilenceConfig> {
    let after = section.duration("silence", 100 * MS..=DAY_NS);
    let reopen = section.choice("on_silence", &[("report", false), ("reopen", true)]);
    if let (false, Some(span)) = (section.has("silence"), section.key_span("on_silence")) {
        let remark = Remark::new("`on_silence` has no effect without `silence`");
        section.sink.missing(&span, remark.help("say how long a silence: `silence = \"30s\"`"));
    }
    let reopen = reopen.is_some_and(|found| found.value);
    Some(SilenceConfig { after_ns: after?.value, reopen })
}

/// Bytes to send: text as it stands, or `{ hex = "…" }`.
fn sent(section: &Section<'_>, key: &'static str) -> Option<Arc<[u8]>> {
    let (bytes, span) = if section.is_text(key) {
        let found = section.text(key)?;
        (found.value.as_bytes().to_vec(), found.span)
    } else {
        let name = if key == "poll" { "`poll`" } else { "`on_open`" };
        let inner = section.section(key, name, keys::SENT)?;
        inner.require("hex", "\"01 03 0D 0A\"");
        let found = inner.text("hex")?;
        let Some(bytes) = hex_bytes(found.value) else {
            let remark = Remark::new(format!("`hex` is no list of bytes: \"{}\"", found.value));
            section.sink.error(&found.span, remark.help("two hex digits a byte: \"01 03 0D 0A\""));
            return None;
        };
        (bytes, found.span)
    };
    if bytes.is_empty() || SENT_BYTES_MAX < bytes.len() {
        let title = format!("`{key}` has {} bytes, not 1 to {SENT_BYTES_MAX}", bytes.len());
        section.sink.error(&span, Remark::new(title));
        return None;
    }
    Some(bytes.into())
}
