//! What the scan combinator adds to the work of a step: beside `futures::StreamExt::scan` and a
//! plain loop, one item at a time and in batches, with one state and with one for each channel.
//!
//! `cargo bench --bench combinator`; its arguments are those of benches/support. Compare ratios
//! within one run.

mod support;

use std::{hint::black_box, io, sync::Arc, task::Poll};

use futures::{
    StreamExt as _,
    executor::block_on,
    future::ready,
    stream::{self, BoxStream, Stream},
};
use rand::{RngExt as _, SeedableRng as _, rngs::ChaCha8Rng};
use stillwell::scan::{Step, StreamExt as _};

use self::support::{Bench, Case, Table};

/// Items in a batch: what the queue to the engine carries at most.
const BATCH: u64 = 4_096;
/// Items of a round over one state, and over many.
const ITEMS: u64 = 4_096 * BATCH;
const SPREAD_ITEMS: u64 = 1_024 * BATCH;
/// Length of an order of channels, which repeats.
const ORDER: usize = 1 << 20;

/// A way to take all items, and its name.
type Way = (&'static str, fn(Items, Sums) -> u64);

const WAYS: [Way; 8] = [
    ("plain loop", |items, mut sums| {
        items.one_by_one().filter_map(|item| sums.step(item)).fold(0, u64::wrapping_add)
    }),
    ("scan_with", |items, sums| drain(stream::iter(items.one_by_one()).scan_with(sums))),
    // `scan` takes `None` for the end: what has nothing to say must say so in a value.
    ("futures scan", |items, sums| {
        let said = stream::iter(items.one_by_one())
            .scan(sums, |sums, item| ready(Some(sums.step(item))))
            .filter_map(ready);
        drain(said)
    }),
    ("scan_with, boxed input", |items, sums| {
        let input: BoxStream<'_, u32> = stream::iter(items.one_by_one()).boxed();
        drain(input.scan_with(sums))
    }),
    ("scan_with, input often pending", |items, sums| drain(items.hesitant().scan_with(sums))),
    ("plain loop over batches", |items, sums| {
        let mut step = BatchSums(sums);
        items.in_batches().filter_map(|batch| step.step(batch)).fold(0, u64::wrapping_add)
    }),
    ("scan_with over batches", |items, sums| {
        drain(stream::iter(items.in_batches()).scan_with(BatchSums(sums)))
    }),
    ("scan_with over batches, boxed input", |items, sums| {
        drain(stream::iter(items.in_batches()).boxed().scan_with(BatchSums(sums)))
    }),
];

/// Those of [`WAYS`] that are looked at with many channels.
const SPREAD: [usize; 4] = [0, 1, 2, 6];

fn main() -> io::Result<()> {
    let bench = Bench::from_arguments()?;
    let table = Table {
        title: "A step with one state",
        unit: "an item",
        labels: &["what drives it"],
        notes: &[],
        beside_first: true,
    };
    let cases = WAYS.map(|way| case(way, ITEMS, 1, &in_turn(1)));
    bench.table(&table, &cases)?;
    for channels in [10, 1_000, 100_000, 1_000_000] {
        for (name, order) in [("round-robin", in_turn(channels)), ("random", at_random(channels))] {
            let title = format!("A step with a state for each of {channels} channels, {name}");
            let cases = SPREAD.map(|at| case(WAYS[at], SPREAD_ITEMS, channels, &order));
            bench.table(&Table { title: &title, ..table }, &cases)?;
        }
    }
    Ok(())
}

fn case((name, way): Way, items: u64, channels: u32, order: &Arc<[u32]>) -> Case<'static> {
    let order = Arc::clone(order);
    Case::new([name], items, move |count, watch| {
        let count = count.next_multiple_of(BATCH);
        let items = Items { count, order: Arc::clone(&order) };
        let sums = Sums::new(channels);
        watch.time(count, || black_box(way(black_box(items), sums)));
    })
}

fn in_turn(channels: u32) -> Arc<[u32]> {
    (0..channels).cycle().take(ORDER).collect()
}

fn at_random(channels: u32) -> Arc<[u32]> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    (0..ORDER).map(|_| random.random_range(0..channels)).collect()
}

/// What comes in: channels in an order that repeats.
#[derive(Clone, Debug)]
struct Items {
    count: u64,
    order: Arc<[u32]>,
}

impl Items {
    fn one_by_one(self) -> impl Iterator<Item = u32> + Send {
        let Self { count, order } = self;
        (0..count).map(move |at| order[at as usize % ORDER])
    }

    fn in_batches(self) -> impl Iterator<Item = Vec<u32>> + Send {
        let Self { count, order } = self;
        let batch = move |at: u64| {
            let start = (at * BATCH) as usize % ORDER;
            order[start..start + BATCH as usize].to_vec()
        };
        (0..count / BATCH).map(batch)
    }

    /// Ends its turn at each batch, as a queue does that is empty.
    fn hesitant(self) -> impl Stream<Item = u32> {
        let Self { count, order } = self;
        let (mut next, mut paused) = (0, false);
        stream::poll_fn(move |context| {
            if next == count {
                return Poll::Ready(None);
            }
            paused = !paused && next % BATCH == 0;
            if paused {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            let item = order[next as usize % ORDER];
            next += 1;
            Poll::Ready(Some(item))
        })
    }
}

/// A small step, so that what is around it shows: sums for each channel, and says one now and
/// then.
struct Sums {
    taken: u64,
    of_channels: Vec<u64>,
}

impl Sums {
    fn new(channels: u32) -> Self {
        // Not zeros, which the kernel would only promise.
        Self { taken: 0, of_channels: vec![1; channels as usize] }
    }
}

impl Step for Sums {
    type In = u32;
    type Out = u64;

    fn step(&mut self, channel: u32) -> Option<u64> {
        self.taken += 1;
        let sum = &mut self.of_channels[channel as usize];
        *sum = sum.wrapping_mul(31).wrapping_add(self.taken);
        self.taken.is_multiple_of(BATCH).then_some(*sum)
    }

    fn finish(&mut self) -> Option<u64> {
        None
    }
}

/// The same over batches.
struct BatchSums(Sums);

impl Step for BatchSums {
    type In = Vec<u32>;
    type Out = u64;

    fn step(&mut self, batch: Vec<u32>) -> Option<u64> {
        batch.into_iter().filter_map(|channel| self.0.step(channel)).last()
    }

    fn finish(&mut self) -> Option<u64> {
        None
    }
}

fn drain(stream: impl Stream<Item = u64>) -> u64 {
    block_on(stream.fold(0, |sum: u64, said| ready(sum.wrapping_add(said))))
}
