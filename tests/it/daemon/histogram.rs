//! Histograms of a whole daemon, read by the crate with which others read them.

use std::{collections::BTreeMap, fmt::Write as _, process::Stdio};

use hdrhistogram::{Histogram, serialization::Deserializer};
use serde_json::{Value, json};
use stillwell::limits::REPLY_HISTOGRAMS_MAX;

use crate::{
    process::{Scratch, stillwell},
    support::{Daemon, number},
};

/// Of two shards, each has some.
const CHANNELS: i64 = 100;
const LINES: i64 = 300;
/// Readings of the last window of a second, 10 ms apart.
const LAST: i64 = 100;

/// A whole number of hundredths, of either sign.
fn hundredths(line: i64, channel: i64) -> i64 {
    (line * 37 + channel * 13) % 1_009 * (channel + 1) - 40 * (channel + 1)
}

/// Values of all channels, 10 ms apart.
fn log() -> String {
    let mut log = "#stillwell-log 1\n".to_owned();
    for line in 0..LINES {
        write!(log, "{} ", 1_700_000_000_000_000_000 + line * 10_000_000).expect("a string");
        let field = |channel| format!("c{channel:03}:{}", hundredths(line, channel) as f64 / 100.0);
        let text = (0..CHANNELS).map(field).collect::<Vec<_>>().join(" ") + "\n";
        text.bytes().for_each(|byte| write!(log, "{byte:02x}").expect("a string"));
        log.push('\n');
    }
    log
}

fn start(shards: u64) -> Daemon {
    let dir = Scratch::new();
    dir.write("lines.log", &log());
    let config = format!(
        "[daemon]\nshards = {shards}\npublish = \"20ms\"\n\
         [defaults]\nwindows = [\"1s\", {{ length = \"500ms\", exact = true }}]\n\
         resolution = 0.01\nlateness = \"0s\"\n\
         [[pattern]]\nmatch = \"*.c099\"\npercentiles = []\n\
         [[source]]\nname = \"log\"\nkind = \"replay\"\npath = \"lines.log\"\npaced = false\n\
         format = \"text\"\nunknown = \"discover\"\non_full = \"wait\"\n"
    );
    let daemon = Daemon::start_in(dir, &config);
    daemon.until("log", "its end", |source| {
        source["state"] == "ended" && number(&source["ledger"], "in_open_panes") == 0
    });
    daemon
}

/// All pages.
fn histograms(daemon: &Daemon, parameters: &Value) -> Vec<Value> {
    let (mut client, mut parameters, mut all) = (daemon.client(), parameters.clone(), Vec::new());
    loop {
        let request = json!({ "method": "Histogram", "parameters": parameters });
        let reply = client.call(&request.to_string());
        let page = reply["histograms"].as_array().expect("histograms");
        assert!(page.len() <= REPLY_HISTOGRAMS_MAX);
        all.extend(page.iter().cloned());
        match reply.get("next") {
            None => return all,
            Some(next) => parameters["from"] = next.clone(),
        }
    }
}

/// Reads base64 (RFC 4648, section 4) bit by bit.
fn bytes_of(text: &str) -> Vec<u8> {
    let letters: Vec<u8> =
        (b'A'..=b'Z').chain(b'a'..=b'z').chain(b'0'..=b'9').chain(*b"+/").collect();
    let sixes = text.trim_end_matches('=').bytes().map(|letter| {
        letters.iter().position(|other| *other == letter).expect("a letter of base64") as u8
    });
    let bits: Vec<u8> = sixes.flat_map(|six| (0..6).rev().map(move |at| six >> at & 1)).collect();
    bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |byte, bit| byte << 1 | bit)).collect()
}

/// The histogram under this key; an empty one if it is absent.
fn read(envelope: &Value, key: &str) -> Histogram<u64> {
    let Some(text) = envelope.get(key) else { return Histogram::new(2).expect("valid") };
    let bytes = bytes_of(text.as_str().expect("text"));
    Deserializer::new().deserialize(&mut &*bytes).expect("the crate reads it")
}

fn counts(histogram: &Histogram<u64>) -> BTreeMap<u64, u64> {
    let recorded = histogram.iter_recorded();
    recorded.map(|bin| (bin.value_iterated_to(), bin.count_at_value())).collect()
}

/// The k-th value, by the bins.
fn at_rank(positive: &Histogram<u64>, negative: &Histogram<u64>, rank: u64) -> f64 {
    let middle = |histogram: &Histogram<u64>, rank: u64| {
        let value = histogram.value_at_quantile(rank as f64 / histogram.len() as f64);
        histogram.median_equivalent(value) as f64 / 100.0
    };
    match rank.checked_sub(negative.len()) {
        None | Some(0) => -middle(negative, negative.len() - rank + 1),
        Some(rank) => middle(positive, rank),
    }
}

