//! A recorded log, played to the real program over a line, over the network, and as a file.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    net::{Ipv4Addr, UdpSocket},
    process::{Output, Stdio},
};

use serde_json::Value;

use super::{Daemon, Pty, number};
use crate::process::{Scratch, stillwell};

/// A window that holds a whole log, however it is played, and one that is told soon.
const WINDOWS: &str =
    "[defaults]\nwindows = [{ length = \"1h\", every = \"100ms\" }]\npercentiles = []\n";

/// What came of a log.
#[derive(Debug)]
pub(crate) struct Played {
    /// The books of the source, as if the input had ended.
    pub(crate) ledger: Value,
    /// Summaries of everything, by the channel's id.
    pub(crate) summaries: BTreeMap<String, Value>,
}

/// Plays a log over a pty, in UDP datagrams that are cuts of a stream, and from a file, cut at
/// other places each time; checks that all three say the same, and returns that.
pub(crate) fn played_everywhere(name: &str, format: &str, bytes: &[u8]) -> Played {
    let mut seed =
        name.bytes().fold(0x5EED_u64, |seed, byte| seed.rotate_left(5) ^ u64::from(byte));
    println!("{name}: {} bytes as {format}, seed {seed:#x}", bytes.len());
    let by_file = by_file(format, &cut(bytes, &mut seed));
    let by_pty = by_pty(format, &cut(bytes, &mut seed));
    let by_udp = by_udp(format, &cut(bytes, &mut seed));
    by_file.assert_same(&by_pty, &format!("{name} by pty"));
    by_file.assert_same(&by_udp, &format!("{name} by UDP"));
    by_file
}

fn source(kind: &str, format: &str) -> String {
    format!(
        "{WINDOWS}[[source]]\nname = \"log\"\nunknown = \"discover\"\nidle = \"100ms\"\n\
         format = \"{format}\"\n{kind}\n"
    )
}

