//! Sources with a key: what is taken, what is refused, and what outlives a restart.

use std::{fs, net::UdpSocket, process::Command};

use stillwell::wire::key::Key;

use super::reload::reload;
use crate::{
    process::{Scratch, did_not_run, shipped},
    support::{Daemon, Device, PLANT, number, refused},
};

const KEY: &str = "b7e151628aed2a6abf7158809cf4f3c762e7160f38b4da56a784d9045190cfef";

fn keyed(id: u32) -> Device {
    Device { key: Some(Key::from_hex(KEY).expect("a key")), ..Device::new(id) }
}

/// A directory with the key, and the configuration of a source that has it.
fn prepared() -> (Scratch, String) {
    let dir = Scratch::new();
    dir.write("plant.key", KEY);
    let daemon = format!("[daemon]\nstate_dir = {:?}\nstate_every = \"1s\"\n", dir.path("state"));
    (dir, format!("{daemon}{PLANT}key_file = \"plant.key\"\n"))
}

/// Sends datagrams, no faster than they are taken, and returns the ledger of then.
fn send(daemon: &Daemon, datagrams: &[Vec<u8>]) -> serde_json::Value {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(daemon.address("plant")).expect("an address");
    let mut due = number(&daemon.source("plant")["ledger"], "frames_in");
    for some in datagrams.chunks(64) {
        for datagram in some {
            socket.send(datagram).expect("sends");
        }
        due += some.len() as u64;
        daemon.frames("plant", due);
    }
    daemon.source("plant")["ledger"].clone()
}

/// What the code in docs/formats.md makes of these arguments; `None` without Python.
fn documented(frames: &str) -> Option<Vec<Vec<u8>>> {
    let page = fs::read_to_string(shipped("docs/formats.md")).expect("is there");
    let (_, code) = page.split_once("```python\n").expect("code");
    let (code, _) = code.split_once("```").expect("an end");
    let program = format!("{code}\nfor f in [{frames}]:\n    print(f.hex())\n");
    let Ok(output) = Command::new("python3").args(["-c", &program]).output() else {
        did_not_run("python3 is not installed");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).expect("digits");
    let byte = |pair: &[u8]| {
        u8::from_str_radix(str::from_utf8(pair).expect("digits"), 16).expect("hexadecimal")
    };
    Some(lines.lines().map(|line| line.as_bytes().chunks(2).map(byte).collect()).collect())
}

#[test]
fn what_the_documented_code_makes_is_taken_once() {
    let key = format!("bytes.fromhex(\"{KEY}\")");
    let frames = [(1, 0, 21.5), (1, 1, 22.5), (2, 0, 23.5)]
        .map(|(boot, sequence, value)| format!("frame({key}, 17, {boot}, {sequence}, {value}, 1)"));
    let forged = "frame(bytes(32), 17, 2, 1, 99, 1)";
    let Some(frames) = documented(&format!("{}, {forged}", frames.join(", "))) else { return };
    let (dir, config) = prepared();
    let daemon = Daemon::start_in(dir, &config);
    let ledger = send(&daemon, &frames);
    assert_eq!(number(&ledger, "accepted"), 6, "{ledger:#}");
    assert_eq!((number(&ledger, "resets"), number(&ledger, "lost_on_the_way")), (1, 0));
    assert_eq!(refused(&ledger, "frames_refused", "forged"), 1, "{ledger:#}");
    assert_eq!(daemon.get("plant.17.0")["channels"][0]["value"], 23.5);

    let ledger = send(&daemon, &[frames, vec![Device::new(17).frame(&[99.0])]].concat());
    assert_eq!(number(&ledger, "accepted"), 6, "{ledger:#}");
    assert_eq!(refused(&ledger, "readings_refused", "duplicate"), 6, "{ledger:#}");
    assert_eq!(refused(&ledger, "frames_refused", "forged"), 2, "{ledger:#}");
    assert_eq!(refused(&ledger, "frames_refused", "unauthenticated"), 1, "{ledger:#}");
    let told = daemon.status().to_string();
    let log = daemon.stop();
    for text in [told, log] {
        assert!(!text.to_lowercase().contains(&KEY[..8]), "{text}");
    }
}

