//! Cost of a reading through the engine's stages, from decoded frames to published windows.
//!
//! `cargo bench --bench engine`; its arguments are those of benches/support. A row discovers its
//! channels, then takes batches as a busy source makes them, and publishes each 100 ms of event
//! time. The longest step is that of one batch, publication and closed panes included.

mod support;

use std::{hint::black_box, io, path::Path};

use stillwell::{
    config::Config,
    engine::{Batch, Input, Plan, normalize::Normalize, rolling::Rolling, validate::Validate},
    limits::{MS, SECOND},
    scan::Step,
    wire::{DeviceClock, Frames, Head, Health, Sample, WireTally},
};

use self::support::{Bench, Case, Table, Watch};

/// Channels of one device.
const CHANNELS_PER_DEVICE: usize = 50;
/// Readings of a batch.
const BATCH: usize = 4_000;
/// Event time of the first reading.
const START_NS: i64 = 1_700_000_000 * SECOND;
const PUBLISH_NS: i64 = 100 * MS;
/// Counted over so many passes over all channels at least: panes are to close.
const COUNTED_PASSES: u64 = 4;

/// What a row does.
#[derive(Clone, Copy, Debug)]
struct Load {
    channels: usize,
    /// Readings of each channel a second.
    hz: i64,
    pane: &'static str,
    windows: &'static str,
    percentiles: bool,
    /// Readings of a frame.
    per_frame: usize,
    /// Devices at random rather than in turn.
    random: bool,
}

const PLAIN: Load = Load {
    channels: 0,
    hz: 0,
    pane: "100ms",
    windows: r#"["1s", "10s", "1m", "10m", "1h", "24h"]"#,
    percentiles: false,
    per_frame: CHANNELS_PER_DEVICE,
    random: false,
};

const LOADS: [Load; 6] = [
    Load { channels: 10, hz: 100_000, per_frame: 10, ..PLAIN },
    Load { channels: 1_000, hz: 1_000, ..PLAIN },
    Load { channels: 100_000, hz: 100, ..PLAIN },
    Load { channels: 100_000, hz: 10, ..PLAIN },
    Load { channels: 1_000_000, hz: 10, ..PLAIN },
    Load {
        channels: 1_000_000,
        hz: 1,
        pane: "1s",
        windows: r#"["10s", "1m", "10m", "1h", "24h"]"#,
        ..PLAIN
    },
];

fn main() -> io::Result<()> {
    let bench = Bench::from_arguments()?;
    let fits = |load: &Load| !bench.is_smoke() || load.channels <= 1_000;
    let loads = || LOADS.into_iter().filter(fits);
    let table = Table {
        title: "A reading through the engine",
        unit: "a reading",
        labels: &["channels", "Hz", "pane", "order", "a frame", "percentiles"],
        notes: &["longest step ms", "bytes a channel"],
        beside_first: false,
    };
    let mut cases = Vec::new();
    for load in loads() {
        for (percentiles, random) in [(false, false), (false, true), (true, false), (true, true)] {
            cases.push(case(Load { percentiles, random, ..load }));
        }
    }
    bench.table(&table, &cases)?;
    let singly = loads().filter(|load| load.channels != 10);
    let cases: Vec<_> = singly
        .flat_map(|load| [false, true].map(|random| Load { per_frame: 1, random, ..load }))
        .map(case)
        .collect();
    bench.table(&Table { title: "One reading a frame", ..table }, &cases)?;
    let table = Table {
        title: "The stages apart",
        notes: &["validate ns", "normalize ns", "rolling ns"],
        ..table
    };
    let cases: Vec<_> = loads().take(3).map(by_stages).collect();
    bench.table(&table, &cases)
}

impl Load {
    fn labels(&self) -> [String; 6] {
        [
            self.channels.to_string(),
            self.hz.to_string(),
            self.pane.to_owned(),
            if self.random { "random" } else { "in turn" }.to_owned(),
            self.per_frame.to_string(),
            if self.percentiles { "4" } else { "none" }.to_owned(),
        ]
    }

    /// Readings of a round.
    fn items(&self) -> u64 {
        if self.channels <= 100_000 { 20_000_000 } else { 12_000_000 }
    }

    /// A case over so many readings, counted over enough of them.
    fn case(self, work: impl Fn(u64, &mut Watch) + 'static) -> Case<'static> {
        let counted = (self.items() / 16).max(COUNTED_PASSES * self.channels as u64);
        let rounds = if self.channels <= 100_000 { 5 } else { 3 };
        Case::new(self.labels(), self.items(), work).counted_over(counted).rounds(rounds)
    }

    /// Defaults, and discovered channels with a calibration.
    fn plan(&self) -> Plan {
        let Self { channels, pane, windows, percentiles, .. } = self;
        let percentiles = if *percentiles { "[50, 90, 95, 99]" } else { "[]" };
        let text = format!(
            "[daemon]\npercentile_memory = \"4GiB\"\n\n\
             [defaults]\npane = \"{pane}\"\nwindows = {windows}\npercentiles = {percentiles}\n\
             resolution = 0.01\n\n\
             [[pattern]]\nmatch = \"*\"\n\
             calibration = {{ kind = \"linear\", scale = 0.5, offset = 1.0 }}\n\n\
             [[source]]\nname = \"bench\"\nkind = \"udp\"\nlisten = \"127.0.0.1:0\"\n\
             format = \"native\"\nunknown = \"discover\"\ndiscover_max = {channels}\n"
        );
        let nothing = |_: &Path| Err(io::ErrorKind::NotFound.into());
        let loaded = Config::parse(&text, Path::new("bench.toml"), &nothing);
        loaded.unwrap_or_else(|errors| panic!("{errors}")).config.plan
    }
}

fn case(load: Load) -> Case<'static> {
    load.case(move |items, watch| {
        let mut engine = Engine::new(&load);
        while watch.items() < items {
            let batch = engine.feed.batch();
            watch.time(readings(&batch), || engine.stages.take(batch));
        }
        let each_bytes = Watch::grown_bytes() as f64 / load.channels as f64;
        watch.note_all([watch.longest_ms(), each_bytes]);
    })
}

