//! `stillwell-sim` as people run it: into a file, to standard output, over UDP, over a pty.

use std::{
    fs,
    io::{BufRead, BufReader, ErrorKind, Read},
    net::UdpSocket,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use serde_json::Value;
use stillwell::wire::{
    Decoder, FrameRefusal, Frames, WireTally,
    decode::{Format, Framing, Naming},
    key::Key,
    native::NativeOptions,
    text::TextOptions,
};

/// What hangs for this long hangs for ever.
const DEADLINE: Duration = Duration::from_secs(60);

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("simulator").join(name)
}

fn simulator(scenario: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stillwell-sim"));
    command.arg(scenario).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn finished(mut command: Command) -> Output {
    let output = command.output().expect("the simulator starts");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    output
}

/// The report is the last line of what it is printed among.
fn report(printed: &[u8]) -> Value {
    let text = String::from_utf8(printed.to_vec()).expect("the report is text");
    let line = text.lines().last().expect("there is a report");
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"))
}

/// A directory of this test's own, gone at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("stillwell-simulator-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("the temporary directory takes another");
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn decode<'a>(
    format: &Format,
    framing: Framing,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> WireTally {
    let mut decoder = Decoder::new(format, framing);
    let mut tally = WireTally::default();
    let mut frames = Frames::default();
    for chunk in chunks {
        decoder.feed(chunk, 0, &mut frames, &mut tally);
        frames.clear();
    }
    decoder.finish(0, &mut frames, &mut tally);
    tally
}

fn assert_as_reported(tally: &WireTally, report: &Value) {
    let expected = &report["expected"];
    assert_eq!(Value::from(tally.frames_in), expected["frames_in"], "{report}");
    assert_eq!(Value::from(tally.frames_ok), expected["frames_ok"], "{report}");
    assert_eq!(Value::from(tally.readings), expected["readings"], "{report}");
    for (why, count) in FrameRefusal::ALL.iter().zip(tally.refused) {
        let want = expected["frames_refused"][why.name()].as_u64().unwrap_or(0);
        assert_eq!(count, want, "{}: {report}", why.name());
    }
}

/// Frames of a log, by the format's own description.
fn read_log(path: &Path) -> Vec<(i64, Vec<u8>)> {
    let text = fs::read_to_string(path).expect("the log was written");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("#stillwell-log 1"));
    let frame = |line: &str| {
        let (at_ns, hex) = line.split_once(' ').expect("a stamp and bytes");
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
        (at_ns.parse().expect("nanoseconds"), (0..hex.len()).step_by(2).map(byte).collect())
    };
    lines.map(frame).collect()
}

fn logged(scenario: &Path, more: &[&str]) -> (Vec<(i64, Vec<u8>)>, Value) {
    let scratch = Scratch::new();
    let path = scratch.file("play.log");
    let mut command = simulator(scenario);
    command.arg("--file").arg(&path).args(more);
    let report = report(&finished(command).stdout);
    (read_log(&path), report)
}

#[test]
fn the_shipped_scenarios_play_into_files_that_decode_as_reported() {
    for name in ["plant.toml", "faults.toml"] {
        let (frames, report) = logged(&shipped(name), &["--duration", "60s"]);
        let bytes = frames.iter().map(|(_, bytes)| bytes.as_slice());
        assert_as_reported(&decode(&Format::NATIVE, Framing::Datagram, bytes), &report);
        assert_eq!(report["ended"], "played");
        assert!(frames.is_sorted_by_key(|(at_ns, _)| *at_ns));
        let accepted = report["expected"]["arrival"]["accepted"].as_u64().unwrap();
        assert!(accepted > 1_000, "{report}");
    }
}

#[test]
fn a_scenario_with_a_key_plays_authenticated_frames() {
    let key = "a9".repeat(32);
    let scratch = Scratch::new();
    let faults = fs::read_to_string(shipped("faults.toml")).expect("is there");
    let scenario = scratch.file("keyed.toml");
    fs::write(&scenario, format!("key_file = \"plant.key\"\n{faults}")).expect("a file");
    fs::write(scratch.file("plant.key"), &key).expect("a file");
    let (frames, report) = logged(&scenario, &["--duration", "60s"]);
    let bytes = frames.iter().map(|(_, bytes)| bytes.as_slice());
    let format = Format::Native(NativeOptions { key: Key::from_hex(&key).ok() });
    assert_as_reported(&decode(&format, Framing::Datagram, bytes), &report);
    assert!(!report.to_string().contains(&key[..8]));
}

