//! Recordings: what is in them is what the daemon counted, or they say what they lack.

use std::{
    fs,
    net::UdpSocket,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    process::{Process, Scratch, stillwell, wait_for},
    support::{Daemon, Device, PLANT, Pty, Steady, number},
};

fn record(arguments: &[&str], file: &Path) -> Command {
    let mut command = stillwell();
    command.arg("record").args(arguments).arg(file);
    command
}

/// Starts to record a source of the daemon; when this returns, it does.
fn start(daemon: &Daemon, source: &str, name: &str, more: &[&str]) -> (Process, PathBuf) {
    let file = daemon.dir().path(name);
    let mut command = record(&[source], &file);
    command.args(more).arg("--socket").arg(daemon.socket());
    let mut process = Process::start(&mut command, daemon.dir());
    process.wait_for("the log", || file.exists().then_some(()));
    (process, file)
}

fn failed(mut command: Command) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command.stderr(Stdio::piped()).output().expect("runs");
    (status.code(), String::from_utf8(stderr).expect("text"))
}

/// The ledger of a replay of the log as a source of the configuration.
fn replayed(log: &Path, config: &Path, source: &str) -> Value {
    let mut command = stillwell();
    command.arg("replay").arg(log).arg("--config").arg(config);
    let output = command.args(["--source", source, "--ledger"]).stdout(Stdio::piped()).output();
    let printed = String::from_utf8(output.expect("runs").stdout).expect("text");
    let last = printed.lines().last().expect("a ledger");
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {last}"))
}

/// What the wire counted is the same in both.
fn assert_same_wire(replayed: &Value, ledger: &Value) {
    let keys =
        ["bytes_in", "bytes_in_frames", "frames_in", "frames_ok", "frames_refused", "readings"];
    for key in keys {
        assert_eq!(replayed[key], ledger[key], "{key}\nreplayed {replayed:#}\nlive {ledger:#}");
    }
}

/// Good lines and bad ones, a line that goes down within a frame and comes back, and datagrams
/// that are good and damaged.
#[test]
fn a_recording_replays_to_what_the_daemon_counted() {
    let dir = Scratch::new();
    let link = dir.path("port");
    let first = Pty::open();
    first.link(&link);
    let config = format!(
        r#"
        [[source]]
        name = "bench"
        kind = "serial"
        path = {link:?}
        format = "text"
        unknown = "discover"
        {PLANT}
        "#
    );
    let daemon = Daemon::start_in(dir, &config);
    daemon.until("bench", "up", |source| source["state"] == "up");
    let address = daemon.address("plant");
    let [before, torn_line, after] =
        [&b"t:1\nt:2 h:\xff\nnonsense\n# a comment\nt:3\n"[..], b"t:4,h:", b"t:5\nt:6\n"];
    let mut device = Device::new(3);
    let frames: Vec<_> = (0..50)
        .map(|at| {
            let mut frame = device.frame(&[f64::from(at)]);
            frame[10] ^= u8::from(at % 5 == 0);
            frame
        })
        .collect();
    let bytes = |pieces: &[&[u8]]| pieces.concat().len().to_string();
    let all = bytes(&[before, torn_line, after]);
    let (bench, bench_log) = start(&daemon, "bench", "bench.log", &["--bytes", &all]);
    let all = frames.concat().len().to_string();
    let (plant, plant_log) = start(&daemon, "plant", "plant.log", &["--bytes", &all]);

    first.write(before);
    daemon.frames("bench", 4);
    first.write(torn_line);
    let torn = |source: &Value| number(&source["ledger"], "bytes_buffered") == 6;
    daemon.until("bench", "half a line", torn);
    drop(first);
    daemon.until("bench", "down", |source| source["state"] == "down");
    let second = Pty::open();
    second.link(&link);
    daemon.until("bench", "up again", |source| source["state"] == "up");
    second.write(after);
    let ledger = daemon.frames("bench", 7);
    assert_eq!(ledger["frames_refused"]["partial"], 1, "{ledger:#}");

    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    for frame in &frames {
        socket.send_to(frame, address).expect("sends");
    }
    daemon.frames("plant", 50);
    for (process, log, name) in [(bench, bench_log, "bench"), (plant, plant_log, "plant")] {
        let (status, said) = process.ended();
        assert_eq!(status.code(), Some(0), "{said}");
        assert!(said.contains("records with"), "{said}");
        let ledger = daemon.source(name)["ledger"].take();
        assert_same_wire(&replayed(&log, &daemon.dir().path("config.toml"), name), &ledger);
    }
    daemon.stop();
}

