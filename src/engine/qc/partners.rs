//! The latest values of channels that others are judged by.

use std::{collections::BTreeMap, sync::Arc};

use super::{plan::Partner, rate::Slope};
use crate::{
    engine::image::{Reader, Writer},
    limits::VALUE_ABS_MAX,
};

/// What is known of the channels that are partners of others.
///
/// They are known by their ids until they are met: a channel that is discovered later may be
/// named today.
#[derive(Debug, Default)]
pub(super) struct Partners {
    numbers: BTreeMap<Arc<str>, u32>,
    latest: Vec<Latest>,
}

/// Largest change per second: from one end of the values to the other in a nanosecond.
const RATE_MAX: f64 = 2.0 * VALUE_ABS_MAX * 1e9;

/// The latest value of a partner that counts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Latest {
    value: Option<(i64, f64)>,
    slope: Slope,
    per_second: Option<f64>,
}

impl Latest {
    pub(super) fn restore(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            value: reader.option(|reader| Some((reader.time()?, reader.value()?)))?,
            slope: Slope::restore(reader)?,
            per_second: reader.option(|reader| reader.real(RATE_MAX))?,
        })
    }
}

impl Partners {
    /// Number of the partner with this id, from now on looked after.
    pub(super) fn number(&mut self, id: &Arc<str>) -> u32 {
        if let Some(number) = self.numbers.get(id) {
            return *number;
        }
        let number = u32::try_from(self.latest.len()).expect("no more than channels");
        self.numbers.insert(Arc::clone(id), number);
        self.latest.push(Latest::default());
        number
    }

    /// The number of the partner with this id, if it is one.
    #[must_use]
    pub(super) fn known(&self, id: &str) -> Option<u32> {
        self.numbers.get(id).copied()
    }

    /// Takes a value of a partner, unless it is older than the one before.
    pub(super) fn show(&mut self, number: u32, at_ns: i64, value: f64) {
        let latest = &mut self.latest[number as usize];
        if latest.value.is_none_or(|(before_ns, _)| before_ns <= at_ns) {
            latest.per_second = latest.slope.next(at_ns, value);
            latest.value = Some((at_ns, value));
        }
    }

    /// Writes what is known of a partner.
    pub(super) fn save(&self, number: u32, writer: &mut Writer<'_>) {
        let Latest { value, slope, per_second } = &self.latest[number as usize];
        writer.option(*value, |writer, (at_ns, value)| {
            writer.integer(at_ns);
            writer.real(value);
        });
        slope.save(writer);
        writer.option(*per_second, Writer::real);
    }

    /// Goes on with what was known of a partner.
    pub(super) fn put(&mut self, number: u32, latest: Latest) {
        self.latest[number as usize] = latest;
    }

    /// A partner has no value, or none that counts.
    pub(super) fn miss(&mut self, number: u32) {
        self.latest[number as usize] = Latest::default();
    }

    /// The value of a partner that counts at `at_ns`: the latest that came before, if it is near
    /// enough in time.
    #[must_use]
    pub(super) fn value(&self, number: u32, partner: &Partner, at_ns: i64) -> Option<f64> {
        let (value_at_ns, value) = self.latest[number as usize].value?;
        (value_at_ns.abs_diff(at_ns) <= partner.age_max_ns.unsigned_abs()).then_some(value)
    }

    /// The same for its change per second.
    #[must_use]
    pub(super) fn per_second(&self, number: u32, partner: &Partner, at_ns: i64) -> Option<f64> {
        self.value(number, partner, at_ns)?;
        self.latest[number as usize].per_second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_values_of_one_time_the_later_counts_and_an_older_one_does_not() {
        let mut partners = Partners::default();
        let partner = Partner { id: "level".into(), age_max_ns: 0 };
        let number = partners.number(&partner.id);
        for (at_ns, value) in [(5, 1.0), (5, 2.0), (4, 3.0)] {
            partners.show(number, at_ns, value);
        }
        assert_eq!(partners.value(number, &partner, 5), Some(2.0));
    }
}
