//! What a datagram costs on its way in, step by step, from a socket that is full.
//!
//! `cargo bench --bench receive`; its arguments are those of benches/support. Each row does one
//! step more than the one above it: what stands beside the first is what the daemon adds to the
//! kernel's share. All of it runs on one thread, so that nothing is hidden by another CPU. What is
//! not here is the runtime's wait for the socket, which a busy source does not do.
//! The instructions are those of the program, without the kernel's.

#[path = "process/load.rs"]
mod load;
mod support;

use std::{io, net::UdpSocket, os::fd::AsFd, path::Path, sync::Arc};

use futures::executor::block_on;
use socket2::SockRef;
use stillwell::{
    config::{Config, model::OnFull},
    daemon::{
        clock::{Clocks, Line},
        kernel::{self, ReceiveBatch},
        source::outlet::{Outlet, OutletParts, Switch},
        tap::{Junction, Tap},
    },
    engine::{Batch, Input, normalize::Normalize, rolling::Rolling, validate::Validate},
    limits::{MS, RECEIVE_BUFFER_DEFAULT},
    scan::Step,
    wire::decode::Framing,
};
use tokio::sync::mpsc;

use self::{
    load::{Load, Payload},
    support::{Bench, Case, Table, Watch},
};

const CHANNELS: usize = 1_000;
/// Datagrams that wait in the socket when the watch starts, if its buffer holds as many.
const WAITING_MAX: u64 = 4_096;
const DATAGRAMS: u64 = 256 * WAITING_MAX;
/// What the kernel counts for a datagram at most, with its own overhead, and as much again to be
/// safe.
const WAITING_BYTES: usize = 2_560;

/// How far a datagram goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Depth {
    Received,
    Stamped,
    Decoded,
    Rolled,
}

impl Depth {
    const ALL: [Self; 4] = [Self::Received, Self::Stamped, Self::Decoded, Self::Rolled];

    fn name(self) -> &'static str {
        match self {
            Self::Received => "received and discarded",
            Self::Stamped => "with the kernel's stamps",
            Self::Decoded => "and decoded",
            Self::Rolled => "and validated, normalized, rolled",
        }
    }
}

fn main() -> io::Result<()> {
    let bench = Bench::from_arguments()?;
    for payload in [Payload::Native(1), Payload::Native(50), Payload::Statsd(25)] {
        for gro in [false, true] {
            let trains = if gro { ", as trains" } else { "" };
            let title = format!("{} x {}{trains}", payload.format(), payload.readings());
            let table = Table {
                title: &title,
                unit: "a datagram",
                labels: &["how far"],
                notes: &[],
                beside_first: true,
            };
            bench.table(&table, &Depth::ALL.map(|depth| case(payload, gro, depth)))?;
        }
    }
    Ok(())
}

fn case(payload: Payload, gro: bool, depth: Depth) -> Case<'static> {
    Case::new([depth.name()], DATAGRAMS, move |datagrams, watch| {
        let done = Way::new(payload, gro, depth, watch.reads_clocks())
            .and_then(|mut way| way.run(datagrams, watch));
        done.unwrap_or_else(|error| panic!("loopback: {error}"));
    })
}

/// A socket with a sender on its other side, and what lies behind it.
struct Way {
    socket: UdpSocket,
    load: Load,
    /// Datagrams that wait when the watch starts.
    waiting: u64,
    batch: ReceiveBatch,
    depth: Depth,
    /// None under valgrind: then an arrival is its stamp.
    line: Option<Line>,
    arrived_ns: i64,
    outlet: Outlet,
    queue: mpsc::Receiver<Batch>,
    engine: (Validate, Normalize, Rolling),
}

