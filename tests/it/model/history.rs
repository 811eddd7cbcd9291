//! Random histories: what devices send, and when it arrives.

use std::collections::BTreeMap;

use proptest::prelude::*;
use stillwell::{
    engine::{ExactWindow, Window},
    limits::MS,
    wire::Health,
};

use super::{CHANNELS, DEVICES};

/// One frame of a history.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) device: u32,
    pub(super) boot: u16,
    pub(super) sequence: u32,
    pub(super) health: Health,
    pub(super) arrived_ns: i64,
    /// Channel, device time, value.
    pub(super) samples: Vec<(u32, i64, f64)>,
}

/// What a history runs under.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) pane_ns: i64,
    pub(super) lateness_ns: i64,
    pub(super) future_ns: i64,
    pub(super) windows: Vec<Window>,
    pub(super) exact: Vec<ExactWindow>,
    pub(super) idle_ns: i64,
    pub(super) figures: u8,
    /// Memory for percentiles; little of it makes figures fewer.
    pub(super) percentile_bytes: u64,
}

pub(super) fn setting() -> impl Strategy<Value = Setting> {
    let windows = prop_oneof![
        Just(vec![(1_000, 100), (10_000, 1_000), (60_000, 6_000)]),
        Just(vec![(100, 100), (300, 100), (2_000, 200)]),
        Just(vec![(5_000, 5_000)]),
        Just(vec![(600, 200), (1_200, 600), (3_600, 1_200)]),
    ];
    let lateness_ms = prop_oneof![Just(0), Just(50), Just(200), 0..3_000_i64];
    let future_ms = prop_oneof![Just(0), Just(2_000), 0..500_i64];
    let capacity = prop_oneof![1..5_usize, 5..40_usize, Just(1_000)];
    let length_ms = prop_oneof![Just(1), 2..120_i64, 120..3_000_i64];
    let exact = (length_ms, capacity)
        .prop_map(|(length_ms, capacity)| ExactWindow { length_ns: length_ms * MS, capacity });
    let exact = proptest::collection::vec(exact, 0..3);
    let memory = prop_oneof![Just((2, 1 << 30)), (2..=3_u8, 400..6_000_u64)];
    (windows, exact, lateness_ms, future_ms, 300..3_000_i64, memory).prop_map(
        |(windows, exact, lateness_ms, future_ms, idle_ms, (figures, percentile_bytes))| Setting {
            pane_ns: 100 * MS,
            lateness_ns: lateness_ms * MS,
            future_ns: future_ms * MS,
            windows: windows
                .into_iter()
                .map(|(length, every)| Window { length_ns: length * MS, every_ns: every * MS })
                .collect(),
            exact,
            idle_ns: idle_ms * MS,
            figures,
            percentile_bytes,
        },
    )
}

/// What happens between two frames, and to the second.
#[derive(Clone, Debug)]
pub(super) enum Move {
    Frame {
        device: u32,
        gap_ms: i64,
        stamps_ms: Vec<(u32, i64)>,
        values: Vec<f64>,
        health: u8,
    },
    Repeat {
        back: usize,
    },
    SwapWithNext,
    Restart {
        device: u32,
    },
    Jump {
        seconds: i64,
    },
    Lose {
        device: u32,
        frames: u32,
    },
    /// So many readings of a channel close together, the first far from the others: in frames of
    /// their own, or all in one.
    Burst {
        device: u32,
        channel: u32,
        readings: u32,
        far: f64,
        in_one: bool,
    },
}

pub(super) fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        20 => -100.0..100.0_f64,
        5 => (-5..5_i32).prop_map(f64::from),
        2 => 1e6..1.000_001e6_f64,
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(1e12),
        1 => Just(-1e300),
    ]
}

