//! The data path allocates nothing for a frame or a reading: it fills what it emptied before. So
//! do the decoders of all formats.

use std::sync::Arc;

use futures::executor::block_on;
use stillwell::{
    config::model::OnFull,
    daemon::{
        source::outlet::{Outlet, OutletParts, Switch},
        tap::{Junction, Tap},
    },
    engine::{
        Batch, Input, Plan, Rules, Snapshot, SourcePlan, TimeMode, Unknown, Window,
        aggregate::{Aggregator, Work},
        edition::{Binder, Editor},
        normalize::Normalize,
        rolling::Rolling,
        sequence::Starts,
        split::Split,
        validate::{Checked, Validate},
    },
    limits::{BATCH_READINGS_MAX, MS, SECOND, SHARD_QUEUE},
    scan::Step,
    wire::{
        Decoder, Frames, WireTally,
        binary::{
            BinaryOptions, Check, Counted, FieldRule, Kind as BinaryKind, Layout, Length, Number,
            Place, Scaling,
        },
        checksum::{Checksum, Order},
        cobs,
        decode::{Format, Framing, Naming, Tags},
        dsmr::DsmrOptions,
        frame::{BlockHead, Encoder, Header, Kind, TimeKind, ValueType},
        influx::InfluxOptions,
        json::{JsonLayout, JsonOptions},
        nmea::{NmeaOptions, Talkers},
        senml::SenmlOptions,
        statsd::StatsdOptions,
        text::TextOptions,
        vedirect::VedirectOptions,
    },
};
use tokio::sync::mpsc;

const START_NS: i64 = 1_700_000_000 * SECOND;
const DEVICES: u32 = 100;
/// Time from one frame of a device to its next.
const PERIOD_NS: i64 = 10 * MS;

/// From the bytes of a datagram to the windows, on one thread: what is counted is what this
/// thread allocates.
struct Path {
    outlet: Outlet,
    queue: mpsc::Receiver<Batch>,
    validate: Validate,
    normalize: Normalize,
    last: Last,
    /// Readings of each frame.
    readings: u8,
    frames: u32,
    publications: u64,
}

/// The last stage, with one aggregator or with several.
enum Last {
    Rolling(Box<Rolling>),
    Sharded(Box<Sharded>),
}

/// Several aggregators, each behind its queue.
struct Sharded {
    editor: Editor,
    split: Split,
    shards: Vec<Shard>,
    binder: Binder,
}

struct Shard {
    work: mpsc::Sender<Work>,
    queue: mpsc::Receiver<Work>,
    aggregator: Aggregator,
}

impl Last {
    fn new(shards: usize) -> Self {
        // Publications allocate what is shown, which is for others to keep.
        let (plan, publish_ns) = (plan(), 3_600 * SECOND);
        if shards == 1 {
            return Self::Rolling(Box::new(Rolling::new(&plan, publish_ns, 1)));
        }
        let shard = || {
            let (work, queue) = mpsc::channel(SHARD_QUEUE);
            Shard { work, queue, aggregator: Aggregator::new() }
        };
        Self::Sharded(Box::new(Sharded {
            editor: Editor::new(&plan, publish_ns, 1),
            split: Split::new(shards),
            shards: (0..shards).map(|_| shard()).collect(),
            binder: Binder::new(&plan),
        }))
    }

    fn step(&mut self, checked: Checked) -> Option<Arc<Snapshot>> {
        match self {
            Self::Rolling(rolling) => rolling.step(checked),
            Self::Sharded(sharded) => sharded.step(checked),
        }
    }
}

