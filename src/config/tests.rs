//! Configurations, whole and broken.

use std::{io, path::Path};

use proptest::prelude::*;

use super::{
    keys,
    model::{Flow, OnFull, Parity, PollConfig, PortConfig, Rs485, SilenceConfig},
    *,
};
use crate::{
    engine::{
        ChannelKey, ExactWindow, TimeMode, Unknown, Window, calibration::Calibration, plan::Linear,
    },
    limits::{CONFIG_ERRORS_MAX, MS, SECOND},
    wire::{
        decode::{Format, Framing, Naming, Tags},
        influx::{InfluxOptions, Precision},
        json::{JsonLayout, JsonOptions},
        senml::SenmlOptions,
        statsd::StatsdOptions,
    },
};

mod binary;
mod modbus;
mod broken;
mod calibrations;
mod authenticated;
mod patterns;
mod qc;
mod shipped;
mod statistics;

const SCENARIO: &str = r#"
format = "native"
device = [{ id = 17, rate = 10, channel = [{ name = "t", waveform = { kind = "constant", value = 1 } }] }]
"#;

const KEY_FILE: &str = "plant.key";
const KEY: &str = "9d";

/// Knows a few scenarios and keys.
fn loader(path: &Path) -> io::Result<String> {
    match path.to_str() {
        Some("dir/plant.toml") => Ok(SCENARIO.to_owned()),
        Some("dir/keyed.toml") => Ok(format!("key_file = \"{KEY_FILE}\"\n{SCENARIO}")),
        Some(path) if path == format!("dir/{KEY_FILE}") => Ok(format!("{}\n", KEY.repeat(32))),
        Some("dir/short.key") => Ok(KEY.repeat(31)),
        Some("dir/odd.key") => Ok(format!("{}\n# of the plant", KEY.repeat(32))),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

fn parse(text: &str) -> Result<Loaded, Errors> {
    Config::parse(text, Path::new("dir/c.toml"), &loader)
}

fn good(text: &str) -> Config {
    parse(text).unwrap_or_else(|errors| panic!("{errors}")).config
}

fn bad(text: &str) -> String {
    match parse(text) {
        Ok(loaded) => panic!("accepted: {:#?}", loaded.config),
        Err(errors) => errors.to_string(),
    }
}

const UDP: &str = r#"
[[source]]
name = "plant"
kind = "udp"
listen = "127.0.0.1:7420"
format = "native"
"#;

const TEXT: &str = r#"
[[source]]
name = "bench"
kind = "serial"
path = "/dev/serial/by-id/x"
format = "text"
"#;

#[test]
fn an_empty_file_is_a_configuration() {
    let config = good("");
    assert_eq!(config.daemon.publish_ns, 100 * MS);
    assert_eq!((config.daemon.queue_batches, config.daemon.shards), (256, 1));
    assert_eq!(config.daemon.socket, None);
    let rules = config.plan.defaults;
    assert_eq!((rules.pane_ns, rules.lateness_ns, rules.future_ns), (100 * MS, 0, 2 * SECOND));
    assert_eq!((rules.figures, rules.resolution, rules.expected_rate), (2, 0.001, None));
    assert_eq!((rules.stale_ns, rules.silent_ns), (10 * SECOND, 60 * SECOND));
    assert_eq!(*rules.percentiles, [50.0, 90.0, 95.0, 99.0]);
    let windows: Vec<_> = rules.windows.iter().map(|w| (w.length_ns, w.every_ns)).collect();
    let seconds = |length: i64| (length * SECOND, length * SECOND / 10);
    assert_eq!(windows, [1, 10, 60, 600, 3_600, 86_400].map(seconds));
}

#[test]
fn reads_a_udp_source() {
    let text = format!(
        "{UDP}time = \"device\"\nunknown = \"discover\"\ndiscover_max = 7\nidle = \"3s\"\n\
         receive_buffer = \"2MiB\"\ngro = true\nframing = \"stream\"\n"
    );
    let config = good(&text);
    let InputKind::Udp(udp) = &config.inputs[0].kind else { panic!("{config:?}") };
    assert_eq!(udp.listen.to_string(), "127.0.0.1:7420");
    assert_eq!((udp.receive_buffer, udp.gro), (2 << 20, true));
    assert_eq!(udp.framing, Framing::Stream);
    assert_eq!(config.inputs[0].format, Format::NATIVE);
    assert_eq!(config.inputs[0].on_full, OnFull::Count);
    let source = &config.plan.sources[0];
    assert_eq!((&*source.name, source.time), ("plant", TimeMode::Device));
    assert_eq!((source.unknown, source.idle_ns), (Unknown::Discover { max: 7 }, 3 * SECOND));
    assert!(!source.named_fields);
    assert_eq!(source.discovered.lateness_ns, 200 * MS, "device time needs some");
    let udp_of = |config: &Config| match &config.inputs[0].kind {
        InputKind::Udp(udp) if !udp.gro => (udp.receive_buffer, udp.framing),
        other => panic!("{other:?}"),
    };
    assert_eq!(udp_of(&good(UDP)), (8 << 20, Framing::Datagram));
    assert_eq!(udp_of(&good(&format!("{UDP}receive_buffer = 65536"))).0, 65_536);
}

#[test]
fn reads_a_serial_source() {
    let defaults = good(TEXT);
    let InputKind::Serial(serial) = &defaults.inputs[0].kind else { panic!("{defaults:?}") };
    assert_eq!((serial.port.baud, serial.port.data_bits, serial.port.stop_bits), (115_200, 8, 1));
    assert_eq!((serial.port.parity, serial.port.flow), (Parity::None, Flow::None));
    let text = "baud = 9_600\ndata_bits = 7\nparity = \"even\"\nstop_bits = 2\nflow = \"hardware\"\non_full = \"wait\"\n";
    let config = good(&format!("{TEXT}{text}"));
    let InputKind::Serial(serial) = &config.inputs[0].kind else { panic!("{config:?}") };
    assert_eq!((serial.port.baud, serial.port.data_bits, serial.port.stop_bits), (9_600, 7, 2));
    assert_eq!((serial.port.parity, serial.port.flow), (Parity::Even, Flow::Hardware));
    assert_eq!(config.inputs[0].on_full, OnFull::Wait);
}

#[test]
fn reads_what_is_said_on_a_serial_line() {
    let text = r#"
low_latency = true
rs485 = { rts_on_send = false, rts_after_send = true, delay_before = "2ms" }
dtr = false
settle = "2s"
on_open = "$PMTK220,100*2F\r\n"
poll = { hex = "0103 0000 000a" }
poll_every = "250ms"
silence = "30s"
on_silence = "reopen"
garbled_after = 5
"#;
    let config = good(&format!("{TEXT}{text}"));
    let InputKind::Serial(serial) = &config.inputs[0].kind else { panic!("{config:?}") };
    let rs485 = Rs485 {
        rts_on_send: false,
        rts_after_send: true,
        delay_before_ms: 2,
        delay_after_ms: 0,
        rx_during_tx: false,
    };
    assert_eq!(serial.port.rs485, Some(rs485));
    let PortConfig { low_latency, dtr, rts, .. } = serial.port;
    assert_eq!((low_latency, dtr, rts), (true, Some(false), None));
    assert_eq!((serial.settle_ns, serial.garbled_after), (2 * SECOND, 5));
    assert_eq!(*serial.on_open, *b"$PMTK220,100*2F\r\n");
    let poll = PollConfig { bytes: [1, 3, 0, 0, 0, 10].into(), every_ns: 250 * MS };
    assert_eq!(serial.poll, Some(poll));
    assert_eq!(serial.silence, Some(SilenceConfig { after_ns: 30 * SECOND, reopen: true }));
}

#[test]
fn reads_simulator_and_replay() {
    let text = r#"
        [[source]]
        name = "demo"
        kind = "simulator"
        scenario = "plant.toml"
        seed = 9
        [[source]]
        name = "log"
        kind = "replay"
        path = "a.log"
        format = "text"
        interval = "1s"
        paced = false
    "#;
    let config = good(text);
    let InputKind::Simulator(simulator) = &config.inputs[0].kind else { panic!("{config:?}") };
    assert_eq!((simulator.seed, simulator.scenario.devices[0].id), (9, 17));
    assert_eq!(config.inputs[0].format, Format::NATIVE, "as the scenario says");
    let InputKind::Replay(replay) = &config.inputs[1].kind else { panic!("{config:?}") };
    assert_eq!(replay.path, Path::new("dir/a.log"));
    assert_eq!((replay.interval_ns, replay.paced), (SECOND, false));
    assert_eq!(config.inputs[1].on_full, OnFull::Wait);
}

#[test]
fn a_text_source_knows_the_fields_of_its_channels() {
    let text = format!(
        "{TEXT}unknown = \"discover\"\ntimestamp = \"ms\"\ntime = \"device\"\n\
         [[channel]]\nid = \"a\"\nsource = \"bench\"\nfield = \"t1\"\n\
         [[channel]]\nid = \"b\"\nsource = \"bench\"\nfield = \"t2\"\n"
    );
    let config = good(&text);
    let Format::Text(options) = &config.inputs[0].format else { panic!("{config:?}") };
    assert_eq!(options.naming.known, ["t1", "t2"].map(std::sync::Arc::from));
    assert_eq!((options.naming.discover, options.timestamp.as_deref()), (4_094, Some("ms")));
    assert!(config.plan.sources[0].named_fields);
    assert_eq!(config.plan.channels[1].key, ChannelKey::Named("t2".into()));
}

#[test]
fn formats_read_the_keys_of_their_own() {
    let format = |word: &str, keys: &str| {
        let mut format =
            good(&format!("{UDP}{keys}").replace("native", word)).inputs[0].format.clone();
        *format.naming_mut().expect("it names its fields") = Naming::default();
        format
    };
    let json = |layout| Format::Json(JsonOptions { layout, ..JsonOptions::default() });
    let keys = "timestamp = \"at.s\"\nname_by = [\"id\", \"room.0\"]\ntime = \"device\"";
    let layout = JsonLayout::Plain {
        timestamp: Some("at.s".into()),
        name_by: vec!["id".into(), "room.0".into()],
    };
    assert_eq!(format("json", keys), json(layout));
    assert_eq!(format("json", ""), json(JsonLayout::default()));
    assert_eq!(format("json", "preset = \"rtl_433\""), json(JsonLayout::Rtl433));
    assert_eq!(format("json", "preset = \"tempest\""), json(JsonLayout::Tempest));
    let options = InfluxOptions {
        precision: Precision::Milliseconds,
        tags: Tags::Ignore,
        ..InfluxOptions::default()
    };
    assert_eq!(format("influx", "precision = \"ms\"\ntags = \"ignore\""), Format::Influx(options));
    assert_eq!(format("influx", "time = \"device\""), Format::Influx(InfluxOptions::default()));
    assert_eq!(format("statsd", "tags = \"name\""), Format::Statsd(StatsdOptions::default()));
    assert_eq!(format("senml", ""), Format::Senml(SenmlOptions::default()));
}

#[test]
fn a_channel_inherits_from_its_source_and_the_defaults() {
    let text = format!(
        "[defaults]\nlateness = \"1s\"\nfuture = \"1s\"\npercentiles = [99, 12.5]\nwindows = [\"1m\", \"10s\"]\n\
         {UDP}lateness = \"3s\"\n\
         [[channel]]\nid = \"a\"\nsource = \"plant\"\ndevice = 1\nindex = 255\nfuture = \"7s\"\n\
         unit = \"Cel\"\nraw_unit = \"[degF]\"\ncalibration = {{ kind = \"linear\", scale = 2 }}\n\
         expected_rate = 0.1\nfigures = 3\n"
    );
    let config = good(&text);
    let channel = &config.plan.channels[0];
    assert_eq!((channel.rules.lateness_ns, channel.rules.future_ns), (3 * SECOND, 7 * SECOND));
    assert_eq!(config.plan.defaults.lateness_ns, SECOND);
    assert_eq!(*channel.rules.percentiles, [12.5, 99.0]);
    let window =
        |length_s: i64| Window { length_ns: length_s * SECOND, every_ns: length_s * SECOND / 10 };
    assert_eq!(*channel.rules.windows, [window(10), window(60)]);
    assert_eq!(channel.rules.figures, 3);
    assert_eq!(channel.key, ChannelKey::Numbered { device: 1, index: 255 });
    let line = Linear { scale: 2.0, offset: 0.0 };
    assert_eq!(channel.calibration, Calibration::Linear(line));
    assert_eq!(channel.conversion.point(212.0).round(), 100.0);
    assert_eq!(channel.unit.as_deref(), Some("Cel"));
    // Three and twenty of ten seconds.
    assert_eq!((channel.rules.stale_ns, channel.rules.silent_ns), (30 * SECOND, 200 * SECOND));
}

#[test]
fn one_age_gives_way_to_the_other() {
    let rules = |text: &str| good(&format!("[defaults]\n{text}")).plan.defaults;
    let ages = |text: &str| (rules(text).stale_ns / SECOND, rules(text).silent_ns / SECOND);
    assert_eq!(ages("stale_after = \"2m\""), (120, 120));
    assert_eq!(ages("silent_after = \"5s\""), (5, 5));
    assert_eq!(ages("stale_after = \"1s\"\nsilent_after = \"2s\""), (1, 2));
}

/// They need not fit the others, and come behind them whatever the order in the file.
#[test]
fn exact_windows_stand_beside_the_others() {
    let text = "[defaults]\nexpected_rate = 100\nwindows = [{ length = \"70ms\", exact = true, \
                capacity = 9 }, \"1s\", { length = \"7ms\", exact = true }]";
    let loaded = parse(text).unwrap_or_else(|errors| panic!("{errors}"));
    let rules = &loaded.config.plan.defaults;
    let exact = |length_ms, capacity| ExactWindow { length_ns: length_ms * MS, capacity };
    assert_eq!(*rules.exact, [exact(7, 4_096), exact(70, 9)]);
    let windows: Vec<_> = rules.all_windows().map(|w| (w.length_ns / MS, w.every_ns)).collect();
    assert_eq!(windows, [(1_000, 100 * MS), (7, 0), (70, 0)]);
    assert_eq!(rules.window(2), Window { length_ns: 70 * MS, every_ns: 0 });
    // Those of a pane wait, and are more than those of 70 ms.
    let warnings: Vec<String> = loaded.warnings.lines().collect();
    let expected = "3:11: the exact window 70ms holds 9 readings, where 10 are expected";
    assert_eq!(warnings, [format!("dir/c.toml:{expected}")]);
}

#[test]
fn warns_of_what_is_most_likely_not_meant() {
    let text = "[defaults]\nexpected_rate = 0.01\nstale_after = \"5s\"\n\
        [[source]]\nname = \"a\"\nkind = \"serial\"\npath = \"/dev/ttyUSB0\"\nformat = \"text\"\n\
        [[source]]\nname = \"b\"\nkind = \"serial\"\npath = \"/dev/ttyS0\"\nformat = \"text\"\n\
        [[channel]]\nid = \"t\"\nsource = \"b\"\nfield = \"t\"\nunit = \"C\"\nexpected_rate = 10\n";
    let warnings = parse(text).unwrap_or_else(|errors| panic!("{errors}")).warnings;
    let lines: Vec<String> = warnings.lines().collect();
    assert_eq!(
        lines,
        [
            "dir/c.toml:3:15: `stale_after` 5s is shorter than the time between two expected readings",
            "dir/c.toml:4:1: nothing of the source \"a\" is taken up",
            "dir/c.toml:7:1: /dev/ttyUSB0 may be another device after a restart",
            "dir/c.toml:18:8: `C` is the coulomb",
        ]
    );
    assert!(warnings.render(false).contains("help: degrees Celsius are \"Cel\""), "{warnings}");
    assert!(parse(UDP).is_ok_and(|loaded| loaded.warnings.count() == 1));
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let errors = load(Path::new("/nonexistent/c.toml")).expect_err("not there");
    assert_eq!(
        errors.to_string(),
        "error: cannot read /nonexistent/c.toml: No such file or directory (os error 2)\n\n\
         1 error in the configuration\n"
    );
    assert!(load_scenario(Path::new("/nonexistent/s.toml")).is_err());
}

#[test]
fn a_file_that_everyone_can_write_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let directory = std::env::temp_dir().join(format!("stillwell-config-{}", std::process::id()));
    fs::create_dir_all(&directory).expect("a directory");
    let path = directory.join("c.toml");
    fs::write(&path, "").expect("a file");
    let count = |mode| {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("own file");
        load(&path).map(|loaded| loaded.warnings.count()).expect("empty is fine")
    };
    assert_eq!((count(0o644), count(0o666)), (0, 1));
    fs::remove_dir_all(&directory).expect("own directory");
}

#[test]
fn a_hostile_file_costs_a_bounded_effort() {
    let keys: String = (0..200_000).map(|i| format!("a{i} = 1\n")).collect();
    let errors = parse(&keys).expect_err("unknown keys");
    assert_eq!(errors.count(), CONFIG_ERRORS_MAX);
    let text = errors.render(false);
    assert!(text.contains("900 more are not shown\n1000 errors or more"), "{}", text.len());
    let channels = "[[channel]]\nid = \"a\"\nsource = \"x\"\n".repeat(50_000);
    assert_eq!(parse(&channels).expect_err("all the same").count(), CONFIG_ERRORS_MAX);
    let line = format!("a = [{}]\n", "\"é\", ".repeat(100_000));
    assert!(bad(&line).contains("dir/c.toml:1:1"), "a long line is named without its text");
}

proptest! {
    #[test]
    fn never_panics_on_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&String::from_utf8_lossy(&bytes)).map_err(|errors| errors.render(true));
    }

    #[test]
    fn never_panics_on_changed_files(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), "\\PC{0,3}|[\\[\\]\"='{}\n\r\t#.,0-9-]{0,3}"), 0..6),
    ) {
        let text = include_str!("../../config.toml").replace("simulator/plant", "plant");
        let mut text: Vec<char> = text.chars().collect();
        for (at, new) in cuts {
            let at = at.index(text.len());
            text.splice(at..(at + 2).min(text.len()), new.chars());
        }
        let text: String = text.into_iter().collect();
        let _ = parse(&text).map_err(|errors| errors.render(true));
    }
}