/// Cuts bytes into pieces of 1 to 600, by a linear congruential generator (Knuth's MMIX).
fn cut<'a>(mut bytes: &'a [u8], seed: &mut u64) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        *seed =
            seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let length = 1 + (*seed >> 33) as usize % 600;
        let (piece, rest) = bytes.split_at(length.min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

fn by_pty(format: &str, pieces: &[&[u8]]) -> Played {
    let pty = Pty::open();
    let path = pty.path();
    let daemon = Daemon::start(&source(&format!("kind = \"serial\"\npath = {path:?}"), format));
    daemon.until("log", "up", |source| source["state"] == "up");
    pieces.iter().for_each(|piece| pty.write(piece));
    Played::of(&daemon, pieces)
}

fn by_udp(format: &str, pieces: &[&[u8]]) -> Played {
    let kind = "kind = \"udp\"\nlisten = \"127.0.0.1:0\"\nframing = \"stream\"";
    let daemon = Daemon::start(&source(kind, format));
    let address = daemon.address("log");
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    for piece in pieces {
        socket.send_to(piece, address).expect("the loopback takes it");
    }
    Played::of(&daemon, pieces)
}

fn by_file(format: &str, pieces: &[&[u8]]) -> Played {
    let dir = Scratch::new();
    let mut log = "#stillwell-log 1 stream\n".to_owned();
    for (record, piece) in pieces.iter().enumerate() {
        let at_ns = 1_767_225_600_000_000_000 + record as u64 * 1_000_000;
        write!(log, "{at_ns} ").expect("a string takes it");
        piece.iter().for_each(|byte| write!(log, "{byte:02x}").expect("a string takes it"));
        log.push('\n');
    }
    let log = dir.write("recorded.log", &log);
    let kind = format!("kind = \"replay\"\npath = {log:?}");
    let config = dir.write("config.toml", &source(&kind, format));
    let mut command = stillwell();
    command.arg("replay").arg(log).arg("--config").arg(config).arg("--ledger");
    let Output { status, stdout, stderr } =
        command.stdout(Stdio::piped()).output().expect("it starts");
    assert_eq!(status.code(), Some(0), "{}", String::from_utf8_lossy(&stderr));
    let lines = str::from_utf8(&stdout).expect("text").lines();
    let lines = lines.map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let mut lines: Vec<Value> = lines.collect();
    let ledger = lines.pop().expect("the ledger comes last");
    Played { ledger, summaries: by_id(lines) }
}

/// The last of the summaries of each channel.
fn by_id(summaries: Vec<Value>) -> BTreeMap<String, Value> {
    let id = |summary: &Value| summary["id"].as_str().expect("an id").to_owned();
    summaries.into_iter().map(|summary| (id(&summary), summary)).collect()
}

impl Played {
    /// Of a daemon that has been sent these pieces, when it has told all of them.
    fn of(daemon: &Daemon, pieces: &[&[u8]]) -> Self {
        let total: usize = pieces.iter().map(|piece| piece.len()).sum();
        daemon.until("log", "all bytes", |source| {
            number(&source["ledger"], "bytes_in") == total as u64
        });
        let told = |source: &Value| number(&source["ledger"], "in_open_panes") == 0;
        let mut ledger = daemon.until("log", "closed panes", told)["ledger"].clone();
        end(&mut ledger);
        let accepted = number(&ledger, "accepted");
        let summaries = crate::process::wait_for("summaries of everything", || {
            let reply = daemon.get("*");
            assert!(reply.get("next").is_none(), "all channels are in one reply");
            let summaries = by_id(reply["summaries"].as_array().expect("summaries").clone());
            let told: u64 = summaries.values().map(|summary| number(summary, "n")).sum();
            (told == accepted).then_some(summaries)
        });
        Self { ledger, summaries }
    }

    pub(crate) fn count(&self, key: &str) -> u64 {
        number(&self.ledger, key)
    }

    /// How many frames were refused for this reason.
    pub(crate) fn refused(&self, why: &str) -> u64 {
        super::refused(&self.ledger, "frames_refused", why)
    }

    /// A number in the summary of a field.
    pub(crate) fn summary(&self, field: &str, key: &str) -> f64 {
        let summary = self.summaries.get(&format!("log.{field}"));
        let summary = summary.unwrap_or_else(|| panic!("no {field}: {:?}", self.summaries.keys()));
        summary[key].as_f64().unwrap_or_else(|| panic!("no {key}: {summary}"))
    }

    fn assert_same(&self, other: &Self, what: &str) {
        for key in ["bytes_in", "bytes_in_frames", "bytes_skipped", "frames_in", "frames_ok"] {
            assert_eq!(self.count(key), other.count(key), "{what}: {key}");
        }
        for key in ["frames_silent", "frames_refused", "accepted", "readings_refused"] {
            assert_eq!(self.ledger[key], other.ledger[key], "{what}: {key}");
        }
        let with_readings = |played: &Self| -> Vec<String> {
            let told = played.summaries.iter().filter(|(_, summary)| 0 < number(summary, "n"));
            told.map(|(id, _)| id.clone()).collect()
        };
        assert_eq!(with_readings(self), with_readings(other), "{what}");
        for id in with_readings(self) {
            let (mine, theirs) = (&self.summaries[&id], &other.summaries[&id]);
            for key in ["unit", "n", "min", "max", "first", "last"] {
                assert_eq!(mine[key], theirs[key], "{what}: {key} of {id}");
            }
            let mean = |summary: &Value| summary["mean"].as_f64().expect("a mean");
            let scale = mean(mine).abs().max(1e-3);
            let difference = (mean(mine) - mean(theirs)).abs();
            assert!(difference <= 1e-9 * scale, "{what}: mean of {id}: {mine} {theirs}");
        }
    }
}

/// What is still waiting for its end becomes what it is at the end of a file: one frame that is
/// not whole.
fn end(ledger: &mut Value) {
    let waiting = number(ledger, "bytes_buffered");
    if waiting == 0 {
        return;
    }
    for (key, more) in [("bytes_in_frames", waiting), ("frames_in", 1)] {
        ledger[key] = (number(ledger, key) + more).into();
    }
    ledger["bytes_buffered"] = 0.into();
    let partial = super::refused(ledger, "frames_refused", "partial");
    ledger["frames_refused"]["partial"] = (partial + 1).into();
}
