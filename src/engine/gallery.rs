//! What snapshots show of the channels, kept so that a new one shares what did not change.
//!
//! A snapshot is made in moves: [`Gallery::call`] settles the values it shows, results are shown,
//! and [`Gallery::publish`] gives it. Values that come in between are those of the next. What the
//! first and the last have to do is done by [`Gallery::put_down`] and [`Gallery::bind`], so much
//! at a time, as channels may be many.

use std::mem;

use super::{
    column::{Column, Draft, bits},
    rules::Rules,
    snapshot::Live,
    statistics::Detail,
    summary::Figures,
    windows::Latest,
};
use crate::limits::CHANNELS_PER_CHUNK;

/// The channels as snapshots show them, with what has changed since the last one.
///
/// Each window has columns of its own, so that one that changes every second copies nothing of
/// one that changes every hour.
#[derive(Debug, Default)]
pub struct Gallery {
    /// The latest value of each channel: flat, because every reading comes by.
    lives: Vec<Option<Live>>,
    /// Event time of the earliest value of each channel, which hardly any reading comes by.
    begun_ns: Vec<Option<i64>>,
    /// One bit a channel that has a new value; a word is a chunk.
    changed: Vec<u64>,
    /// One bit a channel whose value was settled for the snapshot under way.
    settled: Vec<u64>,
    /// One bit a channel whose settled value is still the latest, and not in `shown`.
    pending: Vec<u64>,
    /// One bit a channel that has a new result.
    moved: Vec<u64>,
    shown: Draft<Shown>,
    levels: Vec<Level>,
    /// Number of the snapshot under way, or the latest.
    seq: u64,
    stage: Stage,
    /// Channels that were added while the drafts were bound.
    waiting: Vec<Cells>,
}

/// What is known of the values of a channel apart from any window.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Values {
    /// The latest.
    pub(super) live: Option<Live>,
    /// Event time of the earliest.
    pub(super) begun_ns: Option<i64>,
}

/// What is done of the snapshot under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// All values that were settled are put down, if any were.
    #[default]
    Open,
    /// Those of the chunks before this one are.
    Settling { next: usize },
    /// Results are marked in the chunks before this one: no more are shown.
    Marking { next: usize },
    /// All of them are, and some of the chunks prepared.
    Binding,
}

/// Cells of a channel at each level.
type Cells = Vec<(usize, usize, usize)>;

/// The channels as one snapshot shows them: those of one gallery.
#[derive(Clone, Debug, Default)]
pub struct Part {
    pub(super) shown: Column<Shown>,
    pub(super) windows: Vec<Results>,
}

/// What is shown of a channel itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shown {
    pub(super) live: Option<Live>,
    pub(super) begun_ns: Option<i64>,
    pub(super) changed_seq: u64,
}

/// The results of all channels for the window with one index in their rules.
#[derive(Clone, Debug, Default)]
pub(super) struct Results {
    pub(super) figures: Column<Option<Figures>>,
    pub(super) percentiles: Column<f64>,
    pub(super) details: Column<Detail>,
}

#[derive(Debug, Default)]
struct Level {
    figures: Draft<Option<Figures>>,
    percentiles: Draft<f64>,
    details: Draft<Detail>,
}

impl Gallery {
    /// Bytes that a channel with these rules takes in the gallery and in the snapshots, while no
    /// reader holds on to an old one.
    #[must_use]
    pub fn bytes_per_channel(rules: &Rules) -> usize {
        let level = Draft::<Option<Figures>>::bytes_per_channel(1)
            + Draft::<f64>::bytes_per_channel(rules.percentiles.len());
        let details = Draft::<Detail>::bytes_per_channel(rules.statistics.details());
        size_of::<Option<Live>>()
            + size_of::<Option<i64>>()
            + Draft::<Shown>::bytes_per_channel(1)
            + rules.window_count() * level
            + rules.windows.len() * details
    }

    /// Adds the next channel.
    pub fn add(&mut self, rules: &Rules) {
        let channel = self.lives.len();
        self.lives.push(None);
        self.begun_ns.push(None);
        let chunks = self.lives.len().div_ceil(CHANNELS_PER_CHUNK);
        for bits in [&mut self.changed, &mut self.settled, &mut self.pending, &mut self.moved] {
            bits.resize(chunks, 0);
        }
        mark(&mut self.changed, channel);
        let details = |window| rules.details_of(window);
        let cells = |window| (1, rules.percentiles.len(), details(window));
        self.waiting.push((0..rules.window_count()).map(cells).collect());
        if !self.is_bound() {
            self.admit();
        }
    }

