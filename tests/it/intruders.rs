//! A flood of strangers through the engine: whatever it invents is counted, and what is live gets
//! the same results to the last bit as without it.

use std::{cell::RefCell, io, path::Path, sync::Arc};

use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
use stillwell::{
    config::Config,
    engine::{
        Batch, Input, ReadingRefusal, Snapshot, normalize::Normalize, rolling::Rolling,
        validate::Validate,
    },
    limits::{MS, SECOND},
    scan::Step,
    wire::{Decoder, FrameRefusal, Frames, WireTally, decode::Framing, key::Key},
};

use crate::support::Device;

const START_NS: i64 = 1_700_000_000 * SECOND;
const TICKS: u32 = 400;
const TICK_NS: i64 = 25 * MS;
/// Of the flood, before and after what is live in each tick: 120,000 in all.
const STRANGERS: usize = 150;
const KEY: &str = "5f3c5f3c5f3c5f3c5f3c5f3c5f3c5f3c5f3c5f3c5f3c5f3c5f3c5f3c5f3c5f3c";

const TEXT: &str = "format = \"text\"\n";
const NATIVE: &str = "format = \"native\"\n";
const KEYED: &str = "format = \"native\"\nkey_file = \"key\"\n";

/// The channels that must not notice anything, by their tables.
const NUMBERED: &str = r#"
    [[channel]]
    id = "live.1"
    source = "s"
    device = 1
    index = 0
    [[channel]]
    id = "live.2"
    source = "s"
    device = 2
    index = 0
"#;
const NAMED: &str = r#"
    [[channel]]
    id = "live.1"
    source = "s"
    field = "temperature"
    [[channel]]
    id = "live.2"
    source = "s"
    field = "level"
"#;

/// A source from its decoder to what is published.
struct Line {
    decoder: Decoder,
    stages: (Validate, Normalize, Rolling),
    now_ns: i64,
}

impl Line {
    fn new(source: &str, channels: &str) -> Self {
        let text = format!(
            "[defaults]\nwindows = [\"1s\", \"10s\"]\n[[source]]\nname = \"s\"\nkind = \"udp\"\n\
             listen = \"127.0.0.1:0\"\n{source}{channels}"
        );
        let key = |_: &Path| Ok::<_, io::Error>(KEY.to_owned());
        let loaded = Config::parse(&text, Path::new("intruders.toml"), &key);
        let config = loaded.unwrap_or_else(|errors| panic!("{errors}")).config;
        let stages = (
            Validate::new(&config.plan),
            Normalize::new(&config.plan),
            Rolling::new(&config.plan, MS, 1),
        );
        let decoder = Decoder::new(&config.inputs[0].format, Framing::Datagram);
        Self { decoder, stages, now_ns: START_NS }
    }

    /// Takes datagrams that arrive at once, and shows what there is then.
    fn take<'a>(
        &mut self,
        arrived_ns: i64,
        datagrams: impl Iterator<Item = &'a [u8]>,
    ) -> Arc<Snapshot> {
        let (mut frames, mut wire) = (Frames::default(), WireTally::default());
        for datagram in datagrams {
            self.decoder.feed(datagram, arrived_ns, &mut frames, &mut wire);
        }
        let fields = Arc::clone(self.decoder.fields());
        let batch = Batch { now_ns: arrived_ns, frames, wire, fields, ..Batch::default() };
        self.now_ns += MS;
        let input = Input { now_ns: self.now_ns, batch: Some(batch), sitting: None };
        let (validate, normalize, rolling) = &mut self.stages;
        let checked = normalize.step(validate.step(input).unwrap()).unwrap();
        let snapshot = rolling.step(checked).expect("each step publishes");
        assert_eq!(snapshot.total.imbalance(), None);
        snapshot
    }
}

/// All that is shown of the live channels: floats are written so that each is told from every
/// other.
fn shown(snapshot: &Snapshot) -> String {
    let all = (0..snapshot.len() as u32).map(|index| snapshot.channel(index));
    let live = all.filter(|channel| {
        let id = &channel.info.id;
        id.starts_with("live.") || ["s.1.0", "s.2.0", "s.temperature", "s.level"].contains(&&**id)
    });
    let words = live.map(|channel| {
        let summaries = [channel.summary(0), channel.summary(1)];
        format!("{} {:?} {:?} {summaries:?}\n", channel.info.id, channel.live, channel.begun_ns)
    });
    words.collect()
}

