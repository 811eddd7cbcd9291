//! What a configuration amounts to, in words: sources, windows, memory, and what systemd has to
//! open for it.

use std::{
    fmt::{self, Write},
    iter,
    path::Path,
};

use self::{
    percentiles::{bins_of_a_decade, percentile_bytes},
    sets::Sets,
};
use super::{
    Config, InputConfig, InputKind,
    modbus::load,
    model::{Flow, ModbusConfig, ModbusPath, Parity, PortConfig},
};
use crate::{
    engine::{
        Rules, SourcePlan, TimeMode, Unknown, duration::Nanoseconds, validate::Reading,
        windows::bytes_per_channel,
    },
    limits::{BATCH_READINGS_MAX, FRAME_BYTES_MAX, SHARD_QUEUE},
    wire::{
        Sample,
        decode::{Format, Framing},
        json::JsonLayout,
        native::NativeOptions,
    },
};

mod calibrations;
mod percentiles;
mod quality;
mod sets;
mod statistics;

/// The text of `stillwell check` for a configuration without errors; `socket` is the path of the
/// query socket in the surroundings of the caller.
#[must_use]
pub fn report(config: &Config, socket: &Path) -> String {
    let mut text = String::new();
    write_report(&mut text, config, socket).expect("a string takes all that is written to it");
    text
}

/// Bytes that one channel with these rules may come to hold, at worst: without percentiles, and
/// for the percentiles.
///
/// The first is what the engine takes when the channel begins, and exact windows when they are
/// full. The second assumes that no two readings of a step share a bin, nor those of a window a
/// chunk of bins, as far as these go round and as many readings come as are expected; without
/// `expected_rate`, that every bin of every step is in use. Real values share most of their bins.
#[must_use]
pub fn worst_case_bytes(rules: &Rules) -> (u64, u64) {
    (bytes_per_channel(rules) as u64, percentile_bytes(rules, u64::MAX))
}

/// Bytes of a full queue: a batch is handed over when it is full, and one datagram or frame may
/// have come on top.
fn queue_bytes(config: &Config) -> u64 {
    let readings = (BATCH_READINGS_MAX + FRAME_BYTES_MAX) as u64;
    let batch = readings * size_of::<Sample>() as u64;
    (config.daemon.queue_batches as u64).saturating_mul(batch)
}

/// Bytes of the queues to the shards, full, with the lists that are being filled and emptied: any
/// batch may be all of one shard's.
fn shard_bytes(config: &Config) -> u64 {
    let shards = match config.daemon.shards {
        1 => 0,
        shards => shards,
    };
    let readings = BATCH_READINGS_MAX + FRAME_BYTES_MAX;
    (shards * (SHARD_QUEUE + 2) * readings * size_of::<Reading>()) as u64
}

fn write_report(text: &mut String, config: &Config, socket: &Path) -> fmt::Result {
    writeln!(text, "sources")?;
    if config.inputs.is_empty() {
        writeln!(text, "  none: nothing will be read")?;
    }
    let width = config.inputs.iter().map(|input| input.name.len()).max().unwrap_or(0);
    for (input, source) in config.inputs.iter().zip(&config.plan.sources) {
        writeln!(text, "  {:width$}  {}", input.name, describe(input, source))?;
    }
    Sets::of(&config.plan, |with| Some(windows_of(with.rules))).write(text, "windows")?;
    Sets::of(&config.plan, |with| Some(statistics::of(with.rules))).write(text, "statistics")?;
    Sets::of(&config.plan, |with| with.qc.map(quality::of)).write(text, "quality tests")?;
    calibrations::write(text, &config.plan)?;
    write_memory(text, config)?;
    write_state(text, config)?;
    write_sockets(text, config, socket)
}

