//! What survives the end of a daemon, however it ends.

use std::{
    fs::{self, File},
    io::{Read as _, Seek as _},
    net::UdpSocket,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
};

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    process::{Scratch, look, stillwell, wait_for},
    support::{Client, Daemon, Device, Manager, PLANT, assert_balanced, number, refused},
};

/// A source that takes up what comes, one window that moves fast, and state that is saved often.
fn config(directory: &Path, more: &str) -> String {
    let daemon = format!("[daemon]\nstate_dir = {directory:?}\nstate_every = \"1s\"\n{more}\n");
    let windows = "[defaults]\nwindows = [{ length = \"10m\", every = \"1s\" }]\n";
    format!("{daemon}{windows}{PLANT}")
}

/// Sends so many frames of one value, and waits until they are accepted.
fn send(daemon: &Daemon, device: &mut Device, frames: u64) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(daemon.address("plant")).expect("an address");
    let before = number(&daemon.source("plant")["ledger"], "accepted");
    for n in 0..frames {
        socket.send(&device.frame(&[n as f64])).expect("sends");
    }
    let all = |source: &Value| number(&source["ledger"], "accepted") == before + frames;
    daemon.until("plant", "all accepted", all);
}

/// Readings in the window, once it shows as many.
fn shows(daemon: &Daemon, readings: u64) {
    let shown = || {
        let reply = daemon.get("plant.*");
        reply["summaries"].as_array()?.iter().find_map(|summary| summary["n"].as_u64())
    };
    let reached = look(|| shown().filter(|n| *n == readings));
    assert!(reached.is_some(), "{:?} for {readings}: {:#}", shown(), daemon.status());
}

#[test]
fn a_killed_daemon_goes_on_from_its_files_and_a_stopped_one_loses_nothing() {
    for more in ["", "shards = 2"] {
        let dir = Scratch::new();
        let config = config(&dir.path("state"), more);
        let mut device = Device::new(17);
        let daemon = Daemon::start_in(dir, &config);
        assert_eq!(daemon.status()["epoch"], 1);
        send(&daemon, &mut device, 20);
        daemon.saved();
        let dir = daemon.killed();

        let daemon = Daemon::start_in(dir, &config);
        let status = daemon.status();
        assert_eq!(status["epoch"], 2, "{status:#}");
        assert_eq!(status["state"]["restored"]["channels"], 1, "{status:#}");
        assert_eq!(number(&status["total"], "accepted"), 20, "{status:#}");
        // Frames that came before are known still.
        device.sequence -= 3;
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.connect(daemon.address("plant")).expect("an address");
        (0..3).for_each(|_| assert!(0 < socket.send(&device.frame(&[9.0])).expect("sends")));
        let again =
            |source: &Value| refused(&source["ledger"], "readings_refused", "duplicate") == 3;
        daemon.until("plant", "three duplicates", again);
        send(&daemon, &mut device, 5);
        shows(&daemon, 25);
        // All that was accepted is in the last image, whenever the one before was.
        send(&daemon, &mut device, 2);
        let dir = daemon.stopped();

        let daemon = Daemon::start_in(dir, &config);
        let status = daemon.status();
        assert_eq!((&status["epoch"], number(&status["total"], "accepted")), (&3.into(), 27));
        assert_eq!(number(&status["total"], "lost_on_the_way"), 0, "{status:#}");
        send(&daemon, &mut device, 1);
        shows(&daemon, 28);
        daemon.stop();
    }
}

/// A device that sends without a pause, until it is told to stop.
fn flood(daemon: &Daemon, mut device: Device) -> (Arc<AtomicBool>, JoinHandle<Device>) {
    let (address, stop) = (daemon.address("plant"), Arc::<AtomicBool>::default());
    let stopped = Arc::clone(&stop);
    let thread = thread::spawn(move || {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        while !stopped.load(Relaxed) {
            // Nobody is there any more once the daemon is killed.
            let _ = socket.send_to(&device.frame(&[1.5; 50]), address);
        }
        device
    });
    (stop, thread)
}

#[test]
fn killed_at_any_time_under_load_it_goes_on_with_books_that_balance() {
    let mut dir = Scratch::new();
    let config = config(&dir.path("state"), "queue = 16");
    let mut device = Device::new(9);
    let mut kept = 0;
    for (epoch, published) in [3_u64, 17, 1, 23, 8, 14].into_iter().enumerate() {
        let daemon = Daemon::start_in(dir, &config);
        let status = daemon.status();
        assert_eq!(number(&status, "epoch"), epoch as u64 + 1, "{status:#}");
        assert_balanced(&status);
        let accepted = number(&status["total"], "accepted");
        assert!(kept <= accepted, "{kept} were saved: {status:#}");
        let (stop, thread) = flood(&daemon, device);
        let saved = |status: &Value| number(&status["state"], "saved");
        let first = saved(&status);
        wait_for("images under load", || (first + 2 <= saved(&daemon.status())).then_some(()));
        // What was accepted now is in the image after the next at the latest.
        let now = daemon.status();
        wait_for("the one after", || (saved(&now) + 2 <= saved(&daemon.status())).then_some(()));
        kept = number(&now["total"], "accepted");
        assert!(accepted < kept, "{now:#}");
        let until = number(&daemon.status(), "seq") + published;
        wait_for("another instant", || (until <= number(&daemon.status(), "seq")).then_some(()));
        dir = daemon.killed();
        stop.store(true, Relaxed);
        device = thread.join().expect("it sends and nothing else");
    }
    let daemon = Daemon::start_in(dir, &config);
    assert_eq!(number(&daemon.status()["total"], "duplicates"), 0);
    daemon.stop();
}

