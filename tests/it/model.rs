//! The engine against a naive recompute, over random histories.
//!
//! The model keeps every reading and applies the rules of acceptance and the definition of a
//! window word for word; it shares no code with the engine but the input types. Histories have
//! disorder, lateness, gaps, duplicates, restarts, jumps in time, missing and infinite values,
//! and are cut into batches at random; results must not depend on the cuts.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use proptest::prelude::*;
use stillwell::{
    engine::{
        Batch, ChannelKey, ChannelPlan, Input, Plan, ReadingRefusal, Rules, Snapshot, SourcePlan,
        TimeMode, Unknown, Window,
        normalize::Normalize,
        plan::Linear,
        rolling::{Rolling, RollingThrough},
        summary::{Flag, Summary},
        unit::Conversion,
        validate::{Checked, Validate},
        windows::Emitted,
    },
    scan::Step,
    wire::{DeviceClock, Frames, Head, Health, Sample, WireTally},
};

const MS: i64 = 1_000_000;
const CHANNELS: u32 = 3;
const DEVICES: u32 = 2;

/// One frame of a history.
#[derive(Clone, Debug)]
struct Event {
    device: u32,
    boot: u16,
    sequence: u32,
    health: Health,
    arrived_ns: i64,
    /// Channel, device time, value.
    samples: Vec<(u32, i64, f64)>,
}

/// What a history runs under.
#[derive(Clone, Debug)]
struct Setting {
    pane_ns: i64,
    lateness_ns: i64,
    future_ns: i64,
    windows: Vec<Window>,
    idle_ns: i64,
}

fn setting() -> impl Strategy<Value = Setting> {
    let windows = prop_oneof![
        Just(vec![(1_000, 100), (10_000, 1_000), (60_000, 6_000)]),
        Just(vec![(100, 100), (300, 100), (2_000, 200)]),
        Just(vec![(5_000, 5_000)]),
        Just(vec![(600, 200), (1_200, 600), (3_600, 1_200)]),
    ];
    let lateness_ms = prop_oneof![Just(0), Just(50), Just(200), 0..3_000_i64];
    (windows, lateness_ms, prop_oneof![Just(0), Just(2_000), 0..500_i64], 300..3_000_i64).prop_map(
        |(windows, lateness_ms, future_ms, idle_ms)| Setting {
            pane_ns: 100 * MS,
            lateness_ns: lateness_ms * MS,
            future_ns: future_ms * MS,
            windows: windows
                .into_iter()
                .map(|(length, every)| Window { length_ns: length * MS, every_ns: every * MS })
                .collect(),
            idle_ns: idle_ms * MS,
        },
    )
}

/// What happens between two frames, and to the second.
#[derive(Clone, Debug)]
enum Move {
    Frame { device: u32, gap_ms: i64, stamps_ms: Vec<(u32, i64)>, values: Vec<f64>, health: u8 },
    Repeat { back: usize },
    SwapWithNext,
    Restart { device: u32 },
    Jump { seconds: i64 },
    Lose { device: u32, frames: u32 },
}

fn value() -> impl Strategy<Value = f64> {
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

fn moves() -> impl Strategy<Value = Vec<Move>> {
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
    let moves = prop_oneof![
        30 => frame,
        2 => (1..80_usize).prop_map(|back| Move::Repeat { back }),
        2 => Just(Move::SwapWithNext),
        1 => (1..=DEVICES).prop_map(|device| Move::Restart { device }),
        1 => (1..200_i64).prop_map(|seconds| Move::Jump { seconds }),
        1 => (1..=DEVICES, 1..5_u32).prop_map(|(device, frames)| Move::Lose { device, frames }),
    ];
    proptest::collection::vec(moves, 1..160)
}

/// Plays the moves into frames in the order of arrival.
fn history(moves: &[Move]) -> Vec<Event> {
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
            Move::Lose { device, frames } => counters.entry(*device).or_default().1 += frames,
        }
    }
    events
}

