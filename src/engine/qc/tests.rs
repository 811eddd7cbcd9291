//! The stage as a whole: nothing is lost, nothing enters a pane that has closed, and batches do
//! not matter.

mod edges;

use std::sync::Arc;

use proptest::prelude::*;

use super::{
    bounds::{Span, Spans, Thresholds},
    plan::{Neighbour, Partner, QcPlan},
    spike::{Method, Spike},
    *,
};
use crate::engine::{
    registry::Added,
    snapshot::tests_support,
    unit::Conversion,
    validate::Entry,
    verdict::{Test, Tests},
};

const SPIKED: u32 = 0;
const RANGED: u32 = 1;
const PLAIN: u32 = 2;

/// The plans of three channels, c0 to c2.
type Plans = [Option<Arc<QcPlan>>; 3];

fn plans() -> Plans {
    let thresholds = Thresholds { suspect: Some(2.0), fail: Some(5.0) };
    let spike = Some(Spike { method: Method::Average, thresholds });
    let suspect = Some(Span { min: 0.0, max: 10.0 });
    let gross_range = Some(Spans { fail: None, suspect });
    let partner = Partner { id: "c0".into(), age_max_ns: 1_000 };
    let neighbour = Some(Neighbour { partner, conversion: Conversion::IDENTITY, thresholds });
    [
        Some(Arc::new(QcPlan { spike, gross_range, ..QcPlan::default() })),
        Some(Arc::new(QcPlan { gross_range, neighbour, ..QcPlan::default() })),
        None,
    ]
}

/// What comes to the stage, one after the other.
#[derive(Clone, Copy, Debug)]
enum Event {
    Reading { channel: u32, at_ns: i64, value: Option<f64> },
    Advance(i64),
}

fn reading(channel: u32, at_ns: i64, value: Option<f64>) -> Reading {
    let (flag, entry) = match value {
        Some(_) => (Flag::NotEvaluated, Entry::Value),
        None => (Flag::Missing, Entry::Note),
    };
    let value = value.unwrap_or(f64::NAN);
    Reading { channel, flag, entry, tests: Tests::NONE, at_ns, value }
}

/// What leaves the stage: readings and watermarks in their order, however the events are cut.
fn run(events: &[Event], cuts: &[usize]) -> Vec<Result<Reading, i64>> {
    run_with(&plans(), events, cuts)
}

fn run_with(channels: &Plans, events: &[Event], cuts: &[usize]) -> Vec<Result<Reading, i64>> {
    let mut stage = Qc::default();
    for id in ["c0", "c1"] {
        stage.partners.number(&id.into());
    }
    let mut added: Vec<Added> = (0..)
        .zip(channels)
        .map(|(index, qc)| {
            let info = tests_support::info(index, &format!("c{index}"));
            Added { info, conversion: Conversion::IDENTITY, qc: qc.clone(), kept: None }
        })
        .collect();
    let mut out = Vec::new();
    let mut from = 0;
    for &to in cuts.iter().chain([&events.len()]) {
        let mut checked = Checked::empty(0);
        checked.added = std::mem::take(&mut added);
        for event in &events[from.min(to)..to] {
            match *event {
                Event::Reading { channel, at_ns, value } => {
                    checked.readings.push(reading(channel, at_ns, value));
                }
                Event::Advance(watermark_ns) => {
                    let after = checked.readings.len();
                    checked.advances.push(Advance { after, lane: 0, watermark_ns });
                }
            }
        }
        from = from.max(to);
        give(&stage.step(checked).expect("each batch comes out"), &mut out);
    }
    if let Some(last) = stage.finish() {
        give(&last, &mut out);
    }
    out
}

fn give(checked: &Checked, out: &mut Vec<Result<Reading, i64>>) {
    let mut taken = 0;
    for advance in &checked.advances {
        out.extend(checked.readings[taken..advance.after].iter().copied().map(Ok));
        out.push(Err(advance.watermark_ns));
        taken = advance.after;
    }
    out.extend(checked.readings[taken..].iter().copied().map(Ok));
}

/// Instants rise, but for some that are late by less than the watermark lets.
fn any_events() -> impl Strategy<Value = Vec<Event>> {
    let step = (0..3_u32, 0..4_i64, proptest::option::weighted(0.9, -2..14_i32), 0..8_u8, 0..3_i64);
    proptest::collection::vec(step, 0..80).prop_map(|steps| {
        let (mut now_ns, mut watermark_ns, mut events) = (100, 0, Vec::new());
        for (channel, gap, value, kind, late) in steps {
            now_ns += gap;
            if kind == 0 {
                watermark_ns = watermark_ns.max(now_ns - 4);
                events.push(Event::Advance(watermark_ns));
            } else {
                let at_ns = (now_ns - late).max(watermark_ns);
                events.push(Event::Reading { channel, at_ns, value: value.map(f64::from) });
            }
        }
        events
    })
}

