//! Those who look on at frames and what becomes of them: [`Onlooker`] at the end of the stages
//! tells, [`Look`] at the client's end is told.

use std::sync::{
    Arc, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use tokio::sync::mpsc;

use super::{Junction, Place, Taps};
use crate::{
    engine::{
        snapshot::ChannelInfo,
        trace::{Trace, Witnessed},
        validate::Checked,
    },
    limits::TAP_FRAMES_WAITING,
};

/// The engine's end of one who looks on.
#[derive(Debug)]
pub(super) struct Tapper {
    /// Which sources.
    sources: Vec<usize>,
    frames: mpsc::Sender<Arc<Witnessed>>,
    missed: Arc<AtomicU64>,
}

/// The end of one who looks on.
#[derive(Debug)]
pub struct Look {
    frames: mpsc::Receiver<Arc<Witnessed>>,
    missed: Arc<AtomicU64>,
    /// The sources, with how many frames each had passed over when that was last told.
    junctions: Vec<(Arc<Junction>, u64)>,
    taps: Arc<Taps>,
    _place: Place,
}

/// Stands behind the stages and tells those who look on.
#[derive(Debug)]
pub struct Onlooker {
    taps: Arc<Taps>,
    channels: Vec<Arc<ChannelInfo>>,
}

impl Onlooker {
    /// Tells those who came by these taps.
    #[must_use]
    pub fn new(taps: Arc<Taps>) -> Self {
        Self { taps, channels: Vec::new() }
    }

    /// Tells of the traced frames, to whoever has room, and lets the batch through.
    #[must_use]
    pub fn tell(&mut self, mut checked: Checked) -> Checked {
        self.channels.extend(checked.added.iter().map(|added| Arc::clone(&added.info)));
        for trace in std::mem::take(&mut checked.traces) {
            let witnessed = Arc::new(self.witnessed(trace, &checked));
            self.taps.tell(&witnessed);
        }
        checked
    }

    fn witnessed(&self, trace: Trace, checked: &Checked) -> Witnessed {
        let outcome = |reading: &crate::engine::trace::TracedReading| {
            let channel = reading.channel.and_then(|index| self.channels.get(index as usize));
            let published = reading.verdict.ok().and_then(|at| checked.readings.get(at));
            (channel.map(Arc::clone), published.copied())
        };
        let outcomes = trace.readings.iter().map(outcome).collect();
        let source = Arc::clone(&self.taps.junctions[trace.source].name);
        Witnessed { source, trace, outcomes }
    }
}

impl Taps {
    /// Looks on at the frames of a source, or of all of them, from now on; `None` if no source has
    /// the name.
    ///
    /// # Errors
    /// [`super::Full`] if too many listen already, to whatever source.
    pub fn look(self: &Arc<Self>, source: Option<&str>) -> Option<Result<Look, super::Full>> {
        let wanted = |junction: &Arc<Junction>| source.is_none_or(|name| *junction.name == *name);
        let chosen = self.junctions.iter().enumerate().filter(|(_, junction)| wanted(junction));
        let (sources, junctions): (Vec<_>, Vec<_>) = chosen.unzip();
        if sources.is_empty() && source.is_some() {
            return None;
        }
        Some(self.place().map(|place| {
            let (sender, frames) = mpsc::channel(TAP_FRAMES_WAITING);
            let missed: Arc<AtomicU64> = Arc::default();
            let told = Arc::clone(&missed);
            let mut tappers = self.tappers.lock().unwrap_or_else(PoisonError::into_inner);
            tappers.push(Tapper { sources, frames: sender, missed: told });
            drop(tappers);
            let join = |junction: &Arc<Junction>| {
                junction.tappers.fetch_add(1, Relaxed);
                junction.listeners.fetch_add(1, Relaxed);
                (Arc::clone(junction), junction.passed_over.load(Relaxed))
            };
            let junctions = junctions.into_iter().map(join).collect();
            Look { frames, missed, junctions, taps: Arc::clone(self), _place: place }
        }))
    }

    fn tell(&self, frame: &Arc<Witnessed>) {
        let mut tappers = self.tappers.lock().unwrap_or_else(PoisonError::into_inner);
        let wanting = |tapper: &&mut Tapper| tapper.sources.contains(&frame.trace.source);
        for tapper in tappers.iter_mut().filter(wanting) {
            if tapper.frames.try_send(Arc::clone(frame)).is_err() {
                tapper.missed.fetch_add(1, Relaxed);
            }
        }
    }

    /// The engine has ended: nobody is told anything any more.
    pub fn end(&self) {
        self.tappers.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Look {
    /// The next frame; `None` when the engine has ended. Safe to cancel.
    pub async fn next(&mut self) -> Option<Arc<Witnessed>> {
        self.frames.recv().await
    }

    /// The next frame, if it is here.
    pub fn here(&mut self) -> Option<Arc<Witnessed>> {
        self.frames.try_recv().ok()
    }

    /// Frames that came and were not looked at, since this was last asked.
    pub fn take_passed_over(&mut self) -> u64 {
        let since = |(junction, told): &mut (Arc<Junction>, u64)| {
            let now = junction.passed_over.load(Relaxed);
            now - std::mem::replace(told, now)
        };
        self.junctions.iter_mut().map(since).sum()
    }

    /// Frames that were looked at and found no room here, since this was last asked.
    #[must_use]
    pub fn take_missed(&self) -> u64 {
        self.missed.swap(0, Relaxed)
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        self.frames.close();
        for (junction, _) in &self.junctions {
            junction.tappers.fetch_sub(1, Relaxed);
            junction.listeners.fetch_sub(1, Relaxed);
        }
        let mut tappers = self.taps.tappers.lock().unwrap_or_else(PoisonError::into_inner);
        tappers.retain(|tapper| !tapper.frames.is_closed());
    }
}
