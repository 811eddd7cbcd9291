//! The real daemon under a paced load on loopback, beside a program that only receives.
//!
//! `cargo bench --bench process` takes some eight minutes; `-- --row statsd`, or any other part of
//! a row's name, picks rows; `--markdown` is for docs/performance.md; with `--test` it sends a
//! moment at a low rate, to see that it runs.
//!
//! For each row it searches the highest rate at which nothing is lost, neither in the kernel nor
//! in the daemon's queue, and nothing piles up; then sends at 80 % of it to a daemon just started,
//! and asks it for a channel a hundred times a second meanwhile. Rows with a rate in their name
//! are sent at that. All datagrams of a row have one size and go out in bursts of up to 32
//! (UDP_SEGMENT), as the peers of docs/performance.md were measured: the sender has to be faster
//! than what it measures, and where it is not, the rate has a mark. The sender keeps to CPU 0, on
//! which the kernel also does the receiver's share of a loopback datagram up to its socket; where
//! a row says 1 CPU, the receiver keeps to CPU 1, else it runs where it likes. CPU time is that
//! of the receiver's process, from /proc.

mod load;
mod receiver;
mod report;
mod row;
mod search;
#[path = "../support/mod.rs"]
mod support;

use std::{
    collections::{HashMap, hash_map::Entry},
    env,
    io::{self, Write},
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Duration,
};

use hdrhistogram::Histogram;
use stillwell::{daemon::clock::boot_ns, limits::SECOND};

use self::{
    load::{Load, Payload},
    receiver::{Cpu, Daemon, Discard, Receiver, ask, connect, pin},
    report::{Line, Measured, Seen, amount},
    row::{Pace, ROWS, Row},
    search::{Effort, Highest, highest, trial},
    support::Options,
};

/// The limits found up to now: a highest rate, and the CPU time of a reading.
type Limits = HashMap<(Payload, usize, bool), (Highest, String)>;

/// How often it is tried whether a daemon that has just met its channels keeps up.
const WARM_UP_TRIALS: usize = 10;

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    match arguments.next().as_deref() {
        Some("discard") => return receiver::discard(arguments.next().as_deref() == Some("true")),
        Some("pinned") => return receiver::become_pinned(arguments),
        _ => {}
    }
    let options = Options::of(env::args().skip(1))?;
    let effort = if options.smoke { Effort::SMOKE } else { Effort::FULL };
    pin(&[0])?;
    let mut limits = Limits::new();
    let mut lines = Vec::new();
    let rows = ROWS.iter().filter(|row| options.picks(&row.name()));
    for row in rows.filter(|row| !options.smoke || row.channels <= 1_000) {
        let line = line(row, effort, &mut limits)?;
        let daemon = &line.daemon;
        writeln!(
            io::stderr(),
            "{}: {}, {} ns a reading; ledger {}",
            line.name,
            amount(daemon.highest),
            daemon.measured.cpu_of_a_reading(),
            daemon.status["total"]
        )?;
        lines.push(line);
    }
    report::print(&lines, options.markdown)
}

/// Measures a row.
fn line(row: &Row, effort: Effort, limits: &mut Limits) -> io::Result<Line> {
    let mut found = None;
    if row.pace == Pace::Highest {
        found = Some(match limits.entry(row.limit_key()) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(unknown) => unknown.insert(limit(row, effort)?).clone(),
        });
    }
    let (limit, limit_cpu) = found.unzip();
    Ok(Line { name: row.name(), limit, limit_cpu, daemon: daemon(row, effort)? })
}

/// The receiver that discards.
fn limit(row: &Row, effort: Effort) -> io::Result<(Highest, String)> {
    let mut discard = Discard::start(row)?;
    let mut load = Load::new(row.payload, row.channels, discard.address())?;
    let highest = highest(&mut discard, &mut load, row.gentle(), effort)?;
    let measured = measure(&mut discard, &mut load, 0.8 * highest.rate, effort.measure_ns)?;
    Ok((highest, measured.cpu_of_a_reading()))
}

/// The daemon, what its clients saw in microseconds, and what it says of itself.
fn daemon(row: &Row, effort: Effort) -> io::Result<Seen> {
    let (highest, rate, for_ns) = match row.pace {
        Pace::Highest => {
            let mut first = Daemon::start(row)?;
            let mut load = Load::new(row.payload, row.channels, first.address())?;
            warm_up(row, &mut first, &mut load)?;
            let highest = highest(&mut first, &mut load, row.gentle(), effort)?;
            (highest, 0.8 * highest.rate, effort.measure_ns)
        }
        Pace::EachChannel(hz) => {
            let rate = hz * row.channels as f64;
            (Highest { rate, sender_limited: true }, rate, effort.given_ns)
        }
    };
    let mut fresh = Daemon::start(row)?;
    let mut load = Load::new(row.payload, row.channels, fresh.address())?;
    warm_up(row, &mut fresh, &mut load)?;
    let asking = AtomicBool::new(row.pace == Pace::Highest);
    let socket = fresh.socket();
    thread::scope(|scope| {
        let client = scope.spawn(|| query(&socket, &asking));
        let measured = measure(&mut fresh, &mut load, rate, for_ns);
        asking.store(false, Relaxed);
        let seen = client.join().map_err(|_| io::Error::other("the client panicked"))??;
        Ok(Seen { highest, measured: measured?, queries: seen, status: fresh.status()? })
    })
}

/// Every channel is met once, gently, and the daemon is through with that.
fn warm_up(row: &Row, daemon: &mut Daemon, load: &mut Load) -> io::Result<()> {
    let rate = row.gentle();
    let for_ns = (1.1 * row.channels as f64 / rate * SECOND as f64) as i64;
    let mut met = trial(daemon, load, rate, for_ns.max(SECOND / 10))?;
    for _ in 0..WARM_UP_TRIALS {
        if met.is_sustained() {
            break;
        }
        met = trial(daemon, load, rate / 10.0, SECOND / 10)?;
    }
    Ok(())
}

/// Sends at a rate below the highest; what is lost then is told.
fn measure(
    receiver: &mut dyn Receiver,
    load: &mut Load,
    rate: f64,
    for_ns: i64,
) -> io::Result<Measured> {
    let before = Cpu::of(receiver.pid())?;
    let trial = trial(receiver, load, rate, for_ns)?;
    let cpu = Cpu::of(receiver.pid())?.since(before);
    if !trial.is_sustained() {
        writeln!(io::stderr(), "not sustained at {rate:.0} readings/s: {trial:?}")?;
    }
    Ok(Measured { trial, cpu })
}

/// Asks for a channel now and then; how long the replies took, in microseconds.
fn query(socket: &Path, asking: &AtomicBool) -> io::Result<Histogram<u64>> {
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
