//! How a channel is aggregated.

use std::sync::Arc;

use super::statistics::Statistics;

/// A window of `length`, whose result is published each `every`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// Length in nanoseconds.
    pub length_ns: i64,
    /// Period of publication in nanoseconds; divides the length. 0 is that of an
    /// [`ExactWindow`], which slides with each reading.
    pub every_ns: i64,
}

/// A window that slides with each reading: see [`super::exact`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExactWindow {
    /// Length in nanoseconds.
    pub length_ns: i64,
    /// Most readings that it holds.
    pub capacity: usize,
}

/// What can be set per channel, or once in `[defaults]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Length of the shortest interval aggregated.
    pub pane_ns: i64,
    /// How far behind the newest reading one may still be accepted.
    pub lateness_ns: i64,
    /// How far ahead of its arrival a reading may be stamped.
    pub future_ns: i64,
    /// Windows, ascending by `every`, then by length.
    pub windows: Arc<[Window]>,
    /// Windows that slide with each reading, ascending by length; wherever windows are numbered,
    /// they follow the others.
    pub exact: Arc<[ExactWindow]>,
    /// Percentiles in (0, 100], ascending.
    pub percentiles: Arc<[f64]>,
    /// Significant figures of the percentile bins: 1, 2 or 3.
    pub figures: u8,
    /// Width of the finest percentile bin, in the channel's unit.
    pub resolution: f64,
    /// Readings a second that are expected.
    pub expected_rate: Option<f64>,
    /// Age of the latest value from which the channel is `stale`.
    pub stale_ns: i64,
    /// Age of the latest value from which the channel is `silent`.
    pub silent_ns: i64,
    /// What summaries say besides.
    pub statistics: Statistics,
}

impl Rules {
    /// All windows, exact ones included, by their numbers.
    pub fn all_windows(&self) -> impl Iterator<Item = Window> {
        let exact = self.exact.iter().map(|exact| exact.window());
        self.windows.iter().copied().chain(exact)
    }

    /// The window with this number.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn window(&self, number: usize) -> Window {
        match self.windows.get(number) {
            Some(window) => *window,
            None => self.exact[number - self.windows.len()].window(),
        }
    }

    /// Details of the window with this number; an exact one has none.
    #[must_use]
    pub fn details_of(&self, number: usize) -> usize {
        if number < self.windows.len() { self.statistics.details() } else { 0 }
    }

    /// How many windows there are, exact ones included.
    #[must_use]
    pub fn window_count(&self) -> usize {
        self.windows.len() + self.exact.len()
    }
}

impl Window {
    /// Whether it slides with each reading.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.every_ns == 0
    }

    /// The time of the window that ends at `end_ns`: from when on, and before when. One that slides
    /// with each reading holds that at its end, and none at its beginning.
    #[must_use]
    pub fn span_ns(&self, end_ns: i64) -> (i64, i64) {
        let held_ns = i64::from(self.is_exact());
        let from_ns = end_ns.saturating_sub(self.length_ns);
        (from_ns.saturating_add(held_ns), end_ns.saturating_add(held_ns))
    }
}

impl ExactWindow {
    /// How it is shown.
    #[must_use]
    pub fn window(&self) -> Window {
        Window { length_ns: self.length_ns, every_ns: 0 }
    }
}

/// Two lengths of a chain that do not fit each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainError {
    /// `every` of the window is not a multiple of the finer step below it.
    Step {
        /// The step that must divide.
        finer_ns: i64,
        /// The step that must be divided.
        coarser_ns: i64,
    },
    /// `every` does not divide the length of its own window.
    Length {
        /// The window.
        window: Window,
    },
    /// More panes than [`crate::limits::PANES_PER_WINDOW_MAX`].
    Panes {
        /// The window.
        window: Window,
    },
}

/// Checks that each step divides the next coarser one and each window its length.
///
/// # Errors
/// Names the first pair that fails.
pub fn check_chain(pane_ns: i64, windows: &[Window]) -> Result<(), ChainError> {
    let mut finer_ns = pane_ns;
    for window in windows {
        if window.every_ns % finer_ns != 0 {
            return Err(ChainError::Step { finer_ns, coarser_ns: window.every_ns });
        }
        if window.length_ns % window.every_ns != 0 {
            return Err(ChainError::Length { window: *window });
        }
        if window.length_ns / window.every_ns > crate::limits::PANES_PER_WINDOW_MAX {
            return Err(ChainError::Panes { window: *window });
        }
        finer_ns = window.every_ns;
    }
    Ok(())
}
