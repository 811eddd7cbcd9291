//! A port that is listened to by itself, beside the daemon: nothing is ever written to it.

use std::{
    fmt, io,
    net::{SocketAddr, UdpSocket},
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags},
    io::Errno,
    termios::{
        ControlModes, OptionalActions, Termios, ioctl_tiocexcl, isatty, tcgetattr, tcsetattr,
    },
};

use crate::{
    daemon::{clock::Line, kernel},
    limits::{LISTEN_LOOK_NS, RECEIVE_BUFFER_DEFAULT, SERIAL_READ_BYTES},
    wire::{decode::Framing, log::LOG_RECORD_BYTES_MAX},
};

/// What a person names: a serial port or a UDP address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Path of a serial port.
    Serial(PathBuf),
    /// Address to listen at.
    Udp(SocketAddr),
}

/// Data bits, parity and stop bits of a serial line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Bits {
    /// Eight data bits, no parity, one stop bit.
    #[default]
    #[value(name = "8N1")]
    EightNone,
    /// Seven data bits, even parity, one stop bit.
    #[value(name = "7E1")]
    SevenEven,
    /// Seven data bits, odd parity, one stop bit.
    #[value(name = "7O1")]
    SevenOdd,
}

/// How a serial line is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bits a second.
    pub baud: u32,
    /// Data bits, parity and stop bits.
    pub bits: Bits,
}

/// An open port.
#[derive(Debug)]
pub struct Port {
    kind: Kind,
    buffer: Vec<u8>,
    line: Line,
    /// The kernel's count of what it dropped, when it was last read.
    dropped: u32,
}

#[derive(Debug)]
enum Kind {
    Serial(OwnedFd),
    Udp(UdpSocket),
}

/// Why a port cannot be listened to.
#[derive(Debug)]
pub struct PortError {
    what: String,
    /// What the system says, where it said something.
    error: Option<io::Error>,
}

impl Place {
    /// Reads what a person wrote: `udp://0.0.0.0:7420`, `127.0.0.1:7420` and `:7420` are addresses,
    /// what has a slash or names a file is a port; anything else is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let address = text.strip_prefix("udp://").unwrap_or(text);
        let any = address.strip_prefix(':').map(|port| format!("0.0.0.0:{port}"));
        if let Ok(address) = any.as_deref().unwrap_or(address).parse() {
            return Some(Self::Udp(address));
        }
        let is_path =
            !text.starts_with("udp://") && (text.contains('/') || Path::new(text).exists());
        is_path.then(|| Self::Serial(text.into()))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial(path) => path.display().fmt(f),
            Self::Udp(address) => write!(f, "udp://{address}"),
        }
    }
}

impl Bits {
    /// As people write it: `8N1`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EightNone => "8N1",
            Self::SevenEven => "7E1",
            Self::SevenOdd => "7O1",
        }
    }

    fn modes(self) -> ControlModes {
        match self {
            Self::EightNone => ControlModes::CS8,
            Self::SevenEven => ControlModes::CS7 | ControlModes::PARENB,
            Self::SevenOdd => ControlModes::CS7 | ControlModes::PARENB | ControlModes::PARODD,
        }
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.baud, self.bits.name())
    }
}

impl Port {
    /// Opens a port; a serial one with these settings, and for this process alone.
    ///
    /// # Errors
    /// If it is not there, is no port, is not to be opened, or another program has it.
    pub fn open(place: &Place, settings: Settings) -> Result<Self, PortError> {
        let (kind, dropped) = match place {
            Place::Serial(path) => (Kind::Serial(open_serial(path)?), 0),
            Place::Udp(address) => {
                let socket = bind(*address).map_err(|error| {
                    PortError::new(format!("cannot listen at udp://{address}"), error)
                })?;
                let dropped = kernel::socket_drops(socket.as_fd()).unwrap_or(0);
                (Kind::Udp(socket), dropped)
            }
        };
        let buffer = vec![0; SERIAL_READ_BYTES.max(LOG_RECORD_BYTES_MAX)];
        let mut port = Self { kind, buffer, line: Line::anchored(), dropped };
        port.set(settings).map_err(|error| {
            PortError::new(format!("{place} does not take {settings}"), error.into())
        })?;
        Ok(port)
    }

    /// Sets a serial line, and forgets what came before; nothing for other ports.
    ///
    /// # Errors
    /// If the driver does not take the settings.
    pub fn set(&mut self, settings: Settings) -> rustix::io::Result<()> {
        let Kind::Serial(fd) = &self.kind else { return Ok(()) };
        let mut termios: Termios = tcgetattr(fd)?;
        termios.make_raw();
        termios.control_modes -= ControlModes::CSIZE
            | ControlModes::PARENB
            | ControlModes::PARODD
            | ControlModes::CSTOPB
            | ControlModes::CRTSCTS;
        termios.control_modes |= settings.bits.modes() | ControlModes::CREAD | ControlModes::CLOCAL;
        termios.set_speed(settings.baud)?;
        tcsetattr(fd, OptionalActions::Flush, &termios)
    }

