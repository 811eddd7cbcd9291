//! What a channel takes.

use super::*;
use crate::{
    engine::snapshot::tests_support,
    limits::{MS, SECOND},
};

/// The windows of the shipped defaults, without percentiles.
fn rules() -> Rules {
    let lengths_s = [1, 10, 60, 600, 3_600, 86_400_i64];
    let window =
        |length_s: i64| Window { length_ns: length_s * SECOND, every_ns: length_s * SECOND / 10 };
    let windows = lengths_s.map(window).into();
    let percentiles = [].into();
    Rules { pane_ns: 100 * MS, windows, percentiles, ..tests_support::rules() }
}

#[test]
fn a_channel_takes_little() {
    let (rules, kib) = (rules(), 1_024);
    let shown = Gallery::bytes_per_channel(&rules);
    let all = bytes_per_channel(&rules);
    assert!(all - shown <= 8 * kib, "{} bytes of panes and windows", all - shown);
    assert!(all <= 10 * kib, "{all} bytes with what snapshots show, {shown}");
}
