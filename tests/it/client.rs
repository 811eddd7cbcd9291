//! The real client against a real server, which runs in a process of its own.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, ErrorKind, Read, Write as _},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{self, Child, Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use rustix::{
    process::{Resource, Rlimit, setrlimit},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};
use serde_json::Value;
use stillwell::{
    daemon::{
        clock::Line,
        server::{About, Endpoint, Server},
    },
    endpoint::SocketPath,
    engine::{
        ChannelKey, Rules, Snapshot, Window,
        calibration::Calibration,
        directory::Listing,
        gallery::Gallery,
        snapshot::{ChannelInfo, Live},
        summary::{Figures, Flag},
        verdict::Tests,
        windows::Latest,
    },
    limits::{MS, SECOND},
};
use tokio::sync::{oneshot, watch};

/// Path of the socket; set for the process that serves.
const SERVE: &str = "STILLWELL_TEST_SERVE";
/// Descriptors that process may open once it serves; no limit of its own if not set.
const FILES: &str = "STILLWELL_TEST_FILES";
/// Number of channels it serves.
const CHANNELS: &str = "STILLWELL_TEST_CHANNELS";

/// Serves for the other tests when it is started by one of them; otherwise it passes at once.
#[test]
fn serves_for_the_others() {
    let (Some(path), Ok(channels)) = (std::env::var_os(SERVE), std::env::var(CHANNELS)) else {
        return;
    };
    let endpoint = Endpoint::bind(&SocketPath::chosen(path)).expect("binds");
    let line = Line::anchored();
    let snapshot = snapshot(channels.parse().expect("a number"), line.now_ns());
    let (_sender, receiver) = watch::channel(Arc::new(snapshot));
    let (stop, stopped) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        // The test that started this process holds the other end, and drops it.
        let _ = std::io::stdin().read(&mut [0]);
        drop(stop);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let stopped = async {
        let _ = stopped.await;
    };
    let degraded = (channels == "0").then(|| "config.toml:3: no such key".to_owned());
    let server = Server::new(endpoint, About { degraded, ..About::default() });
    let drained = runtime.expect("a runtime").block_on(async {
        let spare = std::env::var(FILES).ok().map(|spare| spare.parse().expect("a number"));
        let _taken = spare.map(take_descriptors);
        server.run(receiver, line, stopped).await
    });
    assert_eq!(drained.expect("serves").unfinished, 0);
}

/// Takes all descriptors but so many.
fn take_descriptors(spare: usize) -> Vec<File> {
    let limit = Rlimit { current: Some(256), maximum: Some(256) };
    setrlimit(Resource::Nofile, limit).expect("limits");
    let mut files: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    files.truncate(files.len() - spare);
    files
}

fn rules() -> Rules {
    Rules {
        pane_ns: 100 * MS,
        lateness_ns: 0,
        future_ns: 0,
        windows: Arc::new([
            Window { length_ns: SECOND, every_ns: 100 * MS },
            Window { length_ns: 60 * SECOND, every_ns: 6 * SECOND },
        ]),
        exact: [].into(),
        percentiles: Arc::new([95.0]),
        figures: 2,
        resolution: 0.01,
        expected_rate: Some(10.0),
        stale_ns: 3_600 * SECOND,
        silent_ns: 7_200 * SECOND,
        statistics: stillwell::engine::statistics::Statistics::none(),
    }
}

fn snapshot(channels: u32, now_ns: i64) -> Snapshot {
    let figures = Figures {
        end_ns: now_ns,
        flags: [598, 0, 0, 0, 0],
        n: 598,
        mean: 62.7126,
        m2: 100.0,
        min: 61.2,
        max: 64.0,
        first: 62.9,
        last: 63.1,
        out_of_range: 0,
        overflow: 0,
        precision: stillwell::engine::bins::counting::Precision::Configured,
    };
    let live = Live {
        value: 63.1,
        at_ns: now_ns,
        arrived_ns: now_ns,
        flag: Flag::Pass,
        tests: Tests::NONE,
    };
    let (mut gallery, mut listing) = (Gallery::default(), Listing::default());
    for index in 0..channels {
        let info = ChannelInfo {
            id: format!("boiler.flow_{index:05}").into(),
            index,
            source: 0,
            source_name: "plant".into(),
            key: ChannelKey::Numbered { device: 17, index: 0 },
            unit: Some("Cel".into()),
            discovered: true,
            lane: 0,
            calibration: Calibration::IDENTITY,
            rules: rules(),
            fingerprint: 0,
        };
        listing.add(Arc::new(info));
        gallery.add(&rules());
        gallery.show_live(index, live);
        for window in 0..2 {
            let (figures, percentiles, details) = (Some(figures), &[63.3][..], &[][..]);
            let latest = Latest { place: index, window, figures, percentiles, details };
            gallery.show_result(&latest);
        }
    }
    gallery.call(1);
    Snapshot {
        seq: 1,
        epoch: 1,
        at_ns: now_ns,
        directory: listing.publish(),
        parts: [gallery.publish()].into(),
        watermarks: vec![now_ns],
        ..Snapshot::default()
    }
}

