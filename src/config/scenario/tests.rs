//! Scenarios, whole and broken.

use super::*;
use crate::simulate::{
    FAULT_NAMES,
    scenario::{Fault, FaultKind, Waveform},
};

fn read(text: &str) -> Result<Scenario, String> {
    let path = Path::new("s.toml");
    let loader = |_: &Path| Ok("1f".repeat(32));
    parse(text, path, &Context::of(path, &loader)).map_err(|findings| {
        super::super::Errors::new(findings).lines().collect::<Vec<_>>().join("\n")
    })
}

const DEVICE: &str = "format = \"native\"\n[[device]]\nid = 17\nrate = 10\n";
const CHANNEL: &str =
    "[[device.channel]]\nname = \"t\"\nwaveform = { kind = \"constant\", value = 20 }\n";

fn with_waveform(waveform: &str) -> Result<Waveform, String> {
    let text = format!("{DEVICE}[[device.channel]]\nname = \"t\"\nwaveform = {waveform}\n");
    read(&text).map(|scenario| scenario.devices[0].channels[0].waveform.clone())
}

fn with_fault(keys: &str) -> Result<Fault, String> {
    read(&format!("{DEVICE}{CHANNEL}[[fault]]\nprobability = 0.5\n{keys}\n")).map(|s| s.faults[0])
}

#[test]
fn a_short_scenario_has_defaults() {
    let scenario = read(&format!("{DEVICE}{CHANNEL}")).expect("valid");
    let channel = Channel {
        name: "t".to_owned(),
        count: 1,
        unit: None,
        value_type: ValueType::F32,
        waveform: Waveform::Constant { value: 20.0 },
        noise: 0.0,
        resolution: None,
    };
    let device = Device {
        id: 17,
        count: 1,
        boot: 1,
        clock: DeviceClock::None,
        clock_skew_ppm: 0.0,
        clock_offset_ns: 0,
        rate_hz: 10.0,
        samples_per_frame: 1,
        phase: 0.0,
        time_error: 255,
        health: Health::Good,
        channels: vec![channel],
        faults: vec![],
    };
    let (format, devices) = (LineFormat::Native, vec![device]);
    assert_eq!(
        scenario,
        Scenario { format, key: None, seed: 1, duration_ns: None, devices, faults: vec![] }
    );
}

#[test]
fn reads_every_key_of_a_device() {
    let text = r#"
        format = "native"
        seed = 7
        duration = "10m"
        [[fault]]
        kind = "garbage"
        probability = 0.001
        [[device]]
        id = 1
        count = 3
        boot = 9
        clock = "utc"
        clock_skew_ppm = -20
        clock_offset = "-5s"
        rate = 0.5
        samples_per_frame = 4
        phase = 0.25
        time_error = 10
        health = "off-spec"
        [[device.channel]]
        name = "flow"
        count = 2
        unit = "L/min"
        type = "i16"
        noise = 0.1
        resolution = 0.01
        waveform = { kind = "noise", stddev = 1 }
        [[device.fault]]
        kind = "reset"
        probability = 0.01
    "#;
    let scenario = read(text).expect("valid");
    let device = &scenario.devices[0];
    assert_eq!((scenario.seed, scenario.duration_ns), (7, Some(600 * SECOND)));
    assert_eq!((device.id, device.count, device.boot), (1, 3, 9));
    assert_eq!((device.clock, device.clock_skew_ppm), (DeviceClock::Utc, -20.0));
    assert_eq!((device.clock_offset_ns, device.rate_hz), (-5 * SECOND, 0.5));
    assert_eq!((device.samples_per_frame, device.phase), (4, 0.25));
    assert_eq!((device.time_error, device.health), (10, Health::OffSpec));
    let channel = &device.channels[0];
    assert_eq!((channel.count, channel.unit.as_deref()), (2, Some("L/min")));
    assert_eq!((channel.value_type, channel.resolution), (ValueType::I16, Some(0.01)));
    assert_eq!(device.faults, [Fault { kind: FaultKind::Reset, probability: 0.01 }]);
    assert_eq!(scenario.faults, [Fault { kind: FaultKind::Garbage, probability: 0.001 }]);
}

#[test]
fn reads_every_waveform() {
    let period_ns = 10 * SECOND;
    let cases = [
        ("{ kind = \"constant\", value = -1.5 }", Waveform::Constant { value: -1.5 }),
        (
            "{ kind = \"sine\", offset = 20, amplitude = 2, period = \"10s\", phase = 0.5 }",
            Waveform::Sine { offset: 20.0, amplitude: 2.0, period_ns, phase: 0.5 },
        ),
        (
            "{ kind = \"triangle\", low = 0, high = 1, period = \"10s\" }",
            Waveform::Triangle { low: 0.0, high: 1.0, period_ns, phase: 0.0 },
        ),
        (
            "{ kind = \"sawtooth\", low = 0, high = 1, period = \"10s\" }",
            Waveform::Sawtooth { low: 0.0, high: 1.0, period_ns, phase: 0.0 },
        ),
        (
            "{ kind = \"random_walk\", start = 5, step = 0.1, min = 0, max = 10 }",
            Waveform::RandomWalk { start: 5.0, step: 0.1, min: 0.0, max: 10.0 },
        ),
        (
            "{ kind = \"steps\", levels = [1, 2.5], dwell = \"10s\" }",
            Waveform::Steps { levels: vec![1.0, 2.5], dwell_ns: period_ns },
        ),
        (
            "{ kind = \"day\", night = 0, noon = 900, sunrise = \"6h\", sunset = \"18h\" }",
            Waveform::Day {
                night: 0.0,
                noon: 900.0,
                sunrise_ns: 6 * 3_600 * SECOND,
                sunset_ns: 18 * 3_600 * SECOND,
            },
        ),
        ("{ kind = \"noise\", mean = 3, stddev = 1 }", Waveform::Noise { mean: 3.0, stddev: 1.0 }),
    ];
    for (text, waveform) in cases {
        assert_eq!(with_waveform(text), Ok(waveform), "{text}");
    }
}

