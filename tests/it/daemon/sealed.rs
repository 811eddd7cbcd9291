//! The shipped service's limits: that they hold, and that a daemon does all it is for under them.

use std::{
    fs,
    net::{SocketAddr, UdpSocket},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::{fs::chown, net::UnixListener},
    },
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use stillwell::daemon::kernel;

use super::tap::Tapper;
use crate::{
    process::{Scratch, did_not_run, has_tool, wait_for},
    support::{
        Daemon, Device, Manager, PLANT, number,
        seal::{self, Surroundings, USER},
    },
};

const SEALED: [&str; 1] = ["stillwell.service"];
const SELF_BOUND: [&str; 2] = ["stillwell.service", "stillwell.service.d/self-bound.conf"];

/// Whether there is what puts limits on a process; if not, it is said.
fn can_seal() -> bool {
    if !has_tool("systemd-analyze") || !has_tool("python3") {
        return false;
    }
    let library = "import ctypes; ctypes.CDLL('libseccomp.so.2')";
    let output = Command::new("python3").args(["-I", "-c", library]).output().expect("it runs");
    if !output.status.success() {
        did_not_run("libseccomp.so.2 is not installed");
    }
    output.status.success()
}

/// Says which limits the system did not let the launcher put on.
fn say_unapplied(log: &str) {
    log.lines().filter(|line| line.starts_with("seal: not applied")).for_each(did_not_run);
}

/// Limits of these units for a daemon that lives in a directory.
fn limits(units: &[&str], dir: &Scratch, manager: &Manager) -> PathBuf {
    let home = |dir: &Scratch| dir.path("any").parent().expect("a directory").to_owned();
    let binary = Path::new(env!("CARGO_BIN_EXE_stillwell"));
    let state = dir.path("state");
    if !state.exists() {
        fs::create_dir(&state).expect("a directory");
        // Who is not root is not made anybody else, either, and writes as who it is.
        let _ = chown(&state, Some(USER), Some(USER));
    }
    let path = dir.path("limits.json");
    seal::limits(
        &path,
        &Surroundings {
            units,
            binary,
            writable: &[state],
            visible: &[home(dir), home(manager.dir()), binary.to_owned()],
            devices: &[],
            apart: true,
        },
    );
    path
}

#[test]
fn the_limits_hold() {
    if !can_seal() {
        return;
    }
    let (dir, manager) = (Scratch::new(), Manager::new());
    for units in [&SEALED[..], &SELF_BOUND[..]] {
        let is_sealed = units.len() == 1;
        let (mut found, said) = seal::probe(&limits(units, &dir, &manager));
        say_unapplied(&said);
        if !said.is_empty() {
            return;
        }
        let own = fs::read_link("/proc/self/ns/net").expect("it is shown here");
        let network = found["network"].take();
        assert_eq!(is_sealed, network != own.to_str().expect("a name"), "{network}");
        let expected = serde_json::json!({
            "socket of IPv4": if is_sealed { "EAFNOSUPPORT" } else { "done" },
            "socket of netlink": "EAFNOSUPPORT",
            "local socket": "done",
            "file in /etc": "EROFS",
            "another program": "EACCES",
            "memory to write and execute": "EPERM",
            "namespace": "EPERM",
            "mount": "EPERM",
            "sysctl": "ENOENT",
            "kernel log": "ENOENT",
            "priority": "EPERM",
            "set-user-id": "EPERM",
            "capabilities": "none",
            "network": Value::Null,
            "user": USER,
        });
        assert_eq!(found, expected, "{units:?}");
    }
}

/// Filters of system calls on a process.
fn filters(pid: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it is shown here");
    let filters = status.lines().find_map(|line| line.strip_prefix("Seccomp_filters:"));
    filters.expect("Linux 5.9 or newer").trim().parse().expect("a number")
}

#[test]
fn every_daemon_is_sealed_if_that_is_asked_for() {
    let daemon = Daemon::start(PLANT);
    say_unapplied(&daemon.log());
    // The tests may themselves be under a filter, which daemons inherit.
    let more = filters(&daemon.pid().to_string()) - filters("self");
    assert_eq!(more, if seal::is_asked_for() { 2 } else { 0 });
    daemon.stop();
}

/// A service, its sockets and who starts it.
struct Service {
    units: &'static [&'static str],
    manager: Manager,
    /// What socket units hold.
    held: Vec<(&'static str, OwnedFd)>,
    config: String,
}

