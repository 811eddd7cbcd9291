//! A whole daemon, from bound socket to last snapshot.
//!
//! Three threads: the sources on `ingest`, the pipeline on `engine`, the server and the signals
//! on the one that called; one for each shard, if the channels are shared out; and one that writes
//! the state, if it is kept. Shutdown is the
//! end of the input: only the sources hear the signal, the queue ends behind them, the pipeline
//! flushes and publishes a last time, the server sends that and ends. One deadline stands over all
//! of it.

use std::{
    cell::Cell,
    fmt, io,
    path::PathBuf,
    pin::{Pin, pin},
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
    time::Duration,
};

use futures::stream::FuturesUnordered;
use tokio::{
    runtime,
    sync::{oneshot, watch},
    task::LocalSet,
    time::timeout_at,
};
use tokio_stream::StreamExt as _;
use tracing::{error, info, warn};

use super::{
    clock,
    ingest::Ingest,
    inherited::Inherited,
    notify,
    pipeline::{self, Aim},
    publish::{Publisher, Vitals},
    server::{About, Drained, Endpoint, ListenError, Server},
    shards,
    signal::Shutdown,
    state::{self, Start, standing::Standing},
    tap::Taps,
};
use crate::{
    config::{Config, InputConfig, InputKind},
    engine::{Link, Snapshot, desk::Desk, validate::GoesOn},
    limits::{READY_NS, SHUTDOWN_NS},
};

/// What to run.
#[derive(Debug)]
pub struct Daemon {
    /// The configuration.
    pub config: Config,
    /// Where it came from, for Status.
    pub config_path: Option<PathBuf>,
    /// Why it runs without inputs, if its configuration is broken.
    pub degraded: Option<String>,
    /// Its query socket, bound.
    pub endpoint: Endpoint,
}

/// Why a daemon could not start, or did not end as it should.
#[derive(Debug)]
pub enum RunError {
    /// The query socket.
    Listen(ListenError),
    /// Something of the system that every process has.
    System {
        /// What was to be done.
        step: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// The shutdown took longer than its deadline.
    Unfinished {
        /// What was still running.
        parts: Vec<&'static str>,
    },
    /// A second signal came before the shutdown was through.
    Interrupted,
    /// A part ended that only ends by a defect.
    Broken {
        /// Which.
        part: &'static str,
    },
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(error) => error.fmt(f),
            Self::System { step, error } => write!(f, "cannot {step}: {error}"),
            Self::Unfinished { parts } => write!(
                f,
                "the shutdown was cut off after {} s; still running: {}",
                SHUTDOWN_NS / crate::limits::SECOND,
                parts.join(", ")
            ),
            Self::Interrupted => f.write_str("a second signal cut the shutdown off"),
            Self::Broken { part } => write!(f, "the {part} ended by itself, which is a defect"),
        }
    }
}

impl std::error::Error for RunError {}

impl RunError {
    /// Exit code by sysexits.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Listen(error) => error.exit_code(),
            Self::System { .. } => 71,
            Self::Unfinished { .. } | Self::Broken { .. } => 70,
            Self::Interrupted => 130,
        }
    }
}

/// The threads beside the server, as seen from it.
struct Threads {
    stop: watch::Sender<bool>,
    ingest: oneshot::Receiver<Vec<Arc<str>>>,
    engine: oneshot::Receiver<()>,
    shards: FuturesUnordered<oneshot::Receiver<()>>,
    keeper: FuturesUnordered<oneshot::Receiver<()>>,
    latest: watch::Receiver<Arc<Snapshot>>,
}

impl Daemon {
    /// Runs until SIGINT or SIGTERM, and then to the end of the input.
    ///
    /// # Errors
    /// If the system refuses what every daemon needs, or the end is not reached in time.
    pub fn run(self) -> Result<(), RunError> {
        let runtime = runtime("build the server's runtime")?;
        LocalSet::new().block_on(&runtime, self.serve())
    }

