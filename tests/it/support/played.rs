//! A log, played to the real program over a line, over the network, and as a file.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, UdpSocket},
    process::{Output, Stdio},
};

use serde_json::Value;
use stillwell::{
    limits::{MS, SECOND},
    wire::{decode::Framing, log},
};

use super::{Daemon, Pty, Random, number};
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

/// A log, and how it is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Log<'a> {
    /// Its name, of which a seed is made.
    pub(crate) name: &'a str,
    /// Keys of the source that say what its bytes mean.
    pub(crate) format: &'a str,
    /// Its messages, as a device sends them one after the other.
    pub(crate) messages: &'a [Vec<u8>],
    /// Whether a pause is what ends a message.
    pub(crate) paused: bool,
}

impl Log<'_> {
    /// Plays it over a pty, in UDP datagrams that are cuts of a stream, and from a file, cut at
    /// other places each time; checks that all three say the same, and returns that.
    pub(crate) fn played_as_stream(&self) -> Played {
        let mut random = Random::named(self.name);
        let by_file = self.by_file(Framing::Stream, &self.cut(&mut random));
        let by_pty = self.by_pty(&self.cut(&mut random));
        let by_udp = self.by_udp(Framing::Stream, &self.cut(&mut random));
        by_file.assert_same(&by_pty, &format!("{} by pty", self.name));
        by_file.assert_same(&by_udp, &format!("{} by UDP", self.name));
        by_file
    }

    /// Plays it in UDP datagrams of whole messages, and from a file of such datagrams; checks that
    /// both say the same, and returns that.
    pub(crate) fn played_as_datagrams(&self, messages_max: usize) -> Played {
        let mut random = Random::named(self.name);
        let mut datagrams = Vec::new();
        let mut rest = self.messages;
        while !rest.is_empty() {
            let (some, behind) = rest.split_at(rest.len().min(1 + random.below(messages_max)));
            datagrams.push(some.concat());
            rest = behind;
        }
        let by_file = self.by_file(Framing::Datagram, &datagrams);
        let by_udp = self.by_udp(Framing::Datagram, &datagrams);
        by_file.assert_same(&by_udp, &format!("{} by UDP", self.name));
        by_file
    }

    /// Pieces of 1 to 600 bytes; the messages themselves where pauses end them.
    fn cut(&self, random: &mut Random) -> Vec<Vec<u8>> {
        if self.paused {
            return self.messages.to_vec();
        }
        let bytes = self.messages.concat();
        let (mut rest, mut pieces) = (bytes.as_slice(), Vec::new());
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(rest.len().min(1 + random.below(600)));
            pieces.push(piece.to_vec());
            rest = behind;
        }
        pieces
    }

    fn by_pty(&self, pieces: &[Vec<u8>]) -> Played {
        let pty = Pty::open();
        let kind = format!("kind = \"serial\"\npath = {:?}", pty.path());
        let daemon = Daemon::start(&self.source(&kind));
        daemon.until("log", "up", |source| source["state"] == "up");
        self.send(&daemon, pieces, |piece| pty.write(piece));
        Played::of(&daemon, pieces)
    }

    fn by_udp(&self, framing: Framing, pieces: &[Vec<u8>]) -> Played {
        let framing = match framing {
            Framing::Stream => "stream",
            Framing::Datagram => "datagram",
        };
        let kind = format!("kind = \"udp\"\nlisten = \"127.0.0.1:0\"\nframing = \"{framing}\"");
        let daemon = Daemon::start(&self.source(&kind));
        let address = daemon.address("log");
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        self.send(&daemon, pieces, |piece| {
            socket.send_to(piece, address).expect("the loopback takes it");
        });
        Played::of(&daemon, pieces)
    }

    fn send(&self, daemon: &Daemon, pieces: &[Vec<u8>], send: impl Fn(&[u8])) {
        for (sent, piece) in pieces.iter().enumerate() {
            send(piece);
            if self.paused {
                daemon.frames("log", sent as u64 + 1);
            }
        }
    }

    fn by_file(&self, framing: Framing, pieces: &[Vec<u8>]) -> Played {
        let dir = Scratch::new();
        let mut log = format!("{}\n", log::header(framing));
        let step_ns = if self.paused { SECOND } else { MS };
        for (record, piece) in pieces.iter().enumerate() {
            let at_ns = 1_767_225_600 * SECOND + record as i64 * step_ns;
            log::write_line(at_ns, piece, &mut log);
        }
        let log = dir.write("played.log", &log);
        let kind = format!("kind = \"replay\"\npath = {log:?}");
        let config = dir.write("config.toml", &self.source(&kind));
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

    fn source(&self, kind: &str) -> String {
        format!(
            "{WINDOWS}[[source]]\nname = \"log\"\nunknown = \"discover\"\nidle = \"100ms\"\n\
             {kind}\n{}\n",
            self.format
        )
    }
}

/// The last of the summaries of each channel.
fn by_id(summaries: Vec<Value>) -> BTreeMap<String, Value> {
    let id = |summary: &Value| summary["id"].as_str().expect("an id").to_owned();
    summaries.into_iter().map(|summary| (id(&summary), summary)).collect()
}

impl Played {
    /// Of a daemon that has been sent these pieces, when it has told all of them.
    fn of(daemon: &Daemon, pieces: &[Vec<u8>]) -> Self {
        let total: usize = pieces.iter().map(Vec::len).sum();
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
