//! Averages over time and their integrals, as OPC UA Part 13 has them.
//!
//! Of the sets that were checked against the definitions, `TimeAverage2` and `Total2` (simple
//! bounding values) have our definition: what a reading says holds until a bad one, and nothing is
//! known then until the next. `TimeAverage` and `Total` look through bad readings, and agree where
//! there are none; the differences are listed in `docs/definitions.md`.

use std::{collections::BTreeMap, fs};

use serde_json::Value;

use super::{Series, close, end_s};
use crate::support::recorded;

/// A processed set, the series behind it, and how it is to be read.
struct Set<'a> {
    set: &'a Value,
    raw: Vec<Raw>,
}

#[derive(Clone, Copy, Debug)]
struct Raw {
    at_s: f64,
    value: Option<f64>,
    is_bad: bool,
}

/// What a bad reading shows: it is accepted, and fails a test.
const BAD: f64 = 99_999.0;

impl Set<'_> {
    fn is(&self, key: &str, value: &str) -> bool {
        self.set[key] == value
    }

    fn name(&self) -> String {
        let word = |key: &str| self.set[key].as_str().unwrap_or_default().to_owned();
        format!("{} {}", word("DataSetName"), word("AggregateName"))
    }

    /// Whether it looks through bad readings.
    fn looks_through(&self) -> bool {
        self.is("AggregateName", "TimeAverage") || self.is("AggregateName", "Total")
    }

    /// Results by the beginning of their intervals.
    fn replay(&self) -> BTreeMap<i64, Value> {
        let course = if self.is("Stepped", "true") { "stepped" } else { "linear" };
        let percent = |key: &str| self.set[key].as_str().expect("a number").to_owned();
        let incomplete = match self.is("PercentBad", "50") {
            true => "completeness = 50",
            false => "",
        };
        let channel = format!(
            "interpolation = \"{course}\"\nmax_hold = \"1h\"\n{incomplete}\n\
             status = {{ good = {}, bad = {} }}\nqc = {{ gross_range = {{ fail = [0, 1000] }} }}",
            percent("PercentGood"),
            percent("PercentBad"),
        );
        let readings: Vec<(f64, Option<f64>)> = self
            .raw
            .iter()
            .map(|raw| (raw.at_s, raw.value.filter(|_| !raw.is_bad).or(Some(BAD))))
            // What comes after the series, so that the last interval ends.
            .chain([(120.0, Some(BAD))])
            .collect();
        let defaults = "pane = \"1s\"\nwindows = [{ length = \"5s\", every = \"5s\" }]";
        let series = Series { readings: &readings, defaults, channel: &channel };
        series.replay().into_iter().map(|line| (end_s(&line) as i64 - 5, line)).collect()
    }

    /// Why the row from this instant on may differ, if there is a reason.
    fn difference(&self, from: f64, wanted: Option<f64>) -> Option<Difference> {
        let last = self.raw.iter().map(|raw| raw.at_s).fold(0.0, f64::max);
        if self.looks_through() && self.is_near_bad(from) {
            Some(Difference::ThroughBad)
        } else if self.is("UseSlopedExtrapolation", "true") && last <= from && wanted.is_some() {
            Some(Difference::Slope)
        } else if !self.looks_through() && last < from && wanted.is_none() {
            Some(Difference::NothingAfterTheLast)
        } else {
            None
        }
    }

    /// Whether the interval, or the line through it, touches a bad reading.
    fn is_near_bad(&self, from: f64) -> bool {
        let good = || self.raw.iter().filter(|raw| !raw.is_bad).map(|raw| raw.at_s);
        let before = good().filter(|at| *at <= from).fold(f64::NEG_INFINITY, f64::max);
        let after = good().filter(|at| from + 5.0 <= *at).fold(f64::INFINITY, f64::min);
        self.raw.iter().any(|raw| raw.is_bad && before < raw.at_s && raw.at_s < after)
    }
}

