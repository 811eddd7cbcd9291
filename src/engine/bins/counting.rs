//! The percentile bins of all channels, within a budget.

use super::{
    Bin, BinScale,
    budget::{Budget, Load},
    levels::{Levels, nest},
    open::{OpenBins, Place},
    packed::Entries,
    rank,
    relief::{Relief, Weights},
    tally::Tally,
};
use crate::{
    engine::{
        open::{Pane, open_slots},
        rules::Rules,
    },
    limits::EVENT_TIME_ABS_MAX_NS,
};

/// The counts of all channels that have percentiles.
///
/// What they hold is bounded by a budget in bytes. Whenever a closed pane takes it beyond, the
/// largest channel of those with more than one figure is counted with one figure less, until it
/// fits; with none left, the youngest channel that has bins gives them up, for good, because a
/// new channel must not take from those there are. Which one that is follows from the readings
/// and the order in which panes close alone, neither from batches nor from what was asked for.
/// Where these channels are not all there are, the budget here has no bound, and who gives way
/// is said from outside, by [`Self::relieve`].
#[derive(Debug)]
pub struct Counting {
    channels: Vec<Channel>,
    open: OpenBins,
    tally: Tally,
    packed: Vec<u8>,
    nested: Vec<u8>,
    budget: Budget,
    /// How far the time of each lane has come: no window was asked for beyond it, and no pane
    /// before it will close.
    reached_ns: Vec<i64>,
}

/// Where a reading of a channel goes: what the hot path needs to know of it.
#[derive(Clone, Copy, Debug)]
pub struct Counter {
    scale: BinScale,
    place: Place,
    channel: u32,
    lane: u32,
}

/// What the counts of a channel are saved by.
pub(super) struct Parts<'a> {
    pub(super) place: Place,
    pub(super) counts: Option<&'a (BinScale, Levels)>,
    pub(super) open: &'a OpenBins,
    pub(super) tally: &'a mut Tally,
}

#[derive(Debug)]
struct Channel {
    /// As configured: what open panes are noted in.
    finest: BinScale,
    place: Place,
    lane: u32,
    /// The bins now, and the counts; `None` if they were given up.
    counts: Option<(BinScale, Levels)>,
}

/// With how many significant figures readings are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// As configured.
    Configured,
    /// With fewer, for want of memory.
    Coarsened(u8),
    /// Not at all, for want of memory.
    Withheld,
}

impl Counting {
    /// Counts within so many bytes.
    #[must_use]
    pub fn new(budget_bytes: u64) -> Self {
        Self {
            channels: Vec::new(),
            open: OpenBins::default(),
            tally: Tally::new(),
            packed: Vec::new(),
            nested: Vec::new(),
            budget: Budget::new(budget_bytes),
            reached_ns: Vec::new(),
        }
    }

    /// Bytes that a channel with these rules takes from the start, which no budget counts.
    #[must_use]
    pub fn bytes_per_channel(rules: &Rules) -> usize {
        if rules.percentiles.is_empty() {
            return 0;
        }
        let slots = open_slots(rules.pane_ns, rules.lateness_ns);
        size_of::<Channel>() + Levels::bytes_empty(rules.windows.len()) + OpenBins::bytes(slots)
    }

    /// Adds a channel of this lane with these rules; its `index` among all channels is larger
    /// than those that were added before.
    pub fn add(&mut self, index: u32, lane: usize, rules: &Rules) -> Counter {
        let slots = open_slots(rules.pane_ns, rules.lateness_ns);
        let scale = BinScale::new(rules.resolution, rules.figures);
        let levels = Levels::new(&rules.windows);
        let channel = u32::try_from(self.channels.len()).expect("CHANNELS_MAX holds");
        self.budget.add_channel(index, scale.coarser().is_some());
        let place = self.open.add_channel(slots);
        if self.reached_ns.len() <= lane {
            self.reached_ns.resize(lane + 1, i64::MIN);
        }
        let lane = u32::try_from(lane).expect("no more lanes than channels");
        self.channels.push(Channel { finest: scale, place, lane, counts: Some((scale, levels)) });
        Counter { scale, place, channel, lane }
    }

    /// Notes a value in this pane; whether it lies within the range of the bins.
    #[inline]
    pub fn note(&mut self, counter: &Counter, pane: Pane, value: f64) -> bool {
        let (bin, within) = counter.scale.bin(value);
        self.open.note(counter.place, pane, bin, &mut self.tally);
        within
    }

    /// All panes of a lane before this instant have closed.
    pub fn reach(&mut self, lane: usize, at_ns: i64) {
        if let Some(reached_ns) = self.reached_ns.get_mut(lane) {
            *reached_ns = at_ns;
        }
    }