fn check(envelope: &Value, summary: &Value, channel: i64) {
    for key in ["id", "window", "every", "end", "n"] {
        assert_eq!(envelope[key], summary[key], "{key}: {envelope} {summary}");
    }
    assert_eq!((&envelope["figures"], &envelope["resolution"]), (&json!(2), &json!(0.01)));
    let [positive, negative] = ["positive", "negative"].map(|key| read(envelope, key));
    assert_eq!(positive.len() + negative.len(), number(summary, "n"));
    // What the crate makes of the same readings by itself.
    let mut expected = [positive.clone(), negative.clone()];
    expected.iter_mut().for_each(Histogram::reset);
    for line in LINES - LAST..LINES {
        let quantity = hundredths(line, channel);
        expected[usize::from(quantity < 0)] += quantity.unsigned_abs();
    }
    assert_eq!([&positive, &negative].map(counts), expected.each_ref().map(counts));
    let percentiles = summary["percentiles"].as_object().expect("percentiles");
    assert_eq!(percentiles.len(), 4);
    for (percentile, shown) in percentiles {
        let percent: f64 = percentile.parse().expect("a number");
        let rank = (percent * LAST as f64 / 100.0).ceil() as u64;
        let [min, max] = ["min", "max"].map(|key| summary[key].as_f64().expect("a number"));
        let expected = at_rank(&positive, &negative, rank).clamp(min, max);
        let shown = shown.as_f64().expect("a number");
        assert!((shown - expected).abs() <= 1e-9 * expected.abs(), "{percentile}: {shown}");
    }
}

fn all_are_those_of_the_summaries(shards: u64) {
    let daemon = start(shards);
    let reply = daemon.get("log.*");
    let summaries = reply["summaries"].as_array().expect("summaries").iter();
    let summaries: Vec<&Value> = summaries.filter(|of| of["window"] == "1s").collect();
    assert_eq!(summaries.len() as i64, CHANNELS);
    let envelopes = histograms(&daemon, &json!({ "window": "1s" }));
    assert_eq!(envelopes.len() as i64, CHANNELS - 1, "one has no percentiles");
    for (channel, envelope) in envelopes.iter().enumerate() {
        check(envelope, summaries[channel], channel as i64);
    }
    daemon.stop();
}

#[test]
fn the_engine_hands_out_what_it_shows() {
    all_are_those_of_the_summaries(1);
}

#[test]
fn two_shards_hand_out_what_they_show() {
    all_are_those_of_the_summaries(2);
}

#[test]
fn what_has_no_bins_is_said_by_name_and_the_client_prints_the_rest() {
    let daemon = start(1);
    let refusal = |parameters: Value| {
        let request = json!({ "method": "Histogram", "parameters": parameters });
        daemon.client().ask(&request.to_string())
    };
    for (parameters, error, about) in [
        (json!({ "window": "500ms" }), "io.stillwell.v1.NoHistogram", json!({ "reason": "exact" })),
        (
            json!({ "window": "1s", "channels": ["log.c099"] }),
            "io.stillwell.v1.NoHistogram",
            json!({ "reason": "no_percentiles" }),
        ),
        (
            json!({ "window": "1s", "channels": ["log.nope"] }),
            "io.stillwell.v1.NoSuchChannel",
            json!({ "id": "log.nope" }),
        ),
        (json!({ "window": "7s" }), "io.stillwell.v1.NoSuchWindow", json!({ "window": "7s" })),
    ] {
        let reply = refusal(parameters);
        assert_eq!(reply, json!({ "error": error, "parameters": about }));
    }
    let run = |arguments: &[&str]| {
        let mut command = stillwell();
        command.args(["get", "--histogram"]).args(arguments);
        command.arg("--socket").arg(daemon.socket()).stdout(Stdio::piped());
        command.output().expect("runs")
    };
    let output = run(&["log.c00?", "--window", "1s"]);
    assert!(output.status.success(), "{output:?}");
    let lines = String::from_utf8(output.stdout).expect("text");
    let lines: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines, histograms(&daemon, &json!({ "window": "1s", "channels": ["log.c00?"] })));
    for (arguments, code) in [
        (&["--window", "500ms"][..], 65),
        (&["log.c099", "--window", "1s"], 65),
        (&["--window", "all"], 64),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
    }
    daemon.stop();
}
