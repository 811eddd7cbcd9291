//! Serial lines, for which pseudo terminals stand in: missing, wrong, unplugged in mid-frame.
//!
//! What a pseudo terminal cannot show is an error of the line itself: it has no baud rate to be
//! wrong, and counts no framing errors.

use std::{fs, path::Path};

use serde_json::Value;
use stillwell::{daemon::clock, limits::SECOND};

use crate::{
    process::Scratch,
    support::{Daemon, Device, Pty, Steady, number, refused},
};

fn port(name: &str, path: &Path, more: &str) -> String {
    format!(
        "[[source]]\nname = \"{name}\"\nkind = \"serial\"\npath = {path:?}\nunknown = \"discover\"\n\
         {more}\n"
    )
}

fn native(path: &Path) -> String {
    port("port", path, "format = \"native\"")
}

#[test]
fn a_device_that_comes_late_is_found_and_read() {
    let dir = Scratch::new();
    let link = dir.path("port");
    let config = format!("{}{}", Steady::CONFIG, native(&link));
    let daemon = Daemon::start_in(dir, &config);
    let steady = Steady::start(&daemon);
    let down = daemon.until("port", "down", |source| source["state"] == "down");
    let detail = down["detail"].as_str().expect("a reason");
    assert!(detail.contains(link.to_str().expect("UTF-8")), "{detail}");
    assert!(detail.contains("is not there"), "{detail}");
    let pty = Pty::open();
    pty.link(&link);
    daemon.until("port", "up", |source| source["state"] == "up");
    let mut device = Device::new(3);
    pty.write(&device.stuffed(&[1.0, 2.0]));
    pty.write(&device.stuffed(&[0.0, 4.0]));
    let ledger = daemon.frames("port", 2);
    assert_eq!(number(&ledger, "accepted"), 4, "{ledger:#}");
    assert_eq!(number(&ledger, "lost_on_the_way"), 0, "{ledger:#}");
    assert_eq!(daemon.get("port.*")["channels"][0]["value"], 4.0);
    steady.was_undisturbed(&daemon);
    daemon.stop();
}

/// Unplugged in the middle of a frame and plugged in again, under the same name but as another
/// device of the system.
#[test]
fn a_line_that_hangs_up_in_mid_frame_costs_that_frame() {
    let dir = Scratch::new();
    let link = dir.path("port");
    let first = Pty::open();
    first.link(&link);
    let config = format!("{}{}", Steady::CONFIG, native(&link));
    let daemon = Daemon::start_in(dir, &config);
    let steady = Steady::start(&daemon);
    daemon.until("port", "up", |source| source["state"] == "up");
    let mut device = Device::new(3);
    first.write(&device.stuffed(&[1.0]));
    let torn = device.stuffed(&[2.0]);
    let half = &torn[..torn.len() / 2];
    first.write(half);
    let buffered =
        |source: &Value| number(&source["ledger"], "bytes_buffered") == half.len() as u64;
    daemon.until("port", "half a frame", buffered);
    drop(first);
    let down = daemon.until("port", "down", |source| source["state"] == "down");
    assert_eq!(number(&down["ledger"], "bytes_buffered"), 0, "{down:#}");
    assert_eq!(refused(&down["ledger"], "frames_refused", "partial"), 1, "{down:#}");
    let second = Pty::open();
    second.link(&link);
    daemon.until("port", "up again", |source| source["state"] == "up");
    second.write(&device.stuffed(&[3.0]));
    let ledger = daemon.frames("port", 3);
    let count = |key| number(&ledger, key);
    assert_eq!((count("frames_ok"), count("accepted")), (2, 2), "{ledger:#}");
    assert_eq!((count("lost_on_the_way"), count("resets")), (1, 0), "{ledger:#}");
    assert_eq!(daemon.get("port.*")["channels"][0]["value"], 3.0);
    steady.was_undisturbed(&daemon);
    daemon.stop();
}

