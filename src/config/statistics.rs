//! What the values of a channel are, what its summaries say besides, and how they are judged.

use std::{ops::Range as Place, sync::Arc};

use toml::de::DeValue;

use super::{
    calibration::counter_range,
    errors::{Remark, Sink},
    reader::{Found, Section},
    value::ValuePlan,
};
use crate::{
    engine::{
        Rules,
        calibration::{Calibration, Era, Eras, Transfer},
        duration::Nanoseconds,
        qc::plan::Partner,
        statistics::{Kind, Statistics, counter::Range, hold::Course, plan::Grades},
        unit::{Conversion, Unit},
    },
    limits::{
        ALLAN_LENGTHS_MAX, FIELD_NAME_BYTES_MAX, MS, SECOND, STATES_MAX, VALUE_ABS_MAX,
        WINDOW_MAX_NS,
    },
};

/// Length of the running mean whose largest is the gust, by the WMO.
const GUST_NS: i64 = 3 * SECOND;
/// Degrees of a turn.
const TURN: f64 = 360.0;
/// A counter that never wraps.
const ENDLESS: Range = Range { modulus: None, wrap_max: 0.0 };
const TIMES: std::ops::RangeInclusive<i64> = MS..=WINDOW_MAX_NS;

/// The keys that one table gives; what it leaves open comes from the table it inherits from.
#[derive(Clone, Debug, Default)]
pub(super) struct StatisticsKeys {
    kind: Option<Found<Word>>,
    states: Option<Found<Arc<[Arc<str>]>>>,
    range: Option<Found<Range>>,
    course: Option<Found<Course>>,
    max_hold: Option<Found<i64>>,
    rms: Option<Found<bool>>,
    trust: Option<Found<bool>>,
    ewma: Option<Found<i64>>,
    allan: Option<Found<Arc<[i64]>>>,
    gust: Option<Found<bool>>,
    speed: Option<Found<Arc<str>>>,
    status: Option<(f64, f64)>,
    completeness: Option<f64>,
}

/// The words for the kinds of channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Scalar,
    Circular,
    Counter,
    State,
}

const WORDS: [(&str, Word); 4] = [
    ("scalar", Word::Scalar),
    ("circular", Word::Circular),
    ("counter", Word::Counter),
    ("state", Word::State),
];

impl StatisticsKeys {
    /// Reads the keys of `[defaults]`, a pattern or a channel.
    pub(super) fn read(section: &Section<'_>) -> Self {
        let courses = [("stepped", Course::Stepped), ("linear", Course::Linear)];
        let share = |found: Found<f64>| found.value / 100.0;
        Self {
            kind: section.choice("kind", &WORDS),
            states: states(section),
            range: range(section),
            course: section.choice("interpolation", &courses),
            max_hold: section.duration("max_hold", TIMES),
            rms: section.boolean("rms"),
            trust: section.boolean("trust"),
            ewma: section.duration("ewma", TIMES),
            allan: allan(section),
            gust: section.boolean("gust"),
            speed: section.text("speed").map(|found| found.map(Arc::from)),
            status: status(section),
            completeness: section.number("completeness", 0.0..=100.0).map(share),
        }
    }

    /// These keys where they are given, else those of `base`.
    pub(super) fn over(&self, base: &Self) -> Self {
        let (own, base) = (self.clone(), base.clone());
        Self {
            kind: own.kind.or(base.kind),
            states: own.states.or(base.states),
            range: own.range.or(base.range),
            course: own.course.or(base.course),
            max_hold: own.max_hold.or(base.max_hold),
            rms: own.rms.or(base.rms),
            trust: own.trust.or(base.trust),
            ewma: own.ewma.or(base.ewma),
            allan: own.allan.or(base.allan),
            gust: own.gust.or(base.gust),
            speed: own.speed.or(base.speed),
            status: own.status.or(base.status),
            completeness: own.completeness.or(base.completeness),
        }
    }