#[test]
fn a_file_depends_on_seed_and_scenario_alone() {
    let limit = ["--frames", "500"];
    let first = logged(&shipped("faults.toml"), &limit);
    assert_eq!(first, logged(&shipped("faults.toml"), &limit));
    assert_eq!(first.0.len(), 500);
    assert_eq!(first.0[0].0 / 1_000_000_000, 1_767_225_600);
    let other = logged(&shipped("faults.toml"), &["--frames", "500", "--seed", "2"]);
    assert_ne!(first.0, other.0);
    assert_eq!(other.1["seed"], 2);
}

#[test]
fn standard_output_is_a_serial_line_and_the_report_goes_beside_it() {
    let mut command = simulator(&shipped("faults.toml"));
    command.args(["--stdout", "--flat-out", "--readings", "20000"]);
    let output = finished(command);
    let report = report(&output.stderr);
    assert_as_reported(
        &decode(&Format::NATIVE, Framing::Stream, output.stdout.chunks(1_000)),
        &report,
    );
    assert_eq!(report["ended"], "readings");
    assert_eq!(report["sent"]["line_bytes"], output.stdout.len());
    assert!(report["expected"]["readings"].as_u64().unwrap() >= 20_000);
}

#[test]
fn text_is_lines() {
    let scratch = Scratch::new();
    let scenario = scratch.file("text.toml");
    fs::write(
        &scenario,
        r#"
        format = "text"
        duration = "20s"
        [[device]]
        id = 1
        rate = 50
        [[device.channel]]
        name = "t"
        resolution = 0.1
        waveform = { kind = "sine", offset = 21, amplitude = 2, period = "10s" }
        [[device.channel]]
        name = "h"
        waveform = { kind = "constant", value = 45 }
        [[fault]]
        kind = "garbage"
        probability = 0.05
        [[fault]]
        kind = "bad_crc"
        probability = 0.05
        [[fault]]
        kind = "truncation"
        probability = 0.05
        [[fault]]
        kind = "nan"
        probability = 0.05
        "#,
    )
    .unwrap();
    let mut command = simulator(&scenario);
    command.args(["--stdout", "--flat-out"]);
    let output = finished(command);
    let format = Format::Text(TextOptions {
        naming: Naming { known: Vec::new(), discover: 2 },
        timestamp: None,
    });
    let tally = decode(&format, Framing::Stream, output.stdout.chunks(77));
    let report = report(&output.stderr);
    assert_as_reported(&tally, &report);
    assert_eq!(report["expected"]["frames_refused"].as_object().unwrap().len(), 2, "{report}");
    let first = output.stdout.split(|&byte| byte == b'\n').next().unwrap();
    assert_eq!(String::from_utf8_lossy(first), "t:21,h:45");
}

#[test]
fn datagrams_arrive_as_reported() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut command = simulator(&shipped("faults.toml"));
    let address = socket.local_addr().unwrap().to_string();
    // The rate leaves the smallest socket buffer time to be read.
    command.args(["--udp", &address, "--flat-out", "--rate", "5000", "--frames", "2000"]);
    let child = Killed(command.spawn().unwrap());
    let mut datagrams = Vec::new();
    let mut buffer = [0; 65_536];
    while datagrams.len() < 2_000 {
        let n = crate::process::uninterrupted(|| socket.recv(&mut buffer))
            .expect("the next datagram comes");
        datagrams.push(buffer[..n].to_vec());
    }
    let report = report(&child.finished().stdout);
    let bytes = datagrams.iter().map(Vec::as_slice);
    assert_as_reported(&decode(&Format::NATIVE, Framing::Datagram, bytes), &report);
    assert_eq!(report["sent"]["unreachable"], 0);
    assert_eq!(report["ended"], "frames");
}

