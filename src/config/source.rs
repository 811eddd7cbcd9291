//! `[[source]]`: where bytes come from and what they mean.

use std::{collections::BTreeSet, net::SocketAddr, ops::Range, path::PathBuf, sync::Arc};

use super::{
    Context, binary,
    daemon::{PATH_BYTES_MAX, path},
    errors::Remark,
    format, keys, modbus,
    model::{InputKind, OnFull, ReplayConfig, SimulatorConfig, UdpConfig},
    reader::{Found, Section, listed},
    rules::RuleKeys,
    scenario, serial,
};
use crate::{
    engine::{TimeMode, Unknown},
    limits::{
        CHANNELS_MAX, DISCOVER_DEFAULT, FIELDS_PER_SOURCE_MAX, MS, RECEIVE_BUFFER_DEFAULT,
        RECEIVE_BUFFER_MAX, RECEIVE_BUFFER_MIN, SECOND, SOURCE_NAME_BYTES_MAX,
    },
    simulate::scenario::LineFormat,
    wire::{
        decode::{Format, Framing},
        native::NativeOptions,
        text::TextOptions,
    },
};

const IDLE_NS: i64 = SECOND;
const INTERVAL_NS: i64 = 100 * MS;
const HOUR_NS: i64 = 3_600 * SECOND;

/// A source as far as it could be read: what is `None` or a default here has its error recorded.
#[derive(Debug)]
pub(super) struct Source {
    /// Name.
    pub name: Found<Arc<str>>,
    /// Where its table begins.
    pub span: Range<usize>,
    /// What it reads from.
    pub input: Option<InputKind>,
    /// What its bytes mean.
    pub format: Option<Format>,
    /// Whose clock counts.
    pub time: TimeMode,
    /// What happens to what no channel names.
    pub unknown: Unknown,
    /// Silence after which it no longer holds back windows.
    pub idle_ns: i64,
    /// What happens when the queue is full.
    pub on_full: OnFull,
    /// What it sets for its channels.
    pub rules: RuleKeys,
    /// Fields that have a channel.
    pub fields: Vec<Arc<str>>,
    /// Devices that have a channel.
    pub devices: BTreeSet<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Udp,
    Serial,
    Simulator,
    Replay,
    Modbus,
}

impl Kind {
    const ALL: [(&'static str, Self); 5] = [
        ("udp", Self::Udp),
        ("serial", Self::Serial),
        ("simulator", Self::Simulator),
        ("replay", Self::Replay),
        ("modbus", Self::Modbus),
    ];

    fn name(self) -> &'static str {
        Self::ALL[self as usize].0
    }

    /// The kinds that a key is for; all of them where it is not listed.
    fn that_take(key: &str) -> &'static [Self] {
        match key {
            "listen" | "receive_buffer" | "gro" | "framing" => &[Self::Udp],
            "path" => &[Self::Serial, Self::Replay, Self::Modbus],
            key if keys::PORT.contains(&key) => &[Self::Serial, Self::Modbus],
            "settle" | "on_open" | "poll" | "poll_every" | "silence" | "on_silence"
            | "garbled_after" => &[Self::Serial],
            "connect" | "mode" | "device" | "register" => &[Self::Modbus],
            // What may be said of one device may be said of all.
            key if keys::MODBUS_DEVICE.contains(&key) => &[Self::Modbus],
            "scenario" | "seed" => &[Self::Simulator],
            "interval" | "paced" => &[Self::Replay],
            "format" => &[Self::Udp, Self::Serial, Self::Replay],
            key if format::own_keys().any(|own| own == key) => {
                &[Self::Udp, Self::Serial, Self::Replay]
            }
            _ => &[Self::Udp, Self::Serial, Self::Simulator, Self::Replay, Self::Modbus],
        }
    }
}

