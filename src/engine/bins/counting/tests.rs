//! The counts of channels, against counting their readings.

use hdrhistogram::Histogram;
use proptest::prelude::*;

use super::*;
use crate::{
    engine::{
        image::{Reader, Writer},
        open::Opened,
        rules::Window,
        snapshot::tests_support,
    },
    limits::{BIN_VALUE_MAX, MS},
};

const PANE_NS: i64 = 100 * MS;

fn rules(figures: u8) -> Rules {
    Rules { figures, resolution: 0.01, ..tests_support::rules() }
}

/// By what values of up to 1e4 are multiplied: those of narrow ranges share chunks, and of a
/// strip those of wider ones use but a part.
fn spread() -> impl Strategy<Value = f64> {
    prop_oneof![Just(1.0), Just(0.05), Just(0.001)]
}

proptest! {
    /// The whole way of a reading, against the reference implementation: whatever was
    /// coarsened on the way, each window holds the bins that counting its readings with the
    /// figures it states would give, and the bin of each rank is that of the true value.
    #[test]
    fn windows_hold_what_their_readings_come_to(
        panes in proptest::collection::vec(
            (1..9_i64, proptest::collection::vec(-1e4..1e4_f64, 0..60)),
            1..60,
        ),
        spread in spread(),
        budget in prop_oneof![Just(1_u64 << 30), 500..20_000_u64],
        asks in any::<u64>(),
    ) {
        let rules = rules(3);
        let mut counting = Counting::new(budget);
        let counter = counting.add(0, 0, &rules);
        let slots = open_slots(rules.pane_ns, rules.lateness_ns);
        let mut readings: Vec<(i64, f64)> = Vec::new();
        let mut pane = -5;
        for (step, (gap, values)) in panes.iter().enumerate() {
            pane += gap;
            for value in values.iter().map(|value| value * spread) {
                counting.note(&counter, Pane::new(pane, slots), value);
                readings.push((pane, value));
            }
            counting.close(&counter, Pane::new(pane, slots), pane * PANE_NS);
            prop_assert!(!counting.budget.is_broken());
            if asks >> (step % 64) & 1 == 0 {
                continue;
            }
            for (window, Window { length_ns, every_ns }) in rules.windows.iter().enumerate() {
                let at_ns = ((pane + 1) * PANE_NS).div_euclid(*every_ns) * every_ns;
                let from = (at_ns - length_ns).div_euclid(PANE_NS);
                let within = |pane: i64| from <= pane && (pane + 1) * PANE_NS <= at_ns;
                let mine = readings.iter().filter(|(pane, _)| within(*pane));
                let mine: Vec<f64> = mine.map(|(_, value)| *value).collect();
                let mut got = Vec::new();
                let scale = counting.bins(&counter, (window, at_ns), |b, n| got.push((b, n)));
                let Some(scale) = scale else { continue };
                check(scale, &mine, &got);
                let mut ranked = Vec::new();
                let every = (f64::NEG_INFINITY, f64::INFINITY);
                counting.ask(&counter, &rules, (window, at_ns), every, &mut ranked);
                check_ranks(scale, mine, &rules.percentiles, &ranked);
            }
        }
    }

    /// Who is coarsened, and when, does not depend on what was asked for.
    #[test]
    fn asking_changes_nothing(
        panes in proptest::collection::vec(
            (1..9_i64, proptest::collection::vec(-1e4..1e4_f64, 0..40)),
            1..60,
        ),
        spread in spread(),
        budget in 500..20_000_u64,
    ) {
        let rules = rules(3);
        let slots = open_slots(rules.pane_ns, rules.lateness_ns);
        let play = |asked: bool| {
            let mut counting = Counting::new(budget);
            let counters = [0, 1, 2].map(|index| counting.add(index, 0, &rules));
            let mut loads = Vec::new();
            let mut pane = 0;
            for (gap, values) in &panes {
                pane += gap;
                for (i, value) in values.iter().enumerate() {
                    let value = value * spread;
                    counting.note(&counters[i * i % 3], Pane::new(pane, slots), value);
                }
                for counter in &counters {
                    counting.close(counter, Pane::new(pane, slots), pane * PANE_NS);
                    loads.push(counting.load());
                }
                counting.reach(0, (pane + 1) * PANE_NS);
                for counter in &counters {
                    for (window, Window { every_ns, .. }) in rules.windows.iter().enumerate() {
                        let at_ns = ((pane + 1) * PANE_NS).div_euclid(*every_ns) * every_ns;
                        if asked {
                            counting.bins(counter, (window, at_ns), |_, _| {});
                        }
                    }
                }
            }
            loads
        };
        prop_assert_eq!(play(true), play(false));
    }
}

fn check(scale: BinScale, values: &[f64], got: &[(Bin, u64)]) {
    let mut reference = [0; 2].map(|_| {
        Histogram::<u64>::new_with_bounds(1, BIN_VALUE_MAX, scale.figures()).expect("valid")
    });
    for value in values {
        let quantity = (value * 100.0).round();
        reference[usize::from(quantity < 0.0)] += quantity.abs() as u64;
    }
    let mut n = 0;
    for &(bin, count) in got {
        let (lowest, _) = scale.range(bin);
        assert_eq!(reference[usize::from(bin < 0)].count_at(lowest), count, "bin {bin}");
        n += count;
    }
    assert_eq!(n, values.len() as u64);
}

