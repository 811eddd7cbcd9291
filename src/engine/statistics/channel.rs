//! What is kept of one channel besides its panes.

mod saved;

use std::{mem, sync::Arc};

use super::{
    allan::{Allan, Blocks},
    circular::Circular,
    counter::Counter,
    detail::Detail,
    ewma::Ewma,
    gust::Gust,
    hold::{Hold, Point},
    plan::{Kind, Statistics},
    series::{Edge, Series, Span},
    state::{StateTimes, States, known_or_other},
    trust::Trust,
    waiting::{Waiting, Waits},
    weighted::TimeWeighted,
};
use crate::{
    engine::{
        rules::{Rules, Window},
        snapshot::ChannelInfo,
    },
    limits::{SECOND, STATES_MAX, UNORDERED_DEFAULT, UNORDERED_MAX, UNORDERED_MIN},
};

/// The statistics of one channel.
#[derive(Debug)]
pub(super) struct Channel {
    info: Arc<ChannelInfo>,
    waiting: Waiting,
    taken: Taken,
    /// What goes with the next reading, if anything does.
    speed: f64,
}

/// The statistics as readings come in the order of time.
#[derive(Debug)]
struct Taken {
    hold: Hold,
    newest: Point,
    good: Point,
    /// For each window what was known at the last of its instants that readings went past.
    edges: Box<[Edge]>,
    /// No window has an instant before it that was not gone past.
    edge_ns: i64,
    weighted: Series<TimeWeighted>,
    trust: Series<Trust>,
    of_kind: OfKind,
    ewma: Option<Ewma>,
    allan: Box<[Stability]>,
    gust: Option<Gust>,
}

/// What there is for each kind of channel.
#[derive(Debug)]
enum OfKind {
    Scalar,
    Circular(Series<Circular>),
    Counter(Series<Counter>),
    State(Series<States>),
}

#[derive(Debug)]
struct Stability {
    length_ns: i64,
    blocks: Blocks,
    pairs: Series<Allan>,
}

impl Channel {
    /// Bytes that the statistics of a channel with these rules come to at most.
    pub(super) fn bytes_at_most(rules: &Rules) -> usize {
        let Rules { windows, statistics, .. } = rules;
        let of_kind = match &statistics.kind {
            Kind::Scalar => 0,
            Kind::Circular { .. } => Series::<Circular>::bytes(windows),
            Kind::Counter(_) => Series::<Counter>::bytes(windows),
            Kind::State(_) => Series::<States>::bytes(windows),
        };
        let stability = size_of::<Stability>() + Series::<Allan>::bytes(windows);
        let gust = statistics.gust_ns.map_or(0, |_| Gust::bytes_at_most(windows));
        size_of::<Self>()
            + size_of_val(&**windows) / size_of::<Window>() * size_of::<Edge>()
            + Series::<TimeWeighted>::bytes(windows)
            + Series::<Trust>::bytes(windows)
            + of_kind
            + statistics.allan.len() * stability
            + gust
            + Waiting::bytes_at_most(most_waiting(rules))
    }

    pub(super) fn new(info: Arc<ChannelInfo>) -> Self {
        let waiting = Waiting::new(most_waiting(&info.rules));
        let taken = Taken::new(&info.rules.windows, &info.rules.statistics, info.index);
        Self { info, waiting, taken, speed: f64::NAN }
    }

    /// Takes note of the value of another channel that goes with the next reading.
    pub(super) fn accompany(&mut self, value: f64) {
        self.speed = value;
    }

    /// Takes note of a reading that is not below the watermark.
    pub(super) fn push(&mut self, mut waits: Waits) {
        let Self { info, waiting, taken, speed } = self;
        waits.speed = mem::replace(speed, f64::NAN);
        if let (Kind::State(names), true) = (&info.rules.statistics.kind, waits.point.is_known()) {
            waits.point.value = known_or_other(waits.point.value, names.len());
        }
        if waits.point.at_ns < taken.newest.at_ns {
            taken.lack(&waits);
        } else if waiting.push(waits)
            && let Some(middle_ns) = waiting.middle_ns()
        {
            // At least the first goes, so that there is room for the next.
            take_below(waiting, taken, info, middle_ns);
            take_first(waiting, taken, info);
        }
    }

