//! Listening in on the sources: who does, and what they get of it.
//!
//! A source feeds its decoder, and beside it whoever listens. Most of the time nobody does, which
//! costs one load and one branch a read. A listener has a bounded queue: what finds no room there
//! is counted and told to it, and the source neither waits nor notices.

mod look;
mod record;
mod sampler;

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

use self::{look::Tapper, record::Recorder, sampler::Sampler};
use crate::{limits::LISTENERS_MAX, wire::decode::Framing};

pub(in crate::daemon) use self::sampler::Feeding;
pub use self::{
    look::{Look, Onlooker, Sight},
    record::{Recording, Take},
};

/// The junctions of all sources.
#[derive(Debug, Default)]
pub struct Taps {
    junctions: Mutex<Arc<[Arc<Junction>]>>,
    places: Arc<AtomicUsize>,
    tappers: Mutex<Vec<Tapper>>,
}

/// Where listeners meet the bytes of one source.
#[derive(Debug)]
pub struct Junction {
    name: Arc<str>,
    /// Listeners there are: all that a source looks at while there is none.
    listeners: AtomicUsize,
    recorders: Mutex<Vec<Recorder>>,
    /// Those of the listeners who look on at frames.
    tappers: AtomicUsize,
    /// Frames that came while somebody looked on, and were not looked at.
    passed_over: AtomicU64,
}

/// All places for listeners are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// A place for a listener, given back when it is dropped.
#[derive(Debug)]
struct Place(Arc<AtomicUsize>);

impl Taps {
    /// A junction for each source, in the order of the names.
    #[must_use]
    pub fn new(names: impl IntoIterator<Item = Arc<str>>) -> Self {
        let taps = Self::default();
        taps.rename(names);
        taps
    }

    /// Other sources from now on: one of a name that there was keeps its junction.
    pub fn rename(&self, names: impl IntoIterator<Item = Arc<str>>) {
        let before = self.all();
        let junction = |name: Arc<str>| {
            let known = before.iter().find(|junction| junction.name == name);
            known.map_or_else(|| Arc::new(Junction::new(name)), Arc::clone)
        };
        let junctions = names.into_iter().map(junction).collect();
        *self.junctions.lock().unwrap_or_else(PoisonError::into_inner) = junctions;
    }

    fn all(&self) -> Arc<[Arc<Junction>]> {
        Arc::clone(&self.junctions.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The junction of the source with this index.
    ///
    /// # Panics
    /// If there is no such source.
    #[must_use]
    pub fn junction(&self, index: usize) -> Arc<Junction> {
        Arc::clone(&self.all()[index])
    }

    /// Records all that comes over a source from now on; `None` if no source has the name.
    ///
    /// # Errors
    /// [`Full`] if too many listen already, to whatever source.
    pub fn record(&self, name: &str) -> Option<Result<Recording, Full>> {
        let all = self.all();
        let junction = all.iter().find(|junction| *junction.name == *name)?;
        Some(self.place().map(|place| Recording::start(Arc::clone(junction), place)))
    }

    fn place(&self) -> Result<Place, Full> {
        let taken = self
            .places
            .fetch_update(Relaxed, Relaxed, |taken| (taken < LISTENERS_MAX).then_some(taken + 1));
        taken.map(|_| Place(Arc::clone(&self.places))).map_err(|_| Full)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Junction {
    /// Where nobody has come to listen yet.
    #[must_use]
    pub fn new(name: Arc<str>) -> Self {
        Self {
            name,
            listeners: AtomicUsize::default(),
            recorders: Mutex::default(),
            tappers: AtomicUsize::default(),
            passed_over: AtomicU64::default(),
        }
    }

    fn recorders(&self) -> MutexGuard<'_, Vec<Recorder>> {
        self.recorders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The source's end of a junction; those who listen end with it.
#[derive(Debug)]
pub struct Tap {
    junction: Arc<Junction>,
    framing: Framing,
    /// What is remembered while somebody looks on.
    sampler: Option<Sampler>,
}

impl Tap {
    /// The end of a source whose bytes are framed like this.
    #[must_use]
    pub fn new(junction: Arc<Junction>, framing: Framing) -> Self {
        Self { junction, framing, sampler: None }
    }

    /// The bytes turned out to be framed like this.
    pub fn reframe(&mut self, framing: Framing) {
        self.framing = framing;
    }

    /// Whether anybody listens.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.junction.listeners.load(Relaxed) != 0
    }

    /// Bytes came while somebody listens: they are recorded, and fed to the decoder, some of them
    /// so that it shows what they make.
    pub(in crate::daemon) fn feed(&mut self, bytes: &[u8], to: &mut Feeding<'_>) {
        self.record(bytes, to.arrived_ns);
        if self.junction.tappers.load(Relaxed) == 0 {
            self.sampler = None;
            to.decoder.feed(bytes, to.arrived_ns, to.frames, to.wire);
            return;
        }
        let sampler = self.sampler.get_or_insert_with(|| {
            let mut sampler = Sampler::default();
            sampler.begin(to.decoder);
            sampler
        });
        let passed_over = sampler.feed(bytes, self.framing, to);
        self.junction.passed_over.fetch_add(passed_over, Relaxed);
    }

    /// The line went down while somebody listens, and the decoder has been told; `refused` is what
    /// it had refused before.
    pub(in crate::daemon) fn line_down(&mut self, refused: &[u64], to: &mut Feeding<'_>) {
        let framing = self.framing;
        self.each(|recorder| recorder.line_down(to.arrived_ns, framing));
        if let Some(sampler) = &mut self.sampler {
            sampler.reset(refused, to);
        }
    }

    fn record(&self, bytes: &[u8], arrived_ns: i64) {
        let framing = self.framing;
        self.each(|recorder| match bytes.len() {
            // In a log, no bytes mean that nothing came.
            0 => recorder.lose(1, 0),
            _ => recorder.bytes(bytes, arrived_ns, framing),
        });
    }

    /// A record came that cannot be handed on, such as a datagram that is too long.
    pub fn lose(&self, bytes: usize) {
        if self.is_open() {
            self.each(|recorder| recorder.lose(1, bytes));
        }
    }

    /// Time has passed: what was collected is handed on.
    pub fn hand_over(&self) {
        if self.is_open() {
            self.each(Recorder::hand_over);
        }
    }

    fn each(&self, act: impl FnMut(&mut Recorder)) {
        self.junction.recorders().iter_mut().for_each(act);
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.hand_over();
        self.junction.recorders().clear();
    }
}
