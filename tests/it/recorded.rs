//! Logs that other people recorded of real devices, played to the real program every way there is.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde_json::Value;

use crate::support::{Log, Played, recorded};

/// The files of a folder of recordings, by name.
fn files(folder: &str, extension: &str) -> BTreeMap<String, PathBuf> {
    let Some(folder) = recorded(folder) else { return BTreeMap::new() };
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    let named =
        entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()));
    named.filter(|(name, _)| name.ends_with(extension)).collect()
}

/// A file that ends with its last line.
fn read(path: &PathBuf) -> Vec<u8> {
    let mut bytes = fs::read(path).expect("it is readable");
    bytes.push(b'\n');
    bytes
}

/// Plays a log of a format that needs no more than its name.
fn played_everywhere(name: &str, format: &str, bytes: &[u8]) -> Played {
    let format = format!("format = \"{format}\"");
    let messages = [bytes.to_vec()];
    Log { name, format: &format, messages: &messages, paused: false }.played_as_stream()
}

/// How the makers of the manifest counted: line by line, from the first byte of each.
#[derive(Debug, Default, PartialEq)]
struct LineByLine {
    good: u64,
    bad: u64,
    long: u64,
    comments: u64,
    /// Lines that are not good from their first byte on, and are from their last `$` on.
    resumed: u64,
}

/// Whether a line is a sentence with a sound checksum; `None` if it has none at its end.
fn sound(line: &[u8]) -> Option<bool> {
    let star = line.iter().position(|&byte| byte == b'*')?;
    let digits = str::from_utf8(line[star + 1..].trim_ascii_end()).ok()?;
    let sum = u8::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 2)?;
    Some(line[1..star].iter().fold(0, |xor, byte| xor ^ byte) == sum)
}

