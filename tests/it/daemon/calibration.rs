//! Calibrations through the real binary: logs that are replayed, and a port that is tapped.

use std::{collections::BTreeMap, process::Stdio};

use serde_json::Value;

use super::tap::Tapper;
use crate::{
    process::{Scratch, stillwell},
    support::{Daemon, Pty},
};

/// The second before the new calibration of `scale` counts, since 1970.
const BEFORE_S: i64 = 1_767_225_599;

const CHANNELS: &str = r#"
[[channel]]
id = "oven"
source = "bench"
field = "tc"
calibration = { kind = "thermocouple", type = "K", cold_junction = "terminals", max_age = "10s" }
[[channel]]
id = "terminals"
source = "bench"
field = "pt"
unit = "[degF]"
calibration = { kind = "rtd", r0 = 1000 }
[[channel]]
id = "level"
source = "bench"
field = "ma"
unit = "m"
calibration = { kind = "current-loop", low = 0, high = 10 }
[[channel]]
id = "pulses"
source = "bench"
field = "n"
calibration = { kind = "counter", width = 32 }
[[channel]]
id = "scale"
source = "bench"
field = "g"
unit = "g"
calibration = [
  { kind = "linear", scale = 1.0, version = "old" },
  { kind = "linear", scale = 1.5, from = "2026-01-01T00:00:00Z", version = "new" },
]
[[channel]]
id = "room"
source = "bench"
field = "r"
unit = "[degF]"
raw_unit = "Cel"
"#;

/// What a replay of lines with their seconds after [`BEFORE_S`] gives: the results of the windows
/// of a second, by channel and second, and those of ten seconds by channel.
struct Played {
    seconds: BTreeMap<(String, i64), Value>,
    tens: BTreeMap<String, Value>,
}

