//! Cold junctions, counters and dates, reading by reading, whatever the batches.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::{
    engine::{
        Batch, ChannelKey, ChannelPlan, Input, Rules, SourcePlan, TimeMode, Unknown,
        calibration::{Counter, Era, Eras, Gives, Junction, OnReset, Thermocouple, Transfer},
        qc::{
            bounds::{Span, Spans},
            plan::QcPlan,
        },
        sequence::Starts,
        unit::Unit,
        validate::Validate,
        verdict::{Test, Tests},
    },
    limits::{MS, SECOND},
    wire::{DeviceClock, Frames, Head, Health, Sample},
};

fn rules() -> Rules {
    Rules {
        pane_ns: 100 * MS,
        lateness_ns: 60 * SECOND,
        future_ns: 2 * SECOND,
        windows: Arc::new([]),
        exact: [].into(),
        percentiles: Arc::new([]),
        figures: 2,
        resolution: 0.01,
        expected_rate: None,
        stale_ns: SECOND,
        silent_ns: SECOND,
        statistics: crate::engine::statistics::Statistics::none(),
    }
}

fn channel(index: u8, unit: &str, calibration: Calibration) -> ChannelPlan {
    ChannelPlan {
        id: format!("c{index}").into(),
        source: 0,
        key: ChannelKey::Numbered { device: 1, index },
        unit: Some(unit.into()),
        calibration,
        conversion: Conversion::IDENTITY,
        qc: None,
        rules: rules(),
    }
}

fn plan(channels: Vec<ChannelPlan>) -> Plan {
    let source = SourcePlan {
        name: "s".into(),
        time: TimeMode::Device,
        unknown: Unknown::Reject,
        starts: Starts::Marked,
        named_fields: false,
        idle_ns: SECOND,
        discovered: rules(),
        qc: None,
        patterns: Vec::new(),
    };
    Plan { sources: vec![source], channels, defaults: rules(), percentile_bytes: 1 << 20 }
}

fn eras(chain: Vec<Transfer>) -> Calibration {
    let era = Era { from_ns: i64::MIN, version: None, chain: chain.into() };
    Calibration::Eras(Arc::new(Eras::new(vec![era])))
}

/// Channel 0 is a thermocouple, channel 1 its cold junction in Fahrenheit, channel 2 a line.
fn oven() -> Plan {
    let junction = Junction::Channel { channel: 1, max_age_ns: 10 * SECOND };
    let couple = Transfer::Thermocouple { pair: Thermocouple::K, junction };
    let line = Calibration::Linear(Linear { scale: 2.0, offset: 1.0 });
    plan(vec![
        channel(0, "Cel", eras(vec![couple])),
        channel(1, "[degF]", Calibration::IDENTITY),
        channel(2, "V", line),
    ])
}

/// A frame: its health, and samples of `(channel, seconds, value)`.
#[derive(Clone, Debug)]
struct Shot(Health, Vec<(u32, i64, f64)>);

fn shot(samples: &[(u32, i64, f64)]) -> Shot {
    Shot(Health::Good, samples.to_vec())
}

/// What comes of frames that are cut into batches of so many.
fn readings(plan: &Plan, shots: &[Shot], per_batch: usize) -> Vec<Reading> {
    let (mut validate, mut normalize) = (Validate::new(plan), Normalize::new(plan));
    let mut all = Vec::new();
    for shots in shots.chunks(per_batch) {
        let mut frames = Frames::default();
        for Shot(health, samples) in shots {
            let arrived_ns =
                samples.iter().map(|(_, seconds, _)| seconds * SECOND).max().unwrap_or(0);
            frames.heads.push(Head {
                device: 1,
                boot: 1,
                sequence: None,
                first: false,
                health: *health,
                clock: DeviceClock::Utc,
                time_error: 0,
                arrived_ns: arrived_ns.max(1_000 * SECOND),
                samples: samples.len() as u32,
                shed: false,
            });
            frames.samples.extend(samples.iter().map(|&(field, seconds, value)| Sample {
                field,
                at_ns: seconds * SECOND,
                value,
            }));
        }
        let batch = Batch { frames, ..Batch::default() };
        let checked = validate.step(Input { now_ns: 0, batch: Some(batch), sitting: None });
        let checked = checked.and_then(|checked| normalize.step(checked)).expect("one for one");
        all.extend(checked.readings.iter().copied());
    }
    all
}

