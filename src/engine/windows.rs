//! All panes and windows of all channels.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    bins::{
        Counting,
        budget::Load,
        counting::Counter,
        relief::{Relief, Weights},
    },
    chain::{Chains, NEVER, Route},
    exact::{Exact, reorder::Noted},
    gallery::Gallery,
    open::{ClosedPane, OpenPanes},
    rules::{Rules, Window},
    snapshot::ChannelInfo,
    summary::{Figures, Flag, Summary},
};

/// The state of aggregation: takes accepted readings and watermarks, gives results.
#[derive(Debug)]
pub struct Windows {
    /// Those that have channels here, in the order in which they got their first.
    lanes: Vec<Lane>,
    /// By the number that a lane has for everybody, its place in `lanes`.
    lane_places: Vec<Option<u32>>,
    /// By channel: dense, because every reading asks for it.
    seats: Vec<Seat>,
    banks: Banks,
    /// Chains by the lane and the windows that their channels share.
    shared: BTreeMap<(usize, Arc<[Window]>), u32>,
}

/// Where a channel's open panes are.
#[derive(Clone, Copy, Debug)]
struct Seat {
    /// Place of its lane.
    lane: u32,
    /// Number within the lane.
    member: u32,
    /// Where readings go besides.
    besides: Besides,
}

/// Where the readings of a channel go besides its open panes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Besides {
    Nowhere,
    /// Into the bins behind its percentiles.
    Bins,
    /// Into its exact windows.
    Exact,
    /// Into both.
    BinsAndExact,
}

#[derive(Debug)]
struct Lane {
    /// Its number for everybody.
    number: usize,
    source: usize,
    open: OpenPanes,
    exact: Exact,
    watermark_ns: i64,
    /// Channels by their number within the lane.
    members: Vec<u32>,
    /// No member is due before this instant.
    due_ns: i64,
}

/// What is kept of closed panes.
#[derive(Debug)]
struct Banks {
    chains: Vec<Chains>,
    channels: Vec<Channel>,
    counting: Counting,
    /// For each channel, the next instant at which it must be refreshed: dense, because every
    /// snapshot scans it.
    look_ns: Vec<i64>,
    /// Percentiles of the latest result.
    ranked: Vec<f64>,
}

#[derive(Debug)]
struct Channel {
    /// Which chains it is in, and which of them is its own.
    chains: u32,
    nth: u32,
    /// Where the percentiles are counted, if there are any.
    counter: Option<Counter>,
    info: Arc<ChannelInfo>,
}

/// A result, as it is handed out.
#[derive(Clone, Debug, PartialEq)]
pub struct Emitted {
    /// Which channel.
    pub channel: Arc<ChannelInfo>,
    /// Number of the window in the channel's rules.
    pub window: usize,
    /// The result.
    pub summary: Summary,
}

/// A result, as it is found.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// Which channel.
    pub channel: &'a Arc<ChannelInfo>,
    /// Its number here: see [`Windows::add`].
    pub place: u32,
    /// Number of the window in the channel's rules.
    pub window: usize,
    /// The result.
    pub figures: Figures,
    /// One for each of the channel's percentiles, or none if there is no value.
    pub percentiles: &'a [f64],
}

impl From<Found<'_>> for Emitted {
    fn from(found: Found<'_>) -> Self {
        let Found { channel, window, figures, percentiles, .. } = found;
        let rules = &channel.rules;
        let summary = Summary::of(&figures, percentiles, rules.window(window), rules);
        Self { channel: Arc::clone(channel), window, summary }
    }
}

/// What became of accepted readings, per source.
pub trait Count {
    /// `n` accepted readings of `source` went from an open into a closed pane.
    fn closed(&mut self, source: usize, n: u64);
}

/// Bytes that the panes and windows of one channel with these rules take from the start, and its
/// exact windows at most; what it takes for its views in snapshots is included, and what the
/// counts behind percentiles come to is not.
#[must_use]
pub fn bytes_per_channel(rules: &Rules) -> usize {
    size_of::<Channel>()
        + size_of::<Seat>()
        + 2 * size_of::<u32>()
        + size_of::<ChannelInfo>()
        + OpenPanes::bytes_per_channel(rules.pane_ns, rules.lateness_ns)
        + Chains::bytes_per_channel(rules)
        + Exact::bytes_per_channel(rules)
        + Gallery::bytes_per_channel(rules)
}

