//! Histories that the random ones of the model do not reach: what a broken, a foreign or a
//! restarted device does to the windows of a source.

use std::sync::Arc;

use stillwell::{
    engine::{
        Batch, ChannelKey, ChannelPlan, Input, Plan, ReadingRefusal, Rules, Snapshot, SourcePlan,
        TimeMode, Unknown, Window,
        calibration::Calibration,
        condition::{Change, Condition, Origin},
        normalize::Normalize,
        rolling::Rolling,
        sequence::Starts,
        snapshot::ChannelState,
        trace::{Fate, Mark},
        unit::Conversion,
        validate::Validate,
    },
    limits::{MS, SECOND},
    scan::Step,
    wire::{DeviceClock, Frames, Head, Health, Sample, WireTally},
};

const START_NS: i64 = 1_700_000_000 * SECOND;

/// A frame of one sample.
#[derive(Clone, Copy)]
struct Frame {
    device: u32,
    boot: u16,
    sequence: u32,
    first: bool,
    clock: DeviceClock,
    time_error: u8,
    health: Health,
    made_ns: i64,
    arrived_ns: i64,
    value: f64,
    /// 1, or 0 for a heartbeat.
    samples: u32,
}

impl Frame {
    const PLAIN: Self = Self {
        device: 1,
        boot: 1,
        sequence: 0,
        first: false,
        clock: DeviceClock::None,
        time_error: 255,
        health: Health::Good,
        made_ns: 0,
        arrived_ns: START_NS,
        value: 7.0,
        samples: 1,
    };

    /// The n-th of a series, one each 100 ms.
    fn nth(n: u32) -> Self {
        Self { sequence: n, arrived_ns: START_NS + i64::from(n) * 100 * MS, ..Self::PLAIN }
    }
}

/// The stages, and the engine's own time, which goes on whatever that of the source does.
struct Engine(Validate, Normalize, Rolling, i64);

impl Engine {
    fn new(time: TimeMode, lateness_ns: i64) -> Self {
        let plan = plan(time, lateness_ns);
        Self(Validate::new(&plan), Normalize::new(&plan), Rolling::new(&plan, MS, 1), START_NS)
    }

    /// Takes one frame in a batch of its own, and shows what there is.
    fn take(&mut self, frame: Frame) -> Arc<Snapshot> {
        let mut frames = Frames::default();
        frames.heads.push(Head {
            device: frame.device,
            boot: frame.boot,
            sequence: Some(frame.sequence),
            first: frame.first,
            health: frame.health,
            clock: frame.clock,
            time_error: frame.time_error,
            arrived_ns: frame.arrived_ns,
            samples: frame.samples,
            shed: false,
        });
        let sample = Sample { field: 0, at_ns: frame.made_ns, value: frame.value };
        frames.samples.extend((0..frame.samples).map(|_| sample));
        let mut wire = WireTally { bytes_in: 10, ..WireTally::default() };
        wire.accept(10, frame.samples as usize);
        self.step(frames, wire, frame.arrived_ns)
    }

    /// Nothing came until then.
    fn silence(&mut self, now_ns: i64) -> Arc<Snapshot> {
        self.step(Frames::default(), WireTally::default(), now_ns)
    }

    fn step(&mut self, frames: Frames, wire: WireTally, now_ns: i64) -> Arc<Snapshot> {
        let batch = Batch { now_ns, frames, wire, ..Batch::default() };
        self.3 += MS;
        let checked =
            self.0.step(Input { now_ns: self.3, batch: Some(batch), sitting: None }).unwrap();
        let snapshot = self.2.step(self.1.step(checked).unwrap()).expect("each step publishes");
        assert_eq!(snapshot.total.imbalance(), None);
        snapshot
    }
}

fn plan(time: TimeMode, lateness_ns: i64) -> Plan {
    let rules = Rules {
        pane_ns: 100 * MS,
        lateness_ns,
        future_ns: 2 * SECOND,
        windows: [Window { length_ns: SECOND, every_ns: 100 * MS }].into(),
        exact: [].into(),
        percentiles: [].into(),
        figures: 2,
        resolution: 0.01,
        expected_rate: None,
        stale_ns: SECOND,
        silent_ns: 60 * SECOND,
        statistics: stillwell::engine::statistics::Statistics::none(),
    };
    Plan {
        sources: vec![SourcePlan {
            name: "s".into(),
            time,
            unknown: Unknown::Reject,
            starts: Starts::Marked,
            named_fields: false,
            idle_ns: SECOND,
            discovered: rules.clone(),
            qc: None,
            patterns: Vec::new(),
        }],
        channels: vec![ChannelPlan {
            id: "c".into(),
            source: 0,
            key: ChannelKey::Numbered { device: 1, index: 0 },
            unit: None,
            calibration: Calibration::IDENTITY,
            conversion: Conversion::IDENTITY,
            qc: None,
            rules: rules.clone(),
        }],
        defaults: rules,
        percentile_bytes: 0,
    }
}

