//! Clients that behave badly cost themselves, and neither the input nor the other clients.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Resource, Rlimit, Signal, geteuid, getrlimit, setrlimit};
use serde_json::Value;
use stillwell::{
    daemon::clock::boot_ns,
    limits::{CLIENTS_MAX, CLIENTS_PER_UID_MAX, CLIENTS_ROOT_RESERVE, SECOND},
};

use crate::{
    process::{Scratch, did_not_run, look},
    support::{Client, Daemon, Steady, number},
};

const STATUS: &str = r#"{"method":"Status"}"#;

/// Places that are taken, and descriptors that are open, in a daemon.
fn taken(daemon: &Daemon, by: &mut Client) -> (u64, usize) {
    let open = number(&by.call(STATUS)["clients"], "open");
    let descriptors = fs::read_dir(format!("/proc/{}/fd", daemon.pid()));
    (open, descriptors.expect("/proc tells").count())
}

fn is_busy(reply: &Value, reason: &str) -> bool {
    reply["error"] == "io.stillwell.v1.Busy" && reply["parameters"]["reason"] == reason
}

#[test]
fn of_a_thousand_clients_most_are_turned_away_at_once() {
    let limit = getrlimit(Resource::Nofile);
    let more = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, more).expect("a process may use what it has");
    let daemon = Daemon::start(Steady::CONFIG);
    let steady = Steady::start(&daemon);
    let mut regular = daemon.client();
    let before = taken(&daemon, &mut regular);
    let mut clients: Vec<Client> = (0..1_000).map(|_| daemon.client()).collect();
    // One that is turned away is told so without asking, and let go.
    let last = clients.last_mut().expect("a thousand");
    let busy = last.message().expect("a line");
    assert!(is_busy(&busy, "max_clients_of_uid"), "{busy}");
    assert_eq!(last.message(), None, "the connection is closed");
    clients.pop();
    let mut served = 0;
    for client in &mut clients {
        let _ = client.send(format!("{STATUS}\n"));
        let reply = client.message().expect("a line");
        served += usize::from(!is_busy(&reply, "max_clients_of_uid"));
        regular.call(STATUS);
    }
    assert_eq!(served + 1, CLIENTS_PER_UID_MAX, "all clients are one user's");
    let status = regular.call(STATUS);
    assert_eq!(number(&status["clients"], "rejected"), 1_000 - served as u64, "{status}");
    assert_eq!(number(&status["clients"], "open"), 1 + served as u64, "{status}");
    drop(clients);
    let recovered = look(|| (taken(&daemon, &mut regular) == before).then_some(()));
    assert!(recovered.is_some(), "{before:?}: {:?}", taken(&daemon, &mut regular));
    steady.was_undisturbed(&daemon);
    drop(regular);
    daemon.stop();
}

/// Socket and number of connections; set for a process that holds places.
const HOLD: &str = "STILLWELL_TEST_HOLD";

/// Holds places for the next test when it is started by it; otherwise it passes at once.
#[test]
fn holds_places_for_another_test() {
    let Ok(hold) = std::env::var(HOLD) else { return };
    let (count, socket) = hold.split_once(' ').expect("a number and a path");
    let connect = |_| Client::try_connect(Path::new(socket)).expect("connects");
    let mut clients: Vec<Client> = (0..count.parse().expect("a number")).map(connect).collect();
    for client in &mut clients {
        // One that was turned away cannot write, and reads why.
        let _ = client.send(format!("{STATUS}\n"));
        println!("held {}", client.message().expect("a line"));
    }
    let _ = std::io::stdin().read(&mut [0]);
}

/// The processes of another user, who is in the group that may use the socket.
struct Holder(Child);

