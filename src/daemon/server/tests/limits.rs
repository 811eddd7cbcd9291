//! Time limits, places, and nobody paying for somebody else.

use super::*;
use crate::limits::CLIENTS_PER_UID_MAX;

#[tokio::test]
async fn half_a_line_has_its_time() {
    let limits = Timeouts { half_line: Duration::from_millis(50), ..patient() };
    let daemon = Daemon::start(&["a"], limits);
    let mut client = daemon.connect().await;
    client.send(r#"{"method":"#).await;
    let reply = client.message().await;
    assert_eq!(reply["parameters"]["reason"], "half_line");
    assert_eq!(client.next().await, None);
    assert_eq!(daemon.status("/clients/closed_idle").await, 1);
}

#[tokio::test]
async fn bytes_that_trickle_in_buy_no_time() {
    let limits = Timeouts { half_line: Duration::from_millis(100), ..patient() };
    let daemon = Daemon::start(&["a"], limits);
    let mut client = daemon.connect().await;
    client.send("{").await;
    let trickle = async {
        let mut interval = tokio::time::interval(Duration::from_millis(10));
        loop {
            interval.tick().await;
            let (_, daemon_reads) = (client.0.get_mut().write_all(b" ").await, &daemon);
            if daemon_reads.status("/clients/closed_idle").await == 1 {
                return;
            }
        }
    };
    timeout(PATIENCE, trickle).await.expect("closed though it kept sending");
}

#[tokio::test]
async fn a_client_that_asks_nothing_is_closed() {
    let limits = Timeouts { idle: Duration::from_millis(50), ..patient() };
    let daemon = Daemon::start(&["a"], limits);
    let mut client = daemon.connect().await;
    assert_eq!(client.next().await, None);
    assert_eq!(daemon.status("/clients/closed_idle").await, 1);
}

#[tokio::test]
async fn a_client_that_does_not_read_costs_the_others_nothing() {
    let names: Vec<String> = (0..2_000).map(|i| format!("plant.{i:05}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let limits = Timeouts { reply: Duration::from_millis(200), ..patient() };
    let daemon = Daemon::start(&names, limits);
    let mut greedy = daemon.connect().await;
    greedy.send("{\"method\":\"Get\"}\n".repeat(100)).await;
    let mut modest = daemon.connect().await;
    let reply = modest.ask(r#"{"method":"Get","parameters":{"channels":["plant.00007"]}}"#).await;
    assert_eq!(ids(&reply), ["plant.00007"]);
    daemon.until("/clients/closed_slow", 1).await;
    let served = daemon.status("/clients/requests").await.as_u64().expect("a count");
    assert!(served < 100, "requests are read only when the reply before was taken: {served}");
}

#[tokio::test]
async fn a_user_has_so_many_places_and_gets_them_back() {
    let daemon = Daemon::small();
    let mut clients = Vec::new();
    for _ in 0..CLIENTS_PER_UID_MAX {
        let mut client = daemon.connect().await;
        client.ask(r#"{"method":"List"}"#).await;
        clients.push(client);
    }
    let mut refused = daemon.connect().await;
    let busy = refused.message().await;
    assert_eq!(
        busy.to_string(),
        r#"{"error":"io.stillwell.v1.Busy","parameters":{"max":16,"reason":"max_clients_of_uid"}}"#
    );
    assert_eq!(refused.next().await, None);
    clients.truncate(2);
    let freed = async {
        loop {
            let mut client = daemon.connect().await;
            client.send("{\"method\":\"List\"}\n").await;
            if client.next().await.is_some_and(|reply| reply.get("error").is_none()) {
                return;
            }
        }
    };
    timeout(PATIENCE, freed).await.expect("places come back");
    assert!(1 <= daemon.status("/clients/rejected").await.as_u64().expect("a count"));
}
