//! `[defaults]`, and the same keys per channel: how values are aggregated.

use std::{ops::Range, sync::Arc};

use super::{
    errors::{Remark, Sink},
    reader::{Found, Section, number_of},
    statistics::StatisticsKeys,
    value::ValuePlan,
    windows::{self, WindowList},
};
use crate::{
    engine::{
        Rules, TimeMode, Window,
        duration::Nanoseconds,
        rules::{ChainError, check_chain},
    },
    limits::{
        MS, OPEN_PANES_MAX, PANE_MIN_NS, PANES_PER_WINDOW_MAX, PERCENTILES_MAX, RESOLUTION_DEFAULT,
        SECOND, WINDOW_MAX_NS,
    },
};

const PANE_NS: i64 = 100 * MS;
const LATENESS_ARRIVAL_NS: i64 = 0;
const LATENESS_DEVICE_NS: i64 = 200 * MS;
const FUTURE_NS: i64 = 2 * SECOND;
const FIGURES: u8 = 2;
const STALE_NS: i64 = 10 * SECOND;
const SILENT_NS: i64 = 60 * SECOND;
/// Expected intervals without a value from which a slow channel is stale.
const STALE_INTERVALS: f64 = 3.0;
/// The same for silent.
const SILENT_INTERVALS: f64 = 20.0;
/// Default windows, each sliding by a tenth of its length.
const WINDOW_LENGTHS_NS: [i64; 6] =
    [SECOND, 10 * SECOND, 60 * SECOND, 600 * SECOND, 3_600 * SECOND, 86_400 * SECOND];
const PERCENTILES: [f64; 4] = [50.0, 90.0, 95.0, 99.0];

/// The keys that one table gives; what it leaves open comes from the table it inherits from.
#[derive(Clone, Debug, Default)]
pub(super) struct RuleKeys {
    pane: Option<Found<i64>>,
    windows: Option<Found<WindowList>>,
    percentiles: Option<Arc<[f64]>>,
    figures: Option<u8>,
    resolution: Option<f64>,
    lateness: Option<Found<i64>>,
    future: Option<Found<i64>>,
    expected_rate: Option<f64>,
    stale: Option<Found<i64>>,
    silent: Option<Found<i64>>,
    statistics: StatisticsKeys,
}

impl RuleKeys {
    /// What holds where nothing is said.
    pub(super) fn builtin() -> Self {
        let windows = WindowList::sliding_by_a_tenth(&WINDOW_LENGTHS_NS);
        Self {
            windows: Some(Found { value: windows, span: 0..0 }),
            percentiles: Some(Arc::from(PERCENTILES)),
            ..Self::default()
        }
    }

    /// Reads the keys of `[defaults]` or of a channel.
    pub(super) fn read(section: &Section<'_>) -> Self {
        let longest = 0..=WINDOW_MAX_NS;
        Self {
            pane: section.duration("pane", PANE_MIN_NS..=WINDOW_MAX_NS),
            windows: windows::read(section),
            percentiles: percentiles(section),
            figures: section.integer("figures", 1..=3).map(|found| found.value as u8),
            resolution: section.number("resolution", 1e-12..=1e12).map(|found| found.value),
            expected_rate: section.number("expected_rate", 1e-7..=1e7).map(|found| found.value),
            stale: section.duration("stale_after", MS..=*longest.end()),
            silent: section.duration("silent_after", MS..=*longest.end()),
            statistics: StatisticsKeys::read(section),
            ..Self::read_bounds(section)
        }
    }

    /// Reads the two keys that a source may set for its channels.
    pub(super) fn read_bounds(section: &Section<'_>) -> Self {
        Self {
            lateness: section.duration("lateness", 0..=WINDOW_MAX_NS),
            future: section.duration("future", 0..=WINDOW_MAX_NS),
            ..Self::default()
        }
    }

