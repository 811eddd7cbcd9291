//! Looking on at frames: their bytes, the way of each reading, and nobody disturbed.

use std::{collections::BTreeMap, net::UdpSocket, process::Stdio};

use serde_json::Value;
use stillwell::{limits::TAP_FRAMES_PER_SLICE, wire::FrameRefusal};

use crate::{
    process::{stillwell, wait_for},
    support::{Client, Daemon, Device, PLANT, Pty, Steady, number},
};

/// A client that looks on.
pub(super) struct Tapper {
    client: Client,
    passed_over: u64,
    missed: u64,
    /// Readings that have had the verdict they waited for.
    settled: Vec<Value>,
}

impl Tapper {
    /// When this returns, the daemon shows what comes.
    pub(super) fn start(daemon: &Daemon, parameters: &str) -> Self {
        Self::try_start(daemon, parameters).unwrap_or_else(|busy| panic!("{busy}"))
    }

    /// As [`Self::start`]; what the daemon says instead if it has no place.
    fn try_start(daemon: &Daemon, parameters: &str) -> Result<Self, Value> {
        let mut client = daemon.client();
        let request = format!(r#"{{"method":"Tap","parameters":{parameters},"more":true}}"#);
        client.send(request + "\n").expect("the daemon reads");
        let first = client.message().expect("a message");
        if first.get("error").is_some() {
            return Err(first);
        }
        assert_eq!(first["parameters"]["frames"], Value::Array(Vec::new()), "{first}");
        Ok(Self { client, passed_over: 0, missed: 0, settled: Vec::new() })
    }

    /// The frames of the next message.
    pub(super) fn look(&mut self) -> Vec<Value> {
        let mut message = self.client.message().expect("a message");
        let parameters = &mut message["parameters"];
        self.passed_over += number(parameters, "passed_over");
        self.missed += number(parameters, "missed");
        self.settled.extend(parameters["settled"].as_array().into_iter().flatten().cloned());
        parameters["frames"].as_array().expect("frames").clone()
    }

    /// So many frames.
    pub(super) fn frames(&mut self, count: usize) -> Vec<Value> {
        let mut frames = Vec::new();
        while frames.len() < count {
            frames.extend(self.look());
        }
        assert_eq!(frames.len(), count, "{frames:?}");
        frames
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn each_frame_has_its_bytes_and_each_reading_its_way() {
    let port = Pty::open();
    let daemon = Daemon::start(&format!(
        r#"
        [[source]]
        name = "bench"
        kind = "serial"
        path = {:?}
        format = "text"
        [[channel]]
        id = "oven"
        source = "bench"
        field = "t"
        unit = "K"
        raw_unit = "Cel"
        calibration = {{ kind = "linear", scale = 0.1 }}
        {PLANT}
        "#,
        port.path()
    ));
    daemon.until("bench", "up", |source| source["state"] == "up");
    port.write(b"t:1");
    daemon.until("bench", "half a line", |source| source["ledger"]["bytes_buffered"] == 3);
    let mut bench = Tapper::start(&daemon, r#"{"source":"bench"}"#);
    let mut plant = Tapper::start(&daemon, r#"{"channels":["plant.*"]}"#);
    port.write(b"00\nt:215 h:3\nt:nan\nnonsense\n# nothing\nt:1");
    let frames = bench.frames(4);
    let of = |at: usize, key: &str| frames[at][key].clone();
    assert_eq!((of(0, "cut"), of(0, "hex")), (true.into(), hex(b"00\n").into()), "{frames:?}");
    assert_eq!((of(1, "cut"), of(1, "hex")), (Value::Null, hex(b"t:215 h:3\n").into()));
    let [oven, other] = frames[1]["readings"].as_array().expect("readings").as_slice() else {
        panic!("two readings: {frames:?}")
    };
    assert_eq!((&oven["id"], &oven["verdict"]), (&"oven".into(), &"accepted".into()), "{oven}");
    assert_eq!((&oven["raw"], &oven["unit"]), (&215.0.into(), &"K".into()), "{oven}");
    let value = oven["value"].as_f64().expect("a value");
    assert!((value - 294.65).abs() < 1e-9, "{oven}");
    let pane: String = oven["pane"].as_str().expect("a time").trim_end_matches('Z').into();
    let time = oven["time"].as_str().expect("a time");
    assert!(time.starts_with(&pane[..19]) || time > pane.as_str(), "{oven}");
    assert_eq!(other["verdict"], "refused", "{other}");
    assert_eq!(other["reason"], "unknown_channel", "{other}");
    assert!(other.get("index").is_none(), "it has no number: {other}");
    assert_eq!(frames[2]["readings"][0]["reason"], "not_finite", "{frames:?}");
    assert_eq!((of(3, "verdict"), of(3, "reason")), ("refused".into(), "malformed".into()));
    assert_eq!(of(3, "hex"), hex(b"nonsense\n"));
    drop(port);
    let partial = bench.frames(1);
    assert_eq!(
        (&partial[0]["reason"], &partial[0]["hex"]),
        (&"partial".into(), &hex(b"t:1").into())
    );

    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let frame = Device::new(3).frame(&[1.5]);
    for _ in 0..2 {
        socket.send_to(&frame, daemon.address("plant")).expect("sends");
    }
    let frames = plant.frames(2);
    assert_eq!((&frames[0]["hex"], &frames[0]["device"]), (&hex(&frame).into(), &3.into()));
    assert_eq!(frames[0]["readings"][0]["id"], "plant.3.0", "{frames:?}");
    let again = &frames[1]["readings"][0];
    assert_eq!((&again["reason"], &again["id"]), (&"duplicate".into(), &"plant.3.0".into()));
    assert_eq!((bench.passed_over, bench.missed, plant.missed), (0, 0, 0));
    daemon.stop();
}

/// A value is a spike by the one after it: until then nobody knows, and whoever looks on is told so,
/// and afterwards what came of it.
#[test]
fn a_reading_that_waits_for_its_verdict_is_told_again_with_it() {
    let port = Pty::open();
    let daemon = Daemon::start(&format!(
        r#"
        [[source]]
        name = "bench"
        kind = "serial"
        path = {:?}
        format = "text"
        lateness = "1s"
        [[channel]]
        id = "oven"
        source = "bench"
        field = "t"
        unit = "Cel"
        qc = {{ spike = {{ suspect = 5 }}, gross_range = {{ fail = [0, 500] }} }}
        [[channel]]
        id = "fan"
        source = "bench"
        field = "f"
        "#,
        port.path()
    ));
    daemon.until("bench", "up", |source| source["state"] == "up");
    let mut oven = Tapper::start(&daemon, r#"{"channels":["oven"]}"#);
    let mut fan = Tapper::start(&daemon, r#"{"channels":["fan"]}"#);
    for line in [&b"t:20 f:1\n"[..], b"t:99 f:1\n", b"t:21 f:1\n"] {
        port.write(line);
        let frames = oven.frames(1);
        let reading = &frames[0]["readings"][0];
        assert_eq!((&reading["waits"], &reading["flag"]), (&true.into(), &"pass".into()));
        assert!(reading.get("reasons").is_none(), "nothing speaks against it yet: {reading}");
    }
    // The last one has no neighbour; its pane closes without the verdict once others have come.
    wait_for("the verdicts", || {
        port.write(b"f:1\n");
        oven.look();
        (oven.settled.len() == 3).then_some(())
    });
    let told: Vec<_> =
        oven.settled.iter().map(|one| (&one["value"], &one["flag"], &one["reasons"])).collect();
    let spike = Value::from(vec!["spike"]);
    assert_eq!(
        told,
        [
            (&20.0.into(), &"pass".into(), &Value::Null),
            (&99.0.into(), &"suspect".into(), &spike),
            (&21.0.into(), &"pass".into(), &Value::Null),
        ]
    );
    assert_eq!((&oven.settled[1]["id"], &oven.settled[1]["unit"]), (&"oven".into(), &"Cel".into()));
    let frames = fan.look();
    assert!(frames.iter().all(|frame| frame["readings"][0].get("waits").is_none()), "{frames:?}");
    assert!(fan.settled.is_empty(), "of other channels");
    daemon.stop();
}

/// Under load only some frames are shown, and the others are counted; a client that never reads
/// holds nobody up, and nothing that is counted changes by it.
#[test]
fn under_load_some_are_shown_and_nobody_is_disturbed() {
    let port = Pty::open();
    let daemon = Daemon::start(&format!(
        "{}\n[[source]]\nname = \"bench\"\nkind = \"serial\"\npath = {:?}\nformat = \"text\"\n\
         unknown = \"discover\"\n",
        Steady::CONFIG,
        port.path()
    ));
    let steady = Steady::start(&daemon);
    daemon.until("bench", "up", |source| source["state"] == "up");
    let mut tapper = Tapper::start(&daemon, r#"{"source":"bench"}"#);
    let never = Tapper::start(&daemon, "{}");
    let sent = 20_000;
    for start in (0..sent).step_by(500) {
        let lines: String = (start..start + 500).map(|n| format!("n:{n}\nbad\n")).collect();
        port.write(lines.as_bytes());
    }
    let ledger = daemon.frames("bench", 2 * sent);
    assert_eq!(number(&ledger, "frames_ok"), sent, "{ledger:#}");
    assert_eq!(number(&ledger, "accepted"), sent, "{ledger:#}");
    let malformed = FrameRefusal::Malformed.name();
    assert_eq!(ledger["frames_refused"][malformed], sent, "{ledger:#}");
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    let mut shown = 0;
    wait_for("the count of all frames", || {
        for frame in tapper.look() {
            let verdict = frame["verdict"].as_str().expect("a verdict").to_owned();
            *kinds.entry(verdict).or_default() += 1;
            let bytes = frame["hex"].as_str().expect("bytes");
            let is_whole = bytes.ends_with("0a") && !bytes.trim_end_matches("0a").contains("0a");
            assert!(is_whole || frame["cut"] == true, "{frame}");
            shown += 1;
        }
        (2 * sent <= shown + tapper.passed_over + tapper.missed).then_some(())
    });
    assert_eq!(shown + tapper.passed_over + tapper.missed, 2 * sent, "each is accounted for");
    assert!(TAP_FRAMES_PER_SLICE as u64 <= shown && 0 < tapper.passed_over, "{shown}");
    assert!(kinds.len() == 2, "both kinds are shown: {kinds:?}");
    steady.was_undisturbed(&daemon);
    drop(never);
    daemon.stop();
}

#[test]
fn the_client_shows_frames_and_ends_after_so_many() {
    let daemon = Daemon::start(Steady::CONFIG);
    let steady = Steady::start(&daemon);
    let tap = |arguments: &[&str]| {
        let mut command = stillwell();
        command.args(["tap", "--frames", "3", "--json"]).args(arguments);
        command.arg("--socket").arg(daemon.socket()).stderr(Stdio::piped());
        command.stdout(Stdio::piped()).output().expect("runs")
    };
    let output = tap(&["steady", "--source", "steady"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let lines = String::from_utf8(output.stdout).expect("text");
    let frames: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let frames: Vec<_> = frames.iter().filter(|line| line.get("hex").is_some()).collect();
    assert_eq!(frames.len(), 3, "{lines}");
    assert_eq!(frames[0]["readings"].as_array().map(Vec::len), Some(3), "{lines}");
    for (arguments, words) in
        [(["--source", "nope"], "there is no source nope"), (["nope", "steady"], "no channel nope")]
    {
        let output = tap(&arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), said.contains(words)), (Some(65), true), "{said}");
    }
    // Listeners that have left give their places back.
    let place = || wait_for("a place", || Tapper::try_start(&daemon, "{}").ok());
    let mut places: Vec<_> = (0..8).map(|_| place()).collect();
    let reply = Tapper::try_start(&daemon, "{}").err().expect("no ninth");
    assert_eq!(reply["error"], "io.stillwell.v1.Busy", "{reply}");
    assert_eq!(reply["parameters"]["reason"], "max_listeners", "{reply}");
    places.truncate(7);
    places.push(place());
    steady.was_undisturbed(&daemon);
    drop(places);
    daemon.stop();
}
