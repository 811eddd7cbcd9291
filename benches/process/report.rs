//! What was measured, as tables.

use std::io;

use hdrhistogram::Histogram;
use serde_json::Value;

use crate::{
    receiver::Cpu,
    search::{Highest, Trial},
    support::Printer,
};

/// What was measured of one receiver.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) trial: Trial,
    pub(crate) cpu: Cpu,
}

/// What was measured of the daemon.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) highest: Highest,
    pub(crate) measured: Measured,
    /// How long queries took, in microseconds, as their client saw it; none were asked where the
    /// rate is given.
    pub(crate) queries: Histogram<u64>,
    /// What the daemon said at the end.
    pub(crate) status: Value,
}

/// What was measured of a row.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    /// The program that only receives; none where the rate is given.
    pub(crate) limit: Option<Highest>,
    pub(crate) limit_cpu: Option<String>,
    pub(crate) daemon: Seen,
}

impl Measured {
    /// CPU time of a reading: user and system apart.
    pub(crate) fn cpu_of_a_reading(&self) -> String {
        let readings = self.trial.sent.readings.max(1) as f64;
        let (user_ns, system_ns) = self.cpu.user_and_system_ns();
        format!("{:.0} + {:.0}", user_ns / readings, system_ns / readings)
    }
}

/// Prints all tables.
pub(crate) fn print(lines: &[Line], markdown: bool) -> io::Result<()> {
    type Cells = fn(&Line) -> Option<Vec<String>>;
    let tables: [(&str, &[&str], Cells); 4] = [
        (
            "The highest rate with nothing lost, readings/s",
            &["load", "daemon", "receive and discard", "ratio"],
            highest,
        ),
        (
            "CPU time and memory at 80 % of it",
            &[
                "load",
                "readings/s",
                "CPU ns a reading, user + system",
                "of receive and discard",
                "CPU %",
                "RSS MiB",
                "queue high water",
            ],
            cost,
        ),
        (
            "Latencies at 80 % of it",
            &[
                "load",
                "query p50 us",
                "p99",
                "arrival to visible p50 ms",
                "p99",
                "due to visible p50 ms",
                "p99",
            ],
            latency,
        ),
        (
            "The ledger",
            &[
                "load",
                "datagrams sent",
                "received",
                "dropped by the kernel",
                "readings sent",
                "accepted",
                "refused",
                "balance",
            ],
            ledger,
        ),
    ];
    for (title, heads, cells) in tables {
        let rows: Vec<_> = lines.iter().filter_map(cells).collect();
        if rows.is_empty() {
            continue;
        }
        let heads = heads.iter().map(ToString::to_string).collect();
        let printer = Printer::new(heads, rows.iter().map(Vec::as_slice), 1, markdown);
        printer.head(title)?;
        rows.iter().try_for_each(|row| printer.row(row))?;
        printer.end()?;
    }
    Ok(())
}

fn highest(line: &Line) -> Option<Vec<String>> {
    let limit = line.limit?;
    let highest = line.daemon.highest;
    let ratio = format!("{:.2}", highest.rate / limit.rate);
    Some(vec![line.name.clone(), amount(highest), amount(limit), ratio])
}

fn cost(line: &Line) -> Option<Vec<String>> {
    let Seen { measured: Measured { trial, cpu }, status, .. } = &line.daemon;
    let percent = cpu.total_ns / trial.sent.elapsed_ns as f64 * 100.0;
    Some(vec![
        line.name.clone(),
        figure(trial.sent.rate()),
        line.daemon.measured.cpu_of_a_reading(),
        line.limit_cpu.clone().unwrap_or_else(|| "-".into()),
        format!("{percent:.2}"),
        format!("{:.1}", status["rss_bytes"].as_f64().unwrap_or_default() / f64::from(1 << 20)),
        format!("{} of {}", status["queue"]["high_water"], status["queue"]["max"]),
    ])
}

fn latency(line: &Line) -> Option<Vec<String>> {
    let latency = &line.daemon.status["latency"];
    let ms = |which: &str, key: &str| {
        format!("{:.1}", latency[which][key].as_f64().unwrap_or(f64::NAN) / 1e3)
    };
    let query_us = |quantile| match line.daemon.queries.value_at_quantile(quantile) {
        0 => "-".to_owned(),
        us => us.to_string(),
    };
    Some(vec![
        line.name.clone(),
        query_us(0.5),
        query_us(0.99),
        ms("arrival_to_visible", "p50_us"),
        ms("arrival_to_visible", "p99_us"),
        ms("due_to_visible", "p50_us"),
        ms("due_to_visible", "p99_us"),
    ])
}

fn ledger(line: &Line) -> Option<Vec<String>> {
    let Trial { sent, taken, .. } = line.daemon.measured.trial;
    let refused = taken.queue_full + taken.refused;
    let dropped_readings = sent.readings - taken.accepted - refused;
    let is_balanced = sent.datagrams == taken.datagrams + taken.kernel_dropped
        && dropped_readings * sent.datagrams == taken.kernel_dropped * sent.readings;
    Some(vec![
        line.name.clone(),
        sent.datagrams.to_string(),
        taken.datagrams.to_string(),
        taken.kernel_dropped.to_string(),
        sent.readings.to_string(),
        taken.accepted.to_string(),
        refused.to_string(),
        if is_balanced { "exact" } else { "not within 5 s" }.to_owned(),
    ])
}

/// A rate; with a mark if the sender was the limit.
pub(crate) fn amount(highest: Highest) -> String {
    let bound = if highest.sender_limited { ">= " } else { "" };
    format!("{bound}{}", figure(highest.rate))
}

fn figure(rate: f64) -> String {
    match rate {
        rate if rate < 1e4 => format!("{rate:.0}"),
        rate if rate < 1e6 => format!("{:.0} k", rate / 1e3),
        rate => format!("{:.2} M", rate / 1e6),
    }
}
