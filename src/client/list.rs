//! `stillwell list`: the channels.

use super::{
    args::ListArgs,
    channels::{self, Channel},
    connection::{Connection, parse},
    failure::Failure,
    nothing, number,
    output::{Output, Reader},
    table::{Cell, Table},
};

pub(super) fn run(args: &ListArgs) -> Result<(), Failure> {
    let mut connection = Connection::open(args.common.socket.as_deref())?;
    let mut output = Output::new(args.common.json);
    if let Some(reason) = nothing::selected(&mut connection, &args.patterns)? {
        return nothing::tell(&reason);
    }
    let mut shown: Vec<Channel> = Vec::new();
    channels::each(&mut connection, channels::selection(&args.patterns), |text| {
        match output.reader {
            Reader::Program => output.line(text)?,
            Reader::Person => shown.push(parse(text)?),
        }
        Ok(())
    })?;
    if output.reader == Reader::Person {
        let (note, table) = told(&shown);
        output.table(&table)?;
        if let Some(note) = note {
            output.line(&note)?;
        }
    }
    Ok(())
}

/// The table, and in a line of its own what is the same for all channels.
fn told(channels: &[Channel]) -> (Option<String>, Table) {
    let mut table = Table::default()
        .column("id", false)
        .column("unit", false)
        .column("state", false)
        .column("source", false)
        .column("from", false)
        .column("windows", false);
    channels.iter().for_each(|channel| table.push(row(channel)));
    match channels {
        [first, rest @ ..] if rest.iter().all(|channel| channel.windows == first.windows) => {
            let count = number::count(channels.len() as u64, "channel");
            (
                Some(format!("{count}, windows {}", first.windows.join(" "))),
                table.without("windows"),
            )
        }
        _ => (None, table),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(id: &str, windows: &str) -> Channel {
        let text = format!(
            r#"{{"id":"{id}","source":"s","field":"t","state":"ok","discovered":false,
                "windows":{windows}}}"#
        );
        parse(&text).expect("parses")
    }

    #[test]
    fn windows_that_all_have_are_told_once() {
        let same = [channel("a", r#"["1s","1m"]"#), channel("b", r#"["1s","1m"]"#)];
        let (note, table) = told(&same);
        assert_eq!(note.as_deref(), Some("2 channels, windows 1s 1m"));
        assert!(!table.lines(None).concat().contains("windows"));
        let other = [channel("a", r#"["1s"]"#), channel("b", r#"["1s","1m"]"#)];
        let (note, table) = told(&other);
        assert_eq!(note, None);
        assert!(table.lines(None).concat().contains("windows"));
    }
}
