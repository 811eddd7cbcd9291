//! How far a source's event time has come, and what is too late for it.
//!
//! M is the largest accepted event time. For panes of g0 and bounded lateness L the watermark
//! is W = g0 floor((M - L) / g0), and never goes back. A source has one M; channels that differ
//! in pane, lateness or future bound are in lanes of their own, each with its W.

mod saved;

pub use self::saved::Past;

/// Bounds that the channels of a lane share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneRules {
    /// Length of a pane, nanoseconds.
    pub pane_ns: i64,
    /// Bounded lateness L, nanoseconds.
    pub lateness_ns: i64,
    /// Future bound F, nanoseconds.
    pub future_ns: i64,
}

/// Event time of one source.
#[derive(Clone, Debug)]
pub struct Timeline {
    newest_ns: i64,
    lanes: Vec<Lane>,
}

#[derive(Clone, Debug)]
struct Lane {
    id: usize,
    rules: LaneRules,
    watermark_ns: i64,
}

/// Where in time a reading may lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Its pane is open.
    Open,
    /// Too far ahead of its arrival.
    Future,
    /// Its pane is closed.
    Late,
}

impl Timeline {
    /// A source that has accepted nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { newest_ns: i64::MIN, lanes: Vec::new() }
    }

    /// The lane with these bounds, numbered within the source; a new one takes the global `id`.
    pub fn lane(&mut self, rules: LaneRules, id: impl FnOnce() -> usize) -> usize {
        if let Some(lane) = self.lanes.iter().position(|lane| lane.rules == rules) {
            return lane;
        }
        let watermark_ns = watermark(rules, self.newest_ns);
        self.lanes.push(Lane { id: id(), rules, watermark_ns });
        self.lanes.len() - 1
    }

    /// The largest event time that was accepted, [`i64::MIN`] before the first.
    #[must_use]
    pub fn newest_ns(&self) -> i64 {
        self.newest_ns
    }

    /// Global number of a lane.
    #[must_use]
    pub fn lane_id(&self, lane: usize) -> usize {
        self.lanes[lane].id
    }

    /// Judges a reading against the watermark as it stands.
    #[must_use]
    pub fn place(&self, lane: usize, at_ns: i64, arrived_ns: i64) -> Place {
        let lane = &self.lanes[lane];
        if arrived_ns.saturating_add(lane.rules.future_ns) < at_ns {
            Place::Future
        } else if at_ns < lane.watermark_ns {
            Place::Late
        } else {
            Place::Open
        }
    }

    /// Whether readings from `oldest_ns` to `newest_ns` that arrived at `arrived_ns` have open
    /// panes in every lane, which says it of each of them at once.
    #[must_use]
    pub fn is_open(&self, (oldest_ns, newest_ns): (i64, i64), arrived_ns: i64) -> bool {
        (0..self.lanes.len()).all(|lane| {
            self.place(lane, oldest_ns, arrived_ns) != Place::Late
                && self.place(lane, newest_ns, arrived_ns) == Place::Open
        })
    }

    /// A frame is through: M is at least `newest_ns`. Calls `moved` with the global number of
    /// each lane whose watermark moves, and where to.
    pub fn accept(&mut self, newest_ns: i64, moved: impl FnMut(usize, i64)) {
        if self.newest_ns < newest_ns {
            self.newest_ns = newest_ns;
            self.move_to(newest_ns, moved);
        }
    }

    /// The source has been silent, and all that arrived before `now_ns` has come through: its
    /// windows drain.
    pub fn drain(&mut self, now_ns: i64, moved: impl FnMut(usize, i64)) {
        self.move_to(now_ns, moved);
    }

    /// The source has ended: each lane's watermark goes to the end of the pane of the newest
    /// reading, so that no pane stays open.
    pub fn close(&mut self, mut moved: impl FnMut(usize, i64)) {
        if self.newest_ns == i64::MIN {
            return;
        }
        for lane in &mut self.lanes {
            let pane_ns = lane.rules.pane_ns;
            let end_ns = (self.newest_ns.div_euclid(pane_ns) + 1) * pane_ns;
            if lane.watermark_ns < end_ns {
                lane.watermark_ns = end_ns;
                moved(lane.id, end_ns);
            }
        }
    }

    fn move_to(&mut self, newest_ns: i64, mut moved: impl FnMut(usize, i64)) {
        for lane in &mut self.lanes {
            let watermark_ns = watermark(lane.rules, newest_ns);
            if lane.watermark_ns < watermark_ns {
                lane.watermark_ns = watermark_ns;
                moved(lane.id, watermark_ns);
            }
        }
    }
}

impl Default for Timeline {
    fn default() -> Self {
        Self::new()
    }
}

fn watermark(rules: LaneRules, newest_ns: i64) -> i64 {
    if newest_ns == i64::MIN {
        return i64::MIN;
    }
    (newest_ns.saturating_sub(rules.lateness_ns)).div_euclid(rules.pane_ns) * rules.pane_ns
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: LaneRules = LaneRules { pane_ns: 100, lateness_ns: 250, future_ns: 50 };

    fn moves(timeline: &mut Timeline, newest_ns: i64) -> Vec<(usize, i64)> {
        let mut moves = Vec::new();
        timeline.accept(newest_ns, |lane, to| moves.push((lane, to)));
        moves
    }

    #[test]
    fn the_watermark_is_the_pane_below_the_newest_less_lateness() {
        let mut timeline = Timeline::new();
        let lane = timeline.lane(RULES, || 7);
        assert_eq!(moves(&mut timeline, 1_000), [(7, 700)]);
        assert_eq!(moves(&mut timeline, 1_049), []);
        assert_eq!(moves(&mut timeline, 1_050), [(7, 800)]);
        assert_eq!(moves(&mut timeline, 900), []);
        assert_eq!(timeline.place(lane, 800, 1_050), Place::Open);
        assert_eq!(timeline.place(lane, 799, 1_050), Place::Late);
        assert_eq!(timeline.place(lane, 1_100, 1_050), Place::Open);
        assert_eq!(timeline.place(lane, 1_101, 1_050), Place::Future);
    }

    #[test]
    fn before_1970_panes_are_aligned_too() {
        let mut timeline = Timeline::new();
        timeline.lane(RULES, || 0);
        assert_eq!(moves(&mut timeline, -10), [(0, -300)]);
    }

    #[test]
    fn silence_moves_the_watermark_but_not_the_newest() {
        let mut timeline = Timeline::new();
        timeline.lane(RULES, || 0);
        moves(&mut timeline, 1_000);
        let mut drained = Vec::new();
        timeline.drain(5_000, |_, to| drained.push(to));
        assert_eq!(drained, [4_700]);
        assert_eq!(moves(&mut timeline, 4_000), [], "the watermark never goes back");
    }

    #[test]
    fn the_end_closes_the_pane_of_the_newest() {
        let mut timeline = Timeline::new();
        timeline.lane(RULES, || 0);
        let mut closed = Vec::new();
        timeline.close(|_, to| closed.push(to));
        assert!(closed.is_empty(), "nothing was accepted");
        moves(&mut timeline, 1_000);
        timeline.close(|_, to| closed.push(to));
        assert_eq!(closed, [1_100]);
    }

    #[test]
    fn a_lane_that_comes_later_starts_where_the_source_stands() {
        let mut timeline = Timeline::new();
        timeline.lane(RULES, || 0);
        moves(&mut timeline, 1_000);
        let late_lane = timeline.lane(LaneRules { lateness_ns: 0, ..RULES }, || 1);
        assert_eq!(timeline.place(late_lane, 999, 1_000), Place::Late);
    }
}
