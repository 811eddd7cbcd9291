//! Speed of the decoders of all formats, beside a scan of the same bytes for line ends.
//!
//! `cargo bench --bench decoders`; its arguments are those of benches/support. Recordings come
//! from the folder that STILLWELL_TEST_DATA names, `../shared/data` unless it is set; a row whose
//! recording is absent is left out, and said. Formats of which there is no recording have made
//! input, which is the same in every run, and their row says so. Compare ratios within one run.

mod input;
#[path = "../support/mod.rs"]
mod support;

use std::{
    hint::black_box,
    io::{self, Write},
};

use stillwell::wire::{Decoder, Frames, WireTally, decode::Framing};

use self::{
    input::{ROWS, Row},
    support::{Bench, Case, Table, Watch},
};

/// Bytes that a decoder is fed at once.
const READ_BYTES: usize = 4_096;
/// Bytes of a round: so few that most rounds are not disturbed.
const BYTES: u64 = 10_000_000;
const ROUNDS: usize = 15;

fn main() -> io::Result<()> {
    let bench = Bench::from_arguments()?;
    let table = Table {
        title: "Decoders",
        unit: "a byte",
        labels: &["format", "input"],
        notes: &["MB/s", "scan MB/s", "scan/decoder", "ns a reading", "bytes a reading"],
        beside_first: false,
    };
    let mut cases = Vec::new();
    for row in ROWS {
        match row.input() {
            Some(input) => cases.push(case(row, input)),
            None => writeln!(io::stderr(), "{}: {} is absent", row.name, row.source)?,
        }
    }
    bench.table(&table, &cases)
}

fn case(row: &'static Row, input: Vec<u8>) -> Case<'static> {
    let work = move |bytes: u64, watch: &mut Watch| {
        let copies = bytes / input.len() as u64 + 1;
        let bytes = (copies * input.len() as u64) as f64;
        let mut decoder = Decoder::new(&(row.format)(), Framing::Stream);
        let (mut frames, mut tally) = (Frames::default(), WireTally::default());
        // Meets the names, which are met once.
        decode(&mut decoder, &input, 1, &mut frames, &mut tally);
        let before = tally.readings;
        let ((), ns) = Watch::aside(|| {
            watch.time(bytes as u64, || {
                decode(&mut decoder, &input, copies, &mut frames, &mut tally);
            });
        });
        let ((), scan_ns) = Watch::aside(|| scan(&input, copies));
        let readings = (tally.readings - before) as f64;
        let (ns, scan_ns) = (ns as f64, scan_ns as f64);
        let mb_s = |ns: f64| bytes / ns * 1e3;
        watch.note_all([mb_s(ns), mb_s(scan_ns), ns / scan_ns, ns / readings, bytes / readings]);
    };
    Case::new([row.name, row.source], BYTES, work).rounds(ROUNDS).counted_over(BYTES / 8)
}

/// Decodes the input so often.
fn decode(
    decoder: &mut Decoder,
    input: &[u8],
    copies: u64,
    frames: &mut Frames,
    tally: &mut WireTally,
) {
    for _ in 0..copies {
        for read in input.chunks(READ_BYTES) {
            decoder.feed(read, 0, frames, tally);
            black_box(&*frames);
            frames.clear();
        }
    }
}

/// Finds every line end in the input so often.
fn scan(input: &[u8], copies: u64) {
    for _ in 0..copies {
        for read in input.chunks(READ_BYTES) {
            black_box(memchr::memchr_iter(b'\n', black_box(read)).count());
        }
    }
}
