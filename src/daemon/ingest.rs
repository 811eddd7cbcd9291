//! The thread that all sources live on.
//!
//! It is apart from the server's, so that a flood delays no query, and from the engine's, so that
//! closing a million panes delays no receive.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::MissedTickBehavior,
};
use tracing::warn;

use super::{
    clock::Line,
    inherited::Inherited,
    publish::Vitals,
    source::{Outcome, Source},
    tap::Taps,
};
use crate::{config::InputConfig, engine::Batch, limits::TICK_NS};

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

impl Ingest {
    /// Runs every source until `stop` says so. The queue ends when this returns, not before, so
    /// that a daemon whose inputs have all ended still serves.
    ///
    /// Returns the names of the sources whose last counts did not reach the engine.
    pub async fn run(self, stop: watch::Receiver<bool>) -> Vec<Arc<str>> {
        let Self { inputs, mut inherited, line, batches, vitals, taps } = self;
        let mut sources = JoinSet::new();
        for (index, input) in inputs.into_iter().enumerate() {
            let name = Arc::clone(&input.name);
            let adopted = inherited.for_input(&input);
            let source = Source::new(index, input, line, batches.clone());
            let source = source.tapped_at(taps.junction(index));
            let source = match adopted {
                Some(adopted) => source.adopt(adopted),
                None => source,
            };
            let stopped = stopped(stop.clone());
            sources.spawn_local(async move { (name, source.run(stopped).await) });
        }
        inherited.close_rest();
        let mut turns = tokio::time::interval(Duration::from_nanos(TICK_NS.unsigned_abs()));
        turns.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut stopped = std::pin::pin!(stopped(stop));
        let mut stopping = false;
        let mut cut_off = Vec::new();
        loop {
            let event = tokio::select! {
                biased;
                () = &mut stopped, if !stopping => Event::Stop,
                Some(ended) = sources.join_next() => Event::Ended(ended),
                _ = turns.tick() => Event::Turn,
            };
            match event {
                Event::Stop => stopping = true,
                Event::Turn => {
                    vitals.ingest_turns.fetch_add(1, Relaxed);
                }
                // The source itself has told of its end.
                Event::Ended(Ok((_, Outcome::Stopped | Outcome::Ended))) => {}
                Event::Ended(Ok((name, Outcome::EngineGone))) => cut_off.push(name),
                Event::Ended(Err(error)) => warn!(%error, "A source's task was lost."),
            }
            if stopping && sources.is_empty() {
                return cut_off;
            }
        }
    }
}

enum Event {
    Stop,
    Turn,
    Ended(Result<(Arc<str>, Outcome), tokio::task::JoinError>),
}

/// Completes when the flag is raised, or when nobody is left who could raise it.
async fn stopped(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await.map(drop);
}