/// Readings in the window, of the last of `frames`.
fn n_at_the_end(frames: impl Iterator<Item = Frame>) -> Option<u64> {
    let mut engine = Engine::new(TimeMode::Arrival, 0);
    let (arrived_ns, last) =
        frames.map(|frame| (frame.arrived_ns, engine.take(frame))).last().expect("frames");
    let behind_ns = arrived_ns - last.watermarks[0];
    assert!(behind_ns < 2 * SECOND, "the watermark is {behind_ns} ns behind");
    last.find("c").expect("configured").summary(0).map(|summary| summary.n)
}

#[test]
fn a_sensor_that_has_nothing_to_say_does_not_hold_its_windows() {
    let frames = (0..600).map(|n| {
        let value = if n < 20 { 7.0 } else { f64::NAN };
        Frame { value, ..Frame::nth(n) }
    });
    assert_eq!(n_at_the_end(frames), None);
}

#[test]
fn a_stranger_does_not_hold_the_windows_of_others() {
    let frames = (0..600).map(|n| {
        let device = if n < 20 { 1 } else { 99 };
        Frame { device, ..Frame::nth(n) }
    });
    assert_eq!(n_at_the_end(frames), None);
}

#[test]
fn a_sender_of_old_news_does_not_hold_the_windows() {
    let frames = (0..600).map(|n| Frame { sequence: n.min(20), ..Frame::nth(n) });
    assert_eq!(n_at_the_end(frames), None);
}

#[test]
fn a_restart_without_a_mark_teaches_the_clock() {
    let mut engine = Engine::new(TimeMode::Device, 200 * MS);
    let play = |engine: &mut Engine, start_ns: i64| {
        let frame = |n: u32| {
            let made_ns = i64::from(n) * 100 * MS;
            let (first, clock, arrived_ns) = (n == 0, DeviceClock::SinceBoot, start_ns + made_ns);
            Frame { sequence: n, first, clock, made_ns, arrived_ns, ..Frame::PLAIN }
        };
        (0..1_000).map(|n| engine.take(frame(n))).last().expect("frames")
    };
    play(&mut engine, START_NS);
    let total = play(&mut engine, START_NS + 103 * SECOND).total;
    assert_eq!((total.readings.accepted, total.sequence.resets), (2_000, 1));
}

#[test]
fn a_straggler_of_an_old_start_unlearns_nothing() {
    let mut engine = Engine::new(TimeMode::Device, 200 * MS);
    let mut at_ns = |boot, sequence, made_s: i64, arrived_ms: i64| {
        let arrived_ns = START_NS + arrived_ms * MS;
        let (clock, made_ns) = (DeviceClock::SinceBoot, made_s * SECOND);
        let frame = Frame { boot, sequence, clock, made_ns, arrived_ns, ..Frame::PLAIN };
        let live = engine.take(frame).find("c").expect("configured").live;
        live.expect("a value").at_ns - START_NS
    };
    at_ns(1, 10, 1_000, 0);
    at_ns(2, 0, 0, 1_000);
    assert_eq!(at_ns(2, 1, 1, 2_400), 2 * SECOND);
    at_ns(1, 9, 999, 2_500);
    assert_eq!(at_ns(2, 2, 2, 3_400), 3 * SECOND);
}

#[test]
fn no_time_is_too_far() {
    for end_ns in [i64::MAX, i64::MIN] {
        let mut engine = Engine::new(TimeMode::Arrival, 0);
        engine.take(Frame::PLAIN);
        engine.silence(end_ns);
        let snapshot = engine.take(Frame { arrived_ns: end_ns, sequence: 1, ..Frame::PLAIN });
        let readings = &snapshot.total.readings;
        let late = readings.refused[ReadingRefusal::Late as usize];
        assert_eq!(readings.accepted + late, 2);
        let view = snapshot.find("c").expect("configured");
        assert_ne!(view.state(START_NS), ChannelState::Never);
    }
}

