//! Counters: what they counted since, in spite of wraps and resets.

use super::Graded;
use crate::engine::verdict::Test;

/// How a counter is read.
///
/// The readings of a channel are taken in the order of arrival. Of two that follow each other,
/// the later one in time gives a step; where it is smaller than the one before, the counter has
/// wrapped if going on over the end of its range takes at most [`Counter::wrap_max`], and else it
/// began anew.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counter {
    /// The counter goes from 0 up to here, and over to 0; `None` if it never wraps.
    pub modulus: Option<f64>,
    /// The largest step that is a wrap.
    pub wrap_max: f64,
    /// What is made of the steps.
    pub gives: Gives,
    /// What a counter has counted that began anew.
    pub on_reset: OnReset,
}

/// What is made of the steps of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    /// Each step. The first reading gives none.
    Increment,
    /// The sum of all steps since the first reading, which gives 0.
    Total,
    /// Each step over its time, a second. The first reading gives none.
    Rate,
}

/// What a counter that began anew has counted since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnReset {
    /// What it shows: it began at 0. The step is suspect, as what was counted before the reset
    /// and not read is lost.
    FromZero,
    /// Nobody knows: there is no step.
    Unknown,
}

/// The newest reading of a counter, by event time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Count {
    raw: f64,
    at_ns: i64,
    total: f64,
}

impl Count {
    /// Its raw value, when that was, and what was counted until then.
    pub(in crate::engine) fn new(raw: f64, at_ns: i64, total: f64) -> Self {
        Self { raw, at_ns, total }
    }

    pub(in crate::engine) fn parts(&self) -> (f64, i64, f64) {
        (self.raw, self.at_ns, self.total)
    }
}

impl Counter {
    /// Takes a reading, and gives what it comes to.
    pub(super) fn step(&self, raw: f64, at_ns: i64, count: &mut Option<Count>) -> Graded {
        if raw < 0.0 || self.modulus.is_some_and(|modulus| modulus <= raw) {
            return Graded::fail(Test::Domain);
        }
        let Some(last) = count else {
            *count = Some(Count { raw, at_ns, total: 0.0 });
            return match self.gives {
                Gives::Total => Graded::good(0.0),
                Gives::Increment | Gives::Rate => Graded::fail(Test::CounterStep),
            };
        };
        // An older reading is part of a step that was given, and a rate needs time.
        if at_ns < last.at_ns || (self.gives == Gives::Rate && at_ns == last.at_ns) {
            return Graded::fail(Test::CounterStep);
        }
        let seconds = at_ns.abs_diff(last.at_ns) as f64 / 1e9;
        let step = self.between(last.raw, raw);
        (last.raw, last.at_ns) = (raw, at_ns);
        if step.value.is_finite() {
            last.total += step.value;
        }
        let value = match self.gives {
            Gives::Increment => step.value,
            Gives::Total => last.total,
            Gives::Rate => step.value / seconds,
        };
        Graded { value: if step.value.is_nan() { f64::NAN } else { value }, ..step }
    }

    fn between(&self, before: f64, now: f64) -> Graded {
        match (Step::between(before, now, self.modulus, self.wrap_max), self.on_reset) {
            (Step::Forward(by) | Step::Wrap(by), _) => Graded::good(by),
            (Step::Reset(by), OnReset::FromZero) => Graded::suspect(by, Test::CounterReset),
            (Step::Reset(_), OnReset::Unknown) => Graded::fail(Test::CounterReset),
        }
    }
}

/// What happened to a counter between two readings of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// It went on by so much.
    Forward(f64),
    /// It went over the end of its range, by so much in all.
    Wrap(f64),
    /// It began anew at 0, and has counted so much since.
    Reset(f64),
}

impl Step {
    /// What most likely happened to a counter that goes from 0 up to `modulus`, if it has one,
    /// and over to 0: of a smaller reading it is a wrap if the step over the end is at most
    /// `wrap_max`.
    #[must_use]
    pub fn between(before: f64, now: f64, modulus: Option<f64>, wrap_max: f64) -> Self {
        if before <= now {
            return Self::Forward(now - before);
        }
        match modulus.map(|modulus| now + (modulus - before)) {
            Some(step) if step <= wrap_max => Self::Wrap(step),
            _ => Self::Reset(now.max(0.0)),
        }
    }
}