#[test]
fn a_field_that_was_found_is_the_same_channel_after_a_restart() {
    let dir = Scratch::new();
    let text = PLANT.replace("native", "text");
    let config = format!("[daemon]\nstate_dir = {:?}\n{text}", dir.path("state"));
    let say = |daemon: &Daemon, line: &str| {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let before = number(&daemon.source("plant")["ledger"], "frames_ok");
        socket.send_to(line.as_bytes(), daemon.address("plant")).expect("sends");
        daemon.frames("plant", before + 1);
    };
    let daemon = Daemon::start_in(dir, &config);
    say(&daemon, "level:2.5 temp:7\n");
    let daemon = Daemon::start_in(daemon.stopped(), &config);
    assert_eq!(daemon.get("plant.level")["channels"][0]["value"], 2.5, "known from the start");
    say(&daemon, "other:1 level:3.5\n");
    let list = daemon.client().call(r#"{"method":"List"}"#);
    let ids: Vec<&str> = list["channels"]
        .as_array()
        .expect("channels")
        .iter()
        .filter_map(|c| c["id"].as_str())
        .collect();
    assert_eq!(ids, ["plant.level", "plant.other", "plant.temp"]);
    assert_eq!(daemon.get("plant.level")["channels"][0]["value"], 3.5);
    daemon.stop();
}

#[test]
fn a_daemon_whose_state_is_damaged_starts_without_it_and_says_so() {
    let dir = Scratch::new();
    let (config, state) = (config(&dir.path("state"), ""), dir.path("state"));
    let daemon = Daemon::start_in(dir, &config);
    send(&daemon, &mut Device::new(1), 4);
    daemon.saved();
    let dir = daemon.killed();
    for name in ["state.a", "state.b"] {
        let mut bytes = fs::read(state.join(name)).expect("it was saved twice");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(state.join(name), bytes).expect("ours");
    }
    let daemon = Daemon::start_in(dir, &config);
    let status = daemon.status();
    let useless = status["state"]["useless"].as_array().expect("two").len();
    assert_eq!((useless, &status["state"]["restored"]), (2, &Value::Null), "{status:#}");
    assert!(1 < number(&status, "epoch"), "{status:#}");
    send(&daemon, &mut Device::new(1), 4);
    daemon.stop();
}

#[test]
fn a_directory_that_takes_nothing_leaves_aggregation_untouched() {
    let dir = Scratch::new();
    let file = dir.write("file", "no directory");
    let config = config(&file.join("state"), "");
    let daemon = Daemon::start_in(dir, &config);
    send(&daemon, &mut Device::new(1), 7);
    let failed = look(|| {
        let status = daemon.status();
        status["state"]["failed"].as_array()?.first().map(|failed| number(failed, "n"))
    });
    assert!(failed.is_some(), "{:#}", daemon.status());
    shows(&daemon, 7);
    assert_eq!(daemon.status()["state"]["saved"], 0);
    let log = daemon.stop();
    assert!(log.contains("cannot be saved"), "{log}");
}

#[test]
fn a_killed_service_goes_on_from_the_memory_that_its_manager_keeps() {
    let scratch = Scratch::new();
    let socket = scratch.path("query.sock");
    let manager = Manager::new();
    let text = format!("[daemon]\nstate_every = \"1s\"\n{PLANT}");
    let config = scratch.write("config.toml", &text);
    let status = || Client::try_connect(&socket).map(|mut c| c.call(r#"{"method":"Status"}"#));
    let mut sent = 0;
    let mut device = Device::new(3);
    for epoch in 1..=4 {
        let mut command = stillwell();
        command.args(["run", "--config"]).arg(&config).arg("--socket").arg(&socket);
        let mut daemon = manager.start(&mut command, &scratch);
        let up = daemon.wait_for("a daemon that serves", || {
            status().filter(|status| status["sources"][0]["state"] == "up")
        });
        assert_eq!(up["epoch"], epoch, "{up:#}\n{}", daemon.log());
        assert_eq!(number(&up["total"], "accepted"), sent, "{up:#}");
        let address = up["sources"][0]["detail"].as_str().expect("an address");
        let address = address.split(',').next().expect("an address");
        let sender = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        (0..10).for_each(|_| {
            sender.send_to(&device.frame(&[1.0]), address).expect("sends");
        });
        sent += 10;
        daemon.wait_for("the frames", || {
            status().filter(|status| number(&status["total"], "accepted") == sent)
        });
        let count = || status().map(|status| number(&status["state"], "saved"));
        let before = count().expect("it serves");
        daemon.wait_for("an image of now", || count().filter(|now| before + 2 <= *now));
        daemon.end(Signal::KILL);
        // One is kept at a time, but for the moment in which it is replaced.
        let images = || manager.kept().into_iter().filter(|(name, _)| name.starts_with("state-"));
        let mut kept = wait_for("one image", || (images().count() == 1).then(images));
        let mut image = File::from(kept.next().expect("one").1);
        let mut magic = [0; 8];
        image.rewind().expect("memory");
        image.read_exact(&mut magic).expect("as long");
        assert_eq!(&magic, b"STILLWEL");
    }
}
