//! UDP sockets that outlive the daemon: what was sent is received, once, and as of when it came.

use std::{
    fs::{self, File},
    io::{Read as _, Seek as _},
    net::{SocketAddr, UdpSocket},
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
    time::{Duration, SystemTime},
};

use rustix::net::{RecvFlags, recv};
use serde_json::Value;
use stillwell::{daemon::kernel, engine::image::Image};

use crate::{
    process::{Scratch, wait_for},
    support::{Daemon, Device, Manager, Steady, assert_balanced, number, refused},
};

/// A source of the device that is steady, with images of the state in a directory, or not.
fn config(listen: &str, directory: Option<&Path>) -> String {
    let directory = directory.map(|path| format!("state_dir = {path:?}\n")).unwrap_or_default();
    let source = Steady::CONFIG.replace("127.0.0.1:0", listen);
    format!("[daemon]\nstate_every = \"1s\"\n{directory}{source}")
}

/// As a socket unit opens it.
fn unit_socket() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    kernel::enable_timestamps(socket.as_fd()).expect("as `Timestamping=ns` does");
    let address = socket.local_addr().expect("bound");
    (socket, address)
}

fn passed(socket: &UdpSocket) -> Vec<(String, OwnedFd)> {
    vec![("udp".to_owned(), socket.try_clone().expect("clones").into())]
}

fn ledger(daemon: &Daemon) -> Value {
    daemon.source("steady")["ledger"].clone()
}

/// Datagrams of the source in the newest of these images: by the format, the first count in the
/// ledger of the only source.
fn datagrams_in(images: Vec<Vec<u8>>) -> u64 {
    let images = images.into_iter().filter_map(|bytes| Image::open(bytes).ok());
    let newest = images.max_by_key(|image| image.head().order()).expect("one is whole");
    let (_, records) = newest.sources().next().expect("the source");
    let mut book = newest.reader(records.book.as_ref().expect("its ledger"));
    book.count(64).expect("as many counts");
    book.number().expect("datagrams")
}

/// The sequence number of the first frame that nobody has received from a socket.
fn first_unread(socket: &OwnedFd) -> u64 {
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    let mut head = [0; 24];
    wait_for("a datagram that waits", || recv(socket, &mut head[..], flags).ok().map(drop));
    u64::from(u32::from_le_bytes(head[12..16].try_into().expect("four bytes")))
}

/// What lies between two lives of a daemon.
struct Outage {
    dir: Scratch,
    /// What was kept of its state.
    images: Vec<Vec<u8>>,
    /// A copy of its socket.
    socket: OwnedFd,
}

/// Kills a daemon in the middle of a stream, several times, and sees that exactly that is lost
/// which it had received and not saved.
fn killed_in_mid_stream(
    dir: Scratch,
    start: impl Fn(Scratch) -> Daemon,
    killed: impl Fn(Daemon) -> Outage,
) {
    let mut daemon = start(dir);
    let steady = Steady::send_to(daemon.address("steady"), Duration::from_millis(1));
    let mut lost = 0;
    for life in 1..=4 {
        let saved = |status: &Value| number(&status["state"], "saved");
        let first = saved(&daemon.status());
        wait_for("an image", || (first < saved(&daemon.status())).then_some(()));
        // Into the time after it, a little further each time.
        let more = number(&ledger(&daemon), "datagrams") + life * 37;
        daemon.until("steady", "more", |source| more <= number(&source["ledger"], "datagrams"));
        let outage = killed(daemon);
        let (saved, unread) = (datagrams_in(outage.images), first_unread(&outage.socket));
        assert!(saved <= unread && lost <= unread - saved, "{saved} of {unread} after {lost} lost");
        // All that was ever lost: of what was received, what no image has.
        lost = unread - saved;
        let sent = steady.sent() + 200;
        wait_for("a stream that goes on", || (sent <= steady.sent()).then_some(()));
        daemon = start(outage.dir);
        daemon.frames("steady", sent - lost);
        let ledger = ledger(&daemon);
        let count = |key| number(&ledger, key);
        assert_eq!(count("lost_on_the_way"), lost, "life {life}: {ledger:#}");
        assert_eq!((count("kernel_dropped"), count("unstamped")), (0, 0), "{ledger:#}");
    }
    let sent = steady.stop();
    let ledger = daemon.frames("steady", sent - lost);
    let count = |key| number(&ledger, key);
    let accepted = Steady::READINGS * (sent - lost);
    assert_eq!((count("datagrams"), count("accepted")), (sent - lost, accepted), "{ledger:#}");
    assert_eq!((count("duplicates"), count("reordered"), count("resets")), (0, 0, 0), "{ledger:#}");
    assert!(0 < lost, "it was meant to be killed with something unsaved");
    daemon.stop();
}

