//! The real daemon under a paced load on loopback, beside a program that only receives.
//!
//! `cargo bench --bench process` takes some minutes and prints two tables; with `-- --test` it
//! sends a moment at a low rate, to see that it runs; `-- native`, `-- 100000` or any other part
//! of a row's name picks rows.
//!
//! For each row it searches the highest rate at which nothing is lost, neither in the kernel nor
//! in the daemon's queue, then sends at 80 % of it for ten seconds to a daemon just started, and
//! asks it for a channel a hundred times a second meanwhile. All datagrams of a row have one size
//! and go out in bursts of up to 32 (UDP_SEGMENT), as the peers of docs/performance.md were
//! measured. The sender keeps to CPU 0; where a row says one CPU, the receiver keeps to CPU 1,
//! else it runs where it likes. CPU time is that of the receiver's process, from /proc.

mod load;
mod receiver;
mod search;

use std::{
    env,
    io::{self, Write},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Duration,
};

use hdrhistogram::Histogram;
use serde_json::Value;
use stillwell::{daemon::clock::boot_ns, limits::SECOND};

use self::{
    load::{Load, Payload},
    receiver::{Cpu, Daemon, Discard, Receiver, Taken, ask, connect, pin},
    search::{Effort, Highest, highest, trial},
};

/// One line of the tables.
#[derive(Clone, Copy, Debug)]
struct Row {
    payload: Payload,
    channels: usize,
    percentiles: bool,
    cpus: &'static [usize],
}

const fn row(payload: Payload, channels: usize, percentiles: bool, cpus: &'static [usize]) -> Row {
    Row { payload, channels, percentiles, cpus }
}

const ONE: &[usize] = &[1];
const TWO: &[usize] = &[0, 1];

const ROWS: [Row; 9] = [
    row(Payload::Native(50), 1_000, false, TWO),
    row(Payload::Native(50), 1_000, true, TWO),
    row(Payload::Native(50), 100_000, false, TWO),
    row(Payload::Native(50), 100_000, true, TWO),
    row(Payload::Native(1), 1_000, false, TWO),
    row(Payload::Native(1), 1_000, true, TWO),
    row(Payload::Native(1), 100_000, false, TWO),
    row(Payload::Statsd(25), 1_000, true, ONE),
    row(Payload::Statsd(1), 1_000, true, ONE),
];

impl Row {
    fn name(&self) -> String {
        let Self { payload, channels, percentiles, cpus } = self;
        let with = if *percentiles { "p50 p90 p99" } else { "no percentiles" };
        let (format, readings, cpus) = (payload.format(), payload.readings(), cpus.len());
        format!("{format} x {readings}, {channels} channels, {with}, {cpus} CPU")
    }

    fn config(&self) -> String {
        let percentiles = if self.percentiles { "[50, 90, 99]" } else { "[]" };
        format!(
            "[defaults]\npercentiles = {percentiles}\nresolution = 0.01\n\n[[source]]\n\
             name = \"load\"\nkind = \"udp\"\nlisten = \"127.0.0.1:0\"\nformat = \"{}\"\n\
             unknown = \"discover\"\ndiscover_max = {}\n",
            self.payload.format(),
            self.channels
        )
    }

    /// A rate, in readings a second, that any machine takes.
    fn gentle(&self) -> f64 {
        match self.payload.readings() {
            1 => 20_000.0,
            _ => 200_000.0,
        }
    }
}

/// What was measured of one receiver.
#[derive(Debug)]
struct Measured {
    highest: Highest,
    /// Readings a second while the rest was measured.
    rate: f64,
    cpu: Cpu,
    readings: u64,
}

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    match arguments.next().as_deref() {
        Some("discard") => return receiver::discard(),
        Some("pinned") => return receiver::become_pinned(arguments),
        _ => {}
    }
    let arguments: Vec<String> = env::args().skip(1).collect();
    let smoke = arguments.iter().any(|argument| argument == "--test");
    let effort = if smoke { Effort::SMOKE } else { Effort::FULL };
    let picks: Vec<&String> =
        arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    pin(&[0])?;
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "| load | limit, readings/s | daemon, readings/s | ratio | CPU ns a reading, user + system \
         | of the limit | RSS MiB | query p50 / p99 us | arrival to visible p50 / p99 ms |\n\
         |---|---|---|---|---|---|---|---|---|"
    )?;
    for row in ROWS {
        let name = row.name();
        if picks.iter().all(|pick| name.contains(pick.as_str())) {
            line(&mut out, &row, effort)?;
        }
        if smoke && row.payload == Payload::Native(50) && row.percentiles {
            break;
        }
    }
    Ok(())
}