    /// What these keys, over those of `base`, amount to; a value holds until it is stale if
    /// nothing else is said.
    pub(super) fn resolve(&self, base: &Self, stale_ns: i64, sink: &Sink) -> Statistics {
        let all = self.over(base);
        let word = all.word();
        self.check_fit(&all, sink);
        let is_scalar = word == Word::Scalar;
        let is_on = |found: &Option<Found<bool>>| found.as_ref().is_some_and(|found| found.value);
        let (good, bad) = all.status.unwrap_or((Grades::DEFAULT.good, Grades::DEFAULT.bad));
        let mut statistics = Statistics {
            kind: all.kind(),
            course: all.course.as_ref().map(|found| found.value).filter(|_| is_scalar),
            max_hold_ns: all.max_hold.as_ref().map_or(stale_ns, |found| found.value),
            rms: is_scalar && is_on(&all.rms),
            trust: is_on(&all.trust),
            ewma_ns: all.ewma.as_ref().map(|found| found.value).filter(|_| is_scalar),
            allan: match (&all.allan, is_scalar) {
                (Some(found), true) => Arc::clone(&found.value),
                _ => Arc::default(),
            },
            gust_ns: (is_scalar && is_on(&all.gust)).then_some(GUST_NS),
            speed: None,
            grades: Grades { good, bad, complete: all.completeness.unwrap_or(0.0) },
        };
        if let (Some(found), Word::Circular) = (&all.speed, word) {
            let (id, age_max_ns) = (Arc::clone(&found.value), statistics.max_hold_ns);
            statistics.speed = Some(Partner { id, age_max_ns });
        }
        statistics.trust |= all.trust.is_none() && statistics.is_kept();
        statistics
    }

    /// The channel that these keys name for speeds.
    pub(super) fn speed(&self) -> Option<&Found<Arc<str>>> {
        self.speed.as_ref()
    }

    fn word(&self) -> Word {
        self.kind.as_ref().map_or(Word::Scalar, |found| found.value)
    }

    fn kind(&self) -> Kind {
        match self.word() {
            Word::Scalar => Kind::Scalar,
            Word::Circular => Kind::Circular { turn: TURN },
            Word::Counter => Kind::Counter(self.range.as_ref().map_or(ENDLESS, |r| r.value)),
            Word::State => Kind::State(
                self.states.as_ref().map(|found| found.value.clone()).unwrap_or_default(),
            ),
        }
    }

    /// Records what this table says that means nothing for the kind of the channel.
    fn check_fit(&self, all: &Self, sink: &Sink) {
        let word = all.word();
        let place = |found: &Option<Found<bool>>| found.as_ref().map(|found| found.span.clone());
        let of_scalars = [
            ("interpolation", self.course.as_ref().map(|found| found.span.clone())),
            ("rms", place(&self.rms)),
            ("ewma", self.ewma.as_ref().map(|found| found.span.clone())),
            ("allan", self.allan.as_ref().map(|found| found.span.clone())),
            ("gust", place(&self.gust)),
        ];
        if word != Word::Scalar {
            for (key, span) in of_scalars {
                misfit(key, span, "scalar", word, sink);
            }
        }
        if word != Word::State {
            misfit("states", self.states.as_ref().map(|f| f.span.clone()), "state", word, sink);
        }
        if word != Word::Circular {
            misfit("speed", self.speed.as_ref().map(|f| f.span.clone()), "circular", word, sink);
        }
        if word != Word::Counter {
            let span = self.range.as_ref().map(|found| found.span.clone());
            misfit("width`, `modulus` or `wrap_max", span, "counter", word, sink);
        }
        if let (Word::State, None, Some(kind)) = (word, &all.states, &all.kind) {
            let remark = Remark::new("a channel of states needs their names: `states`");
            let help = "name them by their values, from 0 on: states = [\"off\", \"on\"]";
            sink.missing(&kind.span, remark.help(help));
        }
        let knows = all.course.is_some() || word != Word::Scalar || all.trust.is_some();
        if let (Some(found), false) = (&self.max_hold, knows) {
            let remark = Remark::new("`max_hold` has no effect without `interpolation`");
            let help = "say how values go on: interpolation = \"stepped\", or \"linear\"";
            sink.warn(&found.span, remark.help(help));
        }
    }

