//! What happens when more readings wait than there is room for.

use proptest::prelude::*;

use super::*;
use crate::{
    engine::{
        rules::Window, snapshot::tests_support, summary::Flag, validate::Entry, verdict::Tests,
    },
    limits::{MS, SECOND, UNORDERED_MIN},
};

fn info() -> Arc<ChannelInfo> {
    let statistics = Statistics {
        course: Some(hold::Course::Stepped),
        max_hold_ns: SECOND,
        trust: true,
        ..Statistics::none()
    };
    let windows = [Window { length_ns: 10 * SECOND, every_ns: 10 * SECOND }].into();
    // So many are expected meanwhile that there is no more room than for the fewest.
    let rules = Rules { windows, statistics, expected_rate: Some(1.0), ..tests_support::rules() };
    Arc::new(ChannelInfo { rules, ..ChannelInfo::clone(&tests_support::info(0, "a")) })
}

fn reading(at_ns: i64) -> Reading {
    let (flag, entry, tests) = (Flag::Pass, Entry::Value, Tests::NONE);
    Reading { channel: 0, flag, entry, tests, at_ns, value: 1.0 }
}

fn trust_of(details: &[Detail]) -> trust::Trusted {
    let found = details.iter().find_map(|detail| match detail {
        Detail::Trust(trusted) => Some(*trusted),
        _ => None,
    });
    found.expect("a channel with trust")
}

proptest! {
    /// Those that are taken early are in order; those that come after them and are older are
    /// counted, and nothing else is lost.
    #[test]
    fn what_has_no_place_any_more_is_counted(
        times_ms in proptest::collection::vec(0..9_000_i64, 1..400),
    ) {
        let mut details = Details::default();
        let number = details.add(&info()).expect("something is kept");
        let (mut waiting, mut taken_ns, mut unordered) = (Vec::new(), i64::MIN, 0);
        let mut newest_ns = i64::MIN;
        for at_ns in times_ms.iter().map(|ms| ms * MS) {
            details.push(number, &reading(at_ns), i64::MIN);
            if at_ns < taken_ns {
                unordered += 1;
                continue;
            }
            newest_ns = newest_ns.max(at_ns);
            waiting.push(at_ns);
            if waiting.len() == UNORDERED_MIN {
                waiting.sort_unstable();
                let middle_ns = waiting[UNORDERED_MIN / 2];
                let below = waiting.partition_point(|waits| *waits < middle_ns);
                let mut gone = waiting.drain(..=below);
                taken_ns = gone.next_back().expect("at least one");
            }
        }
        let mut said = Vec::new();
        details.result(number, 0, 10 * SECOND, &mut said);
        let trust = trust_of(&said);
        prop_assert_eq!(trust.unordered, unordered);
        prop_assert_eq!(trust.age_ns, Some(10 * SECOND - newest_ns));
        prop_assert_eq!(said.len(), info().rules.statistics.details());
    }
}

#[test]
fn a_channel_that_asks_for_nothing_takes_nothing() {
    let mut details = Details::default();
    let plain = tests_support::info(0, "a");
    assert_eq!(details.add(&plain), None);
    assert_eq!(Details::bytes_per_channel(&plain.rules), 0);
    let asks = info();
    let kib = Details::bytes_per_channel(&asks.rules) / 1_024;
    assert!((1..8).contains(&kib), "{kib} KiB");
}
