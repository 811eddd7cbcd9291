//! The loop: a frame, its time, its way out.

use std::{future::poll_fn, io, net::SocketAddr, pin::Pin, task::Poll};

use stillwell::{
    daemon::clock,
    simulate::{Emission, Player},
};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    args::{Failure, Pace, Plan, Target},
    complain,
    output::Output,
    report::{self, Ended},
};

/// Frames sent flat out between two looks at the signals.
const FRAMES_PER_TURN: u64 = 64;
/// What is due within this is sent at once: timers are no finer.
const TIMER_NS: i64 = 1_000_000;

/// Plays to the end, to a limit or to a signal, and reports in any case.
pub(crate) async fn play(plan: &Plan) -> Result<(), Failure> {
    let mut stop = Stop::new().map_err(|error| Failure::output("signals", &error))?;
    let mut output = Output::open(&plan.target, plan.scenario.format).await?;
    let mut player = Player::new(&plan.scenario, plan.seed, plan.start_ns);
    let mut outcome = match stop.or(output.ready()).await {
        Some(Ok(())) => run(plan, &mut player, &mut output, &mut stop).await,
        Some(Err(error)) => Err(error),
        None => Ok(Ended::Signal),
    };
    if let Ok(ended) = &outcome
        && let Some(Err(error)) = close(&mut output, &mut stop, *ended).await
    {
        outcome = Err(error);
    }
    let ended = *outcome.as_ref().unwrap_or(&Ended::Error);
    let report = report::line(plan, player.sent(), output.tally(), ended);
    let reported = report::print(&report, matches!(plan.target, Target::Stdout));
    outcome.map_err(|error| Failure::output(&output.name(), &error))?;
    reported.map_err(|error| Failure::output("the report", &error))
}

/// What was sent is to arrive, unless a signal says that nobody cares.
async fn close(output: &mut Output, stop: &mut Stop, ended: Ended) -> Option<io::Result<()>> {
    match ended {
        Ended::Signal => output.flush().err().map(Err),
        _ => stop.or(output.close()).await,
    }
}

async fn run(
    plan: &Plan,
    player: &mut Player,
    output: &mut Output,
    stop: &mut Stop,
) -> io::Result<Ended> {
    let mut pacer = Pacer::new(plan.pace, plan.start_ns);
    let mut readings = 0;
    for frame in 0_u64.. {
        if frame == plan.frames {
            return Ok(Ended::Frames);
        }
        if readings >= plan.readings {
            return Ok(Ended::Readings);
        }
        let Some(emission) = player.next() else { return Ok(Ended::Played) };
        readings += emission.readings;
        let sent = stop.or(send(&emission, frame, &mut pacer, output)).await;
        match sent {
            Some(Ok(())) => {}
            Some(Err(error)) => {
                player.unsent();
                return Err(error);
            }
            None => {
                if !output.settle().await {
                    player.unsent();
                }
                return Ok(Ended::Signal);
            }
        }
    }
    Ok(Ended::Frames)
}

async fn send(
    emission: &Emission<'_>,
    frame: u64,
    pacer: &mut Pacer,
    output: &mut Output,
) -> io::Result<()> {
    if frame.is_multiple_of(FRAMES_PER_TURN) {
        tokio::task::yield_now().await;
    }
    pacer.wait(emission.at_ns).await;
    output.send(emission).await
}

/// Says when the next frame may go.
struct Pacer {
    pace: Pace,
    start_ns: i64,
    began_ns: i64,
    /// When the next may go for the sake of the rate, nanoseconds after the beginning.
    free_ns: f64,
}

impl Pacer {
    fn new(pace: Pace, start_ns: i64) -> Self {
        Self { pace, start_ns, began_ns: clock::boot_ns(), free_ns: 0.0 }
    }

    async fn wait(&mut self, at_ns: i64) {
        if self.pace.speed.is_none() && self.pace.gap_ns == 0.0 {
            return;
        }
        let planned_ns = at_ns.saturating_sub(self.start_ns) as f64;
        let due_ns = self.pace.speed.map_or(0.0, |speed| planned_ns / speed);
        let due_ns = due_ns.max(self.free_ns);
        self.free_ns = due_ns + self.pace.gap_ns;
        let left_ns = due_ns as i64 - (clock::boot_ns() - self.began_ns);
        if left_ns >= TIMER_NS {
            tokio::time::sleep_until(clock::deadline_in(left_ns)).await;
        }
    }
}

/// SIGINT and SIGTERM.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// The outcome of `work`, or `None` if a signal comes first.
    async fn or<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = std::pin::pin!(work);
        poll_fn(|context| {
            // A frame that went out must be known to have: the work is asked first.
            if let Poll::Ready(done) = Pin::as_mut(&mut work).poll(context) {
                return Poll::Ready(Some(done));
            }
            let interrupted = self.interrupt.poll_recv(context).is_ready();
            let terminated = self.terminate.poll_recv(context).is_ready();
            if interrupted || terminated { Poll::Ready(None) } else { Poll::Pending }
        })
        .await
    }
}

/// Says once that nobody listens.
pub(crate) fn warn_unreachable(address: SocketAddr) {
    complain(&format!("nobody listens on {address} yet; going on"));
}
