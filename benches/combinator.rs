//! What the scan combinator adds to the work of a step: beside `futures::StreamExt::scan` and a
//! plain loop, one item at a time and in batches.
//!
//! `cargo bench --bench combinator` prints a table; `cargo bench --bench combinator -- --test`
//! runs each row once, to see that it runs. Times are those of the process's own CPU, best of
//! several rounds, because machines are noisy; compare ratios within one run.

use std::{
    hint::black_box,
    io::{self, Write},
    task::Poll,
};

use futures::{
    StreamExt as _,
    executor::block_on,
    future::ready,
    stream::{self, BoxStream, Stream},
};
use stillwell::{
    daemon::clock::cpu_ns,
    scan::{Step, StreamExt as _},
};

/// Items in a batch: what the queue to the engine carries at most.
const BATCH: u64 = 4_096;

/// A way to sum so many items, and its name.
type Row = (&'static str, fn(u64) -> u64);

/// Sums, and says the sum at each multiple of [`BATCH`] items: a small step, so that what is
/// around it shows.
#[derive(Default)]
struct Sums {
    taken: u64,
    sum: u64,
}

impl Sums {
    fn take(&mut self, item: u64) -> Option<u64> {
        self.taken += 1;
        self.sum = self.sum.wrapping_mul(31).wrapping_add(item);
        self.taken.is_multiple_of(BATCH).then_some(self.sum)
    }
}

impl Step for Sums {
    type In = u64;
    type Out = u64;

    fn step(&mut self, item: u64) -> Option<u64> {
        self.take(item)
    }

    fn finish(&mut self) -> Option<u64> {
        None
    }
}

/// The same over batches.
#[derive(Default)]
struct BatchSums(Sums);

impl Step for BatchSums {
    type In = Vec<u64>;
    type Out = u64;

    fn step(&mut self, batch: Vec<u64>) -> Option<u64> {
        batch.into_iter().filter_map(|item| self.0.take(item)).last()
    }

    fn finish(&mut self) -> Option<u64> {
        None
    }
}

fn main() -> io::Result<()> {
    let smoke = std::env::args().any(|argument| argument == "--test");
    let (items, rounds) = if smoke { (2 * BATCH, 1) } else { (4_096 * BATCH, 7) };
    let rows: [Row; 8] = [
        ("plain loop", plain),
        ("scan_with", |items| drain(numbers(items).scan_with(Sums::default()))),
        ("futures scan", |items| drain(futures_scan(items))),
        ("scan_with, boxed input", |items| {
            let input: BoxStream<'_, u64> = numbers(items).boxed();
            drain(input.scan_with(Sums::default()))
        }),
        ("scan_with, input often pending", |items| {
            drain(hesitant(items).scan_with(Sums::default()))
        }),
        ("plain loop over batches", |items| {
            let mut step = BatchSums::default();
            (0..items / BATCH).filter_map(|at| step.step(batch(at))).fold(0, u64::wrapping_add)
        }),
        ("scan_with over batches", |items| drain(batches(items).scan_with(BatchSums::default()))),
        ("scan_with over batches, boxed input", |items| {
            drain(batches(items).boxed().scan_with(BatchSums::default()))
        }),
    ];
    let mut out = io::stdout().lock();
    writeln!(out, "                                     ns an item (best)  beside the plain loop")?;
    let mut plain_ns = f64::NAN;
    for (name, run) in rows {
        let mut best_ns = i64::MAX;
        for _ in 0..rounds {
            let before_ns = cpu_ns();
            black_box(run(black_box(items)));
            best_ns = best_ns.min(cpu_ns() - before_ns);
        }
        let each_ns = best_ns as f64 / items as f64;
        if name.starts_with("plain loop") {
            plain_ns = each_ns;
        }
        writeln!(out, "{name:<36}  {each_ns:>16.2}  {:>21.2}", each_ns / plain_ns)?;
    }
    Ok(())
}

fn plain(items: u64) -> u64 {
    let mut sums = Sums::default();
    (0..items).filter_map(|item| sums.take(item)).fold(0, u64::wrapping_add)
}

fn numbers(items: u64) -> impl Stream<Item = u64> + Send {
    stream::iter(0..items)
}

/// Ends its turn at each batch, as a queue does that is empty.
fn hesitant(items: u64) -> impl Stream<Item = u64> {
    let (mut next, mut paused) = (0, false);
    stream::poll_fn(move |context| {
        if next == items {
            return Poll::Ready(None);
        }
        paused = !paused && next % BATCH == 0;
        if paused {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        next += 1;
        Poll::Ready(Some(next - 1))
    })
}

fn batch(at: u64) -> Vec<u64> {
    (at * BATCH..(at + 1) * BATCH).collect()
}

fn batches(items: u64) -> impl Stream<Item = Vec<u64>> + Send {
    stream::iter(0..items / BATCH).map(batch)
}

/// `scan` takes `None` for the end of the stream: what has nothing to say must say so in a value.
fn futures_scan(items: u64) -> impl Stream<Item = u64> {
    let said = numbers(items).scan(Sums::default(), |sums, item| ready(Some(sums.take(item))));
    said.filter_map(ready)
}

fn drain(stream: impl Stream<Item = u64>) -> u64 {
    block_on(stream.fold(0, |sum: u64, said| ready(sum.wrapping_add(said))))
}
