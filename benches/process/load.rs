//! What is sent, and how fast.
#![allow(dead_code, reason = "one of the two benches that send does not pace")]

use std::{
    io::{self, Write},
    net::{SocketAddr, UdpSocket},
    thread,
    time::Duration,
};

use nix::sys::socket::{setsockopt, sockopt::UdpGsoSegment};
use stillwell::{
    daemon::clock::boot_ns,
    limits::{MS, SECOND},
    wire::frame::{BlockHead, Encoder, Header, Kind, TimeKind, ValueType},
};

/// Channels of one device, which is as many readings as a full datagram of native frames has.
pub(crate) const CHANNELS_PER_DEVICE: usize = 50;
/// Most datagrams in one call of the sender; the peers were measured with bursts of 32.
const BURST: usize = 32;
/// A UDP packet before the kernel cuts it.
const PACKET_BYTES: usize = 65_000;
/// The sender looks at the clock again after this time at the latest.
const PAUSE_NS: i64 = MS / 10;

/// What a datagram carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Payload {
    /// A native frame of so many 16-bit readings: one, or one of each channel of a device.
    Native(usize),
    /// So many lines such as `s00042:21.37|ms`: only of timers do the peers tell all statistics.
    Statsd(usize),
}

impl Payload {
    pub(crate) fn readings(self) -> usize {
        match self {
            Self::Native(readings) | Self::Statsd(readings) => readings,
        }
    }

    pub(crate) fn format(self) -> &'static str {
        match self {
            Self::Native(_) => "native",
            Self::Statsd(_) => "statsd",
        }
    }
}

/// A sender: all channels in turn, as a scan of sensors goes.
#[derive(Debug)]
pub(crate) struct Load {
    payload: Payload,
    channels: usize,
    socket: UdpSocket,
    /// Datagrams of one call at most.
    burst: usize,
    /// Next sequence number of each device.
    sequences: Vec<u32>,
    /// Next channel.
    channel: usize,
    /// Makes neighbouring values differ.
    noise: u32,
    packet: Vec<u8>,
}

/// What went out.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sent {
    pub(crate) datagrams: u64,
    pub(crate) readings: u64,
    pub(crate) elapsed_ns: i64,
}

impl Sent {
    /// Readings a second.
    pub(crate) fn rate(&self) -> f64 {
        self.readings as f64 * 1e9 / self.elapsed_ns as f64
    }
}

impl Load {
    /// A sender to `to`. All datagrams have one size, so that the kernel can cut them from one
    /// packet (UDP_SEGMENT): the cost of sending is not what is measured here.
    pub(crate) fn new(payload: Payload, channels: usize, to: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(to)?;
        let mut load = Self {
            payload,
            channels,
            socket,
            burst: 1,
            sequences: vec![0; channels.div_ceil(CHANNELS_PER_DEVICE)],
            channel: 0,
            noise: 1,
            packet: Vec::with_capacity(PACKET_BYTES),
        };
        load.append();
        let bytes = load.packet.len();
        load.packet.clear();
        load.burst = BURST.min(PACKET_BYTES / bytes);
        let segment = i32::try_from(bytes).map_err(io::Error::other)?;
        setsockopt(&load.socket, UdpGsoSegment, &segment)?;
        Ok(load)
    }

    pub(crate) fn readings_per_datagram(&self) -> u64 {
        self.payload.readings() as u64
    }

    /// Sends `rate` readings a second for a time.
    pub(crate) fn send(&mut self, rate: f64, for_ns: i64) -> io::Result<Sent> {
        let start_ns = boot_ns();
        let mut sent = Sent::default();
        loop {
            sent.elapsed_ns = boot_ns() - start_ns;
            if for_ns <= sent.elapsed_ns {
                return Ok(sent);
            }
            let due = (rate * sent.elapsed_ns as f64 / SECOND as f64) as u64;
            if due <= sent.readings {
                thread::sleep(Duration::from_nanos(PAUSE_NS.unsigned_abs()));
                continue;
            }
            // No more than what is due: a paced sender does not overwhelm by its own bursts.
            let per_datagram = self.readings_per_datagram();
            let wanted = (due - sent.readings).div_ceil(per_datagram);
            let datagrams = self.send_some(wanted)?;
            sent.datagrams += datagrams;
            sent.readings += datagrams * per_datagram;
        }
    }

    /// Sends so many datagrams at once.
    pub(crate) fn burst(&mut self, datagrams: u64) -> io::Result<()> {
        let mut sent = 0;
        while sent < datagrams {
            sent += self.send_some(datagrams - sent)?;
        }
        Ok(())
    }

    /// Sends as many as asked for, or as one call takes.
    fn send_some(&mut self, wanted: u64) -> io::Result<u64> {
        let datagrams = wanted.min(self.burst as u64);
        (0..datagrams).for_each(|_| self.append());
        self.socket.send(&self.packet)?;
        self.packet.clear();
        Ok(datagrams)
    }

    fn append(&mut self) {
        match self.payload {
            Payload::Native(readings) => self.append_frame(readings),
            Payload::Statsd(readings) => self.append_lines(readings),
        }
    }

    fn append_frame(&mut self, readings: usize) {
        let (device, index) =
            (self.channel / CHANNELS_PER_DEVICE, self.channel % CHANNELS_PER_DEVICE);
        let mut values = [0.0; CHANNELS_PER_DEVICE];
        values[..readings].iter_mut().for_each(|value| *value = self.value());
        self.channel = (self.channel + readings) % self.channels;
        let header = Header {
            kind: Kind::Data,
            first_since_reset: false,
            authenticated: false,
            health: 0,
            device: device as u32,
            boot: 1,
            time_kind: TimeKind::None,
            time_error: 255,
            sequence: self.sequences[device],
            time_us: 0,
        };
        self.sequences[device] = self.sequences[device].wrapping_add(1);
        let block = BlockHead {
            first_channel: index as u8,
            channels: readings as u8,
            value_type: ValueType::I16,
            samples: 1,
            dt_us: 0,
        };
        let mut bytes = [0; 256];
        let mut encoder = Encoder::new(&mut bytes, &header).expect("a header fits");
        encoder.block(block, None, &values[..readings]).expect("the block fits");
        self.packet.extend_from_slice(encoder.finish().expect("the checksum fits"));
    }

    fn append_lines(&mut self, readings: usize) {
        for _ in 0..readings {
            let value = self.value();
            writeln!(self.packet, "s{:05}:{:05.2}|ms", self.channel, value / 100.0)
                .expect("a vector takes it");
            self.channel = (self.channel + 1) % self.channels;
        }
    }

    /// About 2,000 with a spread of 1 %, whole numbers.
    fn value(&mut self) -> f64 {
        self.noise = self.noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let bell = (self.noise >> 27) + (self.noise >> 22 & 31) + (self.noise >> 17 & 31);
        1_953.0 + f64::from(bell)
    }
}