#[test]
fn a_recorder_that_does_not_read_is_told_what_it_lacks_and_disturbs_nobody() {
    let config = format!(
        "{}\n[[source]]\nname = \"flood\"\nkind = \"udp\"\nlisten = \"127.0.0.1:0\"\n\
         format = \"text\"\nunknown = \"discover\"\n",
        Steady::CONFIG
    );
    let daemon = Daemon::start(&config);
    let steady = Steady::start(&daemon);
    let address = daemon.address("flood");
    let (recorder, log) = start(&daemon, "flood", "flood.log", &[]);
    recorder.signal(Signal::STOP);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let datagram = "a:1 b:2 c:3 d:4\n".repeat(500);
    let sent = 2_000;
    for count in 1..=sent {
        socket.send_to(datagram.as_bytes(), address).expect("sends");
        if count % 50 == 0 {
            daemon.frames("flood", count * 500);
        }
    }
    let ledger = daemon.frames("flood", sent * 500);
    assert_eq!(number(&ledger, "frames_ok"), sent * 500, "nobody waited: {ledger:#}");
    assert_eq!(number(&ledger, "accepted"), sent * 2_000, "{ledger:#}");
    recorder.signal(Signal::CONT);
    let comment = wait_for("the word of what is lacking", || {
        let text = fs::read_to_string(&log).expect("a log");
        text.lines().find(|line| line.starts_with("# lacking here: ")).map(str::to_owned)
    });
    let (status, said) = recorder.end(Signal::INT);
    assert_eq!(status.code(), Some(65), "{comment}: {said}");
    let lacking: u64 = said
        .split_once("stillwell: ")
        .and_then(|_| said.lines().last()?.split(' ').find_map(|word| word.parse().ok()))
        .expect("a number");
    let text = fs::read_to_string(&log).expect("a log");
    let records = text.lines().filter(|line| !line.starts_with('#')).count() as u64;
    assert_eq!(records + lacking, sent, "{said}");
    steady.was_undisturbed(&daemon);
    daemon.stop();
}

#[test]
fn a_recording_ends_by_itself_and_touches_no_file_that_exists() {
    let daemon = Daemon::start(Steady::CONFIG);
    let steady = Steady::start(&daemon);
    let (process, file) = start(&daemon, "steady", "a.log", &["--records", "20"]);
    let (status, said) = process.ended();
    assert_eq!(status.code(), Some(0), "{said}");
    let text = fs::read_to_string(&file).expect("a log");
    let records = text.lines().filter(|line| !line.starts_with('#')).count();
    assert!(20 <= records, "{text}");
    let socket = daemon.socket();
    let socket = ["--socket", socket.to_str().expect("UTF-8")];
    let again = |source: &str, file: &Path| {
        let mut command = record(&[source], file);
        command.args(socket);
        failed(command)
    };
    let (code, said) = again("steady", &file);
    assert_eq!((code, said.contains("exists and is left alone")), (Some(73), true), "{said}");
    assert_eq!(fs::read_to_string(&file).expect("a log"), text, "it is as it was");
    let other = daemon.dir().path("b.log");
    let (code, said) = again("stedy", &other);
    assert_eq!((code, said.contains("there is no source stedy")), (Some(65), true), "{said}");
    assert!(!other.exists(), "nothing begins before there is something to record");
    let (process, _) = start(&daemon, "steady", "c.log", &["--duration", "200ms"]);
    assert_eq!(process.ended().0.code(), Some(0));
    steady.was_undisturbed(&daemon);
    daemon.stop();
}

#[test]
fn a_port_is_recorded_without_a_daemon() {
    let dir = Scratch::new();
    let pty = Pty::open();
    let file = dir.path("port.log");
    let port = pty.path().to_str().expect("UTF-8");
    let mut command = record(&[port, "--bytes", "12", "--baud", "9600"], &file);
    let mut process = Process::start(&mut command, &dir);
    process.wait_for("the log", || file.exists().then_some(()));
    pty.write(b"t:1\nt:2\nt:3\n");
    let (status, said) = process.ended();
    assert_eq!(status.code(), Some(0), "{said}");
    let text = fs::read_to_string(&file).expect("a log");
    assert!(text.starts_with("#stillwell-log 1 stream\n"), "{text}");
    let config = "[[source]]\nname = \"port\"\nkind = \"replay\"\npath = \"port.log\"\n\
                  format = \"text\"\nunknown = \"discover\"\n";
    let ledger = replayed(&file, &dir.write("config.toml", config), "port");
    assert_eq!((number(&ledger, "frames_ok"), number(&ledger, "bytes_in")), (3, 12), "{text}");
    let (code, said) = failed(record(&["/dev/null"], &dir.path("no.log")));
    assert_eq!((code, said.contains("is not a serial port")), (Some(66), true), "{said}");
}