// ---- the model --------------------------------------------------------------------------------

#[derive(Clone, Copy, Debug)]
struct Kept {
    channel: u32,
    at_ns: i64,
    value: f64,
    flag: Flag,
}

/// The rules, word for word.
#[derive(Debug, Default)]
struct Model {
    kept: Vec<Kept>,
    missing: Vec<(u32, i64)>,
    refused: BTreeMap<ReadingRefusal, u64>,
    /// The last starts of each device, with the numbers seen.
    seen: BTreeMap<u32, Vec<(u16, Vec<u32>)>>,
    newest_ns: Option<i64>,
    watermark_ns: Option<i64>,
    /// When the last frame arrived that had something accepted, or the first word of silence.
    last_accepted_ns: Option<i64>,
}

impl Model {
    fn frame(&mut self, event: &Event, setting: &Setting) {
        let duplicate = self.is_duplicate(event);
        let before = self.watermark_ns;
        let mut accepted = false;
        for &(channel, at_ns, value) in &event.samples {
            let open = before.is_none_or(|w| w <= at_ns);
            let ahead = event.arrived_ns + setting.future_ns < at_ns;
            let why = if !value.is_finite() {
                if value.is_nan() && !duplicate && open && !ahead {
                    self.missing.push((channel, at_ns));
                }
                ReadingRefusal::NotFinite
            } else if duplicate {
                ReadingRefusal::Duplicate
            } else if ahead {
                ReadingRefusal::Future
            } else if !open {
                ReadingRefusal::Late
            } else if 1e140 < value.abs() {
                ReadingRefusal::NotRepresentable
            } else {
                let flag = match event.health {
                    Health::Good | Health::Maintenance => Flag::NotEvaluated,
                    Health::OffSpec => Flag::Suspect,
                    Health::Failure | Health::Check => Flag::Fail,
                };
                self.kept.push(Kept { channel, at_ns, value, flag });
                self.newest_ns = Some(self.newest_ns.map_or(at_ns, |m| m.max(at_ns)));
                accepted = true;
                continue;
            };
            *self.refused.entry(why).or_default() += 1;
        }
        if accepted {
            self.last_accepted_ns = Some(event.arrived_ns);
        }
        self.advance(self.newest_ns, setting);
    }

    fn quiet(&mut self, now_ns: i64, setting: &Setting) {
        if setting.idle_ns <= now_ns - *self.last_accepted_ns.get_or_insert(now_ns) {
            self.advance(Some(now_ns), setting);
        }
    }

    fn advance(&mut self, newest_ns: Option<i64>, setting: &Setting) {
        let Some(newest_ns) = newest_ns else { return };
        let floor = (newest_ns - setting.lateness_ns).div_euclid(setting.pane_ns);
        let candidate = floor * setting.pane_ns;
        self.watermark_ns = Some(self.watermark_ns.map_or(candidate, |w| w.max(candidate)));
    }

    fn is_duplicate(&mut self, event: &Event) -> bool {
        let boots = self.seen.entry(event.device).or_default();
        if boots.iter().all(|(boot, _)| *boot != event.boot) {
            boots.push((event.boot, Vec::new()));
            boots.drain(..boots.len().saturating_sub(4));
        }
        let seen = boots.iter_mut().find(|(boot, _)| *boot == event.boot);
        let (_, seen) = seen.expect("it is there now");
        let too_old = seen.iter().any(|s| event.sequence + 64 <= *s);
        let duplicate = too_old || seen.contains(&event.sequence);
        seen.push(event.sequence);
        duplicate
    }