    async fn serve(self) -> Result<(), RunError> {
        let Self { config, config_path, degraded, endpoint } = self;
        let system = |step| move |error| RunError::System { step, error };
        let mut signals = Shutdown::catch().map_err(system("catch signals"))?;
        let vitals = Arc::new(Vitals::new(config.daemon.shards));
        let is_degraded = degraded.is_some();
        let start = begin(&config, is_degraded);
        // Without its inputs it leaves their sockets to the start that will have them.
        let inherited = if is_degraded { Inherited::default() } else { Inherited::take() };
        let (line, standing) = (start.line, Arc::clone(&start.standing));
        let names = config.inputs.iter().map(|input| Arc::clone(&input.name));
        let taps = Arc::new(Taps::new(names));
        let desk = Arc::new(Desk::default());
        let about = About {
            degraded,
            config: config_path,
            vitals: Arc::clone(&vitals),
            taps: Arc::clone(&taps),
            desk: Arc::clone(&desk),
            state: Arc::clone(&standing),
        };
        say_where(&endpoint);
        let inputs = config.inputs.len();
        let publish_ns = config.daemon.publish_ns;
        let mut threads = start_threads((config, inherited), start, &vitals, taps, desk)?;
        let latest = threads.latest.clone();
        let (end_serving, serving_ends) = oneshot::channel();
        let mut first = latest.clone();
        let server = async {
            // Before the first publication every configured channel would be unknown.
            let _ = first.wait_for(|snapshot| 0 < snapshot.seq).await.map(drop);
            let end = async { _ = serving_ends.await };
            Server::new(endpoint, about).run(first.clone(), line, end).await
        };
        let mut server = pin!(server);
        let ready = ready(latest, inputs, is_degraded, standing);
        let watchdog = notify::watchdog(Arc::clone(&vitals), publish_ns);
        live(&mut signals, &mut threads, server.as_mut(), watchdog, ready).await?;
        notify::stopping();
        threads.stop.send_replace(true);
        wind_down(&mut signals, threads, server, end_serving).await?;
        info!(published = vitals.published.load(Relaxed), "Stopped.");
        Ok(())
    }
}

/// Goes on until a signal; what ends before that is a defect.
async fn live(
    signals: &mut Shutdown,
    threads: &mut Threads,
    mut server: Pin<&mut impl Future<Output = io::Result<Drained>>>,
    watchdog: impl Future<Output = ()>,
    ready: impl Future<Output = ()>,
) -> Result<(), RunError> {
    let (mut watchdog, mut ready) = (pin!(watchdog), pin!(ready));
    let mut announced = false;
    loop {
        let event = tokio::select! {
            name = signals.wait() => Event::Signal(name),
            () = &mut ready, if !announced => Event::Ready,
            ended = &mut server => Event::ServerEnded(ended.err()),
            _ = &mut threads.ingest => Event::Broken("ingest thread"),
            _ = &mut threads.engine => Event::Broken("engine thread"),
            Some(_) = threads.shards.next() => Event::Broken("thread of a shard"),
            Some(_) = threads.keeper.next() => Event::Broken("thread that keeps the state"),
            () = &mut watchdog => Event::Broken("watchdog"),
        };
        match event {
            Event::Ready => announced = true,
            Event::Signal(name) => {
                info!(signal = name, "Stopping: the sources drain.");
                return Ok(());
            }
            Event::ServerEnded(Some(error)) => {
                return Err(RunError::System { step: "serve the query socket", error });
            }
            Event::ServerEnded(None) => return Err(RunError::Broken { part: "server" }),
            Event::Broken(part) => return Err(RunError::Broken { part }),
        }
    }
}

/// Waits for each part in the order in which the end of the input reaches it.
async fn wind_down(
    signals: &mut Shutdown,
    mut threads: Threads,
    server: Pin<&mut impl Future<Output = io::Result<Drained>>>,
    end_serving: oneshot::Sender<()>,
) -> Result<(), RunError> {
    const PARTS: [&str; 4] = ["sources", "engine", "state", "server"];
    let ended = Cell::new(0);
    let draining = async {
        for source in (&mut threads.ingest).await.unwrap_or_default() {
            warn!(source = &*source, "A source ended with counts that the ledger does not have.");
        }
        ended.set(1);
        let _ = (&mut threads.engine).await;
        while threads.shards.next().await.is_some() {}
        ended.set(2);
        while threads.keeper.next().await.is_some() {}
        ended.set(3);
        let _ = end_serving.send(());
    };
    // Who asks while the sources drain is answered.
    let ending = async { tokio::join!(draining, server).1 };
    let end = tokio::select! {
        ended = timeout_at(clock::deadline_in(SHUTDOWN_NS), ending) => Some(ended),
        _ = signals.wait() => None,
    };
    match end {
        None => Err(RunError::Interrupted),
        Some(Err(_elapsed)) => Err(RunError::Unfinished { parts: PARTS[ended.get()..].to_vec() }),
        Some(Ok(Err(error))) => Err(RunError::System { step: "serve the query socket", error }),
        Some(Ok(Ok(drained))) => {
            if 0 < drained.unfinished {
                warn!(clients = drained.unfinished, "Clients were cut off.");
            }
            Ok(())
        }
    }
}

