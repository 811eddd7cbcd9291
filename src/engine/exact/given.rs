//! Results of exact windows that are not handed out yet.

use std::ops::Range;

use super::{channel::Channel, queue::Queue};
use crate::engine::{bins::rank, summary::Figures, windows::Found};

/// Results with their percentiles, in the order in which they came about until they are sorted.
#[derive(Debug, Default)]
pub(super) struct Given {
    results: Vec<Result>,
    /// Those before it were handed out.
    next: usize,
    ranked: Vec<f64>,
    /// Values of a window, in any order.
    values: Vec<f64>,
}

#[derive(Debug)]
struct Result {
    /// Position of the channel among those of its lane.
    number: u32,
    /// Number of the window among the exact ones.
    window: usize,
    figures: Figures,
    ranked: Range<usize>,
}

impl Given {
    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.results.is_empty()
    }

    /// Keeps a result for later.
    pub(super) fn keep(
        &mut self,
        (number, window): (u32, usize),
        figures: Figures,
        (queue, percentiles): (&Queue, &[f64]),
    ) {
        let from = self.ranked.len();
        self.rank(queue, percentiles);
        let ranked = from..self.ranked.len();
        self.results.push(Result { number, window, figures, ranked });
    }

    /// Puts the results in the order of time, channel and window.
    pub(super) fn sort(&mut self) {
        self.results.sort_by_key(|given| (given.figures.end_ns, given.number, given.window));
    }

    /// Hands out the results that end before `end_ns`.
    pub(super) fn hand_out(
        &mut self,
        channels: &[Channel],
        end_ns: i64,
        emit: &mut (impl FnMut(Found<'_>) + ?Sized),
    ) {
        while let Some(result) = self.results.get(self.next)
            && result.figures.end_ns < end_ns
        {
            let of = &channels[result.number as usize];
            let (channel, place) = (of.info(), of.place());
            let window = channel.rules.windows.len() + result.window;
            let percentiles = &self.ranked[result.ranked.clone()];
            let (figures, details) = (result.figures, [].as_slice());
            emit(Found { channel, place, window, figures, percentiles, details });
            self.next += 1;
        }
        if self.next == self.results.len() {
            self.results.clear();
            self.ranked.clear();
            self.next = 0;
        }
    }

    /// Percentiles of what a window holds; for when none is kept.
    pub(super) fn ranked(&mut self, queue: &Queue, percentiles: &[f64]) -> &[f64] {
        self.ranked.clear();
        self.rank(queue, percentiles);
        &self.ranked
    }

    /// Appends the order statistics of a window's values, one for each percentile, ascending;
    /// none if there is no value.
    fn rank(&mut self, queue: &Queue, percentiles: &[f64]) {
        if percentiles.is_empty() {
            return;
        }
        queue.values(&mut self.values);
        let n = self.values.len() as u64;
        if n == 0 {
            return;
        }
        // Each selection leaves the larger values behind it, where the next one looks on.
        let (mut rest, mut below) = (self.values.as_mut_slice(), 0);
        for &percentile in percentiles {
            let rank = rank(percentile, n) as usize;
            let value = match rank.checked_sub(below + 1) {
                None => self.ranked[self.ranked.len() - 1],
                Some(nth) => {
                    let (_, value, larger) = rest.select_nth_unstable_by(nth, f64::total_cmp);
                    (rest, below) = (larger, rank);
                    *value
                }
            };
            self.ranked.push(value);
        }
    }
}