    /// Gives channels that wait their cells.
    fn admit(&mut self) {
        let Self { shown, levels, waiting, .. } = self;
        for cells in waiting.drain(..) {
            while levels.len() < cells.len() {
                let mut level = Level::default();
                (0..shown.len()).for_each(|_| level.add((0, 0, 0)));
                levels.push(level);
            }
            shown.add(1);
            for (window, level) in levels.iter_mut().enumerate() {
                level.add(cells.get(window).copied().unwrap_or_default());
            }
        }
    }

    /// How many channels there are.
    pub(super) fn len(&self) -> usize {
        self.lives.len()
    }

    /// The latest values, and the times of the first, by channel.
    pub(super) fn values(&self) -> Vec<Values> {
        let both = self.lives.iter().zip(&self.begun_ns);
        both.map(|(&live, &begun_ns)| Values { live, begun_ns }).collect()
    }

    /// Shows what was shown before a restart of a channel of which nothing is.
    pub(super) fn resume(&mut self, channel: u32, Values { live, begun_ns }: Values) {
        if let Some(live) = live {
            self.show_live(channel, live);
            if begun_ns.is_some() {
                self.begun_ns[channel as usize] = begun_ns;
            }
        }
    }

    /// Shows a value as the latest unless a younger one is shown.
    // Each reading comes by. What is not for each is apart, so that this is inlined, and nobody
    // else is handed the value: it goes from registers to its place, not by way of the stack, from
    // where it could be read only once all its parts are there.
    #[inline]
    pub fn show_live(&mut self, channel: u32, live: Live) {
        let channel = channel as usize;
        if let Stage::Settling { .. } = self.stage {
            self.put_down_one(channel);
        }
        let shown = &mut self.lives[channel];
        let may_be_earliest = shown.is_none_or(|shown| live.at_ns < shown.at_ns);
        if shown.is_none_or(|shown| shown.at_ns <= live.at_ns) {
            *shown = Some(live);
            mark(&mut self.changed, channel);
        }
        if may_be_earliest {
            self.begin(channel, live.at_ns);
        }
    }

    /// Notes when the earliest value of a channel was.
    #[cold]
    fn begin(&mut self, channel: usize, at_ns: i64) {
        let begun_ns = &mut self.begun_ns[channel];
        if begun_ns.is_none_or(|begun_ns| at_ns < begun_ns) {
            *begun_ns = Some(at_ns);
            mark(&mut self.changed, channel);
        }
    }

    /// Puts down the value that is settled for a channel, before another takes its place.
    #[cold]
    fn put_down_one(&mut self, channel: usize) {
        let (chunk, bit) = (channel / CHANNELS_PER_CHUNK, 1 << (channel % CHANNELS_PER_CHUNK));
        if self.pending[chunk] & bit != 0 {
            self.pending[chunk] &= !bit;
            self.write_down(channel);
        }
    }

    fn write_down(&mut self, channel: usize) {
        let (live, begun_ns) = (self.lives[channel], self.begun_ns[channel]);
        self.shown.write(channel)[0] = Shown { live, begun_ns, changed_seq: self.seq };
    }

    /// Shows the latest result of a window; none is shown while a snapshot is bound.
    pub fn show_result(&mut self, latest: &Latest<'_>) {
        let Latest { place, window, figures, percentiles, details } = *latest;
        let channel = place as usize;
        let level = &mut self.levels[window];
        level.figures.write(channel)[0] = figures;
        if !percentiles.is_empty() {
            level.percentiles.write(channel).copy_from_slice(percentiles);
        }
        if !details.is_empty() {
            level.details.write(channel).copy_from_slice(details);
        }
        mark(&mut self.moved, channel);
    }

    /// Settles the values as they are now for the snapshot with this number.
    pub fn call(&mut self, seq: u64) {
        debug_assert_eq!(self.stage, Stage::Open, "one snapshot at a time");
        mem::swap(&mut self.changed, &mut self.settled);
        self.pending.copy_from_slice(&self.settled);
        self.seq = seq;
        self.stage = Stage::Settling { next: 0 };
    }