fn play(lines: &[(i64, &str)]) -> Played {
    let dir = Scratch::new();
    let config = dir.write(
        "c.toml",
        &format!(
            "[defaults]\npane = \"1s\"\nwindows = [{{ length = \"1s\", every = \"1s\" }}, \
             {{ length = \"10s\", every = \"10s\" }}]\n[[source]]\nname = \"bench\"\n\
             kind = \"udp\"\nlisten = \"127.0.0.1:0\"\nformat = \"text\"\n{CHANNELS}"
        ),
    );
    let mut log = "#stillwell-log 1\n".to_owned();
    for (second, line) in lines {
        let hex: String = format!("{line}\n").bytes().map(|byte| format!("{byte:02x}")).collect();
        log.push_str(&format!("{} {hex}\n", (BEFORE_S + second) * 1_000_000_000));
    }
    let log = dir.write("bench.log", &log);
    let mut command = stillwell();
    command.arg("replay").arg(log).arg("--config").arg(config).arg("--json");
    let output = command.stdout(Stdio::piped()).output().expect("it starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let printed = String::from_utf8(output.stdout).expect("text");
    let mut played = Played { seconds: BTreeMap::new(), tens: BTreeMap::new() };
    for line in printed.lines() {
        let result: Value = serde_json::from_str(line).expect("JSON");
        let text = |key: &str| result[key].as_str().expect(key).to_owned();
        if text("window") == "10s" {
            played.tens.insert(text("id"), result);
        } else {
            let end: jiff::Timestamp = text("end").parse().expect("a time");
            played.seconds.insert((text("id"), end.as_second() - 1 - BEFORE_S), result);
        }
    }
    played
}

impl Played {
    /// The value of a second, and the flag of its one reading.
    fn at(&self, id: &str, second: i64) -> (Option<f64>, String) {
        let result = &self.seconds[&(id.to_owned(), second)];
        let flags = result["flags"].as_object().expect("flags").iter();
        let mut raised = flags.filter(|(_, n)| n.as_u64() == Some(1)).map(|(name, _)| name.clone());
        let flag = raised.next().expect("one reading");
        assert_eq!(raised.next(), None, "{result}");
        (result["last"].as_f64(), flag)
    }

    fn assert_value(&self, id: &str, second: i64, value: f64, flag: &str) {
        let (found, found_flag) = self.at(id, second);
        let found = found.unwrap_or_else(|| panic!("{id} at {second} has no value"));
        assert!((found - value).abs() < 5e-4, "{id} at {second}: {found} and not {value}");
        assert_eq!(found_flag, flag, "{id} at {second}");
    }

    fn assert_none(&self, id: &str, second: i64) {
        assert_eq!(self.at(id, second), (None, "fail".to_owned()), "{id} at {second}");
    }
}

/// 25 Cel by a Pt1000.
const PT: &str = "1097.3465625";

#[test]
fn a_log_is_calibrated_as_the_definitions_say() {
    let played = play(&[
        (-2, &format!("tc:12.0 pt:{PT} ma:12 n:4294967290 g:100 r:20")),
        (-1, &format!("tc:12.0 pt:{PT} ma:3.7 n:4294967295 g:100 r:21")),
        (0, "tc:99 ma:3.5 n:3 g:100 r:22"),
        (1, "tc:12.0 ma:21.5 n:10 g:100"),
        (2, "ma:20.6 n:2 g:100"),
        (3, "ma:nan n:5000000000"),
        (20, "tc:12.0 n:4"),
    ]);
    // The thermocouple, with its cold junction in Fahrenheit.
    played.assert_value("terminals", -2, 77.0, "not_evaluated");
    played.assert_value("oven", -2, 319.054, "not_evaluated");
    played.assert_none("oven", 0);
    played.assert_value("oven", 1, 319.054, "not_evaluated");
    played.assert_none("oven", 20);
    // The current loop.
    played.assert_value("level", -2, 5.0, "not_evaluated");
    played.assert_value("level", -1, -0.1875, "suspect");
    played.assert_none("level", 0);
    played.assert_none("level", 1);
    played.assert_value("level", 2, 10.375, "suspect");
    // The counter: its first reading, a step, a wrap, a step, a reset, nonsense, a step.
    played.assert_none("pulses", -2);
    played.assert_value("pulses", -1, 5.0, "not_evaluated");
    played.assert_value("pulses", 0, 4.0, "not_evaluated");
    played.assert_value("pulses", 1, 7.0, "not_evaluated");
    played.assert_value("pulses", 2, 2.0, "suspect");
    played.assert_none("pulses", 3);
    played.assert_value("pulses", 20, 2.0, "not_evaluated");
    // The calibration that changes with the year.
    played.assert_value("scale", 0, 100.0, "not_evaluated");
    played.assert_value("scale", 1, 150.0, "not_evaluated");
    // 20 to 22 Cel have a standard deviation of 1 K, which is 1.8 [degF].
    let room = &played.tens["room"];
    let number = |key: &str| room[key].as_f64().expect(key);
    assert!((number("mean") - 69.8).abs() < 1e-9, "{room}");
    assert!((number("stddev") - 1.8).abs() < 1e-9, "{room}");
}

/// The same bytes in a daemon: who looks on sees raw values, what became of them, and why.
#[test]
fn tap_shows_raw_values_and_why_there_is_none() {
    let port = Pty::open();
    let daemon = Daemon::start(&format!(
        "[[source]]\nname = \"bench\"\nkind = \"serial\"\npath = {:?}\nformat = \"text\"\n\
         {CHANNELS}",
        port.path()
    ));
    daemon.until("bench", "up", |source| source["state"] == "up");
    let mut tapper = Tapper::start(&daemon, r#"{"source":"bench"}"#);
    port.write(b"tc:12.0 ma:3.5 g:100\n");
    port.write(format!("tc:12.0 pt:{PT} ma:3.7\n").as_bytes());
    let frames = tapper.frames(2);
    let of = |frame: usize, id: &str| {
        let readings = frames[frame]["readings"].as_array().expect("readings");
        readings.iter().find(|reading| reading["id"] == id).expect(id).clone()
    };
    let alone = of(0, "oven");
    assert_eq!((&alone["raw"], &alone["verdict"]), (&12.0.into(), &"accepted".into()), "{alone}");
    assert_eq!(alone["flag"], "fail", "{alone}");
    assert_eq!(alone["reasons"], serde_json::json!(["companion"]), "{alone}");
    assert!(alone.get("value").is_none(), "{alone}");
    let broken = of(0, "level");
    assert_eq!(broken["reasons"], serde_json::json!(["current_loop"]), "{broken}");
    assert_eq!(of(0, "scale")["calibration"], "new");
    let oven = of(1, "oven");
    let celsius = oven["value"].as_f64().expect("a value");
    assert!((celsius - 319.054).abs() < 5e-4 && oven["raw"] == 12.0, "{oven}");
    assert_eq!((&oven["unit"], oven.get("reasons")), (&"Cel".into(), None), "{oven}");
    let saturated = of(1, "level");
    let metres = saturated["value"].as_f64().expect("a value");
    assert!((metres + 0.1875).abs() < 1e-9 && saturated["flag"] == "suspect", "{saturated}");
    // What failed shows its flag where a value would be.
    port.write(b"ma:3.5\n");
    tapper.frames(1);
    let live = crate::process::wait_for("the flag", || {
        let live = daemon.get("level")["channels"][0].clone();
        (live["flag"] == "fail").then_some(live)
    });
    assert_eq!(live["reasons"], serde_json::json!(["current_loop"]), "{live}");
    assert!(live.get("value").is_none(), "{live}");
    let listed = daemon.client().ask(r#"{"method":"List","parameters":{"channels":["scale"]}}"#);
    assert_eq!(listed["parameters"]["channels"][0]["calibration"], "new", "{listed}");
    daemon.stop();
}
