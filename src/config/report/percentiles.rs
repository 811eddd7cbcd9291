//! What percentiles may come to take.

use std::iter;

use crate::{
    engine::{Rules, bins::tier::bytes_at_most},
    limits::{BIN_VALUE_MAX, SECOND},
};

/// Bytes of a percentile bin in use in the packed bins of a pane, room to grow included: one for
/// how far it lies from the next, two for its count.
const PACKED_BIN_BYTES: u64 = 4;
/// Partials a window keeps besides those of its length: the one that fills, and the one that is
/// being handed on.
const PARTIALS_BESIDES: u64 = 2;

/// Bytes for the percentiles of one channel whose values fall into `bins_max` bins.
pub(super) fn percentile_bytes(rules: &Rules, bins_max: u64) -> u64 {
    if rules.percentiles.is_empty() {
        return 0;
    }
    let panes = steps(rules).map(|(partials, step_ns)| {
        let bins = partials.saturating_mul(bins_of(rules, step_ns).min(bins_max));
        bins.saturating_mul(PACKED_BIN_BYTES)
    });
    let range = all_bins(rules.figures).min(bins_max);
    let sums = rules
        .windows
        .iter()
        .map(|window| bytes_at_most(bins_of(rules, window.length_ns).min(range), range));
    panes.chain(sums).fold(0, u64::saturating_add)
}

/// How many partials there are of which length: open panes, then the steps of each window.
fn steps(rules: &Rules) -> impl Iterator<Item = (u64, i64)> {
    let count =
        |length_ns: i64, step_ns: i64| (length_ns / step_ns).unsigned_abs() + PARTIALS_BESIDES;
    let open = (count(rules.lateness_ns, rules.pane_ns), rules.pane_ns);
    let windows = rules.windows.iter();
    iter::once(open).chain(windows.map(move |w| (count(w.length_ns, w.every_ns), w.every_ns)))
}

/// Bins that the readings of one step may fill.
fn bins_of(rules: &Rules, step_ns: i64) -> u64 {
    let bins = all_bins(rules.figures);
    match rules.expected_rate {
        Some(rate) => bins.min((rate * step_ns as f64 / SECOND as f64).ceil() as u64 + 1),
        None => bins,
    }
}

/// Bins that there are.
fn all_bins(figures: u8) -> u64 {
    // HdrHistogram: for n figures, 2 * 10^n is rounded up to a power of two; that many bins lie
    // below it, and half as many in each doubling above. Both signs have their own.
    let first = first_bins(figures);
    let doublings = u64::from(BIN_VALUE_MAX.ilog2() - first.ilog2());
    2 * (first + doublings * first / 2)
}

fn first_bins(figures: u8) -> u64 {
    (2 * 10_u64.pow(u32::from(figures))).next_power_of_two()
}

/// Bins for values of one sign within a factor of ten, which is less than four doublings.
pub(super) fn bins_of_a_decade(figures: u8) -> u64 {
    4 * first_bins(figures) / 2
}
