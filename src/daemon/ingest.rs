//! The thread that all sources live on.
//!
//! It is apart from the server's, so that a flood delays no query, and from the engine's, so that
//! closing a million panes delays no receive.
//!
//! At a reload ([`Turn`]) a source whose port is as it was reads on, and feeds the next engine as
//! soon as it has handed the rest to the one before; the others end, and those of the new
//! configuration begin, with the sockets that were left. The queue to the old engine ends with
//! that.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{JoinError, JoinSet},
    time::{MissedTickBehavior, timeout_at},
};
use tracing::warn;

use super::{
    clock::{self, Line},
    inherited::{Adopted, Inherited},
    publish::Vitals,
    source::{
        Ended, Outcome, Source,
        outlet::{Course, Switch},
    },
    tap::Taps,
};
use crate::{
    config::{InputConfig, InputKind, change::SourceFate},
    engine::{Batch, Link, validate::GoesOn},
    limits::{SWITCH_NS, TICK_NS},
};

/// What the thread runs by.
#[derive(Debug)]
pub struct Ingest {
    /// The inputs, in the order of the plan.
    pub inputs: Vec<InputConfig>,
    /// Sockets that the service manager has opened for them.
    pub inherited: Inherited,
    /// The daemon's time.
    pub line: Line,
    /// The queue to the engine.
    pub batches: mpsc::Sender<Batch>,
    /// Where the thread shows that it lives.
    pub vitals: Arc<Vitals>,
    /// Where others listen to the inputs.
    pub taps: Arc<Taps>,
}

/// Other inputs, and another engine, from now on.
#[derive(Debug)]
pub struct Turn {
    /// The inputs, in the order of the new plan.
    pub inputs: Vec<InputConfig>,
    /// The queue to the new engine.
    pub batches: mpsc::Sender<Batch>,
    /// Told when nothing more goes to the old one: what goes on of each source.
    pub done: oneshot::Sender<Vec<GoesOn>>,
}

/// What goes on over a restart of the daemon, or of the source.
#[must_use]
pub fn goes_on_anew(input: &InputConfig) -> GoesOn {
    match input.kind {
        InputKind::Udp(_) | InputKind::Serial(_) | InputKind::Modbus(_) => GoesOn::All,
        InputKind::Simulator(_) => GoesOn::AllButDevices,
        InputKind::Replay(_) => GoesOn::Ledger,
    }
}

/// The sources, as they run.
struct Sources {
    tasks: JoinSet<(u64, Ended)>,
    seats: Vec<Seat>,
    /// Number of the next one that begins.
    next: u64,
    line: Line,
    taps: Arc<Taps>,
    /// The queue to the engine. It ends when this and the sources do, and not before: a daemon
    /// whose inputs have all ended still serves.
    batches: mpsc::Sender<Batch>,
    /// Names of those whose last counts did not reach the engine.
    cut_off: Vec<Arc<str>>,
}

/// A source of the configuration.
struct Seat {
    /// Tells it apart from all others, of other configurations too.
    number: u64,
    input: InputConfig,
    state: State,
}

enum State {
    Running {
        stop: watch::Sender<bool>,
        switch: Switch,
    },
    /// It has come to its end by itself, in this state.
    Ended(Option<Link>),
}

impl Ingest {
    /// Runs every source until `stop` says so, and turns to others at each of `turns`.
    ///
    /// Returns the names of the sources whose last counts did not reach the engine.
    pub async fn run(
        self,
        stop: watch::Receiver<bool>,
        mut turns: mpsc::Receiver<Turn>,
    ) -> Vec<Arc<str>> {
        let Self { inputs, mut inherited, line, batches, vitals, taps } = self;
        let (tasks, cut_off) = (JoinSet::new(), Vec::new());
        let mut sources =
            Sources { tasks, seats: Vec::new(), next: 0, line, taps, batches, cut_off };
        for (index, input) in inputs.into_iter().enumerate() {
            let seat = sources.begin(index, input, &mut inherited);
            sources.seats.push(seat);
        }
        inherited.close_rest();
        let mut ticks = tokio::time::interval(Duration::from_nanos(TICK_NS.unsigned_abs()));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut stopped = std::pin::pin!(stopped(stop));
        let mut stopping = false;
        loop {
            let event = tokio::select! {
                biased;
                () = &mut stopped, if !stopping => Event::Stop,
                Some(turn) = turns.recv(), if !stopping => Event::Turn(turn),
                Some(ended) = sources.tasks.join_next() => Event::Ended(ended),
                _ = ticks.tick() => Event::Tick,
            };
            match event {
                Event::Stop => {
                    stopping = true;
                    sources.seats.iter().for_each(Seat::stop);
                }
                Event::Turn(turn) => sources.turn(turn).await,
                Event::Tick => {
                    vitals.ingest_turns.fetch_add(1, Relaxed);
                }
                Event::Ended(ended) => drop(sources.end(ended)),
            }
            if stopping && sources.tasks.is_empty() {
                return sources.cut_off;
            }
        }
    }
}

enum Event {
    Stop,
    Turn(Turn),
    Tick,
    Ended(Result<(u64, Ended), JoinError>),
}

impl Sources {
    /// Starts a source, with its socket if there is one for it.
    fn begin(&mut self, index: usize, input: InputConfig, sockets: &mut Inherited) -> Seat {
        let adopted = sockets.for_input(&input);
        let source = Source::new(index, input.clone(), self.line, self.batches.clone());
        let source = source.tapped_at(self.taps.junction(index));
        let source = match adopted {
            Some(adopted) => source.adopt(adopted),
            None => source,
        };
        let number = self.next;
        self.next += 1;
        let (stop, stops) = watch::channel(false);
        let switch = source.switch();
        self.tasks.spawn_local(async move { (number, source.run(stopped(stops)).await) });
        Seat { number, input, state: State::Running { stop, switch } }
    }

