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

mod socket;

use std::{convert::Infallible, io, os::fd::AsFd, pin::pin};

use tokio::{io::Interest, net::UdpSocket, time::sleep_until};

use self::socket::{Left, Opened, Setting};
use super::{
    backoff::Backoff,
    outlet::{EngineGone, Outlet},
    rest, ticks,
};
use crate::{
    config::model::UdpConfig,
    daemon::{
        clock::{self, Clocks, Line},
        inherited::{Adopted, Keeper},
        kernel::{self, ReceiveBatch},
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

    /// Leaves the socket for who comes next.
    #[must_use]
    pub fn leave(self) -> Option<Adopted> {
        let Some(open) = self.open else { return self.adopted };
        let keeper = open.keeper;
        // What cannot be had back is closed.
        open.socket.into_std().ok().map(|socket| Adopted { socket, keeper })
    }

    fn bind(&mut self, outlet: &Outlet) -> Result<(Open, String), String> {
        let opened = socket::open(&self.config, self.adopted.as_ref(), outlet)?;
        let Opened { socket, setting, detail } = opened;
        let keeper = self.adopted.take().map_or(Keeper::Nobody, |adopted| adopted.keeper);
        let is_kept = keeper != Keeper::Nobody || socket::keep(&socket, outlet);
        let keeper = if is_kept && keeper == Keeper::Nobody { Keeper::Store } else { keeper };
        Ok((Open::new(socket, keeper, setting, self.line), detail))
    }
}

/// A socket that is received from.
#[derive(Debug)]
struct Open {
    socket: UdpSocket,
    /// Who keeps it when the process ends; if that is no socket unit, it is emptied at the end.
    keeper: Keeper,
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
    fn new(socket: UdpSocket, keeper: Keeper, setting: Setting, line: Line) -> Self {
        let Setting { cookie, trains, left } = setting;
        let clocks = Clocks::now();
        Self {
            socket,
            keeper,
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
        if self.keeper != Keeper::Unit {
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
