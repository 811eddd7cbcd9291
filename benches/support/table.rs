//! Tables for a terminal, or in Markdown.

use std::io::{self, Write};

/// Prints the rows of one table, each when it is there.
#[derive(Debug)]
pub(crate) struct Printer {
    heads: Vec<String>,
    widths: Vec<usize>,
    /// Columns of names, which stand to the left as numbers stand to the right.
    names: usize,
    markdown: bool,
}

impl Printer {
    /// A table with these heads, whose rows begin with `names` labels that are known already.
    pub(crate) fn new<'a>(
        heads: Vec<String>,
        labels: impl Iterator<Item = &'a [String]>,
        names: usize,
        markdown: bool,
    ) -> Self {
        let mut widths: Vec<usize> = heads.iter().map(|head| head.len().max(6)).collect();
        for row in labels {
            for (width, label) in widths.iter_mut().zip(row) {
                *width = label.len().max(*width);
            }
        }
        Self { heads, widths, names, markdown }
    }

    pub(crate) fn head(&self, title: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.markdown {
            writeln!(out, "**{title}**\n")?;
        } else {
            writeln!(out, "{title}")?;
        }
        self.row(&self.heads)?;
        if self.markdown {
            let rule = |at| if at < self.names { "---" } else { "---:" };
            let rules: Vec<_> = (0..self.heads.len()).map(rule).collect();
            writeln!(out, "|{}|", rules.join("|"))?;
        }
        Ok(())
    }

    pub(crate) fn row(&self, cells: &[String]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.markdown {
            writeln!(out, "| {} |", cells.join(" | "))?;
            return out.flush();
        }
        let mut line = String::new();
        for (at, (cell, width)) in cells.iter().zip(&self.widths).enumerate() {
            let width = *width;
            line += &if at < self.names {
                format!("{cell:<width$}  ")
            } else {
                format!("{cell:>width$}  ")
            };
        }
        writeln!(out, "{}", line.trim_end())?;
        out.flush()
    }

    pub(crate) fn end(&self) -> io::Result<()> {
        writeln!(io::stdout())
    }
}

/// A number with about three figures.
pub(crate) fn figure(value: f64) -> String {
    match value.abs() {
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
