//! Statistics over random histories, against the definitions word for word.
//!
//! Each channel has another kind. What a window says besides is recomputed from all readings that
//! were kept, in the order of time; that it is the same in snapshots, whenever they are made, says
//! that nothing of it depends on the batches.

use proptest::prelude::*;
use stillwell::engine::{
    Window,
    aggregate::Aggregator,
    statistics::{Detail, Kind, Statistics, counter::Range, hold::Course},
    summary::Flag,
};

use super::{history::Setting, oracle::Kept, *};

const MAX_HOLD_NS: i64 = 700 * MS;
const BLOCK_NS: i64 = 200 * MS;
const GUST_NS: i64 = 300 * MS;
const HALF_LIFE_NS: i64 = 150 * MS;
const MODULUS: f64 = 64.0;
const STATES: usize = 3;

/// One of each kind, by the number of the channel.
pub(super) fn statistics(channel: u32) -> Statistics {
    let none = Statistics { max_hold_ns: MAX_HOLD_NS, trust: true, ..Statistics::none() };
    match channel {
        0 => Statistics { course: Some(Course::Linear), ..none },
        1 => Statistics { course: Some(Course::Stepped), ..none },
        2 => Statistics { kind: Kind::Circular { turn: 360.0 }, ..none },
        3 => {
            let range = Range { modulus: Some(MODULUS), wrap_max: MODULUS / 2.0 };
            Statistics { kind: Kind::Counter(range), ..none }
        }
        4 => Statistics { kind: Kind::State(["a".into(), "b".into(), "c".into()].into()), ..none },
        _ => Statistics {
            ewma_ns: Some(HALF_LIFE_NS),
            allan: [BLOCK_NS].into(),
            gust_ns: Some(GUST_NS),
            ..none
        },
    }
}

fn plan_with_statistics(setting: &Setting) -> Plan {
    let mut plan = plan(&Setting { exact: Vec::new(), ..setting.clone() });
    for (number, channel) in (0..).zip(&mut plan.channels) {
        channel.rules.statistics = statistics(number);
    }
    plan
}

/// All that a channel noted, in the order of time, what came before an instant apart.
struct Noted {
    before: Vec<Kept>,
    after: Option<Kept>,
}

impl Noted {
    fn new(model: &Model, channel: u32, end_ns: i64) -> Self {
        let mut mine: Vec<Kept> =
            model.noted.iter().filter(|noted| noted.channel == channel).copied().collect();
        mine.sort_by_key(|noted| noted.at_ns);
        let (before, later): (Vec<_>, Vec<_>) = mine.into_iter().partition(|n| n.at_ns < end_ns);
        let after = later.into_iter().find(|noted| noted.seen_ns < end_ns);
        Self { before, after }
    }

    /// Those with a value.
    fn good(&self) -> Vec<(i64, f64)> {
        self.before.iter().filter(|n| is_good(n)).map(|n| (n.at_ns, n.value)).collect()
    }

    /// Stretches of time in which a value is known: from, until, and the value at both.
    fn stretches(&self, course: Course) -> Vec<(i64, i64, f64, f64)> {
        let next = self.before.iter().skip(1).map(Some).chain([self.after.as_ref()]);
        let mut stretches = Vec::new();
        for (a, b) in self.before.iter().zip(next) {
            if !is_good(a) {
                continue;
            }
            let gap_ns = b.map_or(i64::MAX, |b| b.at_ns - a.at_ns);
            let until_ns = a.at_ns + gap_ns.min(MAX_HOLD_NS);
            let last = match b.filter(|b| is_good(b) && gap_ns <= MAX_HOLD_NS) {
                Some(b) if course == Course::Linear => b.value,
                _ => a.value,
            };
            stretches.push((a.at_ns, until_ns, a.value, last));
        }
        stretches
    }
}

fn is_good(noted: &Kept) -> bool {
    !matches!(noted.flag, Flag::Fail | Flag::Missing)
}