    /// Puts down settled values of about so many chunks; says of how many, none if all are.
    pub fn put_down(&mut self, chunks: usize) -> usize {
        let Stage::Settling { next } = self.stage else { return 0 };
        let end = self.pending.len().min(next.saturating_add(chunks));
        for chunk in next..end {
            for at in bits(mem::take(&mut self.pending[chunk])) {
                self.write_down(chunk * CHANNELS_PER_CHUNK + at);
            }
        }
        let is_last = end == self.pending.len();
        self.stage = if is_last { Stage::Open } else { Stage::Settling { next: end } };
        (end - next).max(1)
    }

    /// Prepares about so many chunks of the snapshot under way, all results of which were shown;
    /// says how many, fewer than asked for if it is ready.
    pub fn bind(&mut self, chunks: usize) -> usize {
        let mut done = self.put_down(chunks);
        if self.stage == Stage::Open {
            self.stage = Stage::Marking { next: 0 };
        }
        done += self.mark_moved(chunks.saturating_sub(done));
        if self.stage == Stage::Binding {
            done += self.shown.prepare(chunks.saturating_sub(done));
            for level in &mut self.levels {
                done += level.prepare(chunks.saturating_sub(done));
            }
        }
        done
    }

    /// Marks channels that have a new result but no new value.
    fn mark_moved(&mut self, chunks: usize) -> usize {
        let Stage::Marking { next } = self.stage else { return 0 };
        let end = self.moved.len().min(next.saturating_add(chunks));
        for chunk in next..end {
            let moved = mem::take(&mut self.moved[chunk]) & !mem::take(&mut self.settled[chunk]);
            for at in bits(moved) {
                let channel = chunk * CHANNELS_PER_CHUNK + at;
                let latest = self.shown.latest(channel).first().copied().unwrap_or_default();
                self.shown.write(channel)[0] = Shown { changed_seq: self.seq, ..latest };
            }
        }
        let is_last = end == self.moved.len();
        self.stage = if is_last { Stage::Binding } else { Stage::Marking { next: end } };
        end - next
    }

    /// Chunks that were written, and are not prepared.
    #[must_use]
    pub fn owed(&self) -> usize {
        self.shown.owed() + self.levels.iter().map(Level::owed).sum::<usize>()
    }

    /// Whether drafts may not be written.
    fn is_bound(&self) -> bool {
        matches!(self.stage, Stage::Marking { .. } | Stage::Binding)
    }

    /// The channels with the values that were settled and the results that were shown; what
    /// changed is marked with the number of the snapshot.
    pub fn publish(&mut self) -> Part {
        self.bind(usize::MAX);
        self.stage = Stage::Open;
        let part = Part {
            shown: self.shown.publish(),
            windows: self.levels.iter_mut().map(Level::publish).collect(),
        };
        self.admit();
        part
    }
}

/// Sets the bit of a channel.
#[inline]
fn mark(words: &mut [u64], channel: usize) {
    words[channel / CHANNELS_PER_CHUNK] |= 1 << (channel % CHANNELS_PER_CHUNK);
}

impl Level {
    fn add(&mut self, (figures, percentiles, details): (usize, usize, usize)) {
        self.figures.add(figures);
        self.percentiles.add(percentiles);
        self.details.add(details);
    }

    fn owed(&self) -> usize {
        self.figures.owed() + self.percentiles.owed() + self.details.owed()
    }

    fn prepare(&mut self, chunks: usize) -> usize {
        let mut done = self.figures.prepare(chunks);
        done += self.percentiles.prepare(chunks.saturating_sub(done));
        done + self.details.prepare(chunks.saturating_sub(done))
    }

