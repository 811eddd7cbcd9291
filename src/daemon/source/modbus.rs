//! Modbus devices, asked again and again: on a serial line, or behind an address of the network.
//!
//! The port is opened, watched and lost as that of a serial source; a connection is made anew in
//! the same way. What the decoder is fed are exchanges, a request with what came for it, because
//! a reply alone does not say what it is about.

pub mod master;
mod schedule;
mod standing;

#[cfg(test)]
mod tests;

use std::{convert::Infallible, fmt, io, pin::pin};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{sleep_until, timeout_at},
};

use self::master::Master;
use super::{
    backoff::Backoff,
    outlet::{EngineGone, Outlet},
    path_watch::PathWatch,
    rest,
    serial::{self, Event, errors_since, exchange, port::LineErrors},
    ticks,
};
use crate::{
    config::model::{ModbusConfig, ModbusPath},
    daemon::clock::{Line, Stopwatch, deadline_in},
    engine::{Link, batch::Transport},
    limits::{MODBUS_CONNECT_NS, SERIAL_READ_BYTES},
    wire::diagnosis::LineErrorCounts,
};

/// How a line was lost.
#[derive(Debug)]
pub enum Lost {
    /// The other side closed it.
    HungUp,
    /// It cannot be read or written.
    Broken(io::Error),
    /// It takes nothing that is to be sent.
    Stuck,
    /// Nothing comes over it.
    Silent,
    /// Where the next reply begins cannot be told.
    OutOfStep,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HungUp => f.write_str("hung up: unplugged, or closed by the other side"),
            Self::Broken(error) => write!(f, "cannot be used any more: {error}"),
            Self::Stuck => f.write_str("takes no request"),
            Self::Silent => f.write_str("answers nothing at all"),
            Self::OutOfStep => {
                f.write_str("sent what is no reply to what was asked, after which all is unclear")
            }
        }
    }
}

/// The devices of one source, and the line to them while it is open.
#[derive(Debug)]
pub struct Modbus {
    config: ModbusConfig,
    line: Line,
    master: Option<Master>,
}

impl Modbus {
    /// Devices that were never asked anything.
    #[must_use]
    pub fn new(config: ModbusConfig, line: Line) -> Self {
        Self { config, line, master: None }
    }

    /// Opens the line, trying for ever, and asks its devices; again when it is lost. Safe to
    /// cancel.
    ///
    /// # Errors
    ///
    /// [`EngineGone`]; it never ends otherwise.
    pub async fn run(&mut self, outlet: &mut Outlet) -> Result<Infallible, EngineGone> {
        let line = self.line;
        let mut backoff = Backoff::default();
        loop {
            // From before the attempt on, so that nothing is missed between the two.
            let mut watch = self.watch();
            let opened_ns = line.now_ns();
            let reason = match self.attempt(outlet).await? {
                Ok(lost) => {
                    backoff.was_open_for(line.now_ns() - opened_ns);
                    watch = self.watch();
                    format!("{} {lost}", self.config.path)
                }
                Err(reason) => reason,
            };
            outlet.report(Link::Down(reason.into()), line.now_ns());
            tokio::select! {
                biased;
                () = serial::changed(&mut watch) => backoff = Backoff::default(),
                rested = rest(backoff.next_ns(), line, outlet) => rested?,
            }
        }
    }

    /// Opens the line and asks until it is lost; the reason if it does not open.
    async fn attempt(&mut self, outlet: &mut Outlet) -> Result<Result<Lost, String>, EngineGone> {
        let address = match &self.config.path {
            ModbusPath::Serial(port) => {
                return Ok(match serial::port::open(port) {
                    Ok((port, detail)) => Ok(self.talk(port, &detail, outlet).await?),
                    Err(reason) => Err(reason),
                });
            }
            ModbusPath::Network(address) => *address,
        };
        Ok(match while_ticking(connect(address), self.line, outlet).await? {
            Ok(stream) => Ok(self.talk(stream, &address.to_string(), outlet).await?),
            Err(reason) => Err(format!("cannot connect to {address}: {reason}")),
        })
    }

    fn watch(&self) -> Option<PathWatch> {
        match &self.config.path {
            ModbusPath::Serial(port) => PathWatch::new(&port.path).ok(),
            ModbusPath::Network(_) => None,
        }
    }