/// Known time and integral of a window.
fn integral(noted: &Noted, course: Course, (from_ns, end_ns): (i64, i64)) -> (i64, f64) {
    let (mut known_ns, mut areas) = (0, Vec::new());
    for (start, stop, first, last) in noted.stretches(course) {
        let (x, y) = (start.max(from_ns), stop.min(end_ns));
        if x < y {
            let at =
                |ns: i64| first + (last - first) * ((ns - start) as f64 / (stop - start) as f64);
            known_ns += y - x;
            areas.push((at(x) + at(y)) / 2.0 * (y - x) as f64);
        }
    }
    (known_ns, super::oracle::exact_sum(areas.into_iter()))
}

/// What a window is to say besides.
struct Recompute {
    channel: u32,
    span: (i64, i64),
    noted: Noted,
    /// Those within the window.
    within: Vec<Kept>,
    good: Vec<(i64, f64)>,
    known_ns: i64,
    area: f64,
    largest: f64,
}

/// Everything that a summary says besides is what a recompute says.
fn check(model: &Model, channel: u32, window: Window, got: &Summary) {
    let recompute = Recompute::new(model, channel, window, got.end_ns);
    let context = (channel, window, got.end_ns);
    for detail in &got.details {
        assert!(recompute.agrees(detail), "{detail:?} of {context:?}");
    }
    assert_eq!(got.details.len(), recompute.details(), "{context:?}: {:?}", got.details);
}

impl Recompute {
    fn new(model: &Model, channel: u32, window: Window, end_ns: i64) -> Self {
        let span = (end_ns - window.length_ns, end_ns);
        let noted = Noted::new(model, channel, end_ns);
        let course = if channel == 0 { Course::Linear } else { Course::Stepped };
        let (known_ns, area) = integral(&noted, course, span);
        let within = noted.before.iter().filter(|n| span.0 <= n.at_ns).copied().collect();
        let good = noted.good();
        let values = model.noted.iter().filter(|n| is_good(n)).map(|n| n.value.abs());
        let largest = values.fold(1.0, f64::max);
        Self { channel, span, noted, within, good, known_ns, area, largest }
    }

    fn near(&self, a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * self.largest
    }

    fn agrees(&self, detail: &Detail) -> bool {
        match *detail {
            // Speeds come from the quality stage, which is not part of this.
            Detail::Nothing | Detail::Vector(_) => false,
            Detail::Known { ns } => ns == self.known_ns,
            Detail::Trust(trust) => {
                let age_ns = self.good.last().map(|(at_ns, _)| self.span.1 - at_ns);
                (trust.gap_ns, trust.age_ns, trust.unordered) == (self.gap_ns(), age_ns, 0)
            }
            Detail::Weighted(weighted) => {
                self.near(weighted.mean, self.area / self.known_ns as f64)
            }
            Detail::Directions(directions) => {
                (directions.resultant - self.resultant()).abs() < 1e-3
            }
            Detail::Counted(counted) => self.near(counted.increase, self.increase()),
            Detail::State { number, ns } => ns == self.state_ns(usize::from(number)),
            Detail::Transitions(n) => n as usize == self.transitions(),
            Detail::Ewma(mean) => self.near(mean, self.ewma()),
            Detail::Allan { deviation, .. } => {
                allan(&self.good, self.span).is_some_and(|expected| self.near(deviation, expected))
            }
            Detail::Gust { value, .. } => {
                gust(&self.good, self.span).is_some_and(|expected| self.near(value, expected))
            }
        }
    }

    /// How many details there are to be.
    fn details(&self) -> usize {
        let steps = || self.good.windows(2).any(|pair| self.span.0 <= pair[1].0);
        let of_kind = match self.channel {
            0 | 1 => usize::from(0 < self.known_ns),
            2 => usize::from(self.within.iter().any(is_good)),
            3 => usize::from(steps()),
            4 => STATES + 2,
            _ => {
                let (allan, gust) = (allan(&self.good, self.span), gust(&self.good, self.span));
                let all = [!self.good.is_empty(), allan.is_some(), gust.is_some()];
                all.into_iter().filter(|there| *there).count()
            }
        };
        2 + of_kind
    }