#[test]
fn another_key_counts_from_a_reload_on_and_old_frames_stay_old() {
    const NEXT: &str = "9216d5d98979fb1bd1310ba698dfb5ac2ffd72dbd01adfb7b8e1afed6a267e96";
    let (dir, config) = prepared();
    let daemon = Daemon::start_in(dir, &config);
    let mut device = keyed(17);
    let recorded: Vec<_> = (0..3).map(|n| device.frame(&[f64::from(n)])).collect();
    let ledger = send(&daemon, &recorded);
    assert_eq!(number(&ledger, "accepted"), 3, "{ledger:#}");
    daemon.dir().write("plant.key", NEXT);
    let told = reload(&daemon, &config);
    assert!(!told.to_string().contains(&NEXT[..8]), "{told}");
    device.key = Key::from_hex(NEXT).ok();
    let ledger = send(&daemon, &[recorded, vec![device.frame(&[3.0])]].concat());
    assert_eq!(refused(&ledger, "frames_refused", "forged"), 3, "{ledger:#}");
    assert_eq!((number(&ledger, "accepted"), number(&ledger, "lost_on_the_way")), (4, 0));
    daemon.dir().write("plant.key", &NEXT[..62]);
    reload(&daemon, &config);
    let ledger = send(&daemon, &[device.frame(&[4.0])]);
    assert_eq!(number(&ledger, "accepted"), 5, "a broken key changes nothing: {ledger:#}");
    let log = daemon.stop();
    assert!(log.contains("31 bytes, fewer than 32"), "{log}");
    assert!(!log.contains(&NEXT[..8]), "{log}");
}

/// Who spoke for a device before there was a key cannot shut it out by what he said.
#[test]
fn what_was_heard_before_there_was_a_key_binds_nobody() {
    let (dir, config) = prepared();
    let daemon = Daemon::start_in(dir, &config.replace("key_file", "# key_file"));
    let mut anyone = Device { boot: 20_000, sequence: u32::MAX - 1, ..Device::new(17) };
    let ledger = send(&daemon, &[anyone.frame(&[1.0])]);
    assert_eq!(number(&ledger, "accepted"), 1, "{ledger:#}");
    let dir = daemon.stopped();
    let daemon = Daemon::start_in(dir, &config);
    let ledger = send(&daemon, &[keyed(17).frame(&[2.0])]);
    assert_eq!(number(&ledger, "accepted"), 2, "{ledger:#}");
    daemon.stop();
}

/// Whether it was stopped or killed: what was taken before is not taken again.
#[test]
fn old_frames_stay_old_over_a_restart() {
    for is_killed in [false, true] {
        let (dir, config) = prepared();
        let daemon = Daemon::start_in(dir, &config);
        let mut device = keyed(17);
        let mut recorded = Vec::new();
        // More starts than are remembered, and in each more frames than are.
        for boot in 65_533..=65_538_u32 {
            device.boot = boot as u16;
            device.sequence = 0;
            recorded.extend((0..70).map(|n| device.frame(&[f64::from(n)])));
        }
        let ledger = send(&daemon, &recorded);
        assert_eq!((number(&ledger, "accepted"), number(&ledger, "resets")), (420, 5));
        let dir = if is_killed {
            daemon.saved();
            daemon.killed()
        } else {
            daemon.stopped()
        };

        let daemon = Daemon::start_in(dir, &config);
        let ledger = send(&daemon, &recorded);
        assert_eq!(number(&ledger, "accepted"), 420, "{ledger:#}");
        assert_eq!(refused(&ledger, "readings_refused", "replayed"), 140, "{ledger:#}");
        assert_eq!(refused(&ledger, "readings_refused", "duplicate"), 280, "{ledger:#}");
        assert_eq!((number(&ledger, "duplicates"), number(&ledger, "resets")), (420, 5));
        let source = daemon.source("plant");
        let shown = &source["devices"][0];
        assert_eq!((&shown["boot"], number(shown, "frames")), (&2.into(), 840), "{shown:#}");
        let ledger = send(&daemon, &[device.frame(&[70.0])]);
        assert_eq!(number(&ledger, "accepted"), 421, "the device goes on: {ledger:#}");
        assert_eq!(number(&ledger, "lost_on_the_way"), 0, "{ledger:#}");
        daemon.stop();
    }
}
