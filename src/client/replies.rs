//! What is read of the daemon's answers; unknown keys are passed over, for it may be newer.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use super::{connection::parse, failure::Failure, number, table::Cell};
use crate::{engine::duration, limits::SECOND};

/// A page of `Get`, or a message of `Watch`.
#[derive(Deserialize)]
pub(super) struct Current<'a> {
    pub(super) time: String,
    #[serde(default)]
    pub(super) skipped: u64,
    #[serde(borrow)]
    pub(super) summaries: Vec<&'a RawValue>,
    pub(super) channels: Vec<Live>,
}

/// A summary.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Summary {
    pub(super) id: String,
    pub(super) window: String,
    pub(super) end: String,
    pub(super) n: u64,
    pub(super) coverage: Option<f64>,
    pub(super) status: String,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) mean: Option<f64>,
    pub(super) stddev: Option<f64>,
    #[serde(default)]
    pub(super) percentiles: BTreeMap<String, f64>,
}

/// Live state of a channel.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Live {
    pub(super) id: String,
    pub(super) unit: Option<String>,
    pub(super) state: String,
    pub(super) value: Option<f64>,
    pub(super) age_ms: Option<u64>,
}

/// Which windows are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// Of each channel the shortest of at least a minute, or else its longest.
    One,
    /// What the daemon sends: all, or those of the length it was asked for.
    All,
}

/// Parameters of `Get` and `Watch`, and which of the windows are shown.
pub(super) fn parameters(
    patterns: &[String],
    window: Option<&str>,
) -> Result<(Map<String, Value>, Shown), Failure> {
    let mut parameters = Map::new();
    if !patterns.is_empty() {
        parameters.insert("channels".into(), patterns.into());
    }
    let shown = match window {
        None => Shown::One,
        Some("all") => Shown::All,
        Some(length) => {
            duration::parse(length)
                .map_err(|error| Failure::Usage(format!("--window {length}: {error}")))?;
            parameters.insert("window".into(), length.into());
            Shown::All
        }
    };
    Ok((parameters, shown))
}

/// The summaries that are shown, in order, each with its text as the daemon wrote it.
///
/// The summaries of one channel stand together.
pub(super) fn select<'a>(
    texts: &[&'a RawValue],
    shown: &Shown,
) -> Result<Vec<(Summary, &'a str)>, Failure> {
    let parsed = texts.iter().map(|text| Ok((parse::<Summary>(text.get())?, text.get())));
    let mut summaries = parsed.collect::<Result<Vec<_>, Failure>>()?;
    if *shown == Shown::One {
        let mut kept: Vec<(Summary, &str)> = Vec::new();
        for (summary, text) in summaries {
            match kept.last_mut() {
                Some(last) if last.0.id == summary.id => {
                    if rank(&summary) < rank(&last.0) {
                        *last = (summary, text);
                    }
                }
                _ => kept.push((summary, text)),
            }
        }
        summaries = kept;
    }
    Ok(summaries)
}

/// The smallest is shown: first those of at least a minute, from short to long, then the
/// others, from long to short.
fn rank(summary: &Summary) -> (bool, i64) {
    let length_ns = duration::parse(&summary.window).unwrap_or(0);
    let is_short = length_ns < 60 * SECOND;
    (is_short, if is_short { -length_ns } else { length_ns })
}

/// The latest value with its unit.
pub(super) fn live_cells(live: &Live) -> [Cell; 3] {
    let unit = live.unit.clone().unwrap_or_default();
    [number::optional(live.value).into(), unit.into(), Cell::judged(&live.state)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(id: &str, window: &str) -> Box<RawValue> {
        let text = format!(
            r#"{{"id":"{id}","window":"{window}","end":"","n":1,"status":"good","new":[]}}"#
        );
        RawValue::from_string(text).expect("JSON")
    }

    fn shown(windows: &[(&str, &str)], shown: &Shown) -> Vec<String> {
        let texts: Vec<_> = windows.iter().map(|(id, window)| summary(id, window)).collect();
        let texts: Vec<&RawValue> = texts.iter().map(|text| &**text).collect();
        let selected = select(&texts, shown).expect("parses");
        selected.into_iter().map(|(s, _)| format!("{} {}", s.id, s.window)).collect()
    }

    #[test]
    fn one_window_is_the_shortest_of_at_least_a_minute() {
        let windows = [("a", "1s"), ("a", "1m"), ("a", "10m"), ("b", "1s"), ("b", "10s")];
        assert_eq!(shown(&windows, &Shown::One), ["a 1m", "b 10s"]);
        assert_eq!(shown(&windows, &Shown::All).len(), 5);
    }

    #[test]
    fn a_window_that_is_no_duration_is_a_mistake_of_usage() {
        let error = parameters(&[], Some("soon")).expect_err("no duration");
        assert_eq!(error.exit_code(), 64);
        let (sent, _) = parameters(&["a*".into()], Some("1m")).expect("fine");
        assert_eq!(Value::from(sent).to_string(), r#"{"channels":["a*"],"window":"1m"}"#);
    }
}