/// As [`case`], with a look at the time between the stages.
fn by_stages(load: Load) -> Case<'static> {
    load.case(move |items, watch| {
        let Engine { mut stages, mut feed } = Engine::new(&load);
        let mut spent_ns = [0; 3];
        while watch.items() < items {
            let batch = feed.batch();
            watch.time(readings(&batch), || {
                let input = Input { now_ns: batch.now_ns, batch: Some(batch), sitting: None };
                let (checked, validate_ns) = Watch::aside(|| stages.validate.step(input));
                let Some(checked) = checked else { return };
                let (checked, normalize_ns) = Watch::aside(|| stages.normalize.step(checked));
                let Some(checked) = checked else { return };
                let (_, rolling_ns) = Watch::aside(|| black_box(stages.rolling.step(checked)));
                for (spent, ns) in spent_ns.iter_mut().zip([validate_ns, normalize_ns, rolling_ns])
                {
                    *spent += ns;
                }
            });
        }
        watch.note_all(spent_ns.map(|ns| ns as f64 / watch.items() as f64));
    })
}

fn readings(batch: &Batch) -> u64 {
    batch.frames.samples.len() as u64
}

/// The stages with what feeds them, all channels met.
struct Engine {
    stages: Stages,
    feed: Feed,
}

impl Engine {
    fn new(load: &Load) -> Self {
        let mut engine = Self { stages: Stages::new(&load.plan()), feed: Feed::new(*load) };
        let mut met = 0;
        while met < load.channels {
            let batch = engine.feed.batch();
            met += batch.frames.samples.len();
            engine.stages.take(batch);
        }
        // The first snapshot of all has the directory of all of them made anew.
        (0..2).for_each(|_| while !engine.stages.take(engine.feed.batch()) {});
        engine.feed.random = load.random;
        engine
    }
}

struct Stages {
    validate: Validate,
    normalize: Normalize,
    rolling: Rolling,
}

impl Stages {
    fn new(plan: &Plan) -> Self {
        let (validate, normalize) = (Validate::new(plan), Normalize::new(plan));
        Self { validate, normalize, rolling: Rolling::new(plan, PUBLISH_NS, 1) }
    }

    /// Whether a snapshot came of it.
    fn take(&mut self, batch: Batch) -> bool {
        let checked =
            self.validate.step(Input { now_ns: batch.now_ns, batch: Some(batch), sitting: None });
        let checked = checked.and_then(|checked| self.normalize.step(checked));
        checked.and_then(|checked| self.rolling.step(checked)).is_some()
    }
}

/// Makes batches of frames.
struct Feed {
    load: Load,
    random: bool,
    /// Frames made.
    frames: u64,
    /// Next sequence number of each device.
    sequences: Vec<u32>,
    noise: u32,
}

impl Feed {
    fn new(load: Load) -> Self {
        let devices = load.channels.div_ceil(CHANNELS_PER_DEVICE);
        Self { load, random: false, frames: 0, sequences: vec![0; devices], noise: 1 }
    }

    fn batch(&mut self) -> Batch {
        let Load { channels, hz, per_frame, .. } = self.load;
        let frames_a_second = hz * (channels / per_frame) as i64;
        let mut batch = Batch::default();
        let Batch { now_ns, frames, wire, .. } = &mut batch;
        for _ in 0..BATCH / per_frame {
            // Each second has as many frames, so that this does not overflow.
            let (second, within) =
                (self.frames as i64 / frames_a_second, self.frames as i64 % frames_a_second);
            *now_ns = START_NS + second * SECOND + within * SECOND / frames_a_second;
            let turns = (channels / per_frame) as u64;
            // The upper bits of the generator are the good ones.
            let random = self.random.then(|| (u64::from(self.noise()) * turns) >> 32);
            let turn = random.unwrap_or(self.frames % turns);
            self.frame(turn as usize * per_frame, *now_ns, frames, wire);
            self.frames += 1;
        }
        batch
    }

    /// A frame of the channels from `first` on.
    fn frame(&mut self, first: usize, now_ns: i64, frames: &mut Frames, wire: &mut WireTally) {
        let (device, index) = (first / CHANNELS_PER_DEVICE, first % CHANNELS_PER_DEVICE);
        let count = self.load.per_frame;
        frames.heads.push(Head {
            device: device as u32,
            boot: 1,
            sequence: Some(self.sequences[device]),
            first: false,
            health: Health::Good,
            clock: DeviceClock::None,
            time_error: 255,
            arrived_ns: now_ns,
            samples: count as u32,
            shed: false,
        });
        self.sequences[device] = self.sequences[device].wrapping_add(1);
        for field in index..index + count {
            let value = self.value();
            frames.samples.push(Sample { field: field as u32, at_ns: 0, value });
        }
        wire.bytes_in += 10;
        wire.accept(10, count);
    }

    /// About 20 with a spread of 1 %, by hundredths.
    fn value(&mut self) -> f64 {
        let noise = self.noise();
        let bell = (noise >> 27) + (noise >> 22 & 31) + (noise >> 17 & 31);
        19.53 + f64::from(bell) * 0.01
    }

    /// The next state of a linear congruential generator.
    fn noise(&mut self) -> u32 {
        self.noise = self.noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.noise
    }
}
