//! The time of what is measured, without that of its set-up.

use std::{
    fs,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use stillwell::daemon::clock::cpu_ns;

/// RAM of this process before it did anything.
static AT_FIRST: OnceLock<u64> = OnceLock::new();

/// Set under valgrind, where clocks tell nothing, and where rustix cannot find them.
static IS_COUNTED: AtomicBool = AtomicBool::new(false);

/// Own CPU time of one round of a row, of all threads.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    items: u64,
    spent_ns: i64,
    longest_ns: i64,
    notes: Vec<f64>,
}

impl Watch {
    /// Has all watches read no clock any more.
    pub(super) fn stop_clocks() {
        IS_COUNTED.store(true, Relaxed);
    }

    pub(super) fn new() -> Self {
        AT_FIRST.get_or_init(resident_bytes);
        Self { items: 0, spent_ns: 0, longest_ns: 0, notes: Vec::new() }
    }

    /// Times work on so many items; any number of times a round.
    pub(crate) fn time<R>(&mut self, items: u64, work: impl FnOnce() -> R) -> R {
        let (result, ns) = Self::aside(|| counted_work(work));
        self.items += items;
        self.spent_ns += ns;
        self.longest_ns = self.longest_ns.max(ns);
        result
    }

    /// Own CPU time of something else, in nanoseconds: part of what is timed, or not counted.
    pub(crate) fn aside<R>(work: impl FnOnce() -> R) -> (R, i64) {
        if IS_COUNTED.load(Relaxed) {
            return (work(), 0);
        }
        let before_ns = cpu_ns();
        let result = work();
        (result, cpu_ns() - before_ns)
    }

    /// Adds figures to the row: the table's notes, in their order.
    pub(crate) fn note_all<const N: usize>(&mut self, figures: [f64; N]) {
        self.notes.extend(figures);
    }

    /// The longest work of one call of [`Self::time`] up to now, in milliseconds.
    pub(crate) fn longest_ms(&self) -> f64 {
        self.longest_ns as f64 / 1e6
    }

    /// Bytes of RAM that this process has taken since its first watch.
    pub(crate) fn grown_bytes() -> u64 {
        resident_bytes().saturating_sub(*AT_FIRST.get_or_init(resident_bytes))
    }

    /// Whether clocks can be read: not under valgrind.
    pub(crate) fn reads_clocks(&self) -> bool {
        !IS_COUNTED.load(Relaxed)
    }

    /// Items timed up to now.
    pub(crate) fn items(&self) -> u64 {
        self.items
    }

    pub(super) fn ns_an_item(&self) -> f64 {
        self.spent_ns as f64 / self.items.max(1) as f64
    }

    pub(super) fn notes(&self) -> &[f64] {
        &self.notes
    }
}

/// What callgrind counts: its option `--toggle-collect` knows this name.
#[inline(never)]
fn counted_work<R>(work: impl FnOnce() -> R) -> R {
    work()
}

fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_ascii_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() * 1_024
}
