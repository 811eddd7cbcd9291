//! Cost of a reading through the engine's stages, from decoded frames to panes and windows.
//!
//! `cargo bench --bench engine` prints a table; `cargo bench --bench engine -- --test` runs each
//! row once, to see that it runs. Times are those of the process's own CPU, best of several
//! rounds, because machines are noisy; compare ratios within one run.

use std::io::{self, Write};

use stillwell::{
    daemon::clock::cpu_ns,
    engine::{
        Batch, ChannelKey, ChannelPlan, Input, Plan, Rules, SourcePlan, TimeMode, Unknown, Window,
        normalize::Normalize, plan::Linear, rolling::Rolling, unit::Conversion, validate::Validate,
    },
    limits::{MS, SECOND},
    scan::Step,
    wire::{DeviceClock, Frames, Head, Health, Sample, WireTally},
};

/// Channels of one device, which are the readings of one frame.
const CHANNELS_PER_DEVICE: usize = 50;
/// Frames of a batch.
const FRAMES_PER_BATCH: usize = 80;
/// Event time of the first reading.
const START_NS: i64 = 1_700_000_000 * SECOND;

struct Row {
    channels: usize,
    hz: i64,
    percentiles: bool,
}

const ROWS: [Row; 6] = [
    Row { channels: 50, hz: 1_000, percentiles: false },
    Row { channels: 1_000, hz: 1_000, percentiles: false },
    Row { channels: 1_000, hz: 1_000, percentiles: true },
    Row { channels: 100_000, hz: 100, percentiles: false },
    Row { channels: 100_000, hz: 100, percentiles: true },
    Row { channels: 100_000, hz: 10, percentiles: false },
];

fn main() -> io::Result<()> {
    let smoke = std::env::args().any(|argument| argument == "--test");
    let mut out = io::stdout().lock();
    writeln!(out, "channels      Hz  percentiles  ns a reading (best)  (median)")?;
    for Row { channels, hz, percentiles } in ROWS {
        let (readings, rounds) = if smoke { (20_000, 1) } else { (20_000_000, 5) };
        let mut costs: Vec<f64> =
            (0..rounds).map(|_| cost_ns(channels, hz, percentiles, readings)).collect();
        costs.sort_by(f64::total_cmp);
        let (best, median) = (costs[0], costs[costs.len() / 2]);
        let with = if percentiles { "4" } else { "none" };
        writeln!(out, "{channels:>8}  {hz:>6}  {with:>11}  {best:>19.1}  {median:>8.1}")?;
    }
    Ok(())
}

/// CPU time of one reading, making the batches not counted.
fn cost_ns(channels: usize, hz: i64, percentiles: bool, readings: usize) -> f64 {
    let plan = plan(channels, percentiles);
    let mut validate = Validate::new(&plan);
    let mut normalize = Normalize::new();
    let mut rolling = Rolling::new(&plan, 100 * MS, 1);
    let devices = channels.div_ceil(CHANNELS_PER_DEVICE);
    let mut frame = 0;
    let (mut spent_ns, mut done) = (0, 0);
    while done < readings {
        let batch = batch(&mut frame, devices, hz);
        done += batch.frames.samples.len();
        let before_ns = cpu_ns();
        let checked = validate.step(Input { now_ns: batch.now_ns, batch: Some(batch) });
        let checked = checked.and_then(|checked| normalize.step(checked));
        drop(checked.and_then(|checked| rolling.step(checked)));
        spent_ns += cpu_ns() - before_ns;
    }
    spent_ns as f64 / done as f64
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

fn plan(channels: usize, percentiles: bool) -> Plan {
    let window = |length_s: i64, every_ms: i64| Window {
        length_ns: length_s * SECOND,
        every_ns: every_ms * MS,
    };
    let windows =
        [(1, 100), (10, 1_000), (60, 6_000), (600, 60_000), (3_600, 360_000), (86_400, 8_640_000)];
    let rules = Rules {
        pane_ns: 100 * MS,
        lateness_ns: 0,
        future_ns: 2 * SECOND,
        windows: windows.map(|(length_s, every_ms)| window(length_s, every_ms)).into(),
        percentiles: if percentiles { [50.0, 90.0, 95.0, 99.0].into() } else { [].into() },
        figures: 2,
        resolution: 0.01,
        expected_rate: None,
        stale_ns: 10 * SECOND,
        silent_ns: 60 * SECOND,
    };
    let channel = |index: usize| ChannelPlan {
        id: format!("c{index}").into(),
        source: 0,
        key: ChannelKey::Numbered {
            device: (index / CHANNELS_PER_DEVICE) as u32,
            index: (index % CHANNELS_PER_DEVICE) as u8,
        },
        unit: None,
        calibration: Linear { scale: 0.5, offset: 1.0 },
        conversion: Conversion::IDENTITY,
        rules: rules.clone(),
    };
    Plan {
        sources: vec![SourcePlan {
            name: "bench".into(),
            time: TimeMode::Arrival,
            unknown: Unknown::Reject,
            named_fields: false,
            idle_ns: SECOND,
            discovered: rules.clone(),
            patterns: Vec::new(),
        }],
        channels: (0..channels).map(channel).collect(),
        defaults: rules,
        percentile_bytes: 1 << 32,
    }
}