impl Holder {
    /// Connects `count` times; what each connection was told.
    fn start(program: &Path, uid: u32, count: usize, socket: &Path) -> (Self, Vec<Value>) {
        let mut child = Command::new(program)
            .args(["--exact", "daemon::clients::holds_places_for_another_test", "--nocapture"])
            .env(HOLD, format!("{count} {}", socket.display()))
            .uid(uid)
            .gid(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let told = lines.filter_map(|line| {
            let line = line.expect("text");
            // The harness writes into the same line.
            let (_, told) = line.split_once("held ")?;
            Some(serde_json::from_str(told).expect("JSON"))
        });
        let told = told.take(count).collect();
        (Self(child), told)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_last_places_are_kept_for_root() {
    if !geteuid().is_root() {
        return did_not_run("only root can be several users");
    }
    let daemon = Daemon::start(Steady::CONFIG);
    let steady = Steady::start(&daemon);
    // Other users may not be able to read the directory that the tests are built in.
    let dir = Scratch::new();
    let program = dir.path("holder");
    fs::copy(std::env::current_exe().expect("this test"), &program).expect("copies");
    let hold = |uid, count| Holder::start(&program, uid, count, &daemon.socket());
    let each = (CLIENTS_MAX - CLIENTS_ROOT_RESERVE) / 4;
    let mut holders = Vec::new();
    for uid in 60_001..60_005 {
        let (holder, told) = hold(uid, each);
        assert!(told.iter().all(|reply| reply.get("error").is_none()), "{told:?}");
        assert_eq!(told.len(), each);
        holders.push(holder);
    }
    let (_, told) = hold(60_005, 1);
    assert!(is_busy(&told[0], "max_clients"), "{told:?}");
    let status = daemon.status();
    assert_eq!(number(&status["clients"], "open") as usize, 4 * each + 1, "{status}");
    drop(holders);
    let left = look(|| Some(daemon.status()).filter(|s| s["clients"]["open"] == 1));
    assert!(left.is_some(), "{:#}", daemon.status()["clients"]);
    let (_, told) = hold(60_005, 1);
    assert!(told[0].get("error").is_none(), "{told:?}");
    steady.was_undisturbed(&daemon);
    daemon.stop();
}

/// What it gets when it reads at last is one old message and then the latest state; and a client
/// that still does not read does not hold up the shutdown.
#[test]
fn a_subscriber_that_never_reads_has_one_message_waiting() {
    let daemon = Daemon::start(Steady::CONFIG);
    let steady = Steady::start(&daemon);
    let watch = || {
        let mut client = daemon.client();
        client.send("{\"method\":\"Watch\",\"more\":true}\n").expect("the daemon reads");
        client
    };
    let (mut late, never) = (watch(), watch());
    let published = |n| {
        let from = number(&daemon.status(), "seq");
        let reached = look(|| (from + n <= number(&daemon.status(), "seq")).then_some(()));
        assert!(reached.is_some(), "nothing is published: {}", daemon.log());
    };
    published(20);
    let waiting = number(&daemon.status(), "seq");
    let first = late.message().expect("a message")["parameters"].take();
    let second = late.message().expect("a message")["parameters"].take();
    assert!(number(&first, "seq") + 15 <= waiting, "it is as old as the subscription: {first}");
    assert!(waiting <= number(&second, "seq"), "the next is the latest: {second}");
    assert!(15 <= number(&second, "skipped"), "{second}");
    steady.was_undisturbed(&daemon);
    daemon.stop();
    drop(never);
}

#[test]
fn half_a_line_has_five_seconds() {
    let daemon = Daemon::start(Steady::CONFIG);
    let steady = Steady::start(&daemon);
    let (mut half, mut trickle) = (daemon.client(), daemon.client());
    // Before the first byte, so that a test that is held up measures too much and never too little.
    let begun_ns = boot_ns();
    half.send(r#"{"method":"#).expect("the daemon reads");
    trickle.send("{").expect("the daemon reads");
    let mut regular = daemon.client();
    // Bytes that trickle in buy no time.
    while !half.has_input(Duration::from_millis(50)) {
        let _ = trickle.send(" ");
        regular.call(STATUS);
    }
    assert!(5 * SECOND <= boot_ns() - begun_ns, "five seconds are not over");
    for client in [&mut half, &mut trickle] {
        let reply = client.message().expect("a reply");
        assert_eq!(reply["error"], "io.stillwell.v1.BadRequest", "{reply}");
        assert_eq!(reply["parameters"]["reason"], "half_line", "{reply}");
        assert_eq!(client.message(), None, "the connection is closed");
    }
    assert_eq!(daemon.status()["clients"]["closed_idle"], 2);
    steady.was_undisturbed(&daemon);
    daemon.stop();
}

#[test]
fn a_request_may_come_byte_by_byte() {
    let daemon = Daemon::start(Steady::CONFIG);
    let mut client = daemon.client();
    for byte in b"{\"method\":\"Status\"}\r\n{\"method\":\"List\"}\n" {
        client.send([*byte]).expect("the daemon reads");
    }
    assert_eq!(client.message().expect("a reply")["parameters"]["pid"], daemon.pid());
    assert!(client.message().expect("a reply")["parameters"]["channels"].is_array());
    daemon.stop();
}

/// Each gets one reply that says what is wrong, and is closed.
#[test]
fn what_is_no_request_is_told_and_ended() {
    let daemon = Daemon::start(Steady::CONFIG);
    let steady = Steady::start(&daemon);
    let deep = format!("{{\"method\":{}1{}}}\n", "[".repeat(2_000), "]".repeat(2_000));
    let long = format!("{{\"method\":\"{}\"}}\n", "x".repeat(100_000));
    let noise: Vec<u8> = (0..=255).cycle().skip(1).take(50_000).collect();
    let strings = format!("{{\"method\":\"{}\"}}\n", "x".repeat(300));
    let cases: [(&[u8], &str); 9] = [
        (deep.as_bytes(), "too_deep"),
        (long.as_bytes(), "line_too_long"),
        (&noise, "not_an_object"),
        (strings.as_bytes(), "string_too_long"),
        (b"\xEF\xBB\xBF{\"method\":\"Status\"}\n", "byte_order_mark"),
        (b"{\"method\":\"\xFF\"}\n", "not_utf8"),
        (b"{\"method\":Status}\n", "not_json"),
        (b"[]\n", "not_an_object"),
        (b"{\"method\":\"Status\"}}\n", "not_json"),
    ];
    for (bytes, reason) in cases {
        let mut client = daemon.client();
        // The daemon may have seen enough before it has taken everything.
        let _ = client.send(bytes);
        let reply = client.message().expect("a reply");
        assert_eq!(reply["error"], "io.stillwell.v1.BadRequest", "{reason}: {reply}");
        assert_eq!(reply["parameters"]["reason"], reason, "{reply}");
        assert!(reply.to_string().len() < 200, "nothing is echoed: {reply}");
    }
    let log = daemon.log();
    assert!(log.is_ascii() && log.lines().count() < 20, "nothing of it is in the log: {log}");
    steady.was_undisturbed(&daemon);
    daemon.stop();
}

/// The daemon is stopped for a while, as by a debugger or a full machine: what piled up in the
/// kernel is taken, and nothing is made up for the time.
#[test]
fn a_pause_of_the_whole_process_loses_nothing() {
    let daemon = Daemon::start(Steady::CONFIG);
    let steady = Steady::start(&daemon);
    daemon.frames("steady", 50);
    let mut client = daemon.client();
    daemon.signal(Signal::STOP);
    client.send(format!("{STATUS}\n")).expect("the kernel takes it");
    assert!(!client.has_input(Duration::from_millis(1_500)), "it stands still");
    daemon.signal(Signal::CONT);
    assert_eq!(client.message().expect("a reply")["parameters"]["pid"], daemon.pid());
    steady.was_undisturbed(&daemon);
    daemon.stop();
}
