//! Histograms, with the test as the engine that is asked for them.

use super::*;
use crate::{
    engine::{
        bins::export::Export,
        desk::{Attendant, Question, Told},
    },
    limits::DESK_PLACES,
};

const ASK: &str = r#"{"method":"Histogram","parameters":{"channels":["boiler.*"],"window":"1m"}}"#;

/// Waits until so many questions lie at the desk.
async fn until_waiting(daemon: &Daemon, questions: usize) {
    let met = async {
        while daemon.desk.waiting() != questions {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, met).await.unwrap_or_else(|_| panic!("never {questions} questions"));
}

/// Answers what lies at the desk with a snapshot of this number.
fn answer(daemon: &mut Daemon, attendant: &Attendant, seq: u64) -> Vec<usize> {
    let snapshot = Arc::new(daemon.scene.snapshot(seq));
    let answer = |Question { picks, tell }| {
        let export = |_| {
            let (positive, negative) = (b"\x01\x02\x03"[..].into(), Box::default());
            Some(Export { figures: 2, n: 598, positive, negative })
        };
        tell(Told { snapshot: Arc::clone(&snapshot), exports: picks.iter().map(export).collect() });
        picks.len()
    };
    attendant.take().into_iter().map(answer).collect()
}

#[tokio::test]
async fn it_comes_with_the_snapshot_that_shows_its_summary() {
    let mut daemon = Daemon::small();
    let attendant = Arc::clone(&daemon.desk).attend();
    let mut client = daemon.connect().await;
    client.send(format!("{ASK}\n")).await;
    until_waiting(&daemon, 1).await;
    assert_eq!(answer(&mut daemon, &attendant, 2), [2]);
    daemon.publish(2, &[]);
    let reply = client.message().await;
    let parameters = &reply["parameters"];
    assert_eq!(parameters["seq"], 2);
    let histograms = parameters["histograms"].as_array().expect("histograms");
    let told: Vec<_> = histograms.iter().map(|of| (&of["id"], &of["positive"], &of["n"])).collect();
    let expected = ["boiler.flow", "boiler.return"].map(Value::from);
    let (positive, n) = (Value::from("AQID"), Value::from(598));
    assert_eq!(told, expected.each_ref().map(|id| (id, &positive, &n)));
    let now = client.ask(r#"{"method":"Get"}"#).await;
    assert_eq!(now["parameters"]["seq"], 2, "nothing older comes after it");
}

#[tokio::test]
async fn a_full_desk_is_said_and_who_leaves_frees_a_place() {
    let mut daemon = Daemon::small();
    let attendant = Arc::clone(&daemon.desk).attend();
    let mut clients = Vec::new();
    for at in 0..DESK_PLACES {
        clients.push(daemon.connect().await);
        clients[at].send(format!("{ASK}\n")).await;
        until_waiting(&daemon, at + 1).await;
    }
    let mut other = daemon.connect().await;
    assert_eq!(
        other.ask(ASK).await.to_string(),
        r#"{"error":"io.stillwell.v1.Busy","parameters":{"max":4,"reason":"max_questions"}}"#
    );
    drop(clients.remove(0));
    until_waiting(&daemon, DESK_PLACES - 1).await;
    other.send(format!("{ASK}\n")).await;
    until_waiting(&daemon, DESK_PLACES).await;
    assert_eq!(answer(&mut daemon, &attendant, 2).len(), DESK_PLACES);
    daemon.publish(2, &[]);
    for client in clients.iter_mut().chain([&mut other]) {
        assert_eq!(client.message().await["parameters"]["seq"], 2);
    }
}

#[tokio::test]
async fn pages_hold_so_many() {
    let names: Vec<String> = (0..20).map(|i| format!("plant.{i:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut daemon = Daemon::start(&names, patient());
    let attendant = Arc::clone(&daemon.desk).attend();
    let mut client = daemon.connect().await;
    let (mut from, mut seq, mut counts) = (String::new(), 1, Vec::new());
    loop {
        let parameters = format!(r#"{{"window":"1s","from":"{from}"}}"#);
        let ask = format!("{{\"method\":\"Histogram\",\"parameters\":{parameters}}}\n");
        client.send(ask).await;
        until_waiting(&daemon, 1).await;
        seq += 1;
        counts.extend(answer(&mut daemon, &attendant, seq));
        daemon.publish(seq, &[]);
        match client.message().await["parameters"].get("next") {
            Some(next) => from = next.as_str().expect("an id").to_owned(),
            None => break,
        }
    }
    assert_eq!(counts, [16, 4]);
}

#[tokio::test]
async fn who_waits_is_told_of_the_end() {
    let daemon = Daemon::small();
    let attendant = Arc::clone(&daemon.desk).attend();
    let mut client = daemon.connect().await;
    client.send(format!("{ASK}\n")).await;
    until_waiting(&daemon, 1).await;
    drop(attendant);
    assert_eq!(client.message().await["error"], "io.stillwell.v1.ShuttingDown");
    assert_eq!(client.ask(ASK).await["error"], "io.stillwell.v1.ShuttingDown");
}

#[tokio::test]
async fn nothing_selected_is_nothing_to_wait_for() {
    let daemon = Daemon::small();
    let mut client = daemon.connect().await;
    let ask = |parameters: &str| format!(r#"{{"method":"Histogram","parameters":{parameters}}}"#);
    let nothing = client.ask(&ask(r#"{"channels":["x*"],"window":"1m"}"#)).await;
    assert_eq!(nothing["parameters"]["histograms"], Value::Array(Vec::new()), "{nothing}");
    let unknown = client.ask(&ask(r#"{"channels":["nope"],"window":"1m"}"#)).await;
    assert_eq!(unknown["error"], "io.stillwell.v1.NoSuchChannel");
    let no_window = client.ask(&ask(r#"{"window":"7m"}"#)).await;
    assert_eq!(no_window["error"], "io.stillwell.v1.NoSuchWindow");
}
