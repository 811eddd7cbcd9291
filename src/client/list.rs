//! `stillwell list`: the channels.

use serde::Deserialize;
use serde_json::{Map, value::RawValue};

use super::{
    args::ListArgs,
    connection::{Connection, parse},
    failure::Failure,
    output::{Output, Reader},
    table::{Cell, Table},
};

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    channels: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Channel {
    id: String,
    unit: Option<String>,
    source: String,
    device: Option<u64>,
    index: Option<u64>,
    field: Option<String>,
    state: String,
    discovered: bool,
    windows: Vec<String>,
}

pub(super) fn run(args: &ListArgs) -> Result<(), Failure> {
    let mut parameters = Map::new();
    if !args.patterns.is_empty() {
        parameters.insert("channels".into(), args.patterns.as_slice().into());
    }
    let mut connection = Connection::open(args.common.socket.as_deref())?;
    let mut output = Output::new(args.common.json);
    let mut table = Table::default()
        .column("id", false)
        .column("unit", false)
        .column("state", false)
        .column("source", false)
        .column("from", false)
        .column("windows", false);
    let mut count = 0_usize;
    connection.pages("List", parameters, |page| {
        let page: Page<'_> = parse(page.get())?;
        count += page.channels.len();
        for text in page.channels {
            match output.reader {
                Reader::Program => output.line(text.get())?,
                Reader::Person => table.push(row(&parse(text.get())?)),
            }
        }
        Ok(())
    })?;
    match output.reader {
        Reader::Program => {}
        Reader::Person if count == 0 => output.line("No channels.")?,
        Reader::Person => output.table(&table)?,
    }
    Ok(())
}

fn row(channel: &Channel) -> Vec<Cell> {
    let mut from = match (channel.device, channel.index, &channel.field) {
        (Some(device), Some(index), _) => format!("device {device} channel {index}"),
        (_, _, Some(field)) => format!("field {field}"),
        _ => String::new(),
    };
    if channel.discovered {
        from.push_str(" (discovered)");
    }
    vec![
        channel.id.as_str().into(),
        channel.unit.as_deref().unwrap_or_default().into(),
        Cell::judged(&channel.state),
        channel.source.as_str().into(),
        from.into(),
        channel.windows.join(" ").into(),
    ]
}
