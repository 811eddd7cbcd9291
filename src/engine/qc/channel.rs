//! The tests of one channel, with what they remember.

mod saved;

use std::mem;

use super::{
    attenuated::AttenuatedTest,
    climatology::{self, Almanac},
    flat_line::FlatLineTest,
    partners::Partners,
    plan::{Climatology, Depth, MultiVariate, Neighbour, QcPlan},
    rate::{self, Slope},
};
use crate::engine::{
    summary::Flag,
    validate::{Entry, Reading},
    verdict::Test,
};

/// A channel that is judged.
///
/// Tests of a value alone judge every reading. Tests that need what came before take the
/// readings in the order of event time: one that is older than the newest of its channel is not
/// evaluated by them, and they do not remember it.
#[derive(Debug)]
pub(super) struct Judged {
    plan: QcPlan,
    partners: Numbers,
    slope: Slope,
    flat_line: Option<FlatLineTest>,
    attenuated: Option<AttenuatedTest>,
    newest_ns: Option<i64>,
    spikes: Neighbours,
}

/// Numbers of the partners, where there are any.
#[derive(Debug, Default)]
struct Numbers {
    depth: Option<u32>,
    multi_variate: Option<u32>,
    neighbour: Option<u32>,
}

/// What the spike test waits with and for.
#[derive(Debug, Default)]
struct Neighbours {
    /// The value before the latest.
    before: Option<f64>,
    /// The latest value.
    latest: Option<f64>,
    /// The reading with the latest value, as long as it waits for its verdict.
    waiting: Option<Reading>,
    /// Whether whoever releases what waits knows of this channel.
    is_listed: bool,
}

impl Judged {
    pub(super) fn new(plan: &QcPlan, partners: &mut Partners) -> Self {
        let depth = plan.climatology.as_ref().and_then(|all| match &all.depth {
            Some(Depth::Measured(partner)) => Some(partners.number(&partner.id)),
            Some(Depth::Fixed(_)) | None => None,
        });
        let with = plan.multi_variate.as_ref().map(|test| partners.number(&test.partner.id));
        let near = plan.neighbour.as_ref().map(|test| partners.number(&test.partner.id));
        Self {
            plan: plan.clone(),
            partners: Numbers { depth, multi_variate: with, neighbour: near },
            slope: Slope::default(),
            flat_line: plan.flat_line.as_ref().map(FlatLineTest::new),
            attenuated: plan.attenuated.as_ref().map(AttenuatedTest::new),
            newest_ns: None,
            spikes: Neighbours::default(),
        }
    }

    /// Judges a reading, and gives the one that waited for it. If the reading itself must wait,
    /// what is left of it is for show.
    pub(super) fn judge(
        &mut self,
        reading: &mut Reading,
        partners: &Partners,
        almanac: &mut Almanac,
    ) -> Option<Reading> {
        let in_order = self.newest_ns.is_none_or(|newest_ns| newest_ns <= reading.at_ns);
        self.judge_alone(reading, partners, almanac);
        if !in_order {
            reading.flag = reading.flag.combine(Flag::NotEvaluated);
            return None;
        }
        self.judge_by_history(reading, partners);
        self.newest_ns = Some(reading.at_ns);
        self.plan.spike.as_ref()?;
        let waited = self.settle(Some(reading.value));
        self.spikes.before = self.spikes.latest.replace(reading.value);
        self.spikes.waiting = Some(Reading { entry: Entry::Settled, ..*reading });
        reading.entry = Entry::Preview;
        waited
    }

    /// A value was due and is missing: whoever waited has no neighbour on this side.
    pub(super) fn miss(&mut self, at_ns: i64) -> Option<Reading> {
        if let Some(test) = &mut self.flat_line {
            test.miss(at_ns);
        }
        let waited = self.settle(None);
        self.slope.miss();
        (self.spikes.before, self.spikes.latest) = (None, None);
        waited
    }

    /// Gives up waiting if the reading that waits is before this instant.
    pub(super) fn release_before(&mut self, at_ns: i64) -> Option<Reading> {
        self.spikes.waiting.filter(|waiting| waiting.at_ns < at_ns)?;
        self.settle(None)
    }

