//! All panes and windows of all channels.

mod agenda;
mod banks;
mod found;
mod lane;
mod saved;
mod seat;
mod slice;

use std::{collections::BTreeMap, sync::Arc};

use self::{
    agenda::{Agenda, Job},
    banks::{Banks, Channel},
    lane::Lane,
    saved::Saving,
    seat::{Besides, Seat},
    slice::{close_some, show_some},
};
pub use self::{
    found::{Emitted, Found, Latest},
    saved::Resumed,
};
use super::{
    bins::{
        budget::Load,
        export::Export,
        relief::{Relief, Weights},
    },
    chain::{Chains, NEVER},
    desk::Pick,
    exact::{Exact, reorder::Noted},
    gallery::Gallery,
    open::{OpenPanes, Pane},
    pace::Round,
    rules::{Rules, Window},
    snapshot::ChannelInfo,
    statistics::Details,
    validate::{Entry, Reading},
};
#[cfg(doc)]
use crate::limits::CHANNELS_PER_COUNTER;
use crate::{limits::RUN_READINGS_MIN, scan::Rest};

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
    /// Chains by the lane, the windows and the reach that their channels share.
    shared: BTreeMap<(usize, Arc<[Window]>, i64), u32>,
    agenda: Agenda,
    /// Readings that were entered.
    taken: u64,
    /// Values that are taken together.
    run: Vec<f64>,
    /// An image that is being taken.
    saving: Option<Saving>,
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
        + Details::bytes_per_channel(rules)
        + Gallery::bytes_per_channel(rules)
}

impl Windows {
    /// Nothing to aggregate yet, and so many bytes for percentiles.
    #[must_use]
    pub fn new(percentile_bytes: u64) -> Self {
        Self {
            lanes: Vec::new(),
            lane_places: Vec::new(),
            seats: Vec::new(),
            banks: Banks::new(percentile_bytes),
            shared: BTreeMap::new(),
            agenda: Agenda::default(),
            taken: 0,
            run: Vec::new(),
            saving: None,
        }
    }

    /// What the percentiles of all channels take.
    #[must_use]
    pub fn percentile_load(&self) -> Load {
        self.banks.counting.load()
    }

    /// Adds a channel, which takes the next number here. Its index and the number of its lane
    /// are those that it has for everybody; neither need be dense.
    pub fn add(&mut self, info: Arc<ChannelInfo>) {
        let place = u32::try_from(self.seats.len()).expect("CHANNELS_MAX holds");
        let lane = self.lane_for(&info);
        let Self { lanes, seats, banks, shared, .. } = self;
        let Rules { pane_ns, windows, exact, percentiles, statistics, .. } = &info.rules;
        let counted = !percentiles.is_empty() && !windows.is_empty();
        let member = lanes[lane].add(place, counted);
        let detail = banks.details.add(&info);
        let besides = Besides::NOWHERE
            .with(Besides::BINS, counted)
            .with(Besides::EXACT, !exact.is_empty())
            .with(Besides::DETAILS, detail.is_some());
        if !exact.is_empty() {
            lanes[lane].exact.add(member, place, Arc::clone(&info));
        }
        seats.push(Seat { lane: lane as u32, member, besides });
        let reach_ns = statistics.reach_ns();
        let chains = *shared.entry((lane, Arc::clone(windows), reach_ns)).or_insert_with(|| {
            banks.chains.push(Chains::new(windows, *pane_ns, reach_ns));
            banks.chains.len() as u32 - 1
        });
        let nth = banks.chains[chains as usize].add(info.index);
        let counter = counted.then(|| banks.counting.add(info.index, lane, &info.rules));
        banks.channels.push(Channel { chains, nth, counter, detail, info });
        banks.look_ns.push(NEVER);
    }

