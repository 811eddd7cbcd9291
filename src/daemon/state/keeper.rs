//! Who writes images, on a thread of his own: a disk that is slow, full or broken is nothing to the
//! engine.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::Receiver,
    },
};

use tracing::{info, warn};

use super::{
    files::Files,
    memory::Memory,
    standing::{Saved, Standing},
    storage::Storage,
};
use crate::{
    daemon::{clock, rate::LogLimits},
    engine::image::{Head, Sealed, sitting::Blocks},
};

/// An image that is to be written.
#[derive(Debug)]
pub struct Taken {
    /// What it is.
    pub head: Head,
    /// Its records.
    pub blocks: Blocks,
    /// Dropped when it is written, or lost.
    pub busy: Busy,
}

/// Somebody is busy with an image, for as long as this is kept.
#[derive(Debug)]
pub struct Busy(Arc<AtomicBool>);

impl Busy {
    /// Marks it, unless it is marked.
    #[must_use]
    pub fn mark(flag: &Arc<AtomicBool>) -> Option<Self> {
        (!flag.swap(true, Relaxed)).then(|| Self(Arc::clone(flag)))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(false, Relaxed);
    }
}

/// Where images go.
#[derive(Debug)]
pub struct Keeper<S> {
    /// The service manager's store.
    pub memory: Option<Memory>,
    /// A directory.
    pub files: Option<Files<S>>,
    /// What is said about it.
    pub standing: Arc<Standing>,
    /// Failures that are logged.
    pub log: LogLimits,
}

impl<S: Storage> Keeper<S> {
    /// Writes what comes until nobody is left who sends any.
    pub fn run(mut self, taken: &Receiver<Taken>) {
        while let Ok(Taken { head, blocks, busy }) = taken.recv() {
            self.keep(&head, blocks);
            drop(busy);
        }
    }

    /// Writes an image wherever it can be.
    pub fn keep(&mut self, head: &Head, blocks: Blocks) {
        let began_ns = clock::boot_ns();
        let image = Sealed::new(head, blocks);
        let memory = self.memory.as_mut().map(|memory| ("memory", memory.save(&image)));
        let files = self.files.as_mut().map(|files| ("files", files.save(&image)));
        let mut is_saved = false;
        for (place, outcome) in memory.into_iter().chain(files) {
            match outcome {
                Ok(_) => is_saved = true,
                Err(error) => self.complain(place, &error),
            }
        }
        if is_saved {
            let write_ns = clock::boot_ns() - began_ns;
            let bytes = image.len();
            self.standing.saved(Saved { at_ns: head.at_ns, bytes, write_ns });
            if head.number == 1 {
                info!(epoch = head.epoch, bytes, "The state is kept.");
            }
        }
    }

    fn complain(&self, place: &'static str, error: &io::Error) {
        self.standing.failed(place, &error.to_string());
        if let Some(more) = self.log.allow(place, clock::boot_ns()) {
            warn!(place, %error, more, "The state cannot be saved; aggregation goes on without.");
        }
    }
}