impl Way {
    fn new(payload: Payload, gro: bool, depth: Depth, clocks: bool) -> io::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let buffer = SockRef::from(&socket);
        if kernel::force_receive_buffer(socket.as_fd(), 2 * RECEIVE_BUFFER_DEFAULT).is_err() {
            buffer.set_recv_buffer_size(2 * RECEIVE_BUFFER_DEFAULT)?;
        }
        let waiting = (buffer.recv_buffer_size()? / WAITING_BYTES) as u64;
        if gro {
            kernel::set_trains(socket.as_fd(), true)?;
        }
        if Depth::Stamped <= depth {
            kernel::enable_timestamps(socket.as_fd())?;
        }
        let Config { inputs, plan, .. } = config(payload);
        let (batches, queue) = mpsc::channel(1);
        let parts = OutletParts {
            name: "load".into(),
            index: 0,
            batches,
            on_full: OnFull::Wait,
            format: inputs[0].format.clone(),
            framing: Framing::Datagram,
            switch: Switch::default(),
            tap: Tap::new(Arc::new(Junction::new("load".into())), Framing::Datagram),
        };
        Ok(Self {
            load: Load::new(payload, CHANNELS, socket.local_addr()?)?,
            socket,
            waiting: waiting.min(WAITING_MAX),
            batch: if gro { ReceiveBatch::of_trains() } else { ReceiveBatch::new() },
            depth,
            line: clocks.then(Line::anchored),
            arrived_ns: 0,
            outlet: Outlet::new(parts),
            queue,
            engine: (Validate::new(&plan), Normalize::new(&plan), Rolling::new(&plan, 100 * MS, 1)),
        })
    }

    fn run(&mut self, datagrams: u64, watch: &mut Watch) -> io::Result<()> {
        // Every channel is met before the watch starts.
        for _ in 0..(CHANNELS as u64).div_ceil(self.waiting) {
            self.load.burst(self.waiting)?;
            self.drain()?;
        }
        while watch.items() < datagrams {
            self.load.burst(self.waiting)?;
            let received = watch.time(self.waiting, || self.drain())?;
            if received != self.waiting {
                let lost = format!("{received} of {} datagrams came through", self.waiting);
                return Err(io::Error::other(lost));
            }
        }
        Ok(())
    }

    /// Takes all that waits, as a UDP source does; how many there were.
    fn drain(&mut self) -> io::Result<u64> {
        let mut received = 0;
        loop {
            match self.batch.receive(self.socket.as_fd()) {
                Ok(datagrams) => received += datagrams as u64,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(received),
                Err(error) => return Err(error),
            }
            if Depth::Decoded <= self.depth {
                self.decode();
            }
        }
    }

    fn decode(&mut self) {
        let clocks = self.line.map(|line| (line, Clocks::now()));
        while let Some(datagram) = self.batch.next_datagram() {
            let stamp_ns = datagram.stamp_ns.expect("stamps are on");
            let arrived_ns = clocks.map_or(stamp_ns, |(line, now)| line.of_wall(stamp_ns, now));
            self.arrived_ns = self.arrived_ns.max(arrived_ns);
            self.outlet.feed(datagram.bytes, self.arrived_ns);
            if self.outlet.is_full() {
                block_on(self.outlet.offer(self.arrived_ns)).expect("the queue is open");
                let batch = self.queue.try_recv().expect("it was just offered");
                if self.depth == Depth::Rolled {
                    self.roll(batch);
                } else {
                    let Batch { mut frames, frames_home, .. } = batch;
                    frames.clear();
                    frames_home.give_back(frames);
                }
            }
        }
    }

    fn roll(&mut self, batch: Batch) {
        let (validate, normalize, rolling) = &mut self.engine;
        let checked =
            validate.step(Input { now_ns: batch.now_ns, batch: Some(batch), sitting: None });
        let checked = checked.and_then(|checked| normalize.step(checked));
        drop(checked.and_then(|checked| rolling.step(checked)));
    }
}

fn config(payload: Payload) -> Config {
    let text = format!(
        "[defaults]\npercentiles = []\n\n[[source]]\nname = \"load\"\nkind = \"udp\"\n\
         listen = \"127.0.0.1:0\"\nformat = \"{}\"\nunknown = \"discover\"\n\
         discover_max = {CHANNELS}\n",
        payload.format()
    );
    let nothing = |_: &Path| Err(io::ErrorKind::NotFound.into());
    let loaded = Config::parse(&text, Path::new("bench.toml"), &nothing);
    loaded.unwrap_or_else(|errors| panic!("{errors}")).config
}
