//! The edges of each test: what a fault there would change.

use super::{
    attenuated::{Attenuated, Spread},
    climatology::{Member, Season},
    companions::Companions,
    partners::Partners,
    plan::MultiVariate,
    *,
};
use crate::{
    engine::{
        condition::{Change, Condition},
        devices::{DeviceNews, DeviceWord},
        ledger::Ledger,
        validate::Report,
    },
    limits::SECOND,
    wire::Health,
};

const SUSPECT_ABOVE_5: Thresholds = Thresholds { suspect: Some(5.0), fail: None };

/// What becomes of readings, given by their channel, second and value: the flags of those of c0 in
/// the order in which they entered. It is judged by this plan, and c1 by none.
fn flags(plan: QcPlan, readings: &[(u32, i64, Option<f64>)]) -> Vec<u8> {
    let events: Vec<Event> = readings
        .iter()
        .map(|&(channel, at_s, value)| Event::Reading { channel, at_ns: at_s * SECOND, value })
        .collect();
    let out = run_with(&[Some(Arc::new(plan)), None, None], &events, &[]);
    let entered = out.iter().flatten().filter(|one| one.channel == 0);
    entered.filter(|one| one.entry != Entry::Preview).map(|one| one.flag.code()).collect()
}

fn of_c0(values: &[(i64, f64)]) -> Vec<(u32, i64, Option<f64>)> {
    values.iter().map(|&(at_s, value)| (0, at_s, Some(value))).collect()
}

fn partner() -> Partner {
    Partner { id: "c1".into(), age_max_ns: 60 * SECOND }
}

#[test]
fn what_is_on_a_threshold_passes() {
    let both = Thresholds { suspect: Some(2.0), fail: Some(2.0) };
    assert_eq!((both.judge_above(2.0), both.judge_below(2.0)), (Flag::Pass, Flag::Pass));
    assert_eq!((both.judge_above(2.1), both.judge_below(1.9)), (Flag::Fail, Flag::Fail));
}

#[test]
fn a_second_reading_of_one_time_is_in_order_and_an_old_one_is_not_remembered() {
    let plan = || QcPlan {
        gap: Some(SUSPECT_ABOVE_5),
        rate_of_change: Some(SUSPECT_ABOVE_5),
        ..QcPlan::default()
    };
    assert_eq!(flags(plan(), &of_c0(&[(0, 0.0), (10, 0.0), (10, 0.0)])), [1, 3, 1]);
    let late = [(1, 0.0), (3, 0.0), (2, 100.0), (4, 0.0)];
    assert_eq!(flags(plan(), &of_c0(&late)), [1, 1, 2, 1]);
}

#[test]
fn there_is_no_rate_over_a_missing_value() {
    let plan = QcPlan { rate_of_change: Some(SUSPECT_ABOVE_5), ..QcPlan::default() };
    let readings = [(0, 0, Some(0.0)), (0, 1, None), (0, 2, Some(100.0)), (0, 3, Some(0.0))];
    assert_eq!(flags(plan, &readings), [1, 9, 1, 3]);
}

/// Of 1 and 3 the deviation is 1 with n, and 1.41 with n - 1.
#[test]
fn attenuation_goes_by_the_deviation_with_n() {
    let thresholds = Thresholds { suspect: Some(1.2), fail: None };
    let (spread, period_ns, readings_min) = (Spread::Stddev, 60 * SECOND, 2);
    let attenuated =
        Some(Attenuated { spread, thresholds, period_ns, readings_min, time_min_ns: 0 });
    let plan = QcPlan { attenuated, ..QcPlan::default() };
    assert_eq!(flags(plan, &of_c0(&[(0, 1.0), (1, 3.0)])), [2, 3]);
}

#[test]
fn both_instants_of_a_season_are_in_it() {
    let season = Season::Instants(10 * SECOND, 20 * SECOND);
    let spans = Spans { fail: None, suspect: Some(Span { min: 0.0, max: 1.0 }) };
    let members = [Member { season, depth: None, spans }];
    let judged = [10 * SECOND - 1, 10 * SECOND, 20 * SECOND, 20 * SECOND + 1].map(|at_ns| {
        climatology::judge(&members, &mut Almanac::default(), (at_ns, None), 5.0).code()
    });
    assert_eq!(judged, [2, 3, 3, 2]);
}

#[test]
fn a_neighbour_may_be_above_or_below_and_its_latest_value_counts() {
    let plan = || {
        let neighbour = Some(Neighbour {
            partner: partner(),
            conversion: Conversion::IDENTITY,
            thresholds: SUSPECT_ABOVE_5,
        });
        QcPlan { neighbour, ..QcPlan::default() }
    };
    let beside = |own| [(1, 0, Some(50.0)), (0, 1, Some(own))];
    assert_eq!(flags(plan(), &beside(56.0)), [3]);
    assert_eq!(flags(plan(), &beside(44.0)), [3]);
    assert_eq!(flags(plan(), &beside(45.0)), [1]);
    let late = [(1, 20, Some(50.0)), (1, 15, Some(0.0)), (0, 21, Some(50.0))];
    assert_eq!(flags(plan(), &late), [1], "what is older than the latest says nothing");
}

