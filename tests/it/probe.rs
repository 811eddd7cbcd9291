//! `stillwell probe` against lines that make sense at one rate only.
//!
//! A pseudo terminal has no rate, so the device that stands behind it looks at which rate its
//! other end is set, and gives what a UART would have read at that one from what it sends at its
//! own: start bits found where none is, bits sampled in the wrong places, zeros for broken frames.

mod every;
mod tongues;

use std::{
    fs,
    path::Path,
    process::{Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::termios::LocalModes;
use serde_json::Value;
use stillwell::{config, simulate::Player};

use self::every::Sender;
use crate::{
    process::{Scratch, stillwell},
    support::{Daemon, Device, Pty, number, recorded},
};

/// Bytes that a device sends at a time, and how often.
const PIECE: usize = 96;
const EVERY: Duration = Duration::from_millis(4);

/// A device that says the same again and again, at one rate.
struct Talker {
    port: Arc<Pty>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Talker {
    fn start(text: Vec<u8>, baud: u32) -> Self {
        let (port, stop) = (Arc::new(Pty::open()), Arc::<AtomicBool>::default());
        let (line, stopped) = (Arc::clone(&port), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            // Joined somewhere in its middle, as lines are.
            let mut pieces = text.chunks(PIECE).cycle().skip(1);
            while !stopped.load(Relaxed) {
                thread::sleep(EVERY);
                let Some(set) = line.settings().filter(is_raw) else { continue };
                let piece = pieces.next().expect("it goes round");
                let heard = match set.output_speed() {
                    right if right == baud => piece.to_vec(),
                    other => misread(piece, baud, other),
                };
                line.offer(&heard);
            }
        });
        Self { port, stop, thread: Some(thread) }
    }

    fn path(&self) -> &Path {
        self.port.path()
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn is_raw(set: &rustix::termios::Termios) -> bool {
    !set.local_modes.contains(LocalModes::ICANON)
}

/// What a receiver at `rx` baud reads of bytes that are sent at `tx` baud, one behind the other.
fn misread(bytes: &[u8], tx: u32, rx: u32) -> Vec<u8> {
    // The line as it is sent: a start bit, eight data bits from the lowest, a stop bit.
    let mut line: Vec<bool> = Vec::new();
    for byte in bytes {
        line.push(false);
        line.extend((0..8).map(|bit| byte >> bit & 1 == 1));
        line.push(true);
    }
    let (tx, rx) = (u64::from(tx), u64::from(rx));
    // Time in units of 1 / (2 * tx * rx) seconds, in which everything is whole.
    let (sent_bit, read_bit) = (2 * rx, 2 * tx);
    let level = |at: u64| line.get((at / sent_bit) as usize).copied().unwrap_or(true);
    let end = line.len() as u64 * sent_bit;
    let (mut at, mut read) = (0, Vec::new());
    loop {
        while at < end && level(at) {
            at = (at / sent_bit + 1) * sent_bit;
        }
        if end <= at {
            return read;
        }
        let sample = |bit: u64| level(at + read_bit / 2 + bit * read_bit);
        if sample(0) {
            at += read_bit / 2;
            continue;
        }
        let byte = (0..8).fold(0, |byte, bit| byte | u8::from(sample(bit + 1)) << bit);
        let is_whole = sample(9);
        read.push(if is_whole { byte } else { 0 });
        at += read_bit / 2 + 9 * read_bit;
        while !is_whole && at < end && !level(at) {
            at = (at / sent_bit + 1) * sent_bit;
        }
    }
}

#[test]
fn a_receiver_at_the_right_rate_reads_what_is_sent() {
    let bytes: Vec<u8> = (0..=255).collect();
    assert_eq!(misread(&bytes, 9_600, 9_600), bytes);
    assert_eq!(misread(&bytes, 9_600, 9_700), bytes, "an error of a percent does no harm");
    let wrong = misread(b"temperature:21.5\n", 9_600, 19_200);
    assert!(wrong != b"temperature:21.5\n" && !wrong.is_empty(), "{wrong:?}");
}

fn probe(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = stillwell();
    command.arg("probe").args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Output { status, stdout, stderr } = command.output().expect("runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code(), text(stdout), text(stderr))
}

/// Pastes what was printed into a configuration and checks that.
fn assert_pastes(toml: &str) {
    let dir = Scratch::new();
    let path = dir.write("config.toml", &format!("[daemon]\npublish = \"1s\"\n\n{toml}"));
    let mut check = stillwell();
    let output = check.arg("check").arg(path).stderr(Stdio::piped()).output().expect("runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}\n{toml}");
}

/// What devices of the simulator say, as text.
fn simulated() -> Vec<u8> {
    const SCENARIO: &str = r#"
        format = "text"
        [[device]]
        id = 1
        rate = 10
        [[device.channel]]
        name = "level"
        waveform = { kind = "sine", offset = 2.0, amplitude = 0.5, period = "10s" }
        noise = 0.02
        resolution = 0.01
        [[device.channel]]
        name = "temp"
        waveform = { kind = "constant", value = 21.5 }
        noise = 0.2
        resolution = 0.1
    "#;
    let dir = Scratch::new();
    let scenario = config::load_scenario(&dir.write("bench.toml", SCENARIO));
    let scenario = Arc::new(scenario.unwrap_or_else(|errors| panic!("{errors}")));
    let mut player = Player::new(&scenario, 7, 0);
    let mut text = Vec::new();
    for _ in 0..200 {
        text.extend_from_slice(player.next().expect("it goes on").bytes);
        text.push(b'\n');
    }
    text
}

/// Frames as they go over a serial line.
fn native() -> Vec<u8> {
    let mut device = Device::new(17);
    (0..40).flat_map(|n| device.stuffed(&[f64::from(n), 0.5])).collect()
}

fn with_even_parity(text: &[u8]) -> Vec<u8> {
    text.iter().map(|byte| byte | (byte.count_ones() as u8 % 2) << 7).collect()
}

/// What is played, at which rate, and what must be found.
fn cases() -> Vec<(&'static str, Vec<u8>, u32, Vec<&'static str>)> {
    let text = simulated();
    let seven = with_even_parity(&text);
    vec![
        ("text", text.clone(), 57_600, vec!["format = \"text\""]),
        ("slow text", text, 1_200, vec!["format = \"text\""]),
        ("native", native(), 19_200, vec!["format = \"native\""]),
        (
            "text of seven bits",
            seven,
            9_600,
            vec!["format = \"text\"", "data_bits = 7", "parity = \"even\""],
        ),
    ]
}

/// What real devices said, at the rate that such devices have.
#[test]
fn recorded_devices_are_recognized_at_their_rate() {
    let logs = [
        ("nmea/bundg_zeus_9.log", 4_800, "nmea"),
        ("nmea/com-1289.log", 9_600, "nmea"),
        ("nmea/gp-320fw-2019-04-07-coldboot.log", 4_800, "nmea"),
        ("nmea/gpsdf.log", 9_600, "nmea"),
        ("nmea/humminbird-M37.log", 4_800, "nmea"),
        ("nmea/quectel-l76k-dual.log", 115_200, "nmea"),
        ("nmea/st-teseo-liv4f.log", 38_400, "nmea"),
        ("nmea/triton400.log", 38_400, "nmea"),
        ("victron/bvm702.dump", 19_200, "vedirect"),
        ("victron/smartsolar_1.39.dump", 19_200, "vedirect"),
        ("dsmr/TELEGRAM_ESY5Q3DA1004_V304.txt", 115_200, "dsmr"),
        ("dsmr/TELEGRAM_FLUVIUS_V171.txt", 115_200, "dsmr"),
        ("dsmr/TELEGRAM_ISKRA_IE.txt", 9_600, "dsmr"),
        ("dsmr/TELEGRAM_UNPADDED_CRC.txt", 115_200, "dsmr"),
        ("dsmr/TELEGRAM_V2_2.txt", 9_600, "dsmr"),
        ("dsmr/TELEGRAM_V4_2.txt", 115_200, "dsmr"),
        ("dsmr/TELEGRAM_V5.txt", 115_200, "dsmr"),
        ("dsmr/TELEGRAM_V5_TWO_MBUS.txt", 115_200, "dsmr"),
    ];
    // A few at a time, so that none of them is starved where there are few cores.
    for some in logs.chunks(4) {
        thread::scope(|scope| {
            for &(name, baud, format) in some {
                let Some(path) = recorded(name) else { continue };
                scope.spawn(move || {
                    let talker = Talker::start(fs::read(path).expect("a log"), baud);
                    let path = talker.path().to_str().expect("UTF-8");
                    // Longer than it takes: who understands does not wait for it.
                    let (code, toml, said) = probe(&[path, "--seconds", "10"]);
                    assert_eq!(code, Some(0), "{name}: {said}");
                    let format = format!("format = \"{format}\"\n");
                    for words in [format, format!("baud = {baud}\n")] {
                        assert!(toml.contains(&words), "{name}: {words}: {toml}{said}");
                    }
                    assert_pastes(&toml);
                });
            }
        });
    }
}

#[test]
fn the_format_and_the_rate_are_those_of_the_device() {
    thread::scope(|scope| {
        for (name, bytes, baud, words) in cases() {
            scope.spawn(move || {
                let talker = Talker::start(bytes, baud);
                let path = talker.path().to_str().expect("UTF-8");
                let (code, toml, said) = probe(&[path, "--seconds", "10"]);
                assert_eq!(code, Some(0), "{name}: {said}");
                let baud = format!("baud = {baud}\n");
                for words in words.iter().copied().chain([&*baud, path, "kind = \"serial\""]) {
                    assert!(toml.contains(words), "{name}: {words}: {toml}{said}");
                }
                assert!(said.contains(" frames good, "), "{name}: {said}");
                assert_pastes(&toml);
            });
        }
    });
}

#[test]
fn at_a_wrong_rate_nothing_is_named() {
    let talker = Talker::start(simulated(), 9_600);
    let path = talker.path().to_str().expect("UTF-8");
    for wrong in ["19200", "4800", "115200"] {
        let (code, toml, said) = probe(&[path, "--baud", wrong, "--seconds", "1"]);
        assert_eq!((code, &*toml), (Some(65), ""), "{wrong}: {said}");
        assert!(said.contains("no format explains"), "{wrong}: {said}");
    }
    let (code, toml, said) = probe(&[path, "--baud", "9600", "--json"]);
    assert_eq!(code, Some(0), "{said}");
    let found: Value = serde_json::from_str(&toml).expect("JSON");
    assert_eq!((&found["baud"], &found["line"]), (&9_600.into(), &"8N1".into()));
    assert_pastes(found["toml"].as_str().expect("TOML"));
}

#[test]
fn a_silent_port_and_one_that_is_none_are_told_in_words() {
    let quiet = Pty::open();
    let path = quiet.path().to_str().expect("UTF-8");
    let (code, _, said) = probe(&[path, "--baud", "9600", "--seconds", "1"]);
    assert_eq!((code, said.contains("nothing came")), (Some(65), true), "{said}");
    for (named, words) in [
        ("/dev/null", "is not a serial port"),
        ("/dev/ttyNOWHERE9", "is not there"),
        ("nowhere", "no port, no address and no file"),
    ] {
        let (code, _, said) = probe(&[named]);
        assert_eq!((code, said.contains(words)), (Some(66), true), "{named}: {said}");
    }
    let (code, listed, said) = probe(&["--json"]);
    assert_eq!(code, Some(0), "{said}");
    listed.lines().for_each(|line| {
        let port: Value = serde_json::from_str(line).expect("JSON");
        assert!(port["path"].is_string(), "{line}");
    });
}

#[test]
fn datagrams_and_files_are_probed_too() {
    let mut device = Device::new(4);
    let sender = Sender::start((0..40).map(|_| device.frame(&[1.5])).collect());
    let address = &sender.address;
    let (code, toml, said) = probe(&[&format!("udp://{address}")]);
    assert_eq!(code, Some(0), "{said}");
    assert!(toml.contains(&format!("listen = \"{address}\"")), "{toml}");
    assert!(said.contains("device 4 channel 0 = 1.5"), "{said}");
    assert_pastes(&toml);

    let dir = Scratch::new();
    let raw = dir.path("bench.txt");
    fs::write(&raw, simulated()).expect("a file");
    let hex: String = native().iter().map(|byte| format!("{byte:02x}")).collect();
    let log = dir.write("plant.log", &format!("#stillwell-log 1 stream\n5 {hex}\n6 down\n"));
    for (path, format) in [(raw, "text"), (log, "native")] {
        let (code, toml, said) = probe(&[path.to_str().expect("UTF-8")]);
        assert_eq!(code, Some(0), "{said}");
        assert!(toml.contains(&format!("format = \"{format}\"")), "{toml}");
        assert_pastes(&toml);
    }
}

/// As a program does that plays a device: nobody else reads the port.
#[test]
fn who_has_both_ends_of_a_terminal_is_no_reader() {
    let talker = Talker::start(simulated(), 115_200);
    let near = fs::File::open(talker.path()).expect("it is there");
    let (code, toml, said) = probe(&[talker.path().to_str().expect("UTF-8")]);
    assert_eq!(code, Some(0), "{said}");
    assert!(toml.contains("format = \"text\""), "{toml}");
    drop(near);
}

#[test]
fn a_port_that_the_daemon_reads_is_left_alone() {
    let talker = Talker::start(simulated(), 115_200);
    let path = talker.path().to_str().expect("UTF-8");
    let config = format!(
        "[[source]]\nname = \"bench\"\nkind = \"serial\"\npath = {path:?}\nformat = \"text\"\n\
         unknown = \"discover\"\n"
    );
    let daemon = Daemon::start(&config);
    daemon.until("bench", "readings", |source| 0 < number(&source["ledger"], "accepted"));
    let (code, _, said) = probe(&[path]);
    assert_eq!(code, Some(75), "{said}");
    assert!(said.contains(&format!("(process {})", daemon.pid())), "{said}");
    daemon.stop();
}
