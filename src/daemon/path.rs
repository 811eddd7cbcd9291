//! The data path of the daemon: its threads, and how one of another configuration takes over.
//!
//! The threads of the sources and of the state stay for as long as the process. At a reload the
//! sources turn to a new queue ([`super::ingest`]). With that the engine of the old one comes to
//! the end of its input, hands its state over as it would to the next start, and ends with its
//! shards. The new one goes on from there with what waits in its queue: nothing is lost meanwhile
//! unless that fills up, and the line of time, the epoch and the numbers of the snapshots go on.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

use futures::stream::FuturesUnordered;
use tokio::{
    runtime,
    sync::{mpsc, oneshot, watch},
    task::LocalSet,
};
use tokio_stream::StreamExt as _;

use super::{
    clock::Line,
    ingest::{Ingest, Turn},
    inherited::Inherited,
    pipeline::{self, Aim, Ended, Kept},
    publish::{Publisher, Vitals},
    shards,
    state::{Start, calls::Calls},
    tap::Taps,
};
use crate::{
    config::Config,
    engine::{Batch, Plan, Snapshot, desk::Desk, validate::Terms},
};

/// What a data path shares with the rest of the daemon, whatever its configuration.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Where it shows that it lives.
    pub vitals: Arc<Vitals>,
    /// Where others listen to the inputs.
    pub taps: Arc<Taps>,
    /// Where others ask the engine.
    pub desk: Arc<Desk>,
    /// The daemon's time.
    pub line: Line,
    /// Stretch of that.
    pub epoch: u64,
}

/// The threads beside the server, as seen from it.
#[derive(Debug)]
pub struct Threads {
    /// Ends the sources, and with them everything.
    pub stop: watch::Sender<bool>,
    /// The sources; the names of those whose last counts were lost.
    pub ingest: oneshot::Receiver<Vec<Arc<str>>>,
    /// The engine.
    pub engine: oneshot::Receiver<Ended>,
    /// Its shards.
    pub shards: FuturesUnordered<oneshot::Receiver<()>>,
    /// Who writes the state.
    pub keeper: FuturesUnordered<oneshot::Receiver<()>>,
    /// The latest snapshot.
    pub latest: watch::Receiver<Arc<Snapshot>>,
    turns: mpsc::Sender<Turn>,
    hands_over: Arc<AtomicBool>,
    surroundings: Surroundings,
}

