//! The exact windows of one channel.

mod saved;

use std::{mem, sync::Arc};

use super::{
    given::Given,
    most_waiting,
    queue::Queue,
    reorder::{Noted, Reorder},
};
use crate::engine::{snapshot::ChannelInfo, windows::Latest};

/// The exact windows of one channel, and what waits for them.
#[derive(Debug)]
pub(super) struct Channel {
    place: u32,
    info: Arc<ChannelInfo>,
    waiting: Reorder,
    slide: Slide,
}

/// The windows as readings come in order.
#[derive(Debug)]
struct Slide {
    windows: Box<[Window]>,
    /// Time of the newest reading.
    newest_ns: i64,
    /// Whether the result of that time is yet to be given.
    is_open: bool,
    /// Whether anything came since the windows were last shown.
    has_moved: bool,
}

#[derive(Debug)]
struct Window {
    queue: Queue,
    /// Whether a result was shown last.
    is_shown: bool,
}

/// Where results go, if they are wanted.
pub(super) struct To<'a> {
    /// Position of the channel among those of its lane.
    pub(super) number: u32,
    pub(super) given: Option<&'a mut Given>,
}

impl Channel {
    /// A channel without readings; `place` is its number among those of all lanes.
    pub(super) fn new(place: u32, info: Arc<ChannelInfo>) -> Self {
        let window = |&exact| Window { queue: Queue::new(exact), is_shown: false };
        let windows = info.rules.exact.iter().map(window).collect();
        let waiting = Reorder::new(most_waiting(&info.rules));
        let slide = Slide { windows, newest_ns: i64::MIN, is_open: false, has_moved: false };
        Self { place, info, waiting, slide }
    }

    /// Its number among those of all lanes.
    pub(super) fn place(&self) -> u32 {
        self.place
    }

    /// What never changes about it.
    pub(super) fn info(&self) -> &Arc<ChannelInfo> {
        &self.info
    }

    /// Notes a reading that is not below the watermark; whether so many wait now that
    /// [`Self::take_older_half`] must be called.
    #[must_use = "no more can wait"]
    pub(super) fn note(&mut self, noted: Noted) -> bool {
        if self.slide.newest_ns <= noted.at_ns {
            return self.waiting.push(noted);
        }
        // Later ones did not wait for the watermark.
        self.slide.lack();
        false
    }

    /// Takes the readings below the watermark.
    pub(super) fn take_below(&mut self, watermark_ns: i64, mut to: To<'_>) {
        let Self { info, waiting, slide, .. } = self;
        for noted in waiting.take_below(watermark_ns) {
            slide.take(noted, info, &mut to);
        }
        if slide.newest_ns < watermark_ns {
            slide.complete(info, &mut to);
        }
    }

    /// Takes the older half of the readings, though the watermark has not passed them.
    pub(super) fn take_older_half(&mut self, mut to: To<'_>) {
        let Self { info, waiting, slide, .. } = self;
        for noted in waiting.take_older_half() {
            slide.take(noted, info, &mut to);
        }
    }

    /// Shows the windows whose last answer no longer holds at this watermark.
    pub(super) fn refresh(
        &mut self,
        watermark_ns: i64,
        scratch: &mut Given,
        shown: &mut impl FnMut(Latest<'_>),
    ) {
        let place = self.place;
        let Slide { windows, newest_ns, has_moved, .. } = &mut self.slide;
        let has_moved = mem::take(has_moved);
        for (window, Window { queue, is_shown }) in (self.info.rules.windows.len()..).zip(windows) {
            // Before the watermark all is known: nothing came since the newest.
            let is_empty = newest_ns.saturating_add(queue.length_ns()) < watermark_ns;
            if is_empty {
                if mem::take(is_shown) {
                    shown(Latest { place, window, figures: None, percentiles: &[], details: &[] });
                }
            } else if has_moved {
                let figures = queue.result(*newest_ns);
                if figures.is_some() || *is_shown {
                    let percentiles = scratch.ranked(queue, &self.info.rules.percentiles);
                    shown(Latest { place, window, figures, percentiles, details: &[] });
                }
                *is_shown = figures.is_some();
            }
        }
    }
}

impl Slide {
    fn take(&mut self, noted: Noted, info: &ChannelInfo, to: &mut To<'_>) {
        if self.newest_ns < noted.at_ns {
            self.complete(info, to);
            self.newest_ns = noted.at_ns;
        }
        self.windows.iter_mut().for_each(|window| window.queue.push(noted));
        (self.is_open, self.has_moved) = (true, true);
    }

    /// A reading came that is earlier than the newest.
    fn lack(&mut self) {
        self.windows.iter_mut().for_each(|window| window.queue.lack(self.newest_ns));
        self.has_moved = true;
    }

    /// No more readings of the newest time will come: gives its results.
    fn complete(&mut self, info: &ChannelInfo, to: &mut To<'_>) {
        if !mem::take(&mut self.is_open) {
            return;
        }
        let Some(given) = &mut to.given else { return };
        for (window, Window { queue, .. }) in self.windows.iter().enumerate() {
            if let Some(figures) = queue.result(self.newest_ns) {
                given.keep((to.number, window), figures, (queue, &info.rules.percentiles));
            }
        }
    }
}
