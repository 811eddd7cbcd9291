//! The daemon as a service: notifications, inherited sockets, and the units that are shipped.
//!
//! The test is the service manager; none is started.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::UdpSocket,
    os::unix::net::{UnixDatagram, UnixListener, UnixStream},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;
use stillwell::{
    config::{self, InputKind},
    daemon::{clock, server::listen::INHERITED_NAME, state::line::BOOT_ID_VARIABLE},
    limits::{RECEIVE_BUFFER_DEFAULT, SOURCES_MAX},
};

use crate::process::{
    PATIENCE, Process, Scratch, has_tool, shipped, stillwell, uninterrupted, wait_for,
};

const WATCHDOG: Duration = Duration::from_secs(6);

fn udp_source(name: &str, listen: &dyn std::fmt::Display) -> String {
    format!(
        "[[source]]\nname = '{name}'\nkind = 'udp'\nlisten = '{listen}'\nformat = 'text'\n\
         unknown = 'discover'\n"
    )
}

fn call(socket: &Path, request: &str) -> Option<Value> {
    let stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).expect("takes a timeout");
    (&stream).write_all(format!("{request}\n").as_bytes()).ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    Some(serde_json::from_str::<Value>(&line).ok()?["parameters"].clone())
}

fn status(socket: &Path) -> Option<Value> {
    call(socket, r#"{"method":"Status"}"#)
}

/// The other end of NOTIFY_SOCKET.
struct Manager(UnixDatagram);

impl Manager {
    fn new(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).expect("binds");
        socket.set_read_timeout(Some(PATIENCE)).expect("takes a timeout");
        Self(socket)
    }

    /// The next message with this line in it.
    fn told(&self, line: &str) -> String {
        loop {
            let mut message = [0; 4_096];
            let length = uninterrupted(|| self.0.recv(&mut message))
                .unwrap_or_else(|error| panic!("no {line}: {error}"));
            let message = String::from_utf8_lossy(&message[..length]).into_owned();
            if message.lines().any(|told| told == line) {
                return message;
            }
        }
    }
}

#[test]
fn it_tells_when_it_is_ready_that_it_lives_and_that_it_stops() {
    let scratch = Scratch::new();
    let manager = Manager::new(&scratch.path("notify"));
    let taken = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let config = udp_source("free", &"127.0.0.1:0")
        + &udp_source("taken", &taken.local_addr().expect("bound"));
    let socket = scratch.path("query.sock");
    let mut command = stillwell();
    command
        .args(["run", "--config"])
        .arg(scratch.write("config.toml", &config))
        .arg("--socket")
        .arg(&socket)
        .env("NOTIFY_SOCKET", scratch.path("notify"))
        .env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string());
    let daemon = Process::start(&mut command, &scratch);

    let ready = manager.told("READY=1");
    let status = status(&socket).expect("it serves when it is ready");
    let state = |n: usize| status["sources"][n]["state"].as_str().expect("a state").to_owned();
    assert_eq!((state(0), state(1)), ("up".into(), "down".into()), "{status:#}");
    assert!(ready.contains("STATUS=Reading 2 inputs."), "{ready}");

    let mut before_ns = clock::boot_ns();
    for _ in 0..2 {
        manager.told("WATCHDOG=1");
        let gap = Duration::from_nanos((clock::boot_ns() - before_ns).unsigned_abs());
        assert!(gap < WATCHDOG, "systemd would have killed it after {gap:?}");
        before_ns = clock::boot_ns();
    }

    let (exit, log) = daemon.end(Signal::TERM);
    manager.told("STOPPING=1");
    assert_eq!(exit.code(), Some(0), "{log}");
}

#[test]
fn a_broken_configuration_is_ready_and_says_so() {
    let scratch = Scratch::new();
    let manager = Manager::new(&scratch.path("notify"));
    let mut command = stillwell();
    command
        .args(["run", "--config"])
        .arg(scratch.write("config.toml", "[daemon]\npublich = 1\n"))
        .arg("--socket")
        .arg(scratch.path("query.sock"))
        .env("NOTIFY_SOCKET", scratch.path("notify"));
    let daemon = Process::start(&mut command, &scratch);
    let ready = manager.told("READY=1");
    assert!(ready.contains("STATUS=Degraded: "), "{ready}");
    let status = status(&scratch.path("query.sock")).expect("it serves");
    assert!(status["degraded"].as_str().expect("why").contains("publich"), "{status:#}");
    let (exit, log) = daemon.end(Signal::TERM);
    assert_eq!(exit.code(), Some(78), "{log}");
}