impl Source {
    /// Reads one table; `None` if it has not even a name.
    pub(super) fn read(section: &Section<'_>, context: &Context<'_>) -> Option<Self> {
        section.require("name", "\"plant\"");
        section.require("kind", "\"udp\"");
        let name = name(section);
        let kind = section.choice("kind", &Kind::ALL).map(|found| found.value);
        if let Some(kind) = kind {
            refuse_misplaced(section, kind);
        }
        let (input, format) = kind.map_or((None, None), |kind| spoken(section, kind, context));
        if let (Some(input), Some(Format::Binary(options))) = (&input, &format) {
            binary::check_transport(section, input, &options.layout);
        }
        let time = time(section, format.as_ref());
        Some(Self {
            name: name?,
            span: section.span.clone(),
            input,
            unknown: unknown(section, format.as_ref()),
            format,
            time,
            idle_ns: section.duration("idle", 10 * MS..=HOUR_NS).map_or(IDLE_NS, |f| f.value),
            on_full: on_full(section, kind),
            rules: RuleKeys::read_bounds(section),
            fields: Vec::new(),
            devices: BTreeSet::new(),
        })
    }
}

fn name(section: &Section<'_>) -> Option<Found<Arc<str>>> {
    let found = section.text("name")?;
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    let length = found.value.len();
    if length == 0 || SOURCE_NAME_BYTES_MAX < length || !found.value.bytes().all(fits) {
        let remark = Remark::new(format!("\"{}\" cannot be the name of a source", found.value));
        let help = format!("1 to {SOURCE_NAME_BYTES_MAX} of a-z, 0-9, `_` and `-`");
        section.sink.error(&found.span, remark.help(help));
    }
    Some(found.map(Arc::from))
}

/// Records each key that belongs to another kind of source.
fn refuse_misplaced(section: &Section<'_>, kind: Kind) {
    for key in keys::SOURCE {
        let takers = Kind::that_take(key);
        let (false, Some(span)) = (takers.contains(&kind), section.key_span(key)) else { continue };
        let names: Vec<&str> = takers.iter().map(|taker| taker.name()).collect();
        let remark =
            Remark::new(format!("`{key}` does not fit a source of kind \"{}\"", kind.name()));
        let help = match (*key, kind) {
            (key, Kind::Simulator)
                if key == "format" || format::own_keys().any(|own| own == key) =>
            {
                "the scenario says what its devices speak".to_owned()
            }
            _ => format!("`{key}` is for {}", listed(&names)),
        };
        section.sink.error(&span, remark.help(help));
    }
}

/// What a source reads from, and what that means.
fn spoken(
    section: &Section<'_>,
    kind: Kind,
    context: &Context<'_>,
) -> (Option<InputKind>, Option<Format>) {
    match kind {
        Kind::Modbus => {
            let (config, options) = modbus::read(section, context).unzip();
            (config.map(InputKind::Modbus), options.map(Format::Modbus))
        }
        Kind::Simulator => {
            let simulator = simulator(section, context);
            let format = simulator.as_ref().map(spoken_by);
            (simulator.map(InputKind::Simulator), format)
        }
        Kind::Udp | Kind::Serial | Kind::Replay => {
            let input = match kind {
                Kind::Udp => udp(section).map(InputKind::Udp),
                Kind::Serial => serial::read(section, context).map(InputKind::Serial),
                _ => replay(section, context).map(InputKind::Replay),
            };
            (input, format::read(section, context))
        }
    }
}

fn replay(section: &Section<'_>, context: &Context<'_>) -> Option<ReplayConfig> {
    section.require("path", "\"log.bin\"");
    let interval = section.duration("interval", 0..=HOUR_NS);
    let paced = section.boolean("paced");
    Some(ReplayConfig {
        path: path(section, "path", context.dir, PATH_BYTES_MAX)?,
        interval_ns: interval.map_or(INTERVAL_NS, |found| found.value),
        paced: paced.is_none_or(|found| found.value),
    })
}

fn udp(section: &Section<'_>) -> Option<UdpConfig> {
    section.require("listen", "\"127.0.0.1:7420\"");
    let most = RECEIVE_BUFFER_MAX as u64;
    let receive_buffer = section.bytes("receive_buffer", RECEIVE_BUFFER_MIN as u64..=most);
    let receive_buffer = receive_buffer.map_or(RECEIVE_BUFFER_DEFAULT, |bytes| bytes as usize);
    let gro = section.boolean("gro");
    let framings = [("datagram", Framing::Datagram), ("stream", Framing::Stream)];
    let framing = section.choice("framing", &framings);
    let framing = framing.map_or(Framing::Datagram, |found| found.value);
    let found = section.text("listen")?;
    let Ok(listen) = found.value.parse::<SocketAddr>() else {
        let remark =
            Remark::new(format!("`listen` is no address with a port: \"{}\"", found.value));
        let help = "write numbers, such as \"127.0.0.1:7420\", \"0.0.0.0:7420\" or \"[::]:7420\"";
        section.sink.error(&found.span, remark.help(help));
        return None;
    };
    let gro = gro.is_some_and(|found| found.value);
    Some(UdpConfig { listen, receive_buffer, gro, framing })
}