fn describe(input: &InputConfig, source: &SourcePlan) -> String {
    let mut words = match &input.kind {
        InputKind::Udp(udp) => {
            let cuts = if udp.framing == Framing::Stream { ", cuts of a stream" } else { "" };
            let buffer = Bytes(udp.receive_buffer as u64);
            format!("udp {}, receive buffer {buffer}{cuts}", udp.listen)
        }
        InputKind::Serial(serial) => {
            format!("serial {}, {}", serial.port.path.display(), line_settings(&serial.port))
        }
        InputKind::Simulator(simulator) => {
            let devices: u64 = simulator.scenario.devices.iter().map(|d| u64::from(d.count)).sum();
            format!("simulator, {devices} devices, seed {}", simulator.seed)
        }
        InputKind::Modbus(modbus) => describe_modbus(modbus),
        InputKind::Replay(replay) => {
            let pace = if replay.paced { "at its own pace" } else { "as fast as it goes" };
            format!("replay {}, {pace}", replay.path.display())
        }
    };
    words.push_str(match &input.format {
        Format::Native(NativeOptions { key: None }) => ", native frames",
        Format::Native(NativeOptions { key: Some(_) }) => ", authenticated native frames",
        Format::Text(_) => ", text",
        Format::Binary(_) => ", declared binary frames",
        Format::Nmea(_) => ", NMEA sentences",
        Format::Vedirect(_) => ", VE.Direct blocks",
        Format::Dsmr(_) => ", P1 telegrams",
        Format::Json(options) => match options.layout {
            JsonLayout::Plain { .. } => ", JSON",
            JsonLayout::Rtl433 => ", JSON of rtl_433",
            JsonLayout::Tempest => ", JSON of a Tempest station",
        },
        Format::Senml(_) => ", SenML",
        Format::Influx(_) => ", InfluxDB line protocol",
        Format::Statsd(_) => ", StatsD",
        Format::Modbus(_) => ", Modbus",
    });
    words.push_str(match source.time {
        TimeMode::Arrival => ", arrival time",
        TimeMode::Device => ", device time",
    });
    words.push_str(&match source.unknown {
        Unknown::Reject => ", unknown channels rejected".to_owned(),
        Unknown::Discover { max } => format!(", up to {max} channels discovered"),
    });
    words
}

fn describe_modbus(modbus: &ModbusConfig) -> String {
    let (devices, requests) = (modbus.devices.len(), modbus.polls.len());
    let load = match &modbus.path {
        ModbusPath::Serial(port) => {
            format!(", {}, line busy {:.1} %", line_settings(port), 100.0 * load(modbus))
        }
        ModbusPath::Network(_) => String::new(),
    };
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    format!(
        "modbus {}{load}, {devices} device{}, {requests} request{}",
        modbus.path,
        plural(devices),
        plural(requests)
    )
}

/// As on a terminal: `115200 8N1`.
fn line_settings(serial: &PortConfig) -> String {
    let parity = match serial.parity {
        Parity::None => 'N',
        Parity::Odd => 'O',
        Parity::Even => 'E',
    };
    let flow = match serial.flow {
        Flow::None => "",
        Flow::Software => " with XON/XOFF",
        Flow::Hardware => " with RTS/CTS",
    };
    format!("{} {}{parity}{}{flow}", serial.baud, serial.data_bits, serial.stop_bits)
}

fn windows_of(rules: &Rules) -> String {
    let windows: Vec<String> = rules
        .windows
        .iter()
        .map(|w| format!("{} by {}", Nanoseconds(w.length_ns), Nanoseconds(w.every_ns)))
        .chain(rules.exact.iter().map(|exact| {
            format!("{} exact, {} readings", Nanoseconds(exact.length_ns), exact.capacity)
        }))
        .collect();
    let percentiles: Vec<String> = rules.percentiles.iter().map(f64::to_string).collect();
    let percentiles = match percentiles.is_empty() {
        true => "no percentiles".to_owned(),
        false => format!("percentiles {}", percentiles.join(" ")),
    };
    let (pane, lateness) = (Nanoseconds(rules.pane_ns), Nanoseconds(rules.lateness_ns));
    format!("{}; pane {pane}; late after {lateness}; {percentiles}", windows.join(", "))
}

/// Bytes of some channels: without percentiles, and for those at worst and as is usual.
#[derive(Clone, Copy, Debug, Default)]
struct Memory {
    base: u64,
    percentiles: u64,
    usual: u64,
}

impl Memory {
    fn add(&mut self, channels: u64, rules: &Rules) {
        let (base, percentiles) = worst_case_bytes(rules);
        let usual = percentile_bytes(rules, bins_of_a_decade(rules.figures));
        for (sum, each) in
            [(&mut self.base, base), (&mut self.percentiles, percentiles), (&mut self.usual, usual)]
        {
            *sum = sum.saturating_add(channels.saturating_mul(each));
        }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (base, usual, worst) = (Bytes(self.base), Bytes(self.usual), Bytes(self.percentiles));
        match self.percentiles {
            0 => write!(f, "{base}"),
            _ => write!(f, "{base}, and for percentiles {usual} (1) or {worst} (2)"),
        }
    }
}