enum Event {
    Signal(&'static str),
    Ready,
    ServerEnded(Option<io::Error>),
    Broken(&'static str),
}

/// Looks for the state that was kept, and begins to keep it.
fn begin(config: &Config, degraded: bool) -> Start {
    let goes_on = |input: &InputConfig| match input.kind {
        InputKind::Udp(_) | InputKind::Serial(_) | InputKind::Modbus(_) => GoesOn::All,
        InputKind::Simulator(_) => GoesOn::AllButDevices,
        InputKind::Replay(_) => GoesOn::Ledger,
    };
    let sources = config.inputs.iter().map(goes_on).collect();
    let directory = config.daemon.state_dir.clone().or_else(state::directory_of_service);
    state::begin(directory, config.daemon.state_every_ns, sources, degraded)
}

/// Starts the sources, the engine and its shards, each on a thread and a runtime of its own.
fn start_threads(
    (config, inherited): (Config, Inherited),
    start: Start,
    vitals: &Arc<Vitals>,
    taps: Arc<Taps>,
    desk: Arc<Desk>,
) -> Result<Threads, RunError> {
    let Config { daemon, plan, inputs } = config;
    let (batches, queue) = tokio::sync::mpsc::channel(daemon.queue_batches);
    let (publisher, latest) = Publisher::new(&batches, Arc::clone(vitals));
    let (stop, stopped) = watch::channel(false);
    let publish_ns = daemon.publish_ns;
    let Start { line, epoch, image: kept, calls, keeper, .. } = start;
    let taps_too = Arc::clone(&taps);
    let aim = Aim { plan, publish_ns, epoch, line, taps: taps_too, desk, kept, calls };
    say_cores(daemon.shards);
    let (ends, each) = shards::open(vitals);
    let ends = (!each.is_empty()).then_some(ends);
    let shards = each
        .into_iter()
        .map(|shard| start_thread("shard", move || shard.run()))
        .collect::<Result<_, _>>()?;
    let engine = start_thread("engine", move || pipeline::run(queue, aim, ends, publisher))?;
    let ingest = Ingest { inputs, inherited, line, batches, vitals: Arc::clone(vitals), taps };
    let ingest = start_thread("ingest", move || ingest.run(stopped))?;
    let keeper = keeper.into_iter().collect();
    Ok(Threads { stop, ingest, engine, shards, keeper, latest })
}

/// Runs a future on a new thread, which tells its outcome.
fn start_thread<T, F>(
    name: &'static str,
    future: impl FnOnce() -> F + Send + 'static,
) -> Result<oneshot::Receiver<T>, RunError>
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let runtime = runtime("build a runtime")?;
    let (ended, outcome) = oneshot::channel();
    let body = move || {
        let result = LocalSet::new().block_on(&runtime, future());
        // Nobody waits any more once the shutdown was cut off.
        let _ = ended.send(result);
    };
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(|error| RunError::System { step: "start a thread", error })?;
    Ok(outcome)
}

fn runtime(step: &'static str) -> Result<runtime::Runtime, RunError> {
    let built = runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|error| RunError::System { step, error })
}

/// Tells the service manager when every input was attempted, or when that takes too long: a port
/// that hangs in its driver must not keep the rest from being called ready.
async fn ready(
    mut latest: watch::Receiver<Arc<Snapshot>>,
    inputs: usize,
    degraded: bool,
    standing: Arc<Standing>,
) {
    let attempted = |snapshot: &Arc<Snapshot>| {
        0 < snapshot.seq && snapshot.sources.iter().all(|source| source.link != Link::Starting)
    };
    let wait = Duration::from_nanos(READY_NS.unsigned_abs());
    let _ = tokio::time::timeout(wait, async { latest.wait_for(attempted).await.map(drop) }).await;
    if let Some(restored) = &standing.restored {
        info!("State: {}.", restored.words());
    }
    let status = if degraded {
        "Degraded: the configuration has errors, no input is read.".to_owned()
    } else {
        match inputs {
            1 => "Reading one input.".to_owned(),
            _ => format!("Reading {inputs} inputs."),
        }
    };
    info!("{status}");
    notify::ready(&status);
}

/// Shards beyond the cores that they may run on only wait for each other.
fn say_cores(shards: usize) {
    let cores = thread::available_parallelism().map_or(usize::MAX, usize::from);
    if cores < shards {
        warn!(
            shards,
            cores,
            "There are more shards than cores to run them: `shards` in [daemon] is too high."
        );
    }
}

fn say_where(endpoint: &Endpoint) {
    let Some(path) = endpoint.path() else {
        error!("The inherited query socket has no path: clients cannot be told where it is.");
        return;
    };
    let path = path.display();
    info!("Query socket: {path}");
    info!("Ask it:  stillwell get --socket {path}");
    info!("Or:      echo '{{\"method\":\"Get\"}}' | socat - UNIX-CONNECT:{path} | jq .");
}