    /// These keys where they are given, else those of `base`.
    pub(super) fn over(&self, base: &Self) -> Self {
        let own = self.clone();
        let base = base.clone();
        Self {
            pane: own.pane.or(base.pane),
            windows: own.windows.or(base.windows),
            percentiles: own.percentiles.or(base.percentiles),
            figures: own.figures.or(base.figures),
            resolution: own.resolution.or(base.resolution),
            lateness: own.lateness.or(base.lateness),
            future: own.future.or(base.future),
            expected_rate: own.expected_rate.or(base.expected_rate),
            stale: own.stale.or(base.stale),
            silent: own.silent.or(base.silent),
            statistics: own.statistics.over(&base.statistics),
        }
    }

    /// The rules of a channel with these keys, inheriting from `base`, which goes back to
    /// [`Self::builtin`]; `at` is where the table begins.
    pub(super) fn resolve(
        &self,
        base: &Self,
        time: TimeMode,
        at: &Range<usize>,
        sink: &Sink,
    ) -> Rules {
        let all = self.over(base);
        let value =
            |found: &Option<Found<i64>>, default| found.as_ref().map_or(default, |f| f.value);
        let lateness_ns = match time {
            TimeMode::Arrival => LATENESS_ARRIVAL_NS,
            TimeMode::Device => LATENESS_DEVICE_NS,
        };
        let interval_ns = all.expected_rate.map_or(0.0, |rate| SECOND as f64 / rate);
        let (stale_ns, silent_ns) = all.ages(interval_ns);
        let windows = all.windows.as_ref().map(|found| found.value.clone()).unwrap_or_default();
        let rules = Rules {
            pane_ns: value(&all.pane, PANE_NS),
            lateness_ns: value(&all.lateness, lateness_ns),
            future_ns: value(&all.future, FUTURE_NS),
            windows: windows.sliding,
            exact: windows.exact,
            percentiles: all.percentiles.clone().unwrap_or_else(|| Arc::from([])),
            figures: all.figures.unwrap_or(FIGURES),
            resolution: all.resolution.unwrap_or(RESOLUTION_DEFAULT),
            expected_rate: all.expected_rate,
            stale_ns,
            silent_ns,
            statistics: self.statistics.resolve(&base.statistics, stale_ns, sink),
        };
        self.check_windows(&all, &rules, at, sink);
        self.check_exact(&all, &rules, at, sink);
        self.check_open_panes(&all, &rules, at, sink);
        self.check_ages(&all, &rules, interval_ns, at, sink);
        rules
    }

    /// Makes rules of these keys fit the values of their channel.
    pub(super) fn fit(
        &self,
        base: &Self,
        rules: &mut Rules,
        values: &mut ValuePlan,
        section: &Section<'_>,
    ) {
        self.statistics.fit(&base.statistics, rules, values, section);
    }

    /// The other channels that these keys name, and where.
    pub(super) fn others(&self) -> impl Iterator<Item = &Found<Arc<str>>> {
        self.statistics.speed().into_iter()
    }

    /// Ages from which a channel is stale and silent. A default gives way to the other key, so
    /// that setting one of the two is enough.
    fn ages(&self, interval_ns: f64) -> (i64, i64) {
        // The rate is at least 1e-7, so that 20 intervals are 2e17 ns, which fits.
        let stale_ns = STALE_NS.max((STALE_INTERVALS * interval_ns) as i64);
        let silent_ns = SILENT_NS.max((SILENT_INTERVALS * interval_ns) as i64);
        match (&self.stale, &self.silent) {
            (None, None) => (stale_ns, silent_ns),
            (Some(stale), None) => (stale.value, silent_ns.max(stale.value)),
            (None, Some(silent)) => (stale_ns.min(silent.value), silent.value),
            (Some(stale), Some(silent)) => (stale.value, silent.value),
        }
    }