fn write_memory(text: &mut String, config: &Config) -> fmt::Result {
    let plan = &config.plan;
    let (mut configured, mut discovered) = (Memory::default(), Memory::default());
    for channel in &plan.channels {
        configured.add(1, &channel.rules);
    }
    let tests = plan.channels.iter().filter_map(|channel| channel.qc.as_ref());
    let mut remembered: u64 = tests.map(|qc| qc.bytes() as u64).sum();
    let mut discoverable = 0;
    for source in &plan.sources {
        if let Unknown::Discover { max } = source.unknown {
            discoverable += max;
            discovered.add(max as u64, costliest(source));
            let patterns = source.patterns.iter().map(|pattern| &pattern.qc);
            let bytes = patterns.chain([&source.qc]).flatten().map(|qc| qc.bytes()).max();
            remembered = remembered.saturating_add((max * bytes.unwrap_or(0)) as u64);
        }
    }
    writeln!(text, "\nmemory of the windows, at most")?;
    writeln!(text, "  {} configured: {configured}", plan.channels.len())?;
    if 0 < remembered {
        writeln!(text, "  what quality tests remember: {}", Bytes(remembered))?;
    }
    if 0 < discoverable {
        writeln!(text, "  {discoverable} discovered, if as many come: {discovered}")?;
    }
    writeln!(
        text,
        "  for percentiles in all: {}, then with fewer figures",
        Bytes(plan.percentile_bytes)
    )?;
    writeln!(text, "  queue to the engine, full: {}", Bytes(queue_bytes(config)))?;
    if 1 < config.daemon.shards {
        let (shards, bytes) = (config.daemon.shards, Bytes(shard_bytes(config)));
        writeln!(text, "  queues to {shards} shards, full: {bytes}")?;
    }
    writeln!(text, "  (1) if the values of a channel stay within a factor of ten of each other")?;
    writeln!(text, "  (2) if they fill the range of the bins; `expected_rate` bounds both")
}

/// The rules under which a discovered channel of the source takes most.
fn costliest(source: &SourcePlan) -> &Rules {
    let bytes = |rules: &Rules| {
        let (base, percentiles) = worst_case_bytes(rules);
        base.saturating_add(percentiles)
    };
    let patterns = source.patterns.iter().map(|pattern| &pattern.rules);
    let all = iter::once(&source.discovered).chain(patterns);
    all.max_by_key(|rules| bytes(rules)).unwrap_or(&source.discovered)
}

fn write_state(text: &mut String, config: &Config) -> fmt::Result {
    let every = Nanoseconds(config.daemon.state_every_ns);
    writeln!(text, "\nstate across restarts, saved every {every}")?;
    match &config.daemon.state_dir {
        Some(path) => writeln!(text, "  {}", path.display())?,
        None => writeln!(text, "  in StateDirectory= of the service; not at all without one")?,
    }
    let help = "what is in use of the windows' memory, while it is taken, and for each one that \
                the service manager keeps: one, and two while it is replaced";
    writeln!(text, "  an image takes at most {help}")
}

fn write_sockets(text: &mut String, config: &Config, socket: &Path) -> fmt::Result {
    writeln!(text, "\nwhat has to be opened")?;
    writeln!(text, "  {}: by stillwell.socket, or by the daemon itself", socket.display())?;
    for input in &config.inputs {
        match &input.kind {
            InputKind::Udp(udp) => writeln!(
                text,
                "  udp {}: by stillwell-udp.socket with ListenDatagram={}, or by the daemon itself \
                 with the drop-in that lets it open ports",
                udp.listen, udp.listen
            )?,
            InputKind::Modbus(ModbusConfig { path: ModbusPath::Network(address), .. }) => writeln!(
                text,
                "  tcp to {address}: by the daemon itself, with the drop-in that lets it open \
                 ports; see IPAddressAllow= there"
            )?,
            InputKind::Serial(_) | InputKind::Modbus(_) => {
                let port = input.kind.port().unwrap_or(Path::new(""));
                writeln!(
                    text,
                    "  {}: by the daemon itself, which needs the right to read and write it",
                    port.display()
                )?;
            }
            InputKind::Simulator(_) | InputKind::Replay(_) => {}
        }
    }
    Ok(())
}