    /// Takes the readings before an instant: panes are closed so far.
    pub(super) fn close(&mut self, end_ns: i64) {
        let Self { info, waiting, taken, .. } = self;
        take_below(waiting, taken, info, end_ns);
    }

    /// What a window says besides that ends at `at_ns`, which no watermark is below and which is
    /// not before the last instant asked for; as many details as the plan says.
    pub(super) fn result(&mut self, window: usize, at_ns: i64, details: &mut Vec<Detail>) {
        let Self { info, waiting, taken, .. } = self;
        take_below(waiting, taken, info, at_ns);
        let Rules { windows, statistics, .. } = &info.rules;
        let edge = if taken.newest.at_ns < at_ns {
            taken.edge(at_ns, waiting)
        } else {
            taken.edges[window]
        };
        let span = Span { from_ns: at_ns - windows[window].length_ns, until_ns: at_ns };
        taken.result(window, span, &edge, statistics, details);
    }
}

/// Takes the readings before an instant.
fn take_below(waiting: &mut Waiting, taken: &mut Taken, info: &ChannelInfo, at_ns: i64) {
    while waiting.first().is_some_and(|first| first.point.at_ns < at_ns) {
        take_first(waiting, taken, info);
    }
}

fn take_first(waiting: &mut Waiting, taken: &mut Taken, info: &ChannelInfo) {
    let Some(first) = waiting.first() else { return };
    // What comes after an instant is looked for among those that wait, this one included.
    if taken.edge_ns <= first.point.at_ns {
        taken.pass(first.point.at_ns, &info.rules.windows, waiting);
    }
    waiting.pop();
    taken.take(&first, &info.rules.statistics);
}

/// Readings that wait for the watermark at most: twice those that are expected meanwhile.
fn most_waiting(rules: &Rules) -> usize {
    let Some(rate) = rules.expected_rate else { return UNORDERED_DEFAULT };
    let span_ns = rules.lateness_ns.saturating_add(rules.pane_ns);
    let expected = rate * span_ns as f64 / SECOND as f64;
    ((2.0 * expected) as usize).clamp(UNORDERED_MIN, UNORDERED_MAX)
}

impl Taken {
    fn new(windows: &[Window], statistics: &Statistics, index: u32) -> Self {
        let never = Edge::new(i64::MIN, Point::NEVER, Point::NOT_YET);
        let stability = |&length_ns: &i64| Stability {
            length_ns,
            blocks: Blocks::new(length_ns),
            pairs: Series::new(windows, index),
        };
        Self {
            hold: statistics.hold(),
            newest: Point::NEVER,
            good: Point::NEVER,
            edges: vec![never; windows.len()].into(),
            edge_ns: i64::MIN,
            weighted: Series::new(windows, index),
            trust: Series::new(windows, index),
            of_kind: match &statistics.kind {
                Kind::Scalar => OfKind::Scalar,
                Kind::Circular { .. } => OfKind::Circular(Series::new(windows, index)),
                Kind::Counter(_) => OfKind::Counter(Series::new(windows, index)),
                Kind::State(_) => OfKind::State(Series::new(windows, index)),
            },
            ewma: statistics.ewma_ns.map(Ewma::new),
            allan: statistics.allan.iter().map(stability).collect(),
            gust: statistics.gust_ns.map(|length_ns| Gust::new(length_ns, windows, index)),
        }
    }

    /// What is known at an instant that no reading went past.
    fn edge(&self, at_ns: i64, waiting: &Waiting) -> Edge {
        Edge {
            good_ns: self.good.is_known().then_some(self.good.at_ns),
            ewma: self.ewma.and_then(|ewma| ewma.mean()),
            ..Edge::new(at_ns, self.newest, waiting.after(at_ns))
        }
    }

    /// Keeps what is known at the instants that a reading of this time goes past.
    fn pass(&mut self, to_ns: i64, windows: &[Window], waiting: &Waiting) {
        self.edge_ns = i64::MAX;
        for (number, window) in windows.iter().enumerate() {
            let at_ns = to_ns.div_euclid(window.every_ns) * window.every_ns;
            if self.newest.at_ns < at_ns {
                self.edges[number] = self.edge(at_ns, waiting);
            }
            self.edge_ns = self.edge_ns.min(at_ns + window.every_ns);
        }
    }

