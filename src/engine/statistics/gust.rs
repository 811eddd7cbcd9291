//! Gusts: the largest running mean (WMO-No. 8, part I, 5.1: of 3 seconds).

mod saved;

use super::{peak::Peak, series::Series};
use crate::{
    engine::{
        exact::{queue::Queue, reorder::Noted},
        rules::{ExactWindow, Window},
        summary::Flag,
    },
    limits::GUST_READINGS_MAX,
};

/// The running mean of a channel, and its largest in each window.
///
/// The running mean at a reading is that of all values of `(t - length, t]`. It counts once it is
/// whole: when the length has passed since the first reading, or the first after so long a silence.
#[derive(Debug)]
pub struct Gust {
    queue: Queue,
    /// The first reading since nothing came for the length.
    since_ns: i64,
    newest_ns: i64,
    peaks: Series<Peak>,
}

impl Gust {
    /// Bytes that it comes to at most over these windows.
    #[must_use]
    pub fn bytes_at_most(windows: &[Window]) -> usize {
        Queue::bytes_at_most(&running(0)) + Series::<Peak>::bytes(windows)
    }

    /// No reading yet.
    #[must_use]
    pub fn new(length_ns: i64, windows: &[Window], index: u32) -> Self {
        Self {
            queue: Queue::new(running(length_ns)),
            since_ns: i64::MAX,
            newest_ns: i64::MIN,
            peaks: Series::new(windows, index),
        }
    }

    /// Takes the next value.
    pub fn push(&mut self, at_ns: i64, value: f64) {
        let length_ns = self.queue.length_ns();
        if self.newest_ns.saturating_add(length_ns) <= at_ns {
            self.since_ns = at_ns;
        }
        self.newest_ns = at_ns;
        self.queue.push(Noted { at_ns, value, flag: Flag::Pass });
        let whole = length_ns <= at_ns - self.since_ns;
        // A mean of fewer readings than there were is none.
        let mean = self.queue.result(at_ns).filter(|figures| whole && figures.overflow == 0);
        if let Some(figures) = mean {
            self.peaks.add(at_ns, &Peak::of(at_ns, figures.mean));
        }
    }

    /// The largest running mean of a window that ends at `at_ns`, and when it was reached.
    pub fn result(&mut self, window: usize, at_ns: i64) -> Option<(f64, i64)> {
        self.peaks.result(window, at_ns).get()
    }
}

fn running(length_ns: i64) -> ExactWindow {
    ExactWindow { length_ns, capacity: GUST_READINGS_MAX }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A square gust of 3 s at 4 Hz reaches its height, one of 1 s a third of it.
    #[test]
    fn a_gust_is_a_mean_of_three_seconds() {
        const MS: i64 = 1_000_000;
        let windows = [Window { length_ns: 60_000 * MS, every_ns: 60_000 * MS }];
        for (from, until, height, expected) in [(20, 32, 12.0, 12.0), (20, 24, 12.0, 4.0)] {
            let mut gust = Gust::new(3_000 * MS, &windows, 0);
            for i in 0..100 {
                gust.push(i * 250 * MS, if (from..until).contains(&i) { height } else { 0.0 });
            }
            let (value, at_ns) = gust.result(0, 60_000 * MS).expect("there was wind");
            assert!((value - expected).abs() < 1e-12, "{value} for {expected}");
            assert!((until - 1) * 250 * MS <= at_ns && at_ns < (from + 12) * 250 * MS);
        }
    }

    #[test]
    fn a_mean_that_is_not_whole_does_not_count() {
        let windows = [Window { length_ns: 100, every_ns: 100 }];
        let mut gust = Gust::new(30, &windows, 0);
        gust.push(0, 50.0);
        gust.push(10, 1.0);
        gust.push(60, 70.0);
        gust.push(80, 2.0);
        assert_eq!(gust.result(0, 100), None);
        gust.push(100, 4.0);
        assert_eq!(gust.result(0, 200), Some((3.0, 100)));
    }
}