impl Sharded {
    fn step(&mut self, mut checked: Checked) -> Option<Arc<Snapshot>> {
        let Self { editor, split, shards, binder } = self;
        let arrived_ns = editor.enter(&mut checked);
        split.divide(arrived_ns, &mut checked);
        for (number, shard) in shards.iter().enumerate() {
            if let Some(portion) = split.take(number) {
                shard.work.try_send(Work::Take(portion)).expect("it has room");
            }
        }
        for Shard { queue, aggregator, .. } in &mut *shards {
            while let Ok(work) = queue.try_recv() {
                assert!(aggregator.step(work).is_none());
            }
        }
        let edition = editor.due()?;
        let turn = edition.turn(binder.relief());
        let answers = shards.iter_mut().map(|shard| {
            assert!(shard.aggregator.ask(&turn).is_none(), "one at a time");
            shard.aggregator.complete().expect("it was asked")
        });
        Some(binder.bind(edition, answers.collect()))
    }
}

impl Path {
    fn new(readings: u8, shards: usize) -> Self {
        let (batches, queue) = mpsc::channel(4);
        let plan = plan();
        Self {
            outlet: Outlet::new(OutletParts {
                name: "test".into(),
                index: 0,
                batches,
                on_full: OnFull::Count,
                format: Format::NATIVE,
                framing: Framing::Datagram,
                switch: Switch::default(),
                tap: Tap::new(Arc::new(Junction::new("test".into())), Framing::Datagram),
            }),
            queue,
            validate: Validate::new(&plan),
            normalize: Normalize::new(&plan),
            last: Last::new(shards),
            readings,
            frames: 0,
            publications: 0,
        }
    }

    /// Takes frames of all devices in turn until there were so many readings.
    fn run(&mut self, readings: usize) {
        for _ in 0..readings / usize::from(self.readings) {
            let (round, device) = (self.frames / DEVICES, self.frames % DEVICES);
            self.frames += 1;
            let arrived_ns = START_NS + i64::from(round) * PERIOD_NS;
            let mut buffer = [0; 1_024];
            let frame = frame(&mut buffer, device, round, self.readings);
            self.outlet.feed(frame, arrived_ns);
            if self.outlet.is_full() {
                block_on(self.outlet.offer(arrived_ns)).expect("the queue is open");
                self.take();
            }
        }
    }

    fn take(&mut self) {
        while let Ok(batch) = self.queue.try_recv() {
            assert_eq!(batch.transport.batches_refused, 0);
            let input = Input { now_ns: batch.now_ns, batch: Some(batch), sitting: None };
            let checked = self.validate.step(input).expect("one for one");
            let checked = self.normalize.step(checked).expect("one for one");
            self.publications += u64::from(self.last.step(checked).is_some());
        }
    }
}

fn frame(buffer: &mut [u8], device: u32, sequence: u32, readings: u8) -> &[u8] {
    let header = Header {
        kind: Kind::Data,
        first_since_reset: false,
        authenticated: false,
        health: 0,
        device,
        boot: 1,
        time_kind: TimeKind::None,
        time_error: 255,
        sequence,
        time_us: 0,
    };
    let block = BlockHead {
        first_channel: 0,
        channels: readings,
        value_type: ValueType::F32,
        samples: 1,
        dt_us: 0,
    };
    let values = [f64::from(sequence % 13); 50];
    let mut encoder = Encoder::new(buffer, &header).expect("it fits");
    encoder.block(block, None, &values[..usize::from(readings)]).expect("it fits");
    encoder.finish().expect("it fits")
}

fn plan() -> Plan {
    let windows = [(1, 100), (10, 1_000), (60, 6_000), (600, 60_000)];
    let window =
        |(length_s, every_ms)| Window { length_ns: length_s * SECOND, every_ns: every_ms * MS };
    let rules = Rules {
        pane_ns: 100 * MS,
        lateness_ns: 0,
        future_ns: 2 * SECOND,
        windows: windows.map(window).into(),
        exact: [].into(),
        percentiles: [].into(),
        figures: 2,
        resolution: 0.01,
        expected_rate: None,
        stale_ns: 10 * SECOND,
        silent_ns: 60 * SECOND,
        statistics: stillwell::engine::statistics::Statistics::none(),
    };
    let source = SourcePlan {
        name: "s".into(),
        time: TimeMode::Arrival,
        unknown: Unknown::Discover { max: 5_000 },
        starts: Starts::Marked,
        named_fields: false,
        idle_ns: SECOND,
        discovered: rules.clone(),
        qc: None,
        patterns: Vec::new(),
    };
    Plan { sources: vec![source], channels: Vec::new(), defaults: rules, percentile_bytes: 1 << 30 }
}

