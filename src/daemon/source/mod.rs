//! The tasks that read bytes: one a source, each with its decoder and its outlet.
//!
//! | kind | awaits | ends by |
//! |---|---|---|
//! | udp | the socket, a tick | stop |
//! | serial | the port, a tick, a poll; while down, news of its path, the next attempt | stop |
//! | modbus | the line, a tick, the next request, its deadline; while down, as serial | stop |
//! | simulator | the time of the next frame | the end of the scenario, or stop |
//! | replay | the time of the next chunk, or room in the queue | its end, or stop |
//!
//! Each tells the engine how far its time has come, every tick at the latest, also while its
//! input is silent or down: a source knows what it has read and nobody else does.
//!
//! Only these tasks hear the signal to stop. They hand over what they have and drop their end of
//! the queue, and the rest of the daemon ends by the end of its input.

pub mod backoff;
pub mod modbus;
pub mod outlet;
pub mod path_watch;
pub mod replay;
pub mod serial;
pub mod simulated;
pub mod udp;

use std::{convert::Infallible, future::Future, pin::pin, sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Interval, MissedTickBehavior, interval_at, sleep_until},
};

use self::{
    modbus::Modbus,
    outlet::{EngineGone, Outlet, OutletParts, Switch},
    udp::Udp,
};
use super::{
    clock::{self, Line},
    inherited::Adopted,
    tap::{Junction, Tap},
};
use crate::{
    config::model::{InputConfig, InputKind, OnFull},
    engine::{Batch, Link},
    limits::TICK_NS,
    wire::decode::Framing,
};

/// One source, ready to be run as a task.
#[derive(Debug)]
pub struct Source {
    index: usize,
    input: InputConfig,
    line: Line,
    batches: mpsc::Sender<Batch>,
    adopted: Option<Adopted>,
    junction: Arc<Junction>,
    switch: Switch,
}

/// How a source ended, and what it left.
#[derive(Debug)]
#[must_use = "a source that ended before it was stopped is news"]
pub struct Ended {
    /// How.
    pub outcome: Outcome,
    /// The state that it told last.
    pub link: Option<Link>,
    /// Its socket, for who comes next.
    pub socket: Option<Adopted>,
}

/// How a source came to its end: always news for the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a source that ended before it was stopped is news"]
pub enum Outcome {
    /// It was told to stop, and what it had counted is with the engine.
    Stopped,
    /// Its input came to an end, and what it had counted is with the engine.
    Ended,
    /// The queue to the engine was closed, or took no last batch: the ledger is not complete.
    EngineGone,
}

impl Source {
    /// A source that is `index` in the plan and feeds `batches`.
    #[must_use]
    pub fn new(index: usize, input: InputConfig, line: Line, batches: mpsc::Sender<Batch>) -> Self {
        let junction = Arc::new(Junction::new(Arc::clone(&input.name)));
        Self { index, input, line, batches, adopted: None, junction, switch: Switch::default() }
    }

    /// Has it hand its bytes to those who listen here, too.
    #[must_use]
    pub fn tapped_at(mut self, junction: Arc<Junction>) -> Self {
        self.junction = junction;
        self
    }

    /// Has a UDP source receive from this socket instead of binding its own.
    #[must_use]
    pub fn adopt(mut self, adopted: Adopted) -> Self {
        self.adopted = Some(adopted);
        self
    }

    /// Where word is left for it while it runs.
    #[must_use]
    pub fn switch(&self) -> Switch {
        self.switch.clone()
    }