    /// Closes this pane, which begins at `start_ns`.
    pub fn close(&mut self, counter: &Counter, pane: Pane, start_ns: i64) {
        let Self { channels, open, tally, packed, nested, budget, reached_ns } = self;
        reached_ns[counter.lane as usize] = start_ns;
        let channel = &mut channels[counter.channel as usize];
        open.close(channel.place, pane, tally);
        packed.clear();
        let n = tally.pack(packed);
        let Some((scale, levels)) = &mut channel.counts else { return };
        if n == 0 {
            return;
        }
        if *scale != channel.finest {
            nested.clear();
            nest(Entries::new(packed), &channel.finest, scale, tally, nested);
            std::mem::swap(packed, nested);
        }
        levels.push(start_ns, packed, n, tally);
        budget.set(counter.channel, levels.bytes() as u64);
        if budget.is_broken() {
            self.fit();
        }
    }

    /// Percentiles of a window that ends at `at_ns`; see [`Levels::ask`]. They replace what
    /// `ranked` holds, one for each of the channel's unless there is no reading or no bin, and
    /// lie between `min` and `max`.
    pub fn ask(
        &mut self,
        counter: &Counter,
        rules: &Rules,
        (window, at_ns): (usize, i64),
        (min, max): (f64, f64),
        ranked: &mut Vec<f64>,
    ) -> Precision {
        ranked.clear();
        let channel = &mut self.channels[counter.channel as usize];
        let precision = channel.precision();
        if let Some((scale, levels)) = &mut channel.counts {
            let sum = levels.ask(window, at_ns, &mut self.tally);
            if 0 < sum.n() {
                let ranks = rules.percentiles.iter().map(|&p| rank(p, sum.n()));
                sum.at_ranks(ranks, |bin| ranked.push(scale.middle(bin).clamp(min, max)));
            }
        }
        precision
    }

    /// Calls `each` with the bins of a window that ends at `at_ns`, ascending, and gives their
    /// scale; `None` if they were given up.
    pub fn bins(
        &mut self,
        counter: &Counter,
        (window, at_ns): (usize, i64),
        each: impl FnMut(Bin, u64),
    ) -> Option<BinScale> {
        let (scale, levels) = self.channels[counter.channel as usize].counts.as_mut()?;
        levels.ask(window, at_ns, &mut self.tally).for_each(each);
        Some(*scale)
    }

    /// What the counts take.
    #[must_use]
    pub fn load(&self) -> Load {
        self.budget.load
    }

    /// Does what was decided about the channels, and names those that take most if it was asked
    /// for; a channel that is not here is nothing to it.
    pub fn relieve(&mut self, relief: &Relief) -> Weights {
        match relief {
            Relief::None => {}
            Relief::Weigh { excess } => return self.budget.weigh(*excess),
            Relief::Coarsen(channels) => {
                for &index in &**channels {
                    if let Some(at) = self.budget.find(index) {
                        self.coarsen(at);
                    }
                }
            }
            Relief::Withhold(channels) => {
                for &index in &**channels {
                    if let Some(at) = self.budget.find(index) {
                        self.withhold(at);
                    }
                }
            }
        }
        Weights::default()
    }

