//! Modbus devices of others' making, polled over a pseudo terminal and over TCP, on lines that are
//! late, lose and damage: no value ever lands on another register.

use std::{path::Path, process::Stdio};

use serde_json::Value;

use super::{
    discover::{client, ids, listed},
    tap::Tapper,
};
use crate::{
    process::{Process, Scratch, stillwell, wait_for},
    support::{Daemon, Devices, Faults, Line, ModbusMode as Mode, Pty, held, number, refused},
};

/// All that was ever read is in one window.
const WINDOW: &str = "[defaults]\nwindows = [{ length = \"1h\", every = \"100ms\" }]\n\
                      percentiles = []\nlateness = \"0s\"\n";

fn source(place: &str, more: &str) -> String {
    format!(
        "[[source]]\nname = \"line\"\nkind = \"modbus\"\n{place}\nunknown = \"discover\"\n{more}\n"
    )
}

fn serial(path: &Path, more: &str) -> String {
    source(&format!("path = {path:?}\nbaud = 115200"), more)
}

/// Registers whose names say where they are.
fn registers(device: u8, table: &str, addresses: impl IntoIterator<Item = u16>) -> String {
    let register = |address: u16| {
        format!(
            "[[source.register]]\nname = \"{device}.{table}.{address}\"\ndevice = {device}\n\
             table = \"{table}\"\naddress = {address}\ntype = \"u16\"\n"
        )
    };
    addresses.into_iter().map(register).collect()
}

/// Requests that look alike: only where they begin tells them apart.
fn alike() -> String {
    let mut text = String::new();
    for device in [1, 2] {
        for table in ["holding", "input"] {
            for start in [0, 100, 200] {
                text += &registers(device, table, start..start + 4);
            }
            text += &registers(device, table, [300, 302, 400]);
        }
    }
    text
}

/// Waits until all that was accepted is in the windows, and checks that each register has only
/// ever had its own value. Nothing may come meanwhile.
fn assert_each_at_its_own(daemon: &Daemon) {
    let summaries = wait_for("summaries of everything", || {
        let accepted = number(&daemon.source("line")["ledger"], "accepted");
        let reply = daemon.get("line.*");
        let summaries = reply["summaries"].as_array().expect("summaries").clone();
        let told: u64 = summaries.iter().map(|summary| number(summary, "n")).sum();
        (told == accepted).then_some(summaries)
    });
    let mut read = 0;
    for summary in &summaries {
        let id = summary["id"].as_str().expect("an id");
        let [_, device, table, address] = id.split('.').collect::<Vec<_>>()[..] else {
            panic!("{id}");
        };
        let (device, address) = (device.parse().expect("a device"), address.parse().expect("one"));
        let own = held(device, table, address);
        assert_eq!(
            (summary["min"].as_f64(), summary["max"].as_f64()),
            (Some(own), Some(own)),
            "{id}"
        );
        read += number(summary, "n");
    }
    assert!(100 < read, "only {read} values");
}

const HASTE: &str =
    "every = \"50ms\"\ntimeout = \"100ms\"\nquarantine = \"150ms\"\ngap = \"5ms\"\nretries = 2";

fn seed(default: u64) -> u64 {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(default);
    println!("seed {seed}");
    seed
}

#[test]
fn over_a_bad_serial_line_no_value_lands_on_another_register() {
    let Some(devices) = Devices::start(Mode::Rtu) else { return };
    let pty = Pty::open();
    let config = format!("{WINDOW}{}", serial(pty.path(), &format!("{HASTE}\n{}", alike())));
    // Some later than any quarantine.
    let faults = Faults { seed: Some(seed(7)), late_ms: (90, 400), ..Faults::default() };
    let line = Line::serial(pty, devices.address, faults);
    let daemon = Daemon::start(&config);
    let reasons = ["timeout", "checksum", "truncated", "unasked", "length"];
    let seen = |source: &Value| {
        let ledger = &source["ledger"];
        120 <= number(ledger, "frames_ok")
            && reasons.iter().all(|why| 0 < refused(ledger, "frames_refused", why))
    };
    let source = daemon.until("line", "120 replies and all kinds of others", seen);
    println!("{:?}\n{:#}", line.counts(), source["ledger"]["frames_refused"]);
    drop(line);
    assert_each_at_its_own(&daemon);
    daemon.stop();
}

