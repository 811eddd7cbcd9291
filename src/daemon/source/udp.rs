//! A UDP socket: many datagrams a call, stamped by the kernel, its drops counted.
//!
//! `datagrams sent = datagrams received + kernel_dropped` holds on loopback to the datagram, with
//! what is still in the socket: the kernel's drop counter (SO_MEMINFO) is read with each batch, on
//! a tick while nothing comes, and once more at the end. With `gro` the kernel counts a train that
//! it drops as one, and the identity holds only while it drops nothing.
//!
//! A quiet source hands over what it has as soon as its socket is empty. A busy one does so every
//! [`HAND_OVER_NS`] at most, or when a batch is full: to wake the engine costs more than to
//! receive a dozen datagrams.

use std::{convert::Infallible, io, net::SocketAddr, os::fd::AsFd, pin::pin};

use socket2::{Domain, SockRef, Socket, Type};
use tokio::{io::Interest, net::UdpSocket, time::sleep_until};

use super::{
    backoff::Backoff,
    outlet::{EngineGone, Outlet},
    rest, ticks,
};
use crate::{
    config::model::UdpConfig,
    daemon::{
        clock::{self, Clocks, Line},
        kernel::{self, ReceiveBatch},
        rate::LogLimit,
    },
    engine::{Link, batch::Transport},
    limits::{
        DATAGRAM_BYTES_MAX, HAND_OVER_NS, RECEIVE_CALLS_AT_STOP, RECEIVE_DATAGRAMS_PER_TURN,
        RECEIVE_ERROR_PAUSE_NS,
    },
};

/// A UDP source.
#[derive(Debug)]
pub struct Udp {
    config: UdpConfig,
    line: Line,
    adopted: Option<std::net::UdpSocket>,
    open: Option<Open>,
}

impl Udp {
    /// A source that has not opened its socket.
    ///
    /// An `adopted` socket, one that the service manager opened, is used as it is bound; without
    /// one the source binds its own.
    #[must_use]
    pub fn new(config: UdpConfig, adopted: Option<std::net::UdpSocket>, line: Line) -> Self {
        Self { config, line, adopted, open: None }
    }

    /// Opens the socket, trying for ever, and receives until the engine is gone. Safe to cancel,
    /// if [`Self::stop`] is called then.
    ///
    /// # Errors
    ///
    /// [`EngineGone`]; it never ends otherwise.
    pub async fn run(&mut self, outlet: &mut Outlet) -> Result<Infallible, EngineGone> {
        let mut backoff = Backoff::default();
        loop {
            match self.bind(outlet) {
                Ok((open, detail)) => {
                    outlet.report(Link::Up(detail.into()), self.line.now_ns());
                    return self.open.insert(open).receive(outlet).await;
                }
                Err(reason) => {
                    outlet.report(Link::Down(reason.into()), self.line.now_ns());
                    rest(backoff.next_ns(), self.line, outlet).await?;
                }
            }
        }
    }

    /// Takes in what was received and not yet decoded, and counts the last drops.
    ///
    /// A socket of the daemon's own is emptied, since what is in it would go uncounted; what is
    /// in an adopted one is for the next process.
    ///
    /// # Errors
    ///
    /// [`EngineGone`] if the queue is closed.
    pub async fn stop(&mut self, outlet: &mut Outlet) -> Result<(), EngineGone> {
        match &mut self.open {
            Some(open) => open.stop(outlet).await,
            None => Ok(()),
        }
    }