fn outcome(reading: &Reading) -> (f64, Flag, Tests) {
    ((reading.value * 1e3).round() / 1e3, reading.flag, reading.tests)
}

#[test]
fn a_cold_junction_of_the_same_frame_counts_wherever_it_stands() {
    let frames = [shot(&[(0, 100, 12.0), (1, 100, 77.0), (2, 100, 3.0)])];
    let found = readings(&oven(), &frames, 1);
    assert_eq!(outcome(&found[0]), (319.054, Flag::NotEvaluated, Tests::NONE));
    assert_eq!((found[1].value, found[2].value), (77.0, 7.0));
}

#[test]
fn without_a_cold_junction_there_is_no_temperature() {
    let none = (true, Flag::Fail, Tests::from(Test::Companion));
    let short = |reading: &Reading| (reading.value.is_nan(), reading.flag, reading.tests);
    let couple = shot(&[(0, 100, 12.0)]);
    let absent = readings(&oven(), std::slice::from_ref(&couple), 1);
    assert_eq!(short(&absent[0]), none);
    for (at, is_there) in [(90, true), (89, false)] {
        let found = readings(&oven(), &[shot(&[(1, at, 77.0)]), couple.clone()], 1);
        assert_eq!(!found[1].value.is_nan(), is_there, "{at}: {:?}", found[1]);
    }
    // What fails is no temperature, and what is suspect makes suspect.
    let failed = Shot(Health::Failure, vec![(1, 100, 77.0)]);
    let found = readings(&oven(), &[failed, couple.clone()], 1);
    assert_eq!(short(&found[1]), none);
    let doubted = Shot(Health::OffSpec, vec![(1, 100, 77.0)]);
    let found = readings(&oven(), &[doubted, couple], 1);
    assert_eq!(outcome(&found[1]), (319.054, Flag::Suspect, Test::Companion.into()));
}

#[test]
fn the_nearest_cold_junction_counts() {
    let frames = [
        shot(&[(1, 100, 32.0)]),
        shot(&[(1, 104, 77.0), (0, 101, 12.0), (0, 103, 12.0), (1, 104, 212.0)]),
    ];
    let found = readings(&oven(), &frames, 1);
    let at = |seconds: i64, celsius: f64| {
        let found = found.iter().find(|r| r.channel == 0 && r.at_ns == seconds * SECOND);
        let junction = Thermocouple::K.millivolt(celsius).expect("within");
        let expected = Thermocouple::K.celsius(12.0 + junction).expect("within");
        assert!((found.expect("accepted").value - expected).abs() < 1e-6, "{found:?}");
    };
    at(101, 0.0);
    at(103, 100.0);
}

#[test]
fn flags_of_the_device_and_of_the_calibration_combine() {
    let level = Transfer::Within { min: 0.0, max: 1.0 };
    let plan = plan(vec![channel(0, "V", eras(vec![level]))]);
    let frames =
        [Shot(Health::OffSpec, vec![(0, 1, 5.0)]), Shot(Health::Failure, vec![(0, 2, 0.5)])];
    let found = readings(&plan, &frames, 1);
    assert!(found[0].value.is_nan());
    assert_eq!(
        (found[0].flag, found[0].tests),
        (Flag::Fail, Tests::from(Test::Health) | Test::Domain.into())
    );
    assert_eq!((found[1].value, found[1].flag), (0.5, Flag::Fail));
}

