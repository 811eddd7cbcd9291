//! What is read of the daemon's answers; unknown keys are passed over, for it may be newer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};

use super::{channels, connection::parse, failure::Failure, number, table::Cell};
use crate::{engine::duration, limits::SECOND};

/// A page of `Get`, or a message of `Watch`.
#[derive(Deserialize)]
pub(super) struct Current<'a> {
    pub(super) time: String,
    #[serde(default)]
    pub(super) skipped: u64,
    #[serde(borrow)]
    pub(super) summaries: Vec<&'a RawValue>,
    #[serde(borrow)]
    pub(super) channels: Vec<&'a RawValue>,
}

/// A summary.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Summary {
    pub(super) id: String,
    pub(super) window: String,
    pub(super) end: String,
    pub(super) n: u64,
    pub(super) coverage: Option<f64>,
    pub(super) known: Option<f64>,
    pub(super) status: String,
    due: Option<String>,
    #[serde(default)]
    pub(super) reasons: Vec<String>,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) mean: Option<f64>,
    pub(super) stddev: Option<f64>,
    pub(super) first: Option<f64>,
    pub(super) last: Option<f64>,
    pub(super) rate: Option<f64>,
    #[serde(default)]
    pub(super) overflow: u64,
    #[serde(default)]
    pub(super) percentiles: BTreeMap<String, f64>,
    circular: Option<Circular>,
}

/// What is shown of directions.
#[derive(Clone, Debug, Deserialize)]
struct Circular {
    mean: Option<f64>,
}

impl Summary {
    /// The mean, of directions that of a circle.
    pub(super) fn middle(&self) -> Option<f64> {
        self.mean.or_else(|| self.circular.as_ref()?.mean)
    }

    /// Why it is no better than its status says, in a line; `None` if there is nothing to say.
    pub(super) fn why(&self, live: &Live) -> Option<String> {
        let mut reasons = self.reasons.clone();
        reasons.extend(self.due.as_ref().map(|due| format!("its first result is due at {due}")));
        reasons.extend(live.health.as_ref().map(|health| format!("its device says {health}")));
        let told = !reasons.is_empty();
        told.then(|| format!("{} {}: {}", self.id, self.window, reasons.join("; ")))
    }
}

/// Live state of a channel.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Live {
    pub(super) id: String,
    pub(super) unit: Option<String>,
    pub(super) state: String,
    pub(super) value: Option<f64>,
    named: Option<String>,
    pub(super) time: Option<String>,
    pub(super) age_ms: Option<u64>,
    pub(super) flag: Option<String>,
    health: Option<String>,
}

/// A channel with one of its summaries, or without one if none is shown.
pub(super) struct Row<'a> {
    pub(super) live: Live,
    pub(super) summary: Option<Summary>,
    live_text: &'a str,
    summary_text: Option<&'a str>,
}

/// What a line says of the live state, as the daemon spelt it.
#[derive(Deserialize, Serialize)]
struct LiveTexts<'a> {
    #[serde(borrow)]
    state: &'a RawValue,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    value: Option<&'a RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    named: Option<&'a RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    time: Option<&'a RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    age_ms: Option<&'a RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    flag: Option<&'a RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    reasons: Option<&'a RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    health: Option<&'a RawValue>,
}

/// A line about a channel without a summary.
#[derive(Serialize)]
struct Alone<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'a str>,
    live: LiveTexts<'a>,
}

impl Row<'_> {
    /// The summary as the daemon wrote it with the live state of its channel under `live`, which
    /// alone stands where there is no summary.
    pub(super) fn line(&self) -> Result<String, Failure> {
        let live: LiveTexts<'_> = parse(self.live_text)?;
        let Live { id, unit, .. } = &self.live;
        let Some(summary) = self.summary_text else {
            return text_of(&Alone { id, unit: unit.as_deref(), live });
        };
        let open = summary.trim_end().strip_suffix('}').unwrap_or(summary);
        Ok(format!("{open},\"live\":{}}}", text_of(&live)?))
    }
}