    /// Makes the rules of a channel fit its unit and its kind: a turn is that of the unit, what
    /// is judged says how far it is to be trusted, and what is no quantity has no percentiles.
    pub(super) fn fit(
        &self,
        base: &Self,
        rules: &mut Rules,
        values: &mut ValuePlan,
        section: &Section<'_>,
    ) {
        let (unit, qc) = (values.unit.as_deref(), values.qc.as_deref());
        let all = self.over(base);
        let statistics = &mut rules.statistics;
        let is_judged = qc.is_some() || matches!(values.calibration, Calibration::Eras(_));
        statistics.trust |= all.trust.is_none() && is_judged;
        if let (Some(found), Some(_), true) =
            (&all.speed, &statistics.speed, qc.is_some_and(|qc| qc.spike.is_some()))
        {
            let remark = Remark::new("a direction that waits for its `spike` test has no `speed`");
            let help = "remove the test: the way from 359 to 1 is a spike to it";
            section.sink.error(&found.span, remark.help(help));
        }
        if let Kind::Circular { turn } = &mut statistics.kind {
            *turn = unit.map_or(TURN, |unit| turn_in(unit, all.kind.as_ref(), section));
        }
        if let Kind::Counter(range) = &mut statistics.kind {
            let place = all.range.as_ref().map(|found| &found.span);
            count(range, values, place.unwrap_or(&section.span), section.sink);
        }
        if statistics.kind != Kind::Scalar {
            if let Some(span) = section.key_span("percentiles") {
                let title =
                    format!("a channel of kind \"{}\" has no percentiles", name(all.word()));
                section.sink.error(&span, Remark::new(title).help("remove them"));
            }
            rules.percentiles = Arc::default();
        }
        if let (Some(span), false, None) =
            (section.key_span("completeness"), statistics.is_kept(), rules.expected_rate)
        {
            let remark = Remark::new("`completeness` has no effect: nobody knows what is absent");
            let help = "say how many readings are expected (`expected_rate`), or `trust = true`, \
                        by which the time is known";
            section.sink.warn(&span, remark.help(help));
        }
        for &length_ns in statistics.allan.iter() {
            let longest_ns = rules.windows.iter().map(|window| window.length_ns).max();
            if let (Some(found), Some(longest_ns)) = (&all.allan, longest_ns)
                && longest_ns < 2 * length_ns
            {
                let title = format!(
                    "no window holds two blocks of {}: the longest is {}",
                    Nanoseconds(length_ns),
                    Nanoseconds(longest_ns)
                );
                section.sink.warn(&found.span, Remark::new(title));
            }
        }
    }
}

fn name(word: Word) -> &'static str {
    let of = WORDS.iter().find(|(_, other)| *other == word);
    of.map_or("scalar", |(name, _)| name)
}

fn misfit(key: &str, span: Option<Place<usize>>, fits: &str, word: Word, sink: &Sink) {
    if let Some(span) = span {
        let remark = Remark::new(format!("`{key}` does not fit the kind \"{}\"", name(word)));
        sink.error(&span, remark.help(format!("it is for channels with `kind = \"{fits}\"`")));
    }
}

/// One turn in a unit, which must be that of an angle.
fn turn_in(unit: &str, kind: Option<&Found<Word>>, section: &Section<'_>) -> f64 {
    let (Ok(degree), Ok(own)) = (Unit::parse("deg"), Unit::parse(unit)) else { return TURN };
    match Conversion::between(&degree, &own) {
        Ok(conversion) => conversion.difference(TURN),
        Err(error) => {
            let title = format!("directions are not measured in `{unit}`: {error}");
            let span = kind.map_or(&section.span, |found| &found.span);
            section.sink.error(span, Remark::new(title).help("take `deg`, `rad` or `gon`"));
            TURN
        }
    }
}

/// The names of states, by their numbers.
fn states(section: &Section<'_>) -> Option<Found<Arc<[Arc<str>]>>> {
    let list = section.array("states")?;
    let count = list.value.len();
    if count == 0 || STATES_MAX < count {
        let title = format!("{count} states, where 1 to {STATES_MAX} can be");
        section.sink.error(&list.span, Remark::new(title));
        return None;
    }
    let mut names: Vec<Arc<str>> = Vec::with_capacity(count);
    for item in list.value {
        let name = item.get_ref().as_str().filter(|name| {
            !name.is_empty() && name.len() <= FIELD_NAME_BYTES_MAX && *name != OTHER
        });
        match name {
            Some(name) if names.iter().any(|other| **other == *name) => {
                let remark = Remark::new(format!("the state \"{name}\" is named twice"));
                section.sink.error(&item.span(), remark);
            }
            Some(name) => names.push(Arc::from(name)),
            None => {
                let title = format!("a state has a name of 1 to {FIELD_NAME_BYTES_MAX} bytes");
                let help = format!("in quotes, and not \"{OTHER}\", which is what has no name");
                section.sink.error(&item.span(), Remark::new(title).help(help));
            }
        }
    }
    Some(Found { value: names.into(), span: list.span })
}