/// Starts the daemon with a query socket and a UDP socket.
fn start_with(query: &UnixListener, udp: &UdpSocket, config: &Path, scratch: &Scratch) -> Process {
    let query = query.try_clone().expect("clones").into();
    let udp = udp.try_clone().expect("clones").into();
    let fds = vec![("query".to_owned(), query), ("udp".to_owned(), udp)];
    let mut command = stillwell();
    Process::start_passing(fds, command.args(["run", "--config"]).arg(config), scratch)
}

#[test]
fn a_port_that_the_manager_holds_loses_nothing_to_a_killed_daemon() {
    let scratch = Scratch::new();
    let socket = scratch.path("query.sock");
    let query = UnixListener::bind(&socket).expect("binds");
    let port = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = port.local_addr().expect("bound");
    let config = scratch.write("config.toml", &udp_source("plant", &address));
    let sender = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    sender.connect(address).expect("connects");
    let datagrams = |status: &Value| {
        let ledger = &status["sources"][0]["ledger"];
        ledger["datagrams"].as_u64().filter(|_| ledger["kernel_dropped"] == 0)
    };

    // Each daemon gets what was sent before it was started, and nothing of another's.
    for sent in [3, 5] {
        for n in 0..sent {
            sender.send(format!("level:{n}\n").as_bytes()).expect("sends");
        }
        let mut daemon = start_with(&query, &port, &config, &scratch);
        daemon.wait_for("the datagrams", || {
            status(&socket).filter(|status| datagrams(status) == Some(sent))
        });
        let received = "receives from the service manager's socket";
        assert!(daemon.log().contains(received), "{}", daemon.log());
        let (exit, _) = daemon.end(Signal::KILL);
        assert_eq!(exit.code(), None, "killed");
    }

    let daemon = start_with(&query, &port, &config, &scratch);
    wait_for("the third", || status(&socket));
    let (exit, log) = daemon.end(Signal::TERM);
    assert_eq!(exit.code(), Some(0), "{log}");
    assert!(socket.exists(), "the socket is the manager's to remove");
}

#[test]
fn a_socket_that_no_source_listens_on_is_named() {
    let scratch = Scratch::new();
    let query = UnixListener::bind(scratch.path("query.sock")).expect("binds");
    let port = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let config = scratch.write("config.toml", &udp_source("plant", &"127.0.0.1:0"));
    let mut daemon = start_with(&query, &port, &config, &scratch);
    daemon.wait_for("an answer", || status(&scratch.path("query.sock")));
    let (exit, log) = daemon.end(Signal::TERM);
    assert_eq!(exit.code(), Some(0), "{log}");
    let address = port.local_addr().expect("bound");
    let warning = log.lines().find(|line| line.contains("no source listens on udp"));
    let warning = warning.unwrap_or_else(|| panic!("{log}"));
    assert!(warning.contains("WARN") && warning.contains(&address.to_string()), "{warning}");
}

#[test]
fn the_first_client_starts_it() {
    if !has_tool("systemd-socket-activate") {
        return;
    }
    let scratch = Scratch::new();
    let socket = scratch.path("query.sock");
    let mut command = Command::new("systemd-socket-activate");
    command
        .arg("--listen")
        .arg(&socket)
        .arg(format!("--fdname={INHERITED_NAME}"))
        .arg(env!("CARGO_BIN_EXE_stillwell"))
        .args(["run", "--config"])
        .arg(scratch.write("config.toml", ""))
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let mut activated = Process::start(&mut command, &scratch);
    let status = activated.wait_for("an answer", || status(&socket));
    assert_eq!(status["pid"], activated.pid(), "it is the daemon that answers");
    let (exit, log) = activated.end(Signal::TERM);
    assert_eq!(exit.code(), Some(0), "{log}");
    assert!(socket.exists(), "the socket is the manager's to remove");
}

/// The shipped units, as installed, but for where the binary is.
fn units(scratch: &Scratch) -> Vec<PathBuf> {
    let names = ["stillwell.service", "stillwell.socket", "stillwell-udp.socket"];
    let binary = env!("CARGO_BIN_EXE_stillwell");
    let unit = |name: &&str| {
        let text = fs::read_to_string(shipped("systemd").join(name)).expect("is shipped");
        scratch.write(Path::new("units").join(name), &text.replace("/usr/bin/stillwell", binary))
    };
    names.iter().map(unit).collect()
}

