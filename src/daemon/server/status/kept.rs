//! What Status says of the state that is kept across restarts, and of reloads.

use serde_json::{Map, Value, json};

use crate::{
    daemon::{
        reload::Outcome,
        state::standing::{News, Restored, Saved, Standing},
    },
    limits::MS,
    query::json::Rfc3339,
};

/// All of it, at `now_ns` on the daemon's line.
pub(super) fn state(standing: &Standing, now_ns: i64) -> Value {
    let News { last, saved, skipped, failed } = standing.news();
    let mut state = Map::new();
    if let Some(directory) = &standing.directory {
        state.insert("dir".to_owned(), json!(directory.to_string_lossy()));
    }
    state.insert("in_memory".to_owned(), json!(standing.in_memory));
    state.insert("every_ms".to_owned(), json!(standing.every_ns / MS));
    state.insert("saved".to_owned(), json!(saved));
    state.insert("skipped".to_owned(), json!(skipped));
    if let Some(Saved { at_ns, bytes, write_ns }) = last {
        let last = json!({
            "time": Rfc3339(at_ns),
            "age_ms": (now_ns - at_ns) / MS,
            "bytes": bytes,
            "write_ms": write_ns / MS,
        });
        state.insert("last".to_owned(), last);
    }
    let failed: Vec<Value> = failed
        .iter()
        .map(|((place, reason), n)| json!({ "place": place, "reason": reason, "n": n }))
        .collect();
    state.insert("failed".to_owned(), json!(failed));
    if let Some(restored) = &standing.restored {
        state.insert("restored".to_owned(), describe(restored));
    }
    let useless = standing.useless.iter();
    let useless: Vec<Value> =
        useless.map(|(place, reason)| json!({ "place": place, "reason": reason })).collect();
    state.insert("useless".to_owned(), json!(useless));
    Value::Object(state)
}

/// What came of the last reload.
pub(super) fn reload(Outcome { n, at_ns, result }: &Outcome) -> Value {
    let time = Rfc3339(*at_ns);
    match result {
        Ok(changed) => json!({ "n": n, "time": time, "changed": changed }),
        Err(why) => json!({ "n": n, "time": time, "refused": why }),
    }
}

fn describe(restored: &Restored) -> Value {
    let Restored { place, at_ns, bytes, salvage } = restored;
    let left_out: Map<String, Value> =
        salvage.dropped().map(|(why, n)| (why.name().to_owned(), json!(n))).collect();
    json!({
        "from": place,
        "time": Rfc3339(*at_ns),
        "bytes": bytes,
        "channels": salvage.channels(),
        "left_out": left_out,
    })
}