#[test]
fn a_result_that_no_statistic_holds_fails_behind_its_unit_too() {
    let mut huge = channel(0, "nm", eras(vec![Transfer::Polynomial(Box::new([0.0, 1e70]))]));
    let unit = |code| Unit::parse(code).expect("a unit");
    huge.conversion = Conversion::between(&unit("m"), &unit("nm")).expect("lengths");
    let found = readings(&plan(vec![huge]), &[shot(&[(0, 1, 1e60)]), shot(&[(0, 2, 1e69)])], 1);
    assert!((found[0].value / 1e139 - 1.0).abs() < 1e-12);
    assert_eq!((found[1].value.is_nan(), found[1].tests), (true, Test::Domain.into()));
}

#[test]
fn a_reading_before_the_first_calibration_has_none() {
    let era = |from_ns, scale| Era {
        from_ns,
        version: None,
        chain: Box::new([Transfer::Linear(Linear { scale, offset: 0.0 })]),
    };
    let dated = Eras::new(vec![era(10 * SECOND, 2.0), era(20 * SECOND, 3.0)]);
    let plan = plan(vec![channel(0, "V", Calibration::Eras(Arc::new(dated)))]);
    let frames = [shot(&[(0, 9, 1.0), (0, 10, 1.0), (0, 19, 1.0), (0, 20, 1.0)])];
    let found = readings(&plan, &frames, 1);
    assert_eq!((found[0].flag, found[0].tests), (Flag::Fail, Test::Undated.into()));
    let values: Vec<f64> = found[1..].iter().map(|reading| reading.value).collect();
    assert_eq!(values, [2.0, 2.0, 3.0]);
}

fn any_shot() -> impl Strategy<Value = Shot> {
    let health = prop_oneof![
        4 => Just(Health::Good),
        1 => Just(Health::OffSpec),
        1 => Just(Health::Failure),
    ];
    let value = prop_oneof![8 => 0.0..60.0_f64, 1 => Just(f64::NAN), 1 => Just(1e9)];
    let sample = (0..4_u32, 990..1_001_i64, value);
    (health, proptest::collection::vec(sample, 1..6)).prop_map(|(h, samples)| Shot(h, samples))
}

proptest! {
    /// However frames are cut into batches, each reading comes to the same, bit by bit.
    #[test]
    fn batches_make_no_difference(
        shots in proptest::collection::vec(any_shot(), 1..40),
        per_batch in 2..9_usize,
    ) {
        let mut plan = oven();
        let counter = Counter {
            modulus: Some(64.0),
            wrap_max: 32.0,
            gives: Gives::Rate,
            on_reset: OnReset::FromZero,
        };
        plan.channels.push(channel(3, "/s", eras(vec![Transfer::Counter(counter)])));
        let bits = |readings: Vec<Reading>| {
            let whole = |r: &Reading| (r.channel, r.at_ns, r.value.to_bits(), r.flag, r.tests);
            readings.iter().map(whole).collect::<Vec<_>>()
        };
        let one = bits(readings(&plan, &shots, 1));
        prop_assert_eq!(one, bits(readings(&plan, &shots, per_batch)));
    }
}

/// A thermometer that has gone mad at the terminals makes no temperature of the oven.
#[test]
fn a_cold_junction_out_of_its_range_is_none() {
    let mut plan = oven();
    let span = |min, max| Some(Span { min, max });
    let range = Spans { fail: span(-50.0, 140.0), suspect: span(0.0, 100.0) };
    plan.channels[1].qc = Some(Arc::new(QcPlan { gross_range: Some(range), ..QcPlan::default() }));
    let flags = |fahrenheit| {
        let frames = [shot(&[(0, 100, 12.0), (1, 100, fahrenheit)])];
        let all = readings(&plan, &frames, 1);
        (all[0].flag, all[0].tests)
    };
    assert_eq!(flags(77.0), (Flag::NotEvaluated, Tests::NONE));
    assert_eq!(flags(120.0), (Flag::Suspect, Test::Companion.into()));
    assert_eq!(flags(500.0), (Flag::Fail, Test::Companion.into()));
}
