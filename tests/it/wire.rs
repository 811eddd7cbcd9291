//! The decoders on files that others wrote: golden frames and tables of real measurements.

use std::path::PathBuf;

use stillwell::wire::{
    Decoder, DeviceClock, FrameRefusal, Frames, WireTally,
    decode::{Format, Framing, Naming},
    text::TextOptions,
};

/// The file of this name in the shared test data; `None`, said on the terminal, where the data
/// is not at hand.
#[expect(clippy::print_stdout, reason = "a test that did not run says so")]
fn shared(name: &str) -> Option<Vec<u8>> {
    let folder = std::env::var_os("STILLWELL_TEST_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    );
    let path = folder.join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            let here = format!("{}: {error}", path.display());
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{here}");
            println!("not run, because the data is not here: {here}");
            None
        }
    }
}

struct Fed {
    out: Frames,
    tally: WireTally,
    decoder: Decoder,
}

/// Feeds a whole file in reads of this size.
fn fed(format: &Format, framing: Framing, bytes: &[u8], read: usize) -> Fed {
    let mut decoder = Decoder::new(format, framing);
    let (mut out, mut tally) = (Frames::default(), WireTally::default());
    for piece in bytes.chunks(read) {
        decoder.feed(piece, 0, &mut out, &mut tally);
    }
    decoder.finish(0, &mut out, &mut tally);
    assert_eq!(decoder.buffered(), 0);
    assert_eq!(tally.bytes_in, bytes.len() as u64);
    assert_eq!(tally.bytes_in, tally.bytes_in_frames + tally.bytes_skipped);
    Fed { out, tally, decoder }
}

fn unhex(digits: &str) -> Vec<u8> {
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits"))
        .collect()
}

#[test]
fn golden_frames_decode_the_same_from_datagrams_and_from_a_serial_line() {
    let Some(bytes) = shared("native_frame_vectors.json") else { return };
    let vectors: Vec<serde_json::Value> = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(vectors.len(), 7);
    for vector in vectors {
        let name = vector["name"].as_str().unwrap();
        let frame = unhex(vector["hex"].as_str().unwrap());
        assert_eq!(frame.len() as u64, vector["len"].as_u64().unwrap(), "{name}");
        let datagram = fed(&Format::NATIVE, Framing::Datagram, &frame, frame.len());
        let Some(serial) = vector["serial_cobs_hex"].as_str() else {
            assert_eq!(datagram.tally.refused[FrameRefusal::Checksum as usize], 1, "{name}");
            continue;
        };
        assert_eq!((datagram.tally.frames_ok, datagram.out.heads.len()), (1, 1), "{name}");
        for read in [1, 7, 4_096] {
            let stream = fed(&Format::NATIVE, Framing::Stream, &unhex(serial), read);
            assert_eq!(format!("{:?}", stream.out), format!("{:?}", datagram.out), "{name}");
        }
    }
}

struct Table {
    file: &'static str,
    timestamp: &'static str,
    rows: usize,
    first_s: i64,
    last_s: i64,
}

/// Row counts and times as pandas reads these files.
const TABLES: [Table; 4] = [
    Table {
        file: "timeseries/ac_power_inv_2173_stale_data.csv",
        timestamp: "timestamp",
        rows: 3_000,
        first_s: 1_293_632_100,
        last_s: 1_296_331_200,
    },
    Table {
        file: "timeseries/midc_bms_ghi_20220120.csv",
        timestamp: "1",
        rows: 1_440,
        first_s: 1_642_662_000,
        last_s: 1_642_748_340,
    },
    Table {
        file: "oracle_ghi_10min_pandas.csv",
        timestamp: "1",
        rows: 144,
        first_s: 1_642_662_000,
        last_s: 1_642_747_800,
    },
    Table {
        file: "oracle_ghi_rolling10_pandas.csv",
        timestamp: "1",
        rows: 1_440,
        first_s: 1_642_662_000,
        last_s: 1_642_748_340,
    },
];

#[test]
fn tables_of_real_measurements_are_read_to_the_last_cell() {
    for table in &TABLES {
        let Some(bytes) = shared(table.file) else { return };
        let options = TextOptions {
            naming: Naming { discover: 16, ..Naming::default() },
            timestamp: Some(table.timestamp.into()),
        };
        let read = fed(&Format::Text(options), Framing::Stream, &bytes, 1_000);
        let file = table.file;
        assert_eq!(read.tally.frames_in, table.rows as u64 + 1, "{file}");
        assert_eq!((read.tally.refused_total(), read.tally.frames_silent), (0, 1), "{file}");
        assert!(read.out.heads[1..].iter().all(|head| head.clock == DeviceClock::Utc), "{file}");
        let times = read.out.samples.iter().map(|sample| sample.at_ns);
        assert_eq!(times.clone().min(), Some(table.first_s * 1_000_000_000), "{file}");
        assert_eq!(times.max(), Some(table.last_s * 1_000_000_000), "{file}");

        let text = str::from_utf8(&bytes).unwrap();
        let mut rows = text.lines().map(|line| line.split(','));
        let names: Vec<_> = rows.next().unwrap().skip(1).collect();
        let fields: Vec<_> = read.decoder.fields().iter().map(|name| &**name).collect();
        assert_eq!(fields, names, "{file}");
        let cells = rows.flat_map(|row| row.skip(1).zip(0..));
        let mut samples = read.out.samples.iter();
        for (cell, field) in cells {
            let sample = samples.next().unwrap();
            let expected = match cell {
                "" => f64::NAN,
                "True" => 1.0,
                "False" => 0.0,
                number => number.parse().unwrap(),
            };
            assert_eq!(sample.field, field, "{file}");
            assert_eq!(sample.value.to_bits(), expected.to_bits(), "{file}: {cell}");
        }
        assert_eq!(samples.next(), None, "{file}");
    }
}
