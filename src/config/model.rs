//! The typed configuration.

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    engine::Plan,
    simulate::Scenario,
    wire::{
        decode::{Format, Framing},
        modbus::{Mode, request::Request},
    },
};

/// A whole configuration, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The process itself.
    pub daemon: DaemonConfig,
    /// What the engine is to do.
    pub plan: Plan,
    /// Where the bytes come from; same indexes as `plan.sources`.
    pub inputs: Vec<InputConfig>,
}

/// The process itself.
#[derive(Clone, Debug, PartialEq)]
pub struct DaemonConfig {
    /// Path of the query socket; `None` takes the default, which depends on the environment.
    pub socket: Option<PathBuf>,
    /// Directory for state; `None` takes the default, which depends on the environment.
    pub state_dir: Option<PathBuf>,
    /// How often the state is saved, nanoseconds.
    pub state_every_ns: i64,
    /// Period of publication, nanoseconds.
    pub publish_ns: i64,
    /// Capacity, in batches, of the queue between sources and engine.
    pub queue_batches: usize,
    /// Threads that share the channels; with one the engine itself aggregates them.
    pub shards: usize,
    /// Most bytes that the percentile bins of all channels may take.
    pub percentile_bytes: u64,
}

/// One input.
#[derive(Clone, Debug, PartialEq)]
pub struct InputConfig {
    /// Name of the source.
    pub name: Arc<str>,
    /// What it reads from.
    pub kind: InputKind,
    /// What its bytes mean.
    pub format: Format,
    /// What to do when the queue to the engine is full.
    pub on_full: OnFull,
}

/// What a source reads from.
#[derive(Clone, Debug, PartialEq)]
pub enum InputKind {
    /// A UDP socket.
    Udp(UdpConfig),
    /// A serial port.
    Serial(SerialConfig),
    /// The built-in simulator.
    Simulator(SimulatorConfig),
    /// A recorded log, played at the pace of its stamps or as fast as it goes.
    Replay(ReplayConfig),
    /// Modbus devices, asked again and again.
    Modbus(ModbusConfig),
}

impl InputKind {
    /// The path of the serial port that it opens.
    #[must_use]
    pub fn port(&self) -> Option<&Path> {
        match self {
            Self::Serial(SerialConfig { port, .. })
            | Self::Modbus(ModbusConfig { path: ModbusPath::Serial(port), .. }) => Some(&port.path),
            Self::Udp(_) | Self::Simulator(_) | Self::Replay(_) | Self::Modbus(_) => None,
        }
    }
}

/// A UDP socket.
#[derive(Clone, Debug, PartialEq)]
pub struct UdpConfig {
    /// Address to bind.
    pub listen: SocketAddr,
    /// Receive buffer to ask for, bytes.
    pub receive_buffer: usize,
    /// Whether the kernel may hand over trains of equal datagrams as one (UDP_GRO), and count
    /// those it drops by trains.
    pub gro: bool,
    /// Whether a datagram is whole messages or a cut of one byte stream.
    pub framing: Framing,
}

/// A serial port whose device speaks by itself, or when it is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct SerialConfig {
    /// The line.
    pub port: PortConfig,
    /// Wait after opening before anything is sent, nanoseconds: some boards start anew then.
    pub settle_ns: i64,
    /// Sent once after each opening; may be empty.
    pub on_open: Arc<[u8]>,
    /// Sent again and again.
    pub poll: Option<PollConfig>,
    /// When a port that says nothing is told to be silent.
    pub silence: Option<SilenceConfig>,
    /// Bad frames in a row after which the line is called garbled.
    pub garbled_after: u32,
}

/// What makes a device speak that does so only when asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollConfig {
    /// What is sent.
    pub bytes: Arc<[u8]>,
    /// How often, nanoseconds.
    pub every_ns: i64,
}

/// Silence of a serial line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SilenceConfig {
    /// How long without a byte, nanoseconds.
    pub after_ns: i64,
    /// Whether the port is then closed and opened again: some adapters hang until that is done.
    pub reopen: bool,
}