impl Service {
    /// In a directory, with a source `steady`, and one that listens where nobody opened a port if
    /// its sockets are opened for it.
    fn new(units: &'static [&'static str], dir: &Scratch) -> Self {
        let query = UnixListener::bind(dir.path("query.sock")).expect("binds");
        let mut held = vec![("query", OwnedFd::from(query))];
        let mut listen: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let source = |name, listen| {
            format!(
                "[[source]]\nname = \"{name}\"\nkind = \"udp\"\nlisten = \"{listen}\"\n\
                 format = \"native\"\nunknown = \"discover\"\n"
            )
        };
        let mut sources = String::new();
        if units == SEALED {
            let socket = UdpSocket::bind(listen).expect("a free port");
            kernel::enable_timestamps(socket.as_fd()).expect("as the unit does");
            sources = source("forbidden", listen);
            listen = socket.local_addr().expect("bound");
            held.push(("udp", socket.into()));
        }
        let state = format!("[daemon]\nstate_dir = {:?}\n", dir.path("state"));
        let config = state + &source("steady", listen) + &sources;
        Self { units, manager: Manager::new(), held, config }
    }

    fn start(&self, dir: Scratch) -> Daemon {
        let limits = limits(self.units, &dir, &self.manager);
        let mut command = seal::sealed(&limits, Path::new(env!("CARGO_BIN_EXE_stillwell")));
        command.args(["run", "--config"]).arg(dir.write("config.toml", &self.config));
        let held = self.held.iter();
        let held = held.map(|(name, fd)| ((*name).to_owned(), fd.try_clone().expect("clones")));
        let process = self.manager.start_passing(held.collect(), &mut command, &dir);
        let daemon = Daemon::of(process, dir, &self.config);
        say_unapplied(&daemon.log());
        daemon
    }

    /// Waits until one image of the state is kept, and no other is on its way.
    fn one_image(&self) {
        let images = || self.manager.names().into_iter().filter(|name| name.starts_with("state-"));
        wait_for("one image", || (images().count() == 1).then_some(()));
    }
}

/// Frames of one reading, each a datagram.
fn send(to: SocketAddr, device: &mut Device, frames: u64) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    for _ in 0..frames {
        let value = f64::from(device.sequence);
        socket.send_to(&device.frame(&[value]), to).expect("sends");
    }
}

/// Receives, answers, tells, is looked at, keeps its state, is killed, and stops.
fn does_all_it_is_for(units: &'static [&'static str]) {
    if !can_seal() {
        return;
    }
    let dir = Scratch::new();
    let service = Service::new(units, &dir);
    let mut device = Device::new(17);
    let daemon = service.start(dir);
    let address = daemon.address("steady");
    send(address, &mut device, 20);
    daemon.frames("steady", 20);
    if units == SEALED {
        let why = daemon.until("forbidden", "down", |source| source["state"] == "down");
        let why = why["detail"].as_str().expect("a reason");
        assert!(why.contains("stillwell-udp.socket"), "{why}");
    }

    let live = &daemon.get("steady.*")["channels"][0];
    assert_eq!(live["value"], 19.0, "{live}");
    let list = daemon.client().call(r#"{"method":"List"}"#);
    assert_eq!(list["channels"][0]["id"], live["id"], "{list}");
    let mut watcher = daemon.client();
    watcher.send("{\"method\":\"Watch\",\"more\":true}\n").expect("the daemon reads");
    let seq = |message: Option<Value>| number(&message.expect("one")["parameters"], "seq");
    assert!(seq(watcher.message()) < seq(watcher.message()));
    let mut tapper = Tapper::start(&daemon, r#"{"source":"steady"}"#);
    send(address, &mut device, 1);
    let frames = tapper.frames(1);
    assert_eq!(frames[0]["hex"].as_str().map(|hex| &hex[..2]), Some("f5"), "{frames:?}");
    let status = daemon.status();
    assert_eq!(status["state"]["in_memory"], true, "{status:#}");
    assert_eq!(status["state"]["failed"], Value::Array(Vec::new()), "{status:#}");

    // What comes while it is stopped, or was killed, is received by the next.
    let dir = daemon.stopped();
    service.one_image();
    send(address, &mut device, 10);
    let daemon = service.start(dir);
    daemon.frames("steady", 31);
    let status = daemon.status();
    assert_eq!(
        (&status["epoch"], &status["state"]["restored"]["channels"]),
        (&2.into(), &1.into())
    );
    let dir = daemon.killed();
    service.one_image();
    send(address, &mut device, 10);
    let daemon = service.start(dir);
    // Of the ten that the killed one had received, the image at its start has some or none.
    let after = |source: &Value| {
        let count = |key| number(&source["ledger"], key);
        count("frames_ok") + count("lost_on_the_way") == 41
    };
    let source = daemon.until("steady", "all accounted for", after);
    assert!(31 <= number(&source["ledger"], "frames_ok"), "{source:#}");
    assert_eq!(daemon.address("steady"), address);
    daemon.stopped();
}

#[test]
fn a_sealed_daemon_does_all_it_is_for() {
    does_all_it_is_for(&SEALED);
}

#[test]
fn a_daemon_that_may_bind_its_own_ports_does_so_too() {
    does_all_it_is_for(&SELF_BOUND);
}
