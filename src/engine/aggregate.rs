//! Aggregation of channels: their windows, and what snapshots show of them.
//!
//! One aggregator has all channels, or each of several has some ([`super::split`]). An aggregator
//! is a [`Step`]: it takes [`Work`], answers each publication that it is asked for, and answers
//! once more at the end of its input.
//!
//! What a publication shows is settled when it is asked for. To close the panes before it and to
//! work out the results takes a while where channels are many, and is done a slice at a time with
//! each batch, and while there is none, so that the next batch need not wait for all of it.

use std::{mem, sync::Arc};

use super::{
    bins::{
        budget::Load,
        relief::{Relief, Weights},
    },
    desk::{Given, Pick},
    gallery::{Gallery, Part},
    image::{Kept, Misfit, Sitting},
    pace::{self, Round},
    snapshot::{ChannelInfo, Live},
    split::{Newcomer, Portion},
    validate::{Advance, Reading},
    windows::{Count, Found, Resumed, Windows},
};
use crate::{
    limits::{CHANNELS_PER_SAVE, CHANNELS_PER_SLICE},
    scan::{Rest, Step},
};

/// Takes accepted readings and watermarks of some channels, and gives what a snapshot shows of
/// them.
///
/// Channels are numbered densely in the order in which they were added; lanes are those of
/// everybody. Results are worked out when a snapshot shows them; those in between, which nobody
/// could see, cost nothing.
#[derive(Debug)]
pub struct Aggregator {
    windows: Windows,
    gallery: Gallery,
    closed: Closed,
    /// Channels of a slice, at least.
    slice: usize,
    /// Readings when the last slice was done.
    sliced_at: u64,
    /// Readings when the latest publication was asked for.
    asked_at: u64,
    /// The publication under way.
    under_way: Option<UnderWay>,
    /// What came of it, if that is yet to be told.
    answer: Option<Answer>,
    /// Of the latest publication.
    seq: u64,
    /// Accepted readings in the open panes that channels went on with, by source.
    resumed: Closed,
}

/// A publication that was asked for and not answered.
#[derive(Debug)]
struct UnderWay {
    /// When it was asked for.
    watermarks: Vec<(usize, i64)>,
    /// Windows whose bins are wanted as well, and how many of them were looked for.
    picks: Arc<[Pick]>,
    picked: usize,
    /// What was found.
    exports: Vec<Given>,
    /// What the show came to, once it is over.
    weights: Option<Weights>,
    /// By when it should be answered.
    due: Round,
}

/// What an aggregator is to do.
#[derive(Debug)]
pub enum Work {
    /// Take readings.
    Take(Portion),
    /// Answer for a publication.
    Publish(Turn),
    /// Write what is kept of the channels into an image.
    Sit(Arc<Sitting>),
}

/// A publication, as it is asked for.
#[derive(Clone, Debug)]
pub struct Turn {
    /// Its number.
    pub seq: u64,
    /// What is to be done about the percentiles before.
    pub relief: Relief,
    /// Windows whose bins are wanted, of any channels.
    pub picks: Arc<[Pick]>,
}

/// What an aggregator has to say at a publication.
#[derive(Debug)]
pub struct Answer {
    /// Its channels.
    pub part: Part,
    /// Accepted readings that went into closed panes since the last answer, by source.
    pub closed: Vec<u64>,
    /// Accepted readings in the open panes that channels went on with after a restart since the
    /// last answer, by source.
    pub resumed: Vec<u64>,
    /// Watermarks of the lanes of its channels.
    pub watermarks: Vec<(usize, i64)>,
    /// What their percentiles take.
    pub load: Load,
    /// Those that take most, if it was asked for.
    pub weights: Weights,
    /// Bins that were wanted, of its channels.
    pub exports: Vec<Given>,
}

impl Default for Aggregator {
    fn default() -> Self {
        Self::new()
    }
}

impl Aggregator {
    /// Nothing to aggregate yet.
    #[must_use]
    pub fn new() -> Self {
        Self::in_slices(CHANNELS_PER_SLICE)
    }

    /// As [`Self::new`], and panes are closed and results worked out for so many channels at a
    /// time; what comes of it is the same however many these are.
    #[must_use]
    pub fn in_slices(channels: usize) -> Self {
        Self {
            // How much is too much is decided over all aggregators: see `bins::relief`.
            windows: Windows::new(u64::MAX),
            gallery: Gallery::default(),
            closed: Closed::default(),
            slice: channels,
            sliced_at: 0,
            asked_at: 0,
            under_way: None,
            answer: None,
            seq: 0,
            resumed: Closed::default(),
        }
    }

    /// Adds the next channel.
    pub fn add(&mut self, info: Arc<ChannelInfo>) {
        self.gallery.add(&info.rules);
        self.windows.add(info);
    }