#[test]
fn a_socket_of_a_unit_loses_nothing_to_a_daemon_that_is_killed_in_mid_stream() {
    let (socket, address) = unit_socket();
    let dir = Scratch::new();
    let state = dir.path("state");
    let config = config(&address.to_string(), Some(&state));
    killed_in_mid_stream(
        dir,
        |dir| Daemon::start_passing(passed(&socket), dir, &config),
        |daemon| {
            let dir = daemon.killed();
            let images = ["state.a", "state.b"].map(|name| fs::read(state.join(name)));
            let images = images.into_iter().filter_map(Result::ok).collect();
            Outage { dir, images, socket: socket.try_clone().expect("clones").into() }
        },
    );
}

#[test]
fn a_socket_of_the_daemons_own_loses_nothing_where_its_manager_keeps_it() {
    let manager = Manager::new();
    // A port that the kernel chooses is the same in each life, or nothing would be received.
    let config = config("127.0.0.1:0", None);
    killed_in_mid_stream(
        Scratch::new(),
        |dir| Daemon::start_by(&manager, dir, &config),
        |daemon| {
            let dir = daemon.killed();
            let kept = manager.kept();
            let images = kept.into_iter().filter(|(name, _)| name.starts_with("state-"));
            let images = images.map(|(_, fd)| contents(fd)).collect();
            let socket = manager.find("udp-steady").expect("it is kept");
            Outage { dir, images, socket }
        },
    );
    let names = manager.names();
    assert_eq!(names.iter().filter(|name| *name == "udp-steady").count(), 1, "{names:?}");
}

fn contents(fd: OwnedFd) -> Vec<u8> {
    let (mut file, mut bytes) = (File::from(fd), Vec::new());
    file.rewind().expect("memory");
    file.read_to_end(&mut bytes).expect("memory");
    bytes
}

#[test]
fn what_the_kernel_drops_is_counted_once_whoever_lives_then() {
    let (socket, address) = unit_socket();
    socket2::SockRef::from(&socket).set_recv_buffer_size(16 * 1_024).expect("a small one");
    let dir = Scratch::new();
    // A buffer in a unit is never made smaller; this one is to stay small.
    let config = config(&address.to_string(), Some(&dir.path("state")));
    let config = config.replace("format =", "receive_buffer = \"16KiB\"\nformat =");
    let sender = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let mut device = Device::new(7);
    let mut sent = 0;
    let mut send = |datagrams: u64| {
        for _ in 0..datagrams {
            sender.send_to(&device.frame(&[1.0]), address).expect("sends");
        }
        sent += datagrams;
        sent
    };
    let start = |dir| Daemon::start_passing(passed(&socket), dir, &config);
    let dropped = || u64::from(kernel::socket_drops(socket.as_fd()).expect("it is counted"));
    let settled = |daemon: &Daemon, sent: u64| {
        let received_or_dropped = |source: &Value| {
            let count = |key| number(&source["ledger"], key);
            count("datagrams") + count("kernel_dropped") == sent
        };
        daemon.until("steady", "all accounted for", received_or_dropped);
        let ledger = ledger(daemon);
        assert_eq!(number(&ledger, "kernel_dropped"), dropped(), "{ledger:#}");
        assert_balanced(&daemon.status());
    };

    // Before the first daemon, and while it lives.
    let sent = send(500);
    let before = dropped();
    assert!(0 < before && before < sent, "the buffer was meant to overflow: {before}");
    let daemon = start(dir);
    settled(&daemon, sent);
    let sent = send(700);
    settled(&daemon, sent);
    let saved = || number(&daemon.status()["state"], "saved");
    let first = saved();
    wait_for("an image of now", || (first + 2 <= saved()).then_some(()));

    // While none lives, and again.
    let mut dir = daemon.killed();
    for life in 0..2 {
        let before = dropped();
        let sent = send(600);
        assert!(before < dropped(), "the buffer was meant to overflow");
        let daemon = start(dir);
        settled(&daemon, sent);
        // The second hears from the first, which tells what it had at its end.
        dir = daemon.stopped();
        if life == 1 {
            let daemon = start(dir);
            settled(&daemon, sent);
            daemon.stop();
            return;
        }
    }
}