    fn gap_ns(&self) -> i64 {
        let times = self.within.iter().filter(|n| is_good(n)).map(|n| n.at_ns);
        let times: Vec<i64> = [self.span.0].into_iter().chain(times).chain([self.span.1]).collect();
        times.windows(2).map(|pair| pair[1] - pair[0]).max().expect("two ends")
    }

    fn resultant(&self) -> f64 {
        let radians = self.within.iter().filter(|n| is_good(n)).map(|n| n.value.to_radians());
        let (sine, cosine, n) =
            radians.fold((0.0, 0.0, 0.0), |(s, c, n), r| (s + r.sin(), c + r.cos(), n + 1.0));
        f64::hypot(sine, cosine) / n
    }

    fn increase(&self) -> f64 {
        let pairs = self.good.windows(2).filter(|pair| self.span.0 <= pair[1].0);
        super::oracle::exact_sum(pairs.map(|pair| {
            let ((_, a), (_, b)) = (pair[0], pair[1]);
            let over = b + (MODULUS - a);
            match a <= b {
                true => b - a,
                false if over <= MODULUS / 2.0 => over,
                false => b,
            }
        }))
    }

    fn state_ns(&self, number: usize) -> i64 {
        let is_it = |value: f64| match number {
            STATES => (0..STATES).all(|state| state as f64 != value),
            state => state as f64 == value,
        };
        let times = self.noted.stretches(Course::Stepped).into_iter();
        let times = times.filter(|(.., value)| is_it(*value));
        times.map(|(a, b, ..)| (b.min(self.span.1) - a.max(self.span.0)).max(0)).sum()
    }

    fn transitions(&self) -> usize {
        let state = |kept: &Kept| (0..STATES).find(|state| *state as f64 == kept.value);
        let changes = self.noted.before.windows(2).filter(|pair| {
            let both = is_good(&pair[0]) && is_good(&pair[1]);
            self.span.0 <= pair[1].at_ns && both && state(&pair[0]) != state(&pair[1])
        });
        changes.count()
    }

    fn ewma(&self) -> f64 {
        let newest_ns = self.good.last().map_or(0, |(at_ns, _)| *at_ns);
        let weight = |at: i64| (-(newest_ns - at) as f64 / HALF_LIFE_NS as f64).exp2();
        let weights: f64 = self.good.iter().map(|(at, _)| weight(*at)).sum();
        let sum: f64 = self.good.iter().map(|(at, value)| weight(*at) * value).sum();
        sum / weights
    }
}

/// Deviation over all pairs of neighbouring blocks of which the later ends in the window.
fn allan(good: &[(i64, f64)], (from_ns, end_ns): (i64, i64)) -> Option<f64> {
    let mut means: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    for (at_ns, value) in good {
        let (sum, n) = means.entry(at_ns.div_euclid(BLOCK_NS)).or_default();
        (*sum, *n) = (*sum + value, *n + 1.0);
    }
    let mean = |number: i64| means.get(&number).map(|(sum, n)| sum / n);
    let ends = |number: i64| (number + 1) * BLOCK_NS;
    let squares: Vec<f64> = means
        .keys()
        .filter(|number| from_ns < ends(**number) && ends(**number) <= end_ns)
        .filter_map(|&number| Some((mean(number)? - mean(number - 1)?).powi(2)))
        .collect();
    let n = squares.len() as f64;
    (!squares.is_empty()).then(|| (squares.iter().sum::<f64>() / (2.0 * n)).sqrt())
}

/// Largest whole running mean at a reading of the window.
fn gust(good: &[(i64, f64)], (from_ns, _): (i64, i64)) -> Option<f64> {
    let mut largest: Option<f64> = None;
    for (i, (at_ns, _)) in good.iter().enumerate() {
        let mut since_ns = *at_ns;
        for pair in good[..=i].windows(2).rev() {
            if GUST_NS <= pair[1].0 - pair[0].0 {
                break;
            }
            since_ns = pair[0].0;
        }
        if at_ns - since_ns < GUST_NS || *at_ns < from_ns {
            continue;
        }
        let running = good[..=i].iter().filter(|(other_ns, _)| at_ns - GUST_NS < *other_ns);
        let values: Vec<f64> = running.map(|(_, value)| *value).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        largest = Some(largest.map_or(mean, |largest| largest.max(mean)));
    }
    largest
}

