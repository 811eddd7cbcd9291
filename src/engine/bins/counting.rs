//! The percentile bins of all channels, within a budget.

use super::{
    Bin, BinScale,
    budget::{Budget, Load},
    levels::{Levels, nest},
    open::{OpenBins, Place},
    packed::Entries,
    rank,
    relief::{Relief, Weights},
    sum::Taken,
    tally::Tally,
    tier::Room,
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
/// channels with most bytes that are taken for the sake of speed give these up, until it fits.
/// With none left, the largest channel of those with more than one figure is counted with one
/// figure less; and with none left of these, the youngest channel that has bins gives them up.
/// All of it is for good, because a new channel must not take from those there are. Which channel
/// it is follows from the readings and the order in which panes close alone, neither from batches
/// nor from what was asked for.
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
        budget.set(counter.channel, levels.taken());
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
            Relief::Confine(channels) => self.each_of(channels, Self::confine),
            Relief::Coarsen(channels) => self.each_of(channels, Self::coarsen),
            Relief::Withhold(channels) => self.each_of(channels, Self::withhold),
        }
        Weights::default()
    }

    fn each_of(&mut self, channels: &[u32], give_way: impl Fn(&mut Self, u32)) {
        for &index in channels {
            if let Some(at) = self.budget.find(index) {
                give_way(self, at);
            }
        }
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
        budget.set(counter.channel, levels.taken());
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
        budget.load.confined -= u64::from(channel.is_confined());
        open.clear(channel.place, open_slots(rules.pane_ns, rules.lateness_ns));
        channel.counts = Some((channel.finest, Levels::new(&rules.windows)));
        budget.set(counter.channel, Taken::default());
        budget.release(counter.channel, channel.finest.coarser().is_some());
    }

    /// Makes the counts fit the budget.
    #[cold]
    fn fit(&mut self) {
        while self.budget.is_broken() {
            if let Some(at) = self.budget.most_spare() {
                self.confine(at);
            } else if let Some(at) = self.budget.largest() {
                self.coarsen(at);
            } else if let Some(at) = self.channels.iter().rposition(|it| it.counts.is_some()) {
                self.withhold(at as u32);
            } else {
                break;
            }
        }
    }

    /// Lets a channel take no more for the sake of speed.
    fn confine(&mut self, at: u32) {
        let channel = &mut self.channels[at as usize];
        let was_confined = channel.is_confined();
        let Some((_, levels)) = channel.counts.as_mut() else { return };
        // What was asked for in between must not show in what it comes to.
        levels.catch_up(reached_ns(&self.reached_ns, channel.lane), &mut self.tally);
        levels.confine();
        self.budget.load.confined += u64::from(!was_confined);
        self.budget.set(at, levels.taken());
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
        levels.catch_up(reached_ns(&self.reached_ns, channel.lane), &mut self.tally);
        levels.coarsen(scale, &coarser, &mut self.tally);
        *scale = coarser;
        self.budget.set(at, levels.taken());
        if coarser.coarser().is_none() {
            self.budget.hold(at);
        }
    }

    /// Counts a channel no more.
    fn withhold(&mut self, at: u32) {
        let channel = &mut self.channels[at as usize];
        let was_coarsened = channel.precision() != Precision::Configured;
        let was_confined = channel.is_confined();
        if channel.counts.take().is_some() {
            self.budget.load.coarsened -= u64::from(was_coarsened);
            self.budget.load.confined -= u64::from(was_confined);
            self.budget.load.withheld += 1;
            self.budget.set(at, Taken::default());
        }
    }
}

/// How far the time of a lane has come.
fn reached_ns(lanes: &[i64], lane: u32) -> i64 {
    lanes[lane as usize].max(-EVENT_TIME_ABS_MAX_NS)
}

impl Channel {
    /// Whether it has given up what it took for the sake of speed.
    fn is_confined(&self) -> bool {
        self.counts.as_ref().is_some_and(|(_, levels)| levels.room() == Room::Tight)
    }

    fn precision(&self) -> Precision {
        match &self.counts {
            Some((scale, _)) if *scale == self.finest => Precision::Configured,
            Some((scale, _)) => Precision::Coarsened(scale.figures()),
            None => Precision::Withheld,
        }
    }
}

#[cfg(test)]
mod tests;