/// What a device says of itself holds from its frame on, until it says otherwise; a heartbeat says
/// it too. A window has the worst of its time.
#[test]
fn a_summary_has_the_worst_that_its_device_said_meanwhile() {
    let mut engine = Engine::new(TimeMode::Arrival, 0);
    let mut last = None;
    for n in 0..60 {
        let health = match n {
            10..=11 => Health::Maintenance,
            20 => Health::OffSpec,
            _ => Health::Good,
        };
        engine.take(Frame { health, ..Frame::nth(2 * n) });
        let health = if n == 40 { Health::Failure } else { health };
        last = Some(engine.take(Frame { health, samples: 0, ..Frame::nth(2 * n + 1) }));
    }
    let snapshot = last.expect("frames");
    let info = snapshot.find("c").expect("configured").info;
    let health = |from_ms: i64, until_ms: i64| {
        let (from_ns, until_ns) = (START_NS + from_ms * MS, START_NS + until_ms * MS);
        snapshot.condition(info, from_ns, until_ns).expect("it was heard").health
    };
    // From 2000 to 2400 ms maintenance, from 4000 to 4200 off-spec, from 8100 to 8200 failure.
    for (from_ms, until_ms, worst) in [
        (0, 2_000, Health::Good),
        (0, 2_001, Health::Maintenance),
        (2_399, 2_400, Health::Maintenance),
        (2_400, 4_000, Health::Good),
        (1_000, 9_000, Health::Failure),
        (1_000, 8_100, Health::OffSpec),
        (4_200, 8_101, Health::Failure),
        (8_200, 12_000, Health::Good),
        (-9_000, -8_000, Health::Good),
    ] {
        assert_eq!(health(from_ms, until_ms), worst, "{from_ms} to {until_ms} ms");
    }
}

/// A clock that is set in the middle of a window leaves the window with the worse of both.
#[test]
fn a_summary_says_which_clock_its_times_come_from() {
    let origins = |time| {
        let mut engine = Engine::new(time, 200 * MS);
        let frame = |n: u32| {
            let clock = match n {
                0..10 => DeviceClock::None,
                10..20 => DeviceClock::UtcUnsynced,
                _ => DeviceClock::Utc,
            };
            let time_error = if n < 30 { 20 } else { 3 };
            let made_ns = Frame::nth(n).arrived_ns;
            Frame { clock, time_error, made_ns, ..Frame::nth(n) }
        };
        let snapshot = (0..40).map(|n| engine.take(frame(n))).last().expect("frames");
        let info = snapshot.find("c").expect("configured").info;
        [0, 10, 20, 30].map(|n| {
            let from_ns = Frame::nth(n).arrived_ns;
            let whole = snapshot.condition(info, from_ns, from_ns + SECOND).expect("heard");
            let mixed = snapshot.condition(info, from_ns - 1, from_ns + 1).expect("heard");
            (whole.origin.expect("readings"), mixed.origin.expect("readings"))
        })
    };
    let synced = |error_log2_us| Origin::Device { error_log2_us };
    let expected = [
        (Origin::Arrival, Origin::Arrival),
        (Origin::Placed, Origin::Arrival),
        (synced(20), Origin::Placed),
        (synced(3), synced(20)),
    ];
    assert_eq!(origins(TimeMode::Device), expected);
    assert_eq!(origins(TimeMode::Arrival), [(Origin::Arrival, Origin::Arrival); 4]);
}

/// Neither a frame that was seen before nor one whose time is refused says anything of a time that
/// has been told.
#[test]
fn what_comes_again_says_nothing_new() {
    let mut engine = Engine::new(TimeMode::Arrival, 0);
    (0..20).for_each(|n| drop(engine.take(Frame::nth(n))));
    let again = Frame { sequence: 15, health: Health::Failure, ..Frame::nth(20) };
    let snapshot = engine.take(again);
    let info = snapshot.find("c").expect("configured").info;
    let worst = snapshot.condition(info, START_NS, START_NS + 60 * SECOND);
    assert_eq!(worst.expect("heard").health, Health::Good);
}

