//! Buffers that go back to where they were filled.
//!
//! What crosses a stage or a thread is filled on one side and emptied on the other. Given back,
//! the buffers are filled again, so that the data path allocates nothing in its steady state.
//! Neither side ever waits: where there is no spare one allocates, and where there are enough one
//! is dropped.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// The buffers that came back, on the side that fills them.
#[derive(Debug)]
pub struct Spares<T> {
    emptied: Receiver<T>,
    home: Home<T>,
}

/// The way back for what was emptied; by default there is none.
#[derive(Debug)]
pub struct Home<T>(Option<SyncSender<T>>);

impl<T> Spares<T> {
    /// Keeps up to `max` of them.
    #[must_use]
    pub fn new(max: usize) -> Self {
        let (home, emptied) = sync_channel(max);
        Self { emptied, home: Home(Some(home)) }
    }

    /// One that came back, as it was given.
    #[must_use]
    pub fn take(&self) -> Option<T> {
        self.emptied.try_recv().ok()
    }

    /// The way back to here.
    #[must_use]
    pub fn home(&self) -> Home<T> {
        Home(self.home.0.clone())
    }
}

impl<T> Home<T> {
    /// Gives back what was emptied.
    pub fn give_back(&self, emptied: T) {
        if let Some(home) = &self.0 {
            // No room, or nobody there any more: it is not needed.
            let _ = home.try_send(emptied);
        }
    }
}

impl<T> Default for Home<T> {
    fn default() -> Self {
        Self(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_is_taken_again_and_no_more_than_asked_is_kept() {
        let spares = Spares::new(2);
        assert_eq!(spares.take(), None);
        let home = spares.home();
        (0..3).for_each(|n| home.give_back(n));
        assert_eq!((spares.take(), spares.take(), spares.take()), (Some(0), Some(1), None));
        drop(spares);
        home.give_back(4);
        Home::default().give_back(5);
    }
}