#[test]
fn reads_every_fault() {
    let keys = |name: &str| match name {
        "dropout" | "stuck" | "burst" => "frames = 3",
        "spike" => "size = 5.5",
        "drift" => "per_second = 0.1\nframes = 3",
        "duplicate" | "reorder" => "distance = 2",
        "late_stamp" | "future_stamp" => "by = \"5s\"",
        "clock_skew" => "ppm = 200\nframes = 3",
        _ => "",
    };
    for name in FAULT_NAMES {
        let fault = with_fault(&format!("kind = \"{name}\"\n{}", keys(name)))
            .unwrap_or_else(|errors| panic!("{name}: {errors}"));
        assert_eq!((fault.kind.name(), fault.probability), (name, 0.5));
    }
    let (per_second, frames) = (0.1, 3);
    let drift =
        with_fault("kind = \"drift\"\nper_second = 0.1\nframes = 3").map(|fault| fault.kind);
    assert_eq!(drift, Ok(FaultKind::Drift { per_second, frames }));
}

#[test]
fn says_what_is_wrong() {
    let waveforms = [
        ("{ kind = \"sin\" }", "`kind` cannot be \"sin\""),
        ("{ kind = \"constant\" }", "`waveform` needs `value`"),
        (
            "{ kind = \"constant\", value = 1, period = \"1s\" }",
            "`period` does not fit this kind of waveform",
        ),
        ("{ kind = \"steps\", levels = [], dwell = \"1s\" }", "0 levels, where 1 to 1024 can be"),
        (
            "{ kind = \"steps\", levels = [\"a\"], dwell = \"1s\" }",
            "`levels` must be a list of numbers",
        ),
        (
            "{ kind = \"random_walk\", start = 5, step = 1, min = 0, max = 1 }",
            "a random walk needs",
        ),
        (
            "{ kind = \"day\", night = 0, noon = 1, sunrise = \"9h\", sunset = \"8h\" }",
            "`sunset` is not after `sunrise`",
        ),
        ("5", "`waveform` must be a table"),
    ];
    for (text, expected) in waveforms {
        let errors = with_waveform(text).expect_err(text);
        assert!(errors.contains(expected), "{text}\n{errors}");
    }
    let faults = [
        ("kind = \"dropout\"", "[[fault]] needs `frames`"),
        ("kind = \"dropout\"\nframes = 0", "`frames` is 0, which is not within 1 to 1000000"),
        ("kind = \"reorder\"\ndistance = 17", "`distance` is 17, which is not within 1 to 16"),
        ("kind = \"nan\"\nsize = 1", "`size` does not fit this kind of fault"),
        ("kind = \"late_stamp\"\nby = \"0s\"", "`by` is 0s, which is not within 1ns to 87840h"),
    ];
    for (keys, expected) in faults {
        let errors = with_fault(keys).expect_err(keys);
        assert!(errors.contains(expected), "{keys}\n{errors}");
    }
    let others = [
        (String::new(), "the scenario needs `format`"),
        ("format = \"native\"".to_owned(), "the scenario needs `device`"),
        (
            format!("{DEVICE}clock_offset = \"-99999h\"\n{CHANNEL}"),
            "s.toml:5:16: `clock_offset` is 99999h, which is not within -87840h to 87840h",
        ),
        (
            format!("{DEVICE}{}", CHANNEL.replace("\"t\"", "\"a:b\"")),
            "\"a:b\" cannot be the name of a channel",
        ),
        (format!("{DEVICE}{CHANNEL}unit = \"celsius\""), "`unit` \"celsius\" is no unit"),
    ];
    for (text, expected) in others {
        let errors = read(&text).expect_err(&text);
        assert!(errors.contains(expected), "{text}\n{errors}");
    }
}

#[test]
fn what_only_the_whole_shows_has_a_place_too() {
    let second = "[[device]]\nid = 16\ncount = 2\nrate = 1\n";
    let errors = read(&format!("{DEVICE}{CHANNEL}{second}{CHANNEL}")).expect_err("overlap");
    assert_eq!(errors, "s.toml:9:6: device[1].id takes 17, which another device has");
    let text = DEVICE.replace("native", "text") + "samples_per_frame = 2\n" + CHANNEL;
    let errors = read(&text).expect_err("text");
    assert!(errors.starts_with("s.toml:5:21: device[0].samples_per_frame must be 1"), "{errors}");
}