    fn bind(&mut self, outlet: &Outlet) -> Result<(Open, String), String> {
        let listen = self.config.listen;
        // A copy: an adopted socket cannot be had again if it cannot be set up at once.
        let adopted = self.adopted.as_ref().map(std::net::UdpSocket::try_clone).transpose();
        let adopted = adopted.map_err(|error| format!("cannot use the socket: {error}"))?;
        let own = adopted.is_none();
        let socket = match adopted {
            Some(socket) => Socket::from(socket),
            None => bound(listen).map_err(|error| bind_failure(listen, &error))?,
        };
        let set_up = || {
            socket.set_nonblocking(true)?;
            // An adopted socket may hold datagrams already: it is never made smaller.
            let asked = self.config.receive_buffer;
            if own || granted_buffer(&socket)? < asked {
                ask_for_buffer(&socket, asked)?;
            }
            let buffer = granted_buffer(&socket)?;
            if let Err(error) = kernel::enable_timestamps(socket.as_fd()) {
                tracing::warn!(
                    source = outlet.name(),
                    "The kernel does not stamp datagrams ({error}): the time of reading counts."
                );
            }
            let trains = self.config.gro && trains(&socket, outlet);
            // What was dropped between the bind and now is this source's too.
            let drops = kernel::socket_drops(socket.as_fd()).ok();
            let drops = drops.map(|drops| if own { 0 } else { drops });
            let socket = UdpSocket::from_std(socket.into())?;
            Ok((socket, buffer, drops, trains))
        };
        let (socket, buffer, drops, trains) = set_up()
            .map_err(|error: io::Error| format!("cannot set up the socket on {listen}: {error}"))?;
        self.adopted = None;
        let address = socket.local_addr().unwrap_or(listen);
        if buffer < self.config.receive_buffer {
            tracing::warn!(
                source = outlet.name(),
                "The receive buffer of {address} is {}, asked were {}: raise net.core.rmem_max, \
                 or let systemd open the socket.",
                size(buffer),
                size(self.config.receive_buffer)
            );
        }
        let counted = match (drops, trains) {
            (None, _) => ", kernel drops not counted",
            (Some(_), true) => ", kernel drops counted by trains",
            (Some(_), false) => "",
        };
        let detail = format!("{address}, receive buffer {}{counted}", size(buffer));
        let batch = if trains { ReceiveBatch::of_trains() } else { ReceiveBatch::new() };
        Ok((Open::new(socket, own, drops, batch, self.line), detail))
    }
}

/// A socket that is received from.
#[derive(Debug)]
struct Open {
    socket: UdpSocket,
    /// Bound here rather than adopted.
    own: bool,
    line: Line,
    batch: ReceiveBatch,
    /// Both clocks when `batch` was received.
    clocks: Clocks,
    /// Arrivals never go back.
    arrived_ns: i64,
    /// The kernel's count of drops when it was last read; `None` if it does not count.
    drops: Option<u32>,
    /// When something was last handed over.
    handed_over_ns: i64,
    errors: LogLimit,
}

/// Why a socket is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wake {
    /// The runtime says that there is something.
    Ready,
    /// It is time to hand over what there is, or to say that there is nothing.
    Tick,
}

/// How a receive call left the socket.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Nothing was in it any more.
    Empty,
    /// There may be more.
    More,
}

/// What a turn left in the outlet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    Nothing,
    /// What waits for more of its like until this time on the line.
    Until(i64),
}

impl Open {
    fn new(
        socket: UdpSocket,
        own: bool,
        drops: Option<u32>,
        batch: ReceiveBatch,
        line: Line,
    ) -> Self {
        Self {
            socket,
            own,
            line,
            batch,
            clocks: Clocks::now(),
            arrived_ns: i64::MIN,
            drops,
            handed_over_ns: i64::MIN,
            errors: LogLimit::default(),
        }
    }

    async fn receive(&mut self, outlet: &mut Outlet) -> Result<Infallible, EngineGone> {
        let mut tick = ticks();
        let mut due = pin!(sleep_until(clock::deadline_in(0)));
        let mut held = Held::Nothing;
        loop {
            let wake = tokio::select! {
                biased;
                _ = tick.tick() => Ok(Wake::Tick),
                () = &mut due, if held != Held::Nothing => Ok(Wake::Tick),
                ready = self.socket.readable() => ready.map(|()| Wake::Ready),
            };
            let before = held;
            held = match wake {
                Ok(wake) => self.turn(wake, outlet).await?,
                Err(error) => self.pause(&error, outlet).await?,
            };
            if let Held::Until(due_ns) = held
                && before != held
            {
                due.as_mut().reset(clock::deadline_in(due_ns - self.line.now_ns()));
            }
        }
    }