impl Windows {
    /// Nothing to aggregate yet, and so many bytes for percentiles.
    #[must_use]
    pub fn new(percentile_bytes: u64) -> Self {
        let banks = Banks {
            chains: Vec::new(),
            channels: Vec::new(),
            counting: Counting::new(percentile_bytes),
            look_ns: Vec::new(),
            ranked: Vec::new(),
        };
        Self {
            lanes: Vec::new(),
            lane_places: Vec::new(),
            seats: Vec::new(),
            banks,
            shared: BTreeMap::new(),
        }
    }

    /// What the percentiles of all channels take.
    #[must_use]
    pub fn percentile_load(&self) -> Load {
        self.banks.counting.load()
    }

    /// Does what was decided about percentiles, and names the channels that take most if it was
    /// asked for.
    pub fn relieve(&mut self, relief: &Relief) -> Weights {
        self.banks.counting.relieve(relief)
    }

    /// Adds a channel, which takes the next number here. Its index and the number of its lane
    /// are those that it has for everybody; neither need be dense.
    pub fn add(&mut self, info: Arc<ChannelInfo>) {
        let place = u32::try_from(self.seats.len()).expect("CHANNELS_MAX holds");
        let lane = self.lane_for(&info);
        let Self { lanes, seats, banks, shared, .. } = self;
        let Rules { pane_ns, windows, exact, percentiles, .. } = &info.rules;
        let member = lanes[lane].open.add_channel();
        lanes[lane].members.push(place);
        let counted = !percentiles.is_empty() && !windows.is_empty();
        let besides = match (counted, exact.is_empty()) {
            (false, true) => Besides::Nowhere,
            (true, true) => Besides::Bins,
            (false, false) => Besides::Exact,
            (true, false) => Besides::BinsAndExact,
        };
        if !exact.is_empty() {
            lanes[lane].exact.add(member, place, Arc::clone(&info));
        }
        seats.push(Seat { lane: lane as u32, member, besides });
        let chains = *shared.entry((lane, Arc::clone(windows))).or_insert_with(|| {
            banks.chains.push(Chains::new(windows, *pane_ns));
            banks.chains.len() as u32 - 1
        });
        let nth = banks.chains[chains as usize].add(info.index);
        let counter = counted.then(|| banks.counting.add(info.index, lane, &info.rules));
        banks.channels.push(Channel { chains, nth, counter, info });
        banks.look_ns.push(NEVER);
    }

    /// Place of the channel's lane, which is opened for the first channel it has here.
    fn lane_for(&mut self, info: &ChannelInfo) -> usize {
        let ChannelInfo { lane: number, source, rules, .. } = info;
        if let Some(place) = self.lane_place(*number) {
            return place;
        }
        let place = self.lanes.len();
        self.lanes.push(Lane {
            number: *number,
            source: *source,
            open: OpenPanes::new(rules.pane_ns, rules.lateness_ns),
            exact: Exact::default(),
            watermark_ns: i64::MIN,
            members: Vec::new(),
            due_ns: NEVER,
        });
        if self.lane_places.len() <= *number {
            self.lane_places.resize(number + 1, None);
        }
        self.lane_places[*number] = Some(place as u32);
        place
    }

    fn lane_place(&self, number: usize) -> Option<usize> {
        self.lane_places.get(number).copied().flatten().map(|place| place as usize)
    }

    /// Watermark of each lane that has channels here, with its number.
    pub fn watermarks(&self) -> impl Iterator<Item = (usize, i64)> {
        self.lanes.iter().map(|lane| (lane.number, lane.watermark_ns))
    }