/// Angles, counters and states from values of any size.
fn fitting(events: Vec<Event>) -> Vec<Event> {
    let fit = |channel: u32, value: f64| match channel {
        _ if !value.is_finite() || 1e13 < value.abs() => value,
        2 => value % 1_000.0,
        3 => value.abs().round() % MODULUS,
        4 => (value.abs() % 5.0).round() - 1.0,
        _ => value,
    };
    let of = |event: Event| {
        let shift = (event.device - 1) * CHANNELS;
        let samples = event.samples.into_iter();
        let samples = samples.map(|(c, at, value)| (c, at, fit(c + shift, value))).collect();
        Event { samples, ..event }
    };
    events.into_iter().map(of).collect()
}

proptest! {

    #[test]
    fn what_results_say_besides_equals_a_naive_recompute(
        setting in setting(),
        moves in moves(),
        cuts in proptest::collection::vec(1..40_usize, 1..6),
    ) {
        let setting = Setting { exact: Vec::new(), ..setting };
        let events = fitting(history(&moves));
        let plan = plan_with_statistics(&setting);
        let batches = batches(&events, &cuts, 400 * MS);
        let model = model_of(&events, &batches, &setting);
        let (got, _) = results(&plan, batches);
        for result in got {
            let window = setting.windows[result.window];
            check(&model, result.channel.index, window, &result.summary);
        }
    }

    #[test]
    fn what_snapshots_say_besides_equals_a_naive_recompute(
        setting in setting(),
        moves in moves(),
        cuts in proptest::collection::vec(1..40_usize, 1..6),
        slice in 1..8_usize,
    ) {
        let setting = Setting { exact: Vec::new(), ..setting };
        let events = fitting(history(&moves));
        let plan = plan_with_statistics(&setting);
        let mut front = Front::new(&plan);
        let mut rolling = Rolling::with(&plan, MS, 1, Aggregator::in_slices(slice));
        let mut snapshots = Vec::new();
        let batches = batches(&events, &cuts, 400 * MS);
        let model = model_of(&events, &batches, &setting);
        for batch in batches {
            snapshots.extend(rolling.step(front.step(batch)));
        }
        let last = rolling.finish().expect("a last snapshot");
        for snapshot in snapshots.into_iter().chain([last]) {
            // One of a history without a frame knows of no channel yet.
            for channel in 0..snapshot.len() as u32 {
                for (number, &window) in setting.windows.iter().enumerate() {
                    if let Some(summary) = snapshot.channel(channel).summary(number) {
                        check(&model, channel, window, &summary);
                    }
                }
            }
        }
    }

    /// What a snapshot shows is a result that a replay gives, also of windows that hold nothing but
    /// what reaches into them.
    #[test]
    fn snapshots_say_what_a_replay_says(
        setting in setting(),
        moves in moves(),
        cuts in proptest::collection::vec(1..40_usize, 1..6),
    ) {
        let setting = Setting { exact: Vec::new(), ..setting };
        let events = fitting(history(&moves));
        let plan = plan_with_statistics(&setting);
        let (all, _) = results(&plan, batches(&events, &cuts, 400 * MS));
        let all: BTreeMap<(i64, u32, usize), Summary> = all
            .into_iter()
            .map(|r| ((r.summary.end_ns, r.channel.index, r.window), r.summary))
            .collect();
        let (mut front, mut rolling) = (Front::new(&plan), Rolling::new(&plan, MS, 1));
        for batch in batches(&events, &cuts, 400 * MS) {
            let Some(snapshot) = rolling.step(front.step(batch)) else { continue };
            for channel in 0..snapshot.len() as u32 {
                for window in 0..setting.windows.len() {
                    let Some(shown) = snapshot.channel(channel).summary(window) else { continue };
                    let said = all.get(&(shown.end_ns, channel, window));
                    let said = said.map(|said| (said.n, said.flags, &said.details));
                    prop_assert_eq!(said, Some((shown.n, shown.flags, &shown.details)));
                }
            }
        }
    }
}
