//! What it brings to divide the channels among shards: the engine with one aggregator and with
//! several, each on a thread of its own, from decoded batches to snapshots.
//!
//! `cargo bench --bench shards` prints a table; `cargo bench --bench shards -- --test` runs each
//! row once, to see that it runs. The best of several rounds, which alternate between the numbers
//! of shards. Where other programs use the cores, the wall clock says little: what bounds the
//! rate on cores of their own is the CPU time of the busiest thread.

use std::{
    io::{self, Write},
    path::Path,
    pin::pin,
    sync::Arc,
    thread,
};

use futures::{StreamExt as _, executor::block_on, stream};
use stillwell::{
    config::Config,
    daemon::{
        clock::{boot_ns, cpu_ns, thread_cpu_ns},
        publish::Vitals,
        shards,
    },
    engine::{
        Batch, Input, Plan,
        edition::{Binder, Editor},
        stages::Stages as _,
    },
    limits::{MS, SECOND},
    wire::{DeviceClock, Frames, Head, Health, Sample, WireTally},
};

/// Channels of one device, which are the readings of one frame.
const CHANNELS_PER_DEVICE: usize = 50;
/// Frames of a batch.
const FRAMES_PER_BATCH: usize = 80;
/// Event time of the first reading.
const START_NS: i64 = 1_700_000_000 * SECOND;
const PUBLISH_NS: i64 = 100 * MS;

struct Row {
    channels: usize,
    hz: i64,
    percentiles: bool,
}

const ROWS: [Row; 4] = [
    Row { channels: 1_000, hz: 1_000, percentiles: false },
    Row { channels: 1_000, hz: 1_000, percentiles: true },
    Row { channels: 100_000, hz: 100, percentiles: false },
    Row { channels: 100_000, hz: 100, percentiles: true },
];

/// Nanoseconds a reading.
#[derive(Clone, Copy)]
struct Cost {
    wall: f64,
    cpu: f64,
    engine: f64,
    /// The shard with most.
    shard: f64,
}

impl Cost {
    fn busiest(&self) -> f64 {
        self.engine.max(self.shard)
    }

    fn best(self, other: Self) -> Self {
        Self {
            wall: self.wall.min(other.wall),
            cpu: self.cpu.min(other.cpu),
            engine: self.engine.min(other.engine),
            shard: self.shard.min(other.shard),
        }
    }
}

fn main() -> io::Result<()> {
    let smoke = std::env::args().any(|argument| argument == "--test");
    let mut out = io::stdout().lock();
    writeln!(out, "                                    ns a reading")?;
    writeln!(
        out,
        "channels      Hz  percentiles  shards   wall    CPU  engine  a shard  busiest  scales by"
    )?;
    for row in ROWS {
        let (readings, rounds) = if smoke { (20_000, 1) } else { (6_000_000, 7) };
        let shards = [1, 2];
        let mut best: [Option<Cost>; 2] = [None; 2];
        for _ in 0..rounds {
            for (best, shards) in best.iter_mut().zip(shards) {
                let cost = cost(&row, shards, readings);
                *best = Some(best.map_or(cost, |best| best.best(cost)));
            }
        }
        let best = best.map(|best| best.expect("a round at least"));
        for (cost, shards) in best.iter().zip(shards) {
            let Row { channels, hz, percentiles } = row;
            let with = if percentiles { "4" } else { "none" };
            let Cost { wall, cpu, engine, shard } = cost;
            let (busiest, scale) = (cost.busiest(), best[0].busiest() / cost.busiest());
            writeln!(
                out,
                "{channels:>8}  {hz:>6}  {with:>11}  {shards:>6}  {wall:>5.1}  {cpu:>5.1}  \
                 {engine:>6.1}  {shard:>7.1}  {busiest:>7.1}  {scale:>9.2}"
            )?;
        }
    }
    Ok(())
}

