//! Cost of percentiles: a reading into the bins, a pane closed, a window asked for its percentiles
//! and for all of its bins, beside a window of the same panes made of the crate's `Histogram`.
//! `confined` bins are those of a channel that takes no more memory for the sake of speed.
//!
//! `cargo bench --bench percentiles`; its arguments are those of benches/support. One channel, in
//! the cache: what many channels make of it is in the bench `engine`.

mod support;

use std::{hint::black_box, io};

use hdrhistogram::{
    Histogram,
    serialization::{Serializer as _, V2Serializer},
};
use rand::{RngExt as _, SeedableRng as _, rngs::ChaCha8Rng};
use stillwell::{
    engine::{
        Rules, Window,
        bins::{
            Counting,
            counting::{Counter, Precision},
            export::Export,
            relief::Relief,
        },
        open::Pane,
        statistics::Statistics,
    },
    limits::{BIN_VALUE_MAX, MS, SECOND},
};

use self::support::{Bench, Case, Table, Watch};

const RESOLUTION: f64 = 0.01;
const PERCENTILES: [f64; 4] = [50.0, 90.0, 95.0, 99.0];
const PANE_NS: i64 = 100 * MS;
/// Panes of the window, which moves on with each.
const PANES: i64 = 10;
/// Readings of a pane.
const MANY: usize = 1_000;
const FEW: usize = 100;
/// Different readings, taken in turn: a prime, so that no two panes are the same.
const VALUES: usize = 65_537;

/// How the values lie.
#[derive(Clone, Copy, Debug)]
enum Spread {
    /// About 20 with a spread of 1 %.
    Narrow,
    /// Those of a wave about 0, as the voltage of the mains.
    Wave,
    /// Over six powers of ten, of both signs.
    Wide,
}

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Reading,
    Close,
    Ask,
    Export,
}

fn main() -> io::Result<()> {
    let bench = Bench::from_arguments()?;
    let table = Table {
        title: "A reading into bins",
        unit: "a reading",
        labels: &["readings a pane", "figures", "values", "counted by"],
        notes: &["bytes a channel"],
        beside_first: false,
    };
    bench.table(&table, &cases(Step::Reading, 20_000_000))?;
    let table = Table { title: "A pane closed", unit: "a pane", ..table };
    bench.table(&table, &cases(Step::Close, 4_000))?;
    let table = Table { title: "A window asked for 4 percentiles", unit: "a window", ..table };
    bench.table(&table, &cases(Step::Ask, 4_000))?;
    let table = Table { title: "A window exported", notes: &["bytes"], ..table };
    bench.table(&table, &cases(Step::Export, 4_000))
}

/// What is counted.
#[derive(Clone, Copy, Debug)]
struct Load {
    figures: u8,
    spread: Spread,
    /// Readings of a pane.
    readings: usize,
}

impl Load {
    /// Panes of more readings than there are bins, for each precision; and of fewer.
    fn all() -> impl Iterator<Item = Self> {
        let spreads = [Spread::Narrow, Spread::Wave, Spread::Wide];
        let panes = [(1, MANY), (2, MANY), (3, MANY), (3, FEW)];
        panes.into_iter().flat_map(move |(figures, readings)| {
            spreads.map(|spread| Self { figures, spread, readings })
        })
    }

    fn labels(self, by: &str) -> [String; 4] {
        let values = match self.spread {
            Spread::Narrow => "narrow",
            Spread::Wave => "wave",
            Spread::Wide => "wide",
        };
        [self.readings.to_string(), self.figures.to_string(), values.to_owned(), by.to_owned()]
    }
}

