//! Exact windows, word for word: over lists that are searched from scratch.

use std::collections::BTreeMap;

use stillwell::engine::{
    ExactWindow,
    bins::counting::Precision,
    summary::{Flag, Summary},
};

use super::{
    CHANNELS, DEVICES, PERCENTILES,
    oracle::{Expected, Kept},
};

/// The exact windows of all channels.
#[derive(Debug, Default)]
pub(super) struct ExactModel {
    windows: Vec<ExactWindow>,
    channels: Vec<Channel>,
    /// Results by end, channel and number of the window.
    results: BTreeMap<(i64, u32, usize), ExactExpected>,
}

#[derive(Debug, Default)]
struct Channel {
    /// In the order of arrival.
    waiting: Vec<Kept>,
    /// In the order of time, then of arrival.
    taken: Vec<Kept>,
    /// For each that came too late, the time of the newest taken.
    too_late_ns: Vec<i64>,
    /// The result of the newest time is not given yet.
    is_open: bool,
}

/// What a result must be.
#[derive(Debug)]
pub(super) struct ExactExpected {
    end_ns: i64,
    held: Expected,
    /// Readings that it lacks, and how many more may be told.
    lacking: usize,
    tolerance: usize,
}

impl ExactModel {
    pub(super) fn new(windows: &[ExactWindow]) -> Self {
        let channels = (0..CHANNELS * DEVICES).map(|_| Channel::default()).collect();
        Self { windows: windows.to_vec(), channels, results: BTreeMap::new() }
    }

    pub(super) fn note(&mut self, kept: Kept) {
        let Some(capacity) = self.windows.iter().map(|window| window.capacity).max() else {
            return;
        };
        let channel = &mut self.channels[kept.channel as usize];
        if let Some(newest) = channel.taken.last()
            && kept.at_ns < newest.at_ns
        {
            channel.too_late_ns.push(newest.at_ns);
            return;
        }
        channel.waiting.push(kept);
        if channel.waiting.len() == 2 * capacity {
            for kept in channel.in_order(capacity) {
                self.take(kept);
            }
        }
    }

    pub(super) fn advance(&mut self, watermark_ns: i64) {
        for number in 0..self.channels.len() {
            let channel = &mut self.channels[number];
            let below = channel.waiting.iter().filter(|kept| kept.at_ns < watermark_ns).count();
            for kept in channel.in_order(below) {
                self.take(kept);
            }
            if self.channels[number].newest_ns().is_some_and(|newest_ns| newest_ns < watermark_ns) {
                self.complete(number);
            }
        }
    }

    pub(super) fn finish(&mut self) {
        self.advance(i64::MAX);
    }

    fn take(&mut self, kept: Kept) {
        let number = kept.channel as usize;
        if self.channels[number].newest_ns().is_some_and(|newest_ns| newest_ns < kept.at_ns) {
            self.complete(number);
        }
        self.channels[number].taken.push(kept);
        self.channels[number].is_open = true;
    }

    fn complete(&mut self, number: usize) {
        let channel = &mut self.channels[number];
        if !std::mem::take(&mut channel.is_open) {
            return;
        }
        for (window, exact) in self.windows.iter().enumerate() {
            if let Some(expected) = channel.result(exact) {
                let key = (expected.end_ns, number as u32, window);
                assert!(self.results.insert(key, expected).is_none());
            }
        }
    }

    /// What a snapshot shows of each window at a watermark.
    pub(super) fn shown(
        &self,
        channel: u32,
        watermark_ns: Option<i64>,
    ) -> Vec<Option<ExactExpected>> {
        let channel = &self.channels[channel as usize];
        let shown = |exact: &ExactWindow| {
            let (newest_ns, watermark_ns) = (channel.newest_ns()?, watermark_ns?);
            // What may still come is not before the watermark.
            let is_left_behind = newest_ns <= watermark_ns - 1 - exact.length_ns;
            channel.result(exact).filter(|_| !is_left_behind)
        };
        self.windows.iter().map(shown).collect()
    }

    /// All results are there, and no others; exact windows are numbered from `first` on.
    pub(super) fn check(&self, found: &BTreeMap<(i64, u32, usize), Summary>, first: usize) {
        for ((end_ns, channel, window), expected) in &self.results {
            let key = (*end_ns, *channel, first + window);
            let got = found.get(&key).unwrap_or_else(|| panic!("missing {key:?}"));
            expected.check(got, &key);
        }
        assert_eq!(found.len(), self.results.len(), "made up");
    }
}

impl Channel {
    fn newest_ns(&self) -> Option<i64> {
        self.taken.last().map(|kept| kept.at_ns)
    }

    /// Takes the first of those that wait out, by time, then by arrival.
    fn in_order(&mut self, n: usize) -> Vec<Kept> {
        self.waiting.sort_by_key(|kept| kept.at_ns);
        self.waiting.drain(..n).collect()
    }

    /// The window as the newest reading finds it.
    fn result(&self, exact: &ExactWindow) -> Option<ExactExpected> {
        let end_ns = self.newest_ns()?;
        let after = |begin_ns: i64| {
            let taken = self.taken.iter().filter(|kept| begin_ns < kept.at_ns).count();
            let too_late = self.too_late_ns.iter().filter(|at_ns| begin_ns < **at_ns).count();
            (taken, too_late)
        };
        let begin_ns = end_ns - exact.length_ns;
        let (within, too_late) = after(begin_ns);
        let n = within.min(exact.capacity);
        let held = &self.taken[self.taken.len() - n..];
        let lacking = within - n + too_late;
        // A 64th of the length is forgotten as a whole.
        let (more, more_late) = after(begin_ns - (exact.length_ns + 63) / 64);
        let tolerance = if lacking == 0 { 0 } else { more - within + more_late - too_late };
        let mut flags = [0; 5];
        held.iter().for_each(|kept| flags[kept.flag as usize] += 1);
        let counts = |kept: &&Kept| kept.flag < Flag::Fail;
        let values = held.iter().filter(counts).copied().collect();
        let accepted = held.iter().any(|kept| kept.flag != Flag::Missing);
        accepted.then_some(ExactExpected {
            end_ns,
            held: Expected { flags, values },
            lacking,
            tolerance,
        })
    }
}

impl ExactExpected {
    pub(super) fn check(&self, got: &Summary, context: &dyn std::fmt::Debug) {
        assert_eq!(got.end_ns, self.end_ns, "{context:?}");
        let overflow = got.overflow as usize;
        assert!(
            (self.lacking..=self.lacking + self.tolerance).contains(&overflow),
            "overflow of {context:?}: {overflow} for {} to {} more",
            self.lacking,
            self.tolerance
        );
        assert_eq!((got.precision, got.out_of_range), (Precision::Configured, 0), "{context:?}");
        self.held.check_all_but_percentiles(got, context);
        let Some(values) = &got.values else { return };
        let mut sorted: Vec<f64> = self.held.values.iter().map(|kept| kept.value).collect();
        sorted.sort_by(f64::total_cmp);
        let nth = |percentile: &f64| (percentile * sorted.len() as f64 / 100.0).ceil() as usize;
        let expected = PERCENTILES.iter().map(|percentile| sorted[nth(percentile).max(1) - 1]);
        assert_eq!(*values.percentiles, *expected.collect::<Vec<_>>(), "{context:?}");
    }
}
