//! The readings of one exact window, oldest first, with their aggregate always at hand.
//!
//! Two-Stacks-Lite, as in [`crate::engine::ring`], over partials of single readings: `front` is a
//! stack of aggregates from the oldest readings on, each of the part of the readings that was
//! there when it was last built up, `back` is the aggregate of those that came since. Push, evict
//! and query take one merge each, amortized; nothing is ever subtracted from a float. Building the
//! front up takes as many merges as there are readings, once in as many evictions.

mod saved;

use std::collections::VecDeque;

use super::{lacking::Lacking, reorder::Noted};
use crate::engine::{partial::Partial, rules::ExactWindow, summary::Figures};

/// A bounded queue of readings.
#[derive(Debug)]
pub struct Queue {
    window: ExactWindow,
    /// What the window holds, oldest first.
    held: VecDeque<Noted>,
    /// The last is the aggregate from the oldest reading on, the one before it from the second.
    front: Vec<Partial>,
    back: Partial,
    lacking: Lacking,
}

impl Queue {
    /// A window without readings.
    #[must_use]
    pub fn new(window: ExactWindow) -> Self {
        Self {
            window,
            held: VecDeque::new(),
            front: Vec::new(),
            back: Partial::EMPTY,
            lacking: Lacking::new(window.length_ns),
        }
    }

    /// Bytes that such a window comes to at most.
    #[must_use]
    pub fn bytes_at_most(window: &ExactWindow) -> usize {
        let reading = size_of::<Noted>() + size_of::<Partial>();
        size_of::<Self>() + window.capacity * reading + Lacking::bytes_at_most()
    }

    /// Length in nanoseconds.
    #[must_use]
    pub fn length_ns(&self) -> i64 {
        self.window.length_ns
    }

    /// Appends a reading, not older than those before; those that lie its length behind it go,
    /// and the oldest if there is no room.
    pub fn push(&mut self, noted: Noted) {
        let gone_ns = noted.at_ns - self.window.length_ns;
        while let Some(oldest) = self.held.front()
            && oldest.at_ns <= gone_ns
        {
            self.evict();
        }
        if self.held.len() == self.window.capacity {
            let oldest_ns = self.held[0].at_ns;
            self.lacking.add(oldest_ns);
            self.evict();
        }
        self.lacking.forget(gone_ns);
        if self.held.len() == self.held.capacity() {
            let doubled = (2 * self.held.len()).clamp(1, self.window.capacity);
            self.held.reserve_exact(doubled - self.held.len());
        }
        self.held.push_back(noted);
        self.back.merge(&Partial::of(noted.value, noted.flag));
    }

    /// A reading came too late to be put in its place; counts as of the time of the newest.
    pub fn lack(&mut self, newest_ns: i64) {
        self.lacking.add(newest_ns);
    }

    /// What the window comes to with its newest reading, which is of `end_ns`; `None` if it holds
    /// no accepted reading.
    #[must_use]
    pub fn result(&self, end_ns: i64) -> Option<Figures> {
        let all = match self.front.last() {
            None => self.back,
            Some(older) => {
                let mut all = *older;
                all.merge(&self.back);
                all
            }
        };
        let overflow = self.lacking.n();
        (0 < all.accepted()).then(|| Figures { overflow, ..Figures::new(end_ns, &all) })
    }

    /// The values that count, in place of what `values` holds.
    pub fn values(&self, values: &mut Vec<f64>) {
        values.clear();
        let counting = self.held.iter().filter(|noted| noted.flag.counts());
        values.extend(counting.map(|noted| noted.value));
    }

    fn evict(&mut self) {
        if self.front.is_empty() {
            self.turn_over();
        }
        self.front.pop();
        self.held.pop_front();
    }

    /// Makes all readings part of the front.
    fn turn_over(&mut self) {
        if self.front.capacity() < self.held.len() {
            self.front.reserve_exact(self.held.capacity());
        }
        let mut newer = Partial::EMPTY;
        for noted in self.held.iter().rev() {
            let mut all = Partial::of(noted.value, noted.flag);
            all.merge(&newer);
            self.front.push(all);
            newer = all;
        }
        self.back = Partial::EMPTY;
    }
}
