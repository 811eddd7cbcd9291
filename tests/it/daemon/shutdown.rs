//! A shutdown under load: what was received is in the last snapshot, and everyone is told.

use std::{thread, time::Duration};

use rustix::process::{Signal, geteuid};
use serde_json::Value;

use crate::{
    process::{Scratch, look, wait_for},
    support::{Daemon, Steady, assert_balanced, number},
};

/// One window longer than the test, so that it counts everything, shown with each pane.
fn config() -> String {
    let windows = "[defaults]\nwindows = [{ length = \"1h\", every = \"100ms\" }]\n";
    format!("{windows}{}", Steady::CONFIG)
}

/// Frames that wait for the daemon: as many as its receive buffer surely holds.
fn pile() -> u64 {
    if geteuid().is_root() { 5_000 } else { 100 }
}

fn ends_well(signal: Signal) {
    let daemon = Daemon::start(&config());
    let steady = Steady::send_to(daemon.address("steady"), Duration::from_micros(20));
    let mut watch = daemon.client();
    watch.send("{\"method\":\"Watch\",\"more\":true}\n").expect("the daemon reads");
    // Idle clients are no reason to wait.
    let mut idle = daemon.client();
    idle.ask(r#"{"method":"List"}"#);
    let messages =
        thread::spawn(move || std::iter::from_fn(|| watch.message()).collect::<Vec<_>>());
    daemon.frames("steady", 500);
    assert_balanced(&daemon.status());
    let socket = daemon.socket();
    // It stands still until more waits in the kernel than it can take before it hears the signal.
    daemon.signal(Signal::STOP);
    let piled = steady.sent() + pile();
    wait_for("a pile of frames", || (piled <= steady.sent()).then_some(()));
    let sent = steady.sent();
    daemon.signal(signal);
    daemon.signal(Signal::CONT);
    let (status, log) = daemon.wait();
    let sent_later = steady.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!socket.exists(), "the socket is removed: {log}");
    assert_eq!(idle.message(), None);
    let mut messages = messages.join().expect("it only reads");
    let end = messages.pop().expect("messages");
    assert_eq!(end["error"], "io.stillwell.v1.ShuttingDown", "{end}");
    let (live, summary) = (last(&messages, "channels"), last(&messages, "summaries"));
    let frames = live["value"].as_f64().expect("a sequence number") as u64 + 1;
    // What the kernel had taken before the signal is there, and of the rest a piece without gaps.
    assert!(sent <= frames && frames <= sent_later, "{sent} <= {frames} <= {sent_later}: {log}");
    assert_eq!(number(&summary, "n"), frames * Steady::READINGS, "{summary} {live}");
    assert_eq!(summary["last"], live["value"], "the window is flushed: {summary}");
    let seqs: Vec<_> = messages.iter().map(|m| m["parameters"]["seq"].as_u64()).collect();
    assert!(seqs.is_sorted(), "never older after newer: {seqs:?}");
}

/// The latest object under this key, as a subscriber puts its messages together.
fn last(messages: &[Value], key: &str) -> Value {
    let told = messages.iter().filter_map(|message| message["parameters"][key].as_array());
    told.flatten().last().expect("it was told").clone()
}

#[test]
fn sigterm_loses_nothing_and_tells_everyone() {
    ends_well(Signal::TERM);
}

#[test]
fn sigint_is_the_same() {
    ends_well(Signal::INT);
}

/// A log that is played has come to its end while the daemon still serves: nothing is open then.
#[test]
fn the_end_of_an_input_closes_its_windows() {
    let dir = Scratch::new();
    dir.write("lines.log", "t:1\nt:2\nt:3\n");
    let config = "[[source]]\nname = \"log\"\nkind = \"replay\"\npath = \"lines.log\"\n\
        format = \"text\"\ninterval = \"10ms\"\nunknown = \"discover\"\n";
    let daemon = Daemon::start_in(dir, config);
    let ended = look(|| Some(daemon.source("log")).filter(|source| source["state"] == "ended"));
    let ledger = &ended.expect("the log has an end")["ledger"];
    assert_eq!(number(ledger, "accepted"), 3, "{ledger:#}");
    assert_eq!(number(ledger, "in_open_panes"), 0, "{ledger:#}");
    daemon.stop();
}
