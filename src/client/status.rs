//! `stillwell status`: sources, losses, clients and latencies.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, value::RawValue};

use super::{
    args::StatusArgs,
    connection::{Connection, parse},
    failure::Failure,
    number,
    output::{Output, Reader, terminal_size},
    table::{Cell, Table},
};

#[derive(Deserialize)]
struct Page {
    version: String,
    pid: u64,
    uptime_ms: u64,
    clock: String,
    rss_bytes: Option<u64>,
    rss_peak_bytes: Option<u64>,
    degraded: Option<String>,
    channels: u64,
    total: Ledger,
    queue: Queue,
    #[serde(default)]
    shards: Vec<ShardQueue>,
    percentiles: Option<Percentiles>,
    state: Option<State>,
    reload: Option<Reload>,
    clients: Clients,
    latency: BTreeMap<String, Quantiles>,
    sources: Vec<Source>,
}

/// What came of the last reload.
#[derive(Debug, Deserialize)]
struct Reload {
    time: String,
    refused: Option<String>,
}

#[derive(Deserialize)]
struct Queue {
    batches: u64,
    high_water: u64,
    max: u64,
    #[serde(default)]
    refused: u64,
}

#[derive(Deserialize)]
struct ShardQueue {
    waiting: u64,
    high_water: u64,
    max: u64,
    taken: u64,
}

#[derive(Deserialize)]
struct State {
    last: Option<SavedState>,
    failed: Vec<StateFailure>,
    restored: Option<RestoredState>,
    useless: Vec<UselessState>,
}

#[derive(Deserialize)]
struct SavedState {
    age_ms: u64,
    bytes: u64,
}

#[derive(Deserialize)]
struct StateFailure {
    place: String,
    reason: String,
    n: u64,
}

#[derive(Deserialize)]
struct RestoredState {
    from: String,
    time: String,
    channels: u64,
    left_out: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct UselessState {
    place: String,
    reason: String,
}

#[derive(Deserialize)]
struct Percentiles {
    bytes: u64,
    max_bytes: u64,
    confined: u64,
    coarsened: u64,
    withheld: u64,
}

impl Percentiles {
    fn give_way(&self) -> bool {
        0 < self.confined + self.coarsened + self.withheld
    }
}

#[derive(Deserialize)]
struct Ledger {
    kernel_dropped: u64,
    line_errors: u64,
    receive_errors: u64,
    batches_refused: u64,
    #[serde(default)]
    unstamped: u64,
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
        let width = terminal_size().map(|size| size.columns);
        for line in sources(&page.sources, width) {
            let line = output.styled(&line).into_owned();
            output.line(&line)?;
        }
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

/// What is kept across restarts.
fn kept(state: &State) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(SavedState { age_ms, bytes }) = &state.last {
        let (age, bytes) = (number::span(*age_ms), number::bytes(*bytes));
        lines.push(format!("state     {bytes} saved {age} ago"));
    }
    if let Some(RestoredState { from, time, channels, left_out }) = &state.restored {
        let channels = number::count(*channels, "channel");
        let left_out: Vec<String> =
            left_out.iter().map(|(reason, n)| format!(", {n} {reason}")).collect();
        lines.push(format!("restored  {channels} of {time} from {from}{}", left_out.concat()));
    }
    for StateFailure { place, reason, n } in &state.failed {
        lines.push(format!("STATE NOT SAVED in {place}, {n} times: {reason}"));
    }
    for UselessState { place, reason } in &state.useless {
        lines.push(format!("STATE OF NO USE in {place}: {reason}"));
    }
    lines
}

fn summary(page: &Page) -> Vec<String> {
    let memory = page.rss_bytes.map(|rss| format!(", {}", number::bytes(rss))).unwrap_or_default();
    let peak = page.rss_peak_bytes.filter(|peak| page.rss_bytes < Some(*peak));
    let peak = peak.map(|peak| format!(" ({} at most)", number::bytes(peak))).unwrap_or_default();
    let mut lines = vec![format!(
        "stillwell {}, process {}, up {}, clock {}{memory}{peak}, {}",
        page.version,
        page.pid,
        number::span(page.uptime_ms),
        page.clock,
        number::count(page.channels, "channel")
    )];
    if let Some(why) = &page.degraded {
        lines.push(format!("DEGRADED: {why}"));
    }
    if let Some(Reload { time, refused: Some(why), .. }) = &page.reload {
        lines.push(format!("RELOAD REFUSED at {time}: {why}"));
    }
    let total = &page.total;
    lines.push(account("frames  ", total.frames_in, total.frames_ok, &total.frames_refused));
    lines.push(account("readings", total.readings, total.accepted, &total.readings_refused));
    lines.push(format!(
        "lost      {} dropped by the kernel, {} lost on the way, {} line errors",
        total.kernel_dropped, total.lost_on_the_way, total.line_errors
    ));
    lines.extend(troubles(total).map(|text| format!("trouble   {text}")));
    let queue = &page.queue;
    if 0 < queue.batches + queue.high_water {
        lines.push(format!(
            "queue     {} of {} batches, {} at most, {} refused",
            queue.batches, queue.max, queue.high_water, queue.refused
        ));
    }
    lines.extend((1..).zip(&page.shards).map(|(number, shard)| {
        format!(
            "shard {number}   {} of {} waiting, {} at most, {} taken",
            shard.waiting, shard.max, shard.high_water, shard.taken
        )
    }));
    lines.extend(page.percentiles.as_ref().filter(|it| it.give_way()).map(|counts| {
        format!(
            "percentiles take {} of {}: {} in the least room, {} with fewer figures, {} without",
            number::bytes(counts.bytes),
            number::bytes(counts.max_bytes),
            number::count(counts.confined, "channel"),
            counts.coarsened,
            counts.withheld
        )
    }));
    lines.extend(page.state.iter().flat_map(kept));
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

/// The table, with what there is to say about a source below its row.
fn sources(sources: &[Source], width: Option<usize>) -> Vec<String> {
    let mut table = Table::default()
        .column("source", false)
        .column("state", false)
        .column("last", true)
        .column("devices", true)
        .column("channels", true)
        .column("frames", true)
        .column("bad frames", true)
        .column("readings", true)
        .column("bad readings", true)
        .column("dropped", true)
        .column("lost", true)
        .spare(&["devices", "channels"]);
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
        ]);
    }
    let mut rows = table.lines(width).into_iter();
    let mut lines: Vec<String> = rows.next().into_iter().collect();
    for (row, source) in rows.zip(sources) {
        lines.push(row);
        lines.extend(notes(source).map(|note| format!("  {note}")));
    }
    lines
}

