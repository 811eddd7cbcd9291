//! Statistics that are published, or follow from arithmetic.

use std::process::Stdio;

use serde_json::Value;

use super::{Series, close, end_s};
use crate::process::{Scratch, stillwell};

/// Values one second apart, in one window that holds them all.
fn whole(values: &[f64], channel: &str) -> Value {
    let readings: Vec<_> = (0..).zip(values).map(|(t, v)| (f64::from(t), Some(*v))).collect();
    let length = values.len();
    let series = Series {
        readings: &readings,
        defaults: &format!(
            "pane = \"1s\"\nwindows = [{{ length = \"{length}s\", every = \"{length}s\" }}]"
        ),
        channel,
    };
    let mut results = series.replay();
    assert_eq!(results.len(), 1);
    results.remove(0)
}

fn number(summary: &Value, key: &str) -> f64 {
    let found = key.split('.').fold(summary, |value, key| &value[key]);
    found.as_f64().unwrap_or_else(|| panic!("{key} of {summary}"))
}

/// NIST StRD NumAcc1 to NumAcc4: certified means and standard deviations, the values of a window
/// spread over its panes.
#[test]
fn means_and_deviations_of_nist_are_exact_to_their_digits() {
    let first = whole(&[10_000_001.0, 10_000_003.0, 10_000_002.0], "");
    assert_eq!((number(&first, "mean"), number(&first, "stddev")), (10_000_002.0, 1.0));
    for base in [1.2, 1_000_000.2, 10_000_000.2] {
        let step = |i: i32| if i % 2 == 0 { base + 0.1 } else { base - 0.1 };
        let values: Vec<f64> = [base].into_iter().chain((1..=1_000).map(step)).collect();
        let summary = whole(&values, "rms = true");
        assert!(close(number(&summary, "mean"), base, 1e-15), "{summary}");
        assert!(close(number(&summary, "stddev"), 0.1, 1e-8), "{summary}");
        let square = base * base + 0.01 * 1_000.0 / 1_001.0;
        assert!(close(number(&summary, "rms"), square.sqrt(), 1e-15), "{summary}");
    }
}

/// By `scipy.stats.circmean` and `circstd`, and Yamartino's formula.
#[test]
fn directions_have_a_middle_and_a_spread() {
    let channel = "kind = \"circular\"\nunit = \"deg\"";
    let angles = [43.0, 45.0, 52.0, 61.0, 75.0, 88.0, 88.0, 279.0, 357.0];
    let summary = whole(&angles, channel);
    for (key, expected) in
        [("mean", 51.0502), ("resultant", 0.71099), ("stddev", 47.3234), ("yamartino", 47.088)]
    {
        let got = number(&summary, &format!("circular.{key}"));
        assert!(close(got, expected, 2e-5), "{key}: {got}");
    }
    for absent in ["mean", "min", "max", "stddev"] {
        assert!(summary[absent].is_null(), "{absent} of directions: {summary}");
    }
    let summary = whole(&[350.0, 10.0], channel);
    let mean = number(&summary, "circular.mean");
    assert!(
        mean.min(360.0 - mean) < 1e-9
            && close(number(&summary, "circular.resultant"), 0.98481, 1e-5)
    );
    let summary = whole(&[0.0, 180.0], channel);
    assert_eq!(summary["circular"].as_object().map(serde_json::Map::len), Some(1), "{summary}");
    let radians: Vec<f64> = angles.iter().map(|angle: &f64| angle.to_radians()).collect();
    let summary = whole(&radians, "kind = \"circular\"\nunit = \"rad\"");
    assert!(close(number(&summary, "circular.mean"), 51.0502_f64.to_radians(), 2e-6));
}

/// A wind of 3 from the north and one of 4 from the east, and a direction without a speed; whichever
/// of the two comes first.
#[test]
fn directions_weigh_as_much_as_their_speeds() {
    directions_and_speeds("t,v,d\n0,3,0\n1,4,90\n9,,180\n12,1,0\n");
    directions_and_speeds("t,d,v\n0,0,3\n1,90,4\n9,180,\n12,0,1\n");
    // In frames of their own the speed that came before counts.
    directions_and_speeds("t=0 v=3\nt=0 d=0\nt=1 v=4\nt=1 d=90\nt=9 d=180\nt=12 v=1 d=0\n");
}

