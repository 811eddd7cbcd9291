//! How long to wait before a source is opened again.

use crate::limits::{REOPEN_FIRST_NS, REOPEN_LAST_NS};

/// Waits that double from [`REOPEN_FIRST_NS`] to [`REOPEN_LAST_NS`].
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    next_ns: i64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next_ns: REOPEN_FIRST_NS }
    }
}

impl Backoff {
    /// The wait that is due now, nanoseconds; the one after it is twice as long.
    #[must_use = "the wait counts as waited"]
    pub fn next_ns(&mut self) -> i64 {
        let wait_ns = self.next_ns;
        self.next_ns = wait_ns.saturating_mul(2).min(REOPEN_LAST_NS);
        wait_ns
    }

    /// The source was open for `open_ns`. Only if that was long enough to call it well again does
    /// the next wait start from the first: one that opens and fails at once is not hammered.
    pub fn was_open_for(&mut self, open_ns: i64) {
        if REOPEN_LAST_NS <= open_ns {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MS;

    #[test]
    fn doubles_to_the_cap_and_starts_over_after_a_good_while() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..5).map(|_| backoff.next_ns() / MS).collect();
        assert_eq!(waits, [250, 500, 1_000, 1_500, 1_500]);
        backoff.was_open_for(REOPEN_LAST_NS - 1);
        assert_eq!(backoff.next_ns(), REOPEN_LAST_NS);
        backoff.was_open_for(REOPEN_LAST_NS);
        assert_eq!(backoff.next_ns(), REOPEN_FIRST_NS);
    }
}
