//! All windows of many channels: each level's panes feed the next.
//!
//! Level l has panes of its window's `every`, which `every` of level l - 1 divides. A pane that
//! is complete goes into the level's ring and into the pane that grows at the next level. All of
//! it is addressed by time and done when a pane closes or a result is asked for: a channel
//! without readings costs nothing however often the watermark moves.

mod saved;

use std::sync::Arc;

use super::{
    arena::Arena,
    partial::Partial,
    ring::{Ring, RingState},
    rules::{Rules, Window},
    summary::Figures,
};
use crate::limits::WINDOWS_PER_CHANNEL_MAX;

/// The chains of all channels with the same pane and the same windows, in flat arenas.
#[derive(Debug)]
pub struct Chains {
    windows: Arc<[Window]>,
    pane_ns: i64,
    /// Time from an accepted reading for which a window that reaches into it has a result.
    reach_ns: i64,
    levels: Vec<Level>,
    /// By channel, one for each level.
    looks: Arena<Look>,
    /// By channel, the start of the newest base pane that holds an accepted reading.
    newest_ns: Vec<i64>,
    /// By channel, for each window the start of the newest one that lies before the window's pane
    /// that holds that: what reaches into a window that ends before the newest, if anything does.
    before_ns: Option<Arena<i64>>,
}

#[derive(Debug)]
struct Level {
    window: Window,
    /// By channel, as many as the window has panes.
    entries: Arena<Partial>,
    heads: Arena<Head>,
}

/// What a level keeps of a channel besides the entries of its ring.
#[derive(Clone, Copy, Debug)]
struct Head {
    ring: RingState,
    growing: Partial,
    /// The pane that still grows, by its number.
    growing_pane: i64,
}

/// When a window has something to say.
#[derive(Clone, Copy, Debug)]
struct Look {
    /// The next instant at which the window holds an accepted reading; [`NEVER`] if none is
    /// known.
    due_ns: i64,
    /// The instant last asked for, if it gave a result.
    held_ns: Option<i64>,
}

/// An instant that no watermark reaches.
pub const NEVER: i64 = i64::MAX;

/// The start of no pane.
const NONE: i64 = i64::MIN;

/// Where a pane goes at each level: worked out once for all channels whose pane it is.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    start_ns: i64,
    steps: [Step; WINDOWS_PER_CHANNEL_MAX],
}

#[derive(Clone, Copy, Debug)]
struct Step {
    /// Number of the level's pane that the pane lies in.
    pane: i64,
    /// Whether the level's pane ends with it.
    ends: bool,
}

impl Route {
    fn new(windows: &[Window], start_ns: i64, length_ns: i64) -> Self {
        let mut steps = [Step { pane: 0, ends: false }; WINDOWS_PER_CHANNEL_MAX];
        for (step, Window { every_ns, .. }) in steps.iter_mut().zip(windows) {
            let pane = start_ns.div_euclid(*every_ns);
            *step = Step { pane, ends: start_ns + length_ns == (pane + 1) * every_ns };
        }
        Self { start_ns, steps }
    }
}

impl Chains {
    /// Chains with these windows over panes of `pane_ns`. A window that no accepted reading lies in
    /// has a result if it reaches back into the `reach_ns` after one, to within a pane.
    #[must_use]
    pub fn new(windows: &Arc<[Window]>, pane_ns: i64, reach_ns: i64) -> Self {
        Self {
            windows: Arc::clone(windows),
            pane_ns,
            reach_ns: reach_ns.max(1),
            levels: windows.iter().copied().map(Level::new).collect(),
            looks: Arena::new(windows.len()),
            newest_ns: Vec::new(),
            before_ns: (1 < reach_ns).then(|| Arena::new(windows.len())),
        }
    }

    /// How many windows a channel has here.
    #[must_use]
    pub fn windows(&self) -> usize {
        self.windows.len()
    }

    /// Bytes that each channel with these rules takes, percentiles apart.
    #[must_use]
    pub fn bytes_per_channel(rules: &Rules) -> usize {
        let before = if 1 < rules.statistics.reach_ns() { size_of::<i64>() } else { 0 };
        let kept = size_of::<Head>() + size_of::<Look>() + before;
        let level = |window| Ring::bytes(panes(window)) + kept;
        rules.windows.iter().map(level).sum::<usize>() + size_of::<i64>()
    }