fn analyze(arguments: &[&str], units: &[PathBuf]) -> (Output, String) {
    let mut command = Command::new("systemd-analyze");
    let output = command.args(arguments).args(units).output().expect("runs");
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    (output, String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn the_units_are_clean_and_sealed() {
    if !has_tool("systemd-analyze") {
        return;
    }
    let scratch = Scratch::new();
    let units = units(&scratch);
    let check = |what: &str, tenths: &str| {
        let (output, text) = analyze(&["verify"], &units);
        assert!(output.status.success() && text.is_empty(), "{what}: {text}");
        let threshold = format!("--threshold={tenths}");
        let (output, text) = analyze(&["security", "--offline=true", &threshold], &units[..1]);
        let score = text.lines().last().unwrap_or_default();
        assert!(output.status.success(), "{what}: {score}");
        println!("{what}: {score}");
    };
    check("sealed", "4");
    let drop_in = "stillwell.service.d/self-bound.conf";
    let text = fs::read_to_string(shipped("systemd").join(drop_in)).expect("is shipped");
    scratch.write(Path::new("units").join(drop_in), &text);
    let (output, _) = analyze(&["security", "--offline=true", "--threshold=4"], &units[..1]);
    assert!(!output.status.success(), "the drop-in is looked at");
    check("with ports of its own", "12");
}

/// Descriptors that the service manager keeps for a unit.
fn kept_at_most(unit: &str) -> usize {
    let most = unit.lines().find_map(|line| line.strip_prefix("FileDescriptorStoreMax="));
    most.and_then(|most| most.parse().ok()).expect("a number")
}

#[test]
fn the_units_fit_the_daemon_and_its_configuration() {
    let read = |name: &str| fs::read_to_string(shipped("systemd").join(name)).expect("is shipped");
    let has = |text: &str, line: &str| assert!(text.lines().any(|l| l == line), "{line}");
    has(&read("stillwell.socket"), &format!("FileDescriptorName={INHERITED_NAME}"));
    has(&read("stillwell.socket"), "ListenStream=/run/stillwell/query.sock");
    has(&read("stillwell.socket"), "SocketMode=0660");
    let udp = read("stillwell-udp.socket");
    let loaded = config::load(&shipped("config.toml")).expect("valid").config;
    let listens: Vec<_> = loaded
        .inputs
        .iter()
        .filter_map(|input| match &input.kind {
            InputKind::Udp(udp) => Some(format!("ListenDatagram={}", udp.listen)),
            _ => None,
        })
        .collect();
    assert_eq!(listens.len(), 1);
    let in_unit: Vec<_> = udp.lines().filter(|l| l.starts_with("ListenDatagram=")).collect();
    assert_eq!(in_unit, listens);
    has(&udp, "Timestamping=ns");
    let limit = read("stillwell.sysctl");
    let limit = limit.lines().find_map(|line| line.strip_prefix("net.core.rmem_max = "));
    let limit = limit.and_then(|bytes| bytes.parse().ok()).expect("a number of bytes");
    assert!(RECEIVE_BUFFER_DEFAULT <= limit, "there is room for what a source asks for");
    let service = read("stillwell.service");
    has(&service, &format!("Environment={BOOT_ID_VARIABLE}=%b"));
    // One image and another while it is replaced, under either name.
    assert!(4 <= kept_at_most(&service));
    let self_bound = read("stillwell.service.d/self-bound.conf");
    assert!(4 + SOURCES_MAX <= kept_at_most(&self_bound), "there is room for each socket");
    let start = service.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/stillwell "));
    let arguments: Vec<_> = start.expect("starts the daemon").split(' ').collect();
    let help = stillwell().args(arguments).arg("--help").status().expect("runs");
    assert!(help.success(), "the daemon takes these arguments");
}

#[test]
fn the_user_the_group_and_the_directory_are_made() {
    if !has_tool("systemd-sysusers") || !has_tool("systemd-tmpfiles") {
        return;
    }
    let scratch = Scratch::new();
    let root = scratch.path("root");
    fs::create_dir_all(root.join("etc")).expect("a directory");
    let run = |tool: &str, arguments: &[&str], file: &str| {
        let mut command = Command::new(tool);
        command.args(arguments).arg(format!("--root={}", root.display()));
        let output = command.arg(shipped("systemd").join(file)).output().expect("runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    run("systemd-sysusers", &[], "stillwell.sysusers");
    let groups = fs::read_to_string(root.join("etc/group")).expect("was made");
    let readers = groups.lines().find(|line| line.starts_with("stillwell-read:"));
    assert!(readers.expect("the group").ends_with(":stillwell"), "{groups}");
    if !rustix::process::geteuid().is_root() {
        crate::process::did_not_run("only root gives directories away");
        return;
    }
    run("systemd-tmpfiles", &["--create"], "stillwell.tmpfiles");
    assert!(root.join("run/stillwell").is_dir());
}