    /// Receives until the socket is empty, or others have waited long enough.
    async fn turn(&mut self, wake: Wake, outlet: &mut Outlet) -> Result<Held, EngineGone> {
        let mut datagrams = 0;
        while datagrams < RECEIVE_DATAGRAMS_PER_TURN {
            let asked_ns = self.line.now_ns();
            match self.receive_batch(wake, outlet) {
                Ok((received, left)) => {
                    while self.decode_next(outlet) {
                        if outlet.is_full() {
                            outlet.offer(self.arrived_ns).await?;
                            self.handed_over_ns = asked_ns;
                        }
                    }
                    datagrams += received;
                    if left == Left::Empty {
                        return self.drained(wake, asked_ns, outlet).await;
                    }
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return self.drained(wake, asked_ns, outlet).await,
                    io::ErrorKind::Interrupted => {}
                    _ => return self.pause(&error, outlet).await,
                },
            }
        }
        if wake == Wake::Tick {
            self.hand_over(outlet).await?;
        }
        tokio::task::yield_now().await;
        Ok(Held::Nothing)
    }

    /// The socket was empty some time after `asked_ns`.
    async fn drained(
        &mut self,
        wake: Wake,
        asked_ns: i64,
        outlet: &mut Outlet,
    ) -> Result<Held, EngineGone> {
        let due_ns = self.handed_over_ns.saturating_add(HAND_OVER_NS);
        if wake == Wake::Ready && asked_ns < due_ns {
            return Ok(Held::Until(due_ns));
        }
        // A datagram that was stamped before and queued after is taken to have arrived now: the
        // engine is told that nothing is older.
        self.arrived_ns = self.arrived_ns.max(asked_ns);
        self.hand_over(outlet).await?;
        self.handed_over_ns = asked_ns;
        Ok(Held::Nothing)
    }

    /// One receive call; how many datagrams it gave, and whether there may be more.
    fn receive_batch(&mut self, wake: Wake, outlet: &mut Outlet) -> io::Result<(usize, Left)> {
        let (socket, batch) = (&self.socket, &mut self.batch);
        let mut received = Err(io::ErrorKind::WouldBlock.into());
        let receive = || {
            received = batch.receive(socket.as_fd());
            // A batch that is not full has emptied the socket, as an error would have told.
            match &received {
                Ok(_) if batch.is_full() => Ok(()),
                Ok(_) => Err(io::ErrorKind::WouldBlock.into()),
                Err(error) => Err(error.kind().into()),
            }
        };
        match wake {
            // Told that the socket is empty, the runtime waits for its next word from the kernel.
            Wake::Ready => _ = socket.try_io(Interest::READABLE, receive),
            // What came since the runtime last asked the kernel is not in its readiness.
            Wake::Tick => _ = { receive }(),
        }
        let datagrams = received?;
        self.clocks = Clocks::now();
        outlet.count(&Transport { datagrams: datagrams as u64, ..Transport::default() });
        Ok((datagrams, if self.batch.is_full() { Left::More } else { Left::Empty }))
    }

    /// Decodes the next datagram of the batch; false if there is none.
    fn decode_next(&mut self, outlet: &mut Outlet) -> bool {
        let Some(datagram) = self.batch.next_datagram() else {
            return false;
        };
        let stamp_ns = datagram.stamp_ns.unwrap_or(self.clocks.wall_ns);
        self.arrived_ns = self.arrived_ns.max(self.line.of_wall(stamp_ns, self.clocks));
        if DATAGRAM_BYTES_MAX < datagram.wire_bytes {
            outlet.refuse_oversize(datagram.wire_bytes);
        } else {
            outlet.feed(datagram.bytes, self.arrived_ns);
        }
        true
    }

    async fn hand_over(&mut self, outlet: &mut Outlet) -> Result<(), EngineGone> {
        self.count_drops(outlet);
        outlet.tick(self.arrived_ns).await
    }

