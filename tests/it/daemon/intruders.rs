//! Floods of every kind against the real binary: what is live gets the same results as where nobody
//! floods, memory stays, the log says next to nothing, and every datagram is in the books.

use std::net::UdpSocket;

use rand::{Rng, RngExt, SeedableRng, rngs::ChaCha8Rng};
use serde_json::Value;
use stillwell::{
    daemon::clock::{Line, boot_ns},
    limits::LOG_EVERY_NS,
    wire::key::Key,
};

use crate::{
    process::Scratch,
    support::{Daemon, Device, number, refused},
};

const KEY: &str = "243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89";
const OTHER: &str = "452821e638d01377be5466cf34e90c6cc0ac29b7c97c50dd3f84d5b5b5470917";
/// Strangers of each kind.
const FLOOD: u64 = 20_480;
/// In so many parts.
const WAVES: u64 = 20;
/// Of each kind, before the daemon has to have taken them: few enough for a small receive buffer.
const AT_ONCE: u64 = 128;
const KINDS: u64 = 6;
/// More than allocators and tables settle down to, and far less than a flood would leave.
const GROWTH_BYTES: u64 = 16 << 20;

/// Sources of every kind that strangers can reach, each full with what is live.
fn config() -> String {
    let native = "time = \"device\"\nlateness = \"0s\"\nidle = \"1h\"\nformat = \"native\"\n";
    let full = |max: u8| format!("unknown = \"discover\"\ndiscover_max = {max}\n");
    let keyed = format!("{native}key_file = \"key\"\n");
    let sources = [
        ("plain", native, full(2)),
        ("locked", &keyed, full(2)),
        ("replayed", &keyed, full(2)),
        ("text", "format = \"text\"\n", full(1)),
    ];
    let sources = sources.map(|(name, format, more)| {
        let input = "kind = \"udp\"\nlisten = \"127.0.0.1:0\"\n";
        format!("[[source]]\nname = \"{name}\"\n{input}{format}{more}")
    });
    let windows = "[defaults]\nwindows = [\"1s\", \"10s\"]\n";
    format!("[daemon]\npublish = \"10ms\"\n{windows}{}", sources.concat())
}

/// One who sends to a source.
struct Sender<'a> {
    daemon: &'a Daemon,
    source: &'static str,
    socket: UdpSocket,
    sent: u64,
}

impl<'a> Sender<'a> {
    fn new(daemon: &'a Daemon, source: &'static str) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.connect(daemon.address(source)).expect("an address");
        Self { daemon, source, socket, sent: 0 }
    }

    fn send(&mut self, datagram: &[u8]) {
        self.socket.send(datagram).expect("sends");
        self.sent += 1;
    }

    /// Waits until all is taken; the ledger of then.
    fn settle(&self) -> Value {
        self.daemon.frames(self.source, self.sent)
    }
}

/// What is published of the windows of a source.
fn results(daemon: &Daemon, source: &str) -> Value {
    let mut reply = daemon.get(&format!("{source}.*"));
    assert_eq!(reply["summaries"].as_array().map(Vec::len), Some(4), "two channels: {reply:#}");
    reply["summaries"].take()
}

/// Frames of two live devices, each stamped 50 ms after the one before.
struct Live {
    devices: [Device; 2],
    made_us: u64,
}

impl Live {
    fn new(key: Option<&str>) -> Self {
        let key = key.map(|hex| Key::from_hex(hex).expect("a key"));
        let now_ns = Line::anchored().now_ns();
        let made_us = u64::try_from(now_ns / 1_000).expect("after 1970");
        Self { devices: [1, 2].map(|id| Device { key: key.clone(), ..Device::new(id) }), made_us }
    }

    fn frames(&mut self) -> [Vec<u8>; 2] {
        self.made_us += 50_000;
        let value = f64::from(self.devices[0].sequence.pow(2) % 97) / 7.0;
        self.devices.each_mut().map(|device| {
            device.made_us = Some(self.made_us);
            device.frame(&[value, value * 3.1])
        })
    }
}

const SOURCES: [&str; 4] = ["plain", "locked", "replayed", "text"];

