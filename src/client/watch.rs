//! `stillwell watch`: the latest values and summaries, as they change.

use std::{borrow::Cow, collections::BTreeMap, io::Write};

use super::{
    args::WatchArgs,
    connection::{Connection, parse},
    failure::Failure,
    nothing, number,
    output::{Output, Reader, Size, terminal_size},
    replies::{
        Current, Live, Row, Shown, Summary, live_cells, n_text, parameters, rows, select,
        trust_cells,
    },
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
    let nothing = nothing::selected(&mut connection, &args.patterns)?;
    connection.subscribe("Watch", &parameters)?;
    match output.reader {
        Reader::Program => {
            nothing.as_deref().map_or(Ok(()), nothing::tell)?;
            lines(&mut connection, &shown, &mut output)
        }
        Reader::Person => {
            let board = Board { nothing, ..Board::default() };
            screen(board, &mut connection, &shown, &mut output)
        }
    }
}

/// Each new summary on a line, and each new state of a channel.
fn lines(connection: &mut Connection, shown: &Shown, output: &mut Output) -> Result<(), Failure> {
    let mut told = Told::default();
    loop {
        let message = connection.message()?;
        let message: Current<'_> = parse(message.get())?;
        for row in rows(&message, shown)? {
            if told.is_new(&row) {
                output.line(&row.line()?)?;
            }
        }
        output.stream.flush()?;
    }
}

/// The latest lines by channel and window, as state and end: a channel that changed comes with
/// all of its summaries. Where there is no summary, the time of the value takes their place.
#[derive(Default)]
struct Told(BTreeMap<(String, String), (String, String)>);

impl Told {
    fn is_new(&mut self, row: &Row<'_>) -> bool {
        let Live { id, state, time, .. } = &row.live;
        let (window, end) = match &row.summary {
            Some(summary) => (summary.window.clone(), summary.end.clone()),
            None => (String::new(), time.clone().unwrap_or_default()),
        };
        let news = (state.clone(), end);
        self.0.insert((id.clone(), window), news.clone()) != Some(news)
    }
}

/// A table that is drawn over itself.
fn screen(
    mut board: Board,
    connection: &mut Connection,
    shown: &Shown,
    output: &mut Output,
) -> Result<(), Failure> {
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
    /// Why there was no channel at first.
    nothing: Option<String>,
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
        for text in message.channels {
            let live: Live = parse(text.get())?;
            self.live.insert(live.id.clone(), live);
        }
        self.time = message.time;
        Ok(())
    }

    /// The whole screen: home, each line with the rest of it cleared, and what is below.
    fn draw(&self, size: Option<Size>, styled: impl Fn(&str) -> Cow<'_, str>) -> String {
        let mut table = match &self.nothing {
            Some(reason) if self.live.is_empty() => vec![reason.clone()],
            _ => self.table().lines(size.map(|size| size.columns)),
        };
        table.extend(self.reasons().map(|reason| cut(reason, size)));
        let channels = number::count(self.live.len() as u64, "channel");
        let title = format!("{}  {channels}, skipped {}", clock(&self.time), self.skipped);
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

    /// Why summaries are not good, a line for each.
    fn reasons(&self) -> impl Iterator<Item = String> {
        self.summaries.values().filter_map(|summary| summary.why(self.live.get(&summary.id)?))
    }

    fn table(&self) -> Table {
        let mut table = Table::default()
            .column("id", false)
            .column("value", true)
            .column("unit", false)
            .column("state", false)
            .column("window", true)
            .column("trust", false)
            .column("mean", true)
            .column("min", true)
            .column("max", true)
            .column("n", true)
            .spare(&["n"]);
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
        Some(summary) => {
            let [_, trust] = trust_cells(summary);
            [
                summary.window.as_str().into(),
                trust,
                number::optional(summary.middle()).into(),
                number::optional(summary.min).into(),
                number::optional(summary.max).into(),
                n_text(summary).into(),
            ]
        }
    };
    row.extend(cells);
    row
}

/// What of a line fits the screen, so that each takes one of its rows.
fn cut(line: String, size: Option<Size>) -> String {
    match size {
        Some(size) => line.chars().take(size.columns).collect(),
        None => line,
    }
}

/// `01:02:06 UTC` of `2026-11-23T01:02:06.5Z`; what is no such time stays as it is.
fn clock(time: &str) -> String {
    let seconds = time.split_once('T').and_then(|(_, clock)| clock.get(..8));
    seconds.map_or_else(|| time.to_owned(), |clock| format!("{clock} UTC"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = r#"{"time":"2026-11-23T01:02:06.123Z","skipped":2,
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
        assert!(text.starts_with("\x1b[H01:02:06 UTC  2 channels, skipped 2\x1b[K\n"));
        assert_eq!(text.lines().count(), 5, "title, head, two rows, the rest: {text}");
        assert!(text.ends_with("\x1b[J"));
        let small = board().draw(Some(Size { rows: 4, columns: 80 }), plain);
        assert!(small.contains("… 1 more"), "{small}");
        assert_eq!(small.lines().count(), 4);
    }

    #[test]
    fn who_asks_for_what_there_is_not_is_told_so_until_there_is() {
        let mut board = Board { nothing: Some("no channel matches z*".into()), ..Board::default() };
        assert!(board.draw(None, plain).contains("no channel matches z*"));
        board.update(parse(MESSAGE).expect("parses"), &Shown::One).expect("parses");
        assert!(!board.draw(None, plain).contains("no channel"));
    }

    #[test]
    fn the_clock_of_a_time() {
        assert_eq!(clock("2026-11-23T01:02:06.5Z"), "01:02:06 UTC");
        assert_eq!(clock("soon"), "soon");
    }

    #[test]
    fn a_summary_is_told_once_and_again_with_another_state() {
        let mut told = Told::default();
        let message: Current<'_> = parse(MESSAGE).expect("parses");
        let mut rows = rows(&message, &Shown::All).expect("parses");
        assert_eq!(rows.iter().map(|row| told.is_new(row)).collect::<Vec<_>>(), [true, true]);
        assert_eq!(rows.iter().map(|row| told.is_new(row)).collect::<Vec<_>>(), [false, false]);
        rows[0].summary.as_mut().expect("has one").end.push('y');
        rows[1].live.time = Some("t".into());
        assert_eq!(rows.iter().map(|row| told.is_new(row)).collect::<Vec<_>>(), [true, true]);
        rows[0].live.state = "silent".into();
        assert_eq!(rows.iter().map(|row| told.is_new(row)).collect::<Vec<_>>(), [true, false]);
    }
}