    fn count_drops(&mut self, outlet: &mut Outlet) {
        let (Some(before), Ok(now)) = (self.drops, kernel::socket_drops(self.socket.as_fd()))
        else {
            return;
        };
        self.drops = Some(now);
        let kernel_dropped = u64::from(now.wrapping_sub(before));
        outlet.count(&Transport { kernel_dropped, ..Transport::default() });
    }

    /// A failed receive call is the kernel's news of another packet, or of itself: counted, told
    /// now and then, and not the end of the source.
    async fn pause(&mut self, error: &io::Error, outlet: &mut Outlet) -> Result<Held, EngineGone> {
        outlet.count(&Transport { receive_errors: 1, ..Transport::default() });
        if let Some(suppressed) = self.errors.allow(self.line.now_ns()) {
            tracing::warn!(source = outlet.name(), suppressed, "Receiving failed: {error}.");
        }
        self.hand_over(outlet).await?;
        sleep_until(clock::deadline_in(RECEIVE_ERROR_PAUSE_NS)).await;
        Ok(Held::Nothing)
    }

    async fn stop(&mut self, outlet: &mut Outlet) -> Result<(), EngineGone> {
        self.decode_rest(outlet).await?;
        if self.own {
            for _ in 0..RECEIVE_CALLS_AT_STOP {
                let Ok((_, left)) = self.receive_batch(Wake::Tick, outlet) else {
                    break;
                };
                self.decode_rest(outlet).await?;
                if left == Left::Empty {
                    break;
                }
            }
        }
        self.count_drops(outlet);
        Ok(())
    }

    async fn decode_rest(&mut self, outlet: &mut Outlet) -> Result<(), EngineGone> {
        while self.decode_next(outlet) {
            if outlet.is_full() {
                outlet.offer_when_room().await?;
            }
        }
        Ok(())
    }
}

/// Has the kernel hand over trains, if it can; whether it does.
fn trains(socket: &Socket, outlet: &Outlet) -> bool {
    let enabled = kernel::enable_trains(socket.as_fd());
    if let Err(error) = &enabled {
        tracing::warn!(
            source = outlet.name(),
            "The kernel hands over datagrams one by one ({error}): `gro` has no effect."
        );
    }
    enabled.is_ok()
}

fn bound(listen: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(listen), Type::DGRAM, None)?;
    socket.bind(&listen.into())?;
    Ok(socket)
}

/// Asks for a receive buffer, beyond net.core.rmem_max if this process may.
fn ask_for_buffer(socket: &Socket, bytes: usize) -> io::Result<()> {
    match kernel::force_receive_buffer(socket.as_fd(), bytes) {
        Ok(()) => Ok(()),
        Err(_) => SockRef::from(socket).set_recv_buffer_size(bytes),
    }
}

/// The buffer in the terms in which it is asked for: the kernel doubles that for its own overhead
/// (socket(7)) and tells the double.
fn granted_buffer(socket: &Socket) -> io::Result<usize> {
    SockRef::from(socket).recv_buffer_size().map(|bytes| bytes / 2)
}

fn bind_failure(listen: SocketAddr, error: &io::Error) -> String {
    let reason = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program listens there (`ss -ulpn` names it)".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            "no interface of this host has that address (`ip address` lists them)".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "permission denied; ports below 1024 need CAP_NET_BIND_SERVICE, or a socket unit"
                .to_owned()
        }
        _ => error.to_string(),
    };
    format!("cannot listen on {listen}: {reason}")
}

fn size(bytes: usize) -> String {
    const KIB: usize = 1_024;
    match bytes {
        _ if bytes < 10 * KIB => format!("{bytes} B"),
        _ if bytes < KIB * KIB => format!("{} KiB", bytes / KIB),
        _ => format!("{} MiB", bytes / (KIB * KIB)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_for_people() {
        let sizes = [(2_304, "2304 B"), (425_984, "416 KiB"), (16 << 20, "16 MiB")];
        for (bytes, text) in sizes {
            assert_eq!(size(bytes), text);
        }
    }
}
