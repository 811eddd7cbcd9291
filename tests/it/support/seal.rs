//! The limits of the shipped units, put on processes without a service manager.
//!
//! The units are read here, and a launcher puts what they say on a process before it executes the
//! daemon: `seal.py`, since namespaces, mounts and filters of system calls need calls that a test
//! has no safe way to make; the filters come from libseccomp, as those of systemd do. Each directive
//! of the service is put on, or is among those that only a manager can: one that is neither fails
//! the test.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use serde_json::{Value, json};
use stillwell::daemon::state::line::BOOT_ID_VARIABLE;

use crate::process::shipped;

/// Asks for every daemon of the tests to be sealed as one that binds its own ports.
const EVERY_DAEMON: &str = "STILLWELL_SEALED";
/// Who the service is: nobody whose files the host has.
pub(crate) const USER: u32 = 64_242;

/// What the launcher puts on a process whatever it is told, if a unit has it; so a unit must not
/// have it otherwise.
const ALWAYS: [(&str, &str); 21] = [
    ("AmbientCapabilities", ""),
    ("CapabilityBoundingSet", ""),
    ("DevicePolicy", "closed"),
    ("LimitCORE", "0"),
    ("LockPersonality", "yes"),
    ("MemoryDenyWriteExecute", "yes"),
    ("NoExecPaths", "/"),
    ("NoNewPrivileges", "yes"),
    ("PrivateMounts", "yes"),
    ("ProcSubset", "pid"),
    ("ProtectClock", "yes"),
    ("ProtectControlGroups", "yes"),
    ("ProtectKernelLogs", "yes"),
    ("ProtectKernelModules", "yes"),
    ("ProtectKernelTunables", "yes"),
    ("ProtectProc", "invisible"),
    ("ProtectSystem", "strict"),
    ("RestrictNamespaces", "yes"),
    ("RestrictRealtime", "yes"),
    ("RestrictSUIDSGID", "yes"),
    ("SystemCallErrorNumber", "EPERM"),
];

/// What only a service manager does, with control groups or by itself: starting, stopping and
/// watching, room for memory and tasks, filters of packets and of devices by number, the log.
const OF_THE_MANAGER: [&str; 25] = [
    "DeviceAllow",
    "ExecReload",
    "ExecStart",
    "FileDescriptorStoreMax",
    "Group",
    "IPAddressAllow",
    "IPAddressDeny",
    "LogRateLimitBurst",
    "LogRateLimitIntervalSec",
    "MemoryHigh",
    "MemoryMax",
    "NotifyAccess",
    "OOMScoreAdjust",
    "RemoveIPC",
    "Restart",
    "RestartSec",
    "Sockets",
    "StateDirectory",
    "SupplementaryGroups",
    "SystemCallArchitectures",
    "TasksMax",
    "TimeoutAbortSec",
    "TimeoutStopSec",
    "Type",
    "WatchdogSec",
];

/// A service as its unit and its drop-ins have it.
struct Service {
    directives: BTreeMap<String, Vec<String>>,
    unread: BTreeSet<String>,
}

impl Service {
    fn read(files: &[&str]) -> Self {
        let mut directives = BTreeMap::<String, Vec<String>>::new();
        for file in files {
            let text = fs::read_to_string(shipped("systemd").join(file)).expect("is shipped");
            let (_, service) = text.split_once("[Service]").expect("it is a service");
            let service = service.split("\n[").next().unwrap_or_default();
            for (name, value) in service.lines().filter_map(|line| line.split_once('=')) {
                if !name.starts_with('#') {
                    let values = directives.entry(name.to_owned()).or_default();
                    if value.is_empty() { values.clear() } else { values.push(value.to_owned()) }
                }
            }
        }
        let unread = directives.keys().cloned().collect();
        Self { directives, unread }
    }

    /// The words of a directive, of all lines.
    fn words(&mut self, name: &str) -> Vec<String> {
        self.unread.remove(name);
        let lines = self.directives.get(name).cloned().unwrap_or_default();
        lines.iter().flat_map(|line| line.split(' ')).map(str::to_owned).collect()
    }

    /// The last word on a directive.
    fn last(&mut self, name: &str) -> String {
        self.unread.remove(name);
        let lines = self.directives.get(name).and_then(|lines| lines.last());
        lines.cloned().unwrap_or_default()
    }

    fn is_on(&mut self, name: &str) -> bool {
        self.last(name) == "yes"
    }

    /// The system calls that its filter lets through.
    fn system_calls(&mut self) -> BTreeSet<String> {
        self.unread.remove("SystemCallFilter");
        let mut calls = BTreeSet::new();
        for line in &self.directives["SystemCallFilter"] {
            let taken = line.strip_prefix('~');
            let groups = taken.unwrap_or(line).split(' ').flat_map(system_calls_of);
            if taken.is_some() {
                groups.for_each(|call| _ = calls.remove(&call));
            } else {
                calls.extend(groups);
            }
        }
        calls
    }
}