    /// The result of a window over all readings kept, or `None` if it holds none.
    fn result(&self, channel: u32, window: Window, end_ns: i64) -> Option<Expected> {
        let within = |at_ns: i64| end_ns - window.length_ns <= at_ns && at_ns < end_ns;
        let mine = self.kept.iter().filter(|kept| kept.channel == channel && within(kept.at_ns));
        let mine: Vec<Kept> = mine.copied().collect();
        if mine.is_empty() {
            return None;
        }
        let missing = self.missing.iter().filter(|(c, at)| *c == channel && within(*at)).count();
        let mut flags = [0; 5];
        mine.iter().for_each(|kept| flags[kept.flag as usize] += 1);
        flags[Flag::Missing as usize] = missing as u64;
        let values = mine.into_iter().filter(|kept| kept.flag != Flag::Fail).collect();
        Some(Expected { flags, values })
    }

    /// All instants at which a kept reading is in the window.
    fn instants(&self, channel: u32, window: Window) -> Vec<i64> {
        let mut instants = Vec::new();
        for kept in self.kept.iter().filter(|kept| kept.channel == channel) {
            let first = (kept.at_ns.div_euclid(window.every_ns) + 1) * window.every_ns;
            let mut end_ns = first;
            while end_ns - window.length_ns <= kept.at_ns {
                instants.push(end_ns);
                end_ns += window.every_ns;
            }
        }
        instants.sort_unstable();
        instants.dedup();
        instants
    }
}

#[derive(Debug)]
struct Expected {
    flags: [u64; 5],
    values: Vec<Kept>,
}

impl Expected {
    fn check(&self, got: &Summary, context: &dyn std::fmt::Debug) {
        assert_eq!(got.flags, self.flags, "flags of {context:?}");
        assert_eq!(got.n, self.values.len() as u64, "n of {context:?}");
        let Some(values) = &got.values else {
            assert!(self.values.is_empty(), "values of {context:?}");
            return;
        };
        let xs: Vec<f64> = self.values.iter().map(|kept| kept.value).collect();
        let n = xs.len() as f64;
        assert_eq!(values.min, xs.iter().copied().fold(f64::INFINITY, f64::min), "{context:?}");
        assert_eq!(values.max, xs.iter().copied().fold(f64::NEG_INFINITY, f64::max), "{context:?}");
        let first_ns = self.values.iter().map(|kept| kept.at_ns).min();
        let last_ns = self.values.iter().map(|kept| kept.at_ns).max();
        let first = self.values.iter().find(|kept| Some(kept.at_ns) == first_ns);
        let last = self.values.iter().rfind(|kept| Some(kept.at_ns) == last_ns);
        assert_eq!(Some(values.first), first.map(|kept| kept.value), "first of {context:?}");
        assert_eq!(Some(values.last), last.map(|kept| kept.value), "last of {context:?}");
        let largest = xs.iter().map(|x| x.abs()).fold(0.0, f64::max);
        let mean = exact_sum(xs.iter().copied()) / n;
        assert!((values.mean - mean).abs() <= 1e-12 * largest, "mean of {context:?}");
        if 1 < xs.len() {
            let m2 = exact_sum(xs.iter().map(|x| (x - mean) * (x - mean)));
            let stddev = (m2 / (n - 1.0)).sqrt();
            let got = values.stddev.expect("two values have one");
            let bound = 8.0 * 2_f64.powi(-53) * (1.0 + largest / stddev.max(1e-300));
            let tiny = largest * 1e-12;
            assert!(
                (got - stddev).abs() <= bound * stddev || stddev <= tiny && got <= tiny,
                "stddev of {context:?}: {got} for {stddev}"
            );
        } else {
            assert_eq!(values.stddev, None);
        }
        self.check_percentiles(&xs, values.min, values.max, &values.percentiles, context);
    }

