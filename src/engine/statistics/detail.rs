//! What a summary says besides the figures of its panes.

use super::{
    circular::{Directions, Vector},
    counter::Counted,
    trust::Trusted,
    weighted::Weighted,
};

/// One thing that a summary says besides.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Detail {
    /// Nothing: a statistic that the window does not have.
    #[default]
    Nothing,
    /// Time of the window in which a value is known.
    Known {
        /// Nanoseconds.
        ns: i64,
    },
    /// What speaks for and against the readings.
    Trust(Trusted),
    /// The average over time.
    Weighted(Weighted),
    /// What directions come to.
    Directions(Directions),
    /// Directions as those of vectors.
    Vector(Vector),
    /// What a counter counted.
    Counted(Counted),
    /// Time in one state.
    State {
        /// Its number; one more than the last of the known ones for all others.
        number: u8,
        /// Nanoseconds.
        ns: i64,
    },
    /// Changes from one state to another.
    Transitions(u32),
    /// The exponentially weighted mean at the end of the window.
    Ewma(f64),
    /// An Allan deviation.
    Allan {
        /// Length of its blocks.
        length_ns: i64,
        /// The deviation.
        deviation: f64,
    },
    /// The largest of the running means.
    Gust {
        /// The mean.
        value: f64,
        /// Time of the reading at which it was reached.
        at_ns: i64,
    },
}

// Snapshots keep several for each window of a channel that has them.
const _: () = assert!(size_of::<Detail>() <= 48);