/// A thread could not be started, or a part ended that only ends by a defect.
#[derive(Debug)]
pub enum PathError {
    /// What was to be done, and what the system said.
    System(&'static str, io::Error),
    /// Which part.
    Broken(&'static str),
}

/// What an engine is started with.
struct Begin {
    plan: Plan,
    publish_ns: i64,
    seq: u64,
    kept: Option<Kept>,
    calls: Option<Calls>,
    publisher: Publisher,
}

/// An engine and its shards.
struct Engine {
    ended: oneshot::Receiver<Ended>,
    shards: FuturesUnordered<oneshot::Receiver<()>>,
    hands_over: Arc<AtomicBool>,
}

impl Threads {
    /// Starts the sources, the engine and its shards, each on a thread and a runtime of its own.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(
        config: Config,
        inherited: Inherited,
        start: Start,
        surroundings: Surroundings,
    ) -> Result<Self, PathError> {
        let Config { daemon, plan, inputs } = config;
        let Start { image, calls, keeper, .. } = start;
        let (batches, queue) = mpsc::channel(daemon.queue_batches);
        let Surroundings { vitals, taps, line, .. } = &surroundings;
        let (publisher, latest) = Publisher::new(&batches, Arc::clone(vitals));
        let (publish_ns, seq) = (daemon.publish_ns, 0);
        let kept = image.map(|(image, terms)| Kept::Image(image, terms));
        let begin = Begin { plan, publish_ns, seq, kept, calls, publisher };
        let Engine { ended, shards, hands_over } = Engine::start(queue, begin, &surroundings)?;
        let (stop, stopped) = watch::channel(false);
        let (turns, turned) = mpsc::channel(1);
        let (line, vitals, taps) = (*line, Arc::clone(vitals), Arc::clone(taps));
        let ingest = Ingest { inputs, inherited, line, batches, vitals, taps };
        let ingest = start_thread("ingest", move || ingest.run(stopped, turned))?;
        let keeper = keeper.into_iter().collect();
        let engine = ended;
        Ok(Self { stop, ingest, engine, shards, keeper, latest, turns, hands_over, surroundings })
    }

    /// Turns to another configuration.
    ///
    /// # Errors
    /// If a part has ended, or the system gives no thread.
    pub async fn turn(&mut self, config: Config) -> Result<(), PathError> {
        let Config { daemon, plan, inputs } = config;
        let (batches, queue) = mpsc::channel::<Batch>(daemon.queue_batches);
        let weak = batches.downgrade();
        let (done, turned) = oneshot::channel();
        self.hands_over.store(true, Relaxed);
        let broken = PathError::Broken;
        let turn = Turn { inputs, batches, done };
        self.turns.send(turn).await.map_err(|_| broken("ingest thread"))?;
        let sources = turned.await.map_err(|_| broken("ingest thread"))?;
        let ended = (&mut self.engine).await.map_err(|_| broken("engine thread"))?;
        while self.shards.next().await.is_some() {}
        let Ended { publisher, calls, handed } = ended;
        let now_ns = self.surroundings.line.now_ns();
        let terms = Terms { now_ns, line_goes_on: true, sources };
        let begin = Begin {
            plan,
            publish_ns: daemon.publish_ns,
            seq: self.latest.borrow().seq,
            kept: handed.map(|handed| Kept::Handed(handed, terms)),
            calls,
            publisher: publisher.of_queue(weak),
        };
        let Engine { ended, shards, hands_over } = Engine::start(queue, begin, &self.surroundings)?;
        (self.engine, self.shards, self.hands_over) = (ended, shards, hands_over);
        Ok(())
    }
}

impl Engine {
    fn start(
        queue: mpsc::Receiver<Batch>,
        begin: Begin,
        surroundings: &Surroundings,
    ) -> Result<Self, PathError> {
        let Begin { plan, publish_ns, seq, kept, calls, publisher } = begin;
        let Surroundings { vitals, taps, desk, line, epoch } = surroundings.clone();
        let (ends, each) = shards::open(&vitals);
        let ends = (!each.is_empty()).then_some(ends);
        let shards = each
            .into_iter()
            .map(|shard| start_thread("shard", move || shard.run()))
            .collect::<Result<_, _>>()?;
        let hands_over = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&hands_over);
        let aim =
            Aim { plan, publish_ns, epoch, seq, line, taps, desk, kept, calls, hands_over: flag };
        let ended = start_thread("engine", move || pipeline::run(queue, aim, ends, publisher))?;
        Ok(Self { ended, shards, hands_over })
    }
}

/// Runs a future on a new thread, which tells its outcome.
fn start_thread<T, F>(
    name: &'static str,
    future: impl FnOnce() -> F + Send + 'static,
) -> Result<oneshot::Receiver<T>, PathError>
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let runtime = runtime().map_err(|error| PathError::System("build a runtime", error))?;
    let (ended, outcome) = oneshot::channel();
    let body = move || {
        let result = LocalSet::new().block_on(&runtime, future());
        // Nobody waits any more once the shutdown was cut off.
        let _ = ended.send(result);
    };
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(|error| PathError::System("start a thread", error))?;
    Ok(outcome)
}

/// A runtime on the thread that builds it.
///
/// # Errors
/// What the system says.
pub fn runtime() -> io::Result<runtime::Runtime> {
    runtime::Builder::new_current_thread().enable_all().build()
}
