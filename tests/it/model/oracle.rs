//! The rules and the windows, word for word, over every reading kept.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use stillwell::{
    engine::{
        ReadingRefusal, Window,
        bins::counting::Precision,
        summary::{Flag, Summary},
    },
    wire::Health,
};

use super::{
    PERCENTILES, RESOLUTION,
    exact::ExactModel,
    history::{Event, Setting},
};

#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    pub(super) channel: u32,
    pub(super) at_ns: i64,
    pub(super) value: f64,
    pub(super) flag: Flag,
    /// Where the watermark was when it was accepted.
    pub(super) seen_ns: i64,
}

/// The rules, word for word.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) exact: ExactModel,
    pub(super) kept: Vec<Kept>,
    pub(super) missing: Vec<(u32, i64)>,
    /// Both, in the order of arrival.
    pub(super) noted: Vec<Kept>,
    pub(super) refused: BTreeMap<ReadingRefusal, u64>,
    /// The last starts of each device, with the numbers seen.
    pub(super) seen: BTreeMap<u32, Vec<(u16, Vec<u32>)>>,
    pub(super) newest_ns: Option<i64>,
    pub(super) watermark_ns: Option<i64>,
    /// When the last frame arrived that had something accepted, or the first word of silence.
    pub(super) last_accepted_ns: Option<i64>,
}

impl Model {
    pub(super) fn new(setting: &Setting) -> Self {
        Self { exact: ExactModel::new(&setting.exact), ..Self::default() }
    }

    pub(super) fn frame(&mut self, event: &Event, setting: &Setting) {
        let duplicate = self.is_duplicate(event);
        let before = self.watermark_ns;
        let seen_ns = before.unwrap_or(i64::MIN);
        let mut accepted = false;
        for &(channel, at_ns, value) in &event.samples {
            let open = before.is_none_or(|w| w <= at_ns);
            let ahead = event.arrived_ns + setting.future_ns < at_ns;
            let why = if !value.is_finite() {
                if value.is_nan() && !duplicate && open && !ahead {
                    self.missing.push((channel, at_ns));
                    let note = Kept { channel, at_ns, value, flag: Flag::Missing, seen_ns };
                    self.noted.push(note);
                    self.exact.note(note);
                }
                ReadingRefusal::NotFinite
            } else if duplicate {
                ReadingRefusal::Duplicate
            } else if ahead {
                ReadingRefusal::Future
            } else if !open {
                ReadingRefusal::Late
            } else if 1e140 < value.abs() {
                ReadingRefusal::NotRepresentable
            } else {
                let flag = match event.health {
                    Health::Good | Health::Maintenance => Flag::NotEvaluated,
                    Health::OffSpec => Flag::Suspect,
                    Health::Failure | Health::Check => Flag::Fail,
                };
                let kept = Kept { channel, at_ns, value, flag, seen_ns };
                self.kept.push(kept);
                self.noted.push(kept);
                self.exact.note(kept);
                self.newest_ns = Some(self.newest_ns.map_or(at_ns, |m| m.max(at_ns)));
                accepted = true;
                continue;
            };
            *self.refused.entry(why).or_default() += 1;
        }
        if accepted {
            self.last_accepted_ns = Some(event.arrived_ns);
        }
        self.advance(self.newest_ns, setting);
    }

    pub(super) fn quiet(&mut self, now_ns: i64, setting: &Setting) {
        if setting.idle_ns <= now_ns - *self.last_accepted_ns.get_or_insert(now_ns) {
            self.advance(Some(now_ns), setting);
        }
    }

    pub(super) fn advance(&mut self, newest_ns: Option<i64>, setting: &Setting) {
        let Some(newest_ns) = newest_ns else { return };
        let floor = (newest_ns - setting.lateness_ns).div_euclid(setting.pane_ns);
        let candidate = floor * setting.pane_ns;
        let watermark_ns = self.watermark_ns.map_or(candidate, |w| w.max(candidate));
        self.watermark_ns = Some(watermark_ns);
        self.exact.advance(watermark_ns);
    }

    pub(super) fn is_duplicate(&mut self, event: &Event) -> bool {
        let boots = self.seen.entry(event.device).or_default();
        if boots.iter().all(|(boot, _)| *boot != event.boot) {
            boots.push((event.boot, Vec::new()));
            boots.drain(..boots.len().saturating_sub(4));
        }
        let seen = boots.iter_mut().find(|(boot, _)| *boot == event.boot);
        let (_, seen) = seen.expect("it is there now");
        let too_old = seen.iter().any(|s| event.sequence + 64 <= *s);
        let duplicate = too_old || seen.contains(&event.sequence);
        seen.push(event.sequence);
        duplicate
    }

    /// The result of a window over all readings kept, or `None` if it holds none.
    pub(super) fn result(&self, channel: u32, window: Window, end_ns: i64) -> Option<Expected> {
        let within = |at_ns: i64| end_ns - window.length_ns <= at_ns && at_ns < end_ns;
        let mine = self.kept.iter().filter(|kept| kept.channel == channel && within(kept.at_ns));
        let mine: Vec<Kept> = mine.copied().collect();
        if mine.is_empty() {
            return None;
        }
        let missing = self.missing.iter().filter(|(c, at)| *c == channel && within(*at)).count();
        let mut flags = [0; 5];
        mine.iter().for_each(|kept| flags[kept.flag as usize] += 1);
        flags[Flag::Missing as usize] = missing as u64;
        let values = mine.into_iter().filter(|kept| kept.flag != Flag::Fail).collect();
        Some(Expected { flags, values })
    }

