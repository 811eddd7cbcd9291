//! Which tests speak against a reading.

use std::ops::BitOr;

use super::image::{Reader, Writer};

/// What may speak against a reading, apart from what refuses it.
///
/// The QARTOD tests are those of the IOOS manuals; see `docs/definitions.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Test {
    /// Its device says of itself that it fails, is being checked, or is out of specification
    /// (NAMUR NE 107).
    Health,
    /// Its raw value, or what it comes to, is outside the domain of the calibration.
    Domain,
    /// The loop current is outside the signal range (NAMUR NE 43).
    CurrentLoop,
    /// No calibration is in force at its event time.
    Undated,
    /// What the calibration needs from another channel is absent, too old, or in doubt itself.
    Companion,
    /// A counter gives no step: it is the first reading, or one that is not later than the newest.
    CounterStep,
    /// A counter began anew.
    CounterReset,
    /// QARTOD test 4: outside the range of the sensor or of the operator.
    GrossRange,
    /// QARTOD test 5: outside the range of the season.
    Climatology,
    /// QARTOD test 6: stands out from its neighbours in time.
    Spike,
    /// QARTOD test 7: changed too fast.
    RateOfChange,
    /// QARTOD test 8: does not change.
    FlatLine,
    /// QARTOD test 9: changed while another channel that must change with it did not.
    MultiVariate,
    /// QARTOD test 10: changes too little.
    Attenuated,
    /// QARTOD test 11: differs from a channel nearby.
    Neighbour,
    /// QARTOD test 1: came too long after the one before.
    Gap,
}

impl Test {
    /// All tests, in the order of their bits.
    pub const ALL: [Self; 16] = [
        Self::Health,
        Self::Domain,
        Self::CurrentLoop,
        Self::Undated,
        Self::Companion,
        Self::CounterStep,
        Self::CounterReset,
        Self::GrossRange,
        Self::Climatology,
        Self::Spike,
        Self::RateOfChange,
        Self::FlatLine,
        Self::MultiVariate,
        Self::Attenuated,
        Self::Neighbour,
        Self::Gap,
    ];

    /// Name in a reply and, for those that can be configured, in a configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Domain => "domain",
            Self::CurrentLoop => "current_loop",
            Self::Undated => "undated",
            Self::Companion => "companion",
            Self::CounterStep => "counter_step",
            Self::CounterReset => "counter_reset",
            Self::GrossRange => "gross_range",
            Self::Climatology => "climatology",
            Self::Spike => "spike",
            Self::RateOfChange => "rate_of_change",
            Self::FlatLine => "flat_line",
            Self::MultiVariate => "multi_variate",
            Self::Attenuated => "attenuated",
            Self::Neighbour => "neighbour",
            Self::Gap => "gap",
        }
    }
}

/// A set of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tests(u16);

const _: () = assert!(Test::ALL.len() <= u16::BITS as usize);

impl Tests {
    /// No test.
    pub const NONE: Self = Self(0);

    /// Whether it holds no test.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether a test is among them.
    #[must_use]
    pub fn contains(self, test: Test) -> bool {
        self.0 & Self::from(test).0 != 0
    }

    /// Those it holds, in the order of [`Test::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Test> {
        Test::ALL.into_iter().filter(move |&test| self.contains(test))
    }
}

impl Tests {
    pub(super) fn save(self, writer: &mut Writer<'_>) {
        writer.number(u64::from(self.0));
    }

    pub(super) fn restore(reader: &mut Reader<'_>) -> Option<Self> {
        u16::try_from(reader.number()?).ok().map(Self)
    }
}

impl From<Test> for Tests {
    fn from(test: Test) -> Self {
        Self(1 << test as u16)
    }
}

impl BitOr for Tests {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in() {
        for (bit, test) in Test::ALL.into_iter().enumerate() {
            assert_eq!(test as usize, bit);
            let alone = Tests::from(test);
            assert!(alone.contains(test) && !alone.is_empty());
            assert_eq!(alone.iter().collect::<Vec<_>>(), [test]);
        }
        let two = Tests::from(Test::Gap) | Test::Health.into();
        assert_eq!(two.iter().collect::<Vec<_>>(), [Test::Health, Test::Gap]);
        assert!(Tests::NONE.is_empty() && !two.contains(Test::Spike));
    }
}