    /// Takes note of the end of a source; the socket that it left, if it did, with its name.
    fn end(&mut self, ended: Result<(u64, Ended), JoinError>) -> Option<(Arc<str>, Adopted)> {
        let (number, Ended { outcome, link, socket }) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                warn!(%error, "A source's task was lost.");
                return None;
            }
        };
        let seat = self.seats.iter_mut().find(|seat| seat.number == number)?;
        let name = Arc::clone(&seat.input.name);
        match outcome {
            // The source itself has told of its end.
            Outcome::Stopped | Outcome::Ended => {}
            Outcome::EngineGone => self.cut_off.push(Arc::clone(&name)),
        }
        seat.state = State::Ended(link);
        Some((name, socket?))
    }

    /// Has those that can read on feed the new engine, ends the others, and begins the new ones.
    async fn turn(&mut self, Turn { inputs, batches, done }: Turn) {
        let reads_on = self.switch(&inputs, &batches);
        let mut left = Vec::new();
        for seat in self.seats.iter().filter(|seat| !reads_on.contains(&seat.number)) {
            seat.stop();
        }
        let deadline = clock::deadline_in(SWITCH_NS);
        while self.seats.iter().any(|seat| seat.is_running() && !reads_on.contains(&seat.number)) {
            let Some(ended) = self.tasks.join_next().await else { break };
            left.extend(self.end(ended));
        }
        for number in reads_on {
            let running = self.seats.iter().find_map(|seat| seat.running(number));
            let Some((stop, switch)) = running else { continue };
            if timeout_at(deadline, switch.taken()).await.is_err() && switch.clear() {
                // It hangs in its port or waits for a file: it begins anew.
                stop.send_replace(true);
            }
        }
        while self.seats.iter().any(Seat::is_stopping) {
            let Some(ended) = self.tasks.join_next().await else { break };
            left.extend(self.end(ended));
        }
        self.batches = batches;
        let goes_on = self.seat(inputs, Inherited::left(left)).await;
        // Who asked may be gone if the daemon ends.
        let _ = done.send(goes_on);
    }

    /// Leaves word for the sources that read on; their numbers.
    fn switch(&self, inputs: &[InputConfig], batches: &mpsc::Sender<Batch>) -> Vec<u64> {
        let mut reads_on = Vec::new();
        for (index, input) in inputs.iter().enumerate() {
            let Some(seat) = self.seats.iter().find(|seat| seat.input.name == input.name) else {
                continue;
            };
            let State::Running { switch, .. } = &seat.state else { continue };
            let format = match SourceFate::of(&seat.input, input) {
                SourceFate::Kept => None,
                SourceFate::Redecoded => Some(input.format.clone()),
                SourceFate::Restarted | SourceFate::Added | SourceFate::Removed => continue,
            };
            switch.set(Course { index, batches: batches.clone(), format });
            reads_on.push(seat.number);
        }
        reads_on
    }

    /// Gives each input its seat: that of the source that reads on, or a new one.
    async fn seat(&mut self, inputs: Vec<InputConfig>, mut sockets: Inherited) -> Vec<GoesOn> {
        self.taps.rename(inputs.iter().map(|input| Arc::clone(&input.name)));
        let mut before = std::mem::take(&mut self.seats);
        let mut goes_on = Vec::new();
        for (index, input) in inputs.into_iter().enumerate() {
            let at = before.iter().position(|seat| seat.input.name == input.name);
            let seat = at.map(|at| before.swap_remove(at));
            let reads_on = seat.filter(|seat| {
                !seat.is_stopping() && SourceFate::of(&seat.input, &input).reads_on()
            });
            let (seat, went) = match reads_on {
                Some(Seat { number, state: State::Running { stop, switch }, .. }) => (
                    Seat { number, input, state: State::Running { stop, switch } },
                    GoesOn::Running,
                ),
                Some(Seat { number, state: State::Ended(Some(link @ Link::Ended(_))), .. }) => {
                    let told =
                        Batch { source: index, link: Some(link.clone()), ..Batch::default() };
                    // A new queue has room, and an engine that ends needs it no more.
                    let _ = self.batches.send(told).await;
                    let state = State::Ended(Some(link));
                    (Seat { number, input, state }, GoesOn::Running)
                }
                _ => {
                    let went = goes_on_anew(&input);
                    (self.begin(index, input, &mut sockets), went)
                }
            };
            self.seats.push(seat);
            goes_on.push(went);
        }
        sockets.close_rest();
        goes_on
    }
}

impl Seat {
    fn stop(&self) {
        if let State::Running { stop, .. } = &self.state {
            stop.send_replace(true);
        }
    }

    fn is_running(&self) -> bool {
        matches!(self.state, State::Running { .. })
    }

    fn is_stopping(&self) -> bool {
        matches!(&self.state, State::Running { stop, .. } if *stop.borrow())
    }

    fn running(&self, number: u64) -> Option<(watch::Sender<bool>, Switch)> {
        match &self.state {
            State::Running { stop, switch } if self.number == number => {
                Some((stop.clone(), switch.clone()))
            }
            _ => None,
        }
    }
}

/// Completes when the flag is raised, or when nobody is left who could raise it.
async fn stopped(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await.map(drop);
}