/// Measures a row and prints it as a line of a table.
fn line(out: &mut impl Write, row: &Row, effort: Effort) -> io::Result<()> {
    let limit = limit(row, effort)?;
    let (measured, seen, status) = daemon(row, effort)?;
    let per_reading = |measured: &Measured| {
        let Measured { cpu, readings, .. } = measured;
        let readings = (*readings).max(1) as f64;
        format!("{:.0} + {:.0}", cpu.user_ns / readings, cpu.system_ns / readings)
    };
    let visible = &status["latency"]["arrival_to_visible"];
    let milliseconds = |key: &str| visible[key].as_f64().unwrap_or_default() / 1e3;
    writeln!(
        out,
        "| {} | {} | {} | {:.2} | {} | {} | {:.0} | {} / {} | {:.0} / {:.0} |",
        row.name(),
        amount(limit.highest),
        amount(measured.highest),
        measured.highest.rate / limit.highest.rate,
        per_reading(&measured),
        per_reading(&limit),
        status["rss_bytes"].as_f64().unwrap_or_default() / f64::from(1 << 20),
        seen.value_at_quantile(0.5),
        seen.value_at_quantile(0.99),
        milliseconds("p50_us"),
        milliseconds("p99_us"),
    )?;
    writeln!(io::stderr(), "{}: {:.0}/s, ledger {}", row.name(), measured.rate, status["total"])?;
    out.flush()
}

fn amount(highest: Highest) -> String {
    let unit = if highest.rate < 1e6 { (1e3, "k") } else { (1e6, "M") };
    let bound = if highest.sender_limited { ">= " } else { "" };
    format!("{bound}{:.2} {}", highest.rate / unit.0, unit.1)
}

/// The receiver that discards.
fn limit(row: &Row, effort: Effort) -> io::Result<Measured> {
    let mut discard = Discard::start(row.payload.readings(), row.cpus)?;
    let mut load = Load::new(row.payload, row.channels, discard.address())?;
    let highest = highest(&mut discard, &mut load, row.gentle(), effort)?;
    measure(&mut discard, &mut load, highest, effort)
}

/// The daemon, what its clients saw in microseconds, and what it says of itself.
fn daemon(row: &Row, effort: Effort) -> io::Result<(Measured, Histogram<u64>, Value)> {
    let mut first = Daemon::start(&row.config(), row.cpus)?;
    let mut load = Load::new(row.payload, row.channels, first.address())?;
    warm_up(row, &mut first, &mut load)?;
    let highest = highest(&mut first, &mut load, row.gentle(), effort)?;
    drop(first);
    let mut fresh = Daemon::start(&row.config(), row.cpus)?;
    let mut load = Load::new(row.payload, row.channels, fresh.address())?;
    warm_up(row, &mut fresh, &mut load)?;
    let asking = AtomicBool::new(true);
    let socket = fresh.socket();
    thread::scope(|scope| {
        let client = scope.spawn(|| query(&socket, &asking));
        let measured = measure(&mut fresh, &mut load, highest, effort);
        asking.store(false, Relaxed);
        let seen = client.join().map_err(|_| io::Error::other("the client panicked"))??;
        Ok((measured?, seen, fresh.status()?))
    })
}

/// Every channel is met once, gently.
fn warm_up(row: &Row, daemon: &mut Daemon, load: &mut Load) -> io::Result<()> {
    let rate = row.gentle();
    let for_ns = (1.1 * row.channels as f64 / rate * SECOND as f64) as i64;
    trial(daemon, load, rate, for_ns.max(SECOND / 10)).map(drop)
}

/// Sends at 80 % of the highest rate; what is lost at that rate is an error.
fn measure(
    receiver: &mut dyn Receiver,
    load: &mut Load,
    highest: Highest,
    effort: Effort,
) -> io::Result<Measured> {
    let before = Cpu::of(receiver.pid())?;
    let (sent, lost) = trial(receiver, load, 0.8 * highest.rate, effort.measure_ns)?;
    let cpu = Cpu::of(receiver.pid())?.since(before);
    if lost != Taken::default() {
        writeln!(io::stderr(), "lost at 80 %: {lost:?}")?;
    }
    Ok(Measured { highest, rate: sent.rate(), cpu, readings: sent.readings })
}

/// Asks for a channel now and then; how long the replies took, in microseconds.
fn query(socket: &std::path::Path, asking: &AtomicBool) -> io::Result<Histogram<u64>> {
    let mut connection = connect(socket)?;
    let mut seen = Histogram::new_with_bounds(1, 60_000_000, 3).map_err(io::Error::other)?;
    let request = r#"{"method":"Get","parameters":{"channels":["load.*0"],"limit":1}}"#;
    while asking.load(Relaxed) {
        let before_ns = boot_ns();
        ask(&mut connection, request)?;
        let us = u64::try_from((boot_ns() - before_ns) / 1_000).unwrap_or(1);
        seen.saturating_record(us);
        thread::sleep(Duration::from_millis(10));
    }
    Ok(seen)
}