    /// How the bytes are framed.
    #[must_use]
    pub fn framing(&self) -> Framing {
        match self.kind {
            Kind::Serial(_) => Framing::Stream,
            Kind::Udp(_) => Framing::Datagram,
        }
    }

    /// What comes within [`LISTEN_LOOK_NS`], with its arrival; `None` if nothing does.
    ///
    /// # Errors
    /// If the port was unplugged, or cannot be read any more.
    pub fn listen(&mut self) -> io::Result<Option<(i64, &[u8])>> {
        let length = match &self.kind {
            Kind::Serial(fd) => read_serial(fd, &mut self.buffer[..SERIAL_READ_BYTES])?,
            Kind::Udp(socket) => match socket.recv(&mut self.buffer) {
                Ok(length) => Some(length),
                Err(error) if is_pause(&error) => None,
                Err(error) => return Err(error),
            },
        };
        let now_ns = self.line.now_ns();
        Ok(length.map(|length| (now_ns, &self.buffer[..length])))
    }

    /// The present time on the line that the arrivals are on.
    #[must_use]
    pub fn now_ns(&self) -> i64 {
        self.line.now_ns()
    }

    /// Datagrams that the kernel dropped since this was last asked.
    pub fn take_dropped(&mut self) -> u64 {
        let Kind::Udp(socket) = &self.kind else { return 0 };
        let Ok(now) = kernel::socket_drops(socket.as_fd()) else { return 0 };
        u64::from(now.wrapping_sub(std::mem::replace(&mut self.dropped, now)))
    }
}

fn open_serial(path: &Path) -> Result<OwnedFd, PortError> {
    let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let name = path.display();
    let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| {
        let what = match errno {
            Errno::NOENT | Errno::NOTDIR => {
                format!("{name} is not there; `stillwell probe` lists the ports")
            }
            Errno::ACCESS | Errno::PERM => {
                format!(
                    "no permission to open {name}: its group, often dialout, must be one of yours"
                )
            }
            Errno::BUSY => format!("{name} is in use; `stillwell probe` says by whom"),
            _ => format!("cannot open {name}"),
        };
        PortError::new(what, errno.into())
    })?;
    if !isatty(&fd) {
        return Err(PortError { what: format!("{name} is not a serial port"), error: None });
    }
    ioctl_tiocexcl(&fd)
        .map_err(|errno| PortError::new(format!("cannot keep others off {name}"), errno.into()))?;
    Ok(fd)
}

/// Reads what is there, waiting for it a moment.
fn read_serial(fd: &OwnedFd, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    let wait = Timespec { tv_sec: 0, tv_nsec: LISTEN_LOOK_NS };
    let mut fds = [PollFd::new(fd, PollFlags::IN)];
    match poll(&mut fds, Some(&wait)) {
        Ok(0) | Err(Errno::INTR) => return Ok(None),
        Ok(_) => {}
        Err(errno) => return Err(errno.into()),
    }
    match rustix::io::read(fd, buffer) {
        // A port that hung up reads as end of file, for ever.
        Ok(0) | Err(Errno::IO) => {
            Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it hung up: unplugged, or closed"))
        }
        Ok(length) => Ok(Some(length)),
        Err(Errno::AGAIN | Errno::INTR) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    // As much as the kernel gives; less is no reason not to listen.
    let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER_DEFAULT);
    socket
        .set_read_timeout(Some(std::time::Duration::from_nanos(LISTEN_LOOK_NS.unsigned_abs())))?;
    Ok(socket)
}

fn is_pause(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}

impl PortError {
    fn new(what: String, error: io::Error) -> Self {
        Self { what, error: Some(error) }
    }

    /// Whether another program has the port.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        let busy = [io::ErrorKind::ResourceBusy, io::ErrorKind::AddrInUse];
        self.error.as_ref().is_some_and(|error| busy.contains(&error.kind()))
    }
}

impl fmt::Display for PortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            Some(error) => write!(f, "{} ({error})", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl std::error::Error for PortError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_ports_or_addresses() {
        let udp = |text: &str| Some(Place::Udp(text.parse().expect("an address")));
        for (text, place) in [
            ("udp://127.0.0.1:7420", udp("127.0.0.1:7420")),
            (":7420", udp("0.0.0.0:7420")),
            ("udp://:7420", udp("0.0.0.0:7420")),
            ("[::]:7420", udp("[::]:7420")),
            ("/dev/ttyUSB0", Some(Place::Serial("/dev/ttyUSB0".into()))),
            ("bench", None),
            ("udp://bench", None),
        ] {
            assert_eq!(Place::parse(text), place, "{text}");
        }
    }
}