    /// The channel that a counter is of, with what it is saved by.
    pub(super) fn parts(&mut self, counter: &Counter) -> Parts<'_> {
        let Self { channels, open, tally, .. } = self;
        let Channel { place, counts, .. } = &channels[counter.channel as usize];
        Parts { place: *place, counts: counts.as_ref(), open, tally }
    }

    /// Puts packed bins in as those of an open pane; see [`OpenBins::put`].
    pub(super) fn put_open(&mut self, counter: &Counter, pane: Pane, packed: &[u8]) {
        self.open.put(counter.place, pane, packed);
    }

    /// Counts a channel in which nothing is counted with so many figures, or not at all.
    pub(super) fn begin_with(&mut self, counter: &Counter, figures: Option<u8>) -> Option<()> {
        let Some(figures) = figures else {
            self.withhold(counter.channel);
            return Some(());
        };
        loop {
            let channel = &self.channels[counter.channel as usize];
            let (scale, _) = channel.counts.as_ref()?;
            if scale.figures() == figures {
                return Some(());
            }
            scale.coarser()?;
            self.coarsen(counter.channel);
        }
    }

    /// Fills the counts of a channel by `fill`.
    pub(super) fn fill(
        &mut self,
        counter: &Counter,
        fill: impl FnOnce(&BinScale, &mut Levels, &mut Tally) -> Option<()>,
    ) -> Option<()> {
        let Self { channels, tally, budget, .. } = self;
        let (scale, levels) = channels[counter.channel as usize].counts.as_mut()?;
        let filled = fill(scale, levels, tally);
        budget.set(counter.channel, levels.bytes() as u64);
        filled
    }

    /// A channel with these rules in which nothing is counted again.
    pub(in crate::engine) fn clear(&mut self, counter: &Counter, rules: &Rules) {
        let Self { channels, open, budget, .. } = self;
        let channel = &mut channels[counter.channel as usize];
        match channel.precision() {
            Precision::Configured => {}
            Precision::Coarsened(_) => budget.load.coarsened -= 1,
            Precision::Withheld => budget.load.withheld -= 1,
        }
        open.clear(channel.place, open_slots(rules.pane_ns, rules.lateness_ns));
        channel.counts = Some((channel.finest, Levels::new(&rules.windows)));
        budget.set(counter.channel, 0);
        budget.release(counter.channel, channel.finest.coarser().is_some());
    }

    /// Makes the counts fit the budget.
    #[cold]
    fn fit(&mut self) {
        while self.budget.is_broken()
            && let Some(at) = self.budget.largest()
        {
            self.coarsen(at);
        }
        while self.budget.is_broken()
            && let Some(at) = self.channels.iter().rposition(|channel| channel.counts.is_some())
        {
            self.withhold(at as u32);
        }
    }

    /// Counts a channel with one figure less.
    fn coarsen(&mut self, at: u32) {
        let channel = &mut self.channels[at as usize];
        let Some((scale, levels)) = channel.counts.as_mut() else { return };
        let Some(coarser) = scale.coarser() else { return };
        if *scale == channel.finest {
            self.budget.load.coarsened += 1;
        }
        // What was asked for in between must not show in what it comes to.
        let reached_ns = self.reached_ns[channel.lane as usize].max(-EVENT_TIME_ABS_MAX_NS);
        levels.catch_up(reached_ns, &mut self.tally);
        levels.coarsen(scale, &coarser, &mut self.tally);
        *scale = coarser;
        self.budget.set(at, levels.bytes() as u64);
        if coarser.coarser().is_none() {
            self.budget.hold(at);
        }
    }

    /// Counts a channel no more.
    fn withhold(&mut self, at: u32) {
        let channel = &mut self.channels[at as usize];
        let was_coarsened = channel.precision() != Precision::Configured;
        if channel.counts.take().is_some() {
            self.budget.load.coarsened -= u64::from(was_coarsened);
            self.budget.load.withheld += 1;
            self.budget.set(at, 0);
        }
    }
}

impl Channel {
    fn precision(&self) -> Precision {
        match &self.counts {
            Some((scale, _)) if *scale == self.finest => Precision::Configured,
            Some((scale, _)) => Precision::Coarsened(scale.figures()),
            None => Precision::Withheld,
        }
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        engine::{rules::Window, snapshot::tests_support},
        limits::{BIN_VALUE_MAX, MS},
    };

    const PANE_NS: i64 = 100 * MS;

    fn rules(figures: u8) -> Rules {
        Rules { figures, resolution: 0.01, ..tests_support::rules() }
    }