/// What a source is given: the live ones by themselves in the first tick, so that they are met.
fn differ(
    source: &str,
    channels: &str,
    mut live: impl FnMut(u32) -> Vec<Vec<u8>>,
    mut stranger: impl FnMut(&mut ChaCha8Rng) -> Vec<u8>,
) -> (Arc<Snapshot>, u32) {
    let (mut quiet, mut flooded) = (Line::new(source, channels), Line::new(source, channels));
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut last = None;
    for tick in 0..TICKS {
        let arrived_ns = START_NS + i64::from(tick) * TICK_NS;
        let own = live(tick);
        let mut strangers = || -> Vec<_> {
            let count = if tick == 0 { 0 } else { STRANGERS };
            (0..count).map(|_| stranger(&mut random)).collect()
        };
        let (before, after) = (strangers(), strangers());
        let alone = quiet.take(arrived_ns, own.iter().map(Vec::as_slice));
        let all = [before, own, after].concat();
        let among = flooded.take(arrived_ns, all.iter().map(Vec::as_slice));
        assert_eq!(shown(&among), shown(&alone), "tick {tick}");
        last = Some(among);
    }
    let last = last.expect("ticks");
    assert_eq!(shown(&last).lines().count(), 2, "two live channels are shown");
    assert!(shown(&last).contains("p50") || shown(&last).contains("percentiles"), "with all of it");
    (last, (TICKS - 1) * 2 * STRANGERS as u32)
}

fn refused(snapshot: &Snapshot, why: ReadingRefusal) -> u64 {
    snapshot.total.readings.refused[why as usize]
}

fn frames_refused(snapshot: &Snapshot, why: FrameRefusal) -> u64 {
    snapshot.total.wire.refused[why as usize]
}

/// Two devices of a course of their own.
fn devices(key: Option<&Key>) -> impl FnMut(u32) -> Vec<Vec<u8>> + use<> {
    let mut devices = [1, 2].map(|id| Device { key: key.cloned(), ..Device::new(id) });
    move |tick| {
        let value = f64::from(tick * tick % 97) / 7.0;
        devices.iter_mut().map(|device| device.frame(&[value, value * 3.1])).collect()
    }
}

fn lines(tick: u32) -> Vec<Vec<u8>> {
    let value = f64::from(tick * tick % 97) / 7.0;
    vec![format!("temperature:{value},level:{}", value * 3.1).into_bytes()]
}

/// One frame of a device that nobody has heard of.
fn unheard(random: &mut ChaCha8Rng) -> Vec<u8> {
    Device::new(random.random_range(3..=u32::MAX)).frame(&[random.random_range(-1e9..1e9)])
}

/// One line of fields that nobody has heard of.
fn unnamed(random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut field = || format!("x{:x}:{}", random.random::<u64>(), random.random_range(-1e9..1e9));
    [field(), field()].join(",").into_bytes()
}

#[test]
fn invented_devices_are_refused_and_change_nothing() {
    let (last, strangers) = differ(NATIVE, NUMBERED, devices(None), unheard);
    assert_eq!(refused(&last, ReadingRefusal::UnknownDevice), u64::from(strangers));
    assert_eq!(last.len(), 2);
    // What is live was found itself, and leaves no room.
    let full = format!("{NATIVE}unknown = \"discover\"\ndiscover_max = 2\n");
    let (last, strangers) = differ(&full, "", devices(None), unheard);
    assert_eq!(refused(&last, ReadingRefusal::Cardinality), u64::from(strangers));
    assert_eq!((last.len(), last.sources[0].devices.len()), (2, 2));
    // There is room for some, which are taken up; the cap is for what is found alone.
    let roomy = format!("{NATIVE}unknown = \"discover\"\ndiscover_max = 50\n");
    let (last, strangers) = differ(&roomy, NUMBERED, devices(None), unheard);
    assert_eq!(refused(&last, ReadingRefusal::Cardinality), u64::from(strangers) - 50);
    assert_eq!((last.len(), last.sources[0].devices.len()), (52, 52));
}