    /// Adds the next channel, with what was kept of it if anything was.
    pub fn welcome(&mut self, Newcomer { info, kept }: Newcomer) {
        match kept {
            Some(kept) => self.resume(info, &kept),
            None => self.add(info),
        }
    }

    /// Adds the next channel, which goes on with what was kept of it.
    pub fn resume(&mut self, info: Arc<ChannelInfo>, kept: &Kept) {
        let (source, place) = (info.source, self.gallery.len() as u32);
        self.add(info);
        match self.windows.resume(place, kept) {
            Some(Resumed { values, accepted }) => {
                self.gallery.resume(place, values);
                self.resumed.closed(source, accepted);
                kept.salvage().keep();
            }
            None => kept.salvage().lose(Misfit::Malformed),
        }
    }

    /// Calls for an image of the channels as they are now, which [`Self::go_on`] writes.
    pub fn sit(&mut self, sitting: &Arc<Sitting>) {
        self.windows.sit(sitting, self.gallery.values());
    }

    /// Takes readings that arrived about `arrived_ns`, and the watermarks between them.
    pub fn take(&mut self, arrived_ns: i64, readings: &[Reading], advances: &[Advance]) {
        let mut taken = 0;
        for &Advance { after, lane, watermark_ns } in advances {
            self.enter(arrived_ns, &readings[taken..after]);
            taken = after;
            if self.windows.advance(lane, watermark_ns) {
                while self.work(usize::MAX).is_some() {}
            }
        }
        self.enter(arrived_ns, &readings[taken..]);
    }

    /// Takes readings between which no watermark moves.
    fn enter(&mut self, arrived_ns: i64, readings: &[Reading]) {
        if self.windows.is_saving() {
            readings.iter().for_each(|reading| self.windows.save_before(reading.channel));
        }
        self.windows.enter(readings);
        // Apart from the panes, so that each pass has less memory to go through.
        for &Reading { channel, flag, entry, tests, at_ns, value } in readings {
            if entry.is_shown() {
                self.gallery.show_live(channel, Live { value, at_ns, arrived_ns, flag, tests });
            }
        }
    }

    /// Asks for what the channels are now; what changed will be marked with the number of the
    /// publication. [`Self::go_on`] answers. One that was asked for earlier and not answered is
    /// answered first.
    pub fn ask(&mut self, turn: &Turn) -> Option<Answer> {
        let earlier = self.complete();
        let Self { windows, gallery, asked_at, seq, .. } = self;
        let now = windows.taken();
        let since = now - mem::replace(asked_at, now);
        *seq = turn.seq;
        gallery.call(turn.seq);
        windows.call(turn.relief.clone(), &mut |latest| gallery.show_result(&latest));
        self.under_way = Some(UnderWay {
            watermarks: windows.watermarks().collect(),
            picks: Arc::clone(&turn.picks),
            picked: 0,
            exports: Vec::new(),
            weights: None,
            due: Round::new(0, now, since),
        });
        earlier
    }

    /// Closes panes and works out results for a slice of the channels; at the end of what was put
    /// off it answers.
    pub fn go_on(&mut self) -> Rest<Answer> {
        let saves = self.windows.save_some(self.slice.min(CHANNELS_PER_SAVE));
        let now = self.windows.taken();
        let taken = (now - mem::replace(&mut self.sliced_at, now)) as usize;
        let owed = self.gallery.owed();
        let binding = self.under_way.iter().map(|UnderWay { due, .. }| due.for_channels(owed));
        let closing = pace::share(self.windows.rounds(), now, taken);
        // Panes that wait keep it waiting too: once it is late, haste would be of no use.
        let binding = pace::share(binding, now, taken).min(taken);
        let mut left = self.slice.max(closing + binding);
        while self.answer.is_none() {
            if left == 0 {
                return Rest::More;
            }
            match self.work(left) {
                Some(done) => left = left.saturating_sub(done),
                None if saves => return Rest::More,
                None => return Rest::Nothing,
            }
        }
        self.answer.take().map_or(Rest::More, Rest::Says)
    }

    /// Answers at once if it was asked and has not answered.
    pub fn complete(&mut self) -> Option<Answer> {
        while self.under_way.is_some() {
            self.work(usize::MAX);
        }
        self.answer.take()
    }

