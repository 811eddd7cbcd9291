//! A UDP socket: many datagrams a call, stamped by the kernel, its drops counted.
//!
//! `datagrams sent = datagrams received + kernel_dropped` holds on loopback to the datagram, with
//! what is still in the socket: the kernel's drop counter (SO_MEMINFO) is read with each batch, on
//! a tick while nothing comes, and once more at the end. With `gro` the kernel counts a train that
//! it drops as one, and the identity holds only while it drops nothing.
//!
//! The socket may outlive the process, and with it what nobody has read: one that was bound here is
//! handed to the service manager, and both kinds are adopted at the next start. What waited in one
//! has the kernel's stamp, and so the arrival that it had. Where nobody had asked for stamps
//! before, the kernel stamps what waited when it is read; these are counted as `unstamped`.
//!
//! A quiet source hands over what it has as soon as its socket is empty. A busy one does so every
//! [`HAND_OVER_NS`] at most, or when a batch is full: to wake the engine costs more than to
//! receive a dozen datagrams.

use std::{convert::Infallible, io, net::SocketAddr, os::fd::AsFd, pin::pin};

use rustix::io::Errno;
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
        inherited::{Adopted, Keeper, store_name},
        kernel::{self, ReceiveBatch},
        notify,
        rate::LogLimit,
    },
    engine::{
        Link,
        batch::{SocketDrops, Transport},
    },
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
    adopted: Option<Adopted>,
    open: Option<Open>,
}

impl Udp {
    /// A source that has not opened its socket.
    ///
    /// An `adopted` socket is used as it is bound; without one the source binds its own.
    #[must_use]
    pub fn new(config: UdpConfig, adopted: Option<Adopted>, line: Line) -> Self {
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
    /// A socket of the daemon's own is emptied, since what is in it goes uncounted where nobody
    /// keeps it; what is in that of a socket unit is for the next process.
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
        let adopted = self.adopted.as_ref().map(|adopted| adopted.socket.try_clone()).transpose();
        let adopted = adopted.map_err(|error| format!("cannot use the socket: {error}"))?;
        let is_new = adopted.is_none();
        let socket = match adopted {
            Some(socket) => Socket::from(socket),
            None => bound(listen).map_err(|error| bind_failure(listen, &error))?,
        };
        let set_up = || {
            let setting = self.set_up(&socket, is_new, outlet)?;
            Ok((setting, granted_buffer(&socket)?, UdpSocket::from_std(socket.into())?))
        };
        let (setting, buffer, socket) = set_up()
            .map_err(|error: io::Error| format!("cannot set up the socket on {listen}: {error}"))?;
        let keeper = self.adopted.take().map_or(Keeper::Nobody, |adopted| adopted.keeper);
        if keeper == Keeper::Nobody {
            keep(&socket, outlet);
        }
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
        let counted = match (setting.cookie, setting.trains) {
            (None, _) => ", kernel drops not counted",
            (Some(_), true) => ", kernel drops counted by trains",
            (Some(_), false) => "",
        };
        let detail = format!("{address}, receive buffer {}{counted}", size(buffer));
        Ok((Open::new(socket, keeper != Keeper::Unit, setting, self.line), detail))
    }

    /// Sets up a socket, one that `is_new` or one with the options of another process's.
    fn set_up(&self, socket: &Socket, is_new: bool, outlet: &Outlet) -> io::Result<Setting> {
        socket.set_nonblocking(true)?;
        // A socket that was there before may hold datagrams already: it is never made smaller.
        let asked = self.config.receive_buffer;
        if is_new || granted_buffer(socket)? < asked {
            ask_for_buffer(socket, asked)?;
        }
        let was_stamped = is_new || kernel::has_timestamps(socket.as_fd());
        if let Err(error) = kernel::enable_timestamps(socket.as_fd()) {
            tracing::warn!(
                source = outlet.name(),
                "The kernel does not stamp datagrams ({error}): the time of reading counts."
            );
        }
        // Trains that wait are trains, whatever is asked for now.
        let had_trains = kernel::has_trains(socket.as_fd());
        let trains = self.config.gro && trains(socket, outlet) || had_trains;
        let is_counted = kernel::socket_drops(socket.as_fd()).is_ok();
        let cookie = socket.cookie().ok().filter(|_| is_counted);
        let left = Left { unstamped: !was_stamped, trains: had_trains && !self.config.gro };
        Ok(Setting { cookie, trains, left })
    }
}

