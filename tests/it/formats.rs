//! The formats of text against what others say of them, and against garbage.

mod devices;

use std::process::Command;

use proptest::prelude::*;
use serde_json::Value;
use stillwell::{
    engine::unit::Unit,
    wire::{
        Decoder, DeviceClock, FrameRefusal, Frames, WireTally,
        decode::{Format, Framing, Naming},
        influx::InfluxOptions,
        json::{JsonLayout, JsonOptions},
        senml::SenmlOptions,
        statsd::StatsdOptions,
        text::TextOptions,
    },
};

use crate::{process::has_tool, support::recorded};

fn any_name() -> Naming {
    Naming { known: Vec::new(), discover: 4_096 }
}

struct Fed {
    out: Frames,
    tally: WireTally,
    decoder: Decoder,
}

fn fed(format: &Format, framing: Framing, text: &[u8]) -> Fed {
    let mut decoder = Decoder::new(format, framing);
    let (mut out, mut tally) = (Frames::default(), WireTally::default());
    decoder.feed(text, 7, &mut out, &mut tally);
    decoder.finish(7, &mut out, &mut tally);
    Fed { out, tally, decoder }
}

impl Fed {
    fn values(&self) -> Vec<(String, u64)> {
        let name = |field| self.decoder.fields().name(field).map_or("?", |name| name).to_owned();
        self.out.samples.iter().map(|s| (name(s.field), s.value.to_bits())).collect()
    }
}

/// A text of the corpus, which may be no UTF-8.
fn bytes(text: &Value) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let Some(base64) = text["binary"].as_str() else {
        return text.as_str().expect("a text").as_bytes().to_vec();
    };
    let digits = base64.trim_end_matches('=').bytes();
    let (mut out, mut bits, mut held) = (Vec::new(), 0, 0_u32);
    for digit in digits {
        let digit = DIGITS.iter().position(|known| *known == digit).expect("a digit of base64");
        held = held << 6 | digit as u32;
        bits += 6;
        if 8 <= bits {
            bits -= 8;
            out.push((held >> bits) as u8);
        }
    }
    out
}

/// The readings of one expected line, named by the rule of the documents; its time.
fn expected(line: &Value) -> Vec<(Vec<u8>, f64)> {
    let mut prefix = bytes(&line["name"]);
    for tag in line["tags"].as_array().into_iter().flatten() {
        prefix.push(b'.');
        prefix.extend(bytes(&tag["value"]));
    }
    prefix.push(b'.');
    let field = |field: &Value| {
        let (kind, value) = field["value"].as_object()?.iter().next()?;
        let value = match (kind.as_str(), value) {
            ("string", _) => return None,
            (_, Value::Bool(truth)) => f64::from(u8::from(*truth)),
            (_, Value::Number(number)) => number.as_f64()?,
            (_, Value::String(number)) => number.parse().ok()?,
            (_, other) => panic!("a value: {other}"),
        };
        Some(([prefix.as_slice(), &bytes(&field["key"])].concat(), value))
    };
    line["fields"].as_array().expect("fields").iter().filter_map(field).collect()
}

/// All verdicts of the corpus of the authors of the protocol, and all values.
#[test]
fn the_corpus_of_line_protocol_is_decoded_as_its_authors_do() {
    let Some(path) = recorded("lineprotocol/corpus.json.gz") else { return };
    if !has_tool("gzip") {
        return;
    }
    let unpacked = Command::new("gzip").arg("-dc").arg(path).output().expect("gzip runs");
    let corpus: Value = serde_json::from_slice(&unpacked.stdout).expect("JSON");
    let cases = corpus["decode"].as_object().expect("cases");
    assert_eq!(cases.len(), 6_615);
    let format = Format::Influx(InfluxOptions { naming: any_name(), ..InfluxOptions::default() });
    let mut good = 0;
    for (key, case) in cases {
        let text = bytes(&case["input"]["text"]);
        for framing in [Framing::Datagram, Framing::Stream] {
            if text.is_empty() && framing == Framing::Datagram {
                continue;
            }
            let fed = fed(&format, framing, &text);
            let lines = case["output"]["result"].as_array();
            assert_eq!(fed.tally.refused_total() == 0, lines.is_some(), "{key}: {case:#}");
            let Some(lines) = lines else { continue };
            good += 1;
            assert_eq!(fed.tally.frames_ok, lines.len() as u64, "{key}");
            let values: Vec<_> = lines.iter().flat_map(expected).collect();
            let found: Vec<_> = fed.values();
            assert_eq!(found.len(), values.len(), "{key}");
            for ((name, bits), (expected_name, value)) in found.iter().zip(&values) {
                if name != "?" {
                    assert_eq!(name.as_bytes(), expected_name, "{key}");
                }
                let found = f64::from_bits(*bits);
                // The reader of the corpus is off by a bit at times, and knows no negative zero.
                let near = found == *value || bits.abs_diff(value.to_bits()) <= 1;
                assert!(near, "{key}: {found} {value}");
            }
            if case["input"]["precision"] == "1ns" {
                times(&fed, lines, &case["input"]["defaultTime"]);
            }
        }
    }
    assert_eq!(good, 2 * 396);
}

