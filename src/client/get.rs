//! `stillwell get`: the latest values and summaries, once.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    args::GetArgs,
    connection::{Connection, parse},
    failure::Failure,
    number,
    output::{Output, Reader},
    replies::{Current, Live, Summary, live_cells, parameters, select},
    table::{Cell, Table},
};

pub(super) fn run(args: &GetArgs) -> Result<(), Failure> {
    let (parameters, shown) = parameters(&args.patterns, args.window.as_deref())?;
    let mut connection = Connection::open(args.common.socket.as_deref())?;
    let mut output = Output::new(args.common.json);
    let mut rows = Vec::new();
    connection.pages("Get", parameters, |page| {
        let page: Current<'_> = parse(page.get())?;
        let summaries = select(&page.summaries, &shown)?;
        match output.reader {
            Reader::Program => {
                for (_, text) in summaries {
                    output.line(text)?;
                }
            }
            Reader::Person => {
                rows.extend(join(page.channels, summaries.into_iter().map(|(summary, _)| summary)));
            }
        }
        Ok(())
    })?;
    if output.reader == Reader::Person {
        match rows.as_slice() {
            [] => output.line("No channels.")?,
            rows => output.table(&table(rows))?,
        }
    }
    Ok(())
}

/// Each channel with each of its summaries; a channel without one stands alone.
fn join(
    channels: Vec<Live>,
    summaries: impl IntoIterator<Item = Summary>,
) -> Vec<(Live, Option<Summary>)> {
    let mut of_channel: BTreeMap<String, Vec<Summary>> = BTreeMap::new();
    for summary in summaries {
        of_channel.entry(summary.id.clone()).or_default().push(summary);
    }
    let rows = |live: Live| match of_channel.remove(&live.id) {
        None => vec![(live, None)],
        Some(summaries) => summaries.into_iter().map(|s| (live.clone(), Some(s))).collect(),
    };
    channels.into_iter().flat_map(rows).collect()
}

fn table(rows: &[(Live, Option<Summary>)]) -> Table {
    let summaries = || rows.iter().filter_map(|(_, summary)| summary.as_ref());
    let shown = shown_percentile(summaries());
    let mut table = Table::default()
        .column("id", false)
        .column("value", true)
        .column("unit", false)
        .column("state", false)
        .column("age", true)
        .column("window", true)
        .column("n", true)
        .column("there", true)
        .column("trust", false)
        .column("mean", true)
        .column("min", true)
        .column("max", true)
        .column("stddev", true);
    if let Some((_, name)) = &shown {
        table = table.column(name, true);
    }
    for (live, summary) in rows {
        let mut row = vec![Cell::from(live.id.as_str())];
        row.extend(live_cells(live));
        row.push(live.age_ms.map(number::span).unwrap_or_default().into());
        row.extend(summary_cells(summary.as_ref()));
        if let Some((key, _)) = &shown {
            let value = summary.as_ref().and_then(|s| s.percentiles.get(*key).copied());
            row.push(number::optional(value).into());
        }
        table.push(row);
    }
    table
}

fn summary_cells(summary: Option<&Summary>) -> [Cell; 8] {
    let Some(summary) = summary else { return Default::default() };
    let coverage = summary.coverage.map_or_else(|| "-".to_owned(), number::percent);
    [
        summary.window.as_str().into(),
        summary.n.to_string().into(),
        coverage.into(),
        Cell::judged(&summary.status),
        number::optional(summary.mean).into(),
        number::optional(summary.min).into(),
        number::optional(summary.max).into(),
        number::optional(summary.stddev).into(),
    ]
}

/// The one percentile that is shown, with the head of its column.
fn shown_percentile<'a>(
    summaries: impl Iterator<Item = &'a Summary>,
) -> Option<(&'static str, &'static str)> {
    const SHOWN: [(&str, &str); 4] = [("95", "p95"), ("99", "p99"), ("90", "p90"), ("50", "p50")];
    let there: BTreeSet<&str> =
        summaries.flat_map(|s| s.percentiles.keys().map(String::as_str)).collect();
    SHOWN.into_iter().find(|(key, _)| there.contains(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_values_and_one_window() {
        let live: Vec<Live> = serde_json::from_str(
            r#"[{"id":"boiler.flow","unit":"Cel","state":"ok","value":63.1,"age_ms":412},
                {"id":"plant.x","state":"never"}]"#,
        )
        .expect("parses");
        let summary: Summary = serde_json::from_str(
            r#"{"id":"boiler.flow","window":"1m","end":"","n":598,"coverage":0.9967,
                "status":"good","min":61.2,"max":64.0,"mean":62.7126,"stddev":0.41,
                "percentiles":{"50":62.7,"95":63.3}}"#,
        )
        .expect("parses");
        let lines = table(&join(live, [summary])).lines(None).join("\n");
        assert_eq!(
            anstream::adapter::strip_str(&lines).to_string(),
            "\
id           value  unit  state     age  window    n  there  trust     mean   min  max  stddev   p95
boiler.flow   63.1  Cel   ok     412 ms      1m  598    99%  good   62.7126  61.2   64    0.41  63.3
plant.x          -        never                                                                    -"
        );
    }
}