/// A board that is pulled out in mid-frame and put in again somewhere else: its directory of
/// stable names goes and comes with it, and the name leads to another terminal each time.
#[test]
fn a_board_plugged_in_elsewhere_goes_on_within_two_seconds() {
    let dir = Scratch::new();
    let by_id = dir.path("serial/by-id");
    let link = by_id.join("board");
    let daemon = Daemon::start_in(dir, &native(&link));
    let mut device = Device::new(3);
    let mut fastest_ns = i64::MAX;
    let (mut frames, mut held) = (0, Vec::new());
    for round in 1..=3 {
        daemon.until("port", "down", |source| source["state"] == "down");
        fs::create_dir_all(&by_id).expect("a directory");
        // Held, so that the next one has another number.
        held.push(Pty::open());
        let pty = Pty::open();
        let plugged_ns = clock::boot_ns();
        pty.link(&link);
        daemon.until("port", "up", |source| source["state"] == "up");
        fastest_ns = fastest_ns.min(clock::boot_ns() - plugged_ns);
        pty.write(&device.stuffed(&[f64::from(round)]));
        let torn = device.stuffed(&[0.0]);
        pty.write(&torn[..torn.len() / 2]);
        let half = |source: &Value| number(&source["ledger"], "bytes_buffered") != 0;
        daemon.until("port", "half a frame", half);
        drop(pty);
        fs::remove_dir_all(by_id.parent().expect("it has one")).expect("ours");
        frames += 2;
        let ledger = daemon.frames("port", frames);
        assert_eq!(refused(&ledger, "frames_refused", "partial"), frames / 2, "{ledger:#}");
        assert_eq!(number(&ledger, "accepted"), frames / 2, "{ledger:#}");
    }
    // The best of three: a host under load may be late, a daemon that only looks now and then is
    // late each time.
    assert!(fastest_ns < 2 * SECOND, "{fastest_ns} ns");
    daemon.stop();
}

/// Asked in its own way each time, a device that never speaks by itself.
#[test]
fn a_device_that_speaks_when_asked_is_asked() {
    let pty = Pty::open();
    let more = "format = \"text\"\non_open = { hex = \"1B 40\" }\npoll = \"T?\\r\\n\"\n\
                poll_every = \"20ms\"\nsilence = \"24h\"";
    let daemon = Daemon::start(&port("port", pty.path(), more));
    let mut heard = Vec::new();
    for answer in 1..=3 {
        let question = match answer {
            1 => &b"\x1b@T?\r\n"[..],
            _ => b"T?\r\n",
        };
        pty.hear(&mut heard, question.len());
        assert_eq!(heard, question);
        heard.clear();
        pty.write(format!("t={answer}\r\n").as_bytes());
        daemon.frames("port", answer);
    }
    assert_eq!(daemon.get("port.*")["channels"][0]["value"], 3.0);
    daemon.stop();
}

#[test]
fn a_line_says_whether_it_is_silent_or_garbled() {
    let pty = Pty::open();
    let more = "format = \"text\"\nsilence = \"100ms\"\ngarbled_after = 3";
    let config = format!("{}{}", Steady::CONFIG, port("port", pty.path(), more));
    let daemon = Daemon::start(&config);
    let steady = Steady::start(&daemon);
    let silent = daemon.until("port", "silent", |source| source["state"] == "silent");
    let detail = silent["detail"].as_str().expect("words");
    assert!(detail.contains("nothing has come for 100ms"), "{detail}");
    // Text with a parity bit, as a receiver of eight bits hears it.
    let with_parity = |byte: &u8| byte | if byte.count_ones().is_multiple_of(2) { 0 } else { 0x80 };
    let sent: Vec<u8> = b"temperature=21.5\n".iter().map(with_parity).collect();
    let newline = sent.iter().position(|byte| *byte == b'\n');
    assert_eq!(newline, Some(16), "a line end has an even number of ones");
    let garbled = daemon.until("port", "garbled", |source| {
        pty.write(&sent);
        source["state"] == "garbled"
    });
    let detail = garbled["detail"].as_str().expect("words");
    assert!(detail.contains("`data_bits = 7`, `parity = \"even\"`"), "{detail}");
    daemon.until("port", "up", |source| {
        pty.write(b"temperature=21.5\n");
        source["state"] == "up"
    });
    let log = {
        steady.was_undisturbed(&daemon);
        daemon.stop()
    };
    assert!(log.contains("The source is silent") || log.contains("The source is garbled"), "{log}");
}