/// Shows a number of bytes in the unit that fits.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
        match units.iter().find(|(_, shift)| 1 << shift <= self.0) {
            Some((unit, shift)) => {
                write!(f, "{:.1} {unit}", self.0 as f64 / (1_u64 << shift) as f64)
            }
            None => write!(f, "{} B", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ring::Ring;

    fn config(text: &str) -> Config {
        let loader = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        Config::parse(text, Path::new("c.toml"), &loader).unwrap_or_else(|e| panic!("{e}")).config
    }

    #[test]
    fn says_what_a_configuration_amounts_to() {
        let text = r#"
            [defaults]
            windows = ["1s", "1m"]
            percentiles = []
            [[source]]
            name = "plant"
            kind = "udp"
            listen = "0.0.0.0:7420"
            format = "native"
            unknown = "discover"
            discover_max = 100
            [[source]]
            name = "bench"
            kind = "serial"
            path = "/dev/serial/by-id/x"
            format = "text"
            time = "device"
            timestamp = "ms"
            [[channel]]
            id = "a"
            source = "bench"
            field = "t"
            percentiles = [50, 99.9]
            expected_rate = 1
        "#;
        let expected = "\
sources
  plant  udp 0.0.0.0:7420, receive buffer 8.0 MiB, native frames, arrival time, up to 100 channels discovered
  bench  serial /dev/serial/by-id/x, 115200 8N1, text, device time, unknown channels rejected

windows
  1s by 100ms, 1m by 6s; pane 100ms; late after 200ms; percentiles 50 99.9
    1 channel: a
  1s by 100ms, 1m by 6s; pane 100ms; late after 0s; no percentiles
    discovered channels of plant

statistics
  scalar; good from 75 %, bad from 50 %; 1 a second expected
    1 channel: a
  scalar; good from 75 %, bad from 50 %
    discovered channels of plant

memory of the windows, at most
  1 configured: BASE, and for percentiles 3.5 KiB (1) or 17.8 KiB (2)
  100 discovered, if as many come: HUNDRED
  for percentiles in all: 256.0 MiB, then with fewer figures
  queue to the engine, full: 78.0 MiB
  (1) if the values of a channel stay within a factor of ten of each other
  (2) if they fill the range of the bins; `expected_rate` bounds both

state across restarts, saved every 1m
  in StateDirectory= of the service; not at all without one
  an image takes at most what is in use of the windows' memory, while it is taken, and for each one that the service manager keeps: one, and two while it is replaced

what has to be opened
  /run/stillwell/query.sock: by stillwell.socket, or by the daemon itself
  udp 0.0.0.0:7420: by stillwell-udp.socket with ListenDatagram=0.0.0.0:7420, or by the daemon itself with the drop-in that lets it open ports
  /dev/serial/by-id/x: by the daemon itself, which needs the right to read and write it
";
        let planned = config(text);
        let (base, _) = worst_case_bytes(&planned.plan.channels[0].rules);
        let (found, _) = worst_case_bytes(&planned.plan.sources[0].discovered);
        let expected = expected
            .replace("BASE", &Bytes(base).to_string())
            .replace("HUNDRED", &Bytes(100 * found).to_string());
        assert_eq!(report(&planned, Path::new("/run/stillwell/query.sock")), expected);
        assert!(report(&config(""), Path::new("q")).starts_with("sources\n  none: nothing will"));
    }

    #[test]
    fn queues_to_shards_take_memory_too() {
        let told = |shards: usize| {
            let text = report(&config(&format!("[daemon]\nshards = {shards}")), Path::new("q"));
            text.lines().find(|line| line.contains("shards, full")).map(str::to_owned)
        };
        assert_eq!(told(1), None);
        let bytes = Bytes((3 * 18 * 13_312 * size_of::<Reading>()) as u64);
        assert_eq!(told(3), Some(format!("  queues to 3 shards, full: {bytes}")));
    }

    #[test]
    fn memory_follows_its_formula() {
        let rules = config("[defaults]\nwindows = [\"1s\"]\npane = \"100ms\"").plan.defaults;
        // 12 steps and 2 open panes; 2 * (256 + 32 * 128) bins at two figures, 4 bytes each. In the
        // sum of the window chunks of 16 bins, 72 bytes each and a quarter more; one may be begun
        // at either end.
        let chunks = |count: u64| count * 72 * 5 / 4;
        assert_eq!(percentile_bytes(&rules, u64::MAX), 14 * 4 * 8_704 + chunks(545));
        assert_eq!(percentile_bytes(&rules, bins_of_a_decade(2)), 14 * 4 * 512 + chunks(33));
        let sparse = Rules { expected_rate: Some(10.0), ..rules.clone() };
        // Of eleven chunks far from each other a strip may be four times as large.
        assert_eq!(percentile_bytes(&sparse, u64::MAX), 14 * 2 * 4 + 4 * 11 * 72);
        assert_eq!(percentile_bytes(&sparse, bins_of_a_decade(2)), 14 * 2 * 4 + 33 * 17 * 4);
        // Ten panes more take ten panes more.
        let (base, _) = worst_case_bytes(&rules);
        let longer = config("[defaults]\nwindows = [{ length = \"2s\", every = \"100ms\" }]");
        let (more, _) = worst_case_bytes(&longer.plan.defaults);
        assert_eq!(more - base, Ring::bytes(10) as u64);
        let none = Rules { percentiles: [].into(), ..rules };
        assert_eq!(worst_case_bytes(&none).1, 0);
    }
}
