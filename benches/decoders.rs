//! Speed of the decoders of recorded formats, beside a scan of the same bytes for line ends.
//!
//! `cargo bench --bench decoders` prints a table; `-- --test` runs each row once, to see that it
//! runs. Recordings come from the folder that STILLWELL_TEST_DATA names, `../shared/data` unless
//! it is set; a row whose recording is absent is left out. Times are those of the process's own
//! CPU, best of several rounds, because machines are noisy; compare ratios within one run.

use std::{
    fs, hint,
    io::{self, Write},
    path::{Path, PathBuf},
};

use stillwell::{
    daemon::clock::cpu_ns,
    wire::{
        Decoder, Frames, WireTally,
        decode::{Format, Framing, Naming},
        dsmr::DsmrOptions,
        nmea::NmeaOptions,
        vedirect::VedirectOptions,
    },
};

/// Bytes that a decoder is fed at once.
const READ_BYTES: usize = 4_096;

fn naming() -> Naming {
    Naming { known: Vec::new(), discover: 4_096 }
}

/// A format, and the recording of it.
fn rows() -> [(Format, &'static str); 4] {
    let nmea = || Format::Nmea(NmeaOptions { naming: naming(), ..NmeaOptions::default() });
    let dsmr = Format::Dsmr(DsmrOptions { naming: naming(), ..DsmrOptions::default() });
    [
        (nmea(), "nmea/bundg_zeus_9.log"),
        (nmea(), "nmea/gpsdf.log"),
        (Format::Vedirect(VedirectOptions { naming: naming() }), "victron/bvm702.dump"),
        (dsmr, "dsmr/TELEGRAM_V5.txt"),
    ]
}

fn main() -> io::Result<()> {
    let smoke = std::env::args().any(|argument| argument == "--test");
    let (bytes, rounds) = if smoke { (1_000_000, 1) } else { (100_000_000, 7) };
    let data = std::env::var_os("STILLWELL_TEST_DATA");
    let data = data.map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    );
    let mut out = io::stdout().lock();
    writeln!(out, "format    MB/s  scan MB/s  ns a reading  recording")?;
    for (format, name) in rows() {
        let Ok(recording) = fs::read(data.join(name)) else {
            writeln!(out, "{:<8}  {name} is absent", format.name())?;
            continue;
        };
        let copies = bytes / recording.len() + 1;
        let total = (copies * recording.len()) as f64;
        let decoded = (0..rounds).map(|_| decode(&format, &recording, copies));
        let (cost_ns, readings) = decoded.min().expect("a round");
        let scan_ns = (0..rounds).map(|_| scan(&recording, copies)).min().expect("a round");
        let speed = |ns: u64| total / ns as f64 * 1e3;
        let each = cost_ns as f64 / readings.max(1) as f64;
        writeln!(
            out,
            "{:<8}  {:>4.0}  {:>9.0}  {each:>12.1}  {name}",
            format.name(),
            speed(cost_ns),
            speed(scan_ns),
        )?;
    }
    Ok(())
}

/// Time to decode the recording so often, and the readings that this gave.
fn decode(format: &Format, recording: &[u8], copies: usize) -> (u64, u64) {
    let mut decoder = Decoder::new(format, Framing::Stream);
    let (mut frames, mut tally) = (Frames::default(), WireTally::default());
    let before_ns = cpu_ns();
    for _ in 0..copies {
        for read in recording.chunks(READ_BYTES) {
            decoder.feed(read, 0, &mut frames, &mut tally);
            hint::black_box(&frames);
            frames.clear();
        }
    }
    ((cpu_ns() - before_ns) as u64, tally.readings)
}

/// Time to find every line end in the recording so often.
fn scan(recording: &[u8], copies: usize) -> u64 {
    let before_ns = cpu_ns();
    for _ in 0..copies {
        for read in recording.chunks(READ_BYTES) {
            hint::black_box(memchr::memchr_iter(b'\n', hint::black_box(read)).count());
        }
    }
    (cpu_ns() - before_ns) as u64
}