pub(super) fn moves() -> impl Strategy<Value = Vec<Move>> {
    let gap = prop_oneof![10 => 0..120_i64, 3 => 0..20_i64, 1 => 500..4_000_i64];
    let stamp = prop_oneof![
        10 => -150..20_i64, 3 => -1_500..0_i64, 1 => -20_000..0_i64, 1 => 0..6_000_i64,
    ];
    let frame = (
        1..=DEVICES,
        gap,
        proptest::collection::vec((0..CHANNELS, stamp), 1..6),
        proptest::collection::vec(value(), 6),
        prop_oneof![12 => Just(0_u8), 1 => 1..=4_u8],
    )
        .prop_map(|(device, gap_ms, stamps_ms, values, health)| Move::Frame {
            device,
            gap_ms,
            stamps_ms,
            values,
            health,
        });
    let burst = (1..=DEVICES, 0..CHANNELS, 2..150_u32, value(), any::<bool>()).prop_map(
        |(device, channel, readings, far, in_one)| Move::Burst {
            device,
            channel,
            readings,
            far,
            in_one,
        },
    );
    let moves = prop_oneof![
        30 => frame,
        2 => (1..80_usize).prop_map(|back| Move::Repeat { back }),
        2 => Just(Move::SwapWithNext),
        1 => (1..=DEVICES).prop_map(|device| Move::Restart { device }),
        1 => (1..200_i64).prop_map(|seconds| Move::Jump { seconds }),
        1 => (1..=DEVICES, 1..5_u32).prop_map(|(device, frames)| Move::Lose { device, frames }),
        1 => burst,
    ];
    proptest::collection::vec(moves, 1..160)
}

/// Plays the moves into frames in the order of arrival.
pub(super) fn history(moves: &[Move]) -> Vec<Event> {
    let mut now_ns = 1_700_000_000_000 * MS;
    let mut counters: BTreeMap<u32, (u16, u32)> = BTreeMap::new();
    let mut events: Vec<Event> = Vec::new();
    let mut swap = false;
    for step in moves {
        match step {
            Move::Frame { device, gap_ms, stamps_ms, values, health } => {
                now_ns += gap_ms * MS;
                let (boot, sequence) = counters.entry(*device).or_default();
                let samples = stamps_ms.iter().zip(values);
                events.push(Event {
                    device: *device,
                    boot: *boot,
                    sequence: *sequence,
                    health: Health::from_code(*health).expect("0 to 4"),
                    arrived_ns: now_ns,
                    samples: samples.map(|((c, ms), v)| (*c, now_ns + ms * MS, *v)).collect(),
                });
                *sequence += 1;
                if std::mem::take(&mut swap) && 2 <= events.len() {
                    let last = events.len() - 1;
                    events.swap(last, last - 1);
                    let earlier = events[last].arrived_ns;
                    events[last].arrived_ns = events[last - 1].arrived_ns;
                    events[last - 1].arrived_ns = earlier;
                }
            }
            Move::Repeat { back } => {
                if let Some(event) = events.len().checked_sub(*back).map(|at| events[at].clone()) {
                    events.push(Event { arrived_ns: now_ns, ..event });
                }
            }
            Move::SwapWithNext => swap = true,
            Move::Restart { device } => {
                let (boot, sequence) = counters.entry(*device).or_default();
                (*boot, *sequence) = (*boot + 1, 0);
            }
            Move::Jump { seconds } => now_ns += seconds * 1_000 * MS,
            Move::Burst { device, channel, readings, far, in_one } => {
                let (boot, sequence) = counters.entry(*device).or_default();
                let mut samples = Vec::new();
                for nth in 0..*readings {
                    now_ns += MS / 2;
                    let near = 20.0 + f64::from(nth * 37 % 11) / 100.0;
                    samples.push((*channel, now_ns, if nth == 0 { *far } else { near }));
                }
                for samples in samples.chunks(if *in_one { samples.len() } else { 1 }) {
                    events.push(Event {
                        device: *device,
                        boot: *boot,
                        sequence: *sequence,
                        health: Health::Good,
                        arrived_ns: samples[samples.len() - 1].1,
                        samples: samples.to_vec(),
                    });
                    *sequence += 1;
                }
            }
            Move::Lose { device, frames } => counters.entry(*device).or_default().1 += frames,
        }
    }
    events
}