    fn check_windows(&self, all: &Self, rules: &Rules, at: &Range<usize>, sink: &Sink) {
        let Err(error) = check_chain(rules.pane_ns, &rules.windows) else { return };
        let windows = all.windows.as_ref().filter(|found| !found.span.is_empty());
        let culprit = match error {
            ChainError::Step { coarser_ns, .. } => {
                rules.windows.iter().position(|window| window.every_ns == coarser_ns)
            }
            ChainError::Length { window } | ChainError::Panes { window } => {
                rules.windows.iter().position(|w| *w == window)
            }
        };
        let i = culprit.unwrap_or_default();
        let window = rules.windows[i];
        // The table that set one of the two is the one to blame; a list blames the very item.
        let span = match (&self.windows, &self.pane, windows, &all.pane) {
            (None, Some(pane), ..) | (None, None, None, Some(pane)) => &pane.span,
            (_, _, Some(windows), _) => &windows.value.spans[i],
            _ => at,
        };
        let finer_ns = if i == 0 { rules.pane_ns } else { rules.windows[i - 1].every_ns };
        sink.error(span, chain_remark(&error, window, finer_ns, i == 0));
    }

    /// Whether the exact windows have room for the readings that are expected: for those within
    /// the length, and for those that wait for the watermark.
    fn check_exact(&self, all: &Self, rules: &Rules, at: &Range<usize>, sink: &Sink) {
        let Some(rate) = rules.expected_rate else { return };
        let waits_ns = rules.lateness_ns.saturating_add(rules.pane_ns);
        for exact in &*rules.exact {
            let expected = |span_ns: i64| (rate * span_ns as f64 / SECOND as f64).ceil() as usize;
            let needed = expected(exact.length_ns).max(expected(waits_ns));
            if needed <= exact.capacity {
                continue;
            }
            let title = format!(
                "the exact window {} holds {} readings, where {needed} are expected",
                Nanoseconds(exact.length_ns),
                exact.capacity
            );
            let windows = all.windows.as_ref().filter(|found| !found.span.is_empty());
            let span = windows.map_or(at, |found| &found.span);
            let help = "its summaries will say how many it lacks: raise `capacity`, or shorten it";
            sink.warn(span, Remark::new(title).help(help));
        }
    }

    fn check_open_panes(&self, all: &Self, rules: &Rules, at: &Range<usize>, sink: &Sink) {
        let reach_ns = rules.lateness_ns.saturating_add(rules.future_ns);
        let panes = reach_ns / rules.pane_ns + 2;
        if panes <= OPEN_PANES_MAX {
            return;
        }
        let own = self.lateness.as_ref().or(self.future.as_ref()).or(self.pane.as_ref());
        let any = all.lateness.as_ref().or(all.future.as_ref()).or(all.pane.as_ref());
        let title = format!(
            "lateness {} and future {} keep {panes} panes of {} open at once, more \
             than {OPEN_PANES_MAX}",
            Nanoseconds(rules.lateness_ns),
            Nanoseconds(rules.future_ns),
            Nanoseconds(rules.pane_ns),
        );
        let least_ns = reach_ns / (OPEN_PANES_MAX - 2) + 1;
        let help = format!("shorten them, or take a `pane` of at least {}", round_up(least_ns));
        sink.error(own.or(any).map_or(at, |found| &found.span), Remark::new(title).help(help));
    }

    fn check_ages(
        &self,
        all: &Self,
        rules: &Rules,
        interval_ns: f64,
        at: &Range<usize>,
        sink: &Sink,
    ) {
        let own = self.stale.as_ref().or(self.silent.as_ref());
        let any = own.or(all.stale.as_ref()).or(all.silent.as_ref());
        let span = any.map_or(at, |found| &found.span);
        if rules.silent_ns < rules.stale_ns {
            let title = format!(
                "`silent_after` {} is shorter than `stale_after` {}",
                Nanoseconds(rules.silent_ns),
                Nanoseconds(rules.stale_ns)
            );
            sink.error(span, Remark::new(title).help("a channel is first stale, then silent"));
        } else if (rules.stale_ns as f64) < interval_ns {
            let title = format!(
                "`stale_after` {} is shorter than the time between two expected readings",
                Nanoseconds(rules.stale_ns)
            );
            let help = "the channel will be stale between any two of them";
            sink.warn(span, Remark::new(title).help(help));
        }
    }
}