/// What is in a group of system calls, or the one that is meant.
fn system_calls_of(name: &str) -> Vec<String> {
    if !name.starts_with('@') {
        return vec![name.to_owned()];
    }
    let mut command = Command::new("systemd-analyze");
    let output = command.args(["syscall-filter", name]).output().expect("it is installed");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("names");
    let lines = text.lines().skip(1).map(str::trim).filter(|line| !line.starts_with('#'));
    lines.filter(|line| !line.is_empty()).flat_map(system_calls_of).collect()
}

/// What a process is to be sealed by, beside its unit.
pub(crate) struct Surroundings<'a> {
    /// Files of the unit.
    pub(crate) units: &'a [&'a str],
    /// The daemon.
    pub(crate) binary: &'a Path,
    /// Where it may write.
    pub(crate) writable: &'a [PathBuf],
    /// What it sees of directories that are hidden or its own.
    pub(crate) visible: &'a [PathBuf],
    /// Devices beside those that are of everybody.
    pub(crate) devices: &'a [&'a str],
    /// Whether it is a user of its own, with a place for temporary files of its own.
    pub(crate) apart: bool,
}

/// Writes down the limits of a unit.
///
/// # Panics
/// If the unit has a directive that nobody here knows.
pub(crate) fn limits(to: &Path, surroundings: &Surroundings<'_>) {
    let Surroundings { units, binary, writable, visible, devices, apart } = *surroundings;
    let mut service = Service::read(units);
    for (name, value) in ALWAYS {
        assert_eq!(service.last(name), value, "{name}: the launcher knows no other");
    }
    let families = service.words("RestrictAddressFamilies");
    let families = families.iter().map(|family| match &**family {
        "AF_UNIX" => 1,
        "AF_INET" => 2,
        "AF_INET6" => 10,
        other => panic!("{other}: which number has it?"),
    });
    let families: Vec<i32> = families.collect();
    let private = [("PrivateNetwork", "net"), ("PrivateIPC", "ipc"), ("ProtectHostname", "uts")];
    let namespaces = private.into_iter().filter_map(|(name, of)| service.is_on(name).then_some(of));
    let namespaces: Vec<&str> = namespaces.collect();
    let programs = service.words("ExecPaths");
    let programs = programs.iter().map(|path| match path.trim_start_matches('-') {
        "/usr/bin/stillwell" => binary.to_owned(),
        path => PathBuf::from(path),
    });
    let programs: Vec<PathBuf> = programs.collect();
    let is_user = [service.last("User") == "stillwell", service.is_on("PrivateUsers")] == [true; 2];
    let private_tmp = service.is_on("PrivateTmp");
    let is_home_hidden = service.is_on("ProtectHome");
    assert!(is_user && private_tmp && is_home_hidden, "the launcher knows no other");
    assert_eq!(service.last("Environment"), format!("{BOOT_ID_VARIABLE}=%b"));
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("it is shown here");
    let limits = json!({
        "system_calls": service.system_calls(),
        "families": families,
        "namespaces": namespaces,
        "executable": programs,
        "writable": writable,
        "visible": visible,
        "devices": devices,
        "hidden": if apart { &["/home", "/root", "/run/user"][..] } else { &[] },
        "private_tmp": apart,
        "uid": apart.then_some(USER),
        "umask": u32::from_str_radix(&service.last("UMask"), 8).expect("octal"),
        "nofile": service.last("LimitNOFILE").parse::<u32>().expect("a number"),
        "environment": { BOOT_ID_VARIABLE: boot_id.trim() },
    });
    let known = |name: &String| OF_THE_MANAGER.contains(&&**name);
    let unknown: Vec<_> = service.unread.iter().filter(|name| !known(name)).collect();
    assert!(unknown.is_empty(), "neither put on nor left to the manager: {unknown:?}");
    fs::write(to, limits.to_string()).expect("a file");
}

/// A command that puts these limits on itself and becomes the daemon.
pub(crate) fn sealed(limits: &Path, binary: &Path) -> Command {
    let mut command = Command::new("python3");
    // Nothing but the standard library is wanted, and nothing is left behind.
    command.args(["-I", "-B"]).arg(shipped("tests/it/support/seal.py")).arg(limits).arg(binary);
    command
}

/// What came of what the limits forbid, each by its name.
pub(crate) fn probe(limits: &Path) -> (Value, String) {
    let output = sealed(limits, Path::new("--probe")).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    (serde_json::from_slice(&output.stdout).expect("what it found"), said)
}

/// Whether every daemon of the tests is to be sealed.
pub(crate) fn is_asked_for() -> bool {
    env::var_os(EVERY_DAEMON).is_some()
}

/// The daemon under the limits of the service that binds its own ports, if every daemon is to be.
///
/// It keeps its user, and shares the place for temporary files and the terminals with its test.
pub(crate) fn every_daemon(binary: &Path) -> Option<Command> {
    static LIMITS: OnceLock<PathBuf> = OnceLock::new();
    if !is_asked_for() {
        return None;
    }
    let limits = LIMITS.get_or_init(|| {
        let name = format!("limits.{}.json", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let surroundings = Surroundings {
            units: &["stillwell.service", "stillwell.service.d/self-bound.conf"],
            binary,
            writable: &[env::temp_dir()],
            visible: &[],
            devices: &["ptmx", "pts", "tty", "shm"],
            apart: false,
        };
        self::limits(&path, &surroundings);
        path
    });
    Some(sealed(limits, binary))
}