fn check_ranks(scale: BinScale, mut values: Vec<f64>, percentiles: &[f64], got: &[f64]) {
    values.sort_by(f64::total_cmp);
    let truth = |p: &f64| values[rank(*p, values.len() as u64) as usize - 1];
    let expected = percentiles.iter().filter(|_| !values.is_empty()).map(truth);
    let expected: Vec<f64> = expected.map(|x| scale.middle(scale.bin(x).0)).collect();
    assert_eq!(got, expected);
}

#[test]
fn the_largest_goes_first_and_the_youngest_without() {
    let rules = rules(3);
    let mut counting = Counting::new(u64::MAX);
    let counters = [0, 1, 2].map(|index| counting.add(index, 0, &rules));
    let widths = [40, 400, 4];
    for (counter, width) in counters.iter().zip(widths) {
        (0..width).for_each(|i| {
            counting.note(counter, Pane::new(0, 1), 10.0 + f64::from(i));
        });
        counting.close(counter, Pane::new(0, 1), 0);
    }
    let precisions =
        |counting: &Counting| [0, 1, 2].map(|at: usize| counting.channels[at].precision());
    counting.budget.load.budget_bytes = counting.load().bytes - 1;
    counting.fit();
    let fine = Precision::Configured;
    assert_eq!(precisions(&counting), [fine, Precision::Coarsened(2), fine]);
    assert_eq!((counting.load().coarsened, counting.load().withheld), (1, 0));
    counting.budget.load.budget_bytes = 1;
    counting.fit();
    assert_eq!(precisions(&counting), [Precision::Withheld; 3]);
    assert_eq!((counting.load().coarsened, counting.load().withheld), (0, 3));
    assert_eq!(counting.load().bytes, 0);
}

/// A channel of bins in every second chunk, some panes long.
fn every_second_chunk(counting: &mut Counting, rules: &Rules, panes: i64) -> Counter {
    let index = counting.channels.len() as u32;
    let counter = counting.add(index, 0, rules);
    for pane in 0..panes {
        for i in 0..60 {
            counting.note(&counter, Pane::new(pane, 1), 0.32 * f64::from(i));
        }
        counting.close(&counter, Pane::new(pane, 1), pane * PANE_NS);
    }
    counter
}

fn bins_of(counting: &mut Counting, counter: &Counter, window: (usize, i64)) -> Vec<(Bin, u64)> {
    let mut bins = Vec::new();
    counting.bins(counter, window, |bin, n| bins.push((bin, n))).expect("is counted");
    bins
}

#[test]
fn speed_goes_before_figures() {
    let rules = rules(3);
    let mut counting = Counting::new(u64::MAX);
    let counters = [5, 40, 20].map(|panes| every_second_chunk(&mut counting, &rules, panes));
    let ample = counting.load();
    // The first window of each, and the second of those that a second has passed of.
    assert_eq!(ample.spare, 5 * (119 * 17 * 4 - 60 * 72 * 5 / 4));
    let fit = |counting: &mut Counting, budget_bytes: u64| {
        counting.budget.load.budget_bytes = budget_bytes;
        counting.fit();
        counting.load()
    };
    let window = (0, 39 * PANE_NS);
    let before = bins_of(&mut counting, &counters[1], window);
    let less = fit(&mut counting, ample.bytes - 1);
    assert_eq!((less.confined, less.coarsened, less.withheld), (1, 0, 0));
    assert!(less.spare < ample.spare && less.bytes < ample.bytes, "{less:?}");
    let mut least = less;
    while 0 < least.spare {
        let bytes = least.bytes;
        least = fit(&mut counting, bytes - 1);
        assert_eq!((least.coarsened, least.bytes < bytes), (0, true), "{least:?}");
    }
    assert_eq!(least.confined, 3);
    assert_eq!(bins_of(&mut counting, &counters[1], window), before);
    let coarse = fit(&mut counting, least.bytes - 1);
    assert_eq!((coarse.confined, coarse.coarsened, coarse.withheld), (3, 1, 0));
    let nothing = fit(&mut counting, 0);
    let gone = (nothing.confined, nothing.coarsened, nothing.withheld, nothing.spare);
    assert_eq!(gone, (0, 0, 3, 0));
    counting.clear(&counters[0], &rules);
    assert_eq!(counting.load().withheld, 2);
}

/// Before and after a restart, with little memory and with much: the same bytes, the same bins.
#[test]
fn an_image_does_not_tell_of_speed() {
    let rules = rules(3);
    let image = |relief: &Relief| {
        let mut counting = Counting::new(u64::MAX);
        let counter = every_second_chunk(&mut counting, &rules, 25);
        counting.relieve(relief);
        let mut bytes = Vec::new();
        counting.save(&counter, &rules, &mut Writer::new(&mut bytes));
        (bytes, counting, counter)
    };
    let (bytes, mut ample, counter) = image(&Relief::None);
    let (same, mut confined, _) = image(&Relief::Confine([0].into()));
    assert_eq!(bytes, same);
    assert!(0 < ample.load().spare && confined.load().spare == 0);
    let mut resumed = Counting::new(u64::MAX);
    resumed.add(0, 0, &rules);
    let read = (25 * PANE_NS, &Opened::default());
    assert_eq!(resumed.restore(&counter, &rules, read, &mut Reader::new(&bytes)), Some(()));
    assert_eq!(resumed.load().spare, ample.load().spare, "a restart gives it back");
    for (window, at_ns) in [(0, 25 * PANE_NS), (1, 20 * PANE_NS), (1, 30 * PANE_NS)] {
        let bins = bins_of(&mut ample, &counter, (window, at_ns));
        assert_eq!(bins_of(&mut confined, &counter, (window, at_ns)), bins);
        assert_eq!(bins_of(&mut resumed, &counter, (window, at_ns)), bins);
    }
}