#[test]
fn over_a_bad_connection_no_value_lands_on_another_register() {
    let Some(devices) = Devices::start(Mode::Tcp) else { return };
    let faults = Faults { seed: Some(seed(11)), late_ms: (90, 300), ..Faults::default() };
    let (line, address) = Line::network(Mode::Tcp, devices.address, faults);
    let place = format!("connect = \"{address}\"");
    let config = format!("{WINDOW}{}", source(&place, &format!("{HASTE}\n{}", alike())));
    let daemon = Daemon::start(&config);
    let reasons = ["timeout", "header", "unasked"];
    let seen = |source: &Value| {
        let ledger = &source["ledger"];
        40 <= number(ledger, "frames_ok")
            && reasons.iter().all(|why| 0 < refused(ledger, "frames_refused", why))
    };
    let source = daemon.until("line", "40 replies and all kinds of others", seen);
    println!("{:?}\n{:#}", line.counts(), source["ledger"]["frames_refused"]);
    assert!(1 < line.counts()["connection"], "nonsense ends a connection");
    drop(line);
    assert_each_at_its_own(&daemon);
    daemon.stop();
}

/// Behind a gateway that hands on what is on its serial line, frames and faults alike.
#[test]
fn over_a_bad_line_behind_an_address_no_value_lands_on_another_register() {
    let Some(devices) = Devices::start(Mode::Rtu) else { return };
    let faults = Faults { seed: Some(seed(13)), late_ms: (90, 400), ..Faults::default() };
    let (line, address) = Line::network(Mode::Rtu, devices.address, faults);
    let place = format!("connect = \"{address}\"\nmode = \"rtu\"");
    let config = format!("{WINDOW}{}", source(&place, &format!("{HASTE}\n{}", alike())));
    let daemon = Daemon::start(&config);
    let reasons = ["timeout", "checksum", "truncated", "unasked"];
    let seen = |source: &Value| {
        let ledger = &source["ledger"];
        60 <= number(ledger, "frames_ok")
            && reasons.iter().all(|why| 0 < refused(ledger, "frames_refused", why))
    };
    let source = daemon.until("line", "60 replies and all kinds of others", seen);
    println!("{:?}\n{:#}", line.counts(), source["ledger"]["frames_refused"]);
    assert_eq!(line.counts()["connection"], 1, "nonsense on a serial line ends no connection");
    drop(line);
    assert_each_at_its_own(&daemon);
    daemon.stop();
}

