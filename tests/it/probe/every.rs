//! Every format on a line, over the network and in a file: named, and read by what is printed.

use std::{
    fs,
    net::{Ipv4Addr, UdpSocket},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
};

use serde_json::Value;
use stillwell::wire::{decode::Framing, log};

use super::{
    EVERY, Talker, assert_pastes, probe,
    tongues::{self, Tongue},
};
use crate::{
    process::{Scratch, stillwell},
    support::{Daemon, number},
};

/// Does something for each format, a few at a time, so that none of them is starved where there
/// are few cores.
fn for_each(check: impl Fn(&Tongue) + Sync) {
    for some in tongues::all().chunks(4) {
        thread::scope(|scope| {
            for tongue in some {
                scope.spawn(|| check(tongue));
            }
        });
    }
}

/// Probes a place, whose format must be named.
fn named(place: &str, tongue: &Tongue, more: &[&str]) -> String {
    let (code, toml, said) = probe(&[&[place], more].concat());
    assert_eq!(code, Some(0), "{}: {said}", tongue.name);
    assert!(toml.contains(tongue.toml), "{}: {toml}{said}", tongue.name);
    assert_pastes(&toml);
    toml
}

/// Runs a daemon with what was printed, to which the device goes on speaking.
fn assert_reads(toml: &str, tongue: &Tongue) {
    let name = toml.lines().find_map(|line| line.strip_prefix("name = ")).expect("a name");
    let daemon = Daemon::start(toml);
    let read = daemon.until(name.trim_matches('"'), "readings", |source| {
        4 * tongue.readings <= number(&source["ledger"], "accepted")
    });
    assert_readings(&read["ledger"], tongue);
    daemon.stop();
}

/// Each good frame has the readings that the device put into it, but for a first line without its
/// beginning.
fn assert_readings(ledger: &Value, tongue: &Tongue) {
    let readings = number(ledger, "frames_ok") * tongue.readings;
    let lacking = readings.checked_sub(number(ledger, "readings"));
    assert!(lacking < Some(tongue.readings), "{}: {ledger:#}", tongue.name);
    assert!(lacking.is_some(), "{}: {ledger:#}", tongue.name);
}

#[test]
fn on_a_line() {
    for_each(|tongue| {
        let talker = Talker::start(tongue.messages.concat(), tongue.baud);
        let path = talker.path().to_str().expect("UTF-8");
        // Longer than it takes: who understands does not wait for it.
        let toml = named(path, tongue, &["--seconds", "10"]);
        let baud = format!("baud = {}\n", tongue.baud);
        assert!(toml.contains(&baud), "{}: {toml}", tongue.name);
        assert_reads(&toml, tongue);
    });
}

/// Sends datagrams to an address until it is dropped.
pub(super) struct Sender {
    pub(super) address: String,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sender {
    pub(super) fn start(datagrams: Vec<Vec<u8>>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // An address that nobody else uses, since its port is given back for whoever listens.
        let [high, low, ..] = std::process::id().to_ne_bytes();
        let own = Ipv4Addr::new(127, high, low, 2 + COUNT.fetch_add(1, Relaxed) as u8);
        let address = UdpSocket::bind((own, 0)).and_then(|socket| socket.local_addr());
        let address = address.expect("a port").to_string();
        let (stop, target) = (Arc::<AtomicBool>::default(), address.clone());
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
            let mut datagrams = datagrams.iter().cycle();
            while !stopped.load(Relaxed) {
                // Nobody listens at first, which a socket may be told.
                let _ = socket.send_to(datagrams.next().expect("it goes round"), &target);
                thread::sleep(EVERY);
            }
        });
        Self { address, stop, thread: Some(thread) }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[test]
fn over_the_network() {
    for_each(|tongue| {
        let sender = Sender::start(tongue.messages.clone());
        let toml = named(&format!("udp://{}", sender.address), tongue, &[]);
        // A block that is stuffed for a line is no datagram.
        assert_eq!(toml.contains("framing = \"stream\""), tongue.name == "native", "{toml}");
        assert_reads(&toml, tongue);
    });
}

/// As when a serial line is tunnelled: the datagrams say nothing of where messages begin.
#[test]
fn over_the_network_in_pieces() {
    for_each(|tongue| {
        let bytes = tongue.messages.concat();
        let sender = Sender::start(bytes.chunks(37).map(<[u8]>::to_vec).collect());
        let toml = named(&format!("udp://{}", sender.address), tongue, &[]);
        assert!(toml.contains("framing = \"stream\""), "{}: {toml}", tongue.name);
        assert_reads(&toml, tongue);
    });
}

#[test]
fn in_a_file() {
    for_each(|tongue| {
        let dir = Scratch::new();
        let raw = dir.path("said.raw");
        fs::write(&raw, tongue.messages.concat()).expect("a file");
        let mut text = format!("{}\n", log::header(Framing::Stream));
        for (at, message) in tongue.messages.iter().enumerate() {
            log::write_line(1_700_000_000_000_000_000 + at as i64, message, &mut text);
        }
        let recorded = dir.write("said.log", &text);
        for path in [raw, recorded] {
            let path = path.to_str().expect("UTF-8");
            let toml = named(path, tongue, &[]);
            let config = dir.write("config.toml", &toml);
            let mut replay = stillwell();
            replay.args(["replay", path, "--ledger", "--config"]).arg(config);
            let output = replay.stdout(Stdio::piped()).output().expect("runs");
            let text = String::from_utf8(output.stdout).expect("text");
            let ledger: Value =
                serde_json::from_str(text.lines().last().expect("a ledger")).expect("JSON");
            assert_eq!(number(&ledger, "frames_ok"), tongue.messages.len() as u64, "{ledger:#}");
            assert_readings(&ledger, tongue);
        }
    });
}
