//! A device's clock, right or wrong.

use crate::{
    limits::SECOND,
    wire::{DeviceClock, frame::TimeKind},
};

/// How far TAI is ahead of UTC, since 2017 (IERS Bulletin C 52).
const TAI_AHEAD_NS: i64 = 37 * SECOND;

/// The clock of one device.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    kind: DeviceClock,
    /// Parts per million by which it is always too fast.
    skew_ppm: f64,
    /// How far ahead it was when the skew began to count.
    offset_ns: i64,
    /// When the skew began to count, and where time since boot begins.
    since_ns: i64,
    /// A spell of further skew, and when it began.
    spell: Option<(f64, i64)>,
}

impl Clock {
    pub(super) fn new(kind: DeviceClock, skew_ppm: f64, offset_ns: i64, since_ns: i64) -> Self {
        Self { kind, skew_ppm, offset_ns, since_ns, spell: None }
    }

    /// What the clock shows at a time; 0 where it shows none.
    pub(super) fn shows_ns(&self, at_ns: i64) -> i64 {
        let fault_ns = self.error_ns(at_ns);
        match self.kind {
            DeviceClock::None => 0,
            DeviceClock::SinceBoot => {
                at_ns.saturating_sub(self.since_ns).saturating_add(fault_ns).max(0)
            }
            DeviceClock::UtcUnsynced | DeviceClock::Utc => at_ns.saturating_add(fault_ns).max(0),
            DeviceClock::Tai => at_ns.saturating_add(fault_ns).saturating_add(TAI_AHEAD_NS).max(0),
        }
    }

    /// The event time that a receiver which trusts the clock takes from what it shows. Where the
    /// time is none, or of no known origin, that is the true time or later.
    pub(super) fn event_ns(&self, at_ns: i64, shown_ns: i64) -> i64 {
        match self.kind {
            DeviceClock::None | DeviceClock::SinceBoot | DeviceClock::UtcUnsynced => at_ns,
            DeviceClock::Utc => shown_ns,
            DeviceClock::Tai => shown_ns.saturating_sub(TAI_AHEAD_NS),
        }
    }

    /// The code of the clock on the wire.
    pub(super) fn time_kind(&self) -> TimeKind {
        match self.kind {
            DeviceClock::None => TimeKind::None,
            DeviceClock::SinceBoot => TimeKind::SinceBoot,
            DeviceClock::UtcUnsynced => TimeKind::UtcUnsynced,
            DeviceClock::Utc => TimeKind::Utc,
            DeviceClock::Tai => TimeKind::Tai,
        }
    }

    pub(super) fn restart(&mut self, at_ns: i64) {
        if self.kind == DeviceClock::SinceBoot {
            self.since_ns = at_ns;
            self.offset_ns = 0;
        }
    }

    pub(super) fn begin_spell(&mut self, ppm: f64, at_ns: i64) {
        self.spell = Some((ppm, at_ns));
    }

    pub(super) fn end_spell(&mut self) {
        self.spell = None;
    }

    fn error_ns(&self, at_ns: i64) -> i64 {
        let gained_ns = |ppm: f64, since_ns: i64| {
            let parts = at_ns.saturating_sub(since_ns) as f64 * ppm;
            (parts * 1e-6) as i64
        };
        let spell_ns = self.spell.map_or(0, |(ppm, since_ns)| gained_ns(ppm, since_ns));
        self.offset_ns
            .saturating_add(gained_ns(self.skew_ppm, self.since_ns))
            .saturating_add(spell_ns)
    }
}

/// Whether receivers take the stamps of such a clock as they stand, so that a wrong one shows.
pub(super) fn is_absolute(kind: DeviceClock) -> bool {
    matches!(kind, DeviceClock::Utc | DeviceClock::Tai)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_000 * SECOND;

    #[test]
    fn each_kind_shows_its_own_time() {
        let shows = |kind, at| Clock::new(kind, 0.0, 0, START).shows_ns(at);
        let at = START + 5 * SECOND;
        assert_eq!(shows(DeviceClock::None, at), 0);
        assert_eq!(shows(DeviceClock::SinceBoot, at), 5 * SECOND);
        assert_eq!(shows(DeviceClock::Utc, at), at);
        assert_eq!(shows(DeviceClock::UtcUnsynced, at), at);
        assert_eq!(shows(DeviceClock::Tai, at), at + 37 * SECOND);
    }

    #[test]
    fn skew_and_spells_add_up_and_a_restart_begins_anew() {
        let mut clock = Clock::new(DeviceClock::SinceBoot, 100.0, SECOND, START);
        assert_eq!(clock.shows_ns(START + 10 * SECOND), 11 * SECOND + 1_000_000);
        clock.begin_spell(-1_000.0, START + 5 * SECOND);
        assert_eq!(clock.shows_ns(START + 10 * SECOND), 11 * SECOND + 1_000_000 - 5_000_000);
        clock.end_spell();
        clock.restart(START + 10 * SECOND);
        assert_eq!(clock.shows_ns(START + 12 * SECOND), 2 * SECOND + 200_000);
    }
}
