//! A million readings with every fault there is: the ledger is what the simulator says it must be,
//! reason by reason, to the unit.

use std::{
    fmt::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
    sync::OnceLock,
};

use rustix::process::Signal;
use serde_json::Value;
use stillwell::{daemon::clock::Line, limits::SECOND};

use crate::process::{Scratch, look, shipped, stillwell};
use crate::support::{Daemon, Simulator, assert_as_reported, assert_balanced, number, refused};

/// The shipped scenario, played flat out: its time passes faster than that of the host, so it
/// begins far enough in the past to end there too.
struct Play {
    start: String,
    readings: String,
    boot: &'static str,
}

impl Play {
    fn of(readings: u64) -> Self {
        static START: OnceLock<i64> = OnceLock::new();
        let start_ns = *START.get_or_init(|| Line::anchored().now_ns() - 3_600 * SECOND);
        let start = jiff::Timestamp::from_nanosecond(start_ns.into()).expect("this century");
        Self { start: start.to_string(), readings: readings.to_string(), boot: "1" }
    }

    fn arguments<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let Self { start, readings, boot } = self;
        let common = ["--start", start, "--readings", readings, "--boot", boot];
        common.iter().chain(more).copied().collect()
    }

    /// Plays it into a file; the file, and the report, which the other ways out must repeat.
    fn rehearse(&self, dir: &Scratch) -> (PathBuf, Value) {
        let log = dir.path("rehearsal.log");
        let file = log.to_str().expect("a path in UTF-8");
        let report = Simulator::play(&scenario(), &self.arguments(&["--file", file]));
        (log, report)
    }
}

fn scenario() -> PathBuf {
    shipped("simulator/faults.toml")
}

/// A source that knows the devices and channels of the scenario, and none else.
fn plant(source: &str, report: &Value) -> String {
    let lateness_ns = report["expected"]["lateness_needed_ns"].as_i64().expect("a time");
    let mut config = format!(
        "[[source]]\nname = \"plant\"\nformat = \"native\"\ntime = \"device\"\nidle = \"1h\"\n\
         lateness = \"{lateness_ns}ns\"\n{source}\n"
    );
    for device in 1..=3 {
        for index in 0..=5 {
            writeln!(
                config,
                "[[channel]]\nid = \"d{device}.c{index}\"\nsource = \"plant\"\n\
                 device = {device}\nindex = {index}"
            )
            .expect("a string takes text");
        }
    }
    config
}

fn frames(report: &Value) -> u64 {
    number(&report["sent"], "frames")
}

fn assert_everything_happened(report: &Value) {
    for (fault, count) in report["faults"].as_object().expect("faults") {
        assert_ne!(count, 0, "{fault}: {report:#}");
    }
}

#[test]
fn a_million_readings_by_datagram_are_all_accounted_for() {
    let (dir, play) = (Scratch::new(), Play::of(1_000_000));
    let (_, planned) = play.rehearse(&dir);
    assert_everything_happened(&planned);
    let daemon = Daemon::start(&plant("kind = \"udp\"\nlisten = \"127.0.0.1:0\"", &planned));
    let address = daemon.address("plant").to_string();
    let send = ["--udp", &address, "--flat-out", "--rate", "8000"];
    let report = Simulator::play(&scenario(), &play.arguments(&send));
    assert_eq!(report["expected"], planned["expected"], "the way out changes nothing");
    let ledger = daemon.frames("plant", frames(&report));
    assert_eq!(ledger["datagrams"], report["sent"]["frames"], "{ledger:#}");
    assert_eq!(ledger["kernel_dropped"], 0, "{ledger:#}");
    assert_eq!(ledger["bytes_in"], report["sent"]["bytes"], "{ledger:#}");
    assert_as_reported(&ledger, &report, "device");
    daemon.stop();
}

