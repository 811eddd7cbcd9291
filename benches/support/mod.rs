//! What the benches share: rows that run alone, the process's own CPU time, instruction counts.
//!
//! Each row runs in a process of its own, the bench started again with the name of the row, so
//! that no row finds the heap or the caches that another left. A row is run several times; its
//! time is that of the best, because machines are noisy, with the median beside it.
//!
//! | argument | effect |
//! |---|---|
//! | `--row TEXT` | only rows whose name contains the text; may be given more than once |
//! | `--instructions` | one column more, by `valgrind --tool=callgrind`, without the set-up |
//! | `--markdown` | tables for docs/performance.md |
//! | `--test` | a moment of each row, to see that it runs; the figures mean nothing |
//!
//! ```ignore
//! mod support;
//!
//! fn main() -> io::Result<()> {
//!     let bench = Bench::from_arguments()?;
//!     let table = Table {
//!         title: "Sums",
//!         unit: "a value",
//!         labels: &["order"],
//!         notes: &["bytes"],
//!         beside_first: true,
//!     };
//!     let case = Case::new(["sorted"], 1_000_000, |items, watch| {
//!         let values: Vec<u64> = (0..items).collect(); // not timed
//!         watch.time(items, || black_box(values.iter().sum::<u64>()));
//!         watch.note_all([8.0 * items as f64]);
//!     });
//!     bench.table(&table, &[case])
//! }
//! ```
#![allow(dead_code, reason = "each bench is a crate of its own and none uses everything")]

mod alone;
mod options;
mod table;
mod watch;

use std::io;

pub(crate) use self::{options::Options, table::Printer, watch::Watch};

/// What `--instructions` runs of what is timed, and `--test` of that.
const COUNTED_SHARE: u64 = 16;
const SMOKE_SHARE: u64 = 1_024;
/// Rounds of a row that is timed.
const ROUNDS: usize = 5;

/// A bench: some tables of rows.
#[derive(Debug)]
pub(crate) struct Bench {
    options: Options,
}

/// What the rows of a table have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table<'a> {
    pub(crate) title: &'a str,
    /// What the cost is told of: a reading, an item.
    pub(crate) unit: &'a str,
    /// Heads of the labels of a row.
    pub(crate) labels: &'a [&'a str],
    /// Heads of what a row notes besides its cost.
    pub(crate) notes: &'a [&'a str],
    /// Adds a column with the cost beside that of the first row.
    pub(crate) beside_first: bool,
}

type Work<'a> = Box<dyn Fn(u64, &mut Watch) + 'a>;

/// One row: what makes its name, how much it does, and the work.
pub(crate) struct Case<'a> {
    labels: Vec<String>,
    items: u64,
    counted: u64,
    rounds: usize,
    work: Work<'a>,
}

impl<'a> Case<'a> {
    /// A row that does `items` of the table's units each round.
    ///
    /// `work` is called with how many it is to do, sets up what it needs, and lets the [`Watch`]
    /// time the rest.
    pub(crate) fn new(
        labels: impl IntoIterator<Item = impl ToString>,
        items: u64,
        work: impl Fn(u64, &mut Watch) + 'a,
    ) -> Self {
        Self {
            labels: labels.into_iter().map(|label| label.to_string()).collect(),
            items,
            counted: items / COUNTED_SHARE,
            rounds: ROUNDS,
            work: Box::new(work),
        }
    }

    /// Counts the instructions of so many items: for a row whose items differ over time.
    pub(crate) fn counted_over(mut self, items: u64) -> Self {
        self.counted = items;
        self
    }

    /// Does the work so often.
    pub(crate) fn rounds(mut self, rounds: usize) -> Self {
        self.rounds = rounds;
        self
    }

    fn name(&self, table: &Table<'_>) -> String {
        format!("{}: {}", table.title, self.labels.join(", "))
    }
}

/// What a row has measured.
#[derive(Clone, Debug, Default, PartialEq)]
struct Figures {
    best_ns: f64,
    median_ns: f64,
    /// Items of the last round.
    items: u64,
    /// The median of each note.
    notes: Vec<f64>,
}

impl Bench {
    /// A bench that does what the command line asks for.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for arguments that mean nothing.
    pub(crate) fn from_arguments() -> io::Result<Self> {
        Options::of(std::env::args().skip(1)).map(|options| Self { options })
    }

    /// Whether rows that take long or much memory are to be left out.
    pub(crate) fn is_smoke(&self) -> bool {
        self.options.smoke
    }

    /// Runs the rows of a table and prints each as soon as it is done.
    ///
    /// # Errors
    ///
    /// Those of starting a row's process, and whatever made it fail.
    pub(crate) fn table(&self, table: &Table<'_>, cases: &[Case<'_>]) -> io::Result<()> {
        if let Some(name) = &self.options.alone {
            return match cases.iter().find(|case| case.name(table) == *name) {
                Some(case) => alone::answer(&self.run(case)),
                None => Ok(()),
            };
        }
        let picked = |case: &&Case<'_>| self.options.picks(&case.name(table));
        let cases: Vec<_> = cases.iter().filter(picked).collect();
        if cases.is_empty() {
            return Ok(());
        }
        let printer = self.printer(table, &cases);
        printer.head(table.title)?;
        let mut first_ns = None;
        for case in cases {
            let name = case.name(table);
            let figures = alone::time(&name, &self.options)?;
            let first_ns = *first_ns.get_or_insert(figures.best_ns);
            let mut cells = case.labels.clone();
            cells.push(table::figure(figures.best_ns));
            cells.push(table::figure(figures.median_ns));
            if self.options.instructions {
                cells.push(alone::count(&name)?.map_or_else(|| "-".into(), table::figure));
            }
            if table.beside_first {
                cells.push(format!("{:.2}", figures.best_ns / first_ns));
            }
            cells.extend(figures.notes.iter().map(|note| table::figure(*note)));
            printer.row(&cells)?;
        }
        printer.end()
    }

    fn printer(&self, table: &Table<'_>, cases: &[&Case<'_>]) -> Printer {
        let mut heads: Vec<String> = table.labels.iter().map(ToString::to_string).collect();
        heads.push(format!("ns {}", table.unit));
        heads.push("median".into());
        if self.options.instructions {
            heads.push("instructions".into());
        }
        if table.beside_first {
            heads.push("beside the first".into());
        }
        heads.extend(table.notes.iter().map(ToString::to_string));
        let labels = cases.iter().map(|case| &*case.labels);
        Printer::new(heads, labels, table.labels.len(), self.options.markdown)
    }

    /// The work of a row, in this process.
    fn run(&self, case: &Case<'_>) -> Figures {
        let (items, rounds) = match &self.options {
            Options { counted: true, .. } => {
                Watch::stop_clocks();
                (case.counted.max(1), 1)
            }
            Options { smoke: true, .. } => ((case.items / SMOKE_SHARE).max(1), 1),
            _ => (case.items, case.rounds),
        };
        let done: Vec<Watch> = (0..rounds)
            .map(|_| {
                let mut watch = Watch::new();
                (case.work)(items, &mut watch);
                watch
            })
            .collect();
        let costs: Vec<f64> = done.iter().map(Watch::ns_an_item).collect();
        let notes = done.first().map_or(0, |watch| watch.notes().len());
        Figures {
            best_ns: costs.iter().copied().fold(f64::INFINITY, f64::min),
            median_ns: median(costs),
            items: done.last().map_or(0, Watch::items),
            notes: (0..notes)
                .map(|at| median(done.iter().map(|watch| watch.notes()[at]).collect()))
                .collect(),
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