/// All tables, types and orders, as devices of others hold them.
#[test]
fn every_table_type_and_order_is_read() {
    let Some(devices) = Devices::start(Mode::Tcp) else { return };
    let (line, address) = Line::network(Mode::Tcp, devices.address, Faults::default());
    let cases = [
        ("holding", 100, "type = \"u16\"", 8_292.0),
        ("holding", 101, "type = \"u16\"\norder = \"dcba\"", f64::from(0x6520)),
        ("holding", 102, "type = \"i16\"\nscale = 0.1\noffset = -40", 829.4 - 40.0),
        ("holding", 103, "type = \"u16\"\nbits = [7, 4]", 6.0),
        ("input", 0, "type = \"u32\"", f64::from(0x2400_2401)),
        ("input", 2, "type = \"u32\"\norder = \"cdab\"", f64::from(0x2403_2402)),
        ("input", 4, "type = \"i32\"\norder = \"badc\"", f64::from(0x0424_0524)),
        ("input", 6, "type = \"i32\"\norder = \"dcba\"", f64::from(0x0724_0624)),
        ("input", 8, "type = \"f32\"", f64::from(f32::from_bits(0x2408_2409))),
        ("input", 10, "type = \"u64\"\norder = \"cdab\"", 0x240D_240C_240B_240A_u64 as f64),
        ("input", 14, "type = \"i64\"", 0x240E_240F_2410_2411_u64 as f64),
        ("input", 18, "type = \"f64\"", f64::from_bits(0x2412_2413_2414_2415)),
        ("coil", 9, "", 1.0),
        ("coil", 10, "", 0.0),
        ("discrete", 2, "", 1.0),
        ("discrete", 3, "", 0.0),
    ];
    let mut more = "every = \"50ms\"\ntimeout = \"5s\"\n".to_owned();
    for (table, address, lines, _) in &cases {
        more += &format!(
            "[[source.register]]\nname = \"{table}.{address}\"\ndevice = 1\ntable = \"{table}\"\n\
             address = {address}\nunit = \"V\"\n{lines}\n"
        );
    }
    let daemon = Daemon::start(&source(&format!("connect = \"{address}\""), &more));
    // A request for each table: what lies side by side is read at once.
    let ledger = daemon.frames("line", 8);
    assert_eq!(refused(&ledger, "frames_refused", "exception"), 0, "{ledger:#}");
    for (table, address, lines, expected) in cases {
        let id = format!("line.{table}.{address}");
        let live = wait_for("a value", || {
            daemon.get(&id)["channels"][0]["value"].as_f64().filter(|value| value.is_finite())
        });
        assert!((live - expected).abs() <= 1e-12 * expected.abs(), "{id} {lines}: {live}");
    }
    assert!(line.counts()["request"] < 100, "{:?}", line.counts());
    daemon.stop();
}

/// One device refuses some of what it is asked, another one is not there, and the third keeps
/// its period.
#[test]
fn who_refuses_and_who_is_absent_is_told_and_keeps_nobody() {
    let Some(devices) = Devices::start(Mode::Rtu) else { return };
    let pty = Pty::open();
    let more = format!(
        "every = \"100ms\"\ntimeout = \"500ms\"\nquarantine = \"50ms\"\n{}{}{}",
        registers(1, "holding", [5, 5_000]),
        registers(2, "input", [7]),
        registers(9, "holding", [0, 50]),
    );
    let config = serial(pty.path(), &more);
    let faults = Faults { absent: vec![9], ..Faults::default() };
    let line = Line::serial(pty, devices.address, faults);
    let daemon = Daemon::start(&config);
    let told = |source: &Value| {
        let detail = source["detail"].as_str().unwrap_or_default();
        detail.contains("device 9 does not answer")
            && detail.contains("device 1 refuses holding 5000 to 5000: illegal data address (2)")
    };
    let up = daemon.until("line", "what is wrong", told);
    assert_eq!(up["state"], "up", "{up:#}");
    let ledger = daemon
        .until("line", "a while", |source| 200 <= number(&source["ledger"], "frames_ok"))["ledger"]
        .clone();
    let exceptions = refused(&ledger, "frames_refused", "exception");
    assert!(50 < exceptions, "{ledger:#}");
    // Three in a row, and then after 1, 2, 4, … seconds.
    let timeouts = refused(&ledger, "frames_refused", "timeout");
    assert!((3..20).contains(&timeouts), "{ledger:#} {:?}", line.counts());
    assert_eq!(daemon.get("line.1.holding.5")["channels"][0]["value"], held(1, "holding", 5));
    assert_eq!(daemon.get("line.2.input.7")["channels"][0]["value"], held(2, "input", 7));
    daemon.stop();
}

#[test]
fn an_adapter_plugged_in_again_goes_on() {
    let Some(devices) = Devices::start(Mode::Rtu) else { return };
    let dir = Scratch::new();
    let link = dir.path("adapter");
    let more = format!("every = \"20ms\"\n{}", registers(1, "holding", 0..3));
    let config = serial(&link, &more);
    let daemon = Daemon::start_in(dir, &config);
    let mut frames = 0;
    for _ in 0..3 {
        let down = daemon.until("line", "down", |source| source["state"] == "down");
        let detail = down["detail"].as_str().expect("a reason");
        assert!(detail.contains("is not there") || detail.contains("hung up"), "{detail}");
        let before = frames;
        let pty = Pty::open();
        pty.link(&link);
        let line = Line::serial(pty, devices.address, Faults::default());
        let up = daemon.until("line", "up and read", |source| {
            before + 5 <= number(&source["ledger"], "frames_ok") && source["state"] == "up"
        });
        frames = number(&up["ledger"], "frames_ok");
        drop(line);
    }
    assert_eq!(daemon.get("line.1.holding.2")["channels"][0]["value"], held(1, "holding", 2));
    daemon.stop();
}

