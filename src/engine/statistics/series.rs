//! The panes and windows of one channel, for aggregates of whatever type.
//!
//! The same levels as in [`crate::engine::chain`], for a channel whose readings come in the order
//! of time: each of them is merged as it comes.

mod saved;

use super::hold::Point;
use crate::engine::{
    ring::{Entry, Ring, RingState},
    rules::Window,
};

/// The aggregate of the readings of one interval.
pub trait Merge: Copy {
    /// That of no reading: merging it changes nothing.
    const EMPTY: Self;

    /// Whether it is that of no reading.
    fn is_empty(&self) -> bool;

    /// Adds that of a later interval. Merging is associative.
    fn merge(&mut self, later: &Self);
}

/// The time of a window, `from_ns <= t < until_ns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its beginning.
    pub from_ns: i64,
    /// Its end.
    pub until_ns: i64,
}

impl Span {
    /// Its length, nanoseconds.
    #[must_use]
    pub fn ns(&self) -> i64 {
        self.until_ns - self.from_ns
    }
}

/// What is known of a channel at an instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edge {
    /// The instant.
    pub at_ns: i64,
    /// The last reading before it.
    pub before: Point,
    /// The next one, at the instant or after it, of those that were accepted when the watermark
    /// came to the instant.
    pub after: Point,
    /// Time of the last reading before it that had a value.
    pub good_ns: Option<i64>,
    /// The exponentially weighted mean up to it.
    pub ewma: Option<f64>,
}

impl Edge {
    /// An instant between two readings.
    #[must_use]
    pub fn new(at_ns: i64, before: Point, after: Point) -> Self {
        let good_ns = before.is_known().then_some(before.at_ns);
        Self { at_ns, before, after, good_ns, ewma: None }
    }
}

/// Aggregates of the panes of all windows.
#[derive(Debug)]
pub struct Series<M> {
    levels: Box<[Level<M>]>,
}

#[derive(Debug)]
struct Level<M> {
    window: Window,
    state: RingState<Marked<M>>,
    entries: Box<[Marked<M>]>,
    growing: M,
    /// Number of the pane that grows; without meaning while it is empty.
    growing_pane: i64,
}

#[derive(Clone, Copy, Debug)]
struct Marked<M> {
    aggregate: M,
    mark: u16,
}

impl<M: Merge> Entry for Marked<M> {
    const EMPTY: Self = Self { aggregate: M::EMPTY, mark: 0 };

    fn merge(&mut self, later: &Self) {
        self.aggregate.merge(&later.aggregate);
    }

    fn mark(&self) -> u16 {
        self.mark
    }

    fn set_mark(&mut self, mark: u16) {
        self.mark = mark;
    }
}

impl<M: Merge> Series<M> {
    /// Bytes of a series over these windows.
    #[must_use]
    pub fn bytes(windows: &[Window]) -> usize {
        let level = |window| size_of::<Level<M>>() + panes(window) * size_of::<Marked<M>>();
        windows.iter().map(level).sum()
    }

    /// Without readings; `index` is that of the channel, which says when its rings fold.
    #[must_use]
    pub fn new(windows: &[Window], index: u32) -> Self {
        Self { levels: windows.iter().map(|&window| Level::new(window, index)).collect() }
    }

    /// Adds what came at an instant that is not before the one of any other.
    pub fn add(&mut self, at_ns: i64, aggregate: &M) {
        self.feed(0, at_ns, aggregate);
    }

    /// What a window comes to that ends at `at_ns`, a multiple of its step and not before the last
    /// instant asked for.
    pub fn result(&mut self, window: usize, at_ns: i64) -> M {
        for l in 0..=window {
            let Level { window, growing, growing_pane, .. } = &self.levels[l];
            if !growing.is_empty() && (growing_pane + 1) * window.every_ns <= at_ns {
                self.complete(l);
            }
        }
        let level = &mut self.levels[window];
        let Window { length_ns, every_ns } = level.window;
        let mut ring = level.ring();
        ring.evict_below((at_ns - length_ns).div_euclid(every_ns));
        ring.aggregate().aggregate
    }

    fn feed(&mut self, l: usize, at_ns: i64, aggregate: &M) {
        let Some(level) = self.levels.get(l) else { return };
        let pane = at_ns.div_euclid(level.window.every_ns);
        if !level.growing.is_empty() && level.growing_pane != pane {
            self.complete(l);
        }
        let level = &mut self.levels[l];
        level.growing.merge(aggregate);
        level.growing_pane = pane;
    }

    /// Puts the pane that grows into the ring, and feeds it to the next level.
    fn complete(&mut self, l: usize) {
        let level = &mut self.levels[l];
        let Window { length_ns, every_ns } = level.window;
        let (whole, pane) = (std::mem::replace(&mut level.growing, M::EMPTY), level.growing_pane);
        let mut ring = level.ring();
        ring.evict_below(pane + 1 - length_ns / every_ns);
        ring.push(pane, &Marked { aggregate: whole, mark: 0 });
        self.feed(l + 1, pane * every_ns, &whole);
    }
}