    /// Takes a reading that is not below the watermark of its lane. Hardly ever results come of
    /// it at once, of exact windows: they go to `through`, if all are wanted.
    #[inline]
    pub fn push(
        &mut self,
        channel: u32,
        at_ns: i64,
        value: f64,
        flag: Flag,
        through: Option<&mut dyn FnMut(Found<'_>)>,
    ) {
        let Seat { lane, member, besides } = self.seats[channel as usize];
        let pane = self.lanes[lane as usize].open.push(member, at_ns, value, flag);
        if besides == Besides::Nowhere {
            return;
        }
        if besides != Besides::Exact && flag.counts() {
            self.note(channel, pane, value);
        }
        if besides != Besides::Bins {
            let exact = &mut self.lanes[lane as usize].exact;
            exact.push(member, Noted { at_ns, value, flag }, through);
        }
    }

    /// Counts a value of a channel with percentiles.
    fn note(&mut self, channel: u32, pane: i64, value: f64) {
        let Seat { lane, member, .. } = self.seats[channel as usize];
        let Banks { channels, counting, .. } = &mut self.banks;
        if let Some(counter) = &channels[channel as usize].counter
            && !counting.note(counter, pane, value)
        {
            self.lanes[lane as usize].open.note_out_of_range(member, pane);
        }
    }

    /// Moves a lane's watermark and closes the panes below it; results are asked for later. A
    /// lane without channels here is nothing to it.
    pub fn advance(&mut self, lane: usize, watermark_ns: i64, count: &mut impl Count) {
        let Some(lane) = self.lane_place(lane) else { return };
        let Self { lanes, banks, .. } = self;
        let state = &mut lanes[lane];
        state.watermark_ns = watermark_ns;
        while let Some(start_ns) = state.open.earliest_ns()
            && start_ns + state.open.pane_ns() <= watermark_ns
        {
            state.close(start_ns, banks, count);
        }
        state.exact.advance(watermark_ns, false);
        banks.counting.reach(lane, watermark_ns);
    }

    /// Moves a lane's watermark, closes the panes below it and gives every result that falls
    /// due on the way, in the order of time, channel and window; those of exact windows after
    /// others of the same time.
    pub fn advance_through(
        &mut self,
        lane: usize,
        watermark_ns: i64,
        count: &mut impl Count,
        emit: &mut impl FnMut(Found<'_>),
    ) {
        let Some(lane) = self.lane_place(lane) else { return };
        let Self { lanes, banks, .. } = self;
        let state = &mut lanes[lane];
        state.watermark_ns = watermark_ns;
        state.exact.advance(watermark_ns, true);
        loop {
            let start_ns = state.open.earliest_ns();
            let end_ns = start_ns.map_or(NEVER, |start_ns| start_ns + state.open.pane_ns());
            let next_ns = end_ns.min(state.due_ns);
            state.exact.hand_out_below(next_ns, emit);
            if watermark_ns < next_ns {
                break;
            }
            if let Some(start_ns) = start_ns
                && end_ns == next_ns
            {
                state.close(start_ns, banks, count);
            }
            if state.due_ns == next_ns {
                state.emit_due(next_ns, banks, emit);
            }
        }
        banks.counting.reach(lane, watermark_ns);
    }

    /// The latest result of each window of a channel whose last answer no longer holds; for
    /// snapshots, which show the latest and not every one.
    pub fn refresh(&mut self, channel: u32, mut shown: impl FnMut(usize, Option<Figures>, &[f64])) {
        let Self { lanes, seats, banks, .. } = self;
        let watermark_ns = lanes[seats[channel as usize].lane as usize].watermark_ns;
        let Channel { chains, nth, .. } = banks.channels[channel as usize];
        for window in 0..banks.chains[chains as usize].windows() {
            if let Some(at_ns) = banks.chains[chains as usize].look_at(nth, window, watermark_ns) {
                let figures = banks.result(channel, window, at_ns);
                shown(window, figures, &banks.ranked);
            }
        }
        banks.look_ns[channel as usize] = banks.chains[chains as usize].next_look_ns(nth);
    }

    /// The latest result of each exact window whose last answer no longer holds, with its channel
    /// and the number of the window; for snapshots, beside [`Self::refresh`].
    pub fn refresh_exact(&mut self, mut shown: impl FnMut(u32, usize, Option<Figures>, &[f64])) {
        for Lane { exact, watermark_ns, .. } in &mut self.lanes {
            exact.refresh(*watermark_ns, &mut shown);
        }
    }

    /// The input has ended, and [`Self::finish`] has closed all: the result of each exact window
    /// at its newest reading, unless it was shown, however far the watermark went for others.
    pub fn finish_exact(&mut self, mut shown: impl FnMut(u32, usize, Option<Figures>, &[f64])) {
        for Lane { exact, .. } in &mut self.lanes {
            exact.refresh(i64::MIN, &mut shown);
        }
    }

    /// Channels whose windows have moved on since they were last refreshed, ascending.
    pub fn moved(&self) -> impl Iterator<Item = u32> {
        let newest_ns = self.watermarks().map(|(_, at_ns)| at_ns).max().unwrap_or(i64::MIN);
        (0..).zip(&self.banks.look_ns).zip(&self.seats).filter_map(
            move |((channel, look_ns), seat)| {
                // Most are not due in any lane, and theirs need not be looked up.
                (*look_ns <= newest_ns && *look_ns <= self.lanes[seat.lane as usize].watermark_ns)
                    .then_some(channel)
            },
        )
    }

    /// The input has ended, and nothing can be late any more: closes every pane and gives the
    /// first result of each window that holds the channel's newest reading, in the order of
    /// time, channel and window. Results before that are given only with `through`, as by
    /// [`Self::advance_through`].
    pub fn finish(
        &mut self,
        through: bool,
        count: &mut impl Count,
        emit: &mut impl FnMut(Found<'_>),
    ) {
        let mut last = Vec::new();
        for place in 0..self.lanes.len() {
            let Lane { number, open, .. } = &self.lanes[place];
            let number = *number;
            if let Some(end_ns) = open.latest_end_ns() {
                if through {
                    self.advance_through(number, end_ns, count, emit);
                } else {
                    self.advance(number, end_ns, count);
                }
            }
        }
        let Self { banks, .. } = self;
        for (index, &Channel { chains, nth, .. }) in (0..).zip(&banks.channels) {
            let chains = &banks.chains[chains as usize];
            for window in 0..chains.windows() {
                if let Some(at_ns) = chains.last_instant(nth, window) {
                    last.push((at_ns, index, window));
                }
            }
        }
        last.sort_unstable();
        for (at_ns, channel, window) in last {
            banks.emit(channel, window, at_ns, emit);
        }
    }
}

impl Banks {
    /// Result of a window, as by [`Chains::result`]; its percentiles replace what `ranked` holds.
    fn result(&mut self, channel: u32, window: usize, at_ns: i64) -> Option<Figures> {
        let Self { chains, channels, counting, ranked, .. } = self;
        ranked.clear();
        let Channel { chains: of, nth, counter, info } = &channels[channel as usize];
        let mut figures = chains[*of as usize].result(*nth, window, at_ns)?;
        if let Some(counter) = counter
            && 0 < figures.n
        {
            let extremes = (figures.min, figures.max);
            let ask = (window, at_ns);
            figures.precision = counting.ask(counter, &info.rules, ask, extremes, ranked);
        }
        Some(figures)
    }

    fn emit(&mut self, channel: u32, window: usize, at_ns: i64, emit: &mut impl FnMut(Found<'_>)) {
        if let Some(figures) = self.result(channel, window, at_ns) {
            let info = &self.channels[channel as usize].info;
            let percentiles = &self.ranked;
            emit(Found { channel: info, place: channel, window, figures, percentiles });
        }
    }
}

impl Lane {
    fn close(&mut self, start_ns: i64, banks: &mut Banks, count: &mut impl Count) {
        let Self { source, open, members, due_ns, .. } = self;
        let Banks { chains, channels, counting, look_ns, .. } = banks;
        // Neighbours mostly have the same windows, hence the same way up.
        let mut route: Option<(u32, Route)> = None;
        let mut accepted = 0;
        let pane = start_ns.div_euclid(open.pane_ns());
        open.close(start_ns, |ClosedPane { channel, partial }| {
            let index = members[channel as usize] as usize;
            let Channel { chains: of, nth, counter, .. } = &channels[index];
            let chains = &mut chains[*of as usize];
            let (_, route) = match &mut route {
                Some(known) if known.0 == *of => known,
                other => other.insert((*of, chains.route(start_ns))),
            };
            accepted += partial.accepted();
            chains.push(*nth, route, &partial);
            if let Some(counter) = counter {
                counting.close(counter, pane, start_ns);
            }
            *due_ns = (*due_ns).min(chains.next_due_ns(*nth));
            look_ns[index] = chains.next_look_ns(*nth);
        });
        count.closed(*source, accepted);
    }

    fn emit_due(&mut self, at_ns: i64, banks: &mut Banks, emit: &mut impl FnMut(Found<'_>)) {
        self.due_ns = NEVER;
        for &member in &self.members {
            let Channel { chains, nth, .. } = banks.channels[member as usize];
            for window in 0..banks.chains[chains as usize].windows() {
                if banks.chains[chains as usize].is_due(nth, window, at_ns) {
                    banks.emit(member, window, at_ns, emit);
                }
            }
            self.due_ns = self.due_ns.min(banks.chains[chains as usize].next_due_ns(nth));
        }
    }
}

#[cfg(test)]
mod tests;