fn is_bad(point: &Value, set: &Value) -> bool {
    match point["q"].as_str() {
        Some("Bad") => true,
        Some("Uncertain") => set["TreatUncertainAsBad"] == "true",
        _ => false,
    }
}

#[test]
fn averages_over_time_are_those_of_opc_ua() {
    let Some(path) = recorded("opcua_part13_aggregates.json") else { return };
    let text = fs::read_to_string(path).expect("it is readable");
    let all: Value = serde_json::from_str(&text).expect("JSON");
    let (mut compared, mut differences) = (0, BTreeMap::<Difference, u32>::new());
    for set in all["processed"].as_array().expect("a list") {
        if set["AggregateName"] == "Interpolative" {
            continue;
        }
        let raw = &all["raw"][set["DataSetName"].as_str().expect("a name")];
        let raw = raw.as_array().expect("a list").iter().map(|point| Raw {
            at_s: point["t"].as_f64().expect("a time"),
            value: point["v"].as_str().and_then(|value| value.parse().ok()),
            is_bad: is_bad(point, set),
        });
        let set = Set { set, raw: raw.collect() };
        let results = set.replay();
        for row in set.set["values"].as_array().expect("a list") {
            let from = row["t"].as_f64().expect("a time");
            let wanted: Option<f64> = row["v"].as_str().map(|v| v.parse().expect("a number"));
            let total = set.set["AggregateName"].as_str().is_some_and(|n| n.starts_with("Total"));
            let got = results.get(&(from as i64)).and_then(|line| {
                line["time_weighted"][if total { "integral" } else { "mean" }].as_f64()
            });
            let same = match (got, wanted) {
                (Some(got), Some(wanted)) => (got - wanted).abs() < 5.1e-5,
                (None, None) => true,
                _ => false,
            };
            if same {
                compared += 1;
                continue;
            }
            let why = set.difference(from, wanted);
            let why =
                why.unwrap_or_else(|| panic!("{} {from}: {got:?} for {wanted:?}", set.name()));
            *differences.entry(why).or_default() += 1;
        }
    }
    let expected = [
        (Difference::ThroughBad, 31),
        (Difference::Slope, 4),
        (Difference::NothingAfterTheLast, 8),
    ];
    assert_eq!((compared, differences), (277, BTreeMap::from(expected)));
}

/// Why a row has another value than ours, as `docs/definitions.md` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    /// It looks through a bad reading, where for us nothing is known.
    ThroughBad,
    /// It goes on along the slope of the last two readings, where for us the last one holds.
    Slope,
    /// It knows nothing after the interval of the last reading, where for us it holds.
    NothingAfterTheLast,
}

/// `DurationGood` is the time in which a value is known.
#[test]
fn the_time_in_which_a_value_is_known_is_that_of_good_regions() {
    let readings = [(2.0, Some(10.0)), (25.0, Some(20.0)), (42.0, Some(BAD)), (48.0, Some(40.0))];
    let series = Series {
        readings: &[&readings[..], &[(60.0, Some(50.0))]].concat(),
        defaults: "pane = \"1s\"\nwindows = [{ length = \"10s\", every = \"10s\" }]",
        channel: "interpolation = \"stepped\"\nmax_hold = \"30s\"\n\
                  qc = { gross_range = { fail = [0, 1000] } }",
    };
    let known: Vec<(f64, f64)> = series
        .replay()
        .iter()
        .map(|line| (end_s(line), line["known"].as_f64().expect("a share")))
        .collect();
    let expected = [(10.0, 0.8), (20.0, 1.0), (30.0, 1.0), (40.0, 1.0), (50.0, 0.4), (60.0, 1.0)];
    for ((got, wanted), expected) in known.iter().zip(expected) {
        assert!(*got == expected.0 && close(*wanted, expected.1, 1e-12), "{known:?}");
    }
}
