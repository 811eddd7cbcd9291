//! How much is done at a time of what was put off.
//!
//! Work that comes again and again, as the closing of a pane does, is spread over the readings
//! that come between one time and the next: each reading that is taken pays for some of it. The
//! more channels have to be worked for between two panes, the larger are the slices, and none is
//! larger than it must be.

use crate::limits::{CHANNELS_PER_COUNTER, SLICE_HASTE};

/// Work that comes again and again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Channels to work for.
    pub channels: usize,
    /// Readings, of all that were ever taken, by which it should be done.
    due: u64,
}

impl Round {
    /// Work for so many channels that came up at this count of readings, and comes again after so
    /// many.
    #[must_use]
    pub fn new(channels: usize, now: u64, readings: u64) -> Self {
        Self { channels, due: now + (readings as f64 / SLICE_HASTE) as u64 }
    }

    /// The same for so many channels.
    #[must_use]
    pub fn for_channels(self, channels: usize) -> Self {
        Self { channels, ..self }
    }

    /// Some of it is done.
    pub fn work_off(&mut self, channels: usize) {
        self.channels = self.channels.saturating_sub(channels);
    }
}

/// Channels to work for at this count of readings, `taken` of which came since the last time, so
/// that each of these, which are worked off in their order, is done when it should be.
#[must_use]
pub fn share(rounds: impl Iterator<Item = Round>, now: u64, taken: usize) -> usize {
    let mut channels = 0;
    let rates = rounds.map(|round| {
        channels += round.channels;
        let left = round.due.saturating_sub(now).max(taken as u64);
        channels as f64 / left.max(1) as f64
    });
    // What comes up all at once must not be done all at once: in the long run no reading brings
    // about more than the closing of one pane.
    let rate = rates.fold(0.0, f64::max).min(SLICE_HASTE * CHANNELS_PER_COUNTER as f64);
    (rate * taken as f64).ceil() as usize
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, iter};

    use super::*;

    /// Work of each kind is done before there is more of it, whatever the batches, and though what
    /// comes often may have to wait for what comes seldom and takes long.
    #[test]
    fn what_comes_again_is_done_before() {
        for batch in [1, 7, 64, 300] {
            let kinds = [(1_000, 900), (3_000, 100), (40_000, 2_000_usize)];
            let mut queue: VecDeque<(usize, Round)> = VecDeque::new();
            for turn in 0..200_000 / batch {
                let now = ((turn + 1) * batch) as u64;
                for (every, channels) in kinds {
                    if turn * batch / every != (turn + 1) * batch / every {
                        let waits = queue.iter().any(|(kind, _)| *kind == every);
                        assert!(!waits, "every {every}, batches of {batch}, {queue:?} at {now}");
                        queue.push_back((every, Round::new(channels, now, every as u64)));
                    }
                }
                let rounds = queue.iter().map(|(_, round)| *round);
                let mut left = share(rounds, now, batch);
                while let Some((_, round)) = queue.front_mut() {
                    let done = left.min(round.channels);
                    round.work_off(done);
                    left -= done;
                    if round.channels != 0 {
                        break;
                    }
                    queue.pop_front();
                }
            }
        }
    }

    #[test]
    fn a_share_has_bounds() {
        let one = |channels, now| iter::once(Round::new(channels, now, 3_000));
        assert_eq!(share(iter::empty(), 9_000, 1_000), 0);
        assert_eq!(share(one(2_000, 9_000), 9_000, 200), 200, "2,000 by 2,000 readings");
        assert_eq!(share(one(2_000, 9_000), 9_200, 0), 0, "nothing pays for it");
        assert_eq!(share(one(2_000, 1_000), 9_200, 500), 2_000, "too late");
        let most = SLICE_HASTE * CHANNELS_PER_COUNTER as f64 * 500.0;
        assert_eq!(share(one(9_000_000, 1_000), 9_200, 500), most as usize);
    }
}