    proptest! {
        /// The whole way of a reading, against the reference implementation: whatever was
        /// coarsened on the way, each window holds the bins that counting its readings with the
        /// figures it states would give, and the bin of each rank is that of the true value.
        #[test]
        fn windows_hold_what_their_readings_come_to(
            panes in proptest::collection::vec(
                (1..9_i64, proptest::collection::vec(-1e4..1e4_f64, 0..60)),
                1..60,
            ),
            budget in prop_oneof![Just(1_u64 << 30), 500..20_000_u64],
            asks in any::<u64>(),
        ) {
            let rules = rules(3);
            let mut counting = Counting::new(budget);
            let counter = counting.add(0, 0, &rules);
            let slots = open_slots(rules.pane_ns, rules.lateness_ns);
            let mut readings: Vec<(i64, f64)> = Vec::new();
            let mut pane = -5;
            for (step, (gap, values)) in panes.iter().enumerate() {
                pane += gap;
                for &value in values {
                    counting.note(&counter, Pane::new(pane, slots), value);
                    readings.push((pane, value));
                }
                counting.close(&counter, Pane::new(pane, slots), pane * PANE_NS);
                prop_assert!(!counting.budget.is_broken());
                if asks >> (step % 64) & 1 == 0 {
                    continue;
                }
                for (window, Window { length_ns, every_ns }) in rules.windows.iter().enumerate() {
                    let at_ns = ((pane + 1) * PANE_NS).div_euclid(*every_ns) * every_ns;
                    let from = (at_ns - length_ns).div_euclid(PANE_NS);
                    let within = |pane: i64| from <= pane && (pane + 1) * PANE_NS <= at_ns;
                    let mine = readings.iter().filter(|(pane, _)| within(*pane));
                    let mine: Vec<f64> = mine.map(|(_, value)| *value).collect();
                    let mut got = Vec::new();
                    let scale = counting.bins(&counter, (window, at_ns), |b, n| got.push((b, n)));
                    let Some(scale) = scale else { continue };
                    check(scale, &mine, &got);
                    let mut ranked = Vec::new();
                    let every = (f64::NEG_INFINITY, f64::INFINITY);
                    counting.ask(&counter, &rules, (window, at_ns), every, &mut ranked);
                    check_ranks(scale, mine, &rules.percentiles, &ranked);
                }
            }
        }

        /// Who is coarsened, and when, does not depend on what was asked for.
        #[test]
        fn asking_changes_nothing(
            panes in proptest::collection::vec(
                (1..9_i64, proptest::collection::vec(-1e3..1e3_f64, 0..40)),
                1..60,
            ),
            budget in 500..20_000_u64,
        ) {
            let rules = rules(3);
            let slots = open_slots(rules.pane_ns, rules.lateness_ns);
            let play = |asked: bool| {
                let mut counting = Counting::new(budget);
                let counters = [0, 1, 2].map(|index| counting.add(index, 0, &rules));
                let mut loads = Vec::new();
                let mut pane = 0;
                for (gap, values) in &panes {
                    pane += gap;
                    for (i, &value) in values.iter().enumerate() {
                        counting.note(&counters[i * i % 3], Pane::new(pane, slots), value);
                    }
                    for counter in &counters {
                        counting.close(counter, Pane::new(pane, slots), pane * PANE_NS);
                        loads.push(counting.load());
                    }
                    counting.reach(0, (pane + 1) * PANE_NS);
                    for counter in &counters {
                        for (window, Window { every_ns, .. }) in rules.windows.iter().enumerate() {
                            let at_ns = ((pane + 1) * PANE_NS).div_euclid(*every_ns) * every_ns;
                            if asked {
                                counting.bins(counter, (window, at_ns), |_, _| {});
                            }
                        }
                    }
                }
                loads
            };
            prop_assert_eq!(play(true), play(false));
        }
    }

    fn check(scale: BinScale, values: &[f64], got: &[(Bin, u64)]) {
        let mut reference = [0; 2].map(|_| {
            Histogram::<u64>::new_with_bounds(1, BIN_VALUE_MAX, scale.figures()).expect("valid")
        });
        for value in values {
            let quantity = (value * 100.0).round();
            reference[usize::from(quantity < 0.0)] += quantity.abs() as u64;
        }
        let mut n = 0;
        for &(bin, count) in got {
            let (lowest, _) = scale.range(bin);
            assert_eq!(reference[usize::from(bin < 0)].count_at(lowest), count, "bin {bin}");
            n += count;
        }
        assert_eq!(n, values.len() as u64);
    }

    fn check_ranks(scale: BinScale, mut values: Vec<f64>, percentiles: &[f64], got: &[f64]) {
        values.sort_by(f64::total_cmp);
        let truth = |p: &f64| values[rank(*p, values.len() as u64) as usize - 1];
        let expected = percentiles.iter().filter(|_| !values.is_empty()).map(truth);
        let expected: Vec<f64> = expected.map(|x| scale.middle(scale.bin(x).0)).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn the_largest_goes_first_and_the_youngest_without() {
        let rules = rules(3);
        let mut counting = Counting::new(u64::MAX);
        let counters = [0, 1, 2].map(|index| counting.add(index, 0, &rules));
        let widths = [40, 400, 4];
        for (counter, width) in counters.iter().zip(widths) {
            (0..width).for_each(|i| {
                counting.note(counter, Pane::new(0, 1), 10.0 + f64::from(i));
            });
            counting.close(counter, Pane::new(0, 1), 0);
        }
        let precisions =
            |counting: &Counting| [0, 1, 2].map(|at: usize| counting.channels[at].precision());
        counting.budget.load.budget_bytes = counting.load().bytes - 1;
        counting.fit();
        let fine = Precision::Configured;
        assert_eq!(precisions(&counting), [fine, Precision::Coarsened(2), fine]);
        assert_eq!((counting.load().coarsened, counting.load().withheld), (1, 0));
        counting.budget.load.budget_bytes = 1;
        counting.fit();
        assert_eq!(precisions(&counting), [Precision::Withheld; 3]);
        assert_eq!((counting.load().coarsened, counting.load().withheld), (0, 3));
        assert_eq!(counting.load().bytes, 0);
    }
}
