//! From a device's clock to the daemon's line.

mod saved;

use crate::{limits::CLOCK_BUCKET_NS, wire::DeviceClock};

/// International atomic time minus coordinated universal time since 2017-01-01 (IERS Bulletin
/// C 52).
const TAI_MINUS_UTC_NS: i64 = 37 * crate::limits::SECOND;

/// The mapping of one device's clock.
///
/// A clock that counts from the device's start is mapped by the lower envelope of arrival minus
/// device time: the quickest frame of the last one to two minutes tells the offset, and slower
/// ones tell only how long they were under way. Two buckets let the offset follow a clock that
/// drifts either way. Each start has an envelope of its own, and that of the start before is
/// kept for its stragglers.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClockMap {
    present: Option<Envelope>,
    before: Option<Envelope>,
}

/// When a frame was made, by its device, and when it arrived.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// What the device's times mean.
    pub clock: DeviceClock,
    /// Start of the device.
    pub boot: u16,
    /// Its newest device time.
    pub newest_ns: i64,
    /// Arrival.
    pub arrived_ns: i64,
}

#[derive(Clone, Copy, Debug)]
struct Envelope {
    boot: u16,
    bucket: i64,
    offset_ns: i64,
    offset_before_ns: i64,
}

impl ClockMap {
    /// What to add to the device times of a frame, which also teaches the mapping; `None` if the
    /// arrival counts.
    pub fn learn(&mut self, stamp: Stamp) -> Option<i64> {
        match stamp.clock {
            DeviceClock::None => None,
            DeviceClock::Utc => Some(0),
            DeviceClock::Tai => Some(-TAI_MINUS_UTC_NS),
            DeviceClock::SinceBoot | DeviceClock::UtcUnsynced => {
                let fresh = Envelope::of(stamp);
                Some(self.envelope(fresh).lower(fresh))
            }
        }
    }

    /// The device says that it started anew without a new mark: its clock did too.
    pub fn restart(&mut self, boot: u16) {
        if self.present.is_some_and(|present| present.boot == boot) {
            self.present = None;
        }
    }

    /// The envelope of the start that `fresh` is of; it becomes a new one if there is none.
    fn envelope(&mut self, fresh: Envelope) -> &mut Envelope {
        let is_straggler = self.before.is_some_and(|before| before.boot == fresh.boot);
        if is_straggler {
            return self.before.get_or_insert(fresh);
        }
        if self.present.is_some_and(|present| present.boot != fresh.boot) {
            self.before = self.present.take();
        }
        self.present.get_or_insert(fresh)
    }
}

impl Envelope {
    fn of(stamp: Stamp) -> Self {
        Self {
            boot: stamp.boot,
            bucket: stamp.arrived_ns.div_euclid(CLOCK_BUCKET_NS),
            offset_ns: stamp.arrived_ns.saturating_sub(stamp.newest_ns),
            offset_before_ns: i64::MAX,
        }
    }

    /// Takes in a frame and gives the offset.
    fn lower(&mut self, fresh: Self) -> i64 {
        if self.bucket + 1 < fresh.bucket {
            *self = fresh;
        } else if self.bucket < fresh.bucket {
            *self = Self { offset_before_ns: self.offset_ns, ..fresh };
        } else {
            self.offset_ns = self.offset_ns.min(fresh.offset_ns);
        }
        self.offset_ns.min(self.offset_before_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{MS, SECOND};

    fn since_boot(boot: u16, newest_ns: i64, arrived_ns: i64) -> Stamp {
        Stamp { clock: DeviceClock::SinceBoot, boot, newest_ns, arrived_ns }
    }

    #[test]
    fn the_quickest_frame_tells_the_offset() {
        let mut map = ClockMap::default();
        let mut offset = |device_ns, delay_ns| {
            let arrived_ns = 1_000 * SECOND + device_ns + delay_ns;
            map.learn(since_boot(1, device_ns, arrived_ns)).expect("a clock")
        };
        assert_eq!(offset(0, 50 * MS), 1_000 * SECOND + 50 * MS);
        assert_eq!(offset(SECOND, 2 * MS), 1_000 * SECOND + 2 * MS);
        assert_eq!(offset(2 * SECOND, 30 * MS), 1_000 * SECOND + 2 * MS);
        // Two buckets later the quick frame is forgotten, so that a slow clock is followed.
        assert_eq!(offset(200 * SECOND, 40 * MS), 1_000 * SECOND + 40 * MS);
    }

    #[test]
    fn a_restart_learns_anew_and_a_straggler_unlearns_nothing() {
        let mut map = ClockMap::default();
        map.learn(since_boot(1, 900, 1_000));
        assert_eq!(map.learn(since_boot(2, 0, 2_000)), Some(2_000));
        assert_eq!(map.learn(since_boot(1, 950, 2_040)), Some(100));
        assert_eq!(map.learn(since_boot(2, 10, 2_060)), Some(2_000));
    }

    #[test]
    fn a_restart_without_a_mark_is_learnt_when_it_is_told() {
        let mut map = ClockMap::default();
        map.learn(since_boot(1, 900, 1_000));
        map.restart(1);
        assert_eq!(map.learn(since_boot(1, 0, 2_000)), Some(2_000));
    }

    #[test]
    fn true_time_stands_as_it_is() {
        let mut map = ClockMap::default();
        let mut offset = |clock| map.learn(Stamp { clock, ..since_boot(1, 5, 1_000) });
        assert_eq!(offset(DeviceClock::Utc), Some(0));
        assert_eq!(offset(DeviceClock::Tai), Some(-37 * SECOND));
        assert_eq!(offset(DeviceClock::None), None);
    }
}