#[test]
fn a_million_readings_between_two_publications_allocate_nothing() {
    for (readings, shards) in [(50, 1), (1, 1), (50, 2), (1, 2)] {
        let mut path = Path::new(readings, shards);
        // Meets the devices and their channels, and goes through the blocks that the queue is of.
        path.run(200 * BATCH_READINGS_MAX);
        let before = (path.frames, path.publications);
        let made = allocation_counter::measure(|| path.run(1_000_000));
        assert_eq!(path.publications, before.1);
        let frames = path.frames - before.0;
        let what = format!("{readings} readings a frame, {frames} frames, {shards} shards");
        assert_eq!(made.count_total, 0, "{what}: {made:?}");
    }
}

/// A format, and messages of it, each with its end.
type Spoken = (Format, Vec<Vec<u8>>);

fn lines(lines: &[&str]) -> Vec<Vec<u8>> {
    lines.iter().map(|line| format!("{line}\r\n").into_bytes()).collect()
}

fn naming() -> Naming {
    Naming { known: Vec::new(), discover: 100 }
}

/// All formats, each with the messages that take it the longest ways.
fn spoken() -> Vec<Spoken> {
    let text = |timestamp: Option<&str>| {
        Format::Text(TextOptions { naming: naming(), timestamp: timestamp.map(Into::into) })
    };
    let json = |layout| Format::Json(JsonOptions { naming: naming(), layout });
    let keyed = JsonLayout::Plain {
        timestamp: Some("at".into()),
        name_by: vec!["id".into(), "room".into()],
    };
    let influx = InfluxOptions { naming: naming(), ..InfluxOptions::default() };
    let statsd = StatsdOptions { naming: naming(), tags: Tags::Name };
    let nmea = NmeaOptions { naming: naming(), talkers: Talkers::Apart, ..NmeaOptions::default() };
    vec![
        (text(None), lines(&["t:21.5,h:45", "5 6 7", "1;2;;x", "a: 5 b = 6", "garbage!"])),
        (text(Some("1")), lines(&["2010-12-29 14:15:00+00:00,0.0,False", "1293632100,7,true"])),
        (
            json(JsonLayout::default()),
            lines(&[r#"{"t":21.5,"a":{"b":[1,2,null]},"s":"x\\n"}"#, r#"[{"t":1},{"t":2}]"#, "{"]),
        ),
        (json(keyed), lines(&[r#"{"t":1,"id":"a\u0041","room":7,"at":"2020-01-01T00:00:00Z"}"#])),
        (
            json(JsonLayout::Rtl433),
            lines(&[
                r#"{"time":"2019-06-16 07:15:57","model":"A","id":3,"temperature_C":12.6}"#,
                r#"{"time":"2019-06-16 07:15:58","temperature_C":1.5,"model":"B","channel":"C"}"#,
            ]),
        ),
        (
            json(JsonLayout::Tempest),
            lines(&[
                r#"{"serial_number":"S","type":"rapid_wind","ob":[1493322445,2.3,128]}"#,
                r#"{"type":"evt_precip","evt":[1493322445],"serial_number":"SK"}"#,
            ]),
        ),
        (
            Format::Senml(SenmlOptions { naming: naming() }),
            lines(&[
                r#"[{"bn":"d:","bu":"Cel","n":"t","v":21.5},{"n":"h","u":"%RH","v":4,"s":9}]"#,
            ]),
        ),
        (
            Format::Influx(influx),
            lines(&["m,b=2,a=1 t=21.5,h=4i,u=5u,s=\"x\" 1700000000000000000", "m\\ x t=1"]),
        ),
        (Format::Statsd(statsd), lines(&["a.t:21.5|g", "a.t:+1|g", "r:1:2|ms|@0.5|#b:2,a:1", "x"])),
        (
            Format::Nmea(nmea),
            lines(&["$WIMWV,57.5,R,13.0,N,A*26", "$IIXDR,C,19.5,C,,P,1.0,B,Baro*5E"]),
        ),
        (
            Format::Vedirect(VedirectOptions { naming: naming() }),
            vec![
                block(b"\r\nPID\t0x203\r\nV\t12065\r\nSOC\t839\r\nRelay\tOFF\r\nChecksum\t"),
                block(b"\r\nPID\t0x203\r\nV\t12065\r\nNEW\t-4\r\nChecksum\t"),
            ],
        ),
        (
            Format::Dsmr(DsmrOptions { naming: naming(), ..DsmrOptions::default() }),
            lines(&["/KFM5KAIFA-METER\r\n\r\n0-0:1.0.0(170102192002W)\r\n\
                     1-0:1.8.1(000004.426*kWh)\r\n1-0:99.1.0(000007*kWh)\r\n\
                     0-1:24.2.1(170102161005W)(00000.107*m3)\r\n!"]),
        ),
        (Format::NATIVE, native()),
        (binary(), vec![vec![0x42, 0x4D, 1, 2, 0x92], vec![0x42, 0x4D, 1, 3, 0x92]]),
    ]
}

/// A block of VE.Direct with what makes the sum of its bytes nothing.
fn block(begin: &[u8]) -> Vec<u8> {
    let sum = begin.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    [begin, &[sum.wrapping_neg()], b":A0002000148\n"].concat()
}

/// A frame as serial lines have it, and as datagrams do, behind which a zero ends what a line made
/// of it.
fn native() -> Vec<Vec<u8>> {
    let mut buffer = [0; 1_024];
    let frame = frame(&mut buffer, 7, 3, 20).to_vec();
    let mut stuffed = vec![0; cobs::encoded_bytes_max(frame.len())];
    let length = cobs::encode(&frame, &mut stuffed).expect("the bound is always enough");
    stuffed.truncate(length);
    stuffed.push(0);
    vec![stuffed, frame, vec![0]]
}

fn binary() -> Format {
    let kind = BinaryKind::Counted(Counted { sync: [0x42, 0x4D].into(), length: Length::Fixed(5) });
    let check = Check {
        checksum: Checksum::Sum8,
        from: Place::new(0),
        to: Place::new(-1),
        at: Place::new(-1),
        order: Order::Be,
    };
    let field = FieldRule {
        name: "a".into(),
        unit: Some("m".into()),
        at: Place::new(2),
        number: Number::named("u16be").expect("a type"),
        bits: None,
        scaling: Scaling::new(0.5, 1.0),
        missing: [9.0].into(),
    };
    let layout = Layout::new(kind, Box::default(), Some(check), [field].into());
    let layout = layout.expect("it fits").into();
    Format::Binary(BinaryOptions { naming: naming(), layout })
}

/// Reads of a few bytes, which cut every message, and datagrams of one message each.
#[test]
fn no_decoder_allocates_for_a_frame_or_a_reading_or_for_garbage() {
    for (format, messages) in spoken() {
        let stream = messages.concat();
        for framing in [Framing::Stream, Framing::Datagram] {
            let mut decoder = Decoder::new(&format, framing);
            let (mut out, mut tally) = (Frames::default(), WireTally::default());
            let mut feed = || {
                let pieces: &mut dyn Iterator<Item = &[u8]> = match framing {
                    Framing::Stream => &mut stream.chunks(23),
                    Framing::Datagram => &mut messages.iter().map(Vec::as_slice),
                };
                for piece in pieces {
                    decoder.feed(piece, 1_700_000_000 * SECOND, &mut out, &mut tally);
                }
                let frames = out.heads.len();
                out.clear();
                frames
            };
            let frames = (0..5).map(|_| feed()).max();
            assert!(frames.is_some_and(|frames| 0 < frames), "{format:?}");
            let made = allocation_counter::measure(|| (0..100).for_each(|_| _ = feed()));
            assert_eq!(made.count_total, 0, "{} {framing:?}: {made:?}", format.name());
        }
    }
}
