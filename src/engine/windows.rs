//! All panes and windows of all channels.

use std::sync::Arc;

use super::{
    bins::{Counting, budget::Load, counting::Counter},
    chain::{Chain, NEVER},
    gallery::Gallery,
    open::{ClosedPane, OpenPanes},
    rules::Rules,
    snapshot::ChannelInfo,
    summary::{Figures, Flag, Summary},
};

/// The state of aggregation: takes accepted readings and watermarks, gives results.
#[derive(Debug)]
pub struct Windows {
    lanes: Vec<Lane>,
    channels: Vec<Channel>,
    counting: Counting,
    /// For each channel, the next instant at which it must be refreshed: dense, because every
    /// snapshot scans it.
    look_ns: Vec<i64>,
    /// Percentiles of the latest result.
    ranked: Vec<f64>,
}

#[derive(Debug)]
struct Lane {
    open: OpenPanes,
    watermark_ns: i64,
    /// Channels by their number within the lane.
    members: Vec<u32>,
    /// No member is due before this instant.
    due_ns: i64,
}

#[derive(Debug)]
struct Channel {
    info: Arc<ChannelInfo>,
    in_lane: u32,
    /// Where the percentiles are counted, if there are any.
    counter: Option<Counter>,
    chain: Chain,
}

/// A result, as it is handed out.
#[derive(Clone, Debug, PartialEq)]
pub struct Emitted {
    /// Which channel.
    pub channel: Arc<ChannelInfo>,
    /// Index of the window in the channel's rules.
    pub window: usize,
    /// The result.
    pub summary: Summary,
}

/// A result, as it is found.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// Which channel.
    pub channel: &'a Arc<ChannelInfo>,
    /// Index of the window in the channel's rules.
    pub window: usize,
    /// The result.
    pub figures: Figures,
    /// One for each of the channel's percentiles, or none if there is no value.
    pub percentiles: &'a [f64],
}

impl From<Found<'_>> for Emitted {
    fn from(found: Found<'_>) -> Self {
        let Found { channel, window, figures, percentiles } = found;
        let rules = &channel.rules;
        let summary = Summary::of(&figures, percentiles, rules.windows[window], rules);
        Self { channel: Arc::clone(channel), window, summary }
    }
}

/// What became of accepted readings, per source.
pub trait Count {
    /// `n` accepted readings of `source` went from an open into a closed pane.
    fn closed(&mut self, source: usize, n: u64);
}

/// Bytes that the panes and windows of one channel with these rules take from the start; what it
/// takes for its views in snapshots is included, and what the counts behind percentiles come to
/// is not.
#[must_use]
pub fn bytes_per_channel(rules: &Rules) -> usize {
    size_of::<Channel>()
        + size_of::<ChannelInfo>()
        + OpenPanes::bytes_per_channel(rules.pane_ns, rules.lateness_ns)
        + Chain::bytes(rules)
        + Gallery::bytes_per_channel(rules)
}

impl Windows {
    /// Nothing to aggregate yet, and so many bytes for percentiles.
    #[must_use]
    pub fn new(percentile_bytes: u64) -> Self {
        Self {
            lanes: Vec::new(),
            channels: Vec::new(),
            counting: Counting::new(percentile_bytes),
            look_ns: Vec::new(),
            ranked: Vec::new(),
        }
    }

    /// What the percentiles of all channels take.
    #[must_use]
    pub fn percentile_load(&self) -> Load {
        self.counting.load()
    }

    /// Adds a channel; indexes come densely and in order, and so do lanes.
    pub fn add(&mut self, info: Arc<ChannelInfo>) {
        debug_assert_eq!(info.index as usize, self.channels.len());
        let Rules { pane_ns, lateness_ns, .. } = info.rules;
        while self.lanes.len() <= info.lane {
            self.lanes.push(Lane {
                open: OpenPanes::new(pane_ns, lateness_ns),
                watermark_ns: i64::MIN,
                members: Vec::new(),
                due_ns: NEVER,
            });
        }
        let lane = &mut self.lanes[info.lane];
        let in_lane = lane.open.add_channel();
        lane.members.push(info.index);
        let chain = Chain::new(&info.rules);
        let counter =
            (!info.rules.percentiles.is_empty()).then(|| self.counting.add(info.lane, &info.rules));
        self.channels.push(Channel { info, in_lane, counter, chain });
        self.look_ns.push(NEVER);
    }

    /// Watermark of each lane.
    pub fn watermarks(&self) -> impl Iterator<Item = i64> {
        self.lanes.iter().map(|lane| lane.watermark_ns)
    }

    /// Takes a reading that is not below the watermark of its lane.
    pub fn push(&mut self, channel: u32, at_ns: i64, value: f64, flag: Flag) {
        let Channel { info, in_lane, counter, .. } = &self.channels[channel as usize];
        let open = &mut self.lanes[info.lane].open;
        let pane = open.push(*in_lane, at_ns, value, flag);
        if let Some(counter) = counter
            && flag.counts()
            && !self.counting.note(counter, pane, value)
        {
            open.note_out_of_range(*in_lane, pane);
        }
    }

    /// Moves a lane's watermark and closes the panes below it; results are asked for later.
    pub fn advance(&mut self, lane: usize, watermark_ns: i64, count: &mut impl Count) {
        let Self { lanes, channels, counting, look_ns, .. } = self;
        let state = &mut lanes[lane];
        state.watermark_ns = watermark_ns;
        while let Some(end_ns) = state.open.earliest_end_ns()
            && end_ns <= watermark_ns
        {
            state.close(end_ns, channels, counting, look_ns, count);
        }
        counting.reach(lane, watermark_ns);
    }