fn simulator(section: &Section<'_>, context: &Context<'_>) -> Option<SimulatorConfig> {
    section.require("scenario", "\"simulator/plant.toml\"");
    let seed = section.integer("seed", 0..=i64::MAX);
    let found = section.text("scenario")?;
    let path: PathBuf = context.dir.join(found.value);
    let text = match (context.loader)(&path) {
        Ok(text) => text,
        Err(error) => {
            let title = format!("cannot read the scenario {}: {error}", path.display());
            let help = "the path is relative to the directory of this file";
            section.sink.error(&found.span, Remark::new(title).help(help));
            return None;
        }
    };
    let inner = Context::of(&path, context.loader);
    let scenario = scenario::parse(&text, &path, &inner);
    context.secrets.borrow_mut().append(&mut inner.secrets.take());
    match scenario {
        Ok(scenario) => {
            let seed = seed.map_or(scenario.seed, |found| found.value.unsigned_abs());
            Some(SimulatorConfig { scenario: Arc::new(scenario), seed })
        }
        Err(errors) => {
            context.elsewhere.borrow_mut().extend(errors);
            None
        }
    }
}

/// What the devices of a scenario speak.
fn spoken_by(simulator: &SimulatorConfig) -> Format {
    match simulator.scenario.format {
        LineFormat::Native => Format::Native(NativeOptions { key: simulator.scenario.key.clone() }),
        LineFormat::Text => Format::Text(TextOptions::default()),
    }
}

fn time(section: &Section<'_>, format: Option<&Format>) -> TimeMode {
    let modes = [("arrival", TimeMode::Arrival), ("device", TimeMode::Device)];
    let Some(found) = section.choice("time", &modes) else { return TimeMode::Arrival };
    let silent = format.filter(|format| !format.tells_time());
    if let (TimeMode::Device, Some(format)) = (found.value, silent) {
        let title = format!("the format \"{}\" has no time of the device", format.name());
        let help = match format {
            Format::Text(_) | Format::Json(_) => {
                "name the field that holds it with `timestamp`, or take `time = \"arrival\"`"
            }
            _ => "take `time = \"arrival\"`",
        };
        section.sink.missing(&found.span, Remark::new(title).help(help));
    }
    found.value
}

fn unknown(section: &Section<'_>, format: Option<&Format>) -> Unknown {
    let modes = [("reject", false), ("discover", true)];
    let discover = section.choice("unknown", &modes).is_some_and(|found| found.value);
    let named = format.is_some_and(|format| format.naming().is_some());
    let most = if named { FIELDS_PER_SOURCE_MAX } else { CHANNELS_MAX };
    let max = section.integer("discover_max", 1..=most as i64);
    if let (false, Some(span)) = (discover, section.key_span("discover_max")) {
        let remark = Remark::new("`discover_max` has no effect without `unknown = \"discover\"`");
        section.sink.missing(&span, remark.help("add `unknown = \"discover\"`, or remove this"));
    }
    if !discover {
        return Unknown::Reject;
    }
    Unknown::Discover { max: max.map_or(DISCOVER_DEFAULT, |found| found.value as usize) }
}

fn on_full(section: &Section<'_>, kind: Option<Kind>) -> OnFull {
    let default = if kind == Some(Kind::Replay) { OnFull::Wait } else { OnFull::Count };
    let words = [("count", OnFull::Count), ("wait", OnFull::Wait)];
    let Some(found) = section.choice("on_full", &words) else { return default };
    if found.value == OnFull::Wait && kind == Some(Kind::Udp) {
        let remark = Remark::new("a UDP source cannot wait");
        let help = "nobody slows its senders down: the loss would only move into the kernel";
        section.sink.error(&found.span, remark.help(help));
    }
    found.value
}