    fn take(&mut self, waits: &Waits, statistics: &Statistics) {
        let Waits { point, tests, speed, .. } = *waits;
        let (Point { at_ns, value }, before) = (point, self.newest);
        self.weighted.add(at_ns, &TimeWeighted::of(point, before, self.hold));
        self.trust.add(at_ns, &Trust::of(at_ns, point.is_known(), tests));
        if let OfKind::State(series) = &mut self.of_kind {
            series.add(at_ns, &States::of(point, before, self.hold));
        }
        self.newest = point;
        if !point.is_known() {
            return;
        }
        match (&mut self.of_kind, &statistics.kind) {
            (OfKind::Circular(series), Kind::Circular { turn }) => {
                series.add(at_ns, &Circular::of(value, speed, *turn));
            }
            (OfKind::Counter(series), Kind::Counter(range)) => {
                series.add(at_ns, &Counter::of(point, self.good, *range));
            }
            _ => {}
        }
        self.good = point;
        if let Some(ewma) = &mut self.ewma {
            ewma.push(at_ns, value);
        }
        for stability in &mut self.allan {
            stability.close_until(at_ns);
            stability.blocks.push(at_ns, value);
        }
        if let Some(gust) = &mut self.gust {
            gust.push(at_ns, value);
        }
    }

    /// A reading came that is earlier than one that was taken.
    fn lack(&mut self, waits: &Waits) {
        self.trust.add(self.newest.at_ns, &Trust::unordered(waits.tests));
    }

    fn result(
        &mut self,
        window: usize,
        span: Span,
        edge: &Edge,
        statistics: &Statistics,
        details: &mut Vec<Detail>,
    ) {
        let (at_ns, hold) = (span.until_ns, self.hold);
        let end = details.len() + statistics.details();
        let weighted = self.weighted.result(window, at_ns).over(span, edge, hold);
        details.push(Detail::Known { ns: weighted.map_or(0, |weighted| weighted.known_ns) });
        let trust = self.trust.result(window, at_ns);
        details.push(Detail::Trust(trust.over(span, edge)));
        if statistics.course.is_some() {
            details.extend(weighted.map(Detail::Weighted));
        }
        match (&mut self.of_kind, &statistics.kind) {
            (OfKind::Circular(series), Kind::Circular { turn }) => {
                let all = series.result(window, at_ns);
                details.extend(all.directions(*turn).map(Detail::Directions));
                details.extend(all.vector(*turn).map(Detail::Vector));
            }
            (OfKind::Counter(series), Kind::Counter(_)) => {
                let counted = series.result(window, at_ns).counted();
                details.extend(counted.map(Detail::Counted));
            }
            (OfKind::State(series), Kind::State(names)) => {
                let states = series.result(window, at_ns).over(span, edge, hold);
                tell_states(&states, names.len(), details);
            }
            _ => {}
        }
        details.extend(edge.ewma.map(Detail::Ewma));
        for stability in &mut self.allan {
            details.extend(stability.result(window, at_ns));
        }
        if let Some(gust) = &mut self.gust {
            let peak = gust.result(window, at_ns);
            details.extend(peak.map(|(value, at_ns)| Detail::Gust { value, at_ns }));
        }
        debug_assert!(details.len() <= end);
        details.resize(end, Detail::Nothing);
    }
}

/// Time in each of the known states, in all others together, and how often they changed.
fn tell_states(states: &StateTimes, known: usize, details: &mut Vec<Detail>) {
    let others = states.times[known..].iter().sum();
    let times = states.times[..known].iter().copied().chain([others]);
    details.extend((0..).zip(times).map(|(number, ns)| Detail::State { number, ns }));
    details.push(Detail::Transitions(states.transitions));
}

// The number of a state, and of all others, is a byte.
const _: () = assert!(STATES_MAX < u8::MAX as usize);

impl Stability {
    /// Closes the block that ends at or before an instant.
    fn close_until(&mut self, at_ns: i64) {
        if let Some((end_ns, pair)) = self.blocks.close_until(at_ns) {
            self.pairs.add(end_ns, &pair);
        }
    }

    fn result(&mut self, window: usize, at_ns: i64) -> Option<Detail> {
        self.close_until(at_ns);
        let deviation = self.pairs.result(window, at_ns).deviation()?;
        Some(Detail::Allan { length_ns: self.length_ns, deviation })
    }
}