/// The other changes by exactly as much as counts for no change.
#[test]
fn a_channel_that_falls_alone_is_as_suspect_as_one_that_rises() {
    let multi_variate = MultiVariate { partner: partner(), rate: 5.0, partner_rate: 1.0 };
    for step in [10.0, -10.0] {
        let readings = [
            (1, 0, Some(7.0)),
            (0, 0, Some(0.0)),
            (1, 1, Some(8.0)),
            (0, 1, Some(step)),
            (1, 2, Some(10.0)),
            (0, 2, Some(2.0 * step)),
        ];
        let plan = QcPlan { multi_variate: Some(multi_variate.clone()), ..QcPlan::default() };
        assert_eq!(flags(plan, &readings), [2, 3, 1], "{step}");
    }
}

/// Ten up and one down: by the smaller of the two.
#[test]
fn a_spike_is_as_high_as_its_lower_side() {
    let spike = Some(Spike { method: Method::Differential, thresholds: SUSPECT_ABOVE_5 });
    let plan = QcPlan { spike, ..QcPlan::default() };
    let series = of_c0(&[(0, 0.0), (1, 10.0), (2, 9.0), (3, 20.0), (4, 10.0)]);
    assert_eq!(flags(plan, &series), [2, 1, 1, 3, 2]);
}

#[test]
fn with_a_direction_goes_the_nearest_speed_of_its_frame_or_the_last_before() {
    let (mut companions, mut partners) = (Companions::default(), Partners::default());
    let number = companions.add(&partner(), &mut partners);
    let speed = partners.number(&"c1".into());
    let mut frame = |speeds: &[(i64, Option<f64>)], at_s: i64| {
        for &(at_s, value) in speeds {
            companions.see(speed, at_s * SECOND, value);
        }
        companions.hold(0, number, reading(0, at_s * SECOND, Some(90.0)));
        let mut given = None;
        companions.end_frame(|companion, _, _| given = companion.map(|one| one.value));
        given
    };
    assert_eq!(frame(&[(99, Some(3.0)), (101, Some(7.0))], 100), Some(7.0), "the last of as near");
    assert_eq!(frame(&[], 98), Some(7.0), "of earlier frames the last alone");
    assert_eq!(frame(&[(102, Some(1.0)), (109, Some(2.0))], 103), Some(1.0));
    assert_eq!(frame(&[(110, None)], 110), None, "a missing speed is none");
    assert_eq!(frame(&[(111, Some(4.0))], 111 + 61), None, "too far away");
}

/// Of one time the last that came is the latest, whether it counts or not.
#[test]
fn directions_of_one_time_stay_in_order() {
    let mut stage = Qc::default();
    let mut checked = Checked::empty(0);
    let mut info = tests_support::info(0, "c0");
    Arc::make_mut(&mut info).rules.statistics.speed = Some(partner());
    checked.added.push(Added { info, conversion: Conversion::IDENTITY, qc: None, kept: None });
    let fail = |value| Reading { flag: Flag::Fail, ..reading(0, 5, Some(value)) };
    checked.readings.extend([reading(0, 5, Some(1.0)), fail(2.0), reading(0, 5, Some(3.0))]);
    checked.readings.push(fail(4.0));
    let out = stage.step(checked).expect("it comes out");
    let values: Vec<f64> = out.readings.iter().map(|reading| reading.value).collect();
    assert_eq!(values, [1.0, 2.0, 3.0, 4.0]);
}

/// What waits comes in between: what a device said stays where it was said.
#[test]
fn words_of_devices_keep_their_places_among_readings() {
    let mut stage = Qc::default();
    let mut checked = Checked::empty(0);
    let qc = plans()[SPIKED as usize].clone();
    let (info, conversion) = (tests_support::info(0, "c0"), Conversion::IDENTITY);
    checked.added.push(Added { info, conversion, qc, kept: None });
    checked.readings.extend((0..3).map(|at_ns| reading(0, at_ns, Some(1.0))));
    let condition = Condition { health: Health::Failure, origin: None };
    let change = Change { from_ns: 0, condition };
    let word = |readings| DeviceWord { number: 0, readings, advances: 0, change };
    checked.report = Some(Report {
        source: 0,
        ledger: Ledger::default(),
        drops: None,
        link: None,
        first_arrival_ns: None,
        last_arrival_ns: None,
        devices: DeviceNews { words: [0, 2, 3].map(word).into(), ..DeviceNews::default() },
    });
    let out = stage.step(checked).expect("it comes out");
    let words = &out.report.as_ref().expect("a report").devices.words;
    let places: Vec<usize> = words.iter().map(|word| word.readings).collect();
    // Each of the second and the third reading settles the one before it.
    assert_eq!((out.readings.len(), places), (5, vec![0, 3, 5]));
}