/// The time of each line, where it has one of its own.
fn times(fed: &Fed, lines: &[Value], default: &Value) {
    let mut samples = fed.out.samples.iter();
    for (head, line) in fed.out.heads.iter().zip(lines) {
        let time = match head.clock {
            DeviceClock::None => default,
            _ => &line["time"],
        };
        assert_eq!(&line["time"], time);
        for sample in samples.by_ref().take(head.samples as usize) {
            assert!(head.clock == DeviceClock::None || line["time"] == sample.at_ns);
        }
    }
}

/// Formats whose frames are lines, with good lines of each.
fn formats() -> Vec<(Format, [&'static str; 3])> {
    let layout = JsonLayout::default();
    vec![
        (
            Format::Text(TextOptions { naming: any_name(), timestamp: None }),
            ["t:21.5,h:45", "t=1 h=2", "t:-3e2"],
        ),
        (
            Format::Json(JsonOptions { naming: any_name(), layout }),
            [r#"{"t":21.5,"h":45}"#, r#"[{"t":1},{"a":{"b":[2]}}]"#, r#"{"t":-3e2}"#],
        ),
        (
            Format::Senml(SenmlOptions { naming: any_name() }),
            [r#"[{"n":"t","v":21.5}]"#, r#"[{"bn":"h","v":1},{"v":2}]"#, r#"[{"n":"t","v":-3e2}]"#],
        ),
        (
            Format::Influx(InfluxOptions { naming: any_name(), ..InfluxOptions::default() }),
            ["m t=21.5,h=45i", "m,a=b t=1 17", "m t=-3e2"],
        ),
        (
            Format::Statsd(StatsdOptions { naming: any_name(), ..StatsdOptions::default() }),
            ["t:21.5|g", "t:1:2|ms|@0.5", "h:3e2|c"],
        ),
    ]
}

proptest! {
    #[test]
    fn garbage_before_between_and_after_costs_only_the_garbage(
        order in prop::collection::vec(0..3_usize, 1..6),
        garbage in prop::collection::vec(prop::collection::vec(0xf5..=0xff_u8, 1..40), 7),
    ) {
        for (format, lines) in formats() {
            let mut clean = Vec::new();
            let mut dirty = Vec::new();
            for (at, line) in order.iter().enumerate() {
                clean.extend_from_slice(lines[*line].as_bytes());
                clean.push(b'\n');
                dirty.extend_from_slice(&garbage[at]);
                dirty.push(b'\n');
                dirty.extend_from_slice(lines[*line].as_bytes());
                dirty.push(b'\n');
            }
            dirty.extend_from_slice(&garbage[6]);
            let name = format.name();
            let good = fed(&format, Framing::Stream, &clean);
            prop_assert_eq!(good.tally.refused_total(), 0, "{}", name);
            let read = fed(&format, Framing::Stream, &dirty);
            prop_assert_eq!(read.values(), good.values(), "{}", name);
            let refused = order.len() as u64 + 1;
            prop_assert_eq!(read.tally.refused_total(), refused, "{}", name);
            prop_assert_eq!(read.tally.refused[FrameRefusal::NotText as usize], refused);
        }
    }
}

/// What the presets call units are units.
#[test]
fn units_that_the_presets_tell_are_understood() {
    let rtl_433: String = [
        "C", "F", "mi_h", "km_h", "m_s", "kts", "mm_h", "in_h", "mm", "cm", "km", "m", "in", "hPa",
        "kPa", "bar", "PSI", "inHg", "deg", "lux", "klx", "W_m2", "mV", "V", "mA", "A", "kWh",
        "Wh", "kW", "W", "VA", "kHz", "MHz", "Hz", "ppm", "ug_m3", "pct", "L",
    ]
    .map(|end| format!(",\"x_{end}\":1"))
    .concat();
    let rtl_433 = format!("{{\"model\":\"m\",\"humidity\":1,\"moisture\":1,\"freq\":1{rtl_433}}}");
    let row = "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18]";
    let tempest = ["obs_st", "obs_air", "obs_sky", "rapid_wind", "evt_strike"]
        .map(|kind| format!("{{\"type\":\"{kind}\",\"serial_number\":\"{kind}\",\"obs\":[{row}]}}"))
        .concat();
    let status = r#"{"type":"device_status","uptime":1,"voltage":1,"rssi":1,"hub_rssi":1}"#;
    let mut units = 0;
    for (layout, text) in
        [(JsonLayout::Rtl433, &rtl_433), (JsonLayout::Tempest, &(tempest + status))]
    {
        let format = Format::Json(JsonOptions { naming: any_name(), layout });
        let fed = fed(&format, Framing::Datagram, text.as_bytes());
        assert_eq!(fed.tally.refused_total(), 0, "{text}");
        let fields = fed.decoder.fields();
        for field in 0..fields.len() as u32 {
            if let Some(unit) = fields.unit(field) {
                units += 1;
                assert!(Unit::parse(unit).is_ok(), "{unit} of {:?}", fields.name(field));
            }
        }
    }
    assert!(80 < units, "{units}");
}