struct Daemon {
    directory: PathBuf,
    process: Child,
}

impl Daemon {
    fn start(channels: u32) -> Self {
        Self::start_with(channels, &[])
    }

    fn start_with(channels: u32, variables: &[(&str, &str)]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory =
            std::env::temp_dir().join(format!("stillwell-client-{}-{count}", process::id()));
        fs::create_dir(&directory).expect("a new directory");
        let process = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "client::serves_for_the_others", "--test-threads=1"])
            .env(SERVE, directory.join("query.sock"))
            .env(CHANNELS, channels.to_string())
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("starts");
        let mut daemon = Self { directory, process };
        crate::process::wait_for("the server", || {
            assert!(daemon.process.try_wait().expect("asks").is_none(), "the server ended");
            UnixStream::connect(daemon.socket()).ok()
        });
        daemon
    }

    fn socket(&self) -> PathBuf {
        self.directory.join("query.sock")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stillwell"));
        command.args(arguments).arg("--socket").arg(self.socket());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("runs")
    }

    fn end(&mut self) {
        drop(self.process.stdin.take());
        let status = self.process.wait().expect("ends");
        assert!(status.success(), "{status}");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn piped_output_is_one_summary_a_line_of_the_shortest_window_of_a_minute() {
    let daemon = Daemon::start(3);
    let summaries = lines(&daemon.run(&["get"]));
    assert_eq!(summaries.len(), 3);
    assert!(summaries.iter().all(|summary| summary["window"] == "1m"));
    assert_eq!(summaries[0]["id"], "boiler.flow_00000");
    assert_eq!(lines(&daemon.run(&["get", "--window", "all"])).len(), 6);
    assert_eq!(lines(&daemon.run(&["get", "*_00001", "--window", "1s"])).len(), 1);
    let channels = lines(&daemon.run(&["list", "--json"]));
    assert_eq!(channels[2]["device"], 17);
    assert_eq!(lines(&daemon.run(&["status"]))[0]["channels"], 3);
}

#[test]
fn a_line_says_the_live_value_too() {
    let daemon = Daemon::start(1);
    let line = &lines(&daemon.run(&["get"]))[0];
    assert_eq!((&line["live"]["value"], &line["live"]["state"]), (&63.1.into(), &"ok".into()));
    assert_eq!((&line["live"]["flag"], &line["mean"]), (&"pass".into(), &62.7126.into()));
    assert!(line["live"]["age_ms"].is_u64() && line["live"]["time"].is_string(), "{line}");
}

#[test]
fn patterns_that_match_nothing_are_told_and_no_failure() {
    let daemon = Daemon::start(5);
    let reason = "no channel matches zz*; there are boiler.flow_00000, boiler.flow_00001, \
        boiler.flow_00002, … (5 in all)\n";
    for command in ["get", "list"] {
        let output = daemon.run(&[command, "zz*"]);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), ""));
        assert_eq!(text(&output.stderr), format!("stillwell: {reason}"));
    }
    let mut command = daemon.command(&["watch", "zz*"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starts");
    let mut said = String::new();
    let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
    stderr.read_line(&mut said).expect("reads");
    child.kill().expect("our child");
    child.wait().expect("our child");
    assert_eq!(said, format!("stillwell: {reason}"));
}

/// Served without channels, as by a daemon whose configuration is broken.
#[test]
fn without_channels_a_command_says_so() {
    let daemon = Daemon::start(0);
    for command in ["get", "list"] {
        let output = daemon.run(&[command]);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), ""));
        assert_eq!(
            text(&output.stderr),
            "stillwell: there are no channels: the daemon runs without inputs, see `stillwell status`\n"
        );
    }
}

#[test]
fn all_pages_are_followed() {
    let daemon = Daemon::start(3_000);
    let output = daemon.run(&["get", "--window", "all"]);
    assert_eq!(lines(&output).len(), 6_000);
    assert!(text(&output.stdout).contains("\"max\":64.0,"), "numbers come as they were sent");
}

