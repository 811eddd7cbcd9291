//! What is known about the keeping of state, for Status.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::found::Choice;
use crate::engine::image::{Misfit, Salvage};

/// What Status says of the state, as it stands.
#[derive(Debug, Default)]
pub struct Standing {
    /// Where it is kept as files, if it is.
    pub directory: Option<PathBuf>,
    /// Whether the service manager keeps it in memory.
    pub in_memory: bool,
    /// How often it is saved, nanoseconds.
    pub every_ns: i64,
    /// What was gone on from, if anything was.
    pub restored: Option<Restored>,
    /// What was found and of no use: where, and why.
    pub useless: Vec<(&'static str, Box<str>)>,
    news: Mutex<News>,
}

/// What was gone on from.
#[derive(Debug)]
pub struct Restored {
    /// Where it was.
    pub place: &'static str,
    /// When it was taken, on the daemon's line.
    pub at_ns: i64,
    /// Its length.
    pub bytes: u64,
    /// What became of it.
    pub salvage: Arc<Salvage>,
}

/// What changes.
#[derive(Clone, Debug, Default)]
pub struct News {
    /// The latest image that was written somewhere.
    pub last: Option<Saved>,
    /// Images that were written somewhere.
    pub saved: u64,
    /// Images that were due while the one before was still being taken or written.
    pub skipped: u64,
    /// What failed: where, why, and how often.
    pub failed: BTreeMap<(&'static str, Box<str>), u64>,
}

/// An image that was written.
#[derive(Clone, Copy, Debug)]
pub struct Saved {
    /// When it was taken, on the daemon's line.
    pub at_ns: i64,
    /// Its length.
    pub bytes: u64,
    /// How long it took to write it, nanoseconds.
    pub write_ns: i64,
}

/// Different failures that are told apart; what comes beyond is counted under the last.
const FAILURES_MAX: usize = 16;

impl Standing {
    /// Nothing was saved yet, and nothing gone on from.
    #[must_use]
    pub fn new(directory: Option<PathBuf>, in_memory: bool, every_ns: i64) -> Self {
        Self { directory, in_memory, every_ns, ..Self::default() }
    }

    /// What there is to say of a choice before anything is gone on with.
    pub fn choose(&mut self, choice: &Choice) {
        self.useless =
            choice.useless.iter().map(|(place, why)| (*place, why.name().into())).collect();
        self.restored = choice.image.as_ref().map(|(place, image)| Restored {
            place,
            at_ns: image.head().at_ns,
            bytes: image.len() as u64,
            salvage: Arc::clone(image.salvage()),
        });
    }

    /// What has changed.
    #[must_use]
    pub fn news(&self) -> News {
        self.lock().clone()
    }

    /// An image was written somewhere.
    pub fn saved(&self, saved: Saved) {
        let mut news = self.lock();
        news.last = Some(saved);
        news.saved += 1;
    }

    /// An image was due and could not be taken.
    pub fn skipped(&self) {
        self.lock().skipped += 1;
    }

    /// An image could not be written.
    pub fn failed(&self, place: &'static str, why: &str) {
        let mut news = self.lock();
        let key = (place, why.into());
        let key = match news.failed.last_key_value() {
            Some((last, _)) if FAILURES_MAX <= news.failed.len() => {
                if news.failed.contains_key(&key) { key } else { last.clone() }
            }
            _ => key,
        };
        *news.failed.entry(key).or_default() += 1;
    }

    fn lock(&self) -> MutexGuard<'_, News> {
        // Nothing that is done with it can leave it half done.
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Restored {
    /// What it came to, in words.
    #[must_use]
    pub fn words(&self) -> String {
        let channels = self.salvage.channels();
        let lost: Vec<String> =
            self.salvage.dropped().map(|(why, n)| format!("{n} {}", words(why))).collect();
        let lost = if lost.is_empty() { "nothing".to_owned() } else { lost.join(", ") };
        format!("{channels} channels go on from {}; left out: {lost}", self.place)
    }
}

/// A reason in the words of a log line.
fn words(why: Misfit) -> &'static str {
    match why {
        Misfit::RulesChanged => "configured otherwise now",
        Misfit::Gone => "no longer configured",
        Misfit::Cardinality => "beyond the caps on what is discovered",
        Misfit::Ahead => "ahead of the clock",
        Misfit::Replayed => "of recordings, which begin anew",
        Misfit::Malformed => "that contradict themselves",
    }
}