    fn publish(&mut self) -> Results {
        Results {
            figures: self.figures.publish(),
            percentiles: self.percentiles.publish(),
            details: self.details.publish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{
        directory::Listing,
        partial::OpenPartial,
        snapshot::{Snapshot, tests_support},
        summary::Flag,
        verdict::Tests,
    };

    fn live(value: f64, at_ns: i64) -> Live {
        Live { value, at_ns, arrived_ns: at_ns, flag: Flag::Pass, tests: Tests::NONE }
    }

    fn publish(gallery: &mut Gallery, seq: u64) -> Part {
        gallery.call(seq);
        gallery.publish()
    }

    #[test]
    fn the_latest_value_is_the_one_with_the_largest_event_time() {
        let mut gallery = Gallery::default();
        gallery.add(&tests_support::rules());
        gallery.show_live(0, live(1.0, 10));
        gallery.show_live(0, live(2.0, 9));
        gallery.show_live(0, live(3.0, 10));
        gallery.call(1);
        gallery.show_live(0, live(4.0, 11));
        let part = gallery.publish();
        assert_eq!(part.shown.cells(0)[0].live, Some(live(3.0, 10)));
    }

    #[test]
    fn a_channel_begins_with_its_earliest_value() {
        let mut gallery = Gallery::default();
        gallery.add(&tests_support::rules());
        let begun = |part: &Part| part.shown.cells(0)[0].begun_ns;
        assert_eq!(begun(&publish(&mut gallery, 1)), None);
        gallery.show_live(0, live(1.0, 10));
        gallery.show_live(0, live(2.0, 20));
        assert_eq!(begun(&publish(&mut gallery, 2)), Some(10));
        gallery.show_live(0, live(3.0, 30));
        assert_eq!(begun(&publish(&mut gallery, 3)), Some(10));
        gallery.show_live(0, live(4.0, 9));
        gallery.show_live(0, live(5.0, 29));
        let part = publish(&mut gallery, 4);
        assert_eq!((begun(&part), part.shown.cells(0)[0].live), (Some(9), Some(live(3.0, 30))));
    }

    /// A snapshot is the same whoever aggregates its channels.
    #[test]
    fn channels_are_found_in_the_part_that_has_their_chunk() {
        for parts in 1..=3 {
            let mut galleries: Vec<Gallery> = (0..parts).map(|_| Gallery::default()).collect();
            let mut listing = Listing::default();
            for index in 0..300 {
                let info = tests_support::info(index, &format!("c{index}"));
                let chunk = index as usize / CHANNELS_PER_CHUNK;
                let gallery = &mut galleries[chunk % parts];
                gallery.add(&info.rules);
                let place = u32::try_from(gallery.lives.len() - 1).expect("few");
                gallery.show_live(place, live(f64::from(index), 5));
                listing.add(info);
            }
            let snapshot = Snapshot {
                directory: listing.publish(),
                parts: galleries.iter_mut().map(|gallery| publish(gallery, 1)).collect(),
                ..Snapshot::default()
            };
            for index in 0..300 {
                let view = snapshot.channel(index);
                assert_eq!(view.info.index, index);
                assert_eq!(view.live.map(|live| live.value), Some(f64::from(index)));
                assert_eq!((view.summary(0), view.changed_seq), (None, 1));
            }
        }
    }

    #[test]
    fn each_window_shows_its_latest_result_and_percentiles() {
        let mut gallery = Gallery::default();
        let mut listing = Listing::default();
        let rules = tests_support::rules();
        listing.add(tests_support::info(0, "a"));
        gallery.add(&rules);
        let figures = |end_ns, n| {
            let mut open = OpenPartial::EMPTY;
            (0..n).for_each(|at_ns| open.push(at_ns, 1.0, Flag::Pass));
            Some(Figures::new(end_ns, &open.close()))
        };
        let mut snapshot = |gallery: &mut Gallery, seq| Snapshot {
            seq,
            directory: listing.publish(),
            parts: [publish(gallery, seq)].into(),
            ..Snapshot::default()
        };
        let result = |window, figures, percentiles| Latest {
            place: 0,
            window,
            figures,
            percentiles,
            details: &[],
        };
        gallery.show_result(&result(0, figures(10, 3), &[1.0, 2.0]));
        let first = snapshot(&mut gallery, 1);
        gallery.show_result(&result(1, figures(20, 4), &[3.0, 4.0]));
        let second = snapshot(&mut gallery, 2);
        gallery.show_result(&result(0, None, &[]));
        let third = snapshot(&mut gallery, 3);
        let shown = |snapshot: &Snapshot| {
            [0, 1].map(|window| {
                let summary = snapshot.channel(0).summary(window)?;
                Some((summary.end_ns, summary.values.expect("has values").percentiles.to_vec()))
            })
        };
        assert_eq!(shown(&first), [Some((10, vec![1.0, 2.0])), None]);
        let long = Some((20, vec![3.0, 4.0]));
        assert_eq!(shown(&second), [Some((10, vec![1.0, 2.0])), long.clone()]);
        assert_eq!(shown(&third), [None, long]);
        assert_eq!(third.channel(0).changed_seq, 3);
    }
}