    /// Adds a channel without readings and returns its number among those here. Its `index` among
    /// all channels says when its rings fold: how sums are rounded must not depend on who else
    /// is here.
    pub fn add(&mut self, index: u32) -> u32 {
        let nth = self.newest_ns.len();
        self.levels.iter_mut().for_each(|level| level.add(index));
        self.looks.add(Look { due_ns: NEVER, held_ns: None });
        self.newest_ns.push(NONE);
        if let Some(before_ns) = &mut self.before_ns {
            before_ns.add(NONE);
        }
        u32::try_from(nth).expect("CHANNELS_MAX holds")
    }

    /// The way of the base pane that starts at `start_ns`.
    #[must_use]
    pub fn route(&self, start_ns: i64) -> Route {
        Route::new(&self.windows, start_ns, self.pane_ns)
    }

    /// Takes a closed base pane of a channel; panes come in the order of time.
    pub fn push(&mut self, channel: u32, route: &Route, partial: &Partial) {
        let channel = channel as usize;
        if 0 < partial.accepted() {
            let newest_ns = std::mem::replace(&mut self.newest_ns[channel], route.start_ns);
            if let Some(before_ns) = &mut self.before_ns {
                let before_ns = before_ns.piece_mut(channel).iter_mut();
                for ((before_ns, step), window) in before_ns.zip(&route.steps).zip(&*self.windows) {
                    if newest_ns < step.pane * window.every_ns {
                        *before_ns = newest_ns;
                    }
                }
            }
            let looks = self.looks.piece_mut(channel).iter_mut();
            for ((look, step), window) in looks.zip(&route.steps).zip(&*self.windows) {
                if look.due_ns == NEVER {
                    look.due_ns = (step.pane + 1) * window.every_ns;
                }
            }
        }
        let Self { levels, windows, .. } = self;
        Climb { levels, windows, channel }.feed(0, route, partial);
    }

    /// The next instant at which a window holds an accepted reading.
    #[must_use]
    pub fn next_due_ns(&self, channel: u32) -> i64 {
        self.looks(channel).iter().map(|look| look.due_ns).min().unwrap_or(NEVER)
    }

    /// Whether this window holds an accepted reading at one of its instants up to `at_ns` that
    /// was not asked for.
    #[must_use]
    pub fn is_due(&self, channel: u32, window: usize, at_ns: i64) -> bool {
        self.looks(channel)[window].due_ns <= at_ns
    }

    /// The next instant at which what was last said of a window is no longer its latest result,
    /// be it that there is none any more.
    #[must_use]
    pub fn next_look_ns(&self, channel: u32) -> i64 {
        let looks = self.looks(channel).iter().zip(&*self.windows);
        looks.map(|(look, window)| look.next_ns(window)).min().unwrap_or(NEVER)
    }

    /// The instant that the window was last asked for, if it gave a result.
    #[must_use]
    pub fn held_ns(&self, channel: u32, window: usize) -> Option<i64> {
        self.looks(channel)[window].held_ns
    }

    /// The window's latest instant at watermark `w_ns`, if what was last said of it no longer
    /// holds then.
    #[must_use]
    pub fn look_at(&self, channel: u32, window: usize, w_ns: i64) -> Option<i64> {
        let (look, window) = (&self.looks(channel)[window], &self.windows[window]);
        let every_ns = window.every_ns;
        (look.next_ns(window) <= w_ns).then(|| w_ns.div_euclid(every_ns) * every_ns)
    }

    /// Result of a window at `at_ns`, a multiple of its `every` that no watermark is below, and
    /// after the last one asked for; `None` if it holds no accepted reading, nor reaches one.
    /// Percentiles are counted apart: see [`super::bins`].
    pub fn result(&mut self, channel: u32, window: usize, at_ns: i64) -> Option<Figures> {
        let channel = channel as usize;
        let until_ns = self.reached_ns(channel, window, at_ns);
        let Self { levels, windows, looks, newest_ns, reach_ns, .. } = self;
        Climb { levels, windows, channel }.settle(window, at_ns);
        let Window { length_ns, every_ns } = windows[window];
        let look = &mut looks.piece_mut(channel)[window];
        let next_ns = at_ns + every_ns;
        let is_next = next_ns - length_ns < newest_ns[channel].saturating_add(*reach_ns);
        look.due_ns = if is_next { next_ns } else { NEVER };
        let mut ring = levels[window].ring(channel);
        ring.evict_below((at_ns - length_ns).div_euclid(every_ns));
        let partial = ring.aggregate();
        let held = 0 < partial.accepted() || (1 < *reach_ns && at_ns - length_ns < until_ns);
        look.held_ns = held.then_some(at_ns);
        held.then(|| Figures::new(at_ns, &partial))
    }