/// The order in which values and notes enter panes.
fn entered(out: &[Result<Reading, i64>]) -> Vec<(u32, i64, u64)> {
    let entries = out.iter().filter_map(|event| event.as_ref().ok());
    let entries = entries.filter(|reading| reading.entry != Entry::Preview);
    entries.map(|reading| (reading.channel, reading.at_ns, reading.value.to_bits())).collect()
}

proptest! {
    #[test]
    fn all_that_comes_enters_once_and_before_its_pane_closes(
        events in any_events(),
        cuts in proptest::collection::vec(0..80_usize, 0..6),
    ) {
        let whole = run(&events, &[]);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(events.len())).collect();
        cuts.sort_unstable();
        let bits = |out: &[Result<Reading, i64>]| format!("{out:?}");
        prop_assert_eq!(bits(&run(&events, &cuts)), bits(&whole), "batches do not matter");

        let mut came: Vec<_> = events
            .iter()
            .filter_map(|event| match *event {
                Event::Reading { channel, at_ns, value } => {
                    Some((channel, at_ns, value.unwrap_or(f64::NAN).to_bits()))
                }
                Event::Advance(_) => None,
            })
            .collect();
        let mut went = entered(&whole);
        came.sort_unstable();
        went.sort_unstable();
        prop_assert_eq!(went, came, "nothing is lost or made up");

        let mut watermark_ns = i64::MIN;
        for event in &whole {
            match event {
                Err(to_ns) => watermark_ns = *to_ns,
                Ok(reading) => prop_assert!(watermark_ns <= reading.at_ns, "{reading:?} is late"),
            }
        }
        for reading in whole.iter().flatten().filter(|reading| reading.channel == PLAIN) {
            prop_assert!(matches!(reading.flag, Flag::NotEvaluated | Flag::Missing));
        }
    }
}

fn values(channel: u32, values: &[f64]) -> Vec<Event> {
    let at = |(at_ns, &value)| Event::Reading { channel, at_ns, value: Some(value) };
    (100..).zip(values).map(at).collect()
}

#[test]
fn a_reading_waits_for_its_neighbour_and_is_shown_meanwhile() {
    let out = run(&values(SPIKED, &[5.0, 9.0, 5.0]), &[]);
    let told: Vec<_> = out
        .iter()
        .flatten()
        .map(|reading| (reading.value, reading.entry, reading.flag.code()))
        .collect();
    assert_eq!(
        told,
        [
            (5.0, Entry::Preview, 1),
            // The first has no neighbour before it; its range was judged all the same.
            (5.0, Entry::Settled, 1),
            (9.0, Entry::Preview, 1),
            (9.0, Entry::Settled, 3),
            (5.0, Entry::Preview, 1),
            (5.0, Entry::Settled, 1),
        ]
    );
    let spiked = out.iter().flatten().find(|reading| reading.flag == Flag::Suspect);
    assert_eq!(spiked.expect("the spike").tests, Test::Spike.into());
}

#[test]
fn whose_pane_closes_first_enters_without_the_verdict() {
    let mut events = values(SPIKED, &[5.0, 9.5]);
    events.push(Event::Advance(102));
    events.extend([Event::Reading { channel: SPIKED, at_ns: 102, value: Some(5.0) }]);
    let out = run(&events, &[]);
    let advance = out.iter().position(Result::is_err).expect("the watermark");
    let settled = out.iter().position(|event| {
        matches!(event, Ok(Reading { entry: Entry::Settled, value: 9.5, flag: Flag::Pass, .. }))
    });
    assert!(settled.expect("it enters") < advance);
}

#[test]
fn a_neighbour_counts_as_long_as_it_is_near_in_time_and_good() {
    let near = |at_ns, value| Event::Reading { channel: SPIKED, at_ns, value };
    let own = |at_ns| Event::Reading { channel: RANGED, at_ns, value: Some(8.0) };
    let events = [
        near(100, Some(5.0)),
        own(101),
        own(2_000),
        near(2_001, Some(8.0)),
        own(2_002),
        near(2_003, None),
        own(2_004),
    ];
    let out = run(&events, &[]);
    let of_own = out.iter().flatten().filter(|reading| reading.channel == RANGED);
    let tests: Vec<bool> = of_own.map(|reading| reading.tests.contains(Test::Neighbour)).collect();
    assert_eq!(tests, [true, false, false, false]);
}
