//! Subscriptions.

use super::*;

const WATCH: &str = "{\"method\":\"Watch\",\"more\":true}\n";

#[tokio::test]
async fn the_state_comes_at_once_and_then_what_changed() {
    let mut daemon = Daemon::small();
    let mut client = daemon.connect().await;
    let first = client
        .ask(
            r#"{"method":"Watch","parameters":{"channels":["plant.*"],"window":"1s"},"more":true}"#,
        )
        .await;
    assert_eq!(first["continues"], true);
    assert_eq!(first["parameters"]["skipped"], 0);
    assert_eq!(ids(&first), ["plant.a", "plant.b"]);
    daemon.publish(2, &[0, 3]);
    let second = client.message().await;
    assert_eq!(ids(&second), ["plant.b"], "what did not change, or was not asked for, is not said");
    assert_eq!(second["parameters"]["seq"], 2);
    assert_eq!(second["parameters"]["summaries"].as_array().expect("summaries").len(), 1);
}

/// What lies unread in the socket is old: until it is read, nothing is sent after it.
#[tokio::test]
async fn one_message_is_on_its_way_and_none_is_queued() {
    let mut daemon = Daemon::small();
    let mut client = daemon.connect().await;
    client.send(WATCH).await;
    daemon.until("/clients/requests", 2).await;
    for seq in 2..=10 {
        daemon.publish_changed(seq);
        // A round trip on this one thread: the subscription has had its turn.
        daemon.status("/seq").await;
    }
    assert_eq!(client.message().await["parameters"]["seq"], 1);
    let latest = client.message().await;
    assert_eq!(latest["parameters"]["seq"], 10);
    assert_eq!(latest["parameters"]["skipped"], 8);
    daemon.publish_changed(11);
    let next = client.message().await;
    assert_eq!(
        (&next["parameters"]["seq"], &next["parameters"]["skipped"]),
        (&11.into(), &0.into())
    );
}

#[tokio::test]
async fn a_publication_without_changes_is_neither_sent_nor_skipped() {
    let mut daemon = Daemon::small();
    let mut client = daemon.connect().await;
    client.ask(WATCH.trim_end()).await;
    daemon.publish(2, &[]);
    daemon.status("/seq").await;
    daemon.publish_changed(3);
    let next = client.message().await;
    assert_eq!(next["parameters"]["seq"], 3);
    assert_eq!(next["parameters"]["skipped"], 0);
}

#[tokio::test]
async fn a_subscriber_that_takes_nothing_is_closed() {
    let limits = Timeouts { watch_stall: Duration::from_millis(50), ..patient() };
    let mut daemon = Daemon::start(&["a"], limits);
    let mut client = daemon.connect().await;
    client.send(WATCH).await;
    daemon.until("/clients/requests", 2).await;
    daemon.publish_changed(2);
    daemon.until("/clients/closed_slow", 1).await;
    assert_eq!(client.message().await["parameters"]["seq"], 1);
    assert_eq!(client.next().await, None);
}

#[tokio::test]
async fn a_quiet_subscriber_is_not_slow() {
    let limits = Timeouts { watch_stall: Duration::from_millis(10), ..patient() };
    let mut daemon = Daemon::start(&["a"], limits);
    let mut client = daemon.connect().await;
    client.ask(WATCH.trim_end()).await;
    // Longer than the limit, which must not apply: nothing is on its way.
    tokio::time::sleep(Duration::from_millis(100)).await;
    daemon.publish_changed(2);
    assert_eq!(client.message().await["parameters"]["seq"], 2);
}

#[tokio::test]
async fn a_subscriber_that_leaves_gives_up_its_place_though_nothing_is_published() {
    let daemon = Daemon::small();
    let mut client = daemon.connect().await;
    client.ask(WATCH.trim_end()).await;
    assert_eq!(daemon.status("/clients/open").await, 2);
    drop(client);
    daemon.until("/clients/open", 1).await;
}

#[tokio::test]
async fn a_subscriber_may_close_its_own_direction() {
    let mut daemon = Daemon::small();
    let mut client = daemon.connect().await;
    client.send(WATCH).await;
    client.close_writing().await;
    assert_eq!(client.message().await["parameters"]["seq"], 1);
    daemon.publish_changed(2);
    assert_eq!(client.message().await["parameters"]["seq"], 2);
}

