//! The ways out.

use std::{io, time::Duration};

use stillwell::{
    simulate::{Emission, put_framed, scenario::LineFormat},
    wire::decode::Framing,
};
use tokio::io::AsyncWriteExt;
use tokio_serial::{SerialPortBuilderExt, SerialStream};

use crate::{
    args::{Failure, Target},
    log::Log,
    pty::Pty,
    udp::Udp,
};

/// How long a frame that is half out may take to come to its end after a signal.
const SETTLE: Duration = Duration::from_secs(1);

/// An open way out.
pub(crate) struct Output {
    format: LineFormat,
    name: String,
    way: Way,
    /// What a stream has still to take of the current frame.
    left: Vec<u8>,
    tally: Tally,
}

enum Way {
    Udp(Udp),
    Pty(Pty),
    Serial(SerialStream),
    Log(Log),
}

/// What the way out counted by itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Bytes that went out, delimiters and stuffing included.
    pub(crate) line_bytes: u64,
    /// Datagrams that came back as undeliverable, as far as the kernel tells.
    pub(crate) unreachable: u64,
    /// Bytes that nobody had read when the line was closed.
    pub(crate) unread: u64,
}

impl Output {
    pub(crate) async fn open(target: &Target, format: LineFormat) -> Result<Self, Failure> {
        let name = match target {
            Target::Udp(address) => format!("udp {address}"),
            Target::Serial { path, .. } | Target::File(path) => path.display().to_string(),
            Target::Pty { .. } => "the pseudo terminal".to_owned(),
            Target::Stdout => "standard output".to_owned(),
        };
        let way = match target {
            Target::Udp(address) => Udp::connect(address).await.map(Way::Udp),
            Target::Serial { path, baud } => {
                let port = tokio_serial::new(path.to_string_lossy(), *baud).open_native_async();
                port.map(Way::Serial).map_err(io::Error::from)
            }
            Target::Pty { link } => Pty::open(link.clone()).map(Way::Pty),
            Target::File(path) => Log::create(path).map(Way::Log),
            Target::Stdout => Ok(Way::Log(Log::stdout())),
        };
        let way = way.map_err(|error| Failure::output(&name, &error))?;
        Ok(Self { format, name, way, left: Vec::new(), tally: Tally::default() })
    }

    /// For messages.
    pub(crate) fn name(&self) -> String {
        self.name.clone()
    }

    pub(crate) fn tally(&self) -> Tally {
        let unreachable = match &self.way {
            Way::Udp(udp) => udp.unreachable(),
            Way::Pty(_) | Way::Serial(_) | Way::Log(_) => 0,
        };
        Tally { unreachable, ..self.tally }
    }

    /// Waits until somebody is there, where that can be known.
    pub(crate) async fn ready(&mut self) -> io::Result<()> {
        match &mut self.way {
            Way::Pty(pty) => pty.opened().await,
            Way::Udp(_) | Way::Serial(_) | Way::Log(_) => Ok(()),
        }
    }

    /// Sends one frame. Cut short, it is to be settled.
    pub(crate) async fn send(&mut self, emission: &Emission<'_>) -> io::Result<()> {
        self.left.clear();
        match &mut self.way {
            Way::Udp(udp) => {
                udp.send(emission.bytes).await?;
                self.tally.line_bytes += emission.bytes.len() as u64;
                Ok(())
            }
            Way::Log(log) => {
                self.tally.line_bytes += log.write(self.format, emission)?;
                Ok(())
            }
            Way::Pty(_) | Way::Serial(_) => {
                put_framed(self.format, Framing::Stream, emission.bytes, &mut self.left);
                self.drain().await
            }
        }
    }

    /// A signal came while a frame was sent: brings it to its end if some of it went out, and says
    /// whether it did.
    pub(crate) async fn settle(&mut self) -> bool {
        match self.way {
            Way::Udp(_) | Way::Log(_) => false,
            Way::Pty(_) | Way::Serial(_) => {
                let begun = !self.left.is_empty();
                begun && matches!(tokio::time::timeout(SETTLE, self.drain()).await, Ok(Ok(())))
            }
        }
    }

    /// Hands on what is buffered here, without waiting for a reader.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match &mut self.way {
            Way::Log(log) => log.flush(),
            Way::Udp(_) | Way::Pty(_) | Way::Serial(_) => Ok(()),
        }
    }

    /// Waits until what was sent is on the line or read.
    pub(crate) async fn close(&mut self) -> io::Result<()> {
        match &mut self.way {
            Way::Udp(udp) => udp.close(),
            Way::Log(log) => log.flush()?,
            Way::Serial(port) => port.flush().await?,
            Way::Pty(pty) => self.tally.unread = pty.drained().await?,
        }
        Ok(())
    }

    async fn drain(&mut self) -> io::Result<()> {
        while !self.left.is_empty() {
            let n = match &mut self.way {
                Way::Pty(pty) => pty.write(&self.left).await?,
                Way::Serial(port) => port.write(&self.left).await?,
                Way::Udp(_) | Way::Log(_) => self.left.len(),
            };
            if n == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.left.drain(..n);
            self.tally.line_bytes += n as u64;
        }
        Ok(())
    }
}