#[test]
fn what_waited_is_taken_as_of_when_it_came() {
    const FRAMES: u32 = 5;
    let (socket, address) = unit_socket();
    let dir = Scratch::new();
    let source = format!(
        "[[source]]\nname = \"steady\"\nkind = \"udp\"\nlisten = \"{address}\"\n\
         format = \"native\"\nunknown = \"discover\"\nidle = \"10ms\"\n"
    );
    let window = "[defaults]\nwindows = [{ length = \"1m\", every = \"100ms\" }]\n";
    let state = format!("[daemon]\nstate_every = \"1s\"\nstate_dir = {:?}\n", dir.path("state"));
    let config = state + window + &source;
    let start = |dir| Daemon::start_passing(passed(&socket), dir, &config);
    let sender = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let send = |device: u32| {
        let before = unix_ms();
        sender.send_to(&Device::new(device).frame(&[1.0]), address).expect("sends");
        (before, unix_ms())
    };

    // The first life's windows drain in silence before it ends.
    let daemon = start(dir);
    send(100);
    daemon.frames("steady", 1);
    let now = unix_ms();
    wait_for("later times", || (now + 500 < unix_ms()).then_some(()));
    let dir = daemon.stopped();
    let mut times = Vec::new();
    for device in 0..FRAMES {
        times.push(send(device));
        let now = unix_ms();
        wait_for("later times", || (now + 300 < unix_ms()).then_some(()));
    }
    // Each device is a channel, whose only reading has the time of its arrival.
    let daemon = start(dir);
    let ledger = daemon.frames("steady", u64::from(FRAMES) + 1);
    assert_eq!(number(&ledger, "accepted"), u64::from(FRAMES) + 1, "{ledger:#}");
    assert_eq!(refused(&ledger, "readings_refused", "late"), 0, "{ledger:#}");
    assert_eq!(number(&ledger, "unstamped"), 0, "{ledger:#}");
    for (device, (before, after)) in (0..FRAMES).zip(times) {
        let reply = daemon.get(&format!("steady.{device}.*"));
        let time = reply["channels"][0]["time"].as_str().expect("it has a reading");
        let at = unix_ms_of(time);
        // The line was anchored at another instant than the one that is asked here.
        assert!(before - 50 <= at && at <= after + 50, "{device}: {before} {at} {after}");
    }
    daemon.stop();
}

/// Milliseconds since 1970.
fn unix_ms() -> i64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().expect("after 1970");
    i64::try_from(since.as_millis()).expect("not that late")
}

/// Milliseconds since 1970 of a time of today or yesterday, as replies have it.
fn unix_ms_of(time: &str) -> i64 {
    let clock = time.split(['T', 'Z']).nth(1).expect("a time of day");
    let of_day =
        clock.split(':').fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().expect("digits"));
    const DAY_MS: i64 = 86_400_000;
    let (now, of_day) = (unix_ms(), (of_day * 1e3) as i64);
    let today = now - now % DAY_MS + of_day;
    if today <= now + 60_000 { today } else { today - DAY_MS }
}

/// Two sources that bind their ports, each with a device of its own.
fn two(names: [&str; 2]) -> String {
    let source = |name| {
        format!(
            "[[source]]\nname = \"{name}\"\nkind = \"udp\"\nlisten = \"127.0.0.1:0\"\n\
             format = \"native\"\nunknown = \"discover\"\n"
        )
    };
    names.map(source).concat()
}

#[test]
fn a_kept_socket_ends_with_its_source_and_not_with_a_broken_configuration() {
    let manager = Manager::new();
    let daemon = Daemon::start_by(&manager, Scratch::new(), &two(["stays", "goes"]));
    let (stays, goes) = (daemon.address("stays"), daemon.address("goes"));
    let has = |name: &str| manager.names().iter().any(|kept| kept == name);
    wait_for("both in the store", || (has("udp-stays") && has("udp-goes")).then_some(()));
    let sender = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let send = |at| sender.send_to(&Device::new(3).frame(&[2.0]), at).expect("sends");
    let dir = daemon.killed();

    // A daemon without inputs leaves them to the next.
    let daemon = Daemon::start_by(&manager, dir, "[daemon]\npublich = 1\n");
    assert!(daemon.status()["degraded"].is_string());
    let dir = daemon.killed();
    send(stays);
    assert!(has("udp-stays") && has("udp-goes"), "{:?}", manager.names());

    let config = &two(["stays", "comes"]);
    let daemon = Daemon::start_by(&manager, dir, config);
    assert_eq!(daemon.address("stays"), stays, "a port that the kernel chose is kept");
    daemon.frames("stays", 1);
    let settled = || has("udp-stays") && has("udp-comes") && !has("udp-goes");
    wait_for("the store as configured", || settled().then_some(()));
    drop(UdpSocket::bind(goes).expect("the port is free again"));
    let log = daemon.log();
    let closed = format!("The socket {goes} is closed: no source listens on it any more.");
    assert!(log.contains(&closed), "{log}");
    daemon.stop();
}
