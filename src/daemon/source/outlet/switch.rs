//! How a source that runs is made to feed another engine.
//!
//! At a reload a source whose port is as it was reads on: nothing of what comes meanwhile is lost,
//! and no board starts anew because its port was opened again. The ingest leaves word here; the
//! outlet finds it the next time it hands over, gives the old engine what it has collected, and
//! then turns to the new one.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use tokio::sync::{Notify, mpsc};

use crate::{engine::Batch, wire::decode::Format};

/// Whom a source feeds from now on, and what its bytes mean.
#[derive(Debug)]
pub struct Course {
    /// Index of the source in the plan.
    pub index: usize,
    /// The queue to the engine.
    pub batches: mpsc::Sender<Batch>,
    /// What its bytes mean, if that is other than before.
    pub format: Option<Format>,
}

/// Where word is left for one outlet.
#[derive(Clone, Debug, Default)]
pub struct Switch(Arc<Word>);

#[derive(Debug, Default)]
struct Word {
    course: Mutex<Option<Course>>,
    /// Whether there is one: all that an outlet looks at most of the time.
    is_set: AtomicBool,
    taken: Notify,
}

impl Switch {
    /// Leaves word.
    pub fn set(&self, course: Course) {
        *self.course() = Some(course);
        self.0.is_set.store(true, Relaxed);
    }

    /// Whether there is word.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.is_set.load(Relaxed)
    }

    /// Takes it.
    pub(super) fn take(&self) -> Option<Course> {
        let course = self.course().take();
        self.0.is_set.store(false, Relaxed);
        self.0.taken.notify_waiters();
        course
    }

    /// Gives up what nobody has taken; whether there was something.
    pub fn clear(&self) -> bool {
        self.take().is_some()
    }

    fn course(&self) -> MutexGuard<'_, Option<Course>> {
        // Nothing that is done with it can leave it half done.
        self.0.course.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Completes when nothing is left there. Safe to cancel.
    pub async fn taken(&self) {
        loop {
            let taken = self.0.taken.notified();
            if !self.is_set() {
                return;
            }
            taken.await;
        }
    }
}