/// A device whose clock is ahead of its arrivals: windows have been told up to there, and what a
/// heartbeat says is of later.
#[test]
fn a_heartbeat_says_nothing_of_times_that_were_told() {
    let mut engine = Engine::new(TimeMode::Device, 0);
    let ahead = Frame { clock: DeviceClock::Utc, made_ns: START_NS + SECOND, ..Frame::PLAIN };
    engine.take(ahead);
    let beat =
        Frame { health: Health::Failure, samples: 0, clock: DeviceClock::Utc, ..Frame::nth(1) };
    let snapshot = engine.take(beat);
    let info = snapshot.find("c").expect("configured").info;
    let health = |from_ms: i64, until_ms: i64| {
        let (from_ns, until_ns) = (START_NS + from_ms * MS, START_NS + until_ms * MS);
        snapshot.condition(info, from_ns, until_ns).expect("it was heard").health
    };
    assert_eq!((health(0, 1_000), health(0, 1_001)), (Health::Good, Health::Failure));
}

/// The last that is shown of a window is its first result that holds the newest reading, and a note
/// that came after its end is not in it.
#[test]
fn notes_after_the_end_of_a_window_are_not_in_its_last_result() {
    let mut engine = Engine::new(TimeMode::Arrival, 2 * SECOND);
    engine.take(Frame::nth(0));
    let missing = |n: u32| Frame { value: f64::NAN, ..Frame::nth(n) };
    (1..4).for_each(|n| drop(engine.take(missing(n))));
    let last = engine.2.finish().expect("a last snapshot");
    let summary = last.find("c").expect("configured").summary(0).expect("a result");
    assert_eq!((summary.end_ns, summary.flags), (START_NS + 100 * MS, [0, 1, 0, 0, 0]));
}

/// Frames of a device that refers all it sends to its clock: of the second the first reading is too
/// old and the last one too far ahead, of the third both are.
fn partly_refused() -> Frames {
    let mut frames = Frames::default();
    let ahead_ns = START_NS + 60 * SECOND;
    let made_ms = [(0, 1_000), (400, 1_100), (450, 500)];
    for (n, (first_ms, second_ms)) in (0..).zip(made_ms) {
        frames.heads.push(Head {
            device: 1,
            boot: 1,
            sequence: Some(n),
            first: false,
            health: [Health::Good, Health::Failure, Health::OffSpec][n as usize],
            clock: DeviceClock::Utc,
            time_error: if n < 2 { 3 } else { 7 },
            arrived_ns: START_NS + SECOND + i64::from(n) * 100 * MS,
            samples: 3,
            shed: false,
        });
        let last_ns = if n == 0 { START_NS + 500 * MS } else { ahead_ns };
        let times = [START_NS + first_ms * MS, START_NS + second_ms * MS, last_ns];
        frames.samples.extend(times.map(|at_ns| Sample { field: 0, at_ns, value: 7.0 }));
    }
    frames
}

/// A word of a device is of the earliest reading of its frame that was accepted, and of the arrival
/// of a frame of which none was, which says nothing of the clock either; whether somebody looks on
/// does not matter.
#[test]
fn a_word_is_of_the_readings_that_were_accepted() {
    let words = |marks: Vec<Mark>| {
        let mut validate = Validate::new(&plan(TimeMode::Device, 200 * MS));
        let mut wire = WireTally { bytes_in: 30, ..WireTally::default() };
        (0..3).for_each(|_| wire.accept(10, 3));
        let (now_ns, frames) = (START_NS + 2 * SECOND, partly_refused());
        let batch = Some(Batch { now_ns, frames, wire, marks, ..Batch::default() });
        let checked = validate.step(Input { now_ns, batch, sitting: None }).expect("one for one");
        let words = checked.report.as_ref().expect("a batch").devices.words.clone();
        words.into_iter().map(|word| (word.change, word.readings)).collect::<Vec<_>>()
    };
    let synced = Some(Origin::Device { error_log2_us: 3 });
    let change = |from_ms: i64, health, origin| {
        let condition = Condition { health, origin };
        Change { from_ns: START_NS + from_ms * MS, condition }
    };
    let expected = [
        (change(0, Health::Good, synced), 0),
        (change(1_100, Health::Failure, synced), 3),
        (change(1_200, Health::OffSpec, synced), 4),
    ];
    let nobody = words(Vec::new());
    assert_eq!(nobody, expected);
    let mark = |place| Mark {
        fate: Fate::Decoded(place),
        arrived_ns: START_NS,
        bytes: [].into(),
        is_cut: false,
    };
    assert_eq!(words((0..3).map(mark).collect()), expected);
}
