//! All panes and windows of all channels.

use std::sync::Arc;

use super::{
    chain::{Chain, NEVER},
    gallery::Gallery,
    open::{ClosedPane, OpenPanes},
    rules::Rules,
    snapshot::ChannelInfo,
    summary::{Figures, Flag, Summary},
};

/// The state of aggregation: takes accepted readings and watermarks, gives results.
#[derive(Debug, Default)]
pub struct Windows {
    lanes: Vec<Lane>,
    channels: Vec<Channel>,
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

/// Bytes that the panes and windows of one channel with these rules take from the start,
/// percentiles apart; what it takes for its views in snapshots is included.
#[must_use]
pub fn bytes_per_channel(rules: &Rules) -> usize {
    size_of::<Channel>()
        + size_of::<ChannelInfo>()
        + OpenPanes::bytes_per_channel(rules.pane_ns, rules.lateness_ns)
        + Chain::bytes(rules)
        + Gallery::bytes_per_channel(rules)
}

impl Windows {
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
        self.channels.push(Channel { info, in_lane, chain });
        self.look_ns.push(NEVER);
    }

    /// Watermark of each lane.
    pub fn watermarks(&self) -> impl Iterator<Item = i64> {
        self.lanes.iter().map(|lane| lane.watermark_ns)
    }

    /// Takes a reading that is not below the watermark of its lane.
    pub fn push(&mut self, channel: u32, at_ns: i64, value: f64, flag: Flag) {
        let Channel { info, in_lane, chain } = &self.channels[channel as usize];
        let scale = chain.scale();
        self.lanes[info.lane].open.push(*in_lane, at_ns, value, flag, scale.as_ref());
    }

    /// Moves a lane's watermark and closes the panes below it; results are asked for later.
    pub fn advance(&mut self, lane: usize, watermark_ns: i64, count: &mut impl Count) {
        let Self { lanes, channels, look_ns, .. } = self;
        let lane = &mut lanes[lane];
        lane.watermark_ns = watermark_ns;
        while let Some(end_ns) = lane.open.earliest_end_ns()
            && end_ns <= watermark_ns
        {
            lane.close(end_ns, channels, look_ns, count);
        }
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
        let Self { lanes, channels, look_ns, ranked } = self;
        let lane = &mut lanes[lane];
        lane.watermark_ns = watermark_ns;
        loop {
            let end_ns = lane.open.earliest_end_ns().unwrap_or(NEVER);
            let next_ns = end_ns.min(lane.due_ns);
            if watermark_ns < next_ns {
                return;
            }
            if end_ns == next_ns {
                lane.close(end_ns, channels, look_ns, count);
            }
            if lane.due_ns == next_ns {
                lane.emit_due(next_ns, channels, ranked, emit);
            }
        }
    }

    /// The latest result of each window of a channel whose last answer no longer holds; for
    /// snapshots, which show the latest and not every one.
    pub fn refresh(&mut self, channel: u32, mut shown: impl FnMut(usize, Option<Figures>, &[f64])) {
        let Self { lanes, channels, look_ns, ranked } = self;
        let Channel { info, chain, .. } = &mut channels[channel as usize];
        let watermark_ns = lanes[info.lane].watermark_ns;
        for window in 0..info.rules.windows.len() {
            if let Some(at_ns) = chain.look_at(window, watermark_ns) {
                shown(window, chain.result(window, at_ns, &info.rules, ranked), ranked);
            }
        }
        look_ns[channel as usize] = chain.next_look_ns();
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
            let Channel { info, chain, .. } = &mut self.channels[channel as usize];
            let ranked = &mut self.ranked;
            if let Some(figures) = chain.result(window, at_ns, &info.rules, ranked) {
                emit(Found { channel: info, window, figures, percentiles: ranked });
            }
        }
    }
}

impl Lane {
    fn close(
        &mut self,
        end_ns: i64,
        channels: &mut [Channel],
        look_ns: &mut [i64],
        count: &mut impl Count,
    ) {
        let Self { open, members, due_ns, .. } = self;
        open.close(end_ns, |ClosedPane { channel, start_ns, partial, bins }| {
            let index = members[channel as usize] as usize;
            let Channel { info, chain, .. } = &mut channels[index];
            count.closed(info.source, partial.accepted());
            chain.push(start_ns, &partial, bins);
            *due_ns = (*due_ns).min(chain.next_due_ns());
            look_ns[index] = chain.next_look_ns();
        });
    }

    fn emit_due(
        &mut self,
        at_ns: i64,
        channels: &mut [Channel],
        ranked: &mut Vec<f64>,
        emit: &mut impl FnMut(Found<'_>),
    ) {
        self.due_ns = NEVER;
        for &member in &self.members {
            let Channel { info, chain, .. } = &mut channels[member as usize];
            for window in 0..info.rules.windows.len() {
                if chain.is_due(window, at_ns)
                    && let Some(figures) = chain.result(window, at_ns, &info.rules, ranked)
                {
                    emit(Found { channel: info, window, figures, percentiles: ranked });
                }
            }
            self.due_ns = self.due_ns.min(chain.next_due_ns());
        }
    }
}
