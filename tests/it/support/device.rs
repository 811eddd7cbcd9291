//! Devices that send native frames.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::Value;
use stillwell::wire::{
    cobs,
    frame::{BlockHead, Encoder, Header, Kind, TimeKind, ValueType},
    key::Key,
};

use super::{Daemon, number};

/// Configuration of a source that takes up whatever devices send to it.
pub(crate) const PLANT: &str = r#"
    [[source]]
    name = "plant"
    kind = "udp"
    listen = "127.0.0.1:0"
    format = "native"
    unknown = "discover"
"#;

/// A device with one channel, number 0.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) id: u32,
    pub(crate) boot: u16,
    pub(crate) sequence: u32,
    /// What it authenticates its frames with.
    pub(crate) key: Option<Key>,
    /// When what it sends was made, microseconds since 1970, if it has a clock.
    pub(crate) made_us: Option<u64>,
    /// Its judgement of itself: a code of NAMUR NE 107 as frames have it.
    pub(crate) health: u8,
}

impl Device {
    pub(crate) fn new(id: u32) -> Self {
        Self { id, boot: 1, sequence: 0, key: None, made_us: None, health: 0 }
    }

    /// Its next frame, as a datagram.
    pub(crate) fn frame(&mut self, values: &[f64]) -> Vec<u8> {
        self.frame_of(0, values)
    }

    /// Its next frame, with values of another channel than number 0.
    pub(crate) fn frame_of(&mut self, first_channel: u8, values: &[f64]) -> Vec<u8> {
        let header = Header {
            kind: Kind::Data,
            first_since_reset: false,
            authenticated: self.key.is_some(),
            health: self.health,
            device: self.id,
            boot: self.boot,
            time_kind: self.made_us.map_or(TimeKind::None, |_| TimeKind::Utc),
            time_error: 255,
            sequence: self.sequence,
            time_us: self.made_us.unwrap_or(0),
        };
        self.sequence += 1;
        let block = BlockHead {
            first_channel,
            channels: 1,
            value_type: ValueType::F64,
            samples: u16::try_from(values.len()).expect("a frame's worth"),
            dt_us: 1,
        };
        let mut buffer = vec![0; 64 + values.len() * 8];
        let mut encoder = Encoder::new(&mut buffer, &header).expect("the header is valid");
        encoder.block(block, None, values).expect("the buffer is large enough");
        let frame = match &self.key {
            None => encoder.finish(),
            Some(key) => encoder.finish_with_tag(|before| key.tag(before)),
        };
        frame.expect("the buffer is large enough").to_vec()
    }

    /// Its next frame, as it goes over a serial line.
    pub(crate) fn stuffed(&mut self, values: &[f64]) -> Vec<u8> {
        let frame = self.frame(values);
        let mut bytes = vec![0; cobs::encoded_bytes_max(frame.len())];
        let length = cobs::encode(&frame, &mut bytes).expect("the buffer is large enough");
        bytes.truncate(length);
        bytes.push(0);
        bytes
    }
}

/// A good device that goes on sending while something goes wrong elsewhere.
///
/// Its readings are the sequence numbers of its frames, three in each.
#[derive(Debug)]
pub(crate) struct Steady {
    sent: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Steady {
    /// Configuration of the source that it sends to, and of its channel.
    pub(crate) const CONFIG: &str = r#"
        [[source]]
        name = "steady"
        kind = "udp"
        listen = "127.0.0.1:0"
        format = "native"
        [[channel]]
        id = "steady"
        source = "steady"
        device = 7
        index = 0
    "#;

    /// Readings in each frame.
    pub(crate) const READINGS: u64 = 3;

    pub(crate) fn start(daemon: &Daemon) -> Self {
        Self::send_to(daemon.address("steady"), Duration::from_millis(4))
    }

    /// Sends a frame each `period`.
    pub(crate) fn send_to(address: SocketAddr, period: Duration) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let (sent, stop) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let (counted, stopped) = (Arc::clone(&sent), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            let mut device = Device::new(7);
            // On a busy machine the test may be over before this thread's first turn.
            while device.sequence == 0 || !stopped.load(Relaxed) {
                let value = f64::from(device.sequence);
                let frame = device.frame(&[value; Self::READINGS as usize]);
                if socket.send_to(&frame, address).is_err() {
                    return;
                }
                counted.fetch_add(1, Relaxed);
                thread::sleep(period);
            }
        });
        Self { sent, stop, thread }
    }

    /// Frames sent so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }

    /// Ends it; how many frames it sent.
    pub(crate) fn stop(self) -> u64 {
        self.stop.store(true, Relaxed);
        self.thread.join().expect("it does nothing that panics");
        self.sent.load(Relaxed)
    }

    /// Ends it, and checks that nothing disturbed the daemon in taking each of its frames.
    pub(crate) fn was_undisturbed(self, daemon: &Daemon) {
        let frames = self.stop();
        assert!(0 < frames);
        let ledger = daemon.frames("steady", frames);
        let count = |key| number(&ledger, key);
        assert_eq!(count("datagrams"), frames, "{ledger:#}");
        assert_eq!(count("frames_ok"), frames, "{ledger:#}");
        assert_eq!(count("accepted"), frames * Self::READINGS, "{ledger:#}");
        for key in ["kernel_dropped", "lost_on_the_way", "duplicates", "reordered", "resets"] {
            assert_eq!(count(key), 0, "{key}: {ledger:#}");
        }
        let live = &daemon.get("steady")["channels"][0];
        assert_eq!(live["value"], Value::from((frames - 1) as f64), "{live}");
    }
}