/// Sends live frames to both daemons, and between them the strangers to one of them.
fn flood(quiet: &Daemon, flooded: &Daemon) -> [Value; 4] {
    let mut quiet = SOURCES.map(|source| Sender::new(quiet, source));
    let mut flooded = SOURCES.map(|source| Sender::new(flooded, source));
    let (mut plain, mut keyed) = (Live::new(None), Live::new(Some(KEY)));
    let other = Key::from_hex(OTHER).expect("a key");
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let mut recorded = Vec::new();
    for wave in 0..=WAVES {
        let frames = keyed.frames();
        let line = b"temperature:21.5".to_vec();
        let live = [&plain.frames()[..], &frames, &frames, &[line]].map(<[_]>::to_vec);
        for (sender, frames) in quiet.iter_mut().chain(&mut flooded).zip(live.iter().cycle()) {
            frames.iter().for_each(|frame| sender.send(frame));
            // One after the other, so that both daemons meet the channels in the same order.
            sender.settle();
        }
        recorded.extend(frames);
        for n in 0..if wave == WAVES { 0 } else { FLOOD / WAVES } {
            if n % AT_ONCE == 0 {
                flooded.iter().for_each(|sender| drop(sender.settle()));
            }
            let [plain, locked, replayed, text] = &mut flooded;
            plain.send(&Device::new(random.random_range(3..=u32::MAX)).frame(&[1e9]));
            plain.send(&noise(&mut random));
            let (boot, sequence) = (random.random(), random.random());
            let mut stranger = Device { boot, sequence, ..Device::new(1 + u32::from(boot % 2)) };
            locked.send(&stranger.frame(&[1e9]));
            stranger.key = Some(other.clone());
            locked.send(&stranger.frame(&[1e9]));
            replayed.send(&recorded[random.random_range(0..recorded.len())]);
            text.send(format!("x{:x}:1", random.random::<u64>()).as_bytes());
        }
    }
    flooded.map(|sender| sender.settle())
}

/// Bytes of any length that are no frame.
fn noise(random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = vec![0; random.random_range(1..200)];
    random.fill_bytes(&mut bytes);
    bytes[0] &= 0x7F;
    bytes
}

#[test]
fn floods_change_no_result_and_are_counted_to_the_last_datagram() {
    let [quiet, flooded] = [(); 2].map(|()| {
        let dir = Scratch::new();
        dir.write("key", KEY);
        Daemon::start_in(dir, &config())
    });
    let (log_before, began_ns) = (flooded.log().lines().count(), boot_ns());
    let rss = || number(&flooded.status(), "rss_bytes");
    let rss_before = rss();
    let ledgers = flood(&quiet, &flooded);
    let grown = rss().saturating_sub(rss_before);
    assert!(grown < GROWTH_BYTES, "{grown} bytes more");

    for source in &SOURCES[..3] {
        assert_eq!(results(&flooded, source), results(&quiet, source), "{source}");
    }
    assert_eq!(
        (&flooded.status()["channels"], &quiet.status()["channels"]),
        (&7.into(), &7.into())
    );

    let [plain, locked, replayed, text] = &ledgers;
    for (ledger, live, strangers) in
        [(plain, 2, 2 * FLOOD), (locked, 2, 2 * FLOOD), (replayed, 2, FLOOD), (text, 1, FLOOD)]
    {
        let frames = live * (WAVES + 1);
        assert_eq!(number(ledger, "datagrams"), frames + strangers, "{ledger:#}");
        assert_eq!(number(ledger, "kernel_dropped"), 0, "{ledger:#}");
        assert_eq!(number(ledger, "accepted"), frames * live, "{ledger:#}");
    }
    assert_eq!(refused(plain, "readings_refused", "cardinality"), FLOOD);
    let noise = plain["frames_refused"].as_object().expect("reasons");
    assert_eq!(noise.values().filter_map(Value::as_u64).sum::<u64>(), FLOOD, "{noise:?}");
    assert_eq!(refused(locked, "frames_refused", "forged"), FLOOD);
    assert_eq!(refused(locked, "frames_refused", "unauthenticated"), FLOOD);
    assert_eq!(refused(replayed, "readings_refused", "duplicate"), 2 * FLOOD);
    assert_eq!(refused(text, "readings_refused", "cardinality"), FLOOD);

    let lines = (flooded.log().lines().count() - log_before) as u64;
    let periods = 1 + (boot_ns() - began_ns) / LOG_EVERY_NS;
    let most = KINDS * u64::try_from(periods).expect("time goes on");
    assert!(lines <= most, "{lines} lines: {}", flooded.log());
    quiet.stop();
    flooded.stop();
}