/// A recording holds what was asked, so that it replays to the same readings.
#[test]
fn a_recording_replays_to_the_same_readings() {
    let Some(devices) = Devices::start(Mode::Rtu) else { return };
    let pty = Pty::open();
    let more = format!("every = \"20ms\"\n{}", registers(1, "holding", 0..3));
    let config = serial(pty.path(), &more);
    let line = Line::serial(pty, devices.address, Faults::default());
    let daemon = Daemon::start(&config);
    let log = daemon.dir().path("line.log");
    let mut command = stillwell();
    command.args(["record", "line"]).arg(&log).args(["--records", "10", "--socket"]);
    let recorder = Process::start(command.arg(daemon.socket()), daemon.dir());
    let (status, said) = recorder.ended();
    assert_eq!(status.code(), Some(0), "{said}");
    drop(line);
    let mut command = stillwell();
    command.arg("replay").arg(&log).arg("--config").arg(daemon.dir().path("config.toml"));
    command.args(["--source", "line", "--ledger"]).stdout(Stdio::piped());
    let output = command.output().expect("runs");
    let printed = String::from_utf8(output.stdout).expect("text");
    let ledger: Value =
        serde_json::from_str(printed.lines().last().expect("a ledger")).expect("JSON");
    assert_eq!((number(&ledger, "frames_ok"), number(&ledger, "accepted")), (10, 30), "{ledger:#}");
    daemon.stop();
}

/// An exchange is shown as it was, and the channels of registers are made permanent as others.
#[test]
fn registers_are_shown_and_adopted() {
    let Some(devices) = Devices::start(Mode::Tcp) else { return };
    let place = format!("connect = \"{}\"", devices.address);
    let config = source(&place, &format!("every = \"100ms\"\n{}", registers(1, "holding", [5, 6])));
    let daemon = Daemon::start(&config);
    daemon.frames("line", 1);
    let shown = Tapper::start(&daemon, r#"{"source":"line"}"#).look();
    let frame = &shown[0];
    let hex = frame["hex"].as_str().expect("bytes");
    // Device 1 is asked for two registers from 5 on, and says 8197 and 8198.
    let (asked, answered) = ("00000006010300050002", "0000000701030420052006");
    assert!(hex.starts_with("0c") && hex[6..].starts_with(asked), "{frame}");
    assert!(hex.len() == 2 * (1 + 12 + 13) && hex.ends_with(answered), "{frame}");
    for (at, (id, raw)) in
        [("line.1.holding.5", 8_197.0), ("line.1.holding.6", 8_198.0)].iter().enumerate()
    {
        let reading = &frame["readings"][at];
        assert_eq!((&reading["id"], &reading["raw"]), (&(*id).into(), &(*raw).into()), "{frame}");
        assert_eq!(reading["verdict"], "accepted", "{frame}");
    }

    let adopted = client(&daemon, &["adopt"]);
    daemon.stop();
    let permanent = config.replace("unknown = \"discover\"", "") + &adopted;
    let daemon = Daemon::start(&permanent);
    daemon.frames("line", 2);
    let kept = listed(&daemon);
    assert_eq!(ids(&kept), ["line.1.holding.5", "line.1.holding.6"], "{adopted}");
    assert!(kept.iter().all(|channel| channel["discovered"] == false), "{kept:?}");
    assert_eq!(daemon.get("line.1.holding.6")["channels"][0]["value"], held(1, "holding", 6));
    let ledger = daemon.source("line")["ledger"].take();
    assert_eq!(refused(&ledger, "readings_refused", "unknown_channel"), 0, "{ledger:#}");
    daemon.stop();
}
