//! Channels that nobody configured: found, given what a pattern says, and made permanent.

use std::{net::UdpSocket, process::Stdio};

use serde_json::Value;

use crate::{
    process::{Scratch, stillwell},
    support::{Daemon, Device, PLANT, Pty, number},
};

/// Runs a command of the client, which must succeed.
pub(super) fn client(daemon: &Daemon, arguments: &[&str]) -> String {
    let mut command = stillwell();
    command.args(arguments).arg("--socket").arg(daemon.socket());
    let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().expect("runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

/// What `list` says of each channel, by id.
pub(super) fn listed(daemon: &Daemon) -> Vec<Value> {
    let text = client(daemon, &["list", "--json"]);
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

pub(super) fn ids(channels: &[Value]) -> Vec<&str> {
    channels.iter().map(|channel| channel["id"].as_str().expect("an id")).collect()
}

fn config(port: &Pty) -> String {
    format!(
        r#"
        [[source]]
        name = "bench"
        kind = "serial"
        path = {:?}
        format = "text"
        unknown = "discover"
        discover_max = 4
        {PLANT}
        [[pattern]]
        match = "bench.*_C"
        unit = "K"
        raw_unit = "Cel"
        resolution = 0.5
        [[pattern]]
        match = "plant.*"
        unit = "bar"
        calibration = {{ kind = "linear", scale = 0.1 }}
        "#,
        port.path(),
    )
}

/// Sends what discovers four channels of the bench, and two of the plant.
fn send(daemon: &Daemon, port: &Pty) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let address = daemon.address("plant");
    daemon.until("bench", "up", |source| source["state"] == "up");
    for (id, value) in [(5, 20.0), (9, 30.0)] {
        socket.send_to(&Device::new(id).frame(&[value]), address).expect("sends");
    }
    for value in ["21.53", "21.5", "22.0"] {
        // Two names that come to the same id; and one that is too many.
        port.write(format!("in_C:{value};a °:1;a %:2;c:3;d:4\n").as_bytes());
    }
    daemon.frames("bench", 3);
    daemon.frames("plant", 2);
}

#[test]
fn what_is_adopted_passes_the_check_and_keeps_its_ids() {
    let port = Pty::open();
    let daemon = Daemon::start(&config(&port));
    send(&daemon, &port);
    let found = listed(&daemon);
    assert_eq!(
        ids(&found),
        ["bench.a", "bench.a_2", "bench.c", "bench.in_C", "plant.5.0", "plant.9.0"]
    );
    assert!(found.iter().all(|channel| channel["discovered"] == true), "{found:?}");
    assert_eq!((&found[3]["unit"], &found[3]["resolution"]), (&"K".into(), &0.5.into()));
    assert_eq!((&found[5]["unit"], &found[5]["source"]), (&"bar".into(), &"plant".into()));
    let ledger = daemon.source("bench")["ledger"].take();
    assert_eq!(ledger["readings_refused"]["cardinality"], 3, "the cap holds: {ledger:#}");
    let value = |daemon: &Daemon, id: &str| daemon.get(id)["channels"][0]["value"].as_f64();
    assert_eq!(
        (value(&daemon, "bench.in_C"), value(&daemon, "plant.9.0")),
        (Some(295.15), Some(3.0))
    );

    let adopted = client(&daemon, &["adopt"]);
    assert_eq!(adopted.matches("[[channel]]").count(), found.len(), "{adopted}");
    let some = client(&daemon, &["adopt", "plant.*"]);
    assert_eq!(some.matches("[[channel]]").count(), 2, "{some}");
    assert!(
        adopted.contains("field = \"a °\"") && adopted.contains("field = \"a %\""),
        "{adopted}"
    );
    daemon.stop();

    let dir = Scratch::new();
    // Nothing else may come in, so that what the channels get they get by their own tables.
    let permanent = config(&port).replace("unknown = \"discover\"", "");
    let permanent = permanent.replace("discover_max = 4", "") + &adopted;
    let path = dir.write("adopted.toml", &permanent);
    let check = stillwell().arg("check").arg(&path).stderr(Stdio::piped()).output().expect("runs");
    let said = String::from_utf8_lossy(&check.stderr);
    assert!(check.status.success() && said.is_empty(), "{said}{adopted}");
    let daemon = Daemon::start(&permanent);
    send(&daemon, &port);
    let kept = listed(&daemon);
    assert_eq!(ids(&kept), ids(&found));
    for (kept, found) in kept.iter().zip(&found) {
        assert_eq!(kept["discovered"], false, "{kept}");
        for key in ["unit", "source", "device", "index", "field", "windows"] {
            assert_eq!(kept[key], found[key], "{key}: {kept}");
        }
    }
    assert_eq!(
        (value(&daemon, "bench.in_C"), value(&daemon, "plant.9.0")),
        (Some(295.15), Some(3.0))
    );
    assert_eq!(number(&daemon.source("bench")["ledger"], "accepted"), 12);
    assert_eq!(client(&daemon, &["adopt"]), "", "there is nothing left to adopt");
    daemon.stop();
}
