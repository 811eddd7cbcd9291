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

use tokio::{
    sync::{oneshot, watch},
    task::LocalSet,
    time::timeout_at,
};
use tokio_stream::StreamExt as _;
use tracing::{error, info, warn};

use super::{
    clock::{self, Line},
    ingest::goes_on_anew,
    inherited::Inherited,
    notify,
    path::{PathError, Surroundings, Threads, runtime},
    publish::Vitals,
    reload::{self, Running},
    server::{About, Drained, Endpoint, ListenError, Server},
    signal::{Hangup, Shutdown},
    state::{self, Start, standing::Standing},
    tap::Taps,
};
use crate::{
    config::Config,
    engine::{Link, Snapshot},
    limits::{MS, READY_NS, SHUTDOWN_NS},
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

impl From<PathError> for RunError {
    fn from(error: PathError) -> Self {
        match error {
            PathError::System(step, error) => Self::System { step, error },
            PathError::Broken(part) => Self::Broken { part },
        }
    }
}

impl Daemon {
    /// Runs until SIGINT or SIGTERM, and then to the end of the input; reads its configuration anew
    /// at SIGHUP.
    ///
    /// # Errors
    /// If the system refuses what every daemon needs, or the end is not reached in time.
    pub fn run(self) -> Result<(), RunError> {
        let step = "build the server's runtime";
        let runtime = runtime().map_err(|error| RunError::System { step, error })?;
        LocalSet::new().block_on(&runtime, self.serve())
    }

    async fn serve(self) -> Result<(), RunError> {
        let Self { config, config_path, degraded, endpoint } = self;
        let system = |step| move |error| RunError::System { step, error };
        let mut signals = Shutdown::catch().map_err(system("catch signals"))?;
        let hangup = Hangup::catch().map_err(system("catch signals"))?;
        let is_degraded = degraded.is_some();
        let start = begin(&config, is_degraded);
        // Without its inputs it leaves their sockets to the start that will have them.
        let inherited = if is_degraded { Inherited::default() } else { Inherited::take() };
        let (line, standing) = (start.line, Arc::clone(&start.standing));
        let names = config.inputs.iter().map(|input| Arc::clone(&input.name));
        let surroundings = Surroundings {
            vitals: Arc::new(Vitals::new(config.daemon.shards)),
            taps: Arc::new(Taps::new(names)),
            desk: Arc::default(),
            line,
            epoch: start.epoch,
        };
        let Surroundings { vitals, taps, desk, .. } = surroundings.clone();
        let reloads = Arc::<reload::Standing>::default();
        let about = About {
            degraded,
            config: config_path.clone(),
            vitals: Arc::clone(&vitals),
            taps,
            desk,
            state: Arc::clone(&standing),
            reloads: Arc::clone(&reloads),
        };
        say_where(&endpoint);
        say_cores(config.daemon.shards);
        let inputs = config.inputs.len();
        let running = Running { config: config.clone(), path: config_path };
        let threads = Threads::start(config, inherited, start, surroundings)?;
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
        let mut living = Living { running, threads, hangup, reloads, line, is_degraded };
        living.live(&mut signals, server.as_mut(), &vitals, ready).await?;
        notify::stopping();
        let Living { threads, .. } = living;
        threads.stop.send_replace(true);
        wind_down(&mut signals, threads, server, end_serving).await?;
        info!(published = vitals.published.load(Relaxed), "Stopped.");
        Ok(())
    }
}

/// A daemon that is up.
struct Living {
    running: Running,
    threads: Threads,
    hangup: Hangup,
    reloads: Arc<reload::Standing>,
    line: Line,
    is_degraded: bool,
}

impl Living {
    /// Goes on until a signal; what ends before that is a defect.
    async fn live(
        &mut self,
        signals: &mut Shutdown,
        mut server: Pin<&mut impl Future<Output = io::Result<Drained>>>,
        vitals: &Arc<Vitals>,
        ready: impl Future<Output = ()>,
    ) -> Result<(), RunError> {
        let pings =
            |config: &Config| notify::watchdog(Arc::clone(vitals), config.daemon.publish_ns);
        let (mut watchdog, mut ready) = (pin!(pings(&self.running.config)), pin!(ready));
        let mut announced = false;
        loop {
            let Self { hangup, threads, .. } = self;
            let Threads { ingest, engine, shards, keeper, .. } = threads;
            let event = tokio::select! {
                name = signals.wait() => Event::Stop(name),
                () = hangup.wait() => Event::Reload,
                () = &mut ready, if !announced => Event::Ready,
                ended = &mut server => Event::ServerEnded(ended.err()),
                _ = ingest => Event::Broken("ingest thread"),
                _ = engine => Event::Broken("engine thread"),
                Some(_) = shards.next() => Event::Broken("thread of a shard"),
                Some(_) = keeper.next() => Event::Broken("thread that keeps the state"),
                () = &mut watchdog => Event::Broken("watchdog"),
            };
            match event {
                Event::Ready => announced = true,
                Event::Stop(name) => {
                    info!(signal = name, "Stopping: the sources drain.");
                    return Ok(());
                }
                Event::Reload => {
                    if self.reload(server.as_mut()).await? == Reloaded::StartsAnew {
                        return Ok(());
                    }
                    watchdog.set(pings(&self.running.config));
                }
                Event::ServerEnded(error) => return Err(server_ended(error)),
                Event::Broken(part) => return Err(RunError::Broken { part }),
            }
        }
    }

    /// Reads the configuration anew, and turns to it if it is good. Who asks meanwhile is answered.
    async fn reload(
        &mut self,
        server: Pin<&mut impl Future<Output = io::Result<Drained>>>,
    ) -> Result<Reloaded, RunError> {
        notify::reloading();
        let asked_ns = self.line.now_ns();
        let (config, change) = match self.running.read() {
            Ok(read) => read,
            Err(why) => {
                notify::ready("The new configuration has errors and was not taken.");
                self.reloads.note(asked_ns, Err(why));
                return Ok(Reloaded::Stays);
            }
        };
        if self.is_degraded {
            return Ok(self.leave_degraded());
        }
        reload::say(&change);
        if !change.is_none() {
            let turning =
                timeout_at(clock::deadline_in(SHUTDOWN_NS), self.threads.turn(config.clone()));
            tokio::select! {
                turned = turning => match turned {
                    Ok(turned) => turned?,
                    Err(_) => return Err(RunError::Unfinished { parts: vec!["reload"] }),
                },
                ended = server => return Err(server_ended(ended.err())),
            }
            self.running.config = config;
        }
        let took_ms = (self.line.now_ns() - asked_ns) / MS;
        info!(took_ms, "The configuration is in force.");
        notify::ready("Reloaded.");
        self.reloads.note(asked_ns, Ok(change.summary()));
        Ok(Reloaded::Stays)
    }

    /// A daemon without inputs has left state and sockets to the start that has them.
    fn leave_degraded(&self) -> Reloaded {
        if notify::is_heard() {
            info!("The configuration is good now: this process ends, to be started anew with it.");
            return Reloaded::StartsAnew;
        }
        info!("The configuration is good now: start the daemon again.");
        Reloaded::Stays
    }
}

/// What a reload leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reloaded {
    /// The process goes on.
    Stays,
    /// It ends, and the service manager starts another.
    StartsAnew,
}

fn server_ended(error: Option<io::Error>) -> RunError {
    match error {
        Some(error) => RunError::System { step: "serve the query socket", error },
        None => RunError::Broken { part: "server" },
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
    Stop(&'static str),
    Reload,
    Ready,
    ServerEnded(Option<io::Error>),
    Broken(&'static str),
}

/// Looks for the state that was kept, and begins to keep it.
fn begin(config: &Config, degraded: bool) -> Start {
    let sources = config.inputs.iter().map(goes_on_anew).collect();
    let directory = config.daemon.state_dir.clone().or_else(state::directory_of_service);
    state::begin(directory, config.daemon.state_every_ns, sources, degraded)
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