fn line_by_line(log: &[u8]) -> LineByLine {
    let mut counted = LineByLine::default();
    for line in log.split(|&byte| byte == b'\n') {
        if line.starts_with(b"#") {
            counted.comments += 1;
            continue;
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let begins = line.starts_with(b"$") || line.starts_with(b"!");
        match sound(line).filter(|_| begins) {
            Some(true) => {
                counted.good += 1;
                counted.long += u64::from(82 < line.len() + 2);
                continue;
            }
            Some(false) => counted.bad += 1,
            None => {}
        }
        let last = line.iter().rposition(|&byte| byte == b'$');
        counted.resumed += u64::from(last.is_some_and(|at| sound(&line[at..]) == Some(true)));
    }
    counted
}

/// Sentence by sentence, the manifest's own counts: what is good there is good here, and what is
/// bad is bad, but where a new sentence begins within a line, which counting lines cannot see.
#[test]
fn receivers_and_instruments_of_boats() {
    let logs = files("nmea", ".log");
    let Some(manifest) = recorded("nmea/manifest.json").filter(|_| !logs.is_empty()) else {
        return;
    };
    let manifest = fs::read_to_string(manifest).expect("it is readable");
    let manifest: Value = serde_json::from_str(&manifest).expect("JSON");
    for (name, path) in logs {
        let log = read(&path);
        let told = &manifest[format!("nmea/{name}")];
        let count = |key: &str| told[key].as_u64().unwrap_or_default();
        let lines = line_by_line(&log);
        let (good, bad) = (count("ok"), count("bad_checksum"));
        assert_eq!((lines.good, lines.bad), (good, bad), "{name}");
        assert_eq!((lines.long, lines.comments), (count("longer_than_82"), count("comment")));

        let played = played_everywhere(&name, "nmea", &log);
        assert_eq!(played.count("frames_ok"), good + lines.resumed, "{name}");
        if lines.resumed == 0 {
            assert_eq!(played.refused("checksum"), bad, "{name}");
            assert_kinds(&played, &told["types"], &name);
        }
    }
}

/// A field that each sentence of its kind has a value for or misses.
const OF_EACH: [(&str, &[&str]); 11] = [
    ("MWV", &["MWV.angle_relative", "MWV.angle_true"]),
    ("MWD", &["MWD.direction_true"]),
    ("DBT", &["DBT.depth"]),
    ("DPT", &["DPT.depth"]),
    ("MTW", &["MTW.temperature"]),
    ("HDG", &["HDG.heading"]),
    ("VHW", &["VHW.heading_true"]),
    ("VTG", &["VTG.track_true"]),
    ("RMC", &["RMC.latitude"]),
    ("GGA", &["GGA.satellites"]),
    ("GLL", &["GLL.latitude"]),
];

fn assert_kinds(played: &Played, types: &Value, name: &str) {
    for (kind, fields) in OF_EACH {
        let of_kind = types.as_object().expect("counts").iter().filter(|(t, _)| t.ends_with(kind));
        let sentences: u64 = of_kind.filter_map(|(_, count)| count.as_u64()).sum();
        let summaries =
            fields.iter().filter_map(|field| played.summaries.get(&format!("log.{field}")));
        let mut summaries = summaries.peekable();
        // An instrument that never has a value makes no channel.
        if summaries.peek().is_none() {
            continue;
        }
        let readings = summaries.map(|summary| {
            let missing = summary["flags"]["missing"].as_u64().unwrap_or_default();
            missing + summary["n"].as_u64().unwrap_or_default()
        });
        assert_eq!(readings.sum::<u64>(), sentences, "{name}: {kind}");
    }
}

#[test]
fn what_the_recordings_are_known_to_say() {
    let logs = files("nmea", ".log");
    for (name, good, refused) in [
        // Every line begins with `$$`; one is damaged.
        ("st-teseo-liv4f.log", 329, &[("checksum", 1)][..]),
        // A sentence without its end, followed by the next on the same line.
        ("triton400.log", 28, &[("checksum", 1)]),
        // 16 sentences in each of 130 seconds, among binary messages.
        ("quectel-l76k-dual.log", 2_080, &[]),
        (
            "gp-320fw-2019-04-07-coldboot.log",
            91,
            &[("checksum", 35), ("malformed", 6), ("unchecked", 4), ("not_text", 1)],
        ),
    ] {
        let Some(path) = logs.get(name) else { continue };
        let played = played_everywhere(name, "nmea", &read(path));
        assert_eq!(played.count("frames_ok"), good, "{name}");
        let expected: BTreeMap<_, u64> = refused.iter().copied().collect();
        let found = played.ledger["frames_refused"].as_object().expect("reasons").iter();
        let found: BTreeMap<_, _> =
            found.map(|(why, count)| (why.as_str(), count.as_u64().expect("a count"))).collect();
        assert_eq!(found, expected, "{name}");
    }
    let Some(path) = logs.get("bundg_zeus_9.log") else { return };
    let played = played_everywhere("bundg_zeus_9.log", "nmea", &read(path));
    let knots = |field, key| played.summary(field, key) * 3_600.0 / 1_852.0;
    assert!((knots("MWD.speed", "mean") - 11.317_3).abs() < 5e-5);
    assert!((knots("MWD.speed", "max") - 11.8).abs() < 1e-9);
}

#[test]
fn batteries_and_solar_chargers() {
    for (name, good, truncated, hex) in
        [("bvm702.dump", 906, 0, 0), ("smartsolar_1.39.dump", 493, 1, 2)]
    {
        let logs = files("victron", ".dump");
        let Some(path) = logs.get(name) else { continue };
        let played = played_everywhere(name, "vedirect", &fs::read(path).expect("it is readable"));
        assert_eq!(played.count("frames_ok"), good, "{name}");
        let refused = ["truncated", "hex", "checksum"].map(|why| played.refused(why));
        assert_eq!(refused, [truncated, hex, 0], "{name}");
        // The sum that covers the voltage covers its line: millivolts, as `V<tab>12810`.
        assert!((10.0..15.0).contains(&played.summary("V", "mean")), "{name}");
    }
}

#[test]
fn smart_meters() {
    let mut readings = BTreeMap::new();
    for (name, path) in files("dsmr", ".txt") {
        let played = played_everywhere(&name, "dsmr", &read(&path));
        assert_eq!(played.count("frames_ok"), 1, "{name}: {}", played.ledger);
        assert_eq!(played.ledger["frames_refused"], serde_json::json!({}), "{name}");
        readings.insert(name, played);
    }
    let last = |telegram: &str, field: &str| {
        let played = readings.get(&format!("TELEGRAM_{telegram}.txt"))?;
        Some(played.summary(field, "last"))
    };
    for (telegram, field, value) in [
        ("V2_2", "mbus1.gas", 1.001),
        ("V2_2", "power_import", 1.01),
        ("V4_2", "energy_import_t1", 1_581.123),
        ("V4_2", "mbus1.gas", 981.443),
        ("V5", "voltage_l3", 229.0),
        ("V5", "mbus1.gas", 0.107),
        ("V5_TWO_MBUS", "mbus2.gas", 246.138),
        ("FLUVIUS_V171", "mbus1.gas", 112.384),
        ("FLUVIUS_V171", "mbus2.water", 872.234),
        ("FLUVIUS_V171", "demand_peak", 2.589),
        ("ISKRA_IE", "energy_export_t2", 10.282),
        ("UNPADDED_CRC", "mbus1.heat", 240.86),
        ("ESY5Q3DA1004_V304", "power_import_l1", 557.29),
    ] {
        let found = last(telegram, field);
        assert!(found.is_none_or(|found| found == value), "{telegram}: {field} is {found:?}");
    }
}