    /// Asks the devices of an open line, of which `detail` is worth knowing, until it is lost.
    /// Safe to cancel.
    ///
    /// # Errors
    ///
    /// [`EngineGone`] if the queue to the engine is closed.
    pub async fn talk<P>(
        &mut self,
        mut port: P,
        detail: &str,
        outlet: &mut Outlet,
    ) -> Result<Lost, EngineGone>
    where
        P: AsyncRead + AsyncWrite + LineErrors + Unpin,
    {
        let watch = Stopwatch::start();
        let master = Master::new(&self.config, detail, watch.now_ns());
        let master = self.master.insert(master);
        let lost = ask(&mut port, master, watch, self.line, outlet).await?;
        self.stop(outlet);
        Ok(lost)
    }

    /// The line is lost, or is to be asked no more: what had come of a reply is counted.
    pub fn stop(&mut self, outlet: &mut Outlet) {
        let arrived_ns = self.line.now_ns();
        if let Some(mut master) = self.master.take() {
            master.line_down(&mut |exchange| outlet.feed(exchange, arrived_ns));
        }
        outlet.reset();
    }
}

async fn connect(address: std::net::SocketAddr) -> io::Result<TcpStream> {
    let connected = timeout_at(deadline_in(MODBUS_CONNECT_NS), TcpStream::connect(address)).await;
    let stream = connected.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    // A request is one small packet, whose reply is waited for.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Waits for something, and tells the time meanwhile. Safe to cancel.
async fn while_ticking<T>(
    awaited: impl Future<Output = T>,
    line: Line,
    outlet: &mut Outlet,
) -> Result<T, EngineGone> {
    let mut awaited = pin!(awaited);
    let mut tick = ticks();
    loop {
        let done = tokio::select! {
            done = &mut awaited => Some(done),
            _ = tick.tick() => None,
        };
        match done {
            Some(done) => return Ok(done),
            None => outlet.tick(line.now_ns()).await?,
        }
    }
}

impl LineErrors for TcpStream {
    fn line_errors(&self) -> Option<LineErrorCounts> {
        None
    }
}

async fn ask<P>(
    port: &mut P,
    master: &mut Master,
    watch: Stopwatch,
    line: Line,
    outlet: &mut Outlet,
) -> Result<Lost, EngineGone>
where
    P: AsyncRead + AsyncWrite + LineErrors + Unpin,
{
    let mut tick = ticks();
    let mut counted = port.line_errors();
    let mut buffer = vec![0; SERIAL_READ_BYTES];
    loop {
        report(master, line, outlet);
        let due = watch.instant(master.due_ns());
        // What has come before a deadline counts, however late this task is.
        let event = tokio::select! {
            biased;
            _ = tick.tick() => Event::Tick,
            event = exchange(port, master.unsent(), &mut buffer) => event,
            () = sleep_until(due) => Event::Due,
        };
        let (now_ns, arrived_ns) = (watch.now_ns(), line.now_ns());
        let errors = errors_since(&mut counted, port.line_errors());
        outlet.count(&Transport { line_errors: errors.total(), ..Transport::default() });
        let mut sink = |exchange: &[u8]| outlet.feed(exchange, arrived_ns);
        let done = match event {
            Event::Read(Ok(0)) => Err(Lost::HungUp),
            Event::Read(Ok(length)) => master.heard(&buffer[..length], now_ns, &mut sink),
            Event::Written(Ok(0)) => Err(Lost::Stuck),
            Event::Written(Ok(length)) => {
                master.sent(length, now_ns);
                Ok(())
            }
            Event::Read(Err(error)) | Event::Written(Err(error)) => match error.kind() {
                io::ErrorKind::Interrupted => Ok(()),
                _ => Err(Lost::Broken(error)),
            },
            Event::Due => master.passed(now_ns, &mut sink),
            Event::Tick => {
                master.tick(now_ns, &mut sink);
                outlet.tick(arrived_ns).await?;
                Ok(())
            }
        };
        if let Err(lost) = done {
            return Ok(lost);
        }
        outlet.offer(arrived_ns).await?;
    }
}

fn report(master: &mut Master, line: Line, outlet: &mut Outlet) {
    if let Some(link) = master.news() {
        outlet.report(link, line.now_ns());
    }
}