    /// The bin is always that of the true order statistic, told by the reference implementation.
    fn check_percentiles(
        &self,
        xs: &[f64],
        min: f64,
        max: f64,
        got: &[f64],
        context: &dyn std::fmt::Debug,
    ) {
        let mut sorted = xs.to_vec();
        sorted.sort_by(f64::total_cmp);
        let reference = Histogram::<u64>::new_with_bounds(1, 1 << 40, 2).expect("valid");
        for (percentile, got) in PERCENTILES.iter().zip(got) {
            let rank = ((percentile / 100.0 * xs.len() as f64).ceil() as usize).clamp(1, xs.len());
            let scaled = (sorted[rank - 1] / RESOLUTION).round();
            let magnitude = (scaled.abs() as u64).min(1 << 40);
            let middle = reference.median_equivalent(magnitude) as f64 * RESOLUTION;
            let expected = if scaled < 0.0 { -middle } else { middle }.clamp(min, max);
            let same = (*got - expected).abs() <= 1e-15 * expected.abs();
            assert!(same, "percentile {percentile} of {context:?}: {got} for {expected}");
        }
    }
}

/// Neumaier's compensated sum.
fn exact_sum(xs: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut rest) = (0.0_f64, 0.0);
    for x in xs {
        let next = sum + x;
        rest += if x.abs() <= sum.abs() { (sum - next) + x } else { (x - next) + sum };
        sum = next;
    }
    sum + rest
}

// ---- the engine -------------------------------------------------------------------------------

const PERCENTILES: [f64; 3] = [50.0, 90.0, 99.0];
const RESOLUTION: f64 = 0.01;

fn plan(setting: &Setting) -> Plan {
    let rules = Rules {
        pane_ns: setting.pane_ns,
        lateness_ns: setting.lateness_ns,
        future_ns: setting.future_ns,
        windows: setting.windows.clone().into(),
        percentiles: PERCENTILES.into(),
        figures: 2,
        resolution: RESOLUTION,
        expected_rate: None,
        stale_ns: 1,
        silent_ns: 2,
    };
    let channel = |device: u32, index: u32| ChannelPlan {
        id: format!("d{device}.c{index}").into(),
        source: 0,
        key: ChannelKey::Numbered { device, index: index as u8 },
        unit: None,
        calibration: Linear::IDENTITY,
        conversion: Conversion::IDENTITY,
        rules: rules.clone(),
    };
    Plan {
        sources: vec![SourcePlan {
            name: "model".into(),
            time: TimeMode::Device,
            unknown: Unknown::Reject,
            named_fields: false,
            idle_ns: setting.idle_ns,
            discovered: rules.clone(),
        }],
        // Channel c of device d is the model's channel (d - 1) * CHANNELS + c: see `mapped`.
        channels: (1..=DEVICES)
            .flat_map(|d| (0..CHANNELS).map(move |c| (d, c)))
            .map(|(d, c)| channel(d, c))
            .collect(),
        defaults: rules,
    }
}

fn batch_of(events: &[Event], now_ns: i64) -> Batch {
    let mut frames = Frames::default();
    let mut wire = WireTally::default();
    for event in events {
        frames.heads.push(Head {
            device: event.device,
            boot: event.boot,
            sequence: Some(event.sequence),
            first: false,
            health: event.health,
            clock: DeviceClock::Utc,
            time_error: 255,
            arrived_ns: event.arrived_ns,
            samples: event.samples.len() as u32,
            shed: false,
        });
        let samples =
            event.samples.iter().map(|&(field, at_ns, value)| Sample { field, at_ns, value });
        frames.samples.extend(samples);
        wire.accept(10, event.samples.len());
        wire.bytes_in += 10;
    }
    Batch { now_ns, frames, wire, ..Batch::default() }
}

struct Front(Validate, Normalize);

impl Front {
    fn new(plan: &Plan) -> Self {
        Self(Validate::new(plan), Normalize::new())
    }

    fn step(&mut self, batch: Batch) -> Checked {
        let checked =
            self.0.step(Input { now_ns: batch.now_ns, batch: Some(batch) }).expect("one for one");
        self.1.step(checked).expect("one for one")
    }
}

