//! What a device says of itself and of its clock, and since when.
//!
//! A summary is as good as the device behind it, and its times are as good as the clock they come
//! from. Both hold until the device says otherwise, which it hardly ever does: what is kept is a
//! short list of changes by event time, one for each device, and a reading costs nothing.
//!
//! A change is never put before an instant that windows of its lane have been told up to, so that a
//! result says the same whenever it is asked for.

mod saved;

use super::plan::TimeMode;
use crate::{
    limits::CONDITIONS_MAX,
    wire::{DeviceClock, Head, Health},
};

/// What is known of a device at an instant, or the worst of it in a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Its judgement of itself (NAMUR NE 107).
    pub health: Health,
    /// Where the event times of its readings come from, if it sent any.
    pub origin: Option<Origin>,
}

/// Where event times come from, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The device's own clock, which follows UTC or TAI.
    Device {
        /// It is off by at most two to the power of this, in microseconds; 255 if nobody knows.
        error_log2_us: u8,
    },
    /// The device's own clock, which follows nothing, placed on the daemon's line by the quickest
    /// of its frames: see [`super::device_clock`]. How long that one was under way is not known.
    Placed,
    /// The arrival at this host. How long a frame was under way is not known.
    Arrival,
}

impl Origin {
    /// Where the times of a frame's readings come from, in a source with this time.
    #[must_use]
    pub fn of(head: &Head, time: TimeMode) -> Self {
        match (time, head.clock) {
            (TimeMode::Arrival, _) | (TimeMode::Device, DeviceClock::None) => Self::Arrival,
            (TimeMode::Device, DeviceClock::Utc | DeviceClock::Tai) => {
                Self::Device { error_log2_us: head.time_error }
            }
            (TimeMode::Device, DeviceClock::SinceBoot | DeviceClock::UtcUnsynced) => Self::Placed,
        }
    }

    /// Name in a reply.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Device { .. } => "device",
            Self::Placed => "device_unsynced",
            Self::Arrival => "arrival",
        }
    }

    /// How far times may be off, milliseconds, where that is known.
    #[must_use]
    pub fn error_ms(self) -> Option<f64> {
        match self {
            Self::Device { error_log2_us: u8::MAX } | Self::Placed | Self::Arrival => None,
            Self::Device { error_log2_us } => Some(f64::from(error_log2_us).exp2() / 1e3),
        }
    }
}

impl Condition {
    /// The worse of both, in each respect.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        let health =
            if rank(self.health) < rank(other.health) { other.health } else { self.health };
        Self { health, origin: self.origin.max(other.origin) }
    }
}

/// How bad it is.
fn rank(health: Health) -> u8 {
    match health {
        Health::Good => 0,
        Health::Maintenance => 1,
        Health::OffSpec => 2,
        Health::Check => 3,
        Health::Failure => 4,
    }
}

/// A condition, from an event time on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// From when, nanoseconds since 1970.
    pub from_ns: i64,
    /// What has held since.
    pub condition: Condition,
}

/// The conditions of a device over time: the latest [`CONDITIONS_MAX`] changes, and what was before
/// as if it had been as bad as the worst of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History(Vec<Change>);

impl History {
    /// Takes note of a condition from this time on, until the next that is known.
    pub fn note(&mut self, change: Change) {
        let Self(changes) = self;
        let at = changes.partition_point(|other| other.from_ns <= change.from_ns);
        changes.insert(at, change);
        if CONDITIONS_MAX < changes.len() {
            let oldest = changes.remove(0);
            changes[0].condition = changes[0].condition.worse(oldest.condition);
            changes[0].from_ns = oldest.from_ns;
        }
    }