#[test]
fn a_million_readings_by_serial_line_are_all_accounted_for() {
    let (dir, play) = (Scratch::new(), Play::of(1_000_000));
    let (_, planned) = play.rehearse(&dir);
    let link = dir.path("port").to_str().expect("a path in UTF-8").to_owned();
    let port = format!("kind = \"serial\"\npath = {link:?}\non_full = \"wait\"");
    let daemon = Daemon::start(&plant(&port, &planned));
    daemon.until("plant", "missing", |source| source["state"] == "down");
    let write = ["--pty", "--flat-out", "--link", &link];
    let report = Simulator::play(&scenario(), &play.arguments(&write));
    assert_eq!(report["expected"], planned["expected"], "the way out changes nothing");
    assert_eq!(report["sent"]["unread_bytes"], 0, "{report:#}");
    let ledger = daemon.frames("plant", frames(&report));
    assert_eq!(ledger["bytes_in"], report["sent"]["line_bytes"], "{ledger:#}");
    assert_as_reported(&ledger, &report, "device");
    daemon.until("plant", "down", |source| source["state"] == "down");
    assert_as_reported(&daemon.source("plant")["ledger"], &report, "device");
    daemon.stop();
}

#[test]
fn a_log_of_a_million_readings_is_replayed_to_the_same_ledger() {
    let (dir, play) = (Scratch::new(), Play::of(1_000_000));
    let (log, report) = play.rehearse(&dir);
    let config = dir.write("config.toml", &plant("kind = \"udp\"\nlisten = \"[::1]:9\"", &report));
    let mut replay = stillwell();
    replay.args(["replay", "--ledger", "--window", "1h"]).stdout(Stdio::piped());
    let first = finished(replay.arg("--config").arg(config).arg(log));
    let ledger = first.lines().last().expect("a ledger");
    let ledger = serde_json::from_str(ledger).expect("JSON");
    assert_as_reported(&ledger, &report, "device");
    assert_eq!(ledger["bytes_in"], report["sent"]["bytes"], "{ledger:#}");
    assert_eq!(ledger["in_open_panes"], 0, "{ledger:#}");
    assert!(1 < first.lines().count(), "results come before the ledger");
    assert_eq!(finished(&mut replay), first, "the same file, the same bytes");
}

fn finished(command: &mut Command) -> String {
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// A sender that is faster than the daemon loses datagrams in the kernel, and each is counted.
#[test]
fn what_the_kernel_drops_is_counted_to_the_datagram() {
    // The queue holds whatever comes: it is the kernel's drops that are looked at.
    let config = "[daemon]\nqueue = 65536\n\
        [[source]]\nname = \"plant\"\nkind = \"udp\"\nlisten = \"127.0.0.1:0\"\n\
        format = \"native\"\nunknown = \"discover\"\nreceive_buffer = \"4KiB\"\n";
    let daemon = Daemon::start(config);
    let address = daemon.address("plant").to_string();
    let flood = |boot| {
        let play = Play { boot, ..Play::of(200_000) };
        Simulator::play(&scenario(), &play.arguments(&["--udp", &address, "--flat-out"]))
    };
    // While it stands still, what does not fit the buffer is certain to be lost.
    daemon.signal(Signal::STOP);
    let first = flood("1");
    daemon.signal(Signal::CONT);
    let second = flood("2");
    let sent = frames(&first) + frames(&second);
    let arrived = look(|| {
        let status = daemon.status();
        let ledger = &status["sources"][0]["ledger"];
        let seen = number(ledger, "datagrams") + number(ledger, "kernel_dropped");
        (sent <= seen).then(|| status.clone())
    });
    let status = arrived.unwrap_or_else(|| panic!("of {sent}: {:#}", daemon.status()));
    let ledger = &status["sources"][0]["ledger"];
    let (datagrams, dropped) = (number(ledger, "datagrams"), number(ledger, "kernel_dropped"));
    assert_eq!(datagrams + dropped, sent, "{ledger:#}");
    assert!(frames(&first) - 1_000 < dropped, "the buffer holds few: {ledger:#}");
    assert_eq!(number(ledger, "frames_in"), datagrams, "{ledger:#}");
    assert_eq!(refused(ledger, "readings_refused", "queue_full"), 0, "{ledger:#}");
    assert_balanced(&status);
    daemon.stop();
}
