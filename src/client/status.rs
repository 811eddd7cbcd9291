//! `stillwell status`: sources, losses, clients and latencies.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, value::RawValue};

use super::{
    args::StatusArgs,
    connection::{Connection, parse},
    failure::Failure,
    number,
    output::{Output, Reader},
    table::{Cell, Table},
};

#[derive(Deserialize)]
struct Page {
    version: String,
    pid: u64,
    uptime_ms: u64,
    clock: String,
    rss_bytes: Option<u64>,
    degraded: Option<String>,
    channels: u64,
    total: Ledger,
    clients: Clients,
    latency: BTreeMap<String, Quantiles>,
    sources: Vec<Source>,
}

#[derive(Deserialize)]
struct Ledger {
    kernel_dropped: u64,
    line_errors: u64,
    frames_in: u64,
    frames_ok: u64,
    frames_refused: BTreeMap<String, u64>,
    readings: u64,
    accepted: u64,
    readings_refused: BTreeMap<String, u64>,
    lost_on_the_way: u64,
    imbalance: Option<String>,
}

#[derive(Deserialize)]
struct Clients {
    open: u64,
    max: u64,
    rejected: u64,
    closed_slow: u64,
    closed_idle: u64,
    requests: u64,
}

#[derive(Deserialize)]
struct Quantiles {
    count: u64,
    p50_us: u64,
    p99_us: u64,
    max_us: u64,
}

#[derive(Deserialize)]
struct Source {
    name: String,
    state: String,
    detail: Option<String>,
    last_arrival_age_ms: Option<u64>,
    channels: u64,
    ledger: Ledger,
    devices_total: u64,
}

pub(super) fn run(args: &StatusArgs) -> Result<(), Failure> {
    let mut connection = Connection::open(args.common.socket.as_deref())?;
    let mut output = Output::new(args.common.json);
    let mut whole: Option<Page> = None;
    connection.pages("Status", Map::new(), |text: &RawValue| {
        match output.reader {
            Reader::Program => output.line(text.get())?,
            Reader::Person => add(&mut whole, parse(text.get())?),
        }
        Ok(())
    })?;
    let Some(page) = whole else { return Ok(()) };
    for line in summary(&page) {
        output.line(&line)?;
    }
    if !page.sources.is_empty() {
        output.line("")?;
        output.table(&sources(&page.sources))?;
    }
    if !page.latency.is_empty() {
        output.line("")?;
        output.table(&latencies(&page.latency))?;
    }
    Ok(())
}

/// Joins pages: a source whose devices did not fit comes again.
fn add(whole: &mut Option<Page>, page: Page) {
    let Some(whole) = whole else {
        *whole = Some(page);
        return;
    };
    for source in page.sources {
        if whole.sources.last().is_none_or(|last| last.name != source.name) {
            whole.sources.push(source);
        }
    }
}

fn summary(page: &Page) -> Vec<String> {
    let memory = page.rss_bytes.map(|rss| format!(", {}", number::bytes(rss))).unwrap_or_default();
    let mut lines = vec![format!(
        "stillwell {}, process {}, up {}, clock {}{memory}, {} channels",
        page.version,
        page.pid,
        number::span(page.uptime_ms),
        page.clock,
        page.channels
    )];
    if let Some(why) = &page.degraded {
        lines.push(format!("DEGRADED: {why}"));
    }
    let total = &page.total;
    lines.push(account("frames  ", total.frames_in, total.frames_ok, &total.frames_refused));
    lines.push(account("readings", total.readings, total.accepted, &total.readings_refused));
    lines.push(format!(
        "lost      {} dropped by the kernel, {} lost on the way, {} line errors",
        total.kernel_dropped, total.lost_on_the_way, total.line_errors
    ));
    if let Some(identity) = &total.imbalance {
        lines.push(format!("THE LEDGER DOES NOT BALANCE: {identity}"));
    }
    let clients = &page.clients;
    lines.push(format!(
        "clients   {} of {}, {} requests; {} turned away, {} too slow, {} idle",
        clients.open,
        clients.max,
        clients.requests,
        clients.rejected,
        clients.closed_slow,
        clients.closed_idle
    ));
    lines
}

/// `readings  120 = 118 accepted + 2 late`.
fn account(what: &str, all: u64, good: u64, refused: &BTreeMap<String, u64>) -> String {
    let reasons: String = refused.iter().map(|(why, n)| format!(" + {n} {why}")).collect();
    format!("{what}  {all} = {good} accepted{reasons}")
}

fn sources(sources: &[Source]) -> Table {
    let mut table = Table::default()
        .column("source", false)
        .column("state", false)
        .column("last", true)
        .column("devices", true)
        .column("channels", true)
        .column("frames", true)
        .column("refused", true)
        .column("readings", true)
        .column("refused", true)
        .column("dropped", true)
        .column("lost", true)
        .column("detail", false);
    for source in sources {
        let ledger = &source.ledger;
        let sum = |refused: &BTreeMap<String, u64>| refused.values().sum::<u64>().to_string();
        table.push(vec![
            source.name.as_str().into(),
            Cell::judged(&source.state),
            source.last_arrival_age_ms.map_or_else(|| "-".to_owned(), number::span).into(),
            source.devices_total.to_string().into(),
            source.channels.to_string().into(),
            ledger.frames_in.to_string().into(),
            sum(&ledger.frames_refused).into(),
            ledger.readings.to_string().into(),
            sum(&ledger.readings_refused).into(),
            ledger.kernel_dropped.to_string().into(),
            ledger.lost_on_the_way.to_string().into(),
            source.detail.as_deref().unwrap_or_default().into(),
        ]);
    }
    table
}

fn latencies(latencies: &BTreeMap<String, Quantiles>) -> Table {
    let mut table = Table::default()
        .column("latency", false)
        .column("count", true)
        .column("p50 us", true)
        .column("p99 us", true)
        .column("max us", true);
    for (name, quantiles) in latencies {
        table.push(vec![
            name.as_str().into(),
            quantiles.count.to_string().into(),
            quantiles.p50_us.to_string().into(),
            quantiles.p99_us.to_string().into(),
            quantiles.max_us.to_string().into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_explains_what_is_missing() {
        let refused = BTreeMap::from([("late".to_owned(), 2), ("duplicate".to_owned(), 1)]);
        assert_eq!(
            account("readings", 120, 117, &refused),
            "readings  120 = 117 accepted + 1 duplicate + 2 late"
        );
    }
}