/// What a terminal cannot do is refused where it would be wrong without, and told where not.
#[test]
fn a_port_that_cannot_switch_directions_is_not_used() {
    let pty = Pty::open();
    let daemon = Daemon::start(&port("port", pty.path(), "format = \"text\"\nrs485 = {}"));
    let down = daemon.until("port", "down", |source| source["state"] == "down");
    let detail = down["detail"].as_str().expect("words");
    assert!(detail.contains("does not switch the direction of RS-485"), "{detail}");
    daemon.stop();
    let more = "format = \"text\"\nlow_latency = true\ndtr = false";
    let daemon = Daemon::start(&port("port", pty.path(), more));
    let up = daemon.until("port", "up", |source| source["state"] == "up");
    let detail = up["detail"].as_str().expect("words");
    assert!(detail.ends_with("without a low-latency mode, without a DTR line"), "{detail}");
    daemon.stop();
}

/// As an open with a bad position in the middle of a stream: what is cut off is one broken frame.
#[test]
fn a_line_is_joined_in_mid_frame_and_split_anywhere() {
    let pty = Pty::open();
    let daemon = Daemon::start(&native(pty.path()));
    daemon.until("port", "up", |source| source["state"] == "up");
    let mut device = Device::new(3);
    let first = device.stuffed(&[1.0, 2.0]);
    let mut stream = first[first.len() / 3..].to_vec();
    for value in 0..50 {
        stream.extend(device.stuffed(&[f64::from(value), -1.0]));
    }
    // A byte at a time, as a slow line has it.
    stream.chunks(1).for_each(|byte| pty.write(byte));
    let ledger = daemon.frames("port", 51);
    assert_eq!(number(&ledger, "frames_ok"), 50, "{ledger:#}");
    assert_eq!(number(&ledger, "accepted"), 100, "{ledger:#}");
    assert_eq!(number(&ledger, "bytes_in"), stream.len() as u64, "{ledger:#}");
    daemon.stop();
}

/// What is no serial port is said to be none, for each in its own words, and is not touched.
#[test]
fn what_is_no_port_is_told_in_words() {
    let dir = Scratch::new();
    let file = dir.write("file", "not a port");
    let directory = dir.path("directory");
    fs::create_dir(&directory).expect("a new directory");
    let missing = dir.path("missing");
    let cases = [
        ("file", file.clone(), "not a serial port"),
        ("directory", directory, "directory"),
        ("null", "/dev/null".into(), "not a serial port"),
        ("missing", missing, "is not there"),
    ];
    let mut config = Steady::CONFIG.to_owned();
    for (name, path, _) in &cases {
        config += &port(name, path, "format = \"text\"");
    }
    let daemon = Daemon::start_in(dir, &config);
    let steady = Steady::start(&daemon);
    for (name, path, words) in &cases {
        let down = daemon.until(name, "down", |source| source["state"] == "down");
        let detail = down["detail"].as_str().expect("a reason");
        let path = path.to_str().expect("UTF-8");
        assert!(detail.contains(path) && detail.contains(words), "{name}: {detail}");
    }
    assert_eq!(fs::read(&file).expect("it is still there"), b"not a port");
    steady.was_undisturbed(&daemon);
    daemon.stop();
}