/// A row for each load and way to count.
fn cases(step: Step, items: u64) -> Vec<Case<'static>> {
    let mut cases = Vec::new();
    for load in Load::all() {
        let figures = load.figures;
        cases.push(Case::new(load.labels("bins"), items, move |items, watch| {
            run(&mut Bins::new(figures), step, load, items, watch);
        }));
        // With many readings there is nothing that a channel would give up.
        if load.readings == FEW {
            cases.push(Case::new(load.labels("bins, confined"), items, move |items, watch| {
                let mut confined = Bins::new(figures);
                confined.counting.relieve(&Relief::Confine([0].into()));
                run(&mut confined, step, load, items, watch);
            }));
        }
        cases.push(Case::new(load.labels("the crate"), items, move |items, watch| {
            run(&mut Dense::new(figures), step, load, items, watch);
        }));
    }
    cases
}

/// A rolling window of one channel.
trait Rolling {
    fn note(&mut self, pane: i64, value: f64);
    fn close(&mut self, pane: i64);
    /// Percentiles of the window up to the pane, which is closed.
    fn ask(&mut self, pane: i64) -> f64;
    /// All bins of the same; how many bytes they come to.
    fn export(&mut self, pane: i64) -> usize;
    /// What is kept, between panes.
    fn bytes(&self) -> usize;
}

fn run(rolling: &mut impl Rolling, step: Step, load: Load, items: u64, watch: &mut Watch) {
    let values = load.spread.values();
    let mut values = values.iter().copied().cycle();
    let (mut pane, mut exported) = (0, 0);
    while watch.items() < items {
        let readings: Vec<f64> = values.by_ref().take(load.readings).collect();
        // The first panes fill the window.
        let timed = |which| which == step && PANES < pane;
        let note = |rolling: &mut _| readings.iter().for_each(|x| Rolling::note(rolling, pane, *x));
        if timed(Step::Reading) {
            watch.time(load.readings as u64, || note(rolling));
        } else {
            note(rolling);
        }
        if timed(Step::Close) {
            watch.time(1, || rolling.close(pane));
        } else {
            rolling.close(pane);
        }
        if timed(Step::Ask) {
            watch.time(1, || black_box(rolling.ask(pane)));
        }
        if timed(Step::Export) {
            exported = watch.time(1, || rolling.export(pane));
        }
        pane += 1;
    }
    let noted = if step == Step::Export { exported } else { rolling.bytes() };
    watch.note_all([noted as f64]);
}

impl Spread {
    fn values(self) -> Vec<f64> {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut value = || match self {
            Self::Narrow => 19.4 + 0.4 * (0..3).map(|_| random.random::<f64>()).sum::<f64>(),
            Self::Wave => 325.0 * (std::f64::consts::TAU * random.random::<f64>()).sin(),
            Self::Wide => {
                let magnitude = 10_f64.powf(6.0 * random.random::<f64>() - 1.0);
                if random.random() { magnitude } else { -magnitude }
            }
        };
        (0..VALUES).map(|_| value()).collect()
    }
}

/// As the engine counts.
struct Bins {
    counting: Counting,
    counter: Counter,
    rules: Rules,
    ranked: Vec<f64>,
}

impl Bins {
    fn new(figures: u8) -> Self {
        let rules = Rules {
            pane_ns: PANE_NS,
            lateness_ns: 0,
            future_ns: 2 * SECOND,
            windows: [Window { length_ns: PANES * PANE_NS, every_ns: PANE_NS }].into(),
            exact: [].into(),
            percentiles: PERCENTILES.into(),
            figures,
            resolution: RESOLUTION,
            expected_rate: None,
            stale_ns: 10 * SECOND,
            silent_ns: 60 * SECOND,
            statistics: Statistics::none(),
        };
        let mut counting = Counting::new(u64::MAX);
        let counter = counting.add(0, 0, &rules);
        Self { counting, counter, rules, ranked: Vec::new() }
    }

    /// The pane with this number, of which one is open at a time.
    fn pane(number: i64) -> Pane {
        Pane::new(number, 1)
    }

    /// The window up to a pane.
    fn window(pane: i64) -> (usize, i64) {
        (0, (pane + 1) * PANE_NS)
    }
}