    /// The worst that held at any instant from `from_ns` on and before `until_ns`; before the first
    /// that is known it is as if that had held already. `None` of a device of which nothing is.
    #[must_use]
    pub fn within(&self, from_ns: i64, until_ns: i64) -> Option<Condition> {
        let Self(changes) = self;
        let begun = changes.partition_point(|change| change.from_ns <= from_ns);
        let ended = changes.partition_point(|change| change.from_ns < until_ns);
        let first = begun.saturating_sub(1);
        let held = changes.get(first..ended.max(first + 1))?;
        held.iter().map(|change| change.condition).reduce(Condition::worse)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn condition(number: u8) -> Condition {
        let health = Health::ALL[usize::from(number % 5)];
        let origin = match number % 3 {
            0 => Origin::Device { error_log2_us: number },
            1 => Origin::Placed,
            _ => Origin::Arrival,
        };
        Condition { health, origin: Some(origin) }
    }

    #[test]
    fn the_best_clock_is_one_that_knows_its_error() {
        let synced = |error_log2_us| Origin::Device { error_log2_us };
        assert!(synced(3) < synced(10) && synced(10) < synced(255));
        assert!(synced(255) < Origin::Placed && Origin::Placed < Origin::Arrival);
        assert_eq!((synced(10).error_ms(), synced(255).error_ms()), (Some(1.024), None));
    }

    #[test]
    fn of_two_healths_the_worse_is_told() {
        let order =
            [Health::Good, Health::Maintenance, Health::OffSpec, Health::Check, Health::Failure];
        let origin = Some(Origin::Arrival);
        for (a, first) in order.into_iter().enumerate() {
            for (b, second) in order.into_iter().enumerate() {
                let both =
                    |x, y| Condition { health: x, origin }.worse(Condition { health: y, origin });
                assert_eq!(both(first, second).health, order[a.max(b)]);
            }
        }
    }

    proptest! {
        /// Against a list of all that was said, by time; as long as there is room for all of it.
        #[test]
        fn a_span_has_the_worst_that_held_in_it(
            said in proptest::collection::vec((0..40_i64, 0..6_u8), 1..CONDITIONS_MAX),
            from_ns in -5..45_i64,
            length in 1..20_i64,
        ) {
            let mut history = History::default();
            let mut all: Vec<(i64, Condition)> = Vec::new();
            for &(from_ns, number) in &said {
                history.note(Change { from_ns, condition: condition(number) });
                all.push((from_ns, condition(number)));
            }
            all.sort_by_key(|(from_ns, _)| *from_ns);
            let until_ns = from_ns + length;
            // What was said at one instant counts, be it only until the next word.
            let before = all.iter().rfind(|(at, _)| *at <= from_ns);
            let inside = all.iter().filter(|(at, _)| from_ns < *at && *at < until_ns);
            let at_once = all.iter().filter(|(at, _)| Some(*at) == before.map(|before| before.0));
            let (worst, mildest) = (
                before.into_iter().chain(at_once).chain(inside.clone()),
                before.into_iter().chain(inside),
            );
            let fold = |all: Vec<&(i64, Condition)>| {
                let all = all.into_iter().map(|(_, condition)| *condition);
                all.reduce(Condition::worse).unwrap_or(all_first(&said, &history))
            };
            let (worst, mildest) = (fold(worst.collect()), fold(mildest.collect()));
            let got = history.within(from_ns, until_ns).expect("something was said");
            prop_assert_eq!(got.worse(mildest), got, "no better than what held");
            prop_assert_eq!(got.worse(worst), worst, "no worse than what was said");
        }

        /// Whatever comes, no more is kept, and what is forgotten was not worse than what is told.
        #[test]
        fn what_is_forgotten_makes_nothing_better(
            said in proptest::collection::vec(0..6_u8, 1..60),
            from_ns in 0..60_i64,
        ) {
            let (mut history, mut all) = (History::default(), Vec::new());
            for (at_ns, number) in (0..).zip(said) {
                history.note(Change { from_ns: at_ns, condition: condition(number) });
                all.push(condition(number));
            }
            prop_assert!(history.0.len() <= CONDITIONS_MAX);
            let got = history.within(from_ns, from_ns + 5).expect("something was said");
            let last = (from_ns as usize).min(all.len() - 1);
            let held = all[last..].iter().take(5).copied().reduce(Condition::worse);
            let held = held.expect("at least one");
            prop_assert_eq!(got.worse(held), got);
        }
    }

    /// What is told before the first that is known.
    fn all_first(said: &[(i64, u8)], history: &History) -> Condition {
        let first_ns = said.iter().map(|(at_ns, _)| *at_ns).min().unwrap_or_default();
        history.within(first_ns - 2, first_ns - 1).expect("something was said")
    }
}