fn directions_and_speeds(series: &str) {
    let dir = Scratch::new();
    let config = dir.write(
        "c.toml",
        "[defaults]\npane = \"1s\"\nwindows = [{ length = \"10s\", every = \"10s\" }]\n\
         percentiles = []\nmax_hold = \"5s\"\n\
         [[source]]\nname = \"s\"\nkind = \"udp\"\nlisten = \"127.0.0.1:0\"\n\
         format = \"text\"\ntimestamp = \"t\"\ntime = \"device\"\nlateness = \"0s\"\n\
         [[channel]]\nid = \"from\"\nsource = \"s\"\nfield = \"d\"\nunit = \"deg\"\n\
         kind = \"circular\"\nspeed = \"speed\"\n\
         [[channel]]\nid = \"speed\"\nsource = \"s\"\nfield = \"v\"\nunit = \"m/s\"\n",
    );
    let log = dir.write("series.csv", series);
    let mut replay = stillwell();
    replay.arg("replay").arg(log).arg("--config").arg(config).args(["--channels", "from"]);
    let output = replay.stdout(Stdio::piped()).output().expect("it starts");
    let first = String::from_utf8(output.stdout).expect("text");
    let summary: Value =
        serde_json::from_str(first.lines().next().expect("a result")).expect("JSON");
    assert!(close(number(&summary, "vector.speed"), 2.5, 1e-15), "{summary}");
    let direction = number(&summary, "vector.direction");
    assert!(close(direction, 53.130_102_354_155_98, 1e-14), "{summary}");
    assert_eq!(number(&summary, "n"), 3.0);
}

#[test]
fn counters_tell_wraps_and_resets_apart() {
    let raw = [4_294_967_290.0, 4_294_967_295.0, 3.0, 5.0, 2.0, 7.0];
    let summary = whole(&raw, "kind = \"counter\"\nwidth = 32");
    let counted = |key: &str| number(&summary, &format!("counter.{key}"));
    assert_eq!((counted("increase"), counted("wraps"), counted("resets")), (18.0, 1.0, 1.0));
    assert!(close(counted("per_second"), 18.0 / 5.0, 1e-15));
    assert!(summary["mean"].is_null() && summary["last"] == 7.0, "{summary}");
    assert_eq!(summary["tests"], Value::Null);
}

/// What a counter counted in a row of windows adds up to what it counted in all.
#[test]
fn increases_of_windows_add_up() {
    let readings: Vec<_> = (0..60).map(|t| (f64::from(t), Some(f64::from(t * t % 256)))).collect();
    let series = Series {
        readings: &readings,
        defaults: "pane = \"1s\"\nwindows = [{ length = \"10s\", every = \"10s\" }]",
        channel: "kind = \"counter\"\nmodulus = 256",
    };
    let sum: f64 = series.replay().iter().map(|line| number(line, "counter.increase")).sum();
    assert_eq!(sum, f64::from(59 * 59));
}

/// A switch that tells of its changes: what it was set to holds.
#[test]
fn states_have_their_times() {
    let series = Series {
        readings: &[(3.0, Some(0.0)), (10.0, Some(1.0)), (25.0, Some(7.0)), (58.0, Some(0.0))],
        defaults: "pane = \"1s\"\nwindows = [{ length = \"10s\", every = \"10s\" }]",
        channel: "kind = \"state\"\nstates = [\"off\", \"on\"]\nmax_hold = \"30s\"",
    };
    let results = series.replay();
    let told: Vec<_> = results
        .iter()
        .map(|line| {
            let seconds = |state: &str| number(line, &format!("state_seconds.{state}"));
            let times = (seconds("off"), seconds("on"), seconds("other"));
            (end_s(line), times, number(line, "transitions"), number(line, "known"))
        })
        .collect();
    let expected = [
        (10.0, (7.0, 0.0, 0.0), 0.0, 0.7),
        (20.0, (0.0, 10.0, 0.0), 1.0, 1.0),
        (30.0, (0.0, 5.0, 5.0), 1.0, 1.0),
        (40.0, (0.0, 0.0, 10.0), 0.0, 1.0),
        (50.0, (0.0, 0.0, 10.0), 0.0, 1.0),
        (60.0, (2.0, 0.0, 5.0), 1.0, 0.7),
    ];
    assert_eq!(told, expected);
}

