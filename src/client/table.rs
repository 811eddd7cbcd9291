//! Aligned columns.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

/// A table in the making.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
    spare: Vec<&'static str>,
}

#[derive(Clone, Debug)]
struct Column {
    name: &'static str,
    is_number: bool,
}

/// One entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    text: String,
    style: Style,
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        // What a device or a file named itself must not drive the terminal.
        let text = text.into().replace(char::is_control, "\u{FFFD}");
        Self { text, style: Style::new() }
    }
}

impl Cell {
    /// A state or status in the colour of its kind.
    pub(super) fn judged(word: &str) -> Self {
        let color = match word {
            "ok" | "good" | "up" | "pass" => AnsiColor::Green,
            "stale" | "uncertain" | "starting" | "suspect" => AnsiColor::Yellow,
            "silent" | "garbled" | "bad" | "down" | "fail" => AnsiColor::Red,
            _ => AnsiColor::BrightBlack,
        };
        Self { style: color.on_default(), ..Self::from(word) }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

const GAP: usize = 2;

impl Table {
    /// Adds a column; numbers stand at its right edge.
    pub(super) fn column(mut self, name: &'static str, is_number: bool) -> Self {
        self.columns.push(Column { name, is_number });
        self
    }

    /// Names columns that are left out before all others where there is no room, least important
    /// first; names that the table does not have are passed over.
    pub(super) fn spare(mut self, names: &[&'static str]) -> Self {
        self.spare = names.into();
        self
    }

    /// Leaves a column out, whatever the width.
    pub(super) fn without(mut self, name: &str) -> Self {
        if let Some(at) = self.columns.iter().position(|column| column.name == name) {
            self.columns.remove(at);
            self.rows.iter_mut().for_each(|row| drop(row.remove(at)));
        }
        self
    }

    /// Adds a row with one cell for each column.
    pub(super) fn push(&mut self, row: Vec<Cell>) {
        debug_assert_eq!(row.len(), self.columns.len());
        self.rows.push(row);
    }

    /// The head and the rows as lines that fit `width`, if one is given: columns that do not fit
    /// are left out, first those to spare, then from the right, but for the first.
    pub(super) fn lines(&self, width: Option<usize>) -> Vec<String> {
        let widths = self.widths();
        let mut kept: Vec<usize> = (0..widths.len()).collect();
        let mut spare = self.spare.iter();
        let fits = |kept: &[usize]| {
            let sum: usize = kept.iter().map(|&at| widths[at] + GAP).sum();
            width.is_none_or(|width| sum <= width + GAP)
        };
        while 1 < kept.len() && !fits(&kept) {
            match spare.next() {
                Some(least) => kept.retain(|&at| self.columns[at].name != *least),
                None => drop(kept.pop()),
            }
        }
        let head: Vec<Cell> = self
            .columns
            .iter()
            .map(|column| Cell { style: Style::new().bold(), ..Cell::from(column.name) })
            .collect();
        let rows = std::iter::once(&head).chain(&self.rows);
        rows.map(|row| self.line(row, &kept, &widths)).collect()
    }

    fn widths(&self) -> Vec<usize> {
        let width = |at: usize| {
            let cells = self.rows.iter().map(|row| row[at].width());
            cells.max().unwrap_or(0).max(self.columns[at].name.chars().count())
        };
        (0..self.columns.len()).map(width).collect()
    }

    fn line(&self, row: &[Cell], kept: &[usize], widths: &[usize]) -> String {
        let mut line = String::new();
        for &at in kept {
            let cell = &row[at];
            let padding = widths[at] - cell.width();
            let is_number = self.columns[at].is_number;
            let is_last = kept.last() == Some(&at);
            let (before, after) = match (is_number, is_last) {
                (true, true) => (padding, 0),
                (true, false) => (padding, GAP),
                (false, true) => (0, 0),
                (false, false) => (0, padding + GAP),
            };
            let style = cell.style;
            write!(line, "{:before$}{style}{}{style:#}{:after$}", "", cell.text, "")
                .expect("a string takes every character");
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table =
            Table::default().column("id", false).column("value", true).column("state", false);
        table.push(vec!["boiler.flow".into(), "63.1".into(), Cell::judged("ok")]);
        table.push(vec!["a".into(), "-1000".into(), Cell::judged("never")]);
        table
    }

    fn plain(lines: &[String]) -> String {
        let text = lines.join("\n");
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn columns_are_aligned() {
        assert_eq!(
            plain(&table().lines(None)),
            "id           value  state\nboiler.flow   63.1  ok\na            -1000  never"
        );
    }

    #[test]
    fn columns_that_do_not_fit_are_left_out() {
        assert_eq!(
            plain(&table().lines(Some(18))),
            "id           value\nboiler.flow   63.1\na            -1000"
        );
        assert_eq!(plain(&table().lines(Some(3))), "id\nboiler.flow\na");
        assert_eq!(table().lines(Some(25)), table().lines(None));
    }

    #[test]
    fn columns_to_spare_go_first() {
        let table = table().spare(&["none", "value"]);
        assert_eq!(
            plain(&table.lines(Some(18))),
            "id           state\nboiler.flow  ok\na            never"
        );
        assert_eq!(plain(&table.lines(Some(12))), "id\nboiler.flow\na");
        assert_eq!(plain(&table.without("state").lines(Some(12))), "id\nboiler.flow\na");
    }

    #[test]
    fn a_name_cannot_drive_the_terminal() {
        assert_eq!(Cell::from("\x1b[2Jx\n").text, "\u{FFFD}[2Jx\u{FFFD}");
    }
}