    /// How far what came before `at_ns` reaches. No pane that is closed lies a window's pane or
    /// more after it.
    fn reached_ns(&self, channel: usize, window: usize, at_ns: i64) -> i64 {
        let newest_ns = match &self.before_ns {
            Some(before_ns) if at_ns <= self.newest_ns[channel] => before_ns.piece(channel)[window],
            _ => self.newest_ns[channel],
        };
        newest_ns.saturating_add(self.reach_ns)
    }

    /// The first instant whose result holds the newest reading, if it was not asked for.
    #[must_use]
    pub fn last_instant(&self, channel: u32, window: usize) -> Option<i64> {
        let Look { due_ns, held_ns } = self.looks(channel)[window];
        if due_ns == NEVER {
            return None;
        }
        let every_ns = self.windows[window].every_ns;
        let newest_ns = self.newest_ns[channel as usize];
        let at_ns = (newest_ns.div_euclid(every_ns) + 1) * every_ns;
        held_ns.is_none_or(|held_ns| held_ns < at_ns).then_some(at_ns)
    }

    fn looks(&self, channel: u32) -> &[Look] {
        self.looks.piece(channel as usize)
    }
}

impl Look {
    fn next_ns(&self, window: &Window) -> i64 {
        match self.held_ns {
            Some(held_ns) => held_ns + window.every_ns,
            None => self.due_ns,
        }
    }
}

impl Level {
    fn new(window: Window) -> Self {
        Self { window, entries: Arena::new(panes(&window)), heads: Arena::new(1) }
    }

    fn add(&mut self, index: u32) {
        let ring = RingState::new(panes(&self.window), index as usize);
        self.entries.add(Partial::EMPTY);
        self.heads.add(Head { ring, growing: Partial::EMPTY, growing_pane: 0 });
    }

    fn head(&mut self, channel: usize) -> &mut Head {
        &mut self.heads.piece_mut(channel)[0]
    }

    fn ring(&mut self, channel: usize) -> Ring<'_> {
        let state = &mut self.heads.piece_mut(channel)[0].ring;
        Ring { state, entries: self.entries.piece_mut(channel) }
    }
}

/// A channel's levels, as its panes climb them.
struct Climb<'a> {
    levels: &'a mut [Level],
    windows: &'a [Window],
    channel: usize,
}

impl Climb<'_> {
    /// Adds a pane to the one that grows at a level, and moves that on if it is complete.
    fn feed(&mut self, l: usize, route: &Route, partial: &Partial) {
        if l == self.levels.len() {
            return;
        }
        let Step { pane, ends } = route.steps[l];
        let head = self.levels[l].head(self.channel);
        if !head.growing.is_empty() && head.growing_pane != pane {
            self.complete_older(l);
        }
        let head = self.levels[l].head(self.channel);
        head.growing_pane = pane;
        if !ends {
            head.growing.merge(partial);
        } else if head.growing.is_empty() {
            self.complete(l, route, partial);
        } else {
            let mut whole = std::mem::replace(&mut head.growing, Partial::EMPTY);
            whole.merge(partial);
            self.complete(l, route, &whole);
        }
    }

    /// Puts a level's pane into its ring, and feeds it to the next level.
    fn complete(&mut self, l: usize, route: &Route, partial: &Partial) {
        let Window { length_ns, every_ns } = self.windows[l];
        let pane = route.steps[l].pane;
        let mut ring = self.levels[l].ring(self.channel);
        ring.evict_below(pane + 1 - length_ns / every_ns);
        ring.push(pane, partial);
        self.feed(l + 1, route, partial);
    }

    /// Completes a growing pane whose end brought no reading.
    fn complete_older(&mut self, l: usize) {
        let head = self.levels[l].head(self.channel);
        let whole = std::mem::replace(&mut head.growing, Partial::EMPTY);
        let every_ns = self.windows[l].every_ns;
        let route = Route::new(self.windows, head.growing_pane * every_ns, every_ns);
        self.complete(l, &route, &whole);
    }

    /// Completes the panes up to this level that end at or before `at_ns`, finest level first.
    fn settle(&mut self, upto: usize, at_ns: i64) {
        for l in 0..=upto {
            let Head { growing, growing_pane, .. } = self.levels[l].head(self.channel);
            let end_ns = (*growing_pane + 1) * self.windows[l].every_ns;
            if end_ns <= at_ns && !growing.is_empty() {
                self.complete_older(l);
            }
        }
    }
}

/// Panes of a window.
fn panes(window: &Window) -> usize {
    usize::try_from(window.length_ns / window.every_ns).expect("PANES_PER_WINDOW_MAX holds")
}