#[test]
fn mistakes_have_a_code_and_say_what_to_do() {
    let daemon = Daemon::start(3);
    let cases: [(&[&str], i32, &str); 6] = [
        (&["get", "boiler.flow_00010"], 65, "did you mean boiler.flow_00001 or"),
        (&["get", "BOILER.FLOW_00001"], 65, "did you mean boiler.flow_00001 or"),
        (&["get", "--window", "7m"], 65, "none of the channels has a window of 7m"),
        (&["get", "--window", "soon"], 64, "--window soon: expected a number"),
        (&["watch", "--interval", "5"], 64, "--interval 5: expected a unit"),
        (&["got"], 64, "get"),
    ];
    for (arguments, code, words) in cases {
        let output = daemon.run(arguments);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
        assert!(errors.contains(words), "{arguments:?}: {errors}");
    }
}

#[test]
fn without_a_daemon_it_says_how_to_start_one() {
    let mut daemon = Daemon::start(1);
    daemon.end();
    assert!(!daemon.socket().exists(), "the server removed its socket");
    let output = daemon.run(&["get"]);
    assert_eq!(output.status.code(), Some(69));
    let errors = text(&output.stderr);
    assert!(errors.contains("no daemon at") && errors.contains("stillwell run"), "{errors}");
}

#[test]
fn a_reader_that_has_had_enough_is_no_failure() {
    let daemon = Daemon::start(3_000);
    let mut command = daemon.command(&["get", "--window", "all"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let mut first = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    stdout.read_line(&mut first).expect("reads");
    drop(stdout);
    let output = child.wait_with_output().expect("ends");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    assert!(first.ends_with("}\n"));
}

#[test]
fn a_subscription_ends_with_the_daemon() {
    let mut daemon = Daemon::start(2);
    let mut command = daemon.command(&["watch", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("reads");
    assert!(line.contains("boiler.flow_00000"), "{line}");
    daemon.end();
    let output = child.wait_with_output().expect("ends");
    assert_eq!(output.status.code(), Some(69));
    assert!(text(&output.stderr).contains("the daemon has ended"), "{}", text(&output.stderr));
}

/// What a person sees: a table on a terminal, in colour unless NO_COLOR is set.
#[test]
fn on_a_terminal_there_are_tables() {
    let daemon = Daemon::start(2);
    for (command, no_color, words) in [
        ("get", "", "\x1b[1mid"),
        ("get", "1", "boiler.flow_00000   63.1  Cel   ok"),
        ("list", "1", "device 17 channel 0 (discovered)"),
        ("list", "1", "2 channels, windows 1s 1m"),
        ("status", "1", "readings  0 = 0 accepted"),
    ] {
        let seen = on_terminal(daemon.command(&[command]).env("NO_COLOR", no_color));
        assert!(seen.contains(words), "{command}: {seen}");
        let plain = anstream::adapter::strip_str(&seen).to_string();
        let widest = plain.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(80) || command == "status", "{command}: {seen}");
        assert_eq!(seen.contains('\x1b'), no_color.is_empty() && command != "status", "{seen}");
    }
}

/// Runs with a terminal as stdout and returns what was written to it.
fn on_terminal(command: &mut Command) -> String {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&master).expect("grants");
    unlockpt(&master).expect("unlocks");
    let name = ptsname(&master, Vec::new()).expect("has a name");
    let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&master, size).expect("sizes");
    let slave = File::options().read(true).write(true).open(text(name.as_bytes()));
    let mut child = command
        .env("TERM", "xterm")
        .stdout(slave.expect("opens"))
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    // The command holds the terminal's other end until it is dropped.
    command.stdout(Stdio::null());
    let mut seen = Vec::new();
    // A terminal whose other end is closed gives an error in place of an end.
    let _ = File::from(master).read_to_end(&mut seen);
    assert!(child.wait().expect("ends").success());
    String::from_utf8(seen).expect("text")
}

/// A server that runs out of descriptors turns clients away and serves again when it has some.
#[test]
fn without_descriptors_the_accept_loop_goes_on() {
    let daemon = Daemon::start_with(1, &[(FILES, "8")]);
    let ask = || {
        let mut stream = UnixStream::connect(daemon.socket()).expect("connects");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("sets");
        // A client that is turned away at once cannot write, and reads the end.
        let _ = stream.write_all(b"{\"method\":\"Status\"}\n");
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        if let Err(error) = stream.read_line(&mut line) {
            assert_ne!(error.kind(), ErrorKind::WouldBlock, "the server is stuck");
        }
        (line, stream)
    };
    let held: Vec<_> = (0..12).map(|_| ask()).collect();
    let served = held.iter().filter(|(line, _)| line.contains("parameters")).count();
    assert!(0 < served && served < held.len(), "{served} served");
    drop(held);
    let reply = loop {
        // The places of those who left come back as the server notices.
        let (line, _) = ask();
        if let Ok(reply) = serde_json::from_str::<Value>(&line) {
            break reply;
        }
    };
    let errors = reply["parameters"]["clients"]["accept_errors"].as_u64();
    assert!(errors.is_some_and(|errors| 0 < errors), "{reply}");
}