    /// Moves a lane's watermark, closes the panes below it and gives every result that falls
    /// due on the way, in the order of time, channel and window.
    pub fn advance_through(
        &mut self,
        lane: usize,
        watermark_ns: i64,
        count: &mut impl Count,
        emit: &mut impl FnMut(Found<'_>),
    ) {
        let Self { lanes, channels, counting, look_ns, ranked } = self;
        let state = &mut lanes[lane];
        state.watermark_ns = watermark_ns;
        loop {
            let end_ns = state.open.earliest_end_ns().unwrap_or(NEVER);
            let next_ns = end_ns.min(state.due_ns);
            if watermark_ns < next_ns {
                break;
            }
            if end_ns == next_ns {
                state.close(end_ns, channels, counting, look_ns, count);
            }
            if state.due_ns == next_ns {
                state.emit_due(next_ns, channels, (counting, ranked), emit);
            }
        }
        counting.reach(lane, watermark_ns);
    }

    /// The latest result of each window of a channel whose last answer no longer holds; for
    /// snapshots, which show the latest and not every one.
    pub fn refresh(&mut self, channel: u32, mut shown: impl FnMut(usize, Option<Figures>, &[f64])) {
        let Self { lanes, channels, counting, look_ns, ranked } = self;
        let state = &mut channels[channel as usize];
        let watermark_ns = lanes[state.info.lane].watermark_ns;
        for window in 0..state.info.rules.windows.len() {
            if let Some(at_ns) = state.chain.look_at(window, watermark_ns) {
                shown(window, state.result(window, at_ns, counting, ranked), ranked);
            }
        }
        look_ns[channel as usize] = state.chain.next_look_ns();
    }

    /// Channels whose windows have moved on since they were last refreshed, ascending.
    pub fn moved(&self) -> impl Iterator<Item = u32> {
        let newest_ns = self.watermarks().max().unwrap_or(i64::MIN);
        (0..).zip(&self.look_ns).zip(&self.channels).filter_map(
            move |((channel, look_ns), state)| {
                // Most are not due in any lane, and theirs need not be looked up.
                (*look_ns <= newest_ns && *look_ns <= self.lanes[state.info.lane].watermark_ns)
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
        for lane in 0..self.lanes.len() {
            if let Some(end_ns) = self.lanes[lane].open.latest_end_ns() {
                if through {
                    self.advance_through(lane, end_ns, count, emit);
                } else {
                    self.advance(lane, end_ns, count);
                }
            }
        }
        for Channel { info, chain, .. } in &self.channels {
            for window in 0..info.rules.windows.len() {
                if let Some(at_ns) = chain.last_instant(window) {
                    last.push((at_ns, info.index, window));
                }
            }
        }
        last.sort_unstable();
        for (at_ns, channel, window) in last {
            let Self { channels, counting, ranked, .. } = self;
            let state = &mut channels[channel as usize];
            if let Some(figures) = state.result(window, at_ns, counting, ranked) {
                emit(Found { channel: &state.info, window, figures, percentiles: ranked });
            }
        }
    }
}

impl Channel {
    /// Result of a window, as by [`Chain::result`]; its percentiles replace what `ranked` holds.
    fn result(
        &mut self,
        window: usize,
        at_ns: i64,
        counting: &mut Counting,
        ranked: &mut Vec<f64>,
    ) -> Option<Figures> {
        ranked.clear();
        let Self { info, counter, chain, .. } = self;
        let mut figures = chain.result(window, at_ns)?;
        if let Some(counter) = counter
            && 0 < figures.n
        {
            let extremes = (figures.min, figures.max);
            let ask = (window, at_ns);
            figures.precision = counting.ask(counter, &info.rules, ask, extremes, ranked);
        }
        Some(figures)
    }
}

impl Lane {
    fn close(
        &mut self,
        end_ns: i64,
        channels: &mut [Channel],
        counting: &mut Counting,
        look_ns: &mut [i64],
        count: &mut impl Count,
    ) {
        let Self { open, members, due_ns, .. } = self;
        open.close(end_ns, |ClosedPane { channel, pane, start_ns, partial }| {
            let index = members[channel as usize] as usize;
            let Channel { info, chain, counter, .. } = &mut channels[index];
            count.closed(info.source, partial.accepted());
            chain.push(start_ns, &partial);
            if let Some(counter) = counter {
                counting.close(counter, pane, start_ns);
            }
            *due_ns = (*due_ns).min(chain.next_due_ns());
            look_ns[index] = chain.next_look_ns();
        });
    }

    fn emit_due(
        &mut self,
        at_ns: i64,
        channels: &mut [Channel],
        (counting, ranked): (&mut Counting, &mut Vec<f64>),
        emit: &mut impl FnMut(Found<'_>),
    ) {
        self.due_ns = NEVER;
        for &member in &self.members {
            let state = &mut channels[member as usize];
            for window in 0..state.info.rules.windows.len() {
                if state.chain.is_due(window, at_ns)
                    && let Some(figures) = state.result(window, at_ns, counting, ranked)
                {
                    emit(Found { channel: &state.info, window, figures, percentiles: ranked });
                }
            }
            self.due_ns = self.due_ns.min(state.chain.next_due_ns());
        }
    }
}
