//! `stillwell watch`: the latest values and summaries, as they change.

use std::{borrow::Cow, collections::BTreeMap, io::Write};

use super::{
    args::WatchArgs,
    connection::{Connection, parse},
    failure::Failure,
    number,
    output::{Output, Reader, Size, terminal_size},
    replies::{Current, Live, Shown, Summary, live_cells, parameters, select},
    table::{Cell, Table},
};
use crate::{engine::duration, limits::MS};

pub(super) fn run(args: &WatchArgs) -> Result<(), Failure> {
    let (mut parameters, shown) = parameters(&args.patterns, args.window.as_deref())?;
    if let Some(interval) = &args.interval {
        let ns = duration::parse(interval)
            .map_err(|error| Failure::Usage(format!("--interval {interval}: {error}")))?;
        parameters.insert("min_interval_ms".into(), (ns / MS).into());
    }
    let mut connection = Connection::open(args.common.socket.as_deref())?;
    let mut output = Output::new(args.common.json);
    connection.subscribe(&parameters)?;
    match output.reader {
        Reader::Program => lines(&mut connection, &shown, &mut output),
        Reader::Person => screen(&mut connection, &shown, &mut output),
    }
}

/// Each new summary on a line.
fn lines(connection: &mut Connection, shown: &Shown, output: &mut Output) -> Result<(), Failure> {
    let mut ends = Ends::default();
    loop {
        let message = connection.message()?;
        let message: Current<'_> = parse(message.get())?;
        for (summary, text) in select(&message.summaries, shown)? {
            if ends.is_new(&summary) {
                output.line(text)?;
            }
        }
        output.stream.flush()?;
    }
}

/// Ends of the latest summaries: a channel that changed comes with all of its summaries.
#[derive(Default)]
struct Ends(BTreeMap<(String, String), String>);

impl Ends {
    fn is_new(&mut self, summary: &Summary) -> bool {
        let key = (summary.id.clone(), summary.window.clone());
        self.0.insert(key, summary.end.clone()).as_ref() != Some(&summary.end)
    }
}

/// A table that is drawn over itself.
fn screen(connection: &mut Connection, shown: &Shown, output: &mut Output) -> Result<(), Failure> {
    let mut board = Board::default();
    output.stream.write_all(b"\x1b[2J")?;
    loop {
        let message = connection.message()?;
        let message: Current<'_> = parse(message.get())?;
        board.update(message, shown)?;
        let text = board.draw(terminal_size(), |line| output.styled(line));
        output.stream.write_all(text.as_bytes())?;
        output.stream.flush()?;
    }
}

/// What is known of all channels.
#[derive(Default)]
struct Board {
    time: String,
    skipped: u64,
    live: BTreeMap<String, Live>,
    summaries: BTreeMap<(String, i64), Summary>,
}

impl Board {
    fn update(&mut self, message: Current<'_>, shown: &Shown) -> Result<(), Failure> {
        self.skipped = self.skipped.saturating_add(message.skipped);
        for (summary, _) in select(&message.summaries, shown)? {
            let length_ns = duration::parse(&summary.window).unwrap_or(0);
            self.summaries.insert((summary.id.clone(), length_ns), summary);
        }
        self.live.extend(message.channels.into_iter().map(|live| (live.id.clone(), live)));
        self.time = message.time;
        Ok(())
    }

    /// The whole screen: home, each line with the rest of it cleared, and what is below.
    fn draw(&self, size: Option<Size>, styled: impl Fn(&str) -> Cow<'_, str>) -> String {
        let table = self.table().lines(size.map(|size| size.columns));
        let title =
            format!("{}  {} channels, skipped {}", self.time, self.live.len(), self.skipped);
        let room = size.map_or(usize::MAX, |size| size.rows.saturating_sub(2));
        let hidden = table.len().saturating_sub(room);
        let mut text = format!("\x1b[H{title}\x1b[K\n");
        for line in table.iter().take(room) {
            text.push_str(&styled(line));
            text.push_str("\x1b[K\n");
        }
        if 0 < hidden {
            text.push_str(&format!("… {hidden} more; name some channels"));
        }
        text.push_str("\x1b[J");
        text
    }

    fn table(&self) -> Table {
        let mut table = Table::default()
            .column("id", false)
            .column("value", true)
            .column("unit", false)
            .column("state", false)
            .column("window", true)
            .column("mean", true)
            .column("min", true)
            .column("max", true)
            .column("n", true)
            .column("trust", false);
        for live in self.live.values() {
            let range = (live.id.clone(), i64::MIN)..=(live.id.clone(), i64::MAX);
            let mut summaries = self.summaries.range(range).map(|(_, summary)| summary);
            table.push(row(live, summaries.next()));
            for summary in summaries {
                table.push(row(live, Some(summary)));
            }
        }
        table
    }
}

fn row(live: &Live, summary: Option<&Summary>) -> Vec<Cell> {
    let mut row = vec![Cell::from(live.id.as_str())];
    row.extend(live_cells(live));
    let cells: [Cell; 6] = match summary {
        None => Default::default(),
        Some(summary) => [
            summary.window.as_str().into(),
            number::optional(summary.mean).into(),
            number::optional(summary.min).into(),
            number::optional(summary.max).into(),
            summary.n.to_string().into(),
            Cell::judged(&summary.status),
        ],
    };
    row.extend(cells);
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = r#"{"time":"2026-11-23T01:02:06Z","skipped":2,
        "summaries":[{"id":"a","window":"1m","end":"x","n":3,"status":"good","mean":1.5}],
        "channels":[{"id":"a","unit":"Cel","state":"ok","value":2},{"id":"b","state":"never"}]}"#;

    fn board() -> Board {
        let mut board = Board::default();
        let message: Current<'_> = parse(MESSAGE).expect("parses");
        board.update(message, &Shown::One).expect("parses");
        board
    }

    fn plain(line: &str) -> Cow<'_, str> {
        line.into()
    }

    #[test]
    fn the_screen_is_drawn_over_itself_and_fits() {
        let text = board().draw(Some(Size { rows: 24, columns: 80 }), plain);
        assert!(text.starts_with("\x1b[H2026-11-23T01:02:06Z  2 channels, skipped 2\x1b[K\n"));
        assert_eq!(text.lines().count(), 5, "title, head, two rows, the rest: {text}");
        assert!(text.ends_with("\x1b[J"));
        let small = board().draw(Some(Size { rows: 4, columns: 80 }), plain);
        assert!(small.contains("… 1 more"), "{small}");
        assert_eq!(small.lines().count(), 4);
    }

    #[test]
    fn a_summary_is_told_once() {
        let mut ends = Ends::default();
        let message: Current<'_> = parse(MESSAGE).expect("parses");
        let (mut summary, _) = select(&message.summaries, &Shown::All).expect("parses").remove(0);
        assert!(ends.is_new(&summary));
        assert!(!ends.is_new(&summary));
        summary.end.push('y');
        assert!(ends.is_new(&summary));
    }
}
