//! Cost of an image of the state, a channel, and of going on from one.
//!
//! `cargo bench --bench state`; its arguments are those of benches/support. The channels have the
//! windows of the defaults, full, without percentiles. An image is taken while nothing else is to
//! be done; the longest step is that of one slice, or of the mark.

mod support;

use std::{
    hint::black_box,
    io,
    path::Path,
    sync::{Arc, mpsc::sync_channel},
};

use stillwell::{
    config::Config,
    engine::{
        Batch, Input, Plan,
        image::{Head, Image, Sealed, Sitting, sitting::Blocks},
        normalize::Normalize,
        rolling::Rolling,
        validate::{Terms, Validate},
    },
    limits::{MS, SECOND},
    scan::{Rest, Step},
    wire::{DeviceClock, Frames, Head as FrameHead, Health, Sample, WireTally},
};

use self::support::{Bench, Case, Table, Watch};

const CHANNELS_PER_DEVICE: u32 = 50;
const START_NS: i64 = 1_700_000_000 * SECOND;
/// Steps of the windows, the longest first: ten of each fill their rings.
const STEPS_NS: [i64; 6] =
    [8_640 * SECOND, 360 * SECOND, 60 * SECOND, 6 * SECOND, SECOND, 100 * MS];

fn main() -> io::Result<()> {
    let bench = Bench::from_arguments()?;
    let channels = || [1_000_u32, 100_000].into_iter().filter(|n| !bench.is_smoke() || *n < 10_000);
    let table = Table {
        title: "An image",
        unit: "a channel",
        labels: &["channels"],
        notes: &["longest step ms", "bytes a channel"],
        beside_first: false,
    };
    let case = |n: u32, work: fn(u32, &mut Watch)| {
        let case = Case::new([n], u64::from(n), move |_, watch| work(n, watch));
        case.counted_over(u64::from(n)).rounds(5)
    };
    bench.table(&table, &channels().map(|n| case(n, take)).collect::<Vec<_>>())?;
    let notes: &[&str] = &["first snapshot ms"];
    let table = Table { title: "Going on from one", notes, ..table };
    bench.table(&table, &channels().map(|n| case(n, go_on)).collect::<Vec<_>>())
}

fn take(channels: u32, watch: &mut Watch) {
    let (mut stages, now_ns) = Stages::filled(channels);
    let blocks = stages.image(now_ns, |step| watch.time(0, step));
    watch.time(u64::from(channels), || ());
    let bytes: usize = blocks.iter().map(Vec::len).sum();
    watch.note_all([watch.longest_ms(), bytes as f64 / f64::from(channels)]);
}

fn go_on(channels: u32, watch: &mut Watch) {
    let (mut stages, now_ns) = Stages::filled(channels);
    let blocks = stages.image(now_ns, |step| step());
    drop(stages);
    let bytes = Sealed::new(&Head::default(), blocks).to_bytes();
    let plan = plan(channels);
    let mut stages = watch.time(u64::from(channels), || {
        let image = Arc::new(Image::open(bytes).expect("whole"));
        let terms = Terms { now_ns, line_goes_on: true, sources: Vec::new() };
        Stages::with(&plan, Validate::resume(&plan, &image, &terms))
    });
    let ((), first_ns) = Watch::aside(|| {
        let mut is_shown = stages.take(Input { now_ns, batch: None, sitting: None });
        while !is_shown {
            is_shown = matches!(stages.rolling.go_on(), Rest::Says(_));
        }
    });
    watch.note_all([first_ns as f64 / 1e6]);
}

struct Stages {
    validate: Validate,
    normalize: Normalize,
    rolling: Rolling,
}

impl Stages {
    fn with(plan: &Plan, validate: Validate) -> Self {
        let (normalize, rolling) = (Normalize::new(plan), Rolling::new(plan, 100 * MS, 1));
        Self { validate, normalize, rolling }
    }

    /// With all rings full; and what time it is.
    fn filled(channels: u32) -> (Self, i64) {
        let plan = plan(channels);
        let mut stages = Self::with(&plan, Validate::new(&plan));
        let (mut now_ns, mut sequence) = (START_NS, 0);
        for step_ns in STEPS_NS {
            for _ in 0..10 {
                now_ns += step_ns;
                sequence += 1;
                for first in (0..channels / CHANNELS_PER_DEVICE).step_by(80) {
                    let devices = first..(first + 80).min(channels / CHANNELS_PER_DEVICE);
                    let batch = Some(batch(devices, now_ns, sequence));
                    stages.take(Input { now_ns, batch, sitting: None });
                }
            }
        }
        while !matches!(stages.rolling.go_on(), Rest::Nothing) {}
        (stages, now_ns)
    }

    /// Whether a snapshot came of it.
    fn take(&mut self, input: Input) -> bool {
        let checked = self.validate.step(input).and_then(|checked| self.normalize.step(checked));
        black_box(checked.and_then(|checked| self.rolling.step(checked))).is_some()
    }

    /// An image, each step of which is given to `time`.
    fn image(&mut self, now_ns: i64, mut time: impl FnMut(&mut dyn FnMut())) -> Blocks {
        let (send, given) = sync_channel(1);
        let sitting = Sitting::new(move |blocks| send.send(blocks).expect("somebody waits"));
        let mut sitting = Some(sitting);
        // Nothing is published: the time is that of before.
        let mut mark = || Input { now_ns: now_ns - 1, batch: None, sitting: sitting.take() };
        time(&mut || _ = self.take(mark()));
        loop {
            if let Ok(blocks) = given.try_recv() {
                return blocks;
            }
            time(&mut || drop(self.rolling.go_on()));
        }
    }
}

fn batch(devices: std::ops::Range<u32>, now_ns: i64, sequence: u32) -> Batch {
    let (mut frames, mut wire) = (Frames::default(), WireTally::default());
    for device in devices {
        frames.heads.push(FrameHead {
            device,
            boot: 1,
            sequence: Some(sequence),
            first: false,
            health: Health::Good,
            clock: DeviceClock::None,
            time_error: 255,
            arrived_ns: now_ns,
            samples: CHANNELS_PER_DEVICE,
            shed: false,
        });
        let value = |field: u32| f64::from((device * 7 + field * 3 + sequence * 11) % 97) * 0.37;
        let sample = |field: u32| Sample { field, at_ns: 0, value: value(field) };
        frames.samples.extend((0..CHANNELS_PER_DEVICE).map(sample));
        wire.accept(10, CHANNELS_PER_DEVICE as usize);
        wire.bytes_in += 10;
    }
    Batch { now_ns, frames, wire, ..Batch::default() }
}

fn plan(channels: u32) -> Plan {
    let text = format!(
        "[defaults]\npercentiles = []\n[[source]]\nname = \"bench\"\nkind = \"udp\"\n\
         listen = \"127.0.0.1:0\"\nformat = \"native\"\nunknown = \"discover\"\n\
         discover_max = {channels}\n"
    );
    let nothing = |_: &Path| Err(io::ErrorKind::NotFound.into());
    let loaded = Config::parse(&text, Path::new("bench.toml"), &nothing);
    loaded.unwrap_or_else(|errors| panic!("{errors}")).config.plan
}
