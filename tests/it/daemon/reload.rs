//! Another configuration while the daemon runs.

use std::{
    collections::BTreeMap,
    io::Read as _,
    net::{SocketAddr, UdpSocket},
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{
    process::{Scratch, look, stillwell, wait_for},
    support::{Client, Daemon, Device, PLANT, Pty, assert_balanced, number},
};

const WINDOW: &str = "[defaults]\nwindows = [{ length = \"10m\", every = \"1s\" }]\n";

/// Has it read another configuration; what Status says of that.
pub(super) fn reload(daemon: &Daemon, config: &str) -> Value {
    daemon.dir().write("config.toml", config);
    let count = |status: &Value| status["reload"]["n"].as_u64().unwrap_or(0);
    let before = count(&daemon.status());
    daemon.signal(Signal::HUP);
    let status = look(|| Some(daemon.status()).filter(|status| before < count(status)));
    status.unwrap_or_else(|| panic!("no reload: {}", daemon.log()))["reload"].clone()
}

/// Readings in the window of a channel, once it shows as many.
fn shows(daemon: &Daemon, id: &str, readings: u64) {
    let shown = || {
        // A pattern: the channel may be yet to come.
        let reply = daemon.get(&format!("{id}*"));
        reply["summaries"].as_array()?.iter().find_map(|summary| summary["n"].as_u64())
    };
    let reached = look(|| shown().filter(|n| *n == readings));
    assert!(reached.is_some(), "{:?} for {readings}: {:#}", shown(), daemon.status());
}

/// Sends a frame each millisecond until it is told to stop; how many it sent.
fn sender(to: SocketAddr, stop: Arc<AtomicBool>) -> thread::JoinHandle<u64> {
    thread::spawn(move || {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let mut device = Device::new(17);
        let mut sent = 0;
        while !stop.load(Relaxed) {
            socket.send_to(&device.frame(&[1.0]), to).expect("sends");
            sent += 1;
            thread::sleep(Duration::from_millis(1));
        }
        sent
    })
}

/// Watches until it is told to stop: snapshots come in their order, and what was said of a window
/// once is said again the same. How many there were.
fn watcher(mut client: Client, stop: Arc<AtomicBool>) -> thread::JoinHandle<usize> {
    thread::spawn(move || {
        client.send("{\"method\":\"Watch\",\"more\":true}\n").expect("sends");
        let (mut seq, mut messages, mut said) = (0, 0, BTreeMap::new());
        while !stop.load(Relaxed) {
            if !client.has_input(Duration::from_millis(100)) {
                continue;
            }
            let message = client.message().expect("the subscription goes on");
            let next = number(&message["parameters"], "seq");
            assert!(seq < next, "{next} after {seq}");
            (seq, messages) = (next, messages + 1);
            for summary in message["parameters"]["summaries"].as_array().expect("a list") {
                if summary["status"] == "pending" {
                    continue;
                }
                let key = (summary["id"].to_string(), summary["end"].to_string());
                let n = summary["n"].clone();
                assert_eq!(said.entry(key).or_insert_with(|| n.clone()), &n, "{summary}");
            }
        }
        messages
    })
}

#[test]
fn what_is_kept_goes_on_and_nothing_is_lost_meanwhile() {
    let more = "[[source]]\nname = \"bench\"\nkind = \"udp\"\nlisten = \"127.0.0.1:0\"\n\
                format = \"text\"\n[[channel]]\nid = \"b\"\nsource = \"bench\"\nfield = \"b\"\n";
    for shards in [1, 2] {
        let head = format!("[daemon]\nshards = {shards}\npublish = \"100ms\"\n{WINDOW}");
        // The other source comes before, so that the number of the one that is kept changes.
        let (plain, larger) = (format!("{head}{PLANT}"), format!("{head}{more}{PLANT}"));
        let listen = "listen = \"127.0.0.1:0\"\n";
        let buffer = format!("{listen}    receive_buffer = \"4 MiB\"\n");
        let restarted = plain.replace(listen, &buffer);
        let daemon = Daemon::start(&plain);
        let to = daemon.address("plant");
        let stop = Arc::new(AtomicBool::new(false));
        let sending = sender(to, Arc::clone(&stop));
        let watching = watcher(daemon.client(), Arc::clone(&stop));
        wait_for("readings", || {
            Some(()).filter(|()| 50 < number(&daemon.source("plant")["ledger"], "accepted"))
        });
        for config in [&larger, &plain, &larger, &restarted, &plain] {
            let reload = reload(&daemon, config);
            assert!(reload["changed"].is_string(), "{reload}");
            assert_eq!(daemon.address("plant"), to);
        }
        stop.store(true, Relaxed);
        let sent = sending.join().expect("sends to the end");
        let ledger = daemon.frames("plant", sent)["accepted"].clone();
        assert_eq!(ledger, sent);
        shows(&daemon, "plant.17.0", sent);
        let status = daemon.status();
        assert_eq!((&status["epoch"], number(&status["total"], "lost_on_the_way")), (&1.into(), 0));
        assert!(5 < watching.join().expect("the subscription goes on"), "publications");
        daemon.stop();
    }
}

#[test]
fn of_changed_channels_windows_begin_anew_and_of_others_they_go_on() {
    let config = |channels: &str| {
        format!(
            "{WINDOW}[[source]]\nname = \"s\"\nkind = \"udp\"\nlisten = \"127.0.0.1:0\"\n\
             format = \"text\"\n{channels}"
        )
    };
    let channel = |id: &str, more: &str| {
        format!("[[channel]]\nid = \"{id}\"\nsource = \"s\"\nfield = \"{id}\"\n{more}\n")
    };
    let old = config(&(channel("a", "") + &channel("b", "") + &channel("c", "")));
    let changed = "calibration = { kind = \"linear\", scale = 2 }";
    let new =
        config(&(channel("d", "") + &channel("a", "expected_rate = 9") + &channel("b", changed)));
    let daemon = Daemon::start(&old);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(daemon.address("s")).expect("an address");
    let send = |text: &str| assert!(0 < socket.send(text.as_bytes()).expect("sends"));
    (0..5).for_each(|_| send("a:1,b:1,c:1\n"));
    daemon.frames("s", 5);
    let said = reload(&daemon, &new);
    let words =
        "sources: 1 decoded otherwise; channels: 1 adjusted, 1 begun anew, 1 added, 1 removed";
    assert_eq!(said["changed"], words, "{}", daemon.log());
    (0..3).for_each(|_| send("a:1,b:1,d:1\n"));
    for (id, readings) in [("a", 8), ("b", 3), ("d", 3)] {
        shows(&daemon, id, readings);
    }
    let gone = daemon.client().ask("{\"method\":\"Get\",\"parameters\":{\"channels\":[\"c\"]}}");
    assert!(gone["error"].as_str().is_some_and(|error| error.ends_with("NoSuchChannel")), "{gone}");
    let log = daemon.stop();
    for line in
        ["b: begins anew, changed: calibration", "a: goes on, changed: thresholds", "c: removed"]
    {
        assert!(log.contains(line), "{line}: {log}");
    }
}

/// Half of a line came before, and the rest of it after: the port was not even closed.
#[test]
fn a_serial_port_reads_on() {
    let pty = Pty::open();
    let path = pty.path().display().to_string();
    let config = |defaults: &str| {
        format!(
            "{WINDOW}{defaults}[[source]]\nname = \"s\"\nkind = \"serial\"\npath = \"{path}\"\n\
             format = \"text\"\n[[channel]]\nid = \"a\"\nsource = \"s\"\nfield = \"a\"\n"
        )
    };
    let daemon = Daemon::start(&config(""));
    daemon.until("s", "up", |source| source["state"] == "up");
    pty.write(b"a:1\na:2\na:3");
    daemon.frames("s", 2);
    daemon.until("s", "half a line", |source| number(&source["ledger"], "bytes_buffered") == 3);
    let said = reload(&daemon, &config("percentiles = [50]\n"));
    assert_eq!(said["changed"], "sources: 1 kept; channels: 1 adjusted");
    daemon
        .until("s", "half a line still", |source| number(&source["ledger"], "bytes_buffered") == 3);
    pty.write(b"4\n");
    let ledger = daemon.frames("s", 3);
    assert_eq!(
        (number(&ledger, "accepted"), number(&ledger, "bytes_skipped")),
        (3, 0),
        "{ledger:#}"
    );
    assert_eq!(daemon.get("a")["channels"][0]["value"], 34.0);
    assert_balanced(&daemon.status());
    daemon.stop();
}

/// Files with something wrong, each in another way.
const BROKEN: [&str; 10] = [
    "[",
    "[daemon]\npublish = 3",
    "[[source]]\nname = \"s\"",
    "[[source]]\nname = \"s\"\nkind = \"udp\"\nlisten = \"nowhere\"\nformat = \"text\"",
    "[[source]]\nname = \"s\"\nkind = \"serial\"\npath = \"/dev/ttyS0\"\nformat = \"text\"\nbaud = 0",
    "[[channel]]\nid = \"a\"\nsource = \"nobody\"\nfield = \"a\"",
    "[defaults]\nwindows = [\"1s\", 5]",
    "[defaults]\nnonsense = true",
    "[[pattern]]\nmatch = \"\"",
    "[daemon]\nshards = 1000",
];

#[test]
fn a_broken_file_changes_nothing_and_both_say_the_same_of_it() {
    let config = format!("{WINDOW}{PLANT}");
    let daemon = Daemon::start(&config);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(daemon.address("plant")).expect("an address");
    let mut device = Device::new(17);
    for (at, broken) in (1..).zip(BROKEN) {
        let said = reload(&daemon, broken);
        let refused = said["refused"].as_str().unwrap_or_else(|| panic!("{broken}: {said}"));
        let file = daemon.dir().path("config.toml");
        let mut check = stillwell();
        let check = check.arg("check").arg(&file).stdout(Stdio::null());
        let checked = check.stderr(Stdio::piped()).output().expect("runs");
        assert_eq!(checked.status.code(), Some(78), "{broken}");
        let errors = String::from_utf8_lossy(&checked.stderr);
        for line in refused.split("; ") {
            // `file:line:column: title`, of which the other has each in a place of its own.
            let title = line.splitn(4, ':').nth(3).unwrap_or(line).trim();
            assert!(errors.contains(title), "{broken}: {line:?} is not in {errors}");
            assert!(line.contains("config.toml:"), "{line}");
        }
        assert!(0 < socket.send(&device.frame(&[1.0])).expect("sends"));
        shows(&daemon, "plant.17.0", at);
    }
    // The same file again is no change.
    assert_eq!(reload(&daemon, &config)["changed"], "sources: 1 kept; channels: none");
    daemon.stop();
}

/// Standard error is a pipe that nobody reads until the end: the daemon goes on, and says how many
/// lines are lacking.
#[test]
fn a_log_that_nobody_reads_holds_up_nothing() {
    let dir = Scratch::new();
    let config = dir.write("config.toml", &format!("{WINDOW}{PLANT}"));
    let socket = dir.path("query.sock");
    let mut command = stillwell();
    command.args(["run", "--config"]).arg(&config).arg("--socket").arg(&socket);
    let mut daemon = command.stderr(Stdio::piped()).spawn().expect("it starts");
    let mut log = daemon.stderr.take().expect("a pipe");
    let ask = |request: &str| Client::try_connect(&socket).map(|mut client| client.call(request));
    wait_for("a daemon that serves", || ask("{\"method\":\"Status\"}"));
    // Each says some 60 KiB about it, which is what a pipe takes.
    let broken: String =
        (0..200).map(|n| format!("nonsense_{n}_{} = 1\n", "x".repeat(200))).collect();
    dir.write("config.toml", &broken);
    let pid = Pid::from_child(&daemon);
    for n in 1..=20 {
        kill_process(pid, Signal::HUP).expect("it lives");
        wait_for("a reload", || {
            let status = ask("{\"method\":\"Status\"}")?;
            (status["reload"]["n"] == n).then_some(())
        });
    }
    let text = Arc::new(Mutex::new(String::new()));
    let read = Arc::clone(&text);
    let reading = thread::spawn(move || {
        let mut piece = vec![0; 1 << 16];
        while let Ok(length @ 1..) = log.read(&mut piece) {
            let piece = String::from_utf8_lossy(&piece[..length]);
            read.lock().expect("nobody panics with it").push_str(&piece);
        }
    });
    let contains = |words: &str| text.lock().expect("nobody panics with it").contains(words);
    wait_for("what was dropped", || contains("lines of the log were dropped").then_some(()));
    kill_process(pid, Signal::TERM).expect("it lives");
    assert_eq!(daemon.wait().expect("it ends").code(), Some(0));
    reading.join().expect("it is read");
    assert!(contains("Stopped."), "the last lines are there");
}
