//! Questions and answers.

use std::{collections::BTreeSet, path::Path, process::Command};

use proptest::{prelude::*, test_runner::TestRunner};

use super::*;
use crate::{
    daemon::server::request::tests::any_line,
    engine::{
        Ledger, Link, ReadingRefusal,
        ledger::{ReadingTally, SequenceTally},
        snapshot::{DeviceView, SourceView},
    },
    limits::{REPLY_BYTES_MAX, REQUEST_BYTES_MAX},
    wire::Health,
};

#[tokio::test]
async fn get_tells_summaries_and_live_states() {
    let daemon = Daemon::small();
    let mut client = daemon.connect().await;
    let reply = client
        .ask(r#"{"method":"Get","parameters":{"channels":["boiler.*"],"window":"1m"}}"#)
        .await;
    assert_eq!(ids(&reply), ["boiler.flow", "boiler.return"]);
    let parameters = &reply["parameters"];
    assert_eq!(parameters["seq"], 1);
    assert_eq!(parameters["epoch"], 3);
    assert_eq!(parameters["summaries"].as_array().expect("summaries").len(), 2);
    assert_eq!(parameters["summaries"][0]["window"], "1m");
    assert_eq!(parameters["channels"][0]["state"], "ok");
    assert!(parameters.get("next").is_none());
}

#[tokio::test]
async fn replies_come_in_the_order_of_the_requests() {
    let daemon = Daemon::small();
    let mut client = daemon.connect().await;
    client
        .send(concat!(
            r#"{"method":"Get","parameters":{"channels":["plant.a"]}}"#,
            "\r\n",
            r#"{"method":"Nope"}"#,
            "\n",
            r#"{"method":"Get","oneway":true}"#,
            "\n",
            r#"{"method":"List","parameters":{"channels":["plant.b"]}}"#,
            "\n",
        ))
        .await;
    assert_eq!(ids(&client.message().await), ["plant.a"]);
    assert_eq!(client.message().await["error"], "org.varlink.service.MethodNotFound");
    assert_eq!(ids(&client.message().await), ["plant.b"], "a oneway call has no reply");
}

#[tokio::test]
async fn a_client_that_ends_with_nul_is_answered_with_nul() {
    let daemon = Daemon::small();
    let mut client = daemon.connect().await;
    client.send(b"{\"method\":\"Get\"}\0{\"method\":\n\"List\"}\0").await;
    for _ in 0..2 {
        let mut bytes = client.bytes_until(0).await.expect("a reply");
        assert_eq!(bytes.pop(), Some(0));
        let reply: Value = serde_json::from_slice(&bytes).expect("JSON");
        assert_eq!(ids(&reply).len(), 4);
    }
}

#[tokio::test]
async fn closing_ones_own_direction_is_no_farewell() {
    let daemon = Daemon::small();
    let mut client = daemon.connect().await;
    client.send(r#"{"method":"Get"}"#).await;
    client.close_writing().await;
    assert_eq!(ids(&client.message().await).len(), 4, "the end of input ends the line");
    assert_eq!(client.next().await, None);
}

#[tokio::test]
async fn what_does_not_exist_has_a_name() {
    let daemon = Daemon::small();
    let mut client = daemon.connect().await;
    let cases = [
        (
            r#"{"channels":["boiler.flow","nope"]}"#,
            r#"{"error":"io.stillwell.v1.NoSuchChannel","parameters":{"id":"nope"}}"#,
        ),
        (
            r#"{"window":"7m"}"#,
            r#"{"error":"io.stillwell.v1.NoSuchWindow","parameters":{"window":"7m"}}"#,
        ),
        (
            r#"{"channel":["a"]}"#,
            r#"{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"channel"}}"#,
        ),
    ];
    for (parameters, expected) in cases {
        let reply = client.ask(&format!(r#"{{"method":"Get","parameters":{parameters}}}"#)).await;
        assert_eq!(reply.to_string(), expected);
    }
    let nothing =
        client.ask(r#"{"method":"Get","parameters":{"channels":["x*"],"window":"7m"}}"#).await;
    assert_eq!(ids(&nothing), [""; 0], "a pattern may fit nothing");
}

#[tokio::test]
async fn five_thousand_channels_come_in_pages_of_bounded_size() {
    let names: Vec<String> = (0..5_000).map(|i| format!("plant.{i:05}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let daemon = Daemon::start(&names, patient());
    let mut client = daemon.connect().await;
    let (mut from, mut seen, mut pages) = (String::new(), Vec::new(), 0);
    loop {
        client
            .send(format!("{{\"method\":\"Get\",\"parameters\":{{\"from\":\"{from}\"}}}}\n"))
            .await;
        let line = client.bytes_until(b'\n').await.expect("a reply");
        assert!(line.len() <= REPLY_BYTES_MAX + 1);
        let reply: Value = serde_json::from_slice(&line).expect("JSON");
        seen.extend(ids(&reply).into_iter().map(str::to_owned));
        pages += 1;
        match reply["parameters"].get("next") {
            Some(next) => from = next.as_str().expect("an id").to_owned(),
            None => break,
        }
    }
    assert!(1 < pages);
    assert_eq!(seen, names);
}

#[tokio::test]
async fn http_is_told_what_to_do() {
    let daemon = Daemon::small();
    let mut client = daemon.connect().await;
    client.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let text = client.rest().await;
    assert!(text.starts_with("HTTP/1.0 400 Bad Request\r\n"), "{text}");
    assert!(text.contains("stillwell get") && text.contains("socat"), "{text}");
}

#[tokio::test]
async fn what_is_no_request_is_said_and_closed() {
    let daemon = Daemon::small();
    let long = format!("{{{}", " ".repeat(REQUEST_BYTES_MAX + 1));
    for (bytes, reason) in
        [("help\n", "not_an_object"), ("\u{FEFF}{}\n", "byte_order_mark"), (&long, "line_too_long")]
    {
        let mut client = daemon.connect().await;
        client.send(bytes).await;
        let reply = client.message().await;
        assert_eq!(reply["error"], "io.stillwell.v1.BadRequest");
        assert_eq!(reply["parameters"]["reason"], reason);
        assert_eq!(client.next().await, None);
    }
}

#[tokio::test]
async fn status_accounts_for_clients_and_latency() {
    let daemon = Daemon::small();
    let mut client = daemon.connect().await;
    client.ask(r#"{"method":"Get"}"#).await;
    let reply = client.ask(r#"{"method":"Status"}"#).await;
    let status = &reply["parameters"];
    assert_eq!(status["pid"], process::id());
    assert_eq!(status["clients"]["open"], 1);
    assert_eq!(status["clients"]["requests"], 2);
    assert_eq!(status["latency"]["query"]["count"], 1);
    assert!(0 < status["rss_bytes"].as_u64().expect("/proc is there"));
    assert_eq!(status["total"]["readings"], 0);
    assert!(!reply.to_string().contains("null"));
}

fn source(name: &str, devices: u32) -> SourceView {
    let device = |device| DeviceView {
        device,
        boot: 1,
        health: Health::Good,
        history: Arc::default(),
        last_arrival_ns: 0,
        frames: u64::MAX,
        readings: ReadingTally {
            received: 5,
            accepted: 4,
            refused: [1; ReadingRefusal::ALL.len()],
        },
        sequence: SequenceTally::default(),
    };
    SourceView {
        name: name.into(),
        link: Link::Up("127.0.0.1:7420".into()),
        last_arrival_ns: Some(0),
        ledger: Ledger::default(),
        devices: (0..devices).map(device).collect(),
        channels: 0,
    }
}

#[tokio::test]
async fn status_of_many_devices_comes_in_pages() {
    let daemon = Daemon::start_with(&["a"], patient(), |snapshot| {
        let sources = [("x", 700), ("y", 0), ("z", 2_100)];
        snapshot.sources = sources.map(|(name, n)| Arc::new(source(name, n))).into();
    });
    let mut client = daemon.connect().await;
    let (mut parameters, mut seen, mut pages) = (String::from("{}"), Vec::new(), 0);
    loop {
        client.send(format!("{{\"method\":\"Status\",\"parameters\":{parameters}}}\n")).await;
        let line = client.bytes_until(b'\n').await.expect("a reply");
        assert!(line.len() <= REPLY_BYTES_MAX + 1);
        let reply: Value = serde_json::from_slice(&line).expect("JSON");
        for source in reply["parameters"]["sources"].as_array().expect("sources") {
            for device in source["devices"].as_array().expect("devices") {
                seen.push((source["name"].clone(), device["device"].clone()));
            }
        }
        pages += 1;
        match reply["parameters"].get("next") {
            Some(next) => parameters = next.to_string(),
            None => break,
        }
    }
    let expected = (0..700).map(|i| ("x".into(), i.into()));
    let expected: Vec<_> = expected.chain((0..2_100).map(|i| ("z".into(), i.into()))).collect();
    assert_eq!(seen, expected);
    assert!(2 < pages, "{pages} pages");
    let unknown = client.ask(r#"{"method":"Status","parameters":{"source":"w"}}"#).await;
    assert_eq!(unknown["error"], "io.stillwell.v1.NoSuchSource");
}

/// Keys of an object and of the objects in it; those of maps are names of their own.
fn keys(value: &Value, found: &mut BTreeSet<String>) {
    const MAPS: [&str; 4] = ["percentiles", "frames_refused", "readings_refused", "latency"];
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                found.insert(key.clone());
                if !MAPS.contains(&key.as_str()) {
                    keys(value, found);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_interface_declares_every_key() {
    let daemon = Daemon::start_with(&["a"], patient(), |snapshot| {
        snapshot.sources = Arc::new([Arc::new(source("x", 1))]);
        snapshot.total.wire.bytes_in = 1;
    });
    let mut client = daemon.connect().await;
    let mut found = BTreeSet::new();
    for method in ["Get", "List", "Status"] {
        let reply = client.ask(&format!(r#"{{"method":"{method}"}}"#)).await;
        keys(&reply["parameters"], &mut found);
    }
    let declared = include_str!("../io.stillwell.v1.varlink");
    for key in found {
        let name = format!("{key}:");
        let is_declared = declared.split_ascii_whitespace().any(|word| word == name);
        assert!(is_declared || declared.contains(&format!("({name} ")), "{key}");
    }
}

/// Whatever comes, one line of it gives one line of JSON, or none if none was asked for.
#[test]
fn any_line_has_one_answer() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let daemon = runtime.block_on(async { Daemon::small() });
    let config = ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() };
    let answered = TestRunner::new(config).run(&any_line(), |mut line| {
        line.retain(|byte| *byte != b'\n' && *byte != 0);
        line.insert(0, b'{');
        let text = runtime.block_on(async {
            let mut client = daemon.connect().await;
            client.send([&line[..], b"\n"].concat()).await;
            client.close_writing().await;
            client.rest().await
        });
        prop_assert_eq!(text.matches('\n').count(), 1);
        let reply: Value = serde_json::from_str(&text).expect("JSON");
        prop_assert!(reply["error"].is_string() != reply["parameters"]["seq"].is_u64());
        Ok(())
    });
    answered.expect("every line");
}

/// The interface descriptions, read by an independent varlink client over the socket.
#[test]
fn a_varlink_client_understands_the_interface() {
    const SCRIPT: &str = r#"
import sys, varlink
client = varlink.Client.new_with_address("unix:" + sys.argv[1])
with client.open("io.stillwell.v1") as service:
    print([c["id"] for c in service.Get(["boiler.*"], "1m")["channels"]])
    try:
        service.Get(["nope"])
    except varlink.VarlinkError as error:
        print(error.error(), error.parameters()["id"])
    print(service.Status()["clients"]["max"])
    print(len(next(service.Watch(_more=True))["channels"]))
print(client.get_interface("org.varlink.service").name)
"#;
    let importable = Command::new("python3").args(["-c", "import varlink"]).output();
    if !importable.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "pip install varlink");
        println!("not run: python3 has no varlink");
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let daemon = Daemon::small();
        let run = |path: &Path| {
            Command::new("python3").args(["-c", SCRIPT]).arg(path).output().expect("runs")
        };
        let path = daemon.directory.socket();
        let output = tokio::task::spawn_blocking(move || run(&path)).await.expect("no panic");
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            text,
            concat!(
                "['boiler.flow', 'boiler.return']\n",
                "io.stillwell.v1.NoSuchChannel nope\n64\n4\norg.varlink.service\n",
            ),
            "{errors}"
        );
    });
}