/// Where a source is bound or why it is down, what was refused and why, and what else failed.
fn notes(source: &Source) -> impl Iterator<Item = String> {
    let ledger = &source.ledger;
    let refused = [(&ledger.frames_refused, "frames"), (&ledger.readings_refused, "readings")];
    let refused: Vec<String> = refused
        .into_iter()
        .filter(|(reasons, _)| !reasons.is_empty())
        .map(|(reasons, what)| {
            let reasons: Vec<_> = reasons.iter().map(|(why, n)| format!("{n} {why}")).collect();
            format!("{} {what}", reasons.join(", "))
        })
        .collect();
    let refused = (!refused.is_empty()).then(|| format!("refused: {}", refused.join("; ")));
    // What a device or a system call says must not drive the terminal.
    let detail = source.detail.as_ref().map(|text| text.replace(char::is_control, "\u{FFFD}"));
    detail.into_iter().chain(refused).chain(troubles(ledger))
}

/// What is rare, and 0 where all is well.
fn troubles(ledger: &Ledger) -> Option<String> {
    let troubles = [
        (ledger.receive_errors, "receive errors"),
        (ledger.batches_refused, "batches refused"),
        (ledger.unstamped, "datagrams of unknown arrival"),
    ];
    let troubles = troubles.into_iter().filter(|(n, _)| 0 < *n);
    let said: Vec<_> = troubles.map(|(n, what)| format!("{n} {what}")).collect();
    (!said.is_empty()).then(|| said.join(", "))
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

    const LEDGER: &str = r#""kernel_dropped":1,"line_errors":0,"receive_errors":2,"batches_refused":0,
        "frames_in":400,"frames_ok":51,"frames_refused":{"magic":149,"truncated":200},
        "readings":9,"accepted":6,"readings_refused":{"unknown_channel":3},"lost_on_the_way":0"#;

    fn plain(lines: &[String]) -> String {
        anstream::adapter::strip_str(&lines.join("\n")).to_string()
    }

    #[test]
    fn each_source_says_why_it_refused_what() {
        let source = |name: &str, rest: &str| -> Source {
            let text = format!(
                r#"{{"name":"{name}","state":"ended","channels":1,"devices_total":0,{rest}}}"#
            );
            parse(&text).expect("parses")
        };
        let zeros: String = [
            r#""ledger":{"kernel_dropped":0,"line_errors":0,"receive_errors":0,"#,
            r#""batches_refused":0,"frames_in":0,"frames_ok":0,"frames_refused":{},"readings":0,"#,
            r#""accepted":0,"readings_refused":{},"lost_on_the_way":0}"#,
        ]
        .concat();
        let all = [
            source("log", &format!(r#""detail":"the end\u001b of x.log","ledger":{{{LEDGER}}}"#)),
            source("quiet", &zeros),
        ];
        assert_eq!(
            plain(&sources(&all, Some(80))),
            "\
source  state  last  frames  bad frames  readings  bad readings  dropped  lost
log     ended     -     400         349         9             3        1     0
  the end\u{FFFD} of x.log
  refused: 149 magic, 200 truncated frames; 3 unknown_channel readings
  2 receive errors
quiet   ended     -       0           0         0             0        0     0"
        );
    }

    #[test]
    fn the_head_says_what_is_not_as_it_should_be() {
        let text = format!(
            r#"{{"version":"1","pid":1,"uptime_ms":1,"clock":"synced","channels":1,
                "total":{{{LEDGER}}},"queue":{{"batches":1,"high_water":3,"max":256}},
                "shards":[{{"waiting":2,"high_water":5,"max":16,"taken":70}}],
                "clients":{{"open":1,"max":2,"rejected":0,"closed_slow":0,"closed_idle":0,
                "requests":1}},"latency":{{}},"sources":[]}}"#
        );
        let lines = summary(&parse(&text).expect("parses"));
        for line in [
            "trouble   2 receive errors",
            "queue     1 of 256 batches, 3 at most, 0 refused",
            "shard 1   2 of 16 waiting, 5 at most, 70 taken",
        ] {
            assert!(lines.iter().any(|said| said == line), "{lines:?}");
        }
        assert!(lines[0].ends_with(", 1 channel"), "{lines:?}");
    }
}