/// Name of all states that have none.
const OTHER: &str = crate::engine::statistics::plan::OTHER_STATE;

/// Makes the range of a counter, which is that of what it shows, fit its published values, and has
/// readings outside of it fail.
fn count(range: &mut Range, values: &mut ValuePlan, at: &Place<usize>, sink: &Sink) {
    let conversion = values.conversion;
    let factor = match &values.calibration {
        Calibration::Linear(line) if line.offset == 0.0 && conversion.offset == 0.0 => {
            Some(line.scale * conversion.factor).filter(|factor| 0.0 < *factor)
        }
        _ => None,
    };
    let (Some(factor), Calibration::Linear(line)) = (factor, &values.calibration) else {
        if range.modulus.is_some() {
            let title = "the range of a counter is that of what it shows, and its calibration is \
                         more than a factor";
            let help = "leave the range away, or count by `calibration = { kind = \"counter\" }`";
            sink.error(at, Remark::new(title).help(help));
        }
        return;
    };
    let max = range.modulus.map_or(VALUE_ABS_MAX, f64::next_down);
    let chain = [Transfer::Within { min: 0.0, max }, Transfer::Linear(*line)];
    let era = Era { from_ns: i64::MIN, version: None, chain: chain.into() };
    values.calibration = Calibration::Eras(Arc::new(Eras::new(vec![era])));
    range.modulus = range.modulus.map(|modulus| modulus * factor);
    range.wrap_max *= factor;
}

/// The range of a counter, if the table says anything about it.
fn range(section: &Section<'_>) -> Option<Found<Range>> {
    let keys = ["width", "modulus", "wrap_max"];
    let span = keys.into_iter().find_map(|key| section.key_span(key))?;
    let (modulus, wrap_max) = counter_range(section)?;
    Some(Found { value: Range { modulus, wrap_max }, span })
}

/// Lengths of blocks.
fn allan(section: &Section<'_>) -> Option<Found<Arc<[i64]>>> {
    let list = section.array("allan")?;
    if ALLAN_LENGTHS_MAX < list.value.len() {
        let title = format!("{} lengths, more than {ALLAN_LENGTHS_MAX}", list.value.len());
        section.sink.error(&list.span, Remark::new(title));
        return None;
    }
    let length = |item: &toml::Spanned<DeValue<'_>>| {
        let (span, (least, most)) = (item.span(), (*TIMES.start(), *TIMES.end()));
        let ns = section.duration_of("allan", item.get_ref(), &span)?;
        if !TIMES.contains(&ns) {
            let (least, most) = (Nanoseconds(least), Nanoseconds(most));
            section.out_of_range("allan", &span, Nanoseconds(ns), least, most);
            return None;
        }
        Some(ns)
    };
    let mut lengths: Vec<i64> = list.value.iter().map(length).collect::<Option<_>>()?;
    lengths.sort_unstable();
    lengths.dedup();
    Some(Found { value: lengths.into(), span: list.span })
}

/// Shares from which a summary is good, and bad.
fn status(section: &Section<'_>) -> Option<(f64, f64)> {
    let table = section.section("status", "`status`", super::keys::STATUS)?;
    let share = |key, default: f64| match table.has(key) {
        true => table.number(key, 0.0..=100.0).map(|found| found.value / 100.0),
        false => Some(default),
    };
    let good = share("good", Grades::DEFAULT.good);
    let bad = share("bad", Grades::DEFAULT.bad);
    let (good, bad) = (good?, bad?);
    if good + bad < 1.0 {
        let remark = Remark::new("a summary could be good and bad at once");
        table.sink.error(&table.span, remark.help("`good` and `bad` come to 100 or more"));
    }
    Some((good, bad))
}
