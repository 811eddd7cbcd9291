//! Serial lines, for which pseudo terminals stand in: missing, wrong, unplugged in mid-frame.
//!
//! What a pseudo terminal cannot show is an error of the line itself: it has no baud rate to be
//! wrong, and counts no framing errors.

use std::{fs, path::Path};

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
    let buffered = |source: &serde_json::Value| {
        number(&source["ledger"], "bytes_buffered") == half.len() as u64
    };
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