#[test]
fn nobody_listening_is_a_warning() {
    let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut command = simulator(&shipped("plant.toml"));
    command.args(["--udp", &free, "--flat-out", "--rate", "500", "--frames", "100"]);
    let output = finished(command);
    let warnings = String::from_utf8(output.stderr).unwrap();
    assert_eq!(warnings.matches("nobody listens").count(), 1, "{warnings}");
    let report = report(&output.stdout);
    assert_eq!(report["sent"]["frames"], 100);
    // Each that was sent came back. If the send that hears of it were not made again, only every
    // other would have been sent.
    assert!(report["sent"]["unreachable"].as_u64().unwrap() > 75, "{report}");
}

#[test]
fn a_pty_waits_for_its_reader_and_loses_nothing() {
    let scratch = Scratch::new();
    let link = scratch.file("port");
    let mut command = simulator(&shipped("faults.toml"));
    command.args(["--pty", "--flat-out", "--frames", "3000", "--link"]).arg(&link);
    let mut child = Killed(command.spawn().unwrap());
    let mut printed = BufReader::new(child.0.stdout.take().unwrap());
    let mut path = String::new();
    printed.read_line(&mut path).unwrap();
    assert_eq!(fs::read_link(&link).unwrap(), Path::new(path.trim()));
    let mut port = fs::File::open(&link).unwrap();
    let mut bytes = Vec::new();
    match port.read_to_end(&mut bytes) {
        // What a terminal says when the other end is gone.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {}
        other => drop(other.unwrap()),
    }
    let mut rest = Vec::new();
    printed.read_to_end(&mut rest).unwrap();
    let report = report(&rest);
    assert!(child.0.wait().unwrap().success());
    assert_as_reported(&decode(&Format::NATIVE, Framing::Stream, bytes.chunks(4_096)), &report);
    assert_eq!(report["sent"]["line_bytes"], bytes.len());
    assert_eq!(report["sent"]["unread_bytes"], 0);
    assert_eq!(fs::symlink_metadata(&link).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_signal_ends_it_with_the_report() {
    for signal in [rustix::process::Signal::INT, rustix::process::Signal::TERM] {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut command = simulator(&shipped("plant.toml"));
        command.arg("--udp").arg(socket.local_addr().unwrap().to_string());
        let child = Killed(command.spawn().unwrap());
        let first = crate::process::uninterrupted(|| socket.recv(&mut [0; 65_536]));
        first.expect("it plays");
        let pid = rustix::process::Pid::from_child(&child.0);
        rustix::process::kill_process(pid, signal).unwrap();
        let report = report(&child.finished().stdout);
        assert_eq!(report["ended"], "signal");
        assert!(report["sent"]["frames"].as_u64().unwrap() >= 1);
    }
}

#[test]
fn what_cannot_be_done_has_its_exit_code() {
    let code = |arguments: &[&str]| {
        let mut command = simulator(&shipped("plant.toml"));
        command.args(arguments).output().unwrap().status.code()
    };
    assert_eq!(code(&[]), Some(64));
    assert_eq!(code(&["--stdout", "--file", "x"]), Some(64));
    assert_eq!(code(&["--stdout", "--speed", "-1"]), Some(64));
    assert_eq!(code(&["--file", "play.log"]), Some(64), "a file without an end");
    assert_eq!(code(&["--file", "/nonexistent/play.log", "--frames", "1"]), Some(74));
    assert_eq!(code(&["--help"]), Some(0));
    let missing = simulator(Path::new("/nonexistent.toml")).arg("--stdout").output().unwrap();
    assert_eq!(missing.status.code(), Some(66));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("/nonexistent.toml"));
}

/// A process that does not outlive its test.
struct Killed(Child);

impl Killed {
    fn finished(mut self) -> Output {
        let mut stdout = Vec::new();
        let mut stderr = Vec::new();
        let out = self.0.stdout.as_mut().expect("it is piped");
        out.read_to_end(&mut stdout).expect("it is read");
        let errors = self.0.stderr.as_mut().expect("it is piped");
        errors.read_to_end(&mut stderr).expect("it is read");
        let status = self.0.wait().expect("it was started");
        assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
        Output { status, stdout, stderr }
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