impl Rolling for Bins {
    fn note(&mut self, pane: i64, value: f64) {
        self.counting.note(&self.counter, Self::pane(pane), value);
    }

    fn close(&mut self, pane: i64) {
        self.counting.close(&self.counter, Self::pane(pane), pane * PANE_NS);
    }

    fn ask(&mut self, pane: i64) -> f64 {
        let Self { counting, counter, rules, ranked } = self;
        let any = (f64::NEG_INFINITY, f64::INFINITY);
        let precision = counting.ask(counter, rules, Self::window(pane), any, ranked);
        debug_assert_eq!(precision, Precision::Configured);
        ranked.iter().sum()
    }

    fn export(&mut self, pane: i64) -> usize {
        let mut bins = Vec::new();
        let each = |bin, count| bins.push((bin, count));
        let scale = self.counting.bins(&self.counter, Self::window(pane), each);
        Export::new(scale.expect("nothing is withheld"), bins, usize::MAX).bytes()
    }

    fn bytes(&self) -> usize {
        self.counting.load().bytes as usize + Counting::bytes_per_channel(&self.rules)
    }
}

/// The crate's histograms, each with a bin for every value that there may be: of negative and of
/// other values, for each pane and for the window.
struct Dense {
    panes: Vec<[Histogram<u64>; 2]>,
    sum: [Histogram<u64>; 2],
    written: Vec<u8>,
}

impl Dense {
    fn new(figures: u8) -> Self {
        let histogram = || Histogram::new_with_bounds(1, BIN_VALUE_MAX, figures).expect("valid");
        let both = || [histogram(), histogram()];
        Self { panes: (0..=PANES).map(|_| both()).collect(), sum: both(), written: Vec::new() }
    }

    fn pane(&mut self, number: i64) -> &mut [Histogram<u64>; 2] {
        let slots = self.panes.len();
        &mut self.panes[number as usize % slots]
    }
}

impl Rolling for Dense {
    fn note(&mut self, pane: i64, value: f64) {
        let quantity = (value * (1.0 / RESOLUTION)).round();
        let histogram = &mut self.pane(pane)[usize::from(quantity < 0.0)];
        histogram.saturating_record(quantity.abs() as u64);
    }

    fn close(&mut self, pane: i64) {
        let Self { panes, sum, .. } = self;
        let slots = panes.len();
        for (sum, closed) in sum.iter_mut().zip(&panes[pane as usize % slots]) {
            sum.add(closed).expect("the same bounds");
        }
        let leaving = &mut panes[(pane + 1) as usize % slots];
        for (sum, leaving) in sum.iter_mut().zip(leaving) {
            sum.subtract(&*leaving).expect("it was added");
            leaving.reset();
        }
    }

    fn ask(&mut self, _: i64) -> f64 {
        let [positive, negative] = &self.sum;
        let n = positive.len() + negative.len();
        let value = |percentile: f64| {
            let rank = (percentile * n as f64 / 100.0).ceil() as u64;
            match rank.checked_sub(negative.len()) {
                None | Some(0) => {
                    let quantile = (negative.len() - rank + 1) as f64 / negative.len() as f64;
                    -(negative.value_at_quantile(quantile) as f64)
                }
                Some(rank) => {
                    positive.value_at_quantile(rank as f64 / positive.len() as f64) as f64
                }
            }
        };
        PERCENTILES.iter().map(|percentile| value(*percentile) * RESOLUTION).sum()
    }

    fn export(&mut self, _: i64) -> usize {
        self.written.clear();
        for histogram in self.sum.iter().filter(|histogram| !histogram.is_empty()) {
            let written = V2Serializer::new().serialize(histogram, &mut self.written);
            written.expect("memory takes every byte");
        }
        self.written.len()
    }

    fn bytes(&self) -> usize {
        let histograms = self.panes.iter().flatten().chain(&self.sum);
        histograms.map(|histogram| histogram.distinct_values() * size_of::<u64>()).sum()
    }
}
