//! What validation hands on: accepted readings, watermarks, and what was counted.

use std::{mem, sync::Arc};

use crate::engine::{
    Ledger, Link, batch::SocketDrops, books::KeptBooks, devices::DeviceNews, image::Sitting,
    recycle::Home, registry::Added, summary::Flag, trace::Trace, verdict::Tests,
};

/// A batch after validation, or a tick.
#[derive(Debug)]
pub struct Checked {
    /// The engine's own time on the daemon's line.
    pub now_ns: i64,
    /// Accepted readings, and notes that a device had no value to give.
    pub readings: Vec<Reading>,
    /// Where among the readings watermarks move.
    pub advances: Vec<Advance>,
    /// Where the readings of each frame end; only kept where a channel takes another's value.
    pub frame_ends: Vec<usize>,
    /// Channels that are new from here on.
    pub added: Vec<Added>,
    /// What was counted; absent for a tick.
    pub report: Option<Report>,
    /// Frames that were marked, and what became of them.
    pub traces: Vec<Trace>,
    /// An image of all stages is to be taken, as they are behind this.
    pub sitting: Option<Arc<Sitting>>,
    /// What the books go on from: with the first after a restart.
    pub kept_books: Option<Box<KeptBooks>>,
    /// Where the emptied lists go.
    pub(super) lists_home: Home<Lists>,
}

/// The lists of a [`Checked`], to be filled again.
#[derive(Debug, Default)]
pub(super) struct Lists {
    pub(super) readings: Vec<Reading>,
    pub(super) advances: Vec<Advance>,
    pub(super) frame_ends: Vec<usize>,
    pub(super) devices: DeviceNews,
}

impl Checked {
    /// Nothing, at this instant.
    #[must_use]
    pub fn empty(now_ns: i64) -> Self {
        Self {
            now_ns,
            readings: Vec::new(),
            frame_ends: Vec::new(),
            advances: Vec::new(),
            added: Vec::new(),
            report: None,
            traces: Vec::new(),
            sitting: None,
            kept_books: None,
            lists_home: Home::default(),
        }
    }
}

impl Checked {
    /// Puts readings before all others and before the first watermark.
    pub(in crate::engine) fn precede(&mut self, readings: Vec<Reading>) {
        let count = readings.len();
        self.readings.splice(0..0, readings);
        self.advances.iter_mut().for_each(|advance| advance.after += count);
        self.frame_ends.iter_mut().for_each(|end| *end += count);
        let words = self.report.iter_mut().flat_map(|report| &mut report.devices.words);
        words.for_each(|word| word.readings += count);
        let traced = self.traces.iter_mut().flat_map(|trace| &mut trace.readings);
        traced.filter_map(|reading| reading.verdict.as_mut().ok()).for_each(|at| *at += count);
    }
}

impl Drop for Checked {
    fn drop(&mut self) {
        let mut lists = Lists {
            readings: mem::take(&mut self.readings),
            advances: mem::take(&mut self.advances),
            frame_ends: mem::take(&mut self.frame_ends),
            devices: self.report.take().map(|report| report.devices).unwrap_or_default(),
        };
        lists.readings.clear();
        lists.advances.clear();
        lists.frame_ends.clear();
        lists.devices.clear();
        self.lists_home.give_back(lists);
    }
}

/// One accepted reading.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Dense index of its channel.
    pub channel: u32,
    /// Its verdict; [`Flag::Missing`] marks a note without a value, which is not an accepted
    /// reading.
    pub flag: Flag,
    /// What it is to the panes, and to who asks for the latest value.
    pub entry: Entry,
    /// The tests that speak against it.
    pub tests: Tests,
    /// Event time.
    pub at_ns: i64,
    /// Raw value here, normalized later; not a number if none can be given, which its flag says.
    pub value: f64,
}

/// What a reading is to the panes, and to who asks for the latest value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A value: it enters its pane and is shown.
    Value,
    /// A value that follows another of the same channel in the same frame.
    Next,
    /// A note that there is none: it is counted in its pane.
    Note,
    /// A value that has waited: it enters its pane, and was shown.
    Settled,
    /// A value that waits for a verdict: it is shown, and enters its pane later.
    Preview,
    /// The value of another channel that goes with the next reading: it enters no pane, and is not
    /// shown.
    Companion,
}

impl Entry {
    /// Whether it may be shown as the latest value.
    #[must_use]
    pub fn is_shown(self) -> bool {
        matches!(self, Self::Value | Self::Next | Self::Preview)
    }
}

/// A watermark moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advance {
    /// After this many readings of the batch.
    pub after: usize,
    /// Which lane.
    pub lane: usize,
    /// Where to.
    pub watermark_ns: i64,
}

/// What a batch adds to the books of its source.
#[derive(Debug)]
pub struct Report {
    /// Index of the source.
    pub source: usize,
    /// Counts to add; gauges are left at zero but for `bytes_buffered`, which replaces.
    pub ledger: Ledger,
    /// What the counter of its socket showed, if it was read.
    pub drops: Option<SocketDrops>,
    /// State of the source, if it changed.
    pub link: Option<Link>,
    /// When the first frame of the batch arrived.
    pub first_arrival_ns: Option<i64>,
    /// When the latest frame of the batch arrived.
    pub last_arrival_ns: Option<i64>,
    /// Devices that sent something.
    pub devices: DeviceNews,
}