#[test]
fn invented_channels_of_a_live_device_are_refused_and_change_nothing() {
    for (more, why) in [
        ("", ReadingRefusal::UnknownChannel),
        ("unknown = \"discover\"\ndiscover_max = 1\n", ReadingRefusal::Cardinality),
    ] {
        // Another device of the plan, all of whose channels but one are invented.
        let third = "[[channel]]\nid = \"other\"\nsource = \"s\"\ndevice = 3\nindex = 0\n";
        let channels = format!("{NUMBERED}{third}");
        let mut device = Device::new(3);
        let (last, strangers) =
            differ(&format!("{NATIVE}{more}"), &channels, devices(None), |random| {
                device.frame_of(random.random_range(1..=255), &[4.5])
            });
        // With one that is taken up, its number comes again now and then.
        let count = refused(&last, why);
        assert!(u64::from(strangers) * 98 / 100 < count, "{count} of {strangers}");
        assert!(last.len() <= 4, "{}", last.len());
    }
}

#[test]
fn invented_fields_are_refused_and_change_nothing() {
    let (last, strangers) = differ(TEXT, NAMED, lines, unnamed);
    assert_eq!(refused(&last, ReadingRefusal::UnknownChannel), 2 * u64::from(strangers));
    assert_eq!(last.len(), 2);
    let full = format!("{TEXT}unknown = \"discover\"\ndiscover_max = 2\n");
    let (last, strangers) = differ(&full, "", lines, unnamed);
    assert_eq!(refused(&last, ReadingRefusal::Cardinality), 2 * u64::from(strangers));
    assert_eq!(last.len(), 2);
    let roomy = format!("{TEXT}unknown = \"discover\"\ndiscover_max = 50\n");
    let (last, strangers) = differ(&roomy, NAMED, lines, unnamed);
    assert_eq!(refused(&last, ReadingRefusal::Cardinality), 2 * u64::from(strangers) - 50);
    assert_eq!(last.len(), 52);
}

/// Without the key nobody can speak for a live device, whatever boot and sequence he claims.
#[test]
fn forged_frames_of_live_devices_are_refused_and_change_nothing() {
    let key = Key::from_hex(KEY).expect("a key");
    let strange = Key::from_hex(&KEY.replace('5', "6")).expect("a key");
    let (last, strangers) = differ(KEYED, NUMBERED, devices(Some(&key)), |random| {
        let key = random.random_bool(0.5).then(|| strange.clone());
        let (id, boot, sequence) = (random.random_range(1..3), random.random(), random.random());
        Device { boot, sequence, key, health: 1, ..Device::new(id) }.frame(&[1e6])
    });
    let (forged, unsigned) = (
        frames_refused(&last, FrameRefusal::Forged),
        frames_refused(&last, FrameRefusal::Unauthenticated),
    );
    assert_eq!(forged + unsigned, u64::from(strangers));
    assert!(50_000 < forged && 50_000 < unsigned, "{forged} {unsigned}");
}

/// Who has recorded all that was ever sent, of this start and of earlier ones, has nothing.
#[test]
fn replayed_frames_of_live_devices_are_refused_and_change_nothing() {
    let key = Key::from_hex(KEY).expect("a key");
    let mut recorded = Vec::new();
    for boot in 1..=20 {
        let device = Device { boot, key: Some(key.clone()), health: 1, ..Device::new(1) };
        let frames = (0..100).map(|n| Device { sequence: n, key: device.key.clone(), ..device });
        recorded.extend(frames.map(|mut device| device.frame(&[1e6])));
    }
    let old = recorded.len();
    let recorded = RefCell::new(recorded);
    let mut devices =
        [1, 2].map(|id| Device { boot: 25, key: Some(key.clone()), ..Device::new(id) });
    let mut sent = Vec::new();
    let live = |tick: u32| -> Vec<Vec<u8>> {
        recorded.borrow_mut().append(&mut sent);
        let value = f64::from(tick * tick % 97) / 7.0;
        sent.extend(devices.iter_mut().map(|device| device.frame(&[value, value * 3.1])));
        sent.clone()
    };
    let (last, strangers) = differ(KEYED, NUMBERED, live, |random| {
        let recorded = recorded.borrow();
        let within = if random.random_bool(0.5) { 0..old } else { old..recorded.len() };
        recorded[random.random_range(within)].clone()
    });
    let replayed = refused(&last, ReadingRefusal::Replayed);
    // Those of the present start have two readings.
    assert_eq!(replayed + refused(&last, ReadingRefusal::Duplicate) / 2, u64::from(strangers));
    assert!((50_000..70_000).contains(&replayed), "{replayed}");
    let view = last.sources[0].devices.iter().find(|view| view.device == 1).expect("heard");
    assert_eq!((view.boot, view.health.name(), view.sequence.resets), (25, "good", 0));
}