/// Cuts a history into batches; a batch tells how far time had come when it was handed over,
/// which is up to `delay_ns` after its last frame.
fn batches(events: &[Event], cuts: &[usize], delay_ns: i64) -> Vec<Batch> {
    let mut batches = Vec::new();
    let (mut rest, mut cuts) = (events, cuts.iter().cycle());
    while !rest.is_empty() {
        let size = (*cuts.next().expect("a cycle")).clamp(1, rest.len());
        let (now, later) = rest.split_at(size);
        let until_ns = later.first().map_or(i64::MAX, |event| event.arrived_ns);
        let now_ns = (now[size - 1].arrived_ns + delay_ns).min(until_ns);
        batches.push(batch_of(now, now_ns));
        rest = later;
    }
    batches
}

/// All results of a history, and the refusals.
fn results(plan: &Plan, batches: Vec<Batch>) -> (Vec<Emitted>, [u64; ReadingRefusal::ALL.len()]) {
    let (mut front, mut rolling) = (Front::new(plan), RollingThrough::new(plan));
    let mut all = Vec::new();
    for batch in batches {
        all.extend(rolling.step(front.step(batch)).into_iter().flatten());
        assert_eq!(rolling.books().total().imbalance(), None);
    }
    all.extend(rolling.finish().into_iter().flatten());
    let total = rolling.books().total();
    assert_eq!(total.imbalance(), None);
    assert_eq!(total.in_open_panes, 0, "the end closes every pane");
    (all, total.readings.refused)
}

/// The model follows both devices as one source with six channels.
fn mapped(events: &[Event]) -> Vec<Event> {
    let as_channels = |event: &Event| {
        let shift = (event.device - 1) * CHANNELS;
        let samples = event.samples.iter().map(|&(c, at, v)| (c + shift, at, v)).collect();
        Event { samples, ..event.clone() }
    };
    events.iter().map(as_channels).collect()
}

/// Feeds the model as the batches feed the engine: what silence does is told at their ends.
fn model_of(events: &[Event], batches: &[Batch], setting: &Setting) -> Model {
    let mut model = Model::default();
    let mut events = mapped(events).into_iter();
    for batch in batches {
        let frames = events.by_ref().take(batch.frames.heads.len());
        frames.for_each(|event| model.frame(&event, setting));
        model.quiet(batch.now_ns, setting);
    }
    model
}

proptest! {

    /// Every result is there once, in order, and is what a recompute over the raw history gives.
    #[test]
    fn results_equal_a_naive_recompute(
        setting in setting(),
        moves in moves(),
        cuts in proptest::collection::vec(1..40_usize, 1..6),
    ) {
        let events = history(&moves);
        let plan = plan(&setting);
        let batches = batches(&events, &cuts, 400 * MS);
        let model = model_of(&events, &batches, &setting);
        let (got, refused) = results(&plan, batches);
        for why in ReadingRefusal::ALL {
            let expected = model.refused.get(&why).copied().unwrap_or(0);
            prop_assert_eq!(refused[why as usize], expected, "{}", why.name());
        }
        let mut found: BTreeMap<(i64, u32, usize), Summary> = BTreeMap::new();
        for result in got {
            let key = (result.summary.end_ns, result.channel.index, result.window);
            prop_assert!(found.insert(key, result.summary).is_none(), "twice: {:?}", key);
        }
        for channel in 0..CHANNELS * DEVICES {
            for (index, window) in setting.windows.iter().enumerate() {
                check_window(&model, &found, channel, index, *window);
            }
        }
    }

    /// Where the input is cut into batches changes nothing.
    #[test]
    fn batching_changes_nothing(
        setting in setting(),
        moves in moves(),
        cuts in proptest::collection::vec(1..40_usize, 1..6),
    ) {
        // Silence is told by batches, so it must not matter here.
        let setting = Setting { idle_ns: i64::MAX, ..setting };
        let events = history(&moves);
        let plan = plan(&setting);
        let whole = results(&plan, batches(&events, &[events.len().max(1)], 0));
        prop_assert_eq!(&results(&plan, batches(&events, &cuts, 0)), &whole);
        prop_assert_eq!(&results(&plan, batches(&events, &[1], 0)), &whole);
    }

    /// A snapshot shows, for each window, the latest result there is.
    #[test]
    fn snapshots_show_the_latest_results(
        setting in setting(),
        moves in moves(),
        cuts in proptest::collection::vec(1..40_usize, 1..6),
    ) {
        let events = history(&moves);
        let plan = plan(&setting);
        let (mut front, mut rolling) = (Front::new(&plan), Rolling::new(&plan, MS, 1));
        let mut model = Model::default();
        let mapped = mapped(&events);
        let mut mapped = mapped.iter();
        for batch in batches(&events, &cuts, 400 * MS) {
            let frames = batch.frames.heads.len();
            let now_ns = batch.now_ns;
            mapped.by_ref().take(frames).for_each(|event| model.frame(event, &setting));
            model.quiet(now_ns, &setting);
            if let Some(snapshot) = rolling.step(front.step(batch)) {
                check_snapshot(&model, &snapshot, &setting);
            }
        }
        let last = rolling.finish().expect("a last snapshot");
        prop_assert_eq!(last.total.imbalance(), None);
        prop_assert_eq!(last.total.in_open_panes, 0);
    }
}