fn text_of(value: &impl Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string(value);
    text.map_err(|error| Failure::Protocol(format!("the daemon's answer makes no sense: {error}")))
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
    let mut parameters = channels::selection(patterns);
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

/// Each channel with each of its summaries that are shown; a channel without one stands alone.
pub(super) fn rows<'a>(message: &Current<'a>, shown: &Shown) -> Result<Vec<Row<'a>>, Failure> {
    let mut of_channel: BTreeMap<String, Vec<(Summary, &'a str)>> = BTreeMap::new();
    for (summary, text) in select(&message.summaries, shown)? {
        of_channel.entry(summary.id.clone()).or_default().push((summary, text));
    }
    let mut rows = Vec::new();
    for text in &message.channels {
        let live_text = text.get();
        let live: Live = parse(live_text)?;
        let summaries = of_channel.remove(&live.id).unwrap_or_default();
        if summaries.is_empty() {
            rows.push(Row { live, summary: None, live_text, summary_text: None });
            continue;
        }
        rows.extend(summaries.into_iter().map(|(summary, text)| Row {
            live: live.clone(),
            summary: Some(summary),
            live_text,
            summary_text: Some(text),
        }));
    }
    Ok(rows)
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

/// The latest value with its unit, or the state by its name; a reading that failed and has no value
/// shows its flag.
pub(super) fn live_cells(live: &Live) -> [Cell; 3] {
    let unit = live.unit.clone().unwrap_or_default();
    let value = match (&live.named, live.value, &live.flag) {
        (Some(name), ..) => name.as_str().into(),
        (None, None, Some(flag)) if flag == "fail" => Cell::judged(flag),
        (None, value, _) => number::optional(value).into(),
    };
    [value, unit.into(), Cell::judged(&live.state)]
}

/// How many readings a summary is about, and of how many if the window holds fewer.
pub(super) fn n_text(summary: &Summary) -> String {
    let Summary { n, overflow, .. } = summary;
    if *overflow == 0 { n.to_string() } else { format!("{n} of {}", n.saturating_add(*overflow)) }
}

/// Share of the time, or else of the readings that came, and how far to trust a summary.
pub(super) fn trust_cells(summary: &Summary) -> [Cell; 2] {
    if summary.due.is_some() {
        return ["-".into(), Cell::judged(&summary.status)];
    }
    // Where no rate is expected, the time of which a value is known says as much.
    let share = summary.coverage.or(summary.known);
    let coverage = share.map_or_else(|| "-".to_owned(), number::percent);
    [coverage.into(), Cell::judged(&summary.status)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_joins_a_summary_and_the_live_state_without_touching_a_digit() {
        let message: Current<'_> = parse(
            r#"{"time":"t","summaries":[{"id":"a","window":"1m","end":"","n":2,"status":"good",
                "max":64.0}],"channels":[
                {"id":"a","unit":"Cel","state":"ok","value":63.10,"time":"t","age_ms":5,
                "flag":"pass","new":1},{"id":"b","unit":"bar","state":"never"}]}"#,
        )
        .expect("parses");
        let rows = rows(&message, &Shown::One).expect("parses");
        let lines: Vec<_> = rows.iter().map(|row| row.line().expect("joins")).collect();
        let joined: Value = serde_json::from_str(&lines[0]).expect("JSON");
        assert_eq!((&joined["max"], &joined["id"]), (&64.0.into(), &"a".into()));
        assert!(lines[0].ends_with(concat!(
            r#""max":64.0,"live":{"state":"ok","value":63.10,"time":"t","age_ms":5,"#,
            r#""flag":"pass"}}"#
        )));
        assert_eq!(lines[1..], [r#"{"id":"b","unit":"bar","live":{"state":"never"}}"#]);
    }

    #[test]
    fn why_a_summary_is_no_better_is_told_in_a_line() {
        let live: Live = parse(r#"{"id":"a","state":"ok","health":"off_spec"}"#).expect("parses");
        let mut told: Summary = parse(
            r#"{"id":"a","window":"1m","end":"","n":2,"status":"bad","known":0.2,
                "reasons":["3 of 5 readings failed","no good reading for 20s"]}"#,
        )
        .expect("parses");
        let why = "a 1m: 3 of 5 readings failed; no good reading for 20s; its device says off_spec";
        assert_eq!(told.why(&live).as_deref(), Some(why));
        let well: Live = parse(r#"{"id":"a","state":"ok"}"#).expect("parses");
        told.reasons.clear();
        assert_eq!(told.why(&well), None);
        told.due = Some("2026-11-23T01:02:12Z".into());
        let why = "a 1m: its first result is due at 2026-11-23T01:02:12Z";
        assert_eq!(told.why(&well).as_deref(), Some(why));
    }

    #[test]
    fn a_window_before_its_first_instant_has_no_share() {
        let mut summary: Summary = parse(summary("a", "1m").get()).expect("parses");
        (summary.n, summary.coverage, summary.status) = (0, Some(0.0), "bad".into());
        let bad: [Cell; 2] = ["0%".into(), Cell::judged("bad")];
        assert_eq!(trust_cells(&summary), bad);
        (summary.due, summary.status) = (Some("t".into()), "pending".into());
        let pending: [Cell; 2] = ["-".into(), Cell::judged("pending")];
        assert_eq!(trust_cells(&summary), pending);
    }

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
