//! Where the answers go.

use std::{
    borrow::Cow,
    io::{self, IsTerminal, StdoutLock, Write},
};

use anstream::{AutoStream, ColorChoice, adapter::strip_str};
use rustix::termios::tcgetwinsize;

use super::table::Table;

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// A person: tables.
    Person,
    /// A program: one JSON object a line.
    Program,
}

/// Stdout, with colours where they are understood and wanted.
pub(super) struct Output {
    pub(super) stream: StdoutLock<'static>,
    pub(super) reader: Reader,
    has_colors: bool,
}

/// Size of the terminal in characters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        let is_person = io::stdout().is_terminal() && !json;
        let reader = if is_person { Reader::Person } else { Reader::Program };
        // Decided here and not by a stream that strips: NO_COLOR must not take the cursor away.
        let has_colors = AutoStream::choice(&io::stdout()) != ColorChoice::Never;
        Self { stream: io::stdout().lock(), reader, has_colors }
    }

    /// The line with its colours, if they are wanted.
    pub(super) fn styled<'a>(&self, line: &'a str) -> Cow<'a, str> {
        if self.has_colors { line.into() } else { strip_str(line).to_string().into() }
    }

    /// Writes one line of JSON or of plain text.
    pub(super) fn line(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.stream, "{line}")
    }

    /// Writes a table, as wide as the terminal has room for.
    pub(super) fn table(&mut self, table: &Table) -> io::Result<()> {
        for line in table.lines(terminal_size().map(|size| size.columns)) {
            let line = self.styled(&line);
            writeln!(self.stream, "{line}")?;
        }
        Ok(())
    }
}

/// Size of the terminal, if stdout is one that tells.
pub(super) fn terminal_size() -> Option<Size> {
    let size = tcgetwinsize(io::stdout()).ok()?;
    let size = Size { rows: usize::from(size.ws_row), columns: usize::from(size.ws_col) };
    (0 < size.rows && 0 < size.columns).then_some(size)
}
