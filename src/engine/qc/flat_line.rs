//! A value that does not change any more.
//!
//! QARTOD test 8 ("Flat Line Test"). The manuals count repetitions; here a time counts, so that
//! irregular sampling is judged as regular sampling is.

use super::{
    bounds::Span,
    sweep::{Reach, Sweep},
};
use crate::engine::summary::Flag;

/// What flat means for a channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FlatLine {
    /// Values that lie less than this apart are the same.
    pub tolerance: f64,
    /// Time after which they are suspect.
    pub suspect_ns: Option<i64>,
    /// Time after which they fail.
    pub fail_ns: Option<i64>,
    /// Values that may stay as long as they like, such as the power of a solar plant at night:
    /// they are not evaluated, and end what was flat before.
    pub except: Option<Span>,
}

/// The test of one channel.
#[derive(Debug)]
pub struct FlatLineTest {
    tolerance: f64,
    except: Option<Span>,
    /// Fail first.
    watches: Vec<(Flag, Watch)>,
}

#[derive(Debug)]
struct Watch {
    length_ns: i64,
    sweep: Sweep,
}

impl FlatLineTest {
    /// The test with these bounds, without a value yet.
    #[must_use]
    pub fn new(bounds: &FlatLine) -> Self {
        let watch = |(flag, length_ns): (Flag, Option<i64>)| {
            let length_ns = length_ns?;
            Some((flag, Watch { length_ns, sweep: Sweep::new(length_ns, Reach::Inclusive) }))
        };
        let times = [(Flag::Fail, bounds.fail_ns), (Flag::Suspect, bounds.suspect_ns)];
        let watches = times.into_iter().filter_map(watch).collect();
        Self { tolerance: bounds.tolerance, except: bounds.except, watches }
    }

    /// What its verdicts are made of.
    pub(super) fn sweeps(&self) -> impl Iterator<Item = &Sweep> {
        self.watches.iter().map(|(_, watch)| &watch.sweep)
    }

    pub(super) fn sweeps_mut(&mut self) -> impl Iterator<Item = &mut Sweep> {
        self.watches.iter_mut().map(|(_, watch)| &mut watch.sweep)
    }

    /// A reading came without a value: it ends nothing.
    pub fn miss(&mut self, at_ns: i64) {
        self.watches.iter_mut().for_each(|(_, watch)| watch.sweep.miss(at_ns));
    }

    /// Judges the next value, which is not older than the one before. Where the values do not
    /// reach back far enough, nothing speaks against it.
    pub fn next(&mut self, at_ns: i64, value: f64) -> Flag {
        let Self { tolerance, except, watches } = self;
        if except.is_some_and(|span| span.contains(value)) {
            watches.iter_mut().for_each(|(_, watch)| watch.sweep.clear());
            return Flag::NotEvaluated;
        }
        let mut verdict = Flag::Pass;
        for (flag, watch) in watches {
            if watch.is_flat(*tolerance, at_ns, value) && verdict == Flag::Pass {
                verdict = *flag;
            }
        }
        verdict
    }
}