/// Hands a socket to the service manager, if there is one, so that it and what is in it outlive
/// this process.
fn keep(socket: &UdpSocket, outlet: &Outlet) {
    if let Err(error) = notify::keep(&store_name(outlet.name()), socket.as_fd()) {
        tracing::warn!(
            source = outlet.name(),
            "The service manager does not keep the socket ({error}): a crash loses what is in it."
        );
    }
}

/// How a socket was set up.
#[derive(Clone, Copy, Debug)]
struct Setting {
    /// The kernel's number for it; `None` if its drops are not counted.
    cookie: Option<u64>,
    /// Whether it may give trains.
    trains: bool,
    left: Left,
}

/// What is otherwise about the datagrams that another process left in the socket: until it is
/// empty for the first time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Left {
    /// Nobody had asked for stamps.
    unstamped: bool,
    /// They may be trains, and no more are to come.
    trains: bool,
}

/// A socket that is received from.
#[derive(Debug)]
struct Open {
    socket: UdpSocket,
    /// To be emptied at the end.
    own: bool,
    line: Line,
    batch: ReceiveBatch,
    left: Left,
    /// The wall clock when `batch` was asked for.
    asked_wall_ns: i64,
    /// Both clocks when `batch` was received.
    clocks: Clocks,
    /// Arrivals never go back.
    arrived_ns: i64,
    /// The kernel's number for the socket; `None` if its drops are not counted.
    cookie: Option<u64>,
    /// What the engine was told last of its drops.
    told: Option<SocketDrops>,
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

/// What may be in the socket after a receive call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// Nothing.
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
    fn new(socket: UdpSocket, own: bool, setting: Setting, line: Line) -> Self {
        let Setting { cookie, trains, left } = setting;
        let clocks = Clocks::now();
        Self {
            socket,
            own,
            line,
            batch: if trains { ReceiveBatch::of_trains() } else { ReceiveBatch::new() },
            left,
            asked_wall_ns: clocks.wall_ns,
            clocks,
            arrived_ns: i64::MIN,
            cookie,
            told: None,
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
                Ok((received, rest)) => {
                    while self.decode_next(outlet) {
                        if outlet.is_full() {
                            outlet.offer(self.arrived_ns).await?;
                            self.handed_over_ns = asked_ns;
                        }
                    }
                    datagrams += received;
                    if rest == Rest::Empty {
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
        self.forget_left();
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

    /// All that another process left in the socket has come out of it.
    fn forget_left(&mut self) {
        let left = std::mem::take(&mut self.left);
        if left.trains {
            // If it fails, they come as trains still, for which the buffers are large enough.
            let _ = kernel::set_trains(self.socket.as_fd(), false);
        }
    }

    /// One receive call; how many datagrams it gave, and whether there may be more.
    fn receive_batch(&mut self, wake: Wake, outlet: &mut Outlet) -> io::Result<(usize, Rest)> {
        if self.left.unstamped {
            self.asked_wall_ns = Clocks::now().wall_ns;
        }
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
        Ok((datagrams, if self.batch.is_full() { Rest::More } else { Rest::Empty }))
    }

    /// Decodes the next datagram of the batch; false if there is none.
    fn decode_next(&mut self, outlet: &mut Outlet) -> bool {
        let Some(datagram) = self.batch.next_datagram() else {
            return false;
        };
        let is_of_reading = |stamp_ns| self.left.unstamped && self.asked_wall_ns <= stamp_ns;
        if datagram.stamp_ns.is_none_or(is_of_reading) {
            outlet.count(&Transport { unstamped: 1, ..Transport::default() });
        }
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
        let (Some(cookie), Ok(count)) = (self.cookie, kernel::socket_drops(self.socket.as_fd()))
        else {
            return;
        };
        let drops = SocketDrops { cookie, count };
        if self.told != Some(drops) {
            self.told = Some(drops);
            outlet.read_drops(drops);
        }
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
                let Ok((_, rest)) = self.receive_batch(Wake::Tick, outlet) else {
                    break;
                };
                self.decode_rest(outlet).await?;
                if rest == Rest::Empty {
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
    let enabled = kernel::set_trains(socket.as_fd(), true);
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
        _ if error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error()) => {
            "this process may have no such socket; for a sealed service stillwell-udp.socket opens \
             it, or self-bound.conf unseals it"
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