    /// All instants at which a kept reading is in the window.
    pub(super) fn instants(&self, channel: u32, window: Window) -> Vec<i64> {
        let mut instants = Vec::new();
        for kept in self.kept.iter().filter(|kept| kept.channel == channel) {
            let first = (kept.at_ns.div_euclid(window.every_ns) + 1) * window.every_ns;
            let mut end_ns = first;
            while end_ns - window.length_ns <= kept.at_ns {
                instants.push(end_ns);
                end_ns += window.every_ns;
            }
        }
        instants.sort_unstable();
        instants.dedup();
        instants
    }
}

#[derive(Debug)]
pub(super) struct Expected {
    pub(super) flags: [u64; 5],
    pub(super) values: Vec<Kept>,
}

impl Expected {
    pub(super) fn check(&self, got: &Summary, setting: &Setting, context: &dyn std::fmt::Debug) {
        self.check_all_but_percentiles(got, context);
        let Some(values) = &got.values else { return };
        let figures = match got.precision {
            Precision::Configured => setting.figures,
            Precision::Coarsened(figures) => {
                assert!(figures < setting.figures, "figures of {context:?}");
                figures
            }
            Precision::Withheld => {
                assert!(values.percentiles.is_empty(), "percentiles of {context:?}");
                return;
            }
        };
        assert_eq!(got.overflow, 0, "{context:?}");
        assert_eq!(values.percentiles.len(), PERCENTILES.len(), "percentiles of {context:?}");
        let extremes = (values.min, values.max);
        let xs: Vec<f64> = self.values.iter().map(|kept| kept.value).collect();
        self.check_percentiles(&xs, figures, extremes, &values.percentiles, context);
    }

    pub(super) fn check_all_but_percentiles(&self, got: &Summary, context: &dyn std::fmt::Debug) {
        assert_eq!(got.flags, self.flags, "flags of {context:?}");
        assert_eq!(got.n, self.values.len() as u64, "n of {context:?}");
        let Some(values) = &got.values else {
            assert!(self.values.is_empty(), "values of {context:?}");
            return;
        };
        let xs: Vec<f64> = self.values.iter().map(|kept| kept.value).collect();
        let n = xs.len() as f64;
        assert_eq!(values.min, xs.iter().copied().fold(f64::INFINITY, f64::min), "{context:?}");
        assert_eq!(values.max, xs.iter().copied().fold(f64::NEG_INFINITY, f64::max), "{context:?}");
        let first_ns = self.values.iter().map(|kept| kept.at_ns).min();
        let last_ns = self.values.iter().map(|kept| kept.at_ns).max();
        let first = self.values.iter().find(|kept| Some(kept.at_ns) == first_ns);
        let last = self.values.iter().rfind(|kept| Some(kept.at_ns) == last_ns);
        assert_eq!(Some(values.first), first.map(|kept| kept.value), "first of {context:?}");
        assert_eq!(Some(values.last), last.map(|kept| kept.value), "last of {context:?}");
        let largest = xs.iter().map(|x| x.abs()).fold(0.0, f64::max);
        let mean = exact_sum(xs.iter().copied()) / n;
        assert!((values.mean - mean).abs() <= 1e-12 * largest, "mean of {context:?}");
        if 1 < xs.len() {
            let m2 = exact_sum(xs.iter().map(|x| (x - mean) * (x - mean)));
            let stddev = (m2 / (n - 1.0)).sqrt();
            let got = values.stddev.expect("two values have one");
            let bound = 8.0 * 2_f64.powi(-53) * (1.0 + largest / stddev.max(1e-300));
            let tiny = largest * 1e-12;
            assert!(
                (got - stddev).abs() <= bound * stddev || stddev <= tiny && got <= tiny,
                "stddev of {context:?}: {got} for {stddev}"
            );
        } else {
            assert_eq!(values.stddev, None);
        }
    }

    /// The bin is always that of the true order statistic, told by the reference implementation.
    pub(super) fn check_percentiles(
        &self,
        xs: &[f64],
        figures: u8,
        (min, max): (f64, f64),
        got: &[f64],
        context: &dyn std::fmt::Debug,
    ) {
        let mut sorted = xs.to_vec();
        sorted.sort_by(f64::total_cmp);
        let reference = Histogram::<u64>::new_with_bounds(1, 1 << 40, figures).expect("valid");
        for (percentile, got) in PERCENTILES.iter().zip(got) {
            let rank = ((percentile / 100.0 * xs.len() as f64).ceil() as usize).clamp(1, xs.len());
            let scaled = (sorted[rank - 1] * (1.0 / RESOLUTION)).round();
            let magnitude = (scaled.abs() as u64).min(1 << 40);
            let middle = reference.median_equivalent(magnitude) as f64 * RESOLUTION;
            let expected = if scaled < 0.0 { -middle } else { middle }.clamp(min, max);
            let same = (*got - expected).abs() <= 1e-15 * expected.abs();
            assert!(same, "percentile {percentile} of {context:?}: {got} for {expected}");
        }
    }
}

/// Neumaier's compensated sum.
pub(super) fn exact_sum(xs: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut rest) = (0.0_f64, 0.0);
    for x in xs {
        let next = sum + x;
        rest += if x.abs() <= sum.abs() { (sum - next) + x } else { (x - next) + sum };
        sum = next;
    }
    sum + rest
}
