//! Windows and weighted means, as pandas has them.

use std::fs;

use jiff::Timestamp;
use serde_json::Value;

use super::{Series, close, end_s};
use crate::support::recorded;

/// Rows of a file of comma-separated values, without its header.
fn rows(path: &str) -> Option<Vec<Vec<String>>> {
    let text = fs::read_to_string(recorded(path)?).expect("it is readable");
    Some(text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect())
}

/// A local time with its distance from UTC, in seconds since 1970.
fn seconds(time: &str) -> i64 {
    let time: Timestamp = time.replace(' ', "T").parse().expect("a time");
    time.as_second()
}

fn irradiance() -> Option<Vec<(f64, Option<f64>)>> {
    let rows = rows("timeseries/midc_bms_ghi_20220120.csv")?;
    let reading = |row: &Vec<String>| (seconds(&row[0]) as f64, row[1].parse().ok());
    Some(rows.iter().map(reading).collect())
}

/// The column of the file and the key of the summary.
fn assert_row(row: &[String], columns: &[(usize, &str)], summary: &Value, tolerance: f64) {
    for (column, key) in columns {
        let got = summary[key].as_f64();
        match row[*column].parse::<f64>() {
            Ok(wanted) => {
                let got = got.unwrap_or_else(|| panic!("{key} of {row:?}: {summary}"));
                let same = (got - wanted).abs() <= tolerance * wanted.abs().max(1.0);
                assert!(same, "{key} {got} {row:?}");
            }
            Err(_) => assert_eq!(got, None, "{key} of {row:?}"),
        }
    }
}

#[test]
fn tumbling_windows_of_ten_minutes() {
    let (Some(readings), Some(expected)) = (irradiance(), rows("oracle_ghi_10min_pandas.csv"))
    else {
        return;
    };
    let series = Series {
        readings: &readings,
        defaults: "pane = \"1m\"\nwindows = [{ length = \"10m\", every = \"10m\" }]",
        channel: "",
    };
    let results = series.replay();
    assert_eq!(results.len(), expected.len());
    let columns =
        [(1, "n"), (2, "mean"), (3, "stddev"), (4, "min"), (5, "max"), (6, "first"), (7, "last")];
    for (row, summary) in expected.iter().zip(&results) {
        assert_eq!(end_s(summary) as i64, seconds(&row[0]) + 600);
        // The file has ten figures.
        assert_row(row, &columns, summary, 1e-9);
    }
}

/// Theirs are `(t - 10m, t]` at each reading, which an exact window is.
#[test]
fn rolling_windows_of_ten_minutes() {
    let (Some(readings), Some(expected)) = (irradiance(), rows("oracle_ghi_rolling10_pandas.csv"))
    else {
        return;
    };
    let series = Series {
        readings: &readings,
        defaults: "pane = \"1m\"\nwindows = [{ length = \"10m\", exact = true }]",
        channel: "",
    };
    let results = series.replay();
    assert_eq!(results.len(), expected.len());
    let columns = [(1, "n"), (2, "mean"), (3, "stddev"), (4, "min"), (5, "max")];
    for (row, summary) in expected.iter().zip(&results) {
        assert_eq!(end_s(summary) as i64, seconds(&row[0]));
        // Rolling, pandas takes values out of its sums again, and loses figures by it.
        assert_row(row, &columns, summary, 1e-7);
    }
}

#[test]
fn means_weighted_by_age_at_irregular_times() {
    let Some(path) = recorded("oracle_ewma_irregular.json") else { return };
    let oracle: Value =
        serde_json::from_str(&fs::read_to_string(path).expect("it is readable")).expect("JSON");
    let numbers = |key: &str| -> Vec<f64> {
        let list = oracle[key].as_array().expect("a list").iter();
        list.map(|number| number.as_f64().expect("a number")).collect()
    };
    let (times, values, expected) = (numbers("t"), numbers("x"), numbers("pandas_adjust_true"));
    let readings: Vec<_> = times.iter().zip(&values).map(|(t, x)| (*t, Some(*x))).collect();
    let series = Series {
        readings: &readings,
        defaults: "pane = \"500ms\"\nwindows = [{ length = \"500ms\", every = \"500ms\" }]",
        channel: &format!("ewma = \"{}s\"", oracle["halflife_s"]),
    };
    let results = series.replay();
    assert_eq!(results.len(), expected.len());
    for (summary, expected) in results.iter().zip(expected) {
        let got = summary["ewma"].as_f64().expect("a number");
        assert!(close(got, expected, 1e-12), "{got} for {expected}");
    }
}