#[tokio::test]
async fn many_changes_come_in_pieces_of_one_publication() {
    let names: Vec<String> = (0..2_000).map(|i| format!("plant.{i:05}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let daemon = Daemon::start(&names, patient());
    let mut client = daemon.connect().await;
    client.send(WATCH).await;
    let (mut seen, mut messages) = (Vec::new(), 0);
    while seen.len() < names.len() {
        let message = client.message().await;
        assert_eq!(message["parameters"]["seq"], 1);
        seen.extend(ids(&message).into_iter().map(str::to_owned));
        messages += 1;
    }
    assert_eq!(seen, names);
    assert!(1 < messages);
}

#[tokio::test]
async fn the_pause_that_a_client_wants_is_kept_and_ends_with_the_latest() {
    let mut daemon = Daemon::small();
    let mut client = daemon.connect().await;
    client.ask(r#"{"method":"Watch","parameters":{"min_interval_ms":200},"more":true}"#).await;
    for seq in 2..=5 {
        daemon.publish_changed(seq);
        daemon.status("/seq").await;
    }
    let next = client.message().await;
    assert_eq!(
        (&next["parameters"]["seq"], &next["parameters"]["skipped"]),
        (&5.into(), &3.into())
    );
}

#[tokio::test]
async fn the_end_is_the_last_snapshot_and_a_word() {
    let mut daemon = Daemon::small();
    let (mut asked, mut watching) = (daemon.connect().await, daemon.connect().await);
    asked.ask(r#"{"method":"Get"}"#).await;
    watching.ask(WATCH.trim_end()).await;
    daemon.publish_changed(2);
    // Stopped before the subscription had a chance to send it.
    let ended = daemon.end();
    let (drained, last) = tokio::join!(ended, async {
        let last = watching.message().await;
        assert_eq!(watching.message().await["error"], "io.stillwell.v1.ShuttingDown");
        assert_eq!(watching.next().await, None);
        last
    });
    assert_eq!(last["parameters"]["seq"], 2);
    assert_eq!(drained, Drained { unfinished: 0 });
    assert_eq!(asked.next().await, None);
    assert!(!daemon.directory.socket().exists(), "the socket is removed");
}

#[tokio::test]
async fn the_end_of_the_engine_is_the_end_of_the_stream() {
    let mut daemon = Daemon::small();
    let mut client = daemon.connect().await;
    client.ask(WATCH.trim_end()).await;
    daemon.publish_changed(2);
    daemon.snapshots = None;
    assert_eq!(client.message().await["parameters"]["seq"], 2);
    assert_eq!(client.message().await["error"], "io.stillwell.v1.ShuttingDown");
}

#[tokio::test]
async fn a_stuck_subscriber_does_not_hold_up_the_end() {
    let limits = Timeouts { drain: Duration::from_millis(50), ..patient() };
    let mut daemon = Daemon::start(&["a"], limits);
    let mut client = daemon.connect().await;
    client.send(WATCH).await;
    daemon.until("/clients/requests", 2).await;
    assert_eq!(daemon.end().await, Drained { unfinished: 1 });
}

#[tokio::test]
async fn a_client_that_leaves_while_it_wants_nothing_gives_its_place_back() {
    let limits = Timeouts { watch_check: Duration::from_millis(5), ..patient() };
    let daemon = Daemon::start(&["a"], limits);
    let mut client = daemon.connect().await;
    let hourly = r#"{"method":"Watch","parameters":{"min_interval_ms":3600000},"more":true}"#;
    client.ask(hourly).await;
    drop(client);
    // Only the one that asks is left.
    daemon.until("/clients/open", 1).await;
}

#[tokio::test]
async fn replies_and_messages_about_a_publication_are_timed() {
    let mut daemon = Daemon::small();
    let mut client = daemon.connect().await;
    client.ask(WATCH.trim_end()).await;
    assert_eq!(daemon.status("/latency/watch/count").await, 0, "the first is about no publication");
    daemon.publish_changed(2);
    client.message().await;
    assert_eq!(daemon.status("/latency/watch/count").await, 1);
    assert_eq!(daemon.status("/latency/query/count").await, 2, "a reply is timed when it is out");
}

#[tokio::test]
async fn those_who_want_the_same_are_told_the_same_to_the_byte() {
    let names: Vec<String> = (0..2_000).map(|i| format!("plant.{i:05}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut daemon = Daemon::start(&names, patient());
    let mut clients = Vec::new();
    for at in 0..12 {
        let mut client = daemon.connect().await;
        let pattern = if at < 9 { "plant.*" } else { "plant.00*7" };
        client
            .send(format!(
                "{{\"method\":\"Watch\",\"parameters\":{{\"channels\":[\"{pattern}\"]}},\"more\":true}}\n"
            ))
            .await;
        messages(&mut client, if at < 9 { 2_000 } else { 100 }).await;
        clients.push(client);
    }
    for seq in 2..5 {
        daemon.publish_changed(seq);
        let mut told = Vec::new();
        for (at, client) in clients.iter_mut().enumerate() {
            told.push(messages(client, if at < 9 { 2_000 } else { 100 }).await);
        }
        assert!(1 < told[0].len(), "in pieces");
        assert!(told[1..9].iter().all(|other| *other == told[0]), "of publication {seq}");
        assert!(told[10..].iter().all(|other| *other == told[9]), "of publication {seq}");
        assert_ne!(told[0], told[9]);
    }
}

/// Messages until so many channels have been told, as they came.
async fn messages(client: &mut Client, channels: usize) -> Vec<Vec<u8>> {
    let (mut lines, mut seen) = (Vec::new(), 0);
    while seen < channels {
        let line = client.bytes_until(b'\n').await.expect("a message");
        seen += ids(&serde_json::from_slice(&line).expect("JSON")).len();
        lines.push(line);
    }
    assert_eq!(seen, channels);
    lines
}
