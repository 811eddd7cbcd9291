//! The daemon with several shards: the same summaries, one ledger, one end.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::{
    process::Scratch,
    support::{Daemon, assert_balanced, number},
};

/// More than three chunks of channels.
const CHANNELS: u64 = 200;
const LINES: u64 = 300;

/// Lines of values for all channels, 10 ms apart, with their arrivals.
fn log() -> String {
    let mut log = "#stillwell-log 1\n".to_owned();
    for line in 0..LINES {
        write!(log, "{} ", 1_700_000_000_000_000_000 + line * 10_000_000).expect("a string");
        let fields = (0..CHANNELS)
            .map(|channel| format!("c{channel:03}:{}", (line * 7 + channel * 13) % 101));
        let text = fields.collect::<Vec<_>>().join(" ") + "\n";
        text.bytes().for_each(|byte| write!(log, "{byte:02x}").expect("a string"));
        log.push('\n');
    }
    log
}

/// Plays the log to its end; what Status and Get say then.
fn played(shards: u64) -> (Value, Vec<Value>) {
    let dir = Scratch::new();
    dir.write("lines.log", &log());
    let config = format!(
        "[daemon]\nshards = {shards}\npublish = \"20ms\"\n\
         [defaults]\nwindows = [\"1s\"]\n\
         [[source]]\nname = \"log\"\nkind = \"replay\"\npath = \"lines.log\"\npaced = false\n\
         format = \"text\"\nunknown = \"discover\"\non_full = \"wait\"\n"
    );
    let daemon = Daemon::start_in(dir, &config);
    daemon.until("log", "its end", |source| {
        source["state"] == "ended" && number(&source["ledger"], "in_open_panes") == 0
    });
    let status = daemon.status();
    assert_balanced(&status);
    let reply = daemon.get("*");
    assert!(reply.get("next").is_none(), "all channels are in one reply");
    let summaries = reply["summaries"].as_array().expect("summaries").iter().map(|summary| {
        let keys = ["id", "end", "n", "min", "max", "mean", "stddev", "percentiles"];
        Value::Object(keys.map(|key| (key.to_owned(), summary[key].clone())).into_iter().collect())
    });
    let summaries = summaries.collect();
    daemon.stop();
    (status, summaries)
}

#[test]
fn a_daemon_with_shards_says_the_same_and_says_how_they_are() {
    let (alone, expected) = played(1);
    let (status, summaries) = played(3);
    assert_eq!(expected.len() as u64, CHANNELS);
    assert_eq!(summaries, expected);
    for key in ["accepted", "in_closed_panes", "in_open_panes"] {
        assert_eq!(number(&status["total"], key), number(&alone["total"], key), "{key}");
    }
    assert_eq!(number(&status["total"], "in_closed_panes"), CHANNELS * LINES);
    assert_eq!(alone.get("shards"), None, "the engine itself");
    let shards = status["shards"].as_array().expect("shards");
    assert_eq!(shards.len(), 3);
    for shard in shards {
        assert!(0 < number(shard, "taken"), "{shard}");
        assert!(number(shard, "high_water") <= number(shard, "max"), "{shard}");
    }
    assert_eq!(status["percentiles"], json!(alone["percentiles"]));
}