    /// Place of the channel's lane, which is opened for the first channel it has here.
    fn lane_for(&mut self, info: &ChannelInfo) -> usize {
        let ChannelInfo { lane: number, source, rules, .. } = info;
        if let Some(place) = self.lane_place(*number) {
            return place;
        }
        let place = self.lanes.len();
        self.lanes.push(Lane::new(*number, *source, rules, self.taken));
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

    /// Takes readings that are not below the watermarks of their lanes.
    pub fn enter(&mut self, readings: &[Reading]) {
        self.taken += readings.len() as u64;
        let mut rest = readings;
        while let Some((reading, behind)) = rest.split_first() {
            if reading.entry == Entry::Next {
                rest = self.enter_run(rest);
                continue;
            }
            match reading.entry {
                Entry::Preview => {}
                Entry::Companion => self.accompany(reading),
                Entry::Value | Entry::Next | Entry::Note | Entry::Settled => {
                    self.push(reading, None);
                }
            }
            let lane = self.seats[reading.channel as usize].lane;
            rest = &behind[self.enter_alike(lane as usize, behind)..];
        }
    }

    /// Takes the readings of one channel, flag and pane that follow each other in a frame, together
    /// if they are many; the rest. What comes of it follows from the frame alone.
    fn enter_run<'a>(&mut self, readings: &'a [Reading]) -> &'a [Reading] {
        let Some(Reading { channel, flag, at_ns: from_ns, .. }) = readings.first().copied() else {
            return readings;
        };
        let Seat { lane, member, besides } = self.seats[channel as usize];
        let end_ns = self.lanes[lane as usize].open.end_ns(from_ns);
        let mut to_ns = from_ns;
        let more = readings.iter().take_while(|reading| {
            let follows = reading.entry == Entry::Next && reading.channel == channel;
            let alike = follows && reading.flag == flag && reading.at_ns < end_ns;
            let fits = alike && to_ns <= reading.at_ns;
            to_ns = if fits { reading.at_ns } else { to_ns };
            fits
        });
        let (run, rest) = readings.split_at(more.count());
        if RUN_READINGS_MIN <= run.len() && flag.counts() {
            self.run.clear();
            self.run.extend(run.iter().map(|reading| reading.value));
            let open = &mut self.lanes[lane as usize].open;
            if let Some(pane) = open.push_run(member, flag, (from_ns, to_ns), &self.run) {
                if besides != Besides::NOWHERE {
                    run.iter().for_each(|reading| self.push_besides(reading, pane, None));
                }
                return rest;
            }
        }
        run.iter().for_each(|reading| self.push(reading, None));
        rest
    }

    /// Takes readings for as long as they are of this lane, lie in the pane of the one before and
    /// go nowhere but into panes and bins; says how many.
    fn enter_alike(&mut self, lane: usize, readings: &[Reading]) -> usize {
        let Self { lanes, seats, banks, .. } = self;
        let Some(mut recent) = lanes[lane].open.recent() else { return 0 };
        let (mut taken, mut counted) = (0, false);
        for &Reading { channel, flag, entry, at_ns, value, .. } in readings {
            let seat = seats[channel as usize];
            let alone = entry != Entry::Preview && entry != Entry::Next;
            let plain = seat.besides <= Besides::BINS && alone;
            let alike = plain && seat.lane as usize == lane;
            if !alike || !recent.push(seat.member, at_ns, value, flag) {
                break;
            }
            counted |= seat.besides == Besides::BINS;
            taken += 1;
        }
        if counted {
            let pane = recent.pane;
            for &Reading { channel, flag, value, .. } in &readings[..taken] {
                let Seat { member, besides, .. } = seats[channel as usize];
                if besides == Besides::BINS && flag.counts() && !banks.note(channel, pane, value) {
                    lanes[lane].open.note_out_of_range(member, pane);
                }
            }
        }
        taken
    }

    /// Takes a reading that is not below the watermark of its lane. Hardly ever results come of
    /// it at once, of exact windows: they go to `through`, if all are wanted.
    pub fn push(&mut self, reading: &Reading, through: Option<&mut dyn FnMut(Found<'_>)>) {
        let Reading { channel, at_ns, value, flag, .. } = *reading;
        let Seat { lane, member, besides } = self.seats[channel as usize];
        let pane = self.lanes[lane as usize].open.push(member, at_ns, value, flag);
        if besides != Besides::NOWHERE {
            self.push_besides(reading, pane, through);
        }
    }

    /// Takes a reading of a channel that has more than panes.
    #[inline(never)]
    fn push_besides(
        &mut self,
        reading: &Reading,
        pane: Pane,
        through: Option<&mut dyn FnMut(Found<'_>)>,
    ) {
        let Reading { channel, at_ns, value, flag, .. } = *reading;
        let Seat { lane, member, besides } = self.seats[channel as usize];
        let Lane { open, exact, watermark_ns, .. } = &mut self.lanes[lane as usize];
        if besides.has(Besides::BINS) && flag.counts() && !self.banks.note(channel, pane, value) {
            open.note_out_of_range(member, pane);
        }
        if besides.has(Besides::EXACT) {
            exact.push(member, Noted { at_ns, value, flag }, through);
        }
        let Banks { channels, details, .. } = &mut self.banks;
        if let Some(number) = channels[channel as usize].detail {
            details.push(number, reading, *watermark_ns);
        }
    }

    /// Takes the value of another channel that goes with the next reading.
    pub fn accompany(&mut self, companion: &Reading) {
        let Banks { channels, details, .. } = &mut self.banks;
        if let Some(number) = channels[companion.channel as usize].detail {
            details.accompany(number, companion.value);
        }
    }

    /// Moves a lane's watermark. Panes below it take no more readings, and [`Self::go_on`] closes
    /// them; whether so many wait for that now that all of them should be closed before more
    /// readings are taken. A lane without channels here is nothing to it.
    pub fn advance(&mut self, lane: usize, watermark_ns: i64) -> bool {
        let Some(place) = self.lane_place(lane) else { return false };
        let Self { lanes, agenda, .. } = self;
        let state = &mut lanes[place];
        state.advance(watermark_ns, self.taken, |start_ns, round| {
            agenda.seal(place, start_ns, round);
        });
        state.exact.advance(watermark_ns, false);
        state.open.is_crowded()
    }

    /// Calls for a show of the latest results up to the watermarks as they are now, after what is
    /// to be done about percentiles: [`Self::go_on`] gives it. Those of exact windows are shown at
    /// once. While a show is under way, no other can be called for.
    pub fn call(&mut self, relief: Relief, shown: &mut impl FnMut(Latest<'_>)) {
        for Lane { exact, watermark_ns, .. } in &mut self.lanes {
            exact.refresh(*watermark_ns, shown);
        }
        let watermarks_ns = self.lanes.iter().map(|lane| lane.watermark_ns).collect();
        self.agenda.call(watermarks_ns, relief);
    }

    /// What it takes to close the panes that wait for it, in their order.
    pub fn rounds(&self) -> impl Iterator<Item = Round> {
        self.agenda.rounds()
    }

    /// Readings that were entered.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Closes panes and shows results of about so many channels, one with percentiles counting for
    /// [`CHANNELS_PER_COUNTER`], and takes those from `left`. When a show is over, it says which
    /// channels take most for their percentiles, if it was asked for.
    pub fn go_on(
        &mut self,
        left: &mut usize,
        count: &mut impl Count,
        shown: &mut impl FnMut(Latest<'_>),
    ) -> Rest<Weights> {
        let Self { lanes, seats, banks, agenda, saving, .. } = self;
        while 0 < *left {
            let (done, weights) = match agenda.next() {
                None => return Rest::Nothing,
                Some(Job::Close(sealed, show_ns)) => {
                    if let Some(saving) = saving {
                        let Lane { open, members, weight, .. } = &lanes[sealed.lane];
                        open.would_close(
                            sealed.start_ns,
                            sealed.next,
                            left.div_ceil(*weight),
                            |member| {
                                saving.before(members[member as usize], lanes, seats, banks);
                            },
                        );
                    }
                    let lane = &mut lanes[sealed.lane];
                    let done = close_some(sealed, lane, *left, banks, show_ns, shown);
                    if done.is_last
                        && let Some(sealed) = agenda.closed()
                    {
                        count.closed(lane.source, sealed.accepted);
                    }
                    (done, None)
                }
                Some(Job::Show(show)) => {
                    let done = show_some(show, lanes, seats, *left, banks, saving, shown);
                    let over = if done.is_last { agenda.shown() } else { None };
                    (done, over.map(|show| show.weights))
                }
            };
            *left = left.saturating_sub(done.channels);
            if let Some(weights) = weights {
                return Rest::Says(weights);
            }
        }
        Rest::More
    }

    /// The bins behind the latest result of a window, `Some(None)` if they were given up; `None`
    /// for a channel that is not here. No show is under way.
    pub fn export(&mut self, pick: &Pick) -> Option<Option<Export>> {
        let of_index = |channel: &Channel| channel.info.index.cmp(&pick.channel);
        let place = self.banks.channels.binary_search_by(of_index).ok()?;
        Some(self.banks.export(place as u32, pick.window))
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
        let Some(place) = self.lane_place(lane) else { return };
        let Self { lanes, banks, .. } = self;
        let state = &mut lanes[place];
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
                count.closed(state.source, state.close(start_ns, banks));
            }
            if state.due_ns == next_ns {
                state.emit_due(next_ns, banks, emit);
            }
        }
        banks.counting.reach(place, watermark_ns);
    }

    /// The input has ended, and [`Self::finish`] has closed all: the result of each exact window
    /// at its newest reading, unless it was shown, however far the watermark went for others.
    pub fn finish_exact(&mut self, shown: &mut impl FnMut(Latest<'_>)) {
        for Lane { exact, .. } in &mut self.lanes {
            exact.refresh(i64::MIN, shown);
        }
    }

    /// The input has ended, and nothing can be late any more: closes every pane and gives the
    /// first result of each window that holds the channel's newest reading, in the order of
    /// time, channel and window. Results before that are given only with `through`, as by
    /// [`Self::advance_through`]. No show is under way.
    pub fn finish(
        &mut self,
        through: bool,
        count: &mut impl Count,
        emit: &mut impl FnMut(Found<'_>),
    ) {
        let mut all = usize::MAX;
        while self.go_on(&mut all, count, &mut |_| {}) != Rest::Nothing {}
        for place in 0..self.lanes.len() {
            let Lane { number, open, .. } = &self.lanes[place];
            let number = *number;
            let Some(end_ns) = open.latest_end_ns() else { continue };
            if through {
                self.advance_through(number, end_ns, count, emit);
                continue;
            }
            self.lanes[place].watermark_ns = end_ns;
            self.lanes[place].exact.advance(end_ns, false);
            let Self { lanes, banks, .. } = self;
            while let Some(start_ns) = lanes[place].open.earliest_ns() {
                let accepted = lanes[place].close_last(start_ns, banks, emit);
                count.closed(lanes[place].source, accepted);
            }
        }
        for (at_ns, place, window) in self.banks.last_instants() {
            self.banks.emit(place, window, at_ns, emit);
        }
    }
}

#[cfg(test)]
mod tests;