impl Watch {
    fn is_flat(&mut self, tolerance: f64, at_ns: i64, value: f64) -> bool {
        let all = self.sweep.next(at_ns, value);
        let readings = all.n() as i64;
        if readings < 2 || tolerance <= all.max - all.min {
            return false;
        }
        let begun_ns = at_ns.saturating_sub(self.length_ns);
        let since_ns = self.sweep.since_ns();
        // A series need not begin at the very edge: one reading's time short of it will do.
        let interval_ns = at_ns.saturating_sub(since_ns.max(begun_ns)) / (readings - 1);
        let reaches_back = since_ns < begun_ns.saturating_add(interval_ns);
        // After a pause little is known.
        let first_ns = self.sweep.first_ns().unwrap_or(at_ns);
        reaches_back && first_ns <= begun_ns.saturating_add(self.length_ns / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{MS, SECOND};

    fn flags(bounds: FlatLine, step_ns: i64, series: &[Option<f64>]) -> Vec<u8> {
        let mut test = FlatLineTest::new(&bounds);
        (0..)
            .zip(series)
            .map(|(at, value)| {
                let at_ns = at * step_ns;
                match value {
                    Some(value) => test.next(at_ns, *value).code(),
                    None => {
                        test.miss(at_ns);
                        Flag::Missing.code()
                    }
                }
            })
            .collect()
    }

    const BOUNDS: FlatLine = FlatLine {
        tolerance: 0.01,
        suspect_ns: Some(3_000 * SECOND),
        fail_ns: Some(4_800 * SECOND),
        except: None,
    };

    #[test]
    fn values_that_stay_are_suspect_then_fail() {
        let series = [
            1.0, 2.0, 2.0001, 2.0, 2.0001, 2.0, 2.0001, 2.0, 4.0, 5.0, 3.0, 3.0001, 3.0005, 3.00001,
        ];
        let got = flags(BOUNDS, 900 * SECOND, &series.map(Some));
        assert_eq!(got, [1, 1, 1, 1, 3, 3, 4, 4, 1, 1, 1, 1, 1, 3]);
        let got = flags(BOUNDS, 900 * SECOND, &series.map(Some)[1..]);
        assert_eq!(got, [1, 1, 1, 3, 3, 4, 4, 1, 1, 1, 1, 1, 3]);
    }

    #[test]
    fn missing_values_do_not_end_a_flat_line() {
        let mut series =
            [1.0, 0.0, 0.0, 2.0, 2.0001, 2.0, 2.0001, 2.0, 4.0, 0.0, 3.0, 0.0, 0.0, 3.00001]
                .map(Some);
        for at in [1, 2, 9, 11, 12] {
            series[at] = None;
        }
        let got = flags(BOUNDS, 900 * SECOND, &series);
        assert_eq!(got, [1, 9, 9, 1, 3, 3, 4, 4, 1, 9, 1, 9, 9, 3]);
    }

    #[test]
    fn a_few_values_are_no_line() {
        let (suspect_ns, fail_ns) = (Some(3 * SECOND), Some(5 * SECOND));
        let bounds = FlatLine { tolerance: 0.1, suspect_ns, fail_ns, except: None };
        assert_eq!(flags(bounds, SECOND, &[Some(5.0); 7]), [1, 1, 1, 3, 3, 4, 4]);
        // Each a long time after the one before: nothing is known of what was between.
        assert_eq!(flags(bounds, 60 * SECOND, &[Some(5.0); 3]), [1, 1, 1]);
    }

    /// A ramp, silence, and a value that has only just come to stay.
    #[test]
    fn after_a_silence_a_line_must_grow_anew() {
        let (suspect_ns, fail_ns) = (Some(30 * 60 * SECOND), Some(7_200 * SECOND));
        let mut test =
            FlatLineTest::new(&FlatLine { tolerance: 0.01, suspect_ns, fail_ns, except: None });
        for second in 0..120 {
            test.next(second * SECOND, second as f64);
        }
        let later = |second: i64| 10_800 + second;
        let flags: Vec<Flag> =
            (0..7_300).map(|second| test.next(later(second) * SECOND, 21.0)).collect();
        let first = |flag| flags.iter().position(|other| *other == flag);
        assert_eq!((first(Flag::Suspect), first(Flag::Fail)), (Some(1_800), Some(7_200)));

        let bounds =
            FlatLine { tolerance: 0.1, suspect_ns: None, fail_ns: Some(60 * SECOND), except: None };
        let mut test = FlatLineTest::new(&bounds);
        for (at_ns, value) in [(0, 1.0), (100 * SECOND, 7.0), (100_500 * MS, 7.0)] {
            assert_eq!(test.next(at_ns, value), Flag::Pass, "{at_ns}");
        }
        // Ten a second, and a pause as long as the line and a little shorter.
        for pause in [2_000 * MS, 1_900 * MS] {
            let bounds = FlatLine { suspect_ns: Some(2 * SECOND), fail_ns: None, ..bounds };
            let mut test = FlatLineTest::new(&bounds);
            for n in 0..5 {
                test.next(n * 100 * MS, n as f64);
            }
            let flags: Vec<Flag> =
                (0..30).map(|n| test.next(400 * MS + pause + n * 100 * MS, 9.0)).collect();
            let first = flags.iter().position(|flag| *flag == Flag::Suspect);
            assert!(first.is_some_and(|n| (10..=20).contains(&n)), "{pause}: {first:?}");
        }
    }

    /// Where the times between readings differ, a line does not come and go.
    #[test]
    fn a_line_of_irregular_readings_stays_one() {
        let bounds =
            FlatLine { tolerance: 0.1, suspect_ns: Some(60 * SECOND), fail_ns: None, except: None };
        let mut test = FlatLineTest::new(&bounds);
        let mut at_ns = 0;
        for n in 0..200_i64 {
            at_ns += (8 + n * 7 % 5) * SECOND;
            let flag = test.next(at_ns, 4.0);
            assert!(at_ns < 80 * SECOND || flag == Flag::Suspect, "{n}: {flag:?}");
        }
    }

    #[test]
    fn a_tolerance_of_nothing_never_fires_and_fractions_of_a_second_count() {
        let (suspect_ns, fail_ns) = (Some(SECOND), None);
        let bounds = FlatLine { tolerance: 0.0, suspect_ns, fail_ns, except: None };
        assert!(flags(bounds, 100 * MS, &[Some(5.0); 50]).iter().all(|&flag| flag == 1));
        let bounds = FlatLine { tolerance: 0.5, ..bounds };
        let got = flags(bounds, 100 * MS, &[Some(5.0); 30]);
        assert_eq!(got.iter().position(|&flag| flag == 3), Some(10));
    }

    #[test]
    fn what_may_stay_is_no_line_and_ends_one() {
        let (suspect_ns, fail_ns) = (Some(3 * SECOND), None);
        let except = Some(Span { min: 0.0, max: 0.0 });
        let bounds = FlatLine { tolerance: 0.1, suspect_ns, fail_ns, except };
        let series = [5.0, 5.0, 5.0, 5.0, 0.0, 0.0, 0.0, 0.0, 0.0, 5.0, 5.0, 5.0, 5.0];
        let got = flags(bounds, SECOND, &series.map(Some));
        assert_eq!(got, [1, 1, 1, 3, 2, 2, 2, 2, 2, 1, 1, 1, 3]);
    }
}