    /// The input has ended: closes every pane, and answers with the last result of each window
    /// for the publication after the latest. One that was asked for and not answered is answered
    /// first.
    pub fn end(&mut self) -> (Option<Answer>, Answer) {
        // An image that was called for is of before the end.
        while self.windows.save_some(usize::MAX) {}
        // What is shown last must follow from the channel alone: beyond the watermark of its lane
        // nothing is shown but the first result that holds its newest reading.
        let turn = Turn { seq: self.seq + 1, relief: Relief::None, picks: Arc::default() };
        let earlier = self.ask(&turn);
        let mut last = self.complete().expect("it was asked for");
        let Self { windows, gallery, closed, .. } = self;
        windows.finish(false, closed, &mut |found: Found<'_>| gallery.show_result(&found.into()));
        windows.finish_exact(&mut |latest| gallery.show_result(&latest));
        last.part = gallery.publish();
        closed.add_to(&mut last.closed);
        last.watermarks = windows.watermarks().collect();
        last.load = windows.percentile_load();
        (earlier, last)
    }

    /// Does the next of what was put off, for about so many channels; says for how many, or that
    /// there is nothing to do.
    fn work(&mut self, most: usize) -> Option<usize> {
        let Self { windows, gallery, closed, under_way, .. } = self;
        let settled = gallery.put_down(most);
        if 0 < settled {
            return Some(settled);
        }
        // Before any other pane is closed: what is bound, and the bins, are of the same instant.
        if let Some(UnderWay { weights: Some(_), .. }) = under_way {
            return Some(self.conclude(most));
        }
        let mut left = most;
        match windows.go_on(&mut left, closed, &mut |latest| gallery.show_result(&latest)) {
            Rest::Nothing => return None,
            Rest::More => {}
            Rest::Says(said) => {
                if let Some(UnderWay { weights, .. }) = under_way {
                    *weights = Some(said);
                }
            }
        }
        Some(most - left)
    }

    /// The show is over: looks for what is wanted besides, has the snapshot bound, and answers;
    /// says for how many channels it has worked.
    fn conclude(&mut self, most: usize) -> usize {
        let Self { windows, gallery, closed, under_way, .. } = self;
        if let Some(UnderWay { picks, picked, exports, .. }) = under_way
            && let Some(pick) = picks.get(*picked)
        {
            exports.extend(windows.export(pick).map(|export| (*picked, export)));
            *picked += 1;
            return 1;
        }
        let bound = gallery.bind(most);
        if bound < most
            && let Some(under_way) = under_way.take()
        {
            let UnderWay { watermarks, exports, weights, .. } = under_way;
            self.answer = Some(Answer {
                part: gallery.publish(),
                closed: mem::take(&mut closed.0),
                resumed: mem::take(&mut self.resumed.0),
                watermarks,
                load: windows.percentile_load(),
                weights: weights.unwrap_or_default(),
                exports,
            });
        }
        bound
    }
}

impl Step for Aggregator {
    type In = Work;
    type Out = Answer;

    fn step(&mut self, work: Work) -> Option<Answer> {
        match work {
            Work::Take(mut portion) => {
                portion.added.drain(..).for_each(|newcomer| self.welcome(newcomer));
                self.take(portion.arrived_ns, &portion.readings, &portion.advances);
                None
            }
            Work::Publish(turn) => self.ask(&turn),
            Work::Sit(sitting) => {
                self.sit(&sitting);
                None
            }
        }
        .or_else(|| match self.go_on() {
            Rest::Says(answer) => Some(answer),
            Rest::Nothing | Rest::More => None,
        })
    }

    fn go_on(&mut self) -> Rest<Answer> {
        Self::go_on(self)
    }

    fn finish(&mut self) -> Option<Answer> {
        let (earlier, last) = self.end();
        debug_assert!(earlier.is_none(), "who asks waits for the answer");
        Some(last)
    }
}

/// Accepted readings that went into closed panes, by source.
#[derive(Debug, Default)]
struct Closed(Vec<u64>);

impl Closed {
    /// Adds them to those that were told.
    fn add_to(&mut self, told: &mut Vec<u64>) {
        told.resize(told.len().max(self.0.len()), 0);
        told.iter_mut().zip(self.0.drain(..)).for_each(|(told, n)| *told += n);
    }
}

impl Count for Closed {
    fn closed(&mut self, source: usize, n: u64) {
        if self.0.len() <= source {
            self.0.resize(source + 1, 0);
        }
        self.0[source] += n;
    }
}

/// One reading, or a watermark that moves.
pub(super) enum Event<'a> {
    Reading(&'a Reading),
    Advance(&'a Advance),
}

/// Readings and watermarks in the order in which they came about.
pub(super) fn in_order(
    readings: &[Reading],
    advances: &[Advance],
    mut each: impl FnMut(Event<'_>),
) {
    let mut taken = 0;
    for advance in advances {
        readings[taken..advance.after].iter().for_each(|reading| each(Event::Reading(reading)));
        taken = advance.after;
        each(Event::Advance(advance));
    }
    readings[taken..].iter().for_each(|reading| each(Event::Reading(reading)));
}
