//! A day of irradiance, minute by minute, against aggregates that pandas worked out.
//!
//! The windows are the same under two names: ours are `[t - 10m, t)` and named by their end.
//! Tumbling ones of pandas are `[t, t + 10m)` and named by their begin; its rolling ones are
//! `(t - 10m, t]`, which for readings on whole minutes is our `[t - 9m, t + 1m)`.

use std::{fs, path::Path, process::Stdio};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{process::stillwell, support::recorded};

const DAY: &str = "timeseries/midc_bms_ghi_20220120.csv";
/// The tables of the oracle have ten digits.
const DIGITS: f64 = 5e-10;
/// Pandas subtracts what leaves a rolling window, and its standard deviations drift this far from
/// the true ones in the course of the day.
const DRIFT: f64 = 3e-6;

/// Compares each result of a replay with a row of the oracle; `shift` leads from the name that
/// pandas gives a window to its end. `deviation`: how far the standard deviations may differ.
fn agrees(window: &str, oracle: &str, shift: SignedDuration, deviation: f64) {
    let (Some(day), Some(oracle)) = (recorded(DAY), recorded(oracle)) else { return };
    let mut replay = stillwell();
    replay.args(["replay", "--timestamp", "1", "--window", window]).arg(&day);
    let output = replay.stdout(Stdio::piped()).output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let results = String::from_utf8(output.stdout).expect("text");
    let results: Vec<Value> =
        results.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let (names, rows) = table(&oracle);
    assert_eq!(results.len(), rows.len(), "a result for each row");
    let readings: Vec<(Timestamp, f64)> = table(&day)
        .1
        .into_iter()
        .map(|(at, cells)| (at, cells[0].expect("no minute of this day is missing")))
        .collect();
    let mut compared = 0;
    for (result, (name, cells)) in results.iter().zip(rows) {
        let end: Timestamp = result["end"].as_str().expect("a time").parse().expect("a time");
        assert_eq!(end, name + shift, "{result}");
        for (column, cell) in names.iter().zip(cells) {
            let Some(key) = our_name(column) else { continue };
            let ours = result.get(key).and_then(Value::as_f64);
            let relative = if key == "stddev" { deviation } else { DIGITS };
            let near = match (ours, cell) {
                (Some(ours), Some(theirs)) => (ours - theirs).abs() <= relative * theirs.abs(),
                (ours, theirs) => ours == theirs,
            };
            assert!(near, "{column}: {ours:?} is not {cell:?}: {result}");
            compared += 1;
        }
        let begin = end - SignedDuration::from_mins(10);
        let inside = readings.iter().filter(|(at, _)| begin <= *at && *at < end);
        let values: Vec<f64> = inside.map(|(_, value)| *value).collect();
        deviation_is_exact(result, &values);
        percentiles_are_order_statistics(result, values);
    }
    assert!(700 <= compared, "{compared} numbers were compared");
}

/// The standard deviation in two passes, against which ours has the bound of the design.
fn deviation_is_exact(result: &Value, values: &[f64]) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let Some(ours) = result.get("stddev").and_then(Value::as_f64) else {
        return assert_eq!(values.len(), 1, "{result}");
    };
    let exact = (squares / (n - 1.0)).sqrt();
    let largest = values.iter().fold(0_f64, |largest, value| largest.max(value.abs()));
    let bound = 8.0 * f64::EPSILON / 2.0 * (1.0 + largest / exact);
    assert!((ours - exact).abs() <= bound * exact, "{ours} is not {exact}: {result}");
}

/// What pandas calls percentiles lies between readings; ours are readings, to the resolution.
fn percentiles_are_order_statistics(result: &Value, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    assert_eq!(result["n"], values.len(), "{result}");
    for (percent, ours) in result["percentiles"].as_object().expect("percentiles") {
        let rank = (percent.parse::<f64>().expect("a number") / 100.0 * values.len() as f64).ceil();
        let theirs = values[(rank as usize).max(1) - 1];
        let ours = ours.as_f64().expect("a number");
        let bound = 0.001 / 2.0 + theirs.abs() / 256.0;
        assert!((ours - theirs).abs() <= bound, "p{percent}: {ours} for {theirs}: {result}");
    }
}

fn our_name(column: &str) -> Option<&str> {
    match column {
        "count" => Some("n"),
        "std1" => Some("stddev"),
        "mean" | "min" | "max" | "first" | "last" => Some(column),
        _ => None,
    }
}

type Row = (Timestamp, Vec<Option<f64>>);

/// The names of the columns after the first, which is the time, and the rows.
fn table(path: &Path) -> (Vec<String>, Vec<Row>) {
    let text = fs::read_to_string(path).expect("it is there");
    let mut lines = text.lines();
    let names = lines.next().expect("a header").split(',').skip(1).map(str::to_owned).collect();
    let row = |line: &str| {
        let mut cells = line.split(',');
        let time = cells.next().expect("a time").replacen(' ', "T", 1);
        (time.parse().expect("a time"), cells.map(|cell| cell.parse().ok()).collect())
    };
    (names, lines.map(row).collect())
}

#[test]
fn tumbling_windows_agree_with_pandas() {
    agrees("10m/10m", "oracle_ghi_10min_pandas.csv", SignedDuration::from_mins(10), DIGITS);
}

#[test]
fn rolling_windows_agree_with_pandas() {
    agrees("10m/1m", "oracle_ghi_rolling10_pandas.csv", SignedDuration::from_mins(1), DRIFT);
}
