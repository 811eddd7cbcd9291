//! Those who look on at frames and what becomes of them: [`Onlooker`] at the end of the stages
//! tells, [`Look`] at the client's end is told.

use std::{
    collections::VecDeque,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tokio::sync::mpsc;

use super::{Junction, Place, Taps};
use crate::{
    engine::{
        snapshot::ChannelInfo,
        trace::{Settled, Trace, Witnessed},
        validate::{Checked, Entry, Reading},
    },
    limits::{TAP_FRAMES_WAITING, TAP_SETTLING_MAX},
};

/// The engine's end of one who looks on.
#[derive(Debug)]
pub(super) struct Tapper {
    /// Which sources.
    sources: Vec<usize>,
    sights: mpsc::Sender<Sight>,
    missed: Arc<AtomicU64>,
}

/// What those who look on are told of.
#[derive(Clone, Debug)]
pub enum Sight {
    /// A frame.
    Frame(Arc<Witnessed>),
    /// A reading of a frame that was told of, which has had its verdict since.
    Settled(Arc<Settled>),
}

/// The end of one who looks on.
#[derive(Debug)]
pub struct Look {
    sights: mpsc::Receiver<Sight>,
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
    /// Names of the sources.
    names: Vec<Arc<str>>,
    channels: Vec<Arc<ChannelInfo>>,
    /// Readings that were told of while they waited: their source, channel and event time.
    waiting: VecDeque<(usize, u32, i64)>,
}

impl Onlooker {
    /// Tells those who came by these taps of sources with these names.
    #[must_use]
    pub fn new(taps: Arc<Taps>, names: Vec<Arc<str>>) -> Self {
        Self { taps, names, channels: Vec::new(), waiting: VecDeque::new() }
    }

    /// Tells of the traced frames, to whoever has room, and lets the batch through.
    #[must_use]
    pub fn tell(&mut self, mut checked: Checked) -> Checked {
        self.channels.extend(checked.added.iter().map(|added| Arc::clone(&added.info)));
        for trace in std::mem::take(&mut checked.traces) {
            let witnessed = self.witnessed(trace, &checked);
            self.remember(&witnessed);
            let source = witnessed.trace.source;
            self.taps.tell(source, &Sight::Frame(Arc::new(witnessed)));
        }
        if !self.waiting.is_empty() {
            checked.readings.iter().for_each(|reading| self.settle(reading));
        }
        checked
    }

    /// Remembers which readings of a frame wait; of too many the oldest are forgotten.
    fn remember(&mut self, witnessed: &Witnessed) {
        let published = witnessed.outcomes.iter().filter_map(|(_, published)| *published);
        for reading in published.filter(|reading| reading.entry == Entry::Preview) {
            if self.waiting.len() == TAP_SETTLING_MAX {
                self.waiting.pop_front();
            }
            self.waiting.push_back((witnessed.trace.source, reading.channel, reading.at_ns));
        }
    }

    /// Tells of a reading that has had its verdict, if it was told of while it waited.
    fn settle(&mut self, reading: &Reading) {
        if reading.entry != Entry::Settled {
            return;
        }
        let is_it = |(_, channel, at_ns): &(usize, u32, i64)| {
            (*channel, *at_ns) == (reading.channel, reading.at_ns)
        };
        let place = self.waiting.iter().position(is_it);
        let Some((source, ..)) = place.and_then(|at| self.waiting.remove(at)) else { return };
        if let Some(channel) = self.channels.get(reading.channel as usize) {
            let settled = Settled { source, channel: Arc::clone(channel), reading: *reading };
            self.taps.tell(source, &Sight::Settled(Arc::new(settled)));
        }
    }

    fn witnessed(&self, trace: Trace, checked: &Checked) -> Witnessed {
        let outcome = |reading: &crate::engine::trace::TracedReading| {
            let channel = reading.channel.and_then(|index| self.channels.get(index as usize));
            let published = reading.verdict.ok().and_then(|at| checked.readings.get(at));
            (channel.map(Arc::clone), published.copied())
        };
        let outcomes = trace.readings.iter().map(outcome).collect();
        let source = Arc::clone(&self.names[trace.source]);
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
        let all = self.all();
        let chosen = all.iter().enumerate().filter(|(_, junction)| wanted(junction));
        let (sources, junctions): (Vec<_>, Vec<_>) = chosen.unzip();
        if sources.is_empty() && source.is_some() {
            return None;
        }
        Some(self.place().map(|place| {
            let (sender, sights) = mpsc::channel(TAP_FRAMES_WAITING);
            let missed: Arc<AtomicU64> = Arc::default();
            let told = Arc::clone(&missed);
            let mut tappers = self.tappers.lock().unwrap_or_else(PoisonError::into_inner);
            tappers.push(Tapper { sources, sights: sender, missed: told });
            drop(tappers);
            let join = |junction: &Arc<Junction>| {
                junction.tappers.fetch_add(1, Relaxed);
                junction.listeners.fetch_add(1, Relaxed);
                (Arc::clone(junction), junction.passed_over.load(Relaxed))
            };
            let junctions = junctions.into_iter().map(join).collect();
            Look { sights, missed, junctions, taps: Arc::clone(self), _place: place }
        }))
    }

    fn tell(&self, source: usize, sight: &Sight) {
        let mut tappers = self.tappers.lock().unwrap_or_else(PoisonError::into_inner);
        let wanting = |tapper: &&mut Tapper| tapper.sources.contains(&source);
        for tapper in tappers.iter_mut().filter(wanting) {
            if tapper.sights.try_send(sight.clone()).is_err() {
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
    /// What is told next; `None` when the engine has ended. Safe to cancel.
    pub async fn next(&mut self) -> Option<Sight> {
        self.sights.recv().await
    }

    /// What is told next, if it is here.
    pub fn here(&mut self) -> Option<Sight> {
        self.sights.try_recv().ok()
    }

    /// Frames that came and were not looked at, since this was last asked.
    pub fn take_passed_over(&mut self) -> u64 {
        let since = |(junction, told): &mut (Arc<Junction>, u64)| {
            let now = junction.passed_over.load(Relaxed);
            now - std::mem::replace(told, now)
        };
        self.junctions.iter_mut().map(since).sum()
    }

    /// What was to be told and found no room here, since this was last asked.
    #[must_use]
    pub fn take_missed(&self) -> u64 {
        self.missed.swap(0, Relaxed)
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        self.sights.close();
        for (junction, _) in &self.junctions {
            junction.tappers.fetch_sub(1, Relaxed);
            junction.listeners.fetch_sub(1, Relaxed);
        }
        let mut tappers = self.taps.tappers.lock().unwrap_or_else(PoisonError::into_inner);
        tappers.retain(|tapper| !tapper.sights.is_closed());
    }
}
