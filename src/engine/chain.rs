//! All windows of one channel: each level's panes feed the next.
//!
//! Level l has panes of its window's `every`, which `every` of level l - 1 divides. A pane that
//! is complete goes into the level's ring and into the pane that grows at the next level. All of
//! it is addressed by time and done when it is asked for: a channel without readings costs
//! nothing however often the watermark moves.

use super::{
    partial::Partial,
    ring::Ring,
    rules::{Rules, Window},
    summary::Figures,
};

/// The windows of one channel.
#[derive(Clone, Debug)]
pub struct Chain {
    levels: Box<[Level]>,
}

#[derive(Clone, Debug)]
struct Level {
    window: Window,
    ring: Ring,
    /// The pane that still grows, by its number.
    growing_pane: i64,
    growing: Partial,
    /// Start of the newest base pane that holds an accepted reading.
    newest_ns: i64,
    /// The next instant at which the window holds an accepted reading; [`NEVER`] if none is
    /// known.
    due_ns: i64,
    /// The instant last asked for, if it gave a result.
    held_ns: Option<i64>,
}

/// An instant that no watermark reaches.
pub const NEVER: i64 = i64::MAX;

/// A closed pane on its way up.
struct Closed {
    start_ns: i64,
    partial: Partial,
}

impl Chain {
    /// A chain without readings.
    #[must_use]
    pub fn new(rules: &Rules) -> Self {
        Self { levels: rules.windows.iter().copied().map(Level::new).collect() }
    }

    /// Bytes of a chain with these rules.
    #[must_use]
    pub fn bytes(rules: &Rules) -> usize {
        let ring = |window: &Window| Ring::bytes(panes(window));
        let levels = rules.windows.len() * size_of::<Level>();
        size_of::<Self>() + levels + rules.windows.iter().map(ring).sum::<usize>()
    }

    /// Takes a closed base pane; panes come in the order of time.
    pub fn push(&mut self, start_ns: i64, partial: &Partial) {
        if 0 < partial.accepted() {
            self.levels.iter_mut().for_each(|level| level.note_reading(start_ns));
        }
        self.feed(0, &Closed { start_ns, partial: *partial });
    }

    /// The next instant at which a window holds an accepted reading.
    #[must_use]
    pub fn next_due_ns(&self) -> i64 {
        self.levels.iter().map(|level| level.due_ns).min().unwrap_or(NEVER)
    }

    /// Whether this window holds an accepted reading at one of its instants up to `at_ns` that
    /// was not asked for.
    #[must_use]
    pub fn is_due(&self, window: usize, at_ns: i64) -> bool {
        self.levels[window].due_ns <= at_ns
    }

    /// The next instant at which what was last said of a window is no longer its latest result,
    /// be it that there is none any more.
    #[must_use]
    pub fn next_look_ns(&self) -> i64 {
        self.levels.iter().map(Level::look_ns).min().unwrap_or(NEVER)
    }

    /// The window's latest instant at watermark `w_ns`, if what was last said of it no longer
    /// holds then.
    #[must_use]
    pub fn look_at(&self, window: usize, w_ns: i64) -> Option<i64> {
        let level = &self.levels[window];
        let every_ns = level.window.every_ns;
        (level.look_ns() <= w_ns).then(|| w_ns.div_euclid(every_ns) * every_ns)
    }

    /// Result of a window at `at_ns`, a multiple of its `every` that no watermark is below, and
    /// after the last one asked for; `None` if it holds no accepted reading. Percentiles are
    /// counted apart: see [`super::bins`].
    pub fn result(&mut self, window: usize, at_ns: i64) -> Option<Figures> {
        self.settle(at_ns);
        let partial = self.levels[window].ask(at_ns)?;
        Some(Figures::new(at_ns, &partial))
    }

    /// The first instant whose result holds the newest reading, if it was not asked for.
    #[must_use]
    pub fn last_instant(&self, window: usize) -> Option<i64> {
        let Level { window: Window { every_ns, .. }, newest_ns, due_ns, held_ns, .. } =
            self.levels[window];
        if due_ns == NEVER {
            return None;
        }
        let at_ns = (newest_ns.div_euclid(every_ns) + 1) * every_ns;
        held_ns.is_none_or(|held_ns| held_ns < at_ns).then_some(at_ns)
    }

    /// Completes the panes that end at or before `at_ns`, finest level first.
    fn settle(&mut self, at_ns: i64) {
        for l in 0..self.levels.len() {
            let level = &self.levels[l];
            let end_ns = (level.growing_pane + 1) * level.window.every_ns;
            if !level.growing.is_empty() && end_ns <= at_ns {
                self.complete(l);
            }
        }
    }

    fn feed(&mut self, l: usize, closed: &Closed) {
        let Some(level) = self.levels.get(l) else { return };
        let pane = closed.start_ns.div_euclid(level.window.every_ns);
        if !level.growing.is_empty() && level.growing_pane != pane {
            self.complete(l);
        }
        let level = &mut self.levels[l];
        level.growing_pane = pane;
        level.growing.merge(&closed.partial);
    }

    /// Moves the growing pane of a level into its ring and up.
    fn complete(&mut self, l: usize) {
        let level = &mut self.levels[l];
        let (pane, every_ns) = (level.growing_pane, level.window.every_ns);
        let partial = std::mem::replace(&mut level.growing, Partial::EMPTY);
        level.ring.evict_below(pane + 1 - level.window.length_ns / every_ns);
        level.ring.push(pane, &partial);
        self.feed(l + 1, &Closed { start_ns: pane * every_ns, partial });
    }
}

impl Level {
    fn new(window: Window) -> Self {
        Self {
            window,
            ring: Ring::new(panes(&window)),
            growing_pane: 0,
            growing: Partial::EMPTY,
            newest_ns: i64::MIN,
            due_ns: NEVER,
            held_ns: None,
        }
    }

    fn note_reading(&mut self, start_ns: i64) {
        self.newest_ns = start_ns;
        if self.due_ns == NEVER {
            let every_ns = self.window.every_ns;
            self.due_ns = (start_ns.div_euclid(every_ns) + 1) * every_ns;
        }
    }

    fn look_ns(&self) -> i64 {
        match self.held_ns {
            Some(held_ns) => held_ns + self.window.every_ns,
            None => self.due_ns,
        }
    }

    /// Aggregate of the window that ends at `at_ns`, unless it holds no accepted reading.
    fn ask(&mut self, at_ns: i64) -> Option<Partial> {
        let Window { length_ns, every_ns } = self.window;
        let next_ns = at_ns + every_ns;
        self.due_ns = if next_ns - length_ns <= self.newest_ns { next_ns } else { NEVER };
        self.ring.evict_below((at_ns - length_ns).div_euclid(every_ns));
        let partial = self.ring.aggregate();
        let held = 0 < partial.accepted();
        self.held_ns = held.then_some(at_ns);
        held.then_some(partial)
    }
}

/// Panes of a window.
fn panes(window: &Window) -> usize {
    usize::try_from(window.length_ns / window.every_ns).expect("PANES_PER_WINDOW_MAX holds")
}