/// NIST SP 1065, 12.4, a thousand points.
#[test]
fn allan_deviations_are_those_of_the_handbook() {
    let mut n = 1_234_567_890_u64;
    let values: Vec<f64> = (0..1_000)
        .map(|_| {
            let value = n as f64 / 2_147_483_647.0;
            n = 16_807 * n % 2_147_483_647;
            value
        })
        .collect();
    let summary = whole(&values, "allan = [\"1s\", \"10s\", \"100s\"]");
    for (length, expected) in [("1s", 2.922319e-1), ("10s", 9.965736e-2), ("100s", 3.897804e-2)] {
        let got = summary["allan"][length].as_f64();
        let got = got.or_else(|| summary["allan"]["1m40s"].as_f64()).expect("a deviation");
        assert!(close(got, expected, 5e-7), "{length}: {got} {summary}");
    }
}

/// A gust of 3 s at 4 Hz in a steady wind.
#[test]
fn a_gust_is_the_largest_mean_of_three_seconds() {
    let speed = |i: i32| match i {
        40..52 => 15.0,
        100 => 60.0,
        _ => 5.0,
    };
    let readings: Vec<_> = (0..240).map(|i| (f64::from(i) / 4.0, Some(speed(i)))).collect();
    let series = Series {
        readings: &readings,
        defaults: "pane = \"1s\"\nwindows = [{ length = \"1m\", every = \"1m\" }]",
        channel: "gust = true",
    };
    let results = series.replay();
    assert_eq!(number(&results[0], "gust.value"), 15.0, "{results:?}");
    assert_eq!(results[0]["gust"]["time"], "1970-01-01T00:00:12.75Z");
    assert_eq!(number(&results[0], "max"), 60.0);
}

#[test]
fn a_summary_says_how_far_it_is_to_be_trusted_and_why() {
    let series = Series {
        readings: &[(0.0, Some(5.0)), (1.0, Some(700.0)), (2.0, Some(6.0)), (40.0, Some(7.0))],
        defaults: "pane = \"1s\"\nwindows = [{ length = \"60s\", every = \"60s\" }]",
        channel: "expected_rate = 1\nstale_after = \"5s\"\ncompleteness = 66\n\
                  calibration = [{ kind = \"linear\", scale = 1, from = \"1960-01-01T00:00:00Z\", version = \"A\" }]\n\
                  qc = { gross_range = { fail = [0, 100] } }",
    };
    let results = series.replay();
    let summary = &results[0];
    assert_eq!((&summary["status"], &summary["withheld"]), (&"bad".into(), &true.into()));
    assert_eq!(summary["longest_gap_ms"], 38_000);
    assert_eq!(summary["good_age_ms"], 20_000);
    assert_eq!(summary["tests"], serde_json::json!(["gross_range"]));
    assert_eq!(summary["calibration"], "A");
    assert_eq!(number(summary, "known"), 11.0 / 60.0);
    assert!(summary["mean"].is_null(), "{summary}");
    let reasons: Vec<&str> =
        summary["reasons"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert_eq!(
        reasons,
        [
            "5 % of the expected readings came, good from 75 %",
            "a value is known for 18.3 % of the time, good from 75 %",
            "no good reading for 38s at the longest, stale after 5s",
            "1 of 4 readings failed",
            "against readings: gross_range",
            "values withheld: 18.3 % is there of 66 %",
        ]
    );
}

/// A counter of 16 bits that counts thousandths, with what no such counter shows in between: those
/// readings fail, and no step is made of them.
#[test]
fn a_counter_is_as_wide_as_what_it_shows_and_shows_nothing_else() {
    let raw = [65_000.0, 90_000.0, 65_530.0, 4.0, -5.0, 14.0];
    let readings: Vec<_> = (0..).map(f64::from).zip(raw.map(Some)).collect();
    let series = Series {
        readings: &readings,
        defaults: "pane = \"1s\"\nwindows = [{ length = \"60s\", every = \"60s\" }]",
        channel: "kind = \"counter\"\nwidth = 16\nunit = \"kW.h\"\n\
                  calibration = { kind = \"linear\", scale = 0.001 }",
    };
    let results = series.replay();
    let (summary, counter) = (&results[0], &results[0]["counter"]);
    assert!(close(number(counter, "increase"), 0.550, 1e-12), "{summary}");
    assert_eq!((&counter["wraps"], &counter["resets"]), (&1.into(), &0.into()));
    assert_eq!((&summary["flags"]["fail"], &summary["n"]), (&2.into(), &4.into()));
    assert_eq!(summary["tests"], serde_json::json!(["domain"]));
}
