//! What every ledger must satisfy, worked out from the JSON and not by the code that wrote it.

use serde_json::Value;

/// Checks the identities of each ledger in a Status reply, and the sum of them all.
pub(crate) fn assert_balanced(status: &Value) {
    let sources = status["sources"].as_array().expect("sources");
    assert!(status.get("next").is_none(), "all sources are in one reply");
    for ledger in sources.iter().map(|source| &source["ledger"]).chain([&status["total"]]) {
        assert_identities(ledger);
    }
    for (key, total) in status["total"].as_object().expect("a ledger") {
        let terms = sources.iter().map(|source| &source["ledger"][key]);
        if let Some(total) = total.as_u64() {
            assert_eq!(terms.filter_map(Value::as_u64).sum::<u64>(), total, "{key}: {status:#}");
        }
    }
}

fn assert_identities(ledger: &Value) {
    let n = |key| number(ledger, key);
    let sum = |key: &str| {
        let reasons = ledger[key].as_object().expect("reasons");
        reasons.values().map(|n| n.as_u64().expect("a count")).sum::<u64>()
    };
    assert!(ledger.get("imbalance").is_none(), "{ledger:#}");
    let bytes = n("bytes_in_frames") + n("bytes_skipped") + n("bytes_buffered");
    assert_eq!(n("bytes_in"), bytes, "bytes: {ledger:#}");
    assert_eq!(n("frames_in"), n("frames_ok") + sum("frames_refused"), "frames: {ledger:#}");
    assert_eq!(n("readings"), n("accepted") + sum("readings_refused"), "readings: {ledger:#}");
    let panes = n("in_closed_panes") + n("in_open_panes");
    assert_eq!(n("accepted"), panes, "panes: {ledger:#}");
}

/// A count of an object.
pub(crate) fn number(object: &Value, key: &str) -> u64 {
    object[key].as_u64().unwrap_or_else(|| panic!("no number {key}: {object}"))
}

/// How often a ledger says that frames or readings were refused for this reason.
pub(crate) fn refused(ledger: &Value, what: &str, why: &str) -> u64 {
    ledger[what][why].as_u64().unwrap_or(0)
}

/// Compares a ledger with what the simulator says it must show; `time` is that of the source.
pub(crate) fn assert_as_reported(ledger: &Value, report: &Value, time: &str) {
    let expected = &report["expected"];
    let readings = &expected[time];
    let context = format!("\nledger: {ledger:#}\nreport: {report:#}");
    for (mine, theirs, what) in [
        (&ledger["frames_in"], &expected["frames_in"], "frames"),
        (&ledger["frames_ok"], &expected["frames_ok"], "good frames"),
        (&ledger["readings"], &expected["readings"], "readings"),
        (&ledger["accepted"], &readings["accepted"], "accepted readings"),
        (&ledger["lost_on_the_way"], &expected["sequence"]["lost"], "lost"),
        (&ledger["duplicates"], &expected["sequence"]["duplicate"], "duplicates"),
        (&ledger["reordered"], &expected["sequence"]["reordered"], "reordered"),
        (&ledger["resets"], &expected["sequence"]["resets"], "resets"),
    ] {
        assert!(mine.is_u64(), "{what}: {mine}{context}");
        assert_eq!(mine, theirs, "{what}{context}");
    }
    let frames = (happened(&ledger["frames_refused"]), happened(&expected["frames_refused"]));
    assert_eq!(frames.0, frames.1, "refused frames{context}");
    let readings = (happened(&ledger["readings_refused"]), happened(&readings["refused"]));
    assert_eq!(readings.0, readings.1, "refused readings{context}");
}

/// The reasons that are not zero.
fn happened(reasons: &Value) -> Vec<(String, u64)> {
    let reasons = reasons.as_object().expect("reasons").iter();
    let counts = reasons.map(|(why, n)| (why.clone(), n.as_u64().expect("a count")));
    let mut counts: Vec<_> = counts.filter(|(_, n)| *n != 0).collect();
    counts.sort();
    counts
}
