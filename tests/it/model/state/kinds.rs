//! A plan with channels of every kind that remembers something.

use std::sync::Arc;

use stillwell::{
    engine::{
        ChannelPlan, Plan, Unknown,
        calibration::{
            Calibration, Counter, Era, Eras, Gives, Junction, OnReset, Thermocouple, Transfer,
        },
        glob::Glob,
        plan::{Linear, PatternPlan},
        qc::{
            attenuated::{Attenuated, Spread},
            bounds::Thresholds,
            flat_line::FlatLine,
            plan::{MultiVariate, Neighbour, Partner, QcPlan},
            spike::{Method, Spike},
        },
        unit::Conversion,
    },
    limits::MS,
};

use crate::model::{history::Setting, plan, statistics::statistics};

/// The plan of the model with something different for each channel; the channels of the second
/// device are configured, or found.
pub(super) fn every_kind(setting: &Setting, discovers: bool) -> Plan {
    let mut plan = plan(setting);
    for (number, channel) in (0..).zip(&mut plan.channels) {
        // Exact windows beside statistics, and percentiles with or without them.
        if number % 2 == 1 {
            channel.rules.exact = [].into();
        }
        if number == 4 {
            channel.rules.percentiles = [].into();
        }
        channel.rules.statistics = statistics(number);
        channel.qc = tests_of(number).map(Arc::new);
        channel.calibration = calibration(number);
        channel.unit = (number == 0).then(|| "Cel".into());
    }
    plan.channels[2].rules.statistics.speed =
        Some(Partner { id: Arc::clone(&plan.channels[1].id), age_max_ns: 2_000 * MS });
    if discovers {
        let found: Vec<ChannelPlan> = plan.channels.drain(3..).collect();
        let source = &mut plan.sources[0];
        source.unknown = Unknown::Discover { max: 2 };
        let pattern = |channel: ChannelPlan, index: u8| PatternPlan {
            glob: Glob::new(&format!("model.2.{index}")),
            unit: channel.unit,
            calibration: channel.calibration,
            conversion: Conversion::IDENTITY,
            qc: channel.qc,
            rules: channel.rules,
        };
        source.patterns = found.into_iter().zip(0..).map(|(c, index)| pattern(c, index)).collect();
    }
    plan
}

fn tests_of(number: u32) -> Option<QcPlan> {
    let thresholds = |suspect: f64| Thresholds { suspect: Some(suspect), fail: None };
    let first = Partner { id: "d1.c0".into(), age_max_ns: 1_500 * MS };
    match number {
        1 => Some(QcPlan {
            spike: Some(Spike { method: Method::Average, thresholds: thresholds(40.0) }),
            rate_of_change: Some(thresholds(500.0)),
            gap: Some(thresholds(1.0)),
            flat_line: Some(FlatLine {
                tolerance: 50.0,
                suspect_ns: Some(200 * MS),
                fail_ns: Some(900 * MS),
                except: None,
            }),
            ..QcPlan::default()
        }),
        3 | 5 => Some(QcPlan {
            spike: Some(Spike { method: Method::Differential, thresholds: thresholds(10.0) }),
            attenuated: Some(Attenuated {
                spread: Spread::Stddev,
                thresholds: thresholds(20.0),
                period_ns: 700 * MS,
                readings_min: 2,
                time_min_ns: 0,
            }),
            neighbour: Some(Neighbour {
                partner: first.clone(),
                conversion: Conversion::IDENTITY,
                thresholds: thresholds(30.0),
            }),
            multi_variate: Some(MultiVariate { partner: first, rate: 10.0, partner_rate: 300.0 }),
            ..QcPlan::default()
        }),
        _ => None,
    }
}

fn calibration(number: u32) -> Calibration {
    let chain: Box<[Transfer]> = match number {
        2 => [Transfer::Counter(Counter {
            modulus: Some(256.0),
            wrap_max: 128.0,
            gives: Gives::Total,
            on_reset: OnReset::FromZero,
        })]
        .into(),
        5 => [Transfer::Thermocouple {
            pair: Thermocouple::K,
            junction: Junction::Channel { channel: 0, max_age_ns: 3_000 * MS },
        }]
        .into(),
        4 => return Calibration::Linear(Linear { scale: 0.5, offset: 1.0 }),
        _ => return Calibration::IDENTITY,
    };
    Calibration::Eras(Arc::new(Eras::new(vec![Era { from_ns: i64::MIN, version: None, chain }])))
}