    /// Whether a reading waits of which [`super::Waiting`] need not know yet; from now on it does.
    pub(super) fn enlists(&mut self) -> bool {
        self.spikes.waiting.is_some() && !mem::replace(&mut self.spikes.is_listed, true)
    }

    /// Whether it has to stay known as one of which a reading waits.
    pub(super) fn stays_listed(&mut self) -> bool {
        self.spikes.is_listed = self.spikes.waiting.is_some();
        self.spikes.is_listed
    }

    fn settle(&mut self, after: Option<f64>) -> Option<Reading> {
        let mut waited = self.spikes.waiting.take()?;
        if let Some(spike) = &self.plan.spike {
            let flag = spike.judge(self.spikes.before, waited.value, after);
            note(&mut waited, Test::Spike, flag);
        }
        Some(waited)
    }

    /// The tests of the value itself, whatever came before.
    fn judge_alone(&self, reading: &mut Reading, partners: &Partners, almanac: &mut Almanac) {
        let Reading { at_ns, value, .. } = *reading;
        if let Some(spans) = &self.plan.gross_range {
            note(reading, Test::GrossRange, spans.judge(value));
        }
        if let Some(Climatology { members, depth }) = &self.plan.climatology {
            let depth = match (depth, self.partners.depth) {
                (Some(Depth::Fixed(depth)), _) => Some(*depth),
                (Some(Depth::Measured(partner)), Some(number)) => {
                    partners.value(number, partner, at_ns)
                }
                _ => None,
            };
            let flag = climatology::judge(members, almanac, (at_ns, depth), value);
            note(reading, Test::Climatology, flag);
        }
        if let (Some(Neighbour { partner, conversion, thresholds }), Some(number)) =
            (&self.plan.neighbour, self.partners.neighbour)
        {
            let other = partners.value(number, partner, at_ns);
            let flag = other
                .map(|other| conversion.point(other))
                .map_or(Flag::NotEvaluated, |other| thresholds.judge_above((value - other).abs()));
            note(reading, Test::Neighbour, flag);
        }
    }

    /// The tests that need what came before.
    fn judge_by_history(&mut self, reading: &mut Reading, partners: &Partners) {
        let Reading { at_ns, value, .. } = *reading;
        if let (Some(thresholds), Some(newest_ns)) = (&self.plan.gap, self.newest_ns) {
            let seconds = at_ns.saturating_sub(newest_ns) as f64 / 1e9;
            note(reading, Test::Gap, thresholds.judge_above(seconds));
        }
        if self.plan.rate_of_change.is_some() || self.plan.multi_variate.is_some() {
            let per_second = self.slope.next(at_ns, value);
            if let Some(thresholds) = &self.plan.rate_of_change {
                note(reading, Test::RateOfChange, rate::judge(thresholds, per_second));
            }
            self.judge_with_partner(reading, per_second, partners);
        }
        if let Some(test) = &mut self.flat_line {
            note(reading, Test::FlatLine, test.next(at_ns, value));
        }
        if let Some(test) = &mut self.attenuated {
            note(reading, Test::Attenuated, test.next(at_ns, value));
        }
    }

    fn judge_with_partner(
        &self,
        reading: &mut Reading,
        per_second: Option<f64>,
        partners: &Partners,
    ) {
        let (Some(test), Some(number)) = (&self.plan.multi_variate, self.partners.multi_variate)
        else {
            return;
        };
        let MultiVariate { partner, rate, partner_rate } = test;
        let other = partners.per_second(number, partner, reading.at_ns);
        let flag = match (per_second, other) {
            (Some(own), Some(other)) if *rate < own.abs() && other.abs() <= *partner_rate => {
                Flag::Suspect
            }
            (Some(_), Some(_)) => Flag::Pass,
            _ => Flag::NotEvaluated,
        };
        note(reading, Test::MultiVariate, flag);
    }
}

/// Adds the verdict of one test.
fn note(reading: &mut Reading, test: Test, flag: Flag) {
    reading.flag = reading.flag.combine(flag);
    if matches!(flag, Flag::Suspect | Flag::Fail) {
        reading.tests = reading.tests | test.into();
    }
}
