//! From a device's clock to the daemon's line.

use crate::{limits::CLOCK_BUCKET_NS, wire::DeviceClock};

/// International atomic time minus coordinated universal time since 2017-01-01 (IERS Bulletin
/// C 52).
const TAI_MINUS_UTC_NS: i64 = 37 * crate::limits::SECOND;

/// The mapping of one device's clock.
///
/// A clock that counts from the device's start is mapped by the lower envelope of arrival minus
/// device time: the quickest frame of the last one to two minutes tells the offset, and slower
/// ones tell only how long they were under way. The two buckets let the offset follow a clock
/// that drifts either way.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClockMap {
    learnt: Option<Learnt>,
}

#[derive(Clone, Copy, Debug)]
struct Learnt {
    boot: u16,
    bucket: i64,
    offset_ns: i64,
    offset_before_ns: i64,
}

impl ClockMap {
    /// What to add to the device times of a frame, whose newest is `newest_ns`; `None` if the
    /// arrival counts.
    pub fn offset_ns(
        &mut self,
        clock: DeviceClock,
        boot: u16,
        newest_ns: i64,
        arrived_ns: i64,
    ) -> Option<i64> {
        match clock {
            DeviceClock::None => None,
            DeviceClock::Utc => Some(0),
            DeviceClock::Tai => Some(-TAI_MINUS_UTC_NS),
            DeviceClock::SinceBoot | DeviceClock::UtcUnsynced => {
                Some(self.learn(boot, arrived_ns.saturating_sub(newest_ns), arrived_ns))
            }
        }
    }

    fn learn(&mut self, boot: u16, offset_ns: i64, arrived_ns: i64) -> i64 {
        let bucket = arrived_ns.div_euclid(CLOCK_BUCKET_NS);
        let fresh = Learnt { boot, bucket, offset_ns, offset_before_ns: i64::MAX };
        let learnt = self.learnt.get_or_insert(fresh);
        if learnt.boot != boot || learnt.bucket + 1 < bucket {
            *learnt = fresh;
        } else if learnt.bucket < bucket {
            *learnt = Learnt { offset_before_ns: learnt.offset_ns, ..fresh };
        } else {
            learnt.offset_ns = learnt.offset_ns.min(offset_ns);
        }
        learnt.offset_ns.min(learnt.offset_before_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{MS, SECOND};

    #[test]
    fn the_quickest_frame_tells_the_offset() {
        let mut map = ClockMap::default();
        let mut offset = |device_ns, delay_ns| {
            let arrived_ns = 1_000 * SECOND + device_ns + delay_ns;
            map.offset_ns(DeviceClock::SinceBoot, 1, device_ns, arrived_ns).expect("a clock")
        };
        assert_eq!(offset(0, 50 * MS), 1_000 * SECOND + 50 * MS);
        assert_eq!(offset(SECOND, 2 * MS), 1_000 * SECOND + 2 * MS);
        assert_eq!(offset(2 * SECOND, 30 * MS), 1_000 * SECOND + 2 * MS);
        // Two buckets later the quick frame is forgotten, so that a slow clock is followed.
        assert_eq!(offset(200 * SECOND, 40 * MS), 1_000 * SECOND + 40 * MS);
    }

    #[test]
    fn a_restart_learns_anew() {
        let mut map = ClockMap::default();
        map.offset_ns(DeviceClock::SinceBoot, 1, 900, 1_000);
        assert_eq!(map.offset_ns(DeviceClock::SinceBoot, 2, 0, 2_000), Some(2_000));
    }

    #[test]
    fn true_time_stands_as_it_is() {
        let mut map = ClockMap::default();
        assert_eq!(map.offset_ns(DeviceClock::Utc, 1, 5, 1_000), Some(0));
        assert_eq!(map.offset_ns(DeviceClock::Tai, 1, 5, 1_000), Some(-37 * SECOND));
        assert_eq!(map.offset_ns(DeviceClock::None, 1, 0, 1_000), None);
    }
}