/// What one reading costs, making the batches not counted.
fn cost(row: &Row, shards: usize, readings: usize) -> Cost {
    let plan = plan(row);
    let devices = row.channels / CHANNELS_PER_DEVICE;
    let mut frame = 0;
    // Discovers the channels, and goes through the first panes.
    let first = devices.div_ceil(FRAMES_PER_BATCH);
    let batches: Vec<Input> = (0..first + readings / (FRAMES_PER_BATCH * CHANNELS_PER_DEVICE))
        .map(|_| batch(&mut frame, devices, row.hz))
        .map(|batch| Input { now_ns: batch.now_ns, batch: Some(batch), sitting: None })
        .collect();
    let readings = (batches.len() * FRAMES_PER_BATCH * CHANNELS_PER_DEVICE) as f64;
    let vitals = Arc::new(Vitals::new(shards));
    let (ends, each) = shards::open(&vitals);
    let before_ns = (boot_ns(), cpu_ns(), thread_cpu_ns());
    let threads: Vec<_> = each
        .into_iter()
        .map(|shard| {
            thread::spawn(move || {
                block_on(shard.run());
                thread_cpu_ns()
            })
        })
        .collect();
    let checked = stream::iter(batches).validate(&plan).normalize(&plan);
    if threads.is_empty() {
        let mut snapshots = pin!(checked.rolling(&plan, PUBLISH_NS, 1));
        block_on(async { while snapshots.next().await.is_some() {} });
    } else {
        let editor = Editor::new(&plan, PUBLISH_NS, 1);
        block_on(ends.run(checked, editor, Binder::new(&plan), drop));
    }
    let engine_ns = thread_cpu_ns() - before_ns.2;
    let shards_ns = threads.into_iter().map(|thread| thread.join().expect("it does not panic"));
    let shard_ns = shards_ns.max().unwrap_or(0);
    let each = |ns: i64| ns as f64 / readings;
    Cost {
        wall: each(boot_ns() - before_ns.0),
        cpu: each(cpu_ns() - before_ns.1),
        engine: each(engine_ns),
        shard: each(shard_ns),
    }
}

/// All devices in turn, each with one reading of each of its channels.
fn batch(frame: &mut usize, devices: usize, hz: i64) -> Batch {
    let mut frames = Frames::default();
    let mut wire = WireTally::default();
    let mut now_ns = 0;
    for _ in 0..FRAMES_PER_BATCH {
        let (round, device) = (*frame / devices, *frame % devices);
        now_ns = START_NS + (*frame as i64 * SECOND / hz) / devices as i64;
        frames.heads.push(Head {
            device: device as u32,
            boot: 1,
            sequence: Some(round as u32),
            first: false,
            health: Health::Good,
            clock: DeviceClock::None,
            time_error: 255,
            arrived_ns: now_ns,
            samples: CHANNELS_PER_DEVICE as u32,
            shed: false,
        });
        frames.samples.extend((0..CHANNELS_PER_DEVICE).map(|channel| Sample {
            field: channel as u32,
            at_ns: 0,
            value: 20.0 + ((round * 7 + channel) % 13) as f64 * 0.01,
        }));
        wire.bytes_in += 10;
        wire.accept(10, CHANNELS_PER_DEVICE);
        *frame += 1;
    }
    Batch { now_ns, frames, wire, ..Batch::default() }
}

/// The shipped windows, over discovered channels with a calibration.
fn plan(row: &Row) -> Plan {
    let percentiles = if row.percentiles { "[50, 90, 95, 99]" } else { "[]" };
    let channels = row.channels;
    let text = format!(
        "[daemon]\npercentile_memory = \"4GiB\"\n\
         [defaults]\npercentiles = {percentiles}\nresolution = 0.01\n\
         [[pattern]]\nmatch = \"*\"\n\
         calibration = {{ kind = \"linear\", scale = 0.5, offset = 1.0 }}\n\
         [[source]]\nname = \"bench\"\nkind = \"udp\"\nlisten = \"127.0.0.1:0\"\n\
         format = \"native\"\nunknown = \"discover\"\ndiscover_max = {channels}\n"
    );
    let nothing = |_: &Path| Err(io::ErrorKind::NotFound.into());
    let loaded = Config::parse(&text, Path::new("bench.toml"), &nothing);
    loaded.unwrap_or_else(|errors| panic!("{errors}")).config.plan
}
