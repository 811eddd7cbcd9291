//! The channels of one lane: their open panes, and the watermark that closes them.

use super::{
    banks::{Banks, Channel, Closing},
    found::Found,
};
use crate::{
    engine::{
        chain::NEVER,
        exact::Exact,
        open::{ClosedPane, OpenPanes},
        pace::Round,
        rules::Rules,
    },
    limits::CHANNELS_PER_COUNTER,
};

#[derive(Debug)]
pub(super) struct Lane {
    /// Its number for everybody.
    pub(super) number: usize,
    pub(super) source: usize,
    pub(super) open: OpenPanes,
    pub(super) exact: Exact,
    pub(super) watermark_ns: i64,
    /// Channels by their number within the lane.
    pub(super) members: Vec<u32>,
    /// No member is due before this instant.
    pub(super) due_ns: i64,
    /// What the heaviest member counts for in a slice.
    pub(super) weight: usize,
    /// Readings of all lanes when its panes were sealed last.
    sealed_at: u64,
}

/// How far the closing of a pane has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slice {
    /// Channels for which it was closed.
    pub(super) channels: usize,
    /// Readings that were in it.
    pub(super) accepted: u64,
    /// The member to go on with, unless it is closed for all.
    pub(super) next: Option<u32>,
}

impl Lane {
    /// A lane without channels, at this count of readings of all lanes.
    pub(super) fn new(number: usize, source: usize, rules: &Rules, now: u64) -> Self {
        Self {
            number,
            source,
            open: OpenPanes::new(rules.pane_ns, rules.lateness_ns),
            exact: Exact::default(),
            watermark_ns: i64::MIN,
            members: Vec::new(),
            due_ns: NEVER,
            weight: 1,
            sealed_at: now,
        }
    }

    /// Adds a channel by its place among those of all lanes, with percentiles or not, and returns
    /// its number here.
    pub(super) fn add(&mut self, place: u32, counted: bool) -> u32 {
        self.weight = self.weight.max(weight(counted));
        self.members.push(place);
        self.open.add_channel()
    }

    /// Moves the watermark at this count of readings of all lanes. Panes below it take no more of
    /// them; `sealed` is told of those, and what it takes to close them.
    pub(super) fn advance(
        &mut self,
        watermark_ns: i64,
        now: u64,
        mut sealed: impl FnMut(i64, Round),
    ) {
        self.watermark_ns = watermark_ns;
        let since = now - self.sealed_at;
        while let Some(start_ns) = self.passed_ns() {
            let channels = self.open.seal(start_ns);
            self.sealed_at = now;
            // There was a reading for each, though it may have come before the last pane was.
            let readings = since.max(channels as u64);
            sealed(start_ns, Round::new(channels * self.weight, now, readings));
        }
    }

    /// Start of the earliest pane that is not sealed, if all of it lies below the watermark.
    fn passed_ns(&self) -> Option<i64> {
        let start_ns = self.open.earliest_ns()?;
        (start_ns + self.open.pane_ns() <= self.watermark_ns).then_some(start_ns)
    }

    /// Closes the pane that starts at `start_ns` for about so many channels from member `from` on,
    /// each by `close`, which is told its place and says when its next result is due.
    pub(super) fn close_some(
        &mut self,
        start_ns: i64,
        (from, most): (u32, usize),
        mut close: impl FnMut(u32, &ClosedPane, &mut Closing) -> i64,
    ) -> Slice {
        let Self { open, members, due_ns, .. } = self;
        let mut closing =
            Closing::new((start_ns, start_ns + open.pane_ns()), open.pane_at(start_ns));
        let mut channels = 0;
        let next = open.close_some(start_ns, from, most, |closed: ClosedPane| {
            let place = members[closed.channel as usize];
            *due_ns = (*due_ns).min(close(place, &closed, &mut closing));
            channels += 1;
        });
        Slice { channels, accepted: closing.accepted, next }
    }

    /// Closes the pane that starts at `start_ns`, and says how many readings were in it.
    pub(super) fn close(&mut self, start_ns: i64, banks: &mut Banks) -> u64 {
        let close = |place, closed: &_, closing: &mut _| banks.close(place, closed, closing);
        self.close_some(start_ns, (0, usize::MAX), close).accepted
    }

    /// The same where no result is wanted but the last of each window.
    pub(super) fn close_last(
        &mut self,
        start_ns: i64,
        banks: &mut Banks,
        emit: &mut impl FnMut(Found<'_>),
    ) -> u64 {
        let close = |place, closed: &_, closing: &mut _| {
            banks.emit_before(place, closed, closing, emit);
            banks.close(place, closed, closing)
        };
        self.close_some(start_ns, (0, usize::MAX), close).accepted
    }

    /// Gives the results that are due at `at_ns`.
    pub(super) fn emit_due(
        &mut self,
        at_ns: i64,
        banks: &mut Banks,
        emit: &mut impl FnMut(Found<'_>),
    ) {
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

/// What a channel counts for in a slice, with percentiles or without.
pub(super) fn weight(counted: bool) -> usize {
    if counted { CHANNELS_PER_COUNTER } else { 1 }
}