fn percentiles(section: &Section<'_>) -> Option<Arc<[f64]>> {
    let list = section.array("percentiles")?;
    if PERCENTILES_MAX < list.value.len() {
        let title = format!("{} percentiles, more than {PERCENTILES_MAX}", list.value.len());
        section.sink.error(&list.span, Remark::new(title));
        return None;
    }
    let mut read: Vec<Found<f64>> = Vec::with_capacity(list.value.len());
    for item in list.value {
        let (value, span) = (item.get_ref(), item.span());
        match number_of(value) {
            Some(p) if 0.0 < p && p <= 100.0 => read.push(Found { value: p, span }),
            Some(p) => {
                let remark =
                    Remark::new(format!("the percentile {p} is not above 0 and up to 100"));
                let help = "the largest value is 100; `min` is always there";
                section.sink.error(&span, remark.help(help));
            }
            None => section.wrong_type("percentiles", &span, value, "a list of numbers", None),
        }
    }
    read.sort_by(|a, b| a.value.total_cmp(&b.value));
    for pair in read.windows(2).filter(|pair| pair[0].value == pair[1].value) {
        let remark = Remark::new(format!("the percentile {} is given twice", pair[0].value));
        section.sink.error(&pair[1].span, remark);
    }
    Some(read.into_iter().map(|found| found.value).collect())
}

/// What does not fit, and what would.
fn chain_remark(error: &ChainError, window: Window, finer_ns: i64, below_is_pane: bool) -> Remark {
    let length = Nanoseconds(window.length_ns);
    let every = Nanoseconds(window.every_ns);
    let finer = Nanoseconds(finer_ns);
    let (title, label) = match error {
        ChainError::Step { .. } if below_is_pane => (
            format!(
                "the pane {finer} does not divide {every}, by which the window {length} slides"
            ),
            format!("slides by {every}"),
        ),
        ChainError::Step { .. } => (
            format!(
                "the window {length} slides by {every}, which is not a multiple of {finer}, \
                 by which the next finer window slides"
            ),
            format!("slides by {every}"),
        ),
        ChainError::Length { .. } => (
            format!("the window {length} slides by {every}, which does not divide its length"),
            format!("{length} / {every} is not whole"),
        ),
        ChainError::Panes { .. } => (
            format!(
                "the window {length} sliding by {every} has {} steps, more than \
                 {PANES_PER_WINDOW_MAX}",
                window.length_ns / window.every_ns
            ),
            "too fine for its length".to_owned(),
        ),
    };
    let write = |every_ns| {
        format!("write {{ length = \"{length}\", every = \"{}\" }}", Nanoseconds(every_ns))
    };
    let pane_ns = gcd(finer_ns, window.every_ns);
    let pane =
        (below_is_pane && PANE_MIN_NS <= pane_ns && matches!(error, ChainError::Step { .. }))
            .then(|| format!("set `pane = \"{}\"`", Nanoseconds(pane_ns)));
    let help = match (fitting_every(window, finer_ns).map(write), pane) {
        (Some(write), Some(pane)) => Some(format!("{write}, or {pane}")),
        (write, pane) => write.or(pane),
    };
    Remark::new(title).label(label).maybe_help(help)
}

/// The step nearest to the one given that divides the window's length and is a multiple of
/// `finer_ns`; from among a bounded number.
fn fitting_every(window: Window, finer_ns: i64) -> Option<i64> {
    let Window { length_ns, every_ns } = window;
    if length_ns % finer_ns != 0 {
        return None;
    }
    let steps = length_ns / finer_ns;
    let fits = |k: &i64| steps % k == 0 && steps / k <= PANES_PER_WINDOW_MAX;
    let wanted = (every_ns / finer_ns).clamp(1, steps);
    let tries = 100_000;
    let below = (1.max(wanted - tries)..=wanted).rev().find(fits);
    let above = (wanted..=steps.min(wanted + tries)).find(fits);
    let best = match (below, above) {
        (Some(below), Some(above)) if above - wanted < wanted - below => above,
        (below, above) => below.or(above)?,
    };
    Some(best * finer_ns)
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// A duration a little longer that is easy to write.
fn round_up(ns: i64) -> Nanoseconds {
    let unit = [SECOND, 100 * MS, 10 * MS].into_iter().find(|unit| *unit <= ns).unwrap_or(MS);
    Nanoseconds(ns.saturating_add(unit - 1) / unit * unit)
}
