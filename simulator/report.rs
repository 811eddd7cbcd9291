//! The line of JSON at the end.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use serde::Serialize;
use stillwell::{
    simulate::{FAULT_NAMES, RefusedReadings, Sent},
    wire::FrameRefusal,
};

use crate::{args::Plan, output::Tally};

/// Why a play is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ended {
    /// The scenario, or the duration asked for, was played to its end.
    Played,
    /// As many frames as asked for.
    Frames,
    /// As many readings as asked for.
    Readings,
    /// SIGINT or SIGTERM.
    Signal,
    /// The way out broke.
    Error,
}

#[derive(Serialize)]
struct Report {
    seed: u64,
    start: String,
    ended: Ended,
    sent: OnTheLine,
    faults: BTreeMap<&'static str, u64>,
    expected: Expected,
}

#[derive(Serialize)]
struct OnTheLine {
    frames: u64,
    bytes: u64,
    line_bytes: u64,
    readings: u64,
    withheld: u64,
    unreachable: u64,
    unread_bytes: u64,
}

#[derive(Serialize)]
struct Expected {
    frames_in: u64,
    frames_ok: u64,
    frames_refused: BTreeMap<&'static str, u64>,
    readings: u64,
    arrival: Readings,
    device: Readings,
    sequence: Sequence,
    lateness_needed_ns: i64,
    future_needed_ns: i64,
}

#[derive(Serialize)]
struct Readings {
    accepted: u64,
    refused: BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
struct Sequence {
    lost: u64,
    duplicate: u64,
    reordered: u64,
    resets: u64,
}

impl Readings {
    fn new((accepted, refused): (u64, RefusedReadings)) -> Self {
        Self { accepted, refused: refused.named().into() }
    }
}

/// The report as one line.
pub(crate) fn line(plan: &Plan, sent: &Sent, tally: Tally, ended: Ended) -> String {
    let series = sent.sequence;
    let refused = FrameRefusal::ALL.iter().zip(sent.frames_refused);
    let report = Report {
        seed: plan.seed,
        start: jiff::Timestamp::from_nanosecond(plan.start_ns.into())
            .map_or_else(|_| plan.start_ns.to_string(), |start| start.to_string()),
        ended,
        sent: OnTheLine {
            frames: sent.frames,
            bytes: sent.bytes,
            line_bytes: tally.line_bytes,
            readings: sent.readings,
            withheld: sent.frames_withheld,
            unreachable: tally.unreachable,
            unread_bytes: tally.unread,
        },
        faults: FAULT_NAMES.into_iter().zip(sent.faults).collect(),
        expected: Expected {
            frames_in: sent.frames,
            frames_ok: sent.frames_ok,
            frames_refused: refused
                .map(|(why, n)| (why.name(), n))
                .filter(|(_, n)| *n > 0)
                .collect(),
            readings: sent.readings,
            arrival: Readings::new(sent.by_arrival()),
            device: Readings::new((sent.readings_accepted, sent.readings_refused)),
            sequence: Sequence {
                lost: series.lost,
                duplicate: series.duplicate,
                reordered: series.reordered,
                resets: series.resets,
            },
            lateness_needed_ns: sent.lateness_needed_ns,
            future_needed_ns: sent.future_needed_ns,
        },
    };
    serde_json::to_string(&report).expect("a struct of numbers and names is JSON")
}

/// Prints it where the data does not go.
pub(crate) fn print(line: &str, stdout_taken: bool) -> io::Result<()> {
    if stdout_taken {
        writeln!(io::stderr().lock(), "{line}")
    } else {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{line}")?;
        stdout.flush()
    }
}
