//! `stillwell get`: the latest values and summaries, once.

use std::collections::BTreeSet;

use super::{
    args::GetArgs,
    connection::{Connection, parse},
    failure::Failure,
    nothing, number,
    output::{Output, Reader},
    replies::{Live, Summary, live_cells, n_text, parameters, rows, trust_cells},
    table::{Cell, Table},
};

pub(super) fn run(args: &GetArgs) -> Result<(), Failure> {
    let (parameters, shown) = parameters(&args.patterns, args.window.as_deref())?;
    let mut connection = Connection::open(args.common.socket.as_deref())?;
    let mut output = Output::new(args.common.json);
    if let Some(reason) = nothing::selected(&mut connection, &args.patterns)? {
        return nothing::tell(&reason);
    }
    let mut seen = Vec::new();
    connection.pages("Get", parameters, |page| {
        let rows = rows(&parse(page.get())?, &shown)?;
        match output.reader {
            Reader::Program => {
                for row in rows {
                    output.line(&row.line()?)?;
                }
            }
            Reader::Person => seen.extend(rows.into_iter().map(|row| (row.live, row.summary))),
        }
        Ok(())
    })?;
    match output.reader {
        Reader::Program => {}
        Reader::Person => {
            output.table(&table(&seen))?;
            for reason in reasons(&seen) {
                output.line(&reason)?;
            }
        }
    }
    Ok(())
}

/// Why summaries are not good, a line for each.
fn reasons(rows: &[(Live, Option<Summary>)]) -> Vec<String> {
    rows.iter().filter_map(|(live, summary)| summary.as_ref()?.why(live)).collect()
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
        .column("coverage", true)
        .column("trust", false)
        .column("mean", true)
        .column("min", true)
        .column("max", true)
        .column("stddev", true);
    if let Some((_, name)) = &shown {
        table = table.column(name, true);
    }
    table = table.spare(&["stddev", "n", "age", "coverage", "p50", "p90", "p95", "p99"]);
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
    let [coverage, trust] = trust_cells(summary);
    [
        summary.window.as_str().into(),
        n_text(summary).into(),
        coverage,
        trust,
        number::optional(summary.middle()).into(),
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
    use crate::client::replies::Shown;

    fn seen() -> Vec<(Live, Option<Summary>)> {
        const PAGE: &str = r#"{"time":"t",
            "channels":[{"id":"boiler.flow","unit":"Cel","state":"ok","value":63.1,"age_ms":412},
                {"id":"plant.x","state":"never"}],
            "summaries":[{"id":"boiler.flow","window":"1m","end":"","n":598,"coverage":0.9967,
                "status":"good","min":61.2,"max":64.0,"mean":62.7126,"stddev":0.41,
                "percentiles":{"50":62.7,"95":63.3}}]}"#;
        let rows = rows(&parse(PAGE).expect("parses"), &Shown::One).expect("parses");
        rows.into_iter().map(|row| (row.live, row.summary)).collect()
    }

    fn plain(width: Option<usize>) -> String {
        let lines = table(&seen()).lines(width).join("\n");
        anstream::adapter::strip_str(&lines).to_string()
    }

    #[test]
    fn a_table_of_values_and_one_window() {
        assert_eq!(
            plain(None),
            "\
id           value  unit  state     age  window    n  coverage  trust     mean   min  max  stddev   p95
boiler.flow   63.1  Cel   ok     412 ms      1m  598       99%  good   62.7126  61.2   64    0.41  63.3
plant.x          -        never                                                                       -"
        );
    }

    #[test]
    fn a_narrow_terminal_shows_what_matters_most() {
        assert_eq!(
            plain(Some(80)).lines().next(),
            Some("id           value  unit  state  window  trust     mean   min  max   p95")
        );
    }
}
