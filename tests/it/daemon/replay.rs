//! Logs that cannot be replayed, and a log that a daemon plays to the same results.

use std::{
    fs,
    path::Path,
    process::{Output, Stdio},
};

use serde_json::Value;

use crate::{
    process::{Scratch, stillwell},
    support::{Daemon, Device, number},
};

fn replay(log: &Path, more: &[&str]) -> (Option<i32>, String, String) {
    let mut command = stillwell();
    command.arg("replay").arg(log).args(more).stdout(Stdio::piped());
    let Output { status, stdout, stderr } = command.output().expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn a_broken_line_is_named() {
    let dir = Scratch::new();
    let cases = [
        ("#stillwell-log 1\n1000 413a310a\n2000 4g\n", 3, "hexadecimal"),
        ("#stillwell-log 1\n# a remark\n1000 413a310a\nsoon 41\n", 4, "time"),
        ("#stillwell-log 9\n1000 41\n", 1, "version"),
    ];
    for (text, line, words) in cases {
        let log = dir.write("broken.log", text);
        let (code, _, errors) = replay(&log, &["--format", "text"]);
        assert_eq!(code, Some(65), "{text:?}: {errors}");
        assert!(errors.contains(log.to_str().expect("UTF-8")), "{errors}");
        assert!(errors.contains(&format!("line {line}: ")), "{errors}");
        assert!(errors.contains(words), "{errors}");
    }
}

#[test]
fn a_file_that_is_absent_is_named() {
    let (code, printed, errors) = replay(&Scratch::new().path("nowhere.log"), &[]);
    assert_eq!(code, Some(66), "{errors}");
    assert!(printed.is_empty() && errors.contains("nowhere.log"), "{errors}");
}

#[test]
fn an_empty_file_has_no_results_and_a_ledger_of_zeros() {
    let (code, printed, errors) = replay(&Scratch::new().write("empty.log", ""), &["--ledger"]);
    assert_eq!(code, Some(0), "{errors}");
    let ledger: Value = serde_json::from_str(&printed).expect("one line of JSON");
    assert_eq!(number(&ledger, "bytes_in"), 0, "{ledger}");
}

#[test]
fn a_time_field_that_no_header_has_is_named_with_those_there_are() {
    let dir = Scratch::new();
    let table = dir.write("table.csv", "time,t,h\n2026-01-01 00:00:00,1,2\n");
    let (code, _, errors) = replay(&table, &["--timestamp", "when"]);
    assert_eq!(code, Some(65), "{errors}");
    assert!(errors.contains("no field `when`; the header has time, t, h"), "{errors}");
    let labels = dir.write("labels.txt", "t:1\nt:2\n");
    let (code, _, errors) = replay(&labels, &["--timestamp", "when"]);
    assert_eq!(code, Some(65), "{errors}");
    assert!(errors.contains("no field `when`; there is no header"), "{errors}");
    for good in ["time", "1"] {
        let (code, _, errors) = replay(&table, &["--timestamp", good]);
        assert_eq!(code, Some(0), "{errors}");
        assert!(!errors.contains("no field") && !errors.contains("try"), "{errors}");
    }
}

#[test]
fn a_first_column_of_times_is_pointed_out() {
    let dir = Scratch::new();
    const HINT: &str = "column 1 looks like a time: try --timestamp 1\n";
    for (text, hinted) in [
        ("time,t\n2026-01-01 00:00:00,1\n", true),
        ("# a remark\n1767225600.5;21.5\n", true),
        ("n,t\n17,1\n", false),
        ("12:30:05,1\n", false),
        ("1767225600 1\n", false),
        ("t:1,h:2\n", false),
        ("#stillwell-log 1\n1000 313736373232353630302c310a\n", false),
    ] {
        let (code, _, errors) = replay(&dir.write("table.csv", text), &["--format", "text"]);
        assert_eq!((code, errors.contains(HINT)), (Some(0), hinted), "{text:?}: {errors}");
    }
}

#[test]
fn lines_without_a_time_follow_each_other_at_the_interval() {
    let dir = Scratch::new();
    let log = dir.write("lines.txt", &"t:1\n".repeat(120));
    let readings = |more: &[&str]| {
        let (code, printed, errors) = replay(&log, &[&["--window", "10s"], more].concat());
        assert_eq!(code, Some(0), "{errors}");
        let results = printed.lines().map(|line| serde_json::from_str(line).expect("JSON"));
        results.map(|result: Value| number(&result, "n")).max()
    };
    assert_eq!(readings(&[]), Some(100), "in a full window");
    assert_eq!(readings(&["--interval", "1s"]), Some(10));
    let (code, _, errors) = replay(&log, &["--interval", "soon"]);
    assert_eq!(code, Some(64), "{errors}");
    assert!(errors.contains("--interval soon: "), "{errors}");
}

#[test]
fn the_ids_of_a_table_are_ids() {
    let dir = Scratch::new();
    let text = "GHI (vent) [W/m^2],t %,t,temp °C\n1,2,3,4\n";
    let (code, printed, errors) = replay(&dir.write("table.csv", text), &["--format", "text"]);
    assert_eq!(code, Some(0), "{errors}");
    for (id, value) in
        [("log.GHI_vent_W/m_2", 1.0), ("log.t", 2.0), ("log.t_2", 3.0), ("log.temp_C", 4.0)]
    {
        let results =
            printed.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let result = results.into_iter().find(|result| result["id"] == id).expect(id);
        assert_eq!(result["last"].as_f64(), Some(value), "{result}");
    }
}

#[test]
fn channels_that_are_not_in_the_log_are_told() {
    let dir = Scratch::new();
    let log = dir.write("lines.log", "t:1\nh:2\nt:3\n");
    let reason =
        |what: &str| format!("no channel matches {what}; there are log.h, log.t (2 in all)");
    let cases =
        [("nope", Some(65), "nope"), ("zz*,log.t", Some(0), "zz*"), ("a,b*", Some(65), "a or b*")];
    for (channels, expected, what) in cases {
        let (code, printed, errors) = replay(&log, &["--format", "text", "--channels", channels]);
        assert_eq!(code, expected, "{channels}: {errors}");
        assert!(errors.ends_with(&format!("stillwell: {}\n", reason(what))), "{errors}");
        assert_eq!(printed.contains("log.t"), channels.contains("log.t"), "{printed}");
    }
    let (code, _, errors) = replay(&log, &["--format", "text", "--channels", "log.*"]);
    assert_eq!((code, errors.contains("no channel")), (Some(0), false), "{errors}");
}

/// The same bytes through a daemon: the same ledger, and the same statistics of the whole log,
/// which is shorter than the window. (Times differ: a daemon plays a log as if it arrived now.)
#[test]
fn a_daemon_plays_a_log_to_the_same_end() {
    let dir = Scratch::new();
    let lines: String = (0..500).map(|i| format!("t:{}\nh:{}\nnoise\n", i % 37, i % 11)).collect();
    let log = dir.write("lines.log", &lines);
    let config = "[defaults]\nwindows = [{ length = \"1h\", every = \"100ms\" }]\n\
        [[source]]\nname = \"log\"\nkind = \"replay\"\npath = \"lines.log\"\nformat = \"text\"\n\
        interval = \"1ms\"\nunknown = \"discover\"\n";
    let same = dir.write("same.toml", config);
    let same = same.to_str().expect("UTF-8");
    let (code, printed, errors) = replay(&log, &["--config", same, "--ledger"]);
    assert_eq!(code, Some(0), "{errors}");
    let mut replayed: Vec<Value> =
        printed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let ledger = replayed.pop().expect("a ledger");
    let daemon = Daemon::start_in(dir, config);
    let source = daemon.until("log", "its end", |source| source["state"] == "ended");
    assert_eq!(source["ledger"], ledger);
    for id in ["log.t", "log.h"] {
        let last = replayed.iter().rfind(|result| result["id"] == id).expect("a result");
        let summary = &daemon.get(id)["summaries"][0];
        for key in
            ["n", "min", "max", "first", "last", "delta", "percentiles", "flags", "status", "clock"]
        {
            assert_eq!(summary[key], last[key], "{id} {key}: {summary} {last}");
        }
        // The panes begin at other readings, and so do the roundings.
        for key in ["mean", "stddev"] {
            let of = |summary: &Value| summary[key].as_f64().expect("a number");
            let (ours, theirs) = (of(summary), of(last));
            assert!((ours - theirs).abs() <= 1e-12 * theirs, "{id} {key}: {ours} {theirs}");
        }
    }
    assert_eq!(fs::metadata(log).expect("it is only read").len(), ledger["bytes_in"]);
    daemon.stop();
}

/// NAMUR NE 107 as the socket shows it, from a recording: maintenance required, which fails
/// nothing, then out of specification, function check and failure, which outlast their frames by
/// nothing; and the same through a daemon.
#[test]
fn what_devices_said_of_themselves_is_in_a_replay() {
    const STEP_NS: i64 = 100_000_000;
    let dir = Scratch::new();
    let mut device = Device::new(3);
    let mut log = "#stillwell-log 1\n".to_owned();
    for n in 0..70 {
        device.health = match n {
            10..=14 => 4,
            20..=24 => 3,
            30..=34 => 2,
            40..=44 => 1,
            _ => 0,
        };
        let frame = device.frame(&[1.5]);
        let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
        log += &format!("{} {hex}\n", i64::from(n) * STEP_NS);
    }
    let log = dir.write("device.log", &log);
    let config = |window: &str| {
        format!(
            "[defaults]\nwindows = [{window}]\n[[source]]\nname = \"log\"\nkind = \"replay\"\n\
             path = \"device.log\"\nformat = \"native\"\nunknown = \"discover\"\n"
        )
    };
    let seconds = dir.write("c.toml", &config("{ length = \"1s\", every = \"1s\" }"));
    let seconds = seconds.to_str().expect("UTF-8");
    let (code, printed, errors) = replay(&log, &["--config", seconds]);
    assert_eq!(code, Some(0), "{errors}");
    let results: Vec<Value> =
        printed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let told: Vec<_> = results
        .iter()
        .map(|result| {
            let flag = |name: &str| number(&result["flags"], name);
            (result["health"].as_str(), flag("not_evaluated"), flag("suspect"), flag("fail"))
        })
        .collect();
    let expected = [
        (None, 10, 0, 0),
        (Some("maintenance"), 10, 0, 0),
        (Some("off-spec"), 5, 5, 0),
        (Some("check"), 5, 0, 5),
        (Some("failure"), 5, 0, 5),
        (None, 10, 0, 0),
        (None, 10, 0, 0),
    ];
    assert_eq!(told, expected);
    assert!(results.iter().all(|result| result["clock"] == "arrival"), "{printed}");

    let daemon = Daemon::start_in(dir, &config("{ length = \"1h\", every = \"100ms\" }"));
    daemon.until("log", "its end", |source| source["state"] == "ended");
    let summary = &daemon.get("log.3.0")["summaries"][0];
    assert_eq!((&summary["health"], &summary["clock"]), (&"failure".into(), &"arrival".into()));
}
