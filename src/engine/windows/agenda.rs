//! What is put off: panes that wait to be closed, and the show of their results.
//!
//! To close a pane of many channels, and to work out the results that fall due with it, takes
//! longer than readings should have to wait. Both are therefore done a slice of channels at a
//! time, in the order in which they came up: whatever readings are taken in between, a show tells
//! what was so when it was called for.

use std::collections::VecDeque;

use crate::engine::{
    bins::relief::{Relief, Weights},
    pace::Round,
};

/// Sealed panes in the order in which they are to be closed, and a show among them.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    sealed: VecDeque<Sealed>,
    show: Option<Show>,
}

/// A pane that takes no more readings.
#[derive(Debug)]
pub(super) struct Sealed {
    /// Place of its lane.
    pub(super) lane: usize,
    pub(super) start_ns: i64,
    /// The member of the lane to go on with.
    pub(super) next: u32,
    /// Readings of the members before.
    pub(super) accepted: u64,
    /// What it takes, and by when.
    pub(super) round: Round,
}

/// A show of the latest results that is under way.
#[derive(Debug)]
pub(super) struct Show {
    /// Sealed panes that are to be closed before.
    before: usize,
    /// By the place of the lane, when it was called for.
    pub(super) watermarks_ns: Vec<i64>,
    /// What is to be done about the percentiles before.
    pub(super) relief: Relief,
    /// What came of that.
    pub(super) weights: Weights,
    /// The channel to go on with.
    pub(super) next: usize,
}

/// What is next.
#[derive(Debug)]
pub(super) enum Job<'a> {
    /// To close this pane, and if an instant is given, to show the results of its channels at that
    /// watermark.
    Close(&'a mut Sealed, Option<i64>),
    /// To show results, all panes before being closed.
    Show(&'a mut Show),
}

impl Agenda {
    /// Puts the closing of a pane off.
    pub(super) fn seal(&mut self, lane: usize, start_ns: i64, round: Round) {
        self.sealed.push_back(Sealed { lane, start_ns, next: 0, accepted: 0, round });
    }

    /// What it takes to close the panes that wait for it, in their order.
    pub(super) fn rounds(&self) -> impl Iterator<Item = Round> {
        self.sealed.iter().map(|sealed| sealed.round)
    }

    /// Calls for a show at these watermarks; there is none under way.
    pub(super) fn call(&mut self, watermarks_ns: Vec<i64>, relief: Relief) {
        debug_assert!(self.show.is_none(), "one show at a time");
        let (before, weights) = (self.sealed.len(), Weights::default());
        self.show = Some(Show { before, watermarks_ns, relief, weights, next: 0 });
    }

    /// What is to be done next, if anything.
    pub(super) fn next(&mut self) -> Option<Job<'_>> {
        let at_ns = self.shown_at_once_ns();
        match (self.sealed.front_mut(), &mut self.show) {
            (_, Some(show)) if show.before == 0 => Some(Job::Show(show)),
            (Some(sealed), _) => Some(Job::Close(sealed, at_ns)),
            (None, _) => None,
        }
    }

    /// The pane that was next is closed.
    pub(super) fn closed(&mut self) -> Option<Sealed> {
        if let Some(show) = &mut self.show {
            show.before = show.before.saturating_sub(1);
        }
        self.sealed.pop_front()
    }

    /// The show is over.
    pub(super) fn shown(&mut self) -> Option<Show> {
        self.show.take()
    }

    /// Watermark at which the channels of the pane that is next can be shown while their memory is
    /// at hand: no other pane of theirs comes between.
    fn shown_at_once_ns(&self) -> Option<i64> {
        let (show, first) = (self.show.as_ref()?, self.sealed.front()?);
        let mut others = self.sealed.iter().take(show.before).skip(1);
        let at_once = show.relief == Relief::None && others.all(|other| other.lane != first.lane);
        at_once.then(|| show.watermark_ns(first.lane))
    }
}

impl Show {
    /// The furthest of the watermarks.
    pub(super) fn newest_ns(&self) -> i64 {
        self.watermarks_ns.iter().copied().max().unwrap_or(i64::MIN)
    }

    /// Watermark of the lane when the show was called for.
    pub(super) fn watermark_ns(&self, lane: usize) -> i64 {
        // Lanes may have been opened since.
        self.watermarks_ns.get(lane).copied().unwrap_or(i64::MIN)
    }
}