    /// Reads until `stop` completes, the input ends or the engine is gone.
    ///
    /// Nothing that goes wrong with the input ends it: that is told by [`crate::engine::Link`]
    /// and tried again.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Ended {
        let Self { index, input, line, batches, adopted, junction, switch } = self;
        let InputConfig { name, kind, format, on_full } = input;
        // A file that is played as fast as it goes would flood the queue by its own haste.
        let on_full = match &kind {
            InputKind::Replay(config) if !config.paced => OnFull::Wait,
            _ => on_full,
        };
        let framing = match &kind {
            InputKind::Udp(config) => config.framing,
            InputKind::Simulator(_) => Framing::Datagram,
            // An exchange is handed over whole.
            InputKind::Modbus(_) => Framing::Datagram,
            InputKind::Serial(_) | InputKind::Replay(_) => Framing::Stream,
        };
        let tap = Tap::new(junction, framing);
        let own_format = format.clone();
        let parts = OutletParts { name, index, batches, on_full, format, framing, tap, switch };
        let (mut outlet, format, mut socket) = (Outlet::new(parts), own_format, None);
        let outcome = match kind {
            InputKind::Udp(config) => {
                let mut udp = Udp::new(config, adopted, line);
                let outcome = until(stop, endless(udp.run(&mut outlet))).await;
                let stopped = udp.stop(&mut outlet).await;
                outlet.reset();
                socket = udp.leave();
                stopped.map_or(Outcome::EngineGone, |()| outcome)
            }
            InputKind::Serial(config) => {
                let text = format.is_text();
                let serial = serial::run(&config, text, line, &mut outlet);
                let outcome = until(stop, endless(serial)).await;
                outlet.reset();
                outcome
            }
            InputKind::Modbus(config) => {
                let mut modbus = Modbus::new(config, line);
                let outcome = until(stop, endless(modbus.run(&mut outlet))).await;
                modbus.stop(&mut outlet);
                outcome
            }
            InputKind::Replay(config) => {
                let outcome = until(stop, replay::run(&config, &format, line, &mut outlet)).await;
                outlet.reset();
                outcome
            }
            InputKind::Simulator(config) => {
                until(stop, simulated::run(&config, line, &mut outlet)).await
            }
        };
        let link = outlet.link().cloned();
        let outcome = match outcome {
            Outcome::EngineGone => outcome,
            Outcome::Stopped | Outcome::Ended => {
                outlet.close().await.map_or(Outcome::EngineGone, |()| outcome)
            }
        };
        Ended { outcome, link, socket }
    }
}

/// Runs a source that can end, until it is told to stop.
async fn until(
    stop: impl Future<Output = ()>,
    source: impl Future<Output = Result<(), EngineGone>>,
) -> Outcome {
    let stop = pin!(stop);
    tokio::select! {
        biased;
        () = stop => Outcome::Stopped,
        end = source => end.map_or(Outcome::EngineGone, |()| Outcome::Ended),
    }
}

/// A source that never ends of itself, as one that could.
async fn endless(
    source: impl Future<Output = Result<Infallible, EngineGone>>,
) -> Result<(), EngineGone> {
    source.await.map(|never| match never {})
}

/// Hands over what is collected and waits until the line reaches `due_ns`, telling the time
/// meanwhile. Safe to cancel.
async fn until_due(due_ns: i64, line: Line, outlet: &mut Outlet) -> Result<(), EngineGone> {
    let mut now_ns = line.now_ns();
    if now_ns < due_ns {
        outlet.offer(now_ns).await?;
    }
    while now_ns < due_ns {
        // Timers stop in suspend and the line does not: it is looked at again.
        let wait_ns = due_ns.saturating_sub(now_ns).min(TICK_NS);
        sleep_until(clock::deadline_in(wait_ns)).await;
        now_ns = line.now_ns();
        if now_ns < due_ns {
            outlet.tick(now_ns).await?;
        }
    }
    Ok(())
}

/// Waits before the next attempt to open, and tells the time meanwhile. Safe to cancel.
async fn rest(wait_ns: i64, line: Line, outlet: &mut Outlet) -> Result<(), EngineGone> {
    until_due(line.now_ns().saturating_add(wait_ns), line, outlet).await
}

/// One tick each [`TICK_NS`]; late ones are not made up for.
fn ticks() -> Interval {
    let period = Duration::from_nanos(TICK_NS.unsigned_abs());
    let mut tick = interval_at(clock::deadline_in(TICK_NS), period);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick
}
