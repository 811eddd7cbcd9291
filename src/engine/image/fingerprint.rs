//! What a channel was made under, in 64 bits.
//!
//! Readings of two sensors, or in two units, must not meet in one window. So the state of a channel
//! is gone on with only if everything that gives its panes their meaning is as it was: where its
//! readings come from, how they are calibrated, into which unit they are converted, and how they
//! are cut into panes and windows. What only matters when a result is shown, such as which
//! percentiles, or when a channel is `stale`, may change. So may the tests of a channel: flags are
//! those of their time.

use std::{
    fmt::{self, Debug, Write as _},
    sync::Arc,
};

use crate::engine::{
    plan::{ChannelPlan, Plan},
    rules::Rules,
    statistics::Statistics,
};

/// Fowler, Noll and Vo, 64 bits, variant 1a.
#[derive(Debug)]
struct Hash(u64);

impl fmt::Write for Hash {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Ok(())
    }
}

impl Hash {
    const NEW: Self = Self(0xcbf2_9ce4_8422_2325);

    /// Takes in a value by what `Debug` says of it, which tells numbers that differ apart. That
    /// this stays the same from version to version is held by a test.
    fn add(&mut self, value: &dyn Debug) {
        let written = write!(self, "{value:?};");
        debug_assert!(written.is_ok(), "a hash takes everything");
    }
}

/// What a channel of this source is made under. Other channels that its calibration takes the
/// values of go in by what they are called, since their numbers may change.
#[must_use]
pub fn of(channel: &ChannelPlan, source: &str, junctions: &[Arc<str>]) -> u64 {
    let ChannelPlan { key, unit, calibration, conversion, rules, .. } = channel;
    let mut hash = Hash::NEW;
    hash.add(&(source, key, unit, junctions));
    hash.add(&(calibration.with_junctions_renumbered(), conversion));
    let Rules { pane_ns, lateness_ns, future_ns, windows, exact, .. } = rules;
    hash.add(&(pane_ns, lateness_ns, future_ns, windows, exact));
    let Rules { percentiles, figures, resolution, .. } = rules;
    hash.add(&(percentiles.is_empty(), figures, resolution));
    let Statistics { kind, course, trust, ewma_ns, .. } = &rules.statistics;
    let max_hold_ns = if rules.statistics.is_kept() { rules.statistics.max_hold_ns } else { 0 };
    hash.add(&(kind, course, max_hold_ns, trust, ewma_ns));
    let Statistics { allan, gust_ns, speed, .. } = &rules.statistics;
    hash.add(&(allan, gust_ns, speed));
    hash.0
}

/// What a channel of a plan is made under.
#[must_use]
pub fn in_plan(plan: &Plan, channel: &ChannelPlan) -> u64 {
    of(channel, &plan.sources[channel.source].name, &plan.junctions_of(channel))
}

/// What the tests of a channel are.
#[must_use]
pub fn of_tests(tests: &impl Debug) -> u64 {
    let mut hash = Hash::NEW;
    hash.add(tests);
    hash.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{
        calibration::Calibration, plan::ChannelKey, snapshot::tests_support, unit::Conversion,
    };

    fn plan() -> ChannelPlan {
        ChannelPlan {
            id: "a".into(),
            source: 0,
            key: ChannelKey::Numbered { device: 17, index: 2 },
            unit: Some("Cel".into()),
            calibration: Calibration::IDENTITY,
            conversion: Conversion::IDENTITY,
            qc: None,
            rules: tests_support::rules(),
        }
    }

    fn fingerprint(change: impl FnOnce(&mut ChannelPlan)) -> u64 {
        let mut plan = plan();
        change(&mut plan);
        of(&plan, "plant", &[])
    }

    /// If this fails, every channel starts empty with the next version: do not change the number,
    /// but what made it change, or have the old state read.
    #[test]
    fn it_stays_the_same_from_version_to_version() {
        assert_eq!(fingerprint(|_| ()), 15_070_597_670_792_057_503);
    }

    #[test]
    fn what_gives_panes_their_meaning_changes_it_and_nothing_else_does() {
        let same = fingerprint(|_| ());
        let changes: [fn(&mut ChannelPlan); 9] = [
            |plan| plan.key = ChannelKey::Numbered { device: 17, index: 3 },
            |plan| plan.unit = None,
            |plan| plan.conversion = Conversion { factor: 2.0, offset: 0.0 },
            |plan| plan.rules.pane_ns *= 2,
            |plan| plan.rules.lateness_ns += 1,
            |plan| plan.rules.windows = Arc::from(&plan.rules.windows[..1]),
            |plan| plan.rules.resolution *= 2.0,
            |plan| plan.rules.percentiles = [].into(),
            |plan| plan.rules.statistics.ewma_ns = Some(5),
        ];
        for (at, change) in changes.into_iter().enumerate() {
            assert_ne!(fingerprint(change), same, "change {at}");
        }
        let kept: [fn(&mut ChannelPlan); 4] = [
            |plan| plan.id = "b".into(),
            |plan| plan.rules.percentiles = [1.0].into(),
            |plan| plan.rules.stale_ns += 1,
            |plan| plan.rules.expected_rate = Some(3.0),
        ];
        for (at, change) in kept.into_iter().enumerate() {
            assert_eq!(fingerprint(change), same, "change {at}");
        }
        assert_ne!(of(&plan(), "other", &[]), same);
        assert_ne!(of(&plan(), "plant", &["cold".into()]), same);
    }
}