/// Before the end: every instant the watermark reached; at the end: also the first instant after
/// the newest reading.
fn check_window(
    model: &Model,
    found: &BTreeMap<(i64, u32, usize), Summary>,
    channel: u32,
    index: usize,
    window: Window,
) {
    let Some(newest_ns) =
        model.kept.iter().filter(|kept| kept.channel == channel).map(|kept| kept.at_ns).max()
    else {
        assert!(found.keys().all(|(_, c, _)| *c != channel), "channel {channel} has no reading");
        return;
    };
    let flush_ns = (newest_ns.div_euclid(window.every_ns) + 1) * window.every_ns;
    let watermark_ns = model.watermark_ns.expect("readings move it");
    let instants = model.instants(channel, window);
    for end_ns in &instants {
        let key = (*end_ns, channel, index);
        let Some(got) = found.get(&key) else {
            assert!(watermark_ns.max(flush_ns) < *end_ns, "missing {key:?}");
            continue;
        };
        let expected = model.result(channel, window, *end_ns).expect("an instant has readings");
        expected.check(got, &key);
    }
    for key in found.keys().filter(|(_, c, w)| *c == channel && *w == index) {
        assert!(instants.binary_search(&key.0).is_ok(), "made up: {key:?}");
    }
}

fn check_snapshot(model: &Model, snapshot: &Snapshot, setting: &Setting) {
    assert_eq!(snapshot.total.imbalance(), None);
    let watermark_ns = model.watermark_ns;
    for channel in 0..CHANNELS * DEVICES {
        let view = snapshot.channel(channel);
        for (index, window) in setting.windows.iter().enumerate() {
            let shown = view.summaries[index].as_deref();
            let Some(watermark_ns) = watermark_ns else {
                assert_eq!(shown, None);
                continue;
            };
            let end_ns = watermark_ns.div_euclid(window.every_ns) * window.every_ns;
            let context = (end_ns, channel, index);
            match (shown, model.result(channel, *window, end_ns)) {
                (Some(got), Some(expected)) => {
                    assert_eq!(got.end_ns, end_ns, "{context:?}");
                    expected.check(got, &context);
                }
                (None, None) => {}
                (got, expected) => panic!("{context:?}: {got:?} for {expected:?}"),
            }
        }
        let live = view.live.map(|live| live.at_ns);
        let newest =
            model.kept.iter().filter(|kept| kept.channel == channel).map(|kept| kept.at_ns);
        assert_eq!(live, newest.max(), "latest of channel {channel}");
    }
}