/// A serial line: where it is, and how it is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortConfig {
    /// Device path; by-id paths survive replugging.
    pub path: PathBuf,
    /// Baud rate.
    pub baud: u32,
    /// 5 to 8.
    pub data_bits: u8,
    /// Parity bit.
    pub parity: Parity,
    /// 1 or 2.
    pub stop_bits: u8,
    /// Flow control.
    pub flow: Flow,
    /// Whether the driver is to hand over each byte at once rather than collect some.
    pub low_latency: bool,
    /// Direction control by the driver, for RS-485.
    pub rs485: Option<Rs485>,
    /// What the line DTR is set to after opening; as the system has it if not given.
    pub dtr: Option<bool>,
    /// What the line RTS is set to after opening; as the system has it if not given.
    pub rts: Option<bool>,
}

/// Direction control of an RS-485 line: what RTS, which switches the sender on and off, does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rs485 {
    /// Level of RTS while sending.
    pub rts_on_send: bool,
    /// Level of RTS otherwise.
    pub rts_after_send: bool,
    /// Wait between switching RTS and the first bit, milliseconds.
    pub delay_before_ms: u32,
    /// Wait between the last bit and switching RTS back, milliseconds.
    pub delay_after_ms: u32,
    /// Whether the receiver hears what is sent.
    pub rx_during_tx: bool,
}

/// Parity bit of a serial line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parity {
    /// None.
    None,
    /// Odd.
    Odd,
    /// Even.
    Even,
}

/// Flow control of a serial line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// None.
    None,
    /// XON/XOFF.
    Software,
    /// RTS/CTS.
    Hardware,
}

/// Modbus devices on one line or behind one address.
#[derive(Clone, Debug, PartialEq)]
pub struct ModbusConfig {
    /// Where they are.
    pub path: ModbusPath,
    /// How requests and replies are framed.
    pub mode: Mode,
    /// The devices.
    pub devices: Arc<[ModbusDevice]>,
    /// What they are asked.
    pub polls: Arc<[ModbusPoll]>,
}

/// Where Modbus devices are.
#[derive(Clone, Debug, PartialEq)]
pub enum ModbusPath {
    /// On a serial line.
    Serial(PortConfig),
    /// Behind an address of the network.
    Network(SocketAddr),
}

impl fmt::Display for ModbusPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial(port) => port.path.display().fmt(f),
            Self::Network(address) => address.fmt(f),
        }
    }
}

/// One Modbus device and its manners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModbusDevice {
    /// Its address on the line.
    pub address: u8,
    /// How long it may take to answer, nanoseconds, transmission not included.
    pub timeout_ns: i64,
    /// How much longer, nanoseconds, a late reply may come.
    pub quarantine_ns: i64,
    /// Silence before it is asked, nanoseconds.
    pub gap_ns: i64,
    /// How often a request without a sound reply is repeated before its turn is over.
    pub retries: u32,
}

/// One request, again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModbusPoll {
    /// Index of the device.
    pub device: usize,
    /// What is asked.
    pub request: Request,
    /// How often, nanoseconds.
    pub every_ns: i64,
    /// How long request and reply take on the line, nanoseconds; 0 where that is not known.
    pub line_ns: i64,
}

/// The built-in simulator.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulatorConfig {
    /// What is played.
    pub scenario: Arc<Scenario>,
    /// Seed of everything random in it.
    pub seed: u64,
}

/// A recorded log.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayConfig {
    /// File.
    pub path: PathBuf,
    /// Time between two chunks of a file that has no stamps of its own, nanoseconds: for text, a
    /// chunk is a line.
    pub interval_ns: i64,
    /// Whether the stamps set the pace; otherwise it plays as fast as it goes.
    pub paced: bool,
}

/// What to do when the queue to the engine is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFull {
    /// Count the readings as `queue_full` and go on.
    Count,
    /// Wait for room: for inputs that can wait without losing anything.
    Wait,
}