impl<M: Merge> Level<M> {
    fn new(window: Window, index: u32) -> Self {
        let panes = panes(&window);
        Self {
            window,
            state: RingState::new(panes, index as usize),
            entries: vec![Marked::EMPTY; panes].into(),
            growing: M::EMPTY,
            growing_pane: 0,
        }
    }

    fn ring(&mut self) -> Ring<'_, Marked<M>> {
        Ring { state: &mut self.state, entries: &mut self.entries }
    }
}

fn panes(window: &Window) -> usize {
    usize::try_from(window.length_ns / window.every_ns).expect("PANES_PER_WINDOW_MAX holds")
}

/// What the tests of all aggregates build on.
#[cfg(test)]
pub(super) mod tests_support {
    use proptest::sample::Index;

    use super::*;

    /// The readings in three parts, each merged from its readings.
    pub(crate) fn partials<M: Merge>(
        points: &[Point],
        cuts: [Index; 2],
        of: impl Fn(Point, Point) -> M,
    ) -> [M; 3] {
        let mut cuts = cuts.map(|cut| cut.index(points.len() + 1));
        cuts.sort_unstable();
        let [a, b] = cuts;
        [0..a, a..b, b..points.len()].map(|part| {
            let mut all = M::EMPTY;
            for i in part {
                let before = i.checked_sub(1).map_or(Point::NEVER, |i| points[i]);
                all.merge(&of(points[i], before));
            }
            all
        })
    }

    /// `(a b) c` and `a (b c)` are the same, and nothing changes anything.
    pub(crate) fn assert_associative<M: Merge + std::fmt::Debug>(
        [a, b, c]: [M; 3],
        same: impl Fn(&M, &M) -> bool,
    ) {
        let merged = |a: M, b: &M| {
            let mut both = a;
            both.merge(b);
            both
        };
        let (left, right) = (merged(merged(a, &b), &c), merged(a, &merged(b, &c)));
        assert!(same(&left, &right), "{left:?} {right:?}");
        let (before, after) = (merged(M::EMPTY, &left), merged(left, &M::EMPTY));
        assert!(same(&before, &left) && same(&after, &left), "{before:?} {after:?} {left:?}");
        assert!(M::EMPTY.is_empty());
    }

    /// Whether two numbers are the same but for rounding.
    pub(crate) fn close(a: f64, b: f64, relative: f64) -> bool {
        a == b || (a - b).abs() <= relative * a.abs().max(b.abs())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The first and the last of what was added, and the sum of it.
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Sum {
        first_ns: i64,
        last_ns: i64,
        n: u64,
    }

    impl Merge for Sum {
        const EMPTY: Self = Self { first_ns: 0, last_ns: 0, n: 0 };

        fn is_empty(&self) -> bool {
            self.n == 0
        }

        fn merge(&mut self, later: &Self) {
            if self.is_empty() {
                *self = *later;
            } else if !later.is_empty() {
                assert!(self.last_ns <= later.first_ns, "merged in the order of time");
                self.last_ns = later.last_ns;
                self.n += later.n;
            }
        }
    }

    proptest! {
        /// Against a list of all that was added, at random instants of every window.
        #[test]
        fn windows_hold_what_lies_within_them(
            index in 0..9_u32,
            steps in proptest::collection::vec((0..7_i64, any::<bool>()), 1..150),
        ) {
            let window = |length_ns, every_ns| Window { length_ns, every_ns };
            let windows = [window(4, 1), window(20, 2), window(48, 12)];
            let mut series = Series::new(&windows, index);
            let (mut naive, mut now_ns) = (Vec::new(), -30_i64);
            for (gap, asks) in steps {
                now_ns += gap;
                for (number, Window { length_ns, every_ns }) in windows.iter().enumerate() {
                    let at_ns = now_ns.div_euclid(*every_ns) * every_ns;
                    if !asks {
                        break;
                    }
                    let within = |ns: &&i64| at_ns - length_ns <= **ns && **ns < at_ns;
                    let expected: Vec<i64> = naive.iter().filter(within).copied().collect();
                    let got: Sum = series.result(number, at_ns);
                    prop_assert_eq!(got.n, expected.len() as u64);
                    if !got.is_empty() {
                        prop_assert_eq!(got.first_ns, expected[0]);
                        prop_assert_eq!(got.last_ns, expected[expected.len() - 1]);
                    }
                }
                naive.push(now_ns);
                series.add(now_ns, &Sum { first_ns: now_ns, last_ns: now_ns, n: 1 });
            }
        }
    }
}
